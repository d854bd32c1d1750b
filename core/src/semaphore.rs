//! glibc's 64-bit `sem_t`, byte for byte, over any futex.
//!
//! ```text
//! 0  u32 permits      low half of one 64-bit word that post and wait change together
//! 4  u32 waiters      high half
//! 8  u32 0x80         "shared between processes"
//! 12 … 31 zero
//! ```
//!
//! Written here so that it also serves musl, whose own semaphores differ, 32-bit programs, which must meet 64-bit
//! ones, and firmware; and so that loom can check it. A permit is the only thing that orders memory:
//! [`post`](Semaphore::post) releases, [`permits`](Semaphore::permits) acquires.
//!
//! Source: glibc `nptl/sem_post.c`, `sem_waitcommon.c` (64-bit variant); layout seen in dumps of glibc 2.36.

use crate::layout::assert_layout;
use crate::sync::{Ordering, SharedU32, SharedU64};
use crate::time::Instant;

/// Most permits a semaphore holds: glibc's `SEM_VALUE_MAX`.
pub const MAX_PERMITS: u32 = 0x7fff_ffff;

const ONE_WAITER: u64 = 1 << 32;
/// glibc's mark for "shared between processes".
const SHARED: u32 = 0x80;

/// The 32 bytes of a named semaphore's file.
#[derive(Debug)]
#[repr(C)]
pub struct Semaphore {
    /// Permits (low 32 bits) and waiters (high 32 bits).
    data: SharedU64,
    flags: SharedU32,
    pad: SharedU32,
    rest: [SharedU64; 2],
}

assert_layout!(Semaphore: 32 bytes, aligned to 8 {
    0: 8 data,
    8: 4 flags,
    12: 4 pad,
    16: 16 rest,
});

/// Sleeping while a semaphore has no permits.
pub trait Futex {
    /// What the system says when it fails.
    type Error;
    /// Sleeps while the semaphore's permits (its first four bytes) are 0, until woken or `until`. May return early.
    ///
    /// # Errors
    /// When the system fails; a time-out or an interruption is no error.
    fn sleep(&self, until: Instant) -> Result<(), Self::Error>;
    /// Wakes one sleeper.
    ///
    /// # Errors
    /// When the system fails.
    fn wake_one(&self) -> Result<(), Self::Error>;
    /// The time now.
    fn now(&self) -> Instant;
}

/// Why a post failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostError<E> {
    /// The semaphore already holds [`MAX_PERMITS`].
    Overflow,
    /// The system failed to wake.
    Futex(E),
}

impl Semaphore {
    /// A semaphore with `permits`.
    pub fn new(permits: u32) -> Self {
        Self {
            data: SharedU64::new(u64::from(permits)),
            flags: SharedU32::new(SHARED),
            pad: SharedU32::new(0),
            rest: [SharedU64::new(0), SharedU64::new(0)],
        }
    }

    /// Makes zeroed memory a semaphore without permits.
    pub fn initialize(&self) {
        // Relaxed: the file is not linked to its name yet, and linking it orders this.
        self.data.store(0, Ordering::Relaxed);
        self.flags.store(SHARED, Ordering::Relaxed);
    }

    /// Whether the bytes beside the counters are those of a shared glibc semaphore.
    pub fn is_valid(&self) -> bool {
        // Relaxed: written before the file got its name.
        self.flags.load(Ordering::Relaxed) == SHARED
    }

    /// Permits now.
    #[expect(clippy::cast_possible_truncation, reason = "the low half is what is meant")]
    #[inline]
    pub fn permits(&self) -> u32 {
        // Pairs with the Release add in `post`: shows what the poster stored before.
        self.data.load(Ordering::Acquire) as u32
    }

