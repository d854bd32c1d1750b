//! A frame that might be one, or nearly.

use strait_core::crc32c::Crc32c;
use strait_core::xcp::control::{Ack, Nack};
use strait_core::xcp::frame::{Envelope, PREFIX_LEN};
use strait_core::xcp::header::{self, FrameHeader};
use strait_core::xcp::{CodecId, Dialect, ErrorCode, Flags, HeaderFormat, MsgType, Tags};

use crate::bytes::Bytes;

/// A frame near those that matter to an end that speaks `dialect`.
pub(super) fn frame(bytes: &mut Bytes<'_>, dialect: Dialect) -> Vec<u8> {
    let dialect = match bytes.u8() {
        0..16 => Dialect::PYTHON,
        16..32 => Dialect { header: HeaderFormat::CapnProtoPacked, ..Dialect::SPEC },
        32..48 => Dialect::SPEC,
        _ => dialect,
    };
    let mut header =
        FrameHeader::new(msg_type(bytes.u8()), u32::from(bytes.u8() % 4), u64::from(bytes.u8() % 16));
    header.in_reply_to = u64::from(bytes.u8() % 4);
    header.codec = match bytes.u8() {
        0..200 => CodecId::JSON,
        200..240 => CodecId::PROTOBUF,
        other => CodecId(u16::from(other)),
    };
    if bytes.u8() < 64 {
        header.tags.push(Tags::ACK, "1").expect("it is the first");
    }
    let flags = match bytes.u8() {
        0..128 => Flags::NONE,
        128..220 => Flags::MORE,
        220..230 => Flags::LARGE,
        other => Flags(other << 4),
    };
    let body = body(bytes, header.msg_type);

    let mut space = [0; 1 << 10];
    let len = header::write(&header, dialect.header, dialect.numbering, &mut space).expect("a short header");
    let envelope = Envelope { flags, payload_len: body.len() as u64, crc: dialect.crc };
    let mut frame = vec![0; envelope.head_len(len)];
    envelope.head(&space[..len], &mut frame).expect("it has that length");
    frame.extend_from_slice(&body);
    frame.extend_from_slice(&envelope.trailer::<Crc32c>(&body));
    damage(bytes, &mut frame, len);
    frame
}

fn msg_type(byte: u8) -> MsgType {
    match byte {
        0..120 => MsgType::DATA,
        120..140 => MsgType::ACK,
        140..160 => MsgType::NACK,
        160..180 => MsgType::PING,
        180..200 => MsgType::PONG,
        200..220 => MsgType::HELLO,
        220..230 => MsgType::CAPS,
        other => MsgType(u16::from(other)),
    }
}

fn body(bytes: &mut Bytes<'_>, msg_type: MsgType) -> Vec<u8> {
    let mut space = [0; 128];
    let msg_id = u64::from(bytes.u8() % 16);
    let len = match msg_type {
        MsgType::ACK => Ack { msg_id }.write_json(&mut space).expect("it is short"),
        MsgType::NACK => {
            let code = match bytes.u8() % 4 {
                0 => ErrorCode::ERR_BUSY,
                1 => ErrorCode::ERR_CRC_MISMATCH,
                2 => ErrorCode::ERR_MALFORMED,
                _ => ErrorCode::ERR_VERSION_UNSUPPORTED,
            };
            let retry_after_ms = u32::from(bytes.u8());
            Nack { msg_id, code, retry_after_ms }.write_json(&mut space).expect("it is short")
        }
        MsgType::HELLO | MsgType::CAPS => {
            let max_frame = bytes.u8();
            return format!(r#"{{"codecs":[1],"max_frame_bytes":{max_frame},"features":{}}}"#, bytes.u8())
                .into_bytes();
        }
        _ => {
            let len = usize::from(bytes.u8()) * 3;
            return (0..len).map(|at| (at * 31).to_le_bytes()[0] ^ msg_id.to_le_bytes()[0]).collect();
        }
    };
    space[..len].to_vec()
}

/// Now and then something is wrong with it.
fn damage(bytes: &mut Bytes<'_>, frame: &mut Vec<u8>, header_len: usize) {
    let at = usize::from(bytes.u8());
    match at % 16 {
        0 => *frame.last_mut().expect("it has a checksum") ^= 0x40,
        1 => frame[4] = bytes.u8(),
        2 => frame[5] ^= bytes.u8(),
        3 => frame[PREFIX_LEN + at % header_len.max(1)] ^= bytes.u8(),
        4 => frame[PREFIX_LEN + header_len] ^= bytes.u8(),
        5 => frame.truncate(at),
        _ => {}
    }
}
