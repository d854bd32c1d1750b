//! What can be wrong with an ether, whatever it is encoded in.

use strait_core::xcp::TensorError;

use super::attachment::ChecksumAlgorithm;

/// Why an ether is refused, or does not hold what was asked for.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EtherError {
    /// Versions of schemas begin at 1.
    #[error("schema version 0: versions begin at 1")]
    VersionZero,
    /// An attachment has neither a URI nor bytes.
    #[error("attachment {id:?} has neither a URI nor bytes")]
    NoContent {
        /// Its id.
        id: String,
    },
    /// An attachment has both a URI and bytes.
    #[error("attachment {id:?} has both a URI and {len} bytes")]
    TwoContents {
        /// Its id.
        id: String,
        /// Bytes that it has.
        len: usize,
    },
    /// An attachment has another length than it says.
    #[error("attachment {id:?} says it has {said} bytes and has {len}")]
    WrongSize {
        /// Its id.
        id: String,
        /// What it says.
        said: u64,
        /// What it has.
        len: usize,
    },
    /// Two attachments have the same id.
    #[error("two attachments are called {id:?}")]
    DuplicateId {
        /// The id.
        id: String,
    },
    /// An attachment has another checksum than it says.
    #[error("attachment {id:?} has {algorithm} {found}, and says {said}")]
    WrongChecksum {
        /// Its id.
        id: String,
        /// How it was computed.
        algorithm: ChecksumAlgorithm,
        /// What it says.
        said: String,
        /// What it has, in lower-case hexadecimal.
        found: String,
    },
    /// More attachments than allowed.
    #[error("{count} attachments, the limit is {max}")]
    TooManyAttachments {
        /// How many.
        count: usize,
        /// The limit.
        max: usize,
    },
    /// A value is too large to stand in the envelope; an attachment may hold it.
    #[error("{path} takes about {size} bytes, the limit is {max}: attach it")]
    ValueTooLarge {
        /// Where it stands, such as `payload.values`.
        path: String,
        /// Estimated size, bytes.
        size: usize,
        /// The limit, bytes.
        max: usize,
    },
    /// A number that JSON has not: NaN or an infinity.
    #[error("value {index} is {value}, which JSON cannot say")]
    NotFinite {
        /// Which value.
        index: usize,
        /// The number.
        value: f32,
    },
    /// The ether is of another kind.
    #[error("an ether of kind {found:?} was read as {wanted:?}")]
    WrongKind {
        /// What it was read as.
        wanted: &'static str,
        /// What it is.
        found: String,
    },
    /// A field that the kind has is missing.
    #[error("{path} is missing")]
    Missing {
        /// Where it should stand.
        path: &'static str,
    },
    /// A field holds something else than the kind says.
    #[error("{path} is not {wanted}")]
    WrongType {
        /// Where it stands.
        path: &'static str,
        /// What it should be.
        wanted: &'static str,
    },
    /// Two numbers that belong together do not agree.
    #[error("{path} has {len} values, and {said} were said")]
    WrongCount {
        /// What has them.
        path: &'static str,
        /// How many it has.
        len: usize,
        /// How many it should have.
        said: u64,
    },
    /// An attachment is no tensor of this crate.
    #[error("attachment {id:?} is no tensor: {why}")]
    NoTensor {
        /// Its id.
        id: String,
        /// What is missing.
        why: String,
    },
    /// An attachment's tensor is not what it says.
    #[error("attachment {id:?}: {error}")]
    Tensor {
        /// Its id.
        id: String,
        /// What is wrong.
        error: TensorError,
    },
    /// The system gives no random bytes.
    #[error("no random bytes for a trace id: {why}")]
    NoRandom {
        /// What the system says.
        why: String,
    },
}
