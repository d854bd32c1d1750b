//! The receiving half of a link: claims slots, waiting while there are none.

use super::base::{Base, Recovered};
use super::error::RecvError;
use super::extension::{PARTICIPANTS, Waits};
use super::incoming::{Meaning, Slot, Slots, interpret};
use super::lane::Lane;
use super::lent::Lent;
use super::numbers::ErrorCode;
use super::packet::{Operation, Packet};
use super::port::sealed::Port;
use super::producer::Counts;
use super::wait::{Patience, Sleeper, Waited, wait};
use crate::backoff::Backoff;
use crate::mpmc::{ConsumerTurn, ProducerTurn, TurnError};
use crate::platform::{Pid, Platform, Segment as _, WaitPolicy};

/// A handle that receives.
#[derive(Debug)]
pub struct Consumer<P: Platform> {
    base: Base<P>,
    backoff: Backoff,
    counts: Counts,
    /// Found by [`keep`](Consumer::keep), for the next receive.
    kept: Option<Found>,
    lent: Lent,
}

/// A message that was found: where its bytes stand.
#[derive(Debug)]
struct Found {
    turn: ConsumerTurn,
    buffer: usize,
    len: usize,
}

impl<P: Platform> Consumer<P> {
    /// What it waits for.
    pub(super) const WAITS: Waits = Waits::Data;

    pub(super) fn new(base: Base<P>, policy: WaitPolicy) -> Self {
        Self { base, backoff: Backoff::new(policy), counts: Counts::default(), kept: None, lent: Lent::new() }
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
        Self { base, backoff: self.backoff.again(), counts: Counts::default(), kept: None, lent: Lent::new() }
    }

    /// Who can wait on another thread for what this handle waits for.
    #[must_use]
    pub fn sleeper(&self) -> Sleeper<P> {
        Sleeper::new(self.base.another(), self.base.side.other().lane(), Waits::Data)
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
    fn attempt(base: &Base<P>, most: u64) -> Result<Option<ConsumerTurn>, RecvError> {
        let lane = lane(base);
        match lane.try_claim(most, &base.journal(lane.index())) {
            Ok(turn) => Ok(Some(turn)),
            Err(TurnError::Unavailable) => Ok(None),
            Err(TurnError::Corrupt(corrupt)) => Err(RecvError::Corrupt(corrupt)),
        }
    }

    #[inline]
    fn take(&mut self, most: u64, patience: Option<Patience>) -> Result<ConsumerTurn, RecvError> {
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

    /// Whether the handle is this process's own.
    #[inline]
    fn check_owner(&self) -> Result<(), RecvError> {
        self.base.forked().map_or(Ok(()), |owner| Err(RecvError::Forked { owner }))
    }

    /// Releases what a guard had that was forgotten.
    #[inline]
    fn take_back(&mut self) {
        if let Some(turn) = self.lent.forgotten() {
            let lane = lane(&self.base);
            lane.release_forgotten(turn, &self.base.sleepers(lane.index(), Waits::Space));
        }
    }

    #[cold]
    fn sit_down(&mut self) -> Result<(), RecvError> {
        self.base.sit_down().map_err(|_| RecvError::TooManyHandles { limit: PARTICIPANTS })
    }

    #[cold]
    fn count_error(&mut self, error: RecvError) -> RecvError {
        self.counts.errors = self.counts.errors.saturating_add(1);
        error
    }

    #[cold]
    fn take_slowly(&mut self, most: u64, patience: Option<Patience>) -> Result<ConsumerTurn, RecvError> {
        let Some(patience) = patience else { return Err(RecvError::Empty) };
        self.counts.waits = self.counts.waits.saturating_add(1);
        let at = (self.base.side.other().lane(), Waits::Data);
        let waited = wait(&mut self.base, &mut self.backoff, at, patience, |base| Self::attempt(base, most));
        match waited {
            Ok(Waited::Done(turn)) => {
                // Who has waited for an answer, or for a question, sends next.
                let [primary, secondary] = &self.base.regions.lanes;
                let back = if self.base.side.lane() == 0 { primary } else { secondary };
                back.expect_reservation();
                Ok(turn)
            }
            Ok(Waited::TimedOut) => Err(RecvError::Timeout),
            Ok(Waited::Corrupt(corrupt)) => Err(self.count_error(RecvError::Corrupt(corrupt))),
            Ok(Waited::Truncated { backed }) => {
                Err(self.count_error(RecvError::Truncated { backed, len: self.base.segment.len() }))
            }
            Err(error) => Err(self.count_error(error)),
        }
    }

    #[inline]
    fn find(&mut self, patience: Option<Patience>) -> Result<Found, RecvError> {
        self.check_owner()?;
        if let Some(found) = self.kept.take() {
            return Ok(found);
        }
        // Bounded by the deadline, or by what is in the ring: each turn takes a tombstone out of it.
        loop {
            let turn = self.take(1, patience)?;
            let lane = lane(&self.base);
            match interpret(lane, &turn) {
                Meaning::Data { buffer, len } => {
                    self.counts.add(Some(len));
                    return Ok(Found { turn, buffer, len });
                }
                Meaning::Tombstone => {
                    self.release(turn);
                    self.counts.add(None);
                }
                Meaning::Wrong(error) => {
                    let packet = lane.packet(&turn);
                    self.release(turn);
                    self.report(&packet, &error);
                    return Err(self.count_error(error));
                }
            }
        }
    }

    /// Tells the other end what was wrong with its packet, if there is room to.
    #[cold]
    fn report(&self, packet: &Packet, error: &RecvError) {
        let code = match error {
            RecvError::UnexpectedOp { .. } => ErrorCode::INVALID_OP,
            RecvError::InvalidLen { .. } | RecvError::WrongBuffer { .. } => ErrorCode::INVALID_SIZE,
            // An error is not answered: two ends would never end.
            _ => return,
        };
        let [_, context, ..] = packet.0;
        let [primary, secondary] = &self.base.regions.lanes;
        let back = if self.base.side.lane() == 0 { primary } else { secondary };
        let geometry = back.geometry();
        let packet = Operation::Error { context, code }.emit(geometry.profile(), geometry.slot_len());
        if let Ok(turn) = back.try_reserve(1, &self.base.journal(back.index())) {
            back.publish(turn, packet, &self.base.sleepers(back.index(), Waits::Data));
        }
    }

    /// Claims a message, if one is there, for the next receive: for who cannot hold the guard yet. What dead participants
    /// hold is recovered if it is in the way.
    ///
    /// # Errors
    /// As [`try_recv`](Self::try_recv).
    pub fn keep(&mut self) -> Result<(), RecvError> {
        if self.kept.is_none() {
            if lane(&self.base).is_stuck(Waits::Data) {
                self.base.recover();
            }
            let found = self.find(None);
            let checked = lane(&self.base).check(Waits::Data);
            self.kept = Some(match (found, checked) {
                (Err(RecvError::Empty), Err(corrupt)) => {
                    return Err(self.count_error(RecvError::Corrupt(corrupt)));
                }
                (found, _) => found?,
            });
        }
        Ok(())
    }

    /// Receives a message if one is there.
    ///
    /// # Errors
    /// [`RecvError::Empty`] at once if none is, and as [`recv`](Self::recv).
    #[inline]
    pub fn try_recv(&mut self) -> Result<Slot<'_, Self>, RecvError> {
        let Found { turn, buffer, len } = self.find(None)?;
        Ok(Slot::new(self, turn, buffer, len))
    }

    /// Receives a message, for as long as `patience` says. What a dead participant holds is recovered meanwhile.
    ///
    /// # Errors
    /// [`RecvError::Timeout`]; what a packet is wrong about, its slot being released; [`RecvError::Corrupt`],
    /// [`RecvError::Truncated`], [`RecvError::TooManyHandles`].
    #[inline]
    pub fn recv(&mut self, patience: impl Into<Patience>) -> Result<Slot<'_, Self>, RecvError> {
        let Found { turn, buffer, len } = self.find(Some(patience.into()))?;
        Ok(Slot::new(self, turn, buffer, len))
    }

