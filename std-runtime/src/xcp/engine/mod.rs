//! The one pump around core's connection: bytes in, bytes and deliveries out, for any kind of input and output.
//!
//! No rule of the protocol is here: what a frame may be and when is decided in `strait_core::xcp::connection`. The engine
//! holds the bytes that core does not, and unpacks messages.

mod buffer;
mod checksum;
mod guard;
mod handshake;
mod hash;
mod inbound;
mod outbound;
mod pipe;
mod queue;
mod sending;

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use strait_core::time::Instant;
use strait_core::xcp::connection::{Agreed, CloseReason, Connection, Event, Knobs, MessageKey, Side};
use strait_core::xcp::control::KindRange;
use strait_core::xcp::{CodecId, Dialect, ErrorCode, FrameHeader};

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
/// Messages in each direction that are unfinished, or wait for an ACK.
const MESSAGES: usize = 256;

/// Refusals of messages that were delivered, before nothing more is read.
const REFUSALS: usize = 1024;

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

/// What the encoding of an ether depends on.
#[derive(Debug)]
pub(crate) struct Peer {
    /// Codecs that both read, in the client's order of preference.
    pub(crate) codecs: heapless::Vec<CodecId, 16>,
    /// Kinds that the peer takes; none means all.
    pub(crate) accepts: heapless::Vec<KindRange, 16>,
    pub(crate) registry: Arc<Registry>,
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
    /// The time when it was last told.
    seen: Instant,
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
    /// Channels of messages that were not finished: the peer forgets those once another begins there.
    given_up: Vec<u32>,
    /// Whether there was something to send, or to be acknowledged, when it was closed.
    left_unsent: bool,
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
            seen: now,
            delivered: 0,
            busy: false,
            compressor: Compressor::new(),
            packed: Vec::new(),
            decompressor: Decompressor::new(limits),
            streams: Vec::new(),
            control: vec![0; HEADER + CONTROL + 48],
            next_channel: 1,
            given_up: Vec::new(),
            left_unsent: false,
        })
    }

    pub(crate) fn agreed(&self) -> Option<&Agreed> {
        self.core.agreed()
    }

    /// What an ether's encoding depends on.
    pub(crate) fn peer(&self) -> Peer {
        let agreed = self.core.agreed();
        Peer {
            codecs: agreed.map(|agreed| agreed.codecs.clone()).unwrap_or_default(),
            accepts: agreed.map(|agreed| agreed.accepts.clone()).unwrap_or_default(),
            registry: self.registry.clone(),
        }
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.core.dialect()
    }

    pub(crate) fn options(&self) -> &Arc<Options> {
        &self.options
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.core.is_closed()
    }

    pub(crate) fn is_flushed(&self) -> bool {
        self.refusals.is_empty() && self.core.is_flushed()
    }

    /// Whether it was closed with something to send, or to be acknowledged.
    pub(crate) fn left_unsent(&self) -> bool {
        self.left_unsent
    }

    /// A channel that nobody was given yet.
    pub(crate) fn new_channel(&mut self) -> u32 {
        self.next_channel = self.next_channel.wrapping_add(1).max(2);
        self.next_channel
    }

    /// A channel for a message that is written as it is made.
    pub(crate) fn stream_channel(&mut self) -> u32 {
        self.given_up.pop().unwrap_or_else(|| self.new_channel())
    }

    /// A message that was written as it was made will not be finished.
    pub(crate) fn abandon(&mut self, handle: u64, channel: Option<u32>) {
        self.cancel(handle);
        self.given_up.extend(channel.filter(|_| self.given_up.len() < MESSAGES));
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

    /// Whether so many refusals wait to be sent that nothing more should be read.
    pub(crate) fn has_refused_much(&self) -> bool {
        self.refusals.len() >= REFUSALS
    }

    /// For so long nobody read, or looked at the time.
    pub(crate) fn paused(&mut self, pause: Duration) {
        self.core.paused(pause);
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
        unread < most && !self.has_refused_much()
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
        self.left_unsent = !(self.refusals.is_empty() && self.outbound.is_empty());
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

    /// Writes Protobuf as the peer does: stock Python peers write JSON in its name, and read nothing else.
    fn mirror(&mut self, sub_encoding: SubEncoding) {
        if self.options.registry.is_none() && self.sub_encoding.replace(sub_encoding) != Some(sub_encoding) {
            let registry = Registry::for_dialect(self.core.dialect()).with_sub_encoding(sub_encoding);
            self.registry = Arc::new(registry);
        }
    }

    fn deliver(&mut self, message: Message) {
        self.delivered = self.delivered.saturating_add(message.held());
        self.deliveries.push_back(Delivery::Message(message));
    }

    fn message(&self, header: Box<FrameHeader>, body: Body) -> Message {
        Message::new(header, body, self.registry.clone(), self.options.clone())
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
