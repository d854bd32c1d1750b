//! Requests and responses between two processes: a client, and a server that outlives it.
//!
//! ```
//! # fn main() -> strait::Result<()> {
//! use strait::zerobuffer::duplex::Channel;
//!
//! let name = format!("doc-duplex-{}", std::process::id());
//! let server = Channel::new(&name).serve(|request| Ok::<_, String>(request.to_ascii_uppercase()))?;
//! let client = Channel::new(&name).connect()?;        // in another process
//! assert_eq!(&*client.call(b"hello")?, b"HELLO");
//! # drop(server);
//! # Ok(())
//! # }
//! ```
//!
//! A channel is two buffers: `NAME_request`, which the server creates, and `NAME_response`, which the client creates.
//! Either end may be a C++, C# or Python program. A channel has one client at a time; when it is gone, the server serves
//! the next one.
//!
//! # Three kinds of handler
//!
//! | call | the handler | copied per request |
//! |---|---|---|
//! | [`serve`](Channel::serve) | returns the response | the response, once, into the client's buffer |
//! | [`serve_into`](Channel::serve_into) | writes the response into the client's buffer | nothing |
//! | [`serve_mut`](Channel::serve_mut) | changes the request in place, which then is the response | the response, once, into the client's buffer; nothing where both ends [share](Channel::share_payload) and it has at least 4 KiB |
//!
//! [`Client::send_request`] and [`Client::call`] copy the request once, [`Client::reserve_request`] does not. A response
//! is read in place; one of less than 4 KiB is copied once if another thread's wait received it.
//!
//! Space goes back in the order of responses: one that is held keeps back that of all later ones, and at most 1024 can be
//! held. Copy what you keep.
//!
//! # What both ends keep
//!
//! - Each request is answered once, in order, with its own number. A handler that fails or panics answers with a failure:
//!   [`CallError::Failed`] at a Strait client, bytes that begin with `\0strait-error/1\n` at others.
//! - A response has at least 1 byte, because the protocol has no empty frames. An empty one becomes a failure.
//! - Servers of other implementations send nothing for a request that fails, and number what follows as if it had not
//!   been. A client cannot see that. Once such a server has left a [`call`](Client::call) without an answer, further calls
//!   are refused with [`CallError::OutOfStep`].
//! - They also end with their client, or 5 s after their start if none came.
//!
//! # Names in other implementations
//!
//! | C++, C#, Python | here |
//! |---|---|
//! | `IDuplexChannelFactory`, `DuplexChannelFactory` | [`Channel::new`] |
//! | `createImmutableServer`, `CreateImmutableServer`, `create_immutable_server` | [`Channel::serve`], [`Channel::serve_into`] |
//! | `createMutableServer`, `CreateMutableServer`, `create_mutable_server` | [`Channel::serve_mut`] |
//! | `createClient`, `CreateClient`, `create_client` | [`Channel::connect`] |
//! | `BufferConfig(metadata, payload)` | [`Channel::metadata_capacity`], [`Channel::payload_capacity`] |
//! | `IDuplexClient` | [`Client`] |
//! | `sendRequest`, `SendRequest`, `send_request` | [`Client::send_request`] |
//! | `acquireRequestBuffer`, `AcquireRequestBuffer`, `acquire_request_buffer` | [`Client::reserve_request`] |
//! | `commitRequest`, `CommitRequest`, `commit_request` | [`RequestFrame::commit`] |
//! | `receiveResponse`, `ReceiveResponse`, `receive_response` | [`Client::receive_response_timeout`] |
//! | `isServerConnected`, `IsServerConnected`, `is_server_connected` | [`Client::is_server_connected`] |
//! | `DuplexResponse`, the `Frame` of a response | [`Response`] |
//! | `IDuplexServer`, `IImmutableDuplexServer`, `IMutableDuplexServer` | [`Server`] |
//! | `start(handler, ProcessingMode)` | [`Channel::serve`] and its kin; the server runs when they return |
//! | `SINGLE_THREAD`, `SingleThread` | the default |
//! | `THREAD_POOL`, `ThreadPool` | [`Channel::threads`] |
//! | `onInit`, `OnInit`, `on_init` | [`Channel::on_init`] |
//! | `OnError`, `add_error_handler` | [`Channel::on_error`] |
//! | `stop`, `Stop` | [`Server::stop`] |
//! | `isRunning`, `IsRunning`, `is_running` | [`Server::is_running`] |
//! | `allow_payload_sharing`, `request_payload_sharing` (planned there) | [`Channel::share_payload`], at both ends |

#[cfg(feature = "tokio")]
mod asking;
#[cfg(feature = "tokio")]
mod asynchronous;
mod channel;
mod client;
mod error;
mod inbox;
mod outbox;
mod pending;
mod request;
mod response;
mod server;
mod workers;

pub use channel::Channel;
pub use client::{Client, ClientStatistics};
pub use error::{CallError, ConnectError, ServeError};
pub use pending::{Pending, RequestFrame};
pub use request::{Request, RequestMut, Responder};
pub use response::Response;
pub use server::{Server, ServerError, ServerStatistics};
use strait_core::zerobuffer::duplex::{REQUEST_SUFFIX, RESPONSE_SUFFIX};
