//! What the user asked for.

use crate::Outcome;
use crate::schedule::Group;

const USAGE: &str = "usage: [--quick] [--repetitions N] [--only NAME]... [--json]";

/// The command line.
#[derive(Debug)]
pub struct Args {
    /// Fewer frames per run.
    pub quick: bool,
    /// Runs of each contender.
    pub repetitions: usize,
    /// Parts of measurement names; empty for all.
    only: Vec<String>,
    /// Those of the benchmark's own flags that were given.
    flags: Vec<&'static str>,
    /// Whether the report is JSON.
    pub json: bool,
    /// As typed.
    pub line: String,
}

impl Args {
    /// Parses the command line of a benchmark that knows `flags` besides what all know.
    pub fn parse(args: &[String], flags: &[&'static str]) -> Outcome<Self> {
        let mut parsed = Self {
            quick: false,
            repetitions: 7,
            only: Vec::new(),
            flags: Vec::new(),
            json: false,
            line: args.join(" "),
        };
        let mut repetitions = None;
        let mut rest = args.iter();
        while let Some(arg) = rest.next() {
            if let Some(flag) = flags.iter().find(|flag| *flag == arg) {
                parsed.flags.push(flag);
                continue;
            }
            let mut value = || rest.next().ok_or_else(|| format!("{arg} needs a value; {}", usage(flags)));
            match arg.as_str() {
                "--quick" => parsed.quick = true,
                "--repetitions" | "--reps" => repetitions = Some(value()?.parse()?),
                "--only" => parsed.only.push(value()?.clone()),
                "--json" => parsed.json = true,
                _ => return Err(format!("unknown argument {arg}; {}", usage(flags)).into()),
            }
        }
        if parsed.quick {
            parsed.repetitions = 3;
        }
        parsed.repetitions = repetitions.unwrap_or(parsed.repetitions);
        if parsed.repetitions == 0 {
            return Err("--repetitions must be at least 1".into());
        }
        Ok(parsed)
    }

    /// Whether this flag of the benchmark's own was given.
    pub fn has(&self, flag: &str) -> bool {
        self.flags.contains(&flag)
    }

    /// Those of `groups` whose names were asked for.
    ///
    /// # Errors
    /// None is left.
    pub fn choose(&self, groups: Vec<Group>) -> Outcome<Vec<Group>> {
        let names: Vec<&str> = groups.iter().map(|group| group.name).collect();
        let names = names.join(", ");
        let chosen: Vec<Group> = groups.into_iter().filter(|group| self.wants(group.name)).collect();
        if chosen.is_empty() {
            Err(format!("nothing of that name; there are {names}").into())
        } else {
            Ok(chosen)
        }
    }

    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| name.contains(part))
    }
}

fn usage(flags: &[&str]) -> String {
    flags.iter().fold(USAGE.to_owned(), |text, flag| format!("{text} [{flag}]"))
}
