//! Which subcommand runs, and how its outcome becomes an exit code.
#![forbid(unsafe_code)]

use std::io::Write as _;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use crate::exit::Failure;

mod args;
mod check;
mod demo;
mod duplex;
mod endpoint;
mod escape;
mod exit;
mod gc;
mod inspect;
mod interrupt;
mod latency;
mod link;
mod ls;
mod pace;
mod pattern;
mod process;
mod progress;
mod reader;
mod relay;
mod report;
mod sink;
mod size;
mod source;
mod tally;
mod transform;
mod writer;
mod xcp;

/// Frames between processes and languages, through shared memory.
#[derive(Debug, Parser)]
#[command(name = "strait", version, after_help = exit::HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Puts frames into a buffer
    #[command(after_help = exit::HELP)]
    Writer(writer::WriterArgs),
    /// Creates a buffer and takes frames out of it, until the writer closes
    #[command(after_help = exit::HELP)]
    Reader(reader::ReaderArgs),
    /// Takes frames out of one buffer and puts them into another, until the input's writer closes
    #[command(after_help = exit::HELP)]
    Relay(relay::RelayArgs),
    /// Requests and responses: a server, and calls to one
    #[command(after_help = exit::DUPLEX_HELP)]
    Duplex(duplex::DuplexArgs),
    /// Messages between any number of processes: links
    #[command(after_help = exit::LINK_HELP)]
    Link(link::LinkArgs),
    /// Messages over TCP, Unix sockets and TLS: XCP
    #[command(after_help = exit::XCP_HELP)]
    Xcp(xcp::XcpArgs),
    /// Shows what a buffer holds, changing nothing
    #[command(after_help = exit::HELP)]
    Inspect(inspect::InspectArgs),
    /// Lists buffers
    #[command(after_help = exit::HELP)]
    Ls(ls::LsArgs),
    /// Removes the buffers that dead readers left
    #[command(after_help = exit::HELP)]
    Gc(gc::GcArgs),
    /// Shows what it does, from end to end, on this machine
    #[command(after_help = exit::HELP)]
    Demo(demo::DemoArgs),
    /// One process of the demo
    #[command(hide = true)]
    DemoStage(demo::StageArgs),
}

fn main() -> ExitCode {
    #[cfg(unix)]
    if let Err(error) = interrupt::outlive_file_limit() {
        report::complain(format_args!("a file that reaches its limit will end the program at once: {error}"));
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refused(&error),
    };
    let outcome = match cli.command {
        Command::Writer(args) => writer::run(args),
        Command::Reader(args) => reader::run(args),
        Command::Relay(args) => relay::run(args),
        Command::Duplex(args) => duplex::run(args),
        Command::Link(args) => link::run(args),
        Command::Xcp(args) => xcp::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Ls(args) => ls::run(args),
        Command::Gc(args) => gc::run(args),
        Command::Demo(args) => demo::run(args),
        Command::DemoStage(args) => demo::stage(args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, message, is_said }) => {
            if !is_said {
                report::complain(message);
            }
            ExitCode::from(code)
        }
    }
}

/// Help and version are what was asked for; anything else is a usage error.
fn refused(error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        // Nobody need be listening.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let _ = write!(std::io::stderr().lock(), "strait: {text}");
    ExitCode::from(exit::USAGE)
}
