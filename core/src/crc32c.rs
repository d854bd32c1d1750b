//! CRC32C (Castagnoli), streaming, over the `crc` crate.

use crc::{CRC_32_ISCSI, Crc, Table};

static CASTAGNOLI: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

/// What computes a CRC32C: [`Crc32c`], or hardware that the caller knows of.
pub trait Checksum: Default {
    /// Takes the next bytes.
    fn update(&mut self, bytes: &[u8]);

    /// The checksum of everything taken so far.
    #[must_use]
    fn value(&self) -> u32;
}

/// A CRC32C over bytes that arrive in pieces.
#[derive(Clone)]
pub struct Crc32c(crc::Digest<'static, u32, Table<16>>);

impl Crc32c {
    /// The checksum of nothing so far.
    #[must_use]
    pub fn new() -> Self {
        Self(CASTAGNOLI.digest())
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The checksum of everything taken.
    #[must_use]
    pub fn finish(self) -> u32 {
        self.0.finalize()
    }
}

impl Checksum for Crc32c {
    fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn value(&self) -> u32 {
        self.clone().finish()
    }
}

impl Default for Crc32c {
    fn default() -> Self {
        Self::new()
    }
}

impl core::fmt::Debug for Crc32c {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Crc32c").field(&self.clone().finish()).finish()
    }
}

/// The CRC32C of `bytes`.
#[must_use]
pub fn crc32c(bytes: &[u8]) -> u32 {
    CASTAGNOLI.checksum(bytes)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    // Vectors of RFC 3720, appendix B.4.
    #[test]
    fn matches_the_vectors_of_rfc_3720() {
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn pieces_give_the_checksum_of_the_whole() {
        let mut digest = Crc32c::new();
        digest.update(b"1234");
        digest.update(b"");
        digest.update(b"56789");
        assert_eq!(digest.finish(), crc32c(b"123456789"));
    }
}
