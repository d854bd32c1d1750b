//! How fast is Strait, next to what the machine can do at all?
//!
//! ```text
//! cargo run --release -- [--quick] [--reps N] [--only NAME]... [--no-callgrind] [--json]
//! ```
//!
//! Every repetition runs each contender of a measurement once, in rotating order, in fresh processes pinned to two
//! processors. What counts is the ratio of contenders within one repetition: absolutes move with the machine's load.

mod args;
mod blocked;
mod blocks;
mod child;
mod duplex;
mod echo;
mod instructions;
mod load;
mod machine;
mod one_way;
mod report;
mod schedule;
mod shared;

use core::error::Error;
use std::process::ExitCode;

use crate::args::Args;
use crate::schedule::Group;

type Outcome<T> = Result<T, Box<dyn Error>>;

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
    match name.as_str() {
        one_way::WRITER => one_way::writer(args),
        echo::LINES => echo::lines_server(args),
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
    let args = Args::parse(args)?;
    let groups = groups(&args);
    let names: Vec<&str> = groups.iter().map(|group| group.name).collect();
    let wanted: Vec<Group> = groups.into_iter().filter(|group| args.wants(group.name)).collect();
    if wanted.is_empty() {
        return Err(format!("nothing of that name; there are {}", names.join(", ")).into());
    }
    if wanted.iter().any(|group| group.name == instructions::NAME) {
        instructions::provide_valgrind()?;
    }
    child::remove_leftovers();
    child::take_precedence();
    child::pin(child::PARENT_CPU)?;
    let machine = machine::describe(&args);
    let mut results = Vec::new();
    for group in &wanted {
        results.extend(group.run(args.repetitions)?);
    }
    let left_out = args.without_callgrind.then_some("instructions per frame: left out (--no-callgrind)");
    let report = report::Report { machine: &machine, results: &results, left_out };
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
    if !args.without_callgrind {
        groups.push(instructions::group());
    }
    groups
}
