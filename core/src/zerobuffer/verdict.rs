//! Whether a buffer is in use: one judgement, for looking, removing, creating and connecting.
//!
//! # Evidence
//!
//! 1. Locks on what both sides can see. A Strait reader holds that of `sem-r-NAME` and a Strait writer that of the segment,
//!    for as long as they live, whatever namespaces they are in; the kernel takes them back, also at `execve`.
//! 2. The identity in the [ends](super::ends) of the segment, in our own realm: it tells a process that has ended from a
//!    child that has inherited its lock.
//! 3. The lock of the name, which readers of all implementations hold, but whose folder may be another one here.
//! 4. A bare process number. It means something in its own namespace only, and says nothing alone.
//!
//! Where these leave a doubt, the system may vouch that nobody at all has the segment open. Where nothing decides, the buffer
//! is left alone. No clock is asked.

use core::fmt;

use super::ends::Ends;
use super::error::CreateError;
use super::layout::Oieb;
use super::peer::Peer;
use super::writer::SPACE_FREE;
use crate::kind::Kind;
use crate::name::Name;
use crate::platform::{Fate, LockState, Others, Pid, Platform, Segment, Watch as _};
use crate::shm::view;
use crate::sync::Ordering;

/// What is known of a buffer's reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It lives.
    Live {
        /// Its process, as it stands in the segment.
        pid: Pid,
        /// How that is known.
        sign: Sign,
    },
    /// It has closed or died: the buffer is a leftover. Proved, not guessed.
    Dead {
        /// Its process; 0 if it closed.
        pid: Pid,
        /// The proof.
        proof: Proof,
    },
    /// Nothing here tells: leave it alone.
    Unknown {
        /// Its process, as it stands in the segment.
        pid: Pid,
        /// What is missing.
        doubt: Doubt,
    },
    /// It is no ZeroBuffer v1.
    NotOurs(Kind),
}

/// How a reader is known to live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// Somebody holds the lock of `sem-r-NAME`.
    SignalLock,
    /// Somebody holds the lock of the name.
    NameLock,
    /// A process of its number runs, and nothing says that it is another.
    Runs,
}

/// Why a reader is known to be gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// It has taken its number out of the buffer.
    Closed,
    /// It is Strait, and nobody holds its lock.
    Unlocked,
    /// Its process has ended, whoever holds its locks.
    Gone,
    /// The lock of the name was left, and no process of its number runs.
    NameLockLeft,
    /// Nobody has the segment open.
    Abandoned,
}

/// Why nothing is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// No lock is to be seen, and no process of that number.
    NotSeen,
    /// The lock of the name was left, and a process of that number runs.
    NumberInUse,
    /// It is not whole, and somebody has it open.
    Unfinished,
}

/// The two locks of a reader, as they were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Locks {
    /// That of the name.
    pub name: LockState,
    /// That of `sem-r-NAME`.
    pub signal: LockState,
}

impl Locks {
    /// As they are now.
    pub fn probe<P: Platform>(platform: &P, name: &Name) -> Self {
        Self { name: platform.probe_lock(name), signal: platform.probe_signal(&name.prefixed(SPACE_FREE)) }
    }
}

impl Verdict {
    /// Judges what stands under `name`, by a handle of the caller's own. A read-only one will do.
    pub fn of<P: Platform>(platform: &P, name: &Name, segment: &P::Segment) -> Self {
        Self::by(platform, segment, Locks::probe(platform, name))
    }

    /// [`of`](Self::of) for a caller that knows the locks: one it holds itself is as it found it.
    pub fn by<P: Platform>(platform: &P, segment: &P::Segment, locks: Locks) -> Self {
        let geometry = match Kind::of(segment) {
            Kind::ZeroBuffer(geometry) => geometry,
            kind @ (Kind::Blank { .. } | Kind::Misfit { .. }) => return unfinished(kind, segment, locks),
            kind => return Self::NotOurs(kind),
        };
        // Relaxed: only says who is there.
        let pid = view::<Oieb, _>(segment, 0).map_or(0, |oieb| oieb.reader_pid.load(Ordering::Relaxed));
        let pid = Pid(pid);
        if let Some(ends) = Ends::open(segment.clone(), geometry) {
            // A record that is not whole says nothing.
            let fate = ends.reader().map_or(Fate::Unknown, |reader| platform.fate(reader));
            return of_strait(pid, fate, segment, locks);
        }
        of_another(platform, pid, segment, locks)
    }

    /// Why a name is not taken from what stands there; `None` if that is dead.
    pub const fn refusal<E>(self) -> Option<CreateError<E>> {
        match self {
            Self::Live { pid, .. } => Some(CreateError::ReaderAlreadyConnected { pid }),
            Self::Unknown { pid, doubt } => Some(CreateError::Undecided { pid, doubt }),
            Self::NotOurs(kind) => Some(CreateError::NotOurs { kind }),
            Self::Dead { .. } => None,
        }
    }

    /// Why the reader is known to be gone.
    pub const fn proof(self) -> Option<Proof> {
        match self {
            Self::Dead { proof, .. } => Some(proof),
            _ => None,
        }
    }

    /// The process that the buffer names; 0 if it is none of ours, or closed.
    pub const fn pid(self) -> Pid {
        match self {
            Self::Live { pid, .. } | Self::Dead { pid, .. } | Self::Unknown { pid, .. } => pid,
            Self::NotOurs(_) => Pid(0),
        }
    }
}

