//! How are both ends of a connection made sure of each other, by certificates? TLS 1.3, with rustls.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use strait::xcp::tls::{self, Pem, TlsClient, TlsServer};
//!
//! let server = TlsServer::new(Pem::file("server.crt"), Pem::file("server.key"))
//!     .client_ca(Pem::file("clients-ca.crt")) // only clients that this authority knows
//!     .config()?;
//! let stream = std::net::TcpListener::bind("[::]:9944")?.accept()?.0;
//! let stream = tls::accept(server, stream)?;
//! # Ok(())
//! # }
//! ```
//!
//! | choice | because |
//! |---|---|
//! | TLS 1.3 alone | both ends are new; its exporter and its tickets are sound without extensions |
//! | authorities are always given | peers are machines of one owner, and not of the web; on Linux, those of the web are in a PEM file as well |
//! | nothing is sent before the handshake is over | early data can be sent again by others |
//!
//! Source: XCP v0.2 specification, section 9, which asks for TLS with certificates at both ends.

mod error;
mod pem;

use std::io::{Read, Write};
use std::ops::DerefMut;
use std::sync::Arc;

pub use error::TlsError;
pub use pem::Pem;
/// The library whose types are in this API.
pub use rustls;
use rustls::pki_types::ServerName;
use rustls::server::WebPkiClientVerifier;
use rustls::{
    ClientConfig, ClientConnection, ConnectionCommon, ServerConfig, ServerConnection, SideData, StreamOwned,
};

use super::address::Address;
use super::error::BadOption;
use super::psk::{Psk, SECRET_LEN};

/// What both ends say they speak inside of TLS.
pub const ALPN: &[u8] = b"xcp/0.2";
/// What the [`exporter`]'s secret is for.
pub const EXPORTER_LABEL: &[u8] = b"EXPORTER-xcp-crypt-1";

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// The accepting end: its certificate, and which clients it takes.
#[derive(Clone, Debug)]
pub struct TlsServer {
    certificates: Pem,
    key: Pem,
    client_ca: Option<Pem>,
}

impl TlsServer {
    /// A server with this certificate, followed by those of the authorities in between, and its key. It takes any client.
    pub fn new(certificates: Pem, key: Pem) -> Self {
        Self { certificates, key, client_ca: None }
    }

    /// Only clients with a certificate of one of these authorities.
    #[must_use]
    pub fn client_ca(self, authorities: Pem) -> Self {
        Self { client_ca: Some(authorities), ..self }
    }

    /// Reads what was named; the configuration is for any number of connections.
    ///
    /// # Errors
    /// Any [`TlsError`] but [`Handshake`](TlsError::Handshake) and [`ServerName`](TlsError::ServerName).
    pub fn config(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])?;
        let config = match &self.client_ca {
            Some(authorities) => {
                let roots = Arc::new(authorities.authorities()?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider()).build();
                config.with_client_cert_verifier(
                    verifier.map_err(|error| TlsError::Clients { from: authorities.name(), error })?,
                )
            }
            None => config.with_no_client_auth(),
        };
        let (certificates, key) = (self.certificates.certificates()?, self.key.private_key()?);
        let mut config = config
            .with_single_cert(certificates, key)
            .map_err(|error| identity_error(&self.certificates, &self.key, error))?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Arc::new(config))
    }

    /// The same for streams of tokio.
    ///
    /// # Errors
    /// As [`config`](Self::config).
    #[cfg(feature = "xcp-tls")]
    pub fn acceptor(&self) -> Result<tokio_rustls::TlsAcceptor, TlsError> {
        self.config().map(Into::into)
    }
}

/// The connecting end: which servers it takes, and its certificate, if it has one.
#[derive(Clone, Debug)]
pub struct TlsClient {
    authorities: Pem,
    server_name: String,
    identity: Option<(Pem, Pem)>,
}

impl TlsClient {
    /// A client of the server called `server_name`, a domain name or an address, which must be in its certificate; and
    /// that must be of one of these authorities.
    pub fn new(authorities: Pem, server_name: impl Into<String>) -> Self {
        Self { authorities, server_name: server_name.into(), identity: None }
    }

