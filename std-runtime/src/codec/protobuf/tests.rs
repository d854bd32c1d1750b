//! Bytes of the Python implementation both ways, with and without its Protobuf code, and what any ether comes back as.

use proptest::prelude::*;
use serde_json::json;

use super::super::json::tests::any_ether;
use super::super::{DecodeLimits, Registry};
use super::*;
use crate::xcp::Attachment;
use crate::xcp::ether::{EtherError, bytes_value};

fn encode(codec: &ProtobufCodec, ether: &Ether) -> Vec<u8> {
    let mut out = Vec::new();
    codec.encode(ether, &mut out).unwrap();
    out
}

fn decode(body: &[u8]) -> Result<Ether, DecodeError> {
    ProtobufCodec::default().decode(body, &DecodeContext::default())
}

/// The body of a frame with a JSON header.
fn body(frame: &[u8]) -> &[u8] {
    let header = usize::from(u16::from_le_bytes([frame[6], frame[7]]));
    &frame[12 + header..frame.len() - 4]
}

#[test]
fn the_bytes_of_the_python_implementation_are_read_and_written() {
    let message = body(include_bytes!("../../../../tests/vectors/xcp/reference/data_protobuf_text.req.bin"));
    let text = Ether::text("Hello, XCP v0.2!");
    assert_eq!(decode(message), Ok(text.clone()));
    assert_eq!(encode(&ProtobufCodec::default(), &text), message);

    let stock = body(include_bytes!(
        "../../../../tests/vectors/xcp/reference/data_codec8_stock_jsonfallback_text.req.bin"
    ));
    assert_eq!(SubEncoding::of(stock), SubEncoding::Json);
    assert_eq!(SubEncoding::of(message), SubEncoding::Protobuf);
    assert_eq!(decode(stock), Ok(text.clone()));
    let mirroring = ProtobufCodec::new(SubEncoding::of(stock), JsonOptions::python());
    assert_eq!(encode(&mirroring, &text), stock);
    assert_eq!(
        Registry::new().with_sub_encoding(SubEncoding::Json).get(CodecId::PROTOBUF).map(|codec| {
            let mut out = Vec::new();
            codec.encode(&text, &mut out).unwrap();
            out
        }),
        Some(stock.to_vec())
    );
}

#[test]
fn values_of_other_types_are_texts_to_python_and_themselves_to_us() {
    let ether = Ether::new("x", 1)
        .payload("dim", 768)
        .payload("raw", bytes_value(&[0, 0xFF]))
        .payload("looks_raw", json!({ "$bytes": "AP9=" }))
        .metadata("text", "768");
    let message = EtherProto::decode(&encode(&ProtobufCodec::default(), &ether)[..]).unwrap();
    assert_eq!(message.payload["dim"], b"768");
    assert_eq!(message.payload["raw"], [0, 0xFF]);
    assert_eq!((message.payload_json.len(), message.payload_bytes.len()), (2, 1));
    // A message that Python has passed on has no lists: everything is a text, or bytes if it cannot be one.
    let passed = EtherProto { payload_json: Vec::new(), payload_bytes: Vec::new(), ..message };
    let read = decode(&passed.encode_to_vec()).unwrap();
    assert_eq!((&read.payload["dim"], &read.payload["raw"]), (&json!("768"), &bytes_value(&[0, 0xFF])));
}

#[test]
fn an_attachment_of_nothing_is_read_as_empty_bytes() {
    // id = "a", and nothing else, as Python's protobuf writes empty bytes.
    let body = b"\x0a\x01x\x10\x01\x32\x03\x0a\x01a";
    let ether = decode(body).unwrap();
    assert_eq!(ether.attachments[0].inline_bytes, Some(Bytes::new()));
    let kept = Bytes::from(encode(
        &ProtobufCodec::default(),
        &Ether::new("x", 1).attach(Attachment::bytes("a", "text/plain", vec![7; 100])),
    ));
    let read = ProtobufCodec::default().decode_bytes(&kept, &DecodeContext::default()).unwrap();
    let inline = read.attachments[0].inline_bytes.clone().unwrap();
    assert!(kept.as_ptr_range().contains(&inline.as_ptr()), "not copied");
}

#[test]
fn what_is_no_ether_is_refused() {
    for body in [
        &b""[..],
        b"\x0a\x04text",
        b"\x0a\x04text\x10\x00",
        b"\x0a\x05text",
        b"\x0b",
        b"\x10\x01\x32\x02\x0a\xff",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        // A kind that is no UTF-8; a key under both lists; JSON that is none.
        b"\x0a\x01\xff\x10\x01",
        b"\x10\x01\x1a\x06\x0a\x01a\x12\x011\xa2\x06\x01a\xba\x06\x01a",
        b"\x10\x01\x1a\x06\x0a\x01a\x12\x01x\xa2\x06\x01a",
        b"{",
    ] {
        let error = decode(body).unwrap_err();
        assert_eq!(error.code(), strait_core::xcp::ErrorCode::ERR_MALFORMED, "{body:?}");
    }
    assert_eq!(decode(b"\x0a\x04text"), Err(DecodeError::Ether(EtherError::VersionZero)));
}

#[test]
fn what_is_too_much_is_refused_before_it_is_built() {
    let refused = |body: &[u8], limits: DecodeLimits| {
        let context = DecodeContext { limits, ..DecodeContext::default() };
        match ProtobufCodec::default().decode(body, &context) {
            Err(DecodeError::BeyondLimit { what, count, max }) => (what, count, max),
            other => panic!("{other:?}"),
        }
    };
    let limits = DecodeLimits::default();
    assert_eq!(refused(&b"\x32\x00".repeat(1 << 20), limits), ("attachments", 1025, 1024));
    let few = DecodeLimits { values: 100, ..limits };
    assert_eq!(refused(&b"\x1a\x00".repeat(200), few), ("values", 101, 100));
    // Dimensions: a byte each on the wire, and 12 bytes of memory.
    let shape = [&b"\x32\xcb\x01\x2a\xc8\x01"[..], &[1; 200]].concat();
    assert_eq!(refused(&shape, few), ("values", 201, 100));
    // The JSON of all fields together.
    let list = vec![1; 30];
    let ether =
        Ether::new("x", 1).payload("a", list.clone()).payload("b", list.clone()).metadata("c", list.clone());
    let body = encode(&ProtobufCodec::default(), &ether.extra_field("d", list));
    assert!(matches!(refused(&body, few), ("values", _, _)));
}

proptest! {
    #[test]
    fn any_ether_comes_back_as_it_was(ether in any_ether()) {
        for written in [SubEncoding::Protobuf, SubEncoding::Json] {
            let body = encode(&ProtobufCodec::new(written, JsonOptions::new()), &ether);
            prop_assert_eq!(decode(&body), Ok(ether.clone()));
        }
    }

    #[test]
    fn what_a_damaged_body_is_read_as_comes_back(
        ether in any_ether(), at: prop::sample::Index, byte: u8, len: prop::sample::Index,
    ) {
        let mut body = encode(&ProtobufCodec::default(), &ether);
        let at = at.index(body.len());
        body[at] = byte;
        body.truncate(body.len() - len.index(3));
        if let Ok(read) = decode(&body) {
            prop_assert_eq!(decode(&encode(&ProtobufCodec::default(), &read)), Ok(read));
        }
    }
}
