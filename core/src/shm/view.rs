//! Turns (segment, offset) into a reference to shared control words.
#![expect(unsafe_code, reason = "the one place where shared memory becomes a typed reference")]

use core::marker::PhantomData;
use core::ptr::NonNull;

use super::bytes::{self, Soon};
use crate::platform::Segment;

/// A struct made only of shared words, so that any bytes are a value of it and a peer's writes are atomic accesses.
///
/// # Safety
/// `repr(C)`, every field is `SharedU32`, `SharedU64` or an array of those, no padding, alignment at most 64.
pub unsafe trait SharedLayout {}

// SAFETY: repr(C), 8 + 4 + 4 + 16 bytes of shared words, naturally aligned; its file asserts the layout.
unsafe impl SharedLayout for crate::semaphore::Semaphore {}
// SAFETY: repr(C), 4 + 4 + 10 * 8 + 32 bytes of shared words, naturally aligned; its file asserts the layout.
unsafe impl SharedLayout for crate::zerobuffer::Oieb {}
// SAFETY: repr(C), 136 shared words, naturally aligned; its file asserts the layout.
unsafe impl SharedLayout for crate::zerobuffer::share::ShareTable {}
// SAFETY: repr(C), 16 shared words, naturally aligned; its file asserts the layout.
unsafe impl SharedLayout for crate::zerobuffer::ends::EndsTable {}
// SAFETY: repr(C), 32 shared words; its file asserts the layout.
unsafe impl SharedLayout for crate::mpmc::RingHeader {}
// SAFETY: one shared word.
unsafe impl SharedLayout for crate::sync::SharedU64 {}
// SAFETY: repr(C), nine shared words; its file asserts the layout.
unsafe impl SharedLayout for crate::mpmc::RingSlot {}
// SAFETY: repr(C), eight shared words; its file asserts the layout.
unsafe impl SharedLayout for crate::hqq::superblock::Superblock {}
// SAFETY: repr(C), shared words without padding; its file asserts the layout.
unsafe impl SharedLayout for crate::hqq::extension::ExtensionHeader {}
// SAFETY: repr(C), eight shared words; its file asserts the layout.
unsafe impl SharedLayout for crate::hqq::extension::ParticipantEntry {}

/// Why a struct cannot be seen at an offset of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{wanted} bytes at offset {offset} do not fit a segment of {len} bytes, or are not aligned to {align}"
)]
pub struct ViewError {
    /// Offset asked for, bytes.
    pub offset: usize,
    /// Size of the struct, bytes.
    pub wanted: usize,
    /// Its alignment, bytes.
    pub align: usize,
    /// Length of the segment, bytes.
    pub len: usize,
}

/// The `T` at `offset` of `segment`.
///
/// # Errors
/// [`ViewError`] if it does not lie wholly inside or is not aligned.
pub fn view<T: SharedLayout, S: Segment>(segment: &S, offset: usize) -> Result<&T, ViewError> {
    let error = ViewError { offset, wanted: size_of::<T>(), align: align_of::<T>(), len: segment.len() };
    let end = offset.checked_add(size_of::<T>()).ok_or(error)?;
    let address = segment.base().as_ptr().addr();
    if end > segment.len() || !address.wrapping_add(offset).is_multiple_of(align_of::<T>()) {
        return Err(error);
    }
    // SAFETY: `offset < end <= segment.len()`, so the result stays inside the segment's allocation.
    let at = unsafe { segment.base().add(offset) };
    // SAFETY:
    // - `at` is valid for `size_of::<T>()` bytes and aligned for `T`: both checked above;
    // - `T: SharedLayout` has only atomic fields, so any bytes are a valid `T` and concurrent writes by the peer
    //   are atomic accesses, not races;
    // - the reference borrows `segment`, whose memory stays at `base()` until it is dropped (`Segment`'s contract).
    Ok(unsafe { at.cast::<T>().as_ref() })
}

/// A segment with a `T` at its start, checked once.
#[derive(Debug)]
pub(crate) struct Headed<S, T> {
    segment: S,
    head: PhantomData<fn() -> T>,
}

impl<S: Clone, T> Clone for Headed<S, T> {
    fn clone(&self) -> Self {
        Self { segment: self.segment.clone(), head: PhantomData }
    }
}

impl<S: Segment, T: SharedLayout> Headed<S, T> {
    /// Checks that `segment` is large enough for a `T`.
    pub(crate) fn new(segment: S) -> Result<Self, ViewError> {
        view::<T, S>(&segment, 0)?;
        Ok(Self { segment, head: PhantomData })
    }

