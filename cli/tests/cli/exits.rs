//! Does every way to end have its number?

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::support::{LONG, Name, Running, TempFile, run, start};

#[test]
fn bad_arguments_end_with_4() {
    let folder = std::env::temp_dir();
    let folder = folder.to_str().unwrap();
    let bad: &[&[&str]] = &[
        &[],
        &["bogus"],
        &["writer"],
        &["reader"],
        &["relay", "one"],
        &["relay", "same", "same"],
        &["writer", "b", "--bogus"],
        &["writer", "b", "-n", "-2"],
        &["reader", "b", "-n", "-2"],
        &["writer", "b", "-n", "many"],
        &["writer", "b", "-s", "0"],
        &["writer", "b", "-s", "9..3"],
        &["writer", "b", "--pattern", "plaid"],
        &["writer", "b", "--batch-size", "0"],
        &["writer", "b", "-m", "x", "--metadata-file", "y"],
        &["writer", "b", "-m", ""],
        &["writer", "b", "--metadata-file", concat!(env!("CARGO_TARGET_TMPDIR"), "/missing")],
        &["writer", "b", "--file", concat!(env!("CARGO_TARGET_TMPDIR"), "/missing")],
        &["writer", "b", "--file", folder],
        &["writer", "b", "--file", "-", "--pattern", "zero"],
        &["writer", "../b"],
        &["reader", ".b"],
        &["reader", "b", "--verify", "plaid"],
        &["reader", "b", "--mode", "888"],
        &["reader", "b", "--mode", "7777"],
        &["reader", "b", "--group", "staff"],
        &["reader", "b", "--buffer-size", "99999999999999"],
        &["reader", "b", "--buffer-size", "0"],
        &["reader", "b", "--out", concat!(env!("CARGO_TARGET_TMPDIR"), "/missing/file")],
        &["reader", "b", "--out", "-", "--json-output"],
        &["reader", "b", "--out", "-", "--metadata-out", "-"],
        &["relay", "b", "c", "--transform", "rot13"],
        &["relay", "b", "c", "--xor-key", "256"],
        &["relay", "b", "c/d"],
        &["inspect"],
        &["inspect", "a/b"],
        &["inspect", "b", "--frames", "x"],
        &["ls", "extra"],
        &["gc", "--bogus"],
    ];
    for args in bad {
        let ended = run(args);
        assert_eq!(ended.code, Some(4), "{args:?}: {}", ended.stderr);
        assert!(ended.stderr.starts_with("strait: "), "{args:?}: {}", ended.stderr);
    }
}

#[test]
fn help_and_version_end_with_0_and_list_the_codes() {
    run(&["--version"]).expect_code(0);
    for command in ["writer", "reader", "relay", "inspect", "ls", "gc"] {
        for help in ["-h", "--help"] {
            let ended = run(&[command, help]).expect_code(0);
            assert!(ended.text().contains("Exit codes:"), "{command}");
        }
    }
}

#[test]
fn a_missing_buffer_ends_with_1_and_is_named() {
    let name = Name::new("missing");
    for args in
        [&["writer", &*name, "--wait-ms", "0"][..], &["writer", &name, "--wait-ms", "5"], &["inspect", &name]]
    {
        let ended = run(args).expect_code(1);
        assert!(ended.stderr.contains(&*name) && ended.stderr.contains("not found"), "{}", ended.stderr);
    }
    let ended = run(&["writer", &name, "--wait-ms", "0", "--json-output"]).expect_code(1);
    assert!(ended.json()["errors"][0].as_str().unwrap().contains(&*name));
}

#[test]
fn a_second_reader_ends_with_1() {
    let name = Name::new("taken");
    let mut first = start(&["reader", &name, "--timeout-ms", "0", "-v"]);
    let (_, _rest) = first.first_complaint();
    let ended = run(&["reader", &name]).expect_code(1);
    assert!(ended.stderr.contains("already has a reader"), "{}", ended.stderr);
    run(&["writer", &name, "-n", "1"]).expect_code(0);
    first.end().expect_code(0);
}

#[test]
fn a_relay_without_an_output_ends_with_2() {
    let (input, output) = (Name::new("in"), Name::new("out"));
    let ended = run(&["relay", &input, &output, "--timeout-ms", "5", "--json-output"]).expect_code(2);
    assert!(ended.json()["errors"][0].as_str().unwrap().contains(&*output));
}

#[test]
fn a_full_ring_ends_the_writer_with_2_after_its_time_out() {
    let name = Name::new("full");
    let mut reader =
        start(&["reader", &name, "--delay-ms", LONG, "--buffer-size", "4096", "-v", "--timeout-ms", LONG]);
    let (_, _rest) = reader.first_complaint();
    let ended = run(&["writer", &name, "--timeout-ms", "5", "--json-output"]).expect_code(2);
    assert!(ended.json()["errors"][0].as_str().unwrap().contains("is full"), "{}", ended.stderr);
    stop(reader);
}

