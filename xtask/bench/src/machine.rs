//! Where and of what were the figures taken?

use std::process::Command;

use crate::args::Args;

/// One line each: the machine, the command, the sources.
#[derive(Debug)]
pub struct Machine {
    /// Processor and system.
    pub hardware: String,
    /// What was typed.
    pub command: String,
    /// Runs of each contender.
    pub repetitions: usize,
    /// The sources.
    pub commit: String,
}

/// Describes machine and run of the benchmark `program`.
pub fn describe(program: &str, args: &Args) -> Machine {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = cpus.lines().find(|line| line.starts_with(name))?;
        line.split_once(':').map(|(_, value)| value.trim().to_owned())
    };
    let model = field("model name").unwrap_or_else(|| "unknown processor".to_owned());
    let family = field("cpu family").zip(field("model")).zip(field("stepping"));
    let family = family.map(|((family, model), stepping)| format!(" ({family}/{model}/{stepping})"));
    let cores = cpus.lines().filter(|line| line.starts_with("processor")).count();
    let system = rustix::system::uname();
    let (kernel, release) = (system.sysname().to_string_lossy(), system.release().to_string_lossy());
    Machine {
        hardware: format!("{model}{}, {cores} cores, {kernel} {release}", family.unwrap_or_default()),
        command: format!("{program} {}", args.line).trim_end().to_owned(),
        repetitions: args.repetitions,
        commit: commit(),
    }
}

fn commit() -> String {
    let git = |args: &[&str]| {
        let output =
            Command::new("git").arg("-C").arg(env!("CARGO_MANIFEST_DIR")).args(args).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(hash) = git(&["rev-parse", "--short", "HEAD"]) else { return "unknown".to_owned() };
    let changed = git(&["status", "--porcelain"]).is_some_and(|changes| !changes.is_empty());
    if changed { format!("{hash} with changes") } else { hash }
}
