//! What are the bytes of a frame, for peers that are not one of ours?

use std::vec::Vec;

use super::super::super::decoder::{Decoder, Piece};
use super::super::super::dialect::Dialect;
use super::super::super::frame::Envelope;
use super::super::super::header::{self, FrameHeader};
use super::super::super::numbers::{Flags, MsgType};
use crate::crc32c::Crc32c;

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
    let len = header::write(header, dialect.header, dialect.numbering, &mut bytes).unwrap();
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
    while let Some(piece) = decoder.decode(&mut input).unwrap() {
        match piece {
            Piece::Head { flags, version, .. } => {
                assert_eq!(version, 2);
                let (_, header) = header::read(decoder.header(), dialect.numbering).unwrap();
                frames.push(Frame { header, flags, body: Vec::new(), start, len: 0 });
            }
            Piece::Payload(bytes) => frames.last_mut().unwrap().body.extend_from_slice(bytes),
            Piece::End { computed, trailer } => {
                assert_eq!(dialect.crc.read(trailer), computed);
                let end = stream.len() - input.len();
                frames.last_mut().unwrap().len = end - start;
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
