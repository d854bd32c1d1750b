//! How floats become bytes with a scale, and how far from themselves they come back.

use bytes::Bytes;
use strait_core::xcp::tensor::QNT8_ZERO;
use strait_core::xcp::{TensorError, TensorHeader, TensorType};

use super::Tensor;

/// Which numbers have a scale together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Quantization {
    /// All: 1 byte each. The scale is the largest magnitude over 127.
    Global,
    /// Those of a row, the last dimension: 4 bytes more for each row.
    PerRow,
    /// All, with this scale. What is beyond 127 scales (128 below zero) is cut off.
    Scale(f32),
}

impl Tensor {
    /// A tensor of bytes with a scale, row-major. A number comes back within half of its scale; NaN comes back as 0,
    /// an infinity as the largest number that the scale allows, and neither has a part in the scale.
    ///
    /// # Errors
    /// As [`f32`](Tensor::f32).
    pub fn quantized(shape: &[u32], values: &[f32], how: Quantization) -> Result<Self, TensorError> {
        let header = TensorHeader::try_new(TensorType::Qnt8, shape)?;
        let (wanted, found) = (header.elements().unwrap_or(u64::MAX), values.len() as u64);
        if wanted != found {
            return Err(TensorError::Length { wanted, found });
        }
        let scale = match how {
            Quantization::Global => scale_of(values),
            Quantization::Scale(scale) => scale,
            Quantization::PerRow => return per_row(header, values),
        };
        let elements: Vec<u8> = values.iter().map(|value| element(*value, scale)).collect();
        Self::try_new(TensorHeader { scale, ..header }, elements.into())
    }
}

fn per_row(header: TensorHeader, values: &[f32]) -> Result<Tensor, TensorError> {
    let header = TensorHeader { row_quantized: true, ..header };
    let too_large = TensorError::Length { wanted: u64::MAX, found: values.len() as u64 };
    let rows = header.rows().and_then(|rows| usize::try_from(rows).ok()).ok_or(too_large)?;
    let mut elements = Vec::with_capacity(values.len());
    if values.is_empty() {
        // As many scales as there are rows, of rows without elements.
        let len = rows.checked_mul(4).filter(|len| *len <= isize::MAX.unsigned_abs()).ok_or(too_large)?;
        elements.resize(len, 0);
    } else {
        for row in values.chunks_exact(values.len() / rows.max(1)) {
            let scale = scale_of(row);
            elements.extend_from_slice(&scale.to_le_bytes());
            elements.extend(row.iter().map(|value| element(*value, scale)));
        }
    }
    Tensor::try_new(header, Bytes::from(elements))
}

/// The scale that makes the largest magnitude 127; 1 if all are 0.
fn scale_of(values: &[f32]) -> f32 {
    let finite = values.iter().map(|value| value.abs()).filter(|value| value.is_finite());
    let scale = finite.fold(0.0, f32::max) / 127.0;
    // Magnitudes so small that their scale is none are 0 with any; the largest must not come back infinite.
    if !scale.is_normal() {
        1.0
    } else if (scale * 127.0).is_infinite() {
        scale.next_down()
    } else {
        scale
    }
}

fn element(value: f32, scale: f32) -> u8 {
    let zero = f32::from(QNT8_ZERO);
    // `as` cuts off what is beyond a byte, and makes 0 of NaN, which would be the lowest number.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, as is wanted")]
    let element = ((value / scale).round() + zero) as u8;
    if value.is_nan() { QNT8_ZERO } else { element }
}
