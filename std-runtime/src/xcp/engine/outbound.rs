//! The bytes of messages that are being sent, and how a frame of them is made.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use strait_core::crc32c::Checksum as _;
use strait_core::xcp::connection::Chunk;

use super::checksum::HardwareCrc;
use super::queue::WriteQueue;

/// A message to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    /// Its bytes; `None` if they follow.
    pub(crate) body: Option<Bytes>,
    /// Whether they are compressed.
    pub(crate) compressed: bool,
    /// Who waits for room, of a message whose bytes follow.
    pub(crate) room: Option<Arc<dyn Room>>,
}

impl Outgoing {
    pub(crate) fn whole(body: Bytes, compressed: bool) -> Self {
        Self { body: Some(body), compressed, room: None }
    }
}

/// Who waits until bytes were sent.
pub(crate) trait Room: Send + Sync + std::fmt::Debug {
    /// Bytes were sent, or never will be.
    fn made(&self);
}

/// The bytes of one message that the peer may still get.
#[derive(Debug)]
pub(super) struct Outbound {
    header: Box<[u8]>,
    msg_id: u64,
    /// The only part, of most.
    first: Option<Bytes>,
    /// What comes behind it.
    others: VecDeque<Bytes>,
    /// Where the first part begins in the message.
    start: u64,
    len: u64,
    kept: bool,
    room: Option<Arc<dyn Room>>,
}

impl Outbound {
    pub(super) fn new(header: &[u8], msg_id: u64, body: Option<Bytes>, room: Option<Arc<dyn Room>>) -> Self {
        let len = body.as_ref().map_or(0, |body| super::len(body.len()));
        Self {
            header: header.into(),
            msg_id,
            first: body,
            others: VecDeque::new(),
            start: 0,
            len,
            kept: false,
            room,
        }
    }

    pub(super) fn msg_id(&self) -> u64 {
        self.msg_id
    }

    pub(super) fn is_kept(&self) -> bool {
        self.kept
    }

    /// Bytes that are held.
    pub(super) fn held(&self) -> usize {
        usize::try_from(self.len - self.start).unwrap_or(usize::MAX)
    }

    /// Appends bytes; how many there are then in all.
    pub(super) fn push(&mut self, bytes: Bytes) -> u64 {
        self.len += super::len(bytes.len());
        if self.first.is_none() {
            self.first = Some(bytes);
        } else if !bytes.is_empty() {
            self.others.push_back(bytes);
        }
        self.len
    }

    /// Writes a frame with a chunk of it.
    pub(super) fn emit(&mut self, chunk: &Chunk, queue: &mut WriteQueue) {
        self.kept |= chunk.kept;
        if !queue.head(&chunk.envelope, &self.header) {
            return;
        }
        let mut checksum = HardwareCrc::default();
        let mut skip = usize::try_from(chunk.offset - self.start).unwrap_or(usize::MAX);
        let mut left = chunk.len;
        for part in self.first.iter().chain(&self.others) {
            if left == 0 {
                break;
            }
            if skip >= part.len() {
                skip -= part.len();
                continue;
            }
            let bytes = part.slice(skip..part.len().min(skip + left));
            (skip, left) = (0, left - bytes.len());
            checksum.update(&bytes);
            queue.push(bytes);
        }
        queue.copy(&chunk.envelope.crc.write(checksum.value()));
        if !chunk.kept {
            self.release(chunk.offset + super::len(chunk.len));
        }
    }

    /// Forgets what stands in front of `end`.
    fn release(&mut self, end: u64) {
        while let Some(part) = &self.first {
            let part_end = self.start + super::len(part.len());
            if part_end > end {
                break;
            }
            self.start = part_end;
            self.first = self.others.pop_front();
        }
        if let Some(room) = &self.room {
            room.made();
        }
    }

    /// The rest will not be sent.
    pub(super) fn close(self) {
        if let Some(room) = self.room {
            room.made();
        }
    }
}
