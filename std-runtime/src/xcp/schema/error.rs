//! Why a schema cannot be used, or an ether does not follow one.

use std::path::PathBuf;

use strait_core::xcp::{ErrorCode, SchemaKey};

use crate::xcp::ether::hex;

/// Why a schema is refused, is not there, or does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// No schema is known that the key could mean.
    #[error("no schema is known for kind {:#010x} version {}{}", .key.kind_id, .key.major, hash_text(.key))]
    Unknown {
        /// The key.
        key: SchemaKey,
    },
    /// The schema is known under this name with other content.
    #[error("schema {kind:?} version {major}.{minor} has hash {}, and {} was said", hex(.found), hex(.said))]
    HashMismatch {
        /// Its kind.
        kind: String,
        /// Its version.
        major: u16,
        /// Its minor version.
        minor: u16,
        /// What was said.
        said: [u8; 16],
        /// What it has.
        found: [u8; 16],
    },
    /// The ether is of another kind or version than the key.
    #[error("the key names kind {kind_id:#010x} version {major}, the ether is {kind:?} version {version}")]
    KindMismatch {
        /// The key's kind.
        kind_id: u32,
        /// The key's version.
        major: u16,
        /// The ether's kind.
        kind: String,
        /// The ether's version.
        version: u32,
    },
    /// A file cannot be read, or says something that it should not.
    #[error("{}: {why}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A schema is no JSON schema, or has numbers that canonical JSON cannot say.
    #[error("schema {kind:?} version {major}: {why}")]
    Invalid {
        /// Its kind.
        kind: String,
        /// Its version.
        major: u16,
        /// What is wrong.
        why: String,
    },
    /// A payload does not follow its schema.
    #[error("payload of {kind:?} version {version}, at {at:?}: {why}")]
    Violated {
        /// The kind.
        kind: String,
        /// The version.
        version: u32,
        /// Where, as a JSON pointer into the payload.
        at: String,
        /// What is wrong.
        why: String,
    },
}

fn hash_text(key: &SchemaKey) -> String {
    key.hash.map(|hash| format!(" with hash {}", hex(&hash))).unwrap_or_default()
}

impl SchemaError {
    /// What a peer is told.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::KindMismatch { .. } => ErrorCode::ERR_KIND_MISMATCH,
            Self::Violated { .. } => ErrorCode::ERR_MALFORMED,
            _ => ErrorCode::ERR_SCHEMA_UNKNOWN,
        }
    }
}
