//! Does each way to fail end with its number and a sentence that says what to do?

use crate::link_name::LinkName;
use crate::support::{TempFolder, run, start};

#[test]
fn bad_arguments_end_with_4() {
    let folder = std::env::temp_dir();
    let folder = folder.to_str().unwrap();
    let bad: &[&[&str]] = &[
        &[],
        &["bogus"],
        &["create"],
        &["create", "../b"],
        &["create", "b", "--slots", "3", "--hold"],
        &["create", "b", "--slot-len", "9", "--hold"],
        &["create", "b", "--profile", "modern"],
        &["create", "b", "--mode", "888"],
        &["send"],
        &["send", "b", "--message", ""],
        &["send", "b", "--message", "x", "--file", "y"],
        &["send", "b", "--message", "x", "--pattern", "zero"],
        &["send", "b", "--lines", "--size", "4"],
        &["send", "b", "--size", "0"],
        &["send", "b", "--role", "middle"],
        &["send", "../b", "--message", "x"],
        &["recv", "b", "--sha256", "abc"],
        &["recv", "b", "--verify", "plaid"],
        &["recv", "b", "--file", "-", "--json-output"],
        &["recv", "b", "--file", folder],
        &["recv", "a/b"],
        &["echo", "a/b"],
        &["inspect", "a/b"],
        &["rm", "a/b"],
        &["bench", "--size", "7"],
        &["bench", "--batch", "256"],
        &["bench", "--size", "4104"],
    ];
    for args in bad {
        let ended = run(&[&["link"], *args].concat());
        assert_eq!(ended.code, Some(4), "{args:?}: {}", ended.stderr);
        assert!(ended.stderr.starts_with("strait: "), "{args:?}: {}", ended.stderr);
    }
}

#[test]
fn a_link_that_is_not_there_ends_with_1() {
    let name = LinkName::new("nowhere");
    for wait in ["0", "5"] {
        for verb in [&["send", &name, "--message", "x"][..], &["recv", &name], &["echo", &name]] {
            let ended = run(&[&["link"], verb, &["--wait-ms", wait]].concat()).expect_code(1);
            assert!(ended.stderr.contains("strait link create"), "{verb:?}: {}", ended.stderr);
            assert!(ended.stdout.is_empty());
            let report = run(&[&["link"], verb, &["--wait-ms", wait, "--json-output"]].concat());
            let report = report.expect_code(1).json();
            assert!(report["errors"][0].as_str().unwrap().contains("not found"), "{report}");
        }
    }
    for verb in ["inspect", "rm"] {
        let ended = run(&["link", verb, &name]).expect_code(1);
        assert!(ended.stderr.contains("not found"), "{}", ended.stderr);
    }
}

#[test]
fn another_link_than_asked_for_ends_with_1() {
    let name = LinkName::new("other");
    let mut holder = name.receiver("4", "64", &["-v"]);
    let (_, _rest) = holder.first_complaint();
    for (option, value, said) in [
        ("--slots", "8", "slots is 4"),
        ("--slot-len", "128", "slot length is 64"),
        ("--profile", "seed", "superblock"),
    ] {
        let ended = run(&["link", "send", &name, "--message", "x", option, value]).expect_code(1);
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
        run(&["link", "inspect", &name, option, value]).expect_code(1);
    }
    let ended = run(&["link", "bench", &name]).expect_code(1);
    assert!(ended.stderr.contains("exists: running processes have 2 handles of it"), "{}", ended.stderr);
}

#[test]
fn what_cannot_be_sent_ends_with_2() {
    let name = LinkName::new("full");
    // It holds the link and takes nothing: it receives from the other ring.
    let mut holder = name.receiver("2", "8", &["--role", "primary", "-v"]);
    let (_, _rest) = holder.first_complaint();
    let ended = run(&["link", "send", &name, "--message", "nine byte"]).expect_code(2);
    assert!(ended.stderr.contains("9 bytes exceed the 8 bytes of a slot"), "{}", ended.stderr);
    let full = ["link", "send", &name, "--message", "x", "-n", "9", "--timeout-ms", "5", "--json-output"];
    let ended = run(&full).expect_code(2);
    let report = ended.json();
    assert_eq!(report["messages_sent"], 2);
    assert!(ended.stderr.contains("nobody receives as secondary"), "{}", ended.stderr);
    assert!(report["errors"][0].as_str().unwrap().contains("within 5 ms"), "{report}");
}

