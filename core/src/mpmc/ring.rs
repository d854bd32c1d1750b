//! Who may use which slot: turns are won by compare-and-swap, and given back through the slot's sequence.

use super::error::{AttachError, Corrupt, TurnError};
use super::journal::Journal;
use super::layout::{INITIALISED, MAGIC, RingHeader};
use super::memory::RingMemory;
use crate::sync::{Ordering, SharedU64, full_fence_after_rmw};

/// Races lost in a row after which a try gives up for this time: no peer can keep a caller in the loop.
pub const MOST_RACES: u32 = 4096;

/// Most slots taken by one turn.
pub const MOST_AT_ONCE: u64 = 255;

/// A bounded ring of elements of `WORDS` words, for many producers and many consumers.
#[derive(Clone, Debug)]
pub struct Ring<M, const WORDS: usize = 8> {
    memory: M,
    /// Slots, a power of two. The ring's own copy: what stands in memory is a peer's to change.
    capacity: u64,
}

/// The right to fill the slots at `count` positions from `start` on. Publish each once.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "an unpublished slot stops every consumer at its position"]
pub struct ProducerTurn {
    start: u64,
    count: u64,
}

/// The right to read the slots at `count` positions from `start` on. Release each once.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a slot that is not released stops producers one lap later"]
pub struct ConsumerTurn {
    start: u64,
    count: u64,
}

macro_rules! turn {
    ($turn:ident) => {
        impl $turn {
            /// Position of the first slot left.
            #[inline]
            pub fn position(&self) -> u64 {
                self.start
            }

            /// Slots left.
            #[inline]
            pub fn count(&self) -> u64 {
                self.count
            }

            /// Takes the first slot off, as a turn of its own; `None` if none is left.
            #[inline]
            pub fn take_first(&mut self) -> Option<Self> {
                self.count = self.count.checked_sub(1)?;
                let start = self.start;
                self.start = start.wrapping_add(1);
                Some(Self { start, count: 1 })
            }
        }
    };
}
turn!(ProducerTurn);
turn!(ConsumerTurn);

impl ConsumerTurn {
    /// Leaves none; whether any was left. They stay as they are.
    pub(crate) fn take_all(&mut self) -> bool {
        core::mem::take(&mut self.count) > 0
    }
}

impl<const WORDS: usize, M: RingMemory<WORDS>> Ring<M, WORDS> {
    /// Makes `memory` an empty ring of `slots` slots. Nobody else may use it yet.
    ///
    /// # Errors
    /// [`AttachError::Slots`] unless `slots` is a power of two, at least 2.
    pub fn initialise(memory: M, slots: u64) -> Result<Self, AttachError> {
        let ring = Self::over(memory, slots)?;
        let header = ring.header();
        // Relaxed: nobody else looks before the flags are there.
        header.magic.store(MAGIC, Ordering::Relaxed);
        header.capacity.store(slots, Ordering::Relaxed);
        for position in 0..slots {
            let slot = ring.memory.slot(ring.index(position));
            for word in &slot.element {
                word.store(0, Ordering::Relaxed);
            }
            slot.sequence.store(position, Ordering::Relaxed);
        }
        header.head.store(0, Ordering::Relaxed);
        header.tail.store(0, Ordering::Relaxed);
        // Pairs with the Acquire load in `RingHeader::identity`.
        header.flags.store(INITIALISED, Ordering::Release);
        Ok(ring)
    }

    /// Uses memory that somebody else has made a ring of `slots` slots.
    ///
    /// # Errors
    /// [`AttachError`] says which word is not that ring's.
    pub fn attach(memory: M, slots: u64) -> Result<Self, AttachError> {
        let ring = Self::over(memory, slots)?;
        let [magic, capacity, flags] = ring.header().identity();
        if magic != MAGIC {
            return Err(AttachError::Magic { found: magic });
        }
        if flags != INITIALISED {
            return Err(AttachError::NotInitialised { found: flags });
        }
        if capacity != slots {
            return Err(AttachError::Capacity { found: capacity, wanted: slots });
        }
        Ok(ring)
    }

