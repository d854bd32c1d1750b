//! How fast is Strait next to other people's queues, in one process and between two?
//!
//! ```text
//! cargo run --release -- [--quick] [--repetitions N] [--only NAME]... [--json]
//! ```
//!
//! Every run of every contender has fresh processes, pinned to two processors; within a repetition the contenders run
//! in turn, each time beginning with the next one. What counts is the ratio within one repetition.

mod contenders;
mod futex;
mod iceoryx;
mod ours;
mod queues;
mod threads;
mod touch;
mod waiting;

use std::process::ExitCode;

use strait_bench::args::Args;
use strait_bench::child::{self, argument};
use strait_bench::report::{Report, Subject};
use strait_bench::{Outcome, lines, machine, schedule};

use crate::contenders::{Play, RUN};

/// What a second process can be, besides what [`ours::ROLES`] has.
const ROLES: &[(&str, Play)] = &[
    (lines::LINES, lines::server),
    (futex::SERVER, futex::server),
    (iceoryx::PUBLISHER, iceoryx::publisher),
    (iceoryx::SERVER, iceoryx::server),
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match args.split_first() {
        Some((flag, role)) if flag == child::ROLE => play(role),
        _ => measure(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-peers: {error}");
            ExitCode::FAILURE
        }
    }
}

fn play(role: &[String]) -> Outcome<()> {
    let (name, args) = role.split_first().ok_or("no role")?;
    if name == RUN {
        return run(args);
    }
    let known = ROLES.iter().chain(ours::ROLES).find(|(known, _)| known == name);
    let (_, play) = known.ok_or_else(|| format!("unknown role {name}"))?;
    play(args)
}

/// Runs one contender once. Arguments: measurement, contender, operations.
fn run(args: &[String]) -> Outcome<()> {
    child::settle_on(child::PARENT_CPU)?;
    let (measurement, name): (String, String) = (argument(args, 0)?, argument(args, 1)?);
    let contender = contenders::find(&measurement, &name)?;
    let operations = argument(args, 2)?;
    child::report_ready()?;
    child::report_figure((contender.run)(operations)?);
    Ok(())
}

fn measure(args: &[String]) -> Outcome<()> {
    let args = Args::parse(args, &[])?;
    let wanted = args.choose(contenders::groups(args.quick)?)?;
    let results = schedule::run_all(&wanted, args.repetitions)?;
    let machine = machine::describe(env!("CARGO_PKG_NAME"), &args);
    let report = Report { machine: &machine, results: &results, subject: Subject::Named, left_out: None };
    print!("{}", if args.json { report.json() } else { report.markdown() });
    Ok(())
}
