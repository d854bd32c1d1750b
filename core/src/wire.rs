//! Reads and writes little-endian numbers in byte slices, every length checked.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

/// Too few bytes for the field that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("field of {wanted} bytes at offset {at} exceeds the {len} bytes there are")]
pub struct ShortBytes {
    /// Offset of the field, bytes.
    pub at: usize,
    /// Length of the field, bytes.
    pub wanted: usize,
    /// Length of the whole input, bytes.
    pub len: usize,
}

/// Takes fields off the front of a byte slice.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next `len` bytes.
    ///
    /// # Errors
    /// [`ShortBytes`] if fewer are left; nothing is consumed then.
    pub fn bytes(&mut self, len: usize) -> Result<&'a [u8], ShortBytes> {
        let short = ShortBytes { at: self.at, wanted: len, len: self.bytes.len() };
        let end = self.at.checked_add(len).ok_or(short)?;
        let field = self.bytes.get(self.at..end).ok_or(short)?;
        self.at = end;
        Ok(field)
    }

    /// The next four bytes as a little-endian number.
    ///
    /// # Errors
    /// [`ShortBytes`] if fewer are left.
    pub fn u32(&mut self) -> Result<u32, ShortBytes> {
        let field = self.bytes(4)?;
        Ok(field.iter().rev().fold(0, |number, byte| (number << 8) | u32::from(*byte)))
    }

    /// The next eight bytes as a little-endian number.
    ///
    /// # Errors
    /// [`ShortBytes`] if fewer are left.
    pub fn u64(&mut self) -> Result<u64, ShortBytes> {
        let field = self.bytes(8)?;
        Ok(field.iter().rev().fold(0, |number, byte| (number << 8) | u64::from(*byte)))
    }

    /// Bytes consumed so far.
    pub fn position(&self) -> usize {
        self.at
    }
}

/// Puts fields one after another into a byte slice.
#[derive(Debug)]
pub struct Writer<'a> {
    bytes: &'a mut [u8],
    at: usize,
}

impl<'a> Writer<'a> {
    /// Writes from the start of `bytes`.
    pub fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Appends `field`.
    ///
    /// # Errors
    /// [`ShortBytes`] if it does not fit; nothing is written then.
    pub fn bytes(&mut self, field: &[u8]) -> Result<(), ShortBytes> {
        let short = ShortBytes { at: self.at, wanted: field.len(), len: self.bytes.len() };
        let end = self.at.checked_add(field.len()).ok_or(short)?;
        self.bytes.get_mut(self.at..end).ok_or(short)?.copy_from_slice(field);
        self.at = end;
        Ok(())
    }

    /// Appends a little-endian `u32`.
    ///
    /// # Errors
    /// [`ShortBytes`] if it does not fit.
    pub fn u32(&mut self, value: u32) -> Result<(), ShortBytes> {
        self.bytes(&value.to_le_bytes())
    }

    /// Appends a little-endian `u64`.
    ///
    /// # Errors
    /// [`ShortBytes`] if it does not fit.
    pub fn u64(&mut self, value: u64) -> Result<(), ShortBytes> {
        self.bytes(&value.to_le_bytes())
    }

    /// Bytes written so far.
    pub fn position(&self) -> usize {
        self.at
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_and_short_input_says_the_numbers() {
        let mut buffer = [0; 13];
        let mut out = Writer::new(&mut buffer);
        out.u64(0x0807_0605_0403_0201).unwrap();
        out.u32(0x0c0b_0a09).unwrap();
        assert_eq!(out.u32(0), Err(ShortBytes { at: 12, wanted: 4, len: 13 }));
        assert_eq!(buffer, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0]);

        let mut input = Reader::new(&buffer);
        assert_eq!(input.u64(), Ok(0x0807_0605_0403_0201));
        assert_eq!(input.u32(), Ok(0x0c0b_0a09));
        assert_eq!(input.u32(), Err(ShortBytes { at: 12, wanted: 4, len: 13 }));
        assert_eq!(input.bytes(usize::MAX), Err(ShortBytes { at: 12, wanted: usize::MAX, len: 13 }));
        assert_eq!(input.bytes(1), Ok(&[0][..]));
    }
}
