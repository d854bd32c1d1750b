//! Why can a header not be written or read?

use crate::xcp::json::JsonError;
use crate::xcp::tags::TagsFull;

/// A header cannot be written or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// The header is longer than a frame can say.
    #[error("a header of {len} bytes is longer than the {limit} a frame can have")]
    TooLong {
        /// Bytes of the header.
        len: usize,
        /// Bytes it may have.
        limit: usize,
    },
    /// The header does not fit where it is to be written.
    #[error("a header of {needed} bytes has no room in {len}")]
    NoRoom {
        /// Bytes of the header.
        needed: usize,
        /// Bytes there are.
        len: usize,
    },
    /// Something in the header is not what must stand there.
    #[error("header: {what} at byte {at} is missing, too large, or of another type")]
    Malformed {
        /// What it should be.
        what: &'static str,
        /// Where it should be: offset in the header, bytes.
        at: usize,
    },
    /// The tags are longer than there is room for.
    #[error(transparent)]
    Tags(#[from] TagsFull),
    /// The header is not JSON.
    #[error("header: {0}")]
    Json(#[from] JsonError),
    /// The hash of the schema is set and has another length.
    #[error("a schema's hash has {len} bytes and not 16")]
    Hash {
        /// Bytes it has.
        len: usize,
    },
}
