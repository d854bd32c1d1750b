//! A link inside one program: an interrupt handler and the main loop, or threads.
//!
//! The same bytes, rings and guards as between processes, without names, processes, bells and a platform: [`split`]
//! makes a segment a link and returns its two ends. Nothing here waits. [`embedding`](crate::embedding) shows it used.
//!
//! # Interrupts
//!
//! A producer may be interrupted between its reservation and the commit, a consumer between its claim and the release, and
//! each anywhere within a call. What the handler then sees of the ring:
//!
//! | interrupted | a consumer in the handler | a producer in the handler |
//! |---|---|---|
//! | producer that has reserved | gets what was sent before; then [`RecvError::Empty`], also for what was sent behind it | goes on behind it, until the ring is full |
//! | consumer that has claimed | goes on behind it | goes on, until its turn comes to that slot: [`SendError::Full`] |
//!
//! So no handler loops until the code it interrupted goes on, and no call masks interrupts for longer than one access to
//! a 64-bit word does. Order is that of the reservations. A guard that is forgotten (`mem::forget`) stops its direction
//! until its half is used again or dropped.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::error::{RecvError, SendError};
use super::extension::Sleep;
use super::incoming::{Meaning, Slot, Slots, interpret};
use super::lane::Lane;
use super::layout::Geometry;
use super::lent::Lent;
use super::outgoing::{SlotMut, SlotsMut};
use super::packet::Packet;
use super::port::sealed::Port;
use super::producer::Counts;
use super::regions::{AttachError, Regions};
use crate::mpmc::{ConsumerTurn, ProducerTurn, TurnError};
use crate::platform::{Pid, Segment};
use crate::shm::view;
use crate::sync::{Ordering, SharedU64};

/// Why memory was not made a link inside one program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SplitError {
    /// The layout needs more.
    #[error("segment of {len} bytes is too small: a link of its geometry needs {min}")]
    TooSmall {
        /// Bytes of the segment.
        len: usize,
        /// Bytes that do: [`Plan::layout_len`](super::Plan::layout_len).
        min: usize,
    },
    /// Its lock is taken: another link or ring stands in it, or it cannot be written.
    #[error("the segment's lock is taken: another link or ring stands in it, or it cannot be written")]
    Locked,
    /// Its first word is not zero: something stood in it, or it was never cleared.
    #[error("the segment is not blank: its first word is {found:#018x}")]
    NotBlank {
        /// What it is.
        found: u64,
    },
    /// What the link found wrong with it.
    #[error(transparent)]
    Memory(#[from] AttachError),
}

/// One end: sends through one ring, receives through the other. Its halves may go separate ways.
#[derive(Debug)]
pub struct End<S: Segment> {
    /// The half that sends.
    pub producer: Producer<S>,
    /// The half that receives.
    pub consumer: Consumer<S>,
}

/// Makes zeroed memory a link and returns its two ends, the primary's first.
///
/// [`layout_len`](super::Plan::layout_len) bytes are enough, a constant that may size a `static`. A page of 64 bytes wastes
/// least: with it and the seed profile a link of *n* slots of *m* bytes per direction takes twice 512 + 72 *n* and *n m*
/// bytes, both rounded up to 64; the superblock profile takes 64 more.
///
/// ```
/// use strait_core::hqq::{Geometry, Profile, local};
/// use strait_core::shm::StaticSegment;
///
/// const GEOMETRY: Geometry = match Geometry::new(4, 32, 64, Profile::Seed) {
///     Ok(geometry) => geometry,
///     Err(_) => panic!("no such link"),
/// };
/// static MEMORY: StaticSegment<{ GEOMETRY.plan().layout_len }> = StaticSegment::new();
/// let [mut here, mut there] = local::split(&MEMORY, GEOMETRY).expect("split once");
/// here.producer.try_send(b"question").expect("there is room");
/// assert_eq!(&*there.consumer.try_recv().expect("it is there"), b"question");
/// assert_eq!(local::split(&MEMORY, GEOMETRY).err(), Some(local::SplitError::Locked));
/// ```
///
/// The segment's lock is what makes this safe: two links over the same bytes would lend them twice. It is held until all
/// halves and every clone of `segment` are dropped.
///
/// # Errors
/// - [`SplitError::TooSmall`] if the segment is shorter than that;
/// - [`SplitError::Locked`] if the segment's lock is taken: every further call for a `static`;
/// - [`SplitError::NotBlank`] if its first word is not zero;
/// - [`SplitError::Memory`] if the object behind it was cut short, or another word of a superblock is not zero.
pub fn split<S: Segment>(segment: S, geometry: Geometry) -> Result<[End<S>; 2], SplitError> {
    let (len, min) = (segment.len(), geometry.plan().layout_len);
    if len < min {
        return Err(SplitError::TooSmall { len, min });
    }
    if !segment.lock() {
        return Err(SplitError::Locked);
    }
    // Relaxed: the lock is ours.
    let found = view::<SharedU64, S>(&segment, 0).map_err(AttachError::View)?.load(Ordering::Relaxed);
    if found != 0 {
        return Err(SplitError::NotBlank { found });
    }
    let [there, back] = Regions::initialise(&segment, geometry)?.lanes.map(Lane::alone);
    Ok([
        End { producer: Producer::new(there.clone()), consumer: Consumer::new(back.clone()) },
        End { producer: Producer::new(back), consumer: Consumer::new(there) },
    ])
}

