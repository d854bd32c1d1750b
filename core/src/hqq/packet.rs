//! The 64-byte packet: opcodes, error codes, and which operand means what in which profile.
//!
//! Eight little-endian words: word 0 is the opcode in its low byte, words 1 to 7 are operands 0 to 6.
//!
//! | opcode | operands 0, 1, 2, … |
//! |---|---|
//! | `ERROR` 0x00 | context, error code |
//! | `CONN_CREATE` 0x01 | connection |
//! | `CONN_ACCEPT` 0x02 | connection |
//! | `CONN_CLOSE` 0x03 | connection, reason |
//! | `CONN_COPY` 0x04, superblock profile | connection, message, total, offset, length, flags, method or status |
//! | `CONN_COPY` 0x04, seed profile | connection, message, total, length, offset, slot length, offset in the slot |
//! | `PROTO_NEGOTIATE` 0x05, `PROTO_ACK` 0x06 | version, features, capabilities, mark, three words of salt |
//! | `CREDIT` 0x07 | connection, bytes that may be sent on it in all |
//! | `ACKNOWLEDGE` 0x08 | connection, message |
//! | `STATISTICS` 0x09 | 0 asks; 1 tells: messages and bytes sent, messages and bytes received, calls, errors |
//! | `TOMBSTONE` 0xFE | copy, slot, reason |
//! | `COPY` 0xFF | copy, buffer, length |
//!
//! 0x07 to 0x09, the operands from 3 on of a negotiation, and the upper bits of word 0 are ours: other implementations
//! reserve them, ignore them or write 0 there. In the seed profile a chunk has its flags in bits 8 to 23 of word 0 and
//! its method or status in the upper half, both 0 towards a peer that is not Strait.
//!
//! Source: the protocol document, "Packet Format" and "Operation Codes" (seed profile); gosuda/HQQ at fb15cd8
//! (superblock profile). The document's "56 bytes" is a slip: seven operands and an opcode are eight words.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::features::{Capabilities, Features};
use super::numbers::{ChunkFlags, ErrorCode, OpCode, Profile, Version};

/// Words of a packet.
pub const WORDS: usize = 8;

/// One chunk of a message, whose bytes stand in the slot's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Connection that carries it.
    pub connection: u64,
    /// Number of the message; a response has its request's.
    pub message: u64,
    /// Bytes of the whole message.
    pub total: u64,
    /// Where in the message the chunk's bytes belong.
    pub offset: u64,
    /// Bytes of the message in this chunk.
    pub len: u64,
    /// What it is.
    pub flags: ChunkFlags,
    /// Method of a request, status of a response, on its first chunk; 0 else.
    pub aux: u64,
}

/// What one end offers, or grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Highest version offered, or the agreed one.
    pub version: Version,
    /// Features wanted, or agreed.
    pub features: Features,
    /// Capabilities there are, or agreed.
    pub capabilities: Capabilities,
    /// Whether the sender is Strait: then 24 bytes of salt follow.
    pub salt: Option<[u64; 3]>,
}

/// `STRAITHQ`, little-endian, in operand 3 of a negotiation.
const MARK: u64 = u64::from_le_bytes(*b"STRAITHQ");

/// Counters that one end tells the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Messages sent.
    pub messages_sent: u64,
    /// Bytes of those, before compression.
    pub bytes_sent: u64,
    /// Messages received.
    pub messages_received: u64,
    /// Bytes of those, after decompression.
    pub bytes_received: u64,
    /// Calls answered.
    pub calls: u64,
    /// Errors met.
    pub errors: u64,
}

/// A packet as its eight words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Packet(pub [u64; WORDS]);

