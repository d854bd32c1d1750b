//! Are notices written and read as the references do, and does nothing a peer sends do harm?

use std::format;
use std::string::{String, ToString as _};
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::xcp::json::{JsonError, JsonFault};
use crate::xcp::numbers::{ErrorCode, MsgType};

/// The body of a captured frame.
pub(super) fn body_of(frame: &[u8]) -> &[u8] {
    let header = usize::from(u16::from_le_bytes([frame[6], frame[7]]));
    let (len, rest) = frame[8 + header..].split_first_chunk::<4>().expect("a length");
    &rest[..usize::try_from(u32::from_le_bytes(*len)).expect("short")]
}

/// What `write` writes.
pub(super) fn written(write: impl FnOnce(&mut [u8]) -> Result<usize, ControlError>) -> Vec<u8> {
    let mut out = std::vec![0; Hello::MAX_BODY];
    let len = write(&mut out).expect("room for any body");
    out.truncate(len);
    out
}

macro_rules! golden {
    ($file:literal) => {
        body_of(include_bytes!(concat!("../../../../tests/vectors/xcp/", $file)))
    };
}

#[test]
fn notices_of_the_references_are_read_and_written_byte_for_byte() {
    for (body, msg_id) in [(golden!("reference/nack.bin"), 6), (golden!("spec/capnp_nack.bin"), 2)] {
        let nack = Nack { msg_id, code: ErrorCode::ERR_CODEC_UNSUPPORTED, retry_after_ms: 0 };
        assert_eq!(Nack::read(CodecId::JSON, body), Ok(nack));
        assert_eq!(written(|out| nack.write_json(out)), body);
    }
    let ack = Ack { msg_id: 2 };
    assert_eq!(Ack::read(CodecId::JSON, golden!("spec/capnp_ack.bin")), Ok(ack));
    assert_eq!(written(|out| ack.write_json(out)), golden!("spec/capnp_ack.bin"));
    for (body, nonce) in [
        (golden!("reference/ping.bin"), 1_754_000_000_123_456),
        (golden!("reference/pong.bin"), 1_754_000_000_123_456),
        (golden!("spec/capnp_ping.bin"), 1),
        (golden!("spec/capnp_pong.bin"), 1),
    ] {
        assert_eq!(Ping::read(CodecId::JSON, body), Some(Ping { nonce }));
        assert_eq!(written(|out| Ping { nonce }.write_json(out)), body);
    }
}

/// As `protoc`'s code writes them.
#[test]
fn notices_are_the_same_in_protobuf() {
    let bytes = [0x08, 0x07];
    assert_eq!(written(|out| Ack { msg_id: 7 }.write_protobuf(out)), bytes);
    assert_eq!(Ack::read(CodecId::PROTOBUF, &bytes), Ok(Ack { msg_id: 7 }));
    let nack = Nack { msg_id: 7, code: ErrorCode(2), retry_after_ms: 250 };
    let bytes = [0x08, 0x07, 0x10, 0x02, 0x18, 0xfa, 0x01];
    assert_eq!(written(|out| nack.write_protobuf(out)), bytes);
    assert_eq!(Nack::read(CodecId::PROTOBUF, &bytes), Ok(nack));
    let ping = Ping { nonce: 0x0102_0304_0506_0708 };
    let bytes = [0x08, 0x88, 0x8e, 0x98, 0xa8, 0xc0, 0xe0, 0x80, 0x81, 0x01];
    assert_eq!(written(|out| ping.write_protobuf(out)), bytes);
    assert_eq!(Ping::read(CodecId::PROTOBUF, &bytes), Some(ping));
}

#[test]
fn a_body_is_json_by_its_brace_or_by_its_codec() {
    let body = br#"{"msg_id":9}"#;
    for codec in [CodecId::JSON, CodecId::PROTOBUF, CodecId::TENSOR_F32, CodecId(0x7777)] {
        assert_eq!(Ack::read(codec, body), Ok(Ack { msg_id: 9 }));
    }
    assert_eq!(Ack::read(CodecId::JSON, b" {\"msg_id\" : 9 }\n"), Ok(Ack { msg_id: 9 }));
    let codec = CodecId::ARROW_IPC;
    assert_eq!(Ack::read(codec, &[0x08, 0x07]), Err(ControlError::Codec { codec }));
    let error = ControlError::Codec { codec }.to_string();
    assert_eq!(error, "a control message is encoded as ARROW_IPC: it can be JSON or PROTOBUF");
    let at = 0;
    let ends = JsonFault::Ends { wanted: "a value" };
    assert_eq!(Ack::read(CodecId::JSON, b""), Err(ControlError::Json(JsonError { at, what: ends })));
    let malformed = ControlError::Malformed { what: "the object that a body is", at };
    assert_eq!(Ack::read(CodecId::JSON, b"[]"), Err(malformed));
}

