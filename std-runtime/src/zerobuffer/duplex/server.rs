//! The server: takes requests, has them handled, and outlives its clients.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, ThreadId};
use std::time::Duration;

use strait_core::maker::Maker;
use strait_core::platform::{Clock as _, Signal as _};
use strait_core::zerobuffer::duplex::is_reserved;

use super::error::ServeError;
use super::outbox::{Answer, Outbox};
use super::request::{Request, RequestMut, Responder};
use super::workers::Workers;
use super::{Channel, REQUEST_SUFFIX, RESPONSE_SUFFIX};
use crate::os::Os;
use crate::zerobuffer::{ConnectError, CreateError, OwnedFrame, Reader, RecvError, SendError, Writer};

/// Between two looks at whether the server shall stop.
const SLICE: Duration = Duration::from_millis(100);
/// A wait that only spins.
const MOMENT: Duration = Duration::from_micros(20);

/// Called with every error of a server, which goes on.
pub(super) type ErrorCallback = Arc<dyn Fn(&ServerError) + Send + Sync>;
/// Called with each client's first request, before it is handled: the channel's metadata.
pub(super) type InitCallback = Arc<dyn Fn(Option<&[u8]>) + Send + Sync>;
/// Handles one request, on whichever thread.
pub(super) type Handle = Arc<dyn Fn(Request, u64, &Outbox) + Send + Sync>;

/// What went wrong at a server, which goes on: see [`Channel::on_error`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// A handler failed, panicked, or answered with what cannot be sent. Its client is told.
    #[error("request {sequence} failed: {reason}")]
    Handler {
        /// The request's number.
        sequence: u64,
        /// The handler's words.
        reason: String,
    },
    /// A handler's response begins with bytes that mark other things.
    #[error("the response begins with \"\\0strait-\", which is reserved")]
    Reserved,
    /// The client's buffer cannot be reached: its requests are handled, and nobody is answered.
    #[error("the client cannot be answered: {0}")]
    Connect(ConnectError),
    /// As [`Connect`](Self::Connect), for every later request of that client.
    #[error("the client cannot be answered: {buffer:?} could not be reached")]
    NoClient {
        /// The client's buffer.
        buffer: String,
    },
    /// A response was not sent: the client is gone, or its buffer is corrupt.
    #[error(transparent)]
    Send(SendError),
    /// Requests are missing between two that came.
    #[error("requests were lost: {0}")]
    Lost(RecvError),
    /// The buffer of requests failed, and the server ended.
    #[error("the server ends: {0}")]
    Recv(RecvError),
}

/// What a server has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerStatistics {
    /// Clients that have sent something.
    pub clients: u64,
    /// Requests answered, failures included.
    pub requests: u64,
    /// Of those, failures.
    pub failed: u64,
    /// Of those, responses copied into the client's buffer.
    pub copied: u64,
    /// Of those, responses that a handler wrote there itself.
    pub in_place: u64,
    /// Of those, responses that are the request's own bytes, lent to the client: nothing was copied.
    pub shared: u64,
}

/// A running server. Dropping it stops it, and removes the channel.
pub struct Server {
    name: Arc<str>,
    stop: Arc<AtomicBool>,
    runs: Arc<AtomicBool>,
    outbox: Arc<Outbox>,
    thread: Mutex<Option<JoinHandle<()>>>,
    maker: Maker,
    /// Those that handle requests, and cannot wait for their own end.
    handling: Vec<ThreadId>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("name", &self.name)
            .field("runs", &self.is_running())
            .finish_non_exhaustive()
    }
}

/// How requests are handled.
pub(super) enum Engine {
    /// On the server's thread, one after another.
    Here(Handle),
    /// On threads or tasks of their own.
    Elsewhere(Workers),
}

