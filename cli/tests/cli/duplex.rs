//! Are requests answered, by every handler, and does each report say what happened?

use std::io::Write as _;

use serde_json::Value;

use crate::support::{ChannelName, Ended, LONG, Running, TempFile, run, start};

/// Bytes of each ring; the default is more than some machines have.
pub(crate) const RING: &str = "4194304";

pub(crate) fn serve(name: &str, args: &[&str]) -> Running {
    start(&[&["duplex", "serve", name, "--buffer-size", RING, "--timeout-ms", LONG][..], args].concat())
}

pub(crate) fn start_call(name: &str, args: &[&str]) -> Running {
    let call = ["duplex", "call", name, "--buffer-size", RING, "--wait-ms", LONG];
    let timeout: &[&str] = if args.contains(&"--timeout-ms") { &[] } else { &["--timeout-ms", LONG] };
    start(&[&call[..], timeout, args].concat())
}

pub(crate) fn call(name: &str, args: &[&str]) -> Ended {
    start_call(name, args).end()
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    // Whether maps are sorted depends on what else is built in.
    keys.sort_unstable();
    keys
}

fn sorted<const N: usize>(mut keys: [&str; N]) -> [&str; N] {
    keys.sort_unstable();
    keys
}

/// Long enough to be shared.
fn long_request() -> TempFile {
    let bytes: Vec<u8> = (0..5000u32).map(|k| k.to_le_bytes()[0]).collect();
    TempFile::with("request", &bytes)
}

#[test]
fn every_handler_answers_many_threads_shared_or_not() {
    let request = long_request();
    for handler in ["echo", "reverse", "xor"] {
        for share in [&[][..], &["--share"]] {
            let name = ChannelName::new(handler);
            let serving = ["--handler", handler, "--xor-key", "90", "-n", "200", "--json-output", "-v"];
            let mut server = serve(&name, &[&serving[..], &["--threads", "2"], share].concat());
            let (_, _rest) = server.first_complaint();
            let calling = ["--file", request.path(), "-n", "200", "--threads", "3", "--json-output"];
            let checking = ["--verify", handler, "--xor-key", "90"];
            let called = call(&name, &[&calling[..], &checking, share].concat()).expect_code(0).json();
            let served = server.end().expect_code(0).json();
            assert_eq!([&called["requests"], &called["responses"]], [200, 200]);
            assert_eq!([&called["bytes_sent"], &called["bytes_received"]], [1_000_000, 1_000_000]);
            assert_eq!([&called["failed"], &called["verification_errors"]], [0, 0]);
            assert_eq!([&served["clients"], &served["requests"], &served["failed"]], [1, 200, 0]);
            // While a thread keeps a response for as long as 64 others take, one of those is copied.
            let shared = served["shared"].as_u64().unwrap();
            assert_eq!(called["shared"], shared, "{handler}");
            assert_eq!(shared > 0, !share.is_empty(), "{handler}");
            // What may not be shared is written into the client's buffer by the handler, except for xor.
            let in_place = if share.is_empty() && handler != "xor" { 200 } else { 0 };
            assert_eq!(
                [&served["in_place"], &served["copied"]],
                [in_place, 200 - shared - in_place],
                "{handler}"
            );
        }
    }
}

#[test]
fn one_responses_bytes_are_printed_and_nothing_else() {
    let name = ChannelName::new("printed");
    let bytes = b"\x00\xff\r\n\x1b[2J no text";
    let file = TempFile::with("request", bytes);
    let server = serve(&name, &["-n", "4"]);
    assert_eq!(call(&name, &["hello"]).expect_code(0).stdout, b"hello");
    assert_eq!(call(&name, &["--file", file.path()]).expect_code(0).stdout, bytes);
    for args in [&[][..], &["--file", "-"]] {
        let mut caller = start_call(&name, args);
        caller.stdin().write_all(bytes).unwrap();
        assert_eq!(caller.end().expect_code(0).stdout, bytes);
    }
    let served = server.end().expect_code(0);
    assert!(served.text().contains("clients   4\nrequests  4\nfailed    0\n"), "{}", served.text());
    assert_eq!(served.stderr, "");
}

