//! What every handle of a link has: the platform, the memory, a side, and a place among the participants.

use core::time::Duration;

use super::error::OpenError;
use super::extension::{Member, PARTICIPANTS, ParticipantEntry, Sleep, Waits, bell_offset, journals_offset};
use super::layout::Side;
use super::numbers::{ErrorCode, Profile};
use super::packet::{Operation, Packet};
use super::presence::{Seen, everybody};
use super::recovery::{Journals, recover};
use super::regions::Regions;
use crate::name::Name;
use crate::platform::{Pid, Platform, Segment as _};
use crate::shm::Table;
use crate::sync::SharedU64;
use crate::time::Instant;

/// Longest wait for the lock of the membership.
const PATIENCE: Duration = Duration::from_secs(1);

/// What was recovered of dead participants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Handles of processes that have ended.
    pub handles: u64,
    /// Reserved slots that became tombstones.
    pub tombstones: u64,
    /// Claimed slots that were released: their messages died with the consumer.
    pub lost: u64,
}

impl Recovered {
    /// Whether nothing was.
    #[inline]
    pub fn is_nothing(&self) -> bool {
        self.handles | self.tombstones | self.lost == 0
    }

    fn add(&mut self, other: Self) {
        self.handles = self.handles.saturating_add(other.handles);
        self.tombstones = self.tombstones.saturating_add(other.tombstones);
        self.lost = self.lost.saturating_add(other.lost);
    }
}

/// One handle's share of a link.
#[derive(Debug)]
pub(super) struct Base<P: Platform> {
    pub(super) platform: P,
    pub(super) name: Name,
    pub(super) segment: P::Segment,
    pub(super) regions: Regions<P::Segment>,
    pub(super) side: Side,
    /// Its entry among the participants.
    entry: Option<usize>,
    /// Its journals there, for ring 0 and ring 1.
    journals: Option<[Table<P::Segment, SharedU64>; 2]>,
    recovered: Recovered,
    /// The process that opened it: its number, and its generation.
    owner: (Pid, u64),
}

/// The lock of a link's membership; the system takes it back when its holder ends.
#[derive(Debug)]
pub(super) struct Membership<S> {
    // Never read: the lock lives as long as the handle.
    _handle: S,
}

/// Takes the lock of the membership of the link in `segment`.
pub(super) fn lock<P: Platform>(
    platform: &P,
    segment: &P::Segment,
    name: &Name,
) -> Result<Membership<P::Segment>, OpenError<P::Error>> {
    let handle = platform.reopen_segment(segment, name).map_err(OpenError::Os)?;
    let until = platform.now().saturating_add(PATIENCE);
    // Bounded by the clock.
    while !handle.lock() {
        if platform.now() >= until {
            return Err(OpenError::Busy);
        }
        platform.yield_now();
    }
    Ok(Membership { _handle: handle })
}

impl<P: Platform> Base<P> {
    pub(super) fn new(
        platform: P,
        name: Name,
        segment: P::Segment,
        regions: Regions<P::Segment>,
        side: Side,
    ) -> Self {
        Self {
            owner: (platform.this(), platform.generation()),
            platform,
            name,
            segment,
            regions,
            side,
            entry: None,
            journals: None,
            recovered: Recovered::default(),
        }
    }

    /// Another handle, which has no place yet.
    pub(super) fn another(&self) -> Self {
        Self {
            owner: self.owner,
            platform: self.platform.clone(),
            name: self.name.clone(),
            segment: self.segment.clone(),
            regions: self.regions.clone(),
            side: self.side,
            entry: None,
            journals: None,
            recovered: Recovered::default(),
        }
    }

    /// The process that opened it, if that is not this one. A forked child has a copy of the handle, and its memory and
    /// locks, that are the parent's: it takes nothing by it and gives nothing back.
    #[inline]
    pub(super) fn forked(&self) -> Option<Pid> {
        let (owner, generation) = self.owner;
        (self.platform.generation() != generation).then_some(owner)
    }

