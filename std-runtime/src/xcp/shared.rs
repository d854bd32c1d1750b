//! What the handles of a connection and its driver share: the engine, and who waits for what.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use strait_core::time::Instant;
use strait_core::xcp::ErrorCode;
use strait_core::xcp::connection::{CloseReason, Side};
use tokio::sync::{Notify, mpsc, oneshot};

use super::engine::{Delivery, Engine, Room};
use super::error::SendError;
use super::message::Message;
use super::options::Options;
use super::outlet::Outlet;
use super::transport::Writer;

/// Longest message that is written by whoever sends it: longer ones are a task of their own.
const DIRECT: usize = 64 << 10;

/// What became of something that was sent.
#[derive(Debug)]
pub(super) enum Outcome {
    Answer(Message),
    Acked,
    Nack {
        code: ErrorCode,
        retry_after: Option<Duration>,
    },
    Unacknowledged,
    /// No answer came in time.
    Late,
}

#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// Locked after the state, where both are.
    outlet: Mutex<Outlet>,
    /// As the engine has them.
    pub(super) options: Arc<Options>,
    epoch: std::time::Instant,
    /// Who the peer is, for the log.
    pub(super) peer: String,
    /// Something was sent: there may be room for more.
    pub(super) room: Notify,
    /// The handshake is over, or the connection is.
    pub(super) changed: Notify,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) engine: Engine,
    driver: Option<Waker>,
    /// Requests that wait for their answers, in their order.
    requests: Vec<Request>,
    /// No request is late before.
    first_deadline: Option<Instant>,
    /// The driver looks again by then, if nobody wakes it.
    driver_due: Option<Instant>,
    /// Nobody has written past the driver since it looked.
    direct: bool,
    /// Messages that wait for an ACK.
    pub(super) acks: HashMap<u64, oneshot::Sender<Outcome>>,
    pub(super) pings: HashMap<u64, (Instant, oneshot::Sender<Duration>)>,
    inbound: Option<mpsc::UnboundedSender<Message>>,
    queued: usize,
    /// Whether somebody takes the messages that the peer starts.
    pub(super) listening: bool,
    pub(super) connected: bool,
    pub(super) reason: Option<CloseReason>,
    /// The peer sent a message.
    had_messages: bool,
    /// The client sends no more: until when the server may still answer.
    half_closed: Option<Instant>,
    /// The last handle is gone: close once everything was sent.
    closing: bool,
    next_request: u64,
    /// The driver and its socket are gone.
    pub(super) ended: bool,
    room_made: bool,
    changed: bool,
    side: Side,
    /// When it was last asked whether more may be read.
    looked: Instant,
}

#[derive(Debug)]
struct Request {
    /// The handle's number.
    request: u64,
    /// The message's; 0 where the dialect gives none.
    msg_id: u64,
    deadline: Instant,
    sender: oneshot::Sender<Outcome>,
}

impl Shared {
    pub(super) fn new(
        engine: Engine,
        writer: Writer,
        side: Side,
        peer: String,
        epoch: std::time::Instant,
    ) -> (Self, mpsc::UnboundedReceiver<Message>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let options = engine.options().clone();
        let state = State {
            engine,
            driver: None,
            requests: Vec::new(),
            first_deadline: None,
            driver_due: None,
            direct: false,
            acks: HashMap::new(),
            pings: HashMap::new(),
            inbound: Some(sender),
            queued: 0,
            listening: side == Side::Server,
            connected: false,
            reason: None,
            had_messages: false,
            half_closed: None,
            closing: false,
            next_request: 0,
            ended: false,
            room_made: false,
            changed: false,
            side,
            looked: Instant::from_nanos(0),
        };
        let shared = Self {
            state: Mutex::new(state),
            outlet: Mutex::new(Outlet::new(writer)),
            options,
            epoch,
            peer,
            room: Notify::new(),
            changed: Notify::new(),
        };
        (shared, receiver)
    }

