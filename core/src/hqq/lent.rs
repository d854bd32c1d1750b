//! Whether the guard that a handle gave last is still out. One that was forgotten is given back by the next who has the
//! handle for himself.
//!
//! A guard borrows its handle, and lends bytes for no longer than it is borrowed itself. So who has `&mut` to the handle, or
//! drops it, knows that neither can be used any more: the guard was dropped, and has said so here, or it was forgotten
//! (`mem::forget`, a cycle of `Rc`), and its turn is nobody's but the handle's. Hence at most one turn of a handle is out,
//! which its journal covers.

use crate::sync::{Ordering, SharedU32};

/// The turn of the guard that was given last.
#[derive(Debug)]
pub(super) struct Lent {
    start: u64,
    /// Slots of the turn; 0 once the guard is gone. Atomic only because a guard has no more than a shared reference.
    count: SharedU32,
}

impl Lent {
    pub(super) fn new() -> Self {
        Self { start: 0, count: SharedU32::new(0) }
    }

    /// A guard for `count` slots from position `start` on is about to be given.
    #[inline]
    pub(super) fn begin(&mut self, start: u64, count: u64) {
        self.start = start;
        // At most 255. Relaxed, here and below: the borrow orders it, which goes to another thread by means that do.
        self.count.store(u32::try_from(count).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    /// The guard has given everything back.
    #[inline]
    pub(super) fn end(&self) {
        self.count.store(0, Ordering::Relaxed);
    }

    /// The turn, start and count, of a guard that was forgotten. Once.
    #[inline]
    pub(super) fn forgotten(&mut self) -> Option<(u64, u64)> {
        let count = self.count.load(Ordering::Relaxed);
        if count == 0 {
            return None;
        }
        self.end();
        Some((self.start, u64::from(count)))
    }
}
