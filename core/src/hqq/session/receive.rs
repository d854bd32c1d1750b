//! What a packet of the peer does, and time, and the peer's death.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::Session;
use super::connections::Stage;
use super::error::{AbortReason, CallFailure, PeerError, UnsentReason};
use super::event::{CloseReason, Event};
use super::message::{ConnectionId, Kind, MessageKey};
use super::negotiation::{Agreed, Answer, State};
use crate::hqq::packet::{Operation, Packet};
use crate::hqq::{ErrorCode, Features, OpCode};
use crate::time::Instant;

impl<const CONNECTIONS: usize, const ASSEMBLIES: usize, const OUTGOING: usize, const CALLS: usize, B: Clone>
    Session<CONNECTIONS, ASSEMBLIES, OUTGOING, CALLS, B>
{
    /// Takes the next packet of the peer.
    ///
    /// After an [`Event::Chunk`] the bytes in the slot are the runtime's to copy; after anything else they mean
    /// nothing.
    ///
    /// # Errors
    /// [`PeerError`] if no correct peer sends it now: it is dropped, the peer is told its
    /// [`code`](PeerError::code), and the session goes on. [`PeerError::NotReady`] if
    /// [`is_ready`](Self::is_ready) is false: nothing was done.
    pub fn handle_packet(&mut self, now: Instant, packet: &Packet) -> Result<Option<Event>, PeerError> {
        if !self.is_ready() {
            return Err(PeerError::NotReady { queued: self.control.len() });
        }
        let operation = packet.parse(self.config.profile).map_err(PeerError::Packet);
        let result = operation.and_then(|operation| self.handle_operation(now, operation));
        if let Err(error) = &result {
            self.counters.errors = self.counters.errors.saturating_add(1);
            self.tell(error);
        }
        result
    }

    /// Takes note of the time: messages whose next chunk did not come are dropped.
    pub fn handle_timeout(&mut self, now: Instant) {
        let held_back = self.agreed().map(|agreed| (agreed.has(Features::FLOW_CONTROL), self.limit(agreed)));
        let connections = &self.connections;
        let is_held_back = |id| {
            let (flow, limit) = held_back.unwrap_or((false, 0));
            flow && connections.find(id).is_some_and(|connection| connection.credit.holds_back(limit))
        };
        // Bounded: each round ends one of at most ASSEMBLIES messages.
        while let Some(key) = self.assemblies.expire(now, is_held_back) {
            let call = (key.connection, key.message);
            match key.kind {
                Kind::Message => {}
                Kind::Request => drop(self.calls.withdraw(call)),
                Kind::Response => {
                    self.calls.fail(CallFailure::Aborted(AbortReason::TooOld), |known| known == call);
                }
            }
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.assemblies.deadline()
    }

    /// The peer's process is proven dead, and every packet that it had published was handled.
    ///
    /// Connections are closed, calls fail, unfinished messages are dropped. The next peer may negotiate, and is greeted
    /// with `salt`: new random words, because a key must not serve twice. Messages that were not acknowledged wait for
    /// it, however often they were sent.
    pub fn handle_peer_lost(&mut self, salt: [u64; 3]) {
        self.control.clear();
        self.failed = None;
        self.statistics_due = false;
        self.asked = 0;
        self.assemblies.end(AbortReason::PeerLost, |_| true);
        self.assemblies.clear_history();
        self.calls.fail(CallFailure::PeerLost, |_| true);
        self.calls.settle(|_| true);
        self.calls.clear_history();
        let reliable = &self.reliable;
        self.sending.retain(|entry| !reliable.contains(entry.key));
        self.sending.end(UnsentReason::PeerLost, |_| true);
        self.reliable.lose();
        self.connections.lose();
        self.negotiation.lose(salt);
    }

    fn handle_operation(&mut self, now: Instant, operation: Operation) -> Result<Option<Event>, PeerError> {
        match operation {
            Operation::Negotiate(offer) => {
                let Answer::Granted(ack, agreed) = self.negotiation.handle_request(&offer)? else {
                    return Ok(None);
                };
                self.queue(&ack);
                Ok(Some(Event::Negotiated(agreed)))
            }
            Operation::Ack(offer) => {
                let agreed = self.negotiation.handle_ack(&offer)?;
                Ok(Some(Event::Negotiated(agreed)))
            }
            Operation::Error { context, code } => Ok(Some(self.handle_error(context, code))),
            // A slot that was given up says nothing.
            Operation::Tombstone { .. } => Ok(None),
            Operation::Copy { copy, len, .. } => self.handle_copy(copy, len),
            Operation::Chunk(chunk) => self.handle_chunk(now, &chunk),
            Operation::Create { connection } => {
                self.negotiated(OpCode::CONN_CREATE, connection)?;
                self.handle_create(connection).map(Some)
            }
            Operation::Accept { connection } => {
                self.negotiated(OpCode::CONN_ACCEPT, connection)?;
                self.handle_accept(connection)
            }
            Operation::Close { connection, reason } => {
                self.negotiated(OpCode::CONN_CLOSE, connection)?;
                self.handle_close(connection, reason)
            }
            Operation::Credit { connection, limit } => {
                let agreed = self.negotiated(OpCode::CREDIT, connection)?;
                agreed.require(
                    agreed.has(Features::FLOW_CONTROL),
                    OpCode::CREDIT,
                    connection,
                    "FLOW_CONTROL",
                )?;
                if let Some(connection) = self.connections.named(connection, OpCode::CREDIT)? {
                    connection.credit.allow(limit);
                }
                Ok(None)
            }
            Operation::Acknowledge { connection, message } => self.handle_acknowledge(connection, message),
            Operation::AskStatistics => {
                let agreed = self.negotiated(OpCode::STATISTICS, 0)?;
                agreed.require(agreed.has(Features::STATISTICS), OpCode::STATISTICS, 0, "STATISTICS")?;
                self.statistics_due = true;
                Ok(None)
            }
            Operation::Statistics(counters) => {
                self.negotiated(OpCode::STATISTICS, 0)?;
                self.asked = self.asked.checked_sub(1).ok_or(PeerError::UnexpectedStatistics)?;
                Ok(Some(Event::Statistics(counters)))
            }
        }
    }

    pub(super) fn negotiated(&self, opcode: OpCode, connection: u64) -> Result<Agreed, PeerError> {
        self.agreed().copied().ok_or(PeerError::NotNegotiated { opcode, connection })
    }

    fn handle_error(&mut self, context: u64, code: ErrorCode) -> Event {
        if context == 0 && self.negotiation.handle_refusal() {
            return Event::NegotiationFailed { code: Some(code) };
        }
        let connection = ConnectionId(context);
        let opening = self.connections.find(connection).is_some_and(|known| known.stage == Stage::Opening);
        if opening {
            self.connections.remove(connection);
            self.end_connection(connection);
            return Event::Refused { connection, code };
        }
        Event::PeerError { context, code }
    }

    fn handle_create(&mut self, connection: u64) -> Result<Event, PeerError> {
        let id = ConnectionId(connection);
        if !self.config.listening && self.connections.find(id).is_none() {
            return Err(PeerError::NotListening { connection });
        }
        self.connections.create(id)?;
        Ok(Event::Opened { connection: id })
    }

    fn handle_accept(&mut self, connection: u64) -> Result<Option<Event>, PeerError> {
        let id = ConnectionId(connection);
        let closed = self.connections.was_closed(connection);
        match self.connections.find_mut(id) {
            Some(known) if known.stage == Stage::Opening => {
                known.stage = Stage::Open;
                Ok(Some(Event::Accepted { connection: id }))
            }
            None if closed => Ok(None),
            _ => Err(PeerError::UnexpectedAccept { connection }),
        }
    }

    fn handle_close(&mut self, connection: u64, reason: u64) -> Result<Option<Event>, PeerError> {
        if connection == 0 {
            return Err(PeerError::ImplicitClose { reason });
        }
        let id = ConnectionId(connection);
        // One that we have asked for may be closed too: then it was granted and closed at once.
        let opening = self.connections.find(id).is_some_and(|known| known.stage == Stage::Opening);
        if !opening && self.connections.named(connection, OpCode::CONN_CLOSE)?.is_none() {
            return Ok(None);
        }
        self.connections.remove(id);
        self.end_connection(id);
        Ok(Some(Event::Closed { connection: id, reason: CloseReason::ByPeer(reason) }))
    }

    /// Ends everything that goes over a connection.
    pub(super) fn end_connection(&mut self, id: ConnectionId) {
        self.assemblies.end(AbortReason::ConnectionClosed, |open| open.key.connection == id);
        self.calls.fail(CallFailure::ConnectionClosed, |(connection, _)| connection == id);
        self.calls.settle(|(connection, _)| connection == id);
        self.sending.end(UnsentReason::ConnectionClosed, |entry| entry.key.connection == id);
        self.reliable.close(id);
    }

    fn handle_acknowledge(&mut self, connection: u64, message: u64) -> Result<Option<Event>, PeerError> {
        let agreed = self.negotiated(OpCode::ACKNOWLEDGE, connection)?;
        agreed.require(agreed.is_reliable(), OpCode::ACKNOWLEDGE, connection, "RELIABLE_DELIVERY")?;
        let key = MessageKey { connection: ConnectionId(connection), message, kind: Kind::Message };
        if self.reliable.acknowledge(key) {
            return Ok(Some(Event::Acknowledged { message: key }));
        }
        if self.connections.was_closed(connection) {
            return Ok(None);
        }
        Err(PeerError::UnknownAcknowledgement { connection, message })
    }

    /// Tells the peer what was wrong, once as long as it has not heard.
    fn tell(&mut self, error: &PeerError) {
        let Some(code) = error.code() else { return };
        let context = error.context();
        let negotiated = matches!(self.state(), State::Negotiated(_));
        if context == 0 && !negotiated && !error.is_of_negotiation() {
            // A peer that negotiates takes context 0 for a refusal, and this may be about a packet that its dead
            // predecessor left in the ring.
            return;
        }
        if matches!(error, PeerError::MajorVersion { .. } | PeerError::BadAck { .. }) {
            self.failed = Some(None);
        }
        let operation = Operation::Error { context, code };
        let packet = operation.emit(self.config.profile, self.config.slot_len);
        if !self.control.iter().any(|queued| *queued == packet) {
            self.queue(&operation);
        }
    }

    /// Puts a packet behind those that wait. There is room: checked by `is_ready` and by each command.
    pub(super) fn queue(&mut self, operation: &Operation) {
        let packet = operation.emit(self.config.profile, self.config.slot_len);
        let queued = self.control.push_back(packet).is_ok();
        debug_assert!(queued, "there was room");
    }
}

impl Agreed {
    fn require(
        &self,
        agreed: bool,
        opcode: OpCode,
        connection: u64,
        feature: &'static str,
    ) -> Result<(), PeerError> {
        if agreed { Ok(()) } else { Err(PeerError::NotAgreed { opcode, connection, feature }) }
    }
}
