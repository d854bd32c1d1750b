//! The Cap'n Proto form of a header: written canonically, read in any valid shape.
//!
//! A message is a table of segments and the segments; a segment is words of 8 bytes, little-endian. Word 0 of segment
//! 0 points at the root, a `FrameHeader`:
//!
//! | struct | data, by byte | pointers |
//! |---|---|---|
//! | `FrameHeader` | 0 channelId `u32`, 4 msgType `u16`, 6 bodyCodec `u16`, 8 msgId `u64`, 16 inReplyTo `u64` | schemaKey, tags: a list of `Tag` |
//! | `SchemaKey` | 0 nsHash `u32`, 4 kindId `u32`, 8 major `u16`, 10 minor `u16` | hash128: 16 bytes |
//! | `Tag` | | key, val: text |
//!
//! Written are one segment and in it the canonical form: objects in the order of their pointers, zeros and null pointers
//! at the end of a struct left out. So DATA without a schema takes 32 bytes, and 40 as a reply; packed, 10 and 12.
//!
//! What says nothing is not written, and read as unset: a [`SchemaKey`](super::SchemaKey) of zeros, a hash of zeros. An
//! empty text is a null pointer.
//!
//! | file | question it answers |
//! |---|---|
//! | `write` | which words a header is |
//! | `packed` | how words become fewer bytes, and bytes words again |
//! | `segments` | where a segment and its words are |
//! | `pointer` | what a pointer points at |
//! | `read` | what a message says |
//!
//! Source: XCP v0.2 specification 4.2, with hash128 as Data; Cap'n Proto encoding specification.

mod packed;
mod pointer;
mod read;
mod segments;
#[cfg(all(test, not(loom)))]
mod tests;
mod write;

use self::packed::Packer;
use self::write::Plain;
use super::super::dialect::Numbering;
use super::{FrameHeader, HeaderError};

/// No header is written longer than this, in bytes, packed or not: 85 tags of a byte each way take the most.
pub const MAX_LEN: usize = 3 * 1024;

/// Bytes that a packed header may unpack to: what [`MAX_LEN`] takes, and some for writers that leave nothing out.
pub const UNPACKED_LIMIT: usize = 4096;

/// Segments of a message that is read.
pub const SEGMENT_LIMIT: usize = 16;

/// Words that are read of one message, where a list of nothing counts its elements. A header has at most 8191 words, so
/// only what is pointed at more than once comes near.
pub const WORD_LIMIT: u64 = 64 * 1024;

/// Writes `header` to the beginning of `out`: one segment behind its table. Returns the bytes it takes, a multiple of 8.
///
/// # Errors
/// [`HeaderError::NoRoom`], with the bytes it takes; what stands in `out` then means nothing.
pub fn write(header: &FrameHeader, numbering: Numbering, out: &mut [u8]) -> Result<usize, HeaderError> {
    let mut plain = Plain::new(out);
    write::words(header, numbering, &mut plain);
    plain.finish()
}

/// Writes `header` packed to the beginning of `out`. Returns the bytes it takes.
///
/// # Errors
/// [`HeaderError::NoRoom`], with the bytes it takes; what stands in `out` then means nothing.
pub fn write_packed(
    header: &FrameHeader,
    numbering: Numbering,
    out: &mut [u8],
) -> Result<usize, HeaderError> {
    let mut packer = Packer::new(out);
    write::words(header, numbering, &mut packer);
    packer.finish()
}

/// Reads a message that fills `bytes`: of one segment or several, with fields that are missing or not known here.
///
/// # Errors
/// - [`HeaderError::Malformed`] if `bytes` are no such message, or more than one;
/// - [`HeaderError::OutOfBounds`], [`HeaderError::NoSegment`] if a pointer leads out of it;
/// - [`HeaderError::TooManySegments`], [`HeaderError::TooMuch`] beyond [`SEGMENT_LIMIT`] and [`WORD_LIMIT`];
/// - [`HeaderError::Tags`] if the tags have no room in a [`FrameHeader`];
/// - [`HeaderError::Hash`] if a schema's hash is not zero and has not 16 bytes.
pub fn read(bytes: &[u8], numbering: Numbering) -> Result<FrameHeader, HeaderError> {
    read::header(bytes, numbering)
}

/// Reads a packed message that fills `bytes`. Takes [`UNPACKED_LIMIT`] bytes of stack.
///
/// # Errors
/// Those of [`read`], and
/// - [`HeaderError::TooLong`] if it unpacks to more than [`UNPACKED_LIMIT`] bytes;
/// - [`HeaderError::Malformed`] if `bytes` end before the word or the count that they announce.
pub fn read_packed(bytes: &[u8], numbering: Numbering) -> Result<FrameHeader, HeaderError> {
    let mut unpacked = [0; UNPACKED_LIMIT];
    read::header(packed::unpack(bytes, &mut unpacked)?, numbering)
}
