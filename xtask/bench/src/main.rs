//! How fast is Strait, next to what the machine can do at all?
//!
//! ```text
//! cargo run --release -- [--quick] [--repetitions N] [--only NAME]... [--no-callgrind] [--json]
//! ```
//!
//! Every repetition runs each contender of a measurement once, in rotating order, in fresh processes pinned to two
//! processors. What counts is the ratio of contenders within one repetition: absolutes move with the machine's load.

mod blocked;
mod blocks;
mod buffers;
mod duplex;
mod echo;
mod instructions;
mod one_way;
#[cfg(feature = "xcp")]
mod xcp;

use std::process::ExitCode;

use strait_bench::args::Args;
use strait_bench::report::{Report, Subject};
use strait_bench::schedule::{self, Group};
use strait_bench::{Outcome, child, lines, machine};

/// Leaves out what callgrind counts.
const NO_CALLGRIND: &str = "--no-callgrind";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match args.split_first() {
        Some((flag, role)) if flag == child::ROLE => play(role),
        _ => measure(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What a child process does.
fn play(role: &[String]) -> Outcome<()> {
    let (name, args) = role.split_first().ok_or("no role")?;
    #[cfg(feature = "xcp")]
    if let Some((_, play)) = xcp::ROLES.iter().find(|(known, _)| known == name) {
        return play(args);
    }
    match name.as_str() {
        one_way::WRITER => one_way::writer(args),
        lines::LINES => lines::server(args),
        echo::STRAIT => echo::strait_server(args),
        blocks::BARE => blocks::bare_producer(args),
        blocks::STRAIT => blocks::strait_writer(args),
        duplex::SERVER => duplex::server(args),
        blocked::WRITER => blocked::silent_writer(args),
        instructions::LOOP => instructions::send_and_receive(args),
        _ => Err(format!("unknown role {name}").into()),
    }
}

fn measure(args: &[String]) -> Outcome<()> {
    let args = Args::parse(args, &[NO_CALLGRIND])?;
    let wanted = args.choose(groups(&args))?;
    if wanted.iter().any(|group| group.name.contains(instructions::NAME)) {
        instructions::provide_valgrind()?;
    }
    buffers::remove_leftovers();
    let results = schedule::run_all(&wanted, args.repetitions)?;
    let left_out = args.has(NO_CALLGRIND).then_some("instructions per frame: left out (--no-callgrind)");
    let machine = machine::describe(env!("CARGO_PKG_NAME"), &args);
    let report = Report { machine: &machine, results: &results, subject: Subject::Strait, left_out };
    print!("{}", if args.json { report.json() } else { report.markdown() });
    Ok(())
}

fn groups(args: &Args) -> Vec<Group> {
    let mut groups = vec![
        one_way::small(args.quick),
        echo::group(args.quick),
        blocks::group(args.quick),
        blocked::group(args.quick),
        one_way::kilobyte(args.quick),
        blocks::copy(args.quick),
        duplex::small(args.quick),
        duplex::large(args.quick),
    ];
    #[cfg(feature = "xcp")]
    groups.extend(xcp::groups(args.quick));
    if !args.has(NO_CALLGRIND) {
        groups.push(instructions::group());
        #[cfg(feature = "xcp")]
        groups.push(xcp::instructions());
    }
    groups
}