    fn over(memory: M, slots: u64) -> Result<Self, AttachError> {
        if slots < 2 || !slots.is_power_of_two() || usize::try_from(slots).is_err() {
            return Err(AttachError::Slots { slots });
        }
        Ok(Self { memory, capacity: slots })
    }

    /// Slots of the ring.
    #[inline]
    pub fn capacity(&self) -> u64 {
        self.capacity
    }

    /// Where the ring lives.
    pub fn memory(&self) -> &M {
        &self.memory
    }

    #[inline]
    fn header(&self) -> &RingHeader {
        self.memory.header()
    }

    /// The index of a position's slot.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "masked by a capacity that fits")]
    pub fn index(&self, position: u64) -> usize {
        (position & (self.capacity - 1)) as usize
    }

    #[inline]
    fn sequence(&self, position: u64) -> &SharedU64 {
        &self.memory.slot(self.index(position)).sequence
    }

    /// Next positions to consume and to produce, as they stand. They may be a peer's nonsense.
    pub fn positions(&self) -> (u64, u64) {
        // Acquire: with what the participants did before they moved them.
        (self.header().head.load(Ordering::Acquire), self.header().tail.load(Ordering::Acquire))
    }

    /// For a producer that finds the ring full: whether the head can be one. A head that somebody has overwritten looks
    /// like a ring that nobody reads.
    ///
    /// # Errors
    /// [`Corrupt`] names the head.
    pub fn check_head(&self) -> Result<(), Corrupt> {
        self.check_cursors(|head, tail| self.corrupt("head", head, tail))
    }

    /// For a consumer that finds the ring empty: whether the tail can be one.
    ///
    /// # Errors
    /// [`Corrupt`] names the tail.
    pub fn check_tail(&self) -> Result<(), Corrupt> {
        self.check_cursors(|head, tail| self.corrupt("tail", tail, head))
    }

    /// At each moment the tail is at the head, or ahead of it by up to the capacity; both only grow.
    #[cold]
    fn check_cursors(&self, corrupt: impl FnOnce(u64, u64) -> Corrupt) -> Result<(), Corrupt> {
        // Acquire, and in this order: the tail is not older than the first head, nor newer than the last.
        let (first, tail) = self.positions();
        let last = self.header().head.load(Ordering::Acquire);
        let is_behind = tail.wrapping_sub(first).cast_signed() < 0;
        let is_too_far = tail.wrapping_sub(last).cast_signed() > self.capacity.cast_signed();
        if is_behind || is_too_far { Err(corrupt(last, tail)) } else { Ok(()) }
    }

    /// Whether the slot at the head is filled. Looks at the consumers' words alone.
    #[inline]
    pub fn has_filled(&self) -> bool {
        // Acquire: as in `take`.
        let head = self.header().head.load(Ordering::Acquire);
        self.sequence_at(head) == head.wrapping_add(1)
    }

    /// Whether the slot at the tail is free. Looks at the producers' words alone.
    #[inline]
    pub fn has_free(&self) -> bool {
        // Acquire: as in `take`.
        let tail = self.header().tail.load(Ordering::Acquire);
        self.sequence_at(tail) == tail
    }

    /// Next position to produce, as it stands. Looks at the producers' word alone.
    #[inline]
    pub(crate) fn tail(&self) -> u64 {
        // Relaxed: for hints.
        self.header().tail.load(Ordering::Relaxed)
    }

    /// The sequence at a position.
    #[inline]
    pub fn sequence_at(&self, position: u64) -> u64 {
        // Acquire: with the element published by it.
        self.sequence(position).load(Ordering::Acquire)
    }

    /// Takes up to `most` free slots that follow each other, to fill them.
    ///
    /// Never waits. Lock-free among producers: a race is lost only to one that won. What it depends on is the slot at the
    /// tail: a consumer that has claimed and not released it makes the ring full for all producers.
    ///
    /// # Errors
    /// [`TurnError`]; `journal` is clear then.
    #[inline]
    pub fn try_reserve(&self, most: u64, journal: &impl Journal) -> Result<ProducerTurn, TurnError> {
        let header = self.header();
        let (start, count) = self.take(&header.tail, "tail", 0, most, journal)?;
        Ok(ProducerTurn { start, count })
    }

