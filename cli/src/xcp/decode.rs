//! How does `strait xcp decode` show frames, as lines or as JSON?

use std::collections::HashSet;

use clap::Args;
use serde_json::{Value, json};
use strait::xcp::{Flags, FrameHeader, Knobs, MsgType, Numbering};

use super::dialect::{self, DialectArg};
use super::explain;
use super::frames::{self, Frame, Order};
use super::names::codec_name;
use crate::args::Place;
use crate::escape::printable;
use crate::exit::Failure;
use crate::report::{self, Troubles};

/// Options of `strait xcp decode`.
#[derive(Debug, Args)]
pub(crate) struct DecodeArgs {
    /// File of frames, one behind the other; - is standard input
    file: Place,

    #[arg(
        long,
        value_name = "DIALECT",
        default_value = "auto",
        help = "What the frames are in: auto finds out for each; \
                    else as in the other verbs, and a checksum in the other order is wrong"
    )]
    dialect: DialectArg,

    /// Prints each frame as a JSON object in a line of its own
    #[arg(long)]
    json_output: bool,
}

/// Runs `strait xcp decode`.
pub(crate) fn run(args: &DecodeArgs) -> Result<(), Failure> {
    let file = &args.file;
    let bytes = file.read().map_err(|error| Failure::usage(format_args!("{file}: {error}")))?;
    let knobs = args.dialect.0.unwrap_or(Knobs::AUTO);
    let mut troubles = Troubles::default();
    let (mut input, mut before, mut number) = (&bytes[..], None, 0);
    // Messages of which more was announced.
    let mut unfinished = HashSet::new();
    if input.is_empty() {
        troubles.add(Failure::read(format_args!("{}: no frame, the input is empty", args.file)));
    }
    while !input.is_empty() {
        let offset = (bytes.len() - input.len()) as u64;
        let frame = match frames::next(&mut input, offset, knobs, before) {
            Ok(frame) => frame,
            Err(fault) => {
                troubles.add(Failure::read(format_args!("{}: {fault}", args.file)));
                break;
            }
        };
        number += 1;
        if frame.checksum.order != Order::Neither {
            before = Some(frame.numbering);
        }
        let body = frame.header.as_ref().map(|header| {
            let key = (header.channel, header.msg_id);
            let more = frame.flags.contains(Flags::MORE);
            let continues = if more { !unfinished.insert(key) } else { unfinished.remove(&key) };
            explain::body(&frame, header, more || continues)
        });
        let body = body.unwrap_or(Value::Null);
        report::print(&if args.json_output { object(&frame, &body) } else { lines(&frame, number, &body) })?;
        if let Err(error) = &frame.header {
            troubles.add(Failure::read(format_args!("the frame at byte {offset}: {error}")));
        }
        if !frame.checksum.right {
            troubles.add(Failure::verify(format_args!(
                "the frame at byte {offset}: its checksum says {:02x?}, the payload has {:#010x}",
                frame.checksum.trailer, frame.checksum.computed
            )));
        }
    }
    troubles.conclude()
}

fn wire_type(header: &FrameHeader, numbering: Numbering) -> u16 {
    numbering.to_wire(header.msg_type)
}

fn numbering_name(numbering: Numbering) -> &'static str {
    match numbering {
        Numbering::Spec => "spec",
        Numbering::Python => "python",
    }
}

