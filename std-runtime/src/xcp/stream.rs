//! Messages that are written and read as they are made: bytes in pieces, held nowhere whole.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use strait_core::time::Instant;
use strait_core::xcp::connection::SendError as NotSent;
use strait_core::xcp::{CodecId, Flags, FrameHeader, MsgType, Tags};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::{Notify, oneshot};

use super::compress::Compressor;
use super::connection::Connection;
use super::engine::{Outgoing, Pull, Room, Submitted};
use super::error::{BodyError, RequestError, SendError};
use super::message::Message;
use super::shared::{Outcome, State, StreamRoom};

/// Bytes that wait in a stream before the writer does.
const HELD: usize = 1 << 20;

/// A message of which the bytes are written as they are made.
///
/// Without [`finish`](Self::finish) the message is given up: the peer drops what it has of it. Messages on other channels
/// go on meanwhile, those of the same channel wait: a stream takes a channel of its own.
#[derive(Debug)]
pub struct BodyWriter {
    connection: Connection,
    handle: u64,
    /// Its own channel, to be used again if it is given up.
    channel: Option<u32>,
    msg_id: u64,
    room: Arc<Notify>,
    compressor: Option<Box<Compressor>>,
    finished: bool,
}

impl Connection {
    /// Sends a message whose bytes are written as they are made: in chunks, held nowhere whole. Not where messages are
    /// sealed: those are sealed whole.
    ///
    /// # Errors
    /// [`SendError`], before anything is sent.
    pub async fn stream(&self, codec: CodecId, tags: &[(&str, &str)]) -> Result<BodyWriter, SendError> {
        let channel = self.stream_channel();
        let header = FrameHeader::new(MsgType::DATA, channel, 0);
        BodyWriter::open(self.clone(), header, (codec, tags), Some(channel), |_, _| {}).await
    }

    /// The same, of a message that has an answer, which may come before the last byte is written.
    ///
    /// # Errors
    /// [`SendError`], before anything is sent.
    pub async fn request_stream(
        &self,
        codec: CodecId,
        tags: &[(&str, &str)],
    ) -> Result<(BodyWriter, Answer), SendError> {
        let channel = self.stream_channel();
        let header = FrameHeader::new(MsgType::DATA, channel, 0);
        let mut answer = None;
        let writer =
            BodyWriter::open(self.clone(), header, (codec, tags), Some(channel), |state, submitted| {
                // Whoever waits for it says how long.
                answer = Some(state.expect(submitted.msg_id, Instant::from_nanos(u64::MAX)));
            });
        let writer = writer.await?;
        let (request, outcome) = answer.expect("registered when it was submitted");
        Ok((writer, Answer { connection: self.clone(), request, outcome }))
    }

    /// Answers a message, on its channel, with bytes that are written as they are made.
    ///
    /// # Errors
    /// [`SendError`], before anything is sent.
    pub async fn reply_stream(
        &self,
        to: &Message,
        codec: CodecId,
        tags: &[(&str, &str)],
    ) -> Result<BodyWriter, SendError> {
        let mut header = FrameHeader::new(MsgType::DATA, to.channel(), 0);
        header.in_reply_to = to.id();
        BodyWriter::open(self.clone(), header, (codec, tags), None, |_, _| {}).await
    }

    fn stream_channel(&self) -> u32 {
        self.with_state(|state| state.engine.stream_channel())
    }
}

/// The answer to a message that is written as it is made.
#[derive(Debug)]
pub struct Answer {
    connection: Connection,
    request: u64,
    outcome: oneshot::Receiver<Outcome>,
}

impl Answer {
    /// Waits for it, at most for `timeout`.
    ///
    /// # Errors
    /// [`RequestError::Nack`], [`RequestError::Timeout`], [`RequestError::Closed`].
    pub async fn wait(mut self, timeout: Duration) -> Result<Message, RequestError> {
        match tokio::time::timeout(timeout, &mut self.outcome).await {
            Ok(Ok(Outcome::Answer(message))) => Ok(message),
            Ok(Ok(Outcome::Nack { code, retry_after })) => Err(RequestError::Nack { code, retry_after }),
            Ok(Ok(Outcome::Acked | Outcome::Unacknowledged)) => {
                Err(RequestError::Send(SendError::Unacknowledged))
            }
            Ok(Err(_)) => Err(RequestError::Closed { reason: self.connection.reason() }),
            Ok(Ok(Outcome::Late)) | Err(_) => Err(RequestError::Timeout { after: timeout }),
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.connection.with_state(|state| state.forget(self.request));
    }
}

impl BodyWriter {
    async fn open(
        connection: Connection,
        mut header: FrameHeader,
        (codec, tags): (CodecId, &[(&str, &str)]),
        channel: Option<u32>,
        registered: impl FnMut(&mut State, Submitted),
    ) -> Result<Self, SendError> {
        let level = connection.with_state(|state| {
            let packs = state.engine.agreed().is_some_and(|agreed| agreed.features.contains(Flags::COMP));
            state.engine.options().compress.filter(|_| packs)
        });
        header.codec = codec;
        for (key, value) in tags {
            if *key == Tags::ACK {
                return Err(SendError::Stream { cannot: "ask for an ACK: its bytes are not kept" });
            }
            header.tags.push(key, value)?;
        }
        let room = Arc::new(Notify::new());
        let compressor = match level {
            None => None,
            Some(level) => {
                let mut compressor = Box::new(Compressor::new());
                compressor.begin(level, None).map_err(SendError::from)?;
                Some(compressor)
            }
        };
        let waker: Arc<dyn Room> = Arc::new(StreamRoom(room.clone()));
        let packed = compressor.is_some();
        // No body: its bytes follow.
        let outgoing = Outgoing { body: None, compressed: packed, room: Some(waker) };
        let submitted = connection.submit(&mut header, outgoing, registered).await?;
        Ok(Self {
            connection,
            handle: submitted.handle,
            channel,
            msg_id: submitted.msg_id,
            room,
            compressor,
            finished: false,
        })
    }

