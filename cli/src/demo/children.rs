//! How three processes are started, awaited, and stopped if one of them fails.

use core::time::Duration;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use strait::zerobuffer::Reader;

use super::meter::StageReport;
use super::plan::Plan;
use super::stage::{self, Outcome, Role};
use crate::exit::Failure;
use crate::process::{detach, program, spawn};

/// How long a stage that only suffered from another's end waits for that other's own account.
const GRACE: Duration = Duration::from_secs(1);

/// Readers first: they create the buffers.
const ORDER: [Role; 3] = [Role::Reader, Role::Relay, Role::Writer];

/// The three processes of one phase. Dropping it stops those that still run, and removes what they leave.
#[derive(Debug)]
pub(crate) struct Chain {
    stages: Vec<Running>,
    ended: Receiver<(Role, Output)>,
    buffers: [String; 2],
}

#[derive(Debug)]
struct Running {
    role: Role,
    // Holds the pipe that tells the child that this process lives.
    child: Child,
    done: bool,
}

/// All that a child said.
#[derive(Debug)]
struct Output {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

/// What the three stages did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reports {
    pub(crate) writer: StageReport,
    pub(crate) relay: StageReport,
    pub(crate) reader: StageReport,
}

impl Chain {
    /// Starts the three processes.
    ///
    /// # Errors
    /// This program cannot be started again.
    pub(crate) fn start(file: &Path, plan: &Plan) -> Result<Self, Failure> {
        let failure =
            |error| Failure::connect(format_args!("the demo's processes cannot be started: {error}"));
        let program = program().map_err(failure)?;
        let pid = std::process::id();
        let buffers = ["a", "b"].map(|ring| format!("strait-demo-{pid}-{ring}"));
        let (sender, ended) = mpsc::channel();
        let mut chain = Self { stages: Vec::new(), ended, buffers };
        for role in ORDER {
            let mut command = Command::new(&program);
            detach(&mut command);
            command.args(stage::arguments(role, &chain.buffers, file, plan));
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = spawn(&mut command).map_err(failure)?;
            listen(role, &mut child, sender.clone());
            chain.stages.push(Running { role, child, done: false });
        }
        Ok(chain)
    }

    /// Waits until all three are done.
    ///
    /// # Errors
    /// The first stage's that failed, or rather that of the one which made it fail.
    pub(crate) fn wait(mut self) -> Result<Reports, Failure> {
        let [mut writer, mut relay, mut reader] = [None, None, None];
        for _ in ORDER {
            let Ok((role, output)) = self.ended.recv() else { break };
            match self.outcome(role, &output) {
                Ok(report) => match role {
                    Role::Writer => writer = Some(report),
                    Role::Relay => relay = Some(report),
                    Role::Reader => reader = Some(report),
                },
                Err(failed) => return Err(self.cause(failed)),
            }
        }
        match (writer, relay, reader) {
            (Some(writer), Some(relay), Some(reader)) => Ok(Reports { writer, relay, reader }),
            _ => Err(Failure::read("a stage ended without a word")),
        }
    }

    /// The failure to report: the first one that no other stage explains.
    fn cause(&mut self, first: StageFailure) -> Failure {
        let mut failed = first;
        while failed.is_consequence {
            let Ok((role, output)) = self.ended.recv_timeout(GRACE) else { break };
            match self.outcome(role, &output) {
                Err(other) if !other.is_consequence => failed = other,
                _ => {}
            }
        }
        failed.failure
    }

    /// What became of a stage whose output has ended.
    fn outcome(&mut self, role: Role, output: &Output) -> Result<StageReport, StageFailure> {
        let running = self.stages.iter_mut().find(|running| running.role == role);
        let status = running.map(|running| {
            let status = running.child.wait();
            running.done = status.is_ok();
            status
        });
        let name = role.name();
        match serde_json::from_slice(&output.stdout) {
            Ok(Outcome::Done(report)) => Ok(report),
            Ok(Outcome::Failed { code, message, is_consequence }) => Err(StageFailure {
                failure: Failure::new(code, format_args!("{name}: {message}")),
                is_consequence,
            }),
            Err(_) => {
                let status = match status {
                    Some(Ok(status)) => status.to_string(),
                    Some(Err(error)) => error.to_string(),
                    None => "unknown".to_owned(),
                };
                let said = String::from_utf8_lossy(&output.stderr);
                let said = if said.trim().is_empty() { "nothing on standard error" } else { said.trim() };
                let failure = match role {
                    Role::Writer => Failure::write,
                    Role::Relay | Role::Reader => Failure::read,
                };
                let failure = failure(format_args!("{name}: its process ended early ({status}): {said}"));
                Err(StageFailure { failure, is_consequence: false })
            }
        }
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        let mut killed = false;
        for running in self.stages.iter_mut().filter(|running| !running.done) {
            // Both fail only if the process has ended by itself.
            let _ = running.child.kill();
            let _ = running.child.wait();
            killed = true;
        }
        if killed || self.stages.len() < ORDER.len() {
            self.buffers.iter().for_each(|buffer| remove(buffer));
        }
    }
}

/// Removes what a killed reader left: as the next reader of that name, with the smallest buffer, gone at once.
fn remove(buffer: &str) {
    // An error means that there is nothing to remove or that it is another's.
    drop(Reader::builder(buffer).metadata_capacity(0).payload_capacity(64).create());
}

#[derive(Debug)]
struct StageFailure {
    failure: Failure,
    is_consequence: bool,
}

/// Reads all that the child says, so that it never waits for a full pipe, and passes it on when it has ended.
fn listen(role: Role, child: &mut Child, sender: Sender<(Role, Output)>) {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    thread::spawn(move || {
        let stderr = thread::spawn(move || read_all(stderr));
        let stdout = read_all(stdout);
        let stderr = stderr.join().unwrap_or_default();
        // Nobody listens any more if another stage has failed.
        let _ = sender.send((role, Output { stdout, stderr }));
    });
}

fn read_all(pipe: Option<impl Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        // What came before an error is all there is to know.
        let _ = pipe.read_to_end(&mut bytes);
    }
    bytes
}
