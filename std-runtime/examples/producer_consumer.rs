//! One process produces frames, another consumes them: here each frame is a line of text.
//!
//! ```sh
//! cargo run -p strait --example producer_consumer -- consume NAME
//! cargo run -p strait --example producer_consumer -- produce NAME      # in another terminal; type, then end the input
//! ```
//!
//! Either may be `python/producer_consumer.py` instead.
#![expect(clippy::std_instead_of_core, reason = "an example is written as its readers write")]
#![forbid(unsafe_code)]

use std::error::Error;
use std::io::Write as _;
use std::time::Duration;

use strait::zerobuffer::{Reader, RecvError, Writer};

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["produce", name] => produce(name),
        ["consume", name] => consume(name),
        _ => Err("usage: producer_consumer produce|consume NAME".into()),
    }
}

fn produce(name: &str) -> Result<(), Box<dyn Error>> {
    // The consumer creates the buffer: give it 10 s to do so. An input that fails shall not look like its end.
    let patience = Duration::from_secs(10);
    let mut writer = Writer::builder(name).wait_for_reader(patience).abort_on_drop(true).connect()?;
    for line in std::io::stdin().lines() {
        writer.send(line?.as_bytes())?; // waits while the ring is full
    }
    writer.close(); // the consumer reads what is left, then finds the end
    Ok(())
}

fn consume(name: &str) -> Result<(), Box<dyn Error>> {
    let mut reader = Reader::builder(name).payload_capacity(1 << 20).create()?; // bytes
    let mut output = std::io::stdout().lock();
    loop {
        match reader.recv_timeout(Duration::from_secs(60)) {
            Ok(frame) => {
                output.write_all(&frame)?; // in place, in shared memory
                output.write_all(b"\n")?;
            }
            Err(RecvError::EndOfStream) => return Ok(()), // the producer closed, and every line is read
            Err(error) => return Err(error.into()),
        }
    }
}
