//! What a session tells its runtime: packets to publish, and what has happened.

use super::error::{AbortReason, CallFailure, UnsentReason};
use super::message::{ConnectionId, MessageKey};
use super::negotiation::Agreed;
use crate::hqq::ErrorCode;
use crate::hqq::packet::{Counters, Packet};

/// What to publish in the next slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transmit<B = ()> {
    /// A packet without bytes.
    Packet(Packet),
    /// A chunk, or a copy, which is to name the slot's buffer: the slot's buffer takes `len` bytes of the message from `offset` on, sealed if encryption is agreed.
    Chunk {
        /// The packet.
        packet: Packet,
        /// Which message.
        message: MessageKey,
        /// Where in the message its bytes begin.
        offset: u64,
        /// How many they are, without what sealing adds.
        len: u64,
        /// What [`begin_with`](super::Session::begin_with) was given for the message.
        body: B,
    },
}

/// A chunk that came in order; its bytes stand in the slot's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrived {
    /// Which message.
    pub message: MessageKey,
    /// Whether it is the response that says what failed.
    pub failed: bool,
    /// Method of a request, status of a response.
    pub aux: u64,
    /// Bytes of the whole message.
    pub total: u64,
    /// Where in the message the bytes belong: where the last chunk ended.
    pub offset: u64,
    /// How many they are, without what sealing adds.
    pub len: u64,
    /// Whether it is the message's first chunk.
    pub first: bool,
    /// Whether it is the message's last chunk.
    pub last: bool,
    /// Whether the message is compressed.
    pub compressed: bool,
    /// Whether the message was sent before, to a consumer that died.
    pub redelivered: bool,
    /// The message's class, 0 to 3; 0 unless classes are agreed.
    pub priority: u8,
    /// What to give back with [`consumed`](super::Session::consumed) once the bytes need no more room.
    pub cost: u64,
}

/// Who closed a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// The peer, for this reason; 0 is the normal one.
    ByPeer(u64),
    /// Nobody: the peer's process is dead.
    PeerLost,
}

/// What has happened.
///
/// Each message of which a first chunk was told ends with its last chunk or with [`Aborted`](Self::Aborted), once.
/// Each call ends with the last chunk of its response, with [`CallFailed`](Self::CallFailed), or by being forgotten.
/// Each message that was begun ends with [`Sent`](Self::Sent), with [`Unsent`](Self::Unsent), by being aborted, or is
/// redelivered; once reliable delivery is agreed, it ends a second time: with [`Acknowledged`](Self::Acknowledged),
/// [`Redeliver`](Self::Redeliver) or [`Undelivered`](Self::Undelivered).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Both ends agree.
    Negotiated(Agreed),
    /// They do not.
    NegotiationFailed {
        /// What the peer said; `None` if it was us who refused.
        code: Option<ErrorCode>,
    },
    /// The peer has opened a connection.
    Opened {
        /// Its number.
        connection: ConnectionId,
    },
    /// The peer grants a connection.
    Accepted {
        /// Its number.
        connection: ConnectionId,
    },
    /// The peer does not grant a connection.
    Refused {
        /// Its number.
        connection: ConnectionId,
        /// Why.
        code: ErrorCode,
    },
    /// A connection is closed, and not by us.
    Closed {
        /// Its number.
        connection: ConnectionId,
        /// By whom.
        reason: CloseReason,
    },
    /// Bytes of a message.
    Chunk(Arrived),
    /// A message ends early: its bytes are of no use. For a request that came whole, the peer wants no answer.
    Aborted {
        /// Which.
        message: MessageKey,
        /// Why.
        reason: AbortReason,
    },
    /// A call gets no response.
    CallFailed {
        /// Its connection.
        connection: ConnectionId,
        /// Its request's number.
        message: u64,
        /// Why.
        reason: CallFailure,
    },
    /// The last chunk of a message was polled: its bytes are needed no more, unless it waits to be acknowledged.
    Sent {
        /// Which.
        message: MessageKey,
    },
    /// A message was not sent to its end.
    Unsent {
        /// Which.
        message: MessageKey,
        /// Why.
        reason: UnsentReason,
    },
    /// The peer has consumed a message.
    Acknowledged {
        /// Which.
        message: MessageKey,
    },
    /// A message goes again, to the next peer, on connection 0.
    Redeliver {
        /// What it was called.
        old: MessageKey,
        /// What it is called now.
        new: MessageKey,
    },
    /// A message was not acknowledged, and is given up.
    Undelivered {
        /// Which.
        message: MessageKey,
    },
    /// The peer's counters, asked for.
    Statistics(Counters),
    /// The peer says that an operation failed.
    PeerError {
        /// The connection, mostly; 0 if none.
        context: u64,
        /// What failed.
        code: ErrorCode,
    },
}
