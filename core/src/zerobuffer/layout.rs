//! Which byte of a ZeroBuffer v1 segment means what.

use zerocopy::little_endian::U64;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::error::{AttachError, Corrupt, CreateError};
use crate::layout::assert_layout;
use crate::platform::Pid;
use crate::sync::{Ordering, SharedU32, SharedU64};

/// Bytes of the OIEB, and the value of its first word.
pub const OIEB_SIZE: u32 = 128;
/// Version 1.0.0 as it stands at offset 4: major, minor, patch, reserved.
pub const VERSION: [u8; 4] = [1, 0, 0, 0];
/// Blocks start and end at multiples of this many bytes.
pub const BLOCK_ALIGN: u64 = 64;
/// Bytes of ring that a frame costs beside its data.
pub const FRAME_OVERHEAD: u64 = 16;
/// Bytes in front of metadata: its length.
pub const METADATA_PREFIX: u64 = 8;
/// What stands in `writer_pid` after a writer that gave up: no process has this number (Linux has none above 4194304), and
/// an implementation that narrows it to a signed 32-bit number finds it positive. So every reader takes it for a death.
pub const ABORTED: Pid = Pid(0x7fff_ffff);
/// Largest metadata or payload block, 1 TiB: more is a mistake in the caller's numbers.
pub const MAX_BLOCK: u64 = 1 << 40;

/// Operation info exchange block: the control words at offset 0 of a segment.
///
/// ```text
/// 0x00 oieb_size u32 = 128 | version [u8; 4]   0x30 payload_write_pos     u64  bytes into the payload, 0..=P
/// 0x08 metadata_size          u64  bytes       0x38 payload_read_pos      u64  bytes into the payload, 0..=P
/// 0x10 metadata_free_bytes    u64  bytes       0x40 payload_written_count u64  frames + wrap markers
/// 0x18 metadata_written_bytes u64  bytes       0x48 payload_read_count    u64  frames + wrap markers
/// 0x20 payload_size           u64  bytes (P)   0x50 writer_pid            u64  0 = none
/// 0x28 payload_free_bytes     u64  bytes       0x58 reader_pid            u64  0 = closed
///                                              0x60 reserved              32 bytes, stay zero
/// ```
///
/// 128 bytes, little-endian. Source: zerobuffer@5d3e0c4 `PROTOCOL.md`, "OIEB Structure".
#[derive(Debug)]
#[repr(C)]
pub struct Oieb {
    /// Stored last at creation (Release): a writer that sees 128 sees everything else.
    pub(super) oieb_size: SharedU32,
    pub(super) version: SharedU32,
    pub(super) metadata_size: SharedU64,
    pub(super) metadata_free_bytes: SharedU64,
    /// 0 = no metadata yet, else 8 + its length. Stored by the writer after the bytes.
    pub(super) metadata_written_bytes: SharedU64,
    pub(super) payload_size: SharedU64,
    /// Bytes free in the ring. Subtracted by the writer, added to by the reader: always `fetch_*`, never `store`.
    pub(super) payload_free_bytes: SharedU64,
    /// Where the writer puts its next frame. Only the writer stores it, apart from a reader that cleans up after it.
    pub(super) payload_write_pos: SharedU64,
    /// Where the reader finds its next frame. Only the reader stores it, except when the writer rewinds an empty ring.
    pub(super) payload_read_pos: SharedU64,
    pub(super) payload_written_count: SharedU64,
    pub(super) payload_read_count: SharedU64,
    pub(super) writer_pid: SharedU64,
    pub(super) reader_pid: SharedU64,
    pub(super) reserved: [SharedU64; 4],
}

assert_layout!(Oieb: 128 bytes, aligned to 8 {
    0x00: 4 oieb_size,
    0x04: 4 version,
    0x08: 8 metadata_size,
    0x10: 8 metadata_free_bytes,
    0x18: 8 metadata_written_bytes,
    0x20: 8 payload_size,
    0x28: 8 payload_free_bytes,
    0x30: 8 payload_write_pos,
    0x38: 8 payload_read_pos,
    0x40: 8 payload_written_count,
    0x48: 8 payload_read_count,
    0x50: 8 writer_pid,
    0x58: 8 reader_pid,
    0x60: 32 reserved,
});

