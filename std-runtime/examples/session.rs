//! Calls and large, sealed messages between two processes.
//!
//! ```sh
//! cargo run -p strait --example session serve
//! cargo run -p strait --example session call
//! ```

use std::time::Duration;

use strait::hqq::session::SessionBuilder;
use strait::hqq::{Features, Link};

/// In a program, read it from where secrets are kept.
const KEY: [u8; 32] = *b"an example is no place for keys!";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let link = Link::builder("strait-example-session").slots(64).slot_len(4096); // bytes
    let role = std::env::args().nth(1).unwrap_or_default();
    match role.as_str() {
        "serve" => serve(link.secondary().open_or_create()?.session()),
        "call" => call(link.primary().open_or_create()?.session()),
        _ => Err("usage: session serve | session call".into()),
    }
}

fn serve(session: SessionBuilder) -> Result<(), Box<dyn std::error::Error>> {
    let session = session.key(KEY).require(Features::ENCRYPTION).timeout(Duration::MAX).negotiate()?;
    loop {
        let request = session.next_request()?;
        println!("method {} with {} bytes", request.method(), request.len());
        match request.method() {
            1 => {
                let mut answer = request.to_vec();
                answer.reverse();
                request.respond(&answer)?;
            }
            method => request.fail(404, format!("no method {method}").as_bytes())?,
        }
    }
}

fn call(session: SessionBuilder) -> Result<(), Box<dyn std::error::Error>> {
    let session = session.key(KEY).require(Features::ENCRYPTION).negotiate()?;
    let picture = vec![7; 10 << 20]; // longer than a slot: it goes in chunks, compressed and sealed
    let answer = session.call(1, &picture)?;
    println!(
        "{} bytes came back, with {:?}",
        answer.len(),
        session.agreed()?.features.names().collect::<Vec<_>>()
    );
    match session.call(2, b"") {
        Err(error) => println!("as expected: {error}"),
        Ok(_) => println!("method 2 exists after all"),
    }
    println!("compressed to 1/{:.0}", session.statistics().compression_ratio().unwrap_or(1.0));
    Ok(())
}
