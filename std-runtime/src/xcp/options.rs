//! What a client or server offers, allows and asks for: set once, before it connects or listens.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use strait_core::xcp::connection::{Config, Knobs, Retry, Side};
use strait_core::xcp::control::{CryptOffer, Extensions, KindRange};
use strait_core::xcp::{CodecId, Dialect, Flags, KindId, SchemaKey};

use super::psk::Psk;
use super::{BadOption, Ether, OCTETS, SchemaRegistry, compress};
use crate::codec::{CodecPolicy, DecodeError, Registry, SizePolicy, SubEncoding, kind_key};

/// What is offered unless less is asked for.
const FEATURES: Flags = Flags::MORE.union(Flags::LARGE).union(Flags::COMP);

/// Where the key of sealed messages comes from.
#[derive(Clone)]
pub(crate) enum KeySource {
    /// Messages are not sealed.
    None,
    /// A secret that both ends were given.
    Shared(Arc<Psk>),
    /// The TLS connection underneath.
    #[cfg(feature = "xcp-tls")]
    TlsExporter,
}

/// What a client or server offers, allows and asks for.
///
/// Made with [`new`](Self::new), changed by methods that return it, used by [`connect`](Self::connect),
/// [`listen`](Self::listen) or [`connect_blocking`](Self::connect_blocking). Sizes are bytes.
#[derive(Clone)]
pub struct Options {
    pub(crate) registry: Option<Arc<Registry>>,
    pub(crate) codecs: Vec<CodecId>,
    pub(crate) any_codec: bool,
    pub(crate) sizes: SizePolicy,
    pub(crate) policy: CodecPolicy,
    pub(crate) knobs: Option<Knobs>,
    pub(crate) max_frame: u32,
    pub(crate) max_message: u64,
    pub(crate) max_stream: u64,
    pub(crate) stream_over: Option<u64>,
    pub(crate) max_in_flight: u64,
    pub(crate) max_queued: usize,
    pub(crate) compress: Option<i32>,
    pub(crate) key: KeySource,
    pub(crate) keep_alive: Option<Duration>,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) handshake_timeout: Duration,
    pub(crate) request_timeout: Duration,
    pub(crate) write_timeout: Duration,
    pub(crate) message_timeout: Duration,
    pub(crate) max_connections: usize,
    #[cfg(unix)]
    pub(crate) socket_mode: u32,
    pub(crate) packed: bool,
    pub(crate) features: Flags,
    pub(crate) accepts: Vec<KindRange>,
    pub(crate) emits: Vec<KindRange>,
    pub(crate) schemas: Option<Arc<SchemaRegistry>>,
    #[cfg(feature = "xcp-tls")]
    pub(crate) tls_client: Option<Arc<super::tls::TlsClient>>,
    #[cfg(feature = "xcp-tls")]
    pub(crate) tls_server: Option<Arc<super::tls::TlsServer>>,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("codecs", &self.codecs)
            .field("max_frame", &self.max_frame)
            .field("max_message", &self.max_message)
            .field("compress", &self.compress)
            .field("sealed", &!matches!(self.key, KeySource::None))
            .finish_non_exhaustive()
    }
}

