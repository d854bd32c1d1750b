//! Frames that are held, and the way their space goes back from any thread.

use std::sync::{Mutex, MutexGuard, PoisonError};

use strait_core::zerobuffer::release::{ReleaseQueue, Ticket};
use strait_core::zerobuffer::{Claimed, Returner};

use crate::os::Os;

/// Most frames that one reader's user can hold at once.
pub const MAX_HELD_FRAMES: usize = 1024;

/// The frames that are held, and the way their space goes back, shared by the reader and every held frame.
#[derive(Debug)]
pub(super) struct Ledger {
    queue: Mutex<ReleaseQueue<MAX_HELD_FRAMES>>,
    returner: Returner<Os>,
}

impl Ledger {
    /// A ledger without frames.
    pub(super) fn new(returner: Returner<Os>) -> Self {
        Self { queue: Mutex::new(ReleaseQueue::new()), returner }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, ReleaseQueue<MAX_HELD_FRAMES>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn bytes<'a>(&'a self, claimed: &'a Claimed) -> &'a [u8] {
        self.returner.bytes(claimed)
    }

    pub(super) fn bytes_mut<'a>(&'a self, claimed: &'a mut Claimed) -> &'a mut [u8] {
        self.returner.bytes_mut(claimed)
    }

    /// Releases a frame. Its bytes are counted as held until they are returned: both under the lock.
    pub(super) fn release(&self, ticket: Ticket) {
        // A forked child's copy. The lock may be that of a thread which the child does not have.
        if !self.returner.is_here() {
            return;
        }
        let mut queue = self.lock();
        let bytes = queue.release(ticket);
        if let Err(error) = self.returner.return_space(bytes) {
            tracing::warn!(%error, bytes, "space of a held frame was not returned");
        }
    }

    /// Bytes of ring claimed and not returned.
    pub(super) fn held(&self) -> u64 {
        self.lock().held()
    }
}
