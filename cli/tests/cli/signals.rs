//! Every signal that asks the tool to end has it end in order, and no other ends it.

use std::io::Read as _;

use crate::linux::signal;
use crate::support::{ChannelName, LONG, Name, TempFolder, run, start, start_after};

#[test]
fn a_closed_terminal_and_quit_end_it_in_order_as_terminate_does() {
    let (name, output, channel) = (Name::new("asked"), Name::new("never"), ChannelName::new("asked"));
    let commands = [
        vec!["reader", &*name, "--timeout-ms", "0", "-v"],
        vec!["relay", &*name, &*output, "--create-output", "-v"],
        vec!["duplex", "serve", &*channel, "-v"],
    ];
    for (sign, code, said) in [
        ("-HUP", 129, "interrupted by SIGHUP"),
        ("-QUIT", 131, "interrupted by SIGQUIT"),
        ("-TERM", 143, "interrupted by SIGTERM"),
    ] {
        for args in &commands {
            let mut child = start(args);
            let (_, mut rest) = child.first_complaint();
            signal(&child, sign);
            child.end().expect_code(code);
            assert!(!name.segment().exists() && !channel.requests.segment().exists(), "{args:?} {sign}");
            let mut text = String::new();
            rest.read_to_string(&mut text).unwrap();
            assert!(text.contains(said), "{args:?}: {text}");
        }
    }
}

#[test]
fn a_run_under_nohup_outlives_its_terminal() {
    let name = Name::new("nohup");
    let mut reader = start_after("trap '' HUP", &["reader", &*name, "--timeout-ms", LONG, "-v"]);
    let (_, _rest) = reader.first_complaint();
    signal(&reader, "-HUP");
    run(&["writer", &*name, "-n", "1"]).expect_code(0);
    reader.end().expect_code(0);
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let name = Name::new("stuck");
    let reader = start(&["reader", &*name, "--timeout-ms", LONG, "--buffer-size", "4096"]);
    let mut writer = start(&["writer", &*name, "--file", "-", "--wait-ms", LONG, "-v"]);
    // Its input stays silent: it does not get back to look at the first signal.
    let (_input, (connected, _rest)) = (writer.stdin(), writer.first_complaint());
    assert!(connected.contains("connected to"), "{connected}");
    // Two of one kind could become one.
    signal(&writer, "-TERM");
    signal(&writer, "-HUP");
    let code = writer.wait();
    assert!(matches!(code, Some(129 | 143)), "{code:?}");
    reader.end().expect_code(3);
}

#[test]
fn a_buffer_larger_than_files_may_be_is_an_error_with_both_numbers() {
    let name = Name::new("limit");
    let ended = start_after("ulimit -f 1000", &["reader", &*name, "--timeout-ms", "5"]).end().expect_code(1);
    let said = &ended.stderr;
    assert!(said.contains("268439808 bytes") && said.contains("ulimit -f"), "{said}");
    assert!(said.contains("512000") || said.contains("1024000"), "{said}");
    assert!(!said.contains("is full"), "{said}");
    let link = ["link", "create", &*name, "--hold"];
    let ended = start_after("ulimit -f 1000", &link).end().expect_code(1);
    assert!(ended.stderr.contains("ulimit -f"), "{}", ended.stderr);
}

#[test]
fn a_file_that_grows_beyond_its_limit_is_an_error_and_stays_unfinished() {
    let (name, folder) = (Name::new("grows"), TempFolder::new("grows"));
    let out = folder.path("copy");
    let args =
        ["reader", &*name, "--buffer-size", "10240", "--timeout-ms", LONG, "--out", out.to_str().unwrap()];
    let reader = start_after("ulimit -f 100", &args);
    let written = start(&["writer", &*name, "-n", "1000", "--wait-ms", LONG, "--timeout-ms", LONG]);
    let ended = reader.end().expect_code(3);
    assert!(ended.stderr.contains("ulimit -f"), "{}", ended.stderr);
    assert_eq!(folder.names(), ["copy.part"]);
    written.end().expect_code(2);
}

#[test]
fn a_command_that_answers_has_every_signal_as_usual() {
    let name = ChannelName::new("usual");
    let server =
        start(&["duplex", "serve", &*name, "--handler", "exec:grep SigIgn /proc/self/status", "-n", "1"]);
    let called =
        run(&["duplex", "call", &*name, "x", "--wait-ms", LONG, "--timeout-ms", LONG]).expect_code(0);
    let mask = called.text().strip_prefix("SigIgn:").unwrap().trim();
    let mask = u64::from_str_radix(mask, 16).unwrap();
    // SIGXFSZ is number 25.
    assert_eq!(mask >> 24 & 1, 0, "{mask:x}");
    server.end().expect_code(0);
}
