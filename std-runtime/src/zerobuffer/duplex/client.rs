//! The client: requests from any thread, responses to whoever waits for them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use strait_core::maker::Maker;
use strait_core::platform::{Clock as _, Liveness as _};
use strait_core::time::Deadline;
use strait_core::zerobuffer::Reserved;
use strait_core::zerobuffer::duplex::Answer;

use super::error::{CallError, ConnectError};
use super::inbox::{Arrived, Inbox, Owner, State, Wanted};
use super::pending::{Pending, RequestFrame};
use super::response::{Response, Sharing};
use super::{Channel, REQUEST_SUFFIX, RESPONSE_SUFFIX};
use crate::os::Os;
use crate::zerobuffer::{
    ConnectError as BufferConnectError, CreateError, MetadataError, OwnedFrame, Reader, RecvError, SendError,
    Writer, deadline,
};

/// Between two looks at whether the server lives.
pub(super) const SLICE: Duration = Duration::from_millis(100);
/// Between two tries while every place for responses is held.
pub(super) const HOLDING: Duration = Duration::from_millis(1);
/// How long a server may take to remove what a dead client left; it holds the name meanwhile. On a machine with much else
/// to do a second was too short once.
const CLEARING: Duration = Duration::from_secs(10);
/// How long the server may take at least for what the last client left.
const SETTLING: Duration = Duration::from_secs(1);

/// The client's end of a channel. Every method takes `&self`: share it between threads, or clone it.
///
/// ```
/// # fn main() -> strait::Result<()> {
/// use strait::zerobuffer::duplex::Channel;
///
/// let name = format!("doc-client-{}", std::process::id());
/// let server = Channel::new(&name).serve(|request| Ok::<_, String>(request.to_ascii_uppercase()))?;
///
/// let client = Channel::new(&name).connect()?;
/// assert_eq!(&*client.call(b"hello")?, b"HELLO");
///
/// let sequence = client.send_request(b"one")?;            // or apart, on two threads
/// let response = client.receive_response()?;
/// assert_eq!((response.sequence(), &*response), (sequence, &b"ONE"[..]));
/// # drop(server);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) name: Arc<str>,
    maker: Maker,
    pub(super) timeout: Duration,
    pub(super) strait_server: bool,
    /// Before the writer: who finds its place free finds no response buffer either.
    pub(super) inbox: Inbox,
    pub(super) writer: Arc<Mutex<Writer>>,
    sharing: Option<Arc<Sharing>>,
    /// What async calls need.
    #[cfg(feature = "tokio")]
    pub(super) tasks: super::asking::Tasks,
    /// Set if the server leaves words by which requests are cancelled.
    shares: Option<strait_core::zerobuffer::Shares<<Os as strait_core::platform::Platform>::Segment>>,
}

/// What a client has sent and received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientStatistics {
    /// Requests sent.
    pub requests: u64,
    /// Responses received, failures included.
    pub responses: u64,
    /// Of those, failures of the server's handler.
    pub failed: u64,
    /// Of those, responses that stood in the request's own bytes: nothing was copied.
    pub shared: u64,
    /// Responses that nobody waited for any more.
    pub dropped: u64,
    /// Requests without a response so far.
    pub pending: u64,
}

impl Client {
    pub(super) fn connect(channel: &Channel) -> Result<Self, ConnectError> {
        let name = &channel.name;
        let bad_name = |source| BufferConnectError::BadName { name: Arc::clone(name), source };
        channel.check_name().map_err(bad_name).map_err(ConnectError::Requests)?;
        let requests = Writer::builder(&format!("{name}{REQUEST_SUFFIX}"))
            .timeout(channel.timeout)
            .wait_for_reader(channel.patience)
            .trust_others(channel.trusts_others());
        let mut writer = requests.connect().map_err(|error| ConnectError::requests(name, error))?;
        // Both ends of a channel count from 1.
        writer.endpoint.restart_sequence();
        let shares = writer.endpoint.shares();
        if let Some(shares) = &shares {
            // So that the server lets go of the last client, if that is of our process, too.
            shares.enter();
        }
        settle(name, &writer, channel.patience)?;
        let reader = create(channel)?;
        let shared = shares.as_ref().filter(|shares| channel.share_payload && shares.lends());
        if let Some(shares) = shared {
            shares.set_client(Os.this());
        }
        let (strait_server, lender) = (writer.endpoint.is_strait_reader(), writer.endpoint.lender());
        let writer = Arc::new(Mutex::new(writer));
        let sharing =
            shared.map(|shares| Arc::new(Sharing::new(shares.clone(), lender, Arc::clone(&writer))));
        tracing::debug!(channel = &**name, strait_server, sharing = sharing.is_some(), "client connected");
        let inner = Inner {
            name: Arc::clone(name),
            maker: Maker::this(&Os),
            timeout: channel.timeout,
            strait_server,
            inbox: Inbox::new(reader),
            writer,
            sharing,
            #[cfg(feature = "tokio")]
            tasks: super::asking::Tasks::default(),
            shares,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    #[cfg(feature = "tokio")]
    pub(super) fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }

    /// Sends a copy of `request`, waiting while the ring is full; returns its number. The response comes by
    /// [`receive_response`](Self::receive_response).
    ///
    /// # Errors
    /// [`SendError`], as of [`Writer::send`].
    pub fn send_request(&self, request: &[u8]) -> Result<u64, SendError> {
        let mut frame = self.reserve_request(request.len())?;
        frame.copy_from_slice(request);
        frame.commit()
    }

    /// Reserves `len` bytes for a request, in shared memory. Other threads that send wait until it is committed or dropped.
    ///
    /// # Errors
    /// [`SendError`], as of [`Writer::reserve`].
    pub fn reserve_request(&self, len: usize) -> Result<RequestFrame<'_>, SendError> {
        let inner = &*self.inner;
        inner.check()?;
        let mut writer = inner.writer();
        let timeout = writer.timeout;
        let reserved = writer.reserve_raw(len, timeout)?;
        inner.admit(writer, reserved)
    }

