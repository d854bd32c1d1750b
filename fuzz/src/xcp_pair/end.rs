//! One end, its driver, and what must hold of every event.

use std::collections::HashMap;

use strait_core::crc32c::{Crc32c, crc32c};
use strait_core::time::Instant;
use strait_core::xcp::connection::{Config, Connection, Event, MessageKey, Plain, SendError, Transmit};
use strait_core::xcp::frame::{PREFIX_LEN, Prefix};
use strait_core::xcp::header::FrameHeader;
use strait_core::xcp::{Dialect, ErrorCode, Flags, MsgType, Tags};

use crate::bytes::Bytes;

/// Messages that may be unfinished.
const MESSAGES: usize = 4;
const HEADER: usize = 512;
const CONTROL: usize = 512;
/// Room for a control frame.
const ROOM: usize = HEADER + CONTROL + 48;

type Small = Connection<Crc32c, Plain, HEADER, CONTROL, MESSAGES>;

/// One of our messages.
#[derive(Debug)]
struct Outgoing {
    header: Vec<u8>,
    len: u64,
    ended: bool,
}

pub(super) struct End {
    pub(super) connection: Small,
    /// What becomes of messages that come whole.
    pub(super) verdict: u8,
    outgoing: HashMap<u64, Outgoing>,
    /// Bytes that came of each unfinished message.
    unfinished: HashMap<MessageKey, u64>,
    input: Vec<u8>,
    /// Bytes that were taken since the last frame's end.
    stream: Vec<u8>,
    /// Payload that came of the current frame.
    payload: Vec<u8>,
    closed: bool,
}

impl End {
    pub(super) fn new(config: Config, now: Instant) -> Self {
        Self {
            connection: Small::new(config, Plain, now),
            verdict: 0,
            outgoing: HashMap::new(),
            unfinished: HashMap::new(),
            input: Vec::new(),
            stream: Vec::new(),
            payload: Vec::new(),
            closed: false,
        }
    }

