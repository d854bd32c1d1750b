//! Why a header cannot be read or written, whatever it is written in.

use super::super::json::JsonError;
use super::super::tags::TagsFull;

/// A header that cannot be read, or that has no room where it is to be written.
///
/// Places are bytes from the beginning of the header; of a packed one, of what it unpacks to, unless the packing itself
/// is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// The header is longer than is read. `len` is what is known of its length, which may be more.
    #[error("a header of at least {len} bytes, where {limit} are read")]
    TooLong {
        /// Bytes that it has at least.
        len: usize,
        /// Bytes that are read at most.
        limit: usize,
    },
    /// The header takes more bytes than there are to write to.
    #[error("a header takes {needed} bytes and there is room for {len}")]
    NoRoom {
        /// Bytes that it takes.
        needed: usize,
        /// Bytes that there are.
        len: usize,
    },
    /// The bytes break a rule of the format, or are not what must stand there.
    #[error("malformed header at byte {at}: {what}")]
    Malformed {
        /// What is wrong, or what should be there.
        what: &'static str,
        /// Where.
        at: usize,
    },
    /// Something is said to lie where nothing is.
    #[error("{words} words at word {start} of segment {segment}, which has {len}")]
    OutOfBounds {
        /// Number of the segment of a message.
        segment: u32,
        /// First word of the object, from the beginning of the segment.
        start: i64,
        /// Words of the object.
        words: u64,
        /// Words of the segment.
        len: u64,
    },
    /// The message names a segment that it does not have.
    #[error("segment {segment} of a message of {segments}")]
    NoSegment {
        /// The number.
        segment: u32,
        /// Segments of the message; they are counted from 0.
        segments: u32,
    },
    /// The message has more segments than are read.
    #[error("{segments} segments, where {limit} are read")]
    TooManySegments {
        /// Segments that it says to have.
        segments: u64,
        /// Segments that are read at most.
        limit: u64,
    },
    /// Reading would take more work than a header is worth: few bytes can say that they are many.
    #[error("{words} more words, where {left} of {limit} are left to read")]
    TooMuch {
        /// Words of the object that is too much.
        words: u64,
        /// Words that may still be read.
        left: u64,
        /// Words that are read of one header.
        limit: u64,
    },
    /// The header is not JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// The header is written in none of the formats.
    #[error("a header that begins with {first:02x?} is neither Cap'n Proto nor JSON")]
    Unknown {
        /// Its first two bytes, as far as there are.
        first: [u8; 2],
    },
    /// The tags have no room.
    #[error(transparent)]
    Tags(#[from] TagsFull),
    /// The hash of a schema has another length than 16 bytes.
    #[error("a schema's hash of {len} bytes, which has 16")]
    Hash {
        /// Its bytes.
        len: usize,
    },
}
