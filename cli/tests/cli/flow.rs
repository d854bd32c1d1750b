//! Do frames arrive, through one ring and through two, as they were sent?

use core::time::Duration;

use strait::zerobuffer::{Reader, RecvError, Writer};

use crate::support::{LONG, Name, run, start};

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn every_pattern_arrives_with_random_sizes_through_a_small_ring() {
    for pattern in ["sequential", "random", "zero", "ones"] {
        let name = Name::new(pattern);
        let shared = ["-s", "1..2000", "--seed", "42", "--timeout-ms", LONG];
        let read =
            ["reader", &name, "--buffer-size", "10240", "--verify", pattern, "-n", "3000", "--json-output"];
        let reader = start(&[&read[..], &shared].concat());
        let write = ["writer", &name, "-n", "3000", "--pattern", pattern, "--wait-ms", LONG, "--json-output"];
        let written = run(&[&write[..], &shared].concat()).expect_code(0).json();
        let read = reader.end().expect_code(0).json();
        assert_eq!(written["frames_written"], 3000);
        assert_eq!(read["frames_read"], 3000);
        assert_eq!(read["verification_errors"], 0);
    }
}

#[test]
fn writer_and_reader_report_the_same_digests() {
    let name = Name::new("digests");
    let reader = start(&["reader", &name, "--checksum", "--json-output", "--timeout-ms", LONG]);
    let write = ["writer", &name, "-n", "150", "-s", "64", "--checksum", "--json-output", "--wait-ms", LONG];
    let written = run(&write).expect_code(0).json();
    let read = reader.end().expect_code(0).json();
    let checksums = written["checksums"].as_array().unwrap();
    assert_eq!(checksums.len(), 100);
    assert_eq!(checksums[0]["checksum"], "b2d3f56bc197fd985d5965079b5e7148");
    assert_eq!(checksums[4], serde_json::json!({"frame": 4, "checksum": "22d182e9868eb6d444a1c4718a0a953d"}));
    assert_eq!(written["checksums"], read["checksums"]);
    assert_eq!(read["frame_size"], 64);
}

#[test]
fn two_relays_that_undo_each_other_change_nothing() {
    for transform in ["xor", "reverse", "none"] {
        let (first, second, third) = (Name::new("first"), Name::new("second"), Name::new("third"));
        let small = ["--buffer-size", "8192", "--timeout-ms", LONG];
        let relay = ["--transform", transform, "--xor-key", "90", "--json-output", "--create-output"];
        let read = ["reader", &third, "--verify", "random", "-s", "1..999", "--json-output"];
        let reader = start(&[&read[..], &small].concat());
        let back = start(&[&["relay", &second, &third], &relay[..], &small].concat());
        let there = start(&[&["relay", &first, &second], &relay[..], &small].concat());
        let write =
            ["writer", &first, "--pattern", "random", "-s", "1..999", "-n", "500", "-m", "what it is"];
        run(&[&write[..], &["--wait-ms", LONG, "--timeout-ms", LONG]].concat()).expect_code(0);
        let (there, back) = (there.end().expect_code(0).json(), back.end().expect_code(0).json());
        let read = reader.end().expect_code(0).json();
        for relayed in [&there, &back] {
            assert_eq!(relayed["frames_relayed"], 500);
            assert_eq!(relayed["metadata_relayed"], true);
            assert_eq!(relayed["metadata_size"], 10);
            assert_eq!(relayed["transform"], transform);
        }
        assert_eq!(read["frames_read"], 500);
        assert_eq!(read["metadata_size"], 10);
        assert_eq!(read["verification_errors"], 0);
    }
}

#[test]
fn a_relay_inverts_what_passes_it() {
    let (first, second) = (Name::new("in"), Name::new("out"));
    let reader = start(&["reader", &second, "--verify", "ones", "--timeout-ms", LONG, "-n", "10"]);
    let relay = ["relay", &first, &second, "--transform", "xor", "--timeout-ms", LONG, "-n", "10", "-v"];
    let relay = start(&[&relay[..], &["--log-interval", "5"]].concat());
    run(&["writer", &first, "--pattern", "zero", "-n", "10", "--wait-ms", LONG]).expect_code(0);
    let said = relay.end().expect_code(0).stderr;
    assert!(said.contains("relayed 5 frames") && said.contains("relayed 10 frames"), "{said}");
    assert!(!said.contains("relayed 6 frames"), "{said}");
    reader.end().expect_code(0);
}

#[test]
fn delays_are_part_of_the_duration_and_waiting_for_the_other_end_is_not() {
    let name = Name::new("pace");
    let reader = start(&["reader", &name, "--json-output", "--timeout-ms", LONG]);
    let write = ["writer", &name, "-n", "7", "--delay-ms", "20", "--batch-size", "2", "--json-output"];
    let written = run(&[&write[..], &["--wait-ms", LONG]].concat()).expect_code(0).json();
    // After frames 2, 4 and 6.
    assert!(written["duration_seconds"].as_f64().unwrap() >= 0.060, "{written}");
    reader.end().expect_code(0);
}

#[test]
fn a_limited_reader_leaves_and_its_writer_says_so() {
    let name = Name::new("limited");
    let reader =
        start(&["reader", &name, "-n", "3", "--json-output", "--buffer-size", "4096", "--timeout-ms", LONG]);
    let write = ["writer", &name, "-n", "0", "--wait-ms", LONG, "--timeout-ms", LONG, "--json-output"];
    let written = run(&write).expect_code(2);
    assert!(
        written.stderr.contains(&format!("the reader of buffer {:?} is gone", &*name)),
        "{}",
        written.stderr
    );
    assert!(written.json()["frames_written"].as_u64().unwrap() >= 3);
    assert_eq!(reader.end().expect_code(0).json()["frames_read"], 3);
}

#[test]
fn a_relay_forwards_metadata_that_come_after_the_first_frame() {
    let (first, second) = (Name::new("in"), Name::new("out"));
    let mut reader = Reader::builder(&second).payload_capacity(4096).create().unwrap();
    let relay = ["relay", &*first, &second, "--transform", "reverse", "--timeout-ms", LONG, "--json-output"];
    let relay = start(&relay);
    let mut writer = Writer::builder(&first).wait_for_reader(MINUTE).connect().unwrap();
    writer.send(b"abc").unwrap();
    assert_eq!(&*reader.recv_timeout(MINUTE).unwrap(), b"cba");
    assert_eq!(reader.metadata().unwrap(), None);
    writer.set_metadata(b"late").unwrap();
    drop(writer);
    assert!(matches!(reader.recv_timeout(MINUTE), Err(RecvError::EndOfStream)));
    assert_eq!(reader.metadata().unwrap().as_deref(), Some(&b"late"[..]));
    assert_eq!(relay.end().expect_code(0).json()["metadata_size"], 4);
}

#[test]
fn a_relay_whose_output_goes_away_ends_with_2() {
    let (first, second) = (Name::new("in"), Name::new("out"));
    let mut reader = Reader::builder(&second).payload_capacity(4096).create().unwrap();
    let relay = start(&["relay", &*first, &second, "--timeout-ms", LONG, "--json-output"]);
    let mut writer = Writer::builder(&first).wait_for_reader(MINUTE).connect().unwrap();
    writer.send(b"abc").unwrap();
    assert_eq!(&*reader.recv_timeout(MINUTE).unwrap(), b"abc");
    drop(reader);
    while writer.send(b"def").is_ok() {}
    let relayed = relay.end().expect_code(2).json();
    assert!(relayed["errors"][0].as_str().unwrap().contains(&*second), "{relayed}");
}
