//! Connections and messages without a negotiation: what a Standard link knows, and no more.
//!
//! Connection 0 carries copies, as a Standard link sends and takes them: one message, one slot. The other connections are
//! created, accepted and closed as ever; their messages are chunks, several of one message only in the seed profile, whose
//! document has them there.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::Session;
use super::credit::cost;
use super::error::{CommandError, PeerError, SendError};
use super::event::{Arrived, Event};
use super::message::{ConnectionId, Kind, MessageKey};
use super::negotiation::Agreed;

impl<const CONNECTIONS: usize, const ASSEMBLIES: usize, const OUTGOING: usize, const CALLS: usize, B: Clone>
    Session<CONNECTIONS, ASSEMBLIES, OUTGOING, CALLS, B>
{
    /// Goes on without a negotiation, or after one that failed or that nobody has answered; for good. The peer is told
    /// nothing: it must do the same, or be a Standard link. One that negotiates from now on is refused.
    ///
    /// # Errors
    /// [`CommandError::AlreadyNegotiated`] if both ends have agreed.
    pub fn go_standard(&mut self) -> Result<Agreed, CommandError> {
        self.negotiation.go_standard()
    }

    /// Whether it goes on without a negotiation.
    pub fn is_standard(&self) -> bool {
        self.negotiation.is_standard()
    }

    /// Whether a message of `total` bytes can go as a copy, if it has to.
    pub(super) fn check_copy(&self, connection: ConnectionId, total: u64) -> Result<(), SendError> {
        match total {
            _ if connection != ConnectionId::IMPLICIT || !self.is_standard() => Ok(()),
            0 => Err(SendError::Empty),
            _ if total > self.config.slot_len => Err(SendError::NotAgreed { feature: "LARGE_COPY" }),
            _ => Ok(()),
        }
    }

    /// A copy is a whole message of connection 0, in a session that knows copies, or may yet.
    pub(super) fn handle_copy(&mut self, copy: u64, len: u64) -> Result<Option<Event>, PeerError> {
        let takes = self.is_standard() || self.config.fallback && self.agreed().is_none();
        if !takes || len > self.config.slot_len {
            return Err(PeerError::UnexpectedCopy { copy, len });
        }
        if len == 0 {
            // What a seed link has instead of a tombstone.
            return Ok(None);
        }
        self.counters.messages_received = self.counters.messages_received.saturating_add(1);
        self.counters.bytes_received = self.counters.bytes_received.saturating_add(len);
        Ok(Some(Event::Chunk(Arrived {
            message: MessageKey { connection: ConnectionId::IMPLICIT, message: copy, kind: Kind::Message },
            failed: false,
            aux: 0,
            total: len,
            offset: 0,
            len,
            first: true,
            last: true,
            compressed: false,
            redelivered: false,
            priority: 0,
            cost: cost(len),
        })))
    }
}
