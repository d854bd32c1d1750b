//! What a run says about itself: as JSON with the keys of the ZeroBuffer tools, or as lines for people.

use std::io::{self, Write as _};

use md5::{Digest as _, Md5};
use serde::Serialize;

use crate::exit::{CONNECT, Failure, USAGE, VERIFY};
use crate::tally::Tally;

/// Most digests and most errors in a report.
pub(crate) const MOST: usize = 100;
/// Most errors on standard error.
const MOST_LINES: usize = 10;

/// The digest of one frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct FrameChecksum {
    frame: u64,
    checksum: String,
}

/// Digests of the first frames, if they are asked for.
#[derive(Debug)]
pub(crate) struct Checksums {
    wanted: bool,
    first: Vec<FrameChecksum>,
}

impl Checksums {
    /// None so far.
    pub(crate) fn new(wanted: bool) -> Self {
        Self { wanted, first: Vec::new() }
    }

    /// Takes the digest of frame `index`, from 0. Those beyond the first 100 are not shown, so not taken.
    pub(crate) fn add(&mut self, index: u64, frame: &[u8]) {
        if self.wanted && self.first.len() < MOST {
            self.first.push(FrameChecksum { frame: index, checksum: md5_hex(frame) });
        }
    }

    /// For a report that always has them.
    pub(crate) fn into_list(self) -> Vec<FrameChecksum> {
        self.first
    }

    /// For a report that has them if they were asked for.
    pub(crate) fn into_option(self) -> Option<Vec<FrameChecksum>> {
        self.wanted.then_some(self.first)
    }
}

/// MD5 of `bytes`, hexadecimal, lower case.
pub(crate) fn md5_hex(bytes: &[u8]) -> String {
    Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What went wrong in a run, and how it will end.
#[derive(Debug, Default)]
pub(crate) struct Troubles {
    messages: Vec<String>,
    total: u64,
    failure: Option<Failure>,
}

impl Troubles {
    /// Notes a failure. The run ends with the first, but a verification's gives way to any other.
    pub(crate) fn add(&mut self, failure: Failure) {
        self.total += 1;
        if self.messages.len() < MOST {
            self.messages.push(failure.message.clone());
        }
        match &self.failure {
            Some(first) if first.code != VERIFY || failure.code == VERIFY => {}
            _ => self.failure = Some(failure),
        }
    }

    /// The messages for a report.
    pub(crate) fn messages(&self) -> Vec<String> {
        let mut messages = self.messages.clone();
        let more = self.total.saturating_sub(messages.len() as u64);
        if more > 0 {
            messages.push(format!("and {more} more"));
        }
        messages
    }

    /// Whether the run got as far as its buffers: otherwise there is nothing to sum up for people.
    pub(crate) fn has_begun(&self) -> bool {
        self.failure.as_ref().is_none_or(|failure| !matches!(failure.code, CONNECT | USAGE))
    }

    /// How many.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Says all on standard error, in the order in which they came, and returns the one that the program ends with.
    pub(crate) fn conclude(self) -> Result<(), Failure> {
        let lines = self.lines();
        let Some(failure) = self.failure else { return Ok(()) };
        lines.iter().for_each(complain);
        Err(Failure { is_said: true, ..failure })
    }

    /// The first, how many came between, and the one that the program ends with if it is none of the first.
    fn lines(&self) -> Vec<String> {
        let Some(failure) = &self.failure else { return Vec::new() };
        let mut lines: Vec<String> = self.messages.iter().take(MOST_LINES).cloned().collect();
        let is_among = lines.contains(&failure.message);
        let more = self.total.saturating_sub(lines.len() as u64 + u64::from(!is_among));
        if more > 0 {
            lines.push(format!("and {more} more errors"));
        }
        if !is_among {
            lines.push(failure.message.clone());
        }
        lines
    }
}

/// Report of a writer.
#[derive(Debug, Serialize)]
pub(crate) struct WriteReport {
    pub(crate) operation: &'static str,
    pub(crate) buffer_name: String,
    pub(crate) frames_written: u64,
    pub(crate) frame_size: usize,
    pub(crate) metadata_size: usize,
    pub(crate) duration_seconds: f64,
    pub(crate) throughput_mbps: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) checksums: Option<Vec<FrameChecksum>>,
    pub(crate) errors: Vec<String>,
}

/// Report of a reader.
#[derive(Debug, Serialize)]
pub(crate) struct ReadReport {
    pub(crate) operation: &'static str,
    pub(crate) buffer_name: String,
    pub(crate) frames_read: u64,
    pub(crate) frame_size: usize,
    pub(crate) metadata_size: usize,
    pub(crate) duration_seconds: f64,
    pub(crate) throughput_mbps: f64,
    pub(crate) verification_errors: u64,
    /// Frames of another size than was asked for, or than the default; said if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) other_sizes: Option<u64>,
    pub(crate) checksums: Vec<FrameChecksum>,
    /// Where what came is, if it did not come whole.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) partial_files: Vec<String>,
    pub(crate) errors: Vec<String>,
}