/// Whether these are schemas of the same kind and major version.
pub(crate) fn is_of(range: &KindRange, key: &SchemaKey) -> bool {
    KindId::from_wire(range.kind_id) == key.kind() && range.major == key.major
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

impl Options {
    /// Every codec, frames of 1 MiB, messages of 64 MiB, no compression, no encryption, the dialect of the peer.
    #[must_use]
    pub fn new() -> Self {
        let registry = Registry::default();
        let mut codecs: Vec<CodecId> = registry.ids().collect();
        codecs.push(OCTETS);
        Self {
            registry: None,
            codecs,
            any_codec: false,
            sizes: SizePolicy::default(),
            policy: CodecPolicy::default(),
            knobs: None,
            max_frame: 1 << 20,
            max_message: 64 << 20,
            max_stream: u64::MAX,
            stream_over: None,
            max_in_flight: 256 << 20,
            max_queued: 16 << 20,
            compress: None,
            key: KeySource::None,
            keep_alive: Some(Duration::from_secs(20)),
            idle_timeout: Some(Duration::from_secs(60)),
            handshake_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            message_timeout: Duration::from_secs(30),
            max_connections: 1024,
            #[cfg(unix)]
            socket_mode: 0o600,
            packed: false,
            features: FEATURES,
            accepts: Vec::new(),
            emits: Vec::new(),
            schemas: None,
            #[cfg(feature = "xcp-tls")]
            tls_client: None,
            #[cfg(feature = "xcp-tls")]
            tls_server: None,
        }
    }

    /// Codecs to offer, in order of preference; at most 16. [`OCTETS`] is among the default ones.
    ///
    /// One that the [`registry`](Self::registry) does not have can be offered too: its bodies are sent and taken as they
    /// are, and [`Message::ether`](super::Message::ether) says that it is not available.
    #[must_use]
    pub fn codecs(mut self, codecs: impl IntoIterator<Item = CodecId>) -> Self {
        self.codecs = codecs.into_iter().collect();
        self
    }

    /// The codecs themselves, for those who add their own; offers all of them, and [`OCTETS`].
    #[must_use]
    pub fn registry(mut self, registry: Registry) -> Self {
        self.codecs = registry.ids().chain([OCTETS]).collect();
        self.registry = Some(Arc::new(registry));
        self
    }

    /// Takes messages of every codec, also of those that nobody offered, and may send them: for programs that pass bodies on
    /// as they are. The Python implementation's `send_raw_payload` expects that of its server.
    #[must_use]
    pub fn any_codec(mut self) -> Self {
        self.any_codec = true;
        self
    }

    /// What sizes decide: JSON below 2 KiB and compression above 1 KiB by default.
    #[must_use]
    pub fn sizes(mut self, sizes: SizePolicy) -> Self {
        self.sizes = sizes;
        self
    }

    /// Whether JSON will do, where something else is agreed on too.
    #[must_use]
    pub fn codec_policy(mut self, policy: CodecPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// The one dialect to speak. Without it a client tries the specification's and then Python's, and a server does as
    /// its peer does.
    #[must_use]
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.knobs = Some(dialect.into());
        self
    }

    /// The same, knob by knob: those left open are the peer's, or the specification's.
    #[must_use]
    pub fn knobs(mut self, knobs: Knobs) -> Self {
        self.knobs = Some(knobs);
        self
    }

    /// Longest frame to take, whole; told to the peer. 1 MiB by default; longer messages are sent in chunks.
    #[must_use]
    pub fn max_frame_len(mut self, len: u32) -> Self {
        self.max_frame = len;
        self
    }

    /// Longest message to hold, as it comes and unpacked; 64 MiB by default. Longer ones are refused, or streamed if
    /// [`stream_over`](Self::stream_over) is set.
    #[must_use]
    pub fn max_message_len(mut self, len: u64) -> Self {
        self.max_message = len;
        self
    }

    /// Messages in chunks of which more than `len` bytes have come are delivered before they are complete, and read as
    /// they come. Never by default. Sealed messages are always held whole.
    #[must_use]
    pub fn stream_over(mut self, len: u64) -> Self {
        self.stream_over = Some(len);
        self
    }

    /// Longest message to stream; no limit by default.
    #[must_use]
    pub fn max_stream_len(mut self, len: u64) -> Self {
        self.max_stream = len;
        self
    }

    /// Most bytes of all messages of a connection that have come in part; 256 MiB by default.
    #[must_use]
    pub fn max_in_flight(mut self, len: u64) -> Self {
        self.max_in_flight = len;
        self
    }

    /// Most bytes of messages that have come and nobody has taken, or of a stream; 16 MiB by default. Beyond them nothing
    /// more is read from the socket.
    #[must_use]
    pub fn max_queued(mut self, len: usize) -> Self {
        self.max_queued = len;
        self
    }

    /// Compresses messages with zstd at this level, at most [`MAX_LEVEL`](compress::MAX_LEVEL), where the peer can: those
    /// longer than [`sizes`](Self::sizes) say, and only if they become shorter. Levels below 0 are the faster the lower they
    /// are; [`DEFAULT_LEVEL`](compress::DEFAULT_LEVEL) is one of them.
    ///
    /// Compressed messages of the peer are taken in any case.
    #[must_use]
    pub fn compress(mut self, level: i32) -> Self {
        self.compress = Some(level);
        self
    }

    /// Seals every message with keys made from a secret that both ends have. A peer that cannot is refused.
    #[must_use]
    pub fn encrypt(mut self, key: Psk) -> Self {
        self.key = KeySource::Shared(Arc::new(key));
        self
    }

    /// Seals every message with keys made from the TLS connection underneath.
    #[cfg(feature = "xcp-tls")]
    #[must_use]
    pub fn encrypt_by_tls(mut self) -> Self {
        self.key = KeySource::TlsExporter;
        self
    }

    /// How to speak TLS to servers. Connecting to an address without TLS is refused then.
    #[cfg(feature = "xcp-tls")]
    #[must_use]
    pub fn tls_client(mut self, tls: super::tls::TlsClient) -> Self {
        self.tls_client = Some(Arc::new(tls));
        self
    }

    /// How to speak TLS to clients. Listening at an address without TLS is refused then.
    #[cfg(feature = "xcp-tls")]
    #[must_use]
    pub fn tls_server(mut self, tls: super::tls::TlsServer) -> Self {
        self.tls_server = Some(Arc::new(tls));
        self
    }

    /// After how long a silent peer is asked whether it is there; 20 s by default, `None` for never.
    #[must_use]
    pub fn keep_alive(mut self, after: Option<Duration>) -> Self {
        self.keep_alive = after;
        self
    }

    /// After how long a silent peer counts as gone; 60 s by default, `None` for never. A peer of Python's dialect never does: it
    /// says nothing until it has an answer.
    #[must_use]
    pub fn idle_timeout(mut self, after: Option<Duration>) -> Self {
        self.idle_timeout = after;
        self
    }

    /// How long connecting, to whichever of a host's addresses, and the handshake may take, each; 10 s by default.
    #[must_use]
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// How long a request waits for its answer if it does not say; 30 s by default.
    #[must_use]
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// How long the peer may take none of the bytes that are sent to it; 30 s by default.
    #[must_use]
    pub fn write_timeout(mut self, timeout: Duration) -> Self {
        self.write_timeout = timeout;
        self
    }

    /// How long a message in chunks may wait for its next byte before it is given up; 30 s by default. Nothing else tells
    /// of a writer that gave up a stream in the middle.
    #[must_use]
    pub fn message_timeout(mut self, timeout: Duration) -> Self {
        self.message_timeout = timeout;
        self
    }

    /// How many connections a server has at once, at least 1; 1024 by default. Further ones wait until another ends.
    #[must_use]
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = connections;
        self
    }

    /// Permission bits of a Unix socket that is listened at, whatever the umask: whoever may write it may connect. 0600 by
    /// default, this user alone.
    #[cfg(unix)]
    #[must_use]
    pub fn socket_mode(mut self, mode: u32) -> Self {
        self.socket_mode = mode & 0o777;
        self
    }

    /// Packs headers where the peer reads such: frames are some 20 bytes shorter.
    #[must_use]
    pub fn packed_headers(mut self, packed: bool) -> Self {
        self.packed = packed;
        self
    }

    /// What to offer of [`MORE`](Flags::MORE), [`LARGE`](Flags::LARGE) and [`COMP`](Flags::COMP); all by default. Without
    /// MORE no message is longer than a frame, in either direction, and without COMP none is compressed.
    #[must_use]
    pub fn features(mut self, features: Flags) -> Self {
        self.features = features.intersection(FEATURES);
        self
    }

    /// Kinds to take; all without it. A message of another kind is refused: by what its header says before it is read, and
    /// by what its ether says when it is decoded. Plain bytes, [`OCTETS`], have no kind.
    #[must_use]
    pub fn accepts(mut self, kinds: impl IntoIterator<Item = KindRange>) -> Self {
        self.accepts = kinds.into_iter().collect();
        self
    }

    /// The schemas that messages must follow: one that names another in its header is refused, and so is one whose ether
    /// has another when it is decoded. With the feature `schema-validation` payloads are checked against them as well.
    /// Plain bytes, [`OCTETS`], follow none. Without it any schema will do.
    #[must_use]
    pub fn schemas(mut self, schemas: SchemaRegistry) -> Self {
        self.schemas = Some(Arc::new(schemas));
        self
    }

    /// Kinds that are sent, for the peer to know.
    #[must_use]
    pub fn emits(mut self, kinds: impl IntoIterator<Item = KindRange>) -> Self {
        self.emits = kinds.into_iter().collect();
        self
    }

    /// Whether an ether is one that is taken.
    pub(crate) fn admit(&self, ether: &Ether) -> Result<(), DecodeError> {
        let key = kind_key(ether);
        if !self.accepts.is_empty() && !self.accepts.iter().any(|range| is_of(range, &key)) {
            let (kind, version) = (ether.kind.clone(), ether.schema_version);
            return Err(DecodeError::KindNotAccepted { kind, version });
        }
        if let Some(schemas) = &self.schemas {
            schemas.admit(ether)?;
        }
        Ok(())
    }

    /// Whether messages are to be sealed.
    pub(crate) fn seals(&self) -> bool {
        !matches!(self.key, KeySource::None)
    }

    /// The codecs of a connection: the user's, or those for what its peer speaks.
    pub(crate) fn registry_for(&self, dialect: Dialect) -> Arc<Registry> {
        self.registry.clone().unwrap_or_else(|| {
            let registry = Registry::for_dialect(dialect);
            // What stock Python peers write and read in the name of Protobuf, until this one shows otherwise.
            let stock = dialect.is_strict();
            Arc::new(if stock { registry.with_sub_encoding(SubEncoding::Json) } else { registry })
        })
    }

    /// What core is to do.
    pub(crate) fn config(&self, side: Side, knobs: Knobs) -> Result<Config, BadOption> {
        let mut config = Config::new(side);
        let too_many = |what, len, limit| BadOption::TooMany { what, len, limit };
        config.codecs = heapless::Vec::from_slice(&self.codecs)
            .map_err(|_| too_many("codecs", self.codecs.len(), config.codecs.capacity()))?;
        config.accepts = heapless::Vec::from_slice(&self.accepts)
            .map_err(|_| too_many("kinds to take", self.accepts.len(), config.accepts.capacity()))?;
        config.emits = heapless::Vec::from_slice(&self.emits)
            .map_err(|_| too_many("kinds to send", self.emits.len(), config.emits.capacity()))?;
        if self.max_frame < 1024 {
            let len = u64::from(self.max_frame);
            return Err(BadOption::TooSmall { what: "the longest frame, in bytes,", len, limit: 1024 });
        }
        if let Some(level) = self.compress {
            compress::check(level)?;
        }
        config.any_codec = self.any_codec;
        config.knobs = knobs;
        config.max_frame = self.max_frame;
        config.max_frame_strict = u32::try_from(self.max_message).unwrap_or(u32::MAX).max(self.max_frame);
        config.max_message = match self.stream_over {
            Some(_) => self.max_message.max(self.max_stream),
            None => self.max_message,
        };
        config.max_in_flight = self.max_in_flight;
        config.features = self.features;
        if self.packed {
            config.extensions = config.extensions.union(Extensions::CAPNP_PACKED);
        }
        let key_id = match &self.key {
            KeySource::None => None,
            KeySource::Shared(key) => Some(key.id().to_owned()),
            #[cfg(feature = "xcp-tls")]
            KeySource::TlsExporter => Some("tls-exporter".to_owned()),
        };
        if let Some(key_id) = key_id {
            let mut random = [0; 16];
            getrandom::fill(&mut random).map_err(|_| BadOption::NoRandomness)?;
            let limit = 64;
            let len = key_id.len();
            let key_id =
                key_id.as_str().try_into().map_err(|_| too_many("bytes of a key's name", len, limit))?;
            config.crypt = Some(CryptOffer { key_id, random });
            config.features = config.features.union(Flags::CRYPT);
            config.require = Flags::CRYPT;
            config.extensions = config.extensions.union(Extensions::XCP_CRYPT_1);
        }
        config.keep_alive = self.keep_alive;
        config.idle_timeout = self.idle_timeout;
        config.handshake_timeout = self.handshake_timeout;
        config.message_age = self.message_timeout;
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).map_err(|_| BadOption::NoRandomness)?;
        config.seed = u64::from_le_bytes(seed);
        config.retry = Retry { timeout: Duration::from_secs(5), ..config.retry };
        Ok(config)
    }
}