    /// Receives the next response to a request of [`send_request`](Self::send_request), in the order of the requests,
    /// waiting for it.
    ///
    /// # Errors
    /// - [`CallError::Timeout`] after the channel's time-out (5 s by default);
    /// - [`CallError::Failed`] if the server's handler failed;
    /// - [`CallError::ServerGone`] within 100 ms if the server closed or died;
    /// - [`CallError::UnknownSequence`], [`CallError::BadShare`], [`CallError::Recv`].
    pub fn receive_response(&self) -> Result<Response, CallError> {
        self.receive_response_timeout(self.inner.timeout)
    }

    /// [`receive_response`](Self::receive_response) with its own time-out.
    ///
    /// # Errors
    /// As [`receive_response`](Self::receive_response).
    pub fn receive_response_timeout(&self, timeout: Duration) -> Result<Response, CallError> {
        self.inner.receive(None, deadline(timeout))
    }

    /// Sends a copy of `request` and waits for its response. Any number of threads may call at once.
    ///
    /// # Errors
    /// As [`request`](Self::request) and [`Pending::wait`].
    pub fn call(&self, request: &[u8]) -> Result<Response, CallError> {
        self.call_timeout(request, self.inner.timeout)
    }

    /// [`call`](Self::call) with its own time-out for the response.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub fn call_timeout(&self, request: &[u8], timeout: Duration) -> Result<Response, CallError> {
        self.request(request)?.wait_timeout(timeout)
    }

    /// Sends a copy of `request`; its response is waited for, or the request cancelled, by what is returned.
    ///
    /// # Errors
    /// [`CallError::Send`], [`CallError::OutOfStep`], [`CallError::ServerGone`].
    pub fn request(&self, request: &[u8]) -> Result<Pending, CallError> {
        self.inner.check()?;
        self.inner.check_step()?;
        let mut frame = self.reserve_request(request.len())?;
        frame.for_waiter();
        frame.copy_from_slice(request);
        let sequence = frame.commit()?;
        Ok(Pending::new(Arc::clone(&self.inner), sequence))
    }

    /// Gives up the request `sequence`: its response is dropped when it comes, and a Strait server that has not begun with
    /// it does not run its handler. `false` if it is answered already, or was never sent.
    pub fn cancel(&self, sequence: u64) -> bool {
        self.inner.cancel(sequence)
    }

    /// Describes the client: a Strait, C# or Python server hands it to its `on_init` with the first request. Once per
    /// server, whichever client writes.
    ///
    /// # Errors
    /// As [`Writer::set_metadata`].
    pub fn set_metadata(&self, metadata: &[u8]) -> Result<(), MetadataError> {
        self.inner.writer().set_metadata(metadata)
    }

    /// Whether the server is there: open, alive, and not replaced. Does not look while a request is being filled, or
    /// waits for space: then what is known counts.
    pub fn is_server_connected(&self) -> bool {
        if !self.inner.maker.is_here(&Os) {
            return false;
        }
        let gone = self.inner.inbox.lock().gone.is_some();
        !gone && self.inner.server_lives()
    }

    /// Whether responses may stand in the request's own bytes: both ends are Strait's and asked for it.
    pub fn shares_payload(&self) -> bool {
        self.inner.sharing.is_some()
    }

    /// The channel's name.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// What was sent and received so far.
    pub fn statistics(&self) -> ClientStatistics {
        let state = self.inner.inbox.lock();
        ClientStatistics {
            requests: state.counts.requests,
            responses: state.counts.responses,
            failed: state.counts.failed,
            shared: state.counts.shared,
            dropped: state.counts.dropped,
            pending: state.sent.len() as u64,
        }
    }
}

