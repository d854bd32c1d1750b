//! One end of a connection as a state machine: bytes in, bytes and events out. No socket, no clock, no heap.
//!
//! ```text
//!                 handle_input(now, bytes) ──► Event       begin, extend, accept, refuse, ping, close
//!  peer's bytes ───────────────────────────►┌────────────┐◄──────────────────────────────────── user
//!                                           │ Connection │
//!  socket ◄── Transmit ── poll_transmit() ──└────────────┘── poll_event(), poll_timeout()
//! ```
//!
//! The payload of a message is never here: [`Transmit::Chunk`] says which bytes of it go into the next frame,
//! [`Event::Chunk`] lends those that came.
//!
//! | file | question it answers |
//! |---|---|
//! | `config` | what an end offers, what both agreed on |
//! | `handshake` | what HELLO and its answer lead to |
//! | `receive`, `arrive` | what a frame is, what a message's frame does |
//! | `assembly`, `recent` | which messages are unfinished, which came before |
//! | `transmit`, `outgoing` | what to send, which message is next |
//! | `timing` | what time does |
//! | `protection` | who seals control frames |
//!
//! # Bounds
//!
//! Whatever a peer sends, a connection has at most `MESSAGES` unfinished messages, one per channel, with
//! [`Config::max_in_flight`] bytes together, and `CONTROL` bytes of a control frame. While its queue of answers is full it
//! takes no input: [`handle_input`](Connection::handle_input) leaves it, and sending makes room.
//!
//! # Order
//!
//! Messages of one channel are sent and arrive in the order of [`begin`](Connection::begin), each whole before the next; one
//! that is sent again comes behind those that were begun meanwhile. Channels take turns, frame by frame. Control frames
//! come first.
//!
//! # What a checksum does not cover
//!
//! It covers the payload of a frame. A byte that changes in front of that, which TCP's own checksum let pass, can lose a
//! message, cut it at the end of a frame, leave out a frame of it, or move it to another channel. Where that can be told it
//! is: another header inside a message drops it, and one that cannot be read closes. Sealed messages show all of it.
mod arrive;
mod assembly;
mod config;
mod error;
mod event;
mod handshake;
mod outgoing;
mod protection;
mod receive;
mod recent;
#[cfg(all(test, not(loom)))]
mod tests;
mod timing;
mod transmit;

use heapless::{Deque, Vec};

pub use config::{Agreed, Config, Knobs, Retry, Side};
pub use error::SendError;
pub use event::{Chunk, CloseReason, Event, MessageKey, Transmit};
pub use protection::{Plain, Protection, SEAL_OVERHEAD, SealedFrame};
pub use transmit::Begun;

use super::decoder::Decoder;
use super::dialect::Dialect;
use super::header::FrameHeader;
use super::numbers::{CodecId, ErrorCode, Flags, MsgType};
use crate::crc32c::{Checksum, Crc32c};
use crate::time::Instant;
use assembly::{Assemblies, Bounds, Place, Refusal};
use outgoing::Sending;
use recent::Recent;

/// Control frames that wait to be sent, at most.
pub const ANSWERS: usize = 64;
/// Of those, how many are kept free for answers to the peer: pings of the user take the others.
const RESERVED: usize = 8;
/// Messages that are remembered though they asked for no ACK.
const REMEMBERED: usize = 128;
/// How many sealed messages may fail to open before the connection is closed.
const FAILED_OPENINGS: u32 = 3;

/// Where a connection is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Waits for HELLO, or for its answer, until then.
    Handshake {
        deadline: Instant,
    },
    Open,
    Closed,
}

/// A control frame that waits to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Hello,
    Caps {
        reply_to: u64,
    },
    Ack {
        msg_id: u64,
    },
    Nack {
        msg_id: u64,
        code: ErrorCode,
        retry_after_ms: u32,
    },
    Ping {
        nonce: u64,
    },
    /// Its body is in the control buffer.
    Pong {
        reply_to: u64,
        codec: CodecId,
    },
}

