//! A compressed body, unpacked piece by piece as it is read.

use bytes::Bytes;

use super::decompress::{DecompressError, Decompressor, Limits};

/// Bytes that are unpacked at once.
const PIECE: usize = 64 << 10;

#[derive(Debug)]
pub(crate) struct Unpack {
    decompressor: Decompressor,
    /// Bytes that came and are not unpacked.
    packed: Bytes,
    /// Whether the last piece was full, so that there may be more without further input.
    more: bool,
}

impl Unpack {
    /// For bodies of up to `limit` bytes, unpacked.
    pub(crate) fn new(limit: u64) -> Self {
        let mut decompressor = Decompressor::new(Limits { max_message: limit });
        decompressor.begin();
        Self { decompressor, packed: Bytes::new(), more: false }
    }

    /// Takes the next bytes; only after [`next`](Self::next) gave `None`.
    pub(crate) fn push(&mut self, packed: Bytes) {
        self.packed = packed;
    }

    /// The next unpacked bytes; `None` if more must come first.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, DecompressError> {
        while self.more || !self.packed.is_empty() {
            let mut out = vec![0; PIECE];
            let mut input = &self.packed[..];
            let len = self.decompressor.read(&mut input, &mut out)?;
            self.more = len == PIECE;
            self.packed = self.packed.split_off(self.packed.len() - input.len());
            if len > 0 {
                out.truncate(len);
                return Ok(Some(out.into()));
            }
        }
        Ok(None)
    }

    /// There is no more: was that all of it?
    pub(crate) fn finish(&mut self) -> Result<(), DecompressError> {
        self.decompressor.finish().map(|_| ())
    }
}