    /// The number that the message has for the peer.
    pub fn id(&self) -> u64 {
        self.msg_id
    }

    /// Appends bytes, waiting while too many wait to be sent.
    ///
    /// Cancel safe: nothing was appended if it did not return.
    ///
    /// # Errors
    /// [`SendError::Closed`]; [`SendError::Refused`] by the peer; [`SendError::Compress`]; [`SendError::NotSent`] if the peer
    /// takes no chunks and they are too many for one frame.
    pub async fn write(&mut self, bytes: impl Into<Bytes>) -> Result<(), SendError> {
        let bytes = bytes.into();
        self.wait_for_room().await;
        let bytes = match &mut self.compressor {
            None => bytes,
            Some(compressor) => {
                let mut packed = Vec::new();
                compressor.write(&bytes, &mut packed).map_err(SendError::from)?;
                packed.into()
            }
        };
        self.push(bytes, false)
    }

    /// The message is complete. Its number for the peer.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub async fn finish(mut self) -> Result<u64, SendError> {
        let mut rest = Vec::new();
        if let Some(compressor) = &mut self.compressor {
            compressor.finish(&mut rest).map_err(SendError::from)?;
        }
        self.push(rest.into(), true)?;
        self.finished = true;
        Ok(self.msg_id)
    }

    async fn wait_for_room(&self) {
        loop {
            let held = self.connection.with_state(|state| state.engine.unsent(self.handle));
            if held.is_none_or(|held| held < HELD) {
                return;
            }
            self.room.notified().await;
        }
    }

    fn push(&mut self, bytes: Bytes, ended: bool) -> Result<(), SendError> {
        if bytes.is_empty() && !ended {
            return Ok(());
        }
        self.connection.with_state(|state| {
            if let Some(reason) = state.reason {
                return Err(SendError::Closed { reason });
            }
            let pushed = state.engine.push(self.handle, bytes, ended).map_err(|error| match error {
                // It was forgotten: the peer refused it.
                NotSent::Unknown { .. } => SendError::Refused,
                other => other.into(),
            });
            state.wake();
            pushed
        })
    }
}

impl Drop for BodyWriter {
    fn drop(&mut self) {
        if !self.finished {
            self.connection.with_state(|state| {
                state.engine.abandon(self.handle, self.channel);
                // Others may wait for the room that its bytes had.
                state.made_room();
                state.wake();
            });
        }
    }
}

impl Message {
    /// The next bytes of the body, in order; `None` at its end. Of a body that came whole, all of it at once.
    ///
    /// # Errors
    /// [`BodyError`]: it will not be complete, and what came of it is worth nothing.
    pub async fn next_chunk(&mut self) -> Result<Option<Bytes>, BodyError> {
        poll_fn(|cx| self.poll_chunk(cx)).await
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BodyError>> {
        let Some((pipe, mut unpack)) = self.streamed() else {
            return Poll::Ready(Ok(self.take_body().filter(|bytes| !bytes.is_empty())));
        };
        loop {
            if let Some(unpack) = &mut unpack
                && let Some(bytes) = unpack.next()?
            {
                return Poll::Ready(Ok(Some(bytes)));
            }
            return Poll::Ready(match pipe.pull(Some(cx.waker())) {
                Pull::Bytes(packed) => match &mut unpack {
                    Some(unpack) => {
                        unpack.push(packed);
                        continue;
                    }
                    None => Ok(Some(packed)),
                },
                Pull::Empty => return Poll::Pending,
                Pull::End => match unpack {
                    Some(unpack) => unpack.finish().map(|()| None).map_err(BodyError::from),
                    None => Ok(None),
                },
                Pull::Failed(Some(code)) => Err(BodyError::Refused { code }),
                Pull::Failed(None) => Err(BodyError::Closed),
            });
        }
    }

    /// The body as something to read from.
    pub fn into_reader(self) -> BodyReader {
        BodyReader { message: self, bytes: Bytes::new() }
    }
}

/// The body of a message, read in order.
#[derive(Debug)]
pub struct BodyReader {
    message: Message,
    bytes: Bytes,
}

impl AsyncRead for BodyReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.bytes.is_empty() {
            self.bytes = ready!(self.message.poll_chunk(cx)).map_err(io::Error::from)?.unwrap_or_default();
        }
        let len = self.bytes.len().min(buf.remaining());
        buf.put_slice(&self.bytes.split_to(len));
        Poll::Ready(Ok(()))
    }
}
