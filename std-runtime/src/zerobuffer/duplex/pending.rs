//! A request being filled, and one on its way.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use strait_core::zerobuffer::Reserved;

use super::client::Inner;
use super::error::CallError;
use super::inbox::{Owner, Sent};
use super::response::Response;
use crate::zerobuffer::{SendError, Writer, deadline};

/// Room for one request, in shared memory. Fill it, then [`commit`](Self::commit); dropping it discards it.
#[derive(Debug)]
#[must_use = "a request that is not committed is discarded"]
pub struct RequestFrame<'c> {
    inner: &'c Inner,
    writer: MutexGuard<'c, Writer>,
    reserved: Reserved,
    owner: Owner,
}

impl<'c> RequestFrame<'c> {
    pub(super) fn new(inner: &'c Inner, writer: MutexGuard<'c, Writer>, reserved: Reserved) -> Self {
        Self { inner, writer, reserved, owner: Owner::Anyone }
    }

    /// Its response goes to the one that waits for its number.
    pub(super) fn for_waiter(&mut self) {
        self.owner = Owner::Waiter;
    }

    /// Sends the request; returns its number.
    ///
    /// # Errors
    /// As [`FrameMut::commit`](crate::zerobuffer::FrameMut::commit).
    pub fn commit(mut self) -> Result<u64, SendError> {
        let sequence = self.sequence();
        let sent = Sent { place: self.reserved.place(), is_whole: true, owner: self.owner };
        // Before it is sent: the response may be there before we are back.
        {
            let mut state = self.inner.inbox.lock();
            state.sent.push(sequence, sent);
            state.counts.requests += 1;
        }
        self.writer.commit(self.reserved).inspect_err(|error| {
            // With the others it is on its way, and its response comes.
            if !matches!(error, SendError::Os { .. }) {
                let mut state = self.inner.inbox.lock();
                state.sent.remove(sequence);
                state.counts.requests -= 1;
            }
        })
    }

    /// The number that the request will have: 1, 2, 3 … per client.
    pub fn sequence(&self) -> u64 {
        self.writer.endpoint.next_sequence()
    }
}

impl Deref for RequestFrame<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.writer.endpoint.bytes(&self.reserved)
    }
}

impl DerefMut for RequestFrame<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.writer.endpoint.bytes_mut(&mut self.reserved)
    }
}

/// A request on its way. Dropping it gives it up, as [`cancel`](Self::cancel) does.
#[derive(Debug)]
#[must_use = "dropping it cancels the request"]
pub struct Pending {
    inner: Arc<Inner>,
    sequence: u64,
    settled: bool,
}

impl Pending {
    pub(super) fn new(inner: Arc<Inner>, sequence: u64) -> Self {
        Self { inner, sequence, settled: false }
    }

    /// The request's number.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Waits for the response.
    ///
    /// # Errors
    /// - [`CallError::Timeout`] after the channel's time-out (5 s by default): the request is given up;
    /// - [`CallError::Cancelled`] if [`Client::cancel`](super::Client::cancel) gave it up meanwhile;
    /// - the others as [`Client::receive_response`](super::Client::receive_response).
    pub fn wait(self) -> Result<Response, CallError> {
        let timeout = self.inner.timeout;
        self.wait_timeout(timeout)
    }

    /// [`wait`](Self::wait) with its own time-out.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn wait_timeout(self, timeout: Duration) -> Result<Response, CallError> {
        let outcome = self.inner.receive(Some(self.sequence), deadline(timeout));
        self.settle(outcome)
    }

    /// What the end of the wait means for the client.
    pub(super) fn settle(mut self, outcome: Result<Response, CallError>) -> Result<Response, CallError> {
        if matches!(outcome, Err(CallError::Timeout { .. })) && !self.inner.strait_server {
            self.inner.inbox.lock().out_of_step = true;
        }
        self.settled = outcome.is_ok();
        outcome
    }

    #[cfg(feature = "tokio")]
    pub(super) fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }

    /// Gives the request up: a Strait server that has not begun with it does not run its handler.
    pub fn cancel(self) {}
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.settled && !self.inner.cancel(self.sequence) {
            // It arrived, and nobody takes it.
            self.inner.inbox.lock().arrived.remove(&self.sequence);
        }
    }
}
