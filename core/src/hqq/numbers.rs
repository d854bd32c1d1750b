//! The numbers of the protocol: profiles, opcodes, error codes, versions, flags of a chunk.

use core::fmt;

/// Which of two layouts and numberings a link speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Profile {
    /// A superblock page in front, version 1.0, features renumbered: what the Go implementation speaks today.
    #[default]
    Superblock,
    /// Four regions and nothing else, version 1.1, the numbers of the protocol document.
    Seed,
}

impl Profile {
    /// The highest version that is spoken in it. A request above it is answered with this, because the Go implementation
    /// calls an answer above its own version an invalid operation.
    pub const fn version(self) -> Version {
        match self {
            Self::Superblock => Version::V1_0,
            Self::Seed => Version::V1_1,
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Superblock => "superblock",
            Self::Seed => "seed",
        })
    }
}

/// What a packet is for; numbers without a name survive.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct OpCode(pub u8);

impl OpCode {
    /// An operation of the receiver failed.
    pub const ERROR: Self = Self(0x00);
    /// Asks for a connection.
    pub const CONN_CREATE: Self = Self(0x01);
    /// Grants it.
    pub const CONN_ACCEPT: Self = Self(0x02);
    /// Ends it.
    pub const CONN_CLOSE: Self = Self(0x03);
    /// A chunk of a message.
    pub const CONN_COPY: Self = Self(0x04);
    /// Offers version, features and capabilities.
    pub const PROTO_NEGOTIATE: Self = Self(0x05);
    /// Accepts some of them.
    pub const PROTO_ACK: Self = Self(0x06);
    /// Allows more bytes on a connection. Sent once `Features::FLOW_CONTROL` is agreed.
    pub const CREDIT: Self = Self(0x07);
    /// A message was consumed. Sent once `Capabilities::RELIABLE_DELIVERY` is agreed.
    pub const ACKNOWLEDGE: Self = Self(0x08);
    /// Asks for counters, or tells them. Sent once `Features::STATISTICS` is agreed.
    pub const STATISTICS: Self = Self(0x09);
    /// A slot that was reserved and given up.
    pub const TOMBSTONE: Self = Self(0xFE);
    /// Data in a buffer, without a connection.
    pub const COPY: Self = Self(0xFF);

    fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::ERROR => "ERROR",
            Self::CONN_CREATE => "CONN_CREATE",
            Self::CONN_ACCEPT => "CONN_ACCEPT",
            Self::CONN_CLOSE => "CONN_CLOSE",
            Self::CONN_COPY => "CONN_COPY",
            Self::PROTO_NEGOTIATE => "PROTO_NEGOTIATE",
            Self::PROTO_ACK => "PROTO_ACK",
            Self::CREDIT => "CREDIT",
            Self::ACKNOWLEDGE => "ACKNOWLEDGE",
            Self::STATISTICS => "STATISTICS",
            Self::TOMBSTONE => "TOMBSTONE",
            Self::COPY => "COPY",
            _ => return None,
        })
    }
}

impl fmt::Display for OpCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{:#04x}", self.0),
        }
    }
}

impl fmt::Debug for OpCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An error as one end tells it to the other; numbers without a name survive.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ErrorCode(pub u64);

impl ErrorCode {
    /// Memory is not aligned.
    pub const MEMORY_ALIGN: Self = Self(1);
    /// A size or an order that cannot be.
    pub const INVALID_SIZE: Self = Self(2);
    /// Memory is too small.
    pub const MEMORY_SMALL: Self = Self(3);
    /// The link is not initialised.
    pub const FAILED_INIT: Self = Self(4);
    /// No such connection.
    pub const CONN_NOT_FOUND: Self = Self(5);
    /// An operation that is unknown, or not allowed now.
    pub const INVALID_OP: Self = Self(6);
    /// More bytes than there is room for.
    pub const BUFFER_OVERFLOW: Self = Self(7);
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::MEMORY_ALIGN => "memory alignment violation",
            Self::INVALID_SIZE => "invalid size",
            Self::MEMORY_SMALL => "memory too small",
            Self::FAILED_INIT => "failed initialisation",
            Self::CONN_NOT_FOUND => "connection not found",
            Self::INVALID_OP => "invalid operation",
            Self::BUFFER_OVERFLOW => "buffer overflow",
            Self(code) => return write!(f, "error code {code}"),
        })
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A protocol version: `major << 8 | minor` on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Changes where peers would not understand each other.
    pub major: u8,
    /// Grows with additions.
    pub minor: u8,
}

impl Version {
    /// What the Go implementation speaks today.
    pub const V1_0: Self = Self { major: 1, minor: 0 };
    /// What the protocol document describes.
    pub const V1_1: Self = Self { major: 1, minor: 1 };

    /// The word on the wire.
    pub const fn to_word(self) -> u64 {
        u16::from_be_bytes([self.major, self.minor]) as u64
    }

    /// From the low 16 bits of a word; other bits are ignored, as everywhere.
    pub const fn from_word(word: u64) -> Self {
        let [minor, major, ..] = word.to_le_bytes();
        Self { major, minor }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// What kind of chunk a `CONN_COPY` is: bits of operand 5.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ChunkFlags(pub u64);

impl ChunkFlags {
    /// The first chunk of a message.
    pub const BEGIN: Self = Self(1);
    /// The last one.
    pub const END: Self = Self(2);
    /// The sender gives the message up.
    pub const ABORT: Self = Self(4);
    /// Of a request.
    pub const REQUEST: Self = Self(8);
    /// Of a response.
    pub const RESPONSE: Self = Self(16);
    /// Of a response that says what failed.
    pub const ERROR: Self = Self(32);
    /// The message is compressed: 8 bytes original length, then a zstd frame. Ours, once agreed.
    pub const COMPRESSED: Self = Self(64);
    /// The message was sent before, to a consumer that died. Ours, once agreed.
    pub const REDELIVERED: Self = Self(128);
    /// Bits of the priority class, 0 to 3. Ours, once agreed.
    pub const PRIORITY: Self = Self(0x300);
    /// What other implementations know.
    pub const KNOWN_TO_ALL: Self = Self(63);

    /// Whether every bit of `other` is set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets of bits.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Bits that both have.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}
