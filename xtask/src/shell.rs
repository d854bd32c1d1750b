//! How a check runs a program: printed first, and a failure is never passed over.

use std::ffi::OsString;
use std::fmt;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Why a check failed, in one sentence.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The workspace's folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a folder of the workspace")
}

/// The folder for everything built, whatever builds it.
pub(crate) fn target() -> PathBuf {
    root().join("target")
}

/// A program of `PATH`, run in the workspace's folder.
pub(crate) fn program(name: &str) -> Command {
    let mut command = Command::new(name);
    command.current_dir(root());
    // `cargo xtask` is itself run by cargo, whose words for xtask must not reach the next cargo.
    for (key, _) in std::env::vars_os() {
        let text = key.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST") || text == "CARGO_BIN_NAME" {
            command.env_remove(&key);
        }
    }
    command
}

/// Cargo, by default the one of the tool chain in use.
pub(crate) fn cargo() -> Command {
    program("cargo")
}

/// Prints and runs `command`.
///
/// # Errors
/// It cannot be started, or it fails.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    announce(command);
    let status = command.stdin(Stdio::null()).status().map_err(|error| missing(command, &error))?;
    if status.success() { Ok(()) } else { Err(Failure::new(format!("{status}: {}", text_of(command)))) }
}

/// Prints and runs `command`; its standard output is both printed and returned.
///
/// # Errors
/// As [`run`].
pub(crate) fn run_and_read(command: &mut Command) -> Result<String, Failure> {
    announce(command);
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child = child.map_err(|error| missing(command, &error))?;
    let mut output = String::new();
    let pipe = child.stdout.take().expect("standard output is piped: asked for above");
    for line in BufReader::new(pipe).lines() {
        let line = line.map_err(|error| Failure::new(format!("output of {}: {error}", text_of(command))))?;
        println!("{line}");
        output.push_str(&line);
        output.push('\n');
    }
    let status = child.wait().map_err(|error| missing(command, &error))?;
    if status.success() { Ok(output) } else { Err(Failure::new(format!("{status}: {}", text_of(command)))) }
}

/// Runs `command` unseen and returns its standard output, or `None` if it fails or is not there.
pub(crate) fn ask(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// `PATH` with `first` before everything else.
///
/// # Errors
/// `PATH` cannot be put together.
pub(crate) fn path_with(first: &str) -> Result<OsString, Failure> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let parts = core::iter::once(PathBuf::from(first)).chain(std::env::split_paths(&path));
    std::env::join_paths(parts).map_err(|error| Failure::new(format!("PATH: {error}")))
}

fn announce(command: &Command) {
    println!("$ {}", text_of(command));
}

fn missing(command: &Command, error: &std::io::Error) -> Failure {
    Failure::new(format!("{} cannot be run: {error}", command.get_program().to_string_lossy()))
}

/// What one would type: the variables that were set, the program, its arguments.
fn text_of(command: &Command) -> String {
    let mut text = String::new();
    for (key, value) in command.get_envs() {
        if let Some(value) = value.filter(|_| key != "PATH") {
            text.push_str(&format!("{}={:?} ", key.to_string_lossy(), value.to_string_lossy()));
        }
    }
    text.push_str(&command.get_program().to_string_lossy());
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text.replace(&format!("{}/", root().display()), "")
}
