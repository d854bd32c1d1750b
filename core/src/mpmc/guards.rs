//! Turns that cannot be forgotten by accident: what is left when they are dropped is published or released.

use super::error::TurnError;
use super::memory::RingMemory;
use super::ring::{ConsumerTurn, ProducerTurn, Ring};

/// Reserved slots, to be filled one after another. Those left when it is dropped are published with zeros: consumers must
/// know such an element from a real one.
#[derive(Debug)]
#[must_use = "dropping publishes zeros"]
pub struct Reservations<'r, M: RingMemory<WORDS>, const WORDS: usize> {
    ring: &'r Ring<M, WORDS>,
    turn: ProducerTurn,
}

/// Claimed slots, to be read one after another. Those left when it is dropped are released unread.
#[derive(Debug)]
#[must_use = "dropping releases the slots unread"]
pub struct Claims<'r, M: RingMemory<WORDS>, const WORDS: usize> {
    ring: &'r Ring<M, WORDS>,
    turn: ConsumerTurn,
}

impl<const WORDS: usize, M: RingMemory<WORDS>> Ring<M, WORDS> {
    /// [`try_reserve`](Self::try_reserve) without a journal, as a guard.
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn reserve_guard(&self, most: u64) -> Result<Reservations<'_, M, WORDS>, TurnError> {
        Ok(Reservations { ring: self, turn: self.try_reserve(most, &())? })
    }

    /// [`try_claim`](Self::try_claim) without a journal, as a guard.
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn claim_guard(&self, most: u64) -> Result<Claims<'_, M, WORDS>, TurnError> {
        Ok(Claims { ring: self, turn: self.try_claim(most, &())? })
    }

    /// Adds one element.
    ///
    /// # Errors
    /// [`TurnError`]; the element is not added then.
    #[inline]
    pub fn try_push(&self, element: [u64; WORDS]) -> Result<(), TurnError> {
        let turn = self.try_reserve(1, &())?;
        self.publish(turn, element);
        Ok(())
    }

    /// Takes one element.
    ///
    /// # Errors
    /// [`TurnError`].
    #[inline]
    pub fn try_pop(&self) -> Result<[u64; WORDS], TurnError> {
        let turn = self.try_claim(1, &())?;
        let element = self.read(&turn);
        self.release(turn);
        Ok(element)
    }
}

impl<const WORDS: usize, M: RingMemory<WORDS>> Reservations<'_, M, WORDS> {
    /// Slots left to fill.
    pub fn len(&self) -> u64 {
        self.turn.count()
    }

    /// Whether every slot was filled.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills the next slot, which consumers see at once; `false` if none is left.
    #[inline]
    pub fn publish(&mut self, element: [u64; WORDS]) -> bool {
        let Some(turn) = self.turn.take_first() else { return false };
        self.ring.publish(turn, element);
        true
    }
}

impl<const WORDS: usize, M: RingMemory<WORDS>> Drop for Reservations<'_, M, WORDS> {
    #[inline]
    fn drop(&mut self) {
        while self.publish([0; WORDS]) {}
    }
}

/// Reads and releases one slot after another.
impl<const WORDS: usize, M: RingMemory<WORDS>> Iterator for Claims<'_, M, WORDS> {
    type Item = [u64; WORDS];

    #[inline]
    fn next(&mut self) -> Option<[u64; WORDS]> {
        let turn = self.turn.take_first()?;
        let element = self.ring.read(&turn);
        self.ring.release(turn);
        Some(element)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // At most `MOST_AT_ONCE`.
        let left = usize::try_from(self.turn.count()).unwrap_or(0);
        (left, Some(left))
    }
}

impl<const WORDS: usize, M: RingMemory<WORDS>> ExactSizeIterator for Claims<'_, M, WORDS> {}

impl<const WORDS: usize, M: RingMemory<WORDS>> Drop for Claims<'_, M, WORDS> {
    #[inline]
    fn drop(&mut self) {
        while let Some(turn) = self.turn.take_first() {
            self.ring.release(turn);
        }
    }
}
