//! Words that two processes share, and the one place that names atomics: loom swaps them here.
//!
//! The newtypes fix the byte order (little-endian) and offer no `SeqCst` access, so neither can be got wrong
//! elsewhere. Under `cfg(all(test, loom))` they are loom's; a downstream crate's loom run does not change them. With
//! `cfg(shuttle)` beside it they are shuttle's, for models too large for loom.
#![cfg_attr(
    not(feature = "portable-atomic"),
    expect(clippy::disallowed_types, reason = "this is the facade that the lint points to")
)]

#[cfg(not(all(test, loom)))]
#[cfg(any(test, all(feature = "portable-atomic", not(target_has_atomic = "64"))))]
mod masked;

pub use core::sync::atomic::Ordering;

use crate::layout::assert_layout;

#[cfg(all(not(all(test, loom)), not(feature = "portable-atomic")))]
use core::sync::atomic as raw;
#[cfg(all(test, loom, not(shuttle)))]
use loom::sync::atomic as raw;
#[cfg(all(not(all(test, loom)), feature = "portable-atomic", target_has_atomic = "64"))]
use portable_atomic as raw;
#[cfg(all(test, loom, shuttle))]
use shuttle::sync::atomic as raw;

/// Narrow words as the target has them, wide ones under a critical section.
#[cfg(all(not(all(test, loom)), feature = "portable-atomic", not(target_has_atomic = "64")))]
mod raw {
    pub(super) use portable_atomic::{AtomicU32, fence};

    pub(super) use super::masked::AtomicU64;
}

/// A little-endian `u32` that two processes share.
#[derive(Debug)]
#[repr(transparent)]
pub struct SharedU32(raw::AtomicU32);

/// A little-endian `u64` that two processes share.
#[derive(Debug)]
#[repr(transparent)]
pub struct SharedU64(raw::AtomicU64);

impl SharedU32 {
    /// A word holding `value`.
    pub fn new(value: u32) -> Self {
        Self(raw::AtomicU32::new(value.to_le()))
    }

    #[inline]
    pub(crate) fn load(&self, order: Ordering) -> u32 {
        u32::from_le(self.0.load(order))
    }

    #[inline]
    pub(crate) fn store(&self, value: u32, order: Ordering) {
        self.0.store(value.to_le(), order);
    }

    /// Replaces `current` by `new`; fails with the value found.
    #[inline]
    pub(crate) fn compare_exchange(&self, current: u32, new: u32, success: Ordering) -> Result<u32, u32> {
        match self.0.compare_exchange(current.to_le(), new.to_le(), success, Ordering::Relaxed) {
            Ok(found) => Ok(u32::from_le(found)),
            Err(found) => Err(u32::from_le(found)),
        }
    }
}

impl SharedU64 {
    /// A word holding `value`.
    pub fn new(value: u64) -> Self {
        Self(raw::AtomicU64::new(value.to_le()))
    }

    #[inline]
    pub(crate) fn load(&self, order: Ordering) -> u64 {
        u64::from_le(self.0.load(order))
    }

    #[inline]
    pub(crate) fn store(&self, value: u64, order: Ordering) {
        self.0.store(value.to_le(), order);
    }

    /// Replaces `current` by `new`; fails with the value found.
    #[inline]
    pub(crate) fn compare_exchange(&self, current: u64, new: u64, success: Ordering) -> Result<u64, u64> {
        match self.0.compare_exchange(current.to_le(), new.to_le(), success, Ordering::Relaxed) {
            Ok(found) => Ok(u64::from_le(found)),
            Err(found) => Err(u64::from_le(found)),
        }
    }

    /// Stores `value`; returns what was there before.
    #[inline]
    pub(crate) fn swap(&self, value: u64, order: Ordering) -> u64 {
        u64::from_le(self.0.swap(value.to_le(), order))
    }

    /// Adds `value`, wrapping; returns what was there before.
    #[inline]
    pub(crate) fn fetch_add(&self, value: u64, order: Ordering) -> u64 {
        #[cfg(target_endian = "little")]
        return self.0.fetch_add(value, order);
        #[cfg(target_endian = "big")]
        return self.update(order, |found| found.wrapping_add(value));
    }

    /// Subtracts `value`, wrapping; returns what was there before.
    #[inline]
    pub(crate) fn fetch_sub(&self, value: u64, order: Ordering) -> u64 {
        self.fetch_add(value.wrapping_neg(), order)
    }

    #[cfg(target_endian = "big")]
    fn update(&self, order: Ordering, change: impl Fn(u64) -> u64) -> u64 {
        let mut found = self.load(Ordering::Relaxed);
        loop {
            match self.compare_exchange(found, change(found), order) {
                Ok(before) => return before,
                Err(now) => found = now,
            }
        }
    }
}

/// A word that is raised once and stays so.
#[cfg(not(all(test, loom)))]
#[derive(Debug)]
pub(crate) struct Flag(raw::AtomicU32);

#[cfg(not(all(test, loom)))]
impl Flag {
    /// A flag that is not raised.
    pub(crate) const fn new() -> Self {
        Self(raw::AtomicU32::new(0))
    }

    /// Raises it; `false` if it was.
    pub(crate) fn raise(&self) -> bool {
        // Relaxed: it is never lowered, so nobody hands anything over by it.
        self.0.swap(1, Ordering::Relaxed) == 0
    }
}

/// Orders every access before it against every access after it, in both processes that do so.
#[inline]
pub(crate) fn full_fence() {
    raw::fence(Ordering::SeqCst);
}

/// [`full_fence`] right after a read-modify-write, which on x86 is one already.
#[inline]
pub(crate) fn full_fence_after_rmw() {
    #[cfg(all(target_arch = "x86_64", not(all(test, loom))))]
    core::sync::atomic::compiler_fence(Ordering::SeqCst);
    #[cfg(not(all(target_arch = "x86_64", not(all(test, loom)))))]
    full_fence();
}

/// One turn of a spin loop: a processor hint, and under loom a point where others run.
#[inline]
pub(crate) fn spin_loop() {
    #[cfg(all(test, loom, not(shuttle)))]
    loom::thread::yield_now();
    #[cfg(all(test, loom, shuttle))]
    shuttle::thread::yield_now();
    #[cfg(not(all(test, loom)))]
    core::hint::spin_loop();
}

#[cfg(not(all(test, loom)))]
const _: () = {
    assert!(size_of::<SharedU32>() == 4 && align_of::<SharedU32>() == 4);
};
assert_layout!(SharedU64: 8 bytes, aligned to 8 { 0: 8 0 });

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn words_are_little_endian_in_memory() {
        let word = SharedU64::new(0x0102_0304_0506_0708);
        assert_eq!(word.load(Ordering::Relaxed), 0x0102_0304_0506_0708);
        assert_eq!(word.fetch_add(1, Ordering::Relaxed), 0x0102_0304_0506_0708);
        assert_eq!(word.fetch_sub(2, Ordering::Relaxed), 0x0102_0304_0506_0709);
        assert_eq!(word.load(Ordering::Relaxed), 0x0102_0304_0506_0707);
    }
}
