//! A server that answers requests, and its client: here each request is a line of text, answered in capitals.
//!
//! ```sh
//! cargo run -p strait --example request_response -- serve NAME         # until its input ends
//! cargo run -p strait --example request_response -- ask NAME           # in another terminal; type lines
//! ```
//!
//! Either may be `python/request_response.py` instead.
#![expect(clippy::std_instead_of_core, reason = "an example is written as its readers write")]
#![forbid(unsafe_code)]

use std::error::Error;
use std::time::Duration;

use strait::zerobuffer::duplex::{CallError, Channel, Request};

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", name] => serve(name),
        ["ask", name] => ask(name),
        _ => Err("usage: request_response serve|ask NAME".into()),
    }
}

/// What the server makes of a request. An error is told to the client, and the server goes on.
fn answer(request: &Request) -> Result<Vec<u8>, String> {
    let line = std::str::from_utf8(request).map_err(|error| error.to_string())?;
    if line.trim().is_empty() {
        return Err("the line is blank".to_owned());
    }
    Ok(line.to_uppercase().into_bytes())
}

fn serve(name: &str) -> Result<(), Box<dyn Error>> {
    let server = Channel::new(name)
        .payload_capacity(1 << 20) // bytes, of requests
        .on_error(|error| eprintln!("{error}"))
        .serve(answer)?;
    // It runs on a thread of its own, for one client after another.
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    server.stop();
    println!("{:?}", server.statistics());
    Ok(())
}

fn ask(name: &str) -> Result<(), Box<dyn Error>> {
    let channel = Channel::new(name).payload_capacity(1 << 20); // bytes, of responses
    let client = channel.wait_for_server(Duration::from_secs(10)).connect()?;
    for line in std::io::stdin().lines() {
        match client.call(line?.as_bytes()) {
            Ok(response) => println!("{}", String::from_utf8_lossy(&response)), // in place, in shared memory
            Err(CallError::Failed { reason, .. }) => println!("failed: {reason}"),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
