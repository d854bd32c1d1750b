//! How a frame is published, claimed and returned: the two halves of the ring over its words and bytes.
//!
//! Neither half waits or posts; [`reader`](super::reader) and [`writer`](super::writer) do, always after the stores
//! made here.
//!
//! The order of a commit is the order in which a crash is harmless: bytes of the frame, then `payload_free_bytes`
//! (a crash after it leaks the frame's bytes until the reader cleans up, instead of letting a later writer run over
//! unread ones), then `payload_write_pos` (from here on the frame can be recovered), then the count, then the permit.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use super::cursor::{self, Need, Placement};
use super::error::Corrupt;
use super::layout::{FRAME_OVERHEAD, FrameHeader, Geometry, Oieb};
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

fn corrupt(field: &'static str, found: u64, limit: u64) -> Corrupt {
    Corrupt { field, found, limit }
}

/// Any access outside the payload block; positions are checked, so only a wrong position leads here.
fn outside(position: u64, capacity: u64) -> Corrupt {
    corrupt("frame position", position, capacity)
}

// ---------------------------------------------------------------------------------------------------- producer

/// Room for one frame, not yet visible to anybody.
#[derive(Debug)]
pub(super) struct Room {
    /// Where the header goes, bytes into the payload.
    pub(super) position: u64,
    /// Data bytes.
    pub(super) len: u64,
    need: Need,
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
        let oieb = memory.oieb();
        // Acquire: what a previous writer stored before it let go of the buffer.
        let found_pos = oieb.payload_write_pos.load(Ordering::Acquire);
        let written_count = oieb.payload_written_count.load(Ordering::Acquire);
        if found_pos > capacity {
            return Err(corrupt("payload_write_pos", found_pos, capacity));
        }
        // Pairs with the Release add in `return_space`.
        let free = oieb.payload_free_bytes.load(Ordering::Acquire);
        if free > capacity {
            return Err(corrupt("payload_free_bytes", free, capacity));
        }
        let write_pos = if found_pos == capacity { 0 } else { found_pos };
        let mut producer = Self {
            memory,
            capacity,
            write_pos,
            next_sequence: 1,
            written_count,
            free,
            counters: Counters::default(),
        };
        if written_count > 0 {
            producer.next_sequence = producer.last_sequence(found_pos).map_or(1, |last| last.wrapping_add(1));
        }
        if write_pos != found_pos {
            // A frame ended exactly at the end: the start is the same place, and the one all peers agree on.
            producer.memory.oieb().payload_write_pos.store(write_pos, Ordering::Release);
        }
        Ok(producer)
    }

    /// The number of the last frame in the ring, found by walking the headers of the current lap: every lap starts at
    /// 0. Existing readers refuse a replacement writer that starts again at 1.
    fn last_sequence(&self, write_pos: u64) -> Option<u64> {
        let end = if write_pos == 0 { self.capacity } else { write_pos };
        let mut position = 0u64;
        let mut last = None;
        // Bounded: each step moves at least 16 bytes towards `end`.
        while position < end {
            if end.checked_sub(position)? < FRAME_OVERHEAD {
                break;
            }
            let header = FrameHeader::parse(self.memory.payload().read16(position).ok()?);
            if header == FrameHeader::WRAP_MARKER {
                // Only the end of a lap has one; with a write position of 0 that is where the lap ended.
                return if write_pos == 0 { last } else { None };
            }
            let sequence = header.sequence.get();
            if sequence == 0 || last.is_some_and(|last: u64| last.checked_add(1) != Some(sequence)) {
                return None;
            }
            let cost = cursor::frame_cost(self.capacity, header.payload_size.get())?;
            position = position.checked_add(cost)?;
            last = Some(sequence);
        }
        if write_pos != 0 && position != end {
            return None;
        }
        last
    }

    /// Room for `len` data bytes, without waiting. Changes nothing that others see.
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
        // Relaxed: our own last store; anything else there is a peer's mistake.
        let found = self.memory.oieb().payload_write_pos.load(Ordering::Relaxed);
        if found != self.write_pos {
            return Err(NoRoom::Corrupt(corrupt("payload_write_pos", found, self.write_pos)));
        }
        let position = if need.placement == Placement::Here { self.write_pos } else { 0 };
        Ok(Room { position, len, need })
    }

    /// Number of the frame that the next commit publishes.
    pub(super) fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// Publishes a frame whose data stand at `room.position + 16`; returns its number. The caller posts next.
    pub(super) fn commit(&mut self, room: &Room) -> Result<u64, Corrupt> {
        let sequence = self.next_sequence;
        let payload = self.memory.payload();
        let header = FrameHeader::new(room.len, sequence).emit();
        payload.write(room.position, &header).map_err(|_| outside(room.position, self.capacity))?;
        let mut records = 1u64;
        let mut taken = room.need.free;
        match room.need.placement {
            Placement::Here => {}
            Placement::Wrap { .. } => {
                let marker = FrameHeader::WRAP_MARKER.emit();
                payload.write(self.write_pos, &marker).map_err(|_| outside(self.write_pos, self.capacity))?;
                records = 2;
                self.counters.wraps = self.counters.wraps.wrapping_add(1);
            }
            Placement::Rewind => {
                taken = room.len.saturating_add(FRAME_OVERHEAD);
                self.counters.rewinds = self.counters.rewinds.wrapping_add(1);
            }
        }
        let oieb = self.memory.oieb();
        // Acquire: `free` below may license the next frame's bytes. Pairs with the Release add in `return_space`.
        let before = oieb.payload_free_bytes.fetch_sub(taken, Ordering::Acquire);
        if before > self.capacity || before < taken {
            // Put it back: whoever wrote nonsense there, we add none.
            oieb.payload_free_bytes.fetch_add(taken, Ordering::Release);
            return Err(corrupt("payload_free_bytes", before, self.capacity));
        }
        if room.need.placement == Placement::Rewind {
            // Release: pairs with the Acquire load in `refresh`. The ring is empty, so the reader is not moving.
            oieb.payload_read_pos.store(0, Ordering::Release);
        }
        let end = room.position.saturating_add(room.len).saturating_add(FRAME_OVERHEAD);
        self.write_pos = if end >= self.capacity { 0 } else { end };
        // Release: pairs with the Acquire load in `is_ahead`, by which a reader recovers a frame never announced.
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

// ---------------------------------------------------------------------------------------------------- consumer

/// A frame that it is the reader's turn to read. Give it back with `release`; lost, it blocks its space for good.
#[derive(Debug)]
#[must_use]
pub struct Claimed {
    /// Where the data start, bytes into the payload.
    pub(super) position: u64,
    pub(super) len: u64,
    pub(super) sequence: u64,
    /// Bytes of ring to return: header, data, and the unused tail before it, if any.
    pub(super) cost: u64,
}

impl Claimed {
    /// Data bytes.
    #[expect(clippy::cast_possible_truncation, reason = "a frame lies inside a mapping")]
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether it has no data.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Its number: 1, 2, 3 … per writer.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Bytes of ring it occupies.
    pub fn cost(&self) -> u64 {
        self.cost
    }
}

/// Why nothing was claimed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoFrame {
    /// Nothing is committed beyond the reader's position.
    Nothing,
    Gap {
        expected: u64,
        found: u64,
    },
    Corrupt(Corrupt),
}

