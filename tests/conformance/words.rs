//! Words of a segment, through the door that core uses itself: a semaphore is a word that can be added to and loaded.

use strait_core::platform::Segment;
use strait_core::semaphore::{Futex, Semaphore};
use strait_core::shm::view;
use strait_core::testing::HeapSegment;
use strait_core::time::Instant;

/// Bytes that a word occupies here, with what lies beside it.
pub(crate) const WORD: usize = size_of::<Semaphore>();

/// Nobody sleeps at these words.
struct NoSleep;

impl Futex for NoSleep {
    type Error = ();

    fn sleep(&self, _until: Instant) -> Result<(), ()> {
        Ok(())
    }

    fn wake_one(&self) -> Result<(), ()> {
        Ok(())
    }

    fn now(&self) -> Instant {
        Instant::from_nanos(0)
    }
}

fn at<S: Segment>(segment: &S, offset: usize) -> &Semaphore {
    view(segment, offset).expect("inside and aligned")
}

/// Adds `count` to the word at `offset`, one by one.
pub(crate) fn add<S: Segment>(segment: &S, offset: usize, count: u32) {
    for _ in 0..count {
        at(segment, offset).post(&NoSleep).expect("small numbers");
    }
}

/// The word at `offset`.
pub(crate) fn word<S: Segment>(segment: &S, offset: usize) -> u32 {
    at(segment, offset).permits()
}

/// Whether all words of the first `len` bytes are zero, a remainder smaller than a word left out.
pub(crate) fn is_zero<S: Segment>(segment: &S, len: usize) -> bool {
    let text = |semaphore: &Semaphore| format!("{semaphore:?}");
    let blank = HeapSegment::new(WORD);
    // The debug text holds every bit of the 32 bytes.
    let zero = text(at(&blank, 0));
    (0..len / WORD).all(|index| text(at(segment, index * WORD)) == zero)
}
