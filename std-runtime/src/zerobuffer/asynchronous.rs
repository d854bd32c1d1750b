//! Async receive and send on tokio, `Stream` and `Sink`.
//!
//! A wait that lasts runs on the endpoint's own thread (`waiter`), for at most 100 ms at a time. That thread takes no permit
//! and no frame: dropping a future loses nothing.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use futures_core::stream::FusedStream;
use futures_sink::Sink;
use strait_core::platform::{Clock as _, Platform, Signal as _};
use strait_core::time::{Deadline, Instant};

use super::deadline;
use super::error::{RecvError, SendError};
use super::frame::{Frame, FrameMut};
use super::reader::Reader;
use super::writer::Writer;
use crate::os::{Os, OsError};
use crate::waiter::{Failed, Wait, Waiter};

type WriteError = strait_core::zerobuffer::WriteError<OsError>;

/// Longest stay of a waiting thread in the system, after which the other end's life is looked at.
const SLICE: Duration = Duration::from_millis(100);
/// Turns given to other tasks before a thread is asked to wait.
const TURNS: u32 = 16;

/// Until a signal has a permit.
struct AtSignal {
    signal: <Os as Platform>::Signal,
    until: Instant,
}

impl Wait for AtSignal {
    fn wait(&self, is_over: &dyn Fn() -> bool) -> Result<(), OsError> {
        self.signal.wait_unless(self.until, is_over).map(drop)
    }

    fn interrupt(&self) {
        self.signal.nudge();
    }
}

/// Waits outside the async threads until `signal` has a permit, or a slice is over.
pub(super) async fn wait_for(
    waiter: &Waiter,
    signal: <Os as Platform>::Signal,
    until: Deadline,
) -> Result<(), Failed> {
    waiter.wait(AtSignal { signal, until: until.min(Os.now().saturating_add(SLICE)) }).await
}

impl Reader {
    /// [`recv`](Reader::recv) without blocking the thread. Dropping the future loses no frame.
    ///
    /// # Errors
    /// As [`recv`](Reader::recv); [`RecvError::Thread`] if it has to wait and there is no thread for that.
    pub async fn recv_async(&mut self) -> Result<Frame<'_>, RecvError> {
        self.ready(self.timeout).await?;
        self.try_recv()
    }

    /// Returns once a frame is kept for the next receive.
    async fn ready(&mut self, timeout: Duration) -> Result<(), RecvError> {
        let until = deadline(timeout);
        let mut turns = 0;
        loop {
            match self.keep_next() {
                Err(RecvError::Empty) => {}
                outcome => return outcome,
            }
            if turns < TURNS {
                turns += 1;
                tokio::task::yield_now().await;
                continue;
            }
            if until.is_over(Os.now()) {
                return Err(RecvError::Timeout { name: Arc::clone(&self.name) });
            }
            let signal = self.prepare_wait();
            match self.keep_next() {
                Err(RecvError::Empty) => {}
                outcome => return outcome,
            }
            wait_for(&self.waiter, signal, until).await.map_err(|failed| match failed {
                Failed::Thread(source) => RecvError::Thread { name: Arc::clone(&self.name), source },
                Failed::Os(error) => self.system(error),
            })?;
        }
    }

    /// The frames as a [`Stream`] of copies, ended by the writer's close, or by an error after which no frame can come: its
    /// death, a corrupt or truncated buffer, a refusal of the system. A time-out or a gap is an item, and the stream goes on.
    pub fn into_stream(self) -> FrameStream {
        FrameStream { state: StreamState::Idle(Box::new(self)) }
    }
}

/// The reader, unless nothing can come after the item.
type Received = (Option<Box<Reader>>, Option<Result<Bytes, RecvError>>);

enum StreamState {
    Idle(Box<Reader>),
    Receiving(Pin<Box<dyn Future<Output = Received> + Send>>),
    Ended,
}

/// Received frames as a [`Stream`]; see [`Reader::into_stream`].
#[must_use = "streams do nothing unless polled"]
pub struct FrameStream {
    state: StreamState,
}

impl std::fmt::Debug for FrameStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = match self.state {
            StreamState::Idle(_) => "idle",
            StreamState::Receiving(_) => "receiving",
            StreamState::Ended => "ended",
        };
        f.debug_struct("FrameStream").field("state", &state).finish()
    }
}

async fn receive(mut reader: Box<Reader>) -> Received {
    let item = match reader.recv_async().await {
        Ok(frame) => Some(Ok(Bytes::copy_from_slice(&frame))),
        Err(RecvError::EndOfStream) => None,
        Err(error) => Some(Err(error)),
    };
    let goes_on = match &item {
        None => false,
        Some(Ok(_) | Err(RecvError::Timeout { .. } | RecvError::SequenceGap { .. })) => true,
        // It would be said again at each call, without a wait in between.
        Some(Err(_)) => false,
    };
    (goes_on.then_some(reader), item)
}

impl Stream for FrameStream {
    type Item = Result<Bytes, RecvError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match std::mem::replace(&mut self.state, StreamState::Ended) {
                StreamState::Ended => return Poll::Ready(None),
                StreamState::Idle(reader) => self.state = StreamState::Receiving(Box::pin(receive(reader))),
                StreamState::Receiving(mut future) => match future.as_mut().poll(context) {
                    Poll::Pending => {
                        self.state = StreamState::Receiving(future);
                        return Poll::Pending;
                    }
                    Poll::Ready((reader, item)) => {
                        if let Some(reader) = reader {
                            self.state = StreamState::Idle(reader);
                        }
                        return Poll::Ready(item);
                    }
                },
            }
        }
    }
}

