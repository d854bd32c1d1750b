//! What a tensor's body says in front of its elements: type, shape and order, in 32 bytes.
//!
//! | offset | field |
//! |---|---|
//! | 0 | dimensions, `u8`, 1 to 6 |
//! | 1 | type of the elements, `u8`: 0 F32, 1 F16, 2 QNT8 |
//! | 2 | flags, `u8`: bit 0 a scale for each row, bit 1 the first dimension varies fastest |
//! | 3 | 0 |
//! | 4 | shape, six little-endian `u32`; those beyond the dimensions are 0 |
//! | 28 | scale of QNT8, `f32`, little-endian; 0 for floats |
//!
//! The documents allow 8 dimensions and have room for 6. An element `u` of QNT8 means `(u - 128) * scale`. With a scale for
//! each row, a row is its scale, `f32`, and its elements, without padding; the last dimension is the row, and the scale
//! in the header means nothing.
//!
//! Source: XCP v0.2 codec appendix, table A-3.

#[cfg(all(test, not(loom)))]
mod tests;

use heapless::Vec;

use super::numbers::CodecId;

/// Bytes in front of the elements.
pub const TENSOR_HEADER_LEN: usize = 32;
/// Most dimensions that fit.
pub const MAX_DIMENSIONS: usize = 6;
/// The element of QNT8 that means 0.
pub const QNT8_ZERO: u8 = 128;

/// Bytes of a row's scale.
const ROW_SCALE_LEN: u64 = 4;
const ROW_QUANTIZED: u8 = 1;
const COL_MAJOR: u8 = 2;

/// Type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TensorType {
    /// 32-bit floats.
    F32,
    /// 16-bit floats, IEEE 754 binary16.
    F16,
    /// Bytes with a scale; the documents call it INT8, and it has no sign.
    Qnt8,
}

impl TensorType {
    /// The type that a codec carries; `None` if it carries no single tensor.
    pub const fn of(codec: CodecId) -> Option<Self> {
        match codec {
            CodecId::TENSOR_F32 => Some(Self::F32),
            CodecId::TENSOR_F16 => Some(Self::F16),
            CodecId::TENSOR_QNT8 => Some(Self::Qnt8),
            _ => None,
        }
    }

    /// The codec that carries this type.
    pub const fn codec(self) -> CodecId {
        match self {
            Self::F32 => CodecId::TENSOR_F32,
            Self::F16 => CodecId::TENSOR_F16,
            Self::Qnt8 => CodecId::TENSOR_QNT8,
        }
    }

    /// Bytes of one element.
    pub const fn width(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
            Self::Qnt8 => 1,
        }
    }

    const fn to_wire(self) -> u8 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Qnt8 => 2,
        }
    }

    const fn from_wire(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::F32),
            1 => Some(Self::F16),
            2 => Some(Self::Qnt8),
            _ => None,
        }
    }
}