    /// The client's own certificate, followed by those of the authorities in between, and its key.
    #[must_use]
    pub fn identity(self, certificates: Pem, key: Pem) -> Self {
        Self { identity: Some((certificates, key)), ..self }
    }

    /// The server's name, checked.
    ///
    /// # Errors
    /// [`TlsError::ServerName`].
    pub fn server_name(&self) -> Result<ServerName<'static>, TlsError> {
        let name = ServerName::try_from(self.server_name.clone());
        name.map_err(|_| TlsError::ServerName { name: self.server_name.clone() })
    }

    /// Reads what was named; the configuration is for any number of connections.
    ///
    /// # Errors
    /// Any [`TlsError`] but [`Handshake`](TlsError::Handshake), [`Clients`](TlsError::Clients) and
    /// [`ServerName`](TlsError::ServerName).
    pub fn config(&self) -> Result<Arc<ClientConfig>, TlsError> {
        let config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(self.authorities.authorities()?);
        let mut config = match &self.identity {
            Some((certificates, key)) => config
                .with_client_auth_cert(certificates.certificates()?, key.private_key()?)
                .map_err(|error| identity_error(certificates, key, error))?,
            None => config.with_no_client_auth(),
        };
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Arc::new(config))
    }

    /// The same for streams of tokio.
    ///
    /// # Errors
    /// As [`config`](Self::config).
    #[cfg(feature = "xcp-tls")]
    pub fn connector(&self) -> Result<tokio_rustls::TlsConnector, TlsError> {
        self.config().map(Into::into)
    }
}

fn identity_error(certificates: &Pem, key: &Pem, error: rustls::Error) -> TlsError {
    TlsError::Identity { certificates: certificates.name(), key: key.name(), error }
}

/// Refuses an address without TLS: nobody who sets TLS up means to speak in the clear.
pub(super) fn check(address: &Address) -> Result<(), BadOption> {
    match address {
        Address::Tls { .. } => Ok(()),
        _ => Err(BadOption::TlsNotUsed { address: address.to_string() }),
    }
}

/// Shakes hands with the client at the other end of a blocking `stream`, which may have timeouts.
///
/// # Errors
/// [`TlsError::Handshake`], also for a client whose certificate is not taken; [`TlsError::Library`].
pub fn accept<S: Read + Write>(
    config: Arc<ServerConfig>,
    stream: S,
) -> Result<StreamOwned<ServerConnection, S>, TlsError> {
    shake_hands(ServerConnection::new(config)?, stream)
}

/// Shakes hands with the server at the other end of a blocking `stream`, which may have timeouts.
///
/// That the server took the client's certificate is known with its first answer: TLS 1.3 does not tell earlier.
///
/// # Errors
/// [`TlsError::Handshake`], also for a server whose certificate is not taken; [`TlsError::ServerName`],
/// [`TlsError::Library`].
pub fn connect<S: Read + Write>(
    config: Arc<ClientConfig>,
    server_name: ServerName<'static>,
    stream: S,
) -> Result<StreamOwned<ClientConnection, S>, TlsError> {
    shake_hands(ClientConnection::new(config, server_name)?, stream)
}

fn shake_hands<C, D, S>(mut connection: C, mut stream: S) -> Result<StreamOwned<C, S>, TlsError>
where
    C: DerefMut<Target = ConnectionCommon<D>>,
    D: SideData,
    S: Read + Write,
{
    // Each turn needs bytes of the peer, and rustls bounds how many a handshake has.
    while connection.is_handshaking() {
        connection.complete_io(&mut stream).map_err(TlsError::Handshake)?;
    }
    Ok(StreamOwned::new(connection, stream))
}

/// A secret that only the two ends of this TLS connection know: what [`Keys::derive`](super::keys::Keys::derive) takes.
///
/// # Errors
/// [`TlsError::Library`] before the handshake is over.
pub fn exporter<D: SideData>(connection: &ConnectionCommon<D>) -> Result<Psk, TlsError> {
    let secret = connection.export_keying_material([0; SECRET_LEN], EXPORTER_LABEL, None)?;
    Ok(Psk::from_exporter(secret))
}

#[cfg(test)]
mod tests;