impl FusedStream for FrameStream {
    fn is_terminated(&self) -> bool {
        matches!(self.state, StreamState::Ended)
    }
}

impl Writer {
    /// [`reserve`](Writer::reserve) without blocking the thread. Dropping the future changes nothing.
    ///
    /// # Errors
    /// As [`reserve`](Writer::reserve); [`SendError::Thread`] if it has to wait and there is no thread for that.
    pub async fn reserve_async(&mut self, len: usize) -> Result<FrameMut<'_>, SendError> {
        let reserved = self.room(len).await?;
        Ok(FrameMut::new(self, reserved))
    }

    /// [`send`](Writer::send) without blocking the thread. Dropping the future before it is done sends nothing.
    ///
    /// # Errors
    /// As [`send`](Writer::send) and [`reserve_async`](Writer::reserve_async).
    pub async fn send_async(&mut self, data: &[u8]) -> Result<u64, SendError> {
        let mut frame = self.reserve_async(data.len()).await?;
        frame.copy_from_slice(data);
        frame.commit()
    }

    async fn room(&mut self, len: usize) -> Result<strait_core::zerobuffer::Reserved, SendError> {
        let until = deadline(self.timeout);
        let mut turns = 0;
        loop {
            let full = match self.endpoint.try_reserve(len) {
                Err(full @ WriteError::Full { .. }) => full,
                outcome => return outcome.map_err(|error| SendError::new(&self.name, error)),
            };
            if turns < TURNS {
                turns += 1;
                tokio::task::yield_now().await;
                continue;
            }
            if until.is_over(Os.now()) {
                return Err(SendError::new(&self.name, full));
            }
            self.endpoint.prepare_wait();
            match self.endpoint.try_reserve(len) {
                Err(WriteError::Full { .. }) => {}
                outcome => return outcome.map_err(|error| SendError::new(&self.name, error)),
            }
            let signal = self.endpoint.space_free().clone();
            wait_for(&self.waiter, signal, until).await.map_err(|failed| self.not_waited(failed))?;
        }
    }

    pub(super) fn not_waited(&self, failed: Failed) -> SendError {
        match failed {
            Failed::Thread(source) => SendError::Thread { name: Arc::clone(&self.name), source },
            Failed::Os(error) => SendError::new(&self.name, WriteError::System(error)),
        }
    }

    /// The writer as a [`Sink`] of frames. Closing the sink ends the stream; a sink that is dropped without that
    /// [gives up](Writer::abort), as `forward` does with a stream that failed.
    pub fn into_sink(mut self) -> FrameSink {
        self.endpoint.abort_on_drop(true);
        FrameSink { state: SinkState::Idle(Box::new(self)) }
    }
}

type Sent = (Box<Writer>, Result<(), SendError>);

enum SinkState {
    Idle(Box<Writer>),
    Sending(Pin<Box<dyn Future<Output = Sent> + Send>>),
    Closed,
}

/// Frames to send as a [`Sink`]; see [`Writer::into_sink`]. One frame is in flight at a time.
#[must_use = "sinks do nothing unless polled"]
pub struct FrameSink {
    state: SinkState,
}

impl std::fmt::Debug for FrameSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = match self.state {
            SinkState::Idle(_) => "idle",
            SinkState::Sending(_) => "sending",
            SinkState::Closed => "closed",
        };
        f.debug_struct("FrameSink").field("state", &state).finish()
    }
}

impl Sink<Bytes> for FrameSink {
    type Error = SendError;

    fn poll_ready(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.poll_flush(context)
    }

    fn start_send(mut self: Pin<&mut Self>, data: Bytes) -> Result<(), SendError> {
        match std::mem::replace(&mut self.state, SinkState::Closed) {
            SinkState::Idle(mut writer) => {
                let sending = async move {
                    let outcome = writer.send_async(&data).await.map(drop);
                    (writer, outcome)
                };
                self.state = SinkState::Sending(Box::pin(sending));
                Ok(())
            }
            state => {
                self.state = state;
                panic!("start_send must follow a poll_ready that returned Ready");
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        match std::mem::replace(&mut self.state, SinkState::Closed) {
            SinkState::Sending(mut future) => match future.as_mut().poll(context) {
                Poll::Pending => {
                    self.state = SinkState::Sending(future);
                    Poll::Pending
                }
                Poll::Ready((writer, outcome)) => {
                    self.state = SinkState::Idle(writer);
                    Poll::Ready(outcome)
                }
            },
            state => {
                self.state = state;
                Poll::Ready(Ok(()))
            }
        }
    }

    /// Sends what is in flight, then ends the stream.
    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        match self.as_mut().poll_flush(context) {
            Poll::Ready(outcome) => {
                let state = std::mem::replace(&mut self.state, SinkState::Closed);
                if let (SinkState::Idle(writer), Ok(())) = (state, &outcome) {
                    writer.close();
                }
                Poll::Ready(outcome)
            }
            Poll::Pending => Poll::Pending,
        }
    }
}
