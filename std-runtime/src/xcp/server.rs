//! Listening for clients.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use strait_core::xcp::ErrorCode;
use strait_core::xcp::connection::{Knobs, Side};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinHandle, JoinSet};
use tracing::Instrument as _;

use super::Ether;
use super::address::Address;
use super::client::{Exported, establish, within};
use super::connection::Connection;
use super::error::{BadOption, ConnectError};
use super::message::Message;
use super::options::Options;
#[cfg(unix)]
use super::socket_file::{self, SocketFile};
use super::transport::Transport;
use super::trouble::{QUIET, Trouble, is_of_one};

/// There are none.
#[cfg(not(unix))]
type SocketFile = std::convert::Infallible;

/// Requests of one connection that are answered at once.
const AT_ONCE: usize = 64;
/// Connections that are ready and nobody has taken.
const READY: usize = 64;

/// Listens with the default [`Options`]: `strait::xcp::listen("tcp://127.0.0.1:9944").await?`.
///
/// # Errors
/// [`ConnectError`].
pub async fn listen(address: &str) -> Result<Server, ConnectError> {
    Options::new().listen(address).await
}

enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(tokio::net::UnixListener),
}

/// Takes connections, each in the dialect of its client. Dropped, it takes no more; connections that it gave out live on.
#[derive(Debug)]
pub struct Server {
    address: Address,
    ready: mpsc::Receiver<Connection>,
    acceptor: JoinHandle<()>,
    /// Removed with the server.
    _socket: Option<SocketFile>,
}

impl Options {
    /// Listens: `tcp://host:port`, `tls://host:port`, `unix:///path`. Port 0 is chosen by the system:
    /// [`Server::address`] has the real one.
    ///
    /// Beside a Unix socket, whose path has 107 bytes at most, stands its lock, `PATH.xcp-lock`. Both go with the server, if
    /// it is dropped by the process that made it. What stands at `PATH` already is left alone, unless it is the socket of a
    /// server that is proved to be dead: its lock is free, and says that it is of this very socket.
    ///
    /// # Errors
    /// [`ConnectError`]; of these [`ConnectError::Io`] with [`AddrInUse`](std::io::ErrorKind::AddrInUse) says what stands at
    /// the path and why it was not replaced.
    pub async fn listen(&self, address: &str) -> Result<Server, ConnectError> {
        let mut address: Address = address.parse()?;
        // What cannot be is said now and not to each client.
        self.config(Side::Server, Knobs::AUTO)?;
        let io = |address: &Address| {
            let address = address.to_string();
            |source| ConnectError::Io { address, source }
        };
        let (listener, socket) = match &mut address {
            Address::Unix { .. } if cfg!(not(unix)) => {
                return Err(BadOption::NotHere { what: "Unix sockets" }.into());
            }
            #[cfg(unix)]
            Address::Unix { path } => {
                socket_file::check(path)?;
                let bound = SocketFile::bind(path, self.socket_mode).and_then(|(listener, file)| {
                    listener.set_nonblocking(true)?;
                    Ok((tokio::net::UnixListener::from_std(listener)?, file))
                });
                let (listener, file) = bound.map_err(io(&address))?;
                (Listener::Unix(listener), Some(file))
            }
            #[cfg(not(unix))]
            Address::Unix { .. } => unreachable!("refused above"),
            Address::Tcp { host, port } | Address::Tls { host, port } => {
                let bound = TcpListener::bind((host.as_str(), *port)).await;
                let bound = bound.and_then(|listener| Ok((listener.local_addr()?.port(), listener)));
                let (real, listener) = bound.map_err(io(&address.clone()))?;
                if let Address::Tcp { port, .. } | Address::Tls { port, .. } = &mut address {
                    *port = real;
                }
                (Listener::Tcp(listener), None)
            }
        };
        let accepting = Accepting::new(self.clone(), &address)?;
        let (sender, ready) = mpsc::channel(READY);
        let acceptor = tokio::spawn(accepting.run(listener, sender));
        Ok(Server { address, ready, acceptor, _socket: socket })
    }
}

/// Everything that takes connections.
struct Accepting {
    options: Arc<Options>,
    permits: Arc<Semaphore>,
    #[cfg(feature = "xcp-tls")]
    tls: Option<tokio_rustls::TlsAcceptor>,
}

