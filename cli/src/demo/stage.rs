//! How a stage's process is told what to do, and tells how it went.

use std::ffi::OsString;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::thread;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::meter::StageReport;
use super::plan::Plan;
use super::roles::{self, Broken, Orphaned};
use crate::exit::{ExitCode, Failure};
use crate::report;

/// Which of the three processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// The first.
    Writer,
    /// The second.
    Relay,
    /// The third.
    Reader,
}

impl Role {
    /// As the table calls it, and the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Writer => "writer",
            Self::Relay => "relay",
            Self::Reader => "reader",
        }
    }
}

/// Options of `strait demo-stage`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct StageArgs {
    role: Role,
    /// Buffer from the writer to the relay
    first: String,
    /// Buffer from the relay to the reader
    second: String,
    /// File that the writer streams
    file: PathBuf,
    #[command(flatten)]
    plan: Plan,
}

/// The command line of a stage, after the program's name.
pub(crate) fn arguments(role: Role, buffers: &[String; 2], file: &Path, plan: &Plan) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["demo-stage".into()];
    arguments.extend(plan.arguments());
    // A file's name may start with a dash.
    arguments.extend(["--", role.name(), &buffers[0], &buffers[1]].map(OsString::from));
    arguments.push(file.into());
    arguments
}

/// How a stage went: one line of JSON on its standard output.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// Every frame went through.
    Done(StageReport),
    /// Not every frame did.
    Failed {
        /// What the process ends with.
        code: ExitCode,
        /// Why.
        message: String,
        /// Whether another stage's end, or its silence, was the cause.
        is_consequence: bool,
    },
}

/// Runs one stage: what `strait demo-stage` does.
///
/// # Errors
/// The stage's; told on standard output as well.
pub(crate) fn stage(args: StageArgs) -> Result<(), Failure> {
    let StageArgs { role, first, second, file, plan } = args;
    let orphaned = Orphaned::default();
    watch_demo(&orphaned);
    let outcome = match role {
        Role::Writer => roles::write(&plan, &file, &first, &orphaned),
        Role::Relay => roles::relay(&plan, &first, &second, &orphaned),
        Role::Reader => roles::read(&plan, &second, &orphaned),
    };
    match outcome {
        Ok(report) => tell(&Outcome::Done(report)),
        Err(Broken { failure, is_consequence }) => {
            let Failure { code, message, .. } = failure.clone();
            tell(&Outcome::Failed { code, message, is_consequence })?;
            Err(failure)
        }
    }
}

/// Standard input is a pipe whose other end the demo holds: it ends when the demo does, however that happens.
fn watch_demo(orphaned: &Orphaned) {
    let orphaned = orphaned.clone();
    thread::spawn(move || {
        while matches!(io::stdin().lock().read(&mut [0; 64]), Ok(1..)) {}
        orphaned.set();
    });
}

fn tell(outcome: &Outcome) -> Result<(), Failure> {
    report::print(&report::json(outcome)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(subcommand)]
        stage: Stage,
    }

    #[derive(clap::Subcommand)]
    enum Stage {
        DemoStage(StageArgs),
    }

    #[test]
    fn a_stage_gets_what_the_demo_gave_even_a_file_that_looks_like_an_option() {
        let plan =
            Plan { bytes: 9, frame_len: 3, ring_frames: 2, interval_nanos: 0, digest: true, stamps: false };
        let buffers = ["a".to_owned(), "b".to_owned()];
        for role in [Role::Writer, Role::Relay, Role::Reader] {
            let line = arguments(role, &buffers, Path::new("--file"), &plan);
            let line = [OsString::from("strait")].into_iter().chain(line);
            let Stage::DemoStage(args) = Line::try_parse_from(line).unwrap().stage;
            assert_eq!((args.role, &args.plan), (role, &plan));
            assert_eq!((&*args.first, &*args.second, &*args.file), ("a", "b", Path::new("--file")));
        }
    }
}
