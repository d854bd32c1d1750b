//! What does the payload of a frame say?

use bytes::Bytes;
use serde_json::{Value, json};
use strait::codec::{DecodeContext, DecodeLimits, Registry};
use strait::xcp::decompress::{Decompressor, Limits};
use strait::xcp::{CodecId, Dialect, Flags, FrameHeader, MsgType};
use strait_core::xcp::TensorHeader;
use strait_core::xcp::control::{Ack, Clarify, Hello, Nack, Ping};
use strait_core::xcp::mixed_latent::Segments;

use super::body::is_tensor;
use super::frames::Frame;
use super::names::codec_name;

/// Longest body that is unpacked to be looked at.
const UNPACKED: u64 = 256 << 20;

/// What a payload says; `part` if it is one of several of a message.
pub(super) fn body(frame: &Frame<'_>, header: &FrameHeader, part: bool) -> Value {
    let payload = frame.payload;
    if frame.flags.contains(Flags::CRYPT) {
        return json!({ "sealed": payload.len() });
    }
    if part {
        return json!({ "part_of_a_message": payload.len() });
    }
    if !frame.flags.contains(Flags::COMP) {
        return plain(header, payload, frame.dialect());
    }
    let mut unpacked = Vec::new();
    match Decompressor::new(Limits { max_message: UNPACKED }).decompress(payload, &mut unpacked) {
        Ok(len) => {
            let mut said = plain(header, &unpacked, frame.dialect());
            if let Value::Object(said) = &mut said {
                said.insert("unpacked".to_owned(), len.into());
            }
            said
        }
        Err(error) => json!({ "error": error.to_string() }),
    }
}

fn plain(header: &FrameHeader, payload: &[u8], dialect: Dialect) -> Value {
    let codec = header.codec;
    match header.msg_type {
        MsgType::HELLO | MsgType::CAPS => said(Hello::read(codec, payload), |hello| hello_value(&hello)),
        MsgType::ACK => said(Ack::read(codec, payload), |ack| json!({ "msg_id": ack.msg_id })),
        MsgType::NACK => said(Nack::read(codec, payload), |nack| {
            json!({
                "msg_id": nack.msg_id,
                "error_code": nack.code.0,
                "error": nack.code.to_string(),
                "retry_after_ms": nack.retry_after_ms,
            })
        }),
        // Any bytes will do: only those of a known form mean something to others.
        MsgType::PING | MsgType::PONG => match Ping::read(codec, payload) {
            Some(ping) => json!({ "nonce": ping.nonce }),
            None => json!({ "opaque": payload.len() }),
        },
        MsgType::CLARIFY_REQ | MsgType::CLARIFY_RES => said(Clarify::read(codec, payload), |clarify| {
            json!({
                "msg_id": clarify.msg_id,
                "text": clarify.text.as_str(),
                "idempotency_key": clarify.idempotency_key.as_str(),
            })
        }),
        _ if is_tensor(codec) => {
            said(TensorHeader::parse_as(codec, payload), |(tensor, _)| tensor_value(&tensor))
        }
        _ if codec == CodecId::MIXED_LATENT => mixed(payload),
        _ => ether(header, payload, dialect),
    }
}

fn said<T, E: core::fmt::Display>(read: Result<T, E>, value: impl FnOnce(T) -> Value) -> Value {
    match read {
        Ok(read) => value(read),
        Err(error) => json!({ "error": error.to_string() }),
    }
}

fn hello_value(hello: &Hello) -> Value {
    let kinds = |kinds: &[strait::xcp::KindRange]| -> Vec<Value> {
        let of = |kind: &strait::xcp::KindRange| {
            json!({
                "kind_id": format!("{:#010x}", kind.kind_id),
                "major": kind.major,
                "minor": [kind.min_minor, kind.max_minor],
            })
        };
        kinds.iter().map(of).collect()
    };
    let mut value = json!({
        "codecs": hello.codecs.iter().map(|codec| codec_name(*codec)).collect::<Vec<_>>(),
        "max_frame_bytes": hello.max_frame,
        "shared_mem": hello.shared_mem,
        "accepts": kinds(&hello.accepts),
        "emits": kinds(&hello.emits),
        "features": hello.features.names().collect::<Vec<_>>(),
        "extensions": hello.extensions.names().collect::<Vec<_>>(),
    });
    if let Some((major, minor)) = hello.version {
        value["version"] = format!("{major}.{minor}").into();
    }
    if let Some(crypt) = &hello.crypt {
        value["key_id"] = crypt.key_id.as_str().into();
    }
    value
}

fn tensor_value(tensor: &TensorHeader) -> Value {
    json!({
        "dtype": format!("{:?}", tensor.dtype),
        "shape": tensor.shape.as_slice(),
        "row_quantized": tensor.row_quantized,
        "col_major": tensor.col_major,
        "scale": tensor.scale,
    })
}

fn mixed(payload: &[u8]) -> Value {
    said(Segments::parse(payload), |segments| {
        let segments = segments.map(|segment| {
            said(segment, |segment| {
                let header = TensorHeader::parse_as(segment.codec, segment.body);
                said(header, |(tensor, _)| tensor_value(&tensor))
            })
        });
        json!({ "segments": segments.collect::<Vec<_>>() })
    })
}

fn ether(header: &FrameHeader, payload: &[u8], dialect: Dialect) -> Value {
    let registry = Registry::for_dialect(dialect);
    if registry.get(header.codec).is_none() {
        return json!({ "opaque": payload.len() });
    }
    let limits = DecodeLimits { body: payload.len(), ..DecodeLimits::default() };
    let decoded =
        registry.decode(header.codec, &Bytes::copy_from_slice(payload), &DecodeContext::of(header, limits));
    said(decoded, |ether| {
        let attachments: Vec<Value> = ether
            .attachments
            .iter()
            .map(|attachment| {
                let inline = attachment.inline_bytes.as_ref().map(Bytes::len);
                json!({ "id": attachment.id, "bytes": inline, "uri": attachment.uri })
            })
            .collect();
        json!({
            "kind": ether.kind,
            "schema_version": ether.schema_version,
            "payload": ether.payload.keys().collect::<Vec<_>>(),
            "metadata": ether.metadata.keys().collect::<Vec<_>>(),
            "attachments": attachments,
        })
    })
}
