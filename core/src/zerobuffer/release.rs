//! Which bytes may be returned to the writer when frames are released out of order: those of the oldest, unbroken run.
//!
//! The ring's free bytes are one number, and the writer takes them to lie right after its position. Returning a later
//! frame's bytes while an earlier frame is still held would let it write over the held one.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use heapless::Deque;

/// Names a frame in a [`ReleaseQueue`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(u64);

#[derive(Clone, Copy, Debug)]
struct Entry {
    cost: u64,
    released: bool,
}

/// Frames claimed and not yet returned, oldest first; at most `N`.
#[derive(Debug)]
pub struct ReleaseQueue<const N: usize> {
    entries: Deque<Entry, N>,
    /// Ticket of the oldest entry.
    oldest: u64,
    held: u64,
}

impl<const N: usize> Default for ReleaseQueue<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> ReleaseQueue<N> {
    /// A queue that holds nothing.
    pub const fn new() -> Self {
        Self { entries: Deque::new(), oldest: 0, held: 0 }
    }

    /// Adds the newest frame, which costs `cost` bytes of ring; `None` if `N` are held.
    pub fn push(&mut self, cost: u64) -> Option<Ticket> {
        let ticket = self.oldest.checked_add(u64::try_from(self.entries.len()).ok()?)?;
        self.entries.push_back(Entry { cost, released: false }).ok()?;
        self.held = self.held.saturating_add(cost);
        Some(Ticket(ticket))
    }

    /// Marks a frame as released; returns the bytes that may go back to the writer now: 0 while an older one is held.
    /// Releasing a frame twice does nothing.
    pub fn release(&mut self, ticket: Ticket) -> u64 {
        let index = ticket.0.checked_sub(self.oldest).and_then(|index| usize::try_from(index).ok());
        if let Some(entry) = index.and_then(|index| self.entries.iter_mut().nth(index)) {
            entry.released = true;
        }
        let mut returned = 0u64;
        while let Some(Entry { cost, released: true }) = self.entries.front().copied() {
            self.entries.pop_front();
            self.oldest = self.oldest.wrapping_add(1);
            returned = returned.saturating_add(cost);
        }
        self.held = self.held.saturating_sub(returned);
        returned
    }

    /// Bytes of ring that are claimed and not returned.
    pub fn held(&self) -> u64 {
        self.held
    }

    /// Whether no further frame can be held.
    pub fn is_full(&self) -> bool {
        self.entries.is_full()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    #[test]
    fn a_later_frame_waits_for_the_earlier_one() {
        let mut queue = ReleaseQueue::<4>::new();
        let (a, b, c) = (queue.push(10).unwrap(), queue.push(20).unwrap(), queue.push(30).unwrap());
        assert_eq!(queue.release(b), 0);
        assert_eq!(queue.release(b), 0);
        assert_eq!(queue.held(), 60);
        assert_eq!(queue.release(a), 30);
        assert_eq!(queue.release(a), 0);
        assert_eq!(queue.release(c), 30);
        assert!(queue.is_empty());
    }

    #[test]
    fn no_more_than_the_limit_are_held() {
        let mut queue = ReleaseQueue::<2>::new();
        assert!(queue.push(1).is_some() && queue.push(1).is_some());
        assert!(queue.is_full());
        assert_eq!(queue.push(1), None);
    }

    proptest! {
        #[test]
        fn returned_bytes_are_those_of_the_longest_released_prefix(
            steps in prop::collection::vec((any::<bool>(), 1u64..100, any::<prop::sample::Index>()), 1..200),
        ) {
            let mut queue = ReleaseQueue::<16>::new();
            let mut model: Vec<(Ticket, u64, bool)> = Vec::new();
            let (mut pushed, mut returned) = (0, 0);
            for (push, cost, pick) in steps {
                if push {
                    if let Some(ticket) = queue.push(cost) {
                        pushed += cost;
                        model.push((ticket, cost, false));
                    } else {
                        let held = model.iter().skip_while(|(_, _, released)| *released).count();
                        prop_assert_eq!(held, 16);
                    }
                } else if !model.is_empty() {
                    let index = pick.index(model.len());
                    let (ticket, _, released) = &mut model[index];
                    *released = true;
                    returned += queue.release(*ticket);
                    let prefix: u64 = model.iter().take_while(|entry| entry.2).map(|entry| entry.1).sum();
                    prop_assert_eq!(returned, prefix);
                }
                prop_assert_eq!(queue.held(), pushed - returned);
            }
        }
    }
}
