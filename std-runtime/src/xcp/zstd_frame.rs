//! What does the header of a zstd frame promise, before any memory is taken for it?
//!
//! Source: RFC 8878, section 3.1.1.1.

use super::decompress::DecompressError;

/// Most bytes of a header.
pub(super) const MAX_HEADER: usize = 18;
/// Most bytes that one block stands for.
const BLOCK: u64 = 128 << 10;
/// Fewest bytes of a block: 3 that say what it is, and a byte that is repeated.
const SHORTEST_BLOCK: u64 = 4;

const MAGIC: u32 = 0xFD2F_B528;
/// Skippable frames have any of 16 magic numbers.
const SKIPPABLE: u32 = 0x184D_2A50;

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ZstdHeader {
    /// Bytes of the header itself.
    pub(super) len: usize,
    /// Bytes that the frame stands for, if it says.
    pub(super) content: Option<u64>,
    /// Bytes that a decoder must be able to look back.
    pub(super) window: u64,
}

impl ZstdHeader {
    /// The header that `bytes` begin with; `None` if more of them are needed, which are at most [`MAX_HEADER`].
    pub(super) fn parse(bytes: &[u8]) -> Result<Option<Self>, DecompressError> {
        let Some((magic, rest)) = bytes.split_first_chunk() else { return Ok(None) };
        let magic = u32::from_le_bytes(*magic);
        if magic & !0xF == SKIPPABLE {
            return Err(DecompressError::Skippable { magic });
        }
        if magic != MAGIC {
            return Err(DecompressError::NotZstd { magic });
        }
        let Some((descriptor, rest)) = rest.split_first() else { return Ok(None) };
        let single_segment = descriptor & 0x20 != 0;
        let window_len = usize::from(!single_segment);
        let dictionary_len = [0, 1, 2, 4][usize::from(descriptor & 3)];
        let content_len = match descriptor >> 6 {
            0 => usize::from(single_segment),
            1 => 2,
            2 => 4,
            _ => 8,
        };
        let Some((window, rest)) = rest.split_at_checked(window_len) else { return Ok(None) };
        let Some((dictionary, rest)) = rest.split_at_checked(dictionary_len) else { return Ok(None) };
        let Some(content) = rest.get(..content_len) else { return Ok(None) };

        let dictionary = number(dictionary);
        if dictionary != 0 {
            return Err(DecompressError::Dictionary { id: dictionary });
        }
        let content = match content_len {
            0 => None,
            // The values below 256 are said in one byte.
            2 => Some(number(content) + 256),
            _ => Some(number(content)),
        };
        let window = match (window, content) {
            ([window], _) => {
                // At most 2^41 and seven eighths of it.
                let base = 1u64 << (10 + (window >> 3));
                base + base / 8 * u64::from(window & 7)
            }
            (_, content) => content.unwrap_or_default(),
        };
        Ok(Some(Self { len: 5 + window_len + dictionary_len + content_len, content, window }))
    }
}

/// Most bytes that a frame of `len` bytes stands for: each block has at least 4, and stands for at most 128 KiB.
pub(super) const fn most_content(len: usize) -> u64 {
    (len as u64 / SHORTEST_BLOCK).saturating_mul(BLOCK)
}

/// Little-endian.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_of_header_is_read_to_its_last_byte() {
        let cases: [(&[u8], Option<u64>, u64); 5] = [
            (&[0x00, 0x58], None, 2 << 20),
            (&[0x20, 7], Some(7), 7),
            (&[0x60, 0xC8, 0x02], Some(968), 968),
            (&[0xA0, 1, 0, 1, 0], Some(0x1_0001), 0x1_0001),
            (&[0xC0, 0x0F, 1, 0, 0, 0, 0, 0, 0, 0x80], Some(1 << 63 | 1), 2048 + 256 * 7),
        ];
        for (rest, content, window) in cases {
            let bytes = [&MAGIC.to_le_bytes()[..], rest].concat();
            let header = ZstdHeader { len: bytes.len(), content, window };
            assert_eq!(ZstdHeader::parse(&bytes), Ok(Some(header)));
            for len in 0..bytes.len() {
                assert_eq!(ZstdHeader::parse(&bytes[..len]), Ok(None));
            }
        }
        let longest = [&MAGIC.to_le_bytes()[..], &[0xC3, 0xFF], &[0; 12]].concat();
        let header = ZstdHeader::parse(&longest).unwrap().unwrap();
        assert_eq!((header.len, header.window), (MAX_HEADER, (1 << 41) / 8 * 15));
    }

    #[test]
    fn other_things_are_refused_by_name() {
        let parse = |bytes: &[u8]| ZstdHeader::parse(bytes).unwrap_err();
        assert_eq!(parse(b"\x5A\x2A\x4D\x18"), DecompressError::Skippable { magic: 0x184D_2A5A });
        assert_eq!(parse(b"XCP\n"), DecompressError::NotZstd { magic: 0x0A50_4358 });
        let with_dictionary = [&MAGIC.to_le_bytes()[..], &[0x22, 0x34, 0x12, 7]].concat();
        assert_eq!(parse(&with_dictionary), DecompressError::Dictionary { id: 0x1234 });
    }
}
