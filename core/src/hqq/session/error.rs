//! What can go wrong in a session: what the peer did, and what our own user asked for.

use super::fault::ChunkFault;
use super::message::ConnectionId;
use crate::hqq::packet::{BadPacket, Chunk, Offer};
use crate::hqq::{ErrorCode, OpCode, Version};

/// A packet that no correct peer sends now. It is dropped, and the session goes on.
///
/// [`code`](Self::code) says what the peer is told about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// Our user's mistake: the packet was not looked at, because [`is_ready`](super::Session::is_ready) is false.
    #[error("{queued} packets wait for the peer: poll them before another is handled")]
    NotReady {
        /// Packets that wait.
        queued: usize,
    },
    /// Nobody has defined it.
    #[error(transparent)]
    Packet(#[from] BadPacket),
    /// It came before versions and features were agreed.
    #[error("{opcode} on connection {connection} before the negotiation")]
    NotNegotiated {
        /// What it is.
        opcode: OpCode,
        /// Connection it names; 0 if none.
        connection: u64,
    },
    /// A request when one was already answered, refused or failed.
    #[error("a second negotiation: version {}, features {:?}", .offer.version, .offer.features)]
    UnexpectedNegotiate {
        /// What it offers.
        offer: Offer,
    },
    /// A request of a peer that was proven dead.
    #[error("a negotiation of a peer that is dead")]
    StaleNegotiate,
    /// An answer that nobody waits for.
    #[error("an answer to a negotiation that nobody waits for: version {}", .offer.version)]
    UnexpectedAck {
        /// What it grants.
        offer: Offer,
    },
    /// Another major version; the negotiation has failed.
    #[error("protocol version {found} was requested, and only versions {}.x are spoken", Version::V1_1.major)]
    MajorVersion {
        /// Version requested.
        found: Version,
    },
    /// An answer that grants what was not requested; the negotiation has failed.
    #[error(
        "the peer granted version {}, features {:?}, {:?}; requested were {}, {:?}, {:?}",
        .granted.version, .granted.features, .granted.capabilities,
        .requested.version, .requested.features, .requested.capabilities
    )]
    BadAck {
        /// What was requested.
        requested: Offer,
        /// What was granted.
        granted: Offer,
    },
    /// Data without a connection, as a Standard link sends it.
    #[error("copy {copy} of {len} bytes is of a Standard link")]
    UnexpectedCopy {
        /// Its number.
        copy: u64,
        /// Its length.
        len: u64,
    },
    /// What it needs was not agreed.
    #[error("{opcode} on connection {connection} needs {feature}, which is not agreed")]
    NotAgreed {
        /// What it is.
        opcode: OpCode,
        /// Connection it names; 0 if none.
        connection: u64,
        /// Name of the feature or capability.
        feature: &'static str,
    },
    /// There is no such connection.
    #[error("{opcode} on connection {connection}, which does not exist")]
    UnknownConnection {
        /// What it is.
        opcode: OpCode,
        /// Connection it names.
        connection: u64,
    },
    /// It asks for a connection, and nobody listens.
    #[error("connection {connection} was asked for, and nobody listens")]
    NotListening {
        /// Connection it names.
        connection: u64,
    },
    /// It asks for a connection that exists.
    #[error("connection {connection} was asked for, and exists")]
    ConnectionExists {
        /// Connection it names.
        connection: u64,
    },
    /// It asks for one connection too many.
    #[error("connection {connection} was asked for, and there are already {limit}")]
    TooManyConnections {
        /// Connection it names.
        connection: u64,
        /// Most there may be.
        limit: usize,
    },
    /// It grants a connection that nobody asked for.
    #[error("connection {connection} was granted, and nobody waits for it")]
    UnexpectedAccept {
        /// Connection it names.
        connection: u64,
    },
    /// It closes connection 0, which always exists.
    #[error("connection 0 was closed with reason {reason}; it always exists")]
    ImplicitClose {
        /// Reason it gives.
        reason: u64,
    },
    /// A chunk that breaks a rule; its message is dropped.
    #[error("message {} of connection {}: {fault}", .chunk.message, .chunk.connection)]
    Chunk {
        /// The chunk as it came.
        chunk: Chunk,
        /// The rule.
        fault: ChunkFault,
    },
    /// A message that is not waiting to be acknowledged.
    #[error("message {message} of connection {connection} was acknowledged, and does not wait for it")]
    UnknownAcknowledgement {
        /// Connection it names.
        connection: u64,
        /// Message it names.
        message: u64,
    },
    /// Counters that nobody asked for.
    #[error("statistics came that nobody asked for")]
    UnexpectedStatistics,
}

impl PeerError {
    /// What the peer is told about it; `None` if nothing: it answers something itself, or its sender is gone.
    pub fn code(&self) -> Option<ErrorCode> {
        Some(match self {
            Self::Packet(bad) => bad.code(),
            Self::NotNegotiated { .. }
            | Self::UnexpectedNegotiate { .. }
            | Self::MajorVersion { .. }
            | Self::BadAck { .. }
            | Self::UnexpectedCopy { .. }
            | Self::NotAgreed { .. }
            | Self::ConnectionExists { .. }
            | Self::ImplicitClose { .. } => ErrorCode::INVALID_OP,
            Self::UnknownConnection { .. } | Self::NotListening { .. } | Self::UnexpectedAccept { .. } => {
                ErrorCode::CONN_NOT_FOUND
            }
            Self::TooManyConnections { .. } => ErrorCode::BUFFER_OVERFLOW,
            Self::Chunk { fault, .. } => fault.code(),
            Self::NotReady { .. }
            | Self::StaleNegotiate
            | Self::UnexpectedAck { .. }
            | Self::UnknownAcknowledgement { .. }
            | Self::UnexpectedStatistics => return None,
        })
    }

