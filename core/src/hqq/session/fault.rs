//! Which rules a chunk can break, and what the peer is told about each.

use crate::hqq::ErrorCode;

/// The rule that a chunk breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChunkFault {
    /// Flags that are unknown, not agreed, or exclude each other.
    #[error("flags {flags:#x} are not among {allowed:#x}, or exclude each other")]
    Flags {
        /// Found.
        flags: u64,
        /// Those that were agreed.
        allowed: u64,
    },
    /// A message number of 0.
    #[error("a message has the number 0")]
    MessageZero,
    /// More bytes than a slot holds.
    #[error("chunk of {len} bytes exceeds the {limit} of a slot")]
    TooLong {
        /// Found, bytes.
        len: u64,
        /// Most, bytes.
        limit: u64,
    },
    /// Bytes beyond the message's end, or none in a message that has some.
    #[error("{len} bytes at offset {offset} of a message of {total}")]
    Range {
        /// Found, bytes.
        offset: u64,
        /// Found, bytes.
        len: u64,
        /// Found, bytes.
        total: u64,
    },
    /// First and last chunk are not marked as such, or others are.
    #[error("flags {flags:#x} at offset {offset} of a message of {total} bytes, {len} of which follow")]
    Ends {
        /// Found.
        flags: u64,
        /// Found, bytes.
        offset: u64,
        /// Found, bytes.
        len: u64,
        /// Found, bytes.
        total: u64,
    },
    /// Method or status on a chunk that is not the first.
    #[error("method or status {aux} at offset {offset}")]
    Aux {
        /// Found.
        aux: u64,
        /// Found, bytes.
        offset: u64,
    },
    /// Not the bytes that come next.
    #[error("offset {offset} where {expected} comes next")]
    OutOfOrder {
        /// Found, bytes.
        offset: u64,
        /// What comes next, bytes; 0 if the message was never begun.
        expected: u64,
    },
    /// A message that was already begun.
    #[error("begun again after {received} bytes")]
    BegunTwice {
        /// Bytes received so far.
        received: u64,
    },
    /// Another length than before.
    #[error("total of {found} bytes, begun with {expected}")]
    TotalChanged {
        /// Found, bytes.
        found: u64,
        /// What its first chunk said, bytes.
        expected: u64,
    },
    /// A message longer than we take.
    #[error("message of {total} bytes exceeds the limit of {max}")]
    TooLarge {
        /// Found, bytes.
        total: u64,
        /// Most, bytes.
        max: u64,
    },
    /// One unfinished message too many.
    #[error("already {limit} messages are unfinished")]
    TooManyAssemblies {
        /// Most there may be.
        limit: usize,
    },
    /// Unfinished messages with too many bytes together.
    #[error("message of {total} bytes beside {open} bytes of unfinished ones exceeds the limit of {max}")]
    TooManyBytes {
        /// Found, bytes.
        total: u64,
        /// Bytes of those unfinished.
        open: u64,
        /// Most, bytes.
        max: u64,
    },
    /// More than it was allowed to send.
    #[error("{len} bytes after {received}, and {granted} are allowed")]
    BeyondCredit {
        /// Found, bytes.
        len: u64,
        /// Received before it, bytes.
        received: u64,
        /// Allowed in all, bytes.
        granted: u64,
    },
    /// More than one chunk, and large copies were not agreed.
    #[error("message of {total} bytes in several chunks, and LARGE_COPY is not agreed")]
    NotLarge {
        /// Found, bytes.
        total: u64,
    },
    /// An answer to a call that was never made, or already answered.
    #[error("an answer to a call that is not outstanding")]
    UnknownCall,
    /// A request with the number of one that is not yet answered.
    #[error("a request with the number of one that is not yet answered")]
    RequestExists,
    /// One unanswered request too many.
    #[error("already {limit} requests are unanswered")]
    TooManyRequests {
        /// Most there may be.
        limit: usize,
    },
}

impl ChunkFault {
    /// What the peer is told.
    ///
    /// Source: gosuda/HQQ at fb15cd8 for the faults that it knows too.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Flags { .. } | Self::NotLarge { .. } | Self::UnknownCall | Self::RequestExists => {
                ErrorCode::INVALID_OP
            }
            Self::MessageZero
            | Self::TooLong { .. }
            | Self::Range { .. }
            | Self::Ends { .. }
            | Self::Aux { .. }
            | Self::OutOfOrder { .. }
            | Self::BegunTwice { .. }
            | Self::TotalChanged { .. } => ErrorCode::INVALID_SIZE,
            Self::TooLarge { .. }
            | Self::TooManyAssemblies { .. }
            | Self::TooManyBytes { .. }
            | Self::BeyondCredit { .. }
            | Self::TooManyRequests { .. } => ErrorCode::BUFFER_OVERFLOW,
        }
    }
}
