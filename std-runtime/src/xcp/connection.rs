//! A connection as its user sees it: send, ask, receive.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use strait_core::xcp::connection::{ANSWERS, Agreed, CloseReason, MessageKey, SendError as NotSent};
use strait_core::xcp::control::Clarify;
use strait_core::xcp::{CodecId, Dialect, ErrorCode, FrameHeader, MsgType, Tags};
use tokio::sync::{Mutex, mpsc, oneshot};

use super::Ether;
use super::draft::Draft;
use super::engine::{Outgoing, Submitted};
use super::error::{BodyError, RequestError, SendError};
use super::message::Message;
use super::sending::{Request, Send};
use super::shared::{Shared, State};

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

    pub(super) fn shared(&self) -> &Arc<Shared> {
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
        Request::new(self.send(ether))
    }

    /// Sends an ether: `connection.send(&ether).await?`.
    pub fn send(&self, ether: &Ether) -> Send {
        Send::new(self.clone(), Draft::ether(ether))
    }

    /// Sends a body as it is, in the name of `codec`.
    pub fn send_body(&self, codec: CodecId, body: impl Into<Bytes>) -> Send {
        Send::new(self.clone(), Draft::body(codec, body))
    }

    /// The same, and waits for the answer.
    pub fn request_body(&self, codec: CodecId, body: impl Into<Bytes>) -> Request {
        Request::new(self.send_body(codec, body))
    }

    /// Answers a message with an ether, on its channel, in its encoding if that can be.
    pub fn reply(&self, to: &Message, ether: &Ether) -> Send {
        Send::new(self.clone(), Draft::ether(ether).answering(to))
    }

    /// Answers a message with a body as it is.
    pub fn reply_body(&self, to: &Message, codec: CodecId, body: impl Into<Bytes>) -> Send {
        Send::new(self.clone(), Draft::body(codec, body).answering(to))
    }

    /// A span for what is done with a message that came: the peer, its kind and number, and the id of the trace that it
    /// belongs to, of its ether or its header. [`Server::serve`](super::Server::serve) runs handlers in such a one.
    pub fn span(&self, message: &Message, ether: &Ether) -> tracing::Span {
        let trace_id = ether.trace_id().or_else(|| message.tags().get(Tags::TRACE_ID)).unwrap_or("");
        tracing::info_span!("xcp", peer = self.peer(), kind = %ether.kind, id = message.id(), trace_id)
    }

    /// Refuses a message: whoever asked learns `code`.
    pub fn refuse(&self, message: &Message, code: ErrorCode) {
        self.refuse_key(message.key(), code);
    }

    pub(super) fn refuse_key(&self, message: MessageKey, code: ErrorCode) {
        let mut state = self.shared().lock();
        state.engine.refuse_delivered(message, code);
        state.wake();
    }

    /// Asks what a message meant; the answer is a message of type `CLARIFY_RES`.
    pub fn clarify(&self, message: &Message, question: &str, idempotency_key: &str) -> Request {
        let body = clarify_body(message.id(), MsgType::CLARIFY_REQ, question, idempotency_key);
        let mut request = self.request_body(CodecId::JSON, body);
        let header = request.header_mut();
        header.msg_type = MsgType::CLARIFY_REQ;
        header.channel = message.channel();
        request
    }

    /// Answers a `CLARIFY_REQ`.
    pub fn clarified(&self, question: &Message, answer: &str, idempotency_key: &str) -> Send {
        let body = clarify_body(question.id(), MsgType::CLARIFY_RES, answer, idempotency_key);
        let mut send = self.reply_body(question, CodecId::JSON, body);
        send.header_mut().msg_type = MsgType::CLARIFY_RES;
        send
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
                    None => RequestError::Send(NotSent::Busy { limit: ANSWERS }.into()),
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
    ///
    /// # Errors
    /// [`SendError::Closed`] if it was over before. That the system took the last bytes does not say that the peer did:
    /// [`Send::acknowledged`] does.
    pub async fn flush(&self) -> Result<(), SendError> {
        loop {
            let room = self.shared().room.notified();
            tokio::pin!(room);
            room.as_mut().enable();
            if let Some(flushed) = self.shared().flushed() {
                return flushed;
            }
            room.await;
        }
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
    pub(super) fn reason(&self) -> CloseReason {
        self.shared().lock().reason.unwrap_or(CloseReason::Local)
    }

    /// Hands a message to the engine; `None` if there is no room.
    pub(super) fn try_submit(
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
            Err(SendError::NotSent(NotSent::Busy { .. })) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Hands a message to the engine, waiting while there is no room.
    pub(super) async fn submit(
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

    /// Ends when the connection does, and its socket; not a handle that keeps it open.
    pub(super) fn watch(&self) -> impl Future<Output = ()> + use<> {
        let shared = Arc::downgrade(self.shared());
        async move {
            loop {
                let Some(shared) = shared.upgrade() else { return };
                let changed = shared.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if shared.lock().ended {
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
