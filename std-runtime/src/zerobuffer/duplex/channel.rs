//! A channel's name and options, from which either end is made.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use strait_core::name::{Name, NameError};

use super::RESPONSE_SUFFIX;
use super::client::Client;
use super::error::{ConnectError, ServeError};
use super::request::{Request, RequestMut, Responder};
use super::server::{
    Engine, ErrorCallback, Handle, InitCallback, Server, ServerError, changing, returning, writing,
};
use super::workers::Workers;
use crate::zerobuffer::{DEFAULT_TIMEOUT, Reader, ReaderBuilder};

/// A channel: its name, and options for the end that is made from it.
///
/// ```no_run
/// # fn main() -> strait::Result<()> {
/// use strait::zerobuffer::duplex::Channel;
///
/// let server = Channel::new("image-processing")
///     .payload_capacity(64 << 20)                          // bytes, of requests
///     .threads(4)                                          // responses stay in order
///     .on_init(|metadata| println!("a client: {metadata:?}"))
///     .on_error(|error| eprintln!("{error}"))
///     .serve_mut(|pixels| {                                // in place
///         pixels.iter_mut().for_each(|pixel| *pixel = !*pixel);
///         Ok::<(), String>(())
///     })?;
/// # drop(server);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a channel does nothing until one of its ends is made"]
pub struct Channel {
    pub(super) name: Arc<str>,
    metadata_capacity: u64,
    payload_capacity: u64,
    mode: u32,
    group: Option<u32>,
    trust_others: bool,
    pub(super) timeout: Duration,
    pub(super) patience: Duration,
    pub(super) share_payload: bool,
    pub(super) threads: usize,
    pub(super) most_requests: Option<u64>,
    pub(super) on_init: Option<InitCallback>,
    pub(super) on_error: Option<ErrorCallback>,
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("name", &self.name)
            .field("payload_capacity", &self.payload_capacity)
            .field("threads", &self.threads)
            .field("share_payload", &self.share_payload)
            .finish_non_exhaustive()
    }
}

