//! Async send and receive on tokio.
//!
//! A futex cannot be polled by epoll, so a wait that lasts runs on tokio's blocking pool, for at most 32 ms at a time.
//! That thread takes no slot and no message: dropping a future loses nothing.

use core::time::Duration;

use strait_core::hqq::{RecvError, SendError, Sleeper};
use strait_core::platform::Clock as _;
use strait_core::time::{Deadline, Instant};

use super::receiver::Receiver;
use super::sender::Sender;
use super::slot::{Slot, SlotMut};
use crate::os::Os;

/// Turns given to other tasks before a thread is asked to wait.
const TURNS: u32 = 16;

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
    async fn rest(&mut self, sleeper: impl FnOnce() -> Sleeper<Os>) -> bool {
        if self.turns < TURNS {
            self.turns += 1;
            tokio::task::yield_now().await;
            return true;
        }
        if self.until.is_over(Os.now()) {
            return false;
        }
        let (until, sleeper) = (self.until.min(Instant::from_nanos(u64::MAX)), sleeper());
        // A cancelled pool means that we are shutting down.
        let _ = tokio::task::spawn_blocking(move || sleeper.sleep(until)).await;
        true
    }
}

impl Receiver {
    /// [`recv`](Receiver::recv) without blocking the thread. Dropping the future loses no message.
    ///
    /// # Errors
    /// As [`recv`](Receiver::recv).
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
            if !rests.rest(|| self.core().sleeper()).await {
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
    /// As [`reserve`](Sender::reserve).
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
            if !rests.rest(|| self.core().sleeper()).await {
                return Err(SendError::Timeout);
            }
        }
        self.try_reserve()
    }

    /// [`send`](Sender::send) without blocking the thread. Dropping the future sends nothing.
    ///
    /// # Errors
    /// As [`send`](Sender::send).
    pub async fn send_async(&mut self, bytes: &[u8]) -> Result<(), SendError> {
        self.check(bytes)?;
        let mut slot = self.reserve_async().await?;
        slot[..bytes.len()].copy_from_slice(bytes);
        slot.commit(bytes.len())
    }
}
