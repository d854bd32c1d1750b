//! What can go wrong at a buffer, by operation: each names the buffer, the numbers, and what to do next.

mod advice;
mod metadata;

use std::sync::Arc;

use strait_core::kind::Kind;
use strait_core::name::NameError;
use strait_core::platform::Pid;
use strait_core::zerobuffer::{self as core_zb, Death, Forked};

use self::advice::{End, hint};
pub use self::metadata::MetadataError;
use crate::os::OsError;

type Name = Arc<str>;
type Os = Box<OsError>;

/// Why a reader could not create its buffer. Nothing is left behind.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// The name breaks a rule.
    #[error("buffer name {name:?}: {source}")]
    BadName {
        /// As given.
        name: Name,
        /// Which rule.
        source: NameError,
    },
    /// A capacity that cannot be had.
    #[error("buffer {name:?}: {reason}")]
    BadCapacity {
        /// The buffer.
        name: Name,
        /// The numbers.
        reason: String,
    },
    /// A running reader holds the name.
    #[error("buffer {name:?} already has a reader ({}): stop it or use another name", Pid(*pid).told())]
    ReaderAlreadyConnected {
        /// The buffer.
        name: Name,
        /// Its process; 0 if it cannot be told.
        pid: u64,
    },
    /// A buffer of that name is there, and nothing proves that its reader is gone.
    #[error(
        "buffer {name:?} may be in use (reader's pid {pid}): {reason}; if it is not, remove it, or use another name"
    )]
    Undecided {
        /// The buffer.
        name: Name,
        /// Its reader's process, as it stands in the buffer.
        pid: u64,
        /// What is missing.
        reason: String,
    },
    /// Something else has that name, and is left alone.
    #[error("the name {name:?} is taken by {found}: use another name")]
    NameTaken {
        /// The name.
        name: Name,
        /// What stands there.
        found: Kind,
    },
    /// The system refused.
    #[error("buffer {name:?} cannot be created: {source}{}", hint(source, End::Reader))]
    Os {
        /// The buffer.
        name: Name,
        /// What it said.
        source: Os,
    },
}

/// Why a writer could not connect.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The name breaks a rule.
    #[error("buffer name {name:?}: {source}")]
    BadName {
        /// As given.
        name: Name,
        /// Which rule.
        source: NameError,
    },
    /// No such buffer.
    #[error("buffer {name:?} not found: start its reader first, or wait for it with `wait_for_reader`")]
    BufferNotFound {
        /// The buffer.
        name: Name,
    },
    /// Its reader has not finished creating it, or died doing so.
    #[error(
        "buffer {name:?} is not initialised ({len} bytes so far): its reader is starting, or died while it did"
    )]
    NotReady {
        /// The buffer.
        name: Name,
        /// Bytes of its segment.
        len: usize,
    },
    /// The last writer died in the middle of a frame, and the reader has not cleaned up yet.
    #[error(
        "buffer {name:?}: the last writer {} in the middle of a frame; try again once its reader has received",
        Death(Pid(*pid))
    )]
    Unsettled {
        /// The buffer.
        name: Name,
        /// The dead writer's process, or [`ABORTED`](super::ABORTED).
        pid: u64,
    },
    /// A running writer holds the buffer.
    #[error("buffer {name:?} already has a writer ({}): stop it first", Pid(*pid).told())]
    WriterAlreadyConnected {
        /// The buffer.
        name: Name,
        /// Its process.
        pid: u64,
    },
    /// A leftover of a reader that closed or died.
    #[error("the reader of buffer {name:?} is gone (pid {pid}): start it again, it replaces what is left")]
    ReaderDead {
        /// The buffer.
        name: Name,
        /// Its process; 0 if it closed.
        pid: u64,
    },
    /// Nothing tells whether its reader lives.
    #[error("the reader of buffer {name:?} may be gone (pid {pid}): {reason}")]
    ReaderUnknown {
        /// The buffer.
        name: Name,
        /// Its process, as it stands in the buffer.
        pid: u64,
        /// What is missing.
        reason: String,
    },
    /// Other users may cut its file short while it is in use.
    #[error(
        "buffer {name:?} may be written by other users, its owner or those whom its mode lets in, and one that cuts it \
         short ends this process: let a reader of this user create it with mode 0600, or trust them (`trust_others`)"
    )]
    OthersMayWrite {
        /// The buffer.
        name: Name,
    },
    /// Not a ZeroBuffer v1: wrong size, version, geometry, or positions out of range.
    #[error("{name:?} is not a usable ZeroBuffer v1: {reason}")]
    NotAZeroBuffer {
        /// The buffer.
        name: Name,
        /// The numbers.
        reason: String,
    },
    /// The system refused.
    #[error("buffer {name:?} cannot be opened: {source}{}", hint(source, End::Writer))]
    Os {
        /// The buffer.
        name: Name,
        /// What it said.
        source: Os,
    },
}