impl Oieb {
    /// An OIEB of its own, as a reader initialises it, but with `oieb_size` already stored.
    #[cfg(test)]
    pub(super) fn initialized(geometry: Geometry, reader_pid: u64) -> Self {
        let zero = || SharedU64::new(0);
        let oieb = Self {
            oieb_size: SharedU32::new(0),
            version: SharedU32::new(0),
            metadata_size: zero(),
            metadata_free_bytes: zero(),
            metadata_written_bytes: zero(),
            payload_size: zero(),
            payload_free_bytes: zero(),
            payload_write_pos: zero(),
            payload_read_pos: zero(),
            payload_written_count: zero(),
            payload_read_count: zero(),
            writer_pid: zero(),
            reader_pid: zero(),
            reserved: [zero(), zero(), zero(), zero()],
        };
        oieb.initialize(geometry, reader_pid);
        oieb
    }

    /// Whether every word is zero, as [`initialize`](Self::initialize) needs it; the first that is not.
    pub(crate) fn check_blank(&self) -> Result<(), Corrupt> {
        // Relaxed, all: the caller has the memory to itself.
        let half = |word: &SharedU32| u64::from(word.load(Ordering::Relaxed));
        let whole = |word: &SharedU64| word.load(Ordering::Relaxed);
        let [a, b, c, d] = &self.reserved;
        let words = [
            ("oieb_size", half(&self.oieb_size)),
            ("version", half(&self.version)),
            ("metadata_size", whole(&self.metadata_size)),
            ("metadata_free_bytes", whole(&self.metadata_free_bytes)),
            ("metadata_written_bytes", whole(&self.metadata_written_bytes)),
            ("payload_size", whole(&self.payload_size)),
            ("payload_free_bytes", whole(&self.payload_free_bytes)),
            ("payload_write_pos", whole(&self.payload_write_pos)),
            ("payload_read_pos", whole(&self.payload_read_pos)),
            ("payload_written_count", whole(&self.payload_written_count)),
            ("payload_read_count", whole(&self.payload_read_count)),
            ("writer_pid", whole(&self.writer_pid)),
            ("reader_pid", whole(&self.reader_pid)),
            ("reserved", whole(a) | whole(b) | whole(c) | whole(d)),
        ];
        match words.into_iter().find(|(_, found)| *found != 0) {
            Some((field, found)) => Err(Corrupt { field, found, limit: 0 }),
            None => Ok(()),
        }
    }

    /// Fills in a zeroed OIEB. The size goes last: whoever sees it sees the rest, and the semaphores exist by then.
    pub(super) fn initialize(&self, geometry: Geometry, reader_pid: u64) {
        // Relaxed: nobody trusts these before `oieb_size`, stored with Release below.
        self.version.store(u32::from_le_bytes(VERSION), Ordering::Relaxed);
        self.metadata_size.store(geometry.metadata_size, Ordering::Relaxed);
        self.metadata_free_bytes.store(geometry.metadata_size, Ordering::Relaxed);
        self.payload_size.store(geometry.payload_size, Ordering::Relaxed);
        self.payload_free_bytes.store(geometry.payload_size, Ordering::Relaxed);
        self.reader_pid.store(reader_pid, Ordering::Relaxed);
        // Pairs with the Acquire load in `geometry`.
        self.oieb_size.store(OIEB_SIZE, Ordering::Release);
    }