    pub(crate) fn head(&self) -> &T {
        // SAFETY: `new` has viewed a `T` at offset 0, and a segment's base and length never change.
        unsafe { self.segment.base().cast::<T>().as_ref() }
    }

    pub(crate) fn segment(&self) -> &S {
        &self.segment
    }
}

/// A power of two of `T`s that follow each other in a segment, checked once.
///
/// Keeps the address beside the segment: asking a segment for its base at every access costs two loads.
#[derive(Debug)]
pub(crate) struct Table<S, T> {
    first: NonNull<T>,
    mask: usize,
    // Last, and never read: keeps the memory at its address for as long as the table lives.
    _segment: S,
}

// SAFETY: `first` is only turned into shared references to words that everybody accesses atomically, in memory that
// the segment keeps; so the table may go where the segment may.
unsafe impl<S: Send, T: SharedLayout> Send for Table<S, T> {}
// SAFETY: as above.
unsafe impl<S: Sync, T: SharedLayout> Sync for Table<S, T> {}

impl<S: Clone, T> Clone for Table<S, T> {
    fn clone(&self) -> Self {
        Self { first: self.first, mask: self.mask, _segment: self._segment.clone() }
    }
}

impl<S: Segment, T: SharedLayout> Table<S, T> {
    /// The `count` values at `offset`; a `count` that is no power of two is rounded down to one.
    ///
    /// # Errors
    /// [`ViewError`] if they do not lie wholly inside, are not aligned, or are none.
    pub(crate) fn new(segment: S, offset: usize, count: usize) -> Result<Self, ViewError> {
        let count = if count == 0 { 0 } else { 1 << count.ilog2() };
        let wanted = size_of::<T>().saturating_mul(count);
        let error = ViewError { offset, wanted, align: align_of::<T>(), len: segment.len() };
        let end = offset.checked_add(wanted).ok_or(error)?;
        let first = view::<T, S>(&segment, offset).map_err(|_| error)?;
        if end > segment.len() || count == 0 {
            return Err(error);
        }
        Ok(Self { first: NonNull::from(first), mask: count - 1, _segment: segment })
    }

    /// Says that the byte at `offset` of a value will be touched soon.
    #[inline]
    pub(crate) fn expect(&self, index: usize, offset: usize, soon: Soon) {
        let first = self.first.as_ptr().cast::<u8>();
        bytes::expect(first.wrapping_add((index & self.mask) * size_of::<T>() + offset), soon);
    }

    /// The value at `index` modulo the count.
    #[inline]
    pub(crate) fn at(&self, index: usize) -> &T {
        // SAFETY: `index & mask` is below the count that `new` has checked to lie inside the segment.
        let at = unsafe { self.first.add(index & self.mask) };
        // SAFETY:
        // - aligned and inside, because the first is and a `T`'s size is a multiple of its alignment;
        // - `T: SharedLayout` has only atomic fields, so any bytes are a value and writes by others are no races;
        // - the segment, which `self` owns, keeps the memory at this address (`Segment`'s contract).
        unsafe { at.as_ref() }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::sync::SharedU64;
    use crate::testing::HeapSegment;

    #[repr(C)]
    struct Two([SharedU64; 2]);
    // SAFETY: repr(C), two shared words.
    unsafe impl SharedLayout for Two {}

    #[test]
    fn a_table_lies_wholly_inside() {
        let segment = HeapSegment::new(128);
        let table = Table::<_, Two>::new(segment.clone(), 16, 4).unwrap();
        assert_eq!(core::ptr::from_ref(table.at(5)), core::ptr::from_ref(table.at(1)));
        let offset = core::ptr::from_ref(table.at(3)).addr() - segment.base().as_ptr().addr();
        assert_eq!(offset, 16 + 3 * 16);
        for (offset, count) in [(80, 4), (0, 0), (1, 2), (0, 16), (usize::MAX, 1), (0, usize::MAX)] {
            assert!(Table::<_, Two>::new(segment.clone(), offset, count).is_err(), "{offset} {count}");
        }
    }

    #[test]
    fn a_view_lies_wholly_inside_and_aligned() {
        let segment = HeapSegment::new(64);
        assert!(view::<Two, _>(&segment, 48).is_ok());
        for offset in [49, 52, 56, 64, usize::MAX, usize::MAX - 7] {
            assert_eq!(view::<Two, _>(&segment, offset).err().map(|e| e.offset), Some(offset));
        }
    }
}
