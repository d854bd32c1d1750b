//! What a tensor is, and which numbers are in it.

use bytes::Bytes;
use half::f16;
use strait_core::xcp::tensor::{QNT8_ZERO, TENSOR_HEADER_LEN};
use strait_core::xcp::{CodecId, TensorError, TensorHeader, TensorType};

/// A tensor: type, shape, and its elements as they stand in a body, little-endian.
///
/// ```
/// use strait::codec::{Quantization, Tensor};
///
/// let exact = Tensor::f32(&[2, 2], &[1.0, -2.5, 3.0, 0.1])?;
/// let small = Tensor::quantized(&[2, 2], &exact.to_f32(), Quantization::PerRow)?;
/// assert_eq!(small.elements().len(), 12);                       // a scale of 4 bytes and 2 elements, twice
/// assert!((small.to_f32()[3] - 0.1).abs() <= 3.0 / 127.0 / 2.0);
/// # Ok::<(), strait_core::xcp::TensorError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    header: TensorHeader,
    /// As many bytes as the header says.
    elements: Bytes,
}

impl Tensor {
    /// A tensor of 32-bit floats, row-major.
    ///
    /// # Errors
    /// [`TensorError::Dimensions`], [`TensorError::TooLarge`], and [`TensorError::Length`] if there are not as many values
    /// as the shape says.
    pub fn f32(shape: &[u32], values: &[f32]) -> Result<Self, TensorError> {
        let elements = little_endian(values, |value| value.to_le_bytes());
        Self::try_new(TensorHeader::try_new(TensorType::F32, shape)?, elements)
    }

    /// A tensor of 16-bit floats, row-major.
    ///
    /// # Errors
    /// As [`f32`](Self::f32).
    pub fn f16(shape: &[u32], values: &[f16]) -> Result<Self, TensorError> {
        let elements = little_endian(values, |value| value.to_le_bytes());
        Self::try_new(TensorHeader::try_new(TensorType::F16, shape)?, elements)
    }

    /// A tensor of what `header` says, whose elements stand in `elements` as they do in a body.
    ///
    /// # Errors
    /// Any of [`TensorError`].
    pub fn try_new(header: TensorHeader, elements: Bytes) -> Result<Self, TensorError> {
        // Whether there is such a header.
        header.emit()?;
        let found = elements.len() as u64;
        match header.body_len() {
            Some(wanted) if wanted == found => Ok(Self { header, elements }),
            wanted => Err(TensorError::Length { wanted: wanted.unwrap_or(u64::MAX), found }),
        }
    }

    /// The tensor that `body` is under `codec`. Its elements are the body's, not copied.
    ///
    /// # Errors
    /// Any of [`TensorError`].
    pub fn decode(codec: CodecId, body: &Bytes) -> Result<Self, TensorError> {
        let (header, _) = TensorHeader::parse_as(codec, body)?;
        Ok(Self { header, elements: body.slice(TENSOR_HEADER_LEN..) })
    }

    /// Appends the tensor to `out`, as the body of [`codec`](Self::codec).
    pub fn encode(&self, out: &mut Vec<u8>) {
        let header = self.header.emit().expect("a Tensor's header can be written: checked in try_new");
        out.reserve(TENSOR_HEADER_LEN + self.elements.len());
        out.extend_from_slice(&header);
        out.extend_from_slice(&self.elements);
    }

    /// The codec whose body it is.
    pub const fn codec(&self) -> CodecId {
        self.header.dtype.codec()
    }

    /// Type, shape, order and scale.
    pub const fn header(&self) -> &TensorHeader {
        &self.header
    }

    /// Shape, outermost dimension first.
    pub fn shape(&self) -> &[u32] {
        &self.header.shape
    }

    /// The elements as they stand in a body.
    pub const fn elements(&self) -> &Bytes {
        &self.elements
    }

    /// The numbers, in the order in which they stand: row-major, unless the header says otherwise. 16-bit floats are
    /// exact as 32-bit ones; of QNT8 it is `(element - 128) * scale`.
    pub fn to_f32(&self) -> Vec<f32> {
        match self.header.dtype {
            TensorType::F32 => {
                let (words, _) = self.elements.as_chunks::<4>();
                words.iter().map(|word| f32::from_le_bytes(*word)).collect()
            }
            TensorType::F16 => self.halves().map(f16::to_f32).collect(),
            TensorType::Qnt8 if self.header.row_quantized => {
                let rows = self.rows();
                rows.flat_map(|(scale, row)| row.iter().map(move |byte| real(*byte, scale))).collect()
            }
            TensorType::Qnt8 => self.elements.iter().map(|byte| real(*byte, self.header.scale)).collect(),
        }
    }

    /// The numbers as 16-bit floats, each the nearest one; too large ones become infinite.
    pub fn to_f16(&self) -> Vec<f16> {
        match self.header.dtype {
            TensorType::F16 => self.halves().collect(),
            _ => self.to_f32().into_iter().map(f16::from_f32).collect(),
        }
    }

    fn halves(&self) -> impl Iterator<Item = f16> {
        self.elements.as_chunks::<2>().0.iter().map(|word| f16::from_le_bytes(*word))
    }

    /// The rows of QNT8 with a scale for each: the scale and the elements.
    fn rows(&self) -> impl Iterator<Item = (f32, &[u8])> {
        let row_len = usize::try_from(self.header.row_len()).unwrap_or(usize::MAX);
        let row = self.elements.chunks_exact(row_len.saturating_add(4));
        row.filter_map(|row| row.split_first_chunk()).map(|(scale, row)| (f32::from_le_bytes(*scale), row))
    }
}

/// The bytes of all values: a copy of them, where the processor is little-endian.
fn little_endian<T: Copy, const N: usize>(values: &[T], bytes_of: impl Fn(T) -> [u8; N]) -> Bytes {
    let mut bytes = vec![0; size_of_val(values)];
    for (to, value) in bytes.as_chunks_mut().0.iter_mut().zip(values) {
        *to = bytes_of(*value);
    }
    bytes.into()
}

fn real(byte: u8, scale: f32) -> f32 {
    f32::from(i16::from(byte) - i16::from(QNT8_ZERO)) * scale
}
