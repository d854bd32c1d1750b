//! Do files and metadata pass through unchanged?

use std::io::{Read as _, Write as _};

use sha2::{Digest as _, Sha256};

use crate::support::{LONG, Name, TempFile, run, start};

#[test]
fn a_real_file_comes_out_as_it_went_in() {
    let source = env!("CARGO_BIN_EXE_strait");
    let digest = Sha256::digest(std::fs::read(source).unwrap());
    for size in ["1024", "65536", "1..5000", "1000000"] {
        let (name, copy) = (Name::new("file"), TempFile::new("copy"));
        let read = ["reader", &name, "--out", copy.path(), "--buffer-size", "1048576", "--timeout-ms", LONG];
        let reader = start(&read);
        let write = ["writer", &name, "--file", source, "-s", size, "--wait-ms", LONG, "--timeout-ms", LONG];
        run(&write).expect_code(0);
        reader.end().expect_code(0);
        assert!(Sha256::digest(copy.bytes()) == digest, "size {size}");
    }
}

#[test]
fn standard_input_becomes_standard_output() {
    let name = Name::new("pipe");
    let reader = start(&["reader", &name, "--out", "-", "--timeout-ms", LONG]);
    let mut writer = start(&["writer", &name, "--file", "-", "-s", "1000", "--wait-ms", LONG]);
    let bytes: Vec<u8> = (0..=255).cycle().take(123_456).collect();
    writer.stdin().write_all(&bytes).unwrap();
    let written = writer.end().expect_code(0);
    assert!(written.text().contains("frames    124"), "{}", written.text());
    let read = reader.end().expect_code(0);
    assert!(read.stdout == bytes);
    assert!(read.stderr.contains("frames    124"), "{}", read.stderr);
}

#[test]
fn a_file_smaller_than_a_frame_needs_no_more_ring_than_it_has() {
    let (name, file) = (Name::new("little"), TempFile::with("little", b"little"));
    let reader = start(&["reader", &name, "--out", "-", "--buffer-size", "64", "--timeout-ms", LONG]);
    run(&["writer", &name, "--file", file.path(), "-s", "1000000", "--wait-ms", LONG]).expect_code(0);
    assert_eq!(reader.end().expect_code(0).stdout, b"little");
}

#[test]
fn a_limit_cuts_a_file_short() {
    let (name, file) = (Name::new("cut"), TempFile::with("cut", b"0123456789"));
    let reader = start(&["reader", &name, "--out", "-", "--timeout-ms", LONG]);
    run(&["writer", &name, "--file", file.path(), "-s", "2", "-n", "3", "--wait-ms", LONG]).expect_code(0);
    assert_eq!(reader.end().expect_code(0).stdout, b"012345");
}

#[test]
fn metadata_arrive_from_text_and_from_a_file() {
    let file = TempFile::with("metadata", b"\x00\xffbytes\n");
    for (option, value, expected) in
        [("-m", "größe=7", "größe=7".as_bytes()), ("--metadata-file", file.path(), b"\x00\xffbytes\n")]
    {
        let (name, out) = (Name::new("metadata"), TempFile::new("metadata"));
        let read = ["reader", &name, "--metadata-out", out.path(), "--json-output", "--timeout-ms", LONG];
        let reader = start(&read);
        run(&["writer", &name, "-n", "2", option, value, "--wait-ms", LONG]).expect_code(0);
        let read = reader.end().expect_code(0).json();
        assert_eq!(read["metadata_size"], expected.len());
        assert_eq!(out.bytes(), expected);
    }
}

#[test]
fn metadata_that_do_not_fit_are_a_write_failure() {
    let text = "x".repeat(57);
    for (len, code) in [(57, 2), (56, 0)] {
        let name = Name::new("tight");
        let reader = start(&["reader", &name, "--metadata-size", "64", "--timeout-ms", LONG]);
        let writer = ["writer", &name, "-m", &text[..len], "-n", "1", "--wait-ms", LONG];
        let ended = run(&writer).expect_code(code);
        if code == 0 {
            reader.end().expect_code(0);
        } else {
            assert!(ended.stderr.contains("57 bytes") && ended.stderr.contains("56"), "{}", ended.stderr);
            // Its writer gave up, and it says so.
            reader.end().expect_code(3);
        }
    }
}

#[test]
fn frames_reach_the_output_while_the_writer_is_silent() {
    let name = Name::new("live");
    let mut reader = start(&["reader", &name, "--out", "-", "--timeout-ms", LONG]);
    let mut writer = start(&["writer", &name, "--file", "-", "-s", "4", "--wait-ms", LONG]);
    let (mut input, mut output) = (writer.stdin(), reader.stdout());
    for word in [b"ping", b"pong"] {
        input.write_all(word).unwrap();
        let mut echo = [0; 4];
        output.read_exact(&mut echo).unwrap();
        assert_eq!(&echo, word);
    }
    drop(input);
    writer.end().expect_code(0);
    reader.end().expect_code(0);
}
