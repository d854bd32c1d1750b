//! Where a ring's words live: any memory that can name its header and its slots.

use super::layout::{RingHeader, RingSlot};

/// Memory of a ring.
///
/// All of it is atomic words, so that a wrong implementation makes a ring that does not work, and no data race.
pub trait RingMemory<const WORDS: usize = 8> {
    /// The control words, always the same.
    fn header(&self) -> &RingHeader;

    /// The slot at `index`, always the same for one index. Called with indices below the capacity.
    fn slot(&self, index: usize) -> &RingSlot<WORDS>;

    /// The slot at `index` will be read next: a hint.
    #[inline]
    fn expect_read(&self, _index: usize) {}
}

impl<const WORDS: usize, M: RingMemory<WORDS>> RingMemory<WORDS> for &M {
    fn header(&self) -> &RingHeader {
        M::header(self)
    }

    fn slot(&self, index: usize) -> &RingSlot<WORDS> {
        M::slot(self, index)
    }
}

/// A ring's memory inside the program: `SLOTS` slots, a power of two.
#[derive(Debug)]
pub struct ArrayMemory<const SLOTS: usize, const WORDS: usize = 8> {
    header: RingHeader,
    slots: [RingSlot<WORDS>; SLOTS],
}

impl<const SLOTS: usize, const WORDS: usize> ArrayMemory<SLOTS, WORDS> {
    /// Refused where it is compiled: a capacity that is no power of two, or below 2.
    const CHECK: () =
        assert!(SLOTS.is_power_of_two() && SLOTS >= 2, "the slots of a ring are a power of two, at least 2");

    /// Memory for a ring, not initialised.
    pub fn new() -> Self {
        let () = Self::CHECK;
        Self { header: RingHeader::zeroed(), slots: core::array::from_fn(|_| RingSlot::zeroed()) }
    }
}

impl<const SLOTS: usize, const WORDS: usize> Default for ArrayMemory<SLOTS, WORDS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const SLOTS: usize, const WORDS: usize> RingMemory<WORDS> for ArrayMemory<SLOTS, WORDS> {
    fn header(&self) -> &RingHeader {
        &self.header
    }

    #[inline]
    fn slot(&self, index: usize) -> &RingSlot<WORDS> {
        // Never out of bounds for a power of two; the mask lets the compiler see it.
        &self.slots[index & (SLOTS - 1)]
    }
}
