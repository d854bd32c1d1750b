//! Moves bytes between a socket and the engine, as one future per connection.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BufMut as _;
use strait_core::time::Instant;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::engine::WriteQueue;
use super::shared::{Shared, State};

/// Bytes read at once, where they are not read into a message.
const BUFFER: usize = 64 << 10;
/// How long a peer is listened to that broke the rules, or was cut off, so that it may read why; and how many bytes.
const REST_TIME: Duration = Duration::from_secs(1);
const REST: usize = 4 << 20;
/// Rounds before other tasks have their turn.
const ROUNDS: u32 = 64;

/// Ends once the connection does and everything was sent that still could be.
pub(super) struct Driver<S> {
    io: S,
    shared: Arc<Shared>,
    buffer: Box<[u8]>,
    /// Bytes of `buffer` that the engine has not taken.
    filled: std::ops::Range<usize>,
    queue: WriteQueue,
    dirty: bool,
    sleep: Pin<Box<Sleep>>,
    sleeps_until: Option<Instant>,
    /// Since when the peer takes nothing.
    stalled: Option<Instant>,
    /// Until when the peer's end is waited for, once ours was said.
    ends_at: Option<Instant>,
    /// Bytes that are read until then, and thrown away.
    rest: usize,
    eof: bool,
    write_timeout: Duration,
}

