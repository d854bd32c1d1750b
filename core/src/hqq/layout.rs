//! Where the regions of a link stand: page-aligned offsets from (slots, slot length, page, profile).
//!
//! ```text
//! superblock profile   [superblock page] ring 0 │ buffers 0 │ ring 1 │ buffers 1 │ (extension)
//! seed profile                           ring 0 │ buffers 0 │ ring 1 │ buffers 1 │ (extension)
//! ```
//!
//! Each region begins at a page. Ring 0 goes from the primary to the secondary, ring 1 back. A ring takes 512 bytes more
//! than its slots: 256 of header, and 256 that the first implementation allocated without use. Slot *i* of a ring owns
//! buffer *i*. The extension is Strait's own: a segment may be longer than its layout, and nobody else looks there.
//!
//! Source: gosuda/HQQ at fb15cd8; sizes compared with what it computes.

use super::extension::EXTENSION_LEN;
use super::numbers::Profile;
use crate::mpmc::HEADER_LEN;

/// Bytes of a ring that nobody uses.
const SPARE: u64 = 256;
/// Bytes of an element and its sequence.
const STRIDE: u64 = 72;
#[cfg(not(all(test, loom)))]
const _: () = assert!(size_of::<crate::mpmc::RingSlot>() as u64 == STRIDE);

/// Shortest buffer of a slot, bytes.
pub const MIN_SLOT_LEN: u64 = 8;

/// Which end of a link: the primary sends through ring 0, the secondary through ring 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// Sends through ring 0.
    Primary,
    /// Sends through ring 1.
    Secondary,
}

impl Side {
    /// The other end.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Primary => Self::Secondary,
            Self::Secondary => Self::Primary,
        }
    }

    /// Index of the ring it sends through.
    pub(super) const fn lane(self) -> usize {
        match self {
            Self::Primary => 0,
            Self::Secondary => 1,
        }
    }
}

impl core::fmt::Display for Side {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Primary => "primary",
            Self::Secondary => "secondary",
        })
    }
}

/// Numbers that cannot be a link's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GeometryError {
    /// Not a power of two, or below 2.
    #[error("{slots} slots: a link has a power of two per direction, at least 2")]
    Slots {
        /// The number asked for.
        slots: u64,
    },
    /// Not a multiple of 8, or below 8.
    #[error("slots of {slot_len} bytes: the length is a multiple of 8, at least 8")]
    SlotLen {
        /// The length asked for, bytes.
        slot_len: u64,
    },
    /// Not a power of two, or below 64.
    #[error("pages of {page} bytes: a page is a power of two, at least 64")]
    Page {
        /// The size asked for, bytes.
        page: u64,
    },
    /// More bytes than this machine has addresses.
    #[error("{slots} slots of {slot_len} bytes per direction exceed the addresses of this program")]
    TooLarge {
        /// Slots per direction.
        slots: u64,
        /// Bytes of each.
        slot_len: u64,
    },
}

/// What a link looks like; every number checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    slots: u64,
    slot_len: u64,
    page: u64,
    profile: Profile,
    plan: Plan,
}

/// Offsets into a segment, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Of the two rings.
    pub rings: [usize; 2],
    /// Of the two pools of buffers.
    pub buffers: [usize; 2],
    /// End of the layout that all implementations share; the extension begins here.
    pub layout_len: usize,
    /// End of the extension.
    pub extended_len: usize,
}

impl Geometry {
    /// Checks the numbers: `slots` per direction, `slot_len` bytes of each, `page` bytes of a page of the system.
    ///
    /// # Errors
    /// [`GeometryError`] names the number that cannot be.
    pub const fn new(slots: u64, slot_len: u64, page: u64, profile: Profile) -> Result<Self, GeometryError> {
        if slots < 2 || !slots.is_power_of_two() {
            return Err(GeometryError::Slots { slots });
        }
        if slot_len < MIN_SLOT_LEN || !slot_len.is_multiple_of(8) {
            return Err(GeometryError::SlotLen { slot_len });
        }
        if page < 64 || !page.is_power_of_two() {
            return Err(GeometryError::Page { page });
        }
        match plan(slots, slot_len, page, profile) {
            Some(plan) => Ok(Self { slots, slot_len, page, profile, plan }),
            None => Err(GeometryError::TooLarge { slots, slot_len }),
        }
    }

    /// Slots per direction.
    pub const fn slots(&self) -> u64 {
        self.slots
    }

    /// Bytes of a slot's buffer.
    pub const fn slot_len(&self) -> u64 {
        self.slot_len
    }

    /// Bytes of a page: regions begin at multiples of it.
    pub const fn page(&self) -> u64 {
        self.page
    }

