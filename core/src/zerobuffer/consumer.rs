//! The reading half of the ring: which frame is next, whether it can be believed, and how its space goes back.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::error::Corrupt;
use super::layout::{BLOCK_ALIGN, FRAME_OVERHEAD, FrameHeader};
use super::ring::{Counters, RingMemory, State, corrupt, outside, return_space};
use crate::sync::Ordering;

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
            next_sequence: 1,
            read_count: 0,
            unread: 0,
            pending: 0,
            counters: Counters::default(),
        }
    }

    /// Looks how much is committed. `held` tells what the caller has claimed and not yet returned.
    pub(super) fn refresh(&mut self, held: impl Fn() -> u64) -> Result<(), NoFrame> {
        self.look(held).map_err(NoFrame::Corrupt)
    }

    fn look(&mut self, held: impl Fn() -> u64) -> Result<(), Corrupt> {
        let held_before = held();
        let oieb = self.memory.oieb();
        // Before the free bytes, so that these cover all that the position does.
        // Pairs with the Release store in `commit`.
        let write_pos = oieb.payload_write_pos.load(Ordering::Acquire);
        // Acquire: pairs with the Release subtractions in `commit` where no permit was seen.
        let free = oieb.payload_free_bytes.load(Ordering::Acquire);
        // After the free bytes: a frame returned on another thread in between then counts as taken, and the position
        // says better; the other way round a good frame would look too long.
        let held_after = held();
        let ours = held_after.saturating_add(self.pending);
        let Some(taken) = self.capacity.checked_sub(free).and_then(|used| used.checked_sub(ours)) else {
            return Err(corrupt("payload_free_bytes", free, self.capacity.saturating_sub(ours)));
        };
        if write_pos > self.capacity {
            return Err(corrupt("payload_write_pos", write_pos, self.capacity));
        }
        let in_order = self.check_read_pos(&held, write_pos, taken)?;
        self.unread = match self.ahead(write_pos) {
            _ if !in_order => 0,
            0 if taken < self.capacity || held_before != held_after => 0,
            // Full, by now; the position may have been loaded before. Pairs with the Release store in `commit`.
            0 => match self.ahead(self.memory.oieb().payload_write_pos.load(Ordering::Acquire)) {
                0 => self.capacity,
                ahead => ahead,
            },
            ahead => ahead.min(taken),
        };
        let in_use = self.capacity.saturating_sub(free);
        self.counters.high_water_mark = self.counters.high_water_mark.max(in_use);
        Ok(())
    }

    /// Bytes from our position to `write_pos`: whole frames, whatever a commit that is not over has taken beyond. 0 for
    /// an empty and for a full ring. (A full one holds whole frames too: `commit` takes the last bytes after the header.)
    fn ahead(&self, write_pos: u64) -> u64 {
        let ahead = write_pos.saturating_add(self.capacity).saturating_sub(self.read_pos);
        ahead.checked_rem(self.capacity).unwrap_or(0)
    }

    /// Compares `payload_read_pos` with what was claimed and not returned; follows a writer that started over. `false`
    /// while it does and has not stored its position yet. `taken` are the bytes neither free nor claimed.
    fn check_read_pos(
        &mut self,
        held: impl Fn() -> u64,
        write_pos: u64,
        taken: u64,
    ) -> Result<bool, Corrupt> {
        // Bounded: another thread that returns space meanwhile makes one try useless; eight are enough to skip it once.
        for _ in 0..8 {
            let before = held();
            // Acquire: pairs with the Release store of a rewind in `commit`.
            let found = self.memory.oieb().payload_read_pos.load(Ordering::Acquire);
            if held() != before {
                continue;
            }
            let ours = before.saturating_add(self.pending).min(self.capacity);
            let expected = self.read_pos.saturating_add(self.capacity).saturating_sub(ours);
            let expected = expected.checked_rem(self.capacity).unwrap_or(0);
            if found == expected || (found == self.capacity && expected == 0) {
                return Ok(true);
            }
            // A writer starts an empty ring over; anything else there is a peer's mistake.
            if found != 0 || ours != 0 || self.unread != 0 {
                return Err(corrupt("payload_read_pos", found, expected));
            }
            // Where it stood before. A frame can end just there only if the tail was too small for a marker.
            let same_end = taken == write_pos && self.capacity.saturating_sub(write_pos) < FRAME_OVERHEAD;
            if write_pos == self.read_pos && !same_end {
                return Ok(false);
            }
            self.read_pos = 0;
            self.counters.rewinds = self.counters.rewinds.wrapping_add(1);
            return Ok(true);
        }
        Ok(true)
    }

    /// Claims the next frame by the writer's position instead of a permit. For recovery: only the very number that is
    /// due, or a new writer's first, is taken for a frame.
    pub(super) fn recover(&mut self, held: impl Fn() -> u64) -> Result<Claimed, NoFrame> {
        self.refresh(held)?;
        let due = self.next_sequence;
        match self.claim() {
            Err(NoFrame::Gap { .. }) => {
                self.next_sequence = due;
                Err(NoFrame::Nothing)
            }
            outcome => outcome,
        }
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
        let cost = gap.saturating_add(FRAME_OVERHEAD).saturating_add(len);
        let data = position.saturating_add(FRAME_OVERHEAD);
        let end = data.saturating_add(len);
        if len == 0 && !self.begins_frame(end, committed, found) {
            return Err(NoFrame::Corrupt(corrupt("frame payload_size", 0, limit)));
        }
        // From here on nothing fails. A frame numbered 1 out of turn is a new writer's first.
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

    /// Whether the `committed` bytes from `position` on are none, or can begin with the frame after number `last`. After an
    /// empty frame that tells one that a peer wrote from one whose length was wiped: there its data follow.
    fn begins_frame(&self, position: u64, committed: u64, last: u64) -> bool {
        let tail = self.capacity.saturating_sub(position);
        if committed == 0 || (tail >= FRAME_OVERHEAD && committed < FRAME_OVERHEAD) {
            return committed == 0;
        }
        let header = match tail {
            0..FRAME_OVERHEAD => FrameHeader::WRAP_MARKER,
            _ => self.header(position).unwrap_or(FrameHeader::WRAP_MARKER),
        };
        if header == FrameHeader::WRAP_MARKER {
            // What the wrap leads to is looked at when it is claimed.
            return committed == tail || committed >= tail.saturating_add(FRAME_OVERHEAD);
        }
        let sequence = header.sequence.get();
        let most = tail.min(committed).saturating_sub(FRAME_OVERHEAD);
        (sequence == 1 || sequence == last.wrapping_add(1)) && header.payload_size.get() <= most
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

    /// Returns what was released; `true` if there was something, and then the caller posts.
    pub(super) fn return_pending(&mut self) -> Result<bool, Corrupt> {
        if self.pending == 0 {
            return Ok(false);
        }
        let returned = core::mem::take(&mut self.pending);
        return_space(&self.memory, returned)?;
        Ok(true)
    }

    /// Shows how many records were read. Not with every frame: the word shares its cache line with those that the writer
    /// reads and stores for each of its own. But whenever none is left, so that it never stays behind.
    pub(super) fn publish_count(&self) {
        // Relaxed: only for others to see.
        self.memory.oieb().payload_read_count.store(self.read_count, Ordering::Relaxed);
    }

    /// Number of the frame that is due next.
    pub(super) fn due(&self) -> u64 {
        self.next_sequence
    }

    /// Whether released bytes are kept back.
    pub(super) fn has_pending(&self) -> bool {
        self.pending > 0
    }

    /// Whether free bytes and positions agree: no writer has taken bytes for a frame that it never finished. To be asked
    /// when no writer is connected.
    pub(super) fn is_settled(&self) -> Result<bool, Corrupt> {
        Ok(State::of(&self.memory)?.is_settled())
    }

    /// Puts the ring in order after `writer`, 0 for one that closed, is gone and everything readable was claimed: what it
    /// or one before it took for a frame never finished is free again. The caller holds no frame; `this` is its process.
    /// Returns `false` and changes nothing if a new writer came meanwhile.
    pub(super) fn clean_up_after(&mut self, writer: u64, this: u64) -> Result<bool, Corrupt> {
        let oieb = self.memory.oieb();
        // Takes the writer's place, so that no new writer starts while its words are changed.
        // Acquire: what the dead writer stored.
        if oieb.writer_pid.compare_exchange(writer, this, Ordering::Acquire).is_err() {
            return Ok(false);
        }
        let outcome = self.return_pending().and_then(|_| self.settle());
        self.publish_count();
        // Pairs with the Acquire exchange by which a writer claims the buffer. Fails if a writer of another implementation,
        // which looks and then stores, has put its number there: it stays.
        let _ = self.memory.oieb().writer_pid.compare_exchange(this, 0, Ordering::Release);
        outcome.map(|()| true)
    }

    /// Makes the ring empty, as if the last frame claimed had been the only one ever written: from its header the next
    /// writer learns the number to go on with.
    fn settle(&mut self) -> Result<(), Corrupt> {
        let oieb = self.memory.oieb();
        let free = oieb.payload_free_bytes.load(Ordering::Acquire);
        let Some(leaked) = self.capacity.checked_sub(free) else {
            return Err(corrupt("payload_free_bytes", free, self.capacity));
        };
        let last = self.next_sequence.wrapping_sub(1);
        let (header, end) = match last {
            // None was claimed: nor shall any header be found.
            0 => (FrameHeader::WRAP_MARKER, 0),
            _ => (FrameHeader::new(BLOCK_ALIGN.saturating_sub(FRAME_OVERHEAD), last), BLOCK_ALIGN),
        };
        self.memory.payload().write(0, &header.emit()).map_err(|_| outside(0, self.capacity))?;
        let end = if end == self.capacity { 0 } else { end };
        self.read_pos = end;
        self.unread = 0;
        // Relaxed, all: the Release store that lets writers in again publishes them.
        oieb.payload_write_pos.store(end, Ordering::Relaxed);
        oieb.payload_read_pos.store(end, Ordering::Relaxed);
        oieb.payload_free_bytes.fetch_add(leaked, Ordering::Relaxed);
        Ok(())
    }
}
