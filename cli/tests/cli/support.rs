//! Child processes that cannot outlive their test, and buffer names that no other test has.

use core::sync::atomic::{AtomicU32, Ordering};
use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};

/// Milliseconds that nothing takes on any machine: a test that fails for another reason still ends.
pub(crate) const LONG: &str = "60000";

/// A buffer name; when it goes nothing of the buffer may be left.
pub(crate) struct Name(String);

impl Name {
    pub(crate) fn new(what: &str) -> Self {
        Self(unique(what))
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn segment(&self) -> PathBuf {
        Path::new("/dev/shm").join(&self.0)
    }

    /// Segment, semaphores and locks.
    #[cfg(target_os = "linux")]
    fn left(&self) -> Vec<String> {
        let Self(name) = self;
        let objects = [
            self.segment(),
            format!("/dev/shm/sem.sem-w-{name}").into(),
            format!("/dev/shm/sem.sem-r-{name}").into(),
            format!("/tmp/zerobuffer/{name}.lock").into(),
        ];
        objects.iter().filter(|object| object.exists()).map(|object| object.display().to_string()).collect()
    }

    /// What of the buffer can still be opened. Elsewhere its objects go with the last process that holds them.
    #[cfg(not(target_os = "linux"))]
    fn left(&self) -> Vec<String> {
        use strait::zerobuffer::{ConnectError, inspect};
        match inspect(self, 0) {
            Err(ConnectError::BufferNotFound { .. }) => Vec::new(),
            found => vec![format!("{found:?}")],
        }
    }
}

impl core::ops::Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let left = self.left();
            assert!(left.is_empty(), "left behind: {left:?}");
        }
    }
}

/// A channel's name; when it goes nothing of its two buffers may be left.
pub(crate) struct ChannelName {
    name: String,
    pub(crate) requests: Name,
    _responses: Name,
}

impl ChannelName {
    pub(crate) fn new(what: &str) -> Self {
        let name = unique(what);
        let (requests, responses) = (format!("{name}_request"), format!("{name}_response"));
        Self { name, requests: Name(requests), _responses: Name(responses) }
    }
}

impl core::ops::Deref for ChannelName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.name
    }
}

/// A folder that goes with its test, and all that is in it.
pub(crate) struct TempFolder(PathBuf);

impl TempFolder {
    pub(crate) fn new(what: &str) -> Self {
        let folder = std::env::temp_dir().join(unique(what));
        std::fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    /// A path in it, which need not exist.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }

    /// Names of all that is in it, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A file that goes with its test.
pub(crate) struct TempFile(PathBuf);

impl TempFile {
    pub(crate) fn new(what: &str) -> Self {
        Self(std::env::temp_dir().join(unique(what)))
    }

    pub(crate) fn with(what: &str, bytes: &[u8]) -> Self {
        let file = Self::new(what);
        std::fs::write(&file.0, bytes).unwrap();
        file
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        std::fs::read(&self.0).unwrap()
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn unique(what: &str) -> String {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    // Relaxed: a number, nothing ordered by it.
    format!("cli-{what}-{}-{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed))
}

/// How a run ended, and all it said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Ended {
    #[track_caller]
    pub(crate) fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}{}", String::from_utf8_lossy(&self.stdout), self.stderr);
        self
    }

    pub(crate) fn text(&self) -> &str {
        core::str::from_utf8(&self.stdout).unwrap()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.stdout).expect(&self.stderr)
    }
}

/// A running `strait`, killed if its test ends first.
pub(crate) struct Running(Child);

/// Starts `strait` with `args`.
pub(crate) fn start<S: AsRef<OsStr>>(args: &[S]) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_strait"));
    command.args(args);
    start_by(&mut command)
}

/// Starts `strait` with `args`, after what a shell is told to do first.
#[cfg(target_os = "linux")]
pub(crate) fn start_after<S: AsRef<OsStr>>(first: &str, args: &[S]) -> Running {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{first}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_strait")]).args(args);
    start_by(&mut command)
}

/// Starts it by a command of one's own.
pub(crate) fn start_by(command: &mut Command) -> Running {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // Wine 8 fails to start about one in a thousand, with this error, and starts it when it is asked again.
    let again = |error: &std::io::Error| cfg!(windows) && error.raw_os_error() == Some(1359);
    let child = command.spawn().or_else(|error| if again(&error) { command.spawn() } else { Err(error) });
    Running(child.unwrap())
}

/// Runs `strait` with `args` and an empty standard input.
pub(crate) fn run<S: AsRef<OsStr>>(args: &[S]) -> Ended {
    start(args).end()
}

impl Running {
    #[cfg(target_os = "linux")]
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn stdin(&mut self) -> ChildStdin {
        self.0.stdin.take().unwrap()
    }

    pub(crate) fn stdout(&mut self) -> ChildStdout {
        self.0.stdout.take().unwrap()
    }

    /// Waits for the first line on standard error; the rest is lost to [`end`](Self::end).
    pub(crate) fn first_complaint(&mut self) -> (String, BufReader<ChildStderr>) {
        let mut stderr = BufReader::new(self.0.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        (line, stderr)
    }

    /// Waits for the end without reading what is said.
    #[cfg(target_os = "linux")]
    pub(crate) fn wait(&mut self) -> Option<i32> {
        self.0.wait().unwrap().code()
    }

    pub(crate) fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Waits for the end, reading what was not taken.
    pub(crate) fn end(mut self) -> Ended {
        drop(self.0.stdin.take());
        let stdout = self.0.stdout.take();
        let stdout = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            stdout.map(|mut stdout| stdout.read_to_end(&mut bytes).unwrap());
            bytes
        });
        let mut stderr = Vec::new();
        if let Some(mut pipe) = self.0.stderr.take() {
            pipe.read_to_end(&mut stderr).unwrap();
        }
        let stdout = stdout.join().unwrap();
        let code = self.0.wait().unwrap().code();
        Ended { code, stdout, stderr: String::from_utf8(stderr).unwrap() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
