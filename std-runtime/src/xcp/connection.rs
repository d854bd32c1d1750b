//! A connection as its user sees it: send, ask, receive.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use strait_core::xcp::connection::{Agreed, CloseReason, SendError as NotSent};
use strait_core::xcp::control::Clarify;
use strait_core::xcp::{CodecId, Dialect, ErrorCode, FrameHeader, MsgType, SchemaKey, Tags};
use tokio::sync::{Mutex, mpsc, oneshot};

use super::Ether;
use super::engine::{Outgoing, Room, Submitted};
use super::error::{BodyError, RequestError, SendError};
use super::message::Message;
use super::shared::{Outcome, Shared, State};
use super::stream::BodyWriter;
use crate::codec::header_facts;

/// The channel of messages that do not name one.
pub const DEFAULT_CHANNEL: u32 = 1;

/// One connection, from either end. Clones are handles of the same one; it closes with the last of them, once everything
/// was sent.
#[derive(Clone, Debug)]
pub struct Connection {
    handle: Arc<Handle>,
}

#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    inbound: Mutex<mpsc::UnboundedReceiver<Message>>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.abandon();
    }
}

impl Connection {
    pub(super) fn new(shared: Arc<Shared>, inbound: mpsc::UnboundedReceiver<Message>) -> Self {
        Self { handle: Arc::new(Handle { shared, inbound: Mutex::new(inbound) }) }
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }

    /// Who the peer is: an address, as far as there is one.
    pub fn peer(&self) -> &str {
        &self.shared().peer
    }

    /// What both ends agreed on.
    pub fn agreed(&self) -> Agreed {
        self.shared().lock().engine.agreed().cloned().expect("a connection is given out once it is agreed on")
    }

    /// What is spoken.
    pub fn dialect(&self) -> Dialect {
        self.shared().lock().engine.dialect()
    }

    /// A channel that nobody was given yet. Messages of one channel arrive in order, each whole before the next; channels
    /// do not wait for each other.
    pub fn new_channel(&self) -> u32 {
        self.shared().lock().engine.new_channel()
    }

    /// Sends an ether and waits for the answer: `connection.request(&ether).await?`.
    pub fn request(&self, ether: &Ether) -> Request {
        Request { send: self.send(ether), timeout: None }
    }

    /// Sends an ether: `connection.send(&ether).await?`.
    pub fn send(&self, ether: &Ether) -> Send {
        Send::new(self.clone(), Payload::Ether(Box::new(ether.clone())))
    }

    /// Sends a body as it is, in the name of `codec`.
    pub fn send_body(&self, codec: CodecId, body: impl Into<Bytes>) -> Send {
        Send::new(self.clone(), Payload::Body(codec, body.into()))
    }

    /// The same, and waits for the answer.
    pub fn request_body(&self, codec: CodecId, body: impl Into<Bytes>) -> Request {
        Request { send: self.send_body(codec, body), timeout: None }
    }

    /// Answers a message with an ether, on its channel, in its encoding if that can be.
    pub fn reply(&self, to: &Message, ether: &Ether) -> Send {
        let mut send = self.send(ether).answering(to);
        send.preferred = Some(to.codec());
        send
    }

    /// Answers a message with a body as it is.
    pub fn reply_body(&self, to: &Message, codec: CodecId, body: impl Into<Bytes>) -> Send {
        self.send_body(codec, body).answering(to)
    }

    /// Refuses a message: whoever asked learns `code`.
    pub fn refuse(&self, message: &Message, code: ErrorCode) {
        let now = self.shared().now();
        let mut state = self.shared().lock();
        state.engine.refuse(now, message.key(), code);
        state.wake();
    }

    /// Asks what a message meant; the answer is a message of type CLARIFY_RES.
    pub fn clarify(&self, message: &Message, question: &str, idempotency_key: &str) -> Request {
        let body = clarify_body(message.id(), MsgType::CLARIFY_REQ, question, idempotency_key);
        let mut request = self.request_body(CodecId::JSON, body);
        request.send.header.msg_type = MsgType::CLARIFY_REQ;
        request.send.header.channel = message.channel();
        request
    }

    /// Answers a CLARIFY_REQ.
    pub fn clarified(&self, question: &Message, answer: &str, idempotency_key: &str) -> Send {
        let body = clarify_body(question.id(), MsgType::CLARIFY_RES, answer, idempotency_key);
        let mut send = self.reply_body(question, CodecId::JSON, body);
        send.header.msg_type = MsgType::CLARIFY_RES;
        send
    }

    /// Sends a message whose bytes are written as they are made: in chunks, held nowhere whole. Not where messages are
    /// sealed: those are sealed whole.
    ///
    /// # Errors
    /// [`SendError`], before anything is sent.
    pub async fn stream(&self, codec: CodecId, tags: &[(&str, &str)]) -> Result<BodyWriter, SendError> {
        BodyWriter::open(self.clone(), codec, tags).await
    }

