//! What requests and responses of the duplex tests contain, so that a stale, torn or foreign one is seen.

use std::sync::mpsc::{Receiver, Sender, channel};

use strait::zerobuffer::duplex::{CallError, Channel, Response};

use crate::{PATIENCE, pattern};

/// Added to a request's number: the number whose pattern its response has.
const ANSWER: u64 = 1 << 32;

/// A channel with small buffers whose waits end by what the other end does.
pub fn channel_of(name: &str, payload: u64) -> Channel {
    let channel = Channel::new(name).metadata_capacity(256).payload_capacity(payload);
    channel.timeout(PATIENCE).wait_for_server(PATIENCE)
}

/// The request numbered `sequence`, `len` bytes.
pub fn request(sequence: u64, len: usize) -> Vec<u8> {
    pattern::content(sequence, len)
}

/// Fills what shall be the response to the request numbered `sequence`.
pub fn fill_response(response: &mut [u8], sequence: u64) {
    pattern::fill(response, sequence + ANSWER);
}

/// The response to a request, as long as it; an error if it is not whole.
///
/// # Errors
/// Which byte is wrong.
pub fn respond(request: &[u8], sequence: u64) -> Result<Vec<u8>, String> {
    check_request(request, sequence)?;
    Ok(pattern::content(sequence + ANSWER, request.len()))
}

/// Whether a request is whole.
///
/// # Errors
/// Which byte is wrong.
pub fn check_request(request: &[u8], sequence: u64) -> Result<(), String> {
    match pattern::first_wrong(request, sequence) {
        None => Ok(()),
        Some(at) => Err(format!("request {sequence} of {} bytes is wrong at byte {at}", request.len())),
    }
}

/// Panics if `response` is not whole.
#[track_caller]
pub fn check(response: &Response) {
    pattern::check(response, response.sequence() + ANSWER);
}

/// Takes the outcome of a receive apart: number and length of a response that must be whole.
///
/// # Errors
/// Those of the receive.
#[track_caller]
pub fn checked(outcome: Result<Response, CallError>) -> Result<(u64, usize), CallError> {
    let response = outcome?;
    check(&response);
    Ok((response.sequence(), response.len()))
}

/// A handler's step: it says which request it has, and waits to be let go by what it sends along.
#[derive(Clone, Debug)]
pub struct Step(Sender<(u64, Sender<()>)>);

impl Step {
    /// The handler's end, and the test's.
    pub fn new() -> (Self, Receiver<(u64, Sender<()>)>) {
        let (asked, asking) = channel();
        (Self(asked), asking)
    }

    /// Called by the handler. A test that has ended lets it go.
    pub fn wait(&self, sequence: u64) {
        let (go, gone) = channel();
        if self.0.send((sequence, go)).is_ok() {
            let _ = gone.recv_timeout(PATIENCE);
        }
    }
}

/// The next request that a handler has begun with: its number, and what lets the handler go.
#[track_caller]
pub fn asked(asking: &Receiver<(u64, Sender<()>)>) -> (u64, Sender<()>) {
    asking.recv_timeout(PATIENCE).expect("a request")
}