/// Why a tensor is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TensorError {
    /// Too short for a header.
    #[error("a tensor of {len} bytes has no header of {TENSOR_HEADER_LEN}")]
    NoHeader {
        /// Its length.
        len: usize,
    },
    /// No dimensions, or more than fit.
    #[error(
        "a tensor of {ndim} dimensions does not fit the header, which has 1 to {MAX_DIMENSIONS}: reshape it, or send it as \
         ARROW_IPC or DLPACK"
    )]
    Dimensions {
        /// How many it says.
        ndim: usize,
    },
    /// No known type of elements.
    #[error("tensor of unknown type {dtype}")]
    UnknownType {
        /// What it says.
        dtype: u8,
    },
    /// Another type than the codec carries.
    #[error("a tensor of {found:?} under codec {codec}")]
    TypeMismatch {
        /// What it says.
        found: TensorType,
        /// The codec that it came under.
        codec: CodecId,
    },
    /// A scale for each row, of columns: nobody says what that means.
    #[error("a tensor with a scale for each row cannot have its first dimension vary fastest")]
    RowsOfColumns,
    /// A scale for each row, of floats.
    #[error("a tensor of {dtype:?} cannot have a scale for each row")]
    RowsOfFloats {
        /// The type.
        dtype: TensorType,
    },
    /// More elements than can be counted.
    #[error("a tensor of shape {shape:?} has more elements than can be counted")]
    TooLarge {
        /// Its shape, zeros behind it.
        shape: [u32; MAX_DIMENSIONS],
    },
    /// A number that bytes with a scale cannot say: NaN, or an infinity.
    #[error("number {index} is {}: bytes with a scale hold finite numbers only", f32::from_bits(*bits))]
    NotFinite {
        /// Which of them, from 0.
        index: usize,
        /// The number, as [`f32::from_bits`] takes it.
        bits: u32,
    },
    /// A scale that no number can have.
    #[error("a scale of {}: it must be finite, and not 0", f32::from_bits(*bits))]
    Scale {
        /// The scale, as [`f32::from_bits`] takes it.
        bits: u32,
    },
    /// Another length than its shape says.
    #[error("a tensor's elements take {wanted} bytes and {found} are there")]
    Length {
        /// What its shape says, bytes.
        wanted: u64,
        /// What there is, bytes.
        found: u64,
    },
}

/// What stands in front of a tensor's elements.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorHeader {
    /// Type of the elements.
    pub dtype: TensorType,
    /// Shape, outermost dimension first; 1 to 6 of them.
    pub shape: Vec<u32, MAX_DIMENSIONS>,
    /// Whether each row has a scale of its own; of QNT8 only.
    pub row_quantized: bool,
    /// Whether the first dimension varies fastest, and not the last.
    pub col_major: bool,
    /// What QNT8's elements are multiplied with; ignored for floats.
    pub scale: f32,
}

impl TensorHeader {
    /// A header for elements of `dtype` in `shape`, row-major, with a scale of 1 for QNT8.
    ///
    /// # Errors
    /// [`TensorError::Dimensions`], [`TensorError::TooLarge`].
    pub fn try_new(dtype: TensorType, shape: &[u32]) -> Result<Self, TensorError> {
        let dimensions = TensorError::Dimensions { ndim: shape.len() };
        let scale = if matches!(dtype, TensorType::Qnt8) { 1.0 } else { 0.0 };
        let shape = Vec::from_slice(shape).map_err(|_| dimensions)?;
        let header = Self { dtype, shape, row_quantized: false, col_major: false, scale };
        header.check().map(|_| header)
    }

    /// The header at the start of `body`, and the elements behind it: all of what is there, and exactly as many bytes as
    /// the header says.
    ///
    /// # Errors
    /// Any of [`TensorError`] but [`TensorError::TypeMismatch`].
    pub fn parse(body: &[u8]) -> Result<(Self, &[u8]), TensorError> {
        let short = TensorError::NoHeader { len: body.len() };
        let (bytes, elements) = body.split_first_chunk::<TENSOR_HEADER_LEN>().ok_or(short)?;
        let [ndim, dtype, flags, _, words @ ..] = *bytes;
        let ndim = usize::from(ndim);
        let (words, _) = words.as_chunks::<4>();
        let (Some(dims), Some(scale)) = (words.get(..ndim), words.get(MAX_DIMENSIONS)) else {
            return Err(TensorError::Dimensions { ndim });
        };
        if ndim > MAX_DIMENSIONS {
            return Err(TensorError::Dimensions { ndim });
        }
        let header = Self {
            dtype: TensorType::from_wire(dtype).ok_or(TensorError::UnknownType { dtype })?,
            shape: dims.iter().map(|dim| u32::from_le_bytes(*dim)).collect(),
            row_quantized: flags & ROW_QUANTIZED != 0,
            col_major: flags & COL_MAJOR != 0,
            scale: f32::from_le_bytes(*scale),
        };
        let (wanted, found) = (header.check()?, elements.len() as u64);
        if wanted == found { Ok((header, elements)) } else { Err(TensorError::Length { wanted, found }) }
    }

