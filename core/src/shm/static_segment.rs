//! Memory of the program itself as a segment: for a `static`, where there is no system to ask.
#![expect(unsafe_code, reason = "promises what a static is")]
#![expect(
    clippy::disallowed_types,
    reason = "bytes that only `shm` touches; loom has cells of its own for them"
)]

use core::cell::UnsafeCell;
use core::ptr::NonNull;

use crate::platform::Segment;
use crate::sync::Flag;

/// `N` zeroed bytes, aligned as a segment must be. The segment is a reference to it in a `static`:
///
/// ```
/// use strait_core::platform::Segment as _;
/// use strait_core::shm::StaticSegment;
///
/// static MEMORY: StaticSegment<1024> = StaticSegment::new();
/// let segment = &MEMORY;
/// assert!(segment.len() == 1024 && segment.lock());
/// assert!(!segment.lock(), "once for the whole life of the program");
/// ```
///
/// It stands in `.bss` and takes no flash.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct StaticSegment<const N: usize> {
    bytes: UnsafeCell<[u8; N]>,
    locked: Flag,
}

impl<const N: usize> StaticSegment<N> {
    /// Zeroed and not locked.
    pub const fn new() -> Self {
        Self { bytes: UnsafeCell::new([0; N]), locked: Flag::new() }
    }
}

impl<const N: usize> Default for StaticSegment<N> {
    fn default() -> Self {
        Self::new()
    }
}

// SAFETY: safe code reaches the bytes through `Segment` only, whose users keep the rules of `crate::shm` for memory that
// others share; the flag is atomic.
unsafe impl<const N: usize> Sync for StaticSegment<N> {}

// SAFETY:
// - `bytes` is the first field of a `repr(C)` struct aligned to 64, so it starts at such an address;
// - a `&'static` is valid, and its target stays where it is, for the rest of the program; the cell makes the bytes
//   writable behind it;
// - no reference into the cell is made here, and the field is private;
// - the flag is raised once and never lowered, so `lock` succeeds once at most.
unsafe impl<const N: usize> Segment for &'static StaticSegment<N> {
    fn base(&self) -> NonNull<u8> {
        NonNull::from(&self.bytes).cast()
    }

    fn len(&self) -> usize {
        N
    }

    fn lock(&self) -> bool {
        self.locked.raise()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_static_is_aligned_and_as_long_as_it_says() {
        static ODD: StaticSegment<193> = StaticSegment::new();
        let segment = &ODD;
        assert!(segment.base().addr().get().is_multiple_of(64));
        assert_eq!((segment.len(), segment.backed_len()), (193, 193));
    }

    #[test]
    fn a_static_is_locked_once() {
        static MEMORY: StaticSegment<64> = StaticSegment::new();
        let (one, other) = (&MEMORY, &MEMORY);
        assert!(one.lock());
        assert!(!one.lock() && !other.lock());
    }
}
