//! `strait link recover`: gives back what dead processes of other implementations held.

use clap::Args;
use serde::Serialize;
use strait::hqq::{Link, Recovered, Side};

use super::command::{Shape, SideName};
use super::endpoint;
use crate::exit::Failure;
use crate::report;

/// Options of `strait link recover`.
#[derive(Debug, Args)]
pub(crate) struct RecoverArgs {
    /// Name of the link
    name: String,

    /// Side whose processes have all ended. Make sure of it: what one that still runs has in its hands would be sent, or
    /// overwritten under them, and processes of other implementations cannot be asked
    #[arg(long, value_enum)]
    side: SideName,

    /// What the link must look like. A link of the seed profile that Strait has not made does not say how long its slots
    /// are: give --slot-len
    #[command(flatten)]
    shape: Shape,

    /// Prints the report as JSON, on standard output
    #[arg(long)]
    json_output: bool,
}

/// What was recovered.
#[derive(Debug, Serialize)]
struct RecoverReport<'a> {
    operation: &'static str,
    link_name: &'a str,
    side: String,
    handles: u64,
    tombstones: u64,
    lost: u64,
}

/// Runs `strait link recover`.
pub(crate) fn run(args: &RecoverArgs) -> Result<(), Failure> {
    let side = Side::from(args.side);
    let builder = args.shape.apply(Link::builder(&args.name));
    // From the other side: this process is none of those that have ended.
    let builder = match side {
        Side::Primary => builder.secondary(),
        Side::Secondary => builder.primary(),
    };
    let mut link = builder.open().map_err(endpoint::failure)?;
    let Recovered { handles, tombstones, lost } = link.recover_side(side).map_err(endpoint::failure)?;
    let report = RecoverReport {
        operation: "link-recover",
        link_name: &args.name,
        side: side.to_string(),
        handles,
        tombstones,
        lost,
    };
    report::print(&if args.json_output {
        report::json(&report)?
    } else {
        format!(
            "recovered {:?}\nside       {side}\nhandles    {handles}\ntombstones {tombstones}\nlost       {lost}\n",
            args.name
        )
    })
}
