//! The other process: started, told what to do line by line, and killed through its own handle.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;

/// A running `strait-test-peer`. Dropping it kills and reaps it.
#[derive(Debug)]
pub struct Peer {
    pub(crate) child: Child,
    input: ChildStdin,
    /// A thread reads them, so that one can ask whether there is an answer without waiting for it.
    answers: Receiver<io::Result<String>>,
}

impl Peer {
    /// Starts `command`, which runs the peer program, possibly through other programs that end in `exec`.
    pub fn start(command: &mut Command) -> Self {
        let child = spawn(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
        let mut child = child.unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let input = child.stdin.take().expect("stdin is piped");
        let answers = listen(child.stdout.take().expect("stdout is piped"));
        Self { child, input, answers }
    }

    /// Its number.
    pub fn pid(&self) -> u64 {
        u64::from(self.child.id())
    }

    /// Gives a command and does not wait for the answer.
    pub fn tell(&mut self, command: &str) {
        writeln!(self.input, "{command}").and_then(|()| self.input.flush()).expect("the peer reads commands");
    }

    /// The next answer. Panics if the peer ended without one, as it does when it is killed.
    #[track_caller]
    pub fn answer(&mut self) -> String {
        let Ok(line) = self.answers.recv() else {
            let status = self.child.wait().expect("the peer can be reaped");
            panic!("the peer ended without an answer: {status}");
        };
        line.expect("the peer answers in UTF-8").trim_end().to_owned()
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

    /// What comes after "ok" in the next answer, if there is one by now; it must be a success.
    #[track_caller]
    pub fn answer_by_now(&mut self) -> Option<String> {
        let answer = self.answers.try_recv().ok()?.expect("the peer answers in UTF-8");
        let rest = answer.strip_prefix("ok").unwrap_or_else(|| panic!("the peer failed: {answer}"));
        Some(rest.trim().to_owned())
    }

    /// Panics if it has answered, or ended, by now.
    #[track_caller]
    pub fn expect_no_answer(&self) {
        match self.answers.try_recv() {
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => panic!("the peer ended instead of waiting"),
            Ok(answer) => panic!("the peer answers instead of waiting: {answer:?}"),
        }
    }

    /// Kills it as `kill -9` and `TerminateProcess` do, and reaps it, so that it is gone for sure; returns its number.
    pub fn kill(mut self) -> u64 {
        let pid = self.pid();
        self.child.kill().expect("the peer can be killed");
        self.child.wait().expect("the peer can be reaped");
        pid
    }

    /// The same; returns what it had answered before, as far as it was not asked for.
    pub fn kill_and_listen(mut self) -> Vec<String> {
        self.child.kill().expect("the peer can be killed");
        self.child.wait().expect("the peer can be reaped");
        // The pipe ends with the process.
        self.answers.iter().map_while(Result::ok).collect()
    }

    /// Kills and reaps it as [`kill`](Self::kill) does, and keeps its pipes: what it has forked goes on. Returns its number.
    pub fn kill_alone(&mut self) -> u64 {
        self.child.kill().expect("the peer can be killed");
        self.child.wait().expect("the peer can be reaped");
        self.pid()
    }

    /// Gives a command by which it ends, however that is; returns its number.
    pub fn end_by(mut self, command: &str) -> u64 {
        self.tell(command);
        self.child.wait().expect("the peer can be reaped");
        self.pid()
    }

    /// Lets it end in order; returns how it ended.
    pub fn exit(mut self) -> ExitStatus {
        self.tell("exit");
        self.child.wait().expect("the peer can be reaped")
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Both fail when it has been reaped already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a process. Wine 8 fails to start about one in a thousand, with an internal error, and starts it when it is
/// asked again.
fn spawn(command: &mut Command) -> io::Result<Child> {
    /// Windows' number of it.
    const ERROR_INTERNAL_ERROR: i32 = 1359;
    for _ in 0..4 {
        match command.spawn() {
            Err(error) if cfg!(windows) && error.raw_os_error() == Some(ERROR_INTERNAL_ERROR) => {}
            outcome => return outcome,
        }
    }
    command.spawn()
}

/// Reads answers until there are no more.
fn listen(output: ChildStdout) -> Receiver<io::Result<String>> {
    let (sender, answers) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines() {
            // A test that has ended wants no answers.
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    answers
}
