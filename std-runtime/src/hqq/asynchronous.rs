//! Async send and receive on tokio.
//!
//! A wait that lasts runs on the handle's own thread (`waiter`), for at most 32 ms at a time. That thread takes no slot and no
//! message: dropping a future loses nothing.

use core::time::Duration;

use strait_core::hqq::{RecvError, SendError, Sleeper};
use strait_core::platform::Clock as _;
use strait_core::time::{Deadline, Instant};

use super::receiver::Receiver;
use super::sender::Sender;
use super::slot::{Slot, SlotMut};
use crate::os::{Os, OsError};
use crate::waiter::{Failed, Wait, Waiter};

/// Turns given to other tasks before a thread is asked to wait.
const TURNS: u32 = 16;

/// Until a link has what a handle waits for.
struct AtBell {
    sleeper: Sleeper<Os>,
    until: Instant,
}

impl Wait for AtBell {
    fn wait(&self, is_over: &dyn Fn() -> bool) -> Result<(), OsError> {
        if !is_over() {
            self.sleeper.sleep(self.until);
        }
        Ok(())
    }

    fn interrupt(&self) {
        self.sleeper.wake();
    }
}

/// The system's number for why there is no thread; a bell does not fail.
fn code(failed: &Failed) -> i32 {
    match failed {
        Failed::Thread(error) => error.raw_os_error().unwrap_or(0),
        Failed::Os(_) => 0,
    }
}

/// The rests between the attempts of one wait.
struct Rests {
    until: Deadline,
    turns: u32,
}

impl Rests {
    fn new(timeout: Duration) -> Self {
        let at = (timeout != Duration::MAX).then(|| Os.now().saturating_add(timeout));
        Self { until: at.map_or(Deadline::Never, Deadline::At), turns: 0 }
    }

    /// Waits until an attempt is worth while, or a slice is over; `false` if the deadline came first.
    async fn rest(&mut self, waiter: &Waiter, sleeper: impl FnOnce() -> Sleeper<Os>) -> Result<bool, Failed> {
        if self.turns < TURNS {
            self.turns += 1;
            tokio::task::yield_now().await;
            return Ok(true);
        }
        if self.until.is_over(Os.now()) {
            return Ok(false);
        }
        let (until, sleeper) = (self.until.min(Instant::from_nanos(u64::MAX)), sleeper());
        waiter.wait(AtBell { sleeper, until }).await?;
        Ok(true)
    }
}

impl Receiver {
    /// [`recv`](Receiver::recv) without blocking the thread. Dropping the future loses no message.
    ///
    /// # Errors
    /// As [`recv`](Receiver::recv); [`RecvError::Wait`] if it has to wait and there is no thread for that.
    pub async fn recv_async(&mut self) -> Result<Slot<'_>, RecvError> {
        let mut rests = Rests::new(self.timeout());
        loop {
            match self.core_mut().keep() {
                Err(RecvError::Empty) => {}
                outcome => {
                    outcome?;
                    break;
                }
            }
            let rested = rests.rest(&self.waiter, || self.core().sleeper()).await;
            if !rested.map_err(|failed| RecvError::Wait { code: code(&failed) })? {
                return Err(RecvError::Timeout);
            }
        }
        self.try_recv()
    }
}

impl Sender {
    /// [`reserve`](Sender::reserve) without blocking the thread. Dropping the future takes no slot.
    ///
    /// # Errors
    /// As [`reserve`](Sender::reserve); [`SendError::Wait`] if it has to wait and there is no thread for that.
    pub async fn reserve_async(&mut self) -> Result<SlotMut<'_>, SendError> {
        let mut rests = Rests::new(self.timeout());
        loop {
            match self.core_mut().keep() {
                Err(SendError::Full) => {}
                outcome => {
                    outcome?;
                    break;
                }
            }
            let rested = rests.rest(&self.waiter, || self.core().sleeper()).await;
            if !rested.map_err(|failed| SendError::Wait { code: code(&failed) })? {
                return Err(SendError::Timeout);
            }
        }
        self.try_reserve()
    }

    /// [`send`](Sender::send) without blocking the thread. Dropping the future sends nothing.
    ///
    /// # Errors
    /// As [`send`](Sender::send) and [`reserve_async`](Sender::reserve_async).
    pub async fn send_async(&mut self, bytes: &[u8]) -> Result<(), SendError> {
        self.check(bytes)?;
        let mut slot = self.reserve_async().await?;
        slot[..bytes.len()].copy_from_slice(bytes);
        slot.commit(bytes.len())
    }
}