/// Whether the writer that a buffer names lives; `false` also if there is none.
pub fn writer_lives<P: Platform>(platform: &P, segment: &P::Segment) -> bool {
    let Kind::ZeroBuffer(geometry) = Kind::of(segment) else { return false };
    // Relaxed: only says who is there.
    let pid = Pid(view::<Oieb, _>(segment, 0).map_or(0, |oieb| oieb.writer_pid.load(Ordering::Relaxed)));
    let ends = Ends::open(segment.clone(), geometry);
    let record = ends.as_ref().and_then(Ends::writer).filter(|record| record.pid == pid);
    let writer = Peer::new(platform, pid, record.is_some(), record);
    let writer = writer.without_lock(ends.is_some_and(|ends| ends.is_writer_bare()));
    let locked = || segment.is_locked();
    pid.0 != 0 && writer.lives(locked, locked)
}

fn of_strait<S: Segment>(pid: Pid, fate: Fate, segment: &S, locks: Locks) -> Verdict {
    let dead = |proof| Verdict::Dead { pid, proof };
    let live = |sign| Verdict::Live { pid, sign };
    match (locks.signal, fate) {
        (LockState::Held, Fate::Gone) => dead(Proof::Gone),
        (LockState::Held, _) => live(Sign::SignalLock),
        _ if pid.0 == 0 => dead(Proof::Closed),
        (LockState::Free, _) => dead(Proof::Unlocked),
        (LockState::Absent, Fate::Gone) => dead(Proof::Gone),
        (LockState::Absent, Fate::Runs) => live(Sign::Runs),
        (LockState::Absent, Fate::Unknown) if locks.name == LockState::Held => live(Sign::NameLock),
        (LockState::Absent, Fate::Unknown) => abandoned_or(pid, segment, Doubt::NotSeen),
    }
}

/// Of a reader of another implementation, which holds the lock of its name and nothing else.
fn of_another<P: Platform>(platform: &P, pid: Pid, segment: &P::Segment, locks: Locks) -> Verdict {
    let live = |sign| Verdict::Live { pid, sign };
    match locks {
        Locks { signal: LockState::Held, .. } => return live(Sign::SignalLock),
        Locks { name: LockState::Held, .. } => return live(Sign::NameLock),
        _ if pid.0 == 0 => return Verdict::Dead { pid, proof: Proof::Closed },
        _ => {}
    }
    // What this process reads itself, it knows: its own number is another's here.
    let runs = pid != platform.this() && platform.watch(pid).is_alive();
    match (locks.name, runs) {
        (LockState::Absent, true) => match segment.others() {
            Others::Nobody => Verdict::Dead { pid, proof: Proof::Abandoned },
            Others::Somebody | Others::Untold => live(Sign::Runs),
        },
        (LockState::Absent, false) => abandoned_or(pid, segment, Doubt::NotSeen),
        (_, false) => Verdict::Dead { pid, proof: Proof::NameLockLeft },
        (_, true) => abandoned_or(pid, segment, Doubt::NumberInUse),
    }
}

fn abandoned_or<S: Segment>(pid: Pid, segment: &S, doubt: Doubt) -> Verdict {
    match segment.others() {
        Others::Nobody => Verdict::Dead { pid, proof: Proof::Abandoned },
        Others::Somebody | Others::Untold => Verdict::Unknown { pid, doubt },
    }
}

/// Of a segment without a word in it, or cut short: any program may have made it, and only a lock of its name says that it
/// was a reader.
fn unfinished<S: Segment>(kind: Kind, segment: &S, locks: Locks) -> Verdict {
    let pid = Pid(0);
    match locks {
        Locks { signal: LockState::Held, .. } => Verdict::Live { pid, sign: Sign::SignalLock },
        Locks { name: LockState::Held, .. } => Verdict::Live { pid, sign: Sign::NameLock },
        Locks { name: LockState::Free, .. } if segment.others() != Others::Somebody => {
            Verdict::Dead { pid, proof: Proof::NameLockLeft }
        }
        Locks { name: LockState::Free, .. } => Verdict::Unknown { pid, doubt: Doubt::Unfinished },
        Locks { name: LockState::Absent, .. } => Verdict::NotOurs(kind),
    }
}

impl fmt::Display for Verdict {
    /// The evidence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Live { sign, .. } => sign.fmt(f),
            Self::Dead { proof, .. } => proof.fmt(f),
            Self::Unknown { doubt, .. } => doubt.fmt(f),
            Self::NotOurs(kind) => write!(f, "it is {kind}"),
        }
    }
}

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SignalLock => "it holds the lock of its semaphore",
            Self::NameLock => "it holds the lock of the name",
            Self::Runs => "its process runs",
        })
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "it has closed",
            Self::Unlocked => "nobody holds its lock",
            Self::Gone => "its process has ended",
            Self::NameLockLeft => "it left its lock, and its process does not run",
            Self::Abandoned => "nobody has the buffer open",
        })
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotSeen => {
                "no lock of it is visible here and its process is not either: it may live in another container"
            }
            Self::NumberInUse => "nobody holds its lock, but a process of its number runs and has it open",
            Self::Unfinished => "it is not whole, and somebody has it open",
        })
    }
}
