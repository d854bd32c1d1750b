//! What the user asked for.

use crate::Outcome;

const USAGE: &str = "usage: [--quick] [--reps N] [--only NAME]... [--no-callgrind] [--json]";

/// The command line.
pub(crate) struct Args {
    /// Fewer frames per run.
    pub(crate) quick: bool,
    pub(crate) repetitions: usize,
    /// Parts of measurement names; empty for all.
    only: Vec<String>,
    pub(crate) without_callgrind: bool,
    pub(crate) json: bool,
    /// As typed.
    pub(crate) line: String,
}

impl Args {
    pub(crate) fn parse(args: &[String]) -> Outcome<Self> {
        let mut parsed = Self {
            quick: false,
            repetitions: 7,
            only: Vec::new(),
            without_callgrind: false,
            json: false,
            line: args.join(" "),
        };
        let mut repetitions = None;
        let mut rest = args.iter();
        while let Some(arg) = rest.next() {
            let mut value = || rest.next().ok_or_else(|| format!("{arg} needs a value; {USAGE}"));
            match arg.as_str() {
                "--quick" => parsed.quick = true,
                "--reps" => repetitions = Some(value()?.parse()?),
                "--only" => parsed.only.push(value()?.clone()),
                "--no-callgrind" => parsed.without_callgrind = true,
                "--json" => parsed.json = true,
                _ => return Err(format!("unknown argument {arg}; {USAGE}").into()),
            }
        }
        if parsed.quick {
            parsed.repetitions = 3;
        }
        parsed.repetitions = repetitions.unwrap_or(parsed.repetitions);
        if parsed.repetitions == 0 {
            return Err("--reps must be at least 1".into());
        }
        Ok(parsed)
    }

    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| name.contains(part))
    }
}
