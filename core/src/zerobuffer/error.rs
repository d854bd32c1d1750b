//! What can go wrong at a ZeroBuffer endpoint, by operation, each with its numbers.
//!
//! `E` is the platform's error. Names are added one level up, where there is an allocator.

use core::fmt;

use super::layout::{ABORTED, MAX_BLOCK};
use super::verdict::Doubt;
use crate::kind::Kind;
pub use crate::maker::Forked;
use crate::platform::Pid;

/// What became of a writer that did not close, by what stands in `writer_pid`: "died (pid 7)" or "gave up".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Death(pub Pid);

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == ABORTED { f.write_str("gave up") } else { write!(f, "died (pid {})", self.0) }
    }
}

/// A word or header in shared memory that no correct peer writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {found}, limit {limit}")]
pub struct Corrupt {
    /// The word's name in the protocol.
    pub field: &'static str,
    /// What stands there.
    pub found: u64,
    /// What it may be at most, or must be.
    pub limit: u64,
}

/// Why a reader could not create its buffer. Nothing is left behind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateError<E> {
    /// A ring that cannot hold a header and one byte.
    #[error("payload capacity of {capacity} bytes is too small: a frame needs 16 bytes and its data")]
    PayloadTooSmall {
        /// Bytes asked for.
        capacity: u64,
    },
    /// Beyond 1 TiB or this machine's address space.
    #[error(
        "metadata capacity of {metadata_capacity} and payload capacity of {payload_capacity} bytes exceed the limit of {MAX_BLOCK} bytes each and {} together",
        isize::MAX
    )]
    TooLarge {
        /// Bytes asked for.
        metadata_capacity: u64,
        /// Bytes asked for.
        payload_capacity: u64,
    },
    /// A running reader holds the name: by a lock, or by process id where no lock is there.
    #[error("another reader is connected ({})", pid.told())]
    ReaderAlreadyConnected {
        /// Its process, 0 if only its lock is seen.
        pid: Pid,
    },
    /// What stands there may be in use: nothing proves that it is a leftover.
    #[error("a buffer is there ({}), and {doubt}", pid.told())]
    Undecided {
        /// Its reader's process, as it stands in the segment.
        pid: Pid,
        /// What is missing.
        doubt: Doubt,
    },
    /// What stands there is no ZeroBuffer v1, and somebody else's.
    #[error("something else has that name: {kind}")]
    NotOurs {
        /// What it seems to be.
        kind: Kind,
    },
    /// The system refused.
    #[error(transparent)]
    System(E),
}

/// Why a writer could not connect, or a buffer not be inspected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttachError<E> {
    /// No such buffer: its reader creates it.
    #[error("no such buffer")]
    NotFound,
    /// The reader has not finished creating it.
    #[error("buffer of {len} bytes is not initialised")]
    NotReady {
        /// Bytes of the segment so far.
        len: usize,
    },
    /// Shorter than its control block.
    #[error("segment of {len} bytes is shorter than the 128-byte OIEB")]
    TooShort {
        /// Bytes of the segment.
        len: usize,
    },
    /// The first word is not 128.
    #[error("oieb_size is {found}, must be 128: not a ZeroBuffer, or another version of it")]
    WrongOiebSize {
        /// The word found.
        found: u32,
    },
    /// Another major version.
    #[error("protocol version is {major}.{minor}.{patch}, this is 1.0.0")]
    WrongVersion {
        /// Found.
        major: u8,
        /// Found.
        minor: u8,
        /// Found.
        patch: u8,
    },
    /// Block sizes that are not multiples of 64 or do not fit the segment.
    #[error(
        "metadata of {metadata_size} and payload of {payload_size} bytes do not fit a segment of {segment_len} bytes in blocks of 64"
    )]
    BadGeometry {
        /// Found, bytes.
        metadata_size: u64,
        /// Found, bytes.
        payload_size: u64,
        /// Bytes of the segment.
        segment_len: usize,
    },
    /// A position or counter outside its range.
    #[error("corrupt buffer: {0}")]
    Corrupt(Corrupt),
    /// A running writer holds the buffer.
    #[error("another writer is connected (pid {pid})")]
    WriterAlreadyConnected {
        /// Its process.
        pid: Pid,
    },
    /// The last writer died within a commit, and the reader has not yet looked: try again soon.
    #[error("the last writer {} in the middle of a frame; the reader cleans up when it next receives", Death(*pid))]
    Unsettled {
        /// The dead writer's process, or [`ABORTED`].
        pid: Pid,
    },
    /// Other users may cut the segment short while it is in use.
    #[error("other users may write the segment, and one that cuts it short ends this process")]
    OthersMayWrite,
    /// The reader has closed or died: the buffer is a leftover.
    #[error("the reader is gone (pid {pid})")]
    ReaderDead {
        /// Its process, 0 if it closed.
        pid: Pid,
    },
    /// Nothing tells whether the reader lives.
    #[error("the reader may be gone (pid {pid}): {doubt}")]
    ReaderUnknown {
        /// Its process, as it stands in the segment.
        pid: Pid,
        /// What is missing.
        doubt: Doubt,
    },
    /// The system refused.
    #[error(transparent)]
    System(E),
}