/// What a packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields have the names of the module's table")]
pub enum Operation {
    /// `ERROR`.
    Error { context: u64, code: ErrorCode },
    /// `CONN_CREATE`.
    Create { connection: u64 },
    /// `CONN_ACCEPT`.
    Accept { connection: u64 },
    /// `CONN_CLOSE`.
    Close { connection: u64, reason: u64 },
    /// `CONN_COPY`.
    Chunk(Chunk),
    /// `PROTO_NEGOTIATE`.
    Negotiate(Offer),
    /// `PROTO_ACK`.
    Ack(Offer),
    /// `CREDIT`.
    Credit { connection: u64, limit: u64 },
    /// `ACKNOWLEDGE`.
    Acknowledge { connection: u64, message: u64 },
    /// `STATISTICS` that asks.
    AskStatistics,
    /// `STATISTICS` that tells.
    Statistics(Counters),
    /// `TOMBSTONE`.
    Tombstone { copy: u64, slot: u64, reason: ErrorCode },
    /// `COPY`.
    Copy { copy: u64, buffer: u64, len: u64 },
}

/// A packet that says nothing known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadPacket {
    /// An opcode that nobody has defined.
    #[error("opcode {0} is unknown")]
    OpCode(OpCode),
    /// A chunk whose bytes would not lie in its buffer.
    #[error("chunk of {len} bytes at offset {offset} of its buffer exceeds the buffer's {slot_len} bytes")]
    BufferRange {
        /// Where in the buffer it says they begin.
        offset: u64,
        /// Bytes it says there are.
        len: u64,
        /// Bytes of the buffer as it says.
        slot_len: u64,
    },
    /// Statistics of a kind that nobody has defined.
    #[error("statistics packet of kind {0}; known are 0 and 1")]
    StatisticsKind(u64),
}

impl BadPacket {
    /// What to tell the peer.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::OpCode(_) | Self::StatisticsKind(_) => ErrorCode::INVALID_OP,
            Self::BufferRange { .. } => ErrorCode::INVALID_SIZE,
        }
    }
}

impl Packet {
    /// [`Operation::Copy`], which is the same in both profiles.
    #[inline]
    pub(super) const fn copy(copy: u64, buffer: u64, len: u64) -> Self {
        Self([0xFF, copy, buffer, len, 0, 0, 0, 0])
    }

    /// The opcode: the low byte of word 0, whatever stands in its upper bits.
    #[inline]
    pub const fn opcode(&self) -> OpCode {
        let [word, ..] = self.0;
        let [low, ..] = word.to_le_bytes();
        OpCode(low)
    }

