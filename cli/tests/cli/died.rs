//! What remains when a process dies?

use std::io::{Read as _, Write as _};

use crate::support::{LONG, Name, TempFile, run, start};

/// Opens, and fails when it is read.
#[cfg(target_os = "linux")]
const UNREADABLE: &str = "/proc/self/mem";

#[test]
fn a_reader_hands_out_what_a_dead_writer_sent_and_then_fails() {
    let name = Name::new("orphan");
    let mut reader = start(&["reader", &name, "--out", "-", "--timeout-ms", LONG]);
    let mut writer = start(&["writer", &name, "--file", "-", "-s", "4", "--wait-ms", LONG]);
    let (mut input, mut output) = (writer.stdin(), reader.stdout());
    input.write_all(b"last words").unwrap();
    let mut heard = [0; 8];
    output.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"last wor");
    writer.kill();
    let mut rest = Vec::new();
    output.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty());
    let ended = reader.end().expect_code(3);
    assert!(ended.stderr.contains(&format!("writer of buffer {:?} died", &*name)), "{}", ended.stderr);
}

#[cfg(target_os = "linux")]
#[test]
fn what_stops_in_the_middle_is_no_end_to_the_reader_behind_it() {
    let name = Name::new("gives-up");
    let reader = start(&["reader", &name, "--timeout-ms", LONG, "--json-output"]);
    // A file that opens and cannot be read, like a disk that fails.
    let written = run(&["writer", &name, "--file", UNREADABLE, "--wait-ms", LONG]).expect_code(2);
    assert!(written.stderr.contains(UNREADABLE), "{}", written.stderr);
    let read = reader.end().expect_code(3);
    assert!(read.stderr.contains(&format!("writer of buffer {:?} gave up", &*name)), "{}", read.stderr);
}

#[test]
fn metadata_that_do_not_fit_are_no_end_either() {
    let name = Name::new("too-much");
    let reader = start(&["reader", &name, "--metadata-size", "16", "--timeout-ms", LONG]);
    run(&["writer", &name, "-m", &"x".repeat(57), "--wait-ms", LONG]).expect_code(2);
    reader.end().expect_code(3);
}

#[test]
fn a_relay_passes_the_death_of_its_writer_on() {
    let (first, second) = (Name::new("dies"), Name::new("told"));
    let mut reader = start(&["reader", &second, "--out", "-", "--timeout-ms", LONG]);
    let relay = start(&["relay", &first, &second, "--timeout-ms", LONG, "--create-output"]);
    let mut writer = start(&["writer", &first, "--file", "-", "-s", "4", "--wait-ms", LONG]);
    let (mut input, mut output) = (writer.stdin(), reader.stdout());
    input.write_all(b"last words").unwrap();
    let mut heard = [0; 8];
    output.read_exact(&mut heard).unwrap();
    writer.kill();
    assert!(relay.end().expect_code(3).stderr.contains("died"));
    assert!(reader.end().expect_code(3).stderr.contains("gave up"));
}

#[test]
fn an_empty_file_is_a_stream_of_no_frames_that_ends() {
    let (first, second) = (Name::new("empty"), Name::new("empty-too"));
    let file = TempFile::with("empty", b"");
    let reader = start(&["reader", &second, "--timeout-ms", "0", "--json-output"]);
    let relay = start(&["relay", &first, &second, "--timeout-ms", "0", "--create-output", "--json-output"]);
    run(&["writer", &first, "--file", file.path(), "--wait-ms", LONG]).expect_code(0);
    assert_eq!(relay.end().expect_code(0).json()["frames_relayed"], 0);
    let read = reader.end().expect_code(0).json();
    assert_eq!((&read["frames_read"], &read["errors"]), (&0.into(), &serde_json::json!([])));
}

#[test]
fn a_reader_of_a_number_of_frames_takes_the_rest_from_the_writer_that_is_started_again() {
    let name = Name::new("again");
    let mut reader = start(&["reader", &name, "-n", "5", "--out", "-", "--timeout-ms", LONG]);
    let mut writer = start(&["writer", &name, "--file", "-", "-s", "4", "--wait-ms", LONG]);
    let (mut input, mut output) = (writer.stdin(), reader.stdout());
    input.write_all(b"onceupon").unwrap();
    let mut heard = [0; 8];
    output.read_exact(&mut heard).unwrap();
    writer.kill();
    let (complaint, _rest) = reader.first_complaint();
    assert!(complaint.contains("died") && complaint.contains("waiting"), "{complaint}");
    run(&["writer", &name, "-n", "3", "-s", "4", "--pattern", "zero", "--wait-ms", LONG]).expect_code(0);
    let mut rest = Vec::new();
    output.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, [0; 12]);
    // All came, and that one died is still said.
    reader.end().expect_code(3);
}

#[test]
fn a_killed_readers_name_serves_the_next_one() {
    let name = Name::new("next");
    let mut reader = start(&["reader", &name, "--buffer-size", "4096", "--timeout-ms", "0", "-v"]);
    reader.first_complaint();
    reader.kill();
    let refused = run(&["writer", &name, "--wait-ms", "0"]).expect_code(1);
    assert!(refused.stderr.contains(&*name), "{}", refused.stderr);
    let reader = start(&["reader", &name, "--verify", "sequential", "--timeout-ms", LONG, "--json-output"]);
    run(&["writer", &name, "-n", "5", "--wait-ms", LONG]).expect_code(0);
    assert_eq!(reader.end().expect_code(0).json()["frames_read"], 5);
}
