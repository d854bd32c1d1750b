//! `strait gc`: removes what dead readers left behind.

use core::fmt::Write as _;

use clap::Args;
use serde_json::json;
use strait::zerobuffer::{self, Leftover};

use crate::exit::Failure;
use crate::report;

/// Options of `strait gc`.
#[derive(Debug, Args)]
pub(crate) struct GcArgs {
    /// Buffers to look at; all of them if none is named
    names: Vec<String>,

    /// Only says what would be removed
    #[arg(long)]
    dry_run: bool,

    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// Runs `strait gc`. What cannot be removed (another user's, in use again) is said and is no failure.
pub(crate) fn run(args: GcArgs) -> Result<(), Failure> {
    let names: Vec<&str> = args.names.iter().map(String::as_str).collect();
    let leftovers = zerobuffer::gc(&names, args.dry_run).map_err(Failure::connect)?;
    report::print(&if args.json {
        as_json(&leftovers, args.dry_run)?
    } else {
        as_text(&leftovers, args.dry_run)
    })
}

/// Bytes of the segments removed, or that would be.
fn freed(leftovers: &[Leftover]) -> u64 {
    let gone = leftovers.iter().filter(|leftover| !matches!(leftover.removed, Some(Err(_))));
    gone.fold(0, |sum, leftover| sum.saturating_add(leftover.bytes as u64))
}

fn as_text(leftovers: &[Leftover], dry_run: bool) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    for Leftover { name, bytes, removed, .. } in leftovers {
        let _ = match removed {
            None => writeln!(text, "would remove {name}: {bytes} bytes"),
            Some(Ok(())) => writeln!(text, "removed {name}: {bytes} bytes"),
            Some(Err(error)) => writeln!(text, "kept {name}: {error}"),
        };
    }
    let _ = writeln!(text, "{} bytes {}", freed(leftovers), if dry_run { "to free" } else { "freed" });
    text
}

fn as_json(leftovers: &[Leftover], dry_run: bool) -> Result<String, Failure> {
    let buffers = leftovers.iter().map(|leftover| {
        let error = leftover.removed.as_ref().and_then(|removed| removed.as_ref().err());
        json!({
            "name": leftover.name,
            "bytes": leftover.bytes,
            "removed": matches!(leftover.removed, Some(Ok(()))),
            "error": error.map(ToString::to_string),
        })
    });
    report::json(&json!({
        "dry_run": dry_run,
        "buffers": buffers.collect::<Vec<_>>(),
        "bytes_freed": freed(leftovers),
    }))
}
