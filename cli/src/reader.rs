//! `strait reader`: creates a buffer and takes frames out of it.

use std::time::{Duration, Instant};

use clap::Args;
use strait::zerobuffer::{Reader, RecvError};

use crate::args::{Creation, Flow, Reproducible};
use crate::check::{Checker, Verify};
use crate::endpoint;
use crate::exit::Failure;
use crate::interrupt::{Interrupt, Patience};
use crate::pace::Pace;
use crate::progress::Progress;
use crate::report::{self, Checksums, ReadReport, Troubles};
use crate::sink::Sink;
use crate::size::SizeRange;
use crate::tally::Tally;

/// How often a reader without a writer looks for the next.
const LOOK: Duration = Duration::from_millis(2);

/// Options of `strait reader`.
#[derive(Debug, Args)]
pub(crate) struct ReaderArgs {
    /// Name of the buffer to create
    buffer: String,

    #[command(flatten)]
    flow: Flow,

    #[command(flatten)]
    reproducible: Reproducible,

    /// Bytes that each frame must have: N, or MIN..MAX (both included), each frame's size drawn by --seed. Without it
    /// any size will do, and the report's `frame_size` is that of the first frame [1024 if there is none]
    #[arg(short, long, value_name = "N|MIN..MAX")]
    size: Option<SizeRange>,

    /// What each frame must hold
    #[arg(long, value_enum, default_value = "none")]
    verify: Verify,

    #[command(flatten)]
    creation: Creation,

    /// Writes the frames' bytes, one after another, to a file; `-` is standard output
    #[arg(long, value_name = "FILE")]
    out: Option<String>,

    /// Writes the metadata to a file when the run ends; `-` is standard output. Without metadata it stays empty
    #[arg(long, value_name = "FILE")]
    metadata_out: Option<String>,
}

/// Runs `strait reader`.
pub(crate) fn run(args: ReaderArgs) -> Result<(), Failure> {
    let mut run = Run {
        tally: Tally::default(),
        metadata_size: 0,
        frame_size: args.size.map(|size| size.max),
        checker: Checker::new("frame", args.verify, args.size, args.reproducible.seed),
        checksums: Checksums::new(args.flow.checksum),
        troubles: Troubles::default(),
    };
    if let Err(failure) = run.read(&args) {
        run.troubles.add(failure);
    }
    run.conclude(&args)
}

struct Run {
    tally: Tally,
    metadata_size: usize,
    frame_size: Option<usize>,
    checker: Checker,
    checksums: Checksums,
    troubles: Troubles,
}

impl Run {
    fn read(&mut self, args: &ReaderArgs) -> Result<(), Failure> {
        let flow = &args.flow;
        let to_stdout = [&args.out, &args.metadata_out].map(|place| place.as_deref() == Some("-"));
        if to_stdout.iter().filter(|to_stdout| **to_stdout).count() + usize::from(flow.json_output) > 1 {
            return Err(Failure::usage(
                "standard output takes one of --out -, --metadata-out - and --json-output",
            ));
        }
        let mut out = args.out.as_deref().map(Sink::open).transpose()?;
        let metadata_out = args.metadata_out.as_deref().map(Sink::open).transpose()?;
        let interrupt = Interrupt::catch().map_err(Failure::connect)?;

        let mut reader = endpoint::create(&args.buffer, &args.creation)?;
        flow.say(|| format!("created {:?}, ring of {} bytes", args.buffer, reader.payload_capacity()));
        let read = self.frames(args, &mut reader, out.as_mut(), &interrupt);
        flow.say(|| format!("{:?}", reader.statistics()));
        let flushed = out.as_mut().map_or(Ok(()), Sink::flush);
        let described = self.metadata(&reader, metadata_out);
        read.and(flushed).and(described)
    }