    /// Checks size, version and block sizes against a segment of `segment_len` bytes.
    ///
    /// # Errors
    /// [`AttachError::NotReady`] while the size is still 0; [`AttachError::WrongOiebSize`],
    /// [`AttachError::WrongVersion`], [`AttachError::BadGeometry`] with the numbers found.
    pub(crate) fn geometry<E>(&self, segment_len: usize) -> Result<Geometry, AttachError<E>> {
        // Pairs with the Release store in `initialize`.
        match self.oieb_size.load(Ordering::Acquire) {
            0 => return Err(AttachError::NotReady { len: segment_len }),
            OIEB_SIZE => {}
            found => return Err(AttachError::WrongOiebSize { found }),
        }
        // Relaxed, here and below: written before `oieb_size`, never again.
        let [major, minor, patch, _] = self.version.load(Ordering::Relaxed).to_le_bytes();
        if major != VERSION[0] {
            return Err(AttachError::WrongVersion { major, minor, patch });
        }
        let metadata_size = self.metadata_size.load(Ordering::Relaxed);
        let payload_size = self.payload_size.load(Ordering::Relaxed);
        let bad = AttachError::BadGeometry { metadata_size, payload_size, segment_len };
        let geometry = Geometry { metadata_size, payload_size };
        let aligned = metadata_size.is_multiple_of(BLOCK_ALIGN) && payload_size.is_multiple_of(BLOCK_ALIGN);
        if !aligned || payload_size == 0 || metadata_size > MAX_BLOCK || payload_size > MAX_BLOCK {
            return Err(bad);
        }
        match geometry.segment_len() {
            Some(needed) if needed <= segment_len => Ok(geometry),
            _ => Err(bad),
        }
    }
}

/// Block sizes, both multiples of 64 bytes. Read from shared memory once, at attach, and never again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Metadata block, bytes.
    pub metadata_size: u64,
    /// Payload ring, bytes.
    pub payload_size: u64,
}

impl Geometry {
    /// Bytes of the whole segment; `None` beyond this machine's address space.
    pub fn segment_len(self) -> Option<usize> {
        let total = u64::from(OIEB_SIZE).checked_add(self.metadata_size)?.checked_add(self.payload_size)?;
        usize::try_from(total).ok()
    }

    /// Offset of the metadata block, bytes.
    pub const fn metadata_offset(self) -> u64 {
        OIEB_SIZE as u64
    }

    /// Offset of the payload ring, bytes.
    #[inline]
    pub const fn payload_offset(self) -> u64 {
        OIEB_SIZE as u64 + self.metadata_size
    }

    /// Most data bytes in one frame.
    #[inline]
    pub const fn max_frame_len(self) -> u64 {
        self.payload_size.saturating_sub(FRAME_OVERHEAD)
    }
}

/// Sizes a reader asks for, before rounding up to multiples of 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Metadata block, bytes, including 8 for its length; 0 = no metadata.
    pub metadata_capacity: u64,
    /// Payload ring, bytes, including 16 per frame.
    pub payload_capacity: u64,
}

impl Default for Config {
    /// 4096 bytes of metadata and 256 MiB of payload: the defaults all implementations share.
    fn default() -> Self {
        Self { metadata_capacity: 4096, payload_capacity: 256 << 20 }
    }
}

impl Config {
    /// Rounds both sizes up to multiples of 64 and checks them.
    ///
    /// # Errors
    /// [`CreateError::PayloadTooSmall`] below 17 bytes (a header and one byte), [`CreateError::TooLarge`] above 1 TiB
    /// or this machine's address space.
    pub fn geometry<E>(self) -> Result<Geometry, CreateError<E>> {
        if self.payload_capacity <= FRAME_OVERHEAD {
            return Err(CreateError::PayloadTooSmall { capacity: self.payload_capacity });
        }
        let too_large = || CreateError::TooLarge {
            metadata_capacity: self.metadata_capacity,
            payload_capacity: self.payload_capacity,
        };
        if self.metadata_capacity > MAX_BLOCK || self.payload_capacity > MAX_BLOCK {
            return Err(too_large());
        }
        let geometry = Geometry {
            metadata_size: self.metadata_capacity.next_multiple_of(BLOCK_ALIGN),
            payload_size: self.payload_capacity.next_multiple_of(BLOCK_ALIGN),
        };
        match geometry.segment_len() {
            Some(len) if isize::try_from(len).is_ok() => Ok(geometry),
            _ => Err(too_large()),
        }
    }
}

/// The 16 bytes in front of a frame's data, at any byte offset of the ring. All zero: the wrap marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct FrameHeader {
    /// Data bytes that follow.
    pub payload_size: U64,
    /// 1, 2, 3 … per writer; 0 only in the wrap marker.
    pub sequence: U64,
}

assert_layout!(FrameHeader: 16 bytes, aligned to 1 {
    0: 8 payload_size,
    8: 8 sequence,
});

impl FrameHeader {
    /// "The rest of the ring is unused, go on at its start."
    pub const WRAP_MARKER: Self = Self { payload_size: U64::ZERO, sequence: U64::ZERO };

