//! One direction of a link: a ring, and a buffer for each of its slots.

use super::base::tombstone;
use super::extension::{Bell, ExtensionHeader, Sleep, Waits};
use super::layout::Geometry;
use super::lend;
use super::numbers::{ErrorCode, Profile};
use super::packet::Packet;
use crate::mpmc::{
    self, ConsumerTurn, Corrupt, HEADER_LEN, Journal, ProducerTurn, Ring, RingHeader, RingMemory, RingSlot,
    TurnError,
};
use crate::platform::Segment;
use crate::shm::{Buffers, Soon, Span, Table, ViewError};

/// A ring's words in a segment.
#[derive(Clone, Debug)]
pub(super) struct LaneMemory<S> {
    header: Table<S, RingHeader>,
    slots: Table<S, RingSlot>,
    buffers: Buffers<S>,
}

impl<S: Segment> RingMemory for LaneMemory<S> {
    #[inline]
    fn header(&self) -> &RingHeader {
        self.header.at(0)
    }

    #[inline]
    fn slot(&self, index: usize) -> &RingSlot {
        self.slots.at(index)
    }

    #[inline]
    fn expect_read(&self, index: usize) {
        self.slots.expect(index, 0, Soon::Read);
        self.buffers.expect(index, Soon::Read);
    }
}

/// One direction of a link.
#[derive(Clone, Debug)]
#[expect(unnameable_types, reason = "reached through the sealed `Port`, named by nobody outside")]
pub struct Lane<S> {
    ring: Ring<LaneMemory<S>>,
    index: usize,
    geometry: Geometry,
    extension: Option<Table<S, ExtensionHeader>>,
    /// Whether a packet may name another buffer than its slot's: the first implementation counted them apart.
    any_buffer: bool,
}

/// Whether a lane is made or found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Make {
    Initialise,
    Attach,
}

/// Why a lane cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LaneError {
    View(ViewError),
    Ring(mpmc::AttachError),
}

impl<S: Segment> Lane<S> {
    /// Lane `index` of `segment`.
    pub(super) fn new(
        segment: &S,
        geometry: Geometry,
        index: usize,
        make: Make,
        extension: Option<Table<S, ExtensionHeader>>,
    ) -> Result<Self, LaneError> {
        let plan = geometry.plan();
        let [first, second] = plan.rings;
        let ring = if index == 0 { first } else { second };
        let [first, second] = plan.buffers;
        let pool = if index == 0 { first } else { second };
        // They fit: the plan was computed with them.
        let slots = usize::try_from(geometry.slots()).unwrap_or(usize::MAX);
        let slot_len = usize::try_from(geometry.slot_len()).unwrap_or(usize::MAX);
        let short = ViewError { offset: pool, wanted: slots * slot_len, align: 8, len: segment.len() };
        let memory = LaneMemory {
            header: Table::new(segment.clone(), ring, 1).map_err(LaneError::View)?,
            slots: Table::new(segment.clone(), ring + HEADER_LEN, slots).map_err(LaneError::View)?,
            buffers: Buffers::new(segment.clone(), pool, slot_len, slots)
                .map_err(|_| LaneError::View(short))?,
        };
        let ring = match make {
            Make::Initialise => Ring::initialise(memory, geometry.slots()),
            Make::Attach => Ring::attach(memory, geometry.slots()),
        };
        let ring = ring.map_err(LaneError::Ring)?;
        let any_buffer = geometry.profile() == Profile::Seed;
        Ok(Self { ring, index, geometry, extension, any_buffer })
    }

    /// The same without packets that name another buffer than their slot's, and without bells: for one program, which is
    /// not lent bytes twice whatever its packets say.
    pub(super) fn alone(self) -> Self {
        Self { extension: None, any_buffer: false, ..self }
    }

    /// Whether the packet of slot `slot` may name `buffer`.
    #[inline]
    pub(super) fn may_name(&self, slot: u64, buffer: u64) -> bool {
        buffer == slot || self.any_buffer && buffer < self.geometry.slots()
    }

    pub(super) fn index(&self) -> usize {
        self.index
    }

    pub(super) fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    pub(super) fn ring(&self) -> &Ring<LaneMemory<S>> {
        &self.ring
    }

    /// Bytes of a slot's buffer.
    #[inline]
    pub(super) fn slot_len(&self) -> usize {
        self.ring.memory().buffers.len()
    }