    /// As [`parse`](Self::parse), and the type is the one that `codec` carries.
    ///
    /// # Errors
    /// Any of [`TensorError`].
    pub fn parse_as(codec: CodecId, body: &[u8]) -> Result<(Self, &[u8]), TensorError> {
        let (header, elements) = Self::parse(body)?;
        if header.dtype.codec() == codec {
            return Ok((header, elements));
        }
        Err(TensorError::TypeMismatch { found: header.dtype, codec })
    }

    /// The 32 bytes that stand in front of the elements.
    ///
    /// # Errors
    /// The header is none: [`TensorError::Dimensions`], [`TensorError::TooLarge`], [`TensorError::RowsOfColumns`],
    /// [`TensorError::RowsOfFloats`].
    pub fn emit(&self) -> Result<[u8; TENSOR_HEADER_LEN], TensorError> {
        self.check()?;
        let ndim =
            u8::try_from(self.shape.len()).map_err(|_| TensorError::Dimensions { ndim: self.shape.len() })?;
        let flags =
            if self.row_quantized { ROW_QUANTIZED } else { 0 } | if self.col_major { COL_MAJOR } else { 0 };
        let scale = if matches!(self.dtype, TensorType::Qnt8) { self.scale } else { 0.0 };
        let words = self.shape.iter().copied().chain(core::iter::repeat(0)).take(MAX_DIMENSIONS);
        let words = words.map(u32::to_le_bytes).chain([scale.to_le_bytes()]);
        let mut bytes = [0; TENSOR_HEADER_LEN];
        let fields = [ndim, self.dtype.to_wire(), flags, 0].into_iter().chain(words.flatten());
        for (to, from) in bytes.iter_mut().zip(fields) {
            *to = from;
        }
        Ok(bytes)
    }

    /// How many elements there are; `None` if that is beyond 64 bits.
    pub fn elements(&self) -> Option<u64> {
        // A dimension of 0 makes 0, also where the others would overflow.
        if self.shape.contains(&0) {
            return Some(0);
        }
        self.shape.iter().try_fold(1_u64, |product, dim| product.checked_mul(u64::from(*dim)))
    }

    /// Elements of a row: the last dimension.
    pub fn row_len(&self) -> u64 {
        self.shape.last().copied().map_or(0, u64::from)
    }

    /// How many rows there are: the product of all dimensions but the last. `None` if that is beyond 64 bits.
    pub fn rows(&self) -> Option<u64> {
        let (_, outer) = self.shape.split_last()?;
        if outer.contains(&0) {
            return Some(0);
        }
        outer.iter().try_fold(1_u64, |product, dim| product.checked_mul(u64::from(*dim)))
    }

    /// Bytes that the elements take, with the scales of rows; `None` if that is beyond 64 bits.
    pub fn body_len(&self) -> Option<u64> {
        let elements = self.elements()?.checked_mul(self.dtype.width() as u64)?;
        if !self.row_quantized {
            return Some(elements);
        }
        self.rows()?.checked_mul(ROW_SCALE_LEN)?.checked_add(elements)
    }

    /// Whether it can be written; bytes of the elements.
    fn check(&self) -> Result<u64, TensorError> {
        if self.shape.is_empty() {
            return Err(TensorError::Dimensions { ndim: 0 });
        }
        match (self.row_quantized, self.dtype) {
            (true, TensorType::Qnt8) if self.col_major => return Err(TensorError::RowsOfColumns),
            (true, TensorType::F32 | TensorType::F16) => {
                return Err(TensorError::RowsOfFloats { dtype: self.dtype });
            }
            _ => {}
        }
        self.body_len().ok_or_else(|| {
            let mut shape = [0; MAX_DIMENSIONS];
            for (to, from) in shape.iter_mut().zip(&self.shape) {
                *to = *from;
            }
            TensorError::TooLarge { shape }
        })
    }
}
