//! Are all golden frames explained, and is what is none said to be none?

use std::io::Write as _;
use std::path::Path;

use serde_json::Value;

use crate::support::{Ended, run, start};

fn vector(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/xcp").join(name);
    path.to_str().unwrap().to_owned()
}

fn decode(name: &str) -> Value {
    run(&["xcp", "decode", &vector(name), "--json-output"]).expect_code(0).json()
}

fn decode_bytes(bytes: &[u8], args: &[&str]) -> Ended {
    let mut running = start(&[&["xcp", "decode", "-"], args].concat());
    let mut input = running.stdin();
    // It may have seen enough.
    let _ = input.write_all(bytes);
    drop(input);
    running.end()
}

/// File, type and its number on the wire, channel, codec, message, what it answers, bytes of the payload, header, order
/// of the checksum, flag.
type Golden =
    (&'static str, &'static str, u64, u64, u64, u64, u64, u64, &'static str, &'static str, &'static str);

#[rustfmt::skip]
const GOLDEN: [Golden; 24] = [
    ("reference/hello.bin", "HELLO", 0, 0, 1, 1, 0, 85, "json", "be", ""),
    ("reference/caps.bin", "CAPS", 1, 0, 1, 0, 1, 85, "json", "be", ""),
    ("reference/data_codec8_stock_jsonfallback_text.req.bin", "DATA", 256, 1, 8, 3, 0, 121, "json", "be", ""),
    ("reference/data_codec8_stock_jsonfallback_text.resp.bin", "DATA", 256, 1, 8, 0, 3, 121, "json", "be", ""),
    ("reference/data_json_text.req.bin", "DATA", 256, 1, 1, 1, 0, 121, "json", "be", ""),
    ("reference/data_json_text.resp.bin", "DATA", 256, 1, 1, 0, 1, 121, "json", "be", ""),
    ("reference/data_protobuf_text.req.bin", "DATA", 256, 1, 8, 1, 0, 34, "json", "be", ""),
    ("reference/data_protobuf_text.resp.bin", "DATA", 256, 1, 8, 0, 1, 34, "json", "be", ""),
    ("reference/nack.bin", "NACK", 3, 0, 1, 0, 6, 46, "json", "be", ""),
    ("reference/ping.bin", "PING", 4, 0, 1, 4, 0, 26, "json", "be", ""),
    ("reference/pong.bin", "PONG", 5, 0, 1, 0, 4, 26, "json", "be", ""),
    ("spec/capnp_hello.bin", "HELLO", 0, 0, 1, 1, 0, 85, "capnp", "le", ""),
    ("spec/capnp_caps_as_hello_reply.bin", "HELLO", 0, 0, 1, 1, 1, 85, "capnp", "le", ""),
    ("spec/capnp_ack.bin", "ACK", 1, 0, 1, 3, 2, 12, "capnp", "le", ""),
    ("spec/capnp_nack.bin", "NACK", 2, 0, 1, 3, 2, 46, "capnp", "le", ""),
    ("spec/capnp_ping.bin", "PING", 3, 0, 1, 4, 0, 11, "capnp", "le", ""),
    ("spec/capnp_pong.bin", "PONG", 4, 0, 1, 5, 4, 11, "capnp", "le", ""),
    ("spec/capnp_data_json.bin", "DATA", 256, 1, 1, 2, 0, 121, "capnp", "le", ""),
    ("spec/capnp_data_json_packedhdr.bin", "DATA", 256, 1, 1, 2, 0, 121, "capnp-packed", "le", ""),
    ("spec/capnp_large.bin", "DATA", 256, 1, 1, 7, 0, 121, "capnp", "le", "LARGE"),
    ("spec/capnp_comp_zstd.bin", "DATA", 256, 1, 1, 8, 0, 118, "capnp", "le", "COMP"),
    ("spec/capnp_crypt.bin", "DATA", 256, 1, 1, 9, 0, 137, "capnp", "le", "CRYPT"),
    ("spec/capnp_more_1of2.bin", "DATA", 256, 1, 1, 6, 0, 64, "capnp", "le", "MORE"),
    ("spec/capnp_more_2of2.bin", "DATA", 256, 1, 1, 6, 0, 57, "capnp", "le", ""),
];

#[test]
fn every_golden_frame_is_explained() {
    for (file, name, number, channel, codec, id, answers, len, format, order, flag) in GOLDEN {
        let found = decode(file);
        let numbers = ["msg_type", "channel_id", "body_codec", "msg_id", "in_reply_to", "payload_len"];
        let numbers = numbers.map(|key| found[key].as_u64().unwrap());
        assert_eq!(numbers, [number, channel, codec, id, answers, len], "{file}");
        let texts = ["msg_type_name", "header_format", "crc_order", "version"];
        assert_eq!(texts.map(|key| found[key].as_str().unwrap()), [name, format, order, "0.2"], "{file}");
        let flags: Vec<&str> = if flag.is_empty() { Vec::new() } else { vec![flag] };
        assert_eq!(found["flags"], serde_json::json!(flags), "{file}");
        let text = run(&["xcp", "decode", &vector(file)]).expect_code(0);
        assert!(text.text().contains(&format!(" {name} (")) || answers != 0, "{file}: {}", text.text());
    }
}

#[test]
fn bodies_are_summed_up() {
    assert_eq!(decode("reference/ping.bin")["body"]["nonce"], 1_754_000_000_123_456_u64);
    assert_eq!(decode("reference/nack.bin")["body"]["error"], "ERR_CODEC_UNSUPPORTED");
    assert_eq!(decode("spec/capnp_ack.bin")["body"]["msg_id"], 2);
    assert_eq!(decode("reference/caps.bin")["body"]["max_frame_bytes"], 1 << 20);
    assert_eq!(decode("spec/capnp_comp_zstd.bin")["body"]["unpacked"], 968);
    assert_eq!(decode("spec/capnp_crypt.bin")["body"]["sealed"], 137);
    assert_eq!(decode("reference/data_protobuf_text.req.bin")["body"]["kind"], "text");
}

#[test]
fn frames_behind_each_other_are_explained_one_by_one() {
    let frames: Vec<u8> = GOLDEN.iter().flat_map(|golden| std::fs::read(vector(golden.0)).unwrap()).collect();
    let ended = decode_bytes(&frames, &["--json-output"]).expect_code(0);
    let found: Vec<Value> = ended.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(found.len(), GOLDEN.len());
    // The second chunk is known for one.
    assert_eq!(found.last().unwrap()["body"]["part_of_a_message"], 57);
    let last = found.last().unwrap()["offset"].as_u64().unwrap();
    assert_eq!(frames.len() as u64 - last, 8 + 32 + 4 + 57 + 4);
}

#[test]
fn a_wrong_checksum_is_told_and_what_follows_is_explained_all_the_same() {
    let mut frames = std::fs::read(vector("spec/capnp_ping.bin")).unwrap();
    let len = frames.len();
    frames[len - 1] ^= 1;
    frames.extend(std::fs::read(vector("spec/capnp_ack.bin")).unwrap());
    let ended = decode_bytes(&frames, &["--json-output"]).expect_code(5);
    let found: Vec<Value> = ended.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!([&found[0]["crc_right"], &found[1]["crc_right"]], [false, true]);
    assert_eq!(found[0]["crc_order"], "neither");
    assert!(ended.stderr.contains("the frame at byte 0: its checksum says"), "{}", ended.stderr);
    let ended = decode_bytes(&frames[..len], &[]).expect_code(5);
    assert!(ended.text().contains("WRONG in both orders"), "{}", ended.text());
    // Right, and in another order than was asked for.
    let hello = std::fs::read(vector("reference/hello.bin")).unwrap();
    let ended = decode_bytes(&hello, &["--dialect", "crc=le"]).expect_code(5);
    assert!(ended.text().contains("right, big-endian, and the other was asked for"), "{}", ended.text());
}

#[test]
fn what_is_no_frame_ends_with_3_and_says_where() {
    let good = std::fs::read(vector("spec/capnp_data_json.bin")).unwrap();
    for (bytes, said) in [
        (&[][..], "the input is empty"),
        (b"HTTP/1.1 200 OK\r\n", "no frame begins at byte 0: there is 0x50545448"),
        (&good[..5], "in its prefix: 8 bytes are needed, 5 are left"),
        (&good[..20], "in its header: 32 bytes are needed, 12 are left"),
        (&good[..42], "in its length: 4 bytes are needed, 2 are left"),
        (&good[..100], "in its payload: 121 bytes are needed, 56 are left"),
        (&good[..good.len() - 1], "in its checksum: 4 bytes are needed, 3 are left"),
    ] {
        let ended = decode_bytes(bytes, &[]).expect_code(3);
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
    }
    let ended = decode_bytes(&[&good[..], b"rest"].concat(), &["--json-output"]).expect_code(3);
    assert!(ended.stderr.contains(&format!("at byte {}", good.len())), "{}", ended.stderr);
    assert_eq!(ended.json()["msg_id"], 2, "what came before is explained");
    run(&["xcp", "decode", concat!(env!("CARGO_TARGET_TMPDIR"), "/missing")]).expect_code(4);
}

#[test]
fn a_header_that_is_none_is_told() {
    let mut frame = std::fs::read(vector("spec/capnp_ping.bin")).unwrap();
    frame[8] = 0xFF;
    let ended = decode_bytes(&frame, &["--json-output"]).expect_code(3);
    assert!(ended.json()["header_error"].as_str().unwrap().contains("neither Cap'n Proto nor JSON"));
}
