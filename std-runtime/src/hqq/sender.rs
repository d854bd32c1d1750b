//! The half that sends.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use strait_core::hqq::{Producer, Recovered, SendError, SlotsMut};

use super::slot::SlotMut;
use super::statistics::{Statistics, tell};
use crate::os::Os;

/// Sends messages. Clone it for other threads, and to hold several slots at once: a handle holds one slot, or one batch,
/// at a time. A link has room for 128 handles, over all processes.
///
/// As [`io::Write`] each write sends one message of at most a slot's length.
#[derive(Debug)]
pub struct Sender {
    core: Producer<Os>,
    name: Arc<str>,
    timeout: Duration,
    recovered: Recovered,
    #[cfg(feature = "tokio")]
    pub(super) waiter: crate::waiter::Waiter,
}

/// Several reserved slots, filled and committed one after another; receivers that sleep are woken when it is dropped.
pub type Reservations<'s> = SlotsMut<'s, Producer<Os>>;

impl Sender {
    pub(super) fn new(core: Producer<Os>, name: Arc<str>, timeout: Duration) -> Self {
        Self {
            core,
            name,
            timeout,
            recovered: Recovered::default(),
            #[cfg(feature = "tokio")]
            waiter: crate::waiter::Waiter::default(),
        }
    }

    pub(super) fn core(&self) -> &Producer<Os> {
        &self.core
    }

    pub(super) fn core_mut(&mut self) -> &mut Producer<Os> {
        &mut self.core
    }

    /// The half without what this crate adds.
    #[cfg(feature = "session")]
    pub(super) fn into_core(self) -> Producer<Os> {
        self.core
    }

    /// The link's name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Bytes of a slot: the longest message.
    pub fn slot_len(&self) -> usize {
        usize::try_from(self.core.geometry().slot_len()).unwrap_or(usize::MAX)
    }

    /// How long sends wait; [`Duration::MAX`] for ever.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// Reserves a slot, waiting while the ring is full.
    ///
    /// # Errors
    /// [`SendError::Timeout`] after this sender's timeout; [`SendError::Corrupt`], [`SendError::Truncated`] if somebody
    /// has broken the link; [`SendError::TooManyHandles`] if this is a clone beyond the 128th.
    #[inline]
    pub fn reserve(&mut self) -> Result<SlotMut<'_>, SendError> {
        self.reserve_timeout(self.timeout)
    }

    /// [`reserve`](Self::reserve) with a timeout of its own.
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn reserve_timeout(&mut self, timeout: Duration) -> Result<SlotMut<'_>, SendError> {
        self.note_recovered();
        Ok(SlotMut::new(self.core.reserve(timeout)?))
    }

    /// Reserves a slot if one is free.
    ///
    /// # Errors
    /// [`SendError::Full`] at once if none is, and as [`reserve`](Self::reserve).
    #[inline]
    pub fn try_reserve(&mut self) -> Result<SlotMut<'_>, SendError> {
        Ok(SlotMut::new(self.core.try_reserve()?))
    }

    /// Reserves 1 to `most` slots, 255 at most, waiting for the first.
    ///
    /// # Errors
    /// As [`reserve`](Self::reserve).
    #[inline]
    pub fn reserve_many(&mut self, most: usize) -> Result<Reservations<'_>, SendError> {
        self.note_recovered();
        let timeout = self.timeout;
        self.core.reserve_many(most, timeout)
    }

    /// Sends a copy of `bytes`, waiting while the ring is full.
    ///
    /// # Errors
    /// [`SendError::Empty`] and [`SendError::TooLong`] at once; as [`reserve`](Self::reserve).
    #[inline]
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), SendError> {
        self.send_timeout(bytes, self.timeout)
    }

    /// [`send`](Self::send) with a timeout of its own.
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn send_timeout(&mut self, bytes: &[u8], timeout: Duration) -> Result<(), SendError> {
        self.note_recovered();
        self.core.send(bytes, timeout)?;
        tracing::trace!(link = &*self.name, len = bytes.len(), "sent");
        Ok(())
    }

    /// Sends a copy of `bytes` if a slot is free.
    ///
    /// # Errors
    /// [`SendError::Full`] at once if none is, and as [`send`](Self::send).
    #[inline]
    pub fn try_send(&mut self, bytes: &[u8]) -> Result<(), SendError> {
        self.check(bytes)?;
        let mut slot = self.core.try_reserve()?;
        slot[..bytes.len()].copy_from_slice(bytes);
        slot.commit(bytes.len())?;
        tracing::trace!(link = &*self.name, len = bytes.len(), "sent");
        Ok(())
    }

    /// Whether `bytes` can be a message.
    pub(super) fn check(&self, bytes: &[u8]) -> Result<(), SendError> {
        let (len, slot_len) = (bytes.len(), self.slot_len());
        match len {
            0 => Err(SendError::Empty),
            _ if len > slot_len => Err(SendError::TooLong { len, slot_len }),
            _ => Ok(()),
        }
    }

    /// How long sends wait.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Gives back what dead processes hold, if it is in the way of the next slot. Waiting does this by itself; a program
    /// that only tries calls it when it has tried in vain for some milliseconds.
    pub fn recover(&mut self) {
        self.core.recover_if_stuck();
        self.note_recovered();
    }

    /// What this handle has sent.
    pub fn statistics(&self) -> Statistics {
        Statistics::of_sender(self.core.counts(), add(self.recovered, self.core.recovered()))
    }

    #[inline]
    pub(super) fn note_recovered(&mut self) {
        // By the wait before this one.
        if self.core.has_recovered() {
            self.tell();
        }
    }

    #[cold]
    fn tell(&mut self) {
        let recovered = self.core.take_recovered();
        tell(&self.name, recovered);
        self.recovered = add(self.recovered, recovered);
    }
}

pub(super) fn add(a: Recovered, b: Recovered) -> Recovered {
    Recovered {
        handles: a.handles.wrapping_add(b.handles),
        tombstones: a.tombstones.wrapping_add(b.tombstones),
        lost: a.lost.wrapping_add(b.lost),
    }
}

/// Another handle on the same side. One for which there is no room says so when it is used.
impl Clone for Sender {
    fn clone(&self) -> Self {
        Self::new(self.core.another(), Arc::clone(&self.name), self.timeout)
    }
}

impl io::Write for Sender {
    /// Sends one message of as much of `from` as a slot holds; nothing if `from` is empty.
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        if from.is_empty() {
            return Ok(0);
        }
        let len = from.len().min(self.slot_len());
        self.send(&from[..len]).map_err(crate::Error::from)?;
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