impl Accepting {
    fn new(options: Options, address: &Address) -> Result<Self, ConnectError> {
        #[cfg(feature = "xcp-tls")]
        let tls = match (address, &options.tls_server) {
            (Address::Tls { .. }, Some(tls)) => Some(tls.acceptor()?),
            (Address::Tls { .. }, None) => return Err(BadOption::TlsNotSet.into()),
            (_, Some(_)) => {
                super::tls::check(address)?;
                None
            }
            (_, None) => None,
        };
        #[cfg(not(feature = "xcp-tls"))]
        if matches!(address, Address::Tls { .. }) {
            return Err(BadOption::NotHere { what: "TLS sockets without the feature xcp-tls" }.into());
        }
        if options.max_connections == 0 {
            return Err(BadOption::TooSmall { what: "the number of connections", len: 0, limit: 1 }.into());
        }
        Ok(Self {
            permits: Arc::new(Semaphore::new(options.max_connections.min(Semaphore::MAX_PERMITS))),
            options: Arc::new(options),
            #[cfg(feature = "xcp-tls")]
            tls,
        })
    }

    async fn run(self, listener: Listener, ready: mpsc::Sender<Connection>) {
        let accepting = Arc::new(self);
        let mut trouble: Option<Trouble> = None;
        loop {
            let Ok(permit) = accepting.permits.clone().acquire_owned().await else { return };
            let began = Instant::now();
            let accepted = match &trouble {
                None => Some(accept(&listener).await),
                Some(_) => tokio::time::timeout(QUIET, accept(&listener)).await.ok(),
            };
            if !matches!(accepted, Some(Err(_)))
                && let Some((attempts, time)) =
                    trouble.as_mut().and_then(|trouble| trouble.went_well(began, Instant::now()))
            {
                tracing::warn!(attempts, ?time, "connections can be taken again");
                trouble = None;
            }
            let (transport, peer) = match accepted {
                None => continue,
                Some(Ok(accepted)) => accepted,
                Some(Err(error)) if is_of_one(&error) => {
                    tracing::debug!(%error, "a connection was gone before it was taken");
                    continue;
                }
                Some(Err(error)) => {
                    // Most likely there are no descriptors left. Those who are connected are served meanwhile; new ones wait.
                    let trouble = trouble.get_or_insert_with(|| Trouble::new(Instant::now()));
                    if trouble.failed(&error, Instant::now()) {
                        tracing::warn!(%error, "no connections can be taken: tried again until they can");
                    }
                    tokio::time::sleep(trouble.pause()).await;
                    continue;
                }
            };
            let (accepting, ready) = (accepting.clone(), ready.clone());
            tokio::spawn(async move {
                match accepting.shake(transport, peer.clone()).await {
                    Ok(connection) => {
                        let watched = connection.watch();
                        if ready.send(connection).await.is_ok() {
                            watched.await;
                        }
                    }
                    Err(error) => tracing::info!(%peer, %error, "handshake failed"),
                }
                drop(permit);
            });
        }
    }

    async fn shake(&self, transport: Transport, peer: String) -> Result<Connection, ConnectError> {
        let address = Address::Tcp { host: peer.clone(), port: 0 };
        let (transport, exported) =
            within(self.options.handshake_timeout, &address, self.secure(transport, &peer)).await?;
        let knobs = self.options.knobs.unwrap_or(Knobs::AUTO);
        establish(&self.options, Side::Server, knobs, transport, exported, peer).await
    }

    async fn secure(&self, transport: Transport, peer: &str) -> Result<(Transport, Exported), ConnectError> {
        #[cfg(feature = "xcp-tls")]
        let transport = match (&self.tls, transport) {
            (Some(tls), Transport::Tcp(stream)) => {
                let io = |source| ConnectError::Io { address: peer.to_owned(), source };
                let stream = tls.accept(stream).await.map_err(io)?;
                let exported = super::tls::exporter(stream.get_ref().1)?;
                return Ok((Transport::Tls(Box::new(stream.into())), Some(Arc::new(exported))));
            }
            (_, transport) => transport,
        };
        #[cfg(not(feature = "xcp-tls"))]
        let _ = peer;
        Ok((transport, None))
    }
}

