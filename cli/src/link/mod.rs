//! What can `strait link` do: which verb runs, and what have they in common?

mod agreement;
mod bench;
mod bench_end;
mod bench_peer;
mod call;
mod command;
mod create;
pub(crate) mod digest;
mod echo;
mod endpoint;
mod inlet;
mod inspect;
mod intake;
pub(crate) mod leftovers;
mod messages;
mod outlet;
mod packet_text;
mod pcap;
mod peers;
mod recover;
mod recv;
mod send;
mod serve;
mod told;
mod trace;

use clap::{Args, Subcommand};

use crate::exit::{self, Failure};

/// Options of `strait link`.
#[derive(Debug, Args)]
pub(crate) struct LinkArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Makes a link that stays until it is removed
    #[command(after_help = exit::LINK_HELP)]
    Create(create::CreateArgs),
    /// Removes a link
    #[command(after_help = exit::LINK_HELP)]
    Rm(create::RmArgs),
    /// Sends messages: a text, lines, a file, or made-up ones
    #[command(after_help = exit::LINK_HELP)]
    Send(send::SendArgs),
    /// Receives messages until the senders have gone, prints or writes them
    #[command(after_help = exit::LINK_HELP)]
    Recv(recv::RecvArgs),
    /// Sends every message back, until interrupted
    #[command(after_help = exit::LINK_HELP)]
    Echo(echo::EchoArgs),
    /// Calls methods of a server over a session, prints the answer, or how long answers took
    #[command(after_help = exit::LINK_HELP)]
    Call(call::CallArgs),
    /// Answers calls over a session, of one client after another, until interrupted
    #[command(after_help = exit::LINK_HELP)]
    Serve(serve::ServeArgs),
    /// Shows what a link holds and who takes part, without joining it
    #[command(after_help = exit::LINK_HELP)]
    Inspect(inspect::InspectArgs),
    /// Shows the packets that go through a link, each way, without joining it, until interrupted or the link is removed
    #[command(after_help = exit::LINK_HELP)]
    Trace(trace::TraceArgs),
    /// Gives back what processes of other implementations held that have all ended
    #[command(after_help = exit::LINK_HELP)]
    Recover(recover::RecoverArgs),
    /// Measures a link between two processes on this machine
    #[command(after_help = exit::LINK_HELP)]
    Bench(bench::BenchArgs),
    /// The other process of a measurement
    #[command(hide = true)]
    BenchPeer(bench_peer::PeerArgs),
}

/// Runs `strait link`.
pub(crate) fn run(args: LinkArgs) -> Result<(), Failure> {
    match args.verb {
        Verb::Create(args) => create::run(&args),
        Verb::Rm(args) => create::remove(&args),
        Verb::Send(args) => send::run(&args),
        Verb::Recv(args) => recv::run(&args),
        Verb::Echo(args) => echo::run(&args),
        Verb::Call(args) => call::run(&args),
        Verb::Serve(args) => serve::run(&args),
        Verb::Inspect(args) => inspect::run(&args),
        Verb::Trace(args) => trace::run(&args),
        Verb::Recover(args) => recover::run(&args),
        Verb::Bench(args) => bench::run(&args),
        Verb::BenchPeer(args) => bench_peer::run(&args),
    }
}