    pub(super) fn lock(&self) -> Guarded<'_> {
        Guarded { state: Some(self.state.lock().unwrap_or_else(PoisonError::into_inner)), shared: self }
    }

    pub(super) fn outlet(&self) -> MutexGuard<'_, Outlet> {
        self.outlet.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has sent what was handed to the engine.
    ///
    /// A short message goes to the socket from here if nothing else waits: whoever asks and waits for the answer saves a
    /// turn of the scheduler. Once only until the driver has looked, which it does when something comes: further messages
    /// wait for it, and leave together.
    pub(super) fn transmit(&self, mut state: Guarded<'_>) {
        let direct = std::mem::take(&mut state.direct) && state.engine.held() <= DIRECT;
        let outlet = if direct { self.outlet.try_lock().ok() } else { None };
        let Some(mut outlet) = outlet.filter(|outlet| outlet.is_idle()) else { return state.wake() };
        if state.engine.fill(self.now(), &mut outlet.queue) {
            state.made_room();
        }
        let left = outlet.queue.is_high();
        let early = state.due().is_some_and(|due| state.driver_due.is_none_or(|looks| due < looks));
        let closed = state.engine.is_closed();
        drop(state);
        let written = outlet.try_write();
        drop(outlet);
        if written {
            self.room.notify_waiters();
        }
        if left || early || closed || !written {
            self.lock().wake();
        }
    }

    pub(super) fn now(&self) -> Instant {
        Instant::from_nanos(u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// The transport is gone.
    pub(super) fn lost(&self) {
        let mut state = self.lock();
        if !state.engine.is_closed() {
            let now = self.now();
            state.engine.handle_eof(now);
            if !state.engine.is_closed() {
                state.engine.close();
            }
        }
        let now = self.now();
        state.dispatch(now);
    }

    /// Whether the socket has everything, and the peer what it is to acknowledge; `None` as long as that can change.
    pub(super) fn flushed(&self) -> Option<Result<(), SendError>> {
        let state = self.lock();
        if !state.engine.is_closed() {
            return (state.engine.is_flushed() && self.outlet().queue.is_empty()).then_some(Ok(()));
        }
        // Whoever waits is woken once it is told.
        let reason = state.reason?;
        let all = !state.engine.left_unsent() && self.outlet().queue.is_empty();
        Some(if all { Ok(()) } else { Err(SendError::Closed { reason }) })
    }

    /// The driver is gone, and the socket with it.
    pub(super) fn ended(&self) {
        self.lost();
        let mut state = self.lock();
        (state.ended, state.changed) = (true, true);
    }

    /// The last handle is gone, and the messages that nobody took.
    pub(super) fn abandon(&self) {
        let mut state = self.lock();
        (state.closing, state.queued) = (true, 0);
        state.wake();
    }
}

/// The state while it is locked; whoever must learn of a change does once it is unlocked.
#[derive(Debug)]
pub(super) struct Guarded<'s> {
    state: Option<MutexGuard<'s, State>>,
    shared: &'s Shared,
}

impl std::ops::Deref for Guarded<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        self.state.as_ref().expect("taken by drop alone")
    }
}

impl std::ops::DerefMut for Guarded<'_> {
    fn deref_mut(&mut self) -> &mut State {
        self.state.as_mut().expect("taken by drop alone")
    }
}

impl Drop for Guarded<'_> {
    fn drop(&mut self) {
        let room = std::mem::take(&mut self.room_made);
        let changed = std::mem::take(&mut self.changed);
        self.state = None;
        if room {
            self.shared.room.notify_waiters();
        }
        if changed {
            self.shared.changed.notify_waiters();
        }
    }
}

impl State {
    pub(super) fn set_driver(&mut self, waker: &Waker) {
        if !self.driver.as_ref().is_some_and(|driver| driver.will_wake(waker)) {
            self.driver = Some(waker.clone());
        }
    }

    /// Has the driver look again.
    pub(super) fn wake(&self) {
        if let Some(driver) = &self.driver {
            driver.wake_by_ref();
        }
    }

    pub(super) fn made_room(&mut self) {
        self.room_made = true;
    }

    /// Whether there is room for what may come; the driver is woken once there is. Where nobody listens messages of the
    /// peer are refused instead, so that answers come through.
    pub(super) fn may_read(&mut self, driver: &Waker, now: Instant) -> bool {
        let full = self.queued >= self.engine.options().max_queued;
        self.engine.set_busy(full && !self.listening);
        let may = self.engine.may_read(Some(driver)) && !(full && self.listening);
        // What is not read by choice is not the peer's silence.
        let since = std::mem::replace(&mut self.looked, now);
        if !may {
            self.engine.paused(now.saturating_since(since));
        }
        may
    }

    /// A message was taken from the queue.
    pub(super) fn taken(&mut self, len: usize) {
        let limit = self.engine.options().max_queued;
        let was_full = self.queued >= limit;
        self.queued = self.queued.saturating_sub(len);
        if was_full && self.queued < limit {
            self.wake();
        }
    }

    /// Waits for the answer to message `msg_id` until `deadline`; the handle forgets it again.
    pub(super) fn expect(&mut self, msg_id: u64, deadline: Instant) -> (u64, oneshot::Receiver<Outcome>) {
        let (sender, receiver) = oneshot::channel();
        self.next_request += 1;
        let request = self.next_request;
        self.requests.push(Request { request, msg_id, deadline, sender });
        self.first_deadline = Some(self.first_deadline.map_or(deadline, |first| first.min(deadline)));
        (request, receiver)
    }

    pub(super) fn forget(&mut self, request: u64) {
        self.requests.retain(|each| each.request != request);
    }

    /// When the engine or a request must be looked after. Not later, but maybe earlier: requests may be answered by then.
    pub(super) fn due(&self) -> Option<Instant> {
        let half_closed = self.half_closed.filter(|_| !self.engine.is_closed());
        [self.engine.poll_timeout(), self.first_deadline, half_closed].into_iter().flatten().min()
    }

