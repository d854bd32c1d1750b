//! What a session's user receives: messages, whole or as they come, and requests.

use std::io;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use strait_core::hqq::ErrorCode;
use strait_core::hqq::session::{ConnectionId, MessageKey, What};

use super::error::SessionError;
use super::incoming::Assembly;
use super::send::Way;
use super::state::{Look, Shared};

/// A message, whole. Dropping it acknowledges it and makes room for the next, where these were agreed.
#[derive(Debug)]
pub struct Message {
    shared: Arc<Shared>,
    key: MessageKey,
    bytes: Vec<u8>,
    priority: u8,
    redelivered: bool,
    owed: u64,
}

impl Message {
    pub(super) fn new(shared: Arc<Shared>, assembly: Assembly) -> Self {
        let Assembly { key, bytes, priority, redelivered, owed, .. } = assembly;
        Self { shared, key, bytes: bytes.into(), priority, redelivered, owed }
    }

    /// Its class, 0 to 3; 3 is the most urgent.
    pub fn priority(&self) -> u8 {
        self.priority
    }

    /// Whether it was sent before, to a process that ended without acknowledging it. It may have been acted upon.
    pub fn is_redelivered(&self) -> bool {
        self.redelivered
    }

    /// The bytes, taken out.
    pub fn into_vec(mut self) -> Vec<u8> {
        core::mem::take(&mut self.bytes)
    }
}

impl Deref for Message {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl AsRef<[u8]> for Message {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        self.shared.finish(self.key, self.owed);
    }
}

impl Shared {
    /// A message's bytes need no more room, and it is consumed.
    fn finish(&self, key: MessageKey, owed: u64) {
        let Ok(mut state) = self.lock() else { return };
        state.machine.consumed(key.connection, owed);
        state.consumed.push_back(key);
        state.settle(&self.options);
    }
}

/// A message that is read while it comes. Dropping it acknowledges it only if it was read to its end.
#[derive(Debug)]
pub struct MessageReader {
    shared: Arc<Shared>,
    number: u64,
    key: MessageKey,
    total: u64,
    timeout: Duration,
    ended: bool,
}

impl MessageReader {
    pub(super) fn new(
        shared: Arc<Shared>,
        number: u64,
        key: MessageKey,
        total: u64,
        timeout: Duration,
    ) -> Self {
        Self { shared, number, key, total, timeout, ended: false }
    }

    /// Bytes of the whole message as it travels: of a compressed one, fewer than it has.
    pub fn total(&self) -> u64 {
        self.total
    }
}

impl io::Read for MessageReader {
    /// Reads what is there, waiting for more up to the session's timeout.
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if to.is_empty() || self.ended {
            return Ok(0);
        }
        let (number, connection) = (self.number, self.key.connection);
        let read = self.shared.wait(self.timeout, |state| {
            let assembly = state.incoming.get_mut(number).ok_or(SessionError::PeerGone)?;
            if !assembly.bytes.is_empty() {
                let len = io::Read::read(&mut assembly.bytes, to).unwrap_or(0);
                // What was read is given back; with the last byte, all that is still owed.
                let done = assembly.complete && assembly.bytes.is_empty();
                let owed = if done { assembly.owed } else { assembly.owed.min(len as u64) };
                assembly.owed -= owed;
                state.machine.consumed(connection, owed);
                state.settle(&self.shared.options);
                return Ok(Look::Done(len));
            }
            if assembly.aborted {
                return Err(SessionError::PeerGone);
            }
            Ok(if assembly.complete { Look::Done(0) } else { Look::Wait })
        });
        let read = read.map_err(|error| match error {
            SessionError::Timeout => io::Error::new(io::ErrorKind::TimedOut, error),
            error => io::Error::new(io::ErrorKind::UnexpectedEof, error),
        })?;
        self.ended = read == 0;
        Ok(read)
    }
}

impl Drop for MessageReader {
    fn drop(&mut self) {
        let Ok(mut state) = self.shared.lock() else { return };
        let rest = state.incoming.remove(self.number);
        let whole = rest.as_ref().is_some_and(|rest| rest.complete && rest.bytes.is_empty());
        state.machine.consumed(self.key.connection, rest.map_or(0, |rest| rest.owed));
        if whole {
            state.consumed.push_back(self.key);
        }
        state.settle(&self.shared.options);
    }
}

/// A request. It must be answered: dropping it answers that nobody did.
#[derive(Debug)]
pub struct Request {
    shared: Arc<Shared>,
    key: MessageKey,
    method: u32,
    bytes: Vec<u8>,
    timeout: Duration,
    owed: u64,
    answered: bool,
}

impl Request {
    pub(super) fn new(shared: Arc<Shared>, assembly: Assembly, timeout: Duration) -> Self {
        let Assembly { key, bytes, aux, owed, .. } = assembly;
        let method = u32::try_from(aux).unwrap_or(u32::MAX);
        Self { shared, key, method, bytes: bytes.into(), timeout, owed, answered: false }
    }

    /// Which method is called.
    pub fn method(&self) -> u32 {
        self.method
    }

    /// Its connection's number.
    pub fn connection(&self) -> ConnectionId {
        self.key.connection
    }

    /// How long its answer waits for room; [`Duration::MAX`] is for ever.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The same with another timeout for its answer; otherwise it is that of the [`Connection`](super::Connection) which
    /// received it.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Answers.
    ///
    /// # Errors
    /// [`SessionError`]; the caller gets no answer then.
    pub fn respond(mut self, bytes: &[u8]) -> Result<(), SessionError> {
        self.answer(What::Response { to: self.key.message }, 0, bytes)
    }

    /// Answers that it failed, with a status and the handler's own words. Status 0 becomes 6, "invalid operation".
    ///
    /// # Errors
    /// As [`respond`](Self::respond).
    pub fn fail(mut self, status: u32, message: &[u8]) -> Result<(), SessionError> {
        self.answer(What::ErrorResponse { to: self.key.message }, status, message)
    }

    fn answer(&mut self, what: What, status: u32, bytes: &[u8]) -> Result<(), SessionError> {
        self.answered = true;
        let invalid = ErrorCode::INVALID_OP.0;
        let aux = match what {
            What::ErrorResponse { .. } if status == 0 => invalid,
            _ => u64::from(status),
        };
        let way = Way { connection: self.key.connection, what, aux, priority: 0, timeout: self.timeout };
        self.shared.send(way, bytes).map(|_| ())
    }
}

impl Deref for Request {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        {
            let Ok(mut state) = self.shared.lock() else { return };
            state.machine.consumed(self.key.connection, self.owed);
            state.settle(&self.shared.options);
        }
        if !self.answered {
            // The caller must not wait for what never comes; if that cannot be said, it finds out by its own timeout.
            let _ = self.answer(What::ErrorResponse { to: self.key.message }, 0, b"nobody answered");
        }
    }
}
