//! What the user wants: to negotiate, to open and close, to send, to give up.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::error::{AbortReason, CommandError, SendError};
use super::message::{CLASSES, ConnectionId, Kind, Marks, MessageKey, Outgoing, What};
use super::negotiation::Agreed;
use super::outgoing::{Entry, Progress};
use super::{CONTROL, REPLIES, Session};
use crate::hqq::packet::Operation;
use crate::hqq::{Features, Profile};

impl<const CONNECTIONS: usize, const ASSEMBLIES: usize, const OUTGOING: usize, const CALLS: usize, B: Clone>
    Session<CONNECTIONS, ASSEMBLIES, OUTGOING, CALLS, B>
{
    /// Asks the peer to negotiate. Either end may, and both may.
    ///
    /// # Errors
    /// [`CommandError::AlreadyNegotiated`] unless the state is `None`.
    pub fn negotiate(&mut self) -> Result<(), CommandError> {
        self.room()?;
        let request = self.negotiation.request()?;
        self.queue(&request);
        Ok(())
    }

    /// Asks for a connection. Messages may be begun on it at once; they go when it is accepted.
    ///
    /// # Errors
    /// [`CommandError::NotNegotiated`], [`CommandError::TooManyConnections`], [`CommandError::Backlogged`].
    pub fn open(&mut self) -> Result<ConnectionId, CommandError> {
        self.agreed().ok_or(CommandError::NotNegotiated)?;
        self.room()?;
        let id = self.connections.open().ok_or(CommandError::TooManyConnections { limit: CONNECTIONS })?;
        self.queue(&Operation::Create { connection: id.0 });
        Ok(id)
    }

    /// Closes a connection: what was not yet sent on it is unsent, its calls fail. Packets that the peer sends on it
    /// until it hears of that are dropped.
    ///
    /// # Errors
    /// [`CommandError::ImplicitConnection`], [`CommandError::UnknownConnection`], [`CommandError::Backlogged`].
    pub fn close(&mut self, connection: ConnectionId, reason: u64) -> Result<(), CommandError> {
        self.agreed().ok_or(CommandError::NotNegotiated)?;
        if connection == ConnectionId::IMPLICIT {
            return Err(CommandError::ImplicitConnection);
        }
        self.room()?;
        if !self.connections.close(connection) {
            return Err(CommandError::UnknownConnection { connection });
        }
        self.end_connection(connection);
        self.queue(&Operation::Close { connection: connection.0, reason });
        Ok(())
    }

    /// Begins a message of which `body` has the bytes. Its chunks come out of [`poll_packet`](Self::poll_packet), each with
    /// its body.
    ///
    /// With reliable delivery agreed, a message that stands alone waits to be acknowledged.
    ///
    /// # Errors
    /// [`SendError`], at once; nothing has changed then.
    pub fn begin_with(
        &mut self,
        connection: ConnectionId,
        outgoing: Outgoing,
        body: B,
    ) -> Result<MessageKey, SendError> {
        let agreed = *self.agreed().ok_or(SendError::NotNegotiated)?;
        self.check(&agreed, connection, &outgoing)?;
        let kind = outgoing.what.kind();
        let message = match outgoing.what {
            What::Message | What::Request => self.next_message(),
            What::Response { to } | What::ErrorResponse { to } => to,
        };
        let key = MessageKey { connection, message, kind };
        let marks = Marks {
            kind,
            failed: matches!(outgoing.what, What::ErrorResponse { .. }),
            compressed: outgoing.compressed,
            redelivered: false,
            priority: outgoing.priority,
        };
        let entry = Entry::new(key, marks, (outgoing.aux, outgoing.total), body);
        match kind {
            Kind::Message if agreed.is_reliable() => self.reliable.push(&entry),
            Kind::Message => {}
            Kind::Request => self.calls.wait_for((connection, message)),
            Kind::Response => self.calls.settle(|known| known == (connection, message)),
        }
        let taken = self.sending.push(entry);
        debug_assert!(taken, "checked above");
        Ok(key)
    }

    /// Gives a message up: the peer is told if it has seen any of it, or waits for it. Whether there was anything to
    /// give up: a message that was sent whole and is not acknowledged is no longer redelivered.
    pub fn abort(&mut self, message: MessageKey) -> bool {
        let unacknowledged = self.reliable.contains(message);
        self.reliable.remove(message);
        let call = (message.connection, message.message);
        let plain = self.agreed().is_none_or(|agreed| self.is_plain(agreed));
        let Some(entry) = self.sending.find_mut(message) else { return unacknowledged };
        if !plain && (entry.begun || message.kind == Kind::Response) {
            entry.progress = Progress::Aborting;
        } else {
            self.sending.remove(message);
        }
        if message.kind == Kind::Request {
            self.calls.forget(call);
        }
        true
    }

    /// `bytes` of credit need no more room here, so the peer may send as many more: the `cost` of each chunk that was
    /// told, once. Without flow control it does nothing.
    ///
    /// A message longer than the window must be consumed as it arrives, or its end never does. What came on a
    /// connection that was closed since, or of a peer that was lost since, is not given back.
    pub fn consumed(&mut self, connection: ConnectionId, bytes: u64) {
        if let Some(connection) = self.connections.find_mut(connection) {
            connection.credit.consume(bytes);
        }
    }

    /// Tells the peer that a message of its was consumed.
    ///
    /// # Errors
    /// [`CommandError::NotAgreed`] without reliable delivery, [`CommandError::UnknownConnection`],
    /// [`CommandError::Backlogged`].
    pub fn acknowledge(&mut self, connection: ConnectionId, message: u64) -> Result<(), CommandError> {
        let agreed = self.agreed().ok_or(CommandError::NotNegotiated)?;
        if !agreed.is_reliable() {
            return Err(CommandError::NotAgreed { feature: "RELIABLE_DELIVERY" });
        }
        self.connections.find(connection).ok_or(CommandError::UnknownConnection { connection })?;
        self.room()?;
        self.queue(&Operation::Acknowledge { connection: connection.0, message });
        Ok(())
    }

    /// Asks for the peer's counters, which come as [`Event::Statistics`](super::Event::Statistics).
    ///
    /// # Errors
    /// [`CommandError::NotAgreed`] without statistics, [`CommandError::Backlogged`].
    pub fn ask_statistics(&mut self) -> Result<(), CommandError> {
        let agreed = self.agreed().ok_or(CommandError::NotNegotiated)?;
        if !agreed.has(Features::STATISTICS) {
            return Err(CommandError::NotAgreed { feature: "STATISTICS" });
        }
        self.room()?;
        self.asked = self.asked.saturating_add(1);
        self.queue(&Operation::AskStatistics);
        Ok(())
    }

    /// Nobody waits for a call any more: its request is given up, a late response is swallowed. Whether it was
    /// outstanding. A Strait peer is told, so that it need not answer.
    ///
    /// The last 32 forgotten ones are remembered; a response to an older one is an error of the peer.
    pub fn forget_call(&mut self, connection: ConnectionId, message: u64) -> bool {
        let call = (connection, message);
        let waited = self.calls.is_waiting(call);
        let request = MessageKey { connection, message, kind: Kind::Request };
        let aborted = self.abort(request);
        if !aborted && self.agreed().is_some_and(Agreed::peer_is_strait) {
            // It was sent whole: others would take an abort for a message of its own.
            self.calls.abandon(call);
        }
        let key = MessageKey { connection, message, kind: Kind::Response };
        self.assemblies.end(AbortReason::Forgotten, |open| open.key == key);
        self.calls.forget(call);
        waited
    }

    fn room(&self) -> Result<(), CommandError> {
        let queued = self.control.len();
        if queued >= CONTROL - REPLIES { Err(CommandError::Backlogged { queued }) } else { Ok(()) }
    }

    fn check(&self, agreed: &Agreed, connection: ConnectionId, outgoing: &Outgoing) -> Result<(), SendError> {
        let need = |needed: bool, feature: Features, name: &'static str| {
            if needed && !agreed.has(feature) { Err(SendError::NotAgreed { feature: name }) } else { Ok(()) }
        };
        let Outgoing { what, aux, total, priority, compressed } = *outgoing;
        let kind = what.kind();
        if usize::from(priority) >= CLASSES {
            return Err(SendError::Priority { priority });
        }
        let limit = match (self.is_plain(agreed), self.config.profile) {
            (true, _) => 0,
            (_, Profile::Seed) => u64::from(u32::MAX),
            (_, Profile::Superblock) => u64::MAX,
        };
        if aux > limit {
            return Err(SendError::Aux { aux, max: limit });
        }
        need(kind != Kind::Message, Features::REQUEST_RESPONSE, "REQUEST_RESPONSE")?;
        need(priority > 0, Features::QOS, "QOS")?;
        need(compressed, Features::COMPRESSION, "COMPRESSION")?;
        need(kind == Kind::Message && total > self.limit(agreed), Features::LARGE_COPY, "LARGE_COPY")?;
        self.check_copy(connection, total)?;
        let max = self.config.max_message;
        if total > max {
            return Err(SendError::TooLarge { total, max });
        }
        let known = self.connections.find(connection).filter(|known| known.is_usable());
        known.ok_or(SendError::UnknownConnection { connection })?;
        if let What::Response { to: message } | What::ErrorResponse { to: message } = what
            && !self.calls.is_requested((connection, message))
        {
            return Err(SendError::UnknownRequest { connection, message });
        }
        if kind == Kind::Request && !self.calls.has_room() {
            return Err(SendError::TooManyCalls { limit: CALLS });
        }
        if kind == Kind::Message && agreed.is_reliable() && self.reliable.is_full() {
            return Err(SendError::TooManyUnacknowledged { limit: OUTGOING });
        }
        if self.sending.is_full() {
            return Err(SendError::TooManyMessages { limit: OUTGOING });
        }
        Ok(())
    }
}

impl<const CONNECTIONS: usize, const ASSEMBLIES: usize, const OUTGOING: usize, const CALLS: usize>
    Session<CONNECTIONS, ASSEMBLIES, OUTGOING, CALLS>
{
    /// [`begin_with`](Self::begin_with) for who keeps the bytes elsewhere: until [`Event::Sent`](super::Event::Sent), and with
    /// reliable delivery until [`Event::Acknowledged`](super::Event::Acknowledged) or
    /// [`Event::Undelivered`](super::Event::Undelivered), under the key of [`Event::Redeliver`](super::Event::Redeliver) in
    /// between.
    ///
    /// # Errors
    /// As there.
    pub fn begin(&mut self, connection: ConnectionId, outgoing: Outgoing) -> Result<MessageKey, SendError> {
        self.begin_with(connection, outgoing, ())
    }
}
