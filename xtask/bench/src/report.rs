//! How the figures are printed.

use core::fmt::Write as _;

use crate::instructions;
use crate::machine::Machine;
use crate::schedule::{Figures, Spread, Target};

/// Everything that is printed.
pub(crate) struct Report<'r> {
    pub(crate) machine: &'r Machine,
    pub(crate) results: &'r [Figures],
    /// What was not measured on request.
    pub(crate) left_out: Option<&'static str>,
}

impl Report<'_> {
    pub(crate) fn markdown(&self) -> String {
        let Machine { hardware, command, repetitions, commit } = self.machine;
        let mut text = format!("{hardware}; `{command}`; {repetitions} repetitions; commit {commit}\n\n");
        text.push_str(
            "| measurement | Strait | reference | ratio | target | met? |\n|---|---|---|---|---|---|\n",
        );
        for row in self.results {
            let reference = row.reference.map_or_else(
                || "–".to_owned(),
                |(name, figure)| format!("{name}: {}", with_unit(figure, row.unit)),
            );
            let ratio = row.ratio.map_or_else(|| "–".to_owned(), range);
            let met = row.is_met().map_or("–", |met| if met { "yes" } else { "no" });
            let ours = with_unit(row.ours, row.unit);
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

    pub(crate) fn json(&self) -> String {
        let Machine { hardware, command, repetitions, commit } = self.machine;
        let rows: Vec<String> = self.results.iter().map(row_json).collect();
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

fn row_json(row: &Figures) -> String {
    let spread =
        |Spread { median, min, max }| format!("{{\"median\": {median}, \"min\": {min}, \"max\": {max}}}");
    let null = || "null".to_owned();
    let reference = row.reference.map_or_else(null, |(_, figure)| spread(figure));
    format!(
        "{{\"group\": {}, \"measurement\": {}, \"unit\": {}, \"strait\": {}, \"reference_name\": {}, \
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
    }
}

fn with_unit(Spread { median, min, max }: Spread, unit: &str) -> String {
    if unit == instructions::UNIT {
        return format!("{median:.0}");
    }
    format!("{} {unit} ({} to {})", short(median), short(min), short(max))
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
