//! Three processes in a row: a camera, a stage that brightens each picture, a display that writes them to a file.
//!
//! ```sh
//! cargo run -p strait --example pipeline -- display BRIGHT pictures.pgm
//! cargo run -p strait --example pipeline -- enhance RAW BRIGHT            # in another terminal
//! cargo run -p strait --example pipeline -- camera RAW 100                # in a third
//! ```
//!
//! Each may be `python/pipeline.py` instead.
#![expect(clippy::std_instead_of_core, reason = "an example is written as its readers write")]
#![forbid(unsafe_code)]

use std::error::Error;
use std::io::{BufWriter, Write as _};
use std::time::Duration;

use strait::zerobuffer::{Reader, RecvError, Writer};

const WIDTH: usize = 64;
const HEIGHT: usize = 48;
/// The longest wait for the stage before, and for the one behind.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["camera", raw, pictures] => camera(raw, pictures.parse()?),
        ["enhance", raw, bright] => enhance(raw, bright),
        ["display", bright, file] => display(bright, file),
        _ => Err("usage: pipeline camera RAW PICTURES | enhance RAW BRIGHT | display BRIGHT FILE".into()),
    }
}

fn camera(raw: &str, pictures: usize) -> Result<(), Box<dyn Error>> {
    let mut writer = Writer::builder(raw).wait_for_reader(PATIENCE).abort_on_drop(true).connect()?;
    for number in 0..pictures {
        let mut picture = writer.reserve(WIDTH * HEIGHT)?; // u8, row-major, shape [HEIGHT, WIDTH]
        for (pixel, shade) in picture.iter_mut().zip((0..=u8::MAX).cycle().skip(number % 256)) {
            *pixel = shade;
        }
        picture.commit()?;
    }
    writer.close();
    Ok(())
}

fn enhance(raw: &str, bright: &str) -> Result<(), Box<dyn Error>> {
    let mut reader = Reader::builder(raw).payload_capacity(1 << 20).timeout(PATIENCE).create()?;
    // A stage that fails shall not look to the next one like the end of the pictures.
    let mut writer = Writer::builder(bright).wait_for_reader(PATIENCE).abort_on_drop(true).connect()?;
    loop {
        match reader.recv() {
            Ok(picture) => {
                // From one ring into the other: nothing is copied in between.
                let mut enhanced = writer.reserve(picture.len())?;
                for (to, from) in enhanced.iter_mut().zip(picture.iter()) {
                    *to = from.saturating_add(40);
                }
                enhanced.commit()?;
            }
            Err(RecvError::EndOfStream) => {
                writer.close(); // tells the next stage
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn display(bright: &str, file: &str) -> Result<(), Box<dyn Error>> {
    let mut reader = Reader::builder(bright).payload_capacity(1 << 20).timeout(PATIENCE).create()?;
    let mut file = BufWriter::new(std::fs::File::create(file)?);
    loop {
        match reader.recv() {
            Ok(picture) => {
                writeln!(file, "P5 {WIDTH} {HEIGHT} 255")?; // a portable grey map
                file.write_all(&picture)?;
            }
            Err(RecvError::EndOfStream) => return Ok(file.flush()?),
            Err(error) => return Err(error.into()),
        }
    }
}
