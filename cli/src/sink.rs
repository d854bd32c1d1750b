//! Where a reader's bytes go: a file, or standard output.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use crate::args::Place;
use crate::exit::Failure;

/// Frames smaller than this are gathered.
const GATHER: usize = 64 << 10;

/// An open file or standard output.
pub(crate) struct Sink {
    name: String,
    out: Box<dyn Write>,
}

impl Sink {
    /// Creates the file, or takes standard output for `-`.
    pub(crate) fn open(name: &str) -> Result<Self, Failure> {
        let out: Box<dyn Write> = match Place::from(name) {
            Place::Standard => Box::new(BufWriter::with_capacity(GATHER, io::stdout())),
            Place::File(path) => match File::create(path) {
                Ok(file) => Box::new(BufWriter::with_capacity(GATHER, file)),
                Err(error) => return Err(Failure::usage(format_args!("{name}: {error}"))),
            },
        };
        Ok(Self { name: name.to_owned(), out })
    }

    /// Writes all of `bytes`.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.out.write_all(bytes).map_err(|error| Failure::read(format_args!("{}: {error}", self.name)))
    }

    /// Hands gathered bytes on.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.out.flush().map_err(|error| Failure::read(format_args!("{}: {error}", self.name)))
    }
}
