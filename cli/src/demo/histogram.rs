//! Which bars and ticks show a set of latencies on a logarithmic axis.

/// Bars over a range.
const BARS: u32 = 72;
/// The range is at least this wide, last over first.
const LEAST_RATIO: f64 = 4.0;

/// A logarithmic axis from `first` to `last` nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Axis {
    pub(crate) first: f64,
    pub(crate) last: f64,
}

/// Latencies from `from` up to `to` nanoseconds, without `to`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bar {
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) count: u64,
}

impl Axis {
    /// The narrowest axis between values 1, 2 or 5 times a power of ten that leaves some room at both sides.
    pub(crate) fn around(nanos: &[u64]) -> Self {
        let least = nanos.iter().copied().min().unwrap_or(1).max(1) as f64;
        let most = nanos.iter().copied().max().unwrap_or(1).max(1) as f64;
        let first = round_values().take_while(|value| *value <= least / 1.05).last().unwrap_or(0.5);
        let enough = |value: &f64| *value >= most * 1.05 && *value >= first * LEAST_RATIO;
        Self { first, last: round_values().find(enough).unwrap_or(most * 2.0) }
    }

    /// Where `nanos` lies, from 0 at the first to 1 at the last value.
    pub(crate) fn place(self, nanos: f64) -> f64 {
        ((nanos / self.first).ln() / (self.last / self.first).ln()).clamp(0.0, 1.0)
    }

    /// The values to write beside the axis: of each power of ten 1, 2, 5, or 1 alone on long axes.
    pub(crate) fn ticks(self) -> Vec<f64> {
        let inside = |value: &f64| (self.first..=self.last).contains(value);
        let all: Vec<f64> = round_values().filter(inside).collect();
        if all.len() <= 14 {
            return all;
        }
        powers().filter(inside).collect()
    }

    /// How many of the latencies lie where.
    pub(crate) fn bars(self, nanos: &[u64]) -> Vec<Bar> {
        let ratio = self.last / self.first;
        let edge = |index: u32| self.first * ratio.powf(f64::from(index) / f64::from(BARS));
        let mut bars: Vec<Bar> =
            (0..BARS).map(|index| Bar { from: edge(index), to: edge(index + 1), count: 0 }).collect();
        for nanos in nanos {
            let index = bars.partition_point(|bar| bar.to <= *nanos as f64);
            // The axis ends above the longest.
            if let Some(bar) = bars.get_mut(index) {
                bar.count += 1;
            }
        }
        bars
    }
}

/// 0, a step, two steps … the first of them not below `most`; three to six values.
pub(crate) fn count_ticks(most: u64) -> Vec<u64> {
    let steps = (0..19).flat_map(|power| [1, 2, 5].map(|step: u64| step * 10u64.pow(power)));
    let step = steps.into_iter().find(|step| most.div_ceil(*step) <= 5).unwrap_or(u64::MAX);
    let steps = most.div_ceil(step).max(2);
    (0..=steps).map(|index| step.saturating_mul(index)).collect()
}

/// 1, 2, 5, 10, 20 … nanoseconds, up to 100 hours.
fn round_values() -> impl Iterator<Item = f64> {
    powers().flat_map(|power| [power, 2.0 * power, 5.0 * power])
}

fn powers() -> impl Iterator<Item = f64> {
    (0..15).map(|power| 10f64.powi(power))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_lies_between_round_values_with_room() {
        assert_eq!(Axis::around(&[612_000, 1_900_000]), Axis { first: 500_000.0, last: 2_000_000.0 });
        assert_eq!(Axis::around(&[501_000, 1_999_000]), Axis { first: 200_000.0, last: 5_000_000.0 });
    }

    #[test]
    fn degenerate_latencies_have_an_axis() {
        for nanos in [&[][..], &[0], &[1], &[700], &[u64::MAX]] {
            let axis = Axis::around(nanos);
            assert!(axis.first > 0.0 && axis.last >= axis.first * LEAST_RATIO, "{nanos:?} {axis:?}");
            assert!(axis.last.is_finite() && !axis.ticks().is_empty() || nanos == [u64::MAX], "{axis:?}");
        }
    }

    #[test]
    fn every_latency_is_in_the_one_bar_that_spans_it() {
        let nanos: Vec<u64> = (0..5000).map(|k| 100 + k * k).collect();
        let axis = Axis::around(&nanos);
        let bars = axis.bars(&nanos);
        assert_eq!(bars.iter().map(|bar| bar.count).sum::<u64>(), 5000);
        for bar in &bars {
            let inside = nanos.iter().filter(|nanos| (bar.from..bar.to).contains(&(**nanos as f64))).count();
            assert_eq!(bar.count, inside as u64, "{bar:?}");
        }
        assert!(bars.windows(2).all(|pair| pair[0].to == pair[1].from));
    }

    #[test]
    fn ticks_are_round_and_few() {
        let axis = Axis { first: 500.0, last: 5_000.0 };
        assert_eq!(axis.ticks(), [500.0, 1_000.0, 2_000.0, 5_000.0]);
        assert!(Axis { first: 1.0, last: 1e12 }.ticks().len() <= 14);
        assert_eq!(axis.place(500.0), 0.0);
        assert_eq!(axis.place(5_000.0), 1.0);
        assert_eq!(axis.place(1e9), 1.0);
    }

    #[test]
    fn counts_have_round_ticks_that_reach_the_highest_bar() {
        assert_eq!(count_ticks(0), [0, 1, 2]);
        assert_eq!(count_ticks(1), [0, 1, 2]);
        assert_eq!(count_ticks(4), [0, 1, 2, 3, 4]);
        assert_eq!(count_ticks(437), [0, 100, 200, 300, 400, 500]);
        assert!(count_ticks(u64::MAX).len() <= 6);
    }
}
