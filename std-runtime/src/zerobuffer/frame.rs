//! Frames as values: filled in place, read in place, given back when dropped.

use std::io;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use strait_core::zerobuffer::release::Ticket;
use strait_core::zerobuffer::{Claimed, Reserved};

use super::error::SendError;
use super::ledger::Ledger;
use super::reader::Reader;
use super::writer::Writer;

/// Room for one frame, in shared memory. Fill it, then [`commit`](Self::commit); dropping it discards it.
///
/// Also an [`io::Write`]r: bytes go one after another from the start, and too many are an error of kind `WriteZero`.
#[derive(Debug)]
#[must_use = "a frame that is not committed is discarded"]
pub struct FrameMut<'w> {
    writer: &'w mut Writer,
    reserved: Reserved,
    /// Bytes written through `io::Write`.
    written: usize,
}

impl<'w> FrameMut<'w> {
    pub(super) fn new(writer: &'w mut Writer, reserved: Reserved) -> Self {
        Self { writer, reserved, written: 0 }
    }

    /// Publishes the frame and wakes the reader; returns the frame's number.
    ///
    /// # Errors
    /// [`SendError::Truncated`] or [`SendError::Corrupt`]: the frame is not published. [`SendError::Os`]: it is, but
    /// the reader may learn of it late.
    pub fn commit(self) -> Result<u64, SendError> {
        self.writer.commit(self.reserved)
    }

    /// The number that the frame will have: 1, 2, 3 … per writer.
    pub fn sequence(&self) -> u64 {
        self.writer.endpoint.next_sequence()
    }
}

impl Deref for FrameMut<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.writer.endpoint.bytes(&self.reserved)
    }
}

impl DerefMut for FrameMut<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.writer.endpoint.bytes_mut(&mut self.reserved)
    }
}

impl AsMut<[u8]> for FrameMut<'_> {
    fn as_mut(&mut self) -> &mut [u8] {
        self
    }
}

impl io::Write for FrameMut<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let at = self.written;
        let rest = self.deref_mut().get_mut(at..).unwrap_or_default();
        let len = data.len().min(rest.len());
        rest[..len].copy_from_slice(&data[..len]);
        self.written = at + len;
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One received frame, in shared memory (or a private copy, see [`copy_frames`]). Dropping it returns its space.
///
/// It may be changed in place: until it is dropped its bytes are this reader's alone.
///
/// ```
/// # fn main() -> strait::Result<()> {
/// # use strait::zerobuffer::{Reader, Writer};
/// # let name = format!("doc-frame-{}", std::process::id());
/// # let mut reader = Reader::builder(&name).payload_capacity(1 << 16).create()?;
/// # let mut writer = Writer::connect(&name)?;
/// # writer.send(b"abc")?;
/// let mut frame = reader.recv()?;
/// frame.make_ascii_uppercase();       // no copy
/// assert_eq!(&*frame, b"ABC");
/// # Ok(())
/// # }
/// ```
///
/// It borrows the reader, so there is one at a time; [`Reader::recv_owned`] gives frames that can be held. A frame
/// leaked with [`std::mem::forget`] blocks its space for good, which is not unsound.
///
/// [`copy_frames`]: super::ReaderBuilder::copy_frames
#[derive(Debug)]
pub struct Frame<'r> {
    reader: &'r mut Reader,
    /// `None` only while dropping, or where the bytes were copied and the space is back already.
    claimed: Option<Claimed>,
    ticket: Option<Ticket>,
    sequence: u64,
}

impl<'r> Frame<'r> {
    pub(super) fn new(reader: &'r mut Reader, claimed: Claimed, ticket: Option<Ticket>) -> Self {
        let sequence = claimed.sequence();
        let mut frame = Self { reader, claimed: Some(claimed), ticket, sequence };
        if frame.reader.copies() {
            frame.copy();
        }
        frame
    }

    /// Copies the bytes away and returns the space at once.
    fn copy(&mut self) {
        if let Some(claimed) = self.claimed.take() {
            self.reader.copy_out(&claimed);
            self.reader.give_back(claimed, self.ticket.take());
        }
    }

    /// The frame's number: 1, 2, 3 … per writer.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }
}

impl Deref for Frame<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.claimed {
            Some(claimed) => self.reader.bytes(claimed),
            None => self.reader.copied(),
        }
    }
}

impl DerefMut for Frame<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        match &mut self.claimed {
            Some(claimed) => self.reader.bytes_mut(claimed),
            None => self.reader.copied_mut(),
        }
    }
}

impl AsMut<[u8]> for Frame<'_> {
    fn as_mut(&mut self) -> &mut [u8] {
        self
    }
}

impl AsRef<[u8]> for Frame<'_> {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Drop for Frame<'_> {
    fn drop(&mut self) {
        if let Some(claimed) = self.claimed.take() {
            self.reader.give_back(claimed, self.ticket.take());
        }
    }
}

/// A received frame that does not borrow its reader: hold several, send them to other threads, drop them in any order.
///
/// Space goes back to the writer in frame order: that of a later frame waits for every earlier one. The frame stays
/// readable after its reader is gone. It may be changed in place, as a [`Frame`].
pub struct OwnedFrame {
    ledger: Arc<Ledger>,
    claimed: Option<Claimed>,
    ticket: Ticket,
    copy: Option<Box<[u8]>>,
    sequence: u64,
}

impl OwnedFrame {
    pub(super) fn new(ledger: Arc<Ledger>, claimed: Claimed, ticket: Ticket, copies: bool) -> Self {
        let sequence = claimed.sequence();
        let mut frame = Self { ledger, claimed: Some(claimed), ticket, copy: None, sequence };
        if copies {
            frame.copy = frame.claimed.as_ref().map(|claimed| frame.ledger.bytes(claimed).into());
            frame.claimed = None;
            frame.ledger.release(frame.ticket);
        }
        frame
    }

    /// The frame's number: 1, 2, 3 … per writer.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }
}

impl OwnedFrame {
    /// Whether the bytes are in shared memory, and not a private copy.
    pub(super) fn is_in_ring(&self) -> bool {
        self.claimed.is_some()
    }
}

impl Deref for OwnedFrame {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match (&self.claimed, &self.copy) {
            (Some(claimed), _) => self.ledger.bytes(claimed),
            (None, Some(copy)) => copy,
            (None, None) => &[],
        }
    }
}

impl DerefMut for OwnedFrame {
    fn deref_mut(&mut self) -> &mut [u8] {
        match (&mut self.claimed, &mut self.copy) {
            (Some(claimed), _) => self.ledger.bytes_mut(claimed),
            (None, Some(copy)) => copy,
            (None, None) => &mut [],
        }
    }
}

impl AsMut<[u8]> for OwnedFrame {
    fn as_mut(&mut self) -> &mut [u8] {
        self
    }
}

impl AsRef<[u8]> for OwnedFrame {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl std::fmt::Debug for OwnedFrame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OwnedFrame").field("sequence", &self.sequence).field("len", &self.len()).finish()
    }
}

impl Drop for OwnedFrame {
    fn drop(&mut self) {
        if self.claimed.take().is_some() {
            self.ledger.release(self.ticket);
        }
    }
}
