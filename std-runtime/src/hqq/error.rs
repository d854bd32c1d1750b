//! Why a link was not opened, with its name and what to do.

use std::sync::Arc;

use strait_core::hqq as core_hqq;
use strait_core::hqq::{AttachError, GeometryError, Side, Standing};
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
    /// A link of that name is there, and stays.
    #[error("link {name:?} exists: {standing}; {}", advice(standing))]
    AlreadyExists {
        /// The link.
        name: Arc<str>,
        /// Who uses it.
        standing: Standing,
    },
    /// The name belongs to something else, which stays as it is.
    #[error("{name:?} is no link, and stays: {source}; use another name")]
    NotALink {
        /// The name.
        name: Arc<str>,
        /// What makes it none.
        source: AttachError,
    },
    /// A link is there, and stays, that is not as the one that was to be opened or made.
    #[error("link {name:?}: {source}; {standing}; {}", advice(standing))]
    Differs {
        /// The link.
        name: Arc<str>,
        /// What differs.
        source: AttachError,
        /// Who uses it.
        standing: Standing,
    },
    /// What is there is not the link that was asked for.
    #[error("link {name:?}: {source}")]
    Attach {
        /// The link.
        name: Arc<str>,
        /// What differs.
        source: AttachError,
    },
    /// Other users may cut the link's file short while it is in use.
    #[error(
        "link {name:?} may be written by other users, its owner or those whom its mode lets in, and one that cuts it \
         short ends this process: make it as this user, with mode 0600, or trust them (`trust_others`)"
    )]
    OthersMayWrite {
        /// The link.
        name: Arc<str>,
    },
    /// As many handles as there is room for, over all processes.
    #[error("link {name:?} has {limit} handles already, as many as there is room for: drop some")]
    TooManyHandles {
        /// The link.
        name: Arc<str>,
        /// The limit.
        limit: usize,
    },
    /// Not everybody of a side has ended.
    #[error(
        "link {name:?}: running processes have {handles} handles as {side}, or may have: nothing that they hold is \
         taken from them"
    )]
    SideInUse {
        /// The link.
        name: Arc<str>,
        /// The side.
        side: Side,
        /// Their handles.
        handles: usize,
    },
    /// The handle is a copy that a forked child has.
    #[error("link {name:?} was opened by process {owner}, which forked this one: open it anew")]
    Forked {
        /// The link.
        name: Arc<str>,
        /// The process that opened it.
        owner: u64,
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

/// What to do about a link that is in the way.
fn advice(standing: &Standing) -> &'static str {
    match standing {
        Standing::Live { .. } => "open it as it is, or use another name",
        _ => "open it as it is, use another name, or remove it if nobody needs it (strait link rm)",
    }
}

impl OpenError {
    pub(super) fn new(name: &Arc<str>, error: core_hqq::OpenError<OsError>) -> Self {
        let name = Arc::clone(name);
        match error {
            core_hqq::OpenError::Geometry(source) => Self::Geometry { name, source },
            core_hqq::OpenError::NotFound => Self::NotFound { name },
            core_hqq::OpenError::AlreadyExists { standing } => Self::AlreadyExists { name, standing },
            core_hqq::OpenError::SideInUse { side, handles } => Self::SideInUse { name, side, handles },
            core_hqq::OpenError::Forked { owner } => Self::Forked { name, owner: owner.0 },
            core_hqq::OpenError::NotALink(source) => Self::NotALink { name, source },
            core_hqq::OpenError::Differs { error: source, standing } => {
                Self::Differs { name, source, standing }
            }
            core_hqq::OpenError::Attach(source) => Self::Attach { name, source },
            core_hqq::OpenError::OthersMayWrite => Self::OthersMayWrite { name },
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
