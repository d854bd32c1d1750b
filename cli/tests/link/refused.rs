//! What if the two ends of a session do not agree, or were asked for something that makes no sense?

use crate::files::real_file;
use crate::link_name::LinkName;
use crate::session::key_file;
use crate::support::{TempFile, run};

#[test]
fn bad_arguments_end_with_4() {
    let (short, key) = (TempFile::with("short", b"0123"), key_file('a'));
    let (short, key) = (short.path(), key.path());
    let bad: &[&[&str]] = &[
        &["send", "b", "--compress"],
        &["recv", "b", "--reliable"],
        &["send", "b", "--session", "--encrypt"],
        &["send", "b", "--session", "--key-file", key],
        &["send", "b", "--session", "--encrypt", "--key-file", short],
        &[
            "send",
            "b",
            "--session",
            "--encrypt",
            "--key-file",
            concat!(env!("CARGO_TARGET_TMPDIR"), "/missing"),
        ],
        &["send", "b", "--session", "--priority", "1"],
        &["send", "b", "--session", "--qos", "--priority", "4"],
        &["send", "b", "--session", "--compress", "--level", "20"],
        &["recv", "b", "--session", "--priority", "1", "--qos"],
        &["call", "a/b", "--data", "x"],
        &["call", "b", "--data", "x", "--file", "y"],
        &["call", "b", "--file", concat!(env!("CARGO_TARGET_TMPDIR"), "/missing")],
        &["call", "b", "--method", "-1"],
        &["serve", "a/b"],
        &["serve", "b", "--handler", "rot13"],
        &["serve", "b", "--xor-key", "256"],
    ];
    for args in bad {
        let ended = run(&[&["link"], *args].concat());
        assert_eq!(ended.code, Some(4), "{args:?}: {}", ended.stderr);
        assert!(ended.stderr.starts_with("strait: "), "{args:?}: {}", ended.stderr);
    }
}

#[test]
fn what_the_other_end_does_not_offer_is_named() {
    let key = key_file('a');
    for (options, missing) in [
        (&["--compress"][..], "COMPRESSION"),
        (&["--encrypt", "--key-file", key.path()], "ENCRYPTION"),
        (&["--flow-control", "--qos"], "FLOW_CONTROL, QOS"),
        (&["--statistics"], "STATISTICS"),
        (&["--reliable"], "RELIABLE_DELIVERY"),
    ] {
        let name = LinkName::new("missing");
        let mut receiver = name.receiver("8", "64", &["--session", "-v"]);
        let (_, _rest) = receiver.first_complaint();
        let asking = [&["--session", "--message", "x", "--json-output"][..], options].concat();
        let ended = name.start("send", &asking).end().expect_code(1);
        let said = format!("the peer does not agree to {missing}");
        assert!(ended.stderr.contains(&said), "{}", ended.stderr);
        assert!(ended.json()["errors"][0].as_str().unwrap().ends_with(&said));
    }
}

#[test]
fn an_end_without_a_session_is_told_from_one_with() {
    let name = LinkName::new("none");
    let mut receiver = name.receiver("8", "64", &["--file", "-", "-v"]);
    let (_, _rest) = receiver.first_complaint();
    let ended =
        name.start("send", &["--session", "--message", "x", "--timeout-ms", "100"]).end().expect_code(1);
    assert!(ended.stderr.contains("it must say --session too"), "{}", ended.stderr);

    let name = LinkName::new("nobody");
    let ended = name.receiver("8", "64", &["--session", "--timeout-ms", "5"]).end().expect_code(1);
    assert!(ended.stderr.contains("nobody came as primary within 5 ms"), "{}", ended.stderr);
}

#[test]
fn another_key_opens_nothing() {
    let (name, ours, theirs) = (LinkName::new("keys"), key_file('1'), key_file('2'));
    let copy = TempFile::with("copy", b"");
    let to = ["--session", "--encrypt", "--key-file", ours.path(), "--file", copy.path()];
    let receiver = name.receiver("8", "64", &to);
    let mut from =
        name.start("send", &["--session", "--encrypt", "--key-file", theirs.path(), "--message", "secret"]);
    let ended = receiver.end().expect_code(3);
    assert!(ended.stderr.contains("the peer has another key"), "{}", ended.stderr);
    assert_eq!(copy.bytes(), b"");
    from.kill();
}

#[test]
fn a_message_beyond_the_limit_ends_with_2() {
    let (name, file) = (LinkName::new("limit"), real_file(10_001));
    let mut receiver = name.receiver("8", "64", &["--session", "-v"]);
    let (_, _rest) = receiver.first_complaint();
    let sending = ["--session", "--file", file.path(), "--max-message", "10000"];
    let ended = name.start("send", &sending).end().expect_code(2);
    assert!(ended.stderr.contains("10001") && ended.stderr.contains("10000"), "{}", ended.stderr);
}

#[test]
fn a_sender_killed_in_the_middle_of_a_message_is_reported() {
    use std::io::{Read as _, Write as _};
    let name = LinkName::new("cut");
    let mut receiver = name.receiver("8", "64", &["--session", "--file", "-"]);
    let mut sender = name.start("send", &["--session", "--lines"]);
    let (mut input, mut output) = (sender.stdin(), receiver.stdout());
    input.write_all(b"whole\nnever ended").unwrap();
    let mut heard = [0; 6];
    output.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"whole\n");
    sender.kill();
    let ended = receiver.end().expect_code(3);
    assert!(ended.stderr.contains("died"), "{}", ended.stderr);
}
