//! How does `strait link echo` send every message back?

use clap::Args;
use serde::Serialize;
use strait::hqq::RecvError;

use super::command::{Create, Entry, Role};
use super::{endpoint, inlet};
use crate::exit::Failure;
use crate::interrupt::{Interrupt, SLICE};
use crate::report::{self, Troubles};

/// Options of `strait link echo`.
#[derive(Debug, Args)]
pub(crate) struct EchoArgs {
    #[command(flatten)]
    entry: Entry,

    #[command(flatten)]
    create: Create,

    /// Ends after so many messages, 0 or -1 = no limit. Messages are waited for without a limit
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 0, allow_negative_numbers = true, value_parser = crate::args::count)]
    count: u64,
}

/// Runs `strait link echo`.
pub(crate) fn run(args: &EchoArgs) -> Result<(), Failure> {
    let mut troubles = Troubles::default();
    let (mut messages, mut bytes) = (0, 0);
    if let Err(failure) = echo(args, &mut messages, &mut bytes, &mut troubles) {
        troubles.add(failure);
    }
    let entry = &args.entry;
    let printed = if entry.json_output {
        let errors = troubles.messages();
        report::json(&EchoReport { operation: "link-echo", link_name: &entry.name, messages, bytes, errors })
            .and_then(|text| report::print(&text))
    } else if troubles.has_begun() {
        report::print(&format!("echoed {:?}\nmessages  {messages}\nbytes     {bytes}\n", entry.name))
    } else {
        Ok(())
    };
    troubles.conclude().and(printed)
}

/// Report of an echo.
#[derive(Debug, Serialize)]
struct EchoReport<'a> {
    operation: &'static str,
    link_name: &'a str,
    messages: u64,
    bytes: u64,
    errors: Vec<String>,
}

fn echo(
    args: &EchoArgs,
    messages: &mut u64,
    bytes: &mut u64,
    troubles: &mut Troubles,
) -> Result<(), Failure> {
    let entry = &args.entry;
    let interrupt = Interrupt::catch().map_err(Failure::connect)?;
    let link = endpoint::join(entry, Role::Secondary, Some(&args.create), &interrupt)?;
    let side = link.side();
    let (mut sender, mut receiver) = link.split();
    while args.count == 0 || *messages < args.count {
        if interrupt.is_set() {
            return Err(interrupt.failure());
        }
        match receiver.recv_timeout(SLICE) {
            Ok(message) => {
                // Copied once: from slot to slot.
                endpoint::send(&mut sender, side, &message, entry, &interrupt)?;
                *messages += 1;
                *bytes += message.len() as u64;
            }
            Err(RecvError::Timeout) => {}
            // One that concerns a packet, which is taken out: the next call goes on behind it.
            Err(error) => match inlet::packet(error) {
                Ok(error) => troubles.add(inlet::read(entry, error)),
                Err(error) => return Err(inlet::read(entry, error)),
            },
        }
    }
    Ok(())
}
