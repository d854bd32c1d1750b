//! A logical connection: messages and calls that no other connection holds up.

use std::sync::Arc;
use std::time::Duration;

use strait_core::hqq::session::{ConnectionId, Kind, What};

use super::Thread;
use super::error::{CallError, SessionError};
use super::message::{Message, MessageReader, Request};
use super::send::Way;
use super::state::{Call, Look, Shared, Stage, State};

/// A logical connection of a session. Clones are the same connection.
#[derive(Clone, Debug)]
pub struct Connection {
    pub(super) shared: Arc<Shared>,
    // Never read: keeps the thread that receives.
    pub(super) _thread: Arc<Thread>,
    pub(super) id: ConnectionId,
    pub(super) timeout: Duration,
}

impl Connection {
    /// Its number; 0 is the one that every session has.
    pub fn id(&self) -> ConnectionId {
        self.id
    }

    /// How long its waits last; [`Duration::MAX`] is for ever.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The same connection with another timeout for its waits; [`Duration::MAX`] for ever.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self { timeout, ..self.clone() }
    }

    /// Sends a message of any length up to the limit; returns once all of it is in the ring.
    ///
    /// # Errors
    /// [`SessionError::NotAgreed`] for one longer than a slot where the peer takes none; [`SessionError::Usage`] for one
    /// longer than the limit; [`SessionError::Timeout`], the message being given up; [`SessionError::PeerGone`];
    /// [`SessionError::Closed`].
    pub fn send(&self, bytes: &[u8]) -> Result<(), SessionError> {
        self.send_with_priority(bytes, 0)
    }

    /// [`send`](Self::send) in a class, 0 to 3. More urgent classes go first, but no class waits for more than a few chunks
    /// of others.
    ///
    /// # Errors
    /// As there; [`SessionError::NotAgreed`] for a class other than 0 without `QOS`.
    pub fn send_with_priority(&self, bytes: &[u8], priority: u8) -> Result<(), SessionError> {
        let way = Way { connection: self.id, what: What::Message, aux: 0, priority, timeout: self.timeout };
        self.shared.send(way, bytes).map(|_| ())
    }

    /// The next message, whole.
    ///
    /// # Errors
    /// [`SessionError::Timeout`]; [`SessionError::PeerGone`] and [`SessionError::Closed`] once nothing is left.
    pub fn recv(&self) -> Result<Message, SessionError> {
        let assembly =
            self.shared.wait(self.timeout, |state| match state.incoming.pop(self.id, Kind::Message) {
                Some(assembly) => Ok(Look::Done(assembly)),
                None => state.ended(self.id),
            })?;
        Ok(Message::new(Arc::clone(&self.shared), assembly))
    }

    /// The next message as soon as it begins, to be read while it comes: it is never in memory as a whole, unless it is
    /// compressed.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn recv_reader(&self) -> Result<MessageReader, SessionError> {
        let (number, key, total) = self.shared.wait(self.timeout, |state| {
            let taken = state.incoming.take_stream(self.id);
            match taken.and_then(|number| {
                state.incoming.get_mut(number).map(|found| (number, found.key, found.total))
            }) {
                Some(found) => Ok(Look::Done(found)),
                None => state.ended(self.id),
            }
        })?;
        Ok(MessageReader::new(Arc::clone(&self.shared), number, key, total, self.timeout))
    }

    /// Calls a method and waits for the answer.
    ///
    /// # Errors
    /// [`CallError::Failed`] with the status and the words of the other end; [`CallError::Aborted`];
    /// [`CallError::Session`] for all else.
    pub fn call(&self, method: u32, bytes: &[u8]) -> Result<Vec<u8>, CallError> {
        self.request(method, bytes)?.wait()
    }

    /// Sends a request; its answer is waited for later. Many can be under way, and are answered in any order.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn request(&self, method: u32, bytes: &[u8]) -> Result<PendingCall, SessionError> {
        let way = Way {
            connection: self.id,
            what: What::Request,
            aux: u64::from(method),
            priority: 0,
            timeout: self.timeout,
        };
        let key = self.shared.send(way, bytes)?;
        Ok(PendingCall {
            shared: Arc::clone(&self.shared),
            call: (key.connection, key.message),
            timeout: self.timeout,
        })
    }

    /// The next request of the other end.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn next_request(&self) -> Result<Request, SessionError> {
        let assembly =
            self.shared.wait(self.timeout, |state| match state.incoming.pop(self.id, Kind::Request) {
                Some(assembly) => Ok(Look::Done(assembly)),
                None => state.ended(self.id),
            })?;
        Ok(Request::new(Arc::clone(&self.shared), assembly, self.timeout))
    }

    /// Closes the connection: calls on it fail at both ends, unfinished messages are dropped. Not connection 0.
    ///
    /// # Errors
    /// [`SessionError::Command`].
    pub fn close(self, reason: u64) -> Result<(), SessionError> {
        let mut state = self.shared.lock()?;
        state.machine.close(self.id, reason)?;
        state.on_own_close(self.id);
        state.settle(&self.shared.options);
        drop(state);
        self.shared.changed.notify_all();
        Ok(())
    }
}

impl State {
    /// Why nothing more comes on a connection; otherwise it is waited for.
    fn ended<T>(&self, connection: ConnectionId) -> Result<Look<T>, SessionError> {
        if let Some(Stage::Ended(error)) = self.connections.get(&connection) {
            return Err(error.clone());
        }
        self.agreed().map(|_| Look::Wait)
    }

    fn on_own_close(&mut self, connection: ConnectionId) {
        let reason = strait_core::hqq::session::CloseReason::ByPeer(0);
        let error = SessionError::Closed { connection: connection.0, reason };
        self.connections.insert(connection, Stage::Ended(error));
    }
}

/// A call that was sent. Dropping it forgets the call: its answer is thrown away.
#[derive(Debug)]
#[must_use = "dropping forgets the call"]
pub struct PendingCall {
    shared: Arc<Shared>,
    call: (ConnectionId, u64),
    timeout: Duration,
}

impl PendingCall {
    /// Waits for the answer.
    ///
    /// # Errors
    /// As [`Connection::call`].
    pub fn wait(self) -> Result<Vec<u8>, CallError> {
        let timeout = self.timeout;
        self.wait_timeout(timeout)
    }

    /// [`wait`](Self::wait) with a timeout of its own.
    ///
    /// # Errors
    /// As there.
    pub fn wait_timeout(self, timeout: Duration) -> Result<Vec<u8>, CallError> {
        self.shared
            .wait(timeout, |state| match state.calls.get(&self.call) {
                Some(Call::Done(_)) => Ok(Look::Done(state.calls.remove(&self.call))),
                Some(Call::Waiting) => Ok(Look::Wait),
                None => Ok(Look::Done(None)),
            })?
            .map_or(Err(CallError::Aborted), |call| match call {
                Call::Done(result) => result,
                Call::Waiting => Err(CallError::Aborted),
            })
    }
}

impl Drop for PendingCall {
    fn drop(&mut self) {
        let Ok(mut state) = self.shared.lock() else { return };
        if state.calls.remove(&self.call).is_some() {
            state.machine.forget_call(self.call.0, self.call.1);
            state.settle(&self.shared.options);
        }
    }
}
