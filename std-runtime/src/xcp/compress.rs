//! How is a message compressed? One zstd frame each, whole or in pieces, in working memory that is kept.
//!
//! The frame has its content size where that is known, no dictionary, and no checksum: the frames of XCP have one.
//!
//! 64 MiB of each on one core of a Xeon at 2.1 GHz, MB/s in, and how many times smaller (`speed.rs`):
//!
//! | level | JSON | f32, smooth, in steps of 1/4096 | f32, 12 bits with noise | f32, smooth, all bits |
//! |---|---|---|---|---|
//! | -5 | 1285, 4.0 | 1855, 57 | 536, 1.4 | 5635, not |
//! | -3 | 1492, 5.0 | 1708, 53 | 484, 1.5 | 5663, not |
//! | -1 | 1208, 5.6 | 1745, 56 | 356, 1.8 | 5600, not |
//! | 1 | 677, 8.4 | 1844, 61 | 340, 2.4 | 852, 1.1 |
//! | 3 | 605, 8.1 | 4264, 282 | 216, 3.0 | 404, 1.1 |
//! | 9 | 94, 9.0 | 2081, 297 | 46, 3.5 | 212, 1.1 |
//!
//! Source: XCP v0.2 specification, COMP; RFC 8878.

use core::fmt;
use std::io::Cursor;

use zstd::zstd_safe::zstd_sys::ZSTD_EndDirective::{ZSTD_e_continue, ZSTD_e_end};
use zstd::zstd_safe::{
    CCtx, CParameter, InBuffer, OutBuffer, ResetDirective, compress_bound, get_error_name, min_c_level,
};

/// The level for those who do not choose: more than 1 GB/s where there is something to gain, and hardly a cost where there
/// is not.
pub const DEFAULT_LEVEL: i32 = -1;
/// The highest level: those above look back further than every decoder has to have memory for
/// ([`MAX_WINDOW`](super::decompress::MAX_WINDOW)).
pub const MAX_LEVEL: i32 = 19;

/// Why a message was not compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CompressError {
    /// No such level.
    #[error("compression level {level} is not in {min}..={max}")]
    Level {
        /// The level.
        level: i32,
        /// The fastest.
        min: i32,
        /// The slowest.
        max: i32,
    },
    /// Pieces make more or fewer bytes than was said.
    #[error("message to compress was said to have {said} bytes, and has {given} so far")]
    Length {
        /// What [`Compressor::begin`] was told.
        said: u64,
        /// The bytes of all pieces.
        given: u64,
    },
    /// A piece that belongs to no message.
    #[error("no message to compress was begun")]
    NotBegun,
    /// The library could not; out of memory, as a rule.
    #[error("compression failed: {why}")]
    Library {
        /// Its own words.
        why: &'static str,
    },
}

/// Compresses messages one after another, in one working memory: less than 2 MiB up to level 1, 90 MiB at level 19.
pub struct Compressor {
    context: CCtx<'static>,
    message: Option<Pieces>,
}

/// A message that is compressed in pieces.
#[derive(Clone, Copy, Debug)]
struct Pieces {
    said: Option<u64>,
    given: u64,
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressor").field("message", &self.message).finish_non_exhaustive()
    }
}

impl Default for Compressor {
    fn default() -> Self {
        Self::new()
    }
}

impl Compressor {
    /// A compressor; its memory is taken with the first message.
    pub fn new() -> Self {
        Self { context: CCtx::create(), message: None }
    }

