//! Does a command answer requests, however it behaves, and what if an end goes while one runs?

use core::time::Duration;
use std::time::Instant;

use strait::zerobuffer::duplex::Channel;
use strait::zerobuffer::{ConnectError, Writer, inspect};

use crate::duplex::{call, serve, start_call};
use crate::support::{ChannelName, Name, TempFile, run};

const MINUTE: Duration = Duration::from_secs(60);

/// The same command for both kinds of shell.
fn exec(sh: &str, cmd: &str) -> String {
    format!("exec:{}", if cfg!(windows) { cmd } else { sh })
}

/// A command that runs until its test lets it go: a reader of a buffer of its own.
struct Held(Name);

impl Held {
    fn new() -> Self {
        Self(Name::new("held"))
    }

    fn handler(&self) -> String {
        let tool = env!("CARGO_BIN_EXE_strait");
        let rest = format!("reader {} --buffer-size 4096 --timeout-ms 0 --out -", &*self.0);
        // In place of the shell, so that whoever kills the one kills the other.
        exec(&format!("exec '{tool}' {rest}"), &format!("{tool} {rest}"))
    }

    /// Waits until it runs.
    fn wait(&self) -> Writer {
        Writer::builder(&self.0).wait_for_reader(MINUTE).timeout(MINUTE).connect().unwrap()
    }

