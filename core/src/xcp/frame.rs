//! The bytes around a frame's header and payload: prefix, length, checksum.

use super::dialect::CrcOrder;
use super::numbers::{Flags, MAGIC, VERSION};
use crate::crc32c::Checksum;

/// Bytes in front of the header.
pub const PREFIX_LEN: usize = 8;
/// Bytes of a frame besides header and payload; 4 more with [`Flags::LARGE`].
pub const FRAMING: usize = PREFIX_LEN + 4 + 4;
/// Bytes of a payload from which on its length takes 8 bytes.
pub const LARGE_FROM: u64 = 1 << 32;

/// What the first 8 bytes of a frame say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// Major and minor version, a nibble each.
    pub version: u8,
    /// Bits about the payload.
    pub flags: Flags,
    /// Bytes of the header.
    pub header_len: u16,
}

impl Prefix {
    /// Reads a prefix.
    ///
    /// # Errors
    /// The four bytes that stand where the magic should, as a number.
    pub const fn parse(bytes: [u8; PREFIX_LEN]) -> Result<Self, u32> {
        let [a, b, c, d, version, flags, low, high] = bytes;
        let magic = u32::from_le_bytes([a, b, c, d]);
        if magic != MAGIC {
            return Err(magic);
        }
        Ok(Self { version, flags: Flags(flags), header_len: u16::from_le_bytes([low, high]) })
    }

    /// The 8 bytes that say it.
    pub const fn emit(self) -> [u8; PREFIX_LEN] {
        let [a, b, c, d] = MAGIC.to_le_bytes();
        let [low, high] = self.header_len.to_le_bytes();
        [a, b, c, d, self.version, self.flags.0, low, high]
    }
}

/// Everything of a frame that is neither header nor payload; says what stands before and behind the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Bits about the payload. [`Flags::LARGE`] must be there if the payload has [`LARGE_FROM`] bytes or more.
    pub flags: Flags,
    /// Bytes of the payload.
    pub payload_len: u64,
    /// The byte order of the checksum.
    pub crc: CrcOrder,
}

impl Envelope {
    /// Bytes that [`head`](Self::head) writes for a header of `header_len` bytes.
    pub const fn head_len(&self, header_len: usize) -> usize {
        let length = if self.flags.contains(Flags::LARGE) { 8 } else { 4 };
        header_len.saturating_add(PREFIX_LEN).saturating_add(length)
    }

    /// Writes prefix, `header` and length into the front of `out`; how many bytes that are.
    ///
    /// `None` if they do not fit, or if the header has more than 65 535 bytes, or the length does not fit its field.
    pub fn head(&self, header: &[u8], out: &mut [u8]) -> Option<usize> {
        let header_len = u16::try_from(header.len()).ok()?;
        let prefix = Prefix { version: VERSION, flags: self.flags, header_len }.emit();
        let mut out = crate::wire::Writer::new(out);
        out.bytes(&prefix).ok()?;
        out.bytes(header).ok()?;
        if self.flags.contains(Flags::LARGE) {
            out.u64(self.payload_len).ok()?;
        } else {
            out.u32(u32::try_from(self.payload_len).ok()?).ok()?;
        }
        Some(out.position())
    }

    /// The four bytes behind `payload`.
    pub fn trailer<C: Checksum>(&self, payload: &[u8]) -> [u8; 4] {
        let mut checksum = C::default();
        checksum.update(payload);
        self.crc.write(checksum.value())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::crc32c::Crc32c;

    #[test]
    fn a_large_frame_differs_in_one_bit_and_the_width_of_its_length() {
        let mut small = [0; 64];
        let mut large = [0; 64];
        let envelope = |flags| Envelope { flags, payload_len: 3, crc: CrcOrder::Little };
        let header = [0xAA; 5];
        let plain = envelope(Flags::NONE).head(&header, &mut small).unwrap();
        let wide = envelope(Flags::LARGE).head(&header, &mut large).unwrap();
        assert_eq!((plain, wide), (PREFIX_LEN + 5 + 4, PREFIX_LEN + 5 + 8));
        assert_eq!(small[..5], [0x10, 0x7A, 0xA1, 0xA9, 2]);
        assert_eq!((small[5], large[5]), (0, 0x10));
        assert_eq!(small[6..17], [5, 0, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 3, 0, 0, 0]);
        assert_eq!(large[13..21], [3, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(envelope(Flags::LARGE).head_len(5), wide);
        assert_eq!(envelope(Flags::NONE).head(&header, &mut small[..16]), None);
        let huge = Envelope { flags: Flags::NONE, payload_len: LARGE_FROM, crc: CrcOrder::Little };
        assert_eq!(huge.head(&header, &mut small), None);
    }

    #[test]
    fn the_trailer_is_the_checksum_in_the_order_of_the_dialect() {
        let envelope = |crc| Envelope { flags: Flags::NONE, payload_len: 9, crc };
        assert_eq!(envelope(CrcOrder::Little).trailer::<Crc32c>(b"123456789"), [0x83, 0x92, 0x06, 0xE3]);
        assert_eq!(envelope(CrcOrder::Big).trailer::<Crc32c>(b"123456789"), [0xE3, 0x06, 0x92, 0x83]);
    }

    #[test]
    fn a_prefix_with_another_magic_says_it() {
        let bytes = Prefix { version: 2, flags: Flags::MORE, header_len: 0x1234 }.emit();
        assert_eq!(Prefix::parse(bytes), Ok(Prefix { version: 2, flags: Flags::MORE, header_len: 0x1234 }));
        let mut reversed = bytes;
        reversed[..4].reverse();
        assert_eq!(Prefix::parse(reversed), Err(0x107A_A1A9));
    }
}
