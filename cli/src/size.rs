//! How many bytes each frame has: one number for all, or drawn from a range.
//!
//! Drawing, so that another program can reproduce it: the frames' sizes are made of the keystream of `ChaCha8` (64-bit
//! nonce 0, block counter from 0) under the 32-byte key `seed as u64 LE · 01 · 23 zero bytes`. Frame `k` takes its
//! bytes `8k..8k+8` as the u64 LE `x`, and has `min + ⌊x · (max − min + 1) / 2⁶⁴⌋` bytes.

use core::fmt;
use core::str::FromStr;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};

/// `N` or `MIN..MAX`, both ends included; at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SizeRange {
    /// Bytes of the smallest frame.
    pub(crate) min: usize,
    /// Bytes of the largest frame.
    pub(crate) max: usize,
}

impl SizeRange {
    /// Every frame of `len` bytes.
    pub(crate) const fn fixed(len: usize) -> Self {
        Self { min: len, max: len }
    }

    /// The sizes of frames 0, 1, 2 …
    pub(crate) fn sizes(self, seed: u64) -> Sizes {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8] = 1;
        Sizes { range: self, keystream: ChaCha8Rng::from_seed(key) }
    }
}

impl FromStr for SizeRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bytes = |text: &str| match text.parse::<usize>() {
            Ok(0) => Err("a frame has at least 1 byte".to_owned()),
            Ok(bytes) => Ok(bytes),
            Err(error) => Err(format!("{text:?} is no number of bytes: {error}")),
        };
        match text.split_once("..") {
            None => bytes(text).map(Self::fixed),
            Some((min, max)) => {
                let (min, max) = (bytes(min)?, bytes(max.strip_prefix('=').unwrap_or(max))?);
                if min > max {
                    return Err(format!("{min} is more than {max}"));
                }
                Ok(Self { min, max })
            }
        }
    }
}

impl fmt::Display for SizeRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.min == self.max {
            true => write!(f, "{}", self.min),
            false => write!(f, "{}..{}", self.min, self.max),
        }
    }
}

/// Sizes, frame by frame.
#[derive(Debug)]
pub(crate) struct Sizes {
    range: SizeRange,
    keystream: ChaCha8Rng,
}

impl Sizes {
    /// Bytes of the next frame.
    pub(crate) fn next_len(&mut self) -> usize {
        let SizeRange { min, max } = self.range;
        if min == max {
            return min;
        }
        let choices = (max - min) as u128 + 1;
        let drawn = (u128::from(self.keystream.next_u64()) * choices) >> 64;
        // Below `choices`, which came from a usize.
        min + usize::try_from(drawn).unwrap_or(max - min)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_number_or_a_range_with_both_ends() {
        assert_eq!("1024".parse(), Ok(SizeRange::fixed(1024)));
        assert_eq!("1..2000".parse(), Ok(SizeRange { min: 1, max: 2000 }));
        assert_eq!("7..=7".parse(), Ok(SizeRange::fixed(7)));
        for bad in ["", "0", "0..4", "5..4", "..", "1..", "..9", "1...4", "-1", "1k", "1..2..3"] {
            assert!(bad.parse::<SizeRange>().is_err(), "{bad}");
        }
    }

    #[test]
    fn drawn_sizes_cover_the_range_and_depend_on_the_seed_alone() {
        let draw = |seed| {
            let mut sizes = SizeRange { min: 3, max: 10 }.sizes(seed);
            (0..1000).map(|_| sizes.next_len()).collect::<Vec<_>>()
        };
        let drawn = draw(0);
        assert_eq!(drawn, draw(0));
        assert_ne!(drawn, draw(1));
        for len in 3..=10 {
            assert!(drawn.contains(&len), "{len}");
        }
        assert!(drawn.iter().all(|len| (3..=10).contains(len)));
    }

    #[test]
    fn the_widest_range_does_not_overflow() {
        let mut sizes = SizeRange { min: 1, max: usize::MAX }.sizes(9);
        assert!((0..100).all(|_| sizes.next_len() >= 1));
    }
}