    /// Whether there is a table to have a place in.
    pub(super) fn has_table(&self) -> bool {
        self.regions.participants.is_some()
    }

    /// Whether it needs a place and has none.
    #[inline]
    pub(super) fn is_unseated(&self) -> bool {
        self.entry.is_none() && self.has_table()
    }

    /// Takes over a place that was written before the link had its name.
    pub(super) fn sit_at(&mut self, entry: usize) {
        let first = self.regions.geometry.plan().layout_len + journals_offset(entry);
        let journal = |at: usize| Table::new(self.segment.clone(), first + size_of::<SharedU64>() * at, 1);
        // They lie inside: the table of participants does.
        if let (Ok(zero), Ok(one)) = (journal(0), journal(1)) {
            self.journals = Some([zero, one]);
        }
        self.entry = Some(entry);
    }

    /// Takes a place, under the lock.
    pub(super) fn sit(&mut self, _lock: &Membership<P::Segment>) -> Result<(), OpenError<P::Error>> {
        let Some(participants) = &self.regions.participants else { return Ok(()) };
        let is_free = |place: &usize| participants.at(*place).is_free();
        // A child that a dead one has forked may keep the lock of a place that is free: another one is better then.
        let guarded = (0..PARTICIPANTS).filter(is_free).find(|place| self.segment.lock_place(*place));
        let Some(place) = guarded.or_else(|| (0..PARTICIPANTS).find(is_free)) else {
            return Err(OpenError::TooManyHandles { limit: PARTICIPANTS });
        };
        let serial = self.regions.extension.as_ref().map_or(0, |extension| extension.at(0).next_serial());
        let (identity, side) = (self.platform.identity(), self.side);
        participants.at(place).join(Member { identity, side, serial, guarded: guarded.is_some() });
        self.sit_at(place);
        Ok(())
    }

    /// Takes a place; gives up those of the dead first if there is none.
    pub(super) fn sit_down(&mut self) -> Result<(), OpenError<P::Error>> {
        if !self.is_unseated() {
            return Ok(());
        }
        self.check_owner()?;
        let membership = lock(&self.platform, &self.segment, &self.name)?;
        match self.sit(&membership) {
            Err(OpenError::TooManyHandles { .. }) => {
                self.recover_locked(&membership);
                self.sit(&membership)
            }
            other => other,
        }
    }

    pub(super) fn check_owner(&self) -> Result<(), OpenError<P::Error>> {
        self.forked().map_or(Ok(()), |owner| Err(OpenError::Forked { owner }))
    }

    /// Where it writes what it is about to take in a ring.
    #[inline]
    pub(super) fn journal(&self, lane: usize) -> Option<&SharedU64> {
        let [zero, one] = self.journals.as_ref()?;
        Some(if lane == 0 { zero.at(0) } else { one.at(0) })
    }

    /// Whether every participant is known to be Strait.
    pub(super) fn has_strangers(&self) -> bool {
        self.regions.extension.as_ref().is_none_or(|extension| extension.at(0).has_strangers())
    }

    /// Whether anything was recovered by this handle since the last call.
    #[inline]
    pub(super) fn has_recovered(&self) -> bool {
        !self.recovered.is_nothing()
    }

    /// What the next [`take_recovered`](Self::take_recovered) will return.
    pub(super) fn recovered(&self) -> Recovered {
        self.recovered
    }

    /// What was recovered by this handle since the last call.
    pub(super) fn take_recovered(&mut self) -> Recovered {
        core::mem::take(&mut self.recovered)
    }

    /// Gives back what dead participants held, if their fate is known. `false` if some of it has to wait.
    pub(super) fn recover(&mut self) -> bool {
        if !self.has_table() || self.has_strangers() || self.forked().is_some() {
            return true;
        }
        // Nothing is locked as long as everybody lives.
        if !self.everybody().any(|seen| seen.is_gone()) {
            return true;
        }
        match lock(&self.platform, &self.segment, &self.name) {
            Ok(membership) => self.recover_locked(&membership),
            Err(_) => false,
        }
    }

