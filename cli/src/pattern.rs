//! Which bytes a made-up frame has.
//!
//! | pattern | byte `i` of frame `k` (both from 0) |
//! |---|---|
//! | sequential | `(k + i) mod 256` |
//! | random | byte `i` of the keystream of `ChaCha8` with key `seed as u64 LE · 24 zero bytes`, 64-bit nonce `k as u64 LE`, block counter from 0 |
//! | zero | `0x00` |
//! | ones | `0xff` |
//!
//! Sequential, zero and ones are those of the ZeroBuffer test tools. Their random patterns agree with nobody's, so
//! this one is defined by a published cipher: D. J. Bernstein's `ChaCha` with 8 rounds and his 64-bit nonce.

use clap::ValueEnum;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};

/// Bytes made or compared at a time; a multiple of 256, so that every block of a sequential frame is alike.
const BLOCK: usize = 4096;

/// `0 1 2 … 255 0 1 …`: a block of any sequential frame starts at one of its first 256 bytes.
static RAMP: [u8; BLOCK + 256] = ramp();

/// What made-up frames hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Pattern {
    /// Byte i of frame k is k + i, modulo 256
    Sequential,
    /// Keystream of `ChaCha8`: key = --seed (8 bytes, little endian) and 24 zero bytes, nonce = frame number from 0
    Random,
    /// Every byte is 0x00
    Zero,
    /// Every byte is 0xff
    Ones,
}

impl Pattern {
    /// Makes `frame` the frame number `index`, from 0.
    pub(crate) fn fill(self, seed: u64, index: u64, frame: &mut [u8]) {
        match self {
            Self::Sequential => {
                let block = sequential_block(index);
                for out in frame.chunks_mut(BLOCK) {
                    out.copy_from_slice(&block[..out.len()]);
                }
            }
            Self::Random => keystream(seed, index).fill_bytes(frame),
            Self::Zero => frame.fill(0x00),
            Self::Ones => frame.fill(0xff),
        }
    }

    /// Where `frame` differs first from frame number `index`: the byte's place and what it should be.
    ///
    /// The frame is read where it lies; of a random frame one block at a time is made for comparison.
    pub(crate) fn difference(self, seed: u64, index: u64, frame: &[u8]) -> Option<(usize, u8)> {
        match self {
            Self::Sequential => {
                let block = sequential_block(index);
                in_blocks(frame, |bytes| first_difference(bytes, block))
            }
            Self::Random => {
                let (mut keystream, mut made) = (keystream(seed, index), [0; BLOCK]);
                in_blocks(frame, |bytes| {
                    keystream.fill_bytes(&mut made[..bytes.len()]);
                    first_difference(bytes, &made)
                })
            }
            Self::Zero => in_blocks(frame, |bytes| first_difference(bytes, &[0x00; BLOCK])),
            Self::Ones => in_blocks(frame, |bytes| first_difference(bytes, &[0xff; BLOCK])),
        }
    }
}

/// The first difference that `look` finds in a block, placed in the frame.
fn in_blocks(frame: &[u8], mut look: impl FnMut(&[u8]) -> Option<(usize, u8)>) -> Option<(usize, u8)> {
    let mut blocks = frame.chunks(BLOCK).enumerate();
    blocks.find_map(|(block, bytes)| look(bytes).map(|(at, expected)| (block * BLOCK + at, expected)))
}

/// `expected` is at least as long as `bytes`.
fn first_difference(bytes: &[u8], expected: &[u8]) -> Option<(usize, u8)> {
    // As a whole first: a comparison of memory is many times faster than one byte by byte.
    if bytes == &expected[..bytes.len()] {
        return None;
    }
    let at = bytes.iter().zip(expected).position(|(found, expected)| found != expected)?;
    Some((at, expected[at]))
}

fn sequential_block(index: u64) -> &'static [u8] {
    let start = usize::from(index.to_le_bytes()[0]);
    &RAMP[start..start + BLOCK]
}

fn keystream(seed: u64, index: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    let mut keystream = ChaCha8Rng::from_seed(key);
    keystream.set_stream(index);
    keystream
}

const fn ramp() -> [u8; BLOCK + 256] {
    let mut ramp = [0; BLOCK + 256];
    let mut i = 0;
    while i < ramp.len() {
        ramp[i] = i.to_le_bytes()[0];
        i += 1;
    }
    ramp
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::md5_hex;

    const ALL: [Pattern; 4] = [Pattern::Sequential, Pattern::Random, Pattern::Zero, Pattern::Ones];

    fn frame(pattern: Pattern, seed: u64, index: u64, len: usize) -> Vec<u8> {
        let mut frame = vec![0x55; len];
        pattern.fill(seed, index, &mut frame);
        frame
    }

    #[test]
    fn sequential_frames_have_the_digests_of_the_reference_tools() {
        // Python zerobuffer-ipc 1.3.0, size 64, frames 0 to 4.
        let digests = [
            "b2d3f56bc197fd985d5965079b5e7148",
            "50e845bfe6c70fee663ab5500fd0c411",
            "36b6c176cfc6ce7230f3ccd13a94042e",
            "b947a1ca03d9986dea8170430c07a98f",
            "22d182e9868eb6d444a1c4718a0a953d",
        ];
        for (index, digest) in (0..).zip(digests) {
            assert_eq!(md5_hex(&frame(Pattern::Sequential, 0, index, 64)), digest, "frame {index}");
        }
    }

    #[test]
    fn sequential_bytes_are_frame_plus_place_across_blocks() {
        for index in [0, 1, 255, 256, 1000, u64::MAX] {
            let bytes = frame(Pattern::Sequential, 0, index, 2 * BLOCK + 77);
            for (i, byte) in (0u64..).zip(&bytes) {
                assert_eq!(*byte, index.wrapping_add(i).to_le_bytes()[0], "frame {index} byte {i}");
            }
        }
    }

    #[test]
    fn random_frame_0_of_seed_0_is_the_published_keystream() {
        // ChaCha8, key and nonce all zero: draft-strombergson-chacha-test-vectors, TC1.
        let published =
            [0x3e, 0x00, 0xef, 0x2f, 0x89, 0x5f, 0x40, 0xd6, 0x7f, 0x5b, 0xb8, 0xe8, 0x1f, 0x09, 0xa5, 0xa1];
        assert_eq!(frame(Pattern::Random, 0, 0, 16), published);
        assert_ne!(frame(Pattern::Random, 0, 1, 16), published);
        assert_ne!(frame(Pattern::Random, 1, 0, 16), published);
    }

    #[test]
    fn a_frame_agrees_with_itself_and_any_changed_byte_is_found() {
        for pattern in ALL {
            for len in [1, 3, 64, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5] {
                let mut bytes = frame(pattern, 7, 300, len);
                assert_eq!(pattern.difference(7, 300, &bytes), None, "{pattern:?} {len}");
                for at in [0, len / 2, len - 1] {
                    let right = bytes[at];
                    bytes[at] ^= 0x10;
                    assert_eq!(pattern.difference(7, 300, &bytes), Some((at, right)), "{pattern:?} {len}");
                    bytes[at] = right;
                }
            }
        }
    }
}
