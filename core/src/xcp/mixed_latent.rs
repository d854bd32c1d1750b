//! Several tensors in one body: a count, and for each its type, its length and its bytes.
//!
//! ```text
//! count varint │ subtype u8 (2 F32, 3 F16, 4 QNT8) │ length varint │ bytes │ subtype …
//! ```
//!
//! The documents do not say which varint, nor what the bytes are. Here it is LEB128 without a sign, as Protobuf has it,
//! and the bytes are a whole body of that codec, its header with it.
//!
//! Source: XCP v0.2 codec appendix, `MIXED_LATENT`.

use super::numbers::CodecId;
use super::tensor::TensorType;

/// Most bytes of a varint.
pub const MAX_VARINT_LEN: usize = 10;

/// Why a body of several tensors is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MixedLatentError {
    /// A varint goes on behind the body's end.
    #[error("the number at byte {at} has no end")]
    OpenVarint {
        /// Where it begins.
        at: usize,
    },
    /// A varint is beyond 64 bits.
    #[error("the number at byte {at} is beyond 64 bits")]
    LongVarint {
        /// Where it begins.
        at: usize,
    },
    /// A segment is no tensor.
    #[error("the segment at byte {at} is of type {subtype}, and tensors are 2 to 4")]
    Subtype {
        /// Where it begins.
        at: usize,
        /// What it says.
        subtype: u8,
    },
    /// A segment goes on behind the body's end.
    #[error("the segment at byte {at} says it has {len} bytes and {left} are left")]
    Segment {
        /// Where it begins.
        at: usize,
        /// What it says.
        len: u64,
        /// What is left behind its length.
        left: usize,
    },
    /// More segments than the rest of the body can hold, 2 bytes each.
    #[error("{count} segments are said, and {left} bytes are left for them")]
    Count {
        /// How many are said.
        count: u64,
        /// Bytes behind the count.
        left: usize,
    },
    /// Something stands behind the last segment.
    #[error("{len} bytes stand behind the last segment")]
    Trailing {
        /// How much.
        len: usize,
    },
}

/// One tensor of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment<'b> {
    /// The codec that `body` is of.
    pub codec: CodecId,
    /// A whole body of that codec.
    pub body: &'b [u8],
}

/// The segments of a body, in order; after the first error there is nothing more.
#[derive(Clone, Debug)]
pub struct Segments<'b> {
    body: &'b [u8],
    at: usize,
    left: u64,
}

impl<'b> Segments<'b> {
    /// The segments of `body`.
    ///
    /// # Errors
    /// The count is none, or more than the body can hold; or it is 0 and something stands behind it.
    pub fn parse(body: &'b [u8]) -> Result<Self, MixedLatentError> {
        let (count, len) = varint(body, 0)?;
        let left = body.len().saturating_sub(len);
        if count > (left / 2) as u64 {
            return Err(MixedLatentError::Count { count, left });
        }
        if count == 0 && left > 0 {
            return Err(MixedLatentError::Trailing { len: left });
        }
        Ok(Self { body, at: len, left: count })
    }

    /// How many are still to come, or an error.
    pub const fn remaining(&self) -> u64 {
        self.left
    }

    fn segment(&mut self) -> Result<Segment<'b>, MixedLatentError> {
        let at = self.at;
        let rest = self.body.get(at..).unwrap_or_default();
        // A body that ends here has no type: 0 is none either.
        let subtype = rest.first().copied().unwrap_or_default();
        let codec = CodecId(subtype.into());
        if TensorType::of(codec).is_none() {
            return Err(MixedLatentError::Subtype { at, subtype });
        }
        let length_at = at.saturating_add(1);
        let (len, varint_len) = varint(self.body, length_at)?;
        let start = length_at.saturating_add(varint_len);
        let rest = self.body.get(start..).unwrap_or_default();
        let short = MixedLatentError::Segment { at, len, left: rest.len() };
        let len = usize::try_from(len).map_err(|_| short)?;
        let body = rest.get(..len).ok_or(short)?;
        self.at = start.saturating_add(len);
        self.left = self.left.saturating_sub(1);
        let trailing = self.body.len().saturating_sub(self.at);
        if self.left == 0 && trailing > 0 {
            return Err(MixedLatentError::Trailing { len: trailing });
        }
        Ok(Segment { codec, body })
    }
}

impl<'b> Iterator for Segments<'b> {
    type Item = Result<Segment<'b>, MixedLatentError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        let segment = self.segment();
        if segment.is_err() {
            self.left = 0;
        }
        Some(segment)
    }
}

