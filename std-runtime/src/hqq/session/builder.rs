//! Options of a session, and how it comes about.

use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use strait_core::hqq::session::{Config, State as Progress};
use strait_core::hqq::{Capabilities, Features};
use strait_core::platform::Liveness as _;

use super::Session;
use super::error::SessionError;
use super::seal::{OVERHEAD, Secret};
use super::state::{Look, Options, Shared, fresh, salt};
use crate::hqq::Link;
use crate::os::Os;

/// How long a session waits unless told otherwise.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// Options of a [`Session`].
#[derive(Debug)]
#[must_use]
pub struct SessionBuilder {
    link: Link,
    features: Features,
    capabilities: Capabilities,
    required: Features,
    secret: Option<Secret>,
    level: i32,
    max_message: u64,
    max_assembly_bytes: u64,
    assembly_age: Duration,
    window: u64,
    starvation_bound: u32,
    listening: bool,
    fallback: bool,
    timeout: Duration,
}

/// How a session begins.
enum Start {
    Ask,
    Wait,
    Standard,
}

impl SessionBuilder {
    pub(super) fn new(link: Link) -> Self {
        Self {
            link,
            features: Features::ALL.without(Features::ENCRYPTION),
            capabilities: Capabilities::ALL.without(Capabilities::RELIABLE_DELIVERY),
            required: Features::NONE,
            secret: None,
            level: 3,
            max_message: 64 << 20,
            max_assembly_bytes: 256 << 20,
            assembly_age: Duration::from_secs(30),
            window: 1 << 20,
            starvation_bound: 8,
            listening: true,
            fallback: false,
            timeout: DEFAULT_TIMEOUT,
        }
    }

    /// Features to offer; by default all but encryption, which [`key`](Self::key) adds. Both ends use those that both offer.
    pub fn offer(mut self, features: Features) -> Self {
        let sealed = self.features.intersection(Features::ENCRYPTION);
        self.features = features.without(Features::ENCRYPTION).union(sealed);
        self
    }

    /// Capabilities to offer; by default all but reliable delivery.
    pub fn capabilities(mut self, capabilities: Capabilities) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// Offers reliable delivery: messages are acknowledged, and those that a dead peer has not acknowledged go once more to
    /// the next one.
    pub fn reliable(mut self) -> Self {
        self.capabilities = self.capabilities.union(Capabilities::RELIABLE_DELIVERY);
        self
    }

    /// Features without which there shall be no session: [`negotiate`](Self::negotiate) fails then and names them.
    pub fn require(mut self, features: Features) -> Self {
        self.required = features;
        self
    }

    /// Offers encryption with a secret that the other end knows as well: 32 bytes that nobody can guess.
    ///
    /// An offer alone: an end that offers none is talked to in the clear. Who must not be says
    /// [`require`](Self::require) as well, with [`Features::ENCRYPTION`].
    pub fn key(mut self, secret: [u8; 32]) -> Self {
        self.secret = Some(Secret(secret));
        self.features = self.features.union(Features::ENCRYPTION);
        self
    }

    /// Level of compression, 1 to 19; 3 by default.
    pub fn compression_level(mut self, level: i32) -> Self {
        self.level = level.clamp(1, 19);
        self
    }

    /// Longest message either way, in bytes; 64 MiB by default.
    pub fn max_message(mut self, bytes: u64) -> Self {
        self.max_message = bytes;
        self.max_assembly_bytes = self.max_assembly_bytes.max(bytes);
        self
    }

    /// Bytes of all unfinished incoming messages together; 256 MiB by default.
    pub fn max_unfinished(mut self, bytes: u64) -> Self {
        self.max_assembly_bytes = bytes;
        self
    }

    /// How long an unfinished message may wait for its next chunk; 30 s by default.
    pub fn max_pause(mut self, age: Duration) -> Self {
        self.assembly_age = age;
        self
    }

    /// Bytes that may wait unread on a connection; 1 MiB by default. With flow control each connection has its own credit,
    /// without it a session stops as a whole.
    pub fn window(mut self, bytes: u64) -> Self {
        self.window = bytes;
        self
    }

    /// How many chunks of more urgent classes may pass one that waits; 8 by default.
    pub fn starvation_bound(mut self, chunks: u32) -> Self {
        self.starvation_bound = chunks;
        self
    }