    /// Takes up to `most` filled slots that follow each other, to read them.
    ///
    /// Never waits. Lock-free among consumers: a race is lost only to one that won. What it depends on is the slot at the
    /// head: a producer that has reserved and not published it makes the ring empty for all consumers.
    ///
    /// # Errors
    /// [`TurnError`]; `journal` is clear then.
    #[inline]
    pub fn try_claim(&self, most: u64, journal: &impl Journal) -> Result<ConsumerTurn, TurnError> {
        let header = self.header();
        let (start, count) = self.take(&header.head, "head", 1, most, journal)?;
        Ok(ConsumerTurn { start, count })
    }

    /// Moves `cursor` over up to `most` slots whose sequence is their position plus `due`.
    #[inline]
    fn take(
        &self,
        cursor: &SharedU64,
        word: &'static str,
        due: u64,
        most: u64,
        journal: &impl Journal,
    ) -> Result<(u64, u64), TurnError> {
        // Pairs with the AcqRel exchange below: whoever moved the cursor here has seen the sequences of the lap before, so
        // we cannot see older ones.
        let mut position = cursor.load(Ordering::Acquire);
        for _ in 0..MOST_RACES {
            // Pairs with the Release in `publish` and `release`: sees the element, or that it was read.
            let found = self.sequence(position).load(Ordering::Acquire);
            let ahead = found.wrapping_sub(position.wrapping_add(due)).cast_signed();
            if ahead == 0 {
                if due == 1 {
                    // Before the exchange, behind which every load waits for it.
                    self.memory.expect_read(self.index(position));
                }
                let count = if most > 1 { self.ready_after(position, due, most) } else { 1 };
                // Before the exchange, whose Release shows it to whoever finds the cursor moved.
                journal.intend(position, count);
                let next = position.wrapping_add(count);
                if cursor.compare_exchange(position, next, Ordering::AcqRel).is_ok() {
                    return Ok((position, count));
                }
            }
            // Pairs with the exchange above, as the first load does.
            let now = cursor.load(Ordering::Acquire);
            if now == position {
                journal.clear();
                return Err(self.refuse(found, position, due));
            }
            if now.wrapping_sub(position).cast_signed() < 0 {
                journal.clear();
                return Err(self.corrupt(word, now, position).into());
            }
            position = now;
        }
        journal.clear();
        Err(TurnError::Unavailable)
    }

    /// How many slots from `position` on, whose own is ready, are ready: up to `most`.
    fn ready_after(&self, position: u64, due: u64, most: u64) -> u64 {
        let most = most.min(MOST_AT_ONCE).min(self.capacity);
        let mut count = 1;
        while count < most {
            let next = position.wrapping_add(count);
            // As in `take`.
            if self.sequence(next).load(Ordering::Acquire) != next.wrapping_add(due) {
                break;
            }
            count += 1;
        }
        count
    }

    /// Why no slot could be taken at `position`, whose sequence is `found`, while nobody moved the cursor.
    #[cold]
    fn refuse(&self, found: u64, position: u64, due: u64) -> TurnError {
        // The slot is where the lap before left it: in use by the other kind, whether or not that has finished its part.
        let [due, capacity] = [due, self.capacity].map(u64::cast_signed);
        let ahead = found.wrapping_sub(position).cast_signed().wrapping_sub(due);
        if ahead < 0 && [-due, 1 - due - capacity, -capacity].contains(&ahead) {
            return TurnError::Unavailable;
        }
        self.corrupt("sequence", found, position).into()
    }

    #[cold]
    fn corrupt(&self, word: &'static str, found: u64, position: u64) -> Corrupt {
        Corrupt { word, found, position, capacity: self.capacity }
    }

    /// Fills the slot of `turn`, which must have one left; consumers see it at once.
    #[inline]
    pub fn publish(&self, turn: ProducerTurn, element: [u64; WORDS]) {
        let slot = self.fill(&turn, element);
        // Pairs with the Acquire in `take`.
        slot.store(turn.start.wrapping_add(1), Ordering::Release);
    }

