//! Why a message is not sent.

use super::super::header::HeaderError;
use super::super::numbers::{CodecId, Flags, KindId};

/// Why a message is not sent. The connection stays as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The handshake is not over, or the connection is.
    #[error("the connection is not open")]
    NotOpen,
    /// The peer does not read this codec.
    #[error("the peer does not read {codec}")]
    CodecNotAgreed {
        /// The codec.
        codec: CodecId,
    },
    /// The peer cannot do this.
    #[error("the peer cannot do {flags}")]
    NotAgreed {
        /// What it cannot.
        flags: Flags,
    },
    /// Every message must be sealed on this connection.
    #[error("every message must be sealed on this connection")]
    MustBeSealed,
    /// Where messages are sealed channel 0 is for control frames.
    #[error("channel 0 carries no sealed messages: it is for control frames")]
    ControlChannel,
    /// The peer does not take this kind.
    #[error("the peer does not take messages of kind {kind} {major}.{minor}")]
    KindNotAccepted {
        /// The kind.
        kind: KindId,
        /// Major version of its schema.
        major: u16,
        /// Minor version of its schema.
        minor: u16,
    },
    /// The message needs more than one frame, which the peer does not take.
    #[error("a message of {len} bytes exceeds the {limit} bytes of one frame, and the peer takes no chunks")]
    TooLarge {
        /// Its bytes.
        len: u64,
        /// What goes into one frame.
        limit: u64,
    },
    /// Not even one byte of the message fits a frame that the peer takes.
    #[error("no frame of at most {limit} bytes has room behind a header of {header_len} bytes")]
    NoFrame {
        /// Bytes of its header.
        header_len: usize,
        /// Longest frame that the peer takes, bytes.
        limit: u32,
    },
    /// Too many messages wait to be sent.
    #[error("{limit} messages wait to be sent or acknowledged already")]
    Busy {
        /// How many may.
        limit: usize,
    },
    /// The header cannot be written.
    #[error("the header cannot be written: {0}")]
    Header(#[from] HeaderError),
    /// There is no such message.
    #[error("no message with handle {handle} waits to be sent")]
    Unknown {
        /// The handle.
        handle: u64,
    },
}