/// What is done with the frame that comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    /// Its body goes into the control buffer.
    Control,
    /// It is longer than the control buffer.
    LongControl,
    /// It is of a message.
    Message { message: MessageKey, more: bool },
    /// It is thrown away; a duplicate is acknowledged again if it was whole.
    Discard { duplicate: Option<MessageKey> },
}

/// One end of a connection.
///
/// - **Getters** take `&self`.
/// - **`handle_*`** take what the world did: [`handle_input`](Self::handle_input), [`handle_eof`](Self::handle_eof),
///   [`handle_timeout`](Self::handle_timeout).
/// - **Commands** take what the user wants: [`begin`](Self::begin) and [`extend`](Self::extend),
///   [`accept`](Self::accept) and [`refuse`](Self::refuse), [`ping`](Self::ping), [`close`](Self::close).
/// - **`poll_*`** give what the driver must now do. After any of the above call [`poll_transmit`](Self::poll_transmit)
///   and [`poll_event`](Self::poll_event) until each is `None`, then [`poll_timeout`](Self::poll_timeout).
///
/// `now` must not go backwards between calls.
///
/// `C` computes checksums, `P` seals control frames. `HEADER` is the longest header and `CONTROL` the longest body of a
/// control frame, bytes; `MESSAGES` how many messages may be unfinished, in each direction.
#[derive(Debug)]
pub struct Connection<
    C = Crc32c,
    P = Plain,
    const HEADER: usize = 4096,
    const CONTROL: usize = 4096,
    const MESSAGES: usize = 64,
> {
    config: Config,
    phase: Phase,
    protection: P,
    decoder: Decoder<C, HEADER>,
    /// The dialect as far as it is known.
    dialect: Dialect,
    agreed: Option<Agreed>,
    /// Header, flags and fate of the frame that comes.
    header: FrameHeader,
    flags: Flags,
    route: Route,
    payload_len: u64,
    version: u8,
    /// A message's frame that waits for the driver to learn that it ended another message.
    pending: Option<Result<Place, Refusal>>,
    /// Body of the control frame that comes; of the PING that is answered.
    control: Vec<u8, CONTROL>,
    /// Whether `control` is a PONG's body that was not sent yet.
    control_in_use: bool,
    /// Each with the handle that the next message of ours had when it was made: to a peer of Python's dialect the order
    /// of all answers matters.
    answers: Deque<(Answer, u64), ANSWERS>,
    events: Deque<Event<'static>, 2>,
    assemblies: Assemblies<MESSAGES>,
    /// Those that asked for an ACK: as many as one end can have sent without having seen it.
    acknowledged: Recent<MESSAGES>,
    /// Others.
    recent: Recent<REMEMBERED>,
    sending: Sending<MESSAGES>,
    next_msg_id: u64,
    next_handle: u64,
    next_nonce: u64,
    failed_openings: u32,
    /// The last control frame could not be sealed.
    not_sealed: bool,
    last_received: Option<Instant>,
    /// When the peer was last asked whether it is there.
    asked: Option<Instant>,
    random: u64,
}

impl<C, P, const HEADER: usize, const CONTROL: usize, const MESSAGES: usize>
    Connection<C, P, HEADER, CONTROL, MESSAGES>
