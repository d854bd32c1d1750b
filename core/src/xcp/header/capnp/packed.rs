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
        self.run = Run::None;
        let tag = word.iter().rev().fold(0, |tag, byte| tag << 1 | u8::from(*byte != 0));
        self.push(tag);
        word.into_iter().filter(|byte| *byte != 0).for_each(|byte| self.push(byte));
        let at = self.len;
        self.run = match tag {
            0 => Run::Zeros { at, count: 0 },
            0xFF => Run::Verbatim { at, count: 0 },
            _ => return,
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

#[cfg(all(test, not(loom)))]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use proptest::collection::vec as many;
    use proptest::prelude::*;

    use super::*;

    fn pack(words: &[[u8; 8]]) -> Vec<u8> {
        let mut out = vec![0; words.len() * 10];
        let mut packer = Packer::new(&mut out);
        words.iter().for_each(|word| packer.word(u64::from_le_bytes(*word)));
        let len = packer.finish().expect("10 bytes are enough for a word");
        out.truncate(len);
        out
    }

    #[test]
    fn words_are_packed_as_in_the_encoding_specification() {
        let words = [[8, 0, 0, 0, 3, 0, 2, 0], [0x19, 0, 0, 0, 0xAA, 1, 0, 0]];
        assert_eq!(pack(&words), [0x51, 8, 3, 2, 0x31, 0x19, 0xAA, 1]);
        assert_eq!(pack(&[[0; 8]; 4]), [0, 3]);
        let verbatim = [[0xFF].as_slice(), &[0x8A; 8], &[3], &[0x8A; 24]].concat();
        assert_eq!(pack(&[[0x8A; 8]; 4]), verbatim);
    }

    #[test]
    fn a_word_with_one_zero_continues_a_run_and_one_with_two_ends_it() {
        let (one, two) = ([1, 2, 3, 0, 5, 6, 7, 8], [1, 2, 3, 0, 0, 6, 7, 8]);
        let expected =
            [[0xFF].as_slice(), &[9; 8], &[1], &one, &[0xE7, 1, 2, 3, 6, 7, 8], &[0xF7, 1, 2, 3, 5, 6, 7, 8]];
        assert_eq!(pack(&[[9; 8], one, two, one]), expected.concat());
    }

    #[test]
    fn a_count_stands_for_255_words_and_another_run_begins_behind_them() {
        assert_eq!(pack(&[[0; 8]; 257]), [0, 255, 0, 0]);
        let packed = pack(&[[1; 8]; 257]);
        assert_eq!(packed.len(), (1 + 8 + 1 + 255 * 8) + (1 + 8 + 1));
        assert_eq!(packed.get(9), Some(&255));
        let mut out = [0; 257 * 8];
        assert_eq!(unpack(&packed, &mut out), Ok([1; 257 * 8].as_slice()));
    }

    #[test]
    fn bytes_are_unpacked_that_no_packer_of_ours_makes() {
        let mut out = [7; 32];
        // Two runs that could be one; a word as it is with zeros in it; a tag whose bytes are zeros.
        let packed = [0, 0, 0, 0, 0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0, 3, 0, 0];
        let expected = [[0; 23].as_slice(), &[1], &[0; 8]].concat();
        assert_eq!(unpack(&packed, &mut out), Ok(expected.as_slice()));
        assert_eq!(unpack(&[0x81, 0, 0], &mut out), Ok([0; 8].as_slice()));
    }

    #[test]
    fn what_does_not_fit_is_refused_and_nothing_behind_the_end_is_written() {
        let mut out = [7; 24];
        let (out, behind) = out.split_at_mut(16);
        for packed in [&[0, 2][..], &[0, 0, 0, 0, 1, 1], &[0, 255]] {
            assert!(matches!(unpack(packed, out), Err(HeaderError::TooLong { limit: 16, len: 24.. })));
        }
        let verbatim = [[0xFF].as_slice(), &[1; 8], &[2], &[1; 16]].concat();
        assert_eq!(unpack(&verbatim, out), Err(HeaderError::TooLong { len: 24, limit: 16 }));
        assert_eq!(behind, [7; 8]);
    }

    #[test]
    fn bytes_that_end_too_early_are_refused() {
        let verbatim = [[0xFF].as_slice(), &[1; 8], &[1], &[1; 8]].concat();
        let cut = (1..18).map(|len| &verbatim[..len]);
        let mut out = [0; 64];
        for packed in cut.chain([&[0][..], &[0x03, 1], &[0x80]]) {
            let error = unpack(packed, &mut out).unwrap_err();
            assert!(matches!(error, HeaderError::Malformed { at, .. } if at == packed.len()), "{packed:?}");
        }
    }

    /// Words with bytes that are often zero or never, in runs.
    fn words() -> impl Strategy<Value = Vec<[u8; 8]>> {
        let word = prop_oneof![
            Just([0; 8]),
            Just([0xEE; 8]),
            any::<[u8; 8]>(),
            any::<[bool; 8]>().prop_map(|bits| bits.map(u8::from)),
        ];
        many((word, prop_oneof![4 => 1..4_usize, 1 => 250..520_usize]), 0..8)
            .prop_map(|runs| runs.into_iter().flat_map(|(word, len)| vec![word; len]).collect())
    }

    proptest! {
        #[test]
        fn words_are_unpacked_as_they_were_packed(words in words()) {
            let packed = pack(&words);
            prop_assert!(packed.len() <= words.len() * 10);
            let mut out = vec![0xAA; words.len() * 8];
            prop_assert_eq!(unpack(&packed, &mut out), Ok(words.as_flattened()));
        }

        #[test]
        fn any_bytes_unpack_to_whole_words_or_are_refused(packed in many(any::<u8>(), 0..64)) {
            let mut out = [0; 512];
            if let Ok(words) = unpack(&packed, &mut out) {
                prop_assert_eq!(words.len() % 8, 0);
            }
        }
    }
}
