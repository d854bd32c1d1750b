//! Why is there no TLS connection?

use std::io;
use std::path::PathBuf;

/// Why there is no TLS configuration or connection. Sources are names of files, or `text` for what was given as bytes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("PEM file {}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        error: io::Error,
    },
    /// It is no PEM, or what is looked for is not in it.
    #[error("no {what} in {from}: {error}")]
    Pem {
        /// Where it was looked for.
        from: String,
        /// What was looked for.
        what: &'static str,
        /// Why it is not there.
        error: rustls::pki_types::pem::Error,
    },
    /// A certificate of an authority cannot be used.
    #[error("certificate {at} of the authorities in {from}: {error}")]
    Authority {
        /// Where it stands.
        from: String,
        /// Which one, from 0.
        at: usize,
        /// What is wrong with it.
        error: rustls::Error,
    },
    /// Clients cannot be checked against these authorities.
    #[error("clients cannot be checked against {from}: {error}")]
    Clients {
        /// Where the authorities stand.
        from: String,
        /// Why not.
        error: rustls::server::VerifierBuilderError,
    },
    /// Certificate and key cannot be used, or do not belong together.
    #[error("certificate in {certificates} with key in {key}: {error}")]
    Identity {
        /// Where the certificates stand.
        certificates: String,
        /// Where the key stands.
        key: String,
        /// What is wrong with them.
        error: rustls::Error,
    },
    /// Neither a name of the domain name system nor an address.
    #[error("{name:?} is no name of a server")]
    ServerName {
        /// The name.
        name: String,
    },
    /// The library refuses what was set.
    #[error("TLS: {0}")]
    Library(#[from] rustls::Error),
    /// The peer, or the stream to it, ended the handshake.
    #[error("TLS handshake: {0}")]
    Handshake(io::Error),
}