/// The reading half. Keeps private copies of everything that only it stores.
#[derive(Debug)]
pub(super) struct Consumer<M> {
    pub(super) memory: M,
    capacity: u64,
    read_pos: u64,
    /// What was last stored in `payload_read_pos`.
    published_pos: u64,
    next_sequence: u64,
    read_count: u64,
    /// Committed bytes beyond `read_pos`, as of the last refresh.
    unread: u64,
    /// Bytes of released frames not yet returned to the writer.
    pending: u64,
    pub(super) counters: Counters,
}

/// Most bytes that a reader returns late. Together with the 1/16 of the ring in [`Consumer::should_return`] this keeps
/// the delay to small frames, where returning them one by one costs more than the frames themselves.
const MAX_PENDING: u64 = 4096;

impl<M: RingMemory> Consumer<M> {
    /// The reading half of a ring just created.
    pub(super) fn new(memory: M) -> Self {
        let capacity = memory.capacity();
        Self {
            memory,
            capacity,
            read_pos: 0,
            published_pos: 0,
            next_sequence: 1,
            read_count: 0,
            unread: 0,
            pending: 0,
            counters: Counters::default(),
        }
    }

    /// Looks how much is committed. `held` tells what the caller has claimed and not yet returned.
    pub(super) fn refresh(&mut self, held: impl Fn() -> u64) -> Result<(), Corrupt> {
        let oieb = self.memory.oieb();
        // Acquire, both: pairs with the Release stores in `commit` where no permit was seen.
        let free = oieb.payload_free_bytes.load(Ordering::Acquire);
        let found_pos = oieb.payload_read_pos.load(Ordering::Acquire);
        // After the free bytes: a frame returned on another thread in between then counts as unread, which only makes
        // the check of a frame's length looser; the other way round a good frame would look too long.
        let ours = held().saturating_add(self.pending);
        let used = self.capacity.checked_sub(free).and_then(|used| used.checked_sub(ours));
        let Some(unread) = used else {
            return Err(corrupt("payload_free_bytes", free, self.capacity.saturating_sub(ours)));
        };
        if found_pos != self.published_pos {
            // A writer starts an empty ring over; anything else there is a peer's mistake.
            if found_pos != 0 || ours != 0 || self.unread != 0 {
                return Err(corrupt("payload_read_pos", found_pos, self.published_pos));
            }
            self.read_pos = 0;
            self.published_pos = 0;
            self.counters.rewinds = self.counters.rewinds.wrapping_add(1);
        }
        self.unread = unread;
        let in_use = self.capacity.saturating_sub(free);
        self.counters.high_water_mark = self.counters.high_water_mark.max(in_use);
        Ok(())
    }

