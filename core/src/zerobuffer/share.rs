//! How two Strait ends share a request's bytes, and cancel requests: words behind the payload ring.
//!
//! ```text
//! segment   OIEB │ metadata │ payload ring │ EndsTable │ ShareTable
//!                                                        magic, client, lends, clients, reserved   64 bytes
//!                                                        shares[64], cancelled[64]   8 bytes each, by number modulo 64
//! ```
//!
//! The words of ZeroBuffer v1 end with the ring; a segment may be longer, and no peer looks there. A server puts the
//! table behind the [ends](super::ends) of its request buffer and says whether it is willing to share; a client that is, too, enters its
//! process number.
//!
//! # Sharing
//!
//! A server that has changed a request in place may answer with the request's own bytes: it [lends](Shares::lend) them
//! (two references, its own and the client's) and sends a response that only says so. Each end gives its reference back.
//! When the last one is, the server returns the request's space to the ring. A share is `number << 2 | references`.
//!
//! # Trust
//!
//! A wrong word costs at most what its writer could do anyway: keep or return its own space. A client never looks at
//! bytes that the table names, but at those of the request that it remembers.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::ends::ENDS_SIZE;
use super::layout::{Geometry, Oieb};
use crate::layout::assert_layout;
use crate::platform::{Pid, Segment};
use crate::shm::view;
use crate::sync::{Ordering, SharedU64};

/// Requests that can be shared at once; the sixty-fifth is copied.
pub const SHARES: usize = 64;

/// "STRSHARE" as a little-endian number.
const MAGIC: u64 = u64::from_le_bytes(*b"STRSHARE");

const REFERENCES: u64 = 3;

/// The words behind the ring.
#[derive(Debug)]
#[repr(C)]
pub struct ShareTable {
    /// "STRSHARE"; stored last when the table is made.
    magic: SharedU64,
    /// Process number of the client that shares; 0 = none.
    client: SharedU64,
    /// 1 if the server lends requests to a client that asks for it.
    lends: SharedU64,
    /// How many Strait clients have connected.
    clients: SharedU64,
    /// Stay 0.
    reserved: [SharedU64; 4],
    /// `number << 2 | references` of a request whose bytes are lent.
    shares: [SharedU64; SHARES],
    /// Numbers of requests whose answer nobody waits for.
    cancelled: [SharedU64; SHARES],
}

/// Bytes of the table.
pub const SHARE_TABLE_SIZE: usize = 1088;

assert_layout!(ShareTable: 1088 bytes, aligned to 8 {
    0x00: 8 magic,
    0x08: 8 client,
    0x10: 8 lends,
    0x18: 8 clients,
    0x20: 32 reserved,
    0x40: 512 shares,
    0x240: 512 cancelled,
});

/// What a table's words mean; the memory is the caller's.
impl ShareTable {
    fn share(&self, number: u64) -> Option<&SharedU64> {
        self.shares.get(slot(number))
    }

    /// Lends the request `number`: two references. `false` if its slot still belongs to an older one. Only the server.
    pub(super) fn lend(&self, number: u64) -> bool {
        let Some(share) = self.share(number) else { return false };
        // Acquire: pairs with the Release in `give_back`: the older one's reader has finished.
        if share.load(Ordering::Acquire) & REFERENCES != 0 {
            return false;
        }
        // Relaxed: the commit of the response that names it orders it.
        share.store((number << 2) | 2, Ordering::Relaxed);
        true
    }

    /// Gives one reference back; `true` if it was the last.
    pub(super) fn give_back(&self, number: u64) -> bool {
        let Some(share) = self.share(number) else { return false };
        // Relaxed: the exchange below orders it.
        let mut found = share.load(Ordering::Relaxed);
        // Bounded: only the other end's own reference can go meanwhile.
        for _ in 0..4 {
            let references = found & REFERENCES;
            if found >> 2 != number & (u64::MAX >> 2) || references == 0 {
                return false;
            }
            // Release: our looks at the bytes come before. Acquire: who is last has everything of the other's.
            match share.compare_exchange(found, found.wrapping_sub(1), Ordering::AcqRel) {
                Ok(_) => return references == 1,
                Err(now) => found = now,
            }
        }
        false
    }

    fn is_cancelled(&self, number: u64) -> bool {
        // Relaxed: a hint.
        self.cancelled.get(slot(number)).is_some_and(|word| word.load(Ordering::Relaxed) == number)
    }

