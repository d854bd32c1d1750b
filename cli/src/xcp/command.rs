//! Which options do the verbs that speak have in common, and what do they mean in all of them?

use std::path::PathBuf;

use clap::Args;
use strait::xcp::tls::{Pem, TlsClient, TlsServer};
use strait::xcp::{Address, CodecId, Options, Psk};
use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::WorkerGuard;

use super::dialect::{self, DialectArg};
use super::log::{self, LogFormat, LogOptions};
use super::names::{self, Features};
use crate::exit::Failure;

/// Messages in chunks of which more has come are read as they come.
const STREAMED_FROM: u64 = 1 << 20;
/// Unfinished messages of the longest kind that a connection may have.
const IN_FLIGHT: u64 = 4;

/// What `--help` says of an address.
pub(super) const URL: &str = "Where the server is: tcp://HOST:PORT, tls://HOST:PORT, unix://PATH";

/// What to speak, offer and allow.
#[derive(Clone, Debug, Args)]
pub(super) struct Speech {
    #[arg(long, value_name = "DIALECT", default_value = "auto", help = dialect::HELP)]
    dialect: DialectArg,

    /// Codecs to offer, the preferred one first, of json, protobuf, f32, f16, qnt8, mixed-latent, octets [default: all]
    #[arg(long, value_name = "CODEC,…", value_delimiter = ',', value_parser = names::codec)]
    codecs: Vec<CodecId>,

    /// What to offer besides, of compress, more, large, packed; or none [default: all]
    #[arg(long, value_name = "FEATURE,…")]
    features: Option<Features>,

    /// Longest frame to take, whole; longer messages are sent in several
    #[arg(long, value_name = "SIZE", default_value = "1M", value_parser = names::bytes)]
    max_frame: u64,

    /// Longest message to hold in memory, unpacked. Plain bytes may be longer where they come in chunks that are not
    /// sealed: those are read as they come
    #[arg(long, value_name = "SIZE", default_value = "64M", value_parser = names::bytes)]
    max_message: u64,

    /// Longest message to read as it comes, unpacked
    #[arg(long, value_name = "SIZE", default_value = "64G", value_parser = names::bytes)]
    max_stream: u64,

    /// Compresses with zstd at this level, -100 to 19, where the peer can read it; the lower the faster [without a level:
    /// -1]
    #[arg(
        long,
        value_name = "LEVEL",
        num_args = 0..=1,
        default_missing_value = "-1",
        allow_negative_numbers = true,
        value_parser = clap::value_parser!(i32).range(-100..=19)
    )]
    compress: Option<i32>,

    /// Seals every message with keys made from the secret in this file: 32 bytes, or 64 hexadecimal digits. Only its owner
    /// and group may read it
    #[arg(long, value_name = "FILE", conflicts_with = "encrypt_by_tls")]
    key: Option<PathBuf>,

    /// Seals every message with keys made from the TLS connection underneath
    #[arg(long)]
    encrypt_by_tls: bool,

    /// Prints the report as JSON, on standard output, also when the run failed
    #[arg(long)]
    pub(super) json_output: bool,

    /// Says on standard error what happens. `RUST_LOG`, if it is set, decides instead: `warn`, `strait=debug`
    #[arg(short, long)]
    pub(super) verbose: bool,

    /// Says errors alone
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,

    /// How lines on standard error look. Strangers choose what many of them say: a cause has 10 a second, controls are
    /// escaped, and lines that nobody reads are dropped and counted
    #[arg(long, value_enum, default_value = "text")]
    log_format: LogFormat,
}

impl Speech {
    /// The options of either end.
    ///
    /// # Errors
    /// The secret cannot be read, or a size cannot be.
    pub(super) fn options(&self) -> Result<Options, Failure> {
        let max_frame = u32::try_from(self.max_frame);
        let max_frame = max_frame.map_err(|_| Failure::usage("a frame has less than 4 GiB"))?;
        let mut options = Options::new()
            .max_frame_len(max_frame)
            .max_message_len(self.max_message)
            .max_in_flight(self.max_message.saturating_mul(IN_FLIGHT))
            .stream_over(STREAMED_FROM.min(self.max_message))
            .max_stream_len(self.max_stream)
            .packed_headers(self.features.is_none_or(|features| features.packed));
        if let Some(knobs) = self.dialect.0 {
            options = options.knobs(knobs);
        }
        if !self.codecs.is_empty() {
            options = options.codecs(self.codecs.iter().copied());
        }
        if let Some(features) = self.features {
            options = options.features(features.flags);
        }
        if let Some(level) = self.compress {
            options = options.compress(level);
        }
        if let Some(file) = &self.key {
            options = options.encrypt(Psk::from_file(file).map_err(Failure::usage)?);
        }
        if self.encrypt_by_tls {
            options = options.encrypt_by_tls();
        }
        Ok(options)
    }

