//! Which contender runs when, and what its runs amount to.

use crate::Outcome;
use crate::load::{Mark, await_quiet};

/// Share of the processors, 0 to 1, beyond which other processes spoil a repetition.
const DISTURBED: f64 = 0.05;

/// One way of doing what is measured. A run returns one figure in the group's unit.
pub(crate) struct Contender {
    name: &'static str,
    run: Box<dyn Fn() -> Outcome<f64>>,
}

/// A contender.
pub(crate) fn contender(name: &'static str, run: impl Fn() -> Outcome<f64> + 'static) -> Contender {
    Contender { name, run: Box::new(run) }
}

/// What shall come out. Missing it fails nothing: figures are measured, not asserted.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    None,
    RatioAtLeast(f64),
    RatioAtMost(f64),
    ValueBelow(f64),
}

/// One line of the report: a contender against another, by their places in the group.
pub(crate) struct Row {
    pub(crate) label: &'static str,
    pub(crate) ours: usize,
    pub(crate) reference: Option<usize>,
    pub(crate) target: Target,
}

/// Contenders that are run in turns, and the lines that they make.
pub(crate) struct Group {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    /// Whether every run gives the same figure, so that one is enough.
    pub(crate) is_exact: bool,
    pub(crate) contenders: Vec<Contender>,
    pub(crate) rows: Vec<Row>,
}

/// Median and extremes over the repetitions.
#[derive(Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

/// A line with its figures.
pub(crate) struct Figures {
    pub(crate) group: &'static str,
    pub(crate) label: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) ours: Spread,
    pub(crate) reference: Option<(&'static str, Spread)>,
    /// Median of the ratios within each repetition.
    pub(crate) ratio: Option<Spread>,
    pub(crate) target: Target,
    /// Share of the processors that other processes used meanwhile, 0 to 1: most of any repetition.
    pub(crate) foreign: f64,
}

impl Figures {
    /// `None` without a target.
    pub(crate) fn is_met(&self) -> Option<bool> {
        let ratio = self.ratio.map(|ratio| ratio.median);
        match self.target {
            Target::None => None,
            Target::RatioAtLeast(least) => ratio.map(|ratio| ratio >= least),
            Target::RatioAtMost(most) => ratio.map(|ratio| ratio <= most),
            Target::ValueBelow(limit) => Some(self.ours.median < limit),
        }
    }
}

impl Group {
    /// Runs every contender `repetitions` times (once if exact), each time beginning with the next one.
    ///
    /// Repetitions that other processes disturbed are made again, up to twice as many more; the least disturbed ones
    /// count, whatever their figures.
    pub(crate) fn run(&self, repetitions: usize) -> Outcome<Vec<Figures>> {
        let repetitions = if self.is_exact { 1 } else { repetitions };
        let mut samples = Vec::new();
        for repetition in 0..3 * repetitions {
            samples.push(self.repetition(repetition)?);
            if samples.iter().filter(|sample| sample.foreign <= DISTURBED).count() >= repetitions {
                break;
            }
        }
        samples.sort_by(|one, other| one.foreign.total_cmp(&other.foreign));
        samples.truncate(repetitions);
        Ok(self.rows.iter().map(|row| self.figures(row, &samples)).collect())
    }

    fn repetition(&self, repetition: usize) -> Outcome<Sample> {
        await_quiet()?;
        let mark = Mark::now()?;
        let mut figures = vec![f64::NAN; self.contenders.len()];
        for turn in 0..self.contenders.len() {
            let at = (repetition + turn) % self.contenders.len();
            let contender = &self.contenders[at];
            let figure =
                (contender.run)().map_err(|error| format!("{}, {}: {error}", self.name, contender.name))?;
            eprintln!("{} {}: {} {figure:.3} {}", repetition + 1, self.name, contender.name, self.unit);
            figures[at] = figure;
        }
        Ok(Sample { figures, foreign: mark.foreign_share()? })
    }

    fn figures(&self, row: &Row, samples: &[Sample]) -> Figures {
        let of = |at: usize| samples.iter().map(|sample| sample.figures[at]).collect::<Vec<f64>>();
        let ours = of(row.ours);
        let reference = row.reference.map(|at| (self.contenders[at].name, of(at)));
        let ratio = reference.as_ref().map(|(_, reference)| {
            let ratios: Vec<f64> =
                ours.iter().zip(reference).map(|(ours, reference)| ours / reference).collect();
            spread(&ratios)
        });
        Figures {
            group: self.name,
            label: row.label,
            unit: self.unit,
            ours: spread(&ours),
            reference: reference.map(|(name, figures)| (name, spread(&figures))),
            ratio,
            target: row.target,
            foreign: samples.iter().map(|sample| sample.foreign).fold(0.0, f64::max),
        }
    }
}

/// One repetition: a figure for each contender.
struct Sample {
    figures: Vec<f64>,
    /// Share of the processors that other processes used meanwhile, 0 to 1.
    foreign: f64,
}

fn spread(samples: &[f64]) -> Spread {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
    Spread { median: median(samples), min: at(0), max: at(sorted.len().saturating_sub(1)) }
}

/// The middle sample, or the mean of the two middle ones; NaN without samples.
pub(crate) fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
    match sorted.len() {
        0 => f64::NAN,
        len if len % 2 == 1 => at(len / 2),
        len => f64::midpoint(at(len / 2 - 1), at(len / 2)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_whatever_the_order() {
        assert_eq!(median(&[3.0, 1.0, 2.0]).to_bits(), 2.0f64.to_bits());
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]).to_bits(), 2.5f64.to_bits());
        assert!(median(&[]).is_nan());
    }
}
