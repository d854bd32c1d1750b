//! `strait gc`: removes what dead readers and the dead processes of links left behind.

use core::fmt::Write as _;

use clap::Args;
use serde_json::json;
use strait::zerobuffer::{self, CreateError, Leftover};

use crate::exit::Failure;
use crate::link::leftovers;
use crate::report;

/// Options of `strait gc`.
#[derive(Debug, Args)]
pub(crate) struct GcArgs {
    /// Buffers and links to look at; all of them if none is named
    names: Vec<String>,

    /// Only says what would be removed
    #[arg(long)]
    dry_run: bool,

    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// What was done about a name: its bytes, whether it was removed, why not.
type Row<'a> = (&'a str, usize, Option<Result<(), String>>);

/// Runs `strait gc`. What cannot be removed (another user's, in use again) is said and is no failure.
pub(crate) fn run(args: GcArgs) -> Result<(), Failure> {
    let names: Vec<&str> = args.names.iter().map(String::as_str).collect();
    let links = leftovers::gc(&names, args.dry_run)?;
    let mut buffers = zerobuffer::gc(&names, args.dry_run).map_err(Failure::connect)?;
    // Of a link that was named, it has been said above what becomes of it.
    buffers.retain(|buffer| links.iter().all(|link| link.name != buffer.name));
    let rows: Vec<Row<'_>> = buffers.iter().map(row).chain(links.iter().map(leftovers::row)).collect();
    report::print(&if args.json { as_json(&rows, args.dry_run)? } else { as_text(&rows, args.dry_run) })
}

fn row(leftover: &Leftover) -> Row<'_> {
    let removed = leftover.removed.as_ref().map(|removed| match removed {
        Ok(()) => Ok(()),
        // Who looks for leftovers wants no advice how to make a buffer.
        Err(CreateError::ReaderAlreadyConnected { pid: 0, .. }) => Err("its reader lives".to_owned()),
        Err(CreateError::ReaderAlreadyConnected { pid, .. }) => Err(format!("its reader lives (pid {pid})")),
        Err(error) => Err(error.to_string()),
    });
    (&leftover.name, leftover.bytes, removed)
}

/// Bytes of the segments removed, or that would be.
fn freed(rows: &[Row<'_>]) -> u64 {
    let gone = rows.iter().filter(|(_, _, removed)| !matches!(removed, Some(Err(_))));
    gone.fold(0, |sum, (_, bytes, _)| sum.saturating_add(*bytes as u64))
}

fn as_text(rows: &[Row<'_>], dry_run: bool) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    for (name, bytes, removed) in rows {
        let _ = match removed {
            None => writeln!(text, "would remove {name}: {bytes} bytes"),
            Some(Ok(())) => writeln!(text, "removed {name}: {bytes} bytes"),
            Some(Err(error)) => writeln!(text, "kept {name}: {error}"),
        };
    }
    let _ = writeln!(text, "{} bytes {}", freed(rows), if dry_run { "to free" } else { "freed" });
    text
}

fn as_json(rows: &[Row<'_>], dry_run: bool) -> Result<String, Failure> {
    let each = rows.iter().map(|(name, bytes, removed)| {
        json!({
            "name": name,
            "bytes": bytes,
            "removed": matches!(removed, Some(Ok(()))),
            "error": removed.as_ref().and_then(|removed| removed.as_ref().err()),
        })
    });
    report::json(&json!({
        "dry_run": dry_run,
        "buffers": each.collect::<Vec<_>>(),
        "bytes_freed": freed(rows),
    }))
}
