//! Are calls answered, by every handler, and does each report say what happened?

use serde_json::Value;

use crate::files::real_file;
use crate::link_name::LinkName;
use crate::session::key_file;
use crate::support::{Running, TempFile};

fn serve(name: &LinkName, args: &[&str]) -> Running {
    name.start("serve", &[&["--create", "--slots", "16", "--slot-len", "1024"][..], args].concat())
}

/// The same command for both kinds of shell.
fn exec(sh: &str, cmd: &str) -> String {
    format!("exec:{}", if cfg!(windows) { cmd } else { sh })
}

#[test]
fn every_handler_answers_one_client_after_another() {
    let input = TempFile::with("request", b"\x00\x0fab");
    let cases: [(&str, &[u8]); 3] =
        [("echo", b"\x00\x0fab"), ("reverse", b"ba\x0f\x00"), ("xor", b"\xff\xf0\x9e\x9d")];
    for (handler, expected) in cases {
        let name = LinkName::new(handler);
        let server = serve(&name, &["--handler", handler, "-n", "3", "--json-output"]);
        for _ in 0..3 {
            let called = name.start("call", &["--file", input.path(), "--method", "7"]).end().expect_code(0);
            assert_eq!(called.stdout, expected);
        }
        let served = server.end().expect_code(0).json();
        assert_eq!([&served["requests"], &served["failed"]], [3, 0]);
        assert_eq!([&served["operation"], &served["handler"]], ["link-serve", handler]);
    }
}

#[test]
fn a_large_request_and_a_large_answer_pass_every_window() {
    let (file, key) = (real_file(3_000_001), key_file('b'));
    let encrypted = ["--encrypt", "--key-file", key.path()];
    for features in
        [&[][..], &["--flow-control"], &[&encrypted[..], &["--flow-control", "--compress"]].concat()]
    {
        let name = LinkName::new("large");
        let server = serve(&name, &[&["-n", "1"][..], features].concat());
        let called = name.start("call", &[&["--file", file.path()][..], features].concat()).end();
        assert!(called.expect_code(0).stdout == file.bytes(), "{features:?}");
        server.end().expect_code(0);
    }
}

#[test]
fn many_calls_are_counted_and_timed() {
    let name = LinkName::new("many");
    // Without an end of its own: one that ended with the last answer would tell no statistics after it.
    let _server = serve(&name, &["--statistics"]);
    let calling = ["--data", "x", "-n", "300", "--statistics"];
    let called = name.start("call", &[&calling[..], &["--json-output"]].concat()).end().expect_code(0).json();
    assert_eq!([&called["requests"], &called["responses"], &called["failed"]], [300, 300, 0]);
    assert_eq!([&called["bytes_received"], &called["session"]["peer_statistics"]["calls"]], [300, 300]);
    let times =
        ["min", "p50", "p90", "p99", "p999", "max"].map(|key| called["latency_us"][key].as_f64().unwrap());
    assert!(times[0] > 0.0 && times.is_sorted(), "{times:?}");
    let people = name.start("call", &calling).end().expect_code(0);
    for line in ["requests   300", "responses  300", "errors     0"] {
        assert!(people.text().lines().any(|found| found == line), "no {line:?} in\n{}", people.text());
    }
}

#[test]
fn a_command_answers_and_its_failure_is_told() {
    let name = LinkName::new("exec");
    let server = serve(&name, &["--handler", &exec("tr a-z A-Z", "echo HELLO"), "-n", "1"]);
    let called = name.start("call", &["--data", "hello"]).end().expect_code(0);
    assert!(called.text().starts_with("HELLO"), "{}", called.text());
    server.end().expect_code(0);

    let name = LinkName::new("fails");
    let command = exec("echo no such thing >&2; exit 3", "echo no such thing 1>&2 & exit 3");
    let server = serve(&name, &["--handler", &command, "-n", "1", "--json-output"]);
    let ended = name.start("call", &["--data", "hello", "--json-output"]).end().expect_code(3);
    let report = ended.json();
    assert_eq!([&report["responses"], &report["failed"]], [1, 1]);
    let said = report["errors"][0].as_str().unwrap();
    assert!(said.contains("failed with status 1: ") && said.contains("no such thing"), "{said}");
    assert_eq!(server.end().expect_code(0).json()["failed"], 1);
}

#[test]
fn a_server_that_is_killed_is_reported() {
    let name = LinkName::new("killed");
    let mut server =
        serve(&name, &["--handler", &exec("cat >/dev/null; sleep 1000", "ping -n 1000 127.0.0.1"), "-v"]);
    let (joined, rest) = server.first_complaint();
    assert!(joined.contains("as secondary"), "{joined}");
    let mut call = name.start("call", &["--data", "hello", "-v"]);
    let (_, mut said) = call.first_complaint();
    let mut agreed = String::new();
    std::io::BufRead::read_line(&mut said, &mut agreed).unwrap();
    assert!(agreed.contains("agreed on LARGE_COPY, REQUEST_RESPONSE"), "{agreed}");
    server.kill();
    let mut last = String::new();
    std::io::Read::read_to_string(&mut said, &mut last).unwrap();
    let ended = call.end();
    assert!(last.contains("the peer is gone"), "{last}");
    assert!(ended.code == Some(3) || ended.code == Some(2), "{:?}", ended.code);
    drop(rest);
}

#[test]
fn a_client_without_the_servers_features_gets_no_answer() {
    let (name, key) = (LinkName::new("plain"), key_file('c'));
    let encrypted = ["--encrypt", "--key-file", key.path()];
    let mut server = serve(&name, &[&encrypted[..], &["--json-output"]].concat());
    let called = name.start("call", &[&encrypted[..], &["--data", "sealed"]].concat()).end().expect_code(0);
    assert_eq!(called.stdout, b"sealed");
    let refused =
        name.start("call", &["--data", "in the open", "--timeout-ms", "200", "--json-output"]).end();
    assert_ne!(refused.code, Some(0), "{}", refused.stderr);
    assert_eq!(refused.json()["responses"], Value::from(0));
    server.kill();
}
