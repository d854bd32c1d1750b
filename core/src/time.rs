//! Points in time as nanoseconds since an arbitrary epoch: core has no clock of its own.

use core::time::Duration;

/// A point on a monotonic clock: nanoseconds since the epoch of the [`Clock`](crate::platform::Clock) that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The instant `nanos` nanoseconds after the clock's epoch.
    #[inline]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the clock's epoch.
    #[inline]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// This instant plus `duration`; the far future (584 years) where that overflows.
    #[inline]
    pub const fn saturating_add(self, duration: Duration) -> Self {
        let nanos = duration.as_nanos();
        if nanos > u64::MAX as u128 {
            return Self(u64::MAX);
        }
        #[expect(clippy::cast_possible_truncation, reason = "checked above")]
        Self(self.0.saturating_add(nanos as u64))
    }

    /// Time from `earlier` to this instant; zero if `earlier` is later.
    #[inline]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// When a wait gives up: at an instant, or never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deadline {
    /// Gives up once the clock has reached this instant.
    At(Instant),
    /// Waits as long as the peer lives.
    Never,
}

impl Deadline {
    /// Whether `now` has reached it.
    #[inline]
    pub fn is_over(self, now: Instant) -> bool {
        matches!(self, Self::At(at) if now >= at)
    }

    /// The earlier of this deadline and `instant`.
    #[inline]
    pub fn min(self, instant: Instant) -> Instant {
        match self {
            Self::At(at) => at.min(instant),
            Self::Never => instant,
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn adding_a_huge_duration_saturates() {
        assert_eq!(Instant::from_nanos(5).saturating_add(Duration::MAX).as_nanos(), u64::MAX);
    }

    #[test]
    fn a_deadline_is_over_exactly_at_its_instant() {
        let at = Deadline::At(Instant::from_nanos(10));
        assert!(!at.is_over(Instant::from_nanos(9)));
        assert!(at.is_over(Instant::from_nanos(10)));
        assert!(!Deadline::Never.is_over(Instant::from_nanos(u64::MAX)));
    }
}
