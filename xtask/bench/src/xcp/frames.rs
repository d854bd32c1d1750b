//! How many bytes does a frame add to its payload, and how many instructions make and read one?

use core::hint::black_box;

use crc_fast::{CrcAlgorithm, Digest};
use strait_bench::Outcome;
use strait_bench::child::{self, argument};
use strait_bench::messages::{check, write_number};
use strait_bench::schedule::{Group, Row, Target, contender};
use strait_core::crc32c::Checksum;
use strait_core::xcp::decoder::{Decoder, Piece};
use strait_core::xcp::frame::{Envelope, FRAMING};
use strait_core::xcp::{
    CrcOrder, Flags, FrameHeader, HeaderFormat, KindId, MsgType, Numbering, SchemaKey, header,
};

use crate::instructions::{count, per_round};

/// Role: makes and reads frames. Arguments: frames, format of their headers, whether to read them.
pub(super) const ROLE: &str = "xcp-frames";

const LEN: usize = 64;
/// A low number, and one that takes three bytes: what packing is worth depends on it.
const LOW: u64 = 5;
const HIGH: u64 = 1_000_000;
/// Longest header of these.
const HEADER: usize = 256;
const LENGTHS: (u64, u64) = (20_000, 120_000);

const PLAIN: HeaderFormat = HeaderFormat::CapnProto;
const PACKED: HeaderFormat = HeaderFormat::CapnProtoPacked;

/// DATA on channel 1 with a JSON body.
fn typical(msg_id: u64, in_reply_to: u64) -> FrameHeader {
    FrameHeader { in_reply_to, ..FrameHeader::new(MsgType::DATA, 1, msg_id) }
}

fn with_schema() -> FrameHeader {
    let hash = core::array::from_fn(|at| 0x91_u8.wrapping_mul(u8::try_from(at + 1).unwrap_or(0)));
    let kind_id = KindId::TEXT.0;
    let key = SchemaKey { ns_hash: 0x811C_9DC5, kind_id, major: 1, minor: 0, hash: Some(hash) };
    FrameHeader { schema_key: Some(key), ..typical(LOW, 0) }
}

#[expect(clippy::cast_precision_loss, reason = "a few dozen")]
fn overhead(header: &FrameHeader, format: HeaderFormat) -> Outcome<f64> {
    let len = header::write(header, format, Numbering::Spec, &mut [0; HEADER])?;
    Ok((len + FRAMING) as f64)
}

/// Bytes of a frame besides its payload.
pub(super) fn group() -> Group {
    let (plain, packed) = (Target::ValueAtMost(48.0), Target::ValueAtMost(31.0));
    let cases = [
        ("message 5", typical(LOW, 0), PLAIN, plain),
        ("message 1 000 000, answering 1 000 000", typical(HIGH, HIGH), PLAIN, Target::None),
        ("message 1 000 000", typical(HIGH, 0), PLAIN, plain),
        ("message 5, packed header", typical(LOW, 0), PACKED, packed),
        ("message 5, answering 5, packed header", typical(LOW, LOW), PACKED, packed),
        ("message 1 000 000, packed header", typical(HIGH, 0), PACKED, packed),
        ("message 1 000 000, answering 1 000 000, packed header", typical(HIGH, HIGH), PACKED, packed),
        ("message 5 with the key of a schema", with_schema(), PLAIN, Target::None),
        ("message 5 with the key of a schema, packed header", with_schema(), PACKED, Target::None),
    ];
    let mut group = Group {
        name: "xcp bytes per frame",
        unit: "bytes",
        is_exact: true,
        contenders: Vec::new(),
        rows: Vec::new(),
    };
    for (ours, (what, header, format, target)) in cases.into_iter().enumerate() {
        let label = super::named(format!("XCP: bytes that a frame adds, {what}"));
        group.contenders.push(contender(what, move || overhead(&header, format)));
        group.rows.push(Row { label, ours, reference: None, target });
    }
    group
}