where
    C: Checksum,
    P: Protection,
{
    /// An end of a connection that has just been made. A client's first [`poll_transmit`](Self::poll_transmit) is HELLO.
    pub fn new(config: Config, protection: P, now: Instant) -> Self {
        let knobs = config.knobs;
        let spec = Dialect::SPEC;
        let dialect = Dialect {
            header: knobs.header.unwrap_or(spec.header),
            crc: knobs.crc.unwrap_or(spec.crc),
            numbering: knobs.numbering.unwrap_or(spec.numbering),
        };
        let mut answers = Deque::new();
        if config.side == Side::Client {
            // The queue is empty.
            let _ = answers.push_back((Answer::Hello, 0));
        }
        let bounds = Bounds {
            max_message: config.max_message,
            max_in_flight: config.max_in_flight,
            age: config.message_age,
        };
        Self {
            phase: Phase::Handshake { deadline: now.saturating_add(config.handshake_timeout) },
            protection,
            decoder: Decoder::default(),
            dialect,
            agreed: None,
            header: FrameHeader::new(MsgType::HELLO, 0, 0),
            flags: Flags::NONE,
            route: Route::Control,
            payload_len: 0,
            version: 0,
            pending: None,
            control: Vec::new(),
            control_in_use: false,
            answers,
            events: Deque::new(),
            assemblies: Assemblies::new(bounds),
            acknowledged: Recent::new(),
            recent: Recent::new(),
            sending: Sending::new(),
            next_msg_id: 1,
            next_handle: 1,
            next_nonce: 1,
            failed_openings: 0,
            not_sealed: false,
            last_received: None,
            asked: None,
            // It must not be 0, or it stays so.
            random: if config.seed == 0 { u64::MAX } else { config.seed },
            config,
        }
    }

    /// What both ends agreed on; `None` before the handshake is over.
    pub const fn agreed(&self) -> Option<&Agreed> {
        self.agreed.as_ref()
    }

    /// What is spoken, as far as it is known.
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// What this end offered.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// The header of the message whose [`Event::Started`] was the last.
    pub const fn header(&self) -> &FrameHeader {
        &self.header
    }

    /// The same as it came: what a seal covers.
    pub fn header_bytes(&self) -> &[u8] {
        self.decoder.header()
    }

    /// Major and minor version of the frame that came, a nibble each: a seal covers it too.
    pub const fn version(&self) -> u8 {
        self.version
    }

    /// Who seals control frames.
    pub const fn protection_mut(&mut self) -> &mut P {
        &mut self.protection
    }

    /// Bytes of the current frame's payload that are still to come, if it belongs to a message: input of up to so many
    /// can be read where the message is kept.
    pub const fn payload_left(&self) -> u64 {
        match self.route {
            Route::Message { .. } => self.decoder.payload_left(),
            _ => 0,
        }
    }

    /// Whether the handshake is over and the connection is not.
    pub const fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }

    /// Whether it is over.
    pub const fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    /// Whether every message was sent, and acknowledged where that was asked for.
    pub fn is_flushed(&self) -> bool {
        self.answers.is_empty() && self.sending.is_empty()
    }

    /// Bytes of all messages that have come in part.
    pub fn in_flight(&self) -> u64 {
        self.assemblies.in_flight()
    }

    /// Closes: messages that were not sent are forgotten.
    pub fn close(&mut self) -> CloseReason {
        self.shut();
        CloseReason::Local
    }

    /// Nothing comes any more, and only answers are sent.
    fn shut(&mut self) {
        self.phase = Phase::Closed;
        self.sending.clear();
    }

    /// Shuts, for a reason that the driver learns.
    fn fail(&mut self, reason: CloseReason) -> Event<'static> {
        self.shut();
        Event::Closed(reason)
    }

    /// Puts an answer to the peer into the queue. There is room: no input is taken while there is none.
    fn answer(&mut self, answer: Answer) {
        let _ = self.answers.push_back((answer, self.next_handle));
    }

    /// Tells the peer that a message of its was refused, if it takes such answers and the message has a number.
    fn nack(&mut self, msg_id: u64, code: ErrorCode) {
        // To a peer of Python's dialect the next frame is the answer: a refusal is one.
        let retry_after_ms = if code == ErrorCode::ERR_BUSY { 100 } else { 0 };
        self.answer(Answer::Nack { msg_id, code, retry_after_ms });
    }

    /// The next number of a message. A server of Python's dialect gives none.
    fn take_msg_id(&mut self) -> u64 {
        if self.dialect.is_strict() && self.config.side == Side::Server {
            return 0;
        }
        let id = self.next_msg_id;
        self.next_msg_id = self.next_msg_id.wrapping_add(1).max(1);
        id
    }
}
