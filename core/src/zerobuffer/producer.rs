//! The writing half of the ring: room for a frame, and the order of the stores that publish it.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::cursor::{self, Need, Placement};
use super::error::Corrupt;
use super::layout::{FRAME_OVERHEAD, FrameHeader};
use super::ring::{Counters, RingMemory, corrupt, outside};
use super::state::State;
use crate::sync::Ordering;

/// Room for one frame, not yet visible to anybody.
#[derive(Debug)]
pub(super) struct Room {
    /// Where the header goes, bytes into the payload.
    pub(super) position: u64,
    /// Data bytes.
    pub(super) len: u64,
    need: Need,
}

impl Room {
    /// Data bytes.
    #[expect(clippy::cast_possible_truncation, reason = "a frame lies inside a mapping")]
    pub(super) fn len(&self) -> usize {
        self.len as usize
    }
}

/// Why there is no room.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoRoom {
    TooLarge { max: u64 },
    Full { needed: u64, free: u64 },
    Corrupt(Corrupt),
}

/// The writing half. Keeps private copies of everything that only it stores.
#[derive(Debug)]
pub(super) struct Producer<M> {
    pub(super) memory: M,
    capacity: u64,
    write_pos: u64,
    next_sequence: u64,
    written_count: u64,
    /// Bytes that were free when last seen, less what was taken since: the reader only ever adds.
    free: u64,
    pub(super) counters: Counters,
}

impl<M: RingMemory> Producer<M> {
    /// The writing half of a ring whose previous writer, if any, is gone.
    pub(super) fn new(memory: M) -> Result<Self, Corrupt> {
        let capacity = memory.capacity();
        let state = State::of(&memory)?;
        let oieb = memory.oieb();
        let found_pos = state.write_pos;
        let write_pos = match state.unfinished_rewind(&memory) {
            Some(end) => end,
            None if found_pos == capacity => 0,
            None => found_pos,
        };
        if write_pos != found_pos {
            // A frame ended exactly at the end: the start is the same place, and the one all peers agree on.
            oieb.payload_write_pos.store(write_pos, Ordering::Release);
        }
        // Relaxed: only writers store it, and claiming the buffer has acquired what the last one did.
        let written_count = oieb.payload_written_count.load(Ordering::Relaxed);
        let last = State { write_pos, ..state }.last_sequence(&memory);
        Ok(Self {
            memory,
            capacity,
            write_pos,
            next_sequence: last.map_or(1, |last| last.wrapping_add(1)),
            written_count,
            free: state.free,
            counters: Counters::default(),
        })
    }

    /// Room for `len` data bytes, without waiting. Changes nothing but free space.
    pub(super) fn try_reserve(&mut self, len: u64) -> Result<Room, NoRoom> {
        let max = self.capacity.saturating_sub(FRAME_OVERHEAD);
        let Some(cost) = cursor::frame_cost(self.capacity, len) else {
            return Err(NoRoom::TooLarge { max });
        };
        let need = cursor::place(self.capacity, self.write_pos, cost);
        if self.free < need.free {
            // Pairs with the Release add in `return_space`: the reader has finished with the bytes it returned.
            let free = self.memory.oieb().payload_free_bytes.load(Ordering::Acquire);
            if free > self.capacity {
                return Err(NoRoom::Corrupt(corrupt("payload_free_bytes", free, self.capacity)));
            }
            self.free = free;
            if free < need.free {
                return Err(NoRoom::Full { needed: need.free, free });
            }
        }
        let position = if need.placement == Placement::Here { self.write_pos } else { 0 };
        if position == 0 {
            self.keep_number().map_err(NoRoom::Corrupt)?;
        }
        Ok(Room { position, len, need })
    }

    /// Lets the header at the start, where a frame is about to be filled, carry the last number and lead to the write
    /// position. Filling destroys the headers of this lap, by which the next writer finds the number, and may end without a
    /// commit: in a drop, or in a death.
    fn keep_number(&self) -> Result<(), Corrupt> {
        let end = if self.write_pos == 0 { self.capacity } else { self.write_pos };
        let last = self.next_sequence.wrapping_sub(1);
        match end.checked_sub(FRAME_OVERHEAD) {
            Some(len) if last > 0 => {
                let header = FrameHeader::new(len, last).emit();
                self.memory.payload().write(0, &header).map_err(|_| outside(0, self.capacity))
            }
            // None was written yet, and nobody finds one.
            _ => Ok(()),
        }
    }