    /// Appends `message`, compressed, to `out`, and says how many bytes that made. A message in pieces that was not
    /// finished is forgotten.
    ///
    /// `out` is given room for the worst case, a little more than `message`. Negative levels are the fast ones.
    ///
    /// # Errors
    /// [`CompressError::Level`], [`CompressError::Library`]; `out` is as it was.
    pub fn compress(
        &mut self,
        level: i32,
        message: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<usize, CompressError> {
        self.start(level)?;
        let start = out.len();
        out.reserve(compress_bound(message.len()));
        let mut end = Cursor::new(&mut *out);
        end.set_position(start as u64);
        self.context.compress2(&mut end, message).map_err(library)
    }

    /// Begins a message in pieces of `len` bytes in all, if that is known. One that was not finished is forgotten.
    ///
    /// # Errors
    /// [`CompressError::Level`], [`CompressError::Library`].
    pub fn begin(&mut self, level: i32, len: Option<u64>) -> Result<(), CompressError> {
        self.start(level)?;
        self.context.set_pledged_src_size(len).map_err(library)?;
        self.message = Some(Pieces { said: len, given: 0 });
        Ok(())
    }

    /// Takes a piece of the message, and appends to `out` what came of it: at most the piece's length, a little more,
    /// and what earlier pieces left, which is less than 256 KiB.
    ///
    /// # Errors
    /// [`CompressError::NotBegun`], [`CompressError::Length`], [`CompressError::Library`]. The message is forgotten then.
    pub fn write(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), CompressError> {
        let mut message = self.message.take().ok_or(CompressError::NotBegun)?;
        message.given = message.given.saturating_add(piece.len() as u64);
        if let Some(said) = message.said.filter(|said| *said < message.given) {
            return Err(CompressError::Length { said, given: message.given });
        }
        let mut input = InBuffer::around(piece);
        while input.pos() < piece.len() {
            self.step(&mut input, false, out)?;
        }
        self.message = Some(message);
        Ok(())
    }

    /// Ends the message, and appends the rest of it to `out`: less than 256 KiB.
    ///
    /// # Errors
    /// As [`write`](Self::write). The message is forgotten in any case.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), CompressError> {
        let Pieces { said, given } = self.message.take().ok_or(CompressError::NotBegun)?;
        if let Some(said) = said.filter(|said| *said != given) {
            return Err(CompressError::Length { said, given });
        }
        // Bounded: each step but the last fills at least 128 KiB with what is left, which is less than twice that.
        while self.step(&mut InBuffer::around(&[]), true, out)? > 0 {}
        Ok(())
    }

    /// A step of the library, with room for it; what it still has to write.
    fn step(
        &mut self,
        input: &mut InBuffer<'_>,
        end: bool,
        out: &mut Vec<u8>,
    ) -> Result<usize, CompressError> {
        out.reserve(CCtx::out_size());
        let start = out.len();
        let directive = if end { ZSTD_e_end } else { ZSTD_e_continue };
        let left = self.context.compress_stream2(&mut OutBuffer::around_pos(out, start), input, directive);
        left.map_err(library)
    }

    fn start(&mut self, level: i32) -> Result<(), CompressError> {
        check(level)?;
        self.message = None;
        self.context.reset(ResetDirective::SessionOnly).map_err(library)?;
        self.context.set_parameter(CParameter::CompressionLevel(level)).map_err(library)?;
        Ok(())
    }
}

/// Whether there is such a level.
pub(crate) fn check(level: i32) -> Result<(), CompressError> {
    let min = min_c_level();
    if level < min || level > MAX_LEVEL {
        return Err(CompressError::Level { level, min, max: MAX_LEVEL });
    }
    Ok(())
}