async fn accept(listener: &Listener) -> std::io::Result<(Transport, String)> {
    match listener {
        Listener::Tcp(listener) => {
            let (stream, peer) = listener.accept().await?;
            // It fails where the peer is gone, which the handshake finds out.
            let _ = stream.set_nodelay(true);
            Ok((Transport::Tcp(stream), peer.to_string()))
        }
        #[cfg(unix)]
        Listener::Unix(listener) => {
            let (stream, _) = listener.accept().await?;
            let peer = stream.peer_cred().ok().and_then(|peer| peer.pid());
            let peer = peer.map_or_else(|| "unix".to_owned(), |pid| format!("unix:pid {pid}"));
            Ok((Transport::Unix(stream), peer))
        }
    }
}

impl Server {
    /// Where it listens.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The next connection, its handshake done. Cancel safe.
    pub async fn accept(&mut self) -> Option<Connection> {
        self.ready.recv().await
    }

    /// Answers every message with what `handler` makes of it, until this future is dropped; then connections close once
    /// what was taken is answered.
    ///
    /// `Ok(Some(ether))` is the answer, `Ok(None)` is none, `Err(code)` refuses. Messages of one connection are handled
    /// side by side: up to 64, and of long ones no more than [`Options::max_queued`] bytes; those of a peer of Python's
    /// dialect one after another. What cannot be decoded is refused without asking.
    pub async fn serve<H, F>(mut self, handler: H)
    where
        H: Fn(Ether) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Option<Ether>, ErrorCode>> + Send + 'static,
    {
        let handler = Arc::new(handler);
        let mut connections = JoinSet::new();
        while let Some(connection) = self.accept().await {
            connections.spawn(serve_connection(connection, handler.clone()));
            while connections.try_join_next().is_some() {}
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

async fn serve_connection<H, F>(connection: Connection, handler: Arc<H>)
where
    H: Fn(Ether) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Option<Ether>, ErrorCode>> + Send + 'static,
{
    let strict = connection.dialect().is_strict();
    let at_once = if strict { 1 } else { AT_ONCE };
    let bytes = connection.with_state(|state| state.engine.options().max_queued).min(Semaphore::MAX_PERMITS);
    let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).max(1);
    let (places, room) = (Arc::new(Semaphore::new(at_once)), Arc::new(Semaphore::new(bytes as usize)));
    while let Some(message) = connection.recv().await {
        // One message always goes, however long it is; of a stream as much as is held of any message.
        let len = if message.is_stream() { message.limit() } else { message.held() as u64 };
        let len = u32::try_from(len).unwrap_or(u32::MAX).min(bytes);
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let Ok(room) = room.clone().acquire_many_owned(len).await else { return };
        let answer = answer(connection.clone(), message, handler.clone());
        tokio::spawn(async move {
            answer.await;
            drop((place, room));
        });
    }
}

async fn answer<H, F>(connection: Connection, message: Message, handler: Arc<H>)
where
    H: Fn(Ether) -> F,
    F: Future<Output = Result<Option<Ether>, ErrorCode>>,
{
    let key = message.key();
    let message = match message.is_stream() {
        true => match connection.collect(message).await {
            Ok(message) => message,
            Err(error) => {
                tracing::info!(peer = connection.peer(), %error, "a message did not come whole");
                return error.code().map_or((), |code| connection.refuse_key(key, code));
            }
        },
        false => message,
    };
    let ether = match message.ether() {
        Ok(ether) => ether,
        Err(error) => {
            tracing::info!(peer = connection.peer(), %error, "a message cannot be read");
            return connection.refuse(&message, error.code());
        }
    };
    let span = connection.span(&message, &ether);
    let outcome = handler(ether).instrument(span).await;
    match outcome {
        Ok(Some(ether)) => {
            if let Err(error) = connection.reply(&message, &ether).await {
                tracing::info!(peer = connection.peer(), %error, "an answer was not sent");
                connection.refuse(&message, error.code());
            }
        }
        Ok(None) => {}
        Err(code) => connection.refuse(&message, code),
    }
}
