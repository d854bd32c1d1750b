//! The numbers of the protocol: magic, flags, message types, codecs, error codes, kinds, default limits.

use core::fmt;

/// First four bytes of every frame, as a little-endian number: `10 7A A1 A9` on the wire.
pub const MAGIC: u32 = 0xA9A1_7A10;
/// Version 0.2: the major number in the high nibble, the minor one in the low nibble.
pub const VERSION: u8 = 0x02;
/// Largest frame offered where nothing else is said, bytes: what the protocol's documents recommend.
pub const DEFAULT_MAX_FRAME: u32 = 1 << 20;
/// The port that existing servers listen on; the protocol names none.
pub const DEFAULT_PORT: u16 = 9944;

/// Bits of a frame's fifth byte.
///
/// | bit | name | the payload |
/// |---|---|---|
/// | 0x80 | COMP | is zstd |
/// | 0x40 | CRYPT | is sealed |
/// | 0x20 | MORE | goes on in another frame |
/// | 0x10 | LARGE | has a length of 8 bytes and not 4 |
///
/// The low nibble is sent as 0 and ignored.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Flags(pub u8);

impl Flags {
    /// No bit.
    pub const NONE: Self = Self(0);
    /// The message is compressed.
    pub const COMP: Self = Self(0x80);
    /// The message is encrypted.
    pub const CRYPT: Self = Self(0x40);
    /// Another chunk of the message follows.
    pub const MORE: Self = Self(0x20);
    /// The payload's length has 8 bytes.
    pub const LARGE: Self = Self(0x10);
    /// The bits that have a meaning.
    pub const ALL: Self = Self(0xF0);

