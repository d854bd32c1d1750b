//! All that a session's threads share, behind one lock; and the waits on it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant as StdInstant};

use strait_core::hqq::packet::{Counters, Operation};
use strait_core::hqq::session::{
    AbortReason, Agreed, CallFailure, CloseReason, CommandError, Config, ConnectionId, Event, MessageKey,
    Session as Machine, Transmit,
};
use strait_core::hqq::{ErrorCode, Features, Producer, Side, Sleeper};
use strait_core::platform::{Clock as _, Liveness as _, Pid};

use super::error::{CallError, SessionError};
use super::incoming::Incoming;
use super::seal::{Opener, Sealer, Secret, keys};
use super::serials;
use super::statistics::SessionStatistics;
use crate::os::Os;

/// Logical connections, unfinished messages either way, messages under way, calls either way.
pub(super) type Core = Machine<64, 64, 256, 256, Arc<[u8]>>;

/// Longest sleep of a waiting thread, after which it looks at what nobody tells it.
const SLICE: Duration = Duration::from_millis(20);

/// What the builder was told.
#[derive(Debug)]
pub(super) struct Options {
    pub(super) secret: Option<Secret>,
    pub(super) level: i32,
    pub(super) required: Features,
    pub(super) max_message: u64,
    /// Whether a negotiation that fails is followed by none.
    pub(super) fallback: bool,
}

/// What a thread that sends a message is to hear of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SendStage {
    Sending,
    Failed(SessionError),
}

/// What became of a call.
#[derive(Debug)]
pub(super) enum Call {
    Waiting,
    Done(Result<Vec<u8>, CallError>),
}

/// What a connection is waiting for, or has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Asked,
    Open,
    Ended(SessionError),
}

pub(super) struct State {
    pub(super) machine: Box<Core>,
    pub(super) tx: Producer<Os>,
    pub(super) side: Side,
    /// Polled, and not yet in the ring: it was full.
    pub(super) pending: Option<Transmit<Arc<[u8]>>>,
    /// Of messages that somebody waits for; one that is sent, or kept for the next peer, is not here.
    pub(super) sending: HashMap<MessageKey, SendStage>,
    pub(super) incoming: Incoming,
    pub(super) calls: HashMap<(ConnectionId, u64), Call>,
    pub(super) connections: HashMap<ConnectionId, Stage>,
    /// Opened by the peer, not yet accepted by the user.
    pub(super) opened: VecDeque<ConnectionId>,
    pub(super) sealer: Option<Sealer>,
    pub(super) opener: Option<Opener>,
    /// The peer's handle, by the number that the link gave it; `None` without a peer, or where the link gives none.
    pub(super) peer: Option<u64>,
    /// Who has asked to negotiate, by the same number.
    pub(super) asked_by: u64,
    /// Messages that were consumed, and that there was no room yet to acknowledge.
    pub(super) consumed: VecDeque<MessageKey>,
    pub(super) peer_counters: Option<Counters>,
    /// Messages given up that nobody was told of.
    pub(super) undelivered: u64,
    /// Set once, and for good, by what no session survives.
    pub(super) broken: Option<SessionError>,
    /// Why nothing is agreed now; `None` while it may come.
    pub(super) refused: Option<SessionError>,
    pub(super) negotiation_began: Option<StdInstant>,
    pub(super) statistics: SessionStatistics,
    /// Whether sending has stopped for want of credit, and that is counted.
    pub(super) waits_for_credit: bool,
    /// The same of taking messages out of the ring.
    pub(super) pauses_reading: bool,
    pub(super) scratch: Vec<u8>,
    pub(super) stopping: bool,
}

pub(super) struct Shared {
    pub(super) state: Mutex<State>,
    pub(super) changed: Condvar,
    pub(super) options: Options,
    pub(super) name: Arc<str>,
    /// The process that made it: its number, and its generation.
    pub(super) owner: (Pid, u64),
    /// Wakes the thread that receives.
    pub(super) receiver: Sleeper<Os>,
    /// Waits for room in the ring.
    pub(super) room: Sleeper<Os>,
}

impl core::fmt::Debug for Shared {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Session").field("link", &self.name).finish_non_exhaustive()
    }
}

/// How a wait goes on.
pub(super) enum Look<T> {
    Done(T),
    /// Something else has to change first.
    Wait,
    /// The ring has to have room first.
    WaitForRoom,
}

