//! Compresses messages where that makes them smaller: 8 bytes of original length, little-endian, then a zstd frame.

/// Shorter messages are not tried.
const SHORTEST: usize = 64;
const HEADER: usize = 8;

/// `bytes` compressed, if that is shorter.
pub(super) fn compress(bytes: &[u8], level: i32) -> Option<Vec<u8>> {
    if bytes.len() < SHORTEST {
        return None;
    }
    let frame = zstd::bulk::compress(bytes, level).ok()?;
    if frame.len() + HEADER >= bytes.len() {
        return None;
    }
    let mut out = Vec::with_capacity(frame.len() + HEADER);
    out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    out.extend_from_slice(&frame);
    Some(out)
}

/// Why a compressed message cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum DecompressError {
    /// It says that it is longer than messages may be.
    #[error("compressed message says it has {len} bytes, the limit is {max}")]
    TooLong {
        /// What it says.
        len: u64,
        /// The limit.
        max: u64,
    },
    /// It is no zstd frame, or has another length than it says.
    #[error("compressed message of {len} bytes is damaged")]
    Damaged {
        /// Its length as it came.
        len: usize,
    },
}

/// The original of what [`compress`] made. Memory is taken for what the message says, up to `max` and to what its bytes can
/// stand for.
pub(super) fn decompress(bytes: &[u8], max: u64) -> Result<Vec<u8>, DecompressError> {
    let damaged = DecompressError::Damaged { len: bytes.len() };
    let (header, frame) = bytes.split_first_chunk::<HEADER>().ok_or(damaged)?;
    let len = u64::from_le_bytes(*header);
    if len > max {
        return Err(DecompressError::TooLong { len, max });
    }
    let capacity = usize::try_from(len).map_err(|_| DecompressError::TooLong { len, max })?;
    // Grows as bytes come out, so that a frame that only says much takes little.
    let mut out = Vec::new();
    let decoder = zstd::stream::read::Decoder::with_buffer(frame).map_err(|_| damaged)?;
    let mut bounded = std::io::Read::take(decoder, len + 1);
    std::io::Read::read_to_end(&mut bounded, &mut out).map_err(|_| damaged)?;
    if out.len() == capacity { Ok(out) } else { Err(damaged) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compressed_comes_back_and_noise_is_left_alone() {
        let text = b"the same again and ".repeat(100);
        let small = compress(&text, 3).expect("it is compressible");
        assert!(small.len() < 200);
        assert_eq!(decompress(&small, 1900).as_deref(), Ok(&text[..]));
        let mut noise = vec![0; 4096];
        getrandom::fill(&mut noise).expect("the system has random bytes");
        assert_eq!(compress(&noise, 3), None);
        assert_eq!(compress(b"short", 3), None);
    }

    #[test]
    fn a_message_that_says_too_much_is_refused() {
        let bomb = compress(&vec![0; 1 << 20], 3).expect("it is compressible");
        let max = (1 << 20) - 1;
        assert_eq!(decompress(&bomb, max), Err(DecompressError::TooLong { len: 1 << 20, max }));
        let mut lies = bomb.clone();
        lies[..8].copy_from_slice(&1000u64.to_le_bytes());
        assert_eq!(decompress(&lies, max), Err(DecompressError::Damaged { len: lies.len() }));
        for len in 0..bomb.len() {
            assert!(decompress(&bomb[..len], 1 << 20).is_err(), "{len}");
        }
    }
}
