//! What a chunk of the peer does: which checks it passes, and what it belongs to.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::Session;
use super::credit::cost;
use super::error::{AbortReason, CallFailure, PeerError};
use super::event::{Arrived, Event};
use super::fault::ChunkFault;
use super::message::{Header, Kind, MessageKey};
use super::negotiation::Agreed;
use crate::hqq::packet::Chunk;
use crate::hqq::{Features, OpCode};
use crate::time::Instant;

impl<const CONNECTIONS: usize, const ASSEMBLIES: usize, const OUTGOING: usize, const CALLS: usize, B: Clone>
    Session<CONNECTIONS, ASSEMBLIES, OUTGOING, CALLS, B>
{
    /// A chunk of the peer.
    pub(super) fn handle_chunk(&mut self, now: Instant, chunk: &Chunk) -> Result<Option<Event>, PeerError> {
        let agreed = self.negotiated(OpCode::CONN_COPY, chunk.connection)?;
        let Some(known) = self.connections.named(chunk.connection, OpCode::CONN_COPY)? else {
            return Ok(None);
        };
        let id = known.id;
        let fault = |fault| PeerError::Chunk { chunk: *chunk, fault };
        let header = match Header::parse(chunk, agreed.flags(), self.is_plain(&agreed)) {
            Ok(header) => header,
            Err(flags) => {
                // Its kind is unknown: whatever is unfinished and has that number.
                for kind in [Kind::Message, Kind::Request, Kind::Response] {
                    let key = MessageKey { connection: id, message: chunk.message, kind };
                    if self.assemblies.contains(key) {
                        self.violated(key);
                    }
                }
                return Err(fault(flags));
            }
        };
        let key = MessageKey { connection: id, message: chunk.message, kind: header.marks.kind };
        let result = self.take_chunk(now, &agreed, key, &header, chunk);
        if result.is_err() {
            self.violated(key);
            if !header.last && !header.abort {
                self.assemblies.swallow(key);
            }
        }
        result.map_err(fault)
    }

    fn take_chunk(
        &mut self,
        now: Instant,
        agreed: &Agreed,
        key: MessageKey,
        header: &Header,
        chunk: &Chunk,
    ) -> Result<Option<Event>, ChunkFault> {
        header.check(chunk)?;
        if header.abort {
            return Ok(self.handle_abort(key));
        }
        let (len, limit) = (chunk.len, self.limit(agreed));
        if len > limit {
            return Err(ChunkFault::TooLong { len, limit });
        }
        if !agreed.has(Features::FLOW_CONTROL) {
            return self.assemble(now, agreed, key, header, chunk);
        }
        // Its sender has counted it, so we do, whatever becomes of it; what nobody gets is consumed at once.
        let cost = cost(len);
        if let Some(known) = self.connections.find_mut(key.connection) {
            known.credit.receive(cost)?;
        }
        let result = self.assemble(now, agreed, key, header, chunk);
        if !matches!(result, Ok(Some(_))) {
            self.consumed(key.connection, cost);
        }
        result
    }

    fn assemble(
        &mut self,
        now: Instant,
        agreed: &Agreed,
        key: MessageKey,
        header: &Header,
        chunk: &Chunk,
    ) -> Result<Option<Event>, ChunkFault> {
        let (first, last, call) = (header.first, header.last, (key.connection, key.message));
        if !first && self.assemblies.is_swallowed(key, last) {
            return Ok(None);
        }
        if key.kind == Kind::Response && self.calls.is_swallowed(call, last) {
            return Ok(None);
        }
        let (marks, aux) = if first {
            self.assemblies.check_begin(key, chunk, last)?;
            match key.kind {
                Kind::Message if !last && !agreed.has(Features::LARGE_COPY) => {
                    return Err(ChunkFault::NotLarge { total: chunk.total });
                }
                Kind::Message => {}
                // Its number is also that of a response that is still being sent.
                Kind::Request if self.sending.contains(MessageKey { kind: Kind::Response, ..key }) => {
                    return Err(ChunkFault::RequestExists);
                }
                Kind::Request => {
                    self.calls.check_request(call)?;
                    self.calls.requested(call);
                }
                Kind::Response if !self.calls.is_waiting(call) => return Err(ChunkFault::UnknownCall),
                Kind::Response => {}
            }
            if !last {
                self.assemblies.begin(now, key, header.marks, chunk);
            }
            (header.marks, chunk.aux)
        } else {
            let assembly = self.assemblies.go_on(now, key, chunk, last)?;
            (assembly.marks, assembly.aux)
        };
        if last {
            self.counters.messages_received = self.counters.messages_received.saturating_add(1);
            self.counters.bytes_received = self.counters.bytes_received.saturating_add(chunk.total);
            if key.kind == Kind::Response {
                self.calls.answered(call);
            }
        }
        Ok(Some(Event::Chunk(Arrived {
            message: key,
            failed: marks.failed,
            aux,
            total: chunk.total,
            offset: chunk.offset,
            len: chunk.len,
            first,
            last,
            compressed: marks.compressed,
            redelivered: marks.redelivered,
            priority: marks.priority,
            cost: cost(chunk.len),
        })))
    }

    fn handle_abort(&mut self, key: MessageKey) -> Option<Event> {
        let call = (key.connection, key.message);
        self.assemblies.is_swallowed(key, true);
        let unfinished = self.assemblies.remove(key);
        let told = match key.kind {
            Kind::Message => unfinished,
            Kind::Request => self.calls.withdraw(call) || unfinished,
            Kind::Response => {
                self.calls.is_swallowed(call, true);
                self.calls.fail(CallFailure::Aborted(AbortReason::ByPeer), |known| known == call);
                unfinished
            }
        };
        told.then_some(Event::Aborted { message: key, reason: AbortReason::ByPeer })
    }

    /// A chunk of `key` broke a rule: what came of it so far is dropped.
    fn violated(&mut self, key: MessageKey) {
        let call = (key.connection, key.message);
        let dropped = self.assemblies.end(AbortReason::Violation, |open| open.key == key);
        match key.kind {
            Kind::Message => {}
            // A second request of the same number says nothing about the first, if that came whole.
            Kind::Request if dropped == 0 => {}
            Kind::Request => drop(self.calls.withdraw(call)),
            Kind::Response => {
                self.calls.fail(CallFailure::Aborted(AbortReason::Violation), |known| known == call);
            }
        }
    }
}
