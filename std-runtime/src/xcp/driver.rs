//! Moves bytes between a socket and the engine, as one future per connection.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use strait_core::time::Instant;
use tokio::io::{AsyncRead as _, ReadBuf};
use tokio::time::Sleep;

use super::shared::{Shared, State};
use super::transport::Reader;

/// Bytes read at once, where they are not read into a message.
const BUFFER: usize = 64 << 10;
/// How long a peer is listened to that broke the rules, or was cut off, so that it may read why; and how many bytes.
const REST_TIME: Duration = Duration::from_secs(1);
const REST: usize = 4 << 20;
/// Rounds before other tasks have their turn.
const ROUNDS: u32 = 64;
/// Reads of one round: what they bring is answered together.
const READS: u32 = 8;

/// Ends once the connection does and everything was sent that still could be.
pub(super) struct Driver {
    reader: Reader,
    shared: Arc<Shared>,
    buffer: Box<[u8]>,
    /// Bytes of `buffer` that the engine has not taken.
    filled: std::ops::Range<usize>,
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

/// What a round left behind.
struct Round {
    /// Another one may move more.
    again: bool,
    /// The connection is over, and everything is sent.
    over: bool,
    /// When the engine, or somebody who waits, must be looked after.
    due: Option<Instant>,
    now: Instant,
}

impl Driver {
    pub(super) fn new(reader: Reader, shared: Arc<Shared>, write_timeout: Duration) -> Self {
        Self {
            reader,
            shared,
            buffer: vec![0; BUFFER].into(),
            filled: 0..0,
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
        if !state.may_read(cx.waker(), now) {
            return false;
        }
        let taken = state.engine.handle_input(now, &self.buffer[self.filled.clone()]);
        self.filled.start += taken;
        taken > 0
    }

    /// Reads more; whether anything came, its end included.
    fn read(&mut self, cx: &mut Context<'_>, state: &mut State, now: Instant) -> io::Result<bool> {
        if self.eof || !self.filled.is_empty() || state.engine.is_closed() || !state.may_read(cx.waker(), now)
        {
            return Ok(false);
        }
        if let Some(mut direct) = state.engine.direct() {
            let mut buf = ReadBuf::new(direct.room());
            let read = Pin::new(&mut self.reader).poll_read(cx, &mut buf);
            let len = buf.filled().len();
            direct.filled(len);
            state.engine.direct_read(now, direct);
            let Poll::Ready(read) = read else { return Ok(false) };
            read?;
            self.eof = len == 0;
            return Ok(true);
        }
        let mut buf = ReadBuf::new(&mut self.buffer);
        let Poll::Ready(read) = Pin::new(&mut self.reader).poll_read(cx, &mut buf) else { return Ok(false) };
        read?;
        self.filled = 0..buf.filled().len();
        self.eof = self.filled.is_empty();
        Ok(true)
    }

    /// Reads what is there, lets the engine do what follows from it and from the time, and writes.
    fn round(&mut self, cx: &mut Context<'_>) -> io::Result<Round> {
        let shared = self.shared.clone();
        let mut state = shared.lock();
        state.set_driver(cx.waker());
        let now = shared.now();
        // A clock that has rung wakes nobody any more.
        self.sleeps_until = self.sleeps_until.filter(|at| *at > now);
        // Drained: nothing more can be read before somebody wakes this task.
        let (mut moved, mut drained) = (false, false);
        for _ in 0..READS {
            moved |= self.take_in(cx, &mut state, now);
            // Before more is read: what nobody has taken counts.
            state.dispatch(now);
            if !self.read(cx, &mut state, now)? {
                drained = self.filled.is_empty();
                break;
            }
            moved = true;
        }
        if self.eof && self.filled.is_empty() {
            state.handle_eof(now);
        }
        state.handle_timeout(now);
        state.close_if_done();
        state.dispatch(now);
        let refused_much = state.engine.has_refused_much();
        let mut outlet = shared.outlet();
        if state.engine.fill(now, &mut outlet.queue) {
            moved = true;
            state.made_room();
            state.close_if_done();
        }
        state.dispatch(now);
        // What was not read because too many refusals waited can be now.
        drained &= !refused_much || state.engine.has_refused_much();
        let high = outlet.queue.is_high();
        let closed = state.engine.is_closed();
        let due = state.due();
        state.driver_looked(self.sleeps_until, due);
        drop(state);
        let written = outlet.poll_write(cx)?;
        let left = !outlet.queue.is_empty();
        drop(outlet);
        if !left {
            if written > 0 {
                // Whoever waits until everything was written.
                shared.room.notify_waiters();
            }
            self.stalled = None;
        } else if written > 0 || self.stalled.is_none() {
            self.stalled = Some(now);
        }
        // Only what was stopped can go on: input that waited for answers to be sent, and frames for room in the queue.
        let again = (moved || written > 0) && (!drained || (high && !left));
        Ok(Round { again, over: closed && !left, due, now })
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
        let shut = self.shared.outlet().poll_shutdown(cx);
        match shut {
            Poll::Ready(()) if !self.eof => {}
            Poll::Ready(()) => return Poll::Ready(()),
            Poll::Pending => return self.wait_until(cx, ends_at),
        }
        for _ in 0..ROUNDS {
            let mut buf = ReadBuf::new(&mut self.buffer);
            match Pin::new(&mut self.reader).poll_read(cx, &mut buf) {
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
        loop {
            let now = self.shared.now();
            if now >= at {
                return Poll::Ready(());
            }
            if !self.sleep_until(cx, at, now) {
                return Poll::Pending;
            }
        }
    }

    /// Sets the clock for what is due next; whether that is now.
    fn set_timer(&mut self, cx: &mut Context<'_>, round: &Round) -> bool {
        let write = self.stalled.map(|since| since.saturating_add(self.write_timeout));
        let at = [round.due, write].into_iter().flatten().min();
        at.is_some_and(|at| self.sleep_until(cx, at, round.now))
    }

    /// Sets the clock; whether it has rung.
    ///
    /// A clock that is set too early stays so: what is due moves on with every message that comes, and setting it is dear.
    fn sleep_until(&mut self, cx: &mut Context<'_>, at: Instant, now: Instant) -> bool {
        if self.sleeps_until.is_none_or(|until| at < until) {
            self.sleeps_until = Some(at);
            let left = at.saturating_since(now);
            self.sleep.as_mut().reset(tokio::time::Instant::now() + left);
        }
        let over = self.sleep.as_mut().poll(cx).is_ready();
        if over {
            self.sleeps_until = None;
        }
        over
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        for _ in 0..ROUNDS {
            let round = match this.round(cx) {
                Ok(round) => round,
                Err(error) => {
                    tracing::debug!(peer = %this.shared.peer, %error, "connection lost");
                    this.shared.lost();
                    return Poll::Ready(());
                }
            };
            if round.again {
                continue;
            }
            if round.over {
                return this.end(cx);
            }
            if this.stalled.is_some_and(|since| round.now >= since.saturating_add(this.write_timeout)) {
                tracing::debug!(peer = %this.shared.peer, "the peer takes nothing");
                this.shared.lost();
                return Poll::Ready(());
            }
            if !this.set_timer(cx, &round) {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Also if the runtime is shut down: nobody must wait for an answer that cannot come.
        self.shared.outlet().close();
        self.shared.ended();
    }
}
