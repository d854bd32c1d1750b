//! Whether a writer may connect: what the segment is, who its reader is, and whether the writer's place is free.

use core::time::Duration;

use super::ends::Ends;
use super::error::AttachError;
use super::layout::{OIEB_SIZE, Oieb};
use super::peer::Peer;
use super::ring::{Buffer, RingMemory, State};
use super::size;
use super::verdict::{Locks, Sign, Verdict};
use crate::name::Name;
use crate::platform::{
    Fate, FaultKind, Identity, LockState, Pid, Platform, PlatformError, Segment, Signal, Watch,
};
use crate::sync::Ordering;

/// How long a new reader may take from its lock to removing an old segment.
const REPLACING: Duration = Duration::from_millis(50);

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
    if len < OIEB_SIZE as usize || size::check(&segment).is_err() {
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
    ends: Option<&Ends<P::Segment>>,
    space_free: &P::Signal,
) -> Result<Peer<P::Watch>, AttachError<P::Error>> {
    // Relaxed: only says who is there.
    let pid = Pid(buffer.oieb().reader_pid.load(Ordering::Relaxed));
    let dead = Err(AttachError::ReaderDead { pid });
    if pid.0 == 0 || !buffer.segment().is_linked() {
        return dead;
    }
    let signal = if space_free.is_locked() { LockState::Held } else { LockState::Free };
    let locks = Locks { name: platform.probe_lock(name), signal };
    // First: a process that is watched before its lock is seen held is the one that holds it.
    let reader = Peer::new(platform, pid, ends.is_some(), ends.and_then(Ends::reader));
    let sign = match Verdict::by(platform, buffer.segment(), locks) {
        Verdict::Live { sign, .. } => sign,
        Verdict::Unknown { pid, doubt } => return Err(AttachError::ReaderUnknown { pid, doubt }),
        Verdict::Dead { .. } | Verdict::NotOurs(_) => return dead,
    };
    // A process that cannot be seen from here, or the next reader, about to replace what a dead one left.
    if sign == Sign::NameLock && !reader.is_seen() && !stays_linked(platform, buffer.segment()) {
        return dead;
    }
    Ok(reader)
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

/// Makes this process the writer: the segment's lock, its record, and its number where a dead writer's or none stands. Returns
/// the dead one's, or 0.
pub(super) fn claim_writer<P: Platform>(
    platform: &P,
    buffer: &Buffer<P::Segment>,
    ends: Option<&Ends<P::Segment>>,
) -> Result<Pid, AttachError<P::Error>> {
    let locked = buffer.segment().lock();
    let former = ends.and_then(Ends::writer);
    let is_gone = |writer: Identity| platform.fate(writer) == Fate::Gone;
    // Relaxed: only says who is there.
    let pid = Pid(buffer.oieb().writer_pid.load(Ordering::Relaxed));
    // Of a process that has ended, a child may hold the lock.
    let holder = former.or_else(|| ends.and_then(Ends::former));
    if !locked && !holder.is_some_and(is_gone) {
        // It may also be somebody who is about to remove what a dead reader left.
        if pid.0 == 0 && former.is_none() && !stays_linked(platform, buffer.segment()) {
            return Err(AttachError::ReaderDead { pid });
        }
        let pid = former.map_or(pid, |writer| writer.pid);
        return Err(AttachError::WriterAlreadyConnected { pid });
    }
    let this = platform.identity();
    if let Some(ends) = ends {
        ends.enter_writer(this, locked);
    }
    // Whoever has its record's number and lets us take its lock is not alive.
    let is_dead = |pid: Pid| match former.filter(|writer| writer.pid == pid) {
        Some(writer) => locked || is_gone(writer),
        None => !platform.watch(pid).is_alive(),
    };
    let outcome = claim_writer_pid(buffer, this.pid, ends.is_some(), is_dead);
    if let (Err(_), Some(ends)) = (&outcome, ends) {
        ends.clear_writer(this);
    }
    outcome
}

/// Puts our pid where a dead writer's, or none, stands; returns what stood there.
fn claim_writer_pid<S: Segment, E>(
    buffer: &Buffer<S>,
    this: Pid,
    strait_reader: bool,
    is_dead: impl Fn(Pid) -> bool,
) -> Result<Pid, AttachError<E>> {
    let oieb = buffer.oieb();
    let mut found = 0;
    // Bounded: each turn meets another process that came and went; sixteen of them are a mistake somewhere.
    for _ in 0..16 {
        // Acquire: what the previous writer stored before it let go, or what the reader put in order after it.
        match oieb.writer_pid.compare_exchange(found, this.0, Ordering::Acquire) {
            Ok(former) => return Ok(Pid(former)),
            Err(pid) => found = pid,
        }
        if found == 0 {
            continue;
        }
        if !is_dead(Pid(found)) {
            break;
        }
        // It died without letting go. Only the reader knows what of the ring is really in use.
        if strait_reader && !State::of(buffer).map_err(AttachError::Corrupt)?.is_settled() {
            return Err(AttachError::Unsettled { pid: Pid(found) });
        }
    }
    Err(AttachError::WriterAlreadyConnected { pid: Pid(found) })
}

/// Lets go of the writer's place, and leaves `mark` there: 0, or [`ABORTED`](super::layout::ABORTED). The record first, so
/// that whoever finds the place free finds none.
pub(super) fn release_writer<S: Segment>(oieb: &Oieb, ends: Option<&Ends<S>>, this: Identity, mark: Pid) {
    if let Some(ends) = ends {
        ends.clear_writer(this);
    }
    // Release: everything written comes before. Fails when the buffer is not ours any more, and then leaves it alone.
    let _ = oieb.writer_pid.compare_exchange(this.pid.0, mark.0, Ordering::Release);
}
