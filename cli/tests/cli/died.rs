//! What remains when a process dies?

use std::io::{Read as _, Write as _};

use crate::support::{LONG, Name, run, start};

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