/// Asked to stop in the middle of its pause, a reader still removes its buffer.
#[cfg(target_os = "linux")]
fn stop(reader: Running) {
    crate::linux::signal(&reader, "-TERM");
    reader.end().expect_code(143);
}

/// Nobody can be asked to stop; a killed reader's buffer goes with it.
#[cfg(not(target_os = "linux"))]
fn stop(mut reader: Running) {
    reader.kill();
}

#[test]
fn a_silent_stream_ends_with_3_whatever_has_come() {
    let name = Name::new("silent");
    let ended = run(&["reader", &name, "--timeout-ms", "5", "--json-output"]).expect_code(3);
    let expected = format!("buffer {:?}: no frame came within 5 ms; no writer is connected", &*name);
    assert_eq!(ended.json()["errors"], serde_json::json!([expected]));

    for (asked, of) in [("0", ""), ("-1", ""), ("2", " of 2")] {
        // It is there first, and its input stays open: one frame, then silence.
        let mut writer = start(&["writer", &name, "--file", "-", "-s", "4", "--wait-ms", LONG]);
        let mut input = writer.stdin();
        input.write_all(b"once").unwrap();
        let reader = start(&["reader", &name, "-n", asked, "--timeout-ms", "2000", "--json-output"]);
        let read = reader.end().expect_code(3).json();
        assert_eq!(read["frames_read"], 1);
        let expected = format!(
            "buffer {:?}: no further frame came within 2000 ms, after 1{of} with 4 bytes; its writer lives and has not \
             closed",
            &*name
        );
        assert_eq!(read["errors"], serde_json::json!([expected]));
        drop(input);
        writer.end().expect_code(0);
    }
}

#[test]
fn a_relay_whose_input_falls_silent_ends_with_3() {
    let (input, output) = (Name::new("in"), Name::new("out"));
    let reader = start(&["reader", &output, "-n", "1", "--timeout-ms", LONG]);
    let mut writer = start(&["writer", &input, "--file", "-", "-s", "4", "--wait-ms", LONG]);
    let mut bytes = writer.stdin();
    bytes.write_all(b"once").unwrap();
    let relay =
        start(&["relay", &input, &output, "--timeout-ms", "2000", "--create-output", "--json-output"]);
    reader.end().expect_code(0);
    let relayed = relay.end().expect_code(3).json();
    assert_eq!([&relayed["frames_relayed"], &relayed["total_bytes"]], [1, 4]);
    let said = relayed["errors"][0].as_str().unwrap();
    assert!(said.contains("after 1 with 4 bytes; its writer lives"), "{said}");
    drop(bytes);
    writer.end().expect_code(0);
}

#[test]
fn errors_are_said_in_the_order_of_their_frames() {
    let name = Name::new("order");
    let reader = start(&["reader", &name, "--verify", "ones", "--timeout-ms", LONG]);
    run(&["writer", &name, "--pattern", "zero", "-n", "5", "--wait-ms", LONG]).expect_code(0);
    let said = reader.end().expect_code(5).stderr;
    let found: Vec<usize> = (0..5).map(|frame| said.find(&format!("frame {frame}: ")).unwrap()).collect();
    assert!(found.is_sorted(), "{said}");
}

#[test]
fn wrong_content_and_wrong_sizes_end_with_5() {
    for (read, message) in [
        (&["--verify", "ones"][..], "byte 0 is 0x00, expected 0xff"),
        (&["-s", "100"], "has 64 bytes, expected 100"),
        (&["-s", "1..10", "--seed", "3"], "has 64 bytes, expected "),
        (&["--verify", "random", "--seed", "1"], "frame 0: byte 0 is 0x00, expected 0x"),
    ] {
        let name = Name::new("wrong");
        let mut args = vec!["reader", &*name, "--json-output", "--timeout-ms", LONG];
        args.extend(read);
        let reader = start(&args);
        run(&["writer", &name, "-s", "64", "--pattern", "zero", "-n", "150", "--wait-ms", LONG])
            .expect_code(0);
        let read = reader.end().expect_code(5).json();
        assert_eq!(read["frames_read"], 150);
        assert_eq!(read["verification_errors"], 150);
        let errors = read["errors"].as_array().unwrap();
        assert!(errors[0].as_str().unwrap().contains(message), "{}", errors[0]);
        assert_eq!((errors.len(), errors[100].as_str().unwrap()), (101, "and 50 more"));
    }
}

#[test]
fn nobody_reading_the_output_is_no_panic() {
    let file = TempFile::with("input", b"x");
    let name = Name::new("deaf");
    for args in [
        &["--help"][..],
        &["ls"],
        &["gc", "--dry-run"],
        &["writer", &*name, "--file", file.path(), "--wait-ms", "0"],
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_strait"));
        let mut child = command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop((child.stdout.take(), child.stderr.take()));
        let code = child.wait().unwrap().code();
        assert!(matches!(code, Some(0 | 1)), "{args:?}: {code:?}");
    }
}
