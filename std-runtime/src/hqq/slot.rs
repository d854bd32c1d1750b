//! Slots as users hold them: filled and committed, or read and dropped.

use std::io::Cursor;
use std::ops::{Deref, DerefMut};

use strait_core::hqq::{self as core_hqq, Consumer, ErrorCode, Producer, RecvError, SendError, Slots};

use crate::os::Os;

/// A reserved slot, in shared memory: fill it and [`commit`](SlotMut::commit). Dropping it gives it up: receivers skip it.
///
/// Forgetting it (`mem::forget`) stops the direction until its sender is used again or dropped.
#[derive(Debug)]
#[must_use = "dropping gives the slot up"]
pub struct SlotMut<'s> {
    slot: core_hqq::SlotMut<'s, Producer<Os>>,
}

impl<'s> SlotMut<'s> {
    pub(super) fn new(slot: core_hqq::SlotMut<'s, Producer<Os>>) -> Self {
        Self { slot }
    }

    /// Writes into the slot from its start; its position is what to [`commit`](Self::commit).
    pub fn writer(&mut self) -> Cursor<&mut [u8]> {
        Cursor::new(&mut self.slot)
    }

    /// Index of the slot, which is that of its buffer.
    pub fn index(&self) -> u64 {
        self.slot.index()
    }

    /// Sends the first `len` bytes.
    ///
    /// # Errors
    /// [`SendError::Empty`] and [`SendError::TooLong`]; the slot is given up then.
    #[inline]
    pub fn commit(self, len: usize) -> Result<(), SendError> {
        self.slot.commit(len)?;
        tracing::trace!(len, "sent");
        Ok(())
    }

    /// Gives the slot up, and says why in its tombstone.
    pub fn abort(self, reason: ErrorCode) {
        self.slot.abort(reason);
    }
}

impl Deref for SlotMut<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.slot
    }
}

impl DerefMut for SlotMut<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.slot
    }
}

/// A received message, in place in shared memory, or a private copy on links that others may write. Dropping it gives the
/// slot back to senders.
#[derive(Debug)]
pub struct Slot<'c> {
    held: Held<'c>,
}

#[derive(Debug)]
enum Held<'c> {
    InPlace(core_hqq::Slot<'c, Consumer<Os>>),
    Copied(Vec<u8>),
}

impl<'c> Slot<'c> {
    #[inline]
    pub(super) fn new(slot: core_hqq::Slot<'c, Consumer<Os>>, copies: bool) -> Self {
        let held = if copies { Held::Copied(slot.to_vec()) } else { Held::InPlace(slot) };
        Self { held }
    }
}

impl Deref for Slot<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.held {
            Held::InPlace(slot) => slot,
            Held::Copied(bytes) => bytes,
        }
    }
}

impl AsRef<[u8]> for Slot<'_> {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

/// Several claimed messages, read one after another; each goes back when the next is asked for, the rest, unread, when
/// this is dropped.
#[derive(Debug)]
pub struct Batch<'c> {
    slots: Slots<'c, Consumer<Os>>,
    /// Where each message is copied to, on links that others may write.
    copy: Option<Vec<u8>>,
}

impl<'c> Batch<'c> {
    #[inline]
    pub(super) fn new(slots: Slots<'c, Consumer<Os>>, copies: bool) -> Self {
        Self { slots, copy: copies.then(Vec::new) }
    }

    /// Slots left, given up ones among them.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether none is left.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The bytes of the next message; `None` at the end. Slots that were given up are skipped.
    ///
    /// # Errors
    /// What the packet is wrong about; the one after it comes with the next call.
    #[expect(
        clippy::should_implement_trait,
        reason = "what it lends ends with the next call: no iterator can"
    )]
    #[inline]
    pub fn next(&mut self) -> Option<Result<&[u8], RecvError>> {
        let message = self.slots.next()?;
        Some(match (&mut self.copy, message) {
            (Some(copy), Ok(bytes)) => {
                copy.clear();
                copy.extend_from_slice(bytes);
                Ok(copy)
            }
            (_, message) => message,
        })
    }
}