impl Server {
    pub(super) fn start(
        channel: &Channel,
        engine: impl FnOnce(&Arc<Outbox>) -> std::io::Result<Engine>,
    ) -> Result<Self, ServeError> {
        let name = Arc::clone(&channel.name);
        let bad_name = |source| CreateError::BadName { name: Arc::clone(&name), source };
        channel.check_name().map_err(bad_name).map_err(ServeError::Requests)?;
        let requests = channel
            .reader_of(&format!("{name}{REQUEST_SUFFIX}"))
            .create_sharing(channel.share_payload)
            .map_err(|error| ServeError::requests(&name, error))?;
        let (stop, runs) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(true)));
        let shares = requests.shares();
        let buffer = format!("{name}{RESPONSE_SUFFIX}");
        let on_error = channel.on_error.clone();
        let (patience, lends) = (channel.timeout, channel.share_payload);
        let responses = Writer::builder(&buffer).trust_others(channel.trusts_others());
        let outbox = Outbox::new(responses, patience, Arc::clone(&stop), shares.clone(), lends, on_error);
        let outbox = Arc::new(outbox);
        let failed = |source| ServeError::Thread { name: Arc::clone(&name), source };
        let engine = engine(&outbox).map_err(failed)?;
        let handling = match &engine {
            Engine::Here(_) => Vec::new(),
            Engine::Elsewhere(workers) => workers.ids(),
        };
        let service = Service {
            requests,
            shares,
            outbox: Arc::clone(&outbox),
            engine,
            stop: Arc::clone(&stop),
            on_init: channel.on_init.clone(),
            session: None,
            left: channel.most_requests,
        };
        let running = Arc::clone(&runs);
        let thread = std::thread::Builder::new().name(format!("duplex-{name}")).spawn(move || {
            service.run();
            // Release: who sees it finds everything removed.
            running.store(false, Ordering::Release);
        });
        let thread = Mutex::new(Some(thread.map_err(failed)?));
        tracing::debug!(channel = &*name, "server started");
        let maker = Maker::this(&Os);
        Ok(Self { name, stop, runs, outbox, thread, maker, handling })
    }

    /// Stops the server: a handler that runs is waited for and its response sent, requests that were not begun are not
    /// answered, and the channel is removed. Takes up to 100 ms longer than the handlers that run.
    ///
    /// A process that was forked from the server's has no part of it: there this does nothing.
    ///
    /// Called by a handler it does not wait. It blocks: call it elsewhere than on the only thread that runs async handlers.
    pub fn stop(&self) {
        if !self.maker.is_here(&Os) {
            return;
        }
        // Relaxed: nothing else is read by it.
        self.stop.store(true, Ordering::Relaxed);
        // A handler cannot wait for itself.
        let this = std::thread::current().id();
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        let own = thread.as_ref().is_some_and(|thread| thread.thread().id() == this);
        if own || self.handling.contains(&this) {
            return;
        }
        if let Some(thread) = thread.take() {
            // It catches panics; one that gets through was printed.
            let _ = thread.join();
        }
    }

    /// Whether it runs: until it is stopped, has answered [as many requests as it takes](Channel::most_requests), or its
    /// buffer fails.
    pub fn is_running(&self) -> bool {
        self.maker.is_here(&Os) && self.runs.load(Ordering::Acquire)
    }

    /// The channel's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it has done so far.
    pub fn statistics(&self) -> ServerStatistics {
        self.outbox.statistics()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !self.maker.is_here(&Os) {
            // Its thread is not in this process: there is nothing to wait for, nor to let go of.
            std::mem::forget(self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take());
        }
        self.stop();
    }
}

/// What the server's thread owns.
struct Service {
    requests: Reader,
    shares: Option<strait_core::zerobuffer::Shares<<Os as strait_core::platform::Platform>::Segment>>,
    outbox: Arc<Outbox>,
    engine: Engine,
    stop: Arc<AtomicBool>,
    on_init: Option<InitCallback>,
    /// The client whose requests come now.
    session: Option<u64>,
    /// How many requests it still takes; no limit if `None`.
    left: Option<u64>,
}

impl Service {
    fn run(mut self) {
        let mut failed = false;
        loop {
            match self.next() {
                Ok(Some(frame)) => self.handle(frame),
                Ok(None) => break,
                Err(error) => {
                    self.outbox.tell(&ServerError::Recv(error));
                    failed = true;
                    break;
                }
            }
        }
        // What is being handled is answered before the buffers go.
        if let Engine::Elsewhere(workers) = self.engine {
            workers.finish();
        }
        if failed {
            self.outbox.abort();
        }
        self.outbox.end();
    }

    /// The next request; `None` once the server shall stop.
    fn next(&mut self) -> Result<Option<OwnedFrame>, RecvError> {
        // Relaxed: nothing else is read by it.
        while !self.stop.load(Ordering::Relaxed) && self.left != Some(0) {
            self.outbox.sweep();
            if self.session.is_none() {
                self.outbox.look_for_client();
            }
            // Requests lent out, and the next client's first one, are told by permits that a plain receive takes for
            // nothing: they are waited for at the signal itself.
            let plain = self.session.is_some() && !self.outbox.lends();
            match self.requests.recv_owned_timeout(if plain { SLICE } else { MOMENT }) {
                Err(error) => self.idle(error)?,
                Ok(frame) => return Ok(Some(frame)),
            }
            if plain {
                continue;
            }
            let signal = self.requests.prepare_wait();
            self.outbox.sweep();
            match self.requests.try_recv_owned() {
                Err(error) => self.idle(error)?,
                Ok(frame) => return Ok(Some(frame)),
            }
            // An error shows again at the next receive.
            let _ = signal.wait(Os.now().saturating_add(SLICE));
        }
        Ok(None)
    }