    /// The header of a frame.
    #[inline]
    pub const fn new(payload_size: u64, sequence: u64) -> Self {
        Self { payload_size: U64::new(payload_size), sequence: U64::new(sequence) }
    }

    /// The header as it stands in the ring.
    #[inline]
    pub fn emit(self) -> [u8; 16] {
        zerocopy::transmute!(self)
    }

    /// The header that these bytes are; any bytes are one.
    #[inline]
    pub fn parse(bytes: [u8; 16]) -> Self {
        zerocopy::transmute!(bytes)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_up_to_64_and_refused_at_the_ends() {
        let geometry = |metadata_capacity, payload_capacity| {
            Config { metadata_capacity, payload_capacity }.geometry::<()>()
        };
        assert_eq!(geometry(1, 17), Ok(Geometry { metadata_size: 64, payload_size: 64 }));
        assert_eq!(geometry(0, 10_000).map(|g| g.payload_size), Ok(10_048));
        assert!(matches!(geometry(0, 16), Err(CreateError::PayloadTooSmall { capacity: 16 })));
        assert!(matches!(geometry(0, 0), Err(CreateError::PayloadTooSmall { capacity: 0 })));
        assert!(matches!(geometry(u64::MAX, 64), Err(CreateError::TooLarge { .. })));
        assert!(matches!(geometry(64, u64::MAX - 63), Err(CreateError::TooLarge { .. })));
    }

    #[test]
    fn sizes_beyond_32_bits_never_wrap() {
        const GIB: u64 = 1 << 30;
        // In 32 bits the last three would be 128, 192 and 256 bytes.
        for (metadata_size, payload_size) in
            [(0, 2 * GIB), (2 * GIB - 192, 64), (2 * GIB, 2 * GIB), (0, 4 * GIB + 64), (64, 4 * GIB + 64)]
        {
            let config = Config { metadata_capacity: metadata_size, payload_capacity: payload_size };
            let Config { metadata_capacity, payload_capacity } = config;
            let expected = match usize::BITS {
                64 => Ok(Geometry { metadata_size, payload_size }),
                _ => Err(CreateError::TooLarge { metadata_capacity, payload_capacity }),
            };
            assert_eq!(config.geometry::<()>(), expected);

            let oieb = Oieb::initialized(Geometry { metadata_size, payload_size }, 1);
            assert!(matches!(oieb.geometry::<()>(256), Err(AttachError::BadGeometry { .. })), "{config:?}");
        }
    }

    #[test]
    fn a_header_is_two_little_endian_words() {
        let header = FrameHeader::new(0x64, 2);
        assert_eq!(header.emit(), [0x64, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(FrameHeader::parse(header.emit()), header);
        assert_eq!(FrameHeader::parse([0; 16]), FrameHeader::WRAP_MARKER);
    }

    #[test]
    fn attach_refuses_wrong_size_version_and_geometry_with_the_numbers() {
        let geometry = Geometry { metadata_size: 64, payload_size: 256 };
        let oieb = Oieb::initialized(geometry, 1);
        assert_eq!(oieb.geometry::<()>(448), Ok(geometry));
        assert!(matches!(oieb.geometry::<()>(447), Err(AttachError::BadGeometry { segment_len: 447, .. })));

        oieb.payload_size.store(250, Ordering::Relaxed);
        assert!(matches!(oieb.geometry::<()>(448), Err(AttachError::BadGeometry { payload_size: 250, .. })));
        oieb.payload_size.store(0u64.wrapping_sub(64), Ordering::Relaxed);
        assert!(matches!(oieb.geometry::<()>(448), Err(AttachError::BadGeometry { .. })));
        oieb.version.store(2, Ordering::Relaxed);
        assert!(matches!(oieb.geometry::<()>(448), Err(AttachError::WrongVersion { major: 2, .. })));
        oieb.oieb_size.store(129, Ordering::Relaxed);
        assert!(matches!(oieb.geometry::<()>(448), Err(AttachError::WrongOiebSize { found: 129 })));
        oieb.oieb_size.store(0, Ordering::Relaxed);
        assert!(matches!(oieb.geometry::<()>(448), Err(AttachError::NotReady { .. })));
    }
}
