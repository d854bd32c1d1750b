//! What a connection tells its driver: events, what to send, why it is over.

use core::time::Duration;

use super::super::decoder::FrameError;
use super::super::frame::Envelope;
use super::super::header::HeaderError;
use super::super::numbers::{CodecId, ErrorCode, Flags, MsgType};

/// A message of one direction of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MessageKey {
    /// The channel it is on.
    pub channel: u32,
    /// Its number; peers of Python's dialect number all of theirs 0.
    pub msg_id: u64,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'i> {
    /// The handshake is over: [`Connection::agreed`](super::Connection::agreed) says what came of it.
    Connected,
    /// A message begins; [`Connection::header`](super::Connection::header) has its header.
    Started {
        /// Which.
        message: MessageKey,
        /// [`Flags::COMP`] and [`Flags::CRYPT`] of the message.
        flags: Flags,
        /// Its bytes on the wire, if it has but one frame.
        len: Option<u64>,
    },
    /// The next bytes of a message. They are not yet checked: keep them until [`Verified`](Self::Verified), and drop
    /// them all at [`Dropped`](Self::Dropped).
    Chunk {
        /// Of which message.
        message: MessageKey,
        /// The bytes.
        bytes: &'i [u8],
    },
    /// Every byte of the message that came so far is as it was sent. Once it is complete, answer with
    /// [`Connection::accept`](super::Connection::accept) or [`Connection::refuse`](super::Connection::refuse).
    Verified {
        /// Which.
        message: MessageKey,
        /// Whether it was the last frame.
        complete: bool,
    },
    /// The rest of a message will not come, or was not wanted. The peer was told why.
    Dropped {
        /// Which.
        message: MessageKey,
        /// What the peer was told.
        code: ErrorCode,
    },
    /// A message was refused before it began, and the peer was told.
    Refused {
        /// Which.
        message: MessageKey,
        /// What the peer was told.
        code: ErrorCode,
    },
    /// The peer has one of our messages.
    Acked {
        /// Its number.
        msg_id: u64,
    },
    /// The peer refused one of our messages, for good.
    Nacked {
        /// Its number.
        msg_id: u64,
        /// Why.
        code: ErrorCode,
        /// When it may be sent anew, if the peer said so.
        retry_after: Option<Duration>,
    },
    /// A message that asked for an ACK got none, however often it was sent.
    Unacknowledged {
        /// Its number.
        msg_id: u64,
    },
    /// The peer is there.
    Pong {
        /// The number of our PING.
        nonce: u64,
    },
    /// It is over. Send what [`Connection::poll_transmit`](super::Connection::poll_transmit) still gives, then close.
    Closed(CloseReason),
}

/// Why a connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// We closed it.
    #[error("closed by this end")]
    Local,
    /// The peer closed it between two frames.
    #[error("closed by the peer")]
    Peer,
    /// The peer closed it inside a frame.
    #[error("the peer closed inside a frame")]
    Truncated,
    /// The peer closed it before the handshake was over; peers that speak another dialect do.
    #[error("the peer closed before it answered HELLO: it may speak another dialect")]
    NotAnswered,
    /// What came is no frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A header cannot be read, or ours cannot be written.
    #[error("a header cannot be read: {0}")]
    Header(HeaderError),
    /// Something else came before HELLO, or instead of its answer.
    #[error("the first frame is {found} and not HELLO")]
    NotHello {
        /// Its type.
        found: MsgType,
    },
    /// The body of HELLO or CAPS cannot be read.
    #[error("the body of HELLO, {len} bytes, cannot be read")]
    BadHello {
        /// Its bytes.
        len: u64,
    },
    /// The checksum of a frame is wrong and the dialect has no answer to that.
    #[error("the checksum of a payload is {computed:#010x}, the frame says {found:#010x}")]
    Checksum {
        /// Over the bytes that came.
        computed: u32,
        /// What the frame says.
        found: u32,
    },
    /// The peer speaks another major version.
    #[error("the peer speaks version {major}.{minor}, here 0.2 is spoken")]
    Version {
        /// Its major version.
        major: u8,
        /// Its minor version.
        minor: u8,
    },
    /// The peer reads none of our codecs.
    #[error("no codec is read by both ends; the first of this end's is {first:?}")]
    NoCommonCodec {
        /// The codec that we prefer.
        first: Option<CodecId>,
    },
    /// The peer cannot do what we require.
    #[error("the peer cannot do {missing}, which this end requires")]
    Requirement {
        /// What it lacks.
        missing: Flags,
    },
    /// A frame is longer than was offered.
    #[error("a frame of {len} bytes exceeds the {limit} bytes that were offered")]
    FrameTooLong {
        /// Its bytes.
        len: u64,
        /// What was offered.
        limit: u64,
    },
    /// The peer goes on with a message that was refused.
    #[error("the peer went on for {len} bytes with a message that was refused")]
    NotStopping {
        /// Bytes since it was refused.
        len: u64,
    },
    /// The peer sends more messages side by side than there is room for.
    #[error("more than {limit} messages came in pieces at once")]
    TooManyMessages {
        /// How many there may be.
        limit: usize,
    },
    /// The handshake took too long.
    #[error("no handshake within {after:?}")]
    HandshakeTimeout {
        /// How long it was waited for.
        after: Duration,
    },
    /// Nothing came for too long.
    #[error("nothing came for {after:?}")]
    Idle {
        /// How long.
        after: Duration,
    },
    /// A control frame could not be sealed: its key has been used as often as it may be.
    #[error("no more can be sealed with the keys of this connection: another is needed")]
    NotSealed,
    /// Too many messages did not open.
    #[error("{count} sealed messages could not be opened")]
    Authentication {
        /// How many.
        count: u32,
    },
}

/// What to send next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transmit {
    /// As many bytes of the buffer.
    Bytes(usize),
    /// A frame with bytes of one of our messages.
    Chunk(Chunk),
}

/// A frame with bytes of one of our messages, which the driver holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The message's number.
    pub msg_id: u64,
    /// Its handle.
    pub handle: u64,
    /// Where the bytes begin in the message.
    pub offset: u64,
    /// How many.
    pub len: usize,
    /// Whether they are the message's last, and it can be forgotten unless it waits for an ACK.
    pub last: bool,
    /// Whether it is kept for an ACK.
    pub kept: bool,
    /// What stands in front of them and behind.
    pub envelope: Envelope,
}
