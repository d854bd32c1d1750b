//! Which fields does a frame have, and where do they stand?

use serde::Serialize;
use strait::xcp::{CrcOrder, Dialect, FrameHeader, HeaderFormat, Knobs, Numbering};
use strait_core::crc32c::crc32c;
use strait_core::xcp::Flags;
use strait_core::xcp::frame::{PREFIX_LEN, Prefix};
use strait_core::xcp::header;

/// A frame in a file.
#[derive(Debug)]
pub(super) struct Frame<'f> {
    /// Where it begins in the file.
    pub(super) offset: u64,
    /// Major and minor version, a nibble each.
    pub(super) version: u8,
    pub(super) flags: Flags,
    pub(super) header_bytes: &'f [u8],
    pub(super) format: Option<HeaderFormat>,
    pub(super) header: Result<FrameHeader, String>,
    pub(super) numbering: Numbering,
    /// Where the payload begins in the file.
    pub(super) payload_offset: u64,
    pub(super) payload: &'f [u8],
    pub(super) checksum: Checksum,
}

/// The four bytes at the end, and what they should say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Checksum {
    pub(super) trailer: [u8; 4],
    pub(super) computed: u32,
    /// The orders in which they say it.
    pub(super) order: Order,
    /// Whether that is right: in the order that was asked for, if one was.
    pub(super) right: bool,
}

/// In which order a checksum is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Order {
    Le,
    Be,
    Either,
    Neither,
}

/// Where the frames end that can be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error(
        "no frame begins at byte {offset}: there is {found:#010x}, and every frame begins with 0xa9a17a10, least byte first"
    )]
    NoMagic { offset: u64, found: u32 },
    #[error(
        "the frame at byte {offset} is cut off in its {part}: {wanted} bytes are needed, {found} are left"
    )]
    Truncated { offset: u64, part: &'static str, wanted: u64, found: u64 },
}

impl Frame<'_> {
    /// What is spoken, as far as a frame shows it.
    pub(super) fn dialect(&self) -> Dialect {
        let crc = if self.numbering == Numbering::Spec { CrcOrder::Little } else { CrcOrder::Big };
        Dialect { header: self.format.unwrap_or(HeaderFormat::CapnProto), crc, numbering: self.numbering }
    }
}

/// Takes the first frame off `input`, which begins at `offset` of the file. What `knobs` leave open is found out, and for
/// a checksum that reads the same in both orders the numbers are those of the frame before.
///
/// # Errors
/// [`Fault`]: nothing behind it can be read.
pub(super) fn next<'f>(
    input: &mut &'f [u8],
    offset: u64,
    knobs: Knobs,
    before: Option<Numbering>,
) -> Result<Frame<'f>, Fault> {
    let start = *input;
    let prefix: [u8; PREFIX_LEN] = match start.split_first_chunk() {
        Some((prefix, rest)) => {
            *input = rest;
            *prefix
        }
        // What is there may not even be the beginning of one.
        None => match start.first_chunk::<4>().map(|magic| u32::from_le_bytes(*magic)) {
            Some(found) if found != strait_core::xcp::numbers::MAGIC => {
                return Err(Fault::NoMagic { offset, found });
            }
            _ => return Err(cut_off(offset, "prefix", PREFIX_LEN as u64, start)),
        },
    };
    let Prefix { version, flags, header_len } =
        Prefix::parse(prefix).map_err(|found| Fault::NoMagic { offset, found })?;
    let header_bytes = take(input, u64::from(header_len), offset, "header")?;
    let payload_len = if flags.contains(Flags::LARGE) {
        u64::from_le_bytes(field(take(input, 8, offset, "length")?))
    } else {
        u64::from(u32::from_le_bytes(field(take(input, 4, offset, "length")?)))
    };
    let payload_offset = offset + (start.len() - input.len()) as u64;
    let payload = take(input, payload_len, offset, "payload")?;
    let trailer: [u8; 4] = field(take(input, 4, offset, "checksum")?);

    let computed = crc32c(payload);
    let is = |order: CrcOrder| order.read(trailer) == computed;
    let order = match (is(CrcOrder::Little), is(CrcOrder::Big)) {
        (true, true) => Order::Either,
        (true, false) => Order::Le,
        (false, true) => Order::Be,
        (false, false) => Order::Neither,
    };
    let right = knobs.crc.map_or(order != Order::Neither, is);
    let format = HeaderFormat::detect(header_bytes);
    let found_out = || match order {
        Order::Le => Numbering::Spec,
        Order::Be => Numbering::Python,
        Order::Either | Order::Neither if format == Some(HeaderFormat::Json) => {
            before.unwrap_or(Numbering::Python)
        }
        Order::Either | Order::Neither => before.unwrap_or(Numbering::Spec),
    };
    let numbering = knobs.numbering.unwrap_or_else(found_out);
    let header = header::read(header_bytes, numbering);
    Ok(Frame {
        offset,
        version,
        flags,
        header_bytes,
        format,
        header: header.map(|(_, header)| header).map_err(|error| error.to_string()),
        numbering,
        payload_offset,
        payload,
        checksum: Checksum { trailer, computed, order, right },
    })
}

fn take<'f>(input: &mut &'f [u8], len: u64, offset: u64, part: &'static str) -> Result<&'f [u8], Fault> {
    let split = usize::try_from(len).ok().and_then(|len| input.split_at_checked(len));
    let (bytes, rest) = split.ok_or_else(|| cut_off(offset, part, len, input))?;
    *input = rest;
    Ok(bytes)
}

fn cut_off(offset: u64, part: &'static str, wanted: u64, left: &[u8]) -> Fault {
    Fault::Truncated { offset, part, wanted, found: left.len() as u64 }
}

fn field<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("as many bytes were taken")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: &[u8] = include_bytes!("../../../tests/vectors/xcp/reference/hello.bin");
    const PING: &[u8] = include_bytes!("../../../tests/vectors/xcp/spec/capnp_ping.bin");

    #[test]
    fn the_order_of_the_checksum_decides_the_numbers() {
        for (bytes, order, numbering) in
            [(HELLO, Order::Be, Numbering::Python), (PING, Order::Le, Numbering::Spec)]
        {
            let mut input = bytes;
            let frame = next(&mut input, 0, Knobs::AUTO, None).unwrap();
            assert_eq!((frame.checksum.order, frame.numbering), (order, numbering));
            assert!(frame.checksum.right && input.is_empty());
        }
        let little = Knobs { crc: Some(CrcOrder::Little), ..Knobs::AUTO };
        let frame = next(&mut &*HELLO, 0, little, None).unwrap();
        assert!(!frame.checksum.right, "right in the other order only");
    }

    #[test]
    fn whatever_is_cut_off_is_said_with_numbers() {
        for len in 0..PING.len() {
            let fault = next(&mut &PING[..len], 7, Knobs::AUTO, None).unwrap_err();
            let Fault::Truncated { offset: 7, wanted, found, .. } = fault else { panic!("{fault}") };
            assert!(found < wanted, "{fault}");
        }
        let fault = next(&mut &b"HTTP/1.1"[..], 0, Knobs::AUTO, None).unwrap_err();
        assert_eq!(fault, Fault::NoMagic { offset: 0, found: u32::from_le_bytes(*b"HTTP") });
    }
}
