//! 64-bit words where the processor has no 64-bit atomics: every access is a critical section of this program.
//!
//! A lock, which `portable-atomic` takes on processors that have compare-and-swap for narrower words (Cortex-M3 and up),
//! would not do: a handler that interrupts its holder would wait for it for ever.

use core::cell::Cell;

use critical_section::Mutex;

use super::Ordering;

/// The operations of `core`'s that are needed, each at once for everybody who takes the critical section. That orders
/// memory too, as strongly as anybody can ask; the orderings are taken only to have the same form.
#[derive(Debug)]
#[repr(C, align(8))]
pub(super) struct AtomicU64(Mutex<Cell<u64>>);

// So the value stands at the start: words in a segment are seen by tools that know only bytes.
const _: () = assert!(size_of::<AtomicU64>() == 8);

impl AtomicU64 {
    pub(super) const fn new(value: u64) -> Self {
        Self(Mutex::new(Cell::new(value)))
    }

    #[inline]
    pub(super) fn load(&self, _order: Ordering) -> u64 {
        critical_section::with(|cs| self.0.borrow(cs).get())
    }

    #[inline]
    pub(super) fn store(&self, value: u64, _order: Ordering) {
        critical_section::with(|cs| self.0.borrow(cs).set(value));
    }

    #[inline]
    pub(super) fn compare_exchange(
        &self,
        current: u64,
        new: u64,
        _success: Ordering,
        _failure: Ordering,
    ) -> Result<u64, u64> {
        critical_section::with(|cs| {
            let word = self.0.borrow(cs);
            if word.get() == current { Ok(word.replace(new)) } else { Err(word.get()) }
        })
    }

    #[inline]
    pub(super) fn swap(&self, value: u64, _order: Ordering) -> u64 {
        critical_section::with(|cs| self.0.borrow(cs).replace(value))
    }

    #[inline]
    pub(super) fn fetch_add(&self, value: u64, _order: Ordering) -> u64 {
        critical_section::with(|cs| {
            let word = self.0.borrow(cs);
            word.replace(word.get().wrapping_add(value))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_types, reason = "what it is compared with")]
    fn operations_do_what_native_ones_do() {
        use core::sync::atomic::AtomicU64 as Native;
        let native = Native::new(7);
        let masked = AtomicU64::new(7);
        let order = Ordering::Relaxed;
        for (current, new) in [(7, 9), (7, 3), (9, u64::MAX)] {
            let expected = native.compare_exchange(current, new, order, order);
            assert_eq!(masked.compare_exchange(current, new, order, order), expected);
        }
        assert_eq!(masked.fetch_add(2, order), native.fetch_add(2, order));
        assert_eq!(masked.load(order), native.load(order));
        assert_eq!(masked.swap(11, order), native.swap(11, order));
        masked.store(5, order);
        assert_eq!(masked.load(order), 5);
    }

    #[test]
    fn no_addition_of_two_threads_is_lost() {
        let word = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        word.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(word.load(Ordering::Relaxed), 20_000);
    }
}