impl<S> Driver<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    pub(super) fn new(io: S, shared: Arc<Shared>, write_timeout: Duration) -> Self {
        Self {
            io,
            shared,
            buffer: vec![0; BUFFER].into(),
            filled: 0..0,
            queue: WriteQueue::default(),
            dirty: false,
            sleep: Box::pin(tokio::time::sleep(Duration::ZERO)),
            sleeps_until: None,
            stalled: None,
            ends_at: None,
            rest: REST,
            eof: false,
            write_timeout,
        }
    }

    /// Hands what was read to the engine; whether it took any.
    fn take_in(&mut self, cx: &mut Context<'_>, state: &mut State, now: Instant) -> bool {
        if self.filled.is_empty() || state.engine.is_closed() {
            self.filled = 0..0;
            return false;
        }
        // What was read at once may unpack to much more.
        if !state.may_read(cx.waker()) {
            return false;
        }
        let taken = state.engine.handle_input(now, &self.buffer[self.filled.clone()]);
        self.filled.start += taken;
        taken > 0
    }

    /// Writes what waits; whether the socket took any.
    fn write(&mut self, cx: &mut Context<'_>, now: Instant) -> io::Result<bool> {
        let mut moved = false;
        while !self.queue.is_empty() {
            let mut slices = [IoSlice::new(&[]); super::engine::SLICES];
            let count = self.queue.slices(&mut slices);
            match Pin::new(&mut self.io).poll_write_vectored(cx, &slices[..count]) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(len)) => {
                    self.queue.advance(len);
                    (moved, self.dirty, self.stalled) = (true, true, None);
                }
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => {
                    self.stalled.get_or_insert(now);
                    return Ok(moved);
                }
            }
        }
        if self.dirty && Pin::new(&mut self.io).poll_flush(cx)?.is_ready() {
            self.dirty = false;
        }
        Ok(moved)
    }

    /// Reads more; whether anything came, its end included.
    fn read(&mut self, cx: &mut Context<'_>, state: &mut State, now: Instant) -> io::Result<bool> {
        if self.eof || !self.filled.is_empty() || state.engine.is_closed() || !state.may_read(cx.waker()) {
            return Ok(false);
        }
        if let Some(mut direct) = state.engine.direct() {
            let mut room = (&mut direct.data).limit(direct.room);
            let read = tokio_util::io::poll_read_buf(Pin::new(&mut self.io), cx, &mut room);
            state.engine.direct_read(now, direct);
            let Poll::Ready(len) = read else { return Ok(false) };
            self.eof = len? == 0;
            return Ok(true);
        }
        let mut buf = ReadBuf::new(&mut self.buffer);
        let Poll::Ready(read) = Pin::new(&mut self.io).poll_read(cx, &mut buf) else { return Ok(false) };
        read?;
        self.filled = 0..buf.filled().len();
        self.eof = self.filled.is_empty();
        Ok(true)
    }

    /// One round; whether it moved anything.
    fn round(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        let shared = self.shared.clone();
        let mut moved = false;
        {
            let mut state = shared.lock();
            state.set_driver(cx.waker());
            let now = shared.now();
            moved |= self.take_in(cx, &mut state, now);
            if self.eof && self.filled.is_empty() {
                state.handle_eof(now);
            }
            if state.engine.poll_timeout().is_some_and(|at| at <= now) {
                state.engine.handle_timeout(now);
            }
            state.close_if_done();
            state.dispatch(now);
            let filled = state.engine.fill(now, &mut self.queue);
            if filled {
                state.made_room();
            }
            moved |= filled;
            state.written = self.queue.is_empty();
        }
        moved |= self.write(cx, shared.now())?;
        let mut state = shared.lock();
        if !state.written && self.queue.is_empty() {
            state.written = true;
            state.made_room();
        }
        moved |= self.read(cx, &mut state, shared.now())?;
        Ok(moved)
    }

    /// Says that nothing more comes, and waits for the peer to say it too. A socket that is closed with bytes unread takes
    /// back what the peer has not read. Where everything was sent in order the peer has as long for it as it may take
    /// nothing, and otherwise not long.
    fn end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.stalled = None;
        let in_order = self.shared.lock().ends_in_order();
        let patience = if in_order { self.write_timeout } else { self.write_timeout.min(REST_TIME) };
        let since = self.shared.now();
        let ends_at = *self.ends_at.get_or_insert_with(|| since.saturating_add(patience));
        match Pin::new(&mut self.io).poll_shutdown(cx) {
            Poll::Ready(Ok(())) if !self.eof => {}
            Poll::Ready(_) => return Poll::Ready(()),
            Poll::Pending => return self.wait_until(cx, ends_at),
        }
        for _ in 0..ROUNDS {
            let mut buf = ReadBuf::new(&mut self.buffer);
            match Pin::new(&mut self.io).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() && (in_order || self.rest > 0) => {
                    self.rest = self.rest.saturating_sub(buf.filled().len());
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return self.wait_until(cx, ends_at),
            }
        }
        cx.waker().wake_by_ref();
        self.wait_until(cx, ends_at)
    }

    fn wait_until(&mut self, cx: &mut Context<'_>, at: Instant) -> Poll<()> {
        while self.shared.now() < at {
            if !self.set_timer(cx) {
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    }

    /// Sets the clock for what is due next; whether that is now.
    fn set_timer(&mut self, cx: &mut Context<'_>) -> bool {
        let engine = self.shared.lock().poll_timeout();
        let write = self.stalled.map(|since| since.saturating_add(self.write_timeout));
        let Some(at) = [engine, write, self.ends_at].into_iter().flatten().min() else { return false };
        if self.sleeps_until != Some(at) {
            self.sleeps_until = Some(at);
            let left = at.saturating_since(self.shared.now());
            self.sleep.as_mut().reset(tokio::time::Instant::now() + left);
        }
        let over = self.sleep.as_mut().poll(cx).is_ready();
        if over {
            self.sleeps_until = None;
        }
        over
    }
}

impl<S> Future for Driver<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        for _ in 0..ROUNDS {
            let moved = match this.round(cx) {
                Ok(moved) => moved,
                Err(error) => {
                    tracing::debug!(peer = %this.shared.peer, %error, "connection lost");
                    this.shared.lost();
                    return Poll::Ready(());
                }
            };
            if moved {
                continue;
            }
            let closed = this.shared.lock().engine.is_closed();
            if closed && this.queue.is_empty() {
                return this.end(cx);
            }
            if this.stalled.is_some_and(|since| this.shared.now() >= since.saturating_add(this.write_timeout))
            {
                tracing::debug!(peer = %this.shared.peer, "the peer takes nothing");
                this.shared.lost();
                return Poll::Ready(());
            }
            if !this.set_timer(cx) {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<S> Drop for Driver<S> {
    fn drop(&mut self) {
        // Also if the runtime is shut down: nobody must wait for an answer that cannot come.
        self.shared.ended();
    }
}
