//! How does the main loop sleep until a handler posts? Permits under a mask, and WFI.

use core::cell::Cell;
use core::convert::Infallible;

use critical_section::Mutex;
use strait_core::platform::{Clock as _, Signal};
use strait_core::time::Instant;

use crate::clock::Ticks;

/// A counting semaphore of one processor.
#[derive(Debug)]
pub(crate) struct Permits(Mutex<Cell<u32>>);

impl Permits {
    /// No permits.
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Cell::new(0)))
    }
}

impl Signal for Permits {
    type Error = Infallible;

    fn post(&self) -> Result<(), Infallible> {
        // No wake-up: the interrupt that we are in, or the next tick, ends WFI.
        critical_section::with(|cs| self.0.borrow(cs).update(|permits| permits + 1));
        Ok(())
    }

    fn permits(&self) -> u32 {
        critical_section::with(|cs| self.0.borrow(cs).get())
    }

    fn take(&self, count: u32) -> u32 {
        critical_section::with(|cs| {
            let taken = count.min(self.0.borrow(cs).get());
            self.0.borrow(cs).update(|permits| permits - taken);
            taken
        })
    }

    fn wait(&self, until: Instant) -> Result<bool, Infallible> {
        loop {
            let (posted, over) = critical_section::with(|cs| {
                let (posted, over) = (self.0.borrow(cs).get() > 0, Ticks.now() >= until);
                if !posted && !over {
                    // Masked: a handler that posted between the look and WFI would leave us asleep. A pending interrupt
                    // ends WFI although it is masked, and is handled when the mask is lifted.
                    cortex_m::asm::wfi();
                }
                (posted, over)
            });
            if posted || over {
                return Ok(posted);
            }
        }
    }
}