    /// Refuses connections that the other end wants to open.
    pub fn refuse_connections(mut self) -> Self {
        self.listening = false;
        self
    }

    /// Goes on as [`standard`](Self::standard) does if the negotiation fails: the other end refuses, or does not answer in
    /// time, as ends that know no session do. What such an end sends meanwhile is not lost. An answer that comes
    /// later is not taken: give slow ends time. Never if anything is [required](Self::require).
    pub fn fallback(mut self) -> Self {
        self.fallback = true;
        self
    }

    /// How long operations wait; 5 s by default, [`Duration::MAX`] for ever.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Agrees with the other end. Both ends may call this, at the same time or one after the other.
    ///
    /// # Errors
    /// [`SessionError::Timeout`] if nobody answers; [`SessionError::Refused`]; [`SessionError::Missing`].
    pub fn negotiate(self) -> Result<Session, SessionError> {
        self.begin(Start::Ask)
    }

    /// Waits for the other end to ask.
    ///
    /// # Errors
    /// As [`negotiate`](Self::negotiate).
    pub fn accept(self) -> Result<Session, SessionError> {
        self.begin(Start::Wait)
    }

    /// Negotiates nothing, and does not wait for the other end: connections as on a Standard link. The other end does the
    /// same, or is a Standard link, which sees the messages of connection 0 as its own: each of 1 byte to a slot's length. On
    /// the other connections messages may be longer in the seed profile. There are no calls and no other features, and
    /// nobody says that the other end has gone.
    ///
    /// # Errors
    /// [`SessionError::Missing`] if anything is [required](Self::require); [`SessionError::System`].
    pub fn standard(self) -> Result<Session, SessionError> {
        if !self.required.is_empty() {
            return Err(SessionError::Missing { missing: self.required });
        }
        self.begin(Start::Standard)
    }

    fn begin(self, start: Start) -> Result<Session, SessionError> {
        let timeout = self.timeout;
        let geometry = self.link.geometry();
        let config = Config {
            features: self.features,
            capabilities: self.capabilities,
            max_message: self.max_message,
            max_assembly_bytes: self.max_assembly_bytes,
            assembly_age: self.assembly_age,
            window: self.window,
            starvation_bound: self.starvation_bound,
            listening: self.listening,
            fallback: self.fallback && self.required.is_empty(),
            chunk_overhead: OVERHEAD as u64,
            ..Config::new(self.link.side(), geometry.profile(), geometry.slot_len(), salt()?)
        };
        let options = Options {
            secret: self.secret,
            level: self.level,
            required: self.required,
            max_message: self.max_message,
            fallback: config.fallback,
        };
        let (side, name) = (self.link.side(), Arc::clone(&self.link.local_address().link));
        let (sender, receiver) = self.link.split();
        let (tx, rx) = (sender.into_core(), receiver.into_core());
        let (room, data) = (tx.sleeper(), rx.sleeper());
        let mut state = fresh(config, tx, side, self.window);
        state.negotiation_began = Some(Instant::now());
        match start {
            Start::Ask => state.machine.negotiate()?,
            Start::Wait => {}
            Start::Standard => state.go_standard()?,
        }
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            changed: Condvar::new(),
            options,
            name,
            owner: (Os.this(), Os.generation()),
            receiver: data,
            room,
        });
        let pump = Arc::clone(&shared);
        let thread = thread::Builder::new().name(format!("hqq-{}", shared.name));
        let thread = thread
            .spawn(move || super::pump::run(&pump, rx))
            .map_err(|error| SessionError::System { what: "a thread", why: error.to_string() })?;
        let session = Session::new(shared, thread, timeout);
        let agreed = session.connection.shared.wait(timeout, |state| {
            match &state.refused {
                // It agreed, sent, and left before we looked: what it sent is there.
                Some(SessionError::PeerGone) if state.negotiation_began.is_none() => {
                    return Ok(Look::Done(()));
                }
                Some(refused) => return Err(refused.clone()),
                None => {}
            }
            Ok(match state.machine.state() {
                Progress::Negotiated(_) => Look::Done(()),
                _ => Look::Wait,
            })
        });
        match agreed {
            Err(SessionError::Timeout) => {
                let shared = &session.connection.shared;
                let fell_back = shared.lock()?.fall_back(&shared.options);
                fell_back.then_some(()).ok_or(SessionError::Timeout)?;
            }
            agreed => agreed?,
        }
        Ok(session)
    }
}