/// Report of a relay.
#[derive(Debug, Serialize)]
pub(crate) struct RelayReport {
    pub(crate) operation: &'static str,
    pub(crate) input_buffer: String,
    pub(crate) output_buffer: String,
    pub(crate) frames_relayed: u64,
    pub(crate) metadata_relayed: bool,
    pub(crate) metadata_size: usize,
    pub(crate) total_bytes: u64,
    pub(crate) duration_seconds: f64,
    pub(crate) throughput_mbps: f64,
    pub(crate) transform: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) checksums: Option<Vec<FrameChecksum>>,
    pub(crate) errors: Vec<String>,
}

/// The lines for people: what was done, to what, how much.
pub(crate) fn summary(
    done: &str,
    tally: &Tally,
    metadata_size: usize,
    checksums: &[FrameChecksum],
    errors: u64,
) -> String {
    use core::fmt::Write as _;
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{done}");
    let _ = writeln!(text, "frames    {}", tally.frames);
    let _ = writeln!(text, "bytes     {}", tally.bytes);
    let _ = writeln!(text, "metadata  {metadata_size} bytes");
    let _ = writeln!(text, "seconds   {:.6}", tally.duration().as_secs_f64());
    let _ = writeln!(text, "MiB/s     {:.1}", tally.throughput());
    let _ = writeln!(text, "errors    {errors}");
    for FrameChecksum { frame, checksum } in checksums {
        let _ = writeln!(text, "md5       {checksum}  frame {frame}");
    }
    text
}

/// A report as JSON, indented by 2, with its end of line.
pub(crate) fn json<T: Serialize>(report: &T) -> Result<String, Failure> {
    match serde_json::to_string_pretty(report) {
        Ok(text) => Ok(text + "\n"),
        Err(error) => Err(Failure::read(format_args!("the report cannot be written as JSON: {error}"))),
    }
}

/// Says one line on standard error. Nobody need be listening.
pub(crate) fn complain(text: impl core::fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "strait: {text}");
}

/// Prints on standard output. Somebody who has stopped reading is no failure; a full disk is.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    print_bytes(text.as_bytes())
}

/// [`print`], for what is not text.
pub(crate) fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::read(format_args!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_failed_outranks_frames_that_were_wrong() {
        let mut troubles = Troubles::default();
        troubles.add(Failure::verify("wrong byte"));
        troubles.add(Failure::read("timed out"));
        troubles.add(Failure::write("never mind"));
        troubles.add(Failure::verify("another"));
        assert_eq!(troubles.total(), 4);
        let expected = Failure { is_said: true, ..Failure::read("timed out") };
        assert_eq!(troubles.conclude(), Err(expected));
    }

    #[test]
    fn errors_are_said_in_the_order_in_which_they_came() {
        let mut troubles = Troubles::default();
        for frame in [0, 4, 5] {
            troubles.add(Failure::verify(format_args!("frame {frame} is wrong")));
        }
        assert_eq!(troubles.lines(), ["frame 0 is wrong", "frame 4 is wrong", "frame 5 is wrong"]);
        troubles.add(Failure::read("timed out"));
        assert_eq!(troubles.lines()[2..], ["frame 5 is wrong", "timed out"]);
        // Many: the first, and in any case the one that ends the run.
        let mut troubles = Troubles::default();
        (0..250).for_each(|frame| troubles.add(Failure::verify(frame)));
        assert_eq!(troubles.lines()[9..], ["9", "and 240 more errors"]);
        troubles.add(Failure::read("timed out"));
        assert_eq!(troubles.lines()[9..], ["9", "and 240 more errors", "timed out"]);
        assert!(Troubles::default().lines().is_empty());
    }

    #[test]
    fn a_report_has_at_most_a_hundred_errors_and_says_how_many_more() {
        let mut troubles = Troubles::default();
        (0..250).for_each(|k| troubles.add(Failure::verify(k)));
        let messages = troubles.messages();
        assert_eq!(messages.len(), 101);
        assert_eq!(messages[100], "and 150 more");
    }

    #[test]
    fn the_first_hundred_digests_are_kept() {
        let mut checksums = Checksums::new(true);
        (0..150).for_each(|k| checksums.add(k, b""));
        let list = checksums.into_list();
        assert_eq!(list.len(), 100);
        assert_eq!(
            list[99],
            FrameChecksum { frame: 99, checksum: "d41d8cd98f00b204e9800998ecf8427e".into() }
        );
    }
}
