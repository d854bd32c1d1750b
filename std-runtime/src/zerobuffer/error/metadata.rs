//! What can go wrong with a buffer's metadata.

use std::sync::Arc;

use strait_core::zerobuffer::{self as core_zb, Forked};

use super::Name;

/// Why metadata were not written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// Metadata are written once per buffer, whoever writes.
    #[error("buffer {name:?} already has {len} bytes of metadata, which are written once")]
    AlreadyWritten {
        /// The buffer.
        name: Name,
        /// Bytes there.
        len: u64,
    },
    /// More than the block holds.
    #[error(
        "buffer {name:?}: metadata of {len} bytes exceed the {max} that fit; the reader sets the capacity"
    )]
    TooLarge {
        /// The buffer.
        name: Name,
        /// Bytes given.
        len: u64,
        /// Most bytes.
        max: u64,
    },
    /// This end belongs to the process that made it.
    #[error(
        "buffer {name:?}: {source}; a child makes ends of its own, and a daemon makes them after its last fork"
    )]
    Forked {
        /// The buffer.
        name: Name,
        /// Which processes.
        source: Forked,
    },
    /// Nothing to write.
    #[error("buffer {name:?}: metadata need at least 1 byte; leave them out instead")]
    Empty {
        /// The buffer.
        name: Name,
    },
    /// Somebody cut the segment short.
    #[error("buffer {name:?} was truncated to {found} of {needed} bytes")]
    Truncated {
        /// The buffer.
        name: Name,
        /// Bytes left.
        found: usize,
        /// Bytes mapped.
        needed: usize,
    },
    /// A length that the block cannot hold.
    #[error("buffer {name:?} is corrupt: {field} is {found}, limit {limit}")]
    Corrupt {
        /// The buffer.
        name: Name,
        /// The word's name in the protocol.
        field: &'static str,
        /// What stands there.
        found: u64,
        /// What it may be at most, or must be.
        limit: u64,
    },
}

impl MetadataError {
    pub(in crate::zerobuffer) fn new(name: &Name, error: &core_zb::MetadataError) -> Self {
        let name = Arc::clone(name);
        match *error {
            core_zb::MetadataError::AlreadyWritten { len } => Self::AlreadyWritten { name, len },
            core_zb::MetadataError::TooLarge { len, max } => Self::TooLarge { name, len, max },
            core_zb::MetadataError::Forked(source) => Self::Forked { name, source },
            core_zb::MetadataError::Empty => Self::Empty { name },
            core_zb::MetadataError::Truncated { found, needed } => Self::Truncated { name, found, needed },
            core_zb::MetadataError::Corrupt(core_zb::Corrupt { field, found, limit }) => {
                Self::Corrupt { name, field, found, limit }
            }
        }
    }
}
