//! How a shell's command answers a request: by what it writes, unless it fails.

use std::io::{self, Read, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use crate::interrupt::{Interrupt, SLICE};

/// More than this many bytes are no response: 1 GiB.
const MOST_OUTPUT: u64 = 1 << 30;
/// Bytes of standard error in a failure.
const TAIL: usize = 2048;

/// A command that is run once per request.
#[derive(Clone, Debug)]
pub(crate) struct ShellCommand {
    line: String,
    interrupt: Interrupt,
}

/// What was read of a running command, once it has closed it.
enum Part {
    Output(io::Result<Vec<u8>>),
    Errors(String),
}

/// A command that does not outlive its request.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Both do nothing if it has ended and was waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl ShellCommand {
    /// The command `line`; what runs is killed at an interrupt.
    pub(crate) fn new(line: &str, interrupt: &Interrupt) -> Self {
        Self { line: line.to_owned(), interrupt: interrupt.clone() }
    }

    /// Runs it with `request` on its standard input; returns its standard output.
    ///
    /// # Errors
    /// A sentence, with the exit status and the end of standard error: it failed, or wrote nothing.
    pub(crate) fn answer(&self, request: &[u8]) -> Result<Vec<u8>, String> {
        let mut command = shell(&self.line);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().map_err(|error| format!("the shell cannot be started: {error}"))?;
        let mut running = Running(child);
        let (output, errors) = self.talk(&mut running.0, request)?;
        let output = output.map_err(|error| format!("the command's output cannot be read: {error}"))?;
        if output.len() as u64 > MOST_OUTPUT {
            return Err(format!("the command wrote more than {MOST_OUTPUT} bytes"));
        }
        let status = self.end(&mut running.0)?;
        match (status.success(), output.is_empty()) {
            (true, false) => Ok(output),
            (true, true) => Err(format!("the command wrote nothing ({status}){errors}")),
            (false, _) => Err(format!("the command failed ({status}){errors}")),
        }
    }

    /// Writes and reads on threads of their own: a command may write before it has read all, or instead, and more than a
    /// pipe holds.
    fn talk(&self, child: &mut Child, request: &[u8]) -> Result<(io::Result<Vec<u8>>, String), String> {
        let (tell, told) = channel();
        if let Some(mut stdin) = child.stdin.take() {
            let request = request.to_vec();
            // It need not read what it is given. Whether it should have is told by its exit status.
            start(move || drop(stdin.write_all(&request)))?;
        }
        if let Some(stdout) = child.stdout.take() {
            let tell: Sender<Part> = tell.clone();
            start(move || {
                let mut bytes = Vec::new();
                let read = stdout.take(MOST_OUTPUT + 1).read_to_end(&mut bytes);
                // Nobody listens any more after an interrupt.
                drop(tell.send(Part::Output(read.map(|_| bytes))));
            })?;
        }
        if let Some(stderr) = child.stderr.take() {
            start(move || drop(tell.send(Part::Errors(tail(stderr)))))?;
        }
        let (mut output, mut errors) = (None, None);
        loop {
            match told.recv_timeout(SLICE) {
                Ok(Part::Output(read)) => {
                    let too_much = read.as_ref().is_ok_and(|read| read.len() as u64 > MOST_OUTPUT);
                    output = Some(read);
                    if too_much {
                        // It has not ended, so neither has its standard error.
                        errors.get_or_insert_default();
                    }
                }
                Ok(Part::Errors(tail)) => errors = Some(tail),
                Err(RecvTimeoutError::Timeout) => self.go_on()?,
                Err(RecvTimeoutError::Disconnected) => return Err("the command cannot be read".to_owned()),
            }
            match (output.take(), errors.take()) {
                (Some(output), Some(errors)) => return Ok((output, errors)),
                parts => (output, errors) = parts,
            }
        }
    }

    /// Waits for its end, which comes just after that of its output as a rule.
    fn end(&self, child: &mut Child) -> Result<ExitStatus, String> {
        let mut pause = Duration::from_micros(50);
        loop {
            match child.try_wait() {
                Ok(Some(status)) => return Ok(status),
                Ok(None) => self.go_on()?,
                Err(error) => return Err(format!("the command's exit status cannot be read: {error}")),
            }
            thread::sleep(pause);
            pause = (2 * pause).min(Duration::from_millis(10));
        }
    }

    fn go_on(&self) -> Result<(), String> {
        if self.interrupt.is_set() {
            return Err("the server was interrupted, and the command killed".to_owned());
        }
        Ok(())
    }
}

fn start(work: impl FnOnce() + Send + 'static) -> Result<(), String> {
    let started = thread::Builder::new().name("exec".to_owned()).spawn(work);
    started.map(drop).map_err(|error| format!("no thread for the command: {error}"))
}

#[cfg(not(windows))]
fn shell(line: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", line]);
    command
}

#[cfg(windows)]
fn shell(line: &str) -> Command {
    use std::os::windows::process::CommandExt as _;
    let mut command = Command::new("cmd");
    // It takes the rest of the line as it is, and knows nothing of the quotes that arguments get.
    command.arg("/C").raw_arg(line);
    command
}

/// The last bytes, as the end of a sentence.
fn tail(mut from: impl Read) -> String {
    let (mut kept, mut cut, mut block) = (Vec::new(), false, [0; TAIL]);
    loop {
        match from.read(&mut block) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // What came before an error is all there is.
            Ok(0) | Err(_) => break,
            Ok(len) => {
                kept.extend_from_slice(block.get(..len).unwrap_or_default());
                let excess = kept.len().saturating_sub(TAIL);
                cut |= excess > 0;
                kept.drain(..excess);
            }
        }
    }
    let text = String::from_utf8_lossy(&kept);
    match (text.trim(), cut) {
        ("", _) => String::new(),
        (text, false) => format!(", standard error: {text}"),
        (text, true) => format!(", end of standard error: {text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_standard_error_the_end_is_kept() {
        assert_eq!(tail(&b""[..]), "");
        assert_eq!(tail(&b" \r\n"[..]), "");
        assert_eq!(tail(&b"no such file\n"[..]), ", standard error: no such file");
        let long = [vec![b'a'; 10_000], vec![b'b'; TAIL]].concat();
        assert_eq!(tail(&long[..]), format!(", end of standard error: {}", "b".repeat(TAIL)));
    }
}
