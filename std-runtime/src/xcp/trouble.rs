//! What is said while no connections can be taken: that it began and why, and that it is over, however often it was tried.

use std::io;
use std::time::{Duration, Instant};

/// Longest pause between two attempts, and as long as they must have gone well for the trouble to be over: who has no
/// descriptors left has one for a moment whenever a connection ends.
pub(super) const QUIET: Duration = Duration::from_secs(1);
/// The first pause.
const SHORT: Duration = Duration::from_millis(10);

/// Attempts that fail, from the first to the last of them.
#[derive(Debug)]
pub(super) struct Trouble {
    since: Instant,
    last: Instant,
    /// The first attempt that went well, of those behind the last that failed.
    well_since: Option<Instant>,
    attempts: u64,
    pause: Duration,
    /// The system's numbers of what was said; there are some 130 of them.
    told: Vec<Option<i32>>,
}

impl Trouble {
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, last: now, well_since: None, attempts: 0, pause: Duration::ZERO, told: Vec::new() }
    }

    /// Counts a failure; whether it is to be said, which it is once.
    pub(super) fn failed(&mut self, error: &io::Error, now: Instant) -> bool {
        (self.last, self.well_since) = (now, None);
        self.attempts += 1;
        self.pause = (self.pause * 2).clamp(SHORT, QUIET);
        let number = error.raw_os_error();
        let news = !self.told.contains(&number);
        if news {
            self.told.push(number);
        }
        news
    }

    /// Before the next attempt.
    pub(super) fn pause(&self) -> Duration {
        self.pause
    }

    /// An attempt that began at `began` went well: how many failed, and for how long, if the trouble is over.
    pub(super) fn went_well(&mut self, began: Instant, now: Instant) -> Option<(u64, Duration)> {
        let since = *self.well_since.get_or_insert(began);
        let over = now.saturating_duration_since(since) >= QUIET;
        over.then(|| (self.attempts, self.last.saturating_duration_since(self.since)))
    }
}

/// Whether only one connection is concerned, and not those behind it.
pub(super) fn is_of_one(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted, TimedOut};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted | TimedOut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_often_it_fails_each_reason_is_said_once() {
        let start = Instant::now();
        let (no_files, no_memory) = (io::Error::from_raw_os_error(24), io::Error::from_raw_os_error(12));
        let mut trouble = Trouble::new(start);
        let mut now = start;
        let (mut said, mut pauses) = (0, Vec::new());
        for number in 0..1000 {
            let error = if number % 7 == 3 { &no_memory } else { &no_files };
            said += u32::from(trouble.failed(error, now));
            pauses.push(trouble.pause());
            now += trouble.pause();
        }
        assert_eq!(said, 2);
        assert_eq!((pauses[0], pauses[1], pauses[999]), (SHORT, SHORT * 2, QUIET));
        assert!(pauses.is_sorted());
    }

    #[test]
    fn one_that_is_taken_between_failures_is_no_end_of_the_trouble() {
        let start = Instant::now();
        let error = io::Error::from_raw_os_error(24);
        let mut trouble = Trouble::new(start);
        let mut now = start;
        for number in 0..100 {
            assert_eq!(trouble.failed(&error, now), number == 0);
            now += trouble.pause();
            assert_eq!(trouble.went_well(now, now), None);
        }
        let last = now - QUIET;
        assert_eq!(trouble.went_well(now + QUIET / 2, now + QUIET / 2), None);
        assert_eq!(trouble.went_well(now + QUIET, now + QUIET), Some((100, last - start)));
        // Nobody came for as long: nothing failed either.
        assert!(!trouble.failed(&error, now));
        assert_eq!(trouble.went_well(now, now + QUIET), Some((101, now - start)));
    }
}
