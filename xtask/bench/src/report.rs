//! How the figures are printed.

use core::fmt::Write as _;

use crate::machine::Machine;
use crate::schedule::{Figures, Spread, Target};

/// Whose figures the lines hold.
#[derive(Clone, Copy, Debug)]
pub enum Subject {
    /// Strait's throughout: the column is called so.
    Strait,
    /// A different contender's each: the column names it.
    Named,
}

/// Everything that is printed.
#[derive(Debug)]
pub struct Report<'r> {
    /// Where and when.
    pub machine: &'r Machine,
    /// The lines.
    pub results: &'r [Figures],
    /// Whose they are.
    pub subject: Subject,
    /// What was not measured on request.
    pub left_out: Option<&'static str>,
}

impl Report<'_> {
    /// A table.
    pub fn markdown(&self) -> String {
        let Machine { hardware, command, repetitions, commit } = self.machine;
        let mut text = format!("{hardware}; `{command}`; {repetitions} repetitions; commit {commit}\n\n");
        let subject = match self.subject {
            Subject::Strait => "Strait",
            Subject::Named => "contender",
        };
        let _ = writeln!(text, "| measurement | {subject} | reference | ratio | target | met? |");
        text.push_str("|---|---|---|---|---|---|\n");
        for row in self.results {
            let reference = row.reference.map_or_else(
                || "–".to_owned(),
                |(name, figure)| format!("{name}: {}", with_unit(figure, row)),
            );
            let ratio = row.ratio.map_or_else(|| "–".to_owned(), range);
            let met = row.is_met().map_or("–", |met| if met { "yes" } else { "no" });
            let mut ours = with_unit(row.ours, row);
            if matches!(self.subject, Subject::Named) {
                ours = format!("{}: {ours}", row.ours_name);
            }
            let _ = writeln!(
                text,
                "| {} | {ours} | {reference} | {ratio} | {} | {met} |",
                row.label,
                target(row)
            );
        }
        text.push_str("\nMedians (minimum to maximum); ratios are taken within each repetition.\n");
        let foreign = self.results.iter().map(|row| row.foreign).fold(0.0, f64::max) * 100.0;
        let _ = writeln!(text, "Other processes used up to {foreign:.0} % of the processors meanwhile.");
        if let Some(left_out) = self.left_out {
            let _ = writeln!(text, "{left_out}");
        }
        text
    }

    /// One object.
    pub fn json(&self) -> String {
        let Machine { hardware, command, repetitions, commit } = self.machine;
        let rows: Vec<String> = self.results.iter().map(|row| row_json(row, self.subject)).collect();
        format!(
            "{{\n  \"machine\": {},\n  \"command\": {},\n  \"repetitions\": {repetitions},\n  \"commit\": {},\n  \
             \"left_out\": {},\n  \"results\": [\n    {}\n  ]\n}}\n",
            quoted(hardware),
            quoted(command),
            quoted(commit),
            self.left_out.map_or_else(|| "null".to_owned(), quoted),
            rows.join(",\n    "),
        )
    }
}

fn row_json(row: &Figures, subject: Subject) -> String {
    let ours = match subject {
        Subject::Strait => "\"strait\": ".to_owned(),
        Subject::Named => format!("\"contender\": {}, \"figure\": ", quoted(row.ours_name)),
    };
    let spread =
        |Spread { median, min, max }| format!("{{\"median\": {median}, \"min\": {min}, \"max\": {max}}}");
    let null = || "null".to_owned();
    let reference = row.reference.map_or_else(null, |(_, figure)| spread(figure));
    format!(
        "{{\"group\": {}, \"measurement\": {}, \"unit\": {}, {ours}{}, \"reference_name\": {}, \
         \"reference\": {reference}, \"ratio\": {}, \"target\": {}, \"met\": {}, \
         \"foreign_load\": {}}}",
        quoted(row.group),
        quoted(row.label),
        quoted(row.unit),
        spread(row.ours),
        row.reference.map_or_else(null, |(name, _)| quoted(name)),
        row.ratio.map_or_else(null, spread),
        quoted(&target(row)),
        row.is_met().map_or_else(null, |met| met.to_string()),
        row.foreign,
    )
}

fn target(row: &Figures) -> String {
    match row.target {
        Target::None => "–".to_owned(),
        Target::RatioAtLeast(least) => format!("≥ {least:.3}"),
        Target::RatioAtMost(most) => format!("≤ {most:.2}"),
        Target::ValueBelow(limit) => format!("< {limit} {}", row.unit),
        Target::ValueAtMost(limit) => format!("≤ {limit} {}", row.unit),
        Target::ValueAbove(limit) => format!("> {limit} {}", row.unit),
    }
}

fn with_unit(Spread { median, min, max }: Spread, row: &Figures) -> String {
    if row.is_exact {
        return format!("{median:.0}");
    }
    format!("{} {} ({} to {})", short(median), row.unit, short(min), short(max))
}

fn range(Spread { median, min, max }: Spread) -> String {
    format!("{} ({} to {})", short(median), short(min), short(max))
}

/// Three significant digits.
fn short(figure: f64) -> String {
    match figure.abs() {
        size if size >= 100.0 => format!("{figure:.0}"),
        size if size >= 10.0 => format!("{figure:.1}"),
        size if size >= 1.0 => format!("{figure:.2}"),
        _ => format!("{figure:.3}"),
    }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            letter if letter.is_control() => quoted.push(' '),
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}
