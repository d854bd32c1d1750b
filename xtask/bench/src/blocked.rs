//! How much of a processor does a reader use that waits for a silent writer?

use core::time::Duration;
use std::time::Instant;

use strait::zerobuffer::RecvError;

use strait_bench::Outcome;
use strait_bench::child::{self, Child, argument};
use strait_bench::schedule::{Group, Row, Target, contender};

use crate::buffers;

/// Role: connects, sends one frame, is silent until told to go. Argument: buffer.
pub(crate) const WRITER: &str = "silent-writer";

/// A blocked reader.
pub(crate) fn group(quick: bool) -> Group {
    let time = Duration::from_secs(if quick { 2 } else { 5 });
    Group {
        name: "blocked reader",
        unit: "% of a core",
        is_exact: false,
        contenders: vec![contender("Strait", move || blocked(time))],
        rows: vec![Row {
            label: "reader blocked, writer alive and silent",
            ours: 0,
            reference: None,
            target: Target::ValueBelow(0.5),
        }],
    }
}

fn blocked(time: Duration) -> Outcome<f64> {
    let name = child::unique_name("blocked");
    let mut reader = buffers::create(&name, 64 << 10, None)?;
    let mut child = Child::start(WRITER, &[name])?;
    let len = reader.recv()?.len();
    let (cpu, start) = (strait::cpu_time(), Instant::now());
    match reader.recv_timeout(time) {
        Err(RecvError::Timeout { .. }) => {}
        outcome => return Err(format!("waited for nothing after {len} bytes, got {outcome:?}").into()),
    }
    let (cpu, elapsed) = (strait::cpu_time() - cpu, start.elapsed());
    child.go()?;
    child.finish()?;
    Ok(100.0 * cpu.as_secs_f64() / elapsed.as_secs_f64())
}

pub(crate) fn silent_writer(args: &[String]) -> Outcome<()> {
    child::settle()?;
    let mut writer = buffers::connect(&argument::<String>(args, 0)?, None)?;
    writer.send(b"here")?;
    child::report_ready()
}
