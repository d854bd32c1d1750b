//! The one pump around core's connection: bytes in, bytes and deliveries out, for any kind of input and output.
//!
//! No rule of the protocol is here: what a frame may be and when is decided in `strait_core::xcp::connection`. The engine
//! holds the bytes that core does not, and unpacks messages.

mod checksum;
mod guard;
mod handshake;
mod hash;
mod inbound;
mod outbound;
mod pipe;
mod queue;

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;
use strait_core::time::Instant;
use strait_core::xcp::connection::{
    Agreed, CloseReason, Connection, Event, Knobs, MessageKey, Protection as _, SendError, Side, Transmit,
};
use strait_core::xcp::{Dialect, ErrorCode, Flags, FrameHeader};

pub(crate) use inbound::Inbound;
pub(crate) use outbound::{Outgoing, Room};
pub(crate) use pipe::{Pipe, Pull};
pub(crate) use queue::{SLICES, WriteQueue};

use super::BadOption;
use super::compress::Compressor;
use super::decompress::{Decompressor, Limits};
use super::message::{Body, Message};
use super::options::Options;
use super::psk::Psk;
use crate::codec::{Registry, SubEncoding};
use checksum::HardwareCrc;
use guard::Guard;
use handshake::Transcript;
use hash::NumberMap;
use outbound::Outbound;

/// Longest header that is read; those written have some dozens of bytes.
const HEADER: usize = 4096;
/// Longest body of a control frame.
const CONTROL: usize = 8192;
/// Most bytes that are kept to compress into.
const PACKED: usize = 4 << 20;
/// Messages in each direction that are unfinished, or wait for an ACK.
const MESSAGES: usize = 256;

type Core = Connection<HardwareCrc, Guard, HEADER, CONTROL, MESSAGES>;

/// What the engine has for its user.
#[derive(Debug)]
pub(crate) enum Delivery {
    /// The handshake is over.
    Connected,
    /// A message came, whole or its beginning.
    Message(Message),
    /// The peer has one of our messages.
    Acked { msg_id: u64 },
    /// The peer refused one of our messages.
    Nacked { msg_id: u64, code: ErrorCode, retry_after: Option<Duration> },
    /// One of our messages was never acknowledged.
    Unacknowledged { msg_id: u64 },
    /// The peer is there.
    Pong { nonce: u64 },
    /// It is over.
    Closed(CloseReason),
}

/// One end of a connection with everything but the socket.
#[derive(Debug)]
pub(crate) struct Engine {
    core: Box<Core>,
    options: Arc<Options>,
    registry: Arc<Registry>,
    /// How the peer writes Protobuf, once it did.
    sub_encoding: Option<SubEncoding>,
    /// Secret that the TLS connection underneath gave.
    exported: Option<Arc<Psk>>,
    /// HELLO and its answer as they were sent and came, for the keys; until the handshake is over.
    transcript: Option<Transcript>,
    inbound: NumberMap<MessageKey, Inbound>,
    outbound: NumberMap<u64, Outbound>,
    deliveries: VecDeque<Delivery>,
    /// Refusals of messages that were delivered, for which core had no room yet.
    refusals: VecDeque<(MessageKey, ErrorCode)>,
    /// Bytes of the messages in `deliveries`.
    delivered: usize,
    /// Whether messages that the peer starts are refused for now.
    busy: bool,
    compressor: Compressor,
    /// Empty: what the last message was compressed into.
    packed: Vec<u8>,
    decompressor: Decompressor,
    /// Streams that are unfinished or unread.
    streams: Vec<Arc<Pipe>>,
    control: Vec<u8>,
    next_channel: u32,
}

impl Engine {
    pub(crate) fn new(
        options: &Options,
        side: Side,
        knobs: Knobs,
        exported: Option<Arc<Psk>>,
        now: Instant,
    ) -> Result<Self, BadOption> {
        #[cfg(feature = "xcp-tls")]
        if matches!(options.key, super::options::KeySource::TlsExporter) && exported.is_none() {
            return Err(BadOption::NoTls);
        }
        let config = options.config(side, knobs)?;
        let limits = Limits { max_message: options.max_message };
        Ok(Self {
            core: Box::new(Core::new(config, Guard::default(), now)),
            options: Arc::new(options.clone()),
            registry: options.registry_for(Dialect::SPEC),
            sub_encoding: None,
            exported,
            transcript: options.seals().then(Transcript::default),
            inbound: NumberMap::default(),
            outbound: NumberMap::default(),
            deliveries: VecDeque::new(),
            refusals: VecDeque::new(),
            delivered: 0,
            busy: false,
            compressor: Compressor::new(),
            packed: Vec::new(),
            decompressor: Decompressor::new(limits),
            streams: Vec::new(),
            control: vec![0; HEADER + CONTROL + 48],
            next_channel: 1,
        })
    }