    /// Whether the writer's position says that there is more than was claimed. Only for recovery: a permit is the
    /// normal way to learn of a frame.
    pub(super) fn is_ahead(&self) -> bool {
        let oieb = self.memory.oieb();
        // Pairs with the Release store in `commit`.
        let write_pos = oieb.payload_write_pos.load(Ordering::Acquire);
        let free = oieb.payload_free_bytes.load(Ordering::Acquire);
        let read_pos = if oieb.payload_read_pos.load(Ordering::Acquire) == self.published_pos {
            self.read_pos
        } else {
            0
        };
        let same = write_pos == read_pos || (write_pos == self.capacity && read_pos == 0);
        !same || free == 0
    }

    /// Claims the frame at the reader's position, checked against what `refresh` saw. Nothing changes on error, except
    /// that after a gap the frame found is the one expected next.
    pub(super) fn claim(&mut self) -> Result<Claimed, NoFrame> {
        if self.unread == 0 {
            return Err(NoFrame::Nothing);
        }
        let mut position = self.read_pos;
        let mut gap = 0u64;
        let mut markers = 0u64;
        let tail = self.capacity.saturating_sub(position);
        if tail < FRAME_OVERHEAD {
            // A tail that no marker fits, left by an existing writer: implicit wrap.
            gap = tail;
            position = 0;
        }
        if self.unread <= gap {
            return Err(NoFrame::Nothing);
        }
        let mut header = self.header(position)?;
        if header == FrameHeader::WRAP_MARKER {
            if position != 0 && self.unread == tail {
                // The writer has given up the tail and not yet written the frame that made it do so.
                return Err(NoFrame::Nothing);
            }
            // At the start there is nothing to wrap, and a marker is always followed by a frame.
            if position == 0 || self.unread < tail.saturating_add(FRAME_OVERHEAD) {
                return Err(NoFrame::Corrupt(corrupt("wrap marker position", position, self.unread)));
            }
            gap = tail;
            markers = 1;
            position = 0;
            header = self.header(0)?;
            if header == FrameHeader::WRAP_MARKER {
                return Err(NoFrame::Corrupt(corrupt("wrap marker position", 0, self.unread)));
            }
        }
        let len = header.payload_size.get();
        let found = header.sequence.get();
        // What is left for data at this position, in the ring and in what is committed.
        let contiguous = self.capacity.saturating_sub(position).saturating_sub(FRAME_OVERHEAD);
        let committed = self.unread.saturating_sub(gap).saturating_sub(FRAME_OVERHEAD);
        let limit = contiguous.min(committed);
        if len > limit || self.unread < gap.saturating_add(FRAME_OVERHEAD) {
            return Err(NoFrame::Corrupt(corrupt("frame payload_size", len, limit)));
        }
        if found != self.next_sequence && found != 1 {
            if found == 0 {
                return Err(NoFrame::Corrupt(corrupt("frame sequence", found, self.next_sequence)));
            }
            let expected = core::mem::replace(&mut self.next_sequence, found);
            return Err(NoFrame::Gap { expected, found });
        }
        // From here on nothing fails. A frame numbered 1 out of turn is a new writer's first.
        let cost = gap.saturating_add(FRAME_OVERHEAD).saturating_add(len);
        let data = position.saturating_add(FRAME_OVERHEAD);
        let end = data.saturating_add(len);
        self.read_pos = if end >= self.capacity { 0 } else { end };
        self.unread = self.unread.saturating_sub(cost);
        self.next_sequence = found.wrapping_add(1);
        self.read_count = self.read_count.wrapping_add(1).wrapping_add(markers);
        self.counters.frames = self.counters.frames.wrapping_add(1);
        self.counters.bytes = self.counters.bytes.wrapping_add(len);
        if gap > 0 {
            self.counters.wraps = self.counters.wraps.wrapping_add(1);
        }
        Ok(Claimed { position: data, len, sequence: found, cost })
    }