    /// Adds a permit and wakes a waiter, if any.
    ///
    /// # Errors
    /// [`PostError::Overflow`] at [`MAX_PERMITS`] (nothing is added), [`PostError::Futex`] if waking fails.
    #[inline]
    pub fn post<F: Futex>(&self, futex: &F) -> Result<(), PostError<F::Error>> {
        // Pairs with the Acquire load in `permits` and the Acquire exchange in `take`.
        let before = self.data.fetch_add(1, Ordering::Release);
        #[expect(clippy::cast_possible_truncation, reason = "the low half is what is meant")]
        if before as u32 >= MAX_PERMITS {
            // Relaxed: takes back a permit that carries nothing.
            self.data.fetch_sub(1, Ordering::Relaxed);
            return Err(PostError::Overflow);
        }
        if before >> 32 != 0 {
            futex.wake_one().map_err(PostError::Futex)?;
        }
        Ok(())
    }

    /// Removes up to `count` permits; returns how many. Never waits.
    #[inline]
    pub fn take(&self, count: u32) -> u32 {
        // Relaxed: the exchange below acquires.
        let mut found = self.data.load(Ordering::Relaxed);
        // Bounded: posts alone can make an exchange fail, and 64 failures in a row only leave permits for later.
        for _ in 0..64 {
            #[expect(clippy::cast_possible_truncation, reason = "the low half is what is meant")]
            let taken = count.min(found as u32);
            if taken == 0 {
                return 0;
            }
            // Pairs with the Release add in `post`.
            match self.data.compare_exchange(found, found - u64::from(taken), Ordering::Acquire) {
                Ok(_) => return taken,
                Err(now) => found = now,
            }
        }
        0
    }

    /// Waits until a permit is there, and leaves it; `false` if `until` came first.
    ///
    /// # Errors
    /// Whatever the futex reports.
    pub fn wait<F: Futex>(&self, futex: &F, until: Instant) -> Result<bool, F::Error> {
        self.wait_unless(futex, until, &|| false)
    }

    /// [`wait`](Self::wait), given up, `false`, once `is_over` says so. It is asked before every sleep: whoever changes
    /// what it says wakes the sleeper after that.
    ///
    /// # Errors
    /// Whatever the futex reports.
    pub fn wait_unless<F: Futex>(
        &self,
        futex: &F,
        until: Instant,
        is_over: &dyn Fn() -> bool,
    ) -> Result<bool, F::Error> {
        if self.permits() > 0 {
            return Ok(true);
        }
        // Acquire: a permit posted just before is seen with what it carries. From here on a poster wakes us: it
        // sees the waiter in the very word it adds the permit to.
        self.data.fetch_add(ONE_WAITER, Ordering::Acquire);
        let outcome = loop {
            if self.permits() > 0 {
                break Ok(true);
            }
            if is_over() || futex.now() >= until {
                break Ok(false);
            }
            // Sleeps only while the permits are 0, compared by the futex itself: no wake-up is lost in between.
            if let Err(error) = futex.sleep(until) {
                break Err(error);
            }
        };
        // Relaxed: only counts sleepers.
        self.data.fetch_sub(ONE_WAITER, Ordering::Relaxed);
        outcome
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    struct NoSleep;
    impl Futex for NoSleep {
        type Error = ();
        fn sleep(&self, _until: Instant) -> Result<(), ()> {
            Err(())
        }
        fn wake_one(&self) -> Result<(), ()> {
            Err(())
        }
        fn now(&self) -> Instant {
            Instant::from_nanos(5)
        }
    }

    #[test]
    fn permits_are_counted_and_taken() {
        let semaphore = Semaphore::new(0);
        for _ in 0..3 {
            semaphore.post(&NoSleep).unwrap();
        }
        assert_eq!(semaphore.permits(), 3);
        assert_eq!(semaphore.take(2), 2);
        assert_eq!(semaphore.take(9), 1);
        assert_eq!(semaphore.take(9), 0);
        assert_eq!(semaphore.wait(&NoSleep, Instant::from_nanos(5)), Ok(false));
        assert_eq!(semaphore.wait(&NoSleep, Instant::from_nanos(6)), Err(()));
        assert_eq!(semaphore.data.load(Ordering::Relaxed), 0, "no waiter is left behind");
    }

    #[test]
    fn a_full_semaphore_refuses_and_stays_as_it_was() {
        let semaphore = Semaphore::new(MAX_PERMITS);
        assert_eq!(semaphore.post(&NoSleep), Err(PostError::Overflow));
        assert_eq!(semaphore.permits(), MAX_PERMITS);
    }
}
