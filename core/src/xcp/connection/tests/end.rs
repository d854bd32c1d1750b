//! What does a driver do with a connection? The simplest that keeps every message whole.

use std::collections::{HashMap, VecDeque};
use std::vec::Vec;

use super::super::super::header::FrameHeader;
use super::super::super::numbers::{ErrorCode, Flags, MsgType};
use super::super::super::tags::Tags;
use super::super::{
    Begun, CloseReason, Config, Connection, Event, MessageKey, Plain, Protection, SendError, Transmit,
};
use super::raw::wrap;
use crate::crc32c::Crc32c;
use crate::time::Instant;

/// Messages that may be unfinished in a test.
pub(super) const MESSAGES: usize = 8;

/// A message that came whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Delivered {
    pub(super) message: MessageKey,
    pub(super) header: FrameHeader,
    pub(super) flags: Flags,
    pub(super) body: Vec<u8>,
    pub(super) wants_ack: bool,
}

/// A connection and all that its driver keeps.
#[derive(Debug)]
pub(super) struct End<P = Plain> {
    pub(super) connection: Connection<Crc32c, P, 512, 512, MESSAGES>,
    /// Every event in order, without bytes.
    pub(super) events: Vec<Event<'static>>,
    pub(super) delivered: Vec<Delivered>,
    /// What becomes of a message that came whole: it is accepted, refused with a code, or left alone.
    pub(super) verdict: fn(&Delivered) -> Verdict,
    /// Whether the bytes that come are given up at once.
    pub(super) consumes: bool,
    /// What came and was not taken.
    pub(super) input: Vec<u8>,
    unfinished: HashMap<MessageKey, Delivered>,
    /// Header and bytes of our messages, by their handles.
    outgoing: HashMap<u64, (Vec<u8>, Vec<u8>)>,
    closed: Option<CloseReason>,
}

/// What a driver does with a message that came whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Accept,
    Refuse(ErrorCode),
    Wait,
}

impl<P: Protection> End<P> {
    pub(super) fn new(config: Config, protection: P, now: Instant) -> Self {
        Self {
            connection: Connection::new(config, protection, now),
            events: Vec::new(),
            delivered: Vec::new(),
            verdict: |_| Verdict::Accept,
            consumes: false,
            input: Vec::new(),
            unfinished: HashMap::new(),
            outgoing: HashMap::new(),
            closed: None,
        }
    }

    /// Why the connection is over, if it is.
    pub(super) const fn closed(&self) -> Option<CloseReason> {
        self.closed
    }

    /// The bodies that came, in their order.
    pub(super) fn bodies(&self) -> Vec<&[u8]> {
        self.delivered.iter().map(|message| message.body.as_slice()).collect()
    }

    /// The bodies that came on a channel, in their order.
    pub(super) fn bodies_of(&self, channel: u32) -> Vec<&[u8]> {
        let messages = self.delivered.iter().filter(|message| message.message.channel == channel);
        messages.map(|message| message.body.as_slice()).collect()
    }

    /// A message in one call.
    pub(super) fn send(&mut self, channel: u32, body: &[u8]) -> Begun {
        self.try_send(&FrameHeader::new(MsgType::DATA, channel, 0), Flags::NONE, body)
            .expect("the test has it so")
    }

    /// A message that is to be acknowledged.
    pub(super) fn send_reliably(&mut self, channel: u32, body: &[u8]) -> Begun {
        let mut header = FrameHeader::new(MsgType::DATA, channel, 0);
        header.tags.push(Tags::ACK, "1").expect("the test has it so");
        self.try_send(&header, Flags::NONE, body).expect("the test has it so")
    }

    pub(super) fn try_send(
        &mut self,
        header: &FrameHeader,
        flags: Flags,
        body: &[u8],
    ) -> Result<Begun, SendError> {
        let begun = self.begin(header, flags)?;
        self.extend(begun.handle, body, true)?;
        Ok(begun)
    }

    /// A message whose bytes follow.
    pub(super) fn begin(&mut self, header: &FrameHeader, flags: Flags) -> Result<Begun, SendError> {
        let mut bytes = [0; 1024];
        let mut header = header.clone();
        let begun = self.connection.begin(&mut header, flags, &mut bytes)?;
        assert_eq!(begun.msg_id, header.msg_id);
        let before = self.outgoing.insert(begun.handle, (bytes[..begun.header_len].to_vec(), Vec::new()));
        assert!(before.is_none(), "handle {} twice", begun.handle);
        Ok(begun)
    }

    /// The next bytes of a message.
    pub(super) fn extend(&mut self, handle: u64, bytes: &[u8], ended: bool) -> Result<(), SendError> {
        let Some((_, body)) = self.outgoing.get_mut(&handle) else {
            return self.connection.extend(handle, 0, ended);
        };
        body.extend_from_slice(bytes);
        self.connection.extend(handle, body.len() as u64, ended)
    }

    /// All that is to be sent now.
    pub(super) fn transmit(&mut self, now: Instant) -> Vec<u8> {
        let mut bytes = Vec::new();
        while let Some(more) = self.transmit_one(now) {
            bytes.extend_from_slice(&more);
            assert!(bytes.len() < 1 << 26, "sends without end");
        }
        bytes
    }

