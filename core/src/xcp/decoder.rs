//! Which part of a frame the next bytes are: a decoder that takes input in any pieces and keeps no payload.

use heapless::Vec;

use super::frame::{PREFIX_LEN, Prefix};
use super::numbers::Flags;
use crate::crc32c::Checksum;

/// What the decoder found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'i> {
    /// Header and length are there: [`Decoder::header`] has the header's bytes.
    Head {
        /// Major and minor version, a nibble each.
        version: u8,
        /// Bits about the payload.
        flags: Flags,
        /// Bytes of the payload.
        payload_len: u64,
    },
    /// The next bytes of the payload, never none.
    Payload(&'i [u8]),
    /// The frame is over.
    End {
        /// The checksum of the payload as it came.
        computed: u32,
        /// The four bytes that should say the same.
        trailer: [u8; 4],
    },
}

/// The input is no frame, and where the next one begins cannot be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// Something else than a frame stands where one should begin.
    #[error("no frame begins with {found:#010x}: every frame begins with 0xa9a17a10, least byte first")]
    BadMagic {
        /// The four bytes as a little-endian number.
        found: u32,
    },
    /// The header is longer than there is room for.
    #[error("a header of {len} bytes exceeds the {limit} bytes that are allowed")]
    HeaderTooLong {
        /// Bytes announced.
        len: usize,
        /// Bytes of room.
        limit: usize,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Prefix,
    Header { left: usize },
    Length,
    Payload { left: u64 },
    Trailer,
    Broken(FrameError),
}

/// Takes bytes of any transport, in pieces of any size, and says what they are.
///
/// `HEADER` is the longest header it takes, bytes.
#[derive(Debug)]
pub struct Decoder<C, const HEADER: usize> {
    state: State,
    /// Bytes of a field that has not come whole.
    field: Vec<u8, 8>,
    prefix: Prefix,
    header: Vec<u8, HEADER>,
    payload_len: u64,
    checksum: C,
}

impl<C: Checksum, const HEADER: usize> Default for Decoder<C, HEADER> {
    fn default() -> Self {
        Self {
            state: State::Prefix,
            field: Vec::new(),
            prefix: Prefix { version: 0, flags: Flags::NONE, header_len: 0 },
            header: Vec::new(),
            payload_len: 0,
            checksum: C::default(),
        }
    }
}

impl<C: Checksum, const HEADER: usize> Decoder<C, HEADER> {
    /// Takes bytes off the front of `input`, up to the end of the next piece; `None` once `input` is used up.
    ///
    /// # Errors
    /// [`FrameError`]; the same again for all that follows.
    pub fn decode<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Piece<'i>>, FrameError> {
        loop {
            match self.state {
                State::Prefix => {
                    let Some(bytes) = self.field::<PREFIX_LEN>(input) else { return Ok(None) };
                    match Prefix::parse(bytes) {
                        Ok(prefix) => self.prefix = prefix,
                        Err(found) => return self.fail(FrameError::BadMagic { found }),
                    }
                    let len = usize::from(self.prefix.header_len);
                    if len > HEADER {
                        return self.fail(FrameError::HeaderTooLong { len, limit: HEADER });
                    }
                    self.header.clear();
                    self.state = State::Header { left: len };
                }
                State::Header { left } => {
                    let bytes = take(input, left);
                    if self.header.extend_from_slice(bytes).is_err() {
                        return self.fail(FrameError::HeaderTooLong { len: left, limit: HEADER });
                    }
                    match left.saturating_sub(bytes.len()) {
                        0 => self.state = State::Length,
                        left => {
                            self.state = State::Header { left };
                            return Ok(None);
                        }
                    }
                }
                State::Length => {
                    let len = if self.prefix.flags.contains(Flags::LARGE) {
                        self.field::<8>(input).map(u64::from_le_bytes)
                    } else {
                        self.field::<4>(input).map(|bytes| u64::from(u32::from_le_bytes(bytes)))
                    };
                    let Some(payload_len) = len else { return Ok(None) };
                    self.payload_len = payload_len;
                    self.checksum = C::default();
                    self.state = State::Payload { left: payload_len };
                    let Prefix { version, flags, .. } = self.prefix;
                    return Ok(Some(Piece::Head { version, flags, payload_len }));
                }
                State::Payload { left: 0 } => self.state = State::Trailer,
                State::Payload { left } => {
                    let bytes = take(input, usize::try_from(left).unwrap_or(usize::MAX));
                    if bytes.is_empty() {
                        return Ok(None);
                    }
                    self.checksum.update(bytes);
                    self.state = State::Payload { left: left.saturating_sub(len(bytes)) };
                    return Ok(Some(Piece::Payload(bytes)));
                }
                State::Trailer => {
                    let Some(trailer) = self.field::<4>(input) else { return Ok(None) };
                    self.state = State::Prefix;
                    return Ok(Some(Piece::End { computed: self.checksum.value(), trailer }));
                }
                State::Broken(error) => return Err(error),
            }
        }
    }

    /// The header of the frame whose head was the last to come, as on the wire.
    pub fn header(&self) -> &[u8] {
        &self.header
    }

    /// Bytes of the current frame's payload that are still to come; a driver can have them read where they belong.
    pub const fn payload_left(&self) -> u64 {
        match self.state {
            State::Payload { left } => left,
            _ => 0,
        }
    }

    /// Whether the last byte taken was a frame's last, or none was taken.
    pub fn is_between_frames(&self) -> bool {
        self.state == State::Prefix && self.field.is_empty()
    }

    fn fail<'i>(&mut self, error: FrameError) -> Result<Option<Piece<'i>>, FrameError> {
        self.state = State::Broken(error);
        Err(error)
    }

    /// The next `N` bytes, once all have come.
    fn field<const N: usize>(&mut self, input: &mut &[u8]) -> Option<[u8; N]> {
        if self.field.is_empty()
            && let Some((bytes, rest)) = input.split_first_chunk::<N>()
        {
            *input = rest;
            return Some(*bytes);
        }
        let bytes = take(input, N.saturating_sub(self.field.len()));
        // Fields have at most 8 bytes.
        self.field.extend_from_slice(bytes).ok()?;
        let whole = self.field.as_slice().try_into().ok()?;
        self.field.clear();
        Some(whole)
    }
}