    /// The next message that the peer started, in the order of their arrival; `None` once the connection is over and all
    /// were taken.
    ///
    /// Cancel safe. A connection that nobody receives from holds few messages and refuses the others; one that somebody
    /// received from reads nothing while too many wait.
    pub async fn recv(&self) -> Option<Message> {
        self.shared().lock().listening = true;
        let message = self.handle.inbound.lock().await.recv().await?;
        self.shared().lock().taken(message.held());
        Some(message)
    }

    /// Asks the peer whether it is there; how long it took.
    ///
    /// # Errors
    /// [`RequestError::Closed`], [`RequestError::Timeout`].
    pub async fn ping(&self) -> Result<Duration, RequestError> {
        let (receiver, after) = {
            let now = self.shared().now();
            let mut state = self.shared().lock();
            let after = state.engine.options().request_timeout;
            let Some(nonce) = state.engine.ping() else {
                return Err(match state.reason {
                    Some(reason) => RequestError::Closed { reason },
                    None => RequestError::Send(NotSent::NotOpen.into()),
                });
            };
            let (sender, receiver) = oneshot::channel();
            state.pings.insert(nonce, (now, sender));
            state.wake();
            (receiver, after)
        };
        match tokio::time::timeout(after, receiver).await {
            Ok(Ok(took)) => Ok(took),
            Ok(Err(_)) => Err(RequestError::Closed { reason: self.reason() }),
            Err(_) => Err(RequestError::Timeout { after }),
        }
    }

    /// Waits until everything was sent, and acknowledged where that was asked for; or the connection is over.
    pub async fn flush(&self) {
        self.until(|shared| {
            let state = shared.lock();
            (state.engine.is_flushed() || state.engine.is_closed()).then_some(())
        })
        .await;
    }

    /// Closes at once: what was not sent will not be.
    pub fn close(&self) {
        let now = self.shared().now();
        let mut state = self.shared().lock();
        state.engine.close();
        state.dispatch(now);
        state.wake();
    }

    /// Waits until the connection is over; why it is.
    pub async fn closed(&self) -> CloseReason {
        loop {
            let changed = self.shared().changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(reason) = self.shared().lock().reason {
                return reason;
            }
            changed.await;
        }
    }

    /// Why it is over; [`CloseReason::Local`] as long as it is not.
    fn reason(&self) -> CloseReason {
        self.shared().lock().reason.unwrap_or(CloseReason::Local)
    }

    /// Waits until `done` gives something, looking whenever something was sent.
    async fn until<T>(&self, done: impl Fn(&Shared) -> Option<T>) -> T {
        loop {
            let room = self.shared().room.notified();
            tokio::pin!(room);
            room.as_mut().enable();
            if let Some(value) = done(self.shared()) {
                return value;
            }
            room.await;
        }
    }

