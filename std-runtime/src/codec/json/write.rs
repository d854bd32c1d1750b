//! How an ether is written as JSON: byte for byte as the Python implementation does it.

use std::io::{self, Write};

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};
use serde_json::ser::{CompactFormatter, Formatter, Serializer as JsonSerializer};
use serde_json::{Map, Value};

use super::JsonOptions;
use crate::codec::EncodeError;
use crate::xcp::ether::{Checksum, Compression};
use crate::xcp::{Attachment, Ether};

/// Appends `ether` to `out`.
pub(super) fn ether(ether: &Ether, options: &JsonOptions, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let attachments: Vec<_> = ether.attachments.iter().map(|each| attachment(each, options)).collect();
    let written = WrittenEther {
        kind: &ether.kind,
        schema_version: ether.schema_version,
        payload: &ether.payload,
        metadata: &ether.metadata,
        extra_fields: &ether.extra_fields,
        attachments: &attachments,
    };
    write(&written, Python { ascii: options.ascii }, out);
    Ok(())
}

/// Appends a value to `out`.
pub(in crate::codec) fn value(value: &Value, out: &mut Vec<u8>) {
    write(value, Python { ascii: false }, out);
}

/// The fields of an attachment that `EtherProto` has no place for; empty if none is set.
pub(in crate::codec) fn details(attachment: &Attachment, with_shape: bool) -> String {
    let details = Details {
        byte_order: attachment.byte_order.as_deref(),
        device: attachment.device.as_deref(),
        compression: attachment.compression.as_ref(),
        checksum: attachment.checksum.as_ref(),
        metadata: &attachment.metadata,
    };
    let mut out = Vec::new();
    write(
        &ProtoDetails { shape: attachment.shape.as_deref().filter(|_| with_shape), details },
        Python { ascii: false },
        &mut out,
    );
    let text = String::from_utf8(out).expect("JSON of texts is UTF-8");
    if text == "{}" { String::new() } else { text }
}

fn write(value: &impl Serialize, formatter: Python, out: &mut Vec<u8>) {
    let mut serializer = JsonSerializer::with_formatter(out, formatter);
    value.serialize(&mut serializer).expect("a Vec takes everything, and every key is a text");
}

fn attachment<'e>(attachment: &'e Attachment, options: &JsonOptions) -> WrittenAttachment<'e> {
    let omit = options.omit_unset;
    WrittenAttachment {
        id: &attachment.id,
        uri: field(attachment.uri.as_deref(), omit),
        media_type: field(attachment.media_type.as_deref(), omit),
        codec: field(attachment.codec.as_deref(), omit),
        shape: field(attachment.shape.as_deref(), omit),
        dtype: field(attachment.dtype.as_deref(), omit),
        size_bytes: field(attachment.size_bytes, omit),
        inline_bytes: field(attachment.inline_bytes.as_deref().map(Base64), omit),
        details: Details {
            byte_order: attachment.byte_order.as_deref(),
            device: attachment.device.as_deref(),
            compression: attachment.compression.as_ref(),
            checksum: attachment.checksum.as_ref(),
            metadata: &attachment.metadata,
        },
    }
}

/// A field that is left out, or written as what is inside: `null` if that is nothing.
type Field<T> = Option<Option<T>>;

const fn field<T: Copy>(value: Option<T>, omit: bool) -> Field<T> {
    if value.is_none() && omit { None } else { Some(value) }
}

#[derive(Serialize)]
struct WrittenEther<'e> {
    kind: &'e str,
    schema_version: u32,
    payload: &'e Map<String, Value>,
    metadata: &'e Map<String, Value>,
    extra_fields: &'e Map<String, Value>,
    attachments: &'e [WrittenAttachment<'e>],
}

#[derive(Serialize)]
struct WrittenAttachment<'e> {
    id: &'e str,
    #[serde(skip_serializing_if = "Option::is_none")]
    uri: Field<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    media_type: Field<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    codec: Field<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shape: Field<&'e [u64]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dtype: Field<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_bytes: Field<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inline_bytes: Field<Base64<'e>>,
    #[serde(flatten)]
    details: Details<'e>,
}

/// What only MaiEther has.
#[derive(Serialize)]
struct Details<'e> {
    #[serde(skip_serializing_if = "Option::is_none")]
    byte_order: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compression: Option<&'e Compression>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checksum: Option<&'e Checksum>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    metadata: &'e Map<String, Value>,
}

#[derive(Serialize)]
struct ProtoDetails<'e> {
    #[serde(skip_serializing_if = "Option::is_none")]
    shape: Option<&'e [u64]>,
    #[serde(flatten)]
    details: Details<'e>,
}

#[derive(Clone, Copy)]
struct Base64<'e>(&'e [u8]);

impl Serialize for Base64<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Base64Display::new(self.0, &STANDARD))
    }
}

/// Python's way to write numbers, and, if `ascii`, texts.
#[derive(Clone, Copy)]
struct Python {
    ascii: bool,
}

impl Formatter for Python {
    fn write_f64<W: ?Sized + Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        // The digits are the shortest that say the number, and of two such the even one, as in Python; `{:?}` has the
        // larger one. Python writes an exponent below 1e-4 and from 1e16 on, of two digits at least.
        let mut plain = Vec::with_capacity(24);
        CompactFormatter.write_f64(&mut plain, value)?;
        let text = core::str::from_utf8(&plain).expect("numbers are ASCII");
        if let Some((digits, exponent)) = text.split_once('e') {
            let (sign, exponent) = match exponent.strip_prefix('-') {
                Some(exponent) => ('-', exponent),
                None => ('+', exponent.trim_start_matches('+')),
            };
            return write!(writer, "{digits}e{sign}{exponent:0>2}");
        }
        let (minus, magnitude) = text.strip_prefix('-').map_or(("", text), |magnitude| ("-", magnitude));
        let Some(small) = magnitude.strip_prefix("0.0000") else { return writer.write_all(&plain) };
        let digits = small.trim_start_matches('0');
        let (Some(first), exponent) = (digits.chars().next(), 5 + small.len() - digits.len()) else {
            return writer.write_all(&plain);
        };
        let rest = &digits[1..];
        write!(writer, "{minus}{first}{}{rest}e-{exponent:02}", if rest.is_empty() { "" } else { "." })
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, text: &str) -> io::Result<()> {
        if !self.ascii {
            return writer.write_all(text.as_bytes());
        }
        let mut rest = text;
        while let Some(at) = rest.find(|letter: char| !letter.is_ascii() || letter == '\x7F') {
            let (plain, others) = rest.split_at(at);
            writer.write_all(plain.as_bytes())?;
            let mut letters = others.chars();
            let mut units = [0; 2];
            for unit in letters.next().iter().flat_map(|letter| letter.encode_utf16(&mut units).to_vec()) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = letters.as_str();
        }
        writer.write_all(rest.as_bytes())
    }
}
