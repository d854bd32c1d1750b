//! What to send next, and what to tell the user.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::Session;
use super::connections::Stage;
use super::credit::cost;
use super::event::{CloseReason, Event, Transmit};
use super::message::{ConnectionId, Kind, MessageKey};
use super::negotiation::Agreed;
use super::outgoing::{Entry, Progress, Unacknowledged};
use crate::hqq::packet::{Chunk, Operation};
use crate::hqq::{ChunkFlags, Features};

impl<const CONNECTIONS: usize, const ASSEMBLIES: usize, const OUTGOING: usize, const CALLS: usize, B: Clone>
    Session<CONNECTIONS, ASSEMBLIES, OUTGOING, CALLS, B>
{
    /// What to publish in the next slot; `None` if nothing, or nothing that there is credit for.
    ///
    /// It counts as sent: call this with a slot reserved. Packets without bytes come first, then chunks: the most
    /// urgent class, unless another has been passed over `starvation_bound` times.
    #[must_use]
    pub fn poll_packet(&mut self) -> Option<Transmit<B>> {
        if let Some(packet) = self.control.pop_front() {
            return Some(Transmit::Packet(packet));
        }
        let agreed = *self.agreed()?;
        if let Some(operation) = self.poll_reply(&agreed) {
            return Some(Transmit::Packet(operation.emit(self.config.profile, self.config.slot_len)));
        }
        self.poll_chunk(&agreed)
    }

    /// What has happened beside the event of the packet or command that was last handled.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        if let Some(code) = self.failed.take() {
            return Some(Event::NegotiationFailed { code });
        }
        if let Some((message, reason)) = self.assemblies.take_ended() {
            return Some(Event::Aborted { message, reason });
        }
        if let Some(((connection, message), reason)) = self.calls.take_failed() {
            return Some(Event::CallFailed { connection, message, reason });
        }
        if let Some(Entry { key: message, progress, .. }) = self.sending.take_ended() {
            return Some(match progress {
                Progress::Unsent(reason) => Event::Unsent { message, reason },
                _ => Event::Sent { message },
            });
        }
        if let Some(connection) = self.connections.take_lost() {
            return Some(Event::Closed { connection, reason: CloseReason::PeerLost });
        }
        self.poll_redelivery()
    }

    /// Answers that wait in the tables and not in the queue: so there are never too many.
    fn poll_reply(&mut self, agreed: &Agreed) -> Option<Operation> {
        let flow = agreed.has(Features::FLOW_CONTROL);
        for connection in self.connections.iter_mut().filter(|connection| connection.stage == Stage::Open) {
            if core::mem::take(&mut connection.accept_due) {
                return Some(Operation::Accept { connection: connection.id.0 });
            }
            if let Some(limit) = flow.then(|| connection.credit.take_due()).flatten() {
                return Some(Operation::Credit { connection: connection.id.0, limit });
            }
        }
        if core::mem::take(&mut self.statistics_due) {
            return Some(Operation::Statistics(self.counters));
        }
        let abandoned = self.calls.take_abandoned();
        if let Some((ConnectionId(connection), message)) = abandoned {
            return Some(abort(connection, message, ChunkFlags::REQUEST));
        }
        let Entry { key, marks, .. } = self.sending.take_aborting()?;
        // Its kind alone: Go's readers know no other flag beside an abort.
        Some(abort(key.connection.0, key.message, marks.flags().intersection(KIND)))
    }

    fn poll_chunk(&mut self, agreed: &Agreed) -> Option<Transmit<B>> {
        let limit = self.limit(agreed);
        let flow = agreed.has(Features::FLOW_CONTROL);
        // The peer may take no more unfinished messages than we do.
        let may_begin_large = self.sending.begun() < ASSEMBLIES;
        let connections = &self.connections;
        let heads = self.sending.heads(|entry| {
            let connection = connections.find(entry.key.connection);
            let Some(connection) = connection.filter(|known| known.stage == Stage::Open) else {
                return false;
            };
            let len = entry.next_len(limit);
            let credit = !flow || connection.credit.available() >= cost(len);
            credit && (entry.begun || may_begin_large || entry.total <= limit)
        });
        let class = self.schedule.choose(heads.map(|head| head.is_some()))?;
        let key = heads.get(class).copied().flatten()?;
        self.sending.serve(class, key);
        let entry = self.sending.find_mut(key)?;
        let (offset, len) = (entry.offset, entry.next_len(limit));
        // Cannot overflow: both are of a message whose length is a u64.
        entry.offset = offset.saturating_add(len);
        entry.begun = true;
        let (total, aux, marks, last) = (entry.total, entry.aux, entry.marks, entry.offset == entry.total);
        let body = entry.body.clone();
        if last {
            entry.progress = Progress::Sent;
            self.sent(key, total);
        }
        if let Some(connection) = self.connections.find_mut(key.connection).filter(|_| flow) {
            connection.credit.send(cost(len));
        }
        let mut flags = marks.flags();
        if offset == 0 {
            flags = flags.union(ChunkFlags::BEGIN);
        }
        if last {
            flags = flags.union(ChunkFlags::END);
        }
        let chunk = Chunk {
            connection: key.connection.0,
            message: key.message,
            total,
            offset,
            len,
            flags: if self.is_plain(agreed) { ChunkFlags(0) } else { flags },
            aux: if offset == 0 { aux } else { 0 },
        };
        let operation = if self.is_standard() && key.connection == ConnectionId::IMPLICIT {
            // Whoever publishes it knows the buffer.
            Operation::Copy { copy: key.message, buffer: 0, len }
        } else {
            Operation::Chunk(chunk)
        };
        let packet = operation.emit(self.config.profile, self.config.slot_len);
        Some(Transmit::Chunk { packet, message: key, offset, len, body })
    }

    /// The last chunk of a message was polled.
    fn sent(&mut self, key: MessageKey, total: u64) {
        self.counters.messages_sent = self.counters.messages_sent.saturating_add(1);
        self.counters.bytes_sent = self.counters.bytes_sent.saturating_add(total);
        self.reliable.sent(key);
        if key.kind == Kind::Response {
            self.counters.calls = self.counters.calls.saturating_add(1);
        }
    }

    fn poll_redelivery(&mut self) -> Option<Event> {
        if let Some(given_up) = self.reliable.take_given_up() {
            return Some(Event::Undelivered { message: given_up.key });
        }
        let agreed = *self.agreed()?;
        if !agreed.is_reliable() {
            self.reliable.give_up();
            return self
                .reliable
                .take_given_up()
                .map(|given_up| Event::Undelivered { message: given_up.key });
        }
        if self.sending.is_full() {
            return None;
        }
        let again = self.reliable.take_again()?;
        let Unacknowledged { key: old, mut marks, aux, total, body, .. } = again;
        let needs_more = marks.compressed && !agreed.has(Features::COMPRESSION)
            || total > self.limit(&agreed) && !agreed.has(Features::LARGE_COPY);
        if needs_more {
            return Some(Event::Undelivered { message: old });
        }
        marks.redelivered = true;
        if !agreed.has(Features::QOS) {
            marks.priority = 0;
        }
        let message = self.next_message();
        let new = MessageKey { connection: ConnectionId::IMPLICIT, message, kind: Kind::Message };
        let entry = Entry::new(new, marks, (aux, total), body);
        self.reliable.push(&entry);
        let taken = self.sending.push(entry);
        debug_assert!(taken, "it was not full");
        Some(Event::Redeliver { old, new })
    }
}

/// What an abort says of its message.
const KIND: ChunkFlags = ChunkFlags::REQUEST.union(ChunkFlags::RESPONSE);

fn abort(connection: u64, message: u64, kind: ChunkFlags) -> Operation {
    let flags = kind.union(ChunkFlags::ABORT);
    Operation::Chunk(Chunk { connection, message, total: 0, offset: 0, len: 0, flags, aux: 0 })
}
