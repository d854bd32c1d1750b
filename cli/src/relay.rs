//! `strait relay`: takes frames out of one buffer and puts them into another.

use core::time::Duration;
use std::time::Instant;

use clap::Args;
use strait::zerobuffer::{Reader, RecvError, Writer};

use crate::args::{Creation, Flow, Trust};
use crate::endpoint;
use crate::exit::{self, Failure};
use crate::interrupt::{Interrupt, Patience};
use crate::pace::Pace;
use crate::progress::Progress;
use crate::report::{self, Checksums, RelayReport, Troubles};
use crate::tally::Tally;
use crate::transform::Transform;

/// Options of `strait relay`.
#[derive(Debug, Args)]
pub(crate) struct RelayArgs {
    /// Name of the buffer to create and read from
    input: String,

    /// Name of the buffer to write to, which its reader creates
    output: String,

    #[command(flatten)]
    flow: Flow,

    #[command(flatten)]
    creation: Creation,

    #[command(flatten)]
    trust: Trust,

    /// Waits for the output buffer's reader to create it, however long that takes, instead of failing after
    /// --timeout-ms. (Only a reader can create a buffer: the relay is the output's writer and never makes it itself)
    #[arg(long)]
    create_output: bool,

    /// What is done to each frame
    #[arg(long, value_enum, default_value = "none")]
    transform: Transform,

    /// What --transform xor combines every byte with, 0 to 255
    #[arg(long, value_name = "BYTE", default_value_t = 255)]
    xor_key: u8,

    /// With --verbose: one line each time so many frames were relayed; 0 = never
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    log_interval: u64,
}

/// Runs `strait relay`.
pub(crate) fn run(args: RelayArgs) -> Result<(), Failure> {
    let mut run = Run {
        args: &args,
        tally: Tally::default(),
        metadata_size: None,
        checksums: Checksums::new(args.flow.checksum),
        troubles: Troubles::default(),
    };
    if let Err(failure) = run.relay() {
        run.troubles.add(failure);
    }
    run.conclude()
}

struct Run<'a> {
    args: &'a RelayArgs,
    tally: Tally,
    /// Bytes of the metadata relayed.
    metadata_size: Option<usize>,
    checksums: Checksums,
    troubles: Troubles,
}

