//! Claimed slots: read in place, released when dropped.

use core::ops::Deref;

use super::error::RecvError;
use super::lane::Lane;
use super::layout::Geometry;
use super::numbers::{OpCode, Profile};
use super::packet::{Operation, Packet};
use super::port::Port;
use crate::mpmc::ConsumerTurn;
use crate::platform::Segment;

/// A claimed slot, as the bytes that its packet says are in its buffer. Dropping it gives the slot back to senders.
///
/// Forgetting it (`mem::forget`) stops senders when they come to this slot again, until the handle is used again or
/// dropped, or its process has ended.
#[derive(Debug)]
pub struct Slot<'c, T: Port> {
    port: &'c T,
    buffer: usize,
    len: usize,
    turn: ConsumerTurn,
}

impl<'c, T: Port> Slot<'c, T> {
    #[inline]
    pub(super) fn new(port: &'c T, turn: ConsumerTurn, buffer: usize, len: usize) -> Self {
        Self { port, buffer, len, turn }
    }

    /// Index of the buffer that the bytes are in.
    pub fn buffer(&self) -> u64 {
        self.buffer as u64
    }
}

impl<T: Port> Deref for Slot<'_, T> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.port.lane().claimed(&self.turn, self.buffer, self.len)
    }
}

impl<T: Port> AsRef<[u8]> for Slot<'_, T> {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl<T: Port> Drop for Slot<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if let Some(turn) = self.turn.take_first().filter(|_| self.port.forked().is_none()) {
            self.port.release(turn);
        }
    }
}

/// Several claimed slots, read one after another; each goes back when the next is asked for, the rest, unread, when this
/// is dropped. Sleeping senders are woken then.
#[derive(Debug)]
pub struct Slots<'c, T: Port> {
    port: &'c mut T,
    turn: ConsumerTurn,
    current: Option<ConsumerTurn>,
}

impl<'c, T: Port> Slots<'c, T> {
    #[inline]
    pub(super) fn new(port: &'c mut T, turn: ConsumerTurn) -> Self {
        Self { port, turn, current: None }
    }

    /// Slots left, tombstones among them.
    pub fn len(&self) -> usize {
        // At most 255.
        usize::try_from(self.turn.count()).unwrap_or(0)
    }

    /// Whether none is left.
    pub fn is_empty(&self) -> bool {
        self.turn.count() == 0
    }

    /// The bytes of the next message; `None` at the end. Tombstones are skipped.
    ///
    /// # Errors
    /// What the packet is wrong about; the one after it comes with the next call.
    #[expect(
        clippy::should_implement_trait,
        reason = "what it lends ends with the next call: no iterator can"
    )]
    #[inline]
    pub fn next(&mut self) -> Option<Result<&[u8], RecvError>> {
        if let Some(owner) = self.port.forked() {
            // Once: who reads to the end comes to it.
            let (rest, current) = (self.turn.take_all(), self.current.take());
            return (rest || current.is_some()).then_some(Err(RecvError::Forked { owner }));
        }
        // Bounded by the batch.
        let (buffer, len) = loop {
            if let Some(done) = self.current.take() {
                self.port.lane().release_quietly(done);
            }
            let turn = self.turn.take_first()?;
            let lane = self.port.lane();
            let meaning = interpret(lane, &turn);
            self.current = Some(turn);
            match meaning {
                Meaning::Data { buffer, len } => break (buffer, len),
                Meaning::Tombstone => self.port.count_sent(None),
                Meaning::Wrong(error) => return Some(Err(error)),
            }
        };
        self.port.count_sent(Some(len));
        let turn = self.current.as_ref()?;
        Some(Ok(self.port.lane().claimed(turn, buffer, len)))
    }
}

impl<T: Port> Drop for Slots<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if self.port.forked().is_some() {
            return;
        }
        if let Some(done) = self.current.take() {
            self.port.lane().release_quietly(done);
        }
        while let Some(turn) = self.turn.take_first() {
            self.port.lane().release_quietly(turn);
        }
        self.port.wake_producers();
    }
}

/// What a packet means on a standard link.
pub(super) enum Meaning {
    /// `len` bytes in buffer `buffer`, both checked.
    Data {
        buffer: usize,
        len: usize,
    },
    Tombstone,
    Wrong(RecvError),
}

/// What the packet of `turn` means. Every number is the peer's.
#[inline]
pub(super) fn interpret<S: Segment>(lane: &Lane<S>, turn: &ConsumerTurn) -> Meaning {
    let [word, _, buffer, len] = lane.ring().read_first(turn);
    let geometry = lane.geometry();
    if word & 0xff == u64::from(OpCode::COPY.0) && (1..=geometry.slot_len()).contains(&len) {
        let slot = lane.ring().index(turn.position()) as u64;
        if lane.may_name(slot, buffer)
            && let (Ok(buffer), Ok(len)) = (usize::try_from(buffer), usize::try_from(len))
        {
            return Meaning::Data { buffer, len };
        }
        return Meaning::Wrong(RecvError::WrongBuffer { slot, buffer });
    }
    interpret_rest(&lane.packet(turn), geometry)
}

#[cold]
fn interpret_rest(packet: &Packet, geometry: &Geometry) -> Meaning {
    match packet.parse(geometry.profile()) {
        Ok(Operation::Tombstone { .. }) => Meaning::Tombstone,
        Ok(Operation::Copy { len: 0, .. }) if geometry.profile() == Profile::Seed => Meaning::Tombstone,
        Ok(Operation::Copy { len, .. }) => {
            Meaning::Wrong(RecvError::InvalidLen { len, slot_len: geometry.slot_len() })
        }
        Ok(Operation::Error { context, code }) => Meaning::Wrong(RecvError::Peer { context, code }),
        Ok(_) | Err(_) => Meaning::Wrong(RecvError::UnexpectedOp { opcode: packet.opcode() }),
    }
}