/// Up to `most` bytes off the front of `input`.
fn take<'i>(input: &mut &'i [u8], most: usize) -> &'i [u8] {
    let (bytes, rest) = input.split_at_checked(most).unwrap_or((input, &[]));
    *input = rest;
    bytes
}

/// A length as the wire counts it.
pub(super) fn len(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::vec::Vec;

    use super::super::dialect::CrcOrder;
    use super::super::frame::Envelope;
    use super::*;
    use crate::crc32c::{Crc32c, crc32c};

    const GOLDEN: [&[u8]; 5] = [
        include_bytes!("../../../tests/vectors/xcp/reference/hello.bin"),
        include_bytes!("../../../tests/vectors/xcp/reference/data_protobuf_text.req.bin"),
        include_bytes!("../../../tests/vectors/xcp/spec/capnp_large.bin"),
        include_bytes!("../../../tests/vectors/xcp/spec/capnp_ping.bin"),
        include_bytes!("../../../tests/vectors/xcp/spec/capnp_data_json_packedhdr.bin"),
    ];

    /// What came of a frame, its payload in one piece.
    #[derive(Debug, PartialEq)]
    struct Seen {
        version: u8,
        flags: Flags,
        header: Vec<u8>,
        payload: Vec<u8>,
        computed: u32,
        trailer: [u8; 4],
    }

    fn decode(pieces: &[&[u8]]) -> Vec<Seen> {
        let mut decoder = Decoder::<Crc32c, 256>::default();
        let mut seen: Vec<Seen> = Vec::new();
        for piece in pieces {
            let mut input = *piece;
            while let Some(found) = decoder.decode(&mut input).expect("a frame") {
                match found {
                    Piece::Head { version, flags, .. } => {
                        let header = decoder.header().to_vec();
                        let payload = Vec::new();
                        seen.push(Seen { version, flags, header, payload, computed: 0, trailer: [0; 4] });
                    }
                    Piece::Payload(bytes) => {
                        seen.last_mut().expect("a head came first").payload.extend_from_slice(bytes);
                    }
                    Piece::End { computed, trailer } => {
                        let last = seen.last_mut().expect("a head came first");
                        assert_eq!(crc32c(&last.payload), computed);
                        (last.computed, last.trailer) = (computed, trailer);
                    }
                }
            }
            assert!(input.is_empty());
        }
        assert!(decoder.is_between_frames());
        seen
    }

    #[test]
    fn every_golden_frame_is_the_same_however_it_is_split() {
        for frame in GOLDEN {
            let whole = decode(&[frame]);
            assert_eq!(whole.len(), 1);
            for at in 0..=frame.len() {
                let (front, back) = frame.split_at(at);
                assert_eq!(decode(&[front, back]), whole);
            }
            let bytes: Vec<&[u8]> = frame.chunks(1).collect();
            assert_eq!(decode(&bytes), whole);
        }
    }

    #[test]
    fn frames_behind_each_other_come_out_one_by_one_and_whole() {
        let stream = GOLDEN.concat();
        let seen = decode(&[&stream]);
        assert_eq!(seen.len(), GOLDEN.len());
        for (frame, Seen { version, flags, header, payload, computed, trailer }) in GOLDEN.iter().zip(seen) {
            let crc =
                if CrcOrder::Little.read(trailer) == computed { CrcOrder::Little } else { CrcOrder::Big };
            assert_eq!(version, 2);
            let envelope = Envelope { flags, payload_len: payload.len() as u64, crc };
            let mut again = std::vec![0; frame.len()];
            let head = envelope.head(&header, &mut again).unwrap();
            again[head..head + payload.len()].copy_from_slice(&payload);
            let end = head + payload.len();
            again[end..].copy_from_slice(&envelope.trailer::<Crc32c>(&payload));
            assert_eq!(&again, frame);
        }
    }

    #[test]
    fn what_is_no_frame_stays_none() {
        let mut decoder = Decoder::<Crc32c, 64>::default();
        let mut input: &[u8] = b"GET / HTTP/1.1\r\n";
        let error = FrameError::BadMagic { found: u32::from_le_bytes(*b"GET ") };
        assert_eq!(decoder.decode(&mut input), Err(error));
        let mut good = GOLDEN[3];
        assert_eq!(decoder.decode(&mut good), Err(error));

        let mut decoder = Decoder::<Crc32c, 64>::default();
        let mut long = GOLDEN[0];
        assert_eq!(decoder.decode(&mut long), Err(FrameError::HeaderTooLong { len: 176, limit: 64 }));
    }

    #[test]
    fn a_driver_can_see_how_much_payload_is_still_to_come() {
        let mut decoder = Decoder::<Crc32c, 64>::default();
        let (mut head, _) = GOLDEN[3].split_at(44);
        assert!(matches!(decoder.decode(&mut head), Ok(Some(Piece::Head { payload_len: 11, .. }))));
        assert_eq!(decoder.payload_left(), 11);
        assert!(!decoder.is_between_frames());
    }
}
