//! Sessions: two ends of a link agree on features, and then have calls, messages of any length, connections.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use strait::hqq::Link;
//!
//! let name = format!("shop-{}", std::process::id());
//! let link = Link::builder(&name).slots(64).slot_len(1024);
//! let (ours, theirs) = (link.clone().open_or_create()?, link.secondary().open()?);
//!
//! let server = std::thread::spawn(move || -> Result<(), strait::hqq::session::SessionError> {
//!     let session = theirs.session().negotiate()?; // in another process, as a rule
//!     let request = session.next_request()?;
//!     let answer = request.to_ascii_uppercase();
//!     request.respond(&answer)
//! });
//! let session = ours.session().negotiate()?;
//! assert_eq!(session.call(7, b"three apples")?, b"THREE APPLES");
//! server.join().unwrap()?;
//! # Ok(())
//! # }
//! ```
//!
//! | feature | what both ends get |
//! |---|---|
//! | `LARGE_COPY` | messages longer than a slot, in chunks; [`recv_reader`](Connection::recv_reader) reads one while it comes |
//! | `REQUEST_RESPONSE` | [`call`](Connection::call), many at a time, answered in any order |
//! | `COMPRESSION` | zstd, where that makes a message smaller |
//! | `ENCRYPTION` | ChaCha20-Poly1305 with a key of each session and direction, from [`key`](SessionBuilder::key) |
//! | `FLOW_CONTROL` | credits: a connection that nobody reads stops itself alone |
//! | `STATISTICS` | [`peer_statistics`](Session::peer_statistics) |
//! | `QOS` | [`send_with_priority`](Connection::send_with_priority) |
//! | `RELIABLE_DELIVERY` (a capability) | messages are acknowledged when they are dropped by their receiver; those that a dead peer has not acknowledged go to the next, and to the one after, until somebody has |
//!
//! What only one end offers is not used. Towards the Go implementation that is all but the first two.
//!
//! A session has one process at each end, and a thread of its own that receives. When the other end's process ends, or
//! leaves, what was under way fails with [`SessionError::PeerGone`], and the session goes on with the next process that
//! negotiates.

mod builder;
mod compress;
mod connection;
mod error;
mod flush;
mod incoming;
mod message;
mod pump;
mod seal;
mod send;
mod serials;
mod standard;
mod state;
mod statistics;

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

pub use builder::SessionBuilder;
pub use connection::{Connection, PendingCall};
pub use error::{CallError, SessionError};
pub use message::{Message, MessageReader, Request};
pub use statistics::SessionStatistics;
pub use strait_core::hqq::packet::Counters;
pub use strait_core::hqq::session::{Agreed, CloseReason, ConnectionId};

use super::Link;
use state::{Look, Shared, Stage};

/// A session over a link. Clones are the same session; it ends when the last one, and the last connection, is dropped.
///
/// It is its own connection 0: [`send`](Connection::send), [`recv`](Connection::recv), [`call`](Connection::call).
#[derive(Clone, Debug)]
pub struct Session {
    connection: Connection,
}

/// The thread that receives; it ends with the last handle of the session.
#[derive(Debug)]
struct Thread {
    shared: Arc<Shared>,
    handle: Mutex<Option<JoinHandle<()>>>,
}

impl Drop for Thread {
    fn drop(&mut self) {
        // The thread is the parent's, if this is a forked child: it cannot be waited for here.
        match self.shared.lock() {
            Ok(mut state) => state.stopping = true,
            Err(_) => {
                // Nor let go: nobody runs under its number here.
                core::mem::forget(self.handle.get_mut().map(Option::take));
                return;
            }
        }
        self.shared.changed.notify_all();
        self.shared.receiver.wake();
        let handle = self.handle.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(handle) = handle {
            let _ = handle.join();
        }
    }
}

