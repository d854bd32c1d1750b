//! `strait duplex`: which verb runs, and what both ends of a channel have in common.

use core::fmt;
use std::str::FromStr;

use clap::{Args, Subcommand};
use strait::zerobuffer::duplex::Channel;

use crate::args::{Creation, Trust};
use crate::exit::{self, Failure};

mod call;
mod calls;
pub(crate) mod command;
mod serve;

/// Options of `strait duplex`.
#[derive(Debug, Args)]
pub(crate) struct DuplexArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Creates a channel's buffer of requests and answers them, until interrupted
    #[command(after_help = exit::DUPLEX_HELP)]
    Serve(serve::ServeArgs),
    /// Sends requests to a server, prints the response, or how long responses took
    #[command(after_help = exit::DUPLEX_HELP)]
    Call(call::CallArgs),
}

/// Runs `strait duplex`.
pub(crate) fn run(args: DuplexArgs) -> Result<(), Failure> {
    match args.verb {
        Verb::Serve(args) => serve::run(args),
        Verb::Call(args) => call::run(args),
    }
}

/// The channel `name`, with the buffer that this end creates as asked for.
fn channel(name: &str, creation: &Creation, trust: Trust) -> Channel {
    let mut channel =
        Channel::new(name).payload_capacity(creation.buffer_size).metadata_capacity(creation.metadata_size);
    if let Some(mode) = creation.mode {
        channel = channel.mode(mode);
    }
    if let Some(group) = creation.group {
        channel = channel.group(group);
    }
    channel.trust_others(trust.trust_others)
}

/// What a server does with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Handler {
    /// Returns it.
    Echo,
    /// The last byte first.
    Reverse,
    /// Every byte xor `--xor-key`.
    Xor,
    /// Gives it to a command of the shell, and returns what that writes.
    Exec(String),
}

impl FromStr for Handler {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.strip_prefix("exec:")) {
            ("echo", _) => Ok(Self::Echo),
            ("reverse", _) => Ok(Self::Reverse),
            ("xor", _) => Ok(Self::Xor),
            (_, Some(command)) if !command.trim().is_empty() => Ok(Self::Exec(command.to_owned())),
            _ => Err("a handler is echo, reverse, xor or exec:COMMAND".to_owned()),
        }
    }
}

impl fmt::Display for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Echo => f.write_str("echo"),
            Self::Reverse => f.write_str("reverse"),
            Self::Xor => f.write_str("xor"),
            Self::Exec(command) => write!(f, "exec:{command}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handler_is_shown_as_it_is_read() {
        for text in ["echo", "reverse", "xor", "exec:tr a-z A-Z"] {
            assert_eq!(text.parse::<Handler>().map(|handler| handler.to_string()), Ok(text.to_owned()));
        }
        for bad in ["", "Echo", "exec", "exec:", "exec: "] {
            assert!(bad.parse::<Handler>().is_err(), "{bad}");
        }
    }
}