    /// The layout and numbering.
    pub const fn profile(&self) -> Profile {
        self.profile
    }

    /// Where everything stands.
    pub const fn plan(&self) -> Plan {
        self.plan
    }
}

/// The value of an option; a constant function has no `?`.
macro_rules! get {
    ($option:expr) => {
        match $option {
            Some(value) => value,
            None => return None,
        }
    };
}

/// `None` where a number overflows or exceeds the addresses.
#[expect(clippy::cast_possible_truncation, reason = "the largest was compared with what fits")]
const fn plan(slots: u64, slot_len: u64, page: u64, profile: Profile) -> Option<Plan> {
    let ring_len = get!((HEADER_LEN as u64 + SPARE).checked_add(get!(STRIDE.checked_mul(slots))));
    let ring_len = get!(ring_len.checked_next_multiple_of(page));
    let buffers_len = get!(get!(slots.checked_mul(slot_len)).checked_next_multiple_of(page));
    let ring_0 = match profile {
        Profile::Superblock => page,
        Profile::Seed => 0,
    };
    let buffers_0 = get!(ring_0.checked_add(ring_len));
    let ring_1 = get!(buffers_0.checked_add(buffers_len));
    let buffers_1 = get!(ring_1.checked_add(ring_len));
    let layout_len = get!(buffers_1.checked_add(buffers_len));
    let extended_len = get!(layout_len.checked_add(EXTENSION_LEN as u64));
    // A Rust object, and a mapping, has at most half of the addresses.
    if extended_len > isize::MAX as u64 {
        return None;
    }
    Some(Plan {
        rings: [ring_0 as usize, ring_1 as usize],
        buffers: [buffers_0 as usize, buffers_1 as usize],
        layout_len: layout_len as usize,
        extended_len: extended_len as usize,
    })
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn offsets(slots: u64, slot_len: u64, page: u64, profile: Profile) -> [usize; 5] {
        let plan = Geometry::new(slots, slot_len, page, profile).expect("possible").plan();
        [plan.rings[0], plan.buffers[0], plan.rings[1], plan.buffers[1], plan.layout_len]
    }

    #[test]
    fn offsets_are_those_of_the_go_implementation() {
        let superblock = Profile::Superblock;
        assert_eq!(offsets(2, 8, 4096, superblock), [4096, 8192, 12288, 16384, 20480]);
        assert_eq!(offsets(8, 1024, 4096, superblock), [4096, 8192, 16384, 20480, 28672]);
        assert_eq!(offsets(64, 256, 4096, superblock), [4096, 12288, 28672, 36864, 53248]);
        assert_eq!(offsets(256, 64, 4096, superblock), [4096, 24576, 40960, 61440, 77824]);
        assert_eq!(offsets(1024, 64, 4096, superblock), [4096, 81920, 147456, 225280, 290816]);
        assert_eq!(offsets(1024, 4096, 4096, superblock), [4096, 81920, 4276224, 4354048, 8548352]);
        assert_eq!(offsets(4096, 4096, 4096, superblock), [4096, 303104, 17080320, 17379328, 34156544]);
        assert_eq!(offsets(4, 64, 16384, superblock), [16384, 32768, 49152, 65536, 81920]);
        assert_eq!(offsets(4, 64, 65536, superblock), [65536, 131072, 196608, 262144, 327680]);
    }

    #[test]
    fn the_seed_profile_is_the_same_without_the_first_page() {
        for (slots, slot_len) in [(2, 8), (64, 256), (1024, 4096)] {
            let (old, new) = (
                offsets(slots, slot_len, 4096, Profile::Seed),
                offsets(slots, slot_len, 4096, Profile::Superblock),
            );
            assert_eq!(old, new.map(|offset| offset - 4096));
        }
    }

    #[test]
    fn numbers_that_cannot_be_are_named() {
        let geometry = |slots, slot_len, page| Geometry::new(slots, slot_len, page, Profile::Superblock);
        for slots in [0, 1, 3, 1000, u64::MAX] {
            assert_eq!(geometry(slots, 64, 4096), Err(GeometryError::Slots { slots }));
        }
        for slot_len in [0, 4, 12, u64::MAX] {
            assert_eq!(geometry(4, slot_len, 4096), Err(GeometryError::SlotLen { slot_len }));
        }
        for page in [0, 32, 4095, u64::MAX] {
            assert_eq!(geometry(4, 64, page), Err(GeometryError::Page { page }));
        }
        for (slots, slot_len) in [(1 << 63, 8), (1 << 40, 1 << 30), (2, 1 << 62), (1 << 56, 64)] {
            assert_eq!(geometry(slots, slot_len, 4096), Err(GeometryError::TooLarge { slots, slot_len }));
        }
    }
}
