//! How a handle waits for data or for space: polls, yields, looks after the dead, sleeps at the bell.

use core::time::Duration;

use super::base::Base;
use super::extension::{Sleep as _, Waits};
use crate::backoff::{Backoff, Spun};
use crate::mpmc::Corrupt;
use crate::platform::{Clock, Platform, Segment as _};
use crate::time::{Deadline, Instant};

/// First sleep at a bell. Bounds what a sleeper can miss who is the very first on its link.
const FIRST_SLICE: Duration = Duration::from_millis(2);
/// Longest sleep at a bell that everybody rings. Nobody rings for a process that dies between what it did and the bell, or
/// that takes a slot while others sleep, and dies: this is how long they sleep on.
const LONGEST_SLICE: Duration = Duration::from_millis(32);
/// Longest sleep while somebody has taken a slot and not given it back: he may have died.
const STUCK_SLICE: Duration = Duration::from_millis(4);
/// Longest and shortest sleep where somebody may not ring.
const LONGEST_POLL: Duration = Duration::from_millis(1);
const SHORTEST_POLL: Duration = Duration::from_micros(50);
/// A sleep that ends sooner was not worth its system calls.
const SHORT_SLEEP: Duration = Duration::from_micros(100);

/// How long a call waits: until an instant, or for some time from when it finds that it has to. A call that need not wait
/// does not ask for the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Until an instant, or for ever.
    Until(Deadline),
    /// For so long; for ever for [`Duration::MAX`].
    For(Duration),
}

impl From<Deadline> for Patience {
    fn from(deadline: Deadline) -> Self {
        Self::Until(deadline)
    }
}

impl From<Duration> for Patience {
    fn from(timeout: Duration) -> Self {
        Self::For(timeout)
    }
}

impl Patience {
    /// When it ends, if it begins now.
    pub(super) fn deadline(self, clock: &impl Clock) -> Deadline {
        match self {
            Self::Until(deadline) => deadline,
            Self::For(Duration::MAX) => Deadline::Never,
            Self::For(timeout) => Deadline::At(clock.now().saturating_add(timeout)),
        }
    }
}

/// Longest time from the death of who holds a slot to its recovery by one who sleeps for it and is let run: he may have
/// lain down just before, and finds then that the slot is stuck. README, DESIGN and the docs of links have the number.
#[cfg(test)]
const RECOVERED_WITHIN: Duration = Duration::from_millis(40);
#[cfg(test)]
const _: () = assert!(LONGEST_SLICE.as_millis() + STUCK_SLICE.as_millis() <= RECOVERED_WITHIN.as_millis());

/// How a wait ended.
pub(super) enum Waited<T> {
    Done(T),
    TimedOut,
    /// The segment has fewer bytes than the link.
    Truncated {
        backed: usize,
    },
    /// The other kind's cursor is nonsense: what is waited for never comes.
    Corrupt(Corrupt),
}

