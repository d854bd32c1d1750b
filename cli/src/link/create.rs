//! How do `strait link create` and `strait link rm` make a link that stays, and remove it?

use clap::Args;
use serde::Serialize;
use strait::hqq::{Link, OpenError, inspect};

use super::command::{Making, ProfileName, Shape};
use super::endpoint;
use crate::exit::Failure;
use crate::interrupt::{Interrupt, SLICE};
use crate::report;

/// Options of `strait link create`.
#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// Name of the link: 1 to 245 of A-Z a-z 0-9 . _ -, not starting with a dot
    name: String,

    #[command(flatten)]
    shape: Shape,

    #[command(flatten)]
    making: Making,

    /// Stays until interrupted, and removes the link then. On Windows, where a link goes with the process that made it,
    /// there is no other way
    #[arg(long)]
    hold: bool,

    /// Prints the report as JSON, on standard output
    #[arg(long)]
    json_output: bool,
}

/// What was made.
#[derive(Debug, Serialize)]
struct CreateReport<'a> {
    operation: &'static str,
    link_name: &'a str,
    slots: u64,
    slot_len: u64,
    profile: &'static str,
    page: u64,
    bytes: usize,
}

/// Runs `strait link create`.
pub(crate) fn run(args: &CreateArgs) -> Result<(), Failure> {
    if cfg!(windows) && !args.hold {
        return Err(Failure::usage(
            "on Windows a link goes with the process that made it: say --hold, or let the receiver make it \
             (strait link recv --create)",
        ));
    }
    let interrupt = Interrupt::catch().map_err(Failure::connect)?;
    let mut builder = args.making.apply(args.shape.apply(Link::builder(&args.name)));
    if !args.hold {
        builder = builder.keep();
    }
    let link = builder.create().map_err(|error| interrupt.or(endpoint::failure(error)))?;
    let geometry = link.geometry();
    let report = CreateReport {
        operation: "link-create",
        link_name: &args.name,
        slots: geometry.slots(),
        slot_len: geometry.slot_len(),
        profile: ProfileName::of(geometry.profile()),
        page: geometry.page(),
        bytes: geometry.plan().extended_len,
    };
    if args.json_output {
        report::print(&report::json(&report)?)?;
    } else {
        let CreateReport { slots, slot_len, profile, page, bytes, .. } = report;
        report::print(&format!(
            "created {:?}\nslots     {slots} per direction\nslot_len  {slot_len} bytes\nprofile   {profile}\npage      \
             {page} bytes\nsegment   {bytes} bytes\n",
            args.name
        ))?;
    }
    if !args.hold {
        return Ok(());
    }
    while !interrupt.is_set() {
        interrupt.sleep(SLICE);
    }
    // Whoever is still there keeps the memory, not the name, which may be another link's by now.
    link.unlink().map(|_| ()).map_err(endpoint::failure)
}

/// Options of `strait link rm`.
#[derive(Debug, Args)]
pub(crate) struct RmArgs {
    /// Name of the link. What is no link is never removed
    name: String,

    /// Removes it even if processes use it, or may
    #[arg(long)]
    force: bool,
}

/// Runs `strait link rm`.
pub(crate) fn remove(args: &RmArgs) -> Result<(), Failure> {
    let removed = if args.force { Link::remove(&args.name) } else { Link::remove_unused(&args.name) };
    match removed {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::connect(format_args!("link {:?} not found", args.name))),
        Err(error @ OpenError::BadName { .. }) => Err(Failure::usage(error)),
        Err(OpenError::AlreadyExists { name, standing }) => {
            let user = inspect(&name).ok().and_then(|info| {
                info.participants.iter().find(|one| one.alive != Some(false)).map(|one| one.pid)
            });
            Err(Failure::connect(match user {
                Some(pid) => format!("process {pid} uses link {name:?}; --force removes it all the same"),
                None => format!("link {name:?}: {standing}; --force removes it all the same"),
            }))
        }
        Err(error @ OpenError::Attach { .. }) => {
            Err(Failure::connect(format_args!("{error}; --force removes it")))
        }
        Err(error) => Err(Failure::connect(error)),
    }
}