    const NAMES: [(Self, &'static str); 4] =
        [(Self::COMP, "COMP"), (Self::CRYPT, "CRYPT"), (Self::MORE, "MORE"), (Self::LARGE, "LARGE")];

    /// Whether all bits of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The bits of either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The bits of both.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// These bits but for those of `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Names of the bits that have one, from the highest.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().filter(move |(bit, _)| self.contains(*bit)).map(|(_, name)| *name)
    }
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 & Self::ALL.0 == 0 {
            return f.write_str("none");
        }
        for (at, name) in self.names().enumerate() {
            write!(f, "{}{name}", if at == 0 { "" } else { "+" })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A number on the wire: names for those that have one, the others survive.
macro_rules! open_enum {
    ($(#[$doc:meta])* $name:ident($word:ty), $width:literal { $($(#[$each:meta])* $value:ident = $number:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $word);

        impl $name {
            $($(#[$each])* pub const $value: Self = Self($number);)+

            /// Its name, if it has one.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some(stringify!($value)),)+
                    _ => None,
                }
            }

            /// The number with this name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $(stringify!($value) => Some(Self::$value),)+
                    _ => None,
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, concat!("{:#0", $width, "x}"), self.0),
                }
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

open_enum! {
    /// What a frame is for, in the numbers of the specification. [`Numbering`](super::Numbering) says what stands on the
    /// wire.
    MsgType(u16), "6" {
        /// Opens a connection and says what its sender can do; as a reply to another, what both can do.
        HELLO = 0x0000;
        /// A message arrived.
        ACK = 0x0001;
        /// A message was refused.
        NACK = 0x0002;
        /// Are you there?
        PING = 0x0003;
        /// Yes: the body of the PING.
        PONG = 0x0004;
        /// Asks the sender of a message what it meant.
        CLARIFY_REQ = 0x0005;
        /// Says it.
        CLARIFY_RES = 0x0006;
        /// The reply to HELLO, for peers that have a number of its own for it. The specification names it and gives it no
        /// number; this is the first free one.
        CAPS = 0x0007;
        /// A message.
        DATA = 0x0100;
    }
}

open_enum! {
    /// How a body is encoded.
    CodecId(u16), "6" {
        /// An envelope as JSON.
        JSON = 0x0001;
        /// A tensor of 32-bit floats.
        TENSOR_F32 = 0x0002;
        /// A tensor of 16-bit floats.
        TENSOR_F16 = 0x0003;
        /// A tensor of bytes with a scale.
        TENSOR_QNT8 = 0x0004;
        /// An envelope as Protobuf.
        PROTOBUF = 0x0008;
        /// Several tensors.
        MIXED_LATENT = 0x0010;
        /// Columns, as an Arrow IPC stream.
        ARROW_IPC = 0x0020;
        /// A tensor of any type.
        DLPACK = 0x0021;
    }
}

open_enum! {
    /// Why a message was refused. Numbers from 0x8000 on are this implementation's: the documents leave those cases open.
    ErrorCode(u32), "6" {
        /// It was not.
        OK = 0x0000;
        /// The message names a schema that is not known.
        ERR_SCHEMA_UNKNOWN = 0x0001;
        /// The body is encoded in a way that the peer cannot read.
        ERR_CODEC_UNSUPPORTED = 0x0002;
        /// The message or frame is longer than the peer takes.
        ERR_MESSAGE_TOO_LARGE = 0x0003;
        /// The message is of a kind that the peer does not take.
        ERR_KIND_MISMATCH = 0x0004;
        /// The checksum of a frame is wrong.
        ERR_CRC_MISMATCH = 0x8001;
        /// The major version is not spoken here.
        ERR_VERSION_UNSUPPORTED = 0x8002;
        /// A header or a body cannot be read.
        ERR_MALFORMED = 0x8003;
        /// A sealed message does not open, or came twice.
        ERR_AUTHENTICATION_FAILED = 0x8004;
        /// No room for another message now; later there may be.
        ERR_BUSY = 0x8005;
    }
}

/// The 32-bit FNV-1a hash of `text`: names of kinds and namespaces on the wire.
pub const fn fnv1a(text: &str) -> u32 {
    let bytes = text.as_bytes();
    let mut hash = 0x811C_9DC5_u32;
    let mut rest = bytes;
    while let [first, others @ ..] = rest {
        let byte = *first as u32;
        hash = (hash ^ byte).wrapping_mul(0x0100_0193);
        rest = others;
    }
    hash
}

open_enum! {
    /// A kind of message: the FNV-1a hash of its name; 0 is unset.
    KindId(u32), "10" {
        /// `text`.
        TEXT = 0xBDE6_4E3E;
        /// `tokens`.
        TOKENS = 0xFCEB_C453;
        /// `embedding`.
        EMBEDDING = 0xCDE5_B5F2;
        /// `image`.
        IMAGE = 0xB351_35FA;
    }
}

impl KindId {
    /// No kind.
    pub const UNSET: Self = Self(0);

    /// The kind called `name`.
    pub const fn of(name: &str) -> Self {
        Self(fnv1a(name))
    }

    /// The kind that a number on the wire means: the four constants of the implementation guide, which are not the
    /// hashes that they claim to be, mean the kinds that they are named after.
    pub const fn from_wire(number: u32) -> Self {
        match number {
            0x6EA7_E21B => Self::TEXT,
            0x8B4E_3A2C => Self::TOKENS,
            0x9C5F_4B3D => Self::EMBEDDING,
            0xAD6F_5C4E => Self::IMAGE,
            other => Self(other),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::format;

    use super::*;

    #[test]
    fn kinds_are_the_hashes_of_their_names() {
        for (name, kind) in [
            ("text", KindId::TEXT),
            ("tokens", KindId::TOKENS),
            ("embedding", KindId::EMBEDDING),
            ("image", KindId::IMAGE),
        ] {
            assert_eq!(KindId::of(name), kind);
        }
        assert_eq!(fnv1a("maida"), 0xC705_8CD5);
        assert_eq!(KindId::from_wire(0x9C5F_4B3D), KindId::EMBEDDING);
        assert_eq!(KindId::from_wire(7), KindId(7));
    }

    #[test]
    fn numbers_are_written_by_name_and_others_in_hexadecimal() {
        assert_eq!(format!("{} {:?}", CodecId::TENSOR_F32, CodecId(0x7777)), "TENSOR_F32 0x7777");
        assert_eq!(format!("{}", ErrorCode::ERR_CODEC_UNSUPPORTED), "ERR_CODEC_UNSUPPORTED");
        assert_eq!(MsgType::from_name("PING"), Some(MsgType::PING));
        assert_eq!(format!("{} {}", Flags(0xA3), Flags(0x0F)), "COMP+MORE none");
    }
}