    /// The buffer at `index` modulo the slots.
    #[inline]
    pub(super) fn buffer(&self, index: usize) -> Span<'_> {
        self.ring.memory().buffers.at(index)
    }

    #[inline]
    pub(super) fn try_reserve(&self, most: u64, journal: &impl Journal) -> Result<ProducerTurn, TurnError> {
        self.ring.try_reserve(most, journal)
    }

    #[inline]
    pub(super) fn try_claim(&self, most: u64, journal: &impl Journal) -> Result<ConsumerTurn, TurnError> {
        self.ring.try_claim(most, journal)
    }

    /// Whether a claim is worth while.
    #[inline]
    pub(super) fn has_data(&self) -> bool {
        self.ring.has_filled()
    }

    /// Whether a reservation is worth while.
    #[inline]
    pub(super) fn has_space(&self) -> bool {
        self.ring.has_free()
    }

    /// Fetches the lines that the next reservation will write, while there is time.
    #[inline]
    pub(super) fn expect_reservation(&self) {
        let index = self.ring.index(self.ring.tail());
        let memory = self.ring.memory();
        memory.slots.expect(index, 0, Soon::Written);
        memory.slots.expect(index, size_of::<RingSlot>() - 1, Soon::Written);
        memory.buffers.expect(index, Soon::Written);
    }

    /// Whether somebody has taken the slot that `waits` depends on and not given it back.
    pub(super) fn is_stuck(&self, waits: Waits) -> bool {
        let (head, tail) = self.ring.positions();
        match waits {
            Waits::Data => head != tail && !self.has_data(),
            Waits::Space => tail.wrapping_sub(head) < self.ring.capacity() && !self.has_space(),
        }
    }

    /// Whether the other kind's cursor can be what it says, for who waits.
    pub(super) fn check(&self, waits: Waits) -> Result<(), Corrupt> {
        match waits {
            Waits::Data => self.ring.check_tail(),
            Waits::Space => self.ring.check_head(),
        }
    }

    #[inline]
    pub(super) fn bell(&self, waits: Waits) -> Option<&Bell> {
        self.extension.as_ref().map(|extension| extension.at(0).bell(self.index, waits))
    }

    /// Publishes `packet`, and wakes consumers that sleep.
    #[inline]
    pub(super) fn publish(&self, turn: ProducerTurn, packet: Packet, sleepers: &impl Sleep) {
        match self.bell(Waits::Data).filter(|bell| bell.was_used()) {
            None => self.ring.publish(turn, packet.0),
            Some(bell) => {
                self.ring.publish_and_fence(turn, packet.0);
                bell.ring(sleepers);
            }
        }
    }

    /// Publishes one of several: [`ring_data`](Self::ring_data) follows the last.
    #[inline]
    pub(super) fn publish_quietly(&self, turn: ProducerTurn, packet: Packet) {
        self.ring.publish(turn, packet.0);
    }

    /// Releases the slot, and wakes producers that sleep.
    #[inline]
    pub(super) fn release(&self, turn: ConsumerTurn, sleepers: &impl Sleep) {
        match self.bell(Waits::Space).filter(|bell| bell.was_used()) {
            None => self.ring.release(turn),
            Some(bell) => {
                self.ring.release_and_fence(turn);
                bell.ring(sleepers);
            }
        }
    }

    /// Releases one of several: [`ring_bell`](Self::ring_bell) follows the last.
    #[inline]
    pub(super) fn release_quietly(&self, turn: ConsumerTurn) {
        self.ring.release(turn);
    }

    /// Wakes who waits for what was published or released quietly.
    #[inline]
    pub(super) fn ring_bell(&self, waits: Waits, sleepers: &impl Sleep) {
        if let Some(bell) = self.bell(waits).filter(|bell| bell.was_used()) {
            crate::sync::full_fence();
            bell.ring(sleepers);
        }
    }

    /// Releases what is left of a claim whose guard was forgotten: start and count.
    #[cold]
    pub(super) fn release_forgotten(&self, (start, count): (u64, u64), sleepers: &impl Sleep) {
        let positions = (0..count).map(|at| start.wrapping_add(at));
        // An exchange each: what the guard had given back may be another's by now.
        if positions.filter(|position| self.ring.release_in_place(*position)).count() > 0 {
            self.ring_bell(Waits::Space, sleepers);
        }
    }

    /// Gives up what is left of a reservation whose guard was forgotten; how many slots.
    #[cold]
    pub(super) fn give_up_forgotten(&self, (start, count): (u64, u64), sleepers: &impl Sleep) -> u64 {
        let (profile, slot_len) = (self.geometry.profile(), self.geometry.slot_len());
        let mut given_up = 0;
        for position in (0..count).map(|at| start.wrapping_add(at)) {
            let slot = self.ring.index(position) as u64;
            let packet = tombstone(profile, 0, slot, ErrorCode::INVALID_OP, slot_len);
            given_up += u64::from(self.ring.publish_in_place(position, packet.0));
        }
        if given_up > 0 {
            self.ring_bell(Waits::Data, sleepers);
        }
        given_up
    }

    /// The packet of the first slot of a turn.
    #[inline]
    pub(super) fn packet(&self, turn: &ConsumerTurn) -> Packet {
        Packet(self.ring.read(turn))
    }

    /// The buffer of the first slot of a turn, to be filled.
    #[inline]
    pub(super) fn reserved<'a>(&'a self, turn: &'a mut ProducerTurn) -> &'a mut [u8] {
        lend::reserved(self, turn)
    }

    /// The same, to be looked at.
    #[inline]
    pub(super) fn reserved_so_far<'a>(&'a self, turn: &'a ProducerTurn) -> &'a [u8] {
        lend::reserved_so_far(self, turn)
    }

    /// The first `len` bytes of the buffer of the first slot of a turn; none if that is more than it has.
    #[inline]
    pub(super) fn claimed<'a>(&'a self, turn: &'a ConsumerTurn, buffer: usize, len: usize) -> &'a [u8] {
        lend::claimed(self, turn, buffer, len)
    }
}
