//! `strait writer`: puts frames into a buffer.

use core::time::Duration;
use std::time::Instant;

use clap::Args;
use strait::zerobuffer::Writer;

use crate::args::{Flow, Metadata, Place, Reproducible, Trust};
use crate::endpoint::{self, Sent};
use crate::exit::{self, Failure};
use crate::interrupt::Interrupt;
use crate::pace::Pace;
use crate::pattern::Pattern;
use crate::progress::Progress;
use crate::report::{self, Checksums, Troubles, WriteReport};
use crate::size::SizeRange;
use crate::source::Source;
use crate::tally::Tally;

/// Options of `strait writer`.
#[derive(Debug, Args)]
pub(crate) struct WriterArgs {
    /// Name of the buffer, which its reader creates
    buffer: String,

    #[command(flatten)]
    flow: Flow,

    #[command(flatten)]
    reproducible: Reproducible,

    /// Bytes of each frame: N, or MIN..MAX (both included) to draw each frame's size by --seed. The last frame of a
    /// --file may be shorter
    #[arg(short, long, value_name = "N|MIN..MAX", default_value = "1024")]
    size: SizeRange,

    #[command(flatten)]
    metadata: Metadata,

    #[command(flatten)]
    trust: Trust,

    /// What made-up frames hold
    #[arg(long, value_enum, default_value = "sequential")]
    pattern: Pattern,

    /// Carries a file instead of made-up frames, whole unless -n says otherwise; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "pattern")]
    file: Option<Place>,

    /// How long to wait for the buffer to appear, in milliseconds; 0 = not at all
    #[arg(long, value_name = "MS", default_value_t = 5000)]
    wait_ms: u64,
}

/// Runs `strait writer`.
pub(crate) fn run(args: WriterArgs) -> Result<(), Failure> {
    let mut run =
        Run { tally: Tally::default(), metadata_size: 0, checksums: Checksums::new(args.flow.checksum) };
    let mut troubles = Troubles::default();
    if let Err(failure) = run.write(&args) {
        troubles.add(failure);
    }
    let printed = run.report(&args, &troubles);
    troubles.conclude().and(printed)
}

struct Run {
    tally: Tally,
    metadata_size: usize,
    checksums: Checksums,
}

impl Run {
    fn write(&mut self, args: &WriterArgs) -> Result<(), Failure> {
        let flow = &args.flow;
        let metadata = args.metadata.bytes()?;
        let mut source = source(args)?;
        let interrupt = Interrupt::catch().map_err(Failure::connect)?;

        let wait = Duration::from_millis(args.wait_ms);
        let mut writer =
            endpoint::connect(&args.buffer, args.trust, wait, &interrupt, (exit::CONNECT, "--wait-ms"))?;
        flow.say(|| format!("connected to {:?}, ring of {} bytes", args.buffer, writer.payload_capacity()));
        if let Some(metadata) = metadata {
            writer.set_metadata(&metadata).map_err(Failure::write)?;
            self.metadata_size = metadata.len();
            flow.say(|| format!("wrote {} bytes of metadata", metadata.len()));
        }

        let outcome = self.frames(args, &mut source, &mut writer, &interrupt);
        flow.say(|| format!("{:?}", writer.statistics()));
        if outcome.is_ok() {
            writer.close();
        }
        outcome
    }

    fn frames(
        &mut self,
        args: &WriterArgs,
        source: &mut Source,
        writer: &mut Writer,
        interrupt: &Interrupt,
    ) -> Result<(), Failure> {
        let flow = &args.flow;
        let all = if args.file.is_some() { 0 } else { 1000 };
        let limit = flow.frames.unwrap_or(all);
        let (mut pace, mut progress) = (Pace::new(flow), Progress::new(flow, limit));
        while limit == 0 || self.tally.frames < limit {
            if pace.before_frame(interrupt) {
                progress.wait();
            }
            if interrupt.is_set() {
                return Err(interrupt.failure());
            }
            let place = args.file.as_ref().unwrap_or(&Place::Standard);
            let file = |error| Failure::write(format_args!("{place}: {error}"));
            let Some(len) = source.next_len().map_err(file)? else { break };
            self.tally.start();
            let (index, checksums) = (self.tally.frames, &mut self.checksums);
            let sent = endpoint::send(writer, len, flow.timeout(), interrupt, |frame| {
                let filled = source.fill(index, frame)?;
                if filled {
                    checksums.add(index, frame);
                }
                Ok(filled)
            })?;
            if sent == Sent::Whole {
                self.tally.add(len);
                pace.after_frame();
                progress.frame(&self.tally, len);
            }
        }
        self.tally.end(Instant::now());
        progress.finish();
        Ok(())
    }

    fn report(self, args: &WriterArgs, troubles: &Troubles) -> Result<(), Failure> {
        let checksums = self.checksums.into_option();
        if args.flow.json_output {
            report::print(&report::json(&WriteReport {
                operation: "write",
                buffer_name: args.buffer.clone(),
                frames_written: self.tally.frames,
                frame_size: args.size.max,
                metadata_size: self.metadata_size,
                duration_seconds: self.tally.duration().as_secs_f64(),
                throughput_mbps: self.tally.throughput(),
                checksums,
                errors: troubles.messages(),
            })?)
        } else if troubles.has_begun() {
            let done = format!("wrote to {:?}", args.buffer);
            let (checksums, total) = (checksums.unwrap_or_default(), troubles.total());
            report::print(&report::summary(&done, &self.tally, self.metadata_size, &checksums, total))
        } else {
            Ok(())
        }
    }
}

fn source(args: &WriterArgs) -> Result<Source, Failure> {
    let seed = args.reproducible.seed;
    let sizes = args.size.sizes(seed);
    match &args.file {
        None => Ok(Source::MadeUp { pattern: args.pattern, seed, sizes }),
        Some(file) => {
            Source::open(file, sizes).map_err(|error| Failure::usage(format_args!("{file}: {error}")))
        }
    }
}
