//! What can `strait xcp` do: which verb runs, and what have they in common?

mod answer;
mod bench;
mod body;
mod command;
mod content;
mod decode;
mod describe;
mod dialect;
mod explain;
mod failure;
mod frames;
mod log;
mod names;
mod npy;
mod output;
mod ping;
mod runtime;
mod send;
mod serve;
mod source;
mod taking;
mod upload;

use clap::{Args, Subcommand};

use crate::exit::{self, Failure};

/// Options of `strait xcp`.
#[derive(Debug, Args)]
pub(crate) struct XcpArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Takes messages and says what they were, or sends them back
    #[command(after_help = exit::XCP_HELP)]
    Serve(serve::ServeArgs),
    /// Sends one message, and checks by the answer that the peer saw the same bytes
    #[command(after_help = exit::XCP_HELP)]
    Send(send::SendArgs),
    /// Asks a server whether it is there, how long that takes, and what was agreed on
    #[command(after_help = exit::XCP_HELP)]
    Ping(ping::PingArgs),
    /// Explains frames, field by field
    #[command(after_help = exit::XCP_HELP)]
    Decode(decode::DecodeArgs),
    /// Measures requests that are sent back: how long they take, how much goes through
    #[command(after_help = exit::XCP_HELP)]
    Bench(bench::BenchArgs),
}

/// Runs `strait xcp`.
pub(crate) fn run(args: XcpArgs) -> Result<(), Failure> {
    match args.verb {
        Verb::Serve(args) => serve::run(&args),
        Verb::Send(args) => send::run(&args),
        Verb::Ping(args) => ping::run(&args),
        Verb::Decode(args) => decode::run(&args),
        Verb::Bench(args) => bench::run(&args),
    }
}
