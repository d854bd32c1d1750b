//! Why is a peer's compressed message not taken?

use strait_core::xcp::ErrorCode;

/// Why bytes are no compressed message, or not one that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecompressError {
    /// They begin with something else.
    #[error("compressed message begins with {magic:#010x}, which is no zstd frame")]
    NotZstd {
        /// The first four bytes, little-endian.
        magic: u32,
    },
    /// A frame that stands for nothing.
    #[error("compressed message begins with {magic:#010x}, a skippable frame")]
    Skippable {
        /// The first four bytes, little-endian.
        magic: u32,
    },
    /// There are no dictionaries here.
    #[error("compressed message needs dictionary {id}")]
    Dictionary {
        /// Its number.
        id: u64,
    },
    /// More than is taken.
    #[error("compressed message stands for at least {len} bytes, the limit is {max}")]
    TooLong {
        /// What it says, or what one byte more would make.
        len: u64,
        /// The limit.
        max: u64,
    },
    /// It looks further back than there is memory for.
    #[error("compressed message looks back {window} bytes, the limit is {max}")]
    Window {
        /// What it says.
        window: u64,
        /// The limit.
        max: u64,
    },
    /// No frame of this length can stand for so much.
    #[error("compressed message of {len} bytes cannot stand for the {content} that it says")]
    Impossible {
        /// Bytes of the frame.
        len: usize,
        /// What it says.
        content: u64,
    },
    /// It has another length than it says.
    #[error("compressed message says that it stands for {said} bytes, and stands for {len}")]
    Length {
        /// What it says.
        said: u64,
        /// What it is.
        len: u64,
    },
    /// The frame goes on.
    #[error("compressed message ends after {len} bytes, inside its frame")]
    Truncated {
        /// Bytes that came.
        len: u64,
    },
    /// Something stands behind the frame.
    #[error("{len} bytes stand behind the frame of a compressed message")]
    Trailing {
        /// How many of them are seen.
        len: usize,
    },
    /// The library cannot read it.
    #[error("compressed message is damaged after {len} bytes or before: {why}")]
    Damaged {
        /// Bytes that were read.
        len: u64,
        /// The library's words.
        why: &'static str,
    },
}

impl DecompressError {
    /// What a peer should be told whose message it is.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::TooLong { .. } | Self::Window { .. } => ErrorCode::ERR_MESSAGE_TOO_LARGE,
            _ => ErrorCode::ERR_MALFORMED,
        }
    }
}
