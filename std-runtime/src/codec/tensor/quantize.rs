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
    /// Those of a row, the last dimension: 4 bytes more for each row. Rows without elements have no scales.
    PerRow,
    /// All, with this scale, finite and not 0. What is beyond 127 scales (128 below zero) is cut off.
    Scale(f32),
}

impl Tensor {
    /// A tensor of bytes with a scale, row-major. A number comes back within half of its scale.
    ///
    /// # Errors
    /// As [`f32`](Tensor::f32); [`TensorError::NotFinite`] with the first NaN or infinity, which no byte can say;
    /// [`TensorError::Scale`].
    pub fn quantized(shape: &[u32], values: &[f32], how: Quantization) -> Result<Self, TensorError> {
        let header = TensorHeader::try_new(TensorType::Qnt8, shape)?;
        let (wanted, found) = (header.elements().unwrap_or(u64::MAX), values.len() as u64);
        if wanted != found {
            return Err(TensorError::Length { wanted, found });
        }
        if let Some((index, value)) = values.iter().enumerate().find(|(_, value)| !value.is_finite()) {
            return Err(TensorError::NotFinite { index, bits: value.to_bits() });
        }
        let scale = match how {
            Quantization::PerRow if !values.is_empty() => return per_row(header, values),
            // There may be 2^32 rows without elements, whose scales nobody would read.
            Quantization::PerRow | Quantization::Global => scale_of(values),
            Quantization::Scale(scale) if scale.is_finite() && scale != 0.0 => scale,
            Quantization::Scale(scale) => return Err(TensorError::Scale { bits: scale.to_bits() }),
        };
        let elements: Vec<u8> = values.iter().map(|value| element(*value, scale)).collect();
        Self::try_new(TensorHeader { scale, ..header }, elements.into())
    }
}

/// With a scale for each row, of which there are no more than values.
fn per_row(header: TensorHeader, values: &[f32]) -> Result<Tensor, TensorError> {
    let header = TensorHeader { row_quantized: true, ..header };
    let row_len = usize::try_from(header.row_len()).unwrap_or(usize::MAX);
    let mut elements = Vec::with_capacity(values.len());
    for row in values.chunks_exact(row_len) {
        let scale = scale_of(row);
        elements.extend_from_slice(&scale.to_le_bytes());
        elements.extend(row.iter().map(|value| element(*value, scale)));
    }
    Tensor::try_new(header, Bytes::from(elements))
}

/// The scale that makes the largest magnitude 127; 1 if all are 0.
fn scale_of(values: &[f32]) -> f32 {
    let scale = values.iter().map(|value| value.abs()).fold(0.0, f32::max) / 127.0;
    // Magnitudes so small that their scale is none are 0 with any; the largest must not come back infinite.
    if !scale.is_normal() {
        1.0
    } else if (scale * 127.0).is_infinite() {
        scale.next_down()
    } else {
        scale
    }
}

/// The nearest element to a finite number.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, as is wanted")]
fn element(value: f32, scale: f32) -> u8 {
    // `as` cuts off what is beyond a byte, also an infinite quotient of a tiny scale.
    ((value / scale).round() + f32::from(QNT8_ZERO)) as u8
}