    /// Claims 1 to `most` slots that follow each other, waiting as [`recv`](Self::recv) does for the first. Takes 255 at
    /// most; all of them may turn out to be tombstones.
    ///
    /// # Errors
    /// As there, except for packets, which are looked at later.
    #[inline]
    pub fn recv_many(
        &mut self,
        most: usize,
        patience: impl Into<Patience>,
    ) -> Result<Slots<'_, Self>, RecvError> {
        self.check_owner()?;
        if let Some(found) = self.kept.take() {
            return Ok(Slots::new(self, found.turn));
        }
        let turn = self.take(most as u64, Some(patience.into()))?;
        Ok(Slots::new(self, turn))
    }

    /// Receives any packet, and the whole buffer of its slot, for who knows more operations than a standard link.
    ///
    /// # Errors
    /// As [`recv`](Self::recv), except for what packets say.
    #[inline]
    pub fn recv_packet(
        &mut self,
        patience: impl Into<Patience>,
    ) -> Result<(Packet, Slot<'_, Self>), RecvError> {
        self.check_owner()?;
        let turn = match self.kept.take() {
            Some(found) => found.turn,
            None => self.take(1, Some(patience.into()))?,
        };
        let lane = lane(&self.base);
        let packet = lane.packet(&turn);
        let (buffer, len) = (lane.ring().index(turn.position()), lane.slot_len());
        self.counts.add(Some(0));
        Ok((packet, Slot::new(self, turn, buffer, len)))
    }
}

impl<P: Platform> Drop for Consumer<P> {
    fn drop(&mut self) {
        if self.base.forked().is_some() {
            return;
        }
        if let Some(found) = self.kept.take() {
            self.release(found.turn);
        }
        self.take_back();
    }
}

#[inline]
fn lane<P: Platform>(base: &Base<P>) -> &Lane<P::Segment> {
    let [primary, secondary] = &base.regions.lanes;
    if base.side.lane() == 0 { secondary } else { primary }
}

impl<P: Platform> Port for Consumer<P> {
    type Segment = P::Segment;

    #[inline]
    fn forked(&self) -> Option<Pid> {
        self.base.forked()
    }

    #[inline]
    fn lane(&self) -> &Lane<P::Segment> {
        lane(&self.base)
    }

    fn publish(&self, _turn: ProducerTurn, _packet: Packet) {}

    #[inline]
    fn release(&self, turn: ConsumerTurn) {
        let lane = lane(&self.base);
        lane.release(turn, &self.base.sleepers(lane.index(), Waits::Space));
        self.lent.end();
    }

    fn wake_consumers(&self) {}

    #[inline]
    fn wake_producers(&self) {
        let lane = lane(&self.base);
        lane.ring_bell(Waits::Space, &self.base.sleepers(lane.index(), Waits::Space));
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