    /// Whether messages are sealed.
    pub(super) fn seals(&self) -> bool {
        self.key.is_some() || self.encrypt_by_tls
    }

    /// Longest message to hold, bytes.
    pub(super) fn max_message(&self) -> u64 {
        self.max_message
    }

    /// Has the library tell what happens, as long as the guard lives: all of it with `--verbose`, errors with `--quiet`, else
    /// from `level` on. Whether a line says when is `timed`.
    pub(super) fn listen_to_library(&self, level: LevelFilter, timed: bool) -> WorkerGuard {
        let level = match (self.verbose, self.quiet) {
            (true, _) => LevelFilter::DEBUG,
            (_, true) => LevelFilter::ERROR,
            _ => level,
        };
        log::listen(LogOptions { level, format: self.log_format, timed })
    }
}

/// How a client speaks TLS.
#[derive(Clone, Debug, Args)]
pub(super) struct ClientTls {
    /// Authorities that know the server's certificate, PEM; for tls:// addresses
    #[arg(long, value_name = "PEM")]
    tls_ca: Option<PathBuf>,

    /// Name in the server's certificate [default: the host of the address]
    #[arg(long, value_name = "NAME", requires = "tls_ca")]
    tls_name: Option<String>,

    /// The client's own certificate, PEM
    #[arg(long, value_name = "PEM", requires_all = ["tls_ca", "tls_key"])]
    tls_cert: Option<PathBuf>,

    /// And its key
    #[arg(long, value_name = "PEM", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

impl ClientTls {
    /// The same options with TLS, if it was asked for.
    ///
    /// # Errors
    /// The address is none, or a certificate or a key cannot be used.
    pub(super) fn apply(&self, options: Options, address: &str) -> Result<Options, Failure> {
        let address: Address = address.parse().map_err(Failure::usage)?;
        let Some(authorities) = &self.tls_ca else {
            return match address {
                Address::Tls { .. } => Err(Failure::usage(
                    "a tls:// address needs --tls-ca, the authorities that know the server",
                )),
                _ => Ok(options),
            };
        };
        let Address::Tls { host, .. } = address else {
            return Err(Failure::usage(format_args!(
                "--tls-ca is for tls:// addresses, and this is {address}"
            )));
        };
        let mut tls = TlsClient::new(Pem::file(authorities.clone()), self.tls_name.clone().unwrap_or(host));
        if let (Some(certificate), Some(key)) = (&self.tls_cert, &self.tls_key) {
            tls = tls.identity(Pem::file(certificate.clone()), Pem::file(key.clone()));
        }
        tls.config().map_err(Failure::usage)?;
        Ok(options.tls_client(tls))
    }
}

/// How a server speaks TLS.
#[derive(Clone, Debug, Args)]
pub(super) struct ServerTls {
    /// The server's certificate, PEM; for tls:// addresses
    #[arg(long, value_name = "PEM", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// And its key
    #[arg(long, value_name = "PEM", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// Takes only clients with a certificate of these authorities
    #[arg(long, value_name = "PEM", requires = "tls_cert")]
    tls_client_ca: Option<PathBuf>,
}

impl ServerTls {
    /// The same options with TLS, if it was asked for; `addresses` are where they are used.
    ///
    /// # Errors
    /// None of the addresses has TLS, or a certificate or a key cannot be used.
    pub(super) fn apply(&self, options: Options, addresses: &[String]) -> Result<Options, Failure> {
        let (Some(certificate), Some(key)) = (&self.tls_cert, &self.tls_key) else { return Ok(options) };
        let plain = |address: &String| !matches!(address.parse(), Ok(Address::Tls { .. }));
        if let Some(address) = addresses.iter().find(|address| plain(address)) {
            return Err(Failure::usage(format_args!(
                "--tls-cert is for tls:// addresses: at {address} everything would go in the clear; serve it by another \
                 process if that is meant"
            )));
        }
        let mut tls = TlsServer::new(Pem::file(certificate.clone()), Pem::file(key.clone()));
        if let Some(authorities) = &self.tls_client_ca {
            tls = tls.client_ca(Pem::file(authorities.clone()));
        }
        tls.config().map_err(Failure::usage)?;
        Ok(options.tls_server(tls))
    }
}