impl Shared {
    /// What is shared; not for a forked child, where a thread that it has not got may hold the lock for ever.
    pub(super) fn lock(&self) -> Result<MutexGuard<'_, State>, SessionError> {
        let (owner, generation) = self.owner;
        if Os.generation() != generation {
            return Err(SessionError::Forked { owner: owner.0 });
        }
        Ok(self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks until there is a result, or `timeout` is over.
    pub(super) fn wait<T>(
        &self,
        timeout: Duration,
        mut look: impl FnMut(&mut State) -> Result<Look<T>, SessionError>,
    ) -> Result<T, SessionError> {
        let until = StdInstant::now().checked_add(timeout);
        let mut state = self.lock()?;
        loop {
            let look = look(&mut state)?;
            if let Look::Done(done) = look {
                drop(state);
                self.changed.notify_all();
                return Ok(done);
            }
            if let Some(broken) = &state.broken {
                return Err(broken.clone());
            }
            let now = StdInstant::now();
            if until.is_some_and(|until| now >= until) {
                return Err(SessionError::Timeout);
            }
            let slice = until.map_or(SLICE, |until| SLICE.min(until - now));
            if matches!(look, Look::WaitForRoom) {
                drop(state);
                self.room.sleep(Os.now().saturating_add(slice));
                state = self.lock()?;
            } else {
                let waited = self.changed.wait_timeout(state, slice);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }

    /// What is agreed, or why nothing is.
    pub(super) fn agreed(&self) -> Result<Agreed, SessionError> {
        self.lock()?.agreed()
    }
}

impl State {
    pub(super) fn agreed(&self) -> Result<Agreed, SessionError> {
        if let Some(broken) = &self.broken {
            return Err(broken.clone());
        }
        self.machine.agreed().copied().ok_or_else(|| self.refused.clone().unwrap_or(SessionError::PeerGone))
    }

    /// Nothing goes on after this.
    pub(super) fn break_off(&mut self, error: SessionError) {
        tracing::warn!(%error, "session broken off");
        self.broken.get_or_insert(error);
    }

    /// Takes what the machine has to say.
    pub(super) fn settle(&mut self, options: &Options) {
        while let Some(key) = self.consumed.front() {
            match self.machine.acknowledge(key.connection, key.message) {
                Err(CommandError::Backlogged { .. }) => break,
                // Done; or not agreed, or its connection is gone: then nobody waits for it.
                _ => drop(self.consumed.pop_front()),
            }
        }
        // Bounded: each event ends something in a table of the machine.
        while let Some(event) = self.machine.poll_event() {
            self.on_event(event, options);
        }
        if self.flush() {
            while let Some(event) = self.machine.poll_event() {
                self.on_event(event, options);
            }
        }
    }

    pub(super) fn on_event(&mut self, event: Event, options: &Options) {
        match event {
            Event::Negotiated(agreed) => self.on_agreed(&agreed, options),
            Event::NegotiationFailed { code } if !self.fall_back(options) => {
                self.refused = Some(SessionError::Refused { code });
            }
            Event::Opened { connection } => {
                self.connections.insert(connection, Stage::Open);
                self.opened.push_back(connection);
            }
            Event::Accepted { connection } => {
                self.connections.insert(connection, Stage::Open);
            }
            Event::Refused { connection, code } => {
                self.connections.insert(connection, Stage::Ended(SessionError::ConnectionRefused { code }));
            }
            Event::Closed { connection, reason } => self.on_closed(connection, reason),
            Event::Chunk(_) => {}
            Event::Aborted { message, reason } => {
                self.statistics.aborted += 1;
                self.statistics.cut_off += u64::from(reason == AbortReason::PeerLost);
                let owed = self.incoming.abort(message);
                self.machine.consumed(message.connection, owed);
            }
            Event::CallFailed { connection, message, reason } => {
                let error = match reason {
                    CallFailure::Aborted(_) => CallError::Aborted,
                    CallFailure::PeerLost => CallError::Session(SessionError::PeerGone),
                    _ => CallError::Session(SessionError::Closed {
                        connection: connection.0,
                        reason: CloseReason::ByPeer(0),
                    }),
                };
                self.finish_call((connection, message), Err(error));
            }
            Event::Sent { message } => {
                self.sending.remove(&message);
            }
            Event::Unsent { message, reason } => {
                let error = match reason {
                    strait_core::hqq::session::UnsentReason::PeerLost => SessionError::PeerGone,
                    _ => SessionError::Closed {
                        connection: message.connection.0,
                        reason: CloseReason::ByPeer(0),
                    },
                };
                if let Some(stage) = self.sending.get_mut(&message) {
                    *stage = SendStage::Failed(error);
                }
            }
            Event::Acknowledged { .. } => self.statistics.acknowledged += 1,
            // It is kept until somebody has taken it: whoever waits need not.
            Event::Redeliver { old, .. } => {
                self.statistics.redelivered += 1;
                self.sending.remove(&old);
            }
            Event::Undelivered { message } => {
                self.statistics.undelivered += 1;
                self.undelivered += 1;
                self.sending.remove(&message);
            }
            Event::Statistics(counters) => self.peer_counters = Some(counters),
            Event::PeerError { context, code } => {
                self.statistics.peer_errors += 1;
                tracing::warn!(context, %code, "the peer reports an error");
            }
            // What a later version of core may tell beside this.
            _ => {}
        }
    }

    fn on_agreed(&mut self, agreed: &Agreed, options: &Options) {
        if let Some(began) = self.negotiation_began.take() {
            self.statistics.negotiation_time = began.elapsed();
        }
        self.refused = None;
        (self.sealer, self.opener) = (None, None);
        let missing = options.required.without(agreed.features);
        if !missing.is_empty() {
            self.refuse(missing);
            return;
        }
        if agreed.features.contains(Features::ENCRYPTION)
            && let (Some(secret), Some((ours, theirs))) = (&options.secret, agreed.salts)
        {
            let (sealer, opener) = keys(secret, self.side, ours, theirs);
            (self.sealer, self.opener) = (Some(sealer), Some(opener));
        }
        tracing::debug!(version = %agreed.version, features = ?agreed.features, "session agreed");
    }

    /// A peer that has not got what is required gets nothing, and what it sends is not taken: as if it had not come.
    fn refuse(&mut self, missing: Features) {
        tracing::warn!(?missing, "a peer was refused");
        let geometry = self.tx.geometry();
        let refusal = Operation::Error { context: 0, code: ErrorCode::INVALID_OP };
        let refusal = refusal.emit(geometry.profile(), geometry.slot_len());
        let refusal = serials::refusal(refusal, self.peer.unwrap_or(self.asked_by));
        // If there is no room for it, the peer finds out by its own timeout.
        if let Ok(slot) = self.tx.try_reserve() {
            slot.commit_packet(refusal);
        }
        self.peer = None;
        self.refused = Some(SessionError::Missing { missing });
        // The answer has not gone, and does not go.
        match salt() {
            Ok(salt) => self.machine.handle_peer_lost(salt),
            Err(error) => self.break_off(error),
        }
    }

    fn on_closed(&mut self, connection: ConnectionId, reason: CloseReason) {
        let error = SessionError::Closed { connection: connection.0, reason };
        self.connections.insert(connection, Stage::Ended(error));
        self.opened.retain(|opened| *opened != connection);
    }

    pub(super) fn finish_call(&mut self, call: (ConnectionId, u64), result: Result<Vec<u8>, CallError>) {
        // One that nobody waits for any more is not here.
        if let Some(entry) = self.calls.get_mut(&call) {
            *entry = Call::Done(result);
        }
    }

    /// Whether the handle that this session was agreed with has left, or its process has ended.
    pub(super) fn peer_is_gone(&self) -> bool {
        self.peer.is_some_and(|serial| !self.tx.has_member(self.side.other(), serial))
    }

    /// The peer is gone: everything with it ends, and a new one may come.
    pub(super) fn lose_peer(&mut self, options: &Options) {
        tracing::warn!("the session's peer is gone");
        self.statistics.peers_lost += 1;
        self.pending = None;
        (self.sealer, self.opener) = (None, None);
        self.peer = None;
        self.consumed.clear();
        self.refused = Some(SessionError::PeerGone);
        match salt() {
            Ok(salt) => self.machine.handle_peer_lost(salt),
            Err(error) => self.break_off(error),
        }
        self.settle(options);
    }
}

/// Three words that nobody else has.
pub(super) fn salt() -> Result<[u64; 3], SessionError> {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes)
        .map_err(|error| SessionError::System { what: "random bytes", why: error.to_string() })?;
    let mut salt = [0; 3];
    for (word, from) in salt.iter_mut().zip(bytes.chunks_exact(8)) {
        *word = from.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte));
    }
    Ok(salt)
}

/// A state before anything was said.
pub(super) fn fresh(config: Config, tx: Producer<Os>, side: Side, max_queued: u64) -> State {
    State {
        machine: Box::new(Core::new(config)),
        tx,
        side,
        pending: None,
        sending: HashMap::new(),
        incoming: Incoming::new(config.window, config.slot_len, max_queued),
        calls: HashMap::new(),
        connections: HashMap::from([(ConnectionId::IMPLICIT, Stage::Open)]),
        opened: VecDeque::new(),
        sealer: None,
        opener: None,
        peer: None,
        asked_by: 0,
        consumed: VecDeque::new(),
        peer_counters: None,
        undelivered: 0,
        broken: None,
        refused: None,
        negotiation_began: None,
        statistics: SessionStatistics::default(),
        waits_for_credit: false,
        pauses_reading: false,
        scratch: Vec::new(),
        stopping: false,
    }
}