/// Creates the buffer of responses.
fn create(channel: &Channel) -> Result<Reader, ConnectError> {
    let buffer = channel.reader_of(&format!("{}{RESPONSE_SUFFIX}", channel.name));
    let until = deadline(CLEARING);
    loop {
        match buffer.clone().create() {
            Err(CreateError::ReaderAlreadyConnected { .. }) if !until.is_over(Os.now()) => {
                std::thread::sleep(HOLDING);
            }
            outcome => return outcome.map_err(|error| ConnectError::responses(&channel.name, error)),
        }
    }
}

/// Waits until the server has taken everything that the last client left, so that no answer to it can come here.
fn settle(name: &Arc<str>, writer: &Writer, patience: Duration) -> Result<(), ConnectError> {
    let until = deadline(patience.max(SETTLING));
    loop {
        let bytes = writer.statistics().used;
        if bytes == 0 {
            return Ok(());
        }
        if until.is_over(Os.now()) {
            return Err(ConnectError::Unsettled { name: Arc::clone(name), bytes });
        }
        // The server wakes by itself; there is nothing to wait at.
        std::thread::sleep(Duration::from_millis(1));
    }
}

impl Inner {
    /// Refuses a forked child, before it waits for locks whose holders it does not have.
    pub(super) fn check(&self) -> Result<(), SendError> {
        self.maker.check(&Os).map_err(|source| SendError::Forked { name: Arc::clone(&self.name), source })
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the server is there, if nobody uses the writer: who does waits for space, and finds out. The inbox may be
    /// locked.
    fn server_lives(&self) -> bool {
        let mut writer = match self.writer.try_lock() {
            Ok(writer) => writer,
            Err(TryLockError::Poisoned(error)) => error.into_inner(),
            Err(TryLockError::WouldBlock) => return true,
        };
        writer.is_reader_connected()
    }

    fn gone(&self, reason: &str) -> CallError {
        CallError::ServerGone { name: Arc::clone(&self.name), reason: reason.to_owned() }
    }

    /// Whether numbers still tell which response belongs to which request.
    pub(super) fn check_step(&self) -> Result<(), CallError> {
        match self.inbox.lock().out_of_step {
            true => Err(CallError::OutOfStep { name: Arc::clone(&self.name) }),
            false => Ok(()),
        }
    }

    /// A request to be filled, if no response stands where it goes.
    pub(super) fn admit<'c>(
        &'c self,
        writer: MutexGuard<'c, Writer>,
        reserved: Reserved,
    ) -> Result<RequestFrame<'c>, SendError> {
        if let Some(sharing) = &self.sharing {
            let mut state = self.inbox.lock();
            // Nor may a response stand in a request that is written over before it is answered.
            for sent in state.sent.all_mut().filter(|sent| sent.place.overlaps(reserved.place())) {
                sent.is_whole = false;
            }
            // Space that a response still stands in came back: only a server that keeps no rule does that.
            if sharing.is_held(reserved.place()) {
                let (field, found) =
                    ("position of a request over a held response", reserved.place().position());
                return Err(SendError::Corrupt { name: Arc::clone(&self.name), field, found, limit: 0 });
            }
        }
        Ok(RequestFrame::new(self, writer, reserved))
    }

    /// What is known without waiting: the response, or why there will be none.
    pub(super) fn look(&self, state: &mut State, wanted: Option<u64>) -> Option<Arrived> {
        if let Some(arrived) = state.take(wanted) {
            return Some(arrived);
        }
        if let Some(sequence) = wanted
            && state.sent.get(sequence).is_none_or(|sent| sent.owner == Owner::Nobody)
        {
            return Some(Err(CallError::Cancelled { sequence }));
        }
        state.gone.as_ref().map(|reason| Err(self.gone(reason)))
    }

    /// The response to `wanted`, or to whichever request of `send_request` is answered next.
    pub(super) fn receive(&self, wanted: Option<u64>, until: Deadline) -> Result<Response, CallError> {
        self.check()?;
        let mut state = self.inbox.lock();
        loop {
            if let Some(arrived) = self.look(&mut state, wanted) {
                return arrived;
            }
            let now = Os.now();
            let left = until.min(now.saturating_add(SLICE)).saturating_since(now);
            let Some(mut reader) = state.reader.take() else {
                if until.is_over(now) {
                    return Err(CallError::Timeout { name: Arc::clone(&self.name) });
                }
                state = self.inbox.wait(state, left);
                continue;
            };
            drop(state);
            let received = reader.recv_owned_timeout(left);
            state = self.inbox.lock();
            state.reader = Some(reader);
            if matches!(received, Err(RecvError::TooManyHeld { .. })) && !until.is_over(Os.now()) {
                // Other threads hold them. Their drop tells nobody here.
                self.inbox.tell(&mut state);
                state = self.inbox.wait(state, HOLDING);
                continue;
            }
            let caller = wanted.map_or(Wanted::Any, Wanted::Number);
            let outcome = match received {
                Ok(frame) => self.sort(&mut state, frame, caller),
                Err(error) => self.fail(&mut state, error, caller, until),
            };
            // Whoever waits looks for its own response, or receives in our place.
            self.inbox.tell(&mut state);
            match outcome {
                Ok(None) => {}
                Ok(Some(arrived)) => return arrived,
                Err(error) => return Err(error),
            }
        }
    }

    /// Gives a frame to whom it belongs; returns it if that is the caller.
    pub(super) fn sort(
        &self,
        state: &mut State,
        frame: OwnedFrame,
        wanted: Wanted,
    ) -> Result<Option<Arrived>, CallError> {
        let sequence = frame.sequence();
        let Some(sent) = state.sent.remove(sequence) else {
            let sent = state.counts.requests;
            return Err(CallError::UnknownSequence { name: Arc::clone(&self.name), sequence, sent });
        };
        state.counts.responses += 1;
        let limit = if sent.is_whole { sent.place.len() } else { 0 };
        let arrived = match (Answer::parse(&frame, self.sharing.is_some()), &self.sharing) {
            (Answer::Failed(why), _) => {
                state.counts.failed += 1;
                Err(CallError::Failed { sequence, reason: String::from_utf8_lossy(why).into_owned() })
            }
            (Answer::Shared { len }, _) if len > limit => {
                Err(CallError::BadShare { name: Arc::clone(&self.name), sequence, len, limit })
            }
            (Answer::Shared { len }, Some(sharing)) => {
                state.counts.shared += 1;
                Ok(Response::shared(sequence, Arc::clone(sharing), sent.place, len))
            }
            (Answer::Data(_) | Answer::Shared { .. }, _) => Ok(Response::frame(frame)),
        };
        let ours = match wanted {
            Wanted::Number(wanted) => wanted == sequence && sent.owner == Owner::Waiter,
            Wanted::Any => sent.owner == Owner::Anyone && state.unclaimed.is_empty(),
            #[cfg(feature = "tokio")]
            Wanted::Nothing => false,
        };
        if ours {
            return Ok(Some(arrived));
        }
        state.deposit(sequence, sent.owner, arrived);
        Ok(None)
    }

    /// What an error of the response buffer means.
    pub(super) fn fail(
        &self,
        state: &mut State,
        error: RecvError,
        wanted: Wanted,
        until: Deadline,
    ) -> Result<Option<Arrived>, CallError> {
        match error {
            RecvError::Timeout { .. } | RecvError::Empty => {
                // A server that died before its first response shows at the request buffer only.
                if !self.server_lives() {
                    // What it has answered since our last look.
                    if let Some(Ok(frame)) = state.reader.as_mut().map(|reader| reader.try_recv_owned()) {
                        return self.sort(state, frame, wanted);
                    }
                    let reason = "it closed or died, as its request buffer shows";
                    state.gone = Some(reason.to_owned());
                    return Err(self.gone(reason));
                }
                if until.is_over(Os.now()) {
                    return Err(CallError::Timeout { name: Arc::clone(&self.name) });
                }
                Ok(None)
            }
            RecvError::EndOfStream | RecvError::WriterDead { .. } => {
                let reason = error.to_string();
                let gone = self.gone(&reason);
                state.gone = Some(reason);
                Err(gone)
            }
            other => Err(CallError::Recv(other)),
        }
    }

    /// Gives up a request; whoever waits for it is told.
    pub(super) fn cancel(&self, sequence: u64) -> bool {
        if !self.maker.is_here(&Os) {
            return true;
        }
        let mut state = self.inbox.lock();
        let Some(sent) = state.sent.get_mut(sequence).filter(|sent| sent.owner != Owner::Nobody) else {
            return false;
        };
        sent.owner = Owner::Nobody;
        if let Some(shares) = &self.shares {
            shares.cancel(sequence);
        }
        #[cfg(feature = "tokio")]
        state.asks.wake_for(sequence);
        self.inbox.tell(&mut state);
        true
    }
}
