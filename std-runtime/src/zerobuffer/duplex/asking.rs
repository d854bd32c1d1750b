//! Async calls that wait for a response, and the thread that receives for them while no other does.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use strait_core::platform::{Clock as _, Platform, Signal as _};
use strait_core::time::{Deadline, Instant};

use super::client::{HOLDING, Inner, SLICE};
use super::error::CallError;
use super::inbox::{Arrived, Wanted};
use crate::os::Os;
use crate::waiter::{Thread, Waiter};
use crate::zerobuffer::{OwnedFrame, Reader, RecvError};

/// What a client's async calls share.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    thread: Thread,
    /// Whether the thread shall look again at who waits.
    poked: AtomicBool,
    /// Taken by the one that sends, with the way to wait for room.
    pub(super) sending: tokio::sync::Mutex<Waiter>,
}

/// An async call that waits.
#[derive(Debug)]
struct Ask {
    /// The request's number; whichever response comes next if `None`.
    wanted: Option<u64>,
    until: Deadline,
    waker: Waker,
}

/// Async calls that wait, oldest first. One that is woken is not among them any more: it looks, and comes back.
#[derive(Debug, Default)]
pub(super) struct Asks {
    waiting: BTreeMap<u64, Ask>,
    next: u64,
    /// Whether the thread receives for them, or is about to.
    served: bool,
    /// At what the thread waits; it holds no lock meanwhile.
    at: Option<<Os as Platform>::Signal>,
    /// What went wrong for nobody in particular: the next one that looks tells.
    failed: Option<CallError>,
}

impl Asks {
    fn add(&mut self, ask: Ask) -> u64 {
        self.next = self.next.wrapping_add(1);
        self.waiting.insert(self.next, ask);
        self.next
    }

    fn wake_if(&mut self, mut wakes: impl FnMut(&Ask) -> bool) {
        self.waiting.retain(|_, ask| {
            let woken = wakes(ask);
            if woken {
                ask.waker.wake_by_ref();
            }
            !woken
        });
    }

    /// Something is known about a request.
    pub(super) fn wake_for(&mut self, sequence: u64) {
        self.wake_if(|ask| ask.wanted == Some(sequence));
    }

    /// A response that nobody has asked for by its number.
    pub(super) fn wake_next(&mut self) {
        let mut first = true;
        self.wake_if(|ask| ask.wanted.is_none() && std::mem::take(&mut first));
    }

    pub(super) fn wake_all(&mut self) {
        self.wake_if(|_| true);
    }

    /// When the first of them has waited long enough.
    fn earliest(&self, latest: Instant) -> Instant {
        self.waiting.values().fold(latest, |earliest, ask| ask.until.min(earliest))
    }
}

/// The response to a request, or whichever comes next, as a future. Dropping it loses none.
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub(super) struct Asking {
    inner: Arc<Inner>,
    wanted: Option<u64>,
    until: Deadline,
    /// Its place among those that wait.
    ask: Option<u64>,
}

impl Asking {
    pub(super) fn new(inner: Arc<Inner>, wanted: Option<u64>, until: Deadline) -> Self {
        Self { inner, wanted, until, ask: None }
    }
}