    /// The driver looks again at the earlier of these at the latest.
    pub(super) fn driver_looked(&mut self, sleeps_until: Option<Instant>, due: Option<Instant>) {
        self.driver_due = [sleeps_until, due].into_iter().flatten().min();
        self.direct = true;
    }

    /// Does what is due.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.engine.poll_timeout().is_some_and(|at| at <= now) {
            self.engine.handle_timeout(now);
        }
        if self.first_deadline.is_some_and(|at| at <= now) {
            for late in self.requests.extract_if(.., |request| request.deadline <= now) {
                // Whoever asked may have gone.
                let _ = late.sender.send(Outcome::Late);
            }
            self.first_deadline = self.requests.iter().map(|request| request.deadline).min();
        }
    }

    /// The peer sends no more. A client may still read: whoever answers it learns that nothing more comes, and it is over
    /// once all was answered, or no answer came for as long as a request may take.
    pub(super) fn handle_eof(&mut self, now: Instant) {
        if self.engine.is_closed() {
            return;
        }
        let request_timeout = self.engine.options().request_timeout;
        // Who never sent a message is owed nothing.
        let answered = !self.had_messages || (self.closing && self.engine.is_flushed());
        if self.side == Side::Client || !self.connected || answered {
            self.engine.handle_eof(now);
            return;
        }
        let until = match self.half_closed {
            Some(until) => until,
            None => {
                self.engine.give_up_unfinished();
                self.inbound = None;
                self.requests.clear();
                self.pings.clear();
                *self.half_closed.insert(now.saturating_add(request_timeout))
            }
        };
        if now >= until {
            self.engine.handle_eof(now);
        }
    }

    pub(super) fn close_if_done(&mut self) {
        if self.closing && !self.engine.is_closed() && self.engine.is_flushed() {
            self.engine.close();
        }
    }

    /// Whether it was closed with its last handle, once everything was sent.
    pub(super) fn ends_in_order(&self) -> bool {
        self.closing && self.reason == Some(CloseReason::Local)
    }

    /// Gives what the engine has to those who wait for it.
    pub(super) fn dispatch(&mut self, now: Instant) {
        while let Some(delivery) = self.engine.poll_delivery() {
            match delivery {
                Delivery::Connected => {
                    self.connected = true;
                    self.changed = true;
                }
                Delivery::Message(message) => self.message(message),
                Delivery::Acked { msg_id } => self.settle(msg_id, Outcome::Acked),
                Delivery::Unacknowledged { msg_id } => self.settle(msg_id, Outcome::Unacknowledged),
                Delivery::Nacked { msg_id, code, retry_after } => {
                    self.settle(msg_id, Outcome::Nack { code, retry_after });
                }
                Delivery::Pong { nonce } => {
                    if let Some((since, sender)) = self.pings.remove(&nonce) {
                        // Whoever asked may have gone.
                        let _ = sender.send(now.saturating_since(since));
                    }
                }
                Delivery::Closed(reason) => {
                    self.reason.get_or_insert(reason);
                    self.requests.clear();
                    self.acks.clear();
                    self.pings.clear();
                    self.inbound = None;
                    (self.changed, self.room_made) = (true, true);
                }
            }
        }
    }

    fn settle(&mut self, msg_id: u64, outcome: Outcome) {
        // It is kept no longer: there is room for another.
        self.room_made = true;
        if let Some(sender) = self.acks.remove(&msg_id) {
            let _ = sender.send(outcome);
            return;
        }
        if matches!(outcome, Outcome::Acked) {
            return;
        }
        if let Some(sender) = self.take_request(msg_id) {
            let _ = sender.send(outcome);
        }
    }

    /// Who waits for the answer to a message. A peer of Python's dialect answers in order, and may not say what.
    fn take_request(&mut self, msg_id: u64) -> Option<oneshot::Sender<Outcome>> {
        let strict = self.engine.dialect().is_strict() && self.side == Side::Client;
        let at = match msg_id {
            0 if strict => (!self.requests.is_empty()).then_some(0),
            0 => None,
            id => self.requests.iter().position(|request| request.msg_id == id),
        }?;
        Some(self.requests.remove(at).sender)
    }

    fn message(&mut self, message: Message) {
        self.had_messages = true;
        if let Some(sender) = self.take_request(message.in_reply_to()) {
            // Whoever asked may have gone.
            let _ = sender.send(Outcome::Answer(message));
            return;
        }
        if message.in_reply_to() != 0 {
            tracing::debug!(id = message.in_reply_to(), "an answer that nobody waits for");
            return;
        }
        let len = message.held();
        if let Some(inbound) = &self.inbound
            && inbound.send(message).is_ok()
        {
            self.queued += len;
        }
    }
}

/// Wakes whoever waits to write more of a stream.
#[derive(Debug)]
pub(super) struct StreamRoom(pub(super) Arc<Notify>);

impl Room for StreamRoom {
    fn made(&self) {
        self.0.notify_one();
    }
}