/// Why a frame was not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// Larger than the ring will ever hold.
    #[error(
        "buffer {name:?}: frame of {len} bytes exceeds the largest of {max} bytes; the payload capacity must be at least the frame and 16 bytes"
    )]
    FrameTooLarge {
        /// The buffer.
        name: Name,
        /// Bytes given.
        len: u64,
        /// Most bytes in one frame.
        max: u64,
    },
    /// The protocol has no empty frames.
    #[error("buffer {name:?}: a frame needs at least 1 byte")]
    EmptyFrame {
        /// The buffer.
        name: Name,
    },
    /// No room until the time-out, or now.
    #[error(
        "buffer {name:?} is full: the frame needs {needed} bytes, {free} of {capacity} are free; the reader is too slow or stopped"
    )]
    BufferFull {
        /// The buffer.
        name: Name,
        /// Bytes of ring needed, header and wrap included.
        needed: u64,
        /// Bytes free.
        free: u64,
        /// Bytes of the ring.
        capacity: u64,
    },
    /// The reader has closed or died.
    #[error("the reader of buffer {name:?} is gone (pid {pid}): connect again once it is back")]
    ReaderDead {
        /// The buffer.
        name: Name,
        /// Its process.
        pid: u64,
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
    /// Another writer took the buffer over.
    #[error("buffer {name:?} was taken over by another writer (pid {pid})")]
    Replaced {
        /// The buffer.
        name: Name,
        /// Its process.
        pid: u64,
    },
    /// Somebody cut the segment short.
    #[error("buffer {name:?} was truncated to {found} of {needed} bytes: its reader must create it again")]
    Truncated {
        /// The buffer.
        name: Name,
        /// Bytes left.
        found: usize,
        /// Bytes mapped.
        needed: usize,
    },
    /// A word that no correct peer writes.
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
    /// An async call has to wait, and the system has no thread for that.
    #[error("buffer {name:?}: no thread to wait on: {source}")]
    Thread {
        /// The buffer.
        name: Name,
        /// What it said.
        source: std::io::Error,
    },
    /// The system refused.
    #[error("buffer {name:?}: {source}")]
    Os {
        /// The buffer.
        name: Name,
        /// What it said.
        source: Os,
    },
}

/// Why no frame was received.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecvError {
    /// No frame is there now.
    #[error("no frame is there")]
    Empty,
    /// No frame came in time; the writer, if there is one, lives.
    #[error("buffer {name:?}: no frame came in time")]
    Timeout {
        /// The buffer.
        name: Name,
    },
    /// The writer closed and every frame was received.
    #[error("the writer has closed and every frame was received")]
    EndOfStream,
    /// The writer died or gave up: what was received is not all that it meant to send. Every frame it committed was
    /// received.
    #[error("the writer of buffer {name:?} {}; every frame it committed was received", Death(Pid(*pid)))]
    WriterDead {
        /// The buffer.
        name: Name,
        /// Its process, or [`ABORTED`](super::ABORTED) if it [gave up](super::Writer::abort).
        pid: u64,
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
    /// Something removed the buffer from its name, or its semaphores: no writer finds it any more.
    #[error(
        "buffer {name:?} was removed by another program, so no writer finds it any more: create it again"
    )]
    Removed {
        /// The buffer.
        name: Name,
    },
    /// Another reader has taken the name: writers connect to its buffer.
    #[error("buffer {name:?} was replaced by another reader's ({}): stop one of the two", Pid(*pid).told())]
    Replaced {
        /// The buffer.
        name: Name,
        /// Its process; 0 if it cannot be told.
        pid: u64,
    },
    /// Another frame than the next. It is kept: the next call returns it.
    #[error("buffer {name:?}: expected frame {expected}, found {found}; the next receive returns it")]
    SequenceGap {
        /// The buffer.
        name: Name,
        /// The number that was due.
        expected: u64,
        /// The number found.
        found: u64,
    },
    /// The caller's slice is too short; the frame is kept.
    #[error("buffer {name:?}: frame of {len} bytes does not fit the {capacity} bytes given; it is kept")]
    FrameTooLarge {
        /// The buffer.
        name: Name,
        /// Bytes of the frame.
        len: usize,
        /// Bytes given.
        capacity: usize,
    },
    /// Too many frames are held.
    #[error("buffer {name:?}: {limit} frames are held; drop one first")]
    TooManyHeld {
        /// The buffer.
        name: Name,
        /// Most frames held at once.
        limit: usize,
    },
    /// Somebody cut the segment short.
    #[error("buffer {name:?} was truncated to {found} of {needed} bytes: create it again")]
    Truncated {
        /// The buffer.
        name: Name,
        /// Bytes left.
        found: usize,
        /// Bytes mapped.
        needed: usize,
    },
    /// A word or header that no correct peer writes.
    #[error("buffer {name:?} is corrupt: {field} is {found}, limit {limit}; create it again")]
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
    /// An async call has to wait, and the system has no thread for that.
    #[error("buffer {name:?}: no thread to wait on: {source}")]
    Thread {
        /// The buffer.
        name: Name,
        /// What it said.
        source: std::io::Error,
    },
    /// The system refused.
    #[error("buffer {name:?}: {source}")]
    Os {
        /// The buffer.
        name: Name,
        /// What it said.
        source: Os,
    },
}