impl Future for Asking {
    type Output = Arrived;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Arrived> {
        let inner = Arc::clone(&self.inner);
        inner.check()?;
        let mut state = inner.inbox.lock();
        if let Some(ask) = self.ask.take() {
            state.asks.waiting.remove(&ask);
        }
        if let Some(arrived) = inner.look(&mut state, self.wanted) {
            return Poll::Ready(arrived);
        }
        if let Some(error) = state.asks.failed.take() {
            return Poll::Ready(Err(error));
        }
        let now = Os.now();
        if self.until.is_over(now) {
            return Poll::Ready(Err(CallError::Timeout { name: Arc::clone(&inner.name) }));
        }
        let (wanted, until, waker) = (self.wanted, self.until, context.waker().clone());
        let latest = now.saturating_add(SLICE);
        let earlier = until.min(latest) < state.asks.earliest(latest);
        let ask = state.asks.add(Ask { wanted, until, waker });
        if state.asks.served {
            self.ask = Some(ask);
            // The thread wakes for the one that was the first to give up.
            let at = state.asks.at.clone().filter(|_| earlier);
            drop(state);
            at.inspect(|at| inner.tasks.poke(at));
            return Poll::Pending;
        }
        let serving = Arc::clone(&inner);
        match inner.tasks.thread.give(move || serving.serve_asks()) {
            Ok(()) => {
                state.asks.served = true;
                self.ask = Some(ask);
                Poll::Pending
            }
            Err(source) => {
                state.asks.waiting.remove(&ask);
                Poll::Ready(Err(CallError::Thread { name: Arc::clone(&inner.name), source }))
            }
        }
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        let Some(ask) = self.ask else { return };
        if self.inner.check().is_err() {
            // A forked child has no thread that would leave.
            return;
        }
        let mut state = self.inner.inbox.lock();
        state.asks.waiting.remove(&ask);
        // The last one sends the thread away, which has the client's buffer in its hands. Told again until it has left: it
        // misses what it is told between its look and its sleep.
        while let Some(at) = state.asks.at.clone().filter(|_| state.asks.waiting.is_empty()) {
            drop(state);
            self.inner.tasks.poke(&at);
            std::thread::yield_now();
            state = self.inner.inbox.lock();
        }
    }
}

impl Tasks {
    /// Lets the thread look who waits, and until when.
    fn poke(&self, at: &<Os as Platform>::Signal) {
        // Release: pairs with the Acquire load in `receive`; it orders nothing else.
        self.poked.store(true, Ordering::Release);
        at.nudge();
    }
}

impl Inner {
    /// Receives for the async calls until none of them waits.
    fn serve_asks(&self) {
        let mut state = self.inbox.lock();
        loop {
            let now = Os.now();
            state.asks.wake_if(|ask| ask.until.is_over(now));
            if state.asks.waiting.is_empty() {
                state.asks.served = false;
                // Another thread may wait to receive.
                self.inbox.tell(&mut state);
                return;
            }
            let until = state.asks.earliest(now.saturating_add(SLICE));
            let Some(mut reader) = state.reader.take() else {
                // A call that blocks its thread receives for everybody.
                state = self.inbox.wait(state, until.saturating_since(now));
                continue;
            };
            // Relaxed: under the lock that whoever pokes has let go of.
            self.tasks.poked.store(false, Ordering::Relaxed);
            state.asks.at = Some(reader.signal());
            drop(state);
            let received = self.receive_until(&mut reader, until);
            state = self.inbox.lock();
            state.asks.at = None;
            state.reader = Some(reader);
            let outcome = match received {
                Err(RecvError::TooManyHeld { .. }) => {
                    // Their drop tells nobody here.
                    self.inbox.tell(&mut state);
                    state = self.inbox.wait(state, HOLDING);
                    continue;
                }
                Ok(frame) => self.sort(&mut state, frame, Wanted::Nothing),
                Err(error) => self.fail(&mut state, error, Wanted::Nothing, Deadline::Never),
            };
            if let Err(error) = outcome
                && state.gone.is_none()
            {
                state.asks.failed = Some(error);
                state.asks.wake_all();
            }
            self.inbox.tell(&mut state);
        }
    }

    fn receive_until(&self, reader: &mut Reader, until: Instant) -> Result<OwnedFrame, RecvError> {
        let empty = |outcome: &Result<_, _>| matches!(outcome, Err(RecvError::Empty));
        let outcome = reader.try_recv_owned();
        if !empty(&outcome) {
            return outcome;
        }
        let signal = reader.prepare_wait();
        let outcome = reader.try_recv_owned();
        if !empty(&outcome) {
            return outcome;
        }
        // Acquire: pairs with the Release store in `poke`.
        let waited = signal.wait_unless(until, &|| self.tasks.poked.load(Ordering::Acquire));
        waited.map_err(|error| reader.system(error))?;
        reader.try_recv_owned()
    }
}
