//! What comes out of a pipe is sent as it comes, once, and waited for no longer than the user wants.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::linux::signal;
use crate::support::{Ended, TempFile, run, start};
use crate::xcp::{Served, bytes, key_file, npy, send, sha256};

/// A fifo that goes with its test.
fn fifo() -> TempFile {
    let fifo = TempFile::new("xcp-fifo");
    assert!(Command::new("mkfifo").arg(fifo.path()).status().unwrap().success());
    fifo
}

/// Opens a fifo if it is being read.
fn opened(path: &str) -> Option<File> {
    const O_NONBLOCK: i32 = 0o4000;
    match OpenOptions::new().write(true).custom_flags(O_NONBLOCK).open(path) {
        Ok(file) => Some(file),
        // ENXIO: there is no reader yet.
        Err(error) if error.raw_os_error() == Some(6) => None,
        Err(error) => panic!("{path}: {error}"),
    }
}

/// Opens a fifo once it is being read.
fn writer(path: &str) -> File {
    let since = Instant::now();
    loop {
        if let Some(file) = opened(path) {
            return file;
        }
        assert!(since.elapsed() < Duration::from_secs(60), "nobody reads {path}");
        thread::yield_now();
    }
}

/// Runs `strait` while `content` is written into the fifo.
fn fed(fifo: &TempFile, content: &[u8], args: &[&str]) -> Ended {
    let ended = AtomicBool::new(false);
    // Relaxed, here and below: nothing else is read by it.
    let goes_on = || !ended.load(Ordering::Relaxed);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut file = None;
            while goes_on() && file.is_none() {
                file = opened(fifo.path());
            }
            let (Some(mut file), mut rest) = (file, content) else { return };
            while goes_on() && !rest.is_empty() {
                match file.write(rest) {
                    Ok(len) => rest = &rest[len..],
                    Err(error) if error.kind() == ErrorKind::WouldBlock => thread::yield_now(),
                    // A sender that refuses what it gets closes the pipe.
                    Err(_) => return,
                }
            }
        });
        let outcome = run(args);
        ended.store(true, Ordering::Relaxed);
        outcome
    })
}

#[test]
fn what_comes_out_of_a_pipe_arrives_whatever_the_peer_reads() {
    let (pipe, secret) = (fifo(), key_file('3'));
    let sealed = ["--key", secret.path()];
    for (server, client, streamed) in [
        (&[][..], &[][..], true),
        (&["--echo"], &["--expect-echo"], true),
        (&[], &["--compress"], true),
        (&[], &["--as-codec", "protobuf"], false),
        (&["--dialect", "python", "--max-frame", "2M"], &["--max-frame", "2M"], false),
        (&["--features", "none", "--max-frame", "2M"], &["--max-frame", "2M"], false),
        (&sealed, &sealed, false),
    ] {
        let served = Served::tcp(server);
        for len in [0, 1, 65_536, 700_000, 1_500_000] {
            let content = bytes(len);
            let args = ["xcp", "send", served.url(), "--file", pipe.path(), "--json-output"];
            let sent = fed(&pipe, &content, &[&args[..], client].concat()).expect_code(0).json();
            assert_eq!((&sent["equal"], &sent["streamed"]), (&true.into(), &streamed.into()), "{sent}");
            if sent["codec"] == "OCTETS" {
                assert_eq!(sent["sha256"], sha256(&content), "{server:?}");
                assert_eq!(sent["bytes"], content.len());
            }
        }
    }
}

#[test]
fn a_pipe_of_the_shell_and_files_without_a_length_are_sent() {
    let served = Served::tcp(&[]);
    let send = r#"printf 'a pipe' | "$0" xcp send "$1" --file /dev/stdin --json-output"#;
    let piped =
        Command::new("sh").args(["-c", send, env!("CARGO_BIN_EXE_strait"), served.url()]).output().unwrap();
    assert!(piped.status.success(), "{}", String::from_utf8_lossy(&piped.stderr));
    let sent: serde_json::Value = serde_json::from_slice(&piped.stdout).unwrap();
    assert_eq!((&sent["sha256"], &sent["equal"]), (&sha256(b"a pipe").into(), &true.into()));
    for (file, content) in
        [("/dev/null", Vec::new()), ("/proc/version", std::fs::read("/proc/version").unwrap())]
    {
        let sent = crate::xcp::send(served.url(), &["--file", file, "--json-output"]).expect_code(0).json();
        assert_eq!((&sent["sha256"], &sent["equal"]), (&sha256(&content).into(), &true.into()), "{file}");
    }
}

#[test]
fn arrays_and_ethers_come_out_of_pipes_too() {
    let (served, pipe) = (Served::tcp(&[]), fifo());
    let array = npy("(2, 3)", &[1.0, -2.5, 3.0, 0.1, 0.0, -0.0]);
    let ether = br#"{"kind": "text", "schema_version": 1, "payload": {"text": "x"}, "metadata": {}, "attachments": []}"#;
    for (option, content) in [("--tensor", &array[..]), ("--json", ether)] {
        let args = ["xcp", "send", served.url(), option, pipe.path(), "--json-output"];
        let sent = fed(&pipe, content, &args).expect_code(0).json();
        assert_eq!(sent["equal"], true, "{sent}");
    }
    let args = ["xcp", "send", served.url(), "--tensor", pipe.path()];
    assert!(fed(&pipe, &array[..50], &args).expect_code(4).stderr.contains("no .npy file"));
}

#[test]
fn a_pipe_that_gives_nothing_is_waited_for_as_long_as_was_said() {
    let (served, pipe) = (Served::tcp(&[]), fifo());
    for option in ["--file", "--tensor", "--json"] {
        let ended = send(served.url(), &[option, pipe.path(), "--timeout", "50ms"]).expect_code(3);
        assert!(ended.stderr.contains("nobody wrote into it within 50ms; --timeout"), "{}", ended.stderr);
    }
    // One who has written a little, and stays. Open for both, it need not wait for a reader.
    let mut stays = File::options().read(true).write(true).open(pipe.path()).unwrap();
    stays.write_all(b"0123456789").unwrap();
    let sender = start(&["xcp", "send", served.url(), "--file", pipe.path(), "--timeout", "500ms"]);
    let ended = sender.end().expect_code(3);
    assert!(ended.stderr.contains("nothing came within 500ms, behind 10 bytes"), "{}", ended.stderr);
}

#[test]
fn an_interrupt_ends_the_wait_for_a_pipe() {
    let (served, pipe) = (Served::tcp(&[]), fifo());
    for (written, sign, code) in [(&b""[..], "-INT", 130), (b"some", "-TERM", 143)] {
        let sender = start(&["xcp", "send", served.url(), "--file", pipe.path(), "--timeout", "10m"]);
        let mut stays = writer(pipe.path());
        stays.write_all(written).unwrap();
        signal(&sender, sign);
        sender.end().expect_code(code);
    }
}

#[test]
fn a_pipe_that_must_be_held_is_refused_beyond_what_is_held() {
    let (served, pipe) = (Served::tcp(&["--dialect", "python"]), fifo());
    let args = ["xcp", "send", served.url(), "--file", pipe.path()];
    for (options, len, why) in [
        (&["--max-message", "64K"][..], 1_000_000, "more than the 65536 bytes"),
        // A frame is the longest that this peer takes.
        (&[], 1_500_000, "a message of 1500000 bytes exceeds"),
    ] {
        let ended = fed(&pipe, &bytes(len), &[&args[..], options].concat()).expect_code(2);
        assert!(ended.stderr.contains(why), "{}", ended.stderr);
    }
}