impl Deref for Session {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl Link {
    /// Makes a session of the link: [`negotiate`](SessionBuilder::negotiate) ends the options.
    pub fn session(self) -> SessionBuilder {
        SessionBuilder::new(self)
    }
}

impl Session {
    fn new(shared: Arc<Shared>, thread: JoinHandle<()>, timeout: Duration) -> Self {
        let thread = Thread { shared: Arc::clone(&shared), handle: Mutex::new(Some(thread)) };
        Self {
            connection: Connection { shared, _thread: Arc::new(thread), id: ConnectionId::IMPLICIT, timeout },
        }
    }

    /// What both ends agreed on.
    ///
    /// # Errors
    /// [`SessionError::PeerGone`] until the next peer negotiates, and what has broken the session.
    pub fn agreed(&self) -> Result<Agreed, SessionError> {
        self.connection.shared.agreed()
    }

    /// Whether nothing was negotiated: by [`standard`](SessionBuilder::standard), or after a negotiation that failed.
    pub fn is_standard(&self) -> bool {
        self.connection.shared.lock().is_ok_and(|state| state.machine.is_standard())
    }

    /// Opens a connection, and waits until the other end grants it.
    ///
    /// # Errors
    /// [`SessionError::ConnectionRefused`], [`SessionError::Timeout`].
    pub fn open_connection(&self) -> Result<Connection, SessionError> {
        let shared = &self.connection.shared;
        let id = {
            let mut state = shared.lock()?;
            state.agreed()?;
            let id = state.machine.open()?;
            state.connections.insert(id, Stage::Asked);
            state.settle(&shared.options);
            id
        };
        shared.wait(self.connection.timeout, |state| match state.connections.get(&id) {
            Some(Stage::Open) => Ok(Look::Done(())),
            Some(Stage::Ended(error)) => Err(error.clone()),
            _ => Ok(Look::Wait),
        })?;
        Ok(Connection { id, ..self.connection.clone() })
    }

    /// The next connection that the other end has opened.
    ///
    /// # Errors
    /// [`SessionError::Timeout`], [`SessionError::PeerGone`].
    pub fn accept_connection(&self) -> Result<Connection, SessionError> {
        let shared = &self.connection.shared;
        let id = shared.wait(self.connection.timeout, |state| {
            if let Some(id) = state.opened.pop_front() {
                return Ok(Look::Done(id));
            }
            state.agreed().map(|_| Look::Wait)
        })?;
        Ok(Connection { id, ..self.connection.clone() })
    }

    /// What this session has done; nothing in a forked child, whose it is not.
    pub fn statistics(&self) -> SessionStatistics {
        let state = self.connection.shared.lock();
        state.map_or_else(
            |_| SessionStatistics::default(),
            |state| SessionStatistics { counters: state.machine.counters(), ..state.statistics },
        )
    }

    /// What the other end has done: asked over the link.
    ///
    /// # Errors
    /// [`SessionError::NotAgreed`] without `STATISTICS`; [`SessionError::Timeout`].
    pub fn peer_statistics(&self) -> Result<Counters, SessionError> {
        let shared = &self.connection.shared;
        {
            let mut state = shared.lock()?;
            state.agreed()?;
            state.peer_counters = None;
            state.machine.ask_statistics()?;
            state.settle(&shared.options);
        }
        shared.wait(self.connection.timeout, |state| {
            Ok(state.peer_counters.take().map_or(Look::Wait, Look::Done))
        })
    }

    /// Waits until every message was acknowledged: somebody has received it, and dropped it. At once without reliable
    /// delivery. What a peer leaves unacknowledged waits for the next one.
    ///
    /// # Errors
    /// [`SessionError::Timeout`]; [`SessionError::Undelivered`] once for messages that were given up, because the next peer
    /// does not acknowledge or cannot take them.
    pub fn wait_acknowledged(&self, timeout: Duration) -> Result<(), SessionError> {
        self.connection.shared.wait(timeout, |state| {
            if state.machine.unacknowledged() > 0 {
                return Ok(Look::Wait);
            }
            match core::mem::take(&mut state.undelivered) {
                0 => Ok(Look::Done(())),
                count => Err(SessionError::Undelivered { count }),
            }
        })
    }
}
