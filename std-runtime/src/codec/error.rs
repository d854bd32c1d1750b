//! Why a body cannot be written or read, and what a peer is told then.

use strait_core::xcp::{CodecId, ErrorCode};

use crate::xcp::EtherError;

/// Why an ether cannot be encoded.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// There is no such codec here.
    #[error("codec {codec} is not available")]
    Unsupported {
        /// Its number.
        codec: CodecId,
    },
    /// The ether is wrong by itself.
    #[error(transparent)]
    Ether(#[from] EtherError),
    /// The codec has no place for part of the ether.
    #[error("{codec} cannot carry {what}")]
    CannotCarry {
        /// The codec.
        codec: CodecId,
        /// What would be lost.
        what: String,
    },
}

/// Why a body cannot be decoded. [`code`](Self::code) is what a peer is told.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// There is no such codec here.
    #[error("codec {codec} is not available")]
    Unsupported {
        /// Its number.
        codec: CodecId,
    },
    /// More than the limits allow.
    #[error("the body has {count} {what}, the limit is {max}")]
    BeyondLimit {
        /// Of what: `bytes`, `values`, `attachments`, `levels`.
        what: &'static str,
        /// How many, or how many were counted before it was refused.
        count: usize,
        /// The limit.
        max: usize,
    },
    /// The body is not what the codec writes.
    #[error("{codec} body at byte {at}: {why}")]
    Malformed {
        /// The codec.
        codec: CodecId,
        /// Where, bytes from the body's start; 0 where that is not known.
        at: usize,
        /// What is wrong.
        why: String,
    },
    /// The body is readable, and the ether in it is wrong.
    #[error(transparent)]
    Ether(#[from] EtherError),
    /// The header names a kind that nothing is known of, and the body does not say.
    #[error("kind {kind_id:#010x} is not known")]
    UnknownKind {
        /// The kind's number.
        kind_id: u32,
    },
    /// The ether follows none of the schemas that are required.
    #[error(transparent)]
    Schema(#[from] crate::xcp::SchemaError),
    /// The header names another schema than the body.
    #[error("the header names kind {kind_id:#010x} version {major}, the body is {kind:?} version {version}")]
    KindMismatch {
        /// The header's kind.
        kind_id: u32,
        /// The header's version.
        major: u16,
        /// The body's kind.
        kind: String,
        /// The body's version.
        version: u32,
    },
    /// The ether is of a kind that is not taken.
    #[error("kind {kind:?} version {version} is not among those that are taken")]
    KindNotAccepted {
        /// Its kind.
        kind: String,
        /// Its version.
        version: u32,
    },
    /// The body is read as it comes, and must be whole.
    #[error("the body of the message is read as it comes: it must be collected to be decoded")]
    Streamed,
}

impl DecodeError {
    pub(super) fn malformed(codec: CodecId, at: usize, why: impl Into<String>) -> Self {
        Self::Malformed { codec, at, why: why.into() }
    }

    /// What a peer is told.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Unsupported { .. } => ErrorCode::ERR_CODEC_UNSUPPORTED,
            Self::BeyondLimit { .. } | Self::Streamed => ErrorCode::ERR_MESSAGE_TOO_LARGE,
            Self::Malformed { .. } | Self::Ether(_) => ErrorCode::ERR_MALFORMED,
            Self::UnknownKind { .. } => ErrorCode::ERR_SCHEMA_UNKNOWN,
            Self::KindMismatch { .. } | Self::KindNotAccepted { .. } => ErrorCode::ERR_KIND_MISMATCH,
            Self::Schema(error) => error.code(),
        }
    }
}
