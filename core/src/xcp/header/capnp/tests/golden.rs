//! Golden headers are read, and written again byte for byte; and headers are as long as they should be.

use super::*;

macro_rules! frames {
    ($($name:literal),+ $(,)?) => {
        [$(($name, include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/xcp/spec/", $name, ".bin")).as_slice())),+]
    };
}

const FRAMES: [(&str, &[u8]); 13] = frames![
    "capnp_ack",
    "capnp_caps_as_hello_reply",
    "capnp_comp_zstd",
    "capnp_crypt",
    "capnp_data_json",
    "capnp_data_json_packedhdr",
    "capnp_hello",
    "capnp_large",
    "capnp_more_1of2",
    "capnp_more_2of2",
    "capnp_nack",
    "capnp_ping",
    "capnp_pong",
];

const FULL: &[u8] =
    include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/xcp/reference/capnp_A_full.bin"));

/// The header of a frame: behind 8 bytes, the last two of which are its length.
fn header_of(frame: &[u8]) -> &[u8] {
    let len = u16::from_le_bytes([frame[6], frame[7]]);
    &frame[8..8 + usize::from(len)]
}

/// What `capnp_A_full.bin` says.
fn full() -> FrameHeader {
    let mut header = FrameHeader::new(MsgType::DATA, 7, 0x1122_3344_5566_7788);
    header.codec = CodecId::ARROW_IPC;
    header.in_reply_to = 10;
    header.schema_key = Some(SchemaKey {
        ns_hash: 0xC705_8CD5,
        kind_id: KindId::EMBEDDING.0,
        major: 1,
        minor: 2,
        hash: Some(0x4413_6FA3_55B3_678A_1146_AD16_F7E8_649E_u128.to_be_bytes()),
    });
    header.tags.push("trace", "abc").unwrap();
    header
}

#[test]
fn every_golden_frame_has_the_header_that_is_written() {
    for (name, frame) in FRAMES {
        let bytes = header_of(frame);
        if name == "capnp_data_json_packedhdr" {
            assert_eq!(packed(&read_packed(bytes, SPEC).unwrap()), bytes, "{name}");
        } else {
            assert_eq!(written(&read(bytes, SPEC).unwrap()), bytes, "{name}");
        }
    }
}

#[test]
fn golden_headers_say_what_their_frames_are_for() {
    let said = |name| {
        let (_, frame) = FRAMES.iter().find(|(each, _)| *each == name).unwrap();
        read(header_of(frame), SPEC).unwrap()
    };
    assert_eq!(said("capnp_hello"), FrameHeader::new(MsgType::HELLO, 0, 1));
    assert_eq!(said("capnp_data_json"), FrameHeader::new(MsgType::DATA, 1, 2));
    assert_eq!(said("capnp_ping"), FrameHeader::new(MsgType::PING, 0, 4));
    let mut nack = FrameHeader::new(MsgType::NACK, 0, 3);
    nack.in_reply_to = 2;
    assert_eq!(said("capnp_nack"), nack);
}

#[test]
fn a_header_with_everything_set_is_the_golden_one() {
    assert_eq!(read(FULL, SPEC), Ok(full()));
    assert_eq!(written(&full()), FULL);
    assert_eq!(packed(&full()).len(), 81);
    assert_eq!(read_packed(&packed(&full()), SPEC), Ok(full()));
}

#[test]
fn headers_are_as_long_as_the_table_of_sizes_says() {
    let ping = FrameHeader::new(MsgType::PING, 0, 5);
    let request = FrameHeader::new(MsgType::DATA, 1, 5);
    let reply = FrameHeader { in_reply_to: 5, ..FrameHeader::new(MsgType::DATA, 1, 6) };
    let key = SchemaKey { kind_id: KindId::TEXT.0, major: 1, ..SchemaKey::default() };
    let kind = FrameHeader { schema_key: Some(key), ..request.clone() };
    let key = SchemaKey { ns_hash: 0xC705_8CD5, hash: Some([0x5A; 16]), ..key };
    let schema = FrameHeader { schema_key: Some(key), ..request.clone() };
    let hello = FrameHeader { codec: CodecId(0), ..FrameHeader::new(MsgType::HELLO, 0, 0) };
    let json_hello = FrameHeader::new(MsgType::HELLO, 0, 0);
    let sizes = [
        ("PING", ping, 32, 9),
        ("request", request, 32, 10),
        ("request of message 1000000", FrameHeader::new(MsgType::DATA, 1, 1_000_000), 32, 12),
        ("reply", reply, 40, 12),
        ("kind", kind, 56, 20),
        ("whole schema", schema, 80, 47),
        ("HELLO without anything", hello, 16, 7),
        ("HELLO", json_hello, 24, 6),
    ];
    for (name, header, len, packed_len) in sizes {
        assert_eq!(written(&header).len(), len, "{name}");
        assert_eq!(packed(&header).len(), packed_len, "{name}");
    }
}