/// The half of an end that sends.
#[derive(Debug)]
pub struct Producer<S: Segment> {
    lane: Lane<S>,
    copies: u64,
    counts: Counts,
    lent: Lent,
}

impl<S: Segment> Producer<S> {
    fn new(lane: Lane<S>) -> Self {
        Self { lane, copies: 0, counts: Counts::default(), lent: Lent::new() }
    }

    /// Another half that sends from the same end: for a second handler, or a second thread.
    #[must_use]
    pub fn another(&self) -> Self {
        Self::new(self.lane.clone())
    }

    /// What the link looks like.
    pub fn geometry(&self) -> &Geometry {
        self.lane.geometry()
    }

    /// What this half has done.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Reserves a slot if one is free.
    ///
    /// # Errors
    /// [`SendError::Full`] if none is; [`SendError::Corrupt`] if something else wrote to the ring.
    #[inline]
    pub fn try_reserve(&mut self) -> Result<SlotMut<'_, Self>, SendError> {
        let turn = self.take(1)?;
        Ok(SlotMut::new(self, turn))
    }

    /// Reserves 1 to `most` free slots that follow each other. Takes 255 at most.
    ///
    /// # Errors
    /// As [`try_reserve`](Self::try_reserve).
    #[inline]
    pub fn try_reserve_many(&mut self, most: usize) -> Result<SlotsMut<'_, Self>, SendError> {
        let turn = self.take(most as u64)?;
        Ok(SlotsMut::new(self, turn))
    }

    /// Copies `bytes` into a slot and sends it if one is free.
    ///
    /// # Errors
    /// [`SendError::Empty`] and [`SendError::TooLong`], no slot being taken; as [`try_reserve`](Self::try_reserve).
    #[inline]
    pub fn try_send(&mut self, bytes: &[u8]) -> Result<(), SendError> {
        let slot_len = self.lane.slot_len();
        if bytes.is_empty() {
            return Err(SendError::Empty);
        }
        if bytes.len() > slot_len {
            return Err(SendError::TooLong { len: bytes.len(), slot_len });
        }
        let mut slot = self.try_reserve()?;
        if let Some(to) = slot.get_mut(..bytes.len()) {
            to.copy_from_slice(bytes);
        }
        slot.commit(bytes.len())
    }

    #[inline]
    fn take(&mut self, most: u64) -> Result<ProducerTurn, SendError> {
        self.take_back();
        let turn = self.lane.try_reserve(most, &()).map_err(|error| match error {
            TurnError::Unavailable => SendError::Full,
            TurnError::Corrupt(corrupt) => {
                self.counts.errors = self.counts.errors.saturating_add(1);
                SendError::Corrupt(corrupt)
            }
        })?;
        self.lent.begin(turn.position(), turn.count());
        Ok(turn)
    }

    /// Gives up what a guard had that was forgotten.
    #[inline]
    fn take_back(&mut self) {
        if let Some(turn) = self.lent.forgotten() {
            let given_up = self.lane.give_up_forgotten(turn, &Nobody);
            self.counts.tombstones = self.counts.tombstones.wrapping_add(given_up);
        }
    }
}

impl<S: Segment> Drop for Producer<S> {
    fn drop(&mut self) {
        self.take_back();
    }
}

/// Nobody sleeps inside one program.
struct Nobody;

impl Sleep for Nobody {
    fn sleep(&self, _expected: u32) {}

    fn wake(&self) {}
}

/// The half of an end that receives.
#[derive(Debug)]
pub struct Consumer<S: Segment> {
    lane: Lane<S>,
    counts: Counts,
    lent: Lent,
}

impl<S: Segment> Consumer<S> {
    fn new(lane: Lane<S>) -> Self {
        Self { lane, counts: Counts::default(), lent: Lent::new() }
    }

