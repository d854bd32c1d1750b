//! Creates a buffer and receives frames: `cargo run -p strait --example spsc_reader -- NAME`, before `spsc_writer`.
#![expect(clippy::std_instead_of_core, reason = "an example is written as its readers write")]
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::time::Duration;

use strait::zerobuffer::{Reader, RecvError};

fn main() -> ExitCode {
    let Some(name) = std::env::args().nth(1) else {
        eprintln!("usage: spsc_reader NAME");
        return ExitCode::from(2);
    };
    match consume(&name) {
        Ok((frames, bytes)) => {
            println!("{name}: the writer closed; received {frames} frames, {bytes} bytes");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("spsc_reader: {error}");
            ExitCode::FAILURE
        }
    }
}

fn consume(name: &str) -> strait::Result<(u64, u64)> {
    let mut reader = Reader::builder(name)
        .metadata_capacity(1 << 10) // bytes
        .payload_capacity(16 << 20) // bytes
        .create()?;
    println!("{name}: created, a ring of {} bytes; waiting for a writer", reader.payload_capacity());

    loop {
        match reader.recv_timeout(Duration::from_secs(30)) {
            Ok(frame) if frame.sequence() == 1 => println!("{name}: frame 1 has {} bytes", frame.len()),
            Ok(_) => {}
            Err(RecvError::EndOfStream) => break, // the writer closed, the ring is drained
            Err(error) => return Err(error.into()),
        } // the frame is dropped here: its space goes back to the writer
    }
    if let Some(metadata) = reader.metadata()? {
        println!("{name}: metadata {}", String::from_utf8_lossy(&metadata));
    }
    let moved = reader.statistics();
    Ok((moved.frames, moved.bytes))
}
