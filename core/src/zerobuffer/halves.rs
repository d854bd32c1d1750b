//! The halves of the ring with their signals: a permit follows what it announces, and is accounted for.

use super::error::RingError;
use super::ring::{Claimed, Consumer, NoFrame, NoRoom, Producer, RingMemory, Room};
use crate::platform::Signal;
use crate::sync::{full_fence, full_fence_after_rmw};

/// The producer with its signals: everything of a writer that needs no names.
#[derive(Debug)]
pub(super) struct WriterHalf<M, S> {
    pub(super) producer: Producer<M>,
    pub(super) data_ready: S,
    pub(super) space_free: S,
}

impl<M: RingMemory, S: Signal> WriterHalf<M, S> {
    pub(super) fn try_reserve(&mut self, len: u64) -> Result<Room, NoRoom> {
        self.producer.try_reserve(len)
    }

    /// Publishes, then posts: the other order would show the reader a permit without its frame.
    pub(super) fn commit(&mut self, room: &Room) -> Result<u64, RingError<S::Error>> {
        let sequence = self.producer.commit(room).map_err(RingError::Corrupt)?;
        self.data_ready.post().map_err(RingError::System)?;
        Ok(sequence)
    }

    /// Uses up old permits, so that waiting for one waits for space returned from now on. The caller tries again
    /// before it waits.
    pub(super) fn forget_permits(&self) {
        self.space_free.take(u32::MAX);
        // Pairs with the fence in `Returner::announce`: either we see the space returned, or the reader sees that no
        // permit is left and posts one.
        full_fence();
    }
}

/// Permits claimed before they are taken from the semaphore: a read-modify-write per so many frames.
const TAKE_AFTER: u32 = 64;

/// The consumer with its signals: everything of a reader that needs no names.
#[derive(Debug)]
pub(super) struct ReaderHalf<M, S> {
    pub(super) consumer: Consumer<M>,
    pub(super) data_ready: S,
    pub(super) space_free: S,
    /// Permits seen when last looked, less those taken since.
    known: u32,
    /// Of those, used for frames claimed but still standing in the semaphore.
    used: u32,
}

impl<M: RingMemory, S: Signal> ReaderHalf<M, S> {
    pub(super) fn new(consumer: Consumer<M>, data_ready: S, space_free: S) -> Self {
        Self { consumer, data_ready, space_free, known: 0, used: 0 }
    }

    /// Claims the next frame if a permit announces it. `held` tells the bytes claimed and not yet returned.
    pub(super) fn try_claim(&mut self, held: impl Fn() -> u64) -> Result<Option<Claimed>, NoFrame> {
        // Twice: behind permits that announce nothing there may be one that does.
        for _ in 0..2 {
            if self.known <= self.used {
                // Shows everything its poster stored before: the frame, the counters.
                self.known = self.data_ready.permits();
                if self.known <= self.used {
                    return Ok(None);
                }
                self.consumer.refresh(&held)?;
            }
            match self.consumer.claim() {
                Ok(claimed) => {
                    self.used = self.used.saturating_add(1);
                    if self.used >= TAKE_AFTER {
                        self.settle();
                    }
                    return Ok(Some(claimed));
                }
                Err(NoFrame::Nothing) => {
                    // More permits than frames: a frame recovered earlier was announced after all, or a writer that sent
                    // none has woken us.
                    self.used = self.known;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Takes from the semaphore the permits that were used.
    pub(super) fn settle(&mut self) {
        self.consumer.publish_count();
        // Fewer are there only if somebody else takes them: then there is nothing left to account for.
        self.data_ready.take(self.used);
        self.known = self.known.saturating_sub(self.used);
        self.used = 0;
    }

    /// Settles what is not yet: nothing more is there to be counted together with it.
    pub(super) fn settle_if_behind(&mut self) {
        if self.used > 0 {
            self.settle();
        }
    }

    /// Whether a look is worth while.
    pub(super) fn is_ready(&self) -> bool {
        self.data_ready.permits() > self.used
    }

    /// Claims a frame that is committed but was never announced. Only when its writer cannot announce it any more, or
    /// had a whole slice of time to do so.
    pub(super) fn try_recover(&mut self, held: impl Fn() -> u64) -> Result<Option<Claimed>, NoFrame> {
        match self.consumer.recover(held) {
            Ok(claimed) => {
                self.consumer.counters.recovered = self.consumer.counters.recovered.wrapping_add(1);
                Ok(Some(claimed))
            }
            Err(NoFrame::Nothing) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Marks `cost` bytes as released; `true` if they shall go back at once, because they are many or no more frames are
    /// known to wait.
    pub(super) fn release(&mut self, cost: u64) -> bool {
        self.consumer.release(cost);
        self.known <= self.used || self.consumer.should_return()
    }

    /// Returns everything that was released.
    pub(super) fn return_pending(&mut self) -> Result<(), RingError<S::Error>> {
        if self.consumer.return_pending().map_err(RingError::Corrupt)? {
            announce_space(&self.space_free).map_err(RingError::System)?;
        }
        Ok(())
    }
}

/// Posts `space_free`, unless a permit is there already: the writer uses up every old permit before it sleeps, and
/// looks at the free bytes after that. This also keeps the semaphore from overflowing.
pub(super) fn announce_space<S: Signal>(space_free: &S) -> Result<(), S::Error> {
    // Pairs with the fence in `forget_permits`.
    full_fence_after_rmw();
    if space_free.permits() == 0 { space_free.post() } else { Ok(()) }
}