    /// Another half that receives at the same end. Each message goes to one of them.
    #[must_use]
    pub fn another(&self) -> Self {
        Self::new(self.lane.clone())
    }

    /// What the link looks like.
    pub fn geometry(&self) -> &Geometry {
        self.lane.geometry()
    }

    /// What this half has done.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Receives a message if one is there. Passes over as many slots given up as the ring has; behind so many the next
    /// call goes on.
    ///
    /// # Errors
    /// [`RecvError::Empty`] if none is; what a packet of [`SlotMut::commit_packet`] is wrong about, its slot being
    /// released; [`RecvError::Corrupt`] if something else wrote to the ring.
    #[inline]
    pub fn try_recv(&mut self) -> Result<Slot<'_, Self>, RecvError> {
        // Bounded, however fast producers give up what they reserve.
        for _ in 0..self.lane.geometry().slots() {
            let turn = self.take(1)?;
            match interpret(&self.lane, &turn) {
                Meaning::Data { buffer, len } => {
                    self.counts.add(Some(len));
                    return Ok(Slot::new(self, turn, buffer, len));
                }
                Meaning::Tombstone => {
                    self.release(turn);
                    self.counts.add(None);
                }
                Meaning::Wrong(error) => {
                    self.release(turn);
                    return Err(self.count_error(error));
                }
            }
        }
        Err(RecvError::Empty)
    }

    /// Claims 1 to `most` slots that follow each other, if one is there. Takes 255 at most; all of them may turn out to be
    /// given up.
    ///
    /// # Errors
    /// As [`try_recv`](Self::try_recv), except for packets, which are looked at later.
    #[inline]
    pub fn try_recv_many(&mut self, most: usize) -> Result<Slots<'_, Self>, RecvError> {
        let turn = self.take(most as u64)?;
        Ok(Slots::new(self, turn))
    }

    #[inline]
    fn take(&mut self, most: u64) -> Result<ConsumerTurn, RecvError> {
        self.take_back();
        let turn = self.lane.try_claim(most, &()).map_err(|error| match error {
            TurnError::Unavailable => RecvError::Empty,
            TurnError::Corrupt(corrupt) => self.count_error(RecvError::Corrupt(corrupt)),
        })?;
        self.lent.begin(turn.position(), turn.count());
        Ok(turn)
    }

    /// Releases what a guard had that was forgotten.
    #[inline]
    fn take_back(&mut self) {
        if let Some(turn) = self.lent.forgotten() {
            self.lane.release_forgotten(turn, &Nobody);
        }
    }

    #[cold]
    fn count_error(&mut self, error: RecvError) -> RecvError {
        self.counts.errors = self.counts.errors.saturating_add(1);
        error
    }
}

impl<S: Segment> Drop for Consumer<S> {
    fn drop(&mut self) {
        self.take_back();
    }
}

impl<S: Segment> Port for Producer<S> {
    type Segment = S;

    /// There is one program.
    #[inline]
    fn forked(&self) -> Option<Pid> {
        None
    }

    #[inline]
    fn lane(&self) -> &Lane<S> {
        &self.lane
    }

    #[inline]
    fn publish(&self, turn: ProducerTurn, packet: Packet) {
        // Nobody sleeps.
        self.lane.publish_quietly(turn, packet);
        self.lent.end();
    }

    fn release(&self, _turn: ConsumerTurn) {}

    /// A batch has ended.
    #[inline]
    fn wake_consumers(&self) {
        self.lent.end();
    }

    fn wake_producers(&self) {}

    #[inline]
    fn count_sent(&mut self, bytes: Option<usize>) {
        self.counts.add(bytes);
    }

    #[inline]
    fn next_copy(&mut self) -> u64 {
        self.copies = self.copies.wrapping_add(1);
        self.copies
    }
}

impl<S: Segment> Port for Consumer<S> {
    type Segment = S;

    /// There is one program.
    #[inline]
    fn forked(&self) -> Option<Pid> {
        None
    }

    #[inline]
    fn lane(&self) -> &Lane<S> {
        &self.lane
    }

    fn publish(&self, _turn: ProducerTurn, _packet: Packet) {}

    #[inline]
    fn release(&self, turn: ConsumerTurn) {
        // Nobody sleeps.
        self.lane.release_quietly(turn);
        self.lent.end();
    }

    fn wake_consumers(&self) {}

    /// A batch has ended.
    #[inline]
    fn wake_producers(&self) {
        self.lent.end();
    }

    #[inline]
    fn count_sent(&mut self, bytes: Option<usize>) {
        self.counts.add(bytes);
    }

    fn next_copy(&mut self) -> u64 {
        0
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
