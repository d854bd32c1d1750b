//! The half that receives.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use strait_core::hqq::{Consumer, Recovered, RecvError};

use super::sender::add;
use super::slot::{Batch, Slot};
use super::statistics::{Statistics, tell};
use crate::os::Os;

/// Receives messages. Clone it for other threads: each message goes to one of the receivers of this side. A handle holds
/// one message, or one batch, at a time.
///
/// As [`io::Read`] it is a stream of bytes: a read takes one message, and what does not fit comes with the next read.
#[derive(Debug)]
pub struct Receiver {
    core: Consumer<Os>,
    name: Arc<str>,
    timeout: Duration,
    copies: bool,
    /// What a read has left of a message, from `at` on.
    rest: Vec<u8>,
    at: usize,
    recovered: Recovered,
    #[cfg(feature = "tokio")]
    pub(super) waiter: crate::waiter::Waiter,
}

impl Receiver {
    pub(super) fn new(core: Consumer<Os>, name: Arc<str>, timeout: Duration, copies: bool) -> Self {
        Self {
            core,
            name,
            timeout,
            copies,
            rest: Vec::new(),
            at: 0,
            recovered: Recovered::default(),
            #[cfg(feature = "tokio")]
            waiter: crate::waiter::Waiter::default(),
        }
    }

    /// The half without what this crate adds.
    #[cfg(feature = "session")]
    pub(super) fn into_core(self) -> Consumer<Os> {
        self.core
    }

    /// The link's name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    #[cfg(feature = "tokio")]
    pub(super) fn core(&self) -> &Consumer<Os> {
        &self.core
    }

    #[cfg(feature = "tokio")]
    pub(super) fn core_mut(&mut self) -> &mut Consumer<Os> {
        &mut self.core
    }

    /// How long receives wait.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// How long receives wait; [`Duration::MAX`] for ever.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// Receives the next message, waiting while there is none.
    ///
    /// # Errors
    /// [`RecvError::Timeout`] after this receiver's timeout. [`RecvError::WrongBuffer`], [`RecvError::InvalidLen`],
    /// [`RecvError::UnexpectedOp`]: a packet was wrong; it is taken out, its sender is told, and the next call goes on.
    /// [`RecvError::Peer`]: the other end reports an error. [`RecvError::Corrupt`], [`RecvError::Truncated`]: somebody has
    /// broken the link. [`RecvError::TooManyHandles`]: this is a clone beyond the 128th handle.
    #[inline]
    pub fn recv(&mut self) -> Result<Slot<'_>, RecvError> {
        self.recv_timeout(self.timeout)
    }

    /// [`recv`](Self::recv) with a timeout of its own.
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Slot<'_>, RecvError> {
        self.note_recovered();
        let slot = self.core.recv(timeout)?;
        tracing::trace!(link = &*self.name, len = slot.len(), "received");
        Ok(Slot::new(slot, self.copies))
    }

    /// Receives a message if one is there.
    ///
    /// # Errors
    /// [`RecvError::Empty`] at once if none is, and as [`recv`](Self::recv).
    #[inline]
    pub fn try_recv(&mut self) -> Result<Slot<'_>, RecvError> {
        let slot = self.core.try_recv()?;
        tracing::trace!(link = &*self.name, len = slot.len(), "received");
        Ok(Slot::new(slot, self.copies))
    }

    /// Claims 1 to `most` messages, 255 at most, waiting for the first.
    ///
    /// # Errors
    /// As [`recv`](Self::recv), except for packets, which are looked at one by one.
    #[inline]
    pub fn recv_many(&mut self, most: usize) -> Result<Batch<'_>, RecvError> {
        self.note_recovered();
        let timeout = self.timeout;
        Ok(Batch::new(self.core.recv_many(most, timeout)?, self.copies))
    }

    /// Receives one message, or the rest of one, into `to`; returns how many bytes. What does not fit is kept for the next
    /// call. A message and the rest of another are never mixed.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn recv_into(&mut self, to: &mut [u8]) -> Result<usize, RecvError> {
        if to.is_empty() {
            return Ok(0);
        }
        if self.at == self.rest.len() {
            let timeout = self.timeout;
            self.note_recovered();
            let slot = self.core.recv(timeout)?;
            let len = slot.len().min(to.len());
            let (now, later) = slot.split_at(len);
            to[..len].copy_from_slice(now);
            self.rest.clear();
            self.rest.extend_from_slice(later);
            self.at = 0;
            tracing::trace!(link = &*self.name, len = slot.len(), "received");
            return Ok(len);
        }
        let rest = &self.rest[self.at..];
        let len = rest.len().min(to.len());
        to[..len].copy_from_slice(&rest[..len]);
        self.at += len;
        Ok(len)
    }

    /// Gives back what dead processes hold, if it is in the way of the next message. Waiting does this by itself; a program
    /// that only tries calls it when it has tried in vain for some milliseconds.
    pub fn recover(&mut self) {
        self.core.recover_if_stuck();
        self.note_recovered();
    }

    /// What this handle has received.
    pub fn statistics(&self) -> Statistics {
        Statistics::of_receiver(self.core.counts(), add(self.recovered, self.core.recovered()))
    }

    #[inline]
    fn note_recovered(&mut self) {
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

/// Another handle on the same side, without what a read has left. One for which there is no room says so when it is used.
impl Clone for Receiver {
    fn clone(&self) -> Self {
        Self::new(self.core.another(), Arc::clone(&self.name), self.timeout, self.copies)
    }
}

impl io::Read for Receiver {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        Ok(self.recv_into(to).map_err(crate::Error::from)?)
    }
}
