//! Connecting to a server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use strait_core::time::Instant as CoreInstant;
use strait_core::xcp::Dialect;
use strait_core::xcp::connection::{CloseReason, Knobs, Side};
use tracing::Instrument as _;

use super::address::Address;
use super::connection::Connection;
use super::dial;
use super::driver::Driver;
use super::engine::Engine;
use super::error::{BadOption, ConnectError};
use super::options::Options;
use super::shared::Shared;
use super::transport::Transport;

/// Connects to a server with the default [`Options`]: `strait::xcp::connect("tcp://127.0.0.1:9944").await?`.
///
/// # Errors
/// [`ConnectError`].
pub async fn connect(address: &str) -> Result<Connection, ConnectError> {
    Options::new().connect(address).await
}

impl Options {
    /// Connects to a server: `tcp://host:port`, `tls://host:port`, `unix:///path`.
    ///
    /// A host's addresses are tried in turns, the next one after 250 ms at the latest; the first that answers is taken.
    /// Where no dialect was set, the specification's is tried first. If the server closes instead of answering, Python's
    /// is tried on a new connection.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn connect(&self, address: &str) -> Result<Connection, ConnectError> {
        let parsed: Address = address.parse()?;
        if let Some(knobs) = self.knobs {
            return self.connect_as(&parsed, knobs).await;
        }
        match self.connect_as(&parsed, Knobs::AUTO).await {
            Err(ConnectError::Handshake { reason: CloseReason::NotAnswered, .. }) if !self.seals() => {
                tracing::debug!(address, "no answer in the specification's dialect: trying Python's");
                self.connect_as(&parsed, Dialect::PYTHON.into()).await
            }
            outcome => outcome,
        }
    }

    async fn connect_as(&self, address: &Address, knobs: Knobs) -> Result<Connection, ConnectError> {
        let after = self.handshake_timeout;
        // One for all of it: what was tried until then is told.
        let deadline = dial::deadline_of(after);
        let dialled = tokio::time::timeout_at(deadline, self.dial(address, (after, deadline))).await;
        let late = ConnectError::Timeout { address: address.to_string(), after };
        let (transport, exported) = dialled.unwrap_or(Err(late))?;
        let peer = address.to_string();
        establish(self, Side::Client, knobs, transport, exported, peer).await
    }

    async fn dial(
        &self,
        address: &Address,
        time: (Duration, tokio::time::Instant),
    ) -> Result<(Transport, Exported), ConnectError> {
        #[cfg(any(unix, feature = "xcp-tls"))]
        let io = |source| ConnectError::Io { address: address.to_string(), source };
        #[cfg(feature = "xcp-tls")]
        if self.tls_client.is_some() {
            super::tls::check(address)?;
        }
        match address {
            Address::Tcp { host, port } => {
                Ok((Transport::Tcp(dial::dial(address, (host, *port), time).await?), None))
            }
            #[cfg(unix)]
            Address::Unix { path } => {
                super::socket_file::check(path)?;
                let stream = dial_unix(path).await.map_err(io)?;
                Ok((Transport::Unix(stream), None))
            }
            #[cfg(not(unix))]
            Address::Unix { .. } => Err(BadOption::NotHere { what: "Unix sockets" }.into()),
            #[cfg(feature = "xcp-tls")]
            Address::Tls { host, port } => {
                let tls = self.tls_client.as_ref().ok_or(BadOption::TlsNotSet)?;
                let connector = tls.connector()?;
                let name = tls.server_name()?;
                let stream = dial::dial(address, (host, *port), time).await?;
                let stream = connector.connect(name, stream).await.map_err(io)?;
                let exported = super::tls::exporter(stream.get_ref().1)?;
                Ok((Transport::Tls(Box::new(stream.into())), Some(Arc::new(exported))))
            }
            #[cfg(not(feature = "xcp-tls"))]
            Address::Tls { .. } => {
                Err(BadOption::NotHere { what: "TLS sockets without the feature xcp-tls" }.into())
            }
        }
    }
}

/// Connects to a Unix socket, as soon as its backlog has room: no poll tells of that.
#[cfg(unix)]
async fn dial_unix(path: &std::path::Path) -> std::io::Result<tokio::net::UnixStream> {
    const PAUSE: Duration = Duration::from_millis(10);
    loop {
        match tokio::net::UnixStream::connect(path).await {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => tokio::time::sleep(PAUSE).await,
            outcome => return outcome,
        }
    }
}

/// What a TLS connection gave for keys.
pub(super) type Exported = Option<Arc<super::psk::Psk>>;

/// Gives up after `timeout`.
pub(super) async fn within<T>(
    timeout: Duration,
    address: &Address,
    future: impl Future<Output = Result<T, ConnectError>>,
) -> Result<T, ConnectError> {
    match tokio::time::timeout(timeout, future).await {
        Ok(outcome) => outcome,
        Err(_) => Err(ConnectError::Timeout { address: address.to_string(), after: timeout }),
    }
}

/// Shakes hands over an open socket.
pub(super) async fn establish(
    options: &Options,
    side: Side,
    knobs: Knobs,
    transport: Transport,
    exported: Exported,
    peer: String,
) -> Result<Connection, ConnectError> {
    let engine = Engine::new(options, side, knobs, exported, CoreInstant::from_nanos(0))?;
    let (reader, writer) = transport.split();
    let (shared, inbound) = Shared::new(engine, writer, side, peer, Instant::now());
    let shared = Arc::new(shared);
    // Whatever is logged of this connection says whose it is.
    let span = tracing::info_span!("xcp", peer = %shared.peer);
    tokio::spawn(Driver::new(reader, shared.clone(), options.write_timeout).instrument(span));
    // Gives the connection up if this future is dropped.
    let connection = Connection::new(shared.clone(), inbound);
    loop {
        let changed = shared.changed.notified();
        tokio::pin!(changed);
        changed.as_mut().enable();
        {
            let state = shared.lock();
            if state.connected {
                tracing::debug!(peer = %shared.peer, dialect = %state.engine.dialect(), "connected");
                break;
            }
            if let Some(reason) = state.reason {
                return Err(ConnectError::Handshake { address: shared.peer.clone(), reason });
            }
        }
        changed.await;
    }
    Ok(connection)
}