/// The LEB128 number at byte `at`, and how many bytes it takes.
///
/// # Errors
/// [`MixedLatentError::OpenVarint`], [`MixedLatentError::LongVarint`].
pub fn varint(bytes: &[u8], at: usize) -> Result<(u64, usize), MixedLatentError> {
    let mut number = 0_u64;
    let mut shift = 0_u32;
    for (index, byte) in bytes.get(at..).unwrap_or_default().iter().take(MAX_VARINT_LEN).enumerate() {
        let bits = u64::from(byte & 0x7F);
        // The tenth byte has one bit that fits.
        if bits.leading_zeros() < shift {
            return Err(MixedLatentError::LongVarint { at });
        }
        number |= bits.checked_shl(shift).unwrap_or(0);
        if byte & 0x80 == 0 {
            return Ok((number, index.saturating_add(1)));
        }
        shift = shift.saturating_add(7);
    }
    let long = bytes.len().saturating_sub(at) >= MAX_VARINT_LEN;
    Err(if long { MixedLatentError::LongVarint { at } } else { MixedLatentError::OpenVarint { at } })
}

/// `number` as LEB128: the bytes, and how many of them.
pub const fn emit_varint(number: u64) -> ([u8; MAX_VARINT_LEN], usize) {
    let mut bytes = [0; MAX_VARINT_LEN];
    let mut rest = number;
    let mut len = 0_usize;
    let mut tail: &mut [u8] = &mut bytes;
    while let [first, others @ ..] = tail {
        let low = (rest & 0x7F) as u8;
        rest >>= 7;
        len = len.saturating_add(1);
        *first = if rest == 0 { low } else { low | 0x80 };
        if rest == 0 {
            break;
        }
        tail = others;
    }
    (bytes, len)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::super::tensor::TensorHeader;
    use super::*;

    const TWO: &[u8] = include_bytes!("../../../tests/vectors/xcp/reference/mixed_latent_2.bin");

    fn all(body: &[u8]) -> Result<Vec<Segment<'_>>, MixedLatentError> {
        Segments::parse(body)?.collect()
    }

    #[test]
    fn the_bytes_of_the_reference_are_two_tensors() {
        let segments = all(TWO).unwrap();
        assert_eq!(
            segments.iter().map(|each| each.codec).collect::<Vec<_>>(),
            [CodecId::TENSOR_F32, CodecId::TENSOR_QNT8]
        );
        for segment in segments {
            assert!(TensorHeader::parse_as(segment.codec, segment.body).is_ok());
        }
        for len in 0..TWO.len() {
            assert!(all(&TWO[..len]).is_err(), "{len}");
        }
    }

    #[test]
    fn what_is_no_list_of_tensors_is_refused_with_its_place() {
        assert_eq!(all(&[0]), Ok(Vec::new()));
        assert_eq!(all(&[]), Err(MixedLatentError::OpenVarint { at: 0 }));
        assert_eq!(all(&[0x80, 0x80]), Err(MixedLatentError::OpenVarint { at: 0 }));
        assert_eq!(all(&[0xFF; 11]), Err(MixedLatentError::LongVarint { at: 0 }));
        let eleven = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0];
        assert_eq!(all(&eleven), Err(MixedLatentError::LongVarint { at: 0 }));
        let beyond = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 2];
        assert_eq!(all(&beyond), Err(MixedLatentError::LongVarint { at: 0 }));
        let most = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1];
        assert_eq!(all(&most), Err(MixedLatentError::Count { count: u64::MAX, left: 0 }));
        assert_eq!(all(&[2, 2, 0, 3]), Err(MixedLatentError::Count { count: 2, left: 3 }));
        assert_eq!(all(&[1, 5, 0]), Err(MixedLatentError::Subtype { at: 1, subtype: 5 }));
        assert_eq!(all(&[1, 2, 3, 0]), Err(MixedLatentError::Segment { at: 1, len: 3, left: 1 }));
        assert_eq!(all(&[1, 2, 0, 0]), Err(MixedLatentError::Trailing { len: 1 }));
        assert_eq!(all(&[0, 0]), Err(MixedLatentError::Trailing { len: 1 }));
        let mut after_error = Segments::parse(&[2, 9, 0, 2, 0]).unwrap();
        assert!(after_error.next().is_some_and(|segment| segment.is_err()));
        assert_eq!(after_error.next(), None);
    }

    proptest! {
        #[test]
        fn every_number_comes_back(number: u64, shift in 0..64_u32) {
            let number = number >> shift;
            let (bytes, len) = emit_varint(number);
            prop_assert_eq!(varint(&bytes[..len], 0), Ok((number, len)));
            prop_assert_eq!(len, (64 - number.leading_zeros()).div_ceil(7).max(1) as usize);
        }

        #[test]
        fn any_bytes_are_refused_or_segments_inside_them(body in prop::collection::vec(0..6_u8, 0..40)) {
            if let Ok(segments) = all(&body) {
                let sum: usize = segments.iter().map(|each| each.body.len() + 2).sum();
                prop_assert!(sum < body.len());
            }
        }
    }
}
