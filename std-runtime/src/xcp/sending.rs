//! Messages and requests before they are awaited: their options, and what awaiting them does.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use strait_core::xcp::{CodecId, FrameHeader, SchemaKey};
use tokio::sync::oneshot;

use super::connection::Connection;
use super::draft::Draft;
use super::engine::{Outgoing, Submitted};
use super::error::{RequestError, SendError};
use super::message::Message;
use super::shared::{Outcome, State};

/// A message that is sent when this is awaited.
#[derive(Debug)]
#[must_use = "nothing is sent before this is awaited"]
pub struct Send {
    connection: Connection,
    draft: Draft,
    /// As the options say, if it is not said here.
    compress: Option<Option<i32>>,
}

impl Send {
    pub(super) fn new(connection: Connection, draft: Draft) -> Self {
        Self { connection, draft, compress: None }
    }

    pub(super) fn header_mut(&mut self) -> &mut FrameHeader {
        &mut self.draft.header
    }

    /// On this channel, and not on the first.
    pub fn channel(mut self, channel: u32) -> Self {
        self.draft.header.channel = channel;
        self
    }

    /// In this encoding, and not in the one that suits it best.
    pub fn codec(mut self, codec: CodecId) -> Self {
        self.draft.codec = Some(codec);
        self
    }

    /// With the key of its schema.
    pub fn schema_key(mut self, key: SchemaKey) -> Self {
        self.draft.header.schema_key = Some(key);
        self
    }

    /// With a key-value pair in its header.
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.draft.tags.push((key.into(), value.into()));
        self
    }

    /// Compressed at this level, or not at all, whatever the connection's options say.
    pub fn compress(mut self, level: Option<i32>) -> Self {
        self.compress = Some(level);
        self
    }

    /// Waits until the peer has it, and sends it again if it does not say so. A peer of Python's dialect never does: it is
    /// sent once, and that is all.
    pub fn acknowledged(mut self) -> Self {
        self.draft.acknowledged = true;
        self
    }

    /// Encodes and compresses it.
    fn prepare(&mut self) -> Result<(Bytes, bool), SendError> {
        let options = &self.connection.shared().options;
        let body = self.draft.encode(|| self.connection.with_state(|state| state.engine.peer()), options)?;
        let level = self.compress.unwrap_or(options.compress);
        if level.is_none() {
            return Ok((body, false));
        }
        Ok(self.connection.with_state(|state| state.engine.pack(body, level))?)
    }

    async fn run(mut self) -> Result<u64, SendError> {
        let (body, packed) = self.prepare()?;
        let waits = self.draft.acknowledged && !self.connection.dialect().is_strict();
        let mut receiver = None;
        let submitted = self
            .connection
            .submit(&mut self.draft.header, Outgoing::whole(body, packed), |state, submitted| {
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
    pub(super) fn new(send: Send) -> Self {
        Self { send, timeout: None }
    }

    pub(super) fn header_mut(&mut self) -> &mut FrameHeader {
        self.send.header_mut()
    }

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

    /// With the key of its schema.
    pub fn schema_key(self, key: SchemaKey) -> Self {
        Self { send: self.send.schema_key(key), ..self }
    }

    /// Sent again until the peer says that it has it, as [`Send::acknowledged`] is; then the answer is waited for.
    pub fn acknowledged(self) -> Self {
        Self { send: self.send.acknowledged(), ..self }
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
        if connection.try_submit(&mut send.draft.header, outgoing.clone(), &mut registered)?.is_none() {
            let submitted = connection.submit(&mut send.draft.header, outgoing, registered);
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
