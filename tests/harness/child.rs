//! The other process: started, told what to do line by line, and killed through its own handle.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};

use crate::{objects, wait_until};

/// A running `strait-test-peer`. Dropping it kills and reaps it.
#[derive(Debug)]
pub struct Peer {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts `command`, which runs the peer program, possibly through other programs that end in `exec`.
    pub fn start(command: &mut Command) -> Self {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let input = child.stdin.take().expect("stdin is piped");
        let output = BufReader::new(child.stdout.take().expect("stdout is piped"));
        Self { child, input, output }
    }

    /// Its number.
    pub fn pid(&self) -> u64 {
        u64::from(self.child.id())
    }

    /// Gives a command and does not wait for the answer.
    pub fn tell(&mut self, command: &str) {
        writeln!(self.input, "{command}").and_then(|()| self.input.flush()).expect("the peer reads commands");
    }

    /// The next answer. Panics if the peer ended without one, as it does when a signal kills it.
    #[track_caller]
    pub fn answer(&mut self) -> String {
        let mut line = String::new();
        let read = self.output.read_line(&mut line).expect("the peer answers in UTF-8");
        if read == 0 {
            let status = self.child.wait().expect("the peer can be reaped");
            panic!("the peer ended without an answer: {status}");
        }
        line.trim_end().to_owned()
    }

    /// Gives a command and returns what it answers.
    #[track_caller]
    pub fn ask(&mut self, command: &str) -> String {
        self.tell(command);
        self.answer()
    }

    /// Gives a command that must succeed; returns what comes after "ok".
    #[track_caller]
    pub fn ok(&mut self, command: &str) -> String {
        self.tell(command);
        self.answer_ok()
    }

    /// The next answer, which must be a success.
    #[track_caller]
    pub fn answer_ok(&mut self) -> String {
        let answer = self.answer();
        let rest = answer.strip_prefix("ok").unwrap_or_else(|| panic!("the peer failed: {answer}"));
        rest.trim_start().to_owned()
    }

    /// Gives a command that must fail; returns the error: its variant, a colon, its message.
    #[track_caller]
    pub fn err(&mut self, command: &str) -> String {
        self.tell(command);
        self.answer_err()
    }

    /// The next answer, which must be an error.
    #[track_caller]
    pub fn answer_err(&mut self) -> String {
        let answer = self.answer();
        let rest = answer.strip_prefix("err ").unwrap_or_else(|| panic!("the peer succeeded: {answer}"));
        rest.to_owned()
    }

    /// Kills it as `kill -9` does, and reaps it; returns its number.
    pub fn kill(mut self) -> u64 {
        let pid = self.pid();
        self.child.kill().expect("the peer can be killed");
        self.child.wait().expect("the peer can be reaped");
        pid
    }

    /// Lets it end in order; returns how it ended.
    pub fn exit(mut self) -> ExitStatus {
        self.tell("exit");
        self.child.wait().expect("the peer can be reaped")
    }

    /// Waits until it sleeps at `semaphore`. It may wake the next moment, to look whether the other end lives. Panics
    /// if it answers, or ends, instead.
    #[track_caller]
    pub fn wait_until_asleep(&mut self, semaphore: &Path) {
        while objects::waiters(semaphore) == 0 {
            if self.has_answered() {
                panic!("the peer answers instead of sleeping: {}", self.answer());
            }
            std::thread::yield_now();
        }
    }

    /// Whether an answer, or the end of all answers, can be read.
    fn has_answered(&self) -> bool {
        let mut fds = [PollFd::new(self.output.get_ref(), PollFlags::IN)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        !self.output.buffer().is_empty() || poll(&mut fds, Some(&now)).is_ok_and(|ready| ready > 0)
    }

    /// Stops it while it sleeps at `semaphore`, where it touches nothing but the semaphore.
    #[track_caller]
    pub fn stop_while_asleep(&mut self, semaphore: &Path) {
        loop {
            self.wait_until_asleep(semaphore);
            self.signal(Signal::STOP);
            wait_until(|| self.state() == 'T');
            if objects::waiters(semaphore) > 0 {
                return;
            }
            self.resume();
        }
    }

    /// Lets it go on after a stop.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("the peer takes signals");
    }

    /// State letter of /proc/PID/stat, behind the program's name in parentheses.
    fn state(&self) -> char {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).expect("the peer runs");
        let (_, rest) = stat.rsplit_once(") ").expect("a name in parentheses");
        rest.chars().next().expect("a state")
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Both fail when it has been reaped already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