    /// The packet as it stands in memory.
    pub fn to_bytes(&self) -> [u8; 64] {
        let mut bytes = [0; 64];
        for (to, word) in bytes.chunks_exact_mut(8).zip(self.0) {
            to.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// A packet from its bytes in memory.
    pub fn from_bytes(bytes: &[u8; 64]) -> Self {
        let mut words = [0; WORDS];
        for (word, from) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = from.iter().rev().fold(0, |number, byte| (number << 8) | u64::from(*byte));
        }
        Self(words)
    }

    /// What it says in `profile`. The numbers are the peer's; only that a chunk lies in its buffer is checked here.
    ///
    /// # Errors
    /// [`BadPacket`] if nobody has defined it.
    pub fn parse(&self, profile: Profile) -> Result<Operation, BadPacket> {
        let [word, a, b, c, d, e, f, g] = self.0;
        Ok(match self.opcode() {
            OpCode::ERROR => Operation::Error { context: a, code: ErrorCode(b) },
            OpCode::CONN_CREATE => Operation::Create { connection: a },
            OpCode::CONN_ACCEPT => Operation::Accept { connection: a },
            OpCode::CONN_CLOSE => Operation::Close { connection: a, reason: b },
            OpCode::CONN_COPY => Operation::Chunk(match profile {
                Profile::Superblock => Chunk {
                    connection: a,
                    message: b,
                    total: c,
                    offset: d,
                    len: e,
                    flags: ChunkFlags(f),
                    aux: g,
                },
                Profile::Seed => {
                    // The chunk's bytes begin at offset 0 of the slot's buffer, the only place where we put them.
                    if g != 0 || d > f {
                        return Err(BadPacket::BufferRange { offset: g, len: d, slot_len: f });
                    }
                    let flags = ChunkFlags((word >> 8) & 0xffff);
                    Chunk { connection: a, message: b, total: c, offset: e, len: d, flags, aux: word >> 32 }
                }
            }),
            OpCode::PROTO_NEGOTIATE => Operation::Negotiate(self.offer(profile)),
            OpCode::PROTO_ACK => Operation::Ack(self.offer(profile)),
            OpCode::CREDIT => Operation::Credit { connection: a, limit: b },
            OpCode::ACKNOWLEDGE => Operation::Acknowledge { connection: a, message: b },
            OpCode::STATISTICS if a == 0 => Operation::AskStatistics,
            OpCode::STATISTICS if a == 1 => Operation::Statistics(Counters {
                messages_sent: b,
                bytes_sent: c,
                messages_received: d,
                bytes_received: e,
                calls: f,
                errors: g,
            }),
            OpCode::STATISTICS => return Err(BadPacket::StatisticsKind(a)),
            OpCode::TOMBSTONE => Operation::Tombstone { copy: a, slot: b, reason: ErrorCode(c) },
            OpCode::COPY => Operation::Copy { copy: a, buffer: b, len: c },
            unknown => return Err(BadPacket::OpCode(unknown)),
        })
    }

    fn offer(&self, profile: Profile) -> Offer {
        let [_, version, features, capabilities, mark, x, y, z] = self.0;
        Offer {
            version: Version::from_word(version),
            features: Features::from_wire(features, profile),
            capabilities: Capabilities::from_wire(capabilities, profile),
            salt: (mark == MARK).then_some([x, y, z]),
        }
    }
}

impl Operation {
    /// The packet that says it in `profile`. `slot_len` is the length of the link's buffers, which the seed profile
    /// writes into chunks.
    pub fn emit(&self, profile: Profile, slot_len: u64) -> Packet {
        let words = match *self {
            Self::Error { context, code } => [0, context, code.0, 0, 0, 0, 0, 0],
            Self::Create { connection } => [1, connection, 0, 0, 0, 0, 0, 0],
            Self::Accept { connection } => [2, connection, 0, 0, 0, 0, 0, 0],
            Self::Close { connection, reason } => [3, connection, reason, 0, 0, 0, 0, 0],
            Self::Chunk(Chunk { connection, message, total, offset, len, flags, aux }) => match profile {
                Profile::Superblock => [4, connection, message, total, offset, len, flags.0, aux],
                Profile::Seed => {
                    let word = 4 | ((flags.0 & 0xffff) << 8) | (aux << 32);
                    [word, connection, message, total, len, offset, slot_len, 0]
                }
            },
            Self::Negotiate(offer) => offer.words(OpCode::PROTO_NEGOTIATE, profile),
            Self::Ack(offer) => offer.words(OpCode::PROTO_ACK, profile),
            Self::Credit { connection, limit } => [7, connection, limit, 0, 0, 0, 0, 0],
            Self::Acknowledge { connection, message } => [8, connection, message, 0, 0, 0, 0, 0],
            Self::AskStatistics => [9, 0, 0, 0, 0, 0, 0, 0],
            Self::Statistics(counters) => [
                9,
                1,
                counters.messages_sent,
                counters.bytes_sent,
                counters.messages_received,
                counters.bytes_received,
                counters.calls,
                counters.errors,
            ],
            Self::Tombstone { copy, slot, reason } => [0xFE, copy, slot, reason.0, 0, 0, 0, 0],
            Self::Copy { copy, buffer, len } => Packet::copy(copy, buffer, len).0,
        };
        Packet(words)
    }
}

impl Offer {
    fn words(&self, opcode: OpCode, profile: Profile) -> [u64; WORDS] {
        let (mark, [x, y, z]) = self.salt.map_or((0, [0; 3]), |salt| (MARK, salt));
        let (features, capabilities) = (self.features.to_wire(profile), self.capabilities.to_wire(profile));
        [u64::from(opcode.0), self.version.to_word(), features, capabilities, mark, x, y, z]
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::string::ToString as _;

    use super::*;

    /// Every kind of operation, with numbers that fit both profiles.
    fn all() -> [Operation; 15] {
        let flags = ChunkFlags::BEGIN.union(ChunkFlags::REQUEST);
        let offer = Offer {
            version: Version::V1_0,
            features: Features::LARGE_COPY.union(Features::ENCRYPTION),
            capabilities: Capabilities::LARGE_BUFFERS,
            salt: None,
        };
        [
            Operation::Error { context: 3, code: ErrorCode::INVALID_OP },
            Operation::Create { connection: 7 },
            Operation::Accept { connection: 7 },
            Operation::Close { connection: 7, reason: 2 },
            Operation::Chunk(Chunk {
                connection: 1,
                message: 2,
                total: 9,
                offset: 4,
                len: 5,
                flags,
                aux: 77,
            }),
            Operation::Negotiate(Offer { salt: Some([1, 2, 3]), ..offer }),
            Operation::Negotiate(offer),
            Operation::Ack(offer),
            Operation::Credit { connection: 1, limit: 1 << 40 },
            Operation::Acknowledge { connection: 1, message: 5 },
            Operation::AskStatistics,
            Operation::Statistics(Counters { messages_sent: 1, errors: 2, ..Counters::default() }),
            Operation::Tombstone { copy: 4, slot: 1, reason: ErrorCode::INVALID_OP },
            Operation::Copy { copy: 4, buffer: 1, len: 6 },
            Operation::Copy { copy: u64::MAX, buffer: u64::MAX, len: u64::MAX },
        ]
    }

    #[test]
    fn every_operation_reads_back_in_both_profiles() {
        for profile in [Profile::Superblock, Profile::Seed] {
            for operation in all() {
                let packet = operation.emit(profile, 64);
                assert_eq!(packet.parse(profile), Ok(operation), "{profile}");
                assert_eq!(Packet::from_bytes(&packet.to_bytes()), packet);
            }
        }
    }

    #[test]
    fn a_copy_has_the_bytes_of_the_document() {
        let bytes = Operation::Copy { copy: 1, buffer: 2, len: 6 }.emit(Profile::Superblock, 64).to_bytes();
        assert_eq!((bytes[0], bytes[8], bytes[16], bytes[24]), (0xFF, 1, 2, 6));
        assert_eq!(bytes.iter().filter(|byte| **byte != 0).count(), 4);
    }

    #[test]
    fn chunks_have_the_operand_order_of_their_profile() {
        let chunk =
            Chunk { connection: 1, message: 2, total: 3, offset: 4, len: 5, flags: ChunkFlags(2), aux: 0 };
        let chunk = Operation::Chunk(chunk);
        assert_eq!(chunk.emit(Profile::Superblock, 64).0, [4, 1, 2, 3, 4, 5, 2, 0]);
        assert_eq!(chunk.emit(Profile::Seed, 64).0, [0x204, 1, 2, 3, 5, 4, 64, 0]);
    }

    #[test]
    fn what_nobody_defined_is_named() {
        let unknown = Packet([0x42, 0, 0, 0, 0, 0, 0, 0]).parse(Profile::Superblock);
        assert_eq!(unknown, Err(BadPacket::OpCode(OpCode(0x42))));
        assert_eq!(unknown.unwrap_err().to_string(), "opcode 0x42 is unknown");
        let outside = Packet([4, 1, 1, 100, 65, 0, 64, 0]).parse(Profile::Seed);
        assert_eq!(outside, Err(BadPacket::BufferRange { offset: 0, len: 65, slot_len: 64 }));
    }

    #[test]
    fn upper_bits_of_the_opcode_word_are_ignored() {
        let packet = Packet([0xabcd_ef00_0000_00ff, 1, 0, 6, 0, 0, 0, 0]);
        assert_eq!(packet.parse(Profile::Superblock), Ok(Operation::Copy { copy: 1, buffer: 0, len: 6 }));
    }

    #[test]
    fn a_version_is_major_then_minor() {
        assert_eq!(Version::V1_1.to_word(), 0x0101);
        assert_eq!(Version::V1_0.to_word(), 0x0100);
        assert_eq!(Version::from_word(0xffff_0902), Version { major: 9, minor: 2 });
    }
}
