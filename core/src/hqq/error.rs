//! Why a link could not be opened, and why a slot was not taken, sent or received.

use super::layout::{GeometryError, Side};
use super::numbers::{ErrorCode, OpCode};
use super::regions::AttachError;
use super::standing::Standing;
use crate::mpmc::Corrupt;
use crate::platform::Pid;

/// Why a link was not opened. `E` is the platform's error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError<E: core::error::Error + 'static> {
    /// Numbers that cannot be a link's.
    #[error(transparent)]
    Geometry(#[from] GeometryError),
    /// No segment of that name.
    #[error("no link of that name")]
    NotFound,
    /// A link of that name is there, and stays.
    #[error("a link of that name exists: {standing}")]
    AlreadyExists {
        /// Who uses it.
        standing: Standing,
    },
    /// Something else has the name. It stays as it is.
    #[error("the name belongs to something that is no link: {0}")]
    NotALink(AttachError),
    /// Another link than the one that was to be opened or made is there, and stays.
    #[error("{error}; {standing}")]
    Differs {
        /// What differs.
        error: AttachError,
        /// Who uses it.
        standing: Standing,
    },
    /// The segment is not the link that was asked for.
    #[error(transparent)]
    Attach(#[from] AttachError),
    /// Other users may cut the segment short while it is in use.
    #[error("other users may write the segment, and one that cuts it short ends this process")]
    OthersMayWrite,
    /// A side that has as many handles as there is room for.
    #[error("link has {limit} handles already, as many as there is room for")]
    TooManyHandles {
        /// The limit, over all processes.
        limit: usize,
    },
    /// Not everybody of a side has ended.
    #[error(
        "running processes have {handles} handles as {side}, or may have: nothing that they hold is taken from them"
    )]
    SideInUse {
        /// The side.
        side: Side,
        /// Their handles.
        handles: usize,
    },
    /// The handle is a copy that a forked child has.
    #[error("the handle belongs to process {owner}, which forked this one: open the link anew")]
    Forked {
        /// The process that opened it.
        owner: Pid,
    },
    /// Somebody has held the lock of the membership for too long: a stopped process, perhaps.
    #[error(
        "another process has held the link's lock for a second: it is stopped, or cannot be seen from here"
    )]
    Busy,
    /// The system failed.
    #[error(transparent)]
    Os(E),
}

/// Why no slot was reserved, or nothing sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// No slot is free now.
    #[error("no slot is free")]
    Full,
    /// No slot became free in time.
    #[error("no slot became free in time")]
    Timeout,
    /// More bytes than a slot has.
    #[error("{len} bytes exceed the {slot_len} bytes of a slot")]
    TooLong {
        /// Bytes given.
        len: usize,
        /// Bytes of a slot.
        slot_len: usize,
    },
    /// No bytes: an empty slot has no meaning in the protocol.
    #[error("an empty message cannot be sent: the protocol has none")]
    Empty,
    /// A word of the ring that no correct participant leaves so.
    #[error(transparent)]
    Corrupt(Corrupt),
    /// The segment was cut short.
    #[error("segment has {backed} bytes left of {len}: it was truncated")]
    Truncated {
        /// Bytes it has.
        backed: usize,
        /// Bytes it had.
        len: usize,
    },
    /// The handle is a copy that a forked child has: the link, and what is in its hands, are the parent's.
    #[error("the handle belongs to process {owner}, which forked this one: open the link anew")]
    Forked {
        /// The process that opened it.
        owner: Pid,
    },
    /// There is no room for another handle.
    #[error("link has {limit} handles already, as many as there is room for")]
    TooManyHandles {
        /// The limit, over all processes.
        limit: usize,
    },
    /// An async call has to wait, and the system has no thread for that.
    #[error("no thread to wait on: the system's error is {code}")]
    Wait {
        /// The system's number; 0 if it gave none.
        code: i32,
    },
}

/// Why nothing was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecvError {
    /// Nothing is there now.
    #[error("nothing is there")]
    Empty,
    /// Nothing came in time.
    #[error("nothing came in time")]
    Timeout,
    /// The packet names a buffer that is not its slot's. Its slot was released.
    #[error("packet in slot {slot} names buffer {buffer}; a slot has its own buffer")]
    WrongBuffer {
        /// The slot's index.
        slot: u64,
        /// What the packet says.
        buffer: u64,
    },
    /// The packet's length is 0 or more than a slot has. Its slot was released.
    #[error("packet says {len} bytes; a slot has 1 to {slot_len}")]
    InvalidLen {
        /// What the packet says, bytes.
        len: u64,
        /// Bytes of a slot.
        slot_len: u64,
    },
    /// A packet that a standard link has no use for. Its slot was released.
    #[error("packet has opcode {opcode}, which means nothing on a standard link")]
    UnexpectedOp {
        /// The opcode.
        opcode: OpCode,
    },
    /// The other end met an error.
    #[error("the other end reports {code}, context {context}")]
    Peer {
        /// What it is about: a connection, or the number of a copy.
        context: u64,
        /// What it says.
        code: ErrorCode,
    },
    /// A word of the ring that no correct participant leaves so.
    #[error(transparent)]
    Corrupt(Corrupt),
    /// The segment was cut short.
    #[error("segment has {backed} bytes left of {len}: it was truncated")]
    Truncated {
        /// Bytes it has.
        backed: usize,
        /// Bytes it had.
        len: usize,
    },
    /// The handle is a copy that a forked child has: the link, and what is in its hands, are the parent's.
    #[error("the handle belongs to process {owner}, which forked this one: open the link anew")]
    Forked {
        /// The process that opened it.
        owner: Pid,
    },
    /// There is no room for another handle.
    #[error("link has {limit} handles already, as many as there is room for")]
    TooManyHandles {
        /// The limit, over all processes.
        limit: usize,
    },
    /// An async call has to wait, and the system has no thread for that.
    #[error("no thread to wait on: the system's error is {code}")]
    Wait {
        /// The system's number; 0 if it gave none.
        code: i32,
    },
}

/// Which side a caller wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Primary if nobody living is, secondary otherwise.
    #[default]
    Auto,
    /// The side that sends through ring 0; several processes may share it.
    Primary,
    /// The side that sends through ring 1; several processes may share it.
    Secondary,
}

impl From<Side> for Role {
    fn from(side: Side) -> Self {
        match side {
            Side::Primary => Self::Primary,
            Side::Secondary => Self::Secondary,
        }
    }
}
