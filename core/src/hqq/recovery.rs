//! What a dead participant held is given back: its reserved slots become tombstones, its claimed ones are released.
//!
//! A position of a ring is held by nobody living, and so recovered, if
//!
//! 1. the cursor has moved over it and its sequence says that it was not given back,
//! 2. the journal of a participant that is proven dead covers it, and
//! 3. no living participant's journal does: journals are written before the cursor moves, so whoever holds it shows.
//!
//! Recovering is done under the lock of the membership, which the system takes from a process that dies. So there is one
//! who recovers, and who dies within it leaves a state that the next one finds as the first did: the sequence changes
//! last. A position that a living participant covers by a race it has lost is left for the next look.

use super::layout::Side;
use crate::mpmc::{Ring, RingMemory};

/// What the members of a link are known to hold.
pub(crate) trait Journals {
    /// Whether a dead member of `side` may hold `position` of a ring.
    fn dead_may_hold(&self, side: Side, lane: usize, position: u64) -> bool;
    /// Whether a living member, or one whose fate is not known, may hold it.
    fn living_may_hold(&self, side: Side, lane: usize, position: u64) -> bool;
}

/// What was done to a ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Done {
    /// Slots published as tombstones.
    pub(crate) tombstones: u64,
    /// Slots released unread, or only partly read: messages that died with their consumer.
    pub(crate) releases: u64,
    /// Positions that a dead member may hold and a living one as well.
    pub(crate) unclear: u64,
}

/// Gives back what the dead held in ring `lane`. `tombstone` is the element for a slot index.
pub(crate) fn recover<const WORDS: usize, M: RingMemory<WORDS>>(
    ring: &Ring<M, WORDS>,
    lane: usize,
    journals: &impl Journals,
    tombstone: impl Fn(u64) -> [u64; WORDS],
) -> Done {
    let (producers, consumers) =
        if lane == 0 { (Side::Primary, Side::Secondary) } else { (Side::Secondary, Side::Primary) };
    let mut done = Done::default();
    let capacity = ring.capacity();
    // Positions first: whoever moved them had written its journal before.
    let (head, tail) = ring.positions();
    for back in 1..=capacity {
        let position = tail.wrapping_sub(back);
        if ring.sequence_at(position) == position && journals.dead_may_hold(producers, lane, position) {
            if journals.living_may_hold(producers, lane, position) {
                done.unclear += 1;
            } else if ring.publish_in_place(position, tombstone(ring.index(position) as u64)) {
                done.tombstones += 1;
            }
        }
        let position = head.wrapping_sub(back);
        let filled = position.wrapping_add(1);
        if ring.sequence_at(position) == filled && journals.dead_may_hold(consumers, lane, position) {
            if journals.living_may_hold(consumers, lane, position) {
                done.unclear += 1;
            } else if ring.release_in_place(position) {
                done.releases += 1;
            }
        }
    }
    done
}
