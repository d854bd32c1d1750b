//! The first 64 bytes of a link in the superblock profile: what it is, and whether it is ready.
//!
//! Source: gosuda/HQQ at fb15cd8. It has no version check of its own; we refuse another major version.

use super::layout::Geometry;
use crate::layout::assert_layout;
use crate::sync::{Ordering, SharedU64};

/// `HQQ_STL1` as a big-endian number.
pub const MAGIC: u64 = 0x4851_515F_5354_4C31;
/// Nobody has begun.
pub const EMPTY: u64 = 0;
/// Somebody is initialising it, or died doing so.
pub const INITIALISING: u64 = 1;
/// It can be used.
pub const READY: u64 = 2;

const MAJOR: u64 = 1;
const MINOR: u64 = 0;

/// The superblock's words.
#[derive(Debug)]
#[repr(C)]
pub struct Superblock {
    magic: SharedU64,
    state: SharedU64,
    major: SharedU64,
    minor: SharedU64,
    page: SharedU64,
    slots: SharedU64,
    slot_len: SharedU64,
    layout_len: SharedU64,
}

assert_layout!(Superblock: 64 bytes, aligned to 8 {
    0: 8 magic,
    8: 8 state,
    16: 8 major,
    24: 8 minor,
    32: 8 page,
    40: 8 slots,
    48: 8 slot_len,
    56: 8 layout_len,
});

/// The words of a superblock, as they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words have their names")]
pub struct Words {
    pub magic: u64,
    pub state: u64,
    pub major: u64,
    pub minor: u64,
    pub page: u64,
    pub slots: u64,
    pub slot_len: u64,
    pub layout_len: u64,
}

impl Superblock {
    /// Takes the right to initialise; `false` if somebody else has it or had it.
    pub(super) fn claim(&self) -> bool {
        self.state.compare_exchange(EMPTY, INITIALISING, Ordering::AcqRel).is_ok()
    }

    /// Says that the rest is initialised.
    pub(super) fn publish(&self, geometry: &Geometry) {
        let plan = geometry.plan();
        // Relaxed: the state publishes them.
        self.major.store(MAJOR, Ordering::Relaxed);
        self.minor.store(MINOR, Ordering::Relaxed);
        self.page.store(geometry.page(), Ordering::Relaxed);
        self.slots.store(geometry.slots(), Ordering::Relaxed);
        self.slot_len.store(geometry.slot_len(), Ordering::Relaxed);
        self.layout_len.store(plan.layout_len as u64, Ordering::Relaxed);
        self.magic.store(MAGIC, Ordering::Relaxed);
        // Pairs with the Acquire in `words`: shows the rings and all of the above.
        self.state.store(READY, Ordering::Release);
    }

    /// The words now.
    pub fn words(&self) -> Words {
        // Pairs with the Release in `publish`; first, so that the others belong to it.
        let state = self.state.load(Ordering::Acquire);
        // Relaxed: ordered by the state.
        let load = |word: &SharedU64| word.load(Ordering::Relaxed);
        Words {
            magic: load(&self.magic),
            state,
            major: load(&self.major),
            minor: load(&self.minor),
            page: load(&self.page),
            slots: load(&self.slots),
            slot_len: load(&self.slot_len),
            layout_len: load(&self.layout_len),
        }
    }
}

impl Words {
    /// Whether the major version is one that Strait speaks.
    pub(super) fn is_spoken(&self) -> bool {
        self.major == MAJOR
    }
}
