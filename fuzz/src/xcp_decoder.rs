//! A stream of any bytes: in whatever pieces it comes, its frames are the same, and their bytes those of the stream.

use strait_core::crc32c::{Crc32c, crc32c};
use strait_core::xcp::Flags;
use strait_core::xcp::decoder::{Decoder, FrameError, Piece};

/// Longest header that is taken.
const HEADER: usize = 300;

/// What came of a stream; payloads in one piece, the last one as far as it came.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    frames: Vec<Frame>,
    error: Option<FrameError>,
}

#[derive(Debug, PartialEq)]
struct Frame {
    version: u8,
    flags: Flags,
    header: Vec<u8>,
    payload_len: u64,
    payload: Vec<u8>,
    end: Option<(u32, [u8; 4])>,
}

/// The first two bytes say where the others are split.
pub fn xcp_decoder(data: &[u8]) {
    let Some((&[low, high], stream)) = data.split_first_chunk::<2>() else { return };
    let whole = decode([stream].into_iter());
    check(&whole, stream);
    assert_eq!(decode(stream.chunks(1)), whole);

    let mut random = u32::from(u16::from_le_bytes([low, high])) << 8 | 1;
    let mut rest = stream;
    let pieces = std::iter::from_fn(|| {
        // xorshift32.
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        let len = 1 + random as usize % (1 << (random >> 24 & 7));
        let (piece, others) = rest.split_at(len.min(rest.len()));
        rest = others;
        (!piece.is_empty()).then_some(piece)
    });
    assert_eq!(decode(pieces), whole);
}

fn decode<'d>(pieces: impl Iterator<Item = &'d [u8]>) -> Seen {
    let mut decoder = Decoder::<Crc32c, HEADER>::default();
    let mut seen = Seen::default();
    for piece in pieces {
        let mut input = piece;
        loop {
            match decoder.decode(&mut input) {
                Ok(Some(piece)) => seen.note(piece, &decoder),
                Ok(None) => break,
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    assert_eq!(decoder.decode(&mut input), Err(error), "it was no frame, and is one now");
                    seen.error = Some(error);
                    return seen;
                }
            }
        }
        assert!(input.is_empty(), "bytes were left");
    }
    seen
}

impl Seen {
    fn note(&mut self, piece: Piece<'_>, decoder: &Decoder<Crc32c, HEADER>) {
        assert!(!decoder.is_between_frames() || matches!(piece, Piece::End { .. }));
        match piece {
            Piece::Head { version, flags, payload_len } => {
                assert!(self.frames.last().is_none_or(|last| last.end.is_some()));
                assert_eq!(decoder.payload_left(), payload_len);
                let header = decoder.header().to_vec();
                self.frames.push(Frame {
                    version,
                    flags,
                    header,
                    payload_len,
                    payload: Vec::new(),
                    end: None,
                });
            }
            Piece::Payload(bytes) => {
                assert!(!bytes.is_empty());
                let frame = self.frames.last_mut().expect("its head came");
                frame.payload.extend_from_slice(bytes);
                assert_eq!(decoder.payload_left(), frame.payload_len - frame.payload.len() as u64);
            }
            Piece::End { computed, trailer } => {
                let frame = self.frames.last_mut().expect("its head came");
                assert_eq!(frame.payload.len() as u64, frame.payload_len);
                assert_eq!(frame.end.replace((computed, trailer)), None);
                assert_eq!(computed, crc32c(&frame.payload));
            }
        }
    }
}

/// The frames, one behind the other, are the stream.
fn check(seen: &Seen, stream: &[u8]) {
    let mut rest = stream;
    for frame in &seen.frames {
        let mut bytes = vec![0x10, 0x7A, 0xA1, 0xA9, frame.version, frame.flags.0];
        bytes.extend_from_slice(
            &u16::try_from(frame.header.len()).expect("at most 65535: it was read").to_le_bytes(),
        );
        bytes.extend_from_slice(&frame.header);
        let len = frame.payload_len.to_le_bytes();
        let width = if frame.flags.contains(Flags::LARGE) { 8 } else { 4 };
        bytes.extend_from_slice(&len[..width]);
        assert!(len[width..].iter().all(|byte| *byte == 0));
        bytes.extend_from_slice(&frame.payload);
        if let Some((_, trailer)) = frame.end {
            bytes.extend_from_slice(&trailer);
        }
        rest = rest.strip_prefix(bytes.as_slice()).expect("the frame is in the stream");
    }
    // Behind the last there is less than a head, or what came of a checksum, or what is no frame.
    assert!(seen.error.is_some() || rest.len() < 8 + HEADER + 8);
}
