//! How does a thread wait for room or for an item, where the queue does not wait itself?

use core::time::Duration;
use std::thread;
use std::time::Instant;

use strait_bench::Outcome;

/// Longest that anybody waits for the other side.
const PATIENCE: Duration = Duration::from_secs(20);

/// Looks before the processor is given to the thread that shares it.
const LOOKS: u32 = 64;
/// Looks between two looks at the clock.
const LOOKS_PER_CLOCK: u32 = 1 << 16;

/// What is done between two looks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Waiting {
    /// Nothing but the processor's hint: answers soonest.
    Spin,
    /// Hints, and soon the processor goes to whoever else wants it.
    Yield,
}

impl Waiting {
    /// What `look` finds in the end.
    ///
    /// # Errors
    /// After 20 s: the other side is gone.
    #[inline]
    pub(crate) fn until<T>(self, mut look: impl FnMut() -> Option<T>) -> Outcome<T> {
        if let Some(found) = look() {
            return Ok(found);
        }
        let mut start = None;
        for looks in 1u32.. {
            match self {
                Self::Spin => core::hint::spin_loop(),
                Self::Yield if looks.is_multiple_of(LOOKS) => thread::yield_now(),
                Self::Yield => core::hint::spin_loop(),
            }
            if let Some(found) = look() {
                return Ok(found);
            }
            if looks.is_multiple_of(LOOKS_PER_CLOCK)
                && start.get_or_insert_with(Instant::now).elapsed() > PATIENCE
            {
                break;
            }
        }
        Err("the other side does not answer".into())
    }
}
