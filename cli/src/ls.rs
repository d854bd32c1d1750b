//! `strait ls`: which buffers and links there are.

use core::fmt::Write as _;

use clap::Args;
use serde_json::{Value, json};
use strait::zerobuffer::{self, ABORTED, BufferInfo};

use crate::exit::Failure;
use crate::inspect::state_name;
use crate::link::leftovers;
use crate::report;

/// Options of `strait ls`.
#[derive(Debug, Args)]
pub(crate) struct LsArgs {
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// Runs `strait ls`.
pub(crate) fn run(args: LsArgs) -> Result<(), Failure> {
    let buffers = zerobuffer::list().map_err(Failure::connect)?;
    let links = leftovers::list()?;
    report::print(&if args.json {
        let buffers = buffers.iter().map(as_json);
        report::json(&buffers.chain(links.iter().map(leftovers::as_json)).collect::<Vec<_>>())?
    } else {
        table(&buffers) + &leftovers::table(&links)
    })
}

/// Ring in use, in tenths of a percent; at most 1000, whatever the words say.
fn used_permille(info: &BufferInfo) -> u64 {
    let (size, free) = (info.words.payload_size, info.words.payload_free_bytes);
    let used = u128::from(size.saturating_sub(free)) * 1000;
    used.checked_div(u128::from(size)).and_then(|permille| u64::try_from(permille).ok()).unwrap_or(0)
}

fn table(buffers: &[BufferInfo]) -> String {
    let width = buffers.iter().map(|info| info.name.len()).max().unwrap_or(0).max(4);
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "{:<width$}  {:<7}  {:>13}  {:>6}  {:>10}  {:>8}  {:>8}",
        "NAME", "STATE", "PAYLOAD", "USED", "UNREAD", "WRITER", "READER"
    );
    for info in buffers {
        let permille = used_permille(info);
        let used = format!("{}.{}%", permille / 10, permille % 10);
        let unread = info.data_ready.map_or_else(|| "-".to_owned(), |permits| permits.to_string());
        let pid = |pid: u64| match pid {
            0 => "-".to_owned(),
            ABORTED => "gave up".to_owned(),
            pid => pid.to_string(),
        };
        let _ = writeln!(
            text,
            "{:<width$}  {:<7}  {:>13}  {used:>6}  {unread:>10}  {:>8}  {:>8}",
            info.name,
            state_name(info.state),
            info.words.payload_size,
            pid(info.words.writer_pid.0),
            pid(info.words.reader_pid.0),
        );
    }
    text
}

fn as_json(info: &BufferInfo) -> Value {
    json!({
        "name": info.name,
        "kind": "buffer",
        "state": state_name(info.state),
        "evidence": info.evidence,
        "problem": info.problem,
        "payload_size": info.words.payload_size,
        "payload_free_bytes": info.words.payload_free_bytes,
        "used_permille": used_permille(info),
        "unread": info.data_ready,
        "writer_pid": info.words.writer_pid.0,
        "writer_alive": info.writer_alive,
        "reader_pid": info.words.reader_pid.0,
        "reader_alive": info.reader_alive,
    })
}