#[test]
fn reports_have_these_keys_and_percentiles_in_order() {
    let name = ChannelName::new("keys");
    let server = serve(&name, &["-n", "500", "--json-output"]);
    let called = call(&name, &["x", "-n", "500", "--json-output"]).expect_code(0).json();
    let served = server.end().expect_code(0).json();
    assert_eq!(
        keys(&served),
        sorted([
            "operation",
            "channel_name",
            "handler",
            "clients",
            "requests",
            "failed",
            "copied",
            "in_place",
            "shared",
            "duration_seconds",
            "errors",
        ])
    );
    assert_eq!(
        keys(&called),
        sorted([
            "operation",
            "channel_name",
            "threads",
            "requests",
            "responses",
            "failed",
            "bytes_sent",
            "bytes_received",
            "shared",
            "duration_seconds",
            "requests_per_second",
            "latency_us",
            "verification_errors",
            "errors",
        ])
    );
    assert_eq!([&served["operation"], &called["operation"]], ["duplex-serve", "duplex-call"]);
    assert_eq!([&served["channel_name"], &called["channel_name"]], [&*name, &*name]);
    let latency = &called["latency_us"];
    assert_eq!(keys(latency), sorted(["min", "p50", "p90", "p99", "p999", "max"]));
    let times = ["min", "p50", "p90", "p99", "p999", "max"].map(|key| latency[key].as_f64().unwrap());
    assert!(times[0] > 0.0 && times.is_sorted(), "{times:?}");
}

#[test]
fn many_calls_print_a_report_for_people() {
    let name = ChannelName::new("people");
    let server = serve(&name, &["-n", "100"]);
    let called = call(&name, &["four", "-n", "100"]).expect_code(0);
    server.end().expect_code(0);
    let text = called.text();
    assert!(text.starts_with(&format!("called {:?}\nrequests   100\nresponses  100\n", &*name)), "{text}");
    let named = ["min", "p50", "p90", "p99", "p99.9", "max"];
    let times: Vec<f64> = named
        .iter()
        .map(|name| {
            let line = text.lines().find(|line| line.split(' ').next() == Some(*name)).expect(text);
            line.strip_suffix(" µs").and_then(|line| line.split(' ').next_back()).unwrap().parse().unwrap()
        })
        .collect();
    assert!(times.is_sorted(), "{text}");
}

#[test]
fn a_server_takes_no_more_requests_than_it_was_asked_to() {
    let name = ChannelName::new("limit");
    let server = serve(&name, &["-n", "3", "--threads", "2", "--json-output"]);
    let called = call(&name, &["x", "-n", "10", "--json-output"]).expect_code(3).json();
    assert_eq!(called["responses"], 3);
    assert!(called["errors"][0].as_str().unwrap().contains("is gone"), "{called}");
    assert_eq!(server.end().expect_code(0).json()["requests"], 3);
}

#[test]
fn wrong_responses_end_with_5_and_the_response_is_still_printed() {
    let name = ChannelName::new("wrong");
    let server = serve(&name, &["-n", "3"]);
    let ended = call(&name, &["ab", "--verify", "reverse"]).expect_code(5);
    assert_eq!(ended.stdout, b"ab");
    assert!(ended.stderr.contains("byte 0 is 0x61, expected 0x62"), "{}", ended.stderr);
    let called = call(&name, &["ab", "--verify", "xor", "-n", "2", "--json-output"]).expect_code(5).json();
    assert_eq!([&called["responses"], &called["verification_errors"]], [2, 2]);
    server.end().expect_code(0);
}

#[test]
fn a_second_server_is_refused() {
    let name = ChannelName::new("second");
    let mut first = serve(&name, &["-n", "1", "-v"]);
    let (serving, rest) = first.first_complaint();
    assert!(serving.starts_with("strait: serving "), "{serving}");
    let ended = serve(&name, &[]).end().expect_code(1);
    assert!(ended.stderr.contains("already has a server"), "{}", ended.stderr);
    let report = serve(&name, &["--json-output"]).end().expect_code(1).json();
    assert!(report["errors"][0].as_str().unwrap().contains("already has a server"), "{report}");
    call(&name, &["x"]).expect_code(0);
    first.end().expect_code(0);
    drop(rest);
}

