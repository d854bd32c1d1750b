//! What stands in a slot, for who watches a ring and takes nothing?

use super::memory::RingMemory;
use super::ring::Ring;
use crate::sync::{Ordering, full_fence};

/// What a position's slot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watched<const WORDS: usize> {
    /// Nothing yet: no producer has taken the position, or its producer has not published it.
    NotYet,
    /// Its element, whether or not a consumer has taken it meanwhile.
    Element([u64; WORDS]),
    /// Something else by now, or soon: the producer of a later lap has taken the slot.
    Overwritten,
}

impl<M: RingMemory<WORDS>, const WORDS: usize> Ring<M, WORDS> {
    /// Looks at the slot of `position` without taking it. Read-only memory will do.
    pub fn watch(&self, position: u64) -> Watched<WORDS> {
        let (_, tail) = self.positions();
        if position.wrapping_sub(tail).cast_signed() >= 0 {
            return Watched::NotYet;
        }
        let ahead = self.sequence_at(position).wrapping_sub(position);
        if ahead == 0 {
            return Watched::NotYet;
        }
        if ahead != 1 && ahead != self.capacity() {
            return Watched::Overwritten;
        }
        let slot = self.memory().slot(self.index(position));
        // Relaxed: the Acquire of the sequence shows it, and the fence keeps the loads before the next one.
        let element =
            core::array::from_fn(|at| slot.element.get(at).map_or(0, |word| word.load(Ordering::Relaxed)));
        full_fence();
        // Who writes the slot in the next lap has moved the tail over it before.
        let (_, tail) = self.positions();
        let lap = tail.wrapping_sub(position);
        if lap > self.capacity() { Watched::Overwritten } else { Watched::Element(element) }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::ArrayMemory;
    use super::*;

    #[test]
    fn an_element_can_be_seen_until_its_slot_is_taken_again() {
        let memory = ArrayMemory::<4, 1>::new();
        let ring = Ring::initialise(&memory, 4).unwrap();
        assert_eq!(ring.watch(0), Watched::NotYet);
        let turn = ring.try_reserve(1, &()).unwrap();
        assert_eq!(ring.watch(0), Watched::NotYet, "reserved");
        ring.publish(turn, [7]);
        assert_eq!(ring.watch(0), Watched::Element([7]));
        let turn = ring.try_claim(1, &()).unwrap();
        assert_eq!(ring.watch(0), Watched::Element([7]), "claimed");
        ring.release(turn);
        assert_eq!(ring.watch(0), Watched::Element([7]), "released");
        (1..4).for_each(|value| ring.try_push([value]).unwrap());
        assert_eq!(ring.watch(0), Watched::Element([7]), "the ring is full of others");
        let turn = ring.try_reserve(1, &()).unwrap();
        assert_eq!(ring.watch(0), Watched::Overwritten, "reserved for the next lap");
        ring.publish(turn, [8]);
        assert_eq!((ring.watch(0), ring.watch(4)), (Watched::Overwritten, Watched::Element([8])));
        assert_eq!(ring.watch(u64::MAX), Watched::Overwritten);
    }
}
