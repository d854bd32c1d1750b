//! A real process to kill: the peer program, which waits for lines at its input.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use strait_core::name::Name;
use strait_core::platform::Pid;

use crate::system::Process;

/// A running peer program. Dropping it kills and reaps it.
pub(crate) struct Real {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Real {
    pub(crate) fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_strait-test-peer"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the peer program starts");
        let input = child.stdin.take().expect("stdin is piped");
        let output = BufReader::new(child.stdout.take().expect("stdout is piped"));
        Self { child, input, output }
    }

    /// Gives a command that must succeed.
    #[track_caller]
    fn ok(&mut self, command: &str) {
        writeln!(self.input, "{command}").and_then(|()| self.input.flush()).expect("the peer reads commands");
        let mut answer = String::new();
        self.output.read_line(&mut answer).expect("the peer answers in UTF-8");
        assert!(answer.starts_with("ok"), "{command}: {answer:?}");
    }
}

impl Process for Real {
    fn pid(&self) -> Pid {
        Pid(u64::from(self.child.id()))
    }

    fn create(&mut self, name: &Name, payload: u64) {
        self.ok(&format!("create {name} 64 {payload}"));
    }

    fn connect(&mut self, name: &Name) {
        self.ok(&format!("connect {name}"));
    }

    fn send(&mut self, len: usize, count: u64) {
        self.ok(&format!("send {len} {count}"));
    }

    fn kill(&mut self) {
        self.child.kill().expect("the peer can be killed");
    }

    fn reap(&mut self) {
        self.child.wait().expect("the peer can be reaped");
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        // Both fail when it has been reaped already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
