//! What each of the three processes does with a frame.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use sha2::{Digest as _, Sha256};
use strait::zerobuffer::{ConnectError, Reader, RecvError, Writer};

use super::meter::{Meter, StageReport};
use super::plan::Plan;
use super::source::{Source, hex};
use crate::exit::Failure;

/// Longest wait for another stage, to start or to go on.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest wait between two looks whether the demo is still there.
const SLICE: Duration = Duration::from_millis(100);

/// Why a stage ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    /// What the process ends with.
    pub(crate) failure: Failure,
    /// Whether another stage's end, or its silence, was the cause.
    pub(crate) is_consequence: bool,
}

impl Broken {
    fn new(failure: fn(String) -> Failure, error: impl Into<strait::Error>) -> Self {
        use strait::ErrorKind::{Disconnected, Flow};
        let error = error.into();
        let is_consequence = matches!(error.kind(), Flow | Disconnected);
        Self { failure: failure(error.to_string()), is_consequence }
    }
}

impl From<Failure> for Broken {
    fn from(failure: Failure) -> Self {
        Self { failure, is_consequence: false }
    }
}

/// Set once the demo that started this process is gone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Orphaned(Arc<AtomicBool>);

impl Orphaned {
    /// Says that the demo is gone.
    pub(crate) fn set(&self) {
        // Relaxed: nothing else is read by it.
        self.0.store(true, Ordering::Relaxed);
    }

    fn check(&self) -> Result<(), Broken> {
        // Relaxed: nothing else is read by it.
        match self.0.load(Ordering::Relaxed) {
            false => Ok(()),
            true => Err(Broken {
                failure: Failure {
                    message: "the demo that started this stage is gone".to_owned(),
                    ..Failure::interrupted(crate::exit::SIGINT)
                },
                is_consequence: true,
            }),
        }
    }
}

/// The first process: copies the file, frame by frame, into `output`.
pub(crate) fn write(
    plan: &Plan,
    file: &Path,
    output: &str,
    orphaned: &Orphaned,
) -> Result<StageReport, Broken> {
    let mut source = Source::open(file, plan.frame_len)?;
    let mut writer = connect(output, orphaned)?;
    let mut meter = Meter::start(plan);
    let started = Instant::now();
    while meter.bytes() < plan.bytes {
        orphaned.check()?;
        pace(started, plan.interval(), meter.frames());
        let mut frame = writer
            .reserve(plan.len_after(meter.bytes()))
            .map_err(|error| Broken::new(Failure::write, error))?;
        source
            .fill(&mut frame)
            .map_err(|error| Failure::write(format_args!("{}: {error}", file.display())))?;
        meter.copied(frame.len());
        meter.frame(&frame);
        meter.sent();
        frame.commit().map_err(|error| Broken::new(Failure::write, error))?;
    }
    writer.close();
    Ok(meter.finish(None))
}

/// The second process: copies every frame of `input` into `output`.
pub(crate) fn relay(
    plan: &Plan,
    input: &str,
    output: &str,
    orphaned: &Orphaned,
) -> Result<StageReport, Broken> {
    // In this order: once the writer is connected, the whole chain is.
    let mut writer = connect(output, orphaned)?;
    let mut reader = create(plan, input)?;
    let mut meter = None;
    let mut silence = Silence::default();
    while meter.as_ref().map_or(0, Meter::bytes) < plan.bytes {
        orphaned.check()?;
        let frame = match reader.recv_timeout(SLICE) {
            Ok(frame) => frame,
            Err(RecvError::Timeout { .. }) if silence.may_go_on() => continue,
            Err(error) => return Err(Broken::new(Failure::read, error)),
        };
        silence = Silence::default();
        let received = strait::monotonic_nanos();
        let meter = meter.get_or_insert_with(|| Meter::start(plan));
        meter.received(received);
        let mut out = writer.reserve(frame.len()).map_err(|error| Broken::new(Failure::write, error))?;
        out.copy_from_slice(&frame);
        meter.copied(frame.len());
        meter.frame(&out);
        meter.sent();
        out.commit().map_err(|error| Broken::new(Failure::write, error))?;
    }
    writer.close();
    Ok(finish(meter, plan, None))
}

/// The third process: reads every frame of `input` in place.
pub(crate) fn read(plan: &Plan, input: &str, orphaned: &Orphaned) -> Result<StageReport, Broken> {
    let mut reader = create(plan, input)?;
    let mut hash = plan.digest.then(Sha256::new);
    let mut meter = None;
    let mut silence = Silence::default();
    while meter.as_ref().map_or(0, Meter::bytes) < plan.bytes {
        orphaned.check()?;
        let frame = match reader.recv_timeout(SLICE) {
            Ok(frame) => frame,
            Err(RecvError::Timeout { .. }) if silence.may_go_on() => continue,
            Err(error) => return Err(Broken::new(Failure::read, error)),
        };
        silence = Silence::default();
        let received = strait::monotonic_nanos();
        let meter = meter.get_or_insert_with(|| Meter::start(plan));
        meter.received(received);
        meter.frame(&frame);
        if let Some(hash) = &mut hash {
            hash.update(&*frame);
        }
    }
    let report = finish(meter, plan, hash.map(|hash| hex(&hash.finalize())));
    match reader.recv() {
        Err(RecvError::EndOfStream) => Ok(report),
        Ok(frame) => Err(Failure::verify(format_args!(
            "a frame of {} bytes came after the {} of the stream",
            frame.len(),
            plan.frames()
        ))
        .into()),
        Err(error) => Err(Broken::new(Failure::read, error)),
    }
}

/// What was counted; there is a meter, since every stream has a frame.
fn finish(meter: Option<Meter>, plan: &Plan, digest: Option<String>) -> StageReport {
    meter.unwrap_or_else(|| Meter::start(plan)).finish(digest)
}

fn connect(output: &str, orphaned: &Orphaned) -> Result<Writer, Broken> {
    let mut silence = Silence::default();
    loop {
        orphaned.check()?;
        let writer = Writer::builder(output).wait_for_reader(SLICE).timeout(PATIENCE);
        // Only a stage that has sent everything says that this was all.
        match writer.abort_on_drop(true).connect() {
            Ok(writer) => return Ok(writer),
            Err(ConnectError::BufferNotFound { .. }) if silence.may_go_on() => {}
            Err(error) => return Err(Broken::new(Failure::connect, error)),
        }
    }
}

/// How many slices of time went by without a sign of the other stage.
#[derive(Debug, Default)]
struct Silence(u32);

impl Silence {
    /// Counts one more; `false` once patience is at its end.
    fn may_go_on(&mut self) -> bool {
        self.0 += 1;
        SLICE * self.0 < PATIENCE
    }
}

fn create(plan: &Plan, input: &str) -> Result<Reader, Broken> {
    Reader::builder(input)
        .metadata_capacity(0)
        .payload_capacity(plan.ring_bytes())
        .timeout(PATIENCE)
        .create()
        .map_err(|error| Broken::new(Failure::connect, error))
}

/// Waits until frame `index`, from 0, is due. A late frame does not move those after it.
fn pace(started: Instant, interval: Duration, index: u64) {
    if interval.is_zero() {
        return;
    }
    let due = u128::from(index).saturating_mul(interval.as_nanos());
    let due = Duration::from_nanos(u64::try_from(due).unwrap_or(u64::MAX));
    if let Some(early) = due.checked_sub(started.elapsed()) {
        thread::sleep(early);
    }
}
