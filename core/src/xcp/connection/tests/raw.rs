//! What are the bytes of a frame, for peers that are not one of ours?

use std::vec::Vec;

use super::super::super::control::{Ack, Nack};
use super::super::super::decoder::{Decoder, Piece};
use super::super::super::dialect::Dialect;
use super::super::super::frame::Envelope;
use super::super::super::header::{self, FrameHeader};
use super::super::super::numbers::{ErrorCode, Flags, MsgType};
use super::super::{Config, Event, Plain, Side};
use super::End;
use crate::crc32c::Crc32c;
use crate::time::Instant;

/// When everything happens where time does not matter.
pub(super) const NOW: Instant = Instant::from_nanos(5);

/// A frame as it was on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) header: FrameHeader,
    pub(super) flags: Flags,
    pub(super) body: Vec<u8>,
    /// Where it begins, bytes from the beginning of the stream.
    pub(super) start: usize,
    /// Its bytes.
    pub(super) len: usize,
}

/// The bytes of a frame.
pub(super) fn frame(dialect: Dialect, header: &FrameHeader, flags: Flags, body: &[u8]) -> Vec<u8> {
    let mut bytes = [0; 1024];
    let len = header::write(header, dialect.header, dialect.numbering, &mut bytes)
        .expect("the frame is well-formed");
    let envelope = Envelope { flags, payload_len: body.len() as u64, crc: dialect.crc };
    wrap(&envelope, &bytes[..len], body)
}

/// The bytes of a frame whose header is there.
pub(super) fn wrap(envelope: &Envelope, header: &[u8], body: &[u8]) -> Vec<u8> {
    assert_eq!(envelope.payload_len, body.len() as u64);
    let mut bytes = std::vec![0; envelope.head_len(header.len())];
    assert_eq!(envelope.head(header, &mut bytes), Some(bytes.len()));
    bytes.extend_from_slice(body);
    bytes.extend_from_slice(&envelope.trailer::<Crc32c>(body));
    bytes
}

/// The frames of a stream that ends behind one. Their checksums are right.
pub(super) fn frames(dialect: Dialect, stream: &[u8]) -> Vec<Frame> {
    let mut decoder = Decoder::<Crc32c, 4096>::default();
    let mut input = stream;
    let mut frames: Vec<Frame> = Vec::new();
    let mut start = 0;
    while let Some(piece) = decoder.decode(&mut input).expect("the frame is well-formed") {
        match piece {
            Piece::Head { flags, version, .. } => {
                assert_eq!(version, 2);
                let (_, header) =
                    header::read(decoder.header(), dialect.numbering).expect("the frame is well-formed");
                frames.push(Frame { header, flags, body: Vec::new(), start, len: 0 });
            }
            Piece::Payload(bytes) => {
                frames.last_mut().expect("the frame is well-formed").body.extend_from_slice(bytes);
            }
            Piece::End { computed, trailer } => {
                assert_eq!(dialect.crc.read(trailer), computed);
                let end = stream.len() - input.len();
                frames.last_mut().expect("the frame is well-formed").len = end - start;
                start = end;
            }
        }
    }
    assert!(decoder.is_between_frames());
    frames
}

/// The frames of a type.
pub(super) fn of_type(frames: &[Frame], msg_type: MsgType) -> Vec<&Frame> {
    frames.iter().filter(|frame| frame.header.msg_type == msg_type).collect()
}

/// A server that a client of the specification has said HELLO to, and heard.
pub(super) fn opened(config: Config) -> End {
    opened_in(Dialect::SPEC, config)
}

/// A server that a client of this dialect has said HELLO to, and heard. The client can do whatever flags say.
pub(super) fn opened_in(dialect: Dialect, config: Config) -> End {
    assert_eq!(config.side, Side::Server);
    let mut server = End::new(config, Plain, NOW);
    let hello = FrameHeader::new(MsgType::HELLO, 0, 1);
    server.receive(NOW, &frame(dialect, &hello, Flags::NONE, br#"{"codecs":[1],"features":240}"#));
    assert_eq!(server.take_events(), [Event::Connected]);
    assert_eq!(server.connection.dialect(), dialect);
    assert_eq!(frames(dialect, &server.transmit(NOW)).len(), 1);
    server
}

/// A frame of a message in the dialect of the specification.
pub(super) fn data(channel: u32, msg_id: u64, flags: Flags, body: &[u8]) -> Vec<u8> {
    frame(Dialect::SPEC, &FrameHeader::new(MsgType::DATA, channel, msg_id), flags, body)
}

/// A control frame in the dialect of the specification.
pub(super) fn control(msg_type: MsgType, msg_id: u64, body: &[u8]) -> Vec<u8> {
    frame(Dialect::SPEC, &FrameHeader::new(msg_type, 0, msg_id), Flags::NONE, body)
}

/// A NACK in the dialect of the specification.
pub(super) fn nack(msg_id: u64, code: ErrorCode, retry_after_ms: u32) -> Vec<u8> {
    let mut body = [0; 128];
    let len = Nack { msg_id, code, retry_after_ms }.write_json(&mut body).expect("the frame is well-formed");
    control(MsgType::NACK, 900, &body[..len])
}

/// An ACK in the dialect of the specification.
pub(super) fn ack(msg_id: u64) -> Vec<u8> {
    let mut body = [0; 64];
    let len = Ack { msg_id }.write_json(&mut body).expect("the frame is well-formed");
    control(MsgType::ACK, 900, &body[..len])
}

/// What the NACKs among frames say: which message, and why.
pub(super) fn nacks(dialect: Dialect, stream: &[u8]) -> Vec<(u64, ErrorCode)> {
    let frames = frames(dialect, stream);
    let said = of_type(&frames, MsgType::NACK).into_iter().map(|frame| {
        let nack = Nack::read(frame.header.codec, &frame.body).expect("the frame is well-formed");
        assert_eq!(nack.msg_id, frame.header.in_reply_to);
        (nack.msg_id, nack.code)
    });
    said.collect()
}

/// Which messages the ACKs among frames are for.
pub(super) fn acks(stream: &[u8]) -> Vec<u64> {
    let frames = frames(Dialect::SPEC, stream);
    let said = of_type(&frames, MsgType::ACK).into_iter();
    said.map(|frame| Ack::read(frame.header.codec, &frame.body).expect("the frame is well-formed").msg_id)
        .collect()
}