impl Channel {
    /// The channel `name`: 1 to 236 of `A-Z a-z 0-9 . _ -`, not starting with a dot.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            metadata_capacity: 4096,
            payload_capacity: 256 << 20,
            mode: 0o600,
            group: None,
            trust_others: false,
            timeout: DEFAULT_TIMEOUT,
            patience: Duration::ZERO,
            share_payload: false,
            threads: 1,
            most_requests: None,
            on_init: None,
            on_error: None,
        }
    }

    /// Bytes for metadata in the buffer that this end creates; 4096 by default.
    pub fn metadata_capacity(mut self, bytes: u64) -> Self {
        self.metadata_capacity = bytes;
        self
    }

    /// Bytes of ring in the buffer that this end creates: requests at a server, responses at a client. 256 MiB by
    /// default, reserved at once.
    pub fn payload_capacity(mut self, bytes: u64) -> Self {
        self.payload_capacity = bytes;
        self
    }

    /// Permission bits of what this end creates, as of [`ReaderBuilder::mode`]; 0600 by default.
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    /// Numeric group that shall own what this end creates, as of [`ReaderBuilder::group`]; set [`mode`](Self::mode) to let
    /// it in.
    pub fn group(mut self, group: u32) -> Self {
        self.group = Some(group);
        self
    }

    /// Connects to the other end's buffer also where other users may write it, as
    /// [`WriterBuilder::trust_others`](crate::zerobuffer::WriterBuilder::trust_others); so does a [`mode`](Self::mode) that lets others write what this end creates.
    /// A server does not answer a client whose buffer it refuses: [`on_error`](Self::on_error) is told.
    pub fn trust_others(mut self, trust: bool) -> Self {
        self.trust_others = trust;
        self
    }

    /// A client's waits for space and for responses; how long a server waits for its client's buffer. 5 s by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long [`connect`](Self::connect) waits for a server; not at all by default. It waits as long, but 1 s at least,
    /// for what the last client left there.
    pub fn wait_for_server(mut self, timeout: Duration) -> Self {
        self.patience = timeout;
        self
    }

    /// Lets responses of [`serve_mut`](Self::serve_mut) stand where their requests stand, from 4 KiB on: nothing is
    /// copied. Needs two Strait ends that both ask for it; otherwise, and when 64 responses are held, they are copied.
    /// [`Response::is_shared`](super::Response::is_shared) and the statistics of both ends tell which happened. Off by
    /// default: a response that is held keeps its request's space, and a client that holds many has no room for the next
    /// request.
    pub fn share_payload(mut self, share: bool) -> Self {
        self.share_payload = share;
        self
    }

    /// How many threads of a server handle requests: 1 by default, one request after another. Responses stay in order.
    pub fn threads(mut self, count: usize) -> Self {
        self.threads = count.max(1);
        self
    }

    /// How many requests a server takes, from all its clients: then it answers them and ends. Without end by default.
    pub fn most_requests(mut self, count: u64) -> Self {
        self.most_requests = Some(count);
        self
    }

    /// Called before each client's first request is handled, with the metadata that a client has set.
    pub fn on_init(mut self, callback: impl Fn(Option<&[u8]>) + Send + Sync + 'static) -> Self {
        self.on_init = Some(Arc::new(callback));
        self
    }

    /// Called with each error of a server, which goes on unless the error says otherwise.
    pub fn on_error(mut self, callback: impl Fn(&ServerError) + Send + Sync + 'static) -> Self {
        self.on_error = Some(Arc::new(callback));
        self
    }

    /// Connects a client.
    ///
    /// # Errors
    /// [`ConnectError`]: no server, another client, or the client's buffer cannot be created.
    pub fn connect(&self) -> Result<Client, ConnectError> {
        Client::connect(self)
    }

    /// Starts a server whose handler returns the response. A request stays in shared memory meanwhile.
    ///
    /// # Errors
    /// [`ServeError`]: a running server has the name, or its buffer cannot be created.
    pub fn serve<E: fmt::Display>(
        &self,
        handler: impl Fn(&Request) -> Result<Vec<u8>, E> + Send + Sync + 'static,
    ) -> Result<Server, ServeError> {
        self.start(returning(handler))
    }

    /// Starts a server whose handler writes the response into the client's buffer.
    ///
    /// ```no_run
    /// # fn main() -> strait::Result<()> {
    /// # use strait::zerobuffer::duplex::Channel;
    /// let server = Channel::new("reverse").serve_into(|request, responder| {
    ///     let response = responder.reserve(request.len())?;
    ///     response.iter_mut().zip(request.iter().rev()).for_each(|(to, from)| *to = *from);
    ///     Ok::<(), String>(())
    /// })?;
    /// # drop(server);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`serve`](Self::serve).
    pub fn serve_into<E: fmt::Display>(
        &self,
        handler: impl Fn(&Request, &mut Responder<'_>) -> Result<(), E> + Send + Sync + 'static,
    ) -> Result<Server, ServeError> {
        self.start(writing(handler))
    }

    /// Starts a server whose handler changes the request in place: what it leaves is the response.
    ///
    /// # Errors
    /// As [`serve`](Self::serve).
    pub fn serve_mut<E: fmt::Display>(
        &self,
        handler: impl Fn(&mut RequestMut) -> Result<(), E> + Send + Sync + 'static,
    ) -> Result<Server, ServeError> {
        self.start(changing(handler))
    }

    fn start(&self, handle: Handle) -> Result<Server, ServeError> {
        Server::start(self, |outbox| {
            Ok(if self.threads == 1 {
                Engine::Here(handle)
            } else {
                Engine::Elsewhere(Workers::threads(self.threads, handle, outbox)?)
            })
        })
    }

    /// Whether both buffers can have their names.
    pub(super) fn check_name(&self) -> Result<(), NameError> {
        Name::new(&self.name)?;
        Name::new(&format!("{}{RESPONSE_SUFFIX}", self.name)).map(drop)
    }

    /// Whether others who may write the other end's buffer are trusted.
    pub(super) fn trusts_others(&self) -> bool {
        self.trust_others || self.mode & 0o022 != 0
    }

    pub(super) fn reader_of(&self, buffer: &str) -> ReaderBuilder {
        let mut reader = Reader::builder(buffer).timeout(self.timeout).mode(self.mode);
        if let Some(group) = self.group {
            reader = reader.group(group);
        }
        reader.metadata_capacity(self.metadata_capacity).payload_capacity(self.payload_capacity)
    }
}