impl Run<'_> {
    fn relay(&mut self) -> Result<(), Failure> {
        let (args, flow) = (self.args, &self.args.flow);
        if args.input == args.output {
            return Err(Failure::usage("input and output are the same buffer"));
        }
        let interrupt = Interrupt::catch().map_err(Failure::connect)?;
        let mut input = endpoint::create(&args.input, &args.creation, &interrupt)?;
        flow.say(|| format!("created {:?}, ring of {} bytes", args.input, input.payload_capacity()));
        let wait = if args.create_output { Duration::MAX } else { flow.timeout() };
        let mut output = endpoint::connect(
            &args.output,
            args.trust,
            wait,
            &interrupt,
            (exit::WRITE, "--timeout-ms or --create-output"),
        )?;
        flow.say(|| format!("connected to {:?}, ring of {} bytes", args.output, output.payload_capacity()));
        let outcome = self.frames(&mut input, &mut output, &interrupt);
        flow.say(|| format!("input {:?}", input.statistics()));
        flow.say(|| format!("output {:?}", output.statistics()));
        // A gap is no end of the run, and yet the output lacks frames.
        if outcome.is_ok() && self.troubles.total() == 0 {
            output.close();
        }
        outcome
    }

    fn frames(
        &mut self,
        input: &mut Reader,
        output: &mut Writer,
        interrupt: &Interrupt,
    ) -> Result<(), Failure> {
        let flow = &self.args.flow;
        let limit = flow.frames.unwrap_or(0);
        let (mut pace, mut progress) = (Pace::new(flow), Progress::new(flow, limit));
        let mut waiting: Option<Patience> = None;
        let outcome = loop {
            if limit != 0 && self.tally.frames == limit {
                break Ok(());
            }
            if pace.before_frame(interrupt) {
                progress.wait();
            }
            if interrupt.is_set() {
                break Err(interrupt.failure());
            }
            if let Err(failure) = self.describe(input, output) {
                break Err(failure);
            }
            let slice = match &waiting {
                None => Duration::ZERO,
                Some(waiting) => match waiting.slice() {
                    Some(slice) => slice,
                    None => break Err(endpoint::silence(input, &self.tally, limit, flow.timeout_ms)),
                },
            };
            let relayed = if self.tally.frames == 0 {
                // Metadata set just before the first frame go first. An owned frame leaves the reader free to look.
                input.recv_owned_timeout(slice).map(|frame| {
                    self.describe(input, output)?;
                    self.forward(&frame, output, interrupt)
                })
            } else if slice.is_zero() {
                input.try_recv().map(|frame| self.forward(&frame, output, interrupt))
            } else {
                input.recv_timeout(slice).map(|frame| self.forward(&frame, output, interrupt))
            };
            match relayed {
                Ok(Ok(len)) => {
                    if waiting.take().is_some() {
                        progress.wait();
                    }
                    pace.after_frame();
                    progress.frame(&self.tally, len);
                }
                Ok(Err(failure)) => break Err(failure),
                Err(RecvError::Empty | RecvError::Timeout { .. }) => {
                    waiting.get_or_insert_with(|| Patience::new(flow.timeout()));
                }
                // Metadata may have come without any frame.
                Err(RecvError::EndOfStream) => break self.describe(input, output),
                // The next receive returns the frame after the gap.
                Err(error @ RecvError::SequenceGap { .. }) => self.troubles.add(Failure::read(error)),
                Err(error) => break Err(Failure::read(error)),
            }
        };
        self.tally.end(waiting.map_or_else(Instant::now, |waiting| waiting.since()));
        progress.finish();
        outcome
    }

    /// Relays the metadata once they are there.
    fn describe(&mut self, input: &Reader, output: &mut Writer) -> Result<(), Failure> {
        if self.metadata_size.is_some() {
            return Ok(());
        }
        let Some(metadata) = input.metadata().map_err(Failure::read)? else { return Ok(()) };
        // The block of an empty one says as much as none.
        if !metadata.is_empty() {
            output.set_metadata(&metadata).map_err(Failure::write)?;
        }
        self.metadata_size = Some(metadata.len());
        self.args.flow.say(|| format!("relayed {} bytes of metadata", metadata.len()));
        Ok(())
    }

    /// Transforms one frame straight into the output's ring.
    fn forward(
        &mut self,
        frame: &[u8],
        output: &mut Writer,
        interrupt: &Interrupt,
    ) -> Result<usize, Failure> {
        let (args, index) = (self.args, self.tally.frames);
        self.tally.start();
        let checksums = &mut self.checksums;
        endpoint::send(output, frame.len(), args.flow.timeout(), interrupt, |out| {
            args.transform.apply(args.xor_key, frame, out);
            checksums.add(index, out);
            Ok(true)
        })?;
        self.tally.add(frame.len());
        let frames = self.tally.frames;
        if args.log_interval != 0 && frames.is_multiple_of(args.log_interval) {
            args.flow.say(|| format!("relayed {frames} frames, {} bytes", self.tally.bytes));
        }
        Ok(frame.len())
    }

    fn conclude(self) -> Result<(), Failure> {
        let (args, metadata_size) = (self.args, self.metadata_size.unwrap_or(0));
        let checksums = self.checksums.into_option();
        let printed = if args.flow.json_output {
            report::json(&RelayReport {
                operation: "relay",
                input_buffer: args.input.clone(),
                output_buffer: args.output.clone(),
                frames_relayed: self.tally.frames,
                metadata_relayed: metadata_size > 0,
                metadata_size,
                total_bytes: self.tally.bytes,
                duration_seconds: self.tally.duration().as_secs_f64(),
                throughput_mbps: self.tally.throughput(),
                transform: args.transform.name(),
                checksums,
                errors: self.troubles.messages(),
            })
            .and_then(|text| report::print(&text))
        } else if !self.troubles.has_begun() {
            Ok(())
        } else {
            let done = format!(
                "relayed from {:?} to {:?}, transform {}",
                args.input,
                args.output,
                args.transform.name()
            );
            let (checksums, total) = (checksums.unwrap_or_default(), self.troubles.total());
            report::print(&report::summary(&done, &self.tally, metadata_size, &checksums, total))
        };
        self.troubles.conclude().and(printed)
    }
}
