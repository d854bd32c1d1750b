//! What time is it? Interrupts of the SysTick timer, counted.

use core::cell::Cell;
use core::time::Duration;

use critical_section::Mutex;
use strait_core::platform::{Clock, WaitPolicy};
use strait_core::time::Instant;

/// Processor cycles per tick. The main loop reads about as many frames in that time as the ring holds, so that it is
/// sometimes asleep and sometimes in the middle of something when the next tick comes.
pub(crate) const CYCLES_PER_TICK: u32 = 2_000;
/// What they take at the 12.5 MHz with which the lm3s6965evb starts.
const TICK: Duration = Duration::from_micros(160);

static TICKS: Mutex<Cell<u64>> = Mutex::new(Cell::new(0));

/// The timer's ticks as a clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticks;

impl Ticks {
    /// Counts one, in the timer's handler.
    pub(crate) fn advance() {
        critical_section::with(|cs| TICKS.borrow(cs).update(|ticks| ticks + 1));
    }

    /// Ticks so far.
    pub(crate) fn count() -> u64 {
        critical_section::with(|cs| TICKS.borrow(cs).get())
    }

    /// Sleeps for `ticks` ticks, whatever is posted. Not in a handler.
    pub(crate) fn sleep(ticks: u64) {
        let until = Self::count() + ticks;
        while Self::count() < until {
            // A tick that comes before it only costs one tick more.
            cortex_m::asm::wfi();
        }
    }
}

impl Clock for Ticks {
    fn now(&self) -> Instant {
        Instant::from_nanos(0)
            .saturating_add(TICK.saturating_mul(u32::try_from(Self::count()).unwrap_or(u32::MAX)))
    }

    fn wait_policy(&self) -> WaitPolicy {
        // One processor: while it spins, nothing changes that an interrupt would not.
        WaitPolicy::BLOCK
    }
}