#[test]
fn a_call_without_a_server_ends_with_1() {
    let name = ChannelName::new("alone");
    for wait in ["0", "5"] {
        let ended = run(&["duplex", "call", &name, "x", "--wait-ms", wait]).expect_code(1);
        assert!(ended.stdout.is_empty());
        assert!(ended.stderr.contains(&*name) && ended.stderr.contains("has no server"), "{}", ended.stderr);
    }
    let report =
        run(&["duplex", "call", &name, "x", "--wait-ms", "0", "--json-output"]).expect_code(1).json();
    assert_eq!(report["latency_us"], Value::Null);
    assert!(report["errors"][0].as_str().unwrap().contains("has no server"), "{report}");
}

#[test]
fn what_does_not_fit_a_ring_is_refused_with_the_numbers() {
    let name = ChannelName::new("large");
    let request = long_request();
    // The server's ring is too small for the request; nothing is sent.
    let server = start(&["duplex", "serve", &name, "--buffer-size", "4096", "-n", "1"]);
    let ended = call(&name, &["--file", request.path()]).expect_code(2);
    assert!(ended.stderr.contains("5000 bytes") && ended.stderr.contains("4080"), "{}", ended.stderr);
    call(&name, &["x"]).expect_code(0);
    server.end().expect_code(0);
    // The client's is too small for the response.
    let server = serve(&name, &["-n", "1", "--json-output"]);
    let small = ["duplex", "call", &name, "--buffer-size", "4096", "--wait-ms", LONG];
    let ended = run(&[&small[..], &["--file", request.path()]].concat()).expect_code(3);
    assert!(ended.stderr.contains("5000 bytes") && ended.stderr.contains("4080"), "{}", ended.stderr);
    let served = server.end().expect_code(0).json();
    assert_eq!([&served["requests"], &served["failed"]], [1, 1]);
    assert!(served["errors"][0].as_str().unwrap().starts_with("request 1 failed: "), "{served}");
}

#[test]
fn bad_arguments_and_empty_requests_end_with_4() {
    let empty = TempFile::with("empty", b"");
    let folder = std::env::temp_dir();
    let folder = folder.to_str().unwrap();
    let bad: &[&[&str]] = &[
        &[],
        &["bogus"],
        &["serve"],
        &["serve", "b", "--handler", "rot13"],
        &["serve", "b", "--handler", "exec:"],
        &["serve", "b", "--handler", "exec:echo x", "--share"],
        &["serve", "b", "--threads", "0"],
        &["serve", "b", "--xor-key", "256"],
        &["serve", "b", "--mode", "888"],
        &["serve", "b", "--buffer-size", "0"],
        &["serve", "../b"],
        &["call"],
        &["call", "b", "x", "--file", "y"],
        &["call", "b", "x", "--threads", "0"],
        &["call", "b", "x", "--verify", "plaid"],
        &["call", "a/b", "x"],
        &["call", "b", "--file", concat!(env!("CARGO_TARGET_TMPDIR"), "/missing")],
        &["call", "b", "--file", folder],
        &["call", "b", ""],
        &["call", "b"],
        &["call", "b", "--file", empty.path()],
    ];
    for args in bad {
        let ended = run(&[&["duplex"], *args].concat());
        assert_eq!(ended.code, Some(4), "{args:?}: {}", ended.stderr);
        assert!(ended.stderr.starts_with("strait: "), "{args:?}: {}", ended.stderr);
    }
    for (args, from) in
        [(&[""][..], "the text"), (&[], "standard input"), (&["--file", empty.path()], empty.path())]
    {
        let ended = run(&[&["duplex", "call", "b"], args].concat());
        let expected = format!("strait: a request needs at least 1 byte, and {from} holds none\n");
        assert_eq!(ended.stderr, expected);
    }
}

#[test]
fn help_lists_the_codes() {
    for args in [&["duplex"][..], &["duplex", "serve"], &["duplex", "call"]] {
        let ended = run(&[args, &["--help"]].concat()).expect_code(0);
        assert!(
            ended.text().contains("Exit codes:") && ended.text().contains("failure response"),
            "{args:?}"
        );
    }
}
