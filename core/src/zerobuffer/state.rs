//! Whether positions and free bytes agree, and what was written last: what a writer learns from its predecessor.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::cursor;
use super::error::Corrupt;
use super::layout::{FRAME_OVERHEAD, FrameHeader};
use super::ring::{RingMemory, corrupt};
use crate::sync::Ordering;

/// Positions and free bytes as they stand, each within its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) capacity: u64,
    pub(super) free: u64,
    pub(super) read_pos: u64,
    pub(super) write_pos: u64,
}

/// The frame that a walk over headers ended with.
#[derive(Clone, Copy, Debug)]
struct Last {
    sequence: u64,
    /// Whether it ends at the write position, and not at a marker that has given up the rest.
    at_end: bool,
}

impl State {
    pub(super) fn of<M: RingMemory>(memory: &M) -> Result<Self, Corrupt> {
        let capacity = memory.capacity();
        let oieb = memory.oieb();
        let within =
            |field, found| if found > capacity { Err(corrupt(field, found, capacity)) } else { Ok(found) };
        // Acquire, all: what a previous writer stored before it let go, and what the reader had finished reading.
        Ok(Self {
            capacity,
            free: within("payload_free_bytes", oieb.payload_free_bytes.load(Ordering::Acquire))?,
            read_pos: within("payload_read_pos", oieb.payload_read_pos.load(Ordering::Acquire))?,
            write_pos: within("payload_write_pos", oieb.payload_write_pos.load(Ordering::Acquire))?,
        })
    }

    fn used(self) -> u64 {
        self.capacity.saturating_sub(self.free)
    }

    /// Bytes from the read to the write position; 0 for an empty and for a full ring.
    fn distance(self) -> u64 {
        let behind = if self.write_pos < self.read_pos { self.capacity } else { 0 };
        let distance = self.write_pos.saturating_add(behind).saturating_sub(self.read_pos);
        if distance == self.capacity { 0 } else { distance }
    }

    /// Whether free bytes and positions agree. With a Strait reader they do, except within an operation and after a
    /// writer that died in a commit.
    pub(super) fn is_settled(self) -> bool {
        let is_full = self.distance() == 0 && self.used() == self.capacity;
        is_full || self.used() == self.distance()
    }

    /// Where the frame ends with which a dead writer was starting an empty ring over, if it got as far as storing the
    /// read position: everything but the write position is there.
    pub(super) fn unfinished_rewind<M: RingMemory>(self, memory: &M) -> Option<u64> {
        // Were they unread frames, the first would not reach beyond the write position, however many more are held.
        if self.read_pos != 0 || self.distance() == 0 || self.used() == self.distance() {
            return None;
        }
        let header = FrameHeader::parse(memory.payload().read16(0).ok()?);
        let end = cursor::frame_cost(self.capacity, header.payload_size.get())?;
        (header.sequence.get() != 0 && end == self.used()).then_some(end)
    }

    /// The number of the last frame written: found among the unread frames, or, all being read, in the current lap, which
    /// starts at 0. Existing readers refuse a replacement writer that starts again at 1. A frame that is filled over the
    /// lap's start leaves a header there that takes the place of the lap's (`Producer::keep_number`).
    pub(super) fn last_sequence<M: RingMemory>(self, memory: &M) -> Option<u64> {
        let write_pos = if self.write_pos == 0 { self.capacity } else { self.write_pos };
        let has_unread = self.used() > 0 && self.distance() > 0;
        let unread = if has_unread { self.walk(memory, self.read_pos, write_pos) } else { None };
        match unread.or_else(|| self.walk(memory, 0, write_pos)) {
            Some(Last { sequence, at_end: true }) => Some(sequence),
            last => self.before_torn(memory).or_else(|| last.map(|last| last.sequence)),
        }
    }

    /// The number before that of a frame at the start whose writer died between its header and the write position: its
    /// bytes are taken, and no reader that is not Strait ever returns them.
    fn before_torn<M: RingMemory>(self, memory: &M) -> Option<u64> {
        if self.distance() > 0 {
            return None;
        }
        let header = FrameHeader::parse(memory.payload().read16(0).ok()?);
        let cost = cursor::frame_cost(self.capacity, header.payload_size.get())?;
        let wrapped = cost.checked_add(self.capacity.checked_sub(self.write_pos)?)?;
        // With the tail that a wrap gives up, or from an empty ring started over.
        let is_torn = self.used() == cost || self.used() == wrapped;
        header.sequence.get().checked_sub(1).filter(|_| is_torn)
    }

    /// Follows the headers from `position` to exactly `end`, over a wrap if `end` comes first.
    fn walk<M: RingMemory>(self, memory: &M, mut position: u64, end: u64) -> Option<Last> {
        let mut last = None;
        let found = |last: Option<u64>, at_end| last.map(|sequence| Last { sequence, at_end });
        let mut wrapped = false;
        // Bounded: each step moves at least 16 bytes on, and there is one wrap at most.
        loop {
            if position == end {
                return found(last, true);
            }
            let tail = self.capacity.checked_sub(position)?;
            let header = match tail {
                0..FRAME_OVERHEAD => FrameHeader::WRAP_MARKER,
                _ => FrameHeader::parse(memory.payload().read16(position).ok()?),
            };
            if header == FrameHeader::WRAP_MARKER {
                if end == self.capacity || wrapped {
                    return found(last, false);
                }
                wrapped = true;
                position = 0;
                continue;
            }
            let sequence = header.sequence.get();
            if sequence == 0 || last.is_some_and(|last: u64| last.checked_add(1) != Some(sequence)) {
                return None;
            }
            let cost = cursor::frame_cost(self.capacity, header.payload_size.get())?;
            let next = position.checked_add(cost).filter(|next| *next <= self.capacity)?;
            if position < end && next > end {
                return None;
            }
            position = next;
            last = Some(sequence);
        }
    }
}
