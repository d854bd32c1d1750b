//! How much did other processes disturb a measurement, and is it quiet enough to begin?

use core::time::Duration;
use std::time::Instant;

use crate::Outcome;

/// Share of the processors, 0 to 1, that others may use while a repetition begins.
const QUIET: f64 = 0.05;
/// How long quiet is looked for, and waited for.
const LOOK: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(10);
/// Kernel ticks per second in `/proc`.
const TICKS: f64 = 100.0;

/// A moment, to measure from.
#[derive(Debug)]
pub struct Mark {
    at: Instant,
    /// Ticks that others, or the hypervisor, had used by then.
    foreign: u64,
    processors: f64,
}

impl Mark {
    /// Now.
    pub fn now() -> Outcome<Self> {
        let (busy, processors) = busy_ticks()?;
        Ok(Self { at: Instant::now(), foreign: busy.saturating_sub(own_ticks()?), processors })
    }

    /// Share of all processors, 0 to 1, that others have used since.
    pub fn foreign_share(&self) -> Outcome<f64> {
        let now = Self::now()?;
        #[expect(clippy::cast_precision_loss, reason = "tick counts are far below 2^52")]
        let ticks = now.foreign.saturating_sub(self.foreign) as f64;
        let possible = (now.at - self.at).as_secs_f64() * TICKS * self.processors;
        Ok((ticks / possible).min(1.0))
    }
}

/// Waits until others are quiet, for 10 s at most.
pub fn await_quiet() -> Outcome<()> {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        let mark = Mark::now()?;
        std::thread::sleep(LOOK);
        if mark.foreign_share()? <= QUIET {
            break;
        }
    }
    Ok(())
}

/// Ticks that all processors were not idle, and how many processors there are.
fn busy_ticks() -> Outcome<(u64, f64)> {
    let text = std::fs::read_to_string("/proc/stat")?;
    let line = text.lines().next().ok_or("/proc/stat is empty")?;
    // user nice system idle iowait irq softirq steal
    let fields: Vec<u64> =
        line.split_whitespace().skip(1).take(8).map(str::parse).collect::<Result<_, _>>()?;
    let idle = fields.iter().skip(3).take(2).sum::<u64>();
    let processors = text.lines().skip(1).filter(|line| line.starts_with("cpu")).count();
    Ok((fields.iter().sum::<u64>() - idle, f64::from(u32::try_from(processors)?)))
}

/// Ticks of this process and of its children that have ended.
fn own_ticks() -> Outcome<u64> {
    let text = std::fs::read_to_string("/proc/self/stat")?;
    // After the name: state is field 3, utime stime cutime cstime are 14 to 17.
    let (_, fields) = text.rsplit_once(')').ok_or("/proc/self/stat has no name")?;
    let ticks: Result<Vec<u64>, _> = fields.split_whitespace().skip(11).take(4).map(str::parse).collect();
    Ok(ticks?.iter().sum())
}
