//! How the second process is started, pinned, spoken to and ended.
//!
//! Parent and child agree by lines over the child's standard input and output: the child says that it is ready, the
//! parent says go. A child that is dropped before it finished is killed; one whose parent dies is killed by the kernel.

use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use rustix::process::Signal;
use rustix::thread::CpuSet;

use crate::Outcome;

/// Argument that makes the program a child; the role's name and arguments follow.
pub const ROLE: &str = "--role";
/// Where the parent runs.
pub const PARENT_CPU: usize = 0;
/// Where the other side runs, process or thread.
pub const CHILD_CPU: usize = 1;
/// Longest that anybody spins for the other side.
const PATIENCE: Duration = Duration::from_secs(20);
/// How every name begins that a benchmark gives.
pub const PREFIX: &str = "strait-bench-";

/// A process that plays a role.
#[derive(Debug)]
pub struct Child {
    process: std::process::Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    finished: bool,
}

impl Child {
    /// Starts this program in a role; returns once it says that it is ready.
    pub fn start(role: &str, args: &[String]) -> Outcome<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(ROLE).arg(role).args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn()?;
        let input = process.stdin.take().ok_or("no standard input")?;
        let output = BufReader::new(process.stdout.take().ok_or("no standard output")?);
        let mut child = Self { process, input, output, finished: false };
        child.await_line("ready")?;
        Ok(child)
    }

    /// Lets it begin, or go on.
    pub fn go(&mut self) -> Outcome<()> {
        Ok(self.input.write_all(b"go\n")?)
    }

    /// Waits for its end; an error unless it succeeded.
    pub fn finish(mut self) -> Outcome<()> {
        let status = self.process.wait()?;
        self.finished = true;
        if status.success() { Ok(()) } else { Err(format!("the child ended with {status}").into()) }
    }

    /// The next line that it says.
    pub fn line(&mut self) -> Outcome<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        line.truncate(line.trim_end().len());
        Ok(line)
    }

    fn await_line(&mut self, wanted: &str) -> Outcome<()> {
        let line = self.line()?;
        if line == wanted { Ok(()) } else { Err(format!("the child said {line:?}, not {wanted}").into()) }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.finished {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}

/// Runs a role in a fresh process and returns the figure that it [reports](report_figure).
pub fn figure_of(role: &str, args: &[String]) -> Outcome<f64> {
    figures_of(role, args)?.first().copied().ok_or_else(|| "the child said nothing".into())
}

/// Runs a role in a fresh process and returns the figures that it [reports](report_figures).
pub fn figures_of(role: &str, args: &[String]) -> Outcome<Vec<f64>> {
    let mut child = Child::start(role, args)?;
    child.go()?;
    let line = child.line()?;
    child.finish()?;
    let figures: Result<_, _> = line.split_whitespace().map(str::parse).collect();
    figures.map_err(|_| format!("the child said {line:?}, not figures").into())
}

/// What a child says that was asked for a figure.
pub fn report_figure(figure: f64) {
    report_figures(&[figure]);
}

/// What a child says that was asked for several figures.
pub fn report_figures(figures: &[f64]) {
    let figures: Vec<String> = figures.iter().map(f64::to_string).collect();
    println!("{}", figures.join(" "));
}

/// First thing in every role: dies with the parent, and runs where the parent does not.
pub fn settle() -> Outcome<()> {
    settle_on(CHILD_CPU)
}

/// First thing in every role: dies with the parent, and runs on this processor.
pub fn settle_on(cpu: usize) -> Outcome<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    pin(cpu)
}

/// Tells the parent that everything is in place, then waits for its word.
pub fn report_ready() -> Outcome<()> {
    println!("ready");
    await_go()
}

/// Waits for the parent's word, without using the processor.
pub fn await_go() -> Outcome<()> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    if line.trim_end() == "go" { Ok(()) } else { Err(format!("the parent said {line:?}").into()) }
}

/// Binds the calling thread to one processor.
pub fn pin(cpu: usize) -> Outcome<()> {
    let mut set = CpuSet::new();
    set.set(cpu);
    rustix::thread::sched_setaffinity(None, &set)
        .map_err(|errno| format!("cannot run on processor {cpu}, two are needed: {errno}").into())
}

/// Runs before ordinary processes, as far as this user may: children inherit it.
pub fn take_precedence() {
    let _ = rustix::process::setpriority_process(None, -20);
}

/// A buffer name that nobody else uses.
pub fn unique_name(what: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Relaxed: only counts.
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{PREFIX}{}-{number}-{what}", std::process::id())
}

/// Spins until `ready`, with the processor's hint between looks.
///
/// # Errors
/// After 20 s: the other side is gone.
pub fn spin_until(mut ready: impl FnMut() -> bool) -> Outcome<()> {
    for _ in 0..1 << 16 {
        if ready() {
            return Ok(());
        }
        core::hint::spin_loop();
    }
    let start = Instant::now();
    while !ready() {
        if start.elapsed() > PATIENCE {
            return Err("the other side does not answer".into());
        }
    }
    Ok(())
}

/// The argument at `index`, parsed.
pub fn argument<T: core::str::FromStr>(args: &[String], index: usize) -> Outcome<T> {
    let text = args.get(index).ok_or_else(|| format!("argument {index} is missing"))?;
    text.parse().map_err(|_| format!("argument {index} is {text:?}").into())
}
