//! Reserved slots: filled in place, then committed; dropped, they become tombstones.

use core::ops::{Deref, DerefMut};

use super::base::tombstone;
use super::error::SendError;
use super::numbers::ErrorCode;
use super::packet::Packet;
use super::port::Port;
use crate::mpmc::ProducerTurn;

/// A reserved slot: its whole buffer, to be filled. [`commit`](SlotMut::commit) sends its first bytes.
///
/// Dropping it instead leaves a tombstone, which receivers skip. Forgetting it (`mem::forget`) stops the direction at
/// this slot until the handle is used again or dropped, or its process has ended.
#[derive(Debug)]
#[must_use = "dropping gives the slot up"]
pub struct SlotMut<'p, T: Port> {
    port: &'p mut T,
    /// Of one slot; of none once it was committed or given up.
    turn: ProducerTurn,
}

impl<'p, T: Port> SlotMut<'p, T> {
    #[inline]
    pub(super) fn new(port: &'p mut T, turn: ProducerTurn) -> Self {
        Self { port, turn }
    }

    /// Index of the slot, which is that of its buffer.
    pub fn index(&self) -> u64 {
        self.port.lane().ring().index(self.turn.position()) as u64
    }

    /// Sends the first `len` bytes.
    ///
    /// # Errors
    /// [`SendError::Empty`] and [`SendError::TooLong`]; the slot is given up then.
    #[inline]
    pub fn commit(mut self, len: usize) -> Result<(), SendError> {
        let turn = self.turn.take_first().ok_or(SendError::Full)?;
        commit(self.port, turn, len, false)
    }

    /// Publishes a packet of the caller's with the buffer as it is.
    #[inline]
    pub fn commit_packet(mut self, packet: Packet) {
        if let Some(turn) = self.turn.take_first().filter(|_| self.port.forked().is_none()) {
            self.port.publish(turn, packet);
            self.port.count_sent(Some(0));
        }
    }

    /// Gives the slot up, and says why.
    pub fn abort(mut self, reason: ErrorCode) {
        if let Some(turn) = self.turn.take_first() {
            give_up(self.port, turn, reason, false);
        }
    }
}

impl<T: Port> Deref for SlotMut<'_, T> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.port.lane().reserved_so_far(&self.turn)
    }
}

impl<T: Port> DerefMut for SlotMut<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        self.port.lane().reserved(&mut self.turn)
    }
}

impl<T: Port> Drop for SlotMut<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if let Some(turn) = self.turn.take_first() {
            give_up(self.port, turn, ErrorCode::INVALID_OP, false);
        }
    }
}

/// Several reserved slots, filled and committed one after another. Each is visible at once; sleeping receivers are woken
/// when the batch ends. Slots left when it is dropped become tombstones.
#[derive(Debug)]
#[must_use = "dropping gives the slots up"]
pub struct SlotsMut<'p, T: Port> {
    port: &'p mut T,
    turn: ProducerTurn,
}

impl<'p, T: Port> SlotsMut<'p, T> {
    #[inline]
    pub(super) fn new(port: &'p mut T, turn: ProducerTurn) -> Self {
        Self { port, turn }
    }

    /// Slots left.
    #[inline]
    pub fn len(&self) -> usize {
        // At most 255.
        usize::try_from(self.turn.count()).unwrap_or(0)
    }

    /// Whether none is left.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.turn.count() == 0
    }

    /// The buffer of the slot that is next; none if there is none.
    #[inline]
    pub fn buffer(&mut self) -> &mut [u8] {
        if self.is_empty() {
            return &mut [];
        }
        self.port.lane().reserved(&mut self.turn)
    }

    /// Sends the first `len` bytes of the next slot, and goes on to the one after it.
    ///
    /// # Errors
    /// [`SendError::Empty`] and [`SendError::TooLong`], that slot being given up; [`SendError::Full`] if none is left.
    #[inline]
    pub fn commit(&mut self, len: usize) -> Result<(), SendError> {
        let turn = self.turn.take_first().ok_or(SendError::Full)?;
        commit(self.port, turn, len, true)
    }
}

impl<T: Port> Drop for SlotsMut<'_, T> {
    #[inline]
    fn drop(&mut self) {
        while let Some(turn) = self.turn.take_first() {
            give_up(self.port, turn, ErrorCode::INVALID_OP, true);
        }
        if self.port.forked().is_none() {
            self.port.wake_consumers();
        }
    }
}

#[inline]
fn commit<T: Port>(port: &mut T, turn: ProducerTurn, len: usize, quietly: bool) -> Result<(), SendError> {
    if let Some(owner) = port.forked() {
        return Err(SendError::Forked { owner });
    }
    let slot_len = port.lane().slot_len();
    if len == 0 {
        give_up(port, turn, ErrorCode::INVALID_SIZE, quietly);
        return Err(SendError::Empty);
    }
    if len > slot_len {
        give_up(port, turn, ErrorCode::BUFFER_OVERFLOW, quietly);
        return Err(SendError::TooLong { len, slot_len });
    }
    let copy = port.next_copy();
    let lane = port.lane();
    let buffer = lane.ring().index(turn.position()) as u64;
    publish(port, turn, Packet::copy(copy, buffer, len as u64), quietly);
    port.count_sent(Some(len));
    Ok(())
}

#[cold]
fn give_up<T: Port>(port: &mut T, turn: ProducerTurn, reason: ErrorCode, quietly: bool) {
    if port.forked().is_some() {
        return;
    }
    let copy = port.next_copy();
    let lane = port.lane();
    let slot = lane.ring().index(turn.position()) as u64;
    let packet = tombstone(lane.geometry().profile(), copy, slot, reason, lane.geometry().slot_len());
    publish(port, turn, packet, quietly);
    port.count_sent(None);
}

#[inline]
fn publish<T: Port>(port: &T, turn: ProducerTurn, packet: Packet, quietly: bool) {
    if quietly {
        port.lane().publish_quietly(turn, packet);
    } else {
        port.publish(turn, packet);
    }
}
