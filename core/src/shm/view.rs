//! Turns (segment, offset) into a reference to shared control words.
#![expect(unsafe_code, reason = "the one place where shared memory becomes a typed reference")]

use core::marker::PhantomData;

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
    fn a_view_lies_wholly_inside_and_aligned() {
        let segment = HeapSegment::new(64);
        assert!(view::<Two, _>(&segment, 48).is_ok());
        for offset in [49, 52, 56, 64, usize::MAX, usize::MAX - 7] {
            assert_eq!(view::<Two, _>(&segment, offset).err().map(|e| e.offset), Some(offset));
        }
    }
}
