//! Which incoming messages are unfinished, which bytes come next, and how long they may take.
//!
//! Bounded in count (`N`), in bytes (the sum of their lengths, because the runtime may have reserved them), and in
//! time (since their last chunk).
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use core::time::Duration;

use heapless::Vec;

use super::error::AbortReason;
use super::fault::ChunkFault;
use super::history::History;
use super::message::{ConnectionId, Marks, MessageKey};
use crate::hqq::packet::Chunk;
use crate::time::Instant;

/// Dropped messages whose other chunks are swallowed.
const DROPPED: usize = 16;

/// A message that was begun and not ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Assembly {
    pub(super) key: MessageKey,
    /// As its first chunk said.
    pub(super) marks: Marks,
    pub(super) aux: u64,
    total: u64,
    received: u64,
    deadline: Instant,
    /// Why it ended early; our user does not know yet.
    ended: Option<AbortReason>,
}

/// Bounds of what is unfinished.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) max_message: u64,
    pub(super) max_bytes: u64,
    pub(super) age: Duration,
}

/// At most `N` unfinished messages.
#[derive(Debug)]
pub(super) struct Assemblies<const N: usize> {
    bounds: Bounds,
    all: Vec<Assembly, N>,
    dropped: History<MessageKey, DROPPED>,
}

impl<const N: usize> Assemblies<N> {
    pub(super) const fn new(bounds: Bounds) -> Self {
        Self { bounds, all: Vec::new(), dropped: History::new() }
    }

    /// Whether a message can begin with `chunk`; nothing changes.
    pub(super) fn check_begin(&self, key: MessageKey, chunk: &Chunk, last: bool) -> Result<(), ChunkFault> {
        let (total, max) = (chunk.total, self.bounds.max_message);
        if let Some(open) = self.find(key) {
            return Err(ChunkFault::BegunTwice { received: open.received });
        }
        if total > max {
            return Err(ChunkFault::TooLarge { total, max });
        }
        if last {
            return Ok(());
        }
        if self.all.is_full() {
            return Err(ChunkFault::TooManyAssemblies { limit: N });
        }
        // At most N sums, each at most max_message: saturation is above any limit.
        let open = self.open().fold(0, |sum: u64, assembly| sum.saturating_add(assembly.total));
        let max = self.bounds.max_bytes;
        if open.saturating_add(total) > max {
            return Err(ChunkFault::TooManyBytes { total, open, max });
        }
        Ok(())
    }

    /// Begins a message of several chunks, after [`check_begin`](Self::check_begin).
    pub(super) fn begin(&mut self, now: Instant, key: MessageKey, marks: Marks, chunk: &Chunk) {
        let deadline = now.saturating_add(self.bounds.age);
        let Chunk { total, len, aux, .. } = *chunk;
        self.dropped.forget(key);
        let assembly = Assembly { key, marks, aux, total, received: len, deadline, ended: None };
        debug_assert!(!self.all.is_full(), "checked by check_begin");
        let _ = self.all.push(assembly);
    }

    /// Goes on with a message; its first chunk's marks. Removes it with its last chunk.
    pub(super) fn go_on(
        &mut self,
        now: Instant,
        key: MessageKey,
        chunk: &Chunk,
        last: bool,
    ) -> Result<Assembly, ChunkFault> {
        let deadline = now.saturating_add(self.bounds.age);
        let Chunk { offset, len, total, .. } = *chunk;
        let open = self.all.iter_mut().find(|open| open.key == key && open.ended.is_none());
        let open = open.ok_or(ChunkFault::OutOfOrder { offset, expected: 0 })?;
        if total != open.total {
            return Err(ChunkFault::TotalChanged { found: total, expected: open.total });
        }
        if offset != open.received {
            return Err(ChunkFault::OutOfOrder { offset, expected: open.received });
        }
        // Cannot overflow: offset + len is at most total, checked with the header.
        open.received = offset.saturating_add(len);
        open.deadline = deadline;
        let assembly = *open;
        if last {
            self.all.retain(|open| open.key != key || open.ended.is_some());
        }
        Ok(assembly)
    }

    /// Ends those that `which` says, for `why`; how many.
    pub(super) fn end(&mut self, why: AbortReason, which: impl Fn(&Assembly) -> bool) -> usize {
        let mut ended = 0usize;
        for open in &mut self.all {
            if open.ended.is_none() && which(open) {
                open.ended = Some(why);
                ended = ended.saturating_add(1);
            }
        }
        ended
    }

    /// Ends it at once, without a report; whether it was there.
    pub(super) fn remove(&mut self, key: MessageKey) -> bool {
        let before = self.all.len();
        self.all.retain(|open| open.key != key || open.ended.is_some());
        self.all.len() < before
    }

    /// Swallows the other chunks of a message.
    pub(super) fn swallow(&mut self, key: MessageKey) {
        self.dropped.remember(key);
    }

    /// Whether a chunk that is no message's first is swallowed; the message's last one is the last.
    pub(super) fn is_swallowed(&mut self, key: MessageKey, last: bool) -> bool {
        let swallowed = self.dropped.contains(key);
        if swallowed && last {
            self.dropped.forget(key);
        }
        swallowed
    }

    pub(super) fn clear_history(&mut self) {
        self.dropped.clear();
    }

    /// Ends those whose time is over. Those of connections that `is_held_back` by us get more.
    pub(super) fn expire(
        &mut self,
        now: Instant,
        is_held_back: impl Fn(ConnectionId) -> bool,
    ) -> Option<MessageKey> {
        let age = self.bounds.age;
        for open in self.all.iter_mut().filter(|open| open.ended.is_none() && now >= open.deadline) {
            if is_held_back(open.key.connection) {
                open.deadline = now.saturating_add(age);
            } else {
                open.ended = Some(AbortReason::TooOld);
                self.dropped.remember(open.key);
                return Some(open.key);
            }
        }
        None
    }

    /// When the next one is too old.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.open().map(|open| open.deadline).min()
    }

    /// One that ended early and was not reported.
    pub(super) fn take_ended(&mut self) -> Option<(MessageKey, AbortReason)> {
        let at = self.all.iter().position(|open| open.ended.is_some())?;
        let ended = self.all.swap_remove(at);
        Some((ended.key, ended.ended?))
    }

    /// Whether it is unfinished.
    pub(super) fn contains(&self, key: MessageKey) -> bool {
        self.find(key).is_some()
    }

    /// Unfinished messages.
    pub(super) fn len(&self) -> usize {
        self.open().count()
    }

    fn open(&self) -> impl Iterator<Item = &Assembly> {
        self.all.iter().filter(|open| open.ended.is_none())
    }

    fn find(&self, key: MessageKey) -> Option<&Assembly> {
        self.open().find(|open| open.key == key)
    }
}
