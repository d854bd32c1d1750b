//! Which contender runs when, and what its runs amount to.

use core::fmt;

use crate::Outcome;
use crate::child;
use crate::load::{Mark, await_quiet};

/// Share of the processors, 0 to 1, beyond which other processes spoil a repetition.
const DISTURBED: f64 = 0.05;

/// One way of doing what is measured. A run returns its figures in the group's unit, one as a rule.
pub struct Contender {
    /// What each of its figures is called.
    names: Vec<&'static str>,
    run: Box<dyn Fn() -> Outcome<Vec<f64>>>,
}

impl fmt::Debug for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contender").field("names", &self.names).finish_non_exhaustive()
    }
}

/// A contender.
pub fn contender(name: &'static str, run: impl Fn() -> Outcome<f64> + 'static) -> Contender {
    Contender { names: vec![name], run: Box::new(move || Ok(vec![run()?])) }
}

/// A contender whose run gives several figures, as many as `names`: each takes a place of its own in the group.
pub fn contender_of(names: Vec<&'static str>, run: impl Fn() -> Outcome<Vec<f64>> + 'static) -> Contender {
    Contender { names, run: Box::new(run) }
}

/// What shall come out. Missing it fails nothing: figures are measured, not asserted.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// Nothing particular.
    None,
    /// As much as the reference's figure times this, or more.
    RatioAtLeast(f64),
    /// As much as the reference's figure times this, or less.
    RatioAtMost(f64),
    /// Less than this, in the group's unit.
    ValueBelow(f64),
    /// This or less, in the group's unit.
    ValueAtMost(f64),
    /// More than this, in the group's unit.
    ValueAbove(f64),
}

/// One line of the report: a contender against another, by their places in the group, or those of their figures where
/// contenders have several.
#[derive(Debug)]
pub struct Row {
    /// What the line is called.
    pub label: &'static str,
    /// Whose figure it holds.
    pub ours: usize,
    /// Whose figure that is divided by.
    pub reference: Option<usize>,
    /// What shall come out.
    pub target: Target,
}

/// Contenders that are run in turns, and the lines that they make.
#[derive(Debug)]
pub struct Group {
    /// What is measured.
    pub name: &'static str,
    /// Of every figure.
    pub unit: &'static str,
    /// Whether every run gives the same figure, so that one is enough.
    pub is_exact: bool,
    /// Who takes part.
    pub contenders: Vec<Contender>,
    /// What is reported of it.
    pub rows: Vec<Row>,
}

/// Median and extremes over the repetitions.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// The middle.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The most.
    pub max: f64,
}

/// A line with its figures.
#[derive(Debug)]
pub struct Figures {
    /// What was measured.
    pub group: &'static str,
    /// The line's name.
    pub label: &'static str,
    /// Of both figures.
    pub unit: &'static str,
    /// Whose figure this is.
    pub ours_name: &'static str,
    /// The figure.
    pub ours: Spread,
    /// What it is compared with, by name.
    pub reference: Option<(&'static str, Spread)>,
    /// Median of the ratios within each repetition.
    pub ratio: Option<Spread>,
    /// What shall come out.
    pub target: Target,
    /// Share of the processors that other processes used meanwhile, 0 to 1: most of any repetition.
    pub foreign: f64,
    /// Whether every run gives the same figure.
    pub is_exact: bool,
}

impl Figures {
    /// `None` without a target.
    pub fn is_met(&self) -> Option<bool> {
        let ratio = self.ratio.map(|ratio| ratio.median);
        match self.target {
            Target::None => None,
            Target::RatioAtLeast(least) => ratio.map(|ratio| ratio >= least),
            Target::RatioAtMost(most) => ratio.map(|ratio| ratio <= most),
            Target::ValueBelow(limit) => Some(self.ours.median < limit),
            Target::ValueAtMost(limit) => Some(self.ours.median <= limit),
            Target::ValueAbove(limit) => Some(self.ours.median > limit),
        }
    }
}

/// Runs all groups, before ordinary processes and on one processor as far as it is this process that runs.
pub fn run_all(groups: &[Group], repetitions: usize) -> Outcome<Vec<Figures>> {
    child::take_precedence();
    child::pin(child::PARENT_CPU)?;
    let mut results = Vec::new();
    for group in groups {
        results.extend(group.run(repetitions)?);
    }
    Ok(results)
}

impl Group {
    /// Runs every contender `repetitions` times (once if exact), each time beginning with the next one.
    ///
    /// Repetitions that other processes disturbed are made again, up to twice as many more; the least disturbed ones
    /// count, whatever their figures.
    pub fn run(&self, repetitions: usize) -> Outcome<Vec<Figures>> {
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
        let mut figures = vec![Vec::new(); self.contenders.len()];
        for turn in 0..self.contenders.len() {
            let at = (repetition + turn) % self.contenders.len();
            let contender = &self.contenders[at];
            let name = contender.names.join(", ");
            let found = (contender.run)().map_err(|error| format!("{}, {name}: {error}", self.name))?;
            if found.len() != contender.names.len() {
                return Err(format!("{}, {name}: {} figures", self.name, found.len()).into());
            }
            eprintln!("{} {}: {name} {found:.3?} {}", repetition + 1, self.name, self.unit);
            figures[at] = found;
        }
        let figures = figures.concat();
        Ok(Sample { figures, foreign: mark.foreign_share()? })
    }

    fn figures(&self, row: &Row, samples: &[Sample]) -> Figures {
        let of = |at: usize| samples.iter().map(|sample| sample.figures[at]).collect::<Vec<f64>>();
        let ours = of(row.ours);
        let names: Vec<&'static str> =
            self.contenders.iter().flat_map(|contender| contender.names.iter().copied()).collect();
        let reference = row.reference.map(|at| (names[at], of(at)));
        let ratio = reference.as_ref().map(|(_, reference)| {
            let ratios: Vec<f64> =
                ours.iter().zip(reference).map(|(ours, reference)| ours / reference).collect();
            spread(&ratios)
        });
        Figures {
            group: self.name,
            label: row.label,
            unit: self.unit,
            ours_name: names[row.ours],
            ours: spread(&ours),
            reference: reference.map(|(name, figures)| (name, spread(&figures))),
            ratio,
            target: row.target,
            foreign: samples.iter().map(|sample| sample.foreign).fold(0.0, f64::max),
            is_exact: self.is_exact,
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
pub fn median(samples: &[f64]) -> f64 {
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
