//! Why connecting, listening, sending or asking failed.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use strait_core::xcp::ErrorCode;
use strait_core::xcp::connection::CloseReason;

use super::address::BadAddress;
use crate::codec::{DecodeError, EncodeError, NoCodec};

pub use strait_core::xcp::connection::SendError as NotSent;

/// Options that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadOption {
    /// More than there is room for.
    #[error("{len} {what} exceed the {limit} that there is room for")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        len: usize,
        /// How many there may be.
        limit: usize,
    },
    /// Less than is needed.
    #[error("{what} is {len}: it must be {limit} at least")]
    TooSmall {
        /// What.
        what: &'static str,
        /// How much.
        len: u64,
        /// What is needed.
        limit: u64,
    },
    /// There is no such level of compression.
    #[error(transparent)]
    Compress(#[from] super::compress::CompressError),
    /// A blocking client holds every message whole.
    #[error("a blocking client cannot read messages as they come: stream_over must not be set")]
    BlockingStream,
    /// Keys are to be made from TLS, and there is none underneath.
    #[error("keys cannot be made from TLS: the address has none")]
    NoTls,
    /// The address needs TLS options.
    #[error("a tls:// address needs the options of TLS")]
    TlsNotSet,
    /// TLS was set up, and the address is in the clear.
    #[error("the options of TLS are for tls:// addresses: at {address} everything would go in the clear")]
    TlsNotUsed {
        /// The address.
        address: String,
    },
    /// This platform has no such sockets.
    #[error("there are no {what} on this platform")]
    NotHere {
        /// What.
        what: &'static str,
    },
    /// The system has no random bytes.
    #[error("the system gives no random bytes")]
    NoRandomness,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The address is none.
    #[error(transparent)]
    Address(#[from] BadAddress),
    /// The options cannot be.
    #[error(transparent)]
    Option(#[from] BadOption),
    /// TLS cannot be spoken as it is set up.
    #[cfg(feature = "xcp-tls")]
    #[error(transparent)]
    Tls(#[from] super::tls::TlsError),
    /// The server cannot be reached, or the port cannot be listened on.
    #[error("{address}: {source}")]
    Io {
        /// Where.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// The server's host has several addresses, and none can be reached in time.
    #[error("{address}: {}", tried.iter().map(Attempt::to_string).collect::<Vec<_>>().join("; "))]
    Unreachable {
        /// Where.
        address: String,
        /// What became of each of its addresses, in the order in which they were tried.
        tried: Vec<Attempt>,
    },
    /// The handshake came to nothing.
    #[error("handshake with {address}: {reason}")]
    Handshake {
        /// Where.
        address: String,
        /// Why.
        reason: CloseReason,
    },
    /// The server did not answer in time.
    #[error("{address} did not answer within {after:?}")]
    Timeout {
        /// Where.
        address: String,
        /// How long it was waited for.
        after: Duration,
    },
}

/// Why one address of a host was not connected to.
#[derive(Debug, thiserror::Error)]
#[error("{address}: {source}")]
#[non_exhaustive]
pub struct Attempt {
    /// The address.
    pub address: SocketAddr,
    /// What the system said; [`TimedOut`](io::ErrorKind::TimedOut) if nothing came before the time was over.
    pub source: io::Error,
}

/// Why a message was not sent, or not acknowledged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The body cannot be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// None of the codecs that were agreed on can carry it.
    #[error(transparent)]
    NoCodec(#[from] NoCodec),
    /// The peer would not take it, or there is no room.
    #[error(transparent)]
    NotSent(#[from] NotSent),
    /// The tags have no room in a header.
    #[error(transparent)]
    Tags(#[from] strait_core::xcp::TagsFull),
    /// The peer refused it.
    #[error("refused by the peer: {code}")]
    Nack {
        /// Why.
        code: ErrorCode,
        /// When it may be sent anew.
        retry_after: Option<Duration>,
    },
    /// The peer did not acknowledge it, however often it was sent.
    #[error("never acknowledged")]
    Unacknowledged,
    /// The body cannot be compressed.
    #[error(transparent)]
    Compress(#[from] super::compress::CompressError),
    /// It cannot be sealed: too many channels or messages were under the keys of this connection, and another one is needed.
    #[error(transparent)]
    Seal(#[from] super::seal::SealError),
    /// A message that is written as it is made cannot do this.
    #[error("a message that is written as it is made cannot {cannot}")]
    Stream {
        /// What.
        cannot: &'static str,
    },
    /// The peer refused it while it was being written.
    #[error("refused by the peer while it was being written")]
    Refused,
    /// The connection is over.
    #[error("the connection is over: {reason}")]
    Closed {
        /// Why.
        reason: CloseReason,
    },
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The request was not sent.
    #[error(transparent)]
    Send(SendError),
    /// The peer refused it.
    #[error("refused by the peer: {code}")]
    Nack {
        /// Why.
        code: ErrorCode,
        /// When it may be sent anew.
        retry_after: Option<Duration>,
    },
    /// There was no answer in time. One that comes later is thrown away.
    #[error("no answer within {after:?}")]
    Timeout {
        /// How long it was waited for.
        after: Duration,
    },
    /// The answer cannot be decoded.
    #[error("the answer cannot be read: {0}")]
    Decode(#[from] DecodeError),
    /// The connection is over.
    #[error("the connection is over: {reason}")]
    Closed {
        /// Why.
        reason: CloseReason,
    },
}

impl SendError {
    /// What a peer should be told whose request this message should have answered.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::NotSent(NotSent::KindNotAccepted { .. }) => ErrorCode::ERR_KIND_MISMATCH,
            Self::NotSent(NotSent::TooLarge { .. } | NotSent::NoFrame { .. } | NotSent::Header(_))
            | Self::Tags(_) => ErrorCode::ERR_MESSAGE_TOO_LARGE,
            // The same again may be answered.
            Self::NotSent(NotSent::Busy { .. }) => ErrorCode::ERR_BUSY,
            _ => ErrorCode::ERR_CODEC_UNSUPPORTED,
        }
    }
}

impl BodyError {
    /// What a peer should be told whose message this is; `None` if it was told, or is gone.
    pub const fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::TooLarge { .. } => Some(ErrorCode::ERR_MESSAGE_TOO_LARGE),
            Self::Unpack(error) => Some(error.code()),
            Self::Refused { .. } | Self::Closed => None,
        }
    }
}

impl From<SendError> for RequestError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Nack { code, retry_after } => Self::Nack { code, retry_after },
            SendError::Closed { reason } => Self::Closed { reason },
            other => Self::Send(other),
        }
    }
}

/// Why a message that is read as it comes will not be complete.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// It was refused: longer than is taken, damaged, or given up by the peer.
    #[error("the rest of the message was refused: {code}")]
    Refused {
        /// What the peer was told.
        code: ErrorCode,
    },
    /// It cannot be unpacked.
    #[error(transparent)]
    Unpack(#[from] super::decompress::DecompressError),
    /// It is longer than is held.
    #[error("a message of more than {limit} bytes")]
    TooLarge {
        /// Bytes that are held.
        limit: u64,
    },
    /// The connection ended first.
    #[error("the connection ended before the message did")]
    Closed,
}

impl From<BodyError> for io::Error {
    fn from(error: BodyError) -> Self {
        let kind = match error {
            BodyError::Closed => io::ErrorKind::ConnectionAborted,
            _ => io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}