    /// The same for links whose other participants are not Strait, or not all: the caller vouches that every process of
    /// `side` has ended, and that no new one has come.
    pub(super) fn recover_side(&mut self, side: Side) -> Result<Recovered, OpenError<P::Error>> {
        self.check_owner()?;
        let membership = lock(&self.platform, &self.segment, &self.name)?;
        // What of the vouching can be checked.
        let handles = self.living(side);
        if handles > 0 {
            return Err(OpenError::SideInUse { side, handles });
        }
        let seats = SideIsGone { side };
        self.give_back(&seats);
        self.release_entries(|_, member| member == side);
        drop(membership);
        Ok(self.take_recovered())
    }

    /// Everybody in the table, and whether he is here.
    fn everybody(&self) -> impl Iterator<Item = Seen> {
        let participants = self.regions.participants.iter();
        participants.flat_map(|participants| everybody(participants, &self.segment, &self.platform))
    }

    pub(super) fn recover_locked(&mut self, _lock: &Membership<P::Segment>) -> bool {
        let Some(participants) = &self.regions.participants else { return true };
        let mut seats = Seats { participants: participants.clone(), gone: [false; PARTICIPANTS] };
        let gone = self.everybody().filter(Seen::is_gone);
        gone.for_each(|seen| seats.set_gone(seen.place));
        if !seats.gone.contains(&true) {
            return true;
        }
        // Where strangers take part, what a journal covers may be theirs, and they have none that would say so.
        let settled = self.has_strangers() || self.give_back(&seats);
        // What is unclear needs the journals of the dead until it is settled.
        if settled {
            self.release_entries(|place, _| seats.is_gone(place));
        }
        settled
    }

    fn release_entries(&mut self, mut is_gone: impl FnMut(usize, Side) -> bool) {
        let Some(participants) = &self.regions.participants else { return };
        for index in 0..PARTICIPANTS {
            let entry = participants.at(index);
            if entry.member().is_some_and(|member| is_gone(index, member.side)) {
                entry.leave();
                self.recovered.handles += 1;
            }
        }
    }

    fn give_back(&mut self, journals: &impl Journals) -> bool {
        let mut settled = true;
        let mut total = Recovered::default();
        for lane in &self.regions.lanes {
            let done = recover(lane.ring(), lane.index(), journals, |slot| {
                tombstone(
                    lane.geometry().profile(),
                    0,
                    slot,
                    ErrorCode::INVALID_OP,
                    lane.geometry().slot_len(),
                )
                .0
            });
            total.add(Recovered { handles: 0, tombstones: done.tombstones, lost: done.releases });
            settled &= done.unclear == 0;
            if let Some(extension) = &self.regions.extension {
                extension.at(0).count_recovered(lane.index(), done.tombstones, done.releases);
            }
            if done.tombstones > 0 {
                lane.ring_bell(Waits::Data, &self.sleepers(lane.index(), Waits::Data));
            }
            if done.releases > 0 {
                lane.ring_bell(Waits::Space, &self.sleepers(lane.index(), Waits::Space));
            }
        }
        self.recovered.add(total);
        settled
    }

    /// Who sleeps at a bell of this link.
    #[inline]
    pub(super) fn sleepers(&self, lane: usize, waits: Waits) -> AtBell<'_, P> {
        AtBell { base: self, lane, waits, until: Instant::from_nanos(0) }
    }

    /// Whether anybody takes part who is here, or may be.
    pub(super) fn has_company(&self) -> bool {
        !self.has_table() || self.everybody().any(|seen| !seen.is_gone())
    }

    /// Members of a side who are here, or may be, one for each handle.
    pub(super) fn members(&self, side: Side) -> impl Iterator<Item = Seen> {
        self.everybody().filter(move |seen| seen.member.side == side && !seen.is_gone())
    }

    /// The number that this handle was given when it took its place.
    pub(super) fn serial(&self) -> Option<u64> {
        Some(self.regions.participants.as_ref()?.at(self.entry?).member()?.serial)
    }

    /// Whether the handle of that number is on a side, and here, or may be.
    pub(super) fn has_member(&self, side: Side, serial: u64) -> bool {
        self.members(side).any(|seen| seen.member.serial == serial)
    }

    /// How many handles of a side are here, or may be.
    pub(super) fn living(&self, side: Side) -> usize {
        self.members(side).count()
    }
}