/// Attempts until it succeeds or fails, or `patience` is. The first attempt is made in any case.
///
/// `on_wait` is called once if the first attempt finds nothing.
pub(super) fn wait<P: Platform, T, E>(
    base: &mut Base<P>,
    backoff: &mut Backoff,
    (lane, waits): (usize, Waits),
    patience: Patience,
    mut attempt: impl FnMut(&mut Base<P>) -> Result<Option<T>, E>,
) -> Result<Waited<T>, E> {
    let deadline = patience.deadline(&base.platform);
    let mut slice = if base.has_strangers() { SHORTEST_POLL } else { FIRST_SLICE };
    loop {
        let ready = backoff.spin(&base.platform, || is_ready(base, lane, waits));
        if ready != Spun::InVain
            && let Some(done) = attempt(base)?
        {
            return Ok(Waited::Done(done));
        }
        // After the spin: the other kind's cursor is on a line that they write.
        if let Some(Err(corrupt)) = at(base, lane).map(|lane| lane.check(waits)) {
            return Ok(Waited::Corrupt(corrupt));
        }
        let now = base.platform.now();
        if deadline.is_over(now) {
            // The deadline may be over before the first look, and what is there is taken all the same.
            return Ok(attempt(base)?.map_or(Waited::TimedOut, Waited::Done));
        }
        let backed = base.segment.backed_len();
        if backed < base.regions.geometry.plan().layout_len {
            return Ok(Waited::Truncated { backed });
        }
        let stuck = at(base, lane).is_some_and(|lane| lane.is_stuck(waits));
        if stuck {
            base.recover();
            if let Some(done) = attempt(base)? {
                return Ok(Waited::Done(done));
            }
        }
        let most = match (base.has_strangers(), stuck) {
            (true, _) => LONGEST_POLL,
            (false, true) => STUCK_SLICE,
            (false, false) => LONGEST_SLICE,
        };
        slice = slice.min(most);
        let until = deadline.min(now.saturating_add(slice));
        let bell = at(base, lane).and_then(|lane| lane.bell(waits)).map(|bell| bell.announce());
        // After the announcement: what comes later rings.
        if let Some(done) = attempt(base)? {
            return Ok(Waited::Done(done));
        }
        let mut sleeper = base.sleepers(lane, waits);
        sleeper.until = until;
        match bell {
            Some(expected) => sleeper.sleep(expected),
            None => base.platform.sleep_until(until),
        }
        if is_ready(base, lane, waits) && base.platform.now().saturating_since(now) < SHORT_SLEEP {
            // Twice: once for the spin that failed.
            backoff.grow();
            backoff.grow();
        }
        slice = slice.saturating_mul(2);
    }
}

fn at<P: Platform>(base: &Base<P>, lane: usize) -> Option<&super::lane::Lane<P::Segment>> {
    base.regions.lanes.get(lane)
}

fn is_ready<P: Platform>(base: &Base<P>, lane: usize, waits: Waits) -> bool {
    at(base, lane).is_some_and(|lane| match waits {
        Waits::Data => lane.has_data(),
        Waits::Space => lane.has_space(),
    })
}

/// Waits for data or space in the place of a handle, on another thread: it takes nothing.
#[derive(Debug)]
pub struct Sleeper<P: Platform> {
    base: Base<P>,
    lane: usize,
    waits: Waits,
}

impl<P: Platform> Sleeper<P> {
    pub(super) fn new(base: Base<P>, lane: usize, waits: Waits) -> Self {
        Self { base, lane, waits }
    }

    /// Whether an attempt is worth while.
    pub fn is_ready(&self) -> bool {
        is_ready(&self.base, self.lane, self.waits)
    }

    /// Ends the sleep of whoever sleeps for the same, in every process: they look, and sleep again.
    pub fn wake(&self) {
        self.base.sleepers(self.lane, self.waits).wake();
    }

    /// Sleeps until an attempt is worth while, until `until`, or for a slice after which the dead should be looked for.
    pub fn sleep(&self, until: Instant) {
        let stuck = at(&self.base, self.lane).is_some_and(|lane| lane.is_stuck(self.waits));
        let slice = match (self.base.has_strangers(), stuck) {
            (true, _) => LONGEST_POLL,
            (false, true) => STUCK_SLICE,
            (false, false) => LONGEST_SLICE,
        };
        let until = until.min(self.base.platform.now().saturating_add(slice));
        let bell =
            at(&self.base, self.lane).and_then(|lane| lane.bell(self.waits)).map(|bell| bell.announce());
        // After the announcement: what comes later rings.
        if self.is_ready() {
            return;
        }
        let mut sleeper = self.base.sleepers(self.lane, self.waits);
        sleeper.until = until;
        match bell {
            Some(expected) => sleeper.sleep(expected),
            None => self.base.platform.sleep_until(until),
        }
    }
}
