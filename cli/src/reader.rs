//! `strait reader`: creates a buffer and takes frames out of it.

use std::time::{Duration, Instant};

use clap::Args;
use strait::zerobuffer::{Reader, RecvError};

use crate::args::{Creation, Flow, Place, Reproducible};
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

/// Bytes of a frame, unless others are asked for: what a writer makes without --size.
const FRAME_SIZE: usize = 1024;
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

    /// Bytes that each frame is compared with: N, or MIN..MAX (both included), each frame's size drawn by --seed. Asked
    /// for, another size is a verification error. If not, any size will do: the report's `other_sizes` counts those that
    /// are not the default, and its `frame_size` is that of the first frame [default: 1024]
    #[arg(short, long, value_name = "N|MIN..MAX")]
    size: Option<SizeRange>,

    /// What each frame must hold
    #[arg(long, value_enum, default_value = "none")]
    verify: Verify,

    #[command(flatten)]
    creation: Creation,

    /// Writes the frames' bytes, one after another, to a file; `-` is standard output. The file is FILE.part until it is
    /// whole: after any exit code but 0 what had the name still has it, and what came stays in FILE.part
    #[arg(long, value_name = "FILE")]
    out: Option<Place>,

    /// Writes the metadata to a file when the run ends, as --out does; `-` is standard output. Without metadata it is empty
    #[arg(long, value_name = "FILE")]
    metadata_out: Option<Place>,
}

impl ReaderArgs {
    /// 1 if standard output takes the frames.
    fn prints_frames(&self) -> usize {
        usize::from(self.out == Some(Place::Standard))
    }

    /// 1 if standard output takes the metadata.
    fn prints_metadata(&self) -> usize {
        usize::from(self.metadata_out == Some(Place::Standard))
    }
}

/// Runs `strait reader`.
pub(crate) fn run(args: ReaderArgs) -> Result<(), Failure> {
    let mut run = Run {
        tally: Tally::default(),
        metadata_size: 0,
        frame_size: args.size.map(|size| size.max),
        checker: Checker::new("frame", args.verify, args.size, args.reproducible.seed)
            .counting_other_than(SizeRange::fixed(FRAME_SIZE)),
        checksums: Checksums::new(args.flow.checksum),
        troubles: Troubles::default(),
    };
    let mut outputs = Outputs::default();
    if let Err(failure) = run.read(&args, &mut outputs) {
        run.troubles.add(failure);
    }
    let partial = [outputs.frames, outputs.metadata].into_iter().flatten();
    let partial = partial.filter_map(|sink| sink.settle(&mut run.troubles)).collect();
    run.conclude(&args, partial)
}

/// Where frames and metadata go, once that is open.
#[derive(Default)]
struct Outputs {
    frames: Option<Sink>,
    metadata: Option<Sink>,
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
    fn read(&mut self, args: &ReaderArgs, outputs: &mut Outputs) -> Result<(), Failure> {
        let flow = &args.flow;
        let to_stdout = args.prints_frames() + args.prints_metadata() + usize::from(flow.json_output);
        if to_stdout > 1 {
            return Err(Failure::usage(
                "standard output takes one of --out -, --metadata-out - and --json-output",
            ));
        }
        if let (Some(Place::File(out)), Some(Place::File(metadata))) = (&args.out, &args.metadata_out)
            && out == metadata
        {
            let out = out.display();
            return Err(Failure::usage(format_args!("--out and --metadata-out are the same file, {out}")));
        }
        outputs.frames = args.out.as_ref().map(Sink::open).transpose()?;
        outputs.metadata = args.metadata_out.as_ref().map(Sink::open).transpose()?;
        let interrupt = Interrupt::catch().map_err(Failure::connect)?;

        let mut reader = endpoint::create(&args.buffer, &args.creation, &interrupt)?;
        flow.say(|| format!("created {:?}, ring of {} bytes", args.buffer, reader.payload_capacity()));
        let read = self.frames(args, &mut reader, outputs.frames.as_mut(), &interrupt);
        flow.say(|| format!("{:?}", reader.statistics()));
        let described = self.metadata(&reader, outputs.metadata.as_mut());
        read.and(described)
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
        // Said already, and the frames that are asked for may come from the next writer.
        let mut bereft = false;
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
            // The clock is read only if no frame is there.
            let received = match waiting.as_ref().map(Patience::slice) {
                None => reader.try_recv(),
                Some(Some(slice)) => reader.recv_timeout(slice),
                Some(None) if bereft => break Ok(()),
                Some(None) => break Err(endpoint::silence(reader, &self.tally, limit, flow.timeout_ms)),
            };
            match received {
                Ok(frame) => {
                    bereft = false;
                    if waiting.take().is_some() {
                        progress.wait();
                    }
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

    fn metadata(&mut self, reader: &Reader, out: Option<&mut Sink>) -> Result<(), Failure> {
        let Some(metadata) = reader.metadata().map_err(Failure::read)? else { return Ok(()) };
        self.metadata_size = metadata.len();
        out.map_or(Ok(()), |out| out.write(&metadata))
    }

    fn conclude(self, args: &ReaderArgs, partial_files: Vec<String>) -> Result<(), Failure> {
        let checksums = self.checksums.into_list();
        let printed = if args.flow.json_output {
            report::json(&ReadReport {
                operation: "read",
                buffer_name: args.buffer.clone(),
                frames_read: self.tally.frames,
                frame_size: self.frame_size.unwrap_or(FRAME_SIZE),
                metadata_size: self.metadata_size,
                duration_seconds: self.tally.duration().as_secs_f64(),
                throughput_mbps: self.tally.throughput(),
                verification_errors: self.checker.wrong(),
                other_sizes: Some(self.checker.other_sizes()).filter(|other| *other > 0),
                checksums,
                partial_files,
                errors: self.troubles.messages(),
            })
            .and_then(|text| report::print(&text))
        } else if !self.troubles.has_begun() {
            Ok(())
        } else {
            let done = format!("read from {:?}", args.buffer);
            let total = self.troubles.total();
            let text = report::summary(&done, &self.tally, self.metadata_size, &checksums, total);
            if args.prints_frames() + args.prints_metadata() > 0 {
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