/// Why a frame could not be reserved or committed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError<E> {
    /// Larger than the ring will ever hold.
    #[error("frame of {len} bytes exceeds the largest of {max} bytes")]
    TooLarge {
        /// Data bytes asked for.
        len: u64,
        /// Most data bytes in one frame: the payload capacity less 16.
        max: u64,
    },
    /// Frames without data are not part of the protocol.
    #[error("frame of 0 bytes: the protocol has no empty frames")]
    Empty,
    /// No room until the deadline, or now.
    #[error("ring is full: {needed} bytes needed, {free} of {capacity} free")]
    Full {
        /// Bytes of ring the frame needs, with header and wrap.
        needed: u64,
        /// Bytes free.
        free: u64,
        /// Bytes of the ring.
        capacity: u64,
    },
    /// The reader has closed or died; nothing written from now on would be read.
    #[error("the reader is gone (pid {pid})")]
    ReaderDead {
        /// Its process.
        pid: Pid,
    },
    /// The end is another process's.
    #[error(transparent)]
    Forked(#[from] Forked),
    /// Another writer has taken the buffer.
    #[error("another writer has taken the buffer (pid {pid})")]
    Replaced {
        /// Its process.
        pid: Pid,
    },
    /// The segment was cut short.
    #[error("segment was truncated to {found} of {needed} bytes")]
    Truncated {
        /// Bytes left.
        found: usize,
        /// Bytes mapped.
        needed: usize,
    },
    /// A word that no correct peer writes.
    #[error("corrupt buffer: {0}")]
    Corrupt(Corrupt),
    /// The system refused.
    #[error(transparent)]
    System(E),
}

/// Why there is no frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError<E> {
    /// Nothing there now.
    #[error("no frame is there")]
    Empty,
    /// Nothing came until the deadline, and the writer, if any, is alive.
    #[error("no frame came in time")]
    Timeout,
    /// The writer closed and every frame was read.
    #[error("the writer has closed and every frame was read")]
    EndOfStream,
    /// The writer died, or gave up, and every frame it committed was read.
    #[error("the writer {}; every frame it committed was read", Death(*pid))]
    WriterDead {
        /// Its process, or [`ABORTED`] if it gave up.
        pid: Pid,
    },
    /// The buffer has lost its name: something removed it, or a part of it, and no writer can find it any more. Every frame
    /// that was there was read.
    #[error("the buffer was removed by another program")]
    Removed,
    /// Another buffer stands under its name, and writers connect to that. Every frame that was there was read.
    #[error("another reader has taken the name ({})", pid.told())]
    Replaced {
        /// Its process.
        pid: Pid,
    },
    /// A frame with another number than the next. The frame is kept: the next read returns it.
    #[error("sequence gap: expected frame {expected}, found {found}")]
    SequenceGap {
        /// The number that was due.
        expected: u64,
        /// The number found.
        found: u64,
    },
    /// The end is another process's.
    #[error(transparent)]
    Forked(#[from] Forked),
    /// More frames are held than can be kept track of.
    #[error("{limit} frames are held: release one first")]
    TooManyHeld {
        /// Most frames held at once.
        limit: usize,
    },
    /// The segment was cut short.
    #[error("segment was truncated to {found} of {needed} bytes")]
    Truncated {
        /// Bytes left.
        found: usize,
        /// Bytes mapped.
        needed: usize,
    },
    /// A word or header that no correct peer writes.
    #[error("corrupt buffer: {0}")]
    Corrupt(Corrupt),
    /// The system refused.
    #[error(transparent)]
    System(E),
}

