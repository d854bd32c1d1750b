//! How long each of many operations took, as percentiles.

use hdrhistogram::Histogram;
use serde::Serialize;

/// Longest time told apart: an hour, in nanoseconds.
const LONGEST: u64 = 3_600_000_000_000;

/// Times in nanoseconds, from 1 ns to an hour. Of a percentile three digits are right; least and most are exact.
#[derive(Clone, Debug)]
pub(crate) struct Latency {
    histogram: Histogram<u64>,
    min: u64,
    max: u64,
}

impl Latency {
    /// Nothing so far.
    pub(crate) fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, LONGEST, 3)
            .expect("the bounds are in order and three digits are possible");
        Self { histogram, min: u64::MAX, max: 0 }
    }

    /// One more.
    pub(crate) fn add(&mut self, nanos: u64) {
        self.histogram.saturating_record(nanos);
        self.min = self.min.min(nanos);
        self.max = self.max.max(nanos);
    }

    /// All of another one's.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.histogram.add(&other.histogram).expect("both have the same bounds");
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.histogram.is_empty()
    }

    /// The least; `u64::MAX` if there is none.
    pub(crate) fn min(&self) -> u64 {
        self.min
    }

    /// Which time that share of them, 0 to 1, is not above.
    pub(crate) fn at(&self, share: f64) -> u64 {
        // A bucket's upper end may lie above everything in it.
        self.histogram.value_at_quantile(share).min(self.max)
    }

    /// The most; 0 if there is none.
    pub(crate) fn max(&self) -> u64 {
        self.max
    }
}

/// Microseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Percentiles {
    pub(crate) min: f64,
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) max: f64,
}

impl Percentiles {
    /// Of all times; `None` if there is none.
    #[expect(clippy::cast_precision_loss, reason = "a time for people")]
    pub(crate) fn of(latency: &Latency) -> Option<Self> {
        let us = |nanos: u64| nanos as f64 / 1e3;
        let at = |share| us(latency.at(share));
        (!latency.is_empty()).then(|| Self {
            min: us(latency.min()),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: us(latency.max()),
        })
    }

    /// Each with the name that people read.
    pub(crate) fn named(&self) -> [(&'static str, f64); 6] {
        let Self { min, p50, p90, p99, p999, max } = *self;
        [("min", min), ("p50", p50), ("p90", p90), ("p99", p99), ("p99.9", p999), ("max", max)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_halves_have_the_percentiles_of_the_whole() {
        let (mut odd, mut even) = (Latency::new(), Latency::new());
        (1..=1000).for_each(|nanos| if nanos % 2 == 1 { odd.add(nanos) } else { even.add(nanos) });
        odd.merge(&even);
        odd.merge(&Latency::new());
        assert_eq!([odd.min(), odd.at(0.5), odd.at(0.9), odd.at(0.99), odd.max()], [1, 500, 900, 990, 1000]);
    }

    #[test]
    fn what_is_beyond_an_hour_is_still_the_most() {
        let mut latency = Latency::new();
        assert!(latency.is_empty());
        latency.add(u64::MAX);
        assert_eq!((latency.min(), latency.max()), (u64::MAX, u64::MAX));
    }
}