    pub(super) fn begin(&mut self, bytes: &mut Bytes<'_>) {
        let what = bytes.u8();
        let mut header = FrameHeader::new(MsgType::DATA, u32::from(what % 4), 0);
        if what & 0x10 != 0 {
            header.tags.push(Tags::ACK, "1").expect("it is the first");
        }
        let flags = if what & 0x60 == 0x60 { Flags::COMP } else { Flags::NONE };
        let mut space = [0; 512];
        match self.connection.begin(&mut header, flags, &mut space) {
            Ok(begun) => {
                let header = space[..begun.header_len].to_vec();
                let new = self.outgoing.insert(begun.handle, Outgoing { header, len: 0, ended: false });
                assert!(new.is_none() && self.connection.is_open());
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }

    pub(super) fn extend(&mut self, bytes: &mut Bytes<'_>) {
        let Some(handle) = self.pick(bytes.u8()) else { return };
        let more = u64::from(bytes.u8()) * 2;
        let ended = bytes.u8() & 1 != 0;
        self.extend_by(handle, more, ended);
    }

    fn extend_by(&mut self, handle: u64, more: u64, ended: bool) {
        let outgoing = self.outgoing.get_mut(&handle).expect("it was picked");
        if outgoing.ended {
            return;
        }
        outgoing.len += more;
        outgoing.ended = ended;
        match self.connection.extend(handle, outgoing.len, ended) {
            Ok(()) => {}
            // The peer refused it, or takes no chunks.
            Err(SendError::Unknown { .. } | SendError::TooLarge { .. }) => {
                self.outgoing.remove(&handle);
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Every message of ours ends.
    pub(super) fn finish_all(&mut self) {
        let handles: Vec<u64> = self.outgoing.keys().copied().collect();
        handles.into_iter().for_each(|handle| self.extend_by(handle, 1, true));
    }

    pub(super) fn cancel(&mut self, bytes: &mut Bytes<'_>) {
        let Some(handle) = self.pick(bytes.u8()) else { return };
        self.outgoing.remove(&handle);
        self.connection.cancel(handle);
        assert!(!self.connection.cancel(handle), "it is forgotten");
    }

    fn pick(&self, which: u8) -> Option<u64> {
        let mut handles: Vec<u64> = self.outgoing.keys().copied().collect();
        handles.sort_unstable();
        handles.get(usize::from(which) % handles.len().max(1)).copied()
    }

    pub(super) fn refuse_unfinished(&mut self, now: Instant, which: u8) {
        let mut keys: Vec<MessageKey> = self.unfinished.keys().copied().collect();
        keys.sort_unstable_by_key(|key| (key.channel, key.msg_id));
        let Some(message) = keys.get(usize::from(which) % keys.len().max(1)) else { return };
        self.refuse(now, *message, ErrorCode::ERR_SCHEMA_UNKNOWN);
    }

    pub(super) fn refuse_all(&mut self, now: Instant, code: ErrorCode) {
        let keys: Vec<MessageKey> = self.unfinished.keys().copied().collect();
        keys.into_iter().for_each(|message| self.refuse(now, message, code));
    }

    fn refuse(&mut self, now: Instant, message: MessageKey, code: ErrorCode) {
        self.unfinished.remove(&message);
        if let Some(event) = self.connection.refuse(now, message, code) {
            self.note(now, event);
        }
    }

    pub(super) fn consume(&mut self, bytes: &mut Bytes<'_>) {
        let message = MessageKey { channel: u32::from(bytes.u8() % 4), msg_id: u64::from(bytes.u8() % 16) };
        self.connection.consumed(message, bytes.value(600));
    }

    pub(super) fn transmit(&mut self, now: Instant) -> Vec<u8> {
        let mut sent = Vec::new();
        // Bounded: control frames, and a few messages of ours in pieces of a byte at least, which time sends again.
        for _ in 0..20_000 {
            let mut space = [0; ROOM];
            match self.connection.poll_transmit(now, &mut space) {
                None => return sent,
                Some(Transmit::Bytes(len)) => sent.extend_from_slice(&space[..len]),
                Some(Transmit::Chunk(chunk)) => {
                    let outgoing = &self.outgoing[&chunk.handle];
                    assert!(chunk.offset + chunk.len as u64 <= outgoing.len);
                    assert_eq!(chunk.last, outgoing.ended && chunk.offset + chunk.len as u64 == outgoing.len);
                    let start = sent.len();
                    let body: Vec<u8> =
                        (0..chunk.len as u64).map(|at| (chunk.offset + at).to_le_bytes()[0]).collect();
                    sent.resize(start + chunk.envelope.head_len(outgoing.header.len()), 0);
                    chunk.envelope.head(&outgoing.header, &mut sent[start..]).expect("there is room");
                    sent.extend_from_slice(&body);
                    sent.extend_from_slice(&chunk.envelope.trailer::<Crc32c>(&body));
                    let agreed = self.connection.agreed().expect("it is open");
                    assert!(sent.len() - start <= agreed.max_frame as usize);
                    assert!(chunk.last || agreed.features.contains(Flags::MORE));
                    if chunk.last && !chunk.kept {
                        self.outgoing.remove(&chunk.handle);
                    }
                }
            }
        }
        panic!("it never stops sending");
    }

    pub(super) fn receive(&mut self, now: Instant, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        let waiting = std::mem::take(&mut self.input);
        let mut input = waiting.as_slice();
        loop {
            let before = input;
            let event = self.connection.handle_input(now, &mut input);
            let taken = &before[..before.len() - input.len()];
            self.stream.extend_from_slice(taken);
            let Some(event) = event else { break };
            self.note(now, event);
        }
        assert!(input.is_empty() || !self.connection.takes_input());
        self.input = input.to_vec();
        self.poll(now);
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.connection.handle_timeout(now);
        self.poll(now);
        let due = self.connection.poll_timeout();
        assert!(due.is_none_or(|due| due > now), "due at {due:?} and it is {now:?}");
    }

    fn poll(&mut self, now: Instant) {
        while let Some(event) = self.connection.poll_event(now) {
            self.note(now, event);
        }
    }

    pub(super) fn handle_eof(&mut self) {
        let was_over = self.connection.is_closed();
        let event = self.connection.handle_eof();
        assert_eq!(event.is_none(), was_over);
        self.closed |= event.is_some();
    }

    pub(super) fn close(&mut self) {
        self.connection.close();
        self.closed = true;
    }

    fn note(&mut self, now: Instant, event: Event<'_>) {
        assert!(!self.closed, "{event:?} after the end");
        match event {
            Event::Started { message, len, .. } => {
                let header = self.connection.header();
                assert_eq!((header.channel, header.msg_id), (message.channel, message.msg_id));
                assert!(self.unfinished.insert(message, 0).is_none(), "{message:?} began twice");
                assert!(len.is_none_or(|len| len <= self.connection.config().max_message));
                self.payload.clear();
            }
            Event::Chunk { message, bytes } => {
                assert!(!bytes.is_empty());
                self.payload.extend_from_slice(bytes);
                let came = self.unfinished.get_mut(&message).expect("it began");
                *came += bytes.len() as u64;
                assert!(*came <= self.connection.config().max_message);
            }
            Event::Verified { message, complete } => {
                assert!(self.unfinished.contains_key(&message), "{message:?} did not begin");
                self.verify(self.connection.dialect(), !complete);
                if complete {
                    self.unfinished.remove(&message);
                    match self.verdict {
                        0 | 1 => self.connection.accept(message, self.connection.wants_ack()),
                        2 => self.refuse(now, message, ErrorCode::ERR_BUSY),
                        _ => self.refuse(now, message, ErrorCode::ERR_AUTHENTICATION_FAILED),
                    }
                }
            }
            Event::Dropped { message, .. } => {
                assert!(self.unfinished.remove(&message).is_some(), "{message:?} did not begin");
            }
            Event::Closed(reason) => {
                assert!(!reason.to_string().is_empty() && self.connection.is_closed());
                self.closed = true;
            }
            _ => {}
        }
        if !matches!(event, Event::Chunk { .. } | Event::Started { .. }) {
            self.payload.clear();
        }
    }

    /// The frame that ends with the last byte taken has the payload that came, and its checksum is right.
    fn verify(&mut self, dialect: Dialect, more: bool) {
        let mut rest = self.stream.as_slice();
        loop {
            let prefix = Prefix::parse(*rest.first_chunk::<PREFIX_LEN>().expect("a frame")).expect("a frame");
            let head = PREFIX_LEN + usize::from(prefix.header_len);
            let (payload_len, start) = match prefix.flags.contains(Flags::LARGE) {
                true => (u64::from_le_bytes(rest[head..head + 8].try_into().expect("8 bytes")), head + 8),
                false => (
                    u64::from(u32::from_le_bytes(rest[head..head + 4].try_into().expect("4 bytes"))),
                    head + 4,
                ),
            };
            let end = start + usize::try_from(payload_len).expect("it came");
            let (frame, others) = rest.split_at(end + 4);
            if others.is_empty() {
                let (payload, trailer) = frame[start..].split_at(end - start);
                assert_eq!(dialect.crc.read(trailer.try_into().expect("4 bytes")), crc32c(payload));
                assert!(payload.ends_with(&self.payload), "other bytes came than were on the wire");
                assert_eq!(payload.len(), self.payload.len());
                assert_eq!(prefix.flags.contains(Flags::MORE) && !dialect.is_strict(), more);
                break;
            }
            rest = others;
        }
        self.stream.clear();
    }

    /// Whether a frame of a message stopped in the middle.
    pub(super) fn is_inside_a_frame(&self) -> bool {
        self.connection.payload_left() > 0 || !self.stream.is_empty() || !self.input.is_empty()
    }

    /// What holds at any time.
    pub(super) fn check(&mut self, now: Instant) {
        self.poll(now);
        let config = self.connection.config();
        assert!(self.connection.in_flight() <= config.max_in_flight);
        // One more than there is room for can be on its way in a single frame.
        assert!(self.unfinished.len() <= MESSAGES + 1 || self.closed);
        assert_eq!(self.connection.is_closed(), self.closed);
        assert!(!self.closed || self.connection.poll_timeout().is_none());
    }
}
