//! Why can the body of a control message not be written or read?

use super::protobuf::ProtobufError;
use crate::xcp::json::JsonError;
use crate::xcp::numbers::CodecId;
use crate::xcp::sink::NoRoom;

/// The body of a control message cannot be written or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// Control messages are not encoded so.
    #[error("a control message is encoded as {codec}: it can be JSON or PROTOBUF")]
    Codec {
        /// How the header says it is encoded.
        codec: CodecId,
    },
    /// The body is not JSON.
    #[error("control message: {0}")]
    Json(#[from] JsonError),
    /// The body is not Protobuf.
    #[error("control message: {0}")]
    Protobuf(#[from] ProtobufError),
    /// A value is missing or of another type.
    #[error("control message: {what} at byte {at} is missing or of another type")]
    Malformed {
        /// What it should be.
        what: &'static str,
        /// Where it should be: offset in the body, bytes.
        at: usize,
    },
    /// A number is too large.
    #[error("control message: {what} is {found}, the largest is {most}")]
    TooLarge {
        /// What the number is.
        what: &'static str,
        /// The number.
        found: u64,
        /// The largest it may be.
        most: u64,
    },
    /// A list is too long.
    #[error("control message: {count} {what} are told, there is room for {most}")]
    TooMany {
        /// What is listed.
        what: &'static str,
        /// How many.
        count: usize,
        /// How many there may be.
        most: usize,
    },
    /// A text is too long that cannot be cut.
    #[error("control message: {what} has {len} bytes, there is room for {most}")]
    TooLong {
        /// What the text is.
        what: &'static str,
        /// Its length in UTF-8, bytes.
        len: usize,
        /// Bytes there may be.
        most: usize,
    },
    /// The body does not fit where it is to be written.
    #[error("a control message of {needed} bytes has no room in {len}")]
    NoRoom {
        /// Bytes of the body.
        needed: usize,
        /// Bytes there are.
        len: usize,
    },
}

impl From<NoRoom> for ControlError {
    fn from(NoRoom { needed, len }: NoRoom) -> Self {
        Self::NoRoom { needed, len }
    }
}
