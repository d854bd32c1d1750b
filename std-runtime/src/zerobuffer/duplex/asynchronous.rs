//! Calls and handlers on tokio.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, TryLockError};
use std::time::Duration;

use strait_core::platform::{Clock as _, Platform, Signal as _};
use strait_core::time::Instant;

use super::asking::Asking;
use super::channel::Channel;
use super::client::{Client, HOLDING, Inner};
use super::error::{CallError, ServeError};
use super::inbox::Owner;
use super::outbox::Answer;
use super::pending::Pending;
use super::request::Request;
use super::response::Response;
use super::server::{Engine, Server, words};
use super::workers::Workers;
use crate::os::{Os, OsError};
use crate::waiter::{Failed, Thread, Wait};
use crate::zerobuffer::asynchronous::wait_for;
use crate::zerobuffer::{SendError, deadline};

impl Client {
    /// [`call`](Client::call) without blocking the thread. Dropping the future cancels the request, or sends none.
    ///
    /// # Errors
    /// As [`call`](Client::call); [`CallError::Thread`] if it has to wait and there is no thread for that.
    pub async fn call_async(&self, request: &[u8]) -> Result<Response, CallError> {
        let inner = self.inner();
        inner.check_step()?;
        let sequence = inner.send_async(request, Owner::Waiter).await?;
        Pending::new(Arc::clone(inner), sequence).wait_async().await
    }

    /// [`send_request`](Client::send_request) without blocking the thread. Dropping the future before it is done sends
    /// nothing.
    ///
    /// # Errors
    /// As [`send_request`](Client::send_request); [`CallError::Thread`] if it has to wait and there is no thread for that.
    pub async fn send_request_async(&self, request: &[u8]) -> Result<u64, CallError> {
        self.inner().send_async(request, Owner::Anyone).await
    }

    /// [`receive_response`](Client::receive_response) without blocking the thread. Dropping the future loses no response.
    ///
    /// # Errors
    /// As [`receive_response`](Client::receive_response); [`CallError::Thread`] if it has to wait and there is no thread
    /// for that.
    pub async fn receive_response_async(&self) -> Result<Response, CallError> {
        let inner = Arc::clone(self.inner());
        let until = deadline(inner.timeout);
        Asking::new(inner, None, until).await
    }
}

impl Pending {
    /// [`wait`](Pending::wait) without blocking the thread. Dropping the future cancels the request.
    ///
    /// # Errors
    /// As [`wait`](Pending::wait); [`CallError::Thread`] if it has to wait and there is no thread for that.
    pub async fn wait_async(self) -> Result<Response, CallError> {
        let until = deadline(self.inner().timeout);
        let outcome = Asking::new(Arc::clone(self.inner()), Some(self.sequence()), until).await;
        self.settle(outcome)
    }
}

/// Turns given to other tasks before a thread is asked to wait.
const TURNS: u32 = 16;

/// Whether a request is on its way.
enum Tried {
    Sent(u64),
    /// The ring is full: why, and what is posted when space is returned.
    Full(SendError, <Os as Platform>::Signal),
    /// Another call fills a request, or waits for room for one.
    Busy,
}

/// A while, for what nobody tells.
struct Pause(Instant);

impl Wait for Pause {
    fn wait(&self, _is_over: &dyn Fn() -> bool) -> Result<(), OsError> {
        std::thread::sleep(self.0.saturating_since(Os.now()));
        Ok(())
    }

    /// It is short.
    fn interrupt(&self) {}
}