/// Instructions of a 64-byte frame: header and checksum made, all of it read and checked.
pub(super) fn instructions() -> Group {
    let row = |label, ours| Row { label, ours, reference: None, target: Target::None };
    Group {
        name: "xcp instructions per 64 B frame",
        unit: "instructions",
        is_exact: true,
        contenders: vec![
            contender("encode and decode", || per_frame(PLAIN, true)),
            contender("encode", || per_frame(PLAIN, false)),
            contender("encode and decode, packed", || per_frame(PACKED, true)),
            contender("encode, packed", || per_frame(PACKED, false)),
        ],
        rows: vec![
            row("XCP: instructions per 64 B frame, encode + decode", 0),
            row("XCP: instructions per 64 B frame, encode", 1),
            row("XCP: instructions per 64 B frame, encode + decode, packed header", 2),
            row("XCP: instructions per 64 B frame, encode, packed header", 3),
        ],
    }
}

fn per_frame(format: HeaderFormat, read: bool) -> Outcome<f64> {
    let packed = (format == PACKED).to_string();
    per_round(LENGTHS, |frames| count(&[ROLE, &frames.to_string(), &packed, &read.to_string()]))
}

/// As the runtime computes it.
#[derive(Debug)]
struct HardwareCrc(Digest);

impl Default for HardwareCrc {
    fn default() -> Self {
        Self(Digest::new(CrcAlgorithm::Crc32Iscsi))
    }
}

impl Checksum for HardwareCrc {
    fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn value(&self) -> u32 {
        #[expect(clippy::cast_possible_truncation, reason = "the upper half is zero: it has 32 bits")]
        let value = self.0.finalize() as u32;
        value
    }
}

pub(super) fn play(args: &[String]) -> Outcome<()> {
    child::settle()?;
    let (frames, packed, read): (u64, bool, bool) =
        (argument(args, 0)?, argument(args, 1)?, argument(args, 2)?);
    let format = if packed { PACKED } else { PLAIN };
    let mut decoder = Decoder::<HardwareCrc, HEADER>::default();
    let (mut payload, mut body) = ([0; LEN], Vec::with_capacity(LEN));
    for number in 1..=frames {
        write_number(&mut payload, number);
        let mut frame = [0; HEADER + LEN + FRAMING];
        let len = make(number, format, black_box(&payload), &mut frame)?;
        if read {
            body.clear();
            let found = take(&mut decoder, black_box(&frame[..len]), &mut body)?;
            if found != typical(number, 0) {
                return Err(format!("header {number} says {found:?}").into());
            }
            check(&body, number, LEN)?;
        }
        black_box(&frame);
    }
    Ok(())
}

fn make(number: u64, format: HeaderFormat, payload: &[u8], frame: &mut [u8]) -> Outcome<usize> {
    let mut header = [0; HEADER];
    let len = header::write(&typical(number, 0), format, Numbering::Spec, &mut header)?;
    let envelope = Envelope { flags: Flags::NONE, payload_len: payload.len() as u64, crc: CrcOrder::Little };
    let at = envelope.head(&header[..len], frame).ok_or("a frame without room")?;
    let end = at + payload.len();
    frame[at..end].copy_from_slice(payload);
    frame[end..end + 4].copy_from_slice(&envelope.trailer::<HardwareCrc>(payload));
    Ok(end + 4)
}

fn take(
    decoder: &mut Decoder<HardwareCrc, HEADER>,
    mut frame: &[u8],
    body: &mut Vec<u8>,
) -> Outcome<FrameHeader> {
    let mut found = None;
    while let Some(piece) = decoder.decode(&mut frame)? {
        match piece {
            Piece::Head { .. } => found = Some(header::read(decoder.header(), Numbering::Spec)?.1),
            Piece::Payload(bytes) => body.extend_from_slice(bytes),
            Piece::End { computed, trailer } if CrcOrder::Little.write(computed) == trailer => {}
            Piece::End { computed, trailer } => {
                return Err(format!("{computed:#x} is not {trailer:?}").into());
            }
        }
    }
    found.ok_or_else(|| "a frame without an end".into())
}
