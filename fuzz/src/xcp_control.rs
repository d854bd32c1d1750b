//! A header in JSON or the body of a control message, of any bytes: what is read is the same when written and read again.

use std::fmt::Debug;

use strait_core::xcp::control::{Ack, Clarify, ControlError, Hello, Nack, Ping};
use strait_core::xcp::header::json;
use strait_core::xcp::{CodecId, MsgType, Numbering};

/// The first byte says what the others are: its low four bits which reader, bit 4 whether a body is Protobuf.
pub fn xcp_control(data: &[u8]) {
    let Some((&what, bytes)) = data.split_first() else { return };
    let codec = if what & 0x10 == 0 { CodecId::JSON } else { CodecId::PROTOBUF };
    match what & 0x0F {
        0 => header(bytes, Numbering::Python),
        1 => header(bytes, Numbering::Spec),
        2..=6 => body(Hello::read, codec, bytes, Hello::write_json, Hello::write_protobuf),
        7 => body(Ack::read, codec, bytes, Ack::write_json, Ack::write_protobuf),
        8 => body(Nack::read, codec, bytes, Nack::write_json, Nack::write_protobuf),
        9 => {
            let read = |codec, bytes: &[u8]| {
                Ping::read(codec, bytes).ok_or(ControlError::Malformed { what: "a nonce", at: 0 })
            };
            body(read, codec, bytes, Ping::write_json, Ping::write_protobuf);
        }
        _ => {
            let msg_type = if what & 1 == 0 { MsgType::CLARIFY_REQ } else { MsgType::CLARIFY_RES };
            let write_json = |clarify: &Clarify, out: &mut [u8]| clarify.write_json(msg_type, out);
            body(Clarify::read, codec, bytes, write_json, Clarify::write_protobuf);
        }
    }
}

fn header(bytes: &[u8], numbering: Numbering) {
    let header = match json::read(bytes, numbering) {
        Ok(header) => header,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let mut out = [0; 1 << 13];
    let len = json::write(&header, numbering, &mut out).expect("tags are bounded");
    assert!(out[..len].is_ascii());
    assert_eq!(json::read(&out[..len], numbering), Ok(header));
}

fn body<T: Debug + PartialEq>(
    read: impl Fn(CodecId, &[u8]) -> Result<T, ControlError>,
    codec: CodecId,
    bytes: &[u8],
    write_json: impl Fn(&T, &mut [u8]) -> Result<usize, ControlError>,
    write_protobuf: impl Fn(&T, &mut [u8]) -> Result<usize, ControlError>,
) {
    let value = match read(codec, bytes) {
        Ok(value) => value,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let mut out = [0; Hello::MAX_BODY];
    let len = write_json(&value, &mut out).expect("bodies are bounded");
    assert!(out[..len].is_ascii());
    assert_eq!(read(CodecId::JSON, &out[..len]).as_ref(), Ok(&value));
    let len = write_protobuf(&value, &mut out).expect("bodies are bounded");
    assert_eq!(read(CodecId::PROTOBUF, &out[..len]).as_ref(), Ok(&value));
}
