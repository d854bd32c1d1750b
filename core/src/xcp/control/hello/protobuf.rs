//! What can a side do, in Protobuf?
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use heapless::String;

use super::{CryptOffer, Hello, KEY_ID_BYTES, features, keep, max_frame, offer, version};
use crate::xcp::control::kinds::Kinds;
use crate::xcp::control::protobuf::{Fields, Message};
use crate::xcp::control::{ControlError, Extensions};
use crate::xcp::numbers::{CodecId, Flags};

pub(super) fn write(hello: &Hello, out: &mut [u8]) -> Result<usize, ControlError> {
    let mut message = Message::new(out);
    if !hello.codecs.is_empty() {
        message.nested(1, |list| hello.codecs.iter().for_each(|codec| list.varint(codec.0.into())));
    }
    // Missing is not 0 here.
    message.number_always(2, hello.max_frame);
    for (field, kinds) in [(3, &hello.accepts), (4, &hello.emits)] {
        for kind in kinds {
            message.nested(field, |message| kind.write_protobuf(message));
        }
    }
    message.number(5, hello.shared_mem);
    message.number(100, hello.features.intersection(Flags::ALL).0);
    for name in hello.extensions.names() {
        message.bytes(101, name.as_bytes());
    }
    if let Some((major, minor)) = hello.version {
        message.nested(102, |message| {
            message.raw().decimal(major.into());
            message.raw().push(b".");
            message.raw().decimal(minor.into());
        });
    }
    if let Some(CryptOffer { key_id, random }) = &hello.crypt {
        message.bytes(103, key_id.as_bytes());
        message.bytes(104, random);
    }
    Ok(message.finish()?)
}

pub(super) fn read(mut fields: Fields<'_>) -> Result<Hello, ControlError> {
    let mut hello = Hello::default();
    let (mut accepts, mut emits) = (Kinds::new("accepts"), Kinds::new("emits"));
    let (mut key_id, mut random) = (None, None);
    // Every turn takes a field off the body.
    while let Some(field) = fields.next()? {
        match field.number {
            1 => field.numbers("a codec", u16::MAX, |codec| keep(&mut hello.codecs, CodecId(codec)))?,
            2 => hello.max_frame = max_frame(field.number("max_frame_bytes", u64::MAX)?),
            3 => accepts.read_protobuf(&field)?,
            4 => emits.read_protobuf(&field)?,
            // Any number but 0 is true, as Protobuf has it.
            5 => hello.shared_mem = field.number("shared_mem", u64::MAX)? != 0,
            100 => hello.features = features(field.number("features", u64::MAX)?),
            101 => {
                let known = Extensions::from_name(field.text("a name in features_ext")?);
                hello.extensions = hello.extensions.union(known.unwrap_or_default());
            }
            102 => hello.version = version(field.text("version")?),
            103 => {
                let text = field.text("kid")?;
                let too_long = ControlError::TooLong { what: "kid", len: text.len(), most: KEY_ID_BYTES };
                key_id = Some(String::<KEY_ID_BYTES>::try_from(text).map_err(|_| too_long)?);
            }
            104 => {
                let bytes = field.bytes("random")?;
                let malformed = ControlError::Malformed { what: "16 random bytes", at: field.at() };
                random = Some(<[u8; 16]>::try_from(bytes).map_err(|_| malformed)?);
            }
            _ => {}
        }
    }
    hello.accepts = accepts.finish()?;
    hello.emits = emits.finish()?;
    hello.crypt = offer(key_id, random, fields.at())?;
    Ok(hello)
}
