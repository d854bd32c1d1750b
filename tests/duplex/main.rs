//! A channel with both ends in one process: what comes back for what was sent, whatever each end does.
#![forbid(unsafe_code)]

mod answers;
mod asynchronous;
mod cancel;
mod clients;
mod full;
mod order;
// Windows lets nobody cut a section short.
#[cfg(target_os = "linux")]
mod others;
#[cfg(target_os = "linux")]
mod removed;
mod sharing;
// Writes into the buffers' files.
#[cfg(target_os = "linux")]
mod sharing_breaks;
mod strangers;

use strait::zerobuffer::duplex::{Channel, Request, Server};
use strait_tests::duplex::{channel_of, respond};

/// A channel with rings of 64 KiB.
fn channel(name: &str) -> Channel {
    channel_of(name, 64 << 10)
}

/// What most servers here answer: each request with a pattern of its own, as long as it.
fn echo(request: &Request) -> Result<Vec<u8>, String> {
    respond(request, request.sequence())
}

/// A server that answers each request.
fn serve(channel: &Channel) -> Server {
    channel.serve(echo).expect("the name is free")
}
