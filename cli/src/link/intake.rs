//! What becomes of the messages that `strait link recv` receives?

use clap::Args;

use super::digest::{Digest, Value};
use crate::args::{Place, Reproducible};
use crate::check::{Checker, Verify};
use crate::escape::printable;
use crate::exit::Failure;
use crate::progress::Progress;
use crate::report::Troubles;
use crate::sink::Sink;
use crate::size::SizeRange;
use crate::tally::Tally;

/// Options of where messages go, how many there shall be, and what they shall be.
#[derive(Debug, Args)]
pub(super) struct Taking {
    /// Writes the messages' bytes, one after another, to a file; `-` is standard output. The file is FILE.part until it is
    /// whole: after any exit code but 0 what had the name still has it, and what came stays in FILE.part. Without it and
    /// --json-output each message is printed on a line of its own, with what is no text escaped
    #[arg(long, visible_alias = "out", value_name = "FILE")]
    pub(super) file: Option<Place>,

    /// Most messages to receive, 0 or -1 = no limit
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 0, allow_negative_numbers = true, value_parser = crate::args::count)]
    pub(super) count: u64,

    /// Ends when so many bytes have come, 0 = no limit
    #[arg(long, value_name = "BYTES", default_value_t = 0)]
    pub(super) bytes: u64,

    /// Bytes that each message must have: N, or MIN..MAX (both included), each one's size drawn by --seed
    #[arg(short, long, value_name = "N|MIN..MAX")]
    size: Option<SizeRange>,

    /// What each message must hold
    #[arg(long, value_enum, default_value = "none")]
    verify: Verify,

    #[command(flatten)]
    reproducible: Reproducible,

    /// SHA-256 that all bytes together must have
    #[arg(long, value_name = "HEX")]
    sha256: Option<Value>,
}

/// What was received so far.
pub(super) struct Intake {
    pub(super) tally: Tally,
    pub(super) digest: Digest,
    pub(super) troubles: Troubles,
    checker: Checker,
    wanted: Option<Value>,
    most: (u64, u64),
    out: Out,
    progress: Option<Progress>,
    /// Where what came is, if it did not come whole.
    pub(super) partial_files: Vec<String>,
}

enum Out {
    Bytes(Sink),
    Lines(Sink),
    Nowhere,
}

impl Intake {
    /// Nothing so far, and nothing opened.
    pub(super) fn new(taking: &Taking) -> Self {
        Self {
            tally: Tally::default(),
            digest: Digest::default(),
            troubles: Troubles::default(),
            checker: Checker::new("message", taking.verify, taking.size, taking.reproducible.seed),
            wanted: taking.sha256,
            most: (taking.count, taking.bytes),
            out: Out::Nowhere,
            progress: None,
            partial_files: Vec::new(),
        }
    }

    /// Opens what messages are written to.
    pub(super) fn open(&mut self, taking: &Taking, json: bool, watched: bool) -> Result<(), Failure> {
        self.out = match &taking.file {
            Some(Place::Standard) if json => {
                return Err(Failure::usage("standard output takes one of --file - and --json-output"));
            }
            Some(file) => Out::Bytes(Sink::open(file)?),
            None if json => Out::Nowhere,
            None => Out::Lines(Sink::open(&Place::Standard)?),
        };
        let watched = watched && !matches!(self.out, Out::Lines(_));
        self.progress = Some(Progress::counting("messages", watched, taking.count));
        Ok(())
    }

    /// Whether standard output holds messages, so that the report goes elsewhere.
    pub(super) fn prints(taking: &Taking, json: bool) -> bool {
        !json && taking.file.as_ref().is_none_or(|file| *file == Place::Standard)
    }

    /// Whether there shall be no more.
    pub(super) fn is_full(&self) -> bool {
        let (count, bytes) = self.most;
        (count != 0 && self.tally.frames >= count) || (bytes != 0 && self.tally.bytes >= bytes)
    }

    /// Whether an end was asked for, and has not come.
    pub(super) fn is_short(&self) -> bool {
        self.most != (0, 0) && !self.is_full()
    }

    /// Takes a message.
    pub(super) fn take(&mut self, message: &[u8]) -> Result<(), Failure> {
        self.tally.start();
        if let Some(failure) = self.checker.check(self.tally.frames, message) {
            self.troubles.add(failure);
        }
        self.digest.add(message);
        match &mut self.out {
            Out::Bytes(sink) => sink.write(message)?,
            Out::Lines(sink) => sink.write((printable(message) + "\n").as_bytes())?,
            Out::Nowhere => {}
        }
        self.tally.add(message.len());
        if let Some(progress) = &mut self.progress {
            progress.frame(&self.tally, message.len());
        }
        Ok(())
    }

    /// Nothing comes now: who reads the output sees all there is.
    pub(super) fn pause(&mut self) -> Result<(), Failure> {
        if let Some(progress) = &mut self.progress {
            progress.wait();
        }
        match &mut self.out {
            Out::Bytes(sink) | Out::Lines(sink) => sink.flush(),
            Out::Nowhere => Ok(()),
        }
    }

    /// Compares the whole, if the run has come to its end, and gives the file its name if all is well.
    pub(super) fn finish(&mut self, outcome: Result<(), Failure>) {
        let flushed = self.pause();
        if let Some(progress) = self.progress.take() {
            progress.finish();
        }
        let (found, wanted) = (self.digest.value(), self.wanted);
        let compared = match wanted {
            Some(wanted) if outcome.is_ok() && wanted != found => {
                Err(Failure::verify(format_args!("the SHA-256 of all bytes is {found}, expected {wanted}")))
            }
            _ => Ok(()),
        };
        for failure in [outcome, flushed, compared].into_iter().filter_map(Result::err) {
            self.troubles.add(failure);
        }
        if let Out::Bytes(sink) | Out::Lines(sink) = core::mem::replace(&mut self.out, Out::Nowhere) {
            self.partial_files.extend(sink.settle(&mut self.troubles));
        }
    }

    /// Messages that were not what they should be.
    pub(super) fn wrong(&self) -> u64 {
        self.checker.wrong()
    }
}
