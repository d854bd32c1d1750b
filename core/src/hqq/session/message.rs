//! What a message is called, what kind it is, and which flags say so on a chunk.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use core::fmt;

use super::fault::ChunkFault;
use crate::hqq::packet::Chunk;
use crate::hqq::{Capabilities, ChunkFlags, Features};

/// Number of a logical connection. 0 always exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

impl ConnectionId {
    /// The connection that needs not be created.
    pub const IMPLICIT: Self = Self(0);
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Whether a message stands alone or belongs to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Stands alone.
    Message,
    /// Asks.
    Request,
    /// Answers; its number is the request's.
    Response,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Message => "message",
            Self::Request => "request",
            Self::Response => "response",
        })
    }
}

/// What identifies a message in one direction of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MessageKey {
    /// Connection that carries it.
    pub connection: ConnectionId,
    /// Its number; a response has its request's.
    pub message: u64,
    /// Its kind.
    pub kind: Kind,
}

impl fmt::Display for MessageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} of connection {}", self.kind, self.message, self.connection)
    }
}

/// What to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A message that stands alone.
    Message,
    /// A request. Its response has the number that [`begin`](super::Session::begin) gives it.
    Request,
    /// The response to a request.
    Response {
        /// The request's number.
        to: u64,
    },
    /// The response that says what failed.
    ErrorResponse {
        /// The request's number.
        to: u64,
    },
}

impl What {
    pub(super) const fn kind(self) -> Kind {
        match self {
            Self::Message => Kind::Message,
            Self::Request => Kind::Request,
            Self::Response { .. } | Self::ErrorResponse { .. } => Kind::Response,
        }
    }
}

/// A message to send: all but its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// What it is.
    pub what: What,
    /// Method of a request, status of a response; at most 2³² − 1 in the seed profile.
    pub aux: u64,
    /// Its length in bytes, as sent.
    pub total: u64,
    /// Its class, 0 to 3; 3 is the most urgent.
    pub priority: u8,
    /// Whether its bytes are compressed.
    pub compressed: bool,
}

impl Outgoing {
    /// A plain message of `total` bytes, of class 0.
    pub const fn new(what: What, total: u64) -> Self {
        Self { what, aux: 0, total, priority: 0, compressed: false }
    }
}

/// Lowest bit of [`ChunkFlags::PRIORITY`].
const PRIORITY_SHIFT: u32 = 8;
/// Priority classes, 0 to 3.
pub(super) const CLASSES: usize = 4;

/// The flags that may come once `features` and `capabilities` are agreed.
pub(super) const fn allowed_flags(features: Features, capabilities: Capabilities) -> ChunkFlags {
    let mut flags = ChunkFlags::BEGIN.union(ChunkFlags::END).union(ChunkFlags::ABORT);
    if features.contains(Features::REQUEST_RESPONSE) {
        flags = flags.union(ChunkFlags::REQUEST).union(ChunkFlags::RESPONSE).union(ChunkFlags::ERROR);
    }
    if features.contains(Features::COMPRESSION) {
        flags = flags.union(ChunkFlags::COMPRESSED);
    }
    if features.contains(Features::QOS) {
        flags = flags.union(ChunkFlags::PRIORITY);
    }
    if capabilities.contains(Capabilities::RELIABLE_DELIVERY) {
        flags = flags.union(ChunkFlags::REDELIVERED);
    }
    flags
}

/// What the flags of all chunks of a message say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) kind: Kind,
    /// A response that says what failed.
    pub(super) failed: bool,
    pub(super) compressed: bool,
    pub(super) redelivered: bool,
    pub(super) priority: u8,
}

impl Marks {
    pub(super) fn flags(&self) -> ChunkFlags {
        let set = |on: bool, flag: ChunkFlags| if on { flag } else { ChunkFlags(0) };
        set(self.kind == Kind::Request, ChunkFlags::REQUEST)
            .union(set(self.kind == Kind::Response, ChunkFlags::RESPONSE))
            .union(set(self.failed, ChunkFlags::ERROR))
            .union(set(self.compressed, ChunkFlags::COMPRESSED))
            .union(set(self.redelivered, ChunkFlags::REDELIVERED))
            .union(ChunkFlags(u64::from(self.priority) << PRIORITY_SHIFT).intersection(ChunkFlags::PRIORITY))
    }
}

/// What a chunk's flags say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) marks: Marks,
    pub(super) first: bool,
    pub(super) last: bool,
    pub(super) abort: bool,
}

