//! What a reader owns under its name: taken over from a dead reader, removed at the end, never a living one's.

use super::attach::backed;
use super::error::CreateError;
use super::layout::{OIEB_SIZE, Oieb};
use super::writer::{DATA_READY, SPACE_FREE};
use crate::maker::Maker;
use crate::name::Name;
use crate::platform::{FaultKind, Pid, Platform, PlatformError, Segment};
use crate::shm::view;
use crate::sync::Ordering;

/// What exists only while this reader does; dropping it removes everything, the lock last.
#[derive(Debug)]
pub(super) struct Owned<P: Platform> {
    pub(super) platform: P,
    pub(super) name: Name,
    pub(super) segment: Option<P::Segment>,
    pub(super) signals: u8,
    pub(super) maker: Maker,
    // Declared last: released, and its file removed, after the rest is gone.
    pub(super) _lock: P::Lock,
}

impl<P: Platform> Drop for Owned<P> {
    fn drop(&mut self) {
        // Nothing is a child's, whatever it inherited.
        if !self.maker.is_here(&self.platform) {
            return;
        }
        // Somebody who replaced the segment owns the names now.
        if self.segment.as_ref().is_some_and(|segment| !segment.is_linked()) {
            return;
        }
        // Nobody is left to tell about a failure; what stays is taken over by the next reader of this name.
        if self.segment.is_some() {
            let _ = self.platform.remove_segment(&self.name);
        }
        for prefix in [DATA_READY, SPACE_FREE].iter().take(usize::from(self.signals)) {
            let _ = self.platform.remove_signal(&self.name.prefixed(prefix));
        }
    }
}

/// The pid in an existing segment, 0 if there is none to be read.
pub(super) fn owner<P: Platform>(platform: &P, name: &Name) -> Pid {
    let Ok(segment) = platform.open_segment(name) else { return Pid(0) };
    reader_of(&segment)
}

pub(super) fn reader_of<S: Segment>(segment: &S) -> Pid {
    if segment.len() < OIEB_SIZE as usize || backed(segment).is_err() {
        return Pid(0);
    }
    // Relaxed: only says who is there.
    match view::<Oieb, S>(segment, 0) {
        Ok(oieb) if oieb.oieb_size.load(Ordering::Acquire) == OIEB_SIZE => {
            Pid(oieb.reader_pid.load(Ordering::Relaxed))
        }
        _ => Pid(0),
    }
}

/// Whether what stands under a name cannot be a buffer that somebody reads.
pub(super) fn is_no_segment(kind: FaultKind) -> bool {
    matches!(kind, FaultKind::NotFound | FaultKind::Unsuitable | FaultKind::Incomplete)
}

/// Removes segment and semaphores of this name that no running reader owns. The caller holds the lock.
pub(super) fn remove_leftovers<P: Platform>(platform: &P, name: &Name) -> Result<(), CreateError<P::Error>> {
    match platform.open_segment(name) {
        Ok(segment) => {
            let pid = reader_of(&segment);
            // Its lock file may have been swept away while it runs: the pid still speaks for it.
            if pid.0 != 0 && platform.may_own(&segment, pid) {
                return Err(CreateError::ReaderAlreadyConnected { pid });
            }
        }
        Err(error) if is_no_segment(error.kind()) => {}
        Err(error) => return Err(CreateError::System(error)),
    }
    platform.remove_segment(name).map_err(CreateError::System)?;
    for prefix in [DATA_READY, SPACE_FREE] {
        platform.remove_signal(&name.prefixed(prefix)).map_err(CreateError::System)?;
    }
    Ok(())
}
