//! When to pause between frames: after each batch, and not after the last frame.

use core::time::Duration;

use crate::args::Flow;
use crate::interrupt::Interrupt;

/// `--delay-ms` and `--batch-size`.
#[derive(Debug)]
pub(crate) struct Pace {
    delay: Duration,
    batch: u64,
    in_batch: u64,
}

impl Pace {
    /// The pace asked for.
    pub(crate) fn new(flow: &Flow) -> Self {
        Self { delay: Duration::from_millis(flow.delay_ms), batch: flow.batch_size, in_batch: 0 }
    }

    /// To be called before each frame: pauses if a batch is full; `true` if it did.
    pub(crate) fn before_frame(&mut self, interrupt: &Interrupt) -> bool {
        if self.in_batch < self.batch || self.delay.is_zero() {
            return false;
        }
        self.in_batch = 0;
        interrupt.sleep(self.delay);
        true
    }

    /// To be called after each frame.
    pub(crate) fn after_frame(&mut self) {
        self.in_batch = self.in_batch.saturating_add(1);
    }
}
