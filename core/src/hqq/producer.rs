//! The sending half of a link: reserves slots, waiting while there are none.

use super::base::{Base, Recovered};
use super::error::SendError;
use super::extension::{PARTICIPANTS, Waits};
use super::lane::Lane;
use super::lent::Lent;
use super::outgoing::{SlotMut, SlotsMut};
use super::packet::Packet;
use super::port::sealed::Port;
use super::wait::{Patience, Sleeper, Waited, wait};
use crate::backoff::Backoff;
use crate::mpmc::{ConsumerTurn, ProducerTurn, TurnError};
use crate::platform::{Pid, Platform, Segment as _, WaitPolicy};

/// What a handle has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages sent or received.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Slots given up, or found given up.
    pub tombstones: u64,
    /// Packets refused, and waits that failed by more than a time-out.
    pub errors: u64,
    /// Waits for a full ring to have space, or for an empty one to have data.
    pub waits: u64,
}

/// A handle that sends.
#[derive(Debug)]
pub struct Producer<P: Platform> {
    base: Base<P>,
    backoff: Backoff,
    copies: u64,
    counts: Counts,
    /// Taken by [`keep`](Producer::keep), for the next reservation.
    kept: Option<ProducerTurn>,
    lent: Lent,
}

impl<P: Platform> Producer<P> {
    /// What it waits for.
    pub(super) const WAITS: Waits = Waits::Space;

    pub(super) fn new(base: Base<P>, policy: WaitPolicy) -> Self {
        Self::of(base, Backoff::new(policy))
    }

    fn of(base: Base<P>, backoff: Backoff) -> Self {
        Self { base, backoff, copies: 0, counts: Counts::default(), kept: None, lent: Lent::new() }
    }

    pub(super) fn base(&self) -> &Base<P> {
        &self.base
    }

    pub(super) fn base_mut(&mut self) -> &mut Base<P> {
        &mut self.base
    }

    /// Another handle on the same side. It takes its place among the participants at once if there is one, and else when
    /// it is first used.
    #[must_use]
    pub fn another(&self) -> Self {
        let mut base = self.base.another();
        // Tried again, and reported, when it is used.
        let _ = base.sit_down();
        Self::of(base, self.backoff.again())
    }

    /// Who can wait on another thread for what this handle waits for.
    #[must_use]
    pub fn sleeper(&self) -> Sleeper<P> {
        Sleeper::new(self.base.another(), self.base.side.lane(), Waits::Space)
    }

    /// How long waits poll before they sleep.
    pub fn set_wait_policy(&mut self, policy: WaitPolicy) {
        self.backoff = Backoff::new(policy);
    }

    /// What this handle has done.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Whether [`take_recovered`](Self::take_recovered) has something to say.
    #[inline]
    pub fn has_recovered(&self) -> bool {
        self.base.has_recovered()
    }

    /// What this handle has recovered of dead participants since the last call.
    pub fn take_recovered(&mut self) -> Recovered {
        self.base.take_recovered()
    }

    #[inline]
    fn attempt(base: &Base<P>, most: u64) -> Result<Option<ProducerTurn>, SendError> {
        let lane = lane(base);
        match lane.try_reserve(most, &base.journal(lane.index())) {
            Ok(turn) => Ok(Some(turn)),
            Err(TurnError::Unavailable) => Ok(None),
            Err(TurnError::Corrupt(corrupt)) => Err(SendError::Corrupt(corrupt)),
        }
    }

    #[inline]
    fn take(&mut self, most: u64, patience: Option<Patience>) -> Result<ProducerTurn, SendError> {
        if let Some(owner) = self.base.forked() {
            return Err(SendError::Forked { owner });
        }
        if let Some(turn) = self.kept.take() {
            return Ok(turn);
        }
        // The journal has room for one turn.
        self.take_back();
        if self.base.is_unseated() {
            self.sit_down()?;
        }
        let turn = match Self::attempt(&self.base, most) {
            Ok(Some(turn)) => turn,
            Ok(None) => self.take_slowly(most, patience)?,
            Err(error) => return Err(self.count_error(error)),
        };
        self.lent.begin(turn.position(), turn.count());
        Ok(turn)
    }

    /// Gives up what a guard had that was forgotten.
    #[inline]
    fn take_back(&mut self) {
        if let Some(turn) = self.lent.forgotten() {
            let lane = lane(&self.base);
            let given_up = lane.give_up_forgotten(turn, &self.base.sleepers(lane.index(), Waits::Data));
            self.counts.tombstones = self.counts.tombstones.wrapping_add(given_up);
        }
    }

    #[cold]
    fn sit_down(&mut self) -> Result<(), SendError> {
        self.base.sit_down().map_err(|_| SendError::TooManyHandles { limit: PARTICIPANTS })
    }

    #[cold]
    fn count_error(&mut self, error: SendError) -> SendError {
        self.counts.errors = self.counts.errors.saturating_add(1);
        error
    }

