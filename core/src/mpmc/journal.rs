//! What a participant is about to take: so that survivors know what a dead one held.

use crate::sync::{Ordering, SharedU64};

/// Told before a participant moves a cursor. One journal serves one turn at a time.
pub trait Journal {
    /// The participant is about to take `count` slots from `position` on. Others see it once they see the cursor moved.
    fn intend(&self, position: u64, count: u64);

    /// It has taken nothing.
    fn clear(&self);
}

/// Nobody recovers anything.
impl Journal for () {
    #[inline]
    fn intend(&self, _position: u64, _count: u64) {}

    #[inline]
    fn clear(&self) {}
}

/// Perhaps somebody.
impl<J: Journal> Journal for Option<&J> {
    #[inline]
    fn intend(&self, position: u64, count: u64) {
        if let Some(journal) = self {
            journal.intend(position, count);
        }
    }

    #[inline]
    fn clear(&self) {
        if let Some(journal) = self {
            journal.clear();
        }
    }
}

/// One word: the low 56 bits of the position above the count. 2⁵⁶ messages take longer than a machine lasts.
///
/// It is not cleared when a turn ends: a position whose slot was published or released is nobody's any more, and the
/// same slot has another position on the next lap.
impl Journal for SharedU64 {
    #[inline]
    fn intend(&self, position: u64, count: u64) {
        // The Release exchange of the cursor that follows shows it. Release itself, for the journal's last content: who sees
        // that gone, by the Acquire in `held`, sees that its slots were given back.
        self.store(position << 8 | (count & 0xff), Ordering::Release);
    }

    #[inline]
    fn clear(&self) {
        // Pairs with the Acquire load in `held`: what was taken before is seen to be given back.
        self.store(0, Ordering::Release);
    }
}

/// Positions that a journal says may be taken: the first, and how many.
pub(crate) fn held(journal: &SharedU64) -> (u64, u64) {
    // Pairs with the Release in `clear` and the cursor's exchange.
    let word = journal.load(Ordering::Acquire);
    (word >> 8, word & 0xff)
}

/// Whether `(start, count)` as a journal has it covers `position`.
pub(crate) fn covers((start, count): (u64, u64), position: u64) -> bool {
    // Modulo 2⁵⁶, as the journal is.
    (position << 8 >> 8).wrapping_sub(start) << 8 >> 8 < count
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_journal_covers_exactly_what_was_intended() {
        let journal = SharedU64::new(0);
        assert!(!covers(held(&journal), 0));
        for (start, count) in [(0, 1), (7, 3), ((1 << 56) - 1, 2)] {
            journal.intend(start, count);
            let held = held(&journal);
            assert!((0..count).all(|at| covers(held, start + at)));
            assert!(!covers(held, start.wrapping_sub(1)) && !covers(held, start + count));
        }
        journal.clear();
        assert!(!covers(held(&journal), 0) && !covers(held(&journal), 7));
    }
}