#[test]
fn silence_and_senders_that_went_too_early_end_with_3() {
    let name = LinkName::new("silence");
    let ended = name.receiver("2", "8", &["--timeout-ms", "5"]).end().expect_code(3);
    assert!(ended.stderr.contains("no message came within 5 ms"), "{}", ended.stderr);
    let receiver = name.receiver("2", "8", &["-n", "5"]);
    name.start("send", &["--message", "x", "-n", "4"]).end().expect_code(0);
    let ended = receiver.end().expect_code(3);
    assert!(ended.stderr.contains("the senders have gone after 4 messages with 4 bytes"), "{}", ended.stderr);
}

#[test]
fn a_sender_that_falls_silent_ends_a_receiver_with_3_and_what_came_has_not_the_name() {
    use std::io::Write as _;
    for session in [&[][..], &["--session"]] {
        let (name, folder) = (LinkName::new("pause"), TempFolder::new("pause"));
        let (copy, part) = (folder.path("copy"), folder.path("copy.part"));
        // It is there first, and its input stays open.
        let create = ["link", "create", &*name, "--hold", "--slots", "4", "--slot-len", "64"];
        let (mut holder, mut made) = (start(&create), [0; 7]);
        std::io::Read::read_exact(&mut holder.stdout(), &mut made).unwrap();
        let mut sender = name.start("send", &[&["--lines"][..], session].concat());
        let mut input = sender.stdin();
        input.write_all(b"once\n").unwrap();
        let receive = ["--file", copy.to_str().unwrap(), "--json-output", "--timeout-ms", "2000"];
        let ended = name.start("recv", &[&receive[..], session].concat()).end().expect_code(3);
        let report = ended.json();
        assert_eq!([&report["messages_received"], &report["bytes_received"]], [1, 5]);
        let said = report["errors"][0].as_str().unwrap();
        let expected = "no further message came within 2000 ms, after 1 with 5 bytes; process ";
        assert!(said.contains(expected) && said.contains("is there as primary and has not closed"), "{said}");
        assert_eq!(report["partial_files"], serde_json::json!([part]));
        assert_eq!(std::fs::read(&part).unwrap(), b"once\n");
        assert_eq!(folder.names(), ["copy.part"]);
        drop(input);
        sender.end();
        holder.kill();
    }
}

#[test]
fn other_messages_than_asked_for_end_with_5() {
    let name = LinkName::new("wrong");
    let digest = "0".repeat(64);
    for (check, said) in [
        (["--sha256", &digest], "the SHA-256 of all bytes is "),
        (["--verify", "ones"], "message 0: byte 0 is 0x61, expected 0xff"),
        (["--size", "4"], "message 0 has 3 bytes, expected 4"),
    ] {
        let folder = TempFolder::new("wrong");
        let copy = folder.path("copy");
        let receiver = name.receiver("2", "8", &[&check[..], &["--file", copy.to_str().unwrap()]].concat());
        name.start("send", &["--message", "abc"]).end().expect_code(0);
        let ended = receiver.end().expect_code(5);
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
        // It is not what was asked for, so it has not the name.
        assert_eq!(folder.names(), ["copy.part"]);
        assert_eq!(std::fs::read(folder.path("copy.part")).unwrap(), b"abc");
    }
}

#[test]
fn help_lists_the_codes() {
    for verb in ["create", "rm", "send", "recv", "echo", "inspect", "bench"] {
        let ended = run(&["link", verb, "--help"]).expect_code(0);
        assert!(ended.text().contains("Exit codes:") && ended.text().contains("a sender died"), "{verb}");
    }
    let ended = run(&["link", "--help"]).expect_code(0);
    assert!(!ended.text().contains("bench-peer"), "{}", ended.text());
}
