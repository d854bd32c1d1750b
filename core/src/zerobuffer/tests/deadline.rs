//! The wait loop against a clock that only sleeping moves.

use core::cell::{Cell, RefCell};
use core::time::Duration;
use std::rc::Rc;

use super::super::wait::{Backoff, Idle, LONGEST_SLICE, Waited, Waiting, wait};
use super::*;
use crate::platform::{Clock, Signal, WaitPolicy};
use crate::time::Instant;

#[derive(Clone, Debug, Default)]
pub(super) struct SleepClock(Rc<Cell<u64>>);

impl Clock for SleepClock {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.get())
    }
}

/// A signal that nobody posts: waiting moves the clock to the end of the wait.
#[derive(Clone, Debug)]
pub(super) struct Sleeper {
    clock: SleepClock,
    sleeps: RefCell<Vec<Duration>>,
}

impl Sleeper {
    pub(super) fn new(clock: &SleepClock) -> Self {
        Self { clock: clock.clone(), sleeps: RefCell::default() }
    }
}

impl Signal for Sleeper {
    type Error = FakeError;

    fn post(&self) -> Result<(), FakeError> {
        Ok(())
    }
    fn permits(&self) -> u32 {
        0
    }
    fn take(&self, _count: u32) -> u32 {
        0
    }
    fn wait(&self, until: Instant) -> Result<bool, FakeError> {
        self.sleeps.borrow_mut().push(until.saturating_since(self.clock.now()));
        self.clock.0.set(until.as_nanos());
        Ok(false)
    }
}

/// Something that is there from `from` on, if ever; claims to be ready all the time if `lies`.
struct Endpoint {
    signal: Sleeper,
    backoff: Backoff,
    attempts: u32,
    lies: bool,
    from: Option<Instant>,
}

impl Waiting<(), FakeError> for Endpoint {
    type Signal = Sleeper;

    fn attempt(&mut self) -> Result<Option<()>, FakeError> {
        self.attempts += 1;
        Ok(self.from.filter(|from| self.signal.clock.now() >= *from).map(drop))
    }
    fn is_ready(&self) -> bool {
        self.lies
    }
    fn idle(&mut self) -> Result<Idle<()>, FakeError> {
        Ok(Idle::Wait)
    }
    fn signal(&self) -> &Sleeper {
        &self.signal
    }
    fn backoff(&mut self) -> &mut Backoff {
        &mut self.backoff
    }
    fn on_sleep(&mut self) {}
    fn system(error: FakeError) -> FakeError {
        error
    }
}

fn endpoint(lies: bool, from: Option<u64>) -> (SleepClock, Endpoint) {
    let clock = SleepClock::default();
    clock.0.set(1000);
    let signal = Sleeper::new(&clock);
    let backoff = Backoff::new(WaitPolicy::BLOCK);
    (clock, Endpoint { signal, backoff, attempts: 0, lies, from: from.map(Instant::from_nanos) })
}

#[test]
fn a_wait_ends_exactly_at_its_deadline_whatever_is_ready() {
    for lies in [false, true] {
        let (clock, mut endpoint) = endpoint(lies, None);
        let deadline = Instant::from_nanos(1000).saturating_add(Duration::from_secs(1));
        assert!(matches!(wait(&mut endpoint, &clock, Deadline::At(deadline)), Ok(Waited::TimedOut)));
        assert_eq!(clock.now(), deadline);
        let sleeps = endpoint.signal.sleeps.borrow();
        assert!(sleeps.iter().all(|sleep| *sleep <= LONGEST_SLICE), "the other end is looked at: {sleeps:?}");
    }
}

#[test]
fn a_deadline_that_is_over_still_allows_an_attempt_and_no_sleep() {
    let (clock, mut endpoint) = endpoint(false, None);
    let over = Deadline::At(Instant::from_nanos(999));
    assert!(matches!(wait(&mut endpoint, &clock, over), Ok(Waited::TimedOut)));
    assert!(endpoint.attempts > 0 && endpoint.signal.sleeps.borrow().is_empty());
}

#[test]
fn what_is_there_after_a_sleep_is_found_even_at_the_deadline() {
    let (clock, mut endpoint) = endpoint(false, Some(5000));
    let deadline = Deadline::At(Instant::from_nanos(5000));
    assert!(matches!(wait(&mut endpoint, &clock, deadline), Ok(Waited::Done(()))));
}

#[test]
fn a_wait_without_a_deadline_goes_on() {
    let hour = 3_600_000_000_000;
    let (clock, mut endpoint) = endpoint(false, Some(hour));
    assert!(matches!(wait(&mut endpoint, &clock, Deadline::Never), Ok(Waited::Done(()))));
    assert!(clock.now() >= Instant::from_nanos(hour));
}
