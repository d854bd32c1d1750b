//! What `strait demo` shows: one file through three processes, checked, as fast as it goes, and paced.

mod children;
mod facts;
mod histogram;
mod latency;
mod machine;
mod measure;
mod meter;
mod plan;
mod plot;
mod quantity;
mod roles;
mod source;
mod stage;
mod table;

use core::time::Duration;
use std::fs;
use std::path::{Path, PathBuf};

use crate::exit::{self, Failure};
use crate::report;

pub(crate) use stage::{StageArgs, stage};

/// Bytes of a 1080p frame, 8-bit YUV 4:2:0.
const FRAME: &str = "3110400";
/// Bytes of ring that a frame needs besides its data.
const FRAME_HEADER: u64 = 16;
/// Bytes of a ring of small frames.
const RING: u64 = 1 << 20;

/// Options of `strait demo`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = about())]
pub(crate) struct DemoArgs {
    /// File to stream, repeated as often as needed [default: this program]
    file: Option<PathBuf>,

    /// Bytes to stream in the throughput phase; K, M, G (thousands) and KiB, MiB, GiB are understood. The first GiB of
    /// them are streamed in the verification phase
    #[arg(long, value_name = "BYTES", default_value = "8GiB", value_parser = quantity::parse_bytes)]
    bytes: u64,

    /// Length of the latency phase
    #[arg(long, value_name = "SECONDS", default_value = "3", value_parser = quantity::parse_seconds)]
    seconds: Duration,

    /// Bytes of a frame; the default is 1080p, YUV 4:2:0
    #[arg(long, value_name = "BYTES", default_value = FRAME, value_parser = parse_frame)]
    frame_bytes: usize,

    /// Frames that each of the two rings holds [default: 8, more if frames are small]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    ring_frames: Option<u64>,

    /// Writes the latency histogram as an SVG
    #[arg(long, value_name = "OUT.svg")]
    plot: Option<PathBuf>,

    /// Prints the numbers as JSON
    #[arg(long)]
    json: bool,
}

impl DemoArgs {
    /// Frames that each ring holds: few, so that their memory stays warm, but no less than a mebibyte.
    fn ring_frames(&self) -> u64 {
        self.ring_frames.unwrap_or_else(|| (RING / (self.frame_bytes as u64 + FRAME_HEADER)).max(8))
    }
}

/// What `strait demo --help` says at its end.
fn about() -> String {
    format!("{ABOUT}\n\n{}", exit::HELP)
}

const ABOUT: &str = "\
Starts a writer, a relay and a reader: three processes, two rings of shared memory between them.

Phases:
  verification  the reader's SHA-256 of all it received must be that of the file
  throughput    the same stream as fast as it goes; lengths, first and last bytes are checked
  latency       frames at half that rate, from the writer's commit to the reader's receive";

/// Runs the three phases and shows what they measured.
///
/// # Errors
/// - usage: the file or the plot cannot be opened;
/// - verify: the reader got other bytes than the file's;
/// - connect, write, read: a stage failed; the others are stopped and their buffers removed.
pub(crate) fn run(args: DemoArgs) -> Result<(), Failure> {
    let file = match &args.file {
        Some(file) => file.clone(),
        None => std::env::current_exe()
            .map_err(|error| Failure::usage(format_args!("this program's own file: {error}; name a FILE")))?,
    };
    if let Some(plot) = &args.plot {
        check_plot(plot, &file)?;
    }
    let (facts, latencies) = measure::measure(&args, &file)?;
    if let Some(plot) = &args.plot {
        fs::write(plot, plot::svg(&facts, &latencies))
            .map_err(|error| Failure::usage(format_args!("{}: {error}", plot.display())))?;
    }
    match args.json {
        true => report::print(&report::json(&facts)?),
        false => report::print(&table::table(&facts, args.plot.as_deref())),
    }
}

/// Says before the measurement, not after it, that the plot cannot be written.
fn check_plot(plot: &Path, file: &Path) -> Result<(), Failure> {
    let failure = |reason: &dyn core::fmt::Display| {
        Failure::usage(format_args!("the plot {} cannot be written: {reason}", plot.display()))
    };
    if let (Ok(plot), Ok(file)) = (fs::canonicalize(plot), fs::canonicalize(file))
        && plot == file
    {
        return Err(failure(&"it is the file to stream"));
    }
    // Neither truncates a plot that is there nor leaves an empty one if the demo fails.
    let existed = plot.exists();
    fs::OpenOptions::new().append(true).create(true).open(plot).map_err(|error| failure(&error))?;
    if !existed {
        fs::remove_file(plot).map_err(|error| failure(&error))?;
    }
    Ok(())
}

fn parse_frame(text: &str) -> Result<usize, String> {
    match quantity::parse_bytes(text)? {
        bytes @ ..=0x4000_0000 => usize::try_from(bytes).map_err(|error| error.to_string()),
        bytes => Err(format!("{bytes} bytes are more than the GiB that a frame may have")),
    }
}