    /// Copies `data`, at most `room.len` bytes of it, to where the frame's data go.
    pub(super) fn fill(&self, room: &Room, data: &[u8]) -> Result<(), Corrupt> {
        let data = data.get(..room.len()).unwrap_or(data);
        let position = room.position.saturating_add(FRAME_OVERHEAD);
        self.memory.payload().write(position, data).map_err(|_| outside(position, self.capacity))
    }

    /// Starts numbering at 1 again.
    pub(super) fn restart_sequence(&mut self) {
        self.next_sequence = 1;
    }

    /// Number of the frame that the next commit publishes.
    pub(super) fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// Publishes a frame whose data stand at `room.position + 16`; returns its number. The caller posts next.
    pub(super) fn commit(&mut self, room: &Room) -> Result<u64, Corrupt> {
        let sequence = self.next_sequence;
        let cost = room.len.saturating_add(FRAME_OVERHEAD);
        let (taken, records) = match room.need.placement {
            Placement::Here => (cost, 1u64),
            Placement::Wrap { gap } => (cost.saturating_add(gap), 2),
            Placement::Rewind => (cost, 1),
        };
        let payload = self.memory.payload();
        let oieb = self.memory.oieb();
        // Acquire: `free` below may license the next frame's bytes; pairs with the Release add in `return_space`.
        // Release: whoever finds these bytes taken finds the frame's data.
        // A frame that takes an empty ring whole leaves 16 bytes for the end: a ring is full only with its header there.
        let rest = if taken == self.capacity { FRAME_OVERHEAD } else { 0 };
        let first = taken.saturating_sub(rest);
        let before = oieb.payload_free_bytes.fetch_sub(first, Ordering::AcqRel);
        // Relaxed: our own last store; anything else there is a peer's mistake. Looked at here, when the line is ours.
        let found = oieb.payload_write_pos.load(Ordering::Relaxed);
        if before > self.capacity || before < taken || found != self.write_pos {
            // Put it back: whoever wrote nonsense there, we add none.
            oieb.payload_free_bytes.fetch_add(first, Ordering::Release);
            return Err(match found == self.write_pos {
                true => corrupt("payload_free_bytes", before, self.capacity),
                false => corrupt("payload_write_pos", found, self.write_pos),
            });
        }
        let header = FrameHeader::new(room.len, sequence).emit();
        payload.write(room.position, &header).map_err(|_| outside(room.position, self.capacity))?;
        match room.need.placement {
            Placement::Here => {}
            Placement::Wrap { .. } => {
                let marker = FrameHeader::WRAP_MARKER.emit();
                payload.write(self.write_pos, &marker).map_err(|_| outside(self.write_pos, self.capacity))?;
                self.counters.wraps = self.counters.wraps.wrapping_add(1);
            }
            Placement::Rewind => {
                // Release: pairs with the Acquire load in `refresh`. The ring is empty, so the reader is not moving.
                oieb.payload_read_pos.store(0, Ordering::Release);
                self.counters.rewinds = self.counters.rewinds.wrapping_add(1);
            }
        }
        if rest > 0 {
            // Release: pairs with the Acquire load in `look`, by which a reader finds the ring full and the header there.
            oieb.payload_free_bytes.fetch_sub(rest, Ordering::Release);
        }
        let end = room.position.saturating_add(room.len).saturating_add(FRAME_OVERHEAD);
        self.write_pos = if end >= self.capacity { 0 } else { end };
        // Release: pairs with the Acquire load in `look`, by which a reader recovers a frame never announced.
        oieb.payload_write_pos.store(self.write_pos, Ordering::Release);
        self.written_count = self.written_count.wrapping_add(records);
        // Relaxed: the permit that follows orders it.
        oieb.payload_written_count.store(self.written_count, Ordering::Relaxed);

        self.free = before.saturating_sub(taken);
        self.next_sequence = sequence.wrapping_add(1);
        self.counters.frames = self.counters.frames.wrapping_add(1);
        self.counters.bytes = self.counters.bytes.wrapping_add(room.len);
        let used = self.capacity.saturating_sub(self.free);
        self.counters.high_water_mark = self.counters.high_water_mark.max(used);
        Ok(sequence)
    }

    /// Bytes free now.
    pub(super) fn free_now(&self) -> u64 {
        // Relaxed: a look, nothing is done by it.
        self.memory.oieb().payload_free_bytes.load(Ordering::Relaxed)
    }
}
