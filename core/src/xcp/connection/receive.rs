//! What a frame is, and what a control frame does.

use super::super::control::{Ack, Extensions, Nack, Ping};
use super::super::decoder::{Piece, len};
use super::super::dialect::HeaderFormat;
use super::super::frame::FRAMING;
use super::super::header::{self, FrameHeader, HeaderError};
use super::super::numbers::{ErrorCode, Flags, MsgType};
use super::assembly::header_hash;
use super::{Answer, CloseReason, Connection, Event, FAILED_OPENINGS, Phase, Protection, Route, SealedFrame};
use crate::crc32c::Checksum;
use crate::time::Instant;

impl<C, P, const HEADER: usize, const CONTROL: usize, const MESSAGES: usize>
    Connection<C, P, HEADER, CONTROL, MESSAGES>
where
    C: Checksum,
    P: Protection,
{
    /// Takes bytes off the front of `input`, up to the end of the next event's.
    ///
    /// `None` if there is no event: either `input` is used up, or answers must be sent or keys be made before more is
    /// taken, or the connection is over.
    pub fn handle_input<'i>(&mut self, now: Instant, input: &mut &'i [u8]) -> Option<Event<'i>> {
        while self.takes_input() {
            if let Some(place) = self.pending.take() {
                if let Some(event) = self.place(now, place) {
                    return Some(event);
                }
                continue;
            }
            let before = input.len();
            let piece = match self.decoder.decode(input) {
                Ok(Some(piece)) => piece,
                Ok(None) => {
                    self.heard(now, before);
                    return None;
                }
                Err(error) => return Some(self.fail(CloseReason::Frame(error))),
            };
            self.heard(now, before);
            let event = match piece {
                Piece::Head { version, flags, payload_len } => self.head(now, version, flags, payload_len),
                Piece::Payload(bytes) => match self.route {
                    Route::Message { message, .. } => {
                        self.assemblies.touch(now, message);
                        return Some(Event::Chunk { message, bytes });
                    }
                    Route::Control => {
                        if self.control.extend_from_slice(bytes).is_err() {
                            self.route = Route::LongControl;
                        }
                        None
                    }
                    Route::LongControl | Route::Discard { .. } => None,
                },
                Piece::End { computed, trailer } => self.end(now, computed, trailer),
            };
            if event.is_some() {
                return event;
            }
        }
        None
    }

    /// Whether [`handle_input`](Self::handle_input) takes anything now.
    pub fn takes_input(&self) -> bool {
        // Where sealing was agreed on nothing may pass before there are keys to open it with.
        let has_keys = !self.seals() || self.protection.is_on();
        self.phase != Phase::Closed && self.has_room_for_answers() && has_keys
    }

    /// Whether both agreed that everything behind the handshake is sealed.
    pub(super) fn seals(&self) -> bool {
        self.agreed.as_ref().is_some_and(|agreed| agreed.features.contains(Flags::CRYPT))
    }

    /// The transport will bring nothing more.
    pub fn handle_eof(&mut self) -> Option<Event<'static>> {
        let reason = match self.phase {
            Phase::Closed => return None,
            Phase::Handshake { .. } if self.last_received.is_none() => CloseReason::NotAnswered,
            _ if !self.decoder.is_between_frames() => CloseReason::Truncated,
            Phase::Handshake { .. } => CloseReason::NotAnswered,
            Phase::Open => CloseReason::Peer,
        };
        Some(self.fail(reason))
    }

    /// One frame leads to two answers at most, and a PONG takes its body from the buffer of the next PING.
    pub(super) fn has_room_for_answers(&self) -> bool {
        self.answers.len().saturating_add(2) < self.answers.capacity() && !self.control_in_use
    }

    fn heard(&mut self, now: Instant, before: usize) {
        if before > 0 {
            self.last_received = Some(now);
            self.asked = None;
        }
    }

    /// A frame begins. Its header decides what becomes of its payload.
    fn head(&mut self, now: Instant, version: u8, flags: Flags, payload_len: u64) -> Option<Event<'static>> {
        self.control.clear();
        (self.payload_len, self.version) = (payload_len, version);
        // A peer of Python's dialect knows no flag but LARGE: it sets none, and means none.
        self.flags = if self.dialect.is_strict() { Flags::NONE } else { flags };
        let opening = matches!(self.phase, Phase::Handshake { .. });
        let format = HeaderFormat::detect(self.decoder.header());
        // Python's implementation does not look at the version.
        let is_python = self.dialect.is_strict() || opening && format == Some(HeaderFormat::Json);
        if version >> 4 > 0 && !is_python {
            let (major, minor) = (version >> 4, version & 0xF);
            self.nack(0, ErrorCode::ERR_VERSION_UNSUPPORTED);
            return Some(self.fail(CloseReason::Version { major, minor }));
        }
        let packs = opening
            || self
                .agreed
                .as_ref()
                .is_some_and(|agreed| agreed.extensions.contains(Extensions::CAPNP_PACKED));
        let unasked = format == Some(HeaderFormat::CapnProtoPacked) && !packs;
        let read = header::read(self.decoder.header(), self.dialect.numbering);
        match read.and_then(|(_, header)| if unasked { Err(UNASKED) } else { Ok(header) }) {
            Ok(header) => self.header = header,
            // A chunk without its place would leave a message with a gap, or its rest for a message.
            Err(error) if opening || self.dialect.is_strict() || self.is_in_pieces() => {
                return Some(self.fail(CloseReason::Header(error)));
            }
            // The frame's length is known, and so is where the next one begins.
            Err(_) => {
                // What is said of this frame is not to be said of the last one's message.
                self.header = FrameHeader::new(MsgType::HELLO, 0, 0);
                self.nack(0, ErrorCode::ERR_MALFORMED);
                self.route = Route::Discard { duplicate: None };
                return self.bound_frame(payload_len);
            }
        }
        if let Some(closed) = self.bound_frame(payload_len) {
            return Some(closed);
        }
        if opening {
            self.settle_numbering();
            let is_hello = matches!(self.header.msg_type, MsgType::HELLO | MsgType::CAPS);
            self.route = Route::Control;
            // A NACK before the answer says that the version is not spoken.
            let refusal = self.config.side == super::Side::Client && self.header.msg_type == MsgType::NACK;
            if !is_hello && !refusal {
                let found = self.header.msg_type;
                return Some(self.fail(CloseReason::NotHello { found }));
            }
            return None;
        }
        match self.header.msg_type {
            // Said twice, it changes nothing.
            MsgType::HELLO | MsgType::CAPS => self.route = Route::Discard { duplicate: None },
            msg_type if is_control(msg_type) => self.route = Route::Control,
            _ => return self.message_frame(now),
        }
        None
    }

    /// Whether the frame may be one of several of a message.
    fn is_in_pieces(&self) -> bool {
        self.flags.contains(Flags::MORE) || self.assemblies.has_unfinished()
    }

    /// The frame must not be longer than was offered: to skip it would mean to read it.
    fn bound_frame(&mut self, payload_len: u64) -> Option<Event<'static>> {
        let opening = matches!(self.phase, Phase::Handshake { .. });
        let limit = match opening {
            // A stranger has not even said HELLO.
            true => 0,
            false if self.dialect.is_strict() => self.config.max_frame.max(self.config.max_frame_strict),
            false => self.config.max_frame,
        };
        // Of control frames as many bytes as have room: to a small limit not even a refusal could be sent.
        let control =
            if opening || is_control(self.header.msg_type) { HEADER.saturating_add(CONTROL) } else { 0 };
        let limit = u64::from(limit).max(len_of(control));
        let around = len(self.decoder.header()).saturating_add(len_of(FRAMING));
        let frame = payload_len.saturating_add(around);
        if frame <= limit {
            return None;
        }
        if !opening {
            self.nack(self.header.msg_id, ErrorCode::ERR_MESSAGE_TOO_LARGE);
        }
        Some(self.fail(CloseReason::FrameTooLong { len: frame, limit }))
    }

    /// A frame is over.
    fn end(&mut self, now: Instant, computed: u32, trailer: [u8; 4]) -> Option<Event<'static>> {
        if matches!(self.phase, Phase::Handshake { .. }) {
            if self.route == Route::LongControl {
                let len = self.payload_len;
                return Some(self.fail(CloseReason::BadHello { len }));
            }
            return Some(self.first_frame(now, computed, trailer));
        }
        let found = self.dialect.crc.read(trailer);
        if found != computed {
            return self.damaged(now, computed, found);
        }
        match self.route {
            Route::Control => self.control_frame(now),
            Route::LongControl => {
                self.nack(self.header.msg_id, ErrorCode::ERR_MESSAGE_TOO_LARGE);
                None
            }
            Route::Discard { duplicate: None } => None,
            Route::Discard { duplicate: Some(message) } => {
                // It was accepted before, and perhaps the ACK was lost.
                self.acknowledge(message.msg_id);
                None
            }
            Route::Message { message, more } => {
                if !more {
                    self.assemblies.finish(message);
                }
                Some(Event::Verified { message, complete: !more })
            }
        }
    }

    /// The payload is not what was sent.
    fn damaged(&mut self, now: Instant, computed: u32, found: u32) -> Option<Event<'static>> {
        if self.dialect.is_strict() {
            return Some(self.fail(CloseReason::Checksum { computed, found }));
        }
        self.nack(self.header.msg_id, ErrorCode::ERR_CRC_MISMATCH);
        match self.route {
            Route::Message { message, more } => {
                if more {
                    self.assemblies.refuse(now, message);
                } else {
                    self.assemblies.finish(message);
                }
                Some(Event::Dropped { message, code: ErrorCode::ERR_CRC_MISMATCH })
            }
            _ => None,
        }
    }

    /// A control frame came whole, and its checksum is right.
    fn control_frame(&mut self, now: Instant) -> Option<Event<'static>> {
        if self.seals() {
            let frame = SealedFrame {
                version: self.version,
                flags: self.flags,
                header: self.decoder.header(),
                msg_id: self.header.msg_id,
                channel: self.header.channel,
            };
            let opened = match self.flags.contains(Flags::CRYPT) {
                true => self.protection.open(frame, &mut self.control),
                false => None,
            };
            let Some(len) = opened else { return self.not_opened(self.header.msg_id) };
            self.control.truncate(len);
        } else if self.flags.contains(Flags::CRYPT) {
            return self.not_opened(self.header.msg_id);
        }
        let codec = self.header.codec;
        match self.header.msg_type {
            MsgType::PING => {
                self.control_in_use = true;
                self.answer(Answer::Pong { reply_to: self.header.msg_id, codec });
                None
            }
            MsgType::PONG => Ping::read(codec, &self.control).map(|Ping { nonce }| Event::Pong { nonce }),
            MsgType::ACK => {
                let msg_id = Ack::read(codec, &self.control).ok()?.msg_id;
                self.sending.acked(msg_id).map(|_| Event::Acked { msg_id })
            }
            MsgType::NACK => {
                let nack = Nack::read(codec, &self.control).ok()?;
                self.nacked(now, nack)
            }
            _ => None,
        }
    }

    /// A sealed body did not open: the peer is told no more than that, and not often.
    pub(super) fn not_opened(&mut self, msg_id: u64) -> Option<Event<'static>> {
        self.failed_openings = self.failed_openings.saturating_add(1);
        self.nack(msg_id, ErrorCode::ERR_AUTHENTICATION_FAILED);
        let count = self.failed_openings;
        (count >= FAILED_OPENINGS).then(|| self.fail(CloseReason::Authentication { count }))
    }

    /// What the chunks of the current message have in common.
    pub(super) fn header_hash(&self) -> u64 {
        header_hash(self.decoder.header(), self.flags)
    }
}

/// What is wrong with a packed header that was not agreed on.
const UNASKED: HeaderError = HeaderError::Malformed { what: "packed, which was not agreed on", at: 0 };

/// Whether a frame is for the connection itself.
const fn is_control(msg_type: MsgType) -> bool {
    matches!(msg_type, MsgType::ACK | MsgType::NACK | MsgType::PING | MsgType::PONG)
}

fn len_of(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
