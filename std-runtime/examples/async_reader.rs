//! Receives frames as an async stream: `cargo run -p strait --features tokio --example async_reader -- NAME`.
#![expect(clippy::std_instead_of_core, reason = "an example is written as its readers write")]
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use strait::zerobuffer::Reader;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Some(name) = std::env::args().nth(1) else {
        eprintln!("usage: async_reader NAME");
        return ExitCode::from(2);
    };
    match drain(&name).await {
        Ok((frames, bytes)) => {
            println!("{name}: the writer closed; received {frames} frames, {bytes} bytes");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("async_reader: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn drain(name: &str) -> strait::Result<(u64, u64)> {
    let reader = Reader::builder(name)
        .payload_capacity(16 << 20) // bytes
        .timeout(Duration::from_secs(30))
        .create()?;
    println!("{name}: created, a ring of {} bytes; waiting for a writer", reader.payload_capacity());

    // Each item is a copy, because a stream cannot lend; `recv_async` lends the frame in place.
    let mut stream = reader.into_stream();
    let (mut frames, mut bytes) = (0, 0);
    while let Some(frame) = stream.try_next().await? {
        frames += 1;
        bytes += frame.len() as u64;
    }
    Ok((frames, bytes))
}
