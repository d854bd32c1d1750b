//! Why a link was not opened, with its name and what to do.

use std::sync::Arc;

use strait_core::hqq as core_hqq;
use strait_core::hqq::{AttachError, GeometryError};
use strait_core::name::NameError;

use crate::os::OsError;

/// Why a link was not made or opened. Nothing is left behind.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The name breaks a rule.
    #[error("link name {name:?}: {source}")]
    BadName {
        /// As given.
        name: Arc<str>,
        /// Which rule.
        source: NameError,
    },
    /// Numbers that cannot be a link's.
    #[error("link {name:?}: {source}")]
    Geometry {
        /// The link.
        name: Arc<str>,
        /// Which number.
        source: GeometryError,
    },
    /// No link of that name.
    #[error("link {name:?} not found: create it first, or use `open_or_create`")]
    NotFound {
        /// The link.
        name: Arc<str>,
    },
    /// The name is taken.
    #[error("link {name:?} exists and is in use, or may be: open it, or use another name")]
    AlreadyExists {
        /// The link.
        name: Arc<str>,
    },
    /// What is there is not the link that was asked for.
    #[error("link {name:?}: {source}")]
    Attach {
        /// The link.
        name: Arc<str>,
        /// What differs.
        source: AttachError,
    },
    /// As many handles as there is room for, over all processes.
    #[error("link {name:?} has {limit} handles already, as many as there is room for: drop some")]
    TooManyHandles {
        /// The link.
        name: Arc<str>,
        /// The limit.
        limit: usize,
    },
    /// A process that is stopped, or cannot be seen from here, holds the lock by which processes join.
    #[error("link {name:?}: another process has held its lock for a second: continue or end that process")]
    Busy {
        /// The link.
        name: Arc<str>,
    },
    /// The system refused.
    #[error("link {name:?} cannot be opened: {source}")]
    Os {
        /// The link.
        name: Arc<str>,
        /// What it said.
        source: Box<OsError>,
    },
}

impl OpenError {
    pub(super) fn new(name: &Arc<str>, error: core_hqq::OpenError<OsError>) -> Self {
        let name = Arc::clone(name);
        match error {
            core_hqq::OpenError::Geometry(source) => Self::Geometry { name, source },
            core_hqq::OpenError::NotFound => Self::NotFound { name },
            core_hqq::OpenError::AlreadyExists => Self::AlreadyExists { name },
            core_hqq::OpenError::Attach(source) => Self::Attach { name, source },
            core_hqq::OpenError::TooManyHandles { limit } => Self::TooManyHandles { name, limit },
            core_hqq::OpenError::Os(source) => Self::Os { name, source: Box::new(source) },
            // `Busy`, and what a later version of core may add.
            _ => Self::Busy { name },
        }
    }
}

/// A datagram was addressed to somebody that this link does not lead to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("link leads to {ours}, not to {given}")]
pub struct AddressError {
    /// The other end of the link.
    pub ours: super::Address,
    /// The address given.
    pub given: super::Address,
}
