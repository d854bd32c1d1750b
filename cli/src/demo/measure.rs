//! Which three phases the demo runs, and what each must prove.

use core::time::Duration;
use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::thread;

use super::DemoArgs;
use super::children::{Chain, Reports};
use super::facts::{Facts, Latency, Percentiles, StageLoad, Throughput, Verification};
use super::latency::Latencies;
use super::machine::Machine;
use super::meter::StageReport;
use super::plan::Plan;
use super::quantity;
use super::source::Source;
use super::stage::Role;
use crate::exit::Failure;

/// Most bytes of the verification phase: hashing is slower than streaming.
const MOST_VERIFIED: u64 = 1 << 30;
/// Most frames of the latency phase: each is noted by each stage.
const MOST_NOTED: u64 = 1_000_000;

/// Runs the three phases; also returns each frame's latency from end to end, in nanoseconds.
///
/// # Errors
/// As [`run`](super::run).
pub(crate) fn measure(args: &DemoArgs, file: &Path) -> Result<(Facts, Vec<u64>), Failure> {
    let source = Source::open(file, args.frame_bytes)?;
    let file_bytes = source.file_len();
    let plan = Plan {
        bytes: args.bytes,
        frame_len: args.frame_bytes,
        ring_frames: args.ring_frames(),
        interval_nanos: 0,
        digest: false,
        stamps: false,
    };
    let verification = verify(&plan, file, source)?;
    let (throughput, copies_per_byte) = stream(&plan, file)?;
    let (latency, latencies) = pace(&plan, file, args, &throughput)?;
    let facts = Facts {
        machine: Machine::this(),
        file: file.display().to_string(),
        file_bytes,
        frame_bytes: args.frame_bytes,
        ring_frames: args.ring_frames(),
        copies_per_byte,
        verification,
        throughput,
        latency,
    };
    Ok((facts, latencies))
}

fn verify(plan: &Plan, file: &Path, mut source: Source) -> Result<Verification, Failure> {
    let plan = Plan { bytes: plan.bytes.min(MOST_VERIFIED), digest: true, ..plan.clone() };
    say("verification", &plan);
    let chain = Chain::start(file, &plan)?;
    // Taken meanwhile, from the file, by a process that never touches the shared memory.
    let expected = thread::spawn({
        let plan = plan.clone();
        move || source.digest(plan.bytes, plan.frame_len)
    });
    let reports = chain.wait()?;
    let expected = expected
        .join()
        .unwrap_or_else(|_| Err(io::Error::other("hashing it failed")))
        .map_err(|error| Failure::usage(format_args!("{}: {error}", file.display())))?;
    check(&plan, &reports)?;
    let received = reports.reader.digest.clone().unwrap_or_default();
    if received != expected {
        return Err(Failure::verify(format_args!(
            "the reader received other bytes than the file's: SHA-256 {received} instead of {expected}"
        )));
    }
    Ok(Verification {
        verified: true,
        bytes: plan.bytes,
        frames: plan.frames(),
        seconds: seconds(&reports),
        sha256: received,
    })
}

fn stream(plan: &Plan, file: &Path) -> Result<(Throughput, f64), Failure> {
    say("throughput", plan);
    let reports = Chain::start(file, plan)?.wait()?;
    check(plan, &reports)?;
    let seconds = seconds(&reports);
    let stages = loads(&reports);
    let copies_per_byte = stages.iter().map(|load| load.copies_per_byte).sum();
    let throughput = Throughput {
        bytes: plan.bytes,
        frames: plan.frames(),
        seconds,
        bytes_per_second: plan.bytes as f64 / seconds,
        frames_per_second: plan.frames() as f64 / seconds,
        stages,
    };
    Ok((throughput, copies_per_byte))
}

fn pace(
    plan: &Plan,
    file: &Path,
    args: &DemoArgs,
    throughput: &Throughput,
) -> Result<(Latency, Vec<u64>), Failure> {
    // Half the rate that was reached: twice the time between frames.
    let interval = Duration::try_from_secs_f64(2.0 * throughput.seconds / throughput.frames as f64)
        .unwrap_or(Duration::MAX)
        .as_nanos()
        .max(1);
    let interval_nanos = u64::try_from(interval).unwrap_or(u64::MAX);
    let frames = u64::try_from(args.seconds.as_nanos() / interval).unwrap_or(MOST_NOTED).clamp(1, MOST_NOTED);
    let bytes = frames.saturating_mul(plan.frame_len as u64);
    let plan = Plan { bytes, interval_nanos, stamps: true, ..plan.clone() };
    say("latency", &plan);
    let reports = Chain::start(file, &plan)?.wait()?;
    check(&plan, &reports)?;
    let latencies = Latencies::of(&reports)?;
    let seconds = seconds(&reports);
    let latency = Latency {
        frames,
        seconds,
        paced_frames_per_second: 1e9 / interval_nanos as f64,
        frames_per_second: frames as f64 / seconds,
        stages: loads(&reports),
        end_to_end: Percentiles::of(&latencies.end_to_end),
        writer_to_relay: Percentiles::of(&latencies.writer_to_relay),
        in_relay: Percentiles::of(&latencies.in_relay),
        relay_to_reader: Percentiles::of(&latencies.relay_to_reader),
    };
    Ok((latency, latencies.end_to_end))
}

/// Every stage has seen every frame, and the same lengths, first and last bytes.
fn check(plan: &Plan, reports: &Reports) -> Result<(), Failure> {
    let Reports { writer, relay, reader } = reports;
    for (role, report) in [(Role::Writer, writer), (Role::Relay, relay), (Role::Reader, reader)] {
        let seen = (report.frames, report.bytes);
        let expected = (plan.frames(), plan.bytes);
        if seen != expected {
            return Err(Failure::verify(format_args!(
                "{}: {} frames with {} bytes instead of {} with {}",
                role.name(),
                seen.0,
                seen.1,
                expected.0,
                expected.1
            )));
        }
        if report.fingerprint != writer.fingerprint {
            return Err(Failure::verify(format_args!(
                "{}: lengths, first or last bytes differ from those that the writer sent",
                role.name()
            )));
        }
    }
    Ok(())
}

/// From the writer's start to the reader's end.
fn seconds(reports: &Reports) -> f64 {
    let nanos = reports.reader.ended_nanos.saturating_sub(reports.writer.started_nanos);
    nanos.max(1) as f64 / 1e9
}

fn loads(reports: &Reports) -> [StageLoad; 3] {
    let Reports { writer, relay, reader } = reports;
    let load = |role: Role, report: &StageReport| StageLoad {
        stage: role.name(),
        cpu_percent: 100.0 * report.cpu_share(),
        copies_per_byte: report.copied as f64 / reader.bytes.max(1) as f64,
    };
    [load(Role::Writer, writer), load(Role::Relay, relay), load(Role::Reader, reader)]
}

/// One line per phase, for whoever waits at a terminal.
fn say(phase: &str, plan: &Plan) {
    if io::stderr().is_terminal() {
        let (bytes, frames) = (quantity::bytes(plan.bytes), quantity::count(plan.frames()));
        eprintln!("{phase}: {bytes} in {frames} frames …");
    }
}
