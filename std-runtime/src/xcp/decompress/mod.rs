//! How is a peer's compressed message taken apart, in memory that the peer does not choose?
//!
//! | what a peer says too much of | whole, with its length | whole, without | in pieces |
//! |---|---|---|---|
//! | bytes of a message | refused by its header | refused where one byte too many would come | either |
//! | bytes to look back | needs no memory | [`MAX_WINDOW`] | [`MAX_WINDOW`] |
//!
//! A damaged frame that opens is possible: zstd's checksum is optional, and the frames of XCP have one. In pieces, the
//! library is also more lenient: it passes over empty blocks of kinds that cannot be empty.
//!
//! Source: XCP v0.2 specification, COMP; RFC 8878.

mod error;

use core::fmt;

use zstd::zstd_safe::zstd_sys::ZSTD_ErrorCode::ZSTD_error_srcSize_wrong;
use zstd::zstd_safe::{
    DCtx, DParameter, InBuffer, OutBuffer, ResetDirective, find_frame_compressed_size, get_error_name,
};

pub use error::DecompressError;

use super::zstd_frame::{MAX_HEADER, ZstdHeader, most_content};

/// Most bytes that a message may look back, unless it is whole and says its length: what RFC 8878 asks every decoder
/// to have.
pub const MAX_WINDOW: u64 = 1 << MAX_WINDOW_LOG;
const MAX_WINDOW_LOG: u32 = 23;
/// Bytes by which an output of unknown length grows at first.
const STEP: usize = 128 << 10;
/// What the library answers when input is missing.
const INPUT_MISSING: usize = (ZSTD_error_srcSize_wrong as usize).wrapping_neg();

/// What a peer's message may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that a message may stand for.
    pub max_message: u64,
}

impl Default for Limits {
    /// 256 MiB.
    fn default() -> Self {
        Self { max_message: 256 << 20 }
    }
}

/// Takes compressed messages apart, one after another, in one working memory: at most [`MAX_WINDOW`] and 512 KiB, for
/// messages in pieces and for those that do not say their length; 160 KiB for others.
pub struct Decompressor {
    context: DCtx<'static>,
    limits: Limits,
    /// The frame's first bytes, until they are a whole header.
    head: Vec<u8>,
    /// What the header says will come out.
    said: Option<u64>,
    /// Bytes that came of this message, and that came out.
    taken: u64,
    given: u64,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Head,
    /// The last step filled its output: there may be more without more input.
    Full,
    /// More input is needed.
    Hungry,
    Done,
    Failed(DecompressError),
}

impl fmt::Debug for Decompressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Decompressor");
        out.field("limits", &self.limits).field("stage", &self.stage).finish_non_exhaustive()
    }
}

impl Decompressor {
    /// A decompressor, ready for a message.
    pub fn new(limits: Limits) -> Self {
        let mut context = DCtx::create();
        let set = context.set_parameter(DParameter::WindowLogMax(MAX_WINDOW_LOG));
        set.expect("the library knows windows of 8 MiB");
        let head = Vec::with_capacity(MAX_HEADER);
        Self { context, limits, head, said: None, taken: 0, given: 0, stage: Stage::Head }
    }

    /// Appends the message that `frame` stands for to `out`, and says how many bytes that made. A message in pieces
    /// that was not finished is forgotten.
    ///
    /// # Errors
    /// Any [`DecompressError`]; `out` is as long as it was.
    pub fn decompress(&mut self, frame: &[u8], out: &mut Vec<u8>) -> Result<usize, DecompressError> {
        self.begin();
        let start = out.len();
        let header = ZstdHeader::parse(frame)?;
        let truncated = DecompressError::Truncated { len: frame.len() as u64 };
        let result = match header.ok_or(truncated)?.content {
            Some(content) => self.in_one_step(frame, content, out),
            None => self.in_many_steps(frame, out),
        };
        if result.is_err() {
            out.truncate(start);
        }
        // Ready for a message in pieces, whatever became of this one.
        self.begin();
        result?;
        Ok(out.len() - start)
    }

    /// Straight into `out`: the library needs no memory to look back if all of the output is there.
    fn in_one_step(&mut self, frame: &[u8], content: u64, out: &mut Vec<u8>) -> Result<(), DecompressError> {
        self.check(content)?;
        if content > most_content(frame.len()) {
            return Err(DecompressError::Impossible { len: frame.len(), content });
        }
        let truncated = DecompressError::Truncated { len: frame.len() as u64 };
        let damaged = |code| match code {
            INPUT_MISSING => truncated,
            _ => DecompressError::Damaged { len: frame.len() as u64, why: get_error_name(code) },
        };
        // Walks from block to block.
        let len = find_frame_compressed_size(frame).map_err(damaged)?;
        if len < frame.len() {
            return Err(DecompressError::Trailing { len: frame.len() - len });
        }
        let room = usize::try_from(content);
        let max = usize::MAX as u64;
        out.reserve_exact(room.map_err(|_| DecompressError::TooLong { len: content, max })?);
        let (start, mut input) = (out.len(), InBuffer::around(frame));
        let step = self.context.decompress_stream(&mut OutBuffer::around_pos(out, start), &mut input);
        match step.map_err(damaged)? {
            0 => Ok(()),
            _ => Err(truncated),
        }
    }

