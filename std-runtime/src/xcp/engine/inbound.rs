//! The bytes of messages that come: held until a message is complete, or passed on as they are verified.

use std::sync::Arc;

use strait_core::time::Instant;
use strait_core::xcp::connection::MessageKey;
use strait_core::xcp::{CodecId, ErrorCode, Flags, FrameHeader, SchemaKey};

use super::buffer::{self, Buffer};
use super::{Engine, Pipe};
use crate::codec::SubEncoding;
use crate::xcp::decompress::DecompressError;
use crate::xcp::message::Body;
use crate::xcp::unpack::Unpack;
use crate::xcp::zstd_frame::ZstdHeader;

/// From so many bytes of payload on, input is read where the message is kept.
const DIRECT: u64 = 16 << 10;
/// Bytes that are set aside at once: never more because a peer says so.
const STEP: usize = 1 << 20;

/// A message that comes.
#[derive(Debug)]
pub(crate) struct Inbound {
    pub(super) header: Box<FrameHeader>,
    /// The header as it came: what a seal covers.
    raw: Vec<u8>,
    flags: Flags,
    version: u8,
    data: Buffer,
    /// Who reads it as it comes.
    stream: Option<Arc<Pipe>>,
}

impl Inbound {
    /// The rest will not come.
    pub(super) fn fail(self, code: ErrorCode) {
        if let Some(stream) = self.stream {
            stream.fail(Some(code));
        }
    }

    /// The connection is over.
    pub(super) fn close(self) {
        if let Some(stream) = self.stream {
            stream.fail(None);
        }
    }
}

/// A message whose next bytes can be read right where they are kept.
#[derive(Debug)]
pub(crate) struct Direct {
    message: MessageKey,
    data: Buffer,
    from: usize,
    /// Bytes to read at most.
    room: usize,
}

impl Direct {
    /// Where the next bytes belong.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        self.data.room(self.room)
    }

    /// So many were read.
    pub(crate) fn filled(&mut self, len: usize) {
        self.data.filled(len);
    }
}

impl Engine {
    pub(super) fn started(&mut self, now: Instant, message: MessageKey, flags: Flags, len: Option<u64>) {
        let header = Box::new(self.core.header().clone());
        if let Some(code) = self.unknown_schema(&header) {
            return self.refuse(now, message, code);
        }
        let sealed = flags.contains(Flags::CRYPT);
        let raw = if sealed { self.core.header_bytes().to_vec() } else { Vec::new() };
        let expected = len.and_then(|len| usize::try_from(len).ok()).unwrap_or(0);
        let data = Buffer::new(expected, STEP);
        self.inbound.insert(
            message,
            Inbound { header, raw, flags, version: self.core.version(), data, stream: None },
        );
    }

    pub(super) fn chunk(&mut self, now: Instant, message: MessageKey, bytes: &[u8]) {
        let Some(inbound) = self.inbound.get_mut(&message) else { return };
        if inbound.stream.is_none() && exceeds(inbound.data.len(), bytes.len(), self.options.max_message) {
            return self.give_up(now, message, ErrorCode::ERR_MESSAGE_TOO_LARGE);
        }
        inbound.data.extend(bytes);
    }

    /// Refuses a message that came in part, or whole and cannot be read.
    fn give_up(&mut self, now: Instant, message: MessageKey, code: ErrorCode) {
        if let Some(inbound) = self.inbound.remove(&message) {
            inbound.fail(code);
        }
        self.refuse(now, message, code);
    }

    pub(super) fn verified(&mut self, now: Instant, message: MessageKey, complete: bool) {
        let Some(inbound) = self.inbound.get_mut(&message) else { return };
        let sealed = inbound.flags.contains(Flags::CRYPT);
        let over = self.options.stream_over.unwrap_or(u64::MAX);
        if inbound.stream.is_none() && !complete && !sealed && super::len(inbound.data.len()) > over {
            let header = inbound.header.clone();
            if self.has_no_room_for(&header) {
                return self.give_up(now, message, ErrorCode::ERR_BUSY);
            }
        }
        let Some(inbound) = self.inbound.get_mut(&message) else { return };
        if inbound.stream.is_none() && !complete && !sealed && super::len(inbound.data.len()) > over {
            let pipe = Arc::new(Pipe::default());
            inbound.stream = Some(pipe.clone());
            let (header, packed) = (inbound.header.clone(), inbound.flags.contains(Flags::COMP));
            self.deliver_stream(header, packed, pipe);
        }
        let Some(inbound) = self.inbound.get_mut(&message) else { return };
        if let Some(pipe) = &inbound.stream {
            let data = std::mem::replace(&mut inbound.data, Buffer::of_frame()).freeze();
            self.core.consumed(message, super::len(data.len()));
            pipe.push(data);
            if complete {
                pipe.finish();
                self.inbound.remove(&message);
                let wants_ack = self.core.wants_ack();
                self.core.accept(message, wants_ack);
            }
        } else if complete {
            self.complete(now, message);
        }
    }