#[test]
fn a_ping_has_a_nonce_or_not() {
    for body in
        [&b""[..], b"{}", b"[1]", b"\xff", br#"{"nonce":"x"}"#, br#"{"nonce":-1}"#, br#"{"nonce":1}x"#]
    {
        assert_eq!(Ping::read(CodecId::JSON, body), None, "{body:?}");
    }
    assert_eq!(Ping::read(CodecId::TENSOR_F32, b"\0"), None);
    assert_eq!(Ping::read(CodecId::PROTOBUF, b"\x08"), None);
    assert_eq!(Ping::read(CodecId::PROTOBUF, b"\x0a\x00"), None);
    assert_eq!(Ping::read(CodecId::PROTOBUF, b""), Some(Ping { nonce: 0 }));
    assert_eq!(Ping::read(CodecId::JSON, br#"{"nonce":1,"nonce":2}"#), Some(Ping { nonce: 2 }));
}

#[test]
fn a_clarification_is_asked_and_answered_under_its_own_key() {
    let clarify = Clarify::new(7, "which \"unit\"?", "k-1");
    let request = written(|out| clarify.write_json(MsgType::CLARIFY_REQ, out));
    assert_eq!(request, br#"{"msg_id":7,"reason":"which \"unit\"?","idempotency_key":"k-1"}"#);
    let response = written(|out| clarify.write_json(MsgType::CLARIFY_RES, out));
    assert_eq!(response, br#"{"msg_id":7,"answer":"which \"unit\"?","idempotency_key":"k-1"}"#);
    for body in [request, response] {
        assert_eq!(Clarify::read(CodecId::JSON, &body), Ok(clarify.clone()));
    }
    let bytes = written(|out| Clarify::new(7, "ä", "k").write_protobuf(out));
    assert_eq!(bytes, b"\x08\x07\x12\x02\xc3\xa4\x1a\x01k");
}

#[test]
fn long_texts_are_cut_at_a_character_whoever_wrote_them() {
    let long = "ä€".repeat(60);
    let clarify = Clarify::new(1, &long, &long);
    assert_eq!((clarify.text.len(), clarify.idempotency_key.len()), (255, 62));
    assert!(long.starts_with(&*clarify.text) && long.starts_with(&*clarify.idempotency_key));
    let json = format!(r#"{{"msg_id":1,"answer":"{long}","idempotency_key":"{long}"}}"#);
    assert_eq!(Clarify::read(CodecId::JSON, json.as_bytes()), Ok(clarify.clone()));
    let mut protobuf = std::vec![0x08, 0x01, 0x12, 0xac, 0x02];
    protobuf.extend(long.as_bytes());
    protobuf.extend([0x1a, 0xac, 0x02]);
    protobuf.extend(long.as_bytes());
    assert_eq!(Clarify::read(CodecId::PROTOBUF, &protobuf), Ok(clarify));
}

#[test]
fn numbers_out_of_range_are_told() {
    let read = |body: &str| Nack::read(CodecId::JSON, body.as_bytes());
    let too_large = |what, found| Err(ControlError::TooLarge { what, found, most: u64::from(u32::MAX) });
    assert_eq!(read(r#"{"error_code":4294967296}"#), too_large("error_code", 1 << 32));
    let bytes = [0x18, 0x80, 0x80, 0x80, 0x80, 0x10];
    assert_eq!(Nack::read(CodecId::PROTOBUF, &bytes), too_large("retry_after_ms", 1 << 32));
    for number in ["1e400", "18446744073709551616", "-1", "1.5", "NaN", "\"1\"", "[]", "true"] {
        let body = format!(r#"{{"msg_id":{number}}}"#);
        assert_eq!(read(&body), Err(ControlError::Malformed { what: "msg_id", at: 10 }), "{body}");
        // Where nobody asks for it, it may stand.
        let body = format!(r#"{{"x":{number},"msg_id":1,"msg_id":2,"error_code":null}}"#);
        let nack = Nack { msg_id: 2, code: ErrorCode::OK, retry_after_ms: 0 };
        assert_eq!(read(&body), Ok(nack), "{body}");
    }
}

#[test]
fn what_is_not_protobuf_is_refused_with_its_place() {
    let fault = |body: &[u8]| match Ack::read(CodecId::PROTOBUF, body) {
        Err(ControlError::Protobuf(error)) => (error.at, error.what),
        other => panic!("{other:?}"),
    };
    assert_eq!(fault(&[0x08]), (1, ProtobufFault::Ends { wanted: 1, left: 0 }));
    assert_eq!(fault(&[0x12, 3, 0]), (2, ProtobufFault::Ends { wanted: 3, left: 1 }));
    assert_eq!(fault(&[0x11, 0]), (1, ProtobufFault::Ends { wanted: 8, left: 1 }));
    let longest = [0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    assert_eq!(fault(&longest), (11, ProtobufFault::Ends { wanted: u64::MAX, left: 0 }));
    let beyond = [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
    assert_eq!(fault(&beyond), (1, ProtobufFault::Varint));
    assert_eq!(fault(&[0x80; 11]), (0, ProtobufFault::Varint));
    assert_eq!(fault(&[0x08, 0x01, 0x00]), (2, ProtobufFault::FieldNumber { found: 0 }));
    assert_eq!(fault(&[0x13]), (0, ProtobufFault::WireType { field: 2, found: 3 }));
    // Unknown fields of every other type are skipped.
    let body = [0x10, 1, 0x11, 0, 0, 0, 0, 0, 0, 0, 0, 0x12, 1, 0, 0x15, 0, 0, 0, 0, 0x08, 5];
    assert_eq!(Ack::read(CodecId::PROTOBUF, &body), Ok(Ack { msg_id: 5 }));
    assert_eq!(
        Ack::read(CodecId::PROTOBUF, &[0x0a, 0]),
        Err(ControlError::Malformed { what: "msg_id", at: 2 })
    );
}

proptest! {
    #[test]
    fn notices_are_read_as_they_were_written(msg_id: u64, code: u32, retry_after_ms: u32, text: String, key: String) {
        let (ack, ping) = (Ack { msg_id }, Ping { nonce: msg_id });
        let nack = Nack { msg_id, code: ErrorCode(code), retry_after_ms };
        let clarify = Clarify::new(msg_id, &text, &key);
        let json = CodecId::JSON;
        prop_assert_eq!(Ack::read(json, &written(|out| ack.write_json(out))), Ok(ack));
        prop_assert_eq!(Nack::read(json, &written(|out| nack.write_json(out))), Ok(nack));
        prop_assert_eq!(Ping::read(json, &written(|out| ping.write_json(out))), Some(ping));
        let bytes = written(|out| clarify.write_json(MsgType::CLARIFY_RES, out));
        prop_assert_eq!(Clarify::read(json, &bytes), Ok(clarify.clone()));
        let protobuf = CodecId::PROTOBUF;
        prop_assert_eq!(Ack::read(protobuf, &written(|out| ack.write_protobuf(out))), Ok(ack));
        prop_assert_eq!(Nack::read(protobuf, &written(|out| nack.write_protobuf(out))), Ok(nack));
        prop_assert_eq!(Ping::read(protobuf, &written(|out| ping.write_protobuf(out))), Some(ping));
        let bytes = written(|out| clarify.write_protobuf(out));
        prop_assert_eq!(Clarify::read(protobuf, &bytes), Ok(clarify));
    }

    #[test]
    fn any_bytes_are_a_notice_or_an_error(bytes: Vec<u8>) {
        for codec in [CodecId::JSON, CodecId::PROTOBUF] {
            let _ = Ack::read(codec, &bytes);
            let _ = Nack::read(codec, &bytes);
            let _ = Ping::read(codec, &bytes);
            let _ = Clarify::read(codec, &bytes);
        }
    }
}
