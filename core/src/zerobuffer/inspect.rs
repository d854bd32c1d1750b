//! What a buffer holds, live or dead, changing nothing.

use super::error::AttachError;
use super::layout::{FRAME_OVERHEAD, FrameHeader, METADATA_PREFIX, OIEB_SIZE, Oieb};
use crate::platform::{Pid, Segment};
use crate::shm::{Span, view};
use crate::sync::Ordering;

/// Every word of an OIEB, as it stood. The words are loaded one after another: of a live buffer they may belong to
/// slightly different moments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Bytes of the segment.
    pub segment_len: usize,
    /// Must be 128; 0 while the reader is creating the buffer.
    pub oieb_size: u32,
    /// Major, minor, patch, reserved.
    pub version: [u8; 4],
    /// Bytes.
    pub metadata_size: u64,
    /// Bytes.
    pub metadata_free_bytes: u64,
    /// Bytes, 8 for the length included; 0 = none.
    pub metadata_written_bytes: u64,
    /// Bytes.
    pub payload_size: u64,
    /// Bytes.
    pub payload_free_bytes: u64,
    /// Bytes into the payload.
    pub payload_write_pos: u64,
    /// Bytes into the payload.
    pub payload_read_pos: u64,
    /// Frames and wrap markers.
    pub payload_written_count: u64,
    /// Frames and wrap markers.
    pub payload_read_count: u64,
    /// 0 = none.
    pub writer_pid: Pid,
    /// 0 = closed.
    pub reader_pid: Pid,
    /// Stay 0.
    pub reserved: [u64; 4],
}

/// A frame or wrap marker found in the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Bytes into the payload.
    pub position: u64,
    /// Data bytes; 0 in a wrap marker.
    pub len: u64,
    /// 0 in a wrap marker.
    pub sequence: u64,
}

impl Snapshot {
    /// Loads every word of `segment`'s OIEB. A read-only mapping will do.
    ///
    /// # Errors
    /// [`AttachError::TooShort`] if there is none. Whatever the words say is reported, not judged.
    pub fn of<S: Segment, E>(segment: &S) -> Result<Self, AttachError<E>> {
        let len = segment.len();
        if segment.backed_len() < OIEB_SIZE as usize {
            return Err(AttachError::TooShort { len: segment.backed_len() });
        }
        let oieb = view::<Oieb, S>(segment, 0).map_err(|_| AttachError::TooShort { len })?;
        // Relaxed, all: a look, nothing is done by it.
        let word = |word: &crate::sync::SharedU64| word.load(Ordering::Relaxed);
        let [a, b, c, d] = &oieb.reserved;
        Ok(Self {
            segment_len: len,
            oieb_size: oieb.oieb_size.load(Ordering::Acquire),
            version: oieb.version.load(Ordering::Relaxed).to_le_bytes(),
            metadata_size: word(&oieb.metadata_size),
            metadata_free_bytes: word(&oieb.metadata_free_bytes),
            metadata_written_bytes: word(&oieb.metadata_written_bytes),
            payload_size: word(&oieb.payload_size),
            payload_free_bytes: word(&oieb.payload_free_bytes),
            payload_write_pos: word(&oieb.payload_write_pos),
            payload_read_pos: word(&oieb.payload_read_pos),
            payload_written_count: word(&oieb.payload_written_count),
            payload_read_count: word(&oieb.payload_read_count),
            writer_pid: Pid(word(&oieb.writer_pid)),
            reader_pid: Pid(word(&oieb.reader_pid)),
            reserved: [word(a), word(b), word(c), word(d)],
        })
    }

    /// The checks that a writer makes before it connects, without connecting.
    ///
    /// # Errors
    /// The first thing wrong.
    pub fn check<S: Segment, E>(segment: &S) -> Result<(), AttachError<E>> {
        super::attach::open_buffer(segment.clone()).map(drop)
    }

    /// Unread frames and wrap markers from the read position on, at most `limit`, and as many as make sense: the walk
    /// stops at the first header that cannot be one.
    pub fn unread<S: Segment>(&self, segment: &S, limit: usize, mut each: impl FnMut(Entry)) {
        let capacity = self.payload_size;
        let payload = u64::from(OIEB_SIZE)
            .checked_add(self.metadata_size)
            .and_then(|offset| usize::try_from(offset).ok())
            .zip(usize::try_from(capacity).ok())
            .and_then(|(offset, len)| Span::new(segment, offset, len).ok());
        let (Some(payload), true) = (payload, segment.backed_len() >= segment.len()) else { return };
        let mut position = self.payload_read_pos;
        let mut left = capacity.saturating_sub(self.payload_free_bytes);
        // Bounded by `limit` and by `left`, which shrinks by at least 1 each time.
        for _ in 0..limit {
            let tail = capacity.saturating_sub(position);
            if tail < FRAME_OVERHEAD {
                left = left.saturating_sub(tail);
                position = 0;
            }
            if left < FRAME_OVERHEAD {
                return;
            }
            let Ok(bytes) = payload.read16(position) else { return };
            let header = FrameHeader::parse(bytes);
            let (len, sequence) = (header.payload_size.get(), header.sequence.get());
            if header == FrameHeader::WRAP_MARKER {
                if position == 0 {
                    return;
                }
                each(Entry { position, len, sequence });
                left = left.saturating_sub(capacity.saturating_sub(position));
                position = 0;
                continue;
            }
            let Some(cost) = len.checked_add(FRAME_OVERHEAD).filter(|cost| *cost <= left) else { return };
            if capacity.saturating_sub(position) < cost {
                return;
            }
            each(Entry { position, len, sequence });
            left = left.saturating_sub(cost);
            position = position.saturating_add(cost);
        }
    }

    /// Copies the metadata into `out`; returns their whole length, or `None` if there are none or they make no sense.
    pub fn metadata<S: Segment>(&self, segment: &S, out: &mut [u8]) -> Option<u64> {
        if self.metadata_written_bytes < METADATA_PREFIX || self.metadata_written_bytes > self.metadata_size {
            return None;
        }
        let size = usize::try_from(self.metadata_size).ok()?;
        let block = Span::new(segment, OIEB_SIZE as usize, size).ok()?;
        if segment.backed_len() < segment.len() {
            return None;
        }
        let mut prefix = [0; 8];
        block.read(0, &mut prefix).ok()?;
        let len = u64::from_le_bytes(prefix);
        if len > self.metadata_written_bytes.saturating_sub(METADATA_PREFIX) {
            return None;
        }
        let shown = usize::try_from(len).ok()?.min(out.len());
        block.read(METADATA_PREFIX, out.get_mut(..shown)?).ok()?;
        Some(len)
    }
}
