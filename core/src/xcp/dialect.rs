//! Where the specification and its reference implementation differ on the wire: three knobs, and two presets of them.

use core::fmt;

use super::numbers::MsgType;

/// How a frame's header is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeaderFormat {
    /// Cap'n Proto, as the specification has it.
    CapnProto,
    /// The same, packed: 9 to 15 bytes and not 32 to 40. Only towards peers that said they read it.
    CapnProtoPacked,
    /// JSON, as the Python implementation has it.
    Json,
}

impl HeaderFormat {
    /// The format of a header, by its first two bytes. `None` if it is none of them.
    ///
    /// JSON begins with a brace; a Cap'n Proto message with the number of its segments less one, of which there are at
    /// most 16 here; a packed message of one segment with a tag for the size of that segment and nothing else.
    pub fn detect(header: &[u8]) -> Option<Self> {
        match *header {
            [b'{', ..] => Some(Self::Json),
            [0x10 | 0x20 | 0x30, second, ..] if second != 0 => Some(Self::CapnProtoPacked),
            [0x00..=0x0F, ..] => Some(Self::CapnProto),
            _ => None,
        }
    }
}

/// The byte order of a frame's checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CrcOrder {
    /// Little-endian, as the specification has it.
    Little,
    /// Big-endian, as the Python implementation has it.
    Big,
}

impl CrcOrder {
    /// The checksum that four bytes of a frame say.
    pub const fn read(self, trailer: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(trailer),
            Self::Big => u32::from_be_bytes(trailer),
        }
    }

    /// The four bytes that say a checksum.
    pub const fn write(self, checksum: u32) -> [u8; 4] {
        match self {
            Self::Little => checksum.to_le_bytes(),
            Self::Big => checksum.to_be_bytes(),
        }
    }
}

/// Which numbers message types have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Numbering {
    /// The specification's. It has no number for the reply to HELLO, so that is a HELLO too, which names the one it
    /// answers.
    Spec,
    /// The Python implementation's: CAPS is 1, and what follows is one higher.
    Python,
}

impl Numbering {
    /// What a message type is on the wire.
    pub const fn to_wire(self, msg_type: MsgType) -> u16 {
        match (self, msg_type.0) {
            (Self::Python, 0x0007) => 1,
            (Self::Python, number @ 1..=6) => number.wrapping_add(1),
            (_, number) => number,
        }
    }

    /// The message type that a number on the wire means.
    pub const fn from_wire(self, number: u16) -> MsgType {
        MsgType(match (self, number) {
            (Self::Python, 1) => 0x0007,
            (Self::Python, number @ 2..=7) => number.wrapping_sub(1),
            (_, number) => number,
        })
    }
}

/// What one connection speaks.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Dialect {
    /// How headers are encoded.
    pub header: HeaderFormat,
    /// The byte order of checksums.
    pub crc: CrcOrder,
    /// The numbers of message types.
    pub numbering: Numbering,
}

impl Dialect {
    /// The specification's.
    pub const SPEC: Self =
        Self { header: HeaderFormat::CapnProto, crc: CrcOrder::Little, numbering: Numbering::Spec };
    /// The Python implementation's: it reads nothing else, ignores every flag but LARGE, and takes the next frame for
    /// the answer.
    pub const PYTHON: Self =
        Self { header: HeaderFormat::Json, crc: CrcOrder::Big, numbering: Numbering::Python };

    /// Whether the peer takes a frame it did not ask for, and chunks: Python's numbers mean that it does not.
    pub const fn is_strict(self) -> bool {
        matches!(self.numbering, Numbering::Python)
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::SPEC => f.write_str("spec"),
            Self::PYTHON => f.write_str("python"),
            Self { header, crc, numbering } => {
                write!(f, "{header:?} header, {crc:?}-endian checksum, {numbering:?} numbers")
            }
        }
    }
}

impl fmt::Debug for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_read_as_it_was_written() {
        for numbering in [Numbering::Spec, Numbering::Python] {
            for number in 0..=u16::MAX {
                assert_eq!(numbering.to_wire(numbering.from_wire(number)), number);
            }
        }
        assert_eq!(Numbering::Python.to_wire(MsgType::CAPS), 1);
        assert_eq!(Numbering::Python.to_wire(MsgType::NACK), 3);
        assert_eq!(Numbering::Python.from_wire(0x0100), MsgType::DATA);
    }

    #[test]
    fn a_header_is_known_by_its_first_bytes() {
        assert_eq!(HeaderFormat::detect(b"{}"), Some(HeaderFormat::Json));
        assert_eq!(HeaderFormat::detect(&[0, 0, 0, 0]), Some(HeaderFormat::CapnProto));
        assert_eq!(HeaderFormat::detect(&[0x10, 3]), Some(HeaderFormat::CapnProtoPacked));
        assert_eq!(HeaderFormat::detect(&[0x10, 0]), None);
        assert_eq!(HeaderFormat::detect(&[]), None);
    }
}
