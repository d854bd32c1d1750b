//! What the two halves of a ring share: its memory, and the rules that both keep.
//!
//! `producer` writes, `consumer` reads; neither waits or posts. That is done above them, in `halves`, always after the
//! stores made here.
//!
//! The order of a commit is the order in which a crash is harmless:
//! 1. the frame's data, in free space;
//! 2. `payload_free_bytes`: a crash after it leaks the frame's bytes until the reader cleans up, instead of letting a
//!    later writer run over unread ones; and it shows, because the free bytes no longer agree with the positions;
//! 3. header and wrap marker;
//! 4. `payload_read_pos`, only when an empty ring is started over;
//! 5. `payload_write_pos`: from here on the frame can be recovered;
//! 6. the count, then the permit.
//!
//! `payload_read_pos` says how far space was *returned*, not how far frames were claimed: so, between operations,
//! `payload_size - payload_free_bytes` is the distance from it to `payload_write_pos`, and a writer that finds the two
//! to differ knows that its predecessor died in between.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

pub use super::consumer::Claimed;
pub(super) use super::consumer::{Consumer, NoFrame};
use super::error::Corrupt;
use super::layout::{Geometry, Oieb};
pub(super) use super::producer::{NoRoom, Producer, Room};
pub(super) use super::state::State;
use crate::platform::Segment;
use crate::shm::view::Headed;
use crate::shm::{Span, ViewError};
use crate::sync::Ordering;

/// The shared memory of one ring: the same words and the same bytes at every call.
pub(super) trait RingMemory {
    fn oieb(&self) -> &Oieb;
    fn payload(&self) -> Span<'_>;
    /// Bytes of the payload ring.
    fn capacity(&self) -> u64;
}

/// A checked ZeroBuffer segment.
#[derive(Clone, Debug)]
pub(super) struct Buffer<S> {
    headed: Headed<S, Oieb>,
    geometry: Geometry,
}

impl<S: Segment> Buffer<S> {
    /// `segment` with blocks of `geometry`, which must have been checked against the segment's length.
    pub(super) fn new(segment: S, geometry: Geometry) -> Result<Self, ViewError> {
        Ok(Self { headed: Headed::new(segment)?, geometry })
    }

    pub(super) fn segment(&self) -> &S {
        self.headed.segment()
    }

    pub(super) fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn block(&self, offset: u64, len: u64) -> Span<'_> {
        let block = usize::try_from(offset)
            .ok()
            .zip(usize::try_from(len).ok())
            .and_then(|(offset, len)| Span::new(self.segment(), offset, len).ok());
        // The geometry was checked against the segment's unchanging length, so there is always a block.
        block.unwrap_or_else(Span::empty)
    }

    pub(super) fn metadata(&self) -> Span<'_> {
        self.block(self.geometry.metadata_offset(), self.geometry.metadata_size)
    }
}

impl<S: Segment> RingMemory for Buffer<S> {
    fn oieb(&self) -> &Oieb {
        self.headed.head()
    }

    fn payload(&self) -> Span<'_> {
        self.block(self.geometry.payload_offset(), self.geometry.payload_size)
    }

    fn capacity(&self) -> u64 {
        self.geometry.payload_size
    }
}

/// What an endpoint has moved so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Frames committed or claimed.
    pub frames: u64,
    /// Data bytes in them, without headers.
    pub bytes: u64,
    /// Times the ring went back to its start before its end was used up.
    pub wraps: u64,
    /// Times an empty ring was started over because a frame fitted nowhere else.
    pub rewinds: u64,
    /// Most bytes of the ring in use at once, as far as this end saw.
    pub high_water_mark: u64,
    /// Times this end had to wait for the other.
    pub waits: u64,
    /// Of those, times it slept instead of spinning.
    pub sleeps: u64,
    /// Frames found after their writer died or stalled before announcing them.
    pub recovered: u64,
}

pub(super) fn corrupt(field: &'static str, found: u64, limit: u64) -> Corrupt {
    Corrupt { field, found, limit }
}

/// Any access outside the payload block; positions are checked, so only a wrong position leads here.
pub(super) fn outside(position: u64, capacity: u64) -> Corrupt {
    corrupt("frame position", position, capacity)
}

/// Gives the oldest `bytes` of ring that were not returned back to the writer. The caller posts next, and no other thread
/// returns space meanwhile.
pub(super) fn return_space<M: RingMemory>(memory: &M, bytes: u64) -> Result<(), Corrupt> {
    let capacity = memory.capacity();
    let oieb = memory.oieb();
    // Relaxed: only this end stores it while frames are unreturned.
    let from = oieb.payload_read_pos.load(Ordering::Relaxed);
    let to = from.saturating_add(bytes);
    let to = if to > capacity { to.saturating_sub(capacity) } else { to };
    if from > capacity || to > capacity {
        return Err(corrupt("payload_read_pos", from, capacity));
    }
    // The end rather than the start: a Python writer takes a read position of 0 as "the start is not free".
    // Relaxed: the Release add that follows orders it.
    oieb.payload_read_pos.store(to, Ordering::Relaxed);
    // Release: our reads of those bytes, and the read position, come before. Pairs with the Acquire load in
    // `try_reserve` and the Acquire subtraction in `commit`.
    let before = oieb.payload_free_bytes.fetch_add(bytes, Ordering::Release);
    match before.checked_add(bytes) {
        Some(after) if after <= capacity => Ok(()),
        _ => Err(corrupt("payload_free_bytes", before, capacity.saturating_sub(bytes))),
    }
}