/// What a half of the ring finds wrong beside having no room or no frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RingError<E> {
    /// A word or header that no correct end writes: something else writes into the memory.
    #[error("corrupt ring: {0}")]
    Corrupt(Corrupt),
    /// The signal failed.
    #[error(transparent)]
    System(E),
}

/// Why memory could not become a ring inside one program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// No room for the control words and the smallest ring.
    #[error("segment of {len} bytes is too small: a ring needs {min}")]
    TooSmall {
        /// Bytes of the segment.
        len: usize,
        /// Fewest bytes that do.
        min: usize,
    },
    /// Its lock is taken: another ring stands in it, or it cannot be written.
    #[error("the segment's lock is taken: another ring stands in it, or it cannot be written")]
    Locked,
    /// A control word is not zero: another ring stood in it, or it was never cleared.
    #[error("the segment is not blank: {0}")]
    NotBlank(Corrupt),
}

/// Why there is no room for a frame of a ring inside one program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReserveError {
    /// Larger than the ring will ever hold.
    #[error("frame of {len} bytes exceeds the largest of {max} bytes")]
    TooLarge {
        /// Data bytes asked for.
        len: u64,
        /// Most data bytes in one frame: the ring less 16.
        max: u64,
    },
    /// Frames without data are not part of the protocol.
    #[error("frame of 0 bytes: the protocol has no empty frames")]
    Empty,
    /// No room now.
    #[error("ring is full: {needed} bytes needed, {free} of {capacity} free")]
    Full {
        /// Bytes of ring the frame needs, with header and wrap.
        needed: u64,
        /// Bytes free.
        free: u64,
        /// Bytes of the ring.
        capacity: u64,
    },
    /// A word that no correct end writes: something else writes into the memory.
    #[error("corrupt ring: {0}")]
    Corrupt(Corrupt),
}

/// Why a frame was not sent through a ring inside one program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError<E> {
    /// There is no room: now, or until the deadline.
    #[error(transparent)]
    NoRoom(ReserveError),
    /// The ring or the signal failed.
    #[error(transparent)]
    Ring(RingError<E>),
}

impl<E> From<ReserveError> for SendError<E> {
    fn from(error: ReserveError) -> Self {
        Self::NoRoom(error)
    }
}

impl<E> From<RingError<E>> for SendError<E> {
    fn from(error: RingError<E>) -> Self {
        Self::Ring(error)
    }
}

impl<E> From<RingError<E>> for WriteError<E> {
    fn from(error: RingError<E>) -> Self {
        match error {
            RingError::Corrupt(corrupt) => Self::Corrupt(corrupt),
            RingError::System(error) => Self::System(error),
        }
    }
}

impl<E> From<RingError<E>> for ReadError<E> {
    fn from(error: RingError<E>) -> Self {
        match error {
            RingError::Corrupt(corrupt) => Self::Corrupt(corrupt),
            RingError::System(error) => Self::System(error),
        }
    }
}

/// Why metadata could not be written or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// Metadata is write-once, also for a later writer.
    #[error("metadata was already written ({len} bytes)")]
    AlreadyWritten {
        /// Bytes there, without the prefix.
        len: u64,
    },
    /// Does not fit the block.
    #[error("metadata of {len} bytes exceeds the block's {max} bytes")]
    TooLarge {
        /// Bytes given.
        len: u64,
        /// Most bytes that fit: the block less 8.
        max: u64,
    },
    /// The end is another process's.
    #[error(transparent)]
    Forked(#[from] Forked),
    /// Empty metadata says nothing, and existing readers fail on it.
    #[error("metadata of 0 bytes: leave it out instead")]
    Empty,
    /// The segment was cut short.
    #[error("segment was truncated to {found} of {needed} bytes")]
    Truncated {
        /// Bytes left.
        found: usize,
        /// Bytes mapped.
        needed: usize,
    },
    /// A length that the block cannot hold.
    #[error("corrupt buffer: {0}")]
    Corrupt(Corrupt),
}
