//! Whether a writer may connect: what the segment is, who its reader is, and whether the writer's place is free.

use core::time::Duration;

use super::error::AttachError;
use super::layout::{OIEB_SIZE, Oieb};
use super::ring::{Buffer, RingMemory, State};
use crate::name::Name;
use crate::platform::{FaultKind, LockState, Pid, Platform, PlatformError, Segment, Watch};
use crate::sync::Ordering;

/// How long a new reader may take from its lock to removing an old segment.
const REPLACING: Duration = Duration::from_millis(50);

/// Bytes backed and bytes needed, if the segment was cut short.
pub(super) fn backed<S: Segment>(segment: &S) -> Result<(), (usize, usize)> {
    let (found, needed) = (segment.backed_len(), segment.len());
    if found < needed { Err((found, needed)) } else { Ok(()) }
}

pub(super) fn not_found<E: PlatformError>(error: E) -> AttachError<E> {
    match error.kind() {
        FaultKind::NotFound => AttachError::NotFound,
        FaultKind::Incomplete => AttachError::NotReady { len: 0 },
        _ => AttachError::System(error),
    }
}

/// Checks a segment from its first word to its last.
pub(super) fn open_buffer<S: Segment, E>(segment: S) -> Result<Buffer<S>, AttachError<E>> {
    let len = segment.len();
    if len == 0 {
        return Err(AttachError::NotReady { len });
    }
    let too_short = AttachError::TooShort { len };
    if len < OIEB_SIZE as usize || backed(&segment).is_err() {
        return Err(too_short);
    }
    let geometry = {
        let oieb = crate::shm::view::<Oieb, S>(&segment, 0).map_err(|_| AttachError::TooShort { len })?;
        oieb.geometry(len)?
    };
    Buffer::new(segment, geometry).map_err(|_| too_short)
}

/// The buffer's reader, kept in view; it must be alive.
pub(super) fn live_reader<P: Platform>(
    platform: &P,
    name: &Name,
    buffer: &Buffer<P::Segment>,
    strait_reader: bool,
) -> Result<P::Watch, AttachError<P::Error>> {
    // Relaxed: only says who is there.
    let pid = Pid(buffer.oieb().reader_pid.load(Ordering::Relaxed));
    if pid.0 == 0 || !buffer.segment().is_linked() {
        return Err(AttachError::ReaderDead { pid });
    }
    let reader = platform.watch(pid);
    let alive = match platform.probe_lock(name) {
        // A lock that exists and that nobody holds: the reader crashed, and a later process may have its number.
        LockState::Free => false,
        LockState::Absent => reader.is_alive(),
        LockState::Held if reader.is_alive() || strait_reader => true,
        // A process that cannot be seen from here, or the next reader, about to replace what a dead one left.
        LockState::Held => stays_linked(platform, buffer.segment()),
    };
    if alive { Ok(reader) } else { Err(AttachError::ReaderDead { pid }) }
}

/// Whether nobody replaces the segment within the time that a new reader needs to do so.
pub(super) fn stays_linked<P: Platform>(platform: &P, segment: &P::Segment) -> bool {
    let until = platform.now().saturating_add(REPLACING);
    while platform.now() < until {
        if !segment.is_linked() {
            return false;
        }
        platform.yield_now();
    }
    segment.is_linked()
}

/// Whether a process that cannot be seen from here (another PID namespace) shows that it lives by holding its lock.
pub(super) fn holds_lock_elsewhere<P: Platform>(platform: &P, name: &Name, reader: &P::Watch) -> bool {
    !reader.was_seen() && platform.probe_lock(name) == LockState::Held
}

/// Puts our pid where a dead writer's, or none, stands.
pub(super) fn claim_writer_pid<P: Platform>(
    platform: &P,
    buffer: &Buffer<P::Segment>,
    this: Pid,
    strait_reader: bool,
) -> Result<(), AttachError<P::Error>> {
    let oieb = buffer.oieb();
    let mut found = 0;
    // Bounded: each turn meets another process that came and went; sixteen of them are a mistake somewhere.
    for _ in 0..16 {
        // Acquire: what the previous writer stored before it let go, or what the reader put in order after it.
        match oieb.writer_pid.compare_exchange(found, this.0, Ordering::Acquire) {
            Ok(_) => return Ok(()),
            Err(pid) => found = pid,
        }
        if found == 0 {
            continue;
        }
        if platform.watch(Pid(found)).is_alive() {
            break;
        }
        // It died without letting go. Only the reader knows what of the ring is really in use.
        if strait_reader && !State::of(buffer).map_err(AttachError::Corrupt)?.is_settled() {
            return Err(AttachError::Unsettled { pid: Pid(found) });
        }
    }
    Err(AttachError::WriterAlreadyConnected { pid: Pid(found) })
}

/// Takes our pid out again and leaves `mark`: 0, or [`ABORTED`](super::layout::ABORTED).
pub(super) fn release_writer_pid(oieb: &Oieb, this: Pid, mark: Pid) {
    // Release: everything written comes before. Fails when the buffer is not ours any more, and then leaves it alone.
    let _ = oieb.writer_pid.compare_exchange(this.0, mark.0, Ordering::Release);
}
