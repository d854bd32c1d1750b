//! What an end offers, what it allows, and what came of the handshake.

use core::time::Duration;

use heapless::Vec;

use super::super::control::{CryptOffer, Extensions, Hello, KindRange};
use super::super::dialect::{CrcOrder, Dialect, HeaderFormat, Numbering};
use super::super::numbers::{CodecId, DEFAULT_MAX_FRAME, Flags};

/// Which end of a connection this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The end that connected, and says HELLO.
    Client,
    /// The end that listened, and answers it.
    Server,
}

/// A dialect with some knobs left open: a server then does as its peer does, a client as the specification says, but for
/// the numbers: with big-endian checksums it takes those of the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Knobs {
    /// How we encode headers; every encoding is read. Packed ones are only sent to a peer that offered
    /// [`Extensions::CAPNP_PACKED`] as well.
    pub header: Option<HeaderFormat>,
    /// The byte order of checksums.
    pub crc: Option<CrcOrder>,
    /// The numbers of message types.
    pub numbering: Option<Numbering>,
}

impl Knobs {
    /// Everything is left open.
    pub const AUTO: Self = Self { header: None, crc: None, numbering: None };
}

impl From<Dialect> for Knobs {
    fn from(dialect: Dialect) -> Self {
        Self { header: Some(dialect.header), crc: Some(dialect.crc), numbering: Some(dialect.numbering) }
    }
}

/// How often and when a message is sent again that asked to be acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How long an ACK may take.
    pub timeout: Duration,
    /// Attempt n waits a random time up to `base` times 2 to the n.
    pub base: Duration,
    /// The longest of those times.
    pub max: Duration,
    /// How often it is sent again before it is given up.
    pub attempts: u32,
}

/// What an end offers and allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Which end this is.
    pub side: Side,
    /// What is spoken.
    pub knobs: Knobs,
    /// Codecs it reads, in order of preference.
    pub codecs: Vec<CodecId, 16>,
    /// Whether it takes and sends messages of every codec, agreed on or not: for those who pass bodies on as they are.
    pub any_codec: bool,
    /// Longest frame it takes, whole, bytes; told to the peer.
    pub max_frame: u32,
    /// The same for peers of Python's dialect, who do not keep to it.
    pub max_frame_strict: u32,
    /// Longest message it takes, as it is on the wire, bytes.
    pub max_message: u64,
    /// Most bytes of all unfinished messages.
    pub max_in_flight: u64,
    /// Flags it understands. The peer's that are not among them are refused.
    pub features: Flags,
    /// Flags without which it does not speak: [`Flags::CRYPT`] means that every message must be sealed.
    pub require: Flags,
    /// What it can beyond flags.
    pub extensions: Extensions,
    /// The version that its HELLO names, besides the one in front of every frame. The specification has no key for it.
    pub version: Option<(u8, u8)>,
    /// Whether it reads bodies from shared memory.
    pub shared_mem: bool,
    /// Kinds it takes; none means all.
    pub accepts: Vec<KindRange, 16>,
    /// Kinds it sends; none means any.
    pub emits: Vec<KindRange, 16>,
    /// Its half of a key agreement.
    pub crypt: Option<CryptOffer>,
    /// How long the handshake may take.
    pub handshake_timeout: Duration,
    /// After how long without a byte from the peer it is asked whether it is there.
    pub keep_alive: Option<Duration>,
    /// After how long without a byte from the peer it is taken for gone.
    pub idle_timeout: Option<Duration>,
    /// How long an unfinished message may wait for its next byte.
    pub message_age: Duration,
    /// When to send again.
    pub retry: Retry,
    /// Where the random times of [`Retry`] begin: two ends should differ.
    pub seed: u64,
}

impl Config {
    /// JSON only, frames of 1 MiB, messages of 64 MiB, four of them in flight, MORE and LARGE.
    #[must_use]
    pub fn new(side: Side) -> Self {
        Self {
            side,
            knobs: Knobs::AUTO,
            codecs: [CodecId::JSON].into_iter().collect(),
            any_codec: false,
            max_frame: DEFAULT_MAX_FRAME,
            max_frame_strict: 64 << 20,
            max_message: 64 << 20,
            max_in_flight: 256 << 20,
            features: Flags::MORE.union(Flags::LARGE),
            require: Flags::NONE,
            extensions: Extensions::NONE,
            version: Some((0, 2)),
            shared_mem: false,
            accepts: Vec::new(),
            emits: Vec::new(),
            crypt: None,
            handshake_timeout: Duration::from_secs(10),
            keep_alive: Some(Duration::from_secs(20)),
            idle_timeout: Some(Duration::from_secs(60)),
            message_age: Duration::from_secs(30),
            retry: Retry {
                timeout: Duration::from_secs(5),
                base: Duration::from_millis(50),
                max: Duration::from_secs(5),
                attempts: 4,
            },
            seed: 0x9E37_79B9_7F4A_7C15,
        }
    }

    /// What it says of itself.
    pub(super) fn hello(&self) -> Hello {
        Hello {
            codecs: self.codecs.clone(),
            max_frame: self.max_frame,
            shared_mem: self.shared_mem,
            accepts: self.accepts.clone(),
            emits: self.emits.clone(),
            features: self.features,
            extensions: self.extensions,
            version: self.version,
            crypt: self.crypt.clone(),
        }
    }
}

/// What both ends can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// What is spoken.
    pub dialect: Dialect,
    /// Codecs that both read, in the client's order of preference.
    pub codecs: Vec<CodecId, 16>,
    /// Longest frame to send, whole, bytes.
    pub max_frame: u32,
    /// Flags that both understand.
    pub features: Flags,
    /// What both can beyond flags.
    pub extensions: Extensions,
    /// Whether both read bodies from shared memory.
    pub shared_mem: bool,
    /// Kinds that the peer takes; none means all.
    pub accepts: Vec<KindRange, 16>,
    /// Kinds that the peer sends; none means any.
    pub emits: Vec<KindRange, 16>,
    /// The peer's half of a key agreement.
    pub crypt: Option<CryptOffer>,
}

impl Agreed {
    /// Whether the peer reads bodies of this codec.
    pub fn has_codec(&self, codec: CodecId) -> bool {
        self.codecs.contains(&codec)
    }
}