    /// Hands a message to the engine; `None` if there is no room.
    fn try_submit(
        &self,
        header: &mut FrameHeader,
        outgoing: Outgoing,
        registered: &mut impl FnMut(&mut State, Submitted),
    ) -> Result<Option<Submitted>, SendError> {
        let mut state = self.shared().lock();
        if let Some(reason) = state.reason {
            return Err(SendError::Closed { reason });
        }
        // One message always goes, however long it is.
        let held = state.engine.held();
        if held != 0 && held >= self.shared().options.max_queued {
            return Ok(None);
        }
        match state.engine.submit(header, outgoing) {
            Ok(submitted) => {
                registered(&mut state, submitted);
                self.shared().transmit(state);
                Ok(Some(submitted))
            }
            Err(NotSent::Busy { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Hands a message to the engine, waiting while there is no room.
    async fn submit(
        &self,
        header: &mut FrameHeader,
        outgoing: Outgoing,
        mut registered: impl FnMut(&mut State, Submitted),
    ) -> Result<Submitted, SendError> {
        if let Some(submitted) = self.try_submit(header, outgoing.clone(), &mut registered)? {
            return Ok(submitted);
        }
        loop {
            let waiting = self.shared().room.notified();
            tokio::pin!(waiting);
            waiting.as_mut().enable();
            if let Some(submitted) = self.try_submit(header, outgoing.clone(), &mut registered)? {
                return Ok(submitted);
            }
            waiting.await;
        }
    }

    /// Gives a message its place whose bytes follow.
    pub(super) async fn submit_stream(
        &self,
        header: &mut FrameHeader,
        packed: bool,
        room: Arc<dyn Room>,
    ) -> Result<Submitted, SendError> {
        let outgoing = Outgoing { body: None, compressed: packed, room: Some(room) };
        self.submit(header, outgoing, |_, _| {}).await
    }

    /// Ends when the connection does; not a handle that keeps it open.
    pub(super) fn watch(&self) -> impl Future<Output = ()> + use<> {
        let shared = Arc::downgrade(self.shared());
        async move {
            loop {
                let Some(shared) = shared.upgrade() else { return };
                let changed = shared.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if shared.lock().reason.is_some() {
                    return;
                }
                changed.await;
            }
        }
    }

    pub(super) fn with_state<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.shared().lock())
    }

    /// Reads the whole body of a message that is read as it comes.
    ///
    /// # Errors
    /// [`BodyError`]: it will not be complete, or is longer than messages are held.
    pub async fn collect(&self, mut message: Message) -> Result<Message, BodyError> {
        let limit = message.limit();
        let mut whole = Vec::new();
        while let Some(bytes) = message.next_chunk().await? {
            if whole.len() as u64 + bytes.len() as u64 > limit {
                return Err(BodyError::TooLarge { limit });
            }
            whole.extend_from_slice(&bytes);
        }
        Ok(message.with_body(whole.into()))
    }
}

fn clarify_body(msg_id: u64, msg_type: MsgType, text: &str, idempotency_key: &str) -> Bytes {
    let mut body = vec![0; 4096];
    let clarify = Clarify::new(msg_id, text, idempotency_key);
    let len = clarify.write_json(msg_type, &mut body).expect("its texts are cut to a few hundred bytes");
    body.truncate(len);
    body.into()
}

#[derive(Clone, Debug)]
enum Payload {
    Ether(Box<Ether>),
    Body(CodecId, Bytes),
}

/// A message that is sent when this is awaited.
#[derive(Debug)]
#[must_use = "nothing is sent before this is awaited"]
pub struct Send {
    connection: Connection,
    payload: Payload,
    header: Box<FrameHeader>,
    codec: Option<CodecId>,
    preferred: Option<CodecId>,
    compress: Option<i32>,
    tags: Vec<(String, String)>,
    acknowledged: bool,
}

impl Send {
    fn new(connection: Connection, payload: Payload) -> Self {
        let compress = connection.shared().options.compress;
        Self {
            connection,
            payload,
            header: Box::new(FrameHeader::new(MsgType::DATA, DEFAULT_CHANNEL, 0)),
            codec: None,
            preferred: None,
            compress,
            tags: Vec::new(),
            acknowledged: false,
        }
    }

    fn answering(mut self, to: &Message) -> Self {
        self.header.channel = to.channel();
        self.header.in_reply_to = to.id();
        self
    }

    /// On this channel, and not on the first.
    pub fn channel(mut self, channel: u32) -> Self {
        self.header.channel = channel;
        self
    }

    /// In this encoding, and not in the one that suits it best.
    pub fn codec(mut self, codec: CodecId) -> Self {
        self.codec = Some(codec);
        self
    }

    /// With the key of its schema.
    pub fn schema_key(mut self, key: SchemaKey) -> Self {
        self.header.schema_key = Some(key);
        self
    }

    /// With a key-value pair in its header.
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.push((key.into(), value.into()));
        self
    }

    /// Compressed at this level, or not at all, whatever the connection's options say.
    pub fn compress(mut self, level: Option<i32>) -> Self {
        self.compress = level;
        self
    }

    /// Waits until the peer has it, and sends it again if it does not say so. A peer of Python's dialect never does: it is
    /// sent once, and that is all.
    pub fn acknowledged(mut self) -> Self {
        self.acknowledged = true;
        self
    }

    /// Chooses the encoding, encodes, and writes the header's tags.
    fn prepare(&mut self) -> Result<(Bytes, bool), SendError> {
        let body = match &self.payload {
            Payload::Body(codec, bytes) => {
                self.header.codec = *codec;
                bytes.clone()
            }
            Payload::Ether(ether) => {
                let (registry, agreed, options) = self.connection.with_state(|state| {
                    let agreed =
                        state.engine.agreed().map(|agreed| agreed.codecs.clone()).unwrap_or_default();
                    (state.engine.registry().clone(), agreed, state.engine.options().clone())
                });
                let mirrors = |codec: &CodecId| {
                    agreed.contains(codec)
                        && registry.get(*codec).is_some_and(|found| found.carries(ether).is_ok())
                };
                let preferred = self.codec.or(self.preferred.filter(mirrors));
                let codec = match preferred {
                    Some(codec) => codec,
                    None => options.policy.choose(ether, &agreed, &registry, &options.sizes)?,
                };
                self.header.codec = codec;
                let mut body = Vec::new();
                registry.encode(codec, ether, &mut body)?;
                if !matches!(codec, CodecId::JSON | CodecId::PROTOBUF) {
                    // The body does not say of which kind it is: the header must.
                    let (key, tags) = header_facts(ether, codec)?;
                    self.header.schema_key.get_or_insert(key);
                    for (key, value) in tags.iter() {
                        self.header.tags.push(key, value)?;
                    }
                }
                body.into()
            }
        };
        for (key, value) in &self.tags {
            self.header.tags.push(key, value)?;
        }
        if self.acknowledged {
            self.header.tags.push(Tags::ACK, "1")?;
        }
        if self.compress.is_none() {
            return Ok((body, false));
        }
        Ok(self.connection.with_state(|state| state.engine.pack(body, self.compress)))
    }

    async fn run(mut self) -> Result<u64, SendError> {
        let (body, packed) = self.prepare()?;
        let waits = self.acknowledged && !self.connection.dialect().is_strict();
        let mut receiver = None;
        let submitted = self
            .connection
            .submit(&mut self.header, Outgoing::whole(body, packed), |state, submitted| {
                if waits {
                    let (sender, ack) = oneshot::channel();
                    state.acks.insert(submitted.msg_id, sender);
                    receiver = Some(ack);
                }
            })
            .await?;
        let Some(receiver) = receiver else { return Ok(submitted.msg_id) };
        match receiver.await {
            Ok(Outcome::Acked | Outcome::Answer(_)) => Ok(submitted.msg_id),
            Ok(Outcome::Nack { code, retry_after }) => Err(SendError::Nack { code, retry_after }),
            Ok(Outcome::Unacknowledged | Outcome::Late) => Err(SendError::Unacknowledged),
            Err(_) => Err(SendError::Closed { reason: self.connection.reason() }),
        }
    }
}

impl IntoFuture for Send {
    /// The number that the message has for the peer; 0 where the dialect gives none.
    type Output = Result<u64, SendError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + core::marker::Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

/// A message that is sent, and whose answer is waited for, when this is awaited.
#[derive(Debug)]
#[must_use = "nothing is sent before this is awaited"]
pub struct Request {
    send: Send,
    timeout: Option<Duration>,
}

/// Forgets a request when nobody waits for its answer any more.
struct Waiting<'c> {
    connection: &'c Connection,
    request: u64,
    /// It is forgotten already.
    over: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.over {
            self.connection.shared().lock().forget(self.request);
        }
    }
}