    pub(crate) fn agreed(&self) -> Option<&Agreed> {
        self.core.agreed()
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.core.dialect()
    }

    pub(crate) fn options(&self) -> &Arc<Options> {
        &self.options
    }

    pub(crate) fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.core.is_closed()
    }

    pub(crate) fn is_flushed(&self) -> bool {
        self.refusals.is_empty() && self.core.is_flushed()
    }

    /// A channel that nobody was given yet.
    pub(crate) fn new_channel(&mut self) -> u32 {
        self.next_channel = self.next_channel.wrapping_add(1).max(2);
        self.next_channel
    }

    pub(crate) fn ping(&mut self) -> Option<u64> {
        self.core.ping()
    }

    pub(crate) fn close(&mut self) {
        if !self.core.is_closed() {
            let reason = self.core.close();
            self.closed(reason);
        }
    }

    /// Refuses a message that was delivered, as soon as there is room for that: of such there may be any number, and core
    /// keeps room for answers to what it reads.
    pub(crate) fn refuse_delivered(&mut self, message: MessageKey, code: ErrorCode) {
        if !self.core.is_closed() {
            self.refusals.push_back((message, code));
        }
    }

    /// Refuses a message while it is read.
    fn refuse(&mut self, now: Instant, message: MessageKey, code: ErrorCode) {
        if let Some(event) = self.core.refuse(now, message, code) {
            self.event(now, event);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.core.poll_timeout()
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.core.handle_timeout(now);
        self.poll_core(now);
    }

    pub(crate) fn handle_eof(&mut self, now: Instant) {
        if let Some(event) = self.core.handle_eof() {
            self.event(now, event);
        }
    }

    /// Whether messages were delivered that are as long together as those that wait may be.
    pub(crate) fn has_delivered_much(&self) -> bool {
        self.delivered >= self.options.max_queued
    }

    /// Nothing more will come: messages that are unfinished stay so.
    pub(crate) fn give_up_unfinished(&mut self) {
        for (_, inbound) in self.inbound.drain() {
            inbound.close();
        }
    }

    /// Whether messages that the peer starts are refused for now: before they are acknowledged, so that the peer may send
    /// them again.
    pub(crate) fn set_busy(&mut self, busy: bool) {
        self.busy = busy;
    }

    pub(crate) fn poll_delivery(&mut self) -> Option<Delivery> {
        let delivery = self.deliveries.pop_front();
        if let Some(Delivery::Message(message)) = &delivery {
            self.delivered = self.delivered.saturating_sub(message.held());
        }
        delivery
    }

    /// Whether input may be handed in: streams hold no more than they may together, also those that are complete. `waker`
    /// learns when that changes.
    pub(crate) fn may_read(&mut self, waker: Option<&Waker>) -> bool {
        let most = self.options.max_queued;
        self.streams.retain(|pipe| !pipe.is_over());
        let unread = self.streams.iter().fold(0_usize, |unread, pipe| {
            if let Some(waker) = waker {
                pipe.set_driver(waker);
            }
            unread.saturating_add(pipe.len())
        });
        unread < most
    }

    /// Takes input; how many bytes of it. Fewer than there are if answers must be sent before, or if the messages in it are
    /// as long as messages that wait may be: compressed ones are short.
    pub(crate) fn handle_input(&mut self, now: Instant, bytes: &[u8]) -> usize {
        let mut input = bytes;
        loop {
            let before = input;
            let event = self.core.handle_input(now, &mut input);
            if let Some(transcript) = &mut self.transcript {
                transcript.received(&before[..before.len() - input.len()]);
            }
            let Some(event) = event else { break };
            self.event(now, event);
            // The server's answer is part of what keys are made from, and must be sent before more is read.
            if matches!(event, Event::Connected) || self.has_delivered_much() {
                break;
            }
        }
        self.poll_core(now);
        bytes.len() - input.len()
    }

    fn poll_core(&mut self, now: Instant) {
        while let Some(event) = self.core.poll_event(now) {
            self.event(now, event);
        }
    }

    fn event(&mut self, now: Instant, event: Event<'_>) {
        let delivery = match event {
            Event::Connected => {
                if self.core.config().side == Side::Client {
                    self.make_keys();
                }
                if self.core.is_closed() {
                    return;
                }
                self.registry = self.options.registry_for(self.core.dialect());
                Delivery::Connected
            }
            Event::Started { message, flags, len } => return self.started(now, message, flags, len),
            Event::Chunk { message, bytes } => return self.chunk(now, message, bytes),
            Event::Verified { message, complete } => return self.verified(now, message, complete),
            Event::Dropped { message, code } => {
                tracing::info!(channel = message.channel, id = message.msg_id, %code, "message dropped");
                if let Some(inbound) = self.inbound.remove(&message) {
                    inbound.fail(code);
                }
                return;
            }
            Event::Refused { message, code } => {
                tracing::info!(channel = message.channel, id = message.msg_id, %code, "message refused");
                return;
            }
            Event::Acked { msg_id } => {
                self.forget(msg_id);
                Delivery::Acked { msg_id }
            }
            Event::Nacked { msg_id, code, retry_after } => {
                self.forget_refused(msg_id);
                Delivery::Nacked { msg_id, code, retry_after }
            }
            Event::Unacknowledged { msg_id } => {
                self.forget(msg_id);
                Delivery::Unacknowledged { msg_id }
            }
            Event::Pong { nonce } => Delivery::Pong { nonce },
            Event::Closed(reason) => return self.closed(reason),
            _ => return,
        };
        self.deliveries.push_back(delivery);
    }

    fn closed(&mut self, reason: CloseReason) {
        if !matches!(reason, CloseReason::Local | CloseReason::Peer) {
            tracing::info!(%reason, "connection closed");
        }
        self.refusals.clear();
        for (_, inbound) in self.inbound.drain() {
            inbound.close();
        }
        for pipe in self.streams.drain(..) {
            pipe.fail(None);
        }
        for (_, outbound) in self.outbound.drain() {
            outbound.close();
        }
        self.deliveries.push_back(Delivery::Closed(reason));
    }

    /// Gives a message its place, seals it if that was agreed on, and hands it to core.
    pub(crate) fn submit(
        &mut self,
        header: &mut FrameHeader,
        outgoing: Outgoing,
    ) -> Result<Submitted, SendError> {
        let sealed = self.core.protection_mut().is_on();
        let mut flags = if outgoing.compressed { Flags::COMP } else { Flags::NONE };
        if sealed {
            flags = flags.union(Flags::CRYPT);
        }
        let begun = self.core.begin(header, flags, &mut self.control[..HEADER])?;
        let header_bytes = &self.control[..begun.header_len];
        let body = match outgoing.body {
            Some(body) => match self.core.protection_mut().seal_message(header, header_bytes, flags, body) {
                Ok(body) => Some(body),
                Err(error) => {
                    self.core.cancel(begun.handle);
                    tracing::warn!(%error, "a message cannot be sealed");
                    return Err(SendError::MustBeSealed);
                }
            },
            // It cannot be sealed before all of it is there.
            None if sealed => {
                self.core.cancel(begun.handle);
                return Err(SendError::MustBeSealed);
            }
            None => None,
        };
        let whole = body.as_ref().map(|body| len(body.len()));
        let outbound = Outbound::new(header_bytes, begun.msg_id, body, outgoing.room);
        self.outbound.insert(begun.handle, outbound);
        if let Some(whole) = whole
            && let Err(error) = self.core.extend(begun.handle, whole, true)
        {
            self.outbound.remove(&begun.handle);
            return Err(error);
        }
        Ok(Submitted { handle: begun.handle, msg_id: begun.msg_id })
    }

    /// More bytes of a message that is sent as it is made; `ended` with the last of them.
    pub(crate) fn push(&mut self, handle: u64, bytes: Bytes, ended: bool) -> Result<(), SendError> {
        let outbound = self.outbound.get_mut(&handle).ok_or(SendError::Unknown { handle })?;
        let available = outbound.push(bytes);
        let pushed = self.core.extend(handle, available, ended);
        if pushed.is_err() {
            self.outbound.remove(&handle);
        }
        pushed
    }

    /// Bytes of a message that are not sent yet; `None` if there is no such message.
    pub(crate) fn unsent(&self, handle: u64) -> Option<usize> {
        self.outbound.get(&handle).map(Outbound::held)
    }

    pub(crate) fn cancel(&mut self, handle: u64) {
        self.core.cancel(handle);
        self.outbound.remove(&handle);
    }

    /// The peer refused a message, perhaps before all of it was sent. Only kept ones may have no number.
    fn forget_refused(&mut self, msg_id: u64) {
        let refused =
            |outbound: &mut Outbound| outbound.msg_id() == msg_id && (msg_id != 0 || outbound.is_kept());
        for (_, outbound) in self.outbound.extract_if(|_, outbound| refused(outbound)) {
            outbound.close();
        }
    }

    fn forget(&mut self, msg_id: u64) {
        self.outbound.retain(|_, outbound| !(outbound.is_kept() && outbound.msg_id() == msg_id));
    }

    /// Whether every byte was given out, ACKs or not.
    pub(crate) fn is_sent(&self) -> bool {
        let sent = |outbound: &Outbound| outbound.is_kept() || outbound.held() == 0;
        self.refusals.is_empty() && self.outbound.values().all(sent)
    }

    /// Moves what is to be sent into `queue`, until it holds enough; whether anything was moved.
    pub(crate) fn fill(&mut self, now: Instant, queue: &mut WriteQueue) -> bool {
        let mut moved = false;
        while !queue.is_high() {
            while self.core.takes_input()
                && let Some((message, code)) = self.refusals.pop_front()
            {
                self.refuse(now, message, code);
            }
            match self.core.poll_transmit(now, &mut self.control) {
                None => break,
                Some(Transmit::Bytes(len)) => {
                    let bytes = &self.control[..len];
                    queue.copy(bytes);
                    if let Some(transcript) = &mut self.transcript {
                        transcript.sent(bytes);
                    }
                    if self.core.is_open() && self.core.config().side == Side::Server {
                        self.make_keys();
                    }
                }
                Some(Transmit::Chunk(chunk)) => {
                    if let Some(outbound) = self.outbound.get_mut(&chunk.handle) {
                        outbound.emit(&chunk, queue);
                        if chunk.last && !chunk.kept {
                            self.outbound.remove(&chunk.handle);
                        }
                    }
                }
            }
            moved = true;
        }
        moved
    }

    /// Compresses a body if that is asked for, agreed on, and makes it shorter.
    pub(crate) fn pack(&mut self, body: Bytes, level: Option<i32>) -> (Bytes, bool) {
        let agreed = self.core.agreed().is_some_and(|agreed| agreed.features.contains(Flags::COMP));
        let Some(level) = level.filter(|_| agreed && self.options.sizes.compresses(body.len())) else {
            return (body, false);
        };
        // The room for the worst case is kept: only what it came to is set aside for the message.
        self.packed.clear();
        let packed = match self.compressor.compress(level, &body, &mut self.packed) {
            Ok(_) if self.packed.len() < body.len() => (Bytes::copy_from_slice(&self.packed), true),
            _ => (body, false),
        };
        if self.packed.capacity() > PACKED {
            self.packed = Vec::new();
        }
        packed
    }

    /// Bytes of messages that are not sent yet, or kept for an ACK.
    pub(crate) fn held(&self) -> usize {
        self.outbound.values().map(Outbound::held).sum()
    }

    /// Writes Protobuf as the peer does: stock Python peers write JSON in its name, and read nothing else.
    fn mirror(&mut self, sub_encoding: SubEncoding) {
        if self.options.registry.is_none() && self.sub_encoding.replace(sub_encoding) != Some(sub_encoding) {
            let registry = Registry::for_dialect(self.core.dialect()).with_sub_encoding(sub_encoding);
            self.registry = Arc::new(registry);
        }
    }

    fn deliver(&mut self, message: Message) {
        self.delivered = self.delivered.saturating_add(message.held());
        let message = message.with_schemas(self.options.schemas.clone());
        self.deliveries.push_back(Delivery::Message(message));
    }

    fn message(&self, header: Box<FrameHeader>, body: Body) -> Message {
        Message::new(header, body, self.registry.clone(), self.options.max_message)
    }
}

/// A message that has its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Submitted {
    pub(crate) handle: u64,
    pub(crate) msg_id: u64,
}

fn len(len: usize) -> u64 {
    len as u64
}