    /// Why there is no request.
    fn idle(&mut self, error: RecvError) -> Result<(), RecvError> {
        match error {
            RecvError::Empty | RecvError::Timeout { .. } => {
                if self.outbox.is_replaced() {
                    self.session = None;
                    self.outbox.end();
                }
                Ok(())
            }
            RecvError::EndOfStream | RecvError::WriterDead { .. } => {
                if self.session.take().is_some() {
                    tracing::debug!(%error, "client gone");
                    self.outbox.end();
                    self.outbox.bury();
                }
                Ok(())
            }
            // The frame found is the next one; the client has lost its own count.
            RecvError::SequenceGap { .. } => {
                self.outbox.tell(&ServerError::Lost(error));
                Ok(())
            }
            other => Err(other),
        }
    }

    fn handle(&mut self, frame: OwnedFrame) {
        self.left = self.left.map(|left| left.saturating_sub(1));
        let sequence = frame.sequence();
        let session = match self.session {
            // Every client counts from 1.
            Some(session) if sequence != 1 => session,
            _ => {
                let session = self.outbox.begin(sequence);
                self.session = Some(session);
                if let Some(on_init) = &self.on_init {
                    // Metadata that make no sense are none.
                    let metadata = self.requests.metadata().ok().flatten();
                    if catch_unwind(AssertUnwindSafe(|| on_init(metadata.as_deref()))).is_err() {
                        let reason = "on_init panicked".to_owned();
                        self.outbox.tell(&ServerError::Handler { sequence, reason });
                    }
                }
                session
            }
        };
        let request = Request::new(frame, self.shares.clone());
        if request.came_cancelled() {
            let reason = "it was cancelled before it was begun".to_owned();
            return self.outbox.answer(session, sequence, Answer::Failed(reason));
        }
        match &self.engine {
            Engine::Here(handle) => handle(request, session, &self.outbox),
            Engine::Elsewhere(workers) => workers.give(request, session),
        }
    }
}

/// The handler's words for why it failed.
pub(super) fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.map_or_else(|| "the handler panicked".to_owned(), |text| format!("the handler panicked: {text}"))
}

/// A handler that returns its response.
pub(super) fn returning<E: fmt::Display>(
    handler: impl Fn(&Request) -> Result<Vec<u8>, E> + Send + Sync + 'static,
) -> Handle {
    Arc::new(move |request, session, outbox| {
        let sequence = request.sequence();
        let answer = match catch_unwind(AssertUnwindSafe(|| handler(&request))) {
            Ok(Ok(bytes)) => Answer::Bytes(bytes),
            Ok(Err(error)) => Answer::Failed(error.to_string()),
            Err(panic) => Answer::Failed(words(&*panic)),
        };
        // The request's space goes back after its answer: an empty request ring means that all are answered.
        outbox.answer(session, sequence, answer);
    })
}

/// A handler that writes its response into the client's buffer.
pub(super) fn writing<E: fmt::Display>(
    handler: impl Fn(&Request, &mut Responder<'_>) -> Result<(), E> + Send + Sync + 'static,
) -> Handle {
    Arc::new(move |request, session, outbox| {
        let sequence = request.sequence();
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let mut responder = Responder::new(outbox, session, sequence);
            let outcome = handler(&request, &mut responder);
            outcome.map(|()| responder.into_turn())
        }));
        let reason = match outcome {
            Ok(Ok(Some(mut turn))) => {
                if !is_reserved(turn.bytes_mut()) {
                    return outbox.commit(turn);
                }
                ServerError::Reserved.to_string()
            }
            Ok(Ok(None)) => "the handler reserved no response".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(panic) => words(&*panic),
        };
        outbox.answer(session, sequence, Answer::Failed(reason));
    })
}

/// A handler that changes the request in place.
pub(super) fn changing<E: fmt::Display>(
    handler: impl Fn(&mut RequestMut) -> Result<(), E> + Send + Sync + 'static,
) -> Handle {
    Arc::new(move |request, session, outbox| {
        let sequence = request.sequence();
        let mut request = RequestMut::new(request);
        let answer = match catch_unwind(AssertUnwindSafe(|| handler(&mut request))) {
            Ok(Ok(())) => {
                let (frame, len) = request.into_parts();
                Answer::InPlace(frame, len)
            }
            Ok(Err(error)) => Answer::Failed(error.to_string()),
            Err(panic) => Answer::Failed(words(&*panic)),
        };
        outbox.answer(session, sequence, answer);
    })
}