impl Request {
    /// Waits for the answer for so long, and not as long as the connection's options say.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// On this channel, and not on the first.
    pub fn channel(mut self, channel: u32) -> Self {
        self.send = self.send.channel(channel);
        self
    }

    /// In this encoding, and not in the one that suits it best.
    pub fn codec(mut self, codec: CodecId) -> Self {
        self.send = self.send.codec(codec);
        self
    }

    /// With a key-value pair in its header.
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.send = self.send.tag(key, value);
        self
    }

    /// Compressed at this level, or not at all, whatever the connection's options say.
    pub fn compress(mut self, level: Option<i32>) -> Self {
        self.send = self.send.compress(level);
        self
    }

    async fn run(self) -> Result<Message, RequestError> {
        let Self { mut send, timeout } = self;
        let shared = send.connection.shared().clone();
        let after = timeout.unwrap_or(shared.options.request_timeout);
        let (body, packed) = send.prepare()?;
        let deadline = shared.now().saturating_add(after);
        let connection = send.connection.clone();
        let mut answer = None;
        let mut registered = |state: &mut State, submitted: Submitted| {
            let (request, receiver) = state.expect(submitted.msg_id, deadline);
            answer = Some((Waiting { connection: &connection, request, over: false }, receiver));
        };
        let outgoing = Outgoing::whole(body, packed);
        if connection.try_submit(&mut send.header, outgoing.clone(), &mut registered)?.is_none() {
            let submitted = connection.submit(&mut send.header, outgoing, registered);
            let Ok(submitted) = tokio::time::timeout(after, submitted).await else {
                return Err(RequestError::Timeout { after });
            };
            submitted?;
        }
        let (mut waiting, receiver) = answer.expect("registered when it was submitted");
        // The driver keeps the time from here on, for all requests together.
        let outcome = receiver.await;
        waiting.over = true;
        match outcome {
            Ok(Outcome::Answer(message)) => Ok(message),
            Ok(Outcome::Nack { code, retry_after }) => Err(RequestError::Nack { code, retry_after }),
            Ok(Outcome::Acked | Outcome::Unacknowledged) => {
                Err(RequestError::Send(SendError::Unacknowledged))
            }
            Ok(Outcome::Late) => Err(RequestError::Timeout { after }),
            Err(_) => Err(RequestError::Closed { reason: connection.reason() }),
        }
    }
}

impl IntoFuture for Request {
    /// The answer.
    type Output = Result<Message, RequestError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + core::marker::Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}