    /// [`publish`](Self::publish), ordered before every later load: for who then looks whether somebody sleeps.
    #[inline]
    pub fn publish_and_fence(&self, turn: ProducerTurn, element: [u64; WORDS]) {
        let slot = self.fill(&turn, element);
        // As in `publish`; the read-modify-write is the fence on x86.
        slot.swap(turn.start.wrapping_add(1), Ordering::AcqRel);
        full_fence_after_rmw();
    }

    #[inline]
    fn fill(&self, turn: &ProducerTurn, element: [u64; WORDS]) -> &SharedU64 {
        let slot = self.memory.slot(self.index(turn.start));
        for (word, value) in slot.element.iter().zip(element) {
            // Relaxed: the sequence publishes it.
            word.store(value, Ordering::Relaxed);
        }
        &slot.sequence
    }

    /// The element of the first slot of `turn`, each word read once.
    #[inline]
    pub fn read(&self, turn: &ConsumerTurn) -> [u64; WORDS] {
        self.read_first(turn)
    }

    /// The first `COUNT` words of the same; words beyond the element are 0.
    #[inline]
    pub(crate) fn read_first<const COUNT: usize>(&self, turn: &ConsumerTurn) -> [u64; COUNT] {
        let slot = self.memory.slot(self.index(turn.start));
        // Relaxed: the Acquire of the sequence in `take` shows it.
        core::array::from_fn(|at| slot.element.get(at).map_or(0, |word| word.load(Ordering::Relaxed)))
    }

    /// Gives the slot of `turn` back to producers.
    #[inline]
    pub fn release(&self, turn: ConsumerTurn) {
        // Pairs with the Acquire in `take`: the next producer's stores come after our loads.
        self.sequence(turn.start).store(turn.start.wrapping_add(self.capacity), Ordering::Release);
    }

    /// [`release`](Self::release), ordered before every later load.
    #[inline]
    pub fn release_and_fence(&self, turn: ConsumerTurn) {
        // As in `release`; the read-modify-write is the fence on x86.
        self.sequence(turn.start).swap(turn.start.wrapping_add(self.capacity), Ordering::AcqRel);
        full_fence_after_rmw();
    }
}

impl<const WORDS: usize, M: RingMemory<WORDS>> Ring<M, WORDS> {
    /// Publishes `element` in the place of a producer that has died holding `position`, or has forgotten it; `false` if it
    /// did not hold it.
    ///
    /// One caller at a time, and only with proof that no living producer has the position in his hands.
    pub(crate) fn publish_in_place(&self, position: u64, element: [u64; WORDS]) -> bool {
        if self.sequence_at(position) != position {
            return false;
        }
        let turn = ProducerTurn { start: position, count: 1 };
        let slot = self.fill(&turn, element);
        // As in `publish`; an exchange, so that a mistake of the caller does no harm to the next lap.
        slot.compare_exchange(position, position.wrapping_add(1), Ordering::AcqRel).is_ok()
    }

    /// Releases the slot in the place of a consumer that has died holding `position`, or has forgotten it; `false` if it did
    /// not hold it.
    pub(crate) fn release_in_place(&self, position: u64) -> bool {
        let filled = position.wrapping_add(1);
        let free = position.wrapping_add(self.capacity);
        // As in `release`.
        self.sequence(position).compare_exchange(filled, free, Ordering::AcqRel).is_ok()
    }
}

#[cfg(all(test, not(loom)))]
impl<const WORDS: usize, M: RingMemory<WORDS>> Ring<M, WORDS> {
    /// Overwrites head, tail and the sequences, as a peer that keeps no rule would.
    pub(super) fn scribble(&self, head: u64, tail: u64, sequences: &[u64]) {
        self.header().head.store(head, Ordering::Release);
        self.header().tail.store(tail, Ordering::Release);
        for (position, sequence) in (0..).zip(sequences) {
            self.sequence(position).store(*sequence, Ordering::Release);
        }
    }
}