    /// The next frame that is to be sent.
    pub(super) fn transmit_one(&mut self, now: Instant) -> Option<Vec<u8>> {
        let mut buf = [0; 512 + 512 + 48];
        let chunk = match self.connection.poll_transmit(now, &mut buf)? {
            Transmit::Bytes(len) => return Some(buf[..len].to_vec()),
            Transmit::Chunk(chunk) => chunk,
        };
        let (header, body) = &self.outgoing[&chunk.handle];
        let from = usize::try_from(chunk.offset).expect("the test has it so");
        let frame = wrap(&chunk.envelope, header, &body[from..from + chunk.len]);
        assert_eq!(chunk.last, from + chunk.len == body.len() && !chunk.envelope.flags.contains(Flags::MORE));
        let agreed = self.connection.agreed().expect("the test has it so");
        assert!(frame.len() <= agreed.max_frame as usize, "{} > {}", frame.len(), agreed.max_frame);
        if chunk.last && !chunk.kept {
            self.outgoing.remove(&chunk.handle);
        }
        Some(frame)
    }

    /// Bytes of the peer came. What is not taken now is taken by [`feed`](Self::feed) later, or never.
    pub(super) fn receive(&mut self, now: Instant, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        self.feed(now);
    }

    /// Takes of what came as much as can be.
    pub(super) fn feed(&mut self, now: Instant) {
        let waiting = core::mem::take(&mut self.input);
        let mut input = waiting.as_slice();
        while let Some(event) = self.connection.handle_input(now, &mut input) {
            self.note(now, event);
        }
        if !input.is_empty() {
            assert!(!self.connection.takes_input(), "{} bytes were left", input.len());
        }
        self.input = input.to_vec();
        self.poll_events(now);
    }

    pub(super) fn poll_events(&mut self, now: Instant) {
        let mut polled = 0;
        while let Some(event) = self.connection.poll_event(now) {
            self.note(now, event);
            polled += 1;
            assert!(polled < 1000, "events without end");
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.connection.handle_timeout(now);
        self.poll_events(now);
    }

    pub(super) fn handle_eof(&mut self, now: Instant) {
        if let Some(event) = self.connection.handle_eof() {
            self.note(now, event);
        }
        self.poll_events(now);
    }

    /// What a driver does with an event, and what must hold of it.
    fn note(&mut self, now: Instant, event: Event<'_>) {
        assert_eq!(self.closed, None, "{event:?} after the end");
        match event {
            Event::Started { message, flags, .. } => {
                let header = self.connection.header().clone();
                assert_eq!(MessageKey { channel: header.channel, msg_id: header.msg_id }, message);
                let wants_ack = self.connection.wants_ack();
                let begun = Delivered { message, header, flags, body: Vec::new(), wants_ack };
                let before = self.unfinished.insert(message, begun);
                assert!(before.is_none(), "{message:?} began twice");
            }
            Event::Chunk { message, bytes } => {
                assert!(!bytes.is_empty());
                self.unfinished.get_mut(&message).expect("it began").body.extend_from_slice(bytes);
                if self.consumes {
                    self.connection.consumed(message, bytes.len() as u64);
                }
                return;
            }
            Event::Verified { message, complete } => {
                assert!(self.unfinished.contains_key(&message), "{message:?} did not begin");
                if complete {
                    self.events.push(Event::Verified { message, complete });
                    let whole = self.unfinished.remove(&message).expect("the test has it so");
                    self.judge(now, whole);
                    return;
                }
            }
            Event::Dropped { message, .. } => {
                assert!(self.unfinished.remove(&message).is_some(), "{message:?} did not begin");
            }
            Event::Closed(reason) => self.closed = Some(reason),
            _ => {}
        }
        self.events.push(owned(event));
    }

    fn judge(&mut self, now: Instant, whole: Delivered) {
        let (message, wants_ack) = (whole.message, whole.wants_ack);
        match (self.verdict)(&whole) {
            Verdict::Accept => {
                self.delivered.push(whole);
                self.connection.accept(message, wants_ack);
            }
            Verdict::Refuse(code) => self.refuse(now, message, code),
            Verdict::Wait => self.delivered.push(whole),
        }
    }

    /// Refuses a message, complete or not.
    pub(super) fn refuse(&mut self, now: Instant, message: MessageKey, code: ErrorCode) {
        self.unfinished.remove(&message);
        if let Some(event) = self.connection.refuse(now, message, code) {
            self.note(now, event);
        }
    }

    /// The events since the last call.
    pub(super) fn take_events(&mut self) -> Vec<Event<'static>> {
        core::mem::take(&mut self.events)
    }

    /// Messages that began and are neither whole nor dropped.
    pub(super) fn unfinished(&self) -> VecDeque<MessageKey> {
        self.unfinished.keys().copied().collect()
    }
}

/// An event that outlives the bytes it came with.
fn owned(event: Event<'_>) -> Event<'static> {
    match event {
        Event::Connected => Event::Connected,
        Event::Started { message, flags, len } => Event::Started { message, flags, len },
        Event::Chunk { .. } => unreachable!("bytes are kept elsewhere"),
        Event::Verified { message, complete } => Event::Verified { message, complete },
        Event::Dropped { message, code } => Event::Dropped { message, code },
        Event::Refused { message, code } => Event::Refused { message, code },
        Event::Acked { msg_id } => Event::Acked { msg_id },
        Event::Nacked { msg_id, code, retry_after } => Event::Nacked { msg_id, code, retry_after },
        Event::Unacknowledged { msg_id } => Event::Unacknowledged { msg_id },
        Event::Pong { nonce } => Event::Pong { nonce },
        Event::Closed(reason) => Event::Closed(reason),
    }
}