fn library(code: usize) -> CompressError {
    CompressError::Library { why: get_error_name(code) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::decompress::{Decompressor, Limits};
    use super::*;

    fn text() -> Vec<u8> {
        b"the same again and ".repeat(10_000)
    }

    fn original(frame: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        Decompressor::new(Limits::default()).decompress(frame, &mut out).unwrap();
        out
    }

    #[test]
    fn a_message_is_appended_and_says_its_length() {
        let mut compressor = Compressor::new();
        let mut out = b"header".to_vec();
        for level in [-5, DEFAULT_LEVEL, 1, 3, MAX_LEVEL] {
            out.truncate(6);
            let len = compressor.compress(level, &text(), &mut out).unwrap();
            assert_eq!((out.len(), &out[..6]), (6 + len, &b"header"[..]));
            let content = zstd::zstd_safe::get_frame_content_size(&out[6..]).unwrap();
            assert_eq!(content, Some(text().len() as u64));
            assert_eq!(original(&out[6..]), text());
        }
    }

    #[test]
    fn no_level_looks_back_further_than_every_decoder_can() {
        // Longer than any window, and of unknown length: the window is the level's own.
        let mut compressor = Compressor::new();
        for level in [min_c_level(), -5, 1, 9, MAX_LEVEL] {
            let mut out = Vec::new();
            compressor.begin(level, None).unwrap();
            compressor.write(&[7; 1 << 20], &mut out).unwrap();
            compressor.finish(&mut out).unwrap();
            let header = super::super::zstd_frame::ZstdHeader::parse(&out).unwrap().unwrap();
            assert!(header.window <= super::super::decompress::MAX_WINDOW, "{level}: {}", header.window);
        }
        let mut out = Vec::new();
        for level in [min_c_level() - 1, MAX_LEVEL + 1] {
            let error = CompressError::Level { level, min: min_c_level(), max: MAX_LEVEL };
            assert_eq!(compressor.compress(level, b"message", &mut out), Err(error));
            assert_eq!(compressor.begin(level, None), Err(error));
        }
        assert!(out.is_empty());
    }

    #[test]
    fn the_working_memory_is_what_the_documentation_says() {
        for (level, most) in [(-5, 2), (-1, 2), (1, 2), (3, 4), (MAX_LEVEL, 90)] {
            let (mut compressor, mut out) = (Compressor::new(), Vec::new());
            compressor.compress(level, &vec![7; 16 << 20], &mut out).unwrap();
            compressor.begin(level, None).unwrap();
            compressor.write(&[7; 1 << 20], &mut out).unwrap();
            let len = compressor.context.sizeof();
            assert!(len <= most << 20, "level {level}: {len}");
        }
    }

    #[test]
    fn pieces_make_what_was_said_or_nothing() {
        let mut compressor = Compressor::new();
        let mut out = Vec::new();
        assert_eq!(compressor.write(b"piece", &mut out), Err(CompressError::NotBegun));
        compressor.begin(1, Some(7)).unwrap();
        compressor.write(b"piece", &mut out).unwrap();
        let length = |given| Err(CompressError::Length { said: 7, given });
        assert_eq!(compressor.finish(&mut out), length(5));
        assert_eq!(compressor.finish(&mut out), Err(CompressError::NotBegun));
        compressor.begin(1, Some(7)).unwrap();
        assert_eq!(compressor.write(b"too much", &mut out), length(8));
        assert_eq!(compressor.write(b"", &mut out), Err(CompressError::NotBegun));

        // What was given up leaves nothing behind.
        out.clear();
        compressor.begin(1, None).unwrap();
        compressor.write(b"forgotten", &mut out).unwrap();
        out.clear();
        compressor.compress(1, b"whole", &mut out).unwrap();
        assert_eq!(original(&out), b"whole");
    }

    #[test]
    fn pieces_leave_as_they_come() {
        let mut compressor = Compressor::new();
        let mut noise = vec![0; 1 << 20];
        let mut state = 1u64;
        for byte in &mut noise {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = state.to_le_bytes()[7];
        }
        let (mut all, mut out) = (Vec::new(), Vec::new());
        compressor.begin(-3, None).unwrap();
        for piece in noise.chunks(10_000) {
            out.clear();
            compressor.write(piece, &mut out).unwrap();
            assert!(out.len() < 10_000 + (256 << 10));
            all.extend_from_slice(&out);
        }
        assert!(all.len() > 700_000, "it does not wait for the end: {}", all.len());
        compressor.finish(&mut all).unwrap();
        assert_eq!(original(&all), noise);
    }

    proptest! {
        #[test]
        fn pieces_of_any_length_are_the_message(
            pieces in prop::collection::vec(prop::collection::vec(0..4u8, 0..3000), 0..10),
            level in -7..10,
            said: bool,
        ) {
            let message = pieces.concat();
            let (mut compressor, mut out) = (Compressor::new(), Vec::new());
            compressor.begin(level, said.then_some(message.len() as u64)).unwrap();
            for piece in &pieces {
                compressor.write(piece, &mut out).unwrap();
            }
            compressor.finish(&mut out).unwrap();
            prop_assert_eq!(original(&out), message);
        }
    }
}