    /// Whether every reference to the request is back.
    pub(super) fn is_back(&self, number: u64) -> bool {
        // Acquire: pairs with the Release in `give_back`: the bytes may be written over.
        self.share(number).is_none_or(|share| {
            let found = share.load(Ordering::Acquire);
            found >> 2 != number & (u64::MAX >> 2) || found & REFERENCES == 0
        })
    }
}

#[expect(clippy::cast_possible_truncation, reason = "less than 64")]
const fn slot(number: u64) -> usize {
    // Modulo 64.
    (number & ((SHARES as u64).saturating_sub(1))) as usize
}

/// The table of one buffer, seen from either end.
#[derive(Clone, Debug)]
pub struct Shares<S> {
    segment: S,
    offset: usize,
}

impl<S: Segment> Shares<S> {
    /// Makes the table of a new buffer, whose bytes are zero and which nobody sees yet.
    pub(super) fn create(segment: S, geometry: Geometry, lends: bool) -> Option<Self> {
        let shares = Self { segment, offset: geometry.segment_len()?.checked_add(ENDS_SIZE)? };
        let table = shares.table()?;
        // Relaxed: the magic orders it.
        table.lends.store(u64::from(lends), Ordering::Relaxed);
        // Release: whoever finds the magic finds a table.
        table.magic.store(MAGIC, Ordering::Release);
        Some(shares)
    }

    /// The table of an existing buffer, if it has one.
    pub(super) fn open(segment: S, geometry: Geometry) -> Option<Self> {
        let shares = Self { segment, offset: geometry.segment_len()?.checked_add(ENDS_SIZE)? };
        // Acquire: pairs with the store in `create`.
        (shares.table()?.magic.load(Ordering::Acquire) == MAGIC).then_some(shares)
    }

    /// `None` in a segment that is too short, or was cut short.
    fn table(&self) -> Option<&ShareTable> {
        if self.segment.backed_len() < self.segment.len() {
            return None;
        }
        view::<ShareTable, S>(&self.segment, self.offset).ok()
    }

    /// Whether the server lends requests to a client that asks for it.
    pub fn lends(&self) -> bool {
        // Relaxed: stored before the table was seen, never again.
        self.table().is_some_and(|table| table.lends.load(Ordering::Relaxed) == 1)
    }