    #[cold]
    fn take_slowly(&mut self, most: u64, patience: Option<Patience>) -> Result<ProducerTurn, SendError> {
        let Some(patience) = patience else {
            let checked = lane(&self.base).check(Waits::Space);
            return Err(match checked {
                Err(corrupt) => self.count_error(SendError::Corrupt(corrupt)),
                Ok(()) => SendError::Full,
            });
        };
        self.counts.waits = self.counts.waits.saturating_add(1);
        let at = (self.base.side.lane(), Waits::Space);
        let waited = wait(&mut self.base, &mut self.backoff, at, patience, |base| Self::attempt(base, most));
        match waited {
            Ok(Waited::Done(turn)) => Ok(turn),
            Ok(Waited::TimedOut) => Err(SendError::Timeout),
            Ok(Waited::Corrupt(corrupt)) => Err(self.count_error(SendError::Corrupt(corrupt))),
            Ok(Waited::Truncated { backed }) => {
                Err(self.count_error(SendError::Truncated { backed, len: self.base.segment.len() }))
            }
            Err(error) => Err(self.count_error(error)),
        }
    }

    /// Takes a slot, if one is free, for the next reservation: for who cannot hold the guard yet. What dead participants
    /// hold is recovered if it is in the way.
    ///
    /// # Errors
    /// As [`try_reserve`](Self::try_reserve).
    pub fn keep(&mut self) -> Result<(), SendError> {
        if self.kept.is_none() {
            if lane(&self.base).is_stuck(Waits::Space) {
                self.base.recover();
            }
            self.kept = Some(self.take(1, None)?);
        }
        Ok(())
    }

    /// Reserves a slot if one is free.
    ///
    /// # Errors
    /// [`SendError::Full`] at once if none is, and as [`reserve`](Self::reserve).
    #[inline]
    pub fn try_reserve(&mut self) -> Result<SlotMut<'_, Self>, SendError> {
        let turn = self.take(1, None)?;
        Ok(SlotMut::new(self, turn))
    }

    /// Reserves a slot, for as long as `patience` says while none is free. What a dead participant holds is recovered meanwhile.
    ///
    /// # Errors
    /// [`SendError::Timeout`], [`SendError::Corrupt`], [`SendError::Truncated`], [`SendError::TooManyHandles`].
    #[inline]
    pub fn reserve(&mut self, patience: impl Into<Patience>) -> Result<SlotMut<'_, Self>, SendError> {
        let turn = self.take(1, Some(patience.into()))?;
        Ok(SlotMut::new(self, turn))
    }

    /// Reserves 1 to `most` slots that follow each other, waiting as [`reserve`](Self::reserve) does for the first. Takes
    /// 255 at most.
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn reserve_many(
        &mut self,
        most: usize,
        patience: impl Into<Patience>,
    ) -> Result<SlotsMut<'_, Self>, SendError> {
        let turn = self.take(most as u64, Some(patience.into()))?;
        Ok(SlotsMut::new(self, turn))
    }

    /// Copies `bytes` into a slot and sends it, waiting as [`reserve`](Self::reserve) does.
    ///
    /// # Errors
    /// As there; [`SendError::Empty`] and [`SendError::TooLong`] at once.
    #[inline]
    pub fn send(&mut self, bytes: &[u8], patience: impl Into<Patience>) -> Result<(), SendError> {
        let slot_len = lane(&self.base).slot_len();
        if bytes.is_empty() {
            return Err(SendError::Empty);
        }
        if bytes.len() > slot_len {
            return Err(SendError::TooLong { len: bytes.len(), slot_len });
        }
        let mut slot = self.reserve(patience)?;
        if let Some(to) = slot.get_mut(..bytes.len()) {
            to.copy_from_slice(bytes);
        }
        slot.commit(bytes.len())
    }
}

impl<P: Platform> Drop for Producer<P> {
    fn drop(&mut self) {
        if self.base.forked().is_some() {
            return;
        }
        if let Some(turn) = self.kept.take() {
            drop(SlotMut::new(self, turn));
        }
        self.take_back();
    }
}

#[inline]
fn lane<P: Platform>(base: &Base<P>) -> &Lane<P::Segment> {
    let [primary, secondary] = &base.regions.lanes;
    if base.side.lane() == 0 { primary } else { secondary }
}

impl<P: Platform> Port for Producer<P> {
    type Segment = P::Segment;

    #[inline]
    fn forked(&self) -> Option<Pid> {
        self.base.forked()
    }

    #[inline]
    fn lane(&self) -> &Lane<P::Segment> {
        lane(&self.base)
    }

    #[inline]
    fn publish(&self, turn: ProducerTurn, packet: Packet) {
        let lane = lane(&self.base);
        lane.publish(turn, packet, &self.base.sleepers(lane.index(), Waits::Data));
        self.lent.end();
    }

    fn release(&self, _turn: ConsumerTurn) {}

    #[inline]
    fn wake_consumers(&self) {
        let lane = lane(&self.base);
        lane.ring_bell(Waits::Data, &self.base.sleepers(lane.index(), Waits::Data));
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

impl Counts {
    #[inline]
    pub(super) fn add(&mut self, bytes: Option<usize>) {
        match bytes {
            Some(bytes) => {
                self.messages = self.messages.wrapping_add(1);
                self.bytes = self.bytes.wrapping_add(bytes as u64);
            }
            None => self.tombstones = self.tombstones.wrapping_add(1),
        }
    }
}
