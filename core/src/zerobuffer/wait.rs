//! How an endpoint waits: spin, yield, then block in slices, with the spin learned.

use core::time::Duration;

pub(super) use crate::backoff::{Backoff, Spun};
use crate::platform::{Clock, Signal, WaitPolicy};
use crate::sync::spin_loop;
use crate::time::{Deadline, Instant};

/// Longest time between two looks at whether the other end lives.
pub(super) const LONGEST_SLICE: Duration = Duration::from_millis(100);
/// Longest time between two looks for a first writer. What comes and goes in between is not seen, unless it left a trace.
pub(super) const UNSEEN_SLICE: Duration = Duration::from_millis(10);
/// First of them: a stream's end is noticed soon, a silent peer costs little.
const FIRST_SLICE: Duration = Duration::from_millis(2);

/// A sleep that ends sooner was not worth its system calls.
const SHORT_SLEEP: Duration = Duration::from_micros(100);

/// Fewer stamps than this per frame, some 0.3 µs, since the last wait: a stream, and no exchange of requests and answers.
const STREAM: u64 = 800;
/// Pauses of the rest that is then taken: some 4 µs, in which the other end writes a batch.
const LULL: u32 = 64;

/// Tells a stream of small frames, at whose end each poll takes a cache line away from a peer in full flow, by the time
/// from wait to wait.
#[derive(Debug, Default)]
pub(super) struct Pace {
    stamp: u64,
    frames: u64,
}

impl Pace {
    /// A wait begins after `frames` frames in all: rests a moment if they came in a stream, which gives the other end,
    /// and then us, several frames at once.
    pub(super) fn rest(&mut self, stamp: u64, frames: u64) {
        let (passed, moved) = (stamp.wrapping_sub(self.stamp), frames.wrapping_sub(self.frames));
        *self = Self { stamp, frames };
        if moved > 0 && passed < STREAM.saturating_mul(moved) {
            for _ in 0..LULL {
                spin_loop();
            }
        }
    }
}

/// What a look at the other end found, before blocking.
pub(super) enum Idle<T> {
    /// It lives: block for a slice.
    Wait,
    /// It left what was waited for.
    Done(T),
}

/// Outcome of waiting: the result, or the deadline.
pub(super) enum Waited<T> {
    Done(T),
    TimedOut,
}

/// What an endpoint does while it waits. `S` is its signal, `E` its errors.
pub(super) trait Waiting<T, E> {
    type Signal: Signal;
    /// Tries without waiting. Before it returns `None` nothing is kept back that the other end waits for.
    fn attempt(&mut self) -> Result<Option<T>, E>;
    /// Whether an attempt is worth while. Cheap: one load.
    fn is_ready(&self) -> bool;
    /// Takes the permits that were accounted for, so that the signal blocks; then looks whether the other end lives.
    fn idle(&mut self) -> Result<Idle<T>, E>;
    fn signal(&self) -> &Self::Signal;
    fn backoff(&mut self) -> &mut Backoff;
    fn on_sleep(&mut self);
    /// Longest sleep before the other end is looked at again.
    fn longest_slice(&self) -> Duration {
        LONGEST_SLICE
    }
    /// The spin before the next attempt was short: what was looked at before it is still true.
    fn on_short_spin(&mut self) {}
    fn system(error: <Self::Signal as Signal>::Error) -> E;
}

/// Attempts until it succeeds, fails, or `deadline` is over. The first attempt is made in any case.
///
/// No wake-up is lost: the signal's permits stay until taken, `idle` takes only those accounted for, and an attempt
/// follows it before the signal is waited on.
pub(super) fn wait<T, E, W, C>(endpoint: &mut W, clock: &C, deadline: Deadline) -> Result<Waited<T>, E>
where
    W: Waiting<T, E>,
    C: Clock,
{
    let mut slice = FIRST_SLICE;
    loop {
        if let Some(done) = endpoint.attempt()? {
            return Ok(Waited::Done(done));
        }
        let mut backoff = core::mem::replace(endpoint.backoff(), Backoff::new(WaitPolicy::BLOCK));
        let ready = backoff.spin(clock, || endpoint.is_ready());
        *endpoint.backoff() = backoff;
        if ready == Spun::AtOnce {
            endpoint.on_short_spin();
        }
        if ready != Spun::InVain {
            // `is_ready` can be true without an attempt succeeding (a permit too many): the deadline still holds.
            if let Some(done) = endpoint.attempt()? {
                return Ok(Waited::Done(done));
            }
        }
        if let Idle::Done(done) = endpoint.idle()? {
            return Ok(Waited::Done(done));
        }
        if let Some(done) = endpoint.attempt()? {
            return Ok(Waited::Done(done));
        }
        let now = clock.now();
        if deadline.is_over(now) {
            return Ok(Waited::TimedOut);
        }
        endpoint.on_sleep();
        let until: Instant = deadline.min(now.saturating_add(slice));
        let posted = endpoint.signal().wait(until).map_err(W::system)?;
        if posted && clock.now().saturating_since(now) < SHORT_SLEEP {
            // Twice: once for the spin that failed.
            endpoint.backoff().grow();
            endpoint.backoff().grow();
        }
        slice = slice.saturating_mul(2).min(endpoint.longest_slice());
    }
}
