//! Responses in the order of their requests, each request answered once, to the client that sent it.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use strait_core::platform::{Clock as _, Pid, Platform};
use strait_core::zerobuffer::duplex::{ERROR, is_reserved, shared};
use strait_core::zerobuffer::{Reserved, Shares};

use super::server::{ErrorCallback, ServerError, ServerStatistics};
use crate::os::Os;
use crate::zerobuffer::{
    BufferInfo, ConnectError, OwnedFrame, SendError, State as BufferState, Writer, WriterBuilder, bury,
    deadline, inspect,
};

/// Between two looks at whether the server shall stop.
const SLICE: Duration = Duration::from_millis(100);
/// Between two looks for the client's buffer.
const LOOK: Duration = Duration::from_millis(2);
/// A shorter response is copied: that costs less than giving its space back.
const MIN_SHARED: usize = 4096;

/// What a handler made of a request.
#[derive(Debug)]
pub(super) enum Answer {
    Bytes(Vec<u8>),
    /// The request's first bytes, changed in place.
    InPlace(OwnedFrame, usize),
    Failed(String),
}

pub(super) struct Outbox {
    /// The buffer of responses, and how it is connected to.
    responses: WriterBuilder,
    /// How long a client may take to create it.
    patience: Duration,
    stop: Arc<AtomicBool>,
    shares: Option<Shares<<Os as Platform>::Segment>>,
    /// Whether requests may be lent to a client that asks for it.
    lends: bool,
    on_error: Option<ErrorCallback>,
    state: Mutex<State>,
    /// Apart from the state, which is locked while room is waited for.
    counts: Mutex<ServerStatistics>,
    /// A response was sent, or a session has ended.
    moved: Condvar,
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("buffer", &self.responses.name()).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct State {
    /// Which client; later answers to an earlier one are dropped.
    session: u64,
    /// Whether it is there, as far as is known.
    open: bool,
    /// Its process, as it says.
    client: Pid,
    /// How many clients had connected when it came.
    clients: u64,
    /// Connected when a client is seen, at the latest with the first response of its session.
    writer: Option<Writer>,
    /// To a buffer whose reader was seen to die while somebody has its name locked: a newcomer, for a moment as a rule.
    unburied: Option<Writer>,
    /// No client's buffer could be reached in this session.
    unreachable: bool,
    /// Number of the request that is answered next.
    next: u64,
    /// Answers that wait for earlier ones.
    ready: BTreeMap<u64, Answer>,
    /// Requests whose bytes the client has as its response.
    lent: Vec<OwnedFrame>,
    /// Threads that wait for their turn.
    waiting: usize,
    /// To be told once the state is not locked any more.
    errors: Vec<ServerError>,
}

impl State {
    /// Lets go of the writer, and removes the buffer of a reader that was seen to die.
    fn part(&mut self) {
        let writer = self.writer.take().or_else(|| self.unburied.take());
        self.unburied = writer.filter(|writer| writer.bury_reader().is_none());
    }
}

/// Which count a response belongs to.
type Kind = fn(&mut ServerStatistics) -> &mut u64;

/// The right to fill the next response.
pub(super) struct Turn<'o> {
    state: MutexGuard<'o, State>,
    reserved: Reserved,
}

impl fmt::Debug for Turn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn").field("reserved", &self.reserved).finish_non_exhaustive()
    }
}

impl Turn<'_> {
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        match &mut self.state.writer {
            Some(writer) => writer.endpoint.bytes_mut(&mut self.reserved),
            None => &mut [],
        }
    }
}

