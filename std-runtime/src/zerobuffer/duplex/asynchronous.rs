//! Calls and handlers on tokio.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use super::channel::Channel;
use super::client::Client;
use super::error::{CallError, ServeError};
use super::outbox::Answer;
use super::pending::Pending;
use super::request::Request;
use super::response::Response;
use super::server::{Engine, Server, words};
use super::workers::Workers;

impl Client {
    /// [`call`](Client::call) without blocking the thread: the wait runs on tokio's blocking pool. Dropping the future
    /// cancels the request.
    ///
    /// # Errors
    /// As [`call`](Client::call).
    pub async fn call_async(&self, request: &[u8]) -> Result<Response, CallError> {
        let (client, request) = (self.clone(), request.to_vec());
        let pending = blocking(move || client.request(&request)).await?;
        pending.wait_async().await
    }

    /// [`send_request`](Client::send_request) without blocking the thread. The request is copied twice. Once polled, it is
    /// sent even if the future is dropped.
    ///
    /// # Errors
    /// As [`send_request`](Client::send_request).
    pub async fn send_request_async(&self, request: &[u8]) -> Result<u64, CallError> {
        let (client, request) = (self.clone(), request.to_vec());
        blocking(move || client.send_request(&request).map_err(CallError::from)).await
    }

    /// [`receive_response`](Client::receive_response) without blocking the thread. A response that arrives after the future
    /// was dropped is lost.
    ///
    /// # Errors
    /// As [`receive_response`](Client::receive_response).
    pub async fn receive_response_async(&self) -> Result<Response, CallError> {
        let client = self.clone();
        blocking(move || client.receive_response()).await
    }
}

impl Pending {
    /// [`wait`](Pending::wait) without blocking the thread. Dropping the future cancels the request.
    ///
    /// # Errors
    /// As [`wait`](Pending::wait).
    pub async fn wait_async(self) -> Result<Response, CallError> {
        /// Cancels the request if the future is dropped first.
        struct Guard {
            client: Client,
            sequence: u64,
            done: bool,
        }
        impl Drop for Guard {
            fn drop(&mut self) {
                if !self.done {
                    self.client.cancel(self.sequence);
                }
            }
        }
        let mut guard = Guard { client: self.client(), sequence: self.sequence(), done: false };
        let outcome = blocking(move || self.wait()).await;
        guard.done = true;
        outcome
    }
}

async fn blocking<T, F>(work: F) -> Result<T, CallError>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, CallError> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        // Nothing in there panics; a runtime that shuts down cancels what has not begun.
        Err(error) => Err(CallError::ServerGone { name: "".into(), reason: error.to_string() }),
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
            let tasks = runtime.clone();
            Ok(Engine::Elsewhere(Workers::elsewhere(limit, move |request, session, busy| {
                let (handler, outbox, sequence) =
                    (Arc::clone(&handler), Arc::clone(&outbox), request.sequence());
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
                    // Sending may wait for room.
                    let sent =
                        tokio::task::spawn_blocking(move || outbox.answer(session, sequence, answer)).await;
                    drop((sent, busy));
                });
            })))
        })
    }
}