    /// Says that a client has connected, which does not share so far.
    pub fn enter(&self) {
        if let Some(table) = self.table() {
            // Relaxed, both: only show that somebody else is there.
            table.client.store(0, Ordering::Relaxed);
            table.clients.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many clients have said that they connected.
    pub fn clients(&self) -> u64 {
        // Relaxed: as in `enter`.
        self.table().map_or(0, |table| table.clients.load(Ordering::Relaxed))
    }

    /// Enters the client that shares, or with 0 takes it out.
    pub fn set_client(&self, pid: Pid) {
        if let Some(table) = self.table() {
            // Relaxed: the commit of the first request orders it.
            table.client.store(pid.0, Ordering::Relaxed);
        }
    }

    /// The client that shares; 0 = none.
    pub fn client(&self) -> Pid {
        // Relaxed: seen after that client's first request.
        Pid(self.table().map_or(0, |table| table.client.load(Ordering::Relaxed)))
    }

    /// The process that writes the buffer; 0 = none.
    pub fn writer(&self) -> Pid {
        if self.segment.backed_len() < self.segment.len() {
            return Pid(0);
        }
        // Relaxed: only says who is there.
        Pid(view::<Oieb, S>(&self.segment, 0).map_or(0, |oieb| oieb.writer_pid.load(Ordering::Relaxed)))
    }

    /// Lends the request `number` to the client: two references. `false` if that cannot be now: copy then.
    pub fn lend(&self, number: u64) -> bool {
        self.table().is_some_and(|table| table.lend(number))
    }

    /// Gives one reference to the request `number` back; `true` if it was the last. One that is not held is ignored.
    pub fn give_back(&self, number: u64) -> bool {
        self.table().is_some_and(|table| table.give_back(number))
    }

    /// Whether every reference to the request `number` is back: its space may be returned.
    pub fn is_back(&self, number: u64) -> bool {
        self.table().is_none_or(|table| table.is_back(number))
    }

    /// Says that nobody waits for the answer to the request `number`. A hint: sixty-four later ones may overwrite it.
    pub fn cancel(&self, number: u64) {
        if let Some(word) = self.table().and_then(|table| table.cancelled.get(slot(number))) {
            // Relaxed: a hint.
            word.store(number, Ordering::Relaxed);
        }
    }

    /// Whether the request `number` was cancelled.
    pub fn is_cancelled(&self, number: u64) -> bool {
        self.table().is_some_and(|table| table.is_cancelled(number))
    }

    /// [`is_cancelled`](Self::is_cancelled) right after the request was received, which has looked at the segment's size:
    /// asking again would cost more than all the rest.
    pub fn is_received_cancelled(&self, number: u64) -> bool {
        view::<ShareTable, S>(&self.segment, self.offset).is_ok_and(|table| table.is_cancelled(number))
    }

    /// Forgets everything about the last client.
    pub fn reset(&self) {
        let Some(table) = self.table() else { return };
        // Relaxed, all: the last client is gone, the next one's first request is not answered yet.
        for word in table.shares.iter().chain(&table.cancelled) {
            word.store(0, Ordering::Relaxed);
        }
    }
}

#[cfg(all(test, loom))]
pub(super) mod loom_table {
    use super::*;

    impl ShareTable {
        /// The word of a request.
        pub(in crate::zerobuffer) fn word(&self, number: u64) -> &SharedU64 {
            self.share(number).expect("a slot for every number")
        }

        pub(in crate::zerobuffer) fn blank() -> Self {
            let word = |_| SharedU64::new(0);
            Self {
                magic: SharedU64::new(MAGIC),
                client: SharedU64::new(0),
                lends: SharedU64::new(0),
                clients: SharedU64::new(0),
                reserved: core::array::from_fn(word),
                shares: core::array::from_fn(word),
                cancelled: core::array::from_fn(word),
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::testing::HeapSegment;

    fn shares() -> (HeapSegment, Shares<HeapSegment>) {
        let geometry = Geometry { metadata_size: 64, payload_size: 128 };
        let segment = HeapSegment::new(128 + 64 + 128 + ENDS_SIZE + SHARE_TABLE_SIZE);
        assert!(Shares::open(segment.clone(), geometry).is_none(), "no table yet");
        let shares = Shares::create(segment.clone(), geometry, true).expect("it fits");
        assert!(Shares::open(segment.clone(), geometry).is_some());
        (segment, shares)
    }

    #[test]
    fn a_request_is_back_when_both_references_are() {
        let (_, shares) = shares();
        assert!(shares.is_back(7));
        assert!(shares.lend(7));
        assert!(!shares.is_back(7));
        assert!(!shares.give_back(7));
        assert!(!shares.is_back(7));
        assert!(shares.give_back(7));
        assert!(shares.is_back(7));
        assert!(!shares.give_back(7), "no reference is left");
    }

    #[test]
    fn a_slot_in_use_is_not_lent_again() {
        let (_, shares) = shares();
        assert!(shares.lend(1));
        assert!(!shares.lend(65));
        assert!(shares.lend(2));
        assert!(!shares.give_back(65), "the slot is the older one's");
        shares.give_back(1);
        assert!(shares.give_back(1));
        assert!(shares.lend(65));
    }

    #[test]
    fn the_largest_numbers_keep_their_references() {
        let (_, shares) = shares();
        assert!(shares.lend(u64::MAX));
        assert!(!shares.is_back(u64::MAX));
        assert!(!shares.give_back(u64::MAX));
        assert!(shares.give_back(u64::MAX));
    }

    #[test]
    fn cancelled_numbers_are_told_until_another_takes_the_slot() {
        let (_, shares) = shares();
        assert!(!shares.is_cancelled(3));
        shares.cancel(3);
        assert!(shares.is_cancelled(3) && !shares.is_cancelled(67));
        shares.cancel(67);
        assert!(!shares.is_cancelled(3));
        shares.reset();
        assert!(!shares.is_cancelled(67));
    }

    #[test]
    fn any_words_are_survived_and_a_cut_segment_has_no_table() {
        let (segment, shares) = shares();
        for word in 0..SHARE_TABLE_SIZE / 8 {
            segment.scribble_u64(320 + word * 8, u64::MAX);
        }
        for number in [0, 1, 63, 64, u64::MAX] {
            shares.lend(number);
            shares.give_back(number);
            shares.is_back(number);
        }
        segment.truncate(1000);
        assert!(!shares.lend(5) && !shares.give_back(5) && shares.is_back(5));
        assert_eq!(shares.client(), Pid(0));
    }

    #[test]
    fn a_buffer_of_another_implementation_has_no_table() {
        let geometry = Geometry { metadata_size: 64, payload_size: 128 };
        assert!(Shares::open(HeapSegment::new(320), geometry).is_none());
        // Windows rounds up to pages.
        assert!(Shares::open(HeapSegment::new(4096), geometry).is_none());
    }
}