impl Outbox {
    pub(super) fn new(
        responses: WriterBuilder,
        patience: Duration,
        stop: Arc<AtomicBool>,
        shares: Option<Shares<<Os as Platform>::Segment>>,
        lends: bool,
        on_error: Option<ErrorCallback>,
    ) -> Self {
        let state = State {
            session: 0,
            open: false,
            client: Pid(0),
            clients: 0,
            writer: None,
            unburied: None,
            unreachable: false,
            next: 1,
            ready: BTreeMap::new(),
            lent: Vec::new(),
            waiting: 0,
            errors: Vec::new(),
        };
        let (state, counts) = (Mutex::new(state), Mutex::default());
        let moved = Condvar::new();
        Self { responses, patience, stop, shares, lends, on_error, state, counts, moved }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tell(&self, error: &ServerError) {
        tracing::warn!(%error, buffer = self.responses.name(), "duplex server");
        if let Some(callback) = &self.on_error {
            // A panic was printed, and is no reason to end the server.
            let _ = catch_unwind(AssertUnwindSafe(|| callback(error)));
        }
    }

    /// Unlocks the state and tells what went wrong meanwhile: a callback may ask the server for anything.
    fn tell_all(&self, mut state: MutexGuard<'_, State>) {
        let errors = std::mem::take(&mut state.errors);
        drop(state);
        errors.iter().for_each(|error| self.tell(error));
    }

    fn count(&self, change: impl FnOnce(&mut ServerStatistics)) {
        change(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn stops(&self) -> bool {
        // Relaxed: nothing else is read by it.
        self.stop.load(Ordering::Relaxed)
    }

    /// Connects to a client that has come and sent nothing yet; lets go of one that went.
    ///
    /// A Python client counts its server as connected, and silence as a time-out and not as a dead server, only while
    /// somebody writes to its buffer. Source: zerobuffer-ipc 1.3.0, `duplex/client.py` and `reader.py`.
    pub(super) fn look_for_client(&self) {
        self.look(&mut self.lock());
    }

    fn look(&self, state: &mut State) {
        if state.writer.as_mut().is_some_and(|writer| !writer.is_reader_connected()) {
            state.part();
            self.bury();
        } else if state.writer.is_none() && state.unburied.is_some() {
            state.part();
        }
        if state.writer.is_none() {
            // An error is met again, and told, with the first response.
            state.writer = self.responses.clone().connect().ok();
        }
    }

    /// A new client, whose first request is `first`. Returns its session.
    pub(super) fn begin(&self, first: u64) -> u64 {
        let mut state = self.lock();
        // Of an earlier one that was not seen to go.
        self.close(&mut state);
        state.open = true;
        state.next = first;
        (state.client, state.clients) = self.writing();
        // Connected anew: a Python client that was seen while it created its buffer has since then replaced the semaphores
        // that an earlier one left. Now it is complete. Source: zerobuffer-ipc 1.3.0, `reader.py`, `platform/linux.py`.
        // A Strait client's are complete before it can be seen, and it would take the moment in between for our end.
        if state.writer.as_ref().is_some_and(|writer| !writer.endpoint.is_strait_reader()) {
            state.writer = None;
        }
        self.look(&mut state);
        self.count(|counts| counts.clients += 1);
        state.session
    }

    /// The process that sends requests, and how many clients have connected.
    fn writing(&self) -> (Pid, u64) {
        self.shares.as_ref().map_or((Pid(0), 0), |shares| (shares.writer(), shares.clients()))
    }

    /// Tells those who wait for their turn. Telling nobody would still be a system call, at each response.
    fn tell_turns(&self, state: &State) {
        if state.waiting > 0 {
            self.moved.notify_all();
        }
    }

    fn close(&self, state: &mut State) {
        if !std::mem::take(&mut state.open) {
            return;
        }
        state.session += 1;
        state.part();
        state.unreachable = false;
        state.ready.clear();
        state.lent.clear();
        if let Some(shares) = &self.shares {
            shares.reset();
        }
        self.tell_turns(state);
    }

    /// The client is gone: nothing is sent to it any more, and its requests' space is returned.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        self.close(&mut state);
        // Of one that has sent nothing.
        state.part();
    }

    /// The server fails: the client learns that it was not asked to stop.
    pub(super) fn abort(&self) {
        if let Some(writer) = self.lock().writer.take() {
            writer.abort();
        }
    }

    /// Removes the buffer of a client that died.
    ///
    /// A Python client that comes next cannot: while we write to the buffer it removes the lock file alone, and nobody of
    /// its kind looks at a buffer without one again. Source: zerobuffer-ipc 1.3.0, `reader.py`.
    pub(super) fn bury(&self) {
        // One that closes has taken its number out, and removes its buffer itself.
        let died =
            |buffer: BufferInfo| buffer.state == BufferState::Dead && buffer.words.reader_pid != Pid(0);
        if inspect(self.responses.name(), 0).is_ok_and(died) {
            // Who fails has met the next client.
            bury(self.responses.name());
        }
    }

    /// Requests whose bytes are with the client.
    pub(super) fn lends(&self) -> bool {
        !self.lock().lent.is_empty()
    }

    /// Whether another client has come while requests are lent to the last one. It waits until they are returned, so that
    /// the end of the last one does not show otherwise.
    pub(super) fn is_replaced(&self) -> bool {
        let state = self.lock();
        let (writer, clients) = self.writing();
        // 0 is a living client's, too, for as long as another one was refused.
        let replaced = clients != state.clients || (writer != state.client && writer != Pid(0));
        replaced && !state.lent.is_empty()
    }

    /// Takes requests back that the client has finished with: their space is returned.
    pub(super) fn sweep(&self) {
        if let Some(shares) = &self.shares {
            self.lock().lent.retain(|frame| !shares.is_back(frame.sequence()));
        }
    }

    pub(super) fn statistics(&self) -> ServerStatistics {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the answer to a request; sends it, and those that waited for it, once all before it are sent.
    pub(super) fn answer(&self, session: u64, sequence: u64, answer: Answer) {
        let mut state = self.lock();
        if state.session != session {
            return;
        }
        if state.next == sequence {
            self.send_next(&mut state, answer);
        } else {
            state.ready.insert(sequence, answer);
        }
        self.send_ready(&mut state);
        self.tell_all(state);
    }

    fn send_next(&self, state: &mut State, answer: Answer) {
        let sequence = state.next;
        state.next = sequence.wrapping_add(1);
        self.count(|counts| counts.requests += 1);
        if let Err(error) = self.send(state, sequence, answer) {
            state.errors.push(error);
        }
    }

    fn send_ready(&self, state: &mut State) {
        while let Some(answer) = {
            let next = state.next;
            state.ready.remove(&next)
        } {
            self.send_next(state, answer);
        }
        self.tell_turns(state);
    }

    /// Waits for the turn of a request, and reserves its response.
    pub(super) fn take_turn(&self, session: u64, sequence: u64, len: usize) -> Result<Turn<'_>, String> {
        let mut state = self.lock();
        // Ends when the server stops, too: whatever is being handled is answered before.
        while state.session == session && state.next != sequence {
            state.waiting += 1;
            state = self.moved.wait_timeout(state, SLICE).unwrap_or_else(PoisonError::into_inner).0;
            state.waiting -= 1;
        }
        if state.session != session || state.next != sequence {
            return Err("the client is gone".to_owned());
        }
        match self.reserve(&mut state, len) {
            Ok(reserved) => Ok(Turn { state, reserved }),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Sends the response that a handler has filled in place.
    pub(super) fn commit(&self, turn: Turn<'_>) {
        let Turn { mut state, reserved } = turn;
        state.next = state.next.wrapping_add(1);
        self.count(|counts| {
            counts.requests += 1;
            counts.in_place += 1;
        });
        let sent = state.writer.as_mut().map(|writer| writer.commit(reserved));
        if let Some(Err(error)) = sent {
            self.count(|counts| counts.in_place -= 1);
            state.errors.push(ServerError::Send(error));
        }
        self.send_ready(&mut state);
        self.tell_all(state);
    }

    /// The writer to the client's buffer, connected if need be.
    fn writer<'s>(&self, state: &'s mut State) -> Result<&'s mut Writer, ServerError> {
        if state.writer.is_none() {
            if state.unreachable {
                return Err(ServerError::NoClient { buffer: self.responses.name().to_owned() });
            }
            let until = deadline(self.patience);
            let writer = loop {
                match self.responses.clone().connect() {
                    Ok(writer) => break writer,
                    // Of a client that is there, or just comes; what is dead is an earlier one's.
                    Err(error)
                        if self.may_come((state.client, state.clients), &error)
                            && !until.is_over(Os.now())
                            && !self.stops() =>
                    {
                        std::thread::sleep(LOOK);
                    }
                    Err(error) => {
                        // Not tried again for each of its requests.
                        state.unreachable = true;
                        return Err(ServerError::Connect(error));
                    }
                }
            };
            state.writer = Some(writer);
        }
        match &mut state.writer {
            Some(writer) => Ok(writer),
            None => Err(ServerError::NoClient { buffer: self.responses.name().to_owned() }),
        }
    }

    /// Whether the buffer of `client` may be there in a moment.
    fn may_come(&self, client: (Pid, u64), error: &ConnectError) -> bool {
        match error {
            ConnectError::BufferNotFound { .. } | ConnectError::NotReady { .. } => self.writing() == client,
            ConnectError::ReaderDead { pid, .. } => *pid != client.0.0 && self.writing() == client,
            _ => false,
        }
    }

    /// Room for a response, waited for as long as the client lives and the server is not stopped.
    fn reserve(&self, state: &mut State, len: usize) -> Result<Reserved, ServerError> {
        loop {
            let stops = self.stops();
            match self.writer(state)?.reserve_raw(len, SLICE) {
                Err(SendError::BufferFull { .. }) if !stops => {}
                outcome => return outcome.map_err(ServerError::Send),
            }
        }
    }

    /// Sends a response that is counted as `kind`: before it is sent, because a client that has it may ask.
    fn put(&self, state: &mut State, bytes: &[u8], kind: Kind) -> Result<(), ServerError> {
        let mut reserved = self.reserve(state, bytes.len())?;
        let writer = self.writer(state)?;
        writer.endpoint.bytes_mut(&mut reserved).copy_from_slice(bytes);
        self.count(|counts| *kind(counts) += 1);
        let outcome = writer.commit(reserved);
        if outcome.is_err() {
            self.count(|counts| *kind(counts) -= 1);
        }
        outcome.map(drop).map_err(ServerError::Send)
    }

    fn send(&self, state: &mut State, sequence: u64, answer: Answer) -> Result<(), ServerError> {
        let outcome = match answer {
            Answer::Failed(reason) => return self.send_failure(state, sequence, reason),
            Answer::Bytes(bytes) => self.send_bytes(state, &bytes),
            Answer::InPlace(frame, len) => self.send_in_place(state, sequence, frame, len),
        };
        match outcome {
            Ok(()) => Ok(()),
            // The request is answered all the same, or all later ones would be answered wrongly.
            Err(ServerError::Send(
                error @ (SendError::FrameTooLarge { .. } | SendError::EmptyFrame { .. }),
            )) => self.send_failure(state, sequence, error.to_string()),
            Err(ServerError::Reserved) => {
                self.send_failure(state, sequence, ServerError::Reserved.to_string())
            }
            Err(error) => Err(error),
        }
    }

    fn send_bytes(&self, state: &mut State, bytes: &[u8]) -> Result<(), ServerError> {
        if is_reserved(bytes) {
            return Err(ServerError::Reserved);
        }
        self.put(state, bytes, |counts| &mut counts.copied)
    }

    /// The request's bytes as the response: lent where both ends share, else moved once.
    fn send_in_place(
        &self,
        state: &mut State,
        sequence: u64,
        frame: OwnedFrame,
        len: usize,
    ) -> Result<(), ServerError> {
        let shares = self.shares.as_ref().filter(|shares| {
            // The word may be an earlier client's.
            let asked = self.lends && state.client != Pid(0) && shares.client() == state.client;
            asked && len >= MIN_SHARED && frame.is_in_ring() && shares.lend(sequence)
        });
        let Some(shares) = shares else {
            return self.send_bytes(state, frame.get(..len).unwrap_or_default());
        };
        let outcome = self.put(state, &shared(len as u64), |counts| &mut counts.shared);
        if outcome.is_err() {
            shares.give_back(sequence);
        }
        // Ours. If the client's is back already, so is the space.
        if !shares.give_back(sequence) && outcome.is_ok() {
            state.lent.push(frame);
        }
        outcome
    }

    fn send_failure(&self, state: &mut State, sequence: u64, reason: String) -> Result<(), ServerError> {
        let largest = self.writer(state)?.max_frame_len();
        let mut response = ERROR.to_vec();
        response.extend_from_slice(reason.as_bytes());
        let mut len = response.len().min(largest);
        // Not in the middle of a character.
        while len < response.len() && response.get(len).is_some_and(|byte| byte & 0xc0 == 0x80) {
            len -= 1;
        }
        response.truncate(len);
        let outcome = self.put(state, &response, |counts| &mut counts.failed);
        state.errors.push(ServerError::Handler { sequence, reason });
        outcome
    }
}
