//! What a reader owns under its name: taken over from a dead reader, removed at the end, never another's.
//!
//! Creators exclude each other by the lock of the name and, where its folder is not the same one for both, by the file of
//! `sem-r-NAME`: it appears locked, before anything else of a new buffer does, and goes last. An object is removed through
//! a handle of ours, and only if that very object still stands under its name.

use super::error::CreateError;
use super::verdict::{Locks, Proof, Verdict};
use super::writer::{DATA_READY, SPACE_FREE};
use crate::maker::Maker;
use crate::name::Name;
use crate::platform::{
    Access, FaultKind, LockState, NameLock, Pid, Platform, PlatformError, Segment, Signal,
};

/// What exists only while this reader does; dropping it removes everything that is still ours, the lock last.
#[derive(Debug)]
pub(super) struct Owned<P: Platform> {
    platform: P,
    name: Name,
    maker: Maker,
    segment: Option<P::Segment>,
    data_ready: Option<P::Signal>,
    space_free: Option<P::Signal>,
    // Declared last: released, and its file removed, after the rest is gone.
    lock: P::Lock,
}

/// A new buffer: its parts, and what removes them.
pub(super) struct Made<P: Platform> {
    pub(super) segment: P::Segment,
    pub(super) data_ready: P::Signal,
    pub(super) space_free: P::Signal,
    pub(super) owned: Owned<P>,
}

impl<P: Platform> Drop for Owned<P> {
    fn drop(&mut self) {
        // Nothing is a child's, whatever it inherited.
        if !self.maker.is_here(&self.platform) {
            return;
        }
        // Nobody is left to tell about a failure; what stays is taken over by the next reader of this name.
        if let Some(segment) = &self.segment {
            let _ = self.platform.remove_this_segment(&self.name, segment);
        }
        for (prefix, signal) in [(DATA_READY, &self.data_ready), (SPACE_FREE, &self.space_free)] {
            if let Some(signal) = signal {
                let _ = self.platform.remove_this_signal(&self.name.prefixed(prefix), signal);
            }
        }
    }
}

impl<P: Platform> Owned<P> {
    /// Takes the name: its lock, and nothing yet under it.
    fn lock(platform: P, name: &Name, access: Access) -> Result<Self, CreateError<P::Error>> {
        let lock = platform.lock(name, access).map_err(|error| match error.kind() {
            FaultKind::Busy => CreateError::ReaderAlreadyConnected { pid: owner(&platform, name) },
            _ => CreateError::System(error),
        })?;
        let maker = Maker::this(&platform);
        let (segment, data_ready, space_free) = (None, None, None);
        Ok(Self { platform, name: name.clone(), maker, segment, data_ready, space_free, lock })
    }

    /// Makes the buffer in place of what a dead reader left. `prepare` makes all of it ready: nobody sees it before.
    pub(super) fn create(
        platform: P,
        name: &Name,
        len: usize,
        access: Access,
        prepare: &mut dyn FnMut(&P::Segment),
    ) -> Result<Made<P>, CreateError<P::Error>> {
        let mut owned = Self::lock(platform, name, access)?;
        let platform = owned.platform.clone();
        let left = Left::find(&platform, name, &owned.lock)?;
        let (data_ready, space_free) = (name.prefixed(DATA_READY), name.prefixed(SPACE_FREE));
        // First, and locked: from now on no other creator touches what is ours.
        if let Some(former) = left.lock_signal(&platform, &space_free)? {
            left.free_signal(&platform, &space_free, &former)?;
        }
        let space_free = platform.create_signal(&space_free, access, true).map_err(taken)?;
        owned.space_free = Some(space_free.clone());
        left.remove_segment(&platform, name)?;
        if let Some(former) = open_signal(&platform, &data_ready)? {
            left.free_signal(&platform, &data_ready, &former)?;
        }
        let data_ready = platform.create_signal(&data_ready, access, false).map_err(taken)?;
        owned.data_ready = Some(data_ready.clone());
        // Last: a writer that sees it finds everything else.
        let segment = platform.create_prepared(name, len, access, prepare).map_err(taken)?;
        owned.segment = Some(segment.clone());
        Ok(Made { owned, segment, data_ready, space_free })
    }

    pub(super) fn lock_skipped(&self) -> Option<&dyn core::error::Error> {
        self.lock.skipped()
    }

    /// The process whose buffer stands under our name in place of ours; `None` if there is none.
    pub(super) fn successor(&self) -> Option<Pid> {
        if self.segment.as_ref().is_some_and(Segment::is_linked) {
            return None;
        }
        let segment = self.platform.open_segment(&self.name).ok()?;
        Some(reader_of(&self.platform, &segment))
    }

    /// Whether everything that was made still stands under its name.
    pub(super) fn is_linked(&self) -> bool {
        self.segment.as_ref().is_none_or(Segment::is_linked)
            && [&self.data_ready, &self.space_free].into_iter().flatten().all(Signal::is_linked)
    }
}

