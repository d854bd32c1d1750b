//! Sends grey pictures to a buffer: `cargo run -p strait --example spsc_writer -- NAME`, after `spsc_reader`.
#![expect(clippy::std_instead_of_core, reason = "an example is written as its readers write")]
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::time::Duration;

use strait::zerobuffer::Writer;

const WIDTH: usize = 640;
const HEIGHT: usize = 480;

/// u8 per colour, row-major, shape [HEIGHT, WIDTH, 3], length HEIGHT * WIDTH * 3.
const PICTURE_LEN: usize = HEIGHT * WIDTH * 3;

fn main() -> ExitCode {
    let Some(name) = std::env::args().nth(1) else {
        eprintln!("usage: spsc_writer NAME");
        return ExitCode::from(2);
    };
    match produce(&name) {
        Ok(pictures) => {
            println!("{name}: sent {pictures} pictures of {PICTURE_LEN} bytes and a last frame of 3 bytes");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("spsc_writer: {error}");
            ExitCode::FAILURE
        }
    }
}

fn produce(name: &str) -> strait::Result<u32> {
    // The reader creates the buffer: give it 10 s to do so. Only closing the writer says that all pictures were sent.
    let patience = Duration::from_secs(10);
    let mut writer = Writer::builder(name).wait_for_reader(patience).abort_on_drop(true).connect()?;
    writer.set_metadata(br#"{"format":"RGB","width":640,"height":480}"#)?;

    let mut pictures = 0;
    for shade in 0..=u8::MAX {
        let mut frame = writer.reserve(PICTURE_LEN)?; // waits while the ring is full
        frame.fill(shade); // in place, in shared memory
        frame.commit()?; // publishes; dropping it instead discards it
        pictures += 1;
    }
    writer.send(b"end")?; // copies, where that is simpler
    writer.close();
    Ok(pictures)
}