    fn header(&self, position: u64) -> Result<FrameHeader, NoFrame> {
        match self.memory.payload().read16(position) {
            Ok(bytes) => Ok(FrameHeader::parse(bytes)),
            Err(_) => Err(NoFrame::Corrupt(outside(position, self.capacity))),
        }
    }

    /// Marks `cost` bytes as released, oldest first; they go back with the next [`return_pending`](Self::return_pending).
    pub(super) fn release(&mut self, cost: u64) {
        self.pending = self.pending.saturating_add(cost);
    }

    /// Whether the released bytes are too many to keep back.
    pub(super) fn should_return(&self) -> bool {
        self.pending >= (self.capacity >> 4).min(MAX_PENDING)
    }

    /// Shows the writer where we read. Needed before any space of a claimed frame is returned by others than us.
    pub(super) fn publish_position(&mut self) {
        // The end rather than the start: a Python writer takes a read position of 0 as "the start is not free".
        self.published_pos =
            if self.read_pos == 0 && self.read_count > 0 { self.capacity } else { self.read_pos };
        let oieb = self.memory.oieb();
        // Relaxed, both: the Release add that returns the space orders them.
        oieb.payload_read_pos.store(self.published_pos, Ordering::Relaxed);
        oieb.payload_read_count.store(self.read_count, Ordering::Relaxed);
    }

    /// Returns what was released; `true` if there was something, and then the caller posts.
    pub(super) fn return_pending(&mut self) -> Result<bool, Corrupt> {
        if self.pending == 0 {
            return Ok(false);
        }
        self.publish_position();
        let returned = core::mem::take(&mut self.pending);
        return_space(&self.memory, returned)?;
        Ok(true)
    }

    /// Puts the ring in order after `writer` died and everything readable was claimed: what it took for a frame it
    /// never finished is free again. The caller holds no frame; `this` is its process. Returns `false` and changes nothing if a new writer came meanwhile.
    pub(super) fn clean_up_after(&mut self, writer: u64, this: u64) -> Result<bool, Corrupt> {
        let oieb = self.memory.oieb();
        // Takes the writer's place, so that no new writer starts while its words are changed.
        // Acquire: what the dead writer stored.
        if oieb.writer_pid.compare_exchange(writer, this, Ordering::Acquire).is_err() {
            return Ok(false);
        }
        let free = oieb.payload_free_bytes.load(Ordering::Acquire);
        let expected = self.capacity.saturating_sub(self.pending);
        let outcome = match expected.checked_sub(free) {
            None => Err(corrupt("payload_free_bytes", free, expected)),
            Some(leaked) => {
                // Relaxed: the Release store below publishes it.
                oieb.payload_write_pos.store(self.read_pos, Ordering::Relaxed);
                self.unread = 0;
                self.publish_position();
                if leaked > 0 { return_space(&self.memory, leaked) } else { Ok(()) }
            }
        };
        // Pairs with the Acquire exchange by which a writer claims the buffer.
        self.memory.oieb().writer_pid.store(0, Ordering::Release);
        outcome.map(|()| true)
    }

    /// Bytes committed but not claimed, as of the last refresh.
    #[cfg(test)]
    pub(super) fn unread(&self) -> u64 {
        self.unread
    }
}

/// Gives `bytes` of ring back to the writer. The caller posts next.
pub(super) fn return_space<M: RingMemory>(memory: &M, bytes: u64) -> Result<(), Corrupt> {
    let capacity = memory.capacity();
    // Release: our reads of those bytes, and the read position, come before. Pairs with the Acquire load in
    // `try_reserve` and the Acquire subtraction in `commit`.
    let before = memory.oieb().payload_free_bytes.fetch_add(bytes, Ordering::Release);
    match before.checked_add(bytes) {
        Some(after) if after <= capacity => Ok(()),
        _ => Err(corrupt("payload_free_bytes", before, capacity.saturating_sub(bytes))),
    }
}
