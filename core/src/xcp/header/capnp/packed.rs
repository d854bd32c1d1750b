//! How words become fewer bytes, and bytes words again: the packing of Cap'n Proto.
//!
//! A word is a byte that says which of its eight bytes are not zero, and those. After a word of zeros stands how many
//! more of them follow; after one without any, how many words follow as they are.

use super::super::HeaderError;
use super::write::Words;

/// Words of zeros, or words as they are, that one count stands for at most.
const RUN_LIMIT: u8 = u8::MAX;

/// What the word before was, where the next one may belong to it.
#[derive(Clone, Copy)]
enum Run {
    /// Neither.
    None,
    /// Words of zeros; the count is at `at`.
    Zeros { at: usize, count: u8 },
    /// Words as they are; the count is at `at`.
    Verbatim { at: usize, count: u8 },
}

/// Words, packed. Takes the same runs as the packer of Cap'n Proto's own implementation.
pub(super) struct Packer<'a> {
    out: &'a mut [u8],
    /// Bytes so far, also of those that had no room.
    len: usize,
    run: Run,
}

impl<'a> Packer<'a> {
    pub(super) const fn new(out: &'a mut [u8]) -> Self {
        Self { out, len: 0, run: Run::None }
    }

    pub(super) const fn finish(self) -> Result<usize, HeaderError> {
        let (needed, len) = (self.len, self.out.len());
        if needed > len { Err(HeaderError::NoRoom { needed, len }) } else { Ok(needed) }
    }

    fn push(&mut self, byte: u8) {
        self.put(self.len, byte);
        self.len = self.len.saturating_add(1);
    }

    fn put(&mut self, at: usize, byte: u8) {
        if let Some(to) = self.out.get_mut(at) {
            *to = byte;
        }
    }

    /// Adds a word to the run before it, if it belongs there.
    fn extend(&mut self, word: [u8; 8], zeros: usize) -> bool {
        match self.run {
            Run::Zeros { at, count } if zeros == 8 && count < RUN_LIMIT => {
                let count = count.saturating_add(1);
                self.put(at, count);
                self.run = Run::Zeros { at, count };
            }
            // A word with one zero takes as much as it is as it does packed, and the run need not end.
            Run::Verbatim { at, count } if zeros < 2 && count < RUN_LIMIT => {
                let count = count.saturating_add(1);
                self.put(at, count);
                word.into_iter().for_each(|byte| self.push(byte));
                self.run = Run::Verbatim { at, count };
            }
            _ => return false,
        }
        true
    }
}

impl Words for Packer<'_> {
    fn word(&mut self, word: u64) {
        let word = word.to_le_bytes();
        let zeros = word.iter().filter(|byte| **byte == 0).count();
        if self.extend(word, zeros) {
            return;
        }
        let tag = word.iter().rev().fold(0, |tag, byte| tag << 1 | u8::from(*byte != 0));
        self.push(tag);
        word.into_iter().filter(|byte| *byte != 0).for_each(|byte| self.push(byte));
        let at = self.len;
        self.run = match tag {
            0 => Run::Zeros { at, count: 0 },
            0xFF => Run::Verbatim { at, count: 0 },
            _ => return self.run = Run::None,
        };
        self.push(0);
    }
}

/// Unpacks all of `packed` to the beginning of `unpacked`, and returns what was written there: whole words.
pub(super) fn unpack<'a>(packed: &[u8], unpacked: &'a mut [u8]) -> Result<&'a [u8], HeaderError> {
    let mut from = Packed { all: packed, rest: packed };
    let mut to = Unpacked { out: unpacked, len: 0 };
    while !from.rest.is_empty() {
        match from.byte()? {
            0 => {
                let more = usize::from(from.byte()?).saturating_mul(8);
                to.take(more.saturating_add(8))?.fill(0);
            }
            0xFF => {
                to.take(8)?.copy_from_slice(from.take(8)?);
                let more = usize::from(from.byte()?).saturating_mul(8);
                to.take(more)?.copy_from_slice(from.take(more)?);
            }
            mut tag => {
                for byte in to.take(8)? {
                    *byte = if tag & 1 == 1 { from.byte()? } else { 0 };
                    tag >>= 1;
                }
            }
        }
    }
    let Unpacked { out, len } = to;
    Ok(out.get(..len).unwrap_or_default())
}

/// What is left to unpack.
struct Packed<'a> {
    all: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Packed<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], HeaderError> {
        let what = "packed bytes end within a word, or before words that they announce";
        let cut = HeaderError::Malformed { what, at: self.all.len() };
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(cut)?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, HeaderError> {
        Ok(self.take(1)?.first().copied().unwrap_or_default())
    }
}

/// What was unpacked, and room for more.
struct Unpacked<'a> {
    out: &'a mut [u8],
    len: usize,
}

impl Unpacked<'_> {
    /// The next `len` bytes to write to.
    fn take(&mut self, len: usize) -> Result<&mut [u8], HeaderError> {
        let end = self.len.saturating_add(len);
        let limit = self.out.len();
        let room = self.out.get_mut(self.len..end).ok_or(HeaderError::TooLong { len: end, limit })?;
        self.len = end;
        Ok(room)
    }
}