/// Removes what a dead reader left under this name; nothing there is no error. Nothing is created but, for as long as this
/// takes, the lock of the name.
///
/// # Errors
/// [`CreateError::ReaderAlreadyConnected`], [`CreateError::Undecided`], [`CreateError::NotOurs`] if it is not proved to be
/// one, [`CreateError::System`].
pub fn remove_leftover<P: Platform>(
    platform: &P,
    name: &Name,
    access: Access,
) -> Result<(), CreateError<P::Error>> {
    let owned = Owned::lock(platform.clone(), name, access)?;
    let left = Left::find(platform, name, &owned.lock)?;
    let (data_ready, space_free) = (name.prefixed(DATA_READY), name.prefixed(SPACE_FREE));
    // In this order: a creator makes the second first, so that where there is none, the first is nobody's.
    let first = open_signal(platform, &data_ready)?;
    let second = left.lock_signal(platform, &space_free)?;
    left.remove_segment(platform, name)?;
    for (name, signal) in [(&data_ready, first), (&space_free, second)] {
        if let Some(signal) = signal {
            left.free_signal(platform, name, &signal)?;
        }
    }
    Ok(())
}

/// Removes these very objects, whose reader was seen to end, under the lock of the name; whether the segment was there.
pub(super) fn bury<P: Platform>(
    platform: &P,
    name: &Name,
    segment: &P::Segment,
    signals: [(&str, &P::Signal); 2],
) -> Result<bool, CreateError<P::Error>> {
    let _owned = Owned::lock(platform.clone(), name, Access::default())?;
    if !segment.is_linked() {
        return Ok(false);
    }
    let removed = platform.remove_this_segment(name, segment).map_err(CreateError::System)?;
    for (prefix, signal) in signals {
        platform.remove_this_signal(&name.prefixed(prefix), signal).map_err(CreateError::System)?;
    }
    Ok(removed)
}

/// A segment that is proved to be a leftover, if there is one.
struct Left<P: Platform> {
    segment: Option<P::Segment>,
    pid: Pid,
    proof: Option<Proof>,
}

impl<P: Platform> Left<P> {
    /// Judges what stands under a name whose lock we hold.
    fn find(platform: &P, name: &Name, lock: &P::Lock) -> Result<Self, CreateError<P::Error>> {
        let segment = match platform.open_segment(name) {
            Ok(segment) => segment,
            Err(error) if error.kind() == FaultKind::NotFound => {
                return Ok(Self { segment: None, pid: Pid(0), proof: None });
            }
            Err(error) => return Err(CreateError::System(error)),
        };
        let found = if lock.was_left() { LockState::Free } else { LockState::Absent };
        let locks = Locks { name: found, ..Locks::probe(platform, name) };
        let verdict = Verdict::by(platform, &segment, locks);
        if let Some(refusal) = verdict.refusal() {
            return Err(refusal);
        }
        // No writer connects to it from now on. One that is connected is told soon.
        let _ = segment.lock();
        let (pid, proof) = (verdict.pid(), verdict.proof());
        Ok(Self { segment: Some(segment), pid, proof })
    }

    fn remove_segment(&self, platform: &P, name: &Name) -> Result<(), CreateError<P::Error>> {
        let Some(segment) = &self.segment else { return Ok(()) };
        match platform.remove_this_segment(name, segment).map_err(CreateError::System)? {
            true => Ok(()),
            false => Err(CreateError::ReaderAlreadyConnected { pid: owner(platform, name) }),
        }
    }

    /// The semaphore that a living reader would have locked, locked by us; `None` if there is none.
    fn lock_signal(&self, platform: &P, name: &Name) -> Result<Option<P::Signal>, CreateError<P::Error>> {
        let Some(signal) = open_signal(platform, name)? else { return Ok(None) };
        // Of a process that has ended, a child may hold the lock: it is in nobody's use.
        if signal.lock() || self.proof == Some(Proof::Gone) {
            return Ok(Some(signal));
        }
        Err(CreateError::ReaderAlreadyConnected { pid: self.pid })
    }

    fn free_signal(
        &self,
        platform: &P,
        name: &Name,
        signal: &P::Signal,
    ) -> Result<(), CreateError<P::Error>> {
        match platform.remove_this_signal(name, signal).map_err(CreateError::System)? {
            true => Ok(()),
            false => Err(CreateError::ReaderAlreadyConnected { pid: self.pid }),
        }
    }
}

fn open_signal<P: Platform>(platform: &P, name: &Name) -> Result<Option<P::Signal>, CreateError<P::Error>> {
    match platform.open_signal(name) {
        Ok(signal) => Ok(Some(signal)),
        Err(error) if error.kind() == FaultKind::NotFound => Ok(None),
        Err(error) => Err(CreateError::System(error)),
    }
}

/// An object that was not there a moment ago is another creator's, who cannot see our lock of the name.
fn taken<E: PlatformError>(error: E) -> CreateError<E> {
    match error.kind() {
        FaultKind::AlreadyExists | FaultKind::Busy => CreateError::ReaderAlreadyConnected { pid: Pid(0) },
        _ => CreateError::System(error),
    }
}

/// Who keeps us out: the process that holds the name's lock or, where that is not told, the one in the segment; 0 if there
/// is none to be read.
pub(super) fn owner<P: Platform>(platform: &P, name: &Name) -> Pid {
    match platform.lock_holder(name) {
        Pid(0) => platform.open_segment(name).map_or(Pid(0), |segment| reader_of(platform, &segment)),
        pid => pid,
    }
}

/// The reader's number in a segment; 0 if it is no buffer.
pub(super) fn reader_of<P: Platform>(platform: &P, segment: &P::Segment) -> Pid {
    let unknown = Locks { name: LockState::Held, signal: LockState::Absent };
    Verdict::by(platform, segment, unknown).pid()
}