impl CreateError {
    pub(super) fn new(name: &Name, error: core_zb::CreateError<OsError>) -> Self {
        let name = Arc::clone(name);
        match error {
            core_zb::CreateError::ReaderAlreadyConnected { pid } => {
                Self::ReaderAlreadyConnected { name, pid: pid.0 }
            }
            core_zb::CreateError::Undecided { pid, doubt } => {
                Self::Undecided { name, pid: pid.0, reason: doubt.to_string() }
            }
            core_zb::CreateError::NotOurs { kind } => Self::NameTaken { name, found: kind },
            core_zb::CreateError::System(source) => Self::Os { name, source: Box::new(source) },
            other => Self::BadCapacity { name, reason: other.to_string() },
        }
    }
}

impl ConnectError {
    pub(super) fn new(name: &Name, error: core_zb::AttachError<OsError>) -> Self {
        let name = Arc::clone(name);
        match error {
            core_zb::AttachError::NotFound => Self::BufferNotFound { name },
            core_zb::AttachError::NotReady { len } => Self::NotReady { name, len },
            core_zb::AttachError::Unsettled { pid } => Self::Unsettled { name, pid: pid.0 },
            core_zb::AttachError::WriterAlreadyConnected { pid } => {
                Self::WriterAlreadyConnected { name, pid: pid.0 }
            }
            core_zb::AttachError::ReaderDead { pid } => Self::ReaderDead { name, pid: pid.0 },
            core_zb::AttachError::ReaderUnknown { pid, doubt } => {
                Self::ReaderUnknown { name, pid: pid.0, reason: doubt.to_string() }
            }
            core_zb::AttachError::OthersMayWrite => Self::OthersMayWrite { name },
            core_zb::AttachError::System(source) => Self::Os { name, source: Box::new(source) },
            other => Self::NotAZeroBuffer { name, reason: other.to_string() },
        }
    }
}

impl SendError {
    pub(super) fn new(name: &Name, error: core_zb::WriteError<OsError>) -> Self {
        let name = Arc::clone(name);
        match error {
            core_zb::WriteError::TooLarge { len, max } => Self::FrameTooLarge { name, len, max },
            core_zb::WriteError::Empty => Self::EmptyFrame { name },
            core_zb::WriteError::Full { needed, free, capacity } => {
                Self::BufferFull { name, needed, free, capacity }
            }
            core_zb::WriteError::ReaderDead { pid } => Self::ReaderDead { name, pid: pid.0 },
            core_zb::WriteError::Forked(source) => Self::Forked { name, source },
            core_zb::WriteError::Replaced { pid } => Self::Replaced { name, pid: pid.0 },
            core_zb::WriteError::Truncated { found, needed } => Self::Truncated { name, found, needed },
            core_zb::WriteError::Corrupt(core_zb::Corrupt { field, found, limit }) => {
                Self::Corrupt { name, field, found, limit }
            }
            core_zb::WriteError::System(source) => Self::Os { name, source: Box::new(source) },
        }
    }
}

impl RecvError {
    pub(super) fn new(name: &Name, error: core_zb::ReadError<OsError>) -> Self {
        let name = Arc::clone(name);
        match error {
            core_zb::ReadError::Empty => Self::Empty,
            core_zb::ReadError::Timeout => Self::Timeout { name },
            core_zb::ReadError::EndOfStream => Self::EndOfStream,
            core_zb::ReadError::WriterDead { pid } => Self::WriterDead { name, pid: pid.0 },
            core_zb::ReadError::Forked(source) => Self::Forked { name, source },
            core_zb::ReadError::Removed => Self::Removed { name },
            core_zb::ReadError::Replaced { pid } => Self::Replaced { name, pid: pid.0 },
            core_zb::ReadError::SequenceGap { expected, found } => {
                Self::SequenceGap { name, expected, found }
            }
            core_zb::ReadError::TooManyHeld { limit } => Self::TooManyHeld { name, limit },
            core_zb::ReadError::Truncated { found, needed } => Self::Truncated { name, found, needed },
            core_zb::ReadError::Corrupt(core_zb::Corrupt { field, found, limit }) => {
                Self::Corrupt { name, field, found, limit }
            }
            core_zb::ReadError::System(source) => Self::Os { name, source: Box::new(source) },
        }
    }
}