fn version(frame: &Frame<'_>) -> String {
    format!("{}.{}", frame.version >> 4, frame.version & 15)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The name of a type: an answer to HELLO is one too.
fn type_name(header: &FrameHeader) -> String {
    match header.msg_type {
        MsgType::HELLO if header.in_reply_to != 0 => "HELLO (the answer to one)".to_owned(),
        other => other.to_string(),
    }
}

/// A frame as one line of JSON.
fn object(frame: &Frame<'_>, body: &Value) -> String {
    let mut object = json!({
        "offset": frame.offset,
        "version": version(frame),
        "flags": frame.flags.names().collect::<Vec<_>>(),
        "header_len": frame.header_bytes.len(),
        "header_format": frame.format.map(dialect::header_name),
        "numbering": numbering_name(frame.numbering),
        "payload_offset": frame.payload_offset,
        "payload_len": frame.payload.len(),
        "crc": hex(&frame.checksum.trailer),
        "crc_computed": format!("{:#010x}", frame.checksum.computed),
        "crc_order": frame.checksum.order,
        "crc_right": frame.checksum.right,
    });
    match &frame.header {
        Err(error) => object["header_error"] = error.as_str().into(),
        Ok(header) => {
            object["channel_id"] = header.channel.into();
            object["msg_type"] = wire_type(header, frame.numbering).into();
            object["msg_type_name"] = header.msg_type.to_string().into();
            object["body_codec"] = header.codec.0.into();
            object["body_codec_name"] = codec_name(header.codec).into();
            object["msg_id"] = header.msg_id.into();
            object["in_reply_to"] = header.in_reply_to.into();
            object["schema_key"] = header.schema_key.map_or(Value::Null, |key| {
                json!({
                    "ns_hash": key.ns_hash,
                    "kind_id": key.kind_id,
                    "kind": key.kind().name(),
                    "major": key.major,
                    "minor": key.minor,
                    "hash128": key.hash.map(|hash| hex(&hash)),
                })
            });
            let tags = header.tags.iter().map(|(key, value)| json!({ "key": key, "val": value }));
            object["tags"] = tags.collect();
            object["body"] = body.clone();
        }
    }
    object.to_string() + "\n"
}

/// A frame as lines: where each field stands, its name, and what it says.
fn lines(frame: &Frame<'_>, number: u64, body: &Value) -> String {
    let end = frame.payload_offset + frame.payload.len() as u64;
    let len_width = if frame.flags.contains(Flags::LARGE) { 8 } else { 4 };
    let mut text = format!("frame {number}, {} bytes\n", end + 4 - frame.offset);
    let mut line = |offset: u64, name: &str, said: &str| {
        text += &format!("  {offset:>8}  {name:<9} {said}\n");
    };
    let format = frame.format.map_or("unknown", dialect::header_name);
    line(frame.offset, "magic", "0xa9a17a10");
    line(frame.offset + 4, "version", &version(frame));
    line(frame.offset + 5, "flags", &format!("{:#04x} {}", frame.flags.0, frame.flags));
    line(frame.offset + 6, "hlen", &frame.header_bytes.len().to_string());
    line(frame.offset + 8, "header", format);
    let mut field = |name: &str, said: &str| {
        text += &format!("            {name:<12} {said}\n");
    };
    match &frame.header {
        Err(error) => field("error", error),
        Ok(header) => {
            let wire = wire_type(header, frame.numbering);
            field("channelId", &header.channel.to_string());
            let numbers = numbering_name(frame.numbering);
            field("msgType", &format!("{wire:#06x} {} ({numbers} numbers)", type_name(header)));
            field("bodyCodec", &format!("{:#06x} {}", header.codec.0, codec_name(header.codec)));
            field("msgId", &header.msg_id.to_string());
            field("inReplyTo", &header.in_reply_to.to_string());
            if let Some(key) = &header.schema_key {
                let hash = key.hash.map_or_else(|| "none".to_owned(), |hash| hex(&hash));
                let kind = key.kind();
                field(
                    "schemaKey",
                    &format!(
                        "namespace {:#010x} kind {kind} version {}.{} hash {hash}",
                        key.ns_hash, key.major, key.minor
                    ),
                );
            }
            for (key, value) in header.tags.iter() {
                field("tag", &format!("{}={}", printable(key.as_bytes()), printable(value.as_bytes())));
            }
        }
    }
    let mut line = |offset: u64, name: &str, said: &str| {
        text += &format!("  {offset:>8}  {name:<9} {said}\n");
    };
    line(frame.payload_offset - len_width, "plen", &frame.payload.len().to_string());
    line(frame.payload_offset, "payload", &printable(body.to_string().as_bytes()));
    let order = match frame.checksum.order {
        Order::Le => "right, little-endian",
        Order::Be => "right, big-endian",
        Order::Either => "right, the same in both orders",
        Order::Neither => "WRONG in both orders",
    };
    let order = if frame.checksum.right || frame.checksum.order == Order::Neither {
        order.to_owned()
    } else {
        format!("WRONG: {order}, and the other was asked for")
    };
    let computed = frame.checksum.computed;
    line(end, "crc32c", &format!("{} for {computed:#010x}: {order}", hex(&frame.checksum.trailer)));
    text
}