    fn in_many_steps(&mut self, frame: &[u8], out: &mut Vec<u8>) -> Result<(), DecompressError> {
        let (mut input, start) = (frame, out.len());
        // Bounded: a step takes input, or adds to the output, which is bounded; or says that neither is left.
        while self.stage != Stage::Done && !(input.is_empty() && self.stage == Stage::Hungry) {
            let so_far = out.len() - start;
            let room = self.limits.max_message.saturating_sub(so_far as u64);
            if room == 0 {
                // Whether the message is over: into a byte that nobody sees.
                self.read(&mut input, &mut [0])?;
                continue;
            }
            // Doubles, and never goes past the limit.
            let room = usize::try_from(room).unwrap_or(usize::MAX).min(so_far.max(STEP));
            out.reserve_exact(room);
            out.resize(start + so_far + room, 0);
            let written = self.read(&mut input, &mut out[start + so_far..]);
            out.truncate(start + so_far + written.unwrap_or(0));
            written?;
        }
        if !input.is_empty() {
            return Err(DecompressError::Trailing { len: input.len() });
        }
        self.finish().map(|_| ())
    }

    /// Begins a message in pieces; a new decompressor has already begun one. One that was not finished is forgotten.
    pub fn begin(&mut self) {
        // The library refuses this only while it is inside of a call.
        let reset = self.context.reset(ResetDirective::SessionOnly);
        reset.expect("a session can always be given up");
        self.head.clear();
        (self.said, self.taken, self.given, self.stage) = (None, 0, 0, Stage::Head);
    }

    /// Writes to `out` what comes next of the message, and says how many bytes those are; takes from the front of
    /// `input` what it needs for them.
    ///
    /// Call it until `input` is empty and less than all of `out` was written. Where `out` is empty, nothing happens.
    ///
    /// # Errors
    /// Any [`DecompressError`] but [`Impossible`](DecompressError::Impossible), as soon as it is known:
    /// [`TooLong`](DecompressError::TooLong) with the header, if that says the length, or when a byte too many would
    /// come out. Then the same again, until [`begin`](Self::begin).
    pub fn read(&mut self, input: &mut &[u8], out: &mut [u8]) -> Result<usize, DecompressError> {
        let result = self.try_read(input, out);
        if let Err(error) = result {
            self.stage = Stage::Failed(error);
        }
        result
    }

    /// Ends the message, says how many bytes came out of it, and begins the next.
    ///
    /// # Errors
    /// [`DecompressError::Truncated`] if it is not over; what [`read`](Self::read) said, if that was an error.
    pub fn finish(&mut self) -> Result<u64, DecompressError> {
        let (stage, taken, given) = (self.stage, self.taken, self.given);
        self.begin();
        match stage {
            Stage::Done => Ok(given),
            Stage::Failed(error) => Err(error),
            _ => Err(DecompressError::Truncated { len: taken }),
        }
    }

    fn try_read(&mut self, input: &mut &[u8], out: &mut [u8]) -> Result<usize, DecompressError> {
        if self.stage == Stage::Head && !self.take_head(input)? {
            return Ok(0);
        }
        match self.stage {
            Stage::Failed(error) => return Err(error),
            Stage::Done if input.is_empty() => return Ok(0),
            Stage::Done => return Err(DecompressError::Trailing { len: input.len() }),
            // The library counts calls that change nothing, and takes too many of them for an error.
            Stage::Hungry if input.is_empty() => return Ok(0),
            _ if out.is_empty() => return Ok(0),
            _ => {}
        }
        let max = self.limits.max_message;
        let room = usize::try_from(max - self.given).unwrap_or(usize::MAX).min(out.len());
        // A message that ends just at the limit may still need a step: into a byte that nobody sees.
        let mut beyond = [0];
        let out = if room == 0 { &mut beyond[..] } else { &mut out[..room] };
        let written = self.step(input, out)?;
        if room == 0 && written > 0 {
            return Err(DecompressError::TooLong { len: max.saturating_add(1), max });
        }
        if self.stage == Stage::Done && !input.is_empty() {
            return Err(DecompressError::Trailing { len: input.len() });
        }
        self.given += written as u64;
        match self.said {
            // The library does not notice where the last block is empty.
            Some(said) if self.stage == Stage::Done && said != self.given => {
                Err(DecompressError::Length { said, len: self.given })
            }
            _ => Ok(written),
        }
    }

    /// Takes the frame's header, and feeds it to the library once it is whole and acceptable; whether it is.
    fn take_head(&mut self, input: &mut &[u8]) -> Result<bool, DecompressError> {
        // Byte by byte: what stands behind the header is not ours. At most MAX_HEADER times.
        while let Some((first, rest)) = input.split_first() {
            self.head.push(*first);
            self.taken += 1;
            *input = rest;
            let Some(header) = ZstdHeader::parse(&self.head)? else { continue };
            if let Some(content) = header.content {
                self.check(content)?;
            }
            self.said = header.content;
            if header.window > MAX_WINDOW {
                return Err(DecompressError::Window { window: header.window, max: MAX_WINDOW });
            }
            let head = core::mem::take(&mut self.head);
            self.taken -= head.len() as u64;
            let fed = self.step(&mut &head[..], &mut []);
            self.head = head;
            fed?;
            return Ok(true);
        }
        Ok(false)
    }

    /// A step of the library: what it wrote.
    fn step(&mut self, input: &mut &[u8], out: &mut [u8]) -> Result<usize, DecompressError> {
        let mut from = InBuffer::around(input);
        let mut to = OutBuffer::around(out);
        let left = self.context.decompress_stream(&mut to, &mut from);
        let (read, written) = (from.pos(), to.pos());
        self.taken += read as u64;
        *input = &input[read..];
        let left =
            left.map_err(|code| DecompressError::Damaged { len: self.taken, why: get_error_name(code) })?;
        self.stage = match left {
            0 => Stage::Done,
            _ if written == out.len() => Stage::Full,
            _ => Stage::Hungry,
        };
        Ok(written)
    }

    fn check(&self, content: u64) -> Result<(), DecompressError> {
        let max = self.limits.max_message;
        if content > max { Err(DecompressError::TooLong { len: content, max }) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
