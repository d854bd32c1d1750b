//! What the user wants sent, and which bytes go out next.

use super::super::control::{Ack, Nack, Ping};
use super::super::dialect::HeaderFormat;
use super::super::frame::{Envelope, FRAMING};
use super::super::header::{self, FrameHeader};
use super::super::numbers::{CodecId, Flags, KindId, MsgType, VERSION};
use super::super::tags::Tags;
use super::outgoing::Outgoing;
use super::{
    ANSWERS, Answer, Chunk, CloseReason, Connection, Phase, Protection, RESERVED, SEAL_OVERHEAD, SealedFrame,
    SendError, Side, Transmit,
};
use crate::crc32c::Checksum;
use crate::time::Instant;

/// A message that has its place and its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun {
    /// Which of our messages it is, here.
    pub handle: u64,
    /// Which it is for the peer: the one that [`Event::Acked`](super::Event::Acked) and
    /// [`Event::Nacked`](super::Event::Nacked) name, and that an answer names. 0 where the dialect gives none.
    pub msg_id: u64,
    /// Bytes of the header that were written.
    pub header_len: usize,
}

impl<C, P, const HEADER: usize, const CONTROL: usize, const MESSAGES: usize>
    Connection<C, P, HEADER, CONTROL, MESSAGES>
where
    C: Checksum,
    P: Protection,
{
    /// Gives a message its place behind those of its channel and its number, and writes its header into `out`.
    ///
    /// Its bytes follow with [`extend`](Self::extend), perhaps later: whoever seals them needs header and number first.
    /// `flags` are those of [`Flags::COMP`] and [`Flags::CRYPT`] that hold for the message. With tag
    /// [`Tags::ACK`] = `1` it is kept, and sent again, until it is acknowledged.
    ///
    /// # Errors
    /// [`SendError`]: the peer would not take it, or there is no room. The connection stays as it was.
    pub fn begin(
        &mut self,
        message: &mut FrameHeader,
        flags: Flags,
        out: &mut [u8],
    ) -> Result<Begun, SendError> {
        let flags = flags.intersection(Flags::COMP.union(Flags::CRYPT));
        let agreed = self.agreed.as_ref().filter(|_| self.phase == Phase::Open).ok_or(SendError::NotOpen)?;
        if !self.config.any_codec && !agreed.has_codec(message.codec) {
            return Err(SendError::CodecNotAgreed { codec: message.codec });
        }
        let missing = flags.without(agreed.features);
        if missing != Flags::NONE {
            return Err(SendError::NotAgreed { flags: missing });
        }
        if self.protection.is_on() && !flags.contains(Flags::CRYPT) {
            return Err(SendError::MustBeSealed);
        }
        if self.protection.is_on() && message.channel == 0 {
            return Err(SendError::ControlChannel);
        }
        if let Some(key) = message.schema_key.as_ref().filter(|key| key.kind() != KindId::UNSET)
            && !agreed.accepts.is_empty()
            && !agreed.accepts.iter().any(|range| range.contains(key))
        {
            let (kind, major, minor) = (key.kind(), key.major, key.minor);
            return Err(SendError::KindNotAccepted { kind, major, minor });
        }
        let max_frame = self.max_frame();
        if self.sending.is_full() {
            return Err(SendError::Busy { limit: MESSAGES });
        }
        let before = self.next_msg_id;
        message.msg_id = self.take_msg_id();
        let header_len = match header::write(message, self.dialect.header, self.dialect.numbering, out) {
            Ok(len) => len,
            Err(error) => {
                self.next_msg_id = before;
                return Err(error.into());
            }
        };
        if room(max_frame, header_len) == 0 {
            self.next_msg_id = before;
            return Err(SendError::NoFrame { header_len, limit: max_frame });
        }
        let handle = self.next_handle;
        self.next_handle = self.next_handle.wrapping_add(1);
        let reliable = !self.dialect.is_strict() && message.tags.get(Tags::ACK) == Some("1");
        self.sending.push(Outgoing {
            handle,
            msg_id: message.msg_id,
            channel: message.channel,
            flags,
            header_len,
            available: 0,
            sent: 0,
            ended: false,
            reliable,
            attempt: 0,
            not_before: None,
            refused: None,
        });
        Ok(Begun { handle, msg_id: message.msg_id, header_len })
    }

    /// The driver has the first `len` bytes of a message; with `ended`, these are all.
    ///
    /// # Errors
    /// [`SendError::Unknown`] for a message that was sent whole or forgotten; [`SendError::TooLarge`] if the peer takes
    /// no chunks and one frame does not hold it, and then it is forgotten.
    pub fn extend(&mut self, handle: u64, len: u64, ended: bool) -> Result<(), SendError> {
        let chunks = self.chunks();
        let max_frame = self.max_frame();
        let message = self.sending.find(handle).ok_or(SendError::Unknown { handle })?;
        let limit = room(max_frame, message.header_len);
        if !chunks && len > limit {
            self.sending.remove(handle);
            return Err(SendError::TooLarge { len, limit });
        }
        message.available = message.available.max(len);
        message.ended |= ended;
        Ok(())
    }

    /// Forgets a message of ours; whether nothing of it was given out yet. Otherwise the peer drops what it has of it
    /// when the channel's next message begins, or after a while.
    pub fn cancel(&mut self, handle: u64) -> bool {
        self.sending.remove(handle).is_some_and(|message| !message.is_begun())
    }

    /// Asks the peer whether it is there; [`Event::Pong`](super::Event::Pong) will have this number. `None` if the
    /// connection is not open, or too many questions and answers wait to be sent, or the peer is a client of Python's
    /// dialect: it would take the question for the answer to its own.
    pub fn ping(&mut self) -> Option<u64> {
        let takes_it = !self.dialect.is_strict() || self.config.side == Side::Client;
        if self.phase != Phase::Open || !takes_it || self.answers.len().saturating_add(RESERVED) >= ANSWERS {
            return None;
        }
        let nonce = self.next_nonce;
        self.next_nonce = self.next_nonce.wrapping_add(1);
        self.answer(Answer::Ping { nonce });
        Some(nonce)
    }

    /// What to send next. `buf` is for control frames: `HEADER` + `CONTROL` + 48 bytes always suffice; one that does not
    /// fit is lost. One that cannot be sealed closes the connection.
    pub fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Option<Transmit> {
        while let Some((answer, before)) = self.answers.front().copied() {
            if self.dialect.is_strict() && self.sending.has_before(before) {
                break;
            }
            self.answers.pop_front();
            let written = self.control_frame_of(answer, buf);
            if matches!(answer, Answer::Pong { .. }) {
                self.control_in_use = false;
            }
            if let Some(len) = written {
                return Some(Transmit::Bytes(len));
            }
            if self.not_sealed {
                self.answers.clear();
                let closed = self.fail(CloseReason::NotSealed);
                self.push_event(closed);
                return None;
            }
        }
        if self.phase != Phase::Open {
            return None;
        }
        let (chunks, max_frame, crc) = (self.chunks(), self.max_frame(), self.dialect.crc);
        let message = self.sending.next(now, chunks)?;
        let left = message.available.saturating_sub(message.sent);
        let len = left.min(room(max_frame, message.header_len));
        let last = message.ended && len == left;
        let offset = message.sent;
        message.sent = message.sent.saturating_add(len);
        let flags = if last { message.flags } else { message.flags.union(Flags::MORE) };
        let (handle, msg_id, kept) = (message.handle, message.msg_id, message.reliable);
        if last {
            self.sending.sent_whole(now, handle, self.config.retry.timeout);
        }
        let envelope = Envelope { flags, payload_len: len, crc };
        // One frame's bytes, which fit the memory they are in.
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        Some(Transmit::Chunk(Chunk { msg_id, handle, offset, len, last, kept, envelope }))
    }

    /// Whether the peer takes messages in pieces.
    fn chunks(&self) -> bool {
        self.agreed.as_ref().is_some_and(|agreed| agreed.features.contains(Flags::MORE))
    }

    fn max_frame(&self) -> u32 {
        // Python's client says a limit and takes any answer: it may have asked with as long a frame.
        let answers = self.dialect.is_strict() && self.config.side == Side::Server;
        let least = if answers { self.config.max_frame_strict } else { 0 };
        self.agreed.as_ref().map_or(0, |agreed| agreed.max_frame).max(least)
    }

    /// Writes a control frame; `None` if it cannot be.
    fn control_frame_of(&mut self, answer: Answer, buf: &mut [u8]) -> Option<usize> {
        let (msg_type, reply_to, codec) = match answer {
            Answer::Hello => (MsgType::HELLO, 0, CodecId::JSON),
            Answer::Caps { reply_to } => (MsgType::CAPS, reply_to, CodecId::JSON),
            Answer::Ack { msg_id } => (MsgType::ACK, msg_id, CodecId::JSON),
            Answer::Nack { msg_id, .. } => (MsgType::NACK, msg_id, CodecId::JSON),
            Answer::Ping { .. } => (MsgType::PING, 0, CodecId::JSON),
            Answer::Pong { reply_to, codec } => (MsgType::PONG, reply_to, codec),
        };
        // The specification has no number for CAPS: HELLO it is, which names the one it answers.
        let as_hello = msg_type == MsgType::CAPS && !self.dialect.is_strict() && reply_to != 0;
        let msg_type = if as_hello { MsgType::HELLO } else { msg_type };
        let opening = matches!(answer, Answer::Hello | Answer::Caps { .. });
        let format = match self.dialect.header {
            HeaderFormat::CapnProtoPacked if opening => HeaderFormat::CapnProto,
            other => other,
        };
        let msg_id = self.take_msg_id();
        if answer == Answer::Hello && self.dialect.is_strict() {
            self.next_msg_id = 1;
        }
        let mut header = FrameHeader::new(msg_type, 0, msg_id);
        (header.in_reply_to, header.codec) = (reply_to, codec);

        let mut header_bytes = [0; 192 + 64];
        let header_len = header::write(&header, format, self.dialect.numbering, &mut header_bytes).ok()?;
        let header_bytes = header_bytes.get(..header_len)?;
        let sealed = self.protection.is_on() && !opening;
        let flags = if sealed { Flags::CRYPT } else { Flags::NONE };
        let mut envelope = Envelope { flags, payload_len: 0, crc: self.dialect.crc };
        let head = envelope.head_len(header_len);
        let (front, body) = buf.split_at_mut_checked(head)?;
        let mut body_len = match answer {
            Answer::Hello => self.hello_body(false).write_json(body).ok()?,
            Answer::Caps { .. } => self.hello_body(true).write_json(body).ok()?,
            Answer::Ack { msg_id } => Ack { msg_id }.write_json(body).ok()?,
            Answer::Nack { msg_id, code, retry_after_ms } => {
                Nack { msg_id, code, retry_after_ms }.write_json(body).ok()?
            }
            Answer::Ping { nonce } => Ping { nonce }.write_json(body).ok()?,
            Answer::Pong { .. } => {
                body.get_mut(..self.control.len())?.copy_from_slice(&self.control);
                self.control.len()
            }
        };
        if sealed {
            let frame = SealedFrame { version: VERSION, flags, header: header_bytes, msg_id, channel: 0 };
            let room = body.get_mut(..body_len.saturating_add(SEAL_OVERHEAD))?;
            let sealed = self.protection.seal(frame, room, body_len);
            self.not_sealed = sealed.is_none();
            body_len = sealed?;
        }
        envelope.payload_len = u64::try_from(body_len).ok()?;
        envelope.head(header_bytes, front)?;
        let trailer = envelope.trailer::<C>(body.get(..body_len)?);
        body.get_mut(body_len..body_len.saturating_add(4))?.copy_from_slice(&trailer);
        head.checked_add(body_len)?.checked_add(4)
    }
}

/// Bytes of payload that a frame of `max_frame` bytes has room for, behind a header of `header_len` bytes.
fn room(max_frame: u32, header_len: usize) -> u64 {
    let around = header_len.saturating_add(FRAMING);
    u64::from(max_frame).saturating_sub(u64::try_from(around).unwrap_or(u64::MAX))
}
