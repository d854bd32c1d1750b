//! Where the words of a ring stand: a header of 256 bytes, then slots of an element and its sequence.
//!
//! ```text
//! 0    magic      0xC9D8C1D43F096701          128  tail   next position to produce
//! 8    capacity   slots, a power of two       136  15 words nobody writes
//! 16   flags      2 = initialised
//! 24   head       next position to consume    256  slot 0: element, sequence
//! 32   12 words nobody writes                 …    slot 1, without padding
//! ```
//!
//! Slots of 64-byte elements are 72 bytes long, so that neighbours share cache lines: the protocol puts them there.
//!
//! Source: gosuda/HQQ at fb15cd8, `mpmc.go`; the same in every era of that implementation.

use crate::layout::assert_layout;
use crate::sync::{Ordering, SharedU64};

/// First word of every ring.
pub const MAGIC: u64 = 0xC9D8_C1D4_3F09_6701;

/// The flag of a ring that is ready.
pub const INITIALISED: u64 = 2;

/// Bytes of a ring's header; slot 0 follows it.
pub const HEADER_LEN: usize = 256;

/// The control words of a ring.
#[derive(Debug)]
#[repr(C)]
pub struct RingHeader {
    pub(super) magic: SharedU64,
    /// Slots. Read once when attaching; afterwards the ring goes by its own number.
    pub(super) capacity: SharedU64,
    pub(super) flags: SharedU64,
    /// Next position to consume.
    pub(super) head: SharedU64,
    unused: [SharedU64; 12],
    /// Next position to produce.
    pub(super) tail: SharedU64,
    unused_too: [SharedU64; 15],
}

assert_layout!(RingHeader: 256 bytes, aligned to 8 {
    0: 8 magic,
    8: 8 capacity,
    16: 8 flags,
    24: 8 head,
    32: 96 unused,
    128: 8 tail,
    136: 120 unused_too,
});

impl RingHeader {
    /// A header in memory of its own, not initialised.
    pub(super) fn zeroed() -> Self {
        Self {
            magic: SharedU64::new(0),
            capacity: SharedU64::new(0),
            flags: SharedU64::new(0),
            head: SharedU64::new(0),
            unused: core::array::from_fn(|_| SharedU64::new(0)),
            tail: SharedU64::new(0),
            unused_too: core::array::from_fn(|_| SharedU64::new(0)),
        }
    }

    /// The words that say what the ring is: magic, capacity, flags.
    pub fn identity(&self) -> [u64; 3] {
        // Pairs with the Release store of `flags` in `Ring::initialise`: shows the sequences of all slots.
        let flags = self.flags.load(Ordering::Acquire);
        // Relaxed: written before the flags.
        [self.magic.load(Ordering::Relaxed), self.capacity.load(Ordering::Relaxed), flags]
    }
}

/// An element of `WORDS` words and the number that says whose turn it is.
///
/// At position *p* of a ring of *n* slots the sequence is *p* while the slot is free, *p + 1* once it is filled, and
/// *p + n* when it was read, which is "free" for the position one lap on.
#[derive(Debug)]
#[repr(C)]
pub struct RingSlot<const WORDS: usize = 8> {
    pub(super) element: [SharedU64; WORDS],
    pub(super) sequence: SharedU64,
}

assert_layout!(RingSlot: 72 bytes, aligned to 8 {
    0: 64 element,
    64: 8 sequence,
});

impl<const WORDS: usize> RingSlot<WORDS> {
    /// A slot in memory of its own.
    pub(super) fn zeroed() -> Self {
        Self { element: core::array::from_fn(|_| SharedU64::new(0)), sequence: SharedU64::new(0) }
    }
}