/// Gives the place up; the last one out removes the name, unless it is to be kept.
impl<P: Platform> Drop for Base<P> {
    fn drop(&mut self) {
        let (Some(place), Some(participants)) = (self.entry, &self.regions.participants) else { return };
        let Some(extension) = self.regions.extension.as_ref().filter(|_| self.forked().is_none()) else {
            return;
        };
        if self.segment.backed_len() < self.regions.geometry.plan().extended_len {
            self.segment.unlock_place(place);
            return;
        }
        // First: of two who leave at the same time, the second sees that nobody is left. The entry before the lock: who finds
        // one that is taken and not locked takes its owner for dead.
        participants.at(place).leave();
        self.segment.unlock_place(place);
        if extension.at(0).is_kept() || self.has_company() {
            return;
        }
        if let Ok(_membership) = lock(&self.platform, &self.segment, &self.name)
            && !self.has_company()
        {
            let _ = self.platform.remove_this_segment(&self.name, &self.segment);
        }
    }
}

/// A slot given up, as consumers of the profile skip it.
pub(super) fn tombstone(profile: Profile, copy: u64, slot: u64, reason: ErrorCode, slot_len: u64) -> Packet {
    match profile {
        Profile::Superblock => Operation::Tombstone { copy, slot, reason },
        // The seed knows no tombstone; its readers skip an empty copy.
        Profile::Seed => Operation::Copy { copy, buffer: slot, len: 0 },
    }
    .emit(profile, slot_len)
}

/// Which members are dead, as far as known.
struct Seats<S> {
    participants: Table<S, ParticipantEntry>,
    gone: [bool; PARTICIPANTS],
}

impl<S: crate::platform::Segment> Seats<S> {
    fn set_gone(&mut self, place: usize) {
        if let Some(gone) = self.gone.get_mut(place) {
            *gone = true;
        }
    }

    fn is_gone(&self, place: usize) -> bool {
        self.gone.get(place).copied().unwrap_or(false)
    }

    fn any(&self, gone: bool, side: Side, lane: usize, position: u64) -> bool {
        self.gone.iter().enumerate().filter(|(_, is_gone)| **is_gone == gone).any(|(index, _)| {
            let participant = self.participants.at(index);
            participant.member().is_some_and(|member| member.side == side)
                && participant.may_hold(lane, position)
        })
    }
}

impl<S: crate::platform::Segment> Journals for Seats<S> {
    fn dead_may_hold(&self, side: Side, lane: usize, position: u64) -> bool {
        self.any(true, side, lane, position)
    }

    fn living_may_hold(&self, side: Side, lane: usize, position: u64) -> bool {
        self.any(false, side, lane, position)
    }
}

/// A whole side is known to be dead: whatever it holds is a dead one's.
struct SideIsGone {
    side: Side,
}

impl Journals for SideIsGone {
    fn dead_may_hold(&self, side: Side, _lane: usize, _position: u64) -> bool {
        side == self.side
    }

    fn living_may_hold(&self, _side: Side, _lane: usize, _position: u64) -> bool {
        false
    }
}

/// Sleeping at a bell, and waking who does.
pub(super) struct AtBell<'b, P: Platform> {
    base: &'b Base<P>,
    lane: usize,
    waits: Waits,
    pub(super) until: Instant,
}

impl<P: Platform> AtBell<'_, P> {
    fn offset(&self) -> usize {
        self.base.regions.geometry.plan().layout_len + bell_offset(self.lane, self.waits)
    }
}

impl<P: Platform> Sleep for AtBell<'_, P> {
    fn sleep(&self, expected: u32) {
        self.base.platform.park(&self.base.segment, self.offset(), expected, self.until);
    }

    fn wake(&self) {
        self.base.platform.unpark_all(&self.base.segment, self.offset());
    }
}