    fn frames(
        &mut self,
        args: &ReaderArgs,
        reader: &mut Reader,
        mut out: Option<&mut Sink>,
        interrupt: &Interrupt,
    ) -> Result<(), Failure> {
        let flow = &args.flow;
        let limit = flow.frames.unwrap_or(0);
        let (mut pace, mut progress) = (Pace::new(flow), Progress::new(flow, limit));
        let mut waiting: Option<Patience> = None;
        let mut bereft = false;
        let outcome = loop {
            if limit != 0 && self.tally.frames == limit {
                break Ok(());
            }
            if pace.before_frame(interrupt) {
                progress.wait();
            }
            if interrupt.is_set() {
                break Err(Failure::interrupted());
            }
            // The clock is read only if no frame is there.
            let received = match waiting.as_ref().map(Patience::slice) {
                None => reader.try_recv(),
                Some(Some(slice)) => reader.recv_timeout(slice),
                Some(None) => break self.timed_out(args),
            };
            match received {
                Ok(frame) => {
                    if waiting.take().is_some() {
                        progress.wait();
                    }
                    bereft = false;
                    self.tally.start();
                    let index = self.tally.frames;
                    self.frame_size.get_or_insert(frame.len());
                    if let Some(failure) = self.checker.check(index, &frame) {
                        self.troubles.add(failure);
                    }
                    self.checksums.add(index, &frame);
                    if let Some(Err(failure)) = out.as_mut().map(|out| out.write(&frame)) {
                        break Err(failure);
                    }
                    self.tally.add(frame.len());
                    pace.after_frame();
                    progress.frame(&self.tally, frame.len());
                }
                Err(RecvError::Empty | RecvError::Timeout { .. }) => {
                    if waiting.is_none() {
                        waiting = Some(Patience::new(flow.timeout()));
                        // Whoever reads the output sees all there is while nothing comes.
                        if let Some(Err(failure)) = out.as_mut().map(|out| out.flush()) {
                            break Err(failure);
                        }
                    }
                }
                Err(RecvError::EndOfStream) => break Ok(()),
                // A number of frames was asked for: the writer may be started again, and goes on with its numbers.
                Err(RecvError::WriterDead { .. }) if bereft => std::thread::sleep(LOOK),
                Err(error @ RecvError::WriterDead { .. }) if limit != 0 => {
                    report::complain(format_args!("{error}; waiting for another writer"));
                    self.troubles.add(Failure::read(error));
                    bereft = true;
                    waiting = Some(Patience::new(flow.timeout()));
                    if let Some(Err(failure)) = out.as_mut().map(|out| out.flush()) {
                        break Err(failure);
                    }
                }
                // The next receive returns the frame after the gap.
                Err(error @ RecvError::SequenceGap { .. }) => self.troubles.add(Failure::read(error)),
                Err(error) => break Err(Failure::read(error)),
            }
        };
        self.tally.end(waiting.map_or_else(Instant::now, |waiting| waiting.since()));
        progress.finish();
        outcome
    }

    /// A silent writer ends the run; it is a failure unless frames came and no number of them was asked for.
    fn timed_out(&self, args: &ReaderArgs) -> Result<(), Failure> {
        let (got, asked, ms) = (self.tally.frames, args.flow.frames.unwrap_or(0), args.flow.timeout_ms);
        match (got, asked) {
            (0, _) => {
                Err(Failure::read(format_args!("buffer {:?}: no frame came within {ms} ms", args.buffer)))
            }
            (_, 0) => Ok(()),
            _ => Err(Failure::read(format_args!(
                "buffer {:?}: no further frame came within {ms} ms, after {got} of {asked}",
                args.buffer
            ))),
        }
    }

    fn metadata(&mut self, reader: &Reader, out: Option<Sink>) -> Result<(), Failure> {
        let Some(metadata) = reader.metadata().map_err(Failure::read)? else { return Ok(()) };
        self.metadata_size = metadata.len();
        let Some(mut out) = out else { return Ok(()) };
        out.write(&metadata)?;
        out.flush()
    }

    fn conclude(self, args: &ReaderArgs) -> Result<(), Failure> {
        let checksums = self.checksums.into_list();
        let printed = if args.flow.json_output {
            report::json(&ReadReport {
                operation: "read",
                buffer_name: args.buffer.clone(),
                frames_read: self.tally.frames,
                frame_size: self.frame_size.unwrap_or(1024),
                metadata_size: self.metadata_size,
                duration_seconds: self.tally.duration().as_secs_f64(),
                throughput_mbps: self.tally.throughput(),
                verification_errors: self.checker.wrong(),
                checksums,
                errors: self.troubles.messages(),
            })
            .and_then(|text| report::print(&text))
        } else if !self.troubles.has_begun() {
            Ok(())
        } else {
            let done = format!("read from {:?}", args.buffer);
            let total = self.troubles.total();
            let text = report::summary(&done, &self.tally, self.metadata_size, &checksums, total);
            if [&args.out, &args.metadata_out].iter().any(|place| place.as_deref() == Some("-")) {
                // Standard output is taken.
                text.lines().for_each(report::complain);
                Ok(())
            } else {
                report::print(&text)
            }
        };
        self.troubles.conclude().and(printed)
    }
}
