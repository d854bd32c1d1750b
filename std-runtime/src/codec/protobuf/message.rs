//! How an ether is an `EtherProto` message.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde_json::{Map, Value};
use strait_core::xcp::CodecId;
use strait_proto::xcp::ether::{Attachment as AttachmentProto, EtherProto};

use crate::codec::json::{read_details, read_value, write_details, write_value};
use crate::codec::{DecodeError, DecodeLimits};
use crate::xcp::ether::{bytes_of, bytes_value};
use crate::xcp::{Attachment, Ether};

const CODEC: CodecId = CodecId::PROTOBUF;

/// A map of the message: values, keys of those that are JSON, keys of those that are bytes.
type Fields = (BTreeMap<String, Vec<u8>>, Vec<String>, Vec<String>);

/// The message that an ether is.
pub(super) fn of(ether: &Ether) -> EtherProto {
    let (payload, payload_json, payload_bytes) = fields(&ether.payload);
    let (metadata, metadata_json, metadata_bytes) = fields(&ether.metadata);
    let (extra_fields, extra_json, extra_bytes) = fields(&ether.extra_fields);
    EtherProto {
        kind: ether.kind.clone(),
        schema_version: ether.schema_version,
        payload,
        metadata,
        extra_fields,
        attachments: ether.attachments.iter().map(attachment_of).collect(),
        payload_json,
        metadata_json,
        extra_json,
        payload_bytes,
        metadata_bytes,
        extra_bytes,
    }
}

fn fields(members: &Map<String, Value>) -> Fields {
    let (mut values, mut json, mut raw) = Fields::default();
    for (key, value) in members {
        let bytes = match (value, canonical_bytes(value)) {
            (Value::String(text), _) => text.clone().into_bytes(),
            (_, Some(bytes)) => {
                raw.push(key.clone());
                bytes
            }
            _ => {
                json.push(key.clone());
                let mut text = Vec::new();
                write_value(value, &mut text);
                text
            }
        };
        values.insert(key.clone(), bytes);
    }
    (values, json, raw)
}

/// The bytes that a value stands for, if it comes back from them as it is.
fn canonical_bytes(value: &Value) -> Option<Vec<u8>> {
    bytes_of(value).filter(|bytes| bytes_value(bytes) == *value)
}

fn attachment_of(attachment: &Attachment) -> AttachmentProto {
    // An empty list, and dimensions beyond 32 bits, have no place in the field for the shape.
    let shape: Option<Vec<u32>> =
        attachment.shape.as_ref().filter(|shape| !shape.is_empty()).and_then(|shape| {
            let dims: Result<Vec<u32>, _> = shape.iter().map(|dim| u32::try_from(*dim)).collect();
            dims.ok()
        });
    AttachmentProto {
        id: attachment.id.clone(),
        uri: attachment.uri.clone(),
        media_type: attachment.media_type.clone(),
        codec: attachment.codec.clone(),
        details: write_details(attachment, shape.is_none()),
        shape: shape.unwrap_or_default(),
        dtype: attachment.dtype.clone(),
        size_bytes: attachment.size_bytes,
        inline_bytes: attachment.inline_bytes.clone(),
    }
}

/// The ether that a message is.
pub(super) fn ether(message: EtherProto, limits: &DecodeLimits) -> Result<Ether, DecodeError> {
    // What the JSON of all fields may have together.
    let mut left = *limits;
    let ether = Ether {
        payload: members((message.payload, message.payload_json, message.payload_bytes), &mut left)?,
        metadata: members((message.metadata, message.metadata_json, message.metadata_bytes), &mut left)?,
        extra_fields: members((message.extra_fields, message.extra_json, message.extra_bytes), &mut left)?,
        attachments: message
            .attachments
            .into_iter()
            .map(|each| attachment(each, &mut left))
            .collect::<Result<_, _>>()?,
        kind: message.kind,
        schema_version: message.schema_version,
    };
    ether.check()?;
    Ok(ether)
}

fn members(
    (values, json, raw): Fields,
    limits: &mut DecodeLimits,
) -> Result<Map<String, Value>, DecodeError> {
    let (json, raw) = (BTreeSet::from_iter(json), BTreeSet::from_iter(raw));
    let mut members = Map::with_capacity(values.len());
    for (key, bytes) in values {
        let value = match (json.contains(&key), raw.contains(&key)) {
            (true, true) => {
                let why = format!("the value of {key:?} is said to be JSON and bytes");
                return Err(DecodeError::malformed(CODEC, 0, why));
            }
            (true, false) => read_value(CODEC, &bytes, limits)?,
            (false, true) => bytes_value(&bytes),
            (false, false) => match String::from_utf8(bytes) {
                Ok(text) => Value::String(text),
                Err(error) => bytes_value(error.as_bytes()),
            },
        };
        members.insert(key, value);
    }
    Ok(members)
}

fn attachment(message: AttachmentProto, limits: &mut DecodeLimits) -> Result<Attachment, DecodeError> {
    // Python's writer leaves empty bytes out.
    let empty = || message.uri.is_none().then(Bytes::new);
    let shape: Vec<u64> = message.shape.iter().map(|dim| u64::from(*dim)).collect();
    let mut attachment = Attachment {
        inline_bytes: message.inline_bytes.clone().or_else(empty),
        shape: Some(shape).filter(|shape| !shape.is_empty()),
        id: message.id,
        uri: message.uri,
        media_type: message.media_type,
        codec: message.codec,
        dtype: message.dtype,
        size_bytes: message.size_bytes,
        ..Attachment::default()
    };
    if !message.details.is_empty() {
        // Counted, and taken off the limits, before it is taken apart.
        let details = read_value(CODEC, message.details.as_bytes(), limits)?;
        read_details(CODEC, details, &mut attachment)?;
    }
    Ok(attachment)
}