    /// Waits until it has ended.
    fn wait_for_end(&self) {
        let started = Instant::now();
        while !matches!(inspect(&self.0, 0), Err(ConnectError::BufferNotFound { .. })) {
            assert!(started.elapsed() < MINUTE, "it has not ended");
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_commands_output_is_the_response() {
    let name = ChannelName::new("output");
    let server = serve(&name, &["--handler", "exec:echo done", "-n", "3", "--threads", "2"]);
    for _ in 0..3 {
        assert_eq!(call(&name, &["x"]).expect_code(0).text().trim_end(), "done");
    }
    server.end().expect_code(0);
}

#[test]
fn a_command_that_fails_is_a_failure_response_and_the_server_goes_on() {
    let name = ChannelName::new("fails");
    let handler = exec("echo oops >&2; exit 3", "echo oops 1>&2 & exit 3");
    let server = serve(&name, &["--handler", &handler, "-n", "4", "--json-output"]);
    let ended = call(&name, &["x"]).expect_code(3);
    assert!(ended.stdout.is_empty());
    let stderr = &ended.stderr;
    assert!(stderr.starts_with("strait: request 1 failed at the server: the command failed ("), "{stderr}");
    assert!(stderr.contains(": 3)") && stderr.contains("standard error: oops"), "{stderr}");
    let called = call(&name, &["x", "-n", "3", "--json-output"]).expect_code(3).json();
    assert_eq!([&called["requests"], &called["responses"], &called["failed"]], [3, 3, 3]);
    assert_eq!(called["errors"].as_array().unwrap().len(), 3);
    let served = server.end().expect_code(0).json();
    assert_eq!([&served["clients"], &served["requests"], &served["failed"]], [2, 4, 4]);
    let errors = served["errors"].as_array().unwrap();
    assert!(errors.iter().all(|error| error.as_str().unwrap().contains("oops")), "{served}");
    assert_eq!(errors.len(), 4);
}

#[test]
fn a_failed_request_is_one_line_on_the_servers_standard_error() {
    let name = ChannelName::new("line");
    let handler = exec("printf 'two\\nlines' >&2; exit 1", "echo two 1>&2 & echo lines 1>&2 & exit 1");
    let server = serve(&name, &["--handler", &handler, "-n", "1"]);
    call(&name, &["x"]).expect_code(3);
    let ended = server.end().expect_code(0);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    assert!(ended.stderr.starts_with("strait: request 1 failed: "), "{}", ended.stderr);
    assert!(ended.stderr.contains("two") && ended.stderr.contains("\\nlines"), "{}", ended.stderr);
}

#[test]
fn no_output_is_a_failure_response() {
    let name = ChannelName::new("mute");
    let server = serve(&name, &["--handler", "exec:exit 0", "-n", "1"]);
    let ended = call(&name, &["x"]).expect_code(3);
    assert!(ended.stderr.contains("the command wrote nothing ("), "{}", ended.stderr);
    server.end().expect_code(0);
}

#[test]
fn a_command_may_ignore_its_input_and_write_more_than_a_pipe_holds() {
    let (name, held) = (ChannelName::new("pipes"), Held::new());
    let bytes: Vec<u8> = (0..1u32 << 20).map(|k| (k % 251).to_le_bytes()[0]).collect();
    let file = TempFile::with("mebibyte", &bytes);
    let server = serve(&name, &["--handler", &held.handler(), "-n", "1"]);
    let caller = start_call(&name, &["--file", file.path()]);
    let mut writer = held.wait();
    for chunk in bytes.chunks(2000) {
        writer.send(chunk).unwrap();
    }
    drop(writer);
    let ended = caller.end().expect_code(0);
    assert!(ended.stdout == bytes, "{} bytes", ended.stdout.len());
    server.end().expect_code(0);
}

#[cfg(not(windows))]
#[test]
fn a_command_may_read_and_write_at_once() {
    let name = ChannelName::new("filter");
    let file = TempFile::with("mebibyte", &vec![b'a'; 1 << 20]);
    let server = serve(&name, &["--handler", "exec:tr a-z A-Z", "-n", "1"]);
    let ended = call(&name, &["--file", file.path()]).expect_code(0);
    assert!(ended.stdout == vec![b'A'; 1 << 20], "{} bytes", ended.stdout.len());
    server.end().expect_code(0);
}

#[test]
fn a_second_client_is_refused_while_a_call_waits() {
    let (name, held) = (ChannelName::new("busy"), Held::new());
    let server = serve(&name, &["--handler", &held.handler(), "-n", "1"]);
    let first = start_call(&name, &["x"]);
    let mut writer = held.wait();
    let second = run(&["duplex", "call", &name, "x", "--wait-ms", "0"]).expect_code(1);
    assert!(second.stderr.contains("already has a client"), "{}", second.stderr);
    writer.send(b"at last").unwrap();
    drop(writer);
    assert_eq!(first.end().expect_code(0).stdout, b"at last");
    server.end().expect_code(0);
}

#[test]
fn no_response_in_time_ends_with_3() {
    let name = ChannelName::new("late");
    let (let_go, held) = std::sync::mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let channel = Channel::new(&name).payload_capacity(4096);
    // Until the test lets it go.
    let server = channel.serve(move |_| held.lock().unwrap().recv().map(|()| Vec::new())).unwrap();
    let called = call(&name, &["x", "--timeout-ms", "5", "--threads", "2", "-n", "9", "--json-output"]);
    let called = called.expect_code(3).json();
    assert_eq!(called["responses"], 0);
    let error = called["errors"][0].as_str().unwrap();
    assert!(error.contains("no response to request ") && error.ends_with(" within 5 ms"), "{error}");
    drop(let_go);
    drop(server);
}

#[test]
fn a_server_killed_during_a_call_ends_it_with_3() {
    let (name, held) = (ChannelName::new("killed"), Held::new());
    let mut server = serve(&name, &["--handler", &held.handler()]);
    let caller = start_call(&name, &["x", "-n", "5", "--threads", "3", "--json-output"]);
    let mut writer = held.wait();
    server.kill();
    let called = caller.end().expect_code(3).json();
    assert_eq!([&called["responses"], &called["latency_us"]], [&0.into(), &serde_json::Value::Null]);
    assert!(called["errors"][0].as_str().unwrap().contains("is gone"), "{called}");
    // A reader that has slept all the while has not seen a writer that says nothing, and waits for one.
    writer.send(b"let go").unwrap();
    drop(writer);
    held.wait_for_end();
    run(&["gc", &name.requests]).expect_code(0);
}

/// Only there can a process be asked to stop.
#[cfg(target_os = "linux")]
mod interrupted {
    use super::*;
    use crate::linux::signal;

    #[test]
    fn a_server_reports_and_removes_its_buffer() {
        let name = ChannelName::new("stopped");
        let mut server = serve(&name, &["-v", "--json-output"]);
        let (_, _rest) = server.first_complaint();
        call(&name, &["x", "-n", "7"]).expect_code(0);
        assert!(name.requests.segment().exists());
        signal(&server, "-INT");
        let served = server.end().expect_code(130).json();
        assert_eq!([&served["clients"], &served["requests"], &served["failed"]], [1, 7, 0]);
        assert_eq!(served["errors"], serde_json::json!(["interrupted"]));
    }

    #[test]
    fn a_server_kills_the_command_that_runs_and_says_so_to_the_client() {
        let (name, held) = (ChannelName::new("stopped"), Held::new());
        let server = serve(&name, &["--handler", &held.handler()]);
        let caller = start_call(&name, &["x"]);
        let _writer = held.wait();
        signal(&server, "-TERM");
        let ended = server.end().expect_code(143);
        assert!(ended.text().contains("requests  1\nfailed    1\n"), "{}", ended.text());
        let called = caller.end().expect_code(3);
        assert!(called.stderr.contains("the server was interrupted"), "{}", called.stderr);
        run(&["gc", &held.0]).expect_code(0);
    }

    #[test]
    fn a_caller_that_waits_for_ever_reports_and_removes_its_buffer() {
        let (name, held) = (ChannelName::new("caller"), Held::new());
        let server = serve(&name, &["--handler", &held.handler(), "-n", "1"]);
        let caller = start_call(&name, &["x", "-n", "0", "--timeout-ms", "0", "--json-output"]);
        let mut writer = held.wait();
        signal(&caller, "-INT");
        let called = caller.end().expect_code(130).json();
        assert_eq!([&called["requests"], &called["responses"]], [1, 0]);
        assert_eq!(called["errors"], serde_json::json!(["interrupted"]));
        // As above.
        writer.send(b"let go").unwrap();
        drop(writer);
        server.end().expect_code(0);
    }
}