impl Inner {
    /// Sends a copy of `request` once there is room and no other call is at it.
    async fn send_async(&self, request: &[u8], owner: Owner) -> Result<u64, CallError> {
        let until = deadline(self.timeout);
        let waiter = self.tasks.sending.lock().await;
        let (mut turns, mut waited_at) = (0, None);
        loop {
            let tried = self.try_send(request, owner)?;
            if let Tried::Sent(sequence) = tried {
                return Ok(sequence);
            }
            if turns < TURNS {
                turns += 1;
                tokio::task::yield_now().await;
                continue;
            }
            let waited = match tried {
                Tried::Sent(sequence) => return Ok(sequence),
                Tried::Full(full, _) if until.is_over(Os.now()) => return Err(full.into()),
                Tried::Full(_, signal) => {
                    waited_at = Some(signal.clone());
                    wait_for(&waiter, signal, until).await
                }
                Tried::Busy => {
                    // What woke us may have been meant for the call that is at it now, and waits there itself.
                    if let Some(signal) = waited_at.take() {
                        signal.nudge();
                    }
                    waiter.wait(Pause(Os.now().saturating_add(HOLDING))).await
                }
            };
            waited.map_err(|failed| match failed {
                Failed::Thread(source) => CallError::Thread { name: Arc::clone(&self.name), source },
                Failed::Os(error) => CallError::Send(SendError::new(
                    &self.name,
                    strait_core::zerobuffer::WriteError::System(error),
                )),
            })?;
        }
    }

    fn try_send(&self, request: &[u8], owner: Owner) -> Result<Tried, SendError> {
        let mut writer = match self.writer.try_lock() {
            Ok(writer) => writer,
            Err(TryLockError::Poisoned(error)) => error.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(Tried::Busy),
        };
        let reserved = match writer.reserve_raw(request.len(), Duration::ZERO) {
            Err(SendError::BufferFull { .. }) => {
                writer.endpoint.prepare_wait();
                match writer.reserve_raw(request.len(), Duration::ZERO) {
                    Err(full @ SendError::BufferFull { .. }) => {
                        return Ok(Tried::Full(full, writer.endpoint.space_free().clone()));
                    }
                    outcome => outcome?,
                }
            }
            outcome => outcome?,
        };
        let mut frame = self.admit(writer, reserved)?;
        if owner == Owner::Waiter {
            frame.for_waiter();
        }
        frame.copy_from_slice(request);
        Ok(Tried::Sent(frame.commit()?))
    }
}

/// Requests handled at once by async handlers, unless the channel has more threads.
const TASKS: usize = 64;

impl Channel {
    /// Starts a server whose handler is async: up to 64 requests at once (or [`threads`](Channel::threads), if that is
    /// more) run on the tokio runtime of the caller. Responses stay in order.
    ///
    /// # Errors
    /// As [`serve`](Channel::serve).
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn serve_async<E, F>(
        &self,
        handler: impl Fn(Request) -> F + Send + Sync + 'static,
    ) -> Result<Server, ServeError>
    where
        E: fmt::Display + Send + 'static,
        F: Future<Output = Result<Vec<u8>, E>> + Send + 'static,
    {
        let runtime = tokio::runtime::Handle::current();
        let limit = self.threads.max(TASKS);
        let handler = Arc::new(handler);
        Server::start(self, |outbox| {
            let outbox = Arc::clone(outbox);
            let answers = Arc::new(Thread::kept()?);
            let tasks = runtime.clone();
            Ok(Engine::Elsewhere(Workers::elsewhere(limit, move |request, session, busy| {
                let (handler, outbox, sequence) =
                    (Arc::clone(&handler), Arc::clone(&outbox), request.sequence());
                let answers = Arc::clone(&answers);
                let handled =
                    tasks.spawn(async move { handler(request).await.map_err(|error| error.to_string()) });
                tasks.spawn(async move {
                    let answer = match handled.await {
                        Ok(Ok(bytes)) => Answer::Bytes(bytes),
                        Ok(Err(reason)) => Answer::Failed(reason),
                        Err(error) => Answer::Failed(match error.try_into_panic() {
                            Ok(panic) => words(&*panic),
                            Err(error) => error.to_string(),
                        }),
                    };
                    // Sending may wait for room. One thread will do: answers go one after another. It is there already.
                    let _ = answers.give(move || {
                        outbox.answer(session, sequence, answer);
                        drop(busy);
                    });
                });
            })))
        })
    }
}