impl Header {
    /// Reads the flags of `chunk`; in a `plain` dialect there are none, and its place says what it is.
    pub(super) fn parse(chunk: &Chunk, allowed: ChunkFlags, plain: bool) -> Result<Self, ChunkFault> {
        let flags = chunk.flags;
        let has = |flag| flags.contains(flag);
        let excluded = has(ChunkFlags::REQUEST.union(ChunkFlags::RESPONSE))
            || has(ChunkFlags::ERROR) && !has(ChunkFlags::RESPONSE);
        if flags.0 & !allowed.0 != 0 || excluded {
            return Err(ChunkFault::Flags { flags: flags.0, allowed: allowed.0 });
        }
        let kind = match (has(ChunkFlags::REQUEST), has(ChunkFlags::RESPONSE)) {
            (true, _) => Kind::Request,
            (_, true) => Kind::Response,
            _ => Kind::Message,
        };
        let class = flags.intersection(ChunkFlags::PRIORITY).0 >> PRIORITY_SHIFT;
        let marks = Marks {
            kind,
            failed: has(ChunkFlags::ERROR),
            compressed: has(ChunkFlags::COMPRESSED),
            redelivered: has(ChunkFlags::REDELIVERED),
            priority: u8::try_from(class).unwrap_or(u8::MAX),
        };
        if plain && flags.0 == 0 {
            let last = chunk.offset.checked_add(chunk.len) == Some(chunk.total);
            return Ok(Self { marks, first: chunk.offset == 0, last, abort: false });
        }
        let (first, last) = (has(ChunkFlags::BEGIN), has(ChunkFlags::END));
        Ok(Self { marks, first, last, abort: has(ChunkFlags::ABORT) })
    }

    /// Checks what can be checked without knowing what came before.
    pub(super) fn check(&self, chunk: &Chunk) -> Result<(), ChunkFault> {
        let Chunk { message, total, offset, len, aux, .. } = *chunk;
        if message == 0 {
            return Err(ChunkFault::MessageZero);
        }
        let range = ChunkFault::Range { offset, len, total };
        let end = offset.checked_add(len).filter(|end| *end <= total).ok_or(range)?;
        if self.abort {
            return if total == 0 { Ok(()) } else { Err(range) };
        }
        if len == 0 && total != 0 {
            return Err(range);
        }
        if self.first != (offset == 0) || self.last != (end == total) {
            return Err(ChunkFault::Ends { flags: chunk.flags.0, offset, len, total });
        }
        if aux != 0 && offset != 0 {
            return Err(ChunkFault::Aux { aux, offset });
        }
        Ok(())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn marks_read_back_from_their_flags() {
        let allowed = allowed_flags(Features::ALL, Capabilities::ALL);
        for (kind, failed) in
            [(Kind::Message, false), (Kind::Request, false), (Kind::Response, false), (Kind::Response, true)]
        {
            for priority in 0..4 {
                for (compressed, redelivered) in [(false, true), (true, false)] {
                    let marks = Marks { kind, failed, compressed, redelivered, priority };
                    let flags = marks.flags().union(ChunkFlags::BEGIN);
                    let chunk =
                        Chunk { connection: 0, message: 1, total: 9, offset: 0, len: 4, flags, aux: 0 };
                    let header = Header::parse(&chunk, allowed, false).unwrap();
                    assert_eq!(header, Header { marks, first: true, last: false, abort: false });
                    header.check(&chunk).unwrap();
                }
            }
        }
    }

    #[test]
    fn flags_that_were_not_agreed_are_refused() {
        let allowed = allowed_flags(Features::KNOWN_TO_ALL, Capabilities::KNOWN_TO_ALL);
        assert_eq!(allowed, ChunkFlags::KNOWN_TO_ALL);
        for flags in [64, 128, 256, 512, 1 << 20, 8 | 16, 32, 32 | 8] {
            let flags = ChunkFlags(flags);
            let chunk = Chunk { connection: 0, message: 1, total: 0, offset: 0, len: 0, flags, aux: 0 };
            let refused = ChunkFault::Flags { flags: flags.0, allowed: 63 };
            assert_eq!(Header::parse(&chunk, allowed, false), Err(refused));
        }
    }

    #[test]
    fn without_flags_the_place_says_what_a_chunk_is() {
        let chunk =
            Chunk { connection: 0, message: 1, total: 9, offset: 4, len: 5, flags: ChunkFlags(0), aux: 0 };
        let header = Header::parse(&chunk, ChunkFlags::KNOWN_TO_ALL, true).unwrap();
        assert_eq!((header.first, header.last), (false, true));
        assert!(Header::parse(&chunk, ChunkFlags::KNOWN_TO_ALL, false).unwrap().check(&chunk).is_err());
    }
}
