//! Does a file arrive as it was, whatever the link looks like and whoever sends?

use std::io::Write as _;

use sha2::{Digest as _, Sha256};

use crate::link_name::LinkName;
use crate::support::TempFile;

/// The beginning of this test's own program: a real file, whose length is no multiple of a slot's.
pub(crate) fn real_file(len: usize) -> TempFile {
    let mut bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    assert!(bytes.len() > len);
    bytes.truncate(len);
    TempFile::with("real", &bytes)
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_real_file_arrives_whole_in_both_profiles_and_both_directions() {
    let file = real_file(3_000_001);
    let digest = sha256(&file.bytes());
    for profile in ["superblock", "seed"] {
        for (receives, sends) in [("secondary", "primary"), ("primary", "secondary")] {
            let (name, copy) = (LinkName::new("file"), TempFile::new("copy"));
            let to = ["--profile", profile, "--role", receives, "--file", copy.path(), "--json-output"];
            let receiver = name.receiver("16", "4096", &[&to[..], &["--sha256", &digest]].concat());
            let from = ["--profile", profile, "--role", sends, "--file", file.path(), "--json-output"];
            let sent = name.start("send", &from).end().expect_code(0).json();
            let received = receiver.end().expect_code(0).json();
            assert_eq!(sha256(&copy.bytes()), digest, "{profile}, received as {receives}");
            for (report, side, messages, bytes) in [
                (&sent, sends, "messages_sent", "bytes_sent"),
                (&received, receives, "messages_received", "bytes_received"),
            ] {
                assert_eq!([&report["side"], &report["sha256"]], [side, digest.as_str()]);
                assert_eq!([&report[messages], &report[bytes]], [733, 3_000_001]);
                assert_eq!(report["errors"], serde_json::json!([]));
            }
            assert_eq!([&sent["operation"], &received["operation"]], ["link-send", "link-recv"]);
        }
    }
}

#[test]
fn what_comes_over_a_pipe_goes_out_over_a_pipe() {
    let name = LinkName::new("pipe");
    let receiver = name.receiver("2", "8", &["--file", "-"]);
    let mut sender = name.start("send", &[]);
    let text = b"more bytes than both slots have \x00\xff, and a last message of one byte";
    sender.stdin().write_all(text).unwrap();
    let sent = sender.end().expect_code(0);
    let received = receiver.end().expect_code(0);
    assert_eq!(received.stdout, text);
    let digest = format!("sha256    {}", sha256(text));
    assert!(sent.text().contains(&digest) && received.stderr.contains(&digest), "{sent:?} {received:?}");
}

#[test]
fn lines_are_messages_and_nothing_in_them_commands_the_terminal() {
    let name = LinkName::new("lines");
    let receiver = name.receiver("8", "16", &[]);
    let mut sender = name.start("send", &["--lines"]);
    sender.stdin().write_all(b"first\n\nthird \x1b[2J\nfour is cut after sixteen bytes").unwrap();
    assert!(sender.end().expect_code(0).text().contains("messages  5\n"));
    let expected = "first\\n\n\\n\nthird \\u{1b}[2J\\n\nfour is cut afte\nr sixteen bytes\n";
    assert_eq!(receiver.end().expect_code(0).text(), expected);
}

#[test]
fn every_message_of_many_senders_goes_to_one_of_many_receivers() {
    let name = LinkName::new("many");
    // The first makes the link, and all three are there before anybody sends.
    let mut receivers = Vec::new();
    for _ in 0..3 {
        let mut receiver =
            name.start("recv", &["--create", "--slots", "16", "--slot-len", "64", "--json-output", "-v"]);
        let (joined, rest) = receiver.first_complaint();
        assert!(joined.contains("as secondary"), "{joined}");
        receivers.push((receiver, rest));
    }
    // As long as it is there, the receivers wait.
    let mut first = name.start("send", &["--lines", "-v"]);
    let (joined, _rest) = first.first_complaint();
    assert!(joined.contains("as primary"), "{joined}");
    let message = ["--message", "twelve bytes", "-n", "5000", "--json-output"];
    let senders: Vec<_> = (0..3).map(|_| name.start("send", &message)).collect();
    for sender in senders {
        assert_eq!(sender.end().expect_code(0).json()["messages_sent"], 5000);
    }
    drop(first.stdin());
    first.end().expect_code(0);
    let mut total = 0;
    for (receiver, _rest) in receivers {
        // One that came to nothing saw the senders all the same.
        let report = receiver.end().expect_code(0).json();
        assert_eq!(report["errors"], serde_json::json!([]));
        total += report["messages_received"].as_u64().unwrap();
    }
    assert_eq!(total, 15_000);
}

#[test]
fn made_up_messages_are_checked_byte_by_byte() {
    for pattern in ["sequential", "random"] {
        let name = LinkName::new("pattern");
        let sizes = ["--size", "1..200", "--seed", "7"];
        let check = [&sizes[..], &["--verify", pattern, "-n", "500", "--json-output"]].concat();
        let receiver = name.receiver("32", "200", &check);
        name.start("send", &[&sizes[..], &["--pattern", pattern, "-n", "500"]].concat()).end().expect_code(0);
        assert_eq!(receiver.end().expect_code(0).json()["verification_errors"], 0);
    }
}

#[test]
fn a_number_of_messages_or_bytes_ends_a_receiver() {
    for (limit, expected) in [(["-n", "2"], &b"abcabc"[..]), (["--bytes", "7"], b"abcabcabc")] {
        let name = LinkName::new("enough");
        let mut sender = name.start("send", &["--message", "abc", "-n", "0", "--timeout-ms", "0"]);
        let receiver = name.receiver("4", "64", &[&limit[..], &["--file", "-"]].concat());
        assert_eq!(receiver.end().expect_code(0).stdout, expected);
        sender.kill();
    }
}