    fn deliver_stream(&mut self, header: Box<FrameHeader>, packed: bool, pipe: Arc<Pipe>) {
        let unpack = packed.then(|| Unpack::new(self.options.max_stream));
        self.streams.push(pipe.clone());
        let body = Body::Stream(pipe, unpack.map(Box::new));
        let message = self.message(header, body);
        self.deliver(message);
    }

    /// What a peer is told whose message names a schema that is not among the required ones.
    fn unknown_schema(&self, header: &FrameHeader) -> Option<ErrorCode> {
        let (schemas, key) = (self.options.schemas.as_ref()?, header.schema_key.as_ref()?);
        if *key == SchemaKey::default() {
            return None;
        }
        let error = schemas.find(key).err()?;
        tracing::debug!(channel = header.channel, id = header.msg_id, %error, "message refused");
        Some(error.code())
    }

    /// Whether a message is one that the peer started, and too many such wait.
    fn has_no_room_for(&self, header: &FrameHeader) -> bool {
        // In Python's dialect an answer need not say that it is one.
        self.busy && header.in_reply_to == 0 && !self.core.dialect().is_strict()
    }

    /// Opens and unpacks a message, and delivers it.
    fn complete(&mut self, now: Instant, message: MessageKey) {
        let Some(inbound) = self.inbound.remove(&message) else { return };
        if self.has_no_room_for(&inbound.header) {
            tracing::info!(id = message.msg_id, "nobody takes messages: refused");
            return self.refuse(now, message, ErrorCode::ERR_BUSY);
        }
        let mut body = inbound.data;
        if inbound.flags.contains(Flags::CRYPT) {
            let guard = self.core.protection_mut();
            if !guard.open_message(&inbound.header, &inbound.raw, (inbound.version, inbound.flags), &mut body)
            {
                return self.refuse(now, message, ErrorCode::ERR_AUTHENTICATION_FAILED);
            }
        }
        let body = if inbound.flags.contains(Flags::COMP) {
            let mut unpacked = buffer::memory(announced(&body));
            match self.decompressor.decompress(&body, &mut unpacked) {
                Ok(_) => buffer::share(unpacked),
                // Too much to be held, and not too much to be read piece by piece.
                Err(DecompressError::TooLong { len, .. })
                    if self.options.stream_over.is_some() && len <= self.options.max_stream =>
                {
                    let pipe = Arc::new(Pipe::default());
                    pipe.push(body.freeze());
                    pipe.finish();
                    let wants_ack = self.core.wants_ack();
                    self.core.accept(message, wants_ack);
                    return self.deliver_stream(inbound.header, true, pipe);
                }
                Err(error) => {
                    // What it would have taken is for others.
                    drop(buffer::share(unpacked));
                    tracing::info!(id = message.msg_id, %error, "a message cannot be unpacked");
                    return self.refuse(now, message, error.code());
                }
            }
        } else {
            body.freeze()
        };
        let wants_ack = self.core.wants_ack();
        self.core.accept(message, wants_ack);
        if inbound.header.codec == CodecId::PROTOBUF {
            self.mirror(SubEncoding::of(&body));
        }
        let delivered = self.message(inbound.header, Body::Whole(body));
        self.deliver(delivered);
    }

    /// The message whose next bytes are better read where they are kept, if there is one.
    pub(crate) fn direct(&mut self) -> Option<Direct> {
        let left = self.core.payload_left();
        if left < DIRECT || !self.core.takes_input() {
            return None;
        }
        let header = self.core.header();
        let message = MessageKey { channel: header.channel, msg_id: header.msg_id };
        let inbound = self.inbound.get_mut(&message)?;
        let left = usize::try_from(left).ok()?;
        if inbound.stream.is_none() && exceeds(inbound.data.len(), left, self.options.max_message) {
            return None;
        }
        let data = std::mem::take(&mut inbound.data);
        let room = left.min(STEP);
        let from = data.len();
        Some(Direct { message, data, from, room })
    }

    /// Takes back what [`direct`](Self::direct) gave, with the bytes that were read.
    pub(crate) fn direct_read(&mut self, now: Instant, direct: Direct) {
        let mut input = &direct.data[direct.from..];
        // Nothing but payload: every event lends bytes that are in their place already.
        while !input.is_empty() && self.core.handle_input(now, &mut input).is_some() {}
        if let Some(inbound) = self.inbound.get_mut(&direct.message) {
            inbound.data = direct.data;
        }
    }
}

/// What a compressed message says that it stands for.
fn announced(body: &[u8]) -> usize {
    let header = ZstdHeader::parse(body).ok().flatten();
    header.and_then(|header| usize::try_from(header.content?).ok()).unwrap_or(0)
}

fn exceeds(held: usize, more: usize, limit: u64) -> bool {
    super::len(held).saturating_add(super::len(more)) > limit
}