    /// The connection it is about, as the context of an error packet; 0 if none.
    pub const fn context(&self) -> u64 {
        match self {
            Self::NotNegotiated { connection, .. }
            | Self::NotAgreed { connection, .. }
            | Self::UnknownConnection { connection, .. }
            | Self::NotListening { connection }
            | Self::ConnectionExists { connection }
            | Self::TooManyConnections { connection, .. }
            | Self::UnexpectedAccept { connection }
            | Self::UnknownAcknowledgement { connection, .. } => *connection,
            Self::Chunk { chunk, .. } => chunk.connection,
            _ => 0,
        }
    }

    /// Whether it is about the negotiation, so that a peer that negotiates may be told with context 0.
    pub(super) const fn is_of_negotiation(&self) -> bool {
        matches!(self, Self::UnexpectedNegotiate { .. } | Self::MajorVersion { .. } | Self::BadAck { .. })
    }
}

/// Why a command was not carried out. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// Too many packets wait for the peer: poll them first.
    #[error("{queued} packets wait for the peer: poll them first")]
    Backlogged {
        /// Packets that wait.
        queued: usize,
    },
    /// It needs a negotiation.
    #[error("nothing is negotiated")]
    NotNegotiated,
    /// There is one, or it has failed.
    #[error("the negotiation has begun, ended or failed")]
    AlreadyNegotiated,
    /// What it needs was not agreed.
    #[error("{feature} is not agreed")]
    NotAgreed {
        /// Name of the feature or capability.
        feature: &'static str,
    },
    /// There is no such connection.
    #[error("connection {connection} does not exist")]
    UnknownConnection {
        /// The one asked for.
        connection: ConnectionId,
    },
    /// Connection 0 always exists.
    #[error("connection 0 cannot be closed")]
    ImplicitConnection,
    /// One connection too many.
    #[error("there are already {limit} connections")]
    TooManyConnections {
        /// Most there may be.
        limit: usize,
    },
}

/// Why a message could not be begun. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// It needs a negotiation.
    #[error("nothing is negotiated")]
    NotNegotiated,
    /// What it needs was not agreed.
    #[error("{feature} is not agreed")]
    NotAgreed {
        /// Name of the feature.
        feature: &'static str,
    },
    /// There is no such connection.
    #[error("connection {connection} does not exist")]
    UnknownConnection {
        /// The one asked for.
        connection: ConnectionId,
    },
    /// Longer than messages may be.
    #[error("message of {total} bytes exceeds the limit of {max}")]
    TooLarge {
        /// Bytes asked for.
        total: u64,
        /// Most, bytes.
        max: u64,
    },
    /// No bytes, where messages are copies: those have some.
    #[error("an empty message cannot be sent without a negotiation: a copy has at least 1 byte")]
    Empty,
    /// A class that does not exist.
    #[error("priority {priority} is above 3")]
    Priority {
        /// The one asked for.
        priority: u8,
    },
    /// A method or status that the profile cannot carry.
    #[error("method or status {aux} exceeds the profile's {max}")]
    Aux {
        /// The one asked for.
        aux: u64,
        /// Largest.
        max: u64,
    },
    /// One unfinished message too many.
    #[error("already {limit} messages are being sent")]
    TooManyMessages {
        /// Most there may be.
        limit: usize,
    },
    /// One unacknowledged message too many.
    #[error("already {limit} messages are not acknowledged")]
    TooManyUnacknowledged {
        /// Most there may be.
        limit: usize,
    },
    /// One outstanding call too many.
    #[error("already {limit} calls are outstanding")]
    TooManyCalls {
        /// Most there may be.
        limit: usize,
    },
    /// A response to a request that never came, was answered, or is gone with its connection.
    #[error("request {message} of connection {connection} does not wait for an answer")]
    UnknownRequest {
        /// The connection asked for.
        connection: ConnectionId,
        /// The request asked for.
        message: u64,
    },
}

/// Why a message ended before its last chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AbortReason {
    /// Its sender gave it up.
    ByPeer,
    /// A chunk of it broke a rule: see the [`PeerError`] of that chunk.
    Violation,
    /// No chunk of it came for `assembly_age`.
    TooOld,
    /// Its connection was closed.
    ConnectionClosed,
    /// Its call was forgotten.
    Forgotten,
    /// Its peer's process is dead.
    PeerLost,
}

/// Why a call will get no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CallFailure {
    /// Its response ended before its last chunk.
    Aborted(AbortReason),
    /// Its connection was closed, or never granted.
    ConnectionClosed,
    /// The peer's process is dead.
    PeerLost,
}

/// Why a message was not sent to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UnsentReason {
    /// Its connection was closed, or never granted.
    ConnectionClosed,
    /// The peer's process is dead.
    PeerLost,
}
