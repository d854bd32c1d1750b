//! What can a side do, in JSON?
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use heapless::Vec;

use super::{CODECS, CryptOffer, Hello, KEY_ID_BYTES, features, keep, max_frame, offer, version};
use crate::xcp::control::kinds::{KindRange, Kinds};
use crate::xcp::control::{ControlError, Extensions, read_number, read_object, read_text};
use crate::xcp::json::{Reader, Writer};
use crate::xcp::numbers::{CodecId, Flags};

pub(super) fn write(hello: &Hello, out: &mut [u8]) -> Result<usize, ControlError> {
    let mut json = Writer::new(out);
    json.object(|json| {
        json.key("codecs").array(|json| hello.codecs.iter().for_each(|codec| json.number(codec.0)));
        json.key("max_frame_bytes").number(hello.max_frame);
        json.key("shared_mem").boolean(hello.shared_mem);
        json.key("accepts").array(|json| write_kinds(&hello.accepts, json));
        json.key("emits").array(|json| write_kinds(&hello.emits, json));
        let features = hello.features.intersection(Flags::ALL);
        if features != Flags::NONE {
            json.key("features").number(features.0);
        }
        if hello.extensions != Extensions::NONE {
            json.key("features_ext")
                .array(|json| hello.extensions.names().for_each(|name| json.string(name)));
        }
        if let Some((major, minor)) = hello.version {
            json.key("version").quoted(|sink| {
                sink.decimal(major.into());
                sink.push(b".");
                sink.decimal(minor.into());
            });
        }
        if let Some(CryptOffer { key_id, random }) = &hello.crypt {
            json.key("crypt").object(|json| {
                json.key("kid").string(key_id);
                json.key("random").quoted(|sink| sink.hex(random));
            });
        }
    });
    Ok(json.finish()?)
}

fn write_kinds(kinds: &[KindRange], json: &mut Writer<'_>) {
    kinds.iter().for_each(|kind| kind.write_json(json));
}

pub(super) fn read(json: Reader<'_>) -> Result<Hello, ControlError> {
    let mut hello = Hello::default();
    read_object(json, |json, key| {
        match key {
            "codecs" => hello.codecs = read_codecs(json)?,
            "max_frame_bytes" | "max_frame" => {
                hello.max_frame = max_frame(read_number(json, "max_frame_bytes", u64::MAX)?);
            }
            "shared_mem" => {
                let at = json.at();
                let malformed = ControlError::Malformed { what: "shared_mem", at };
                hello.shared_mem = json.boolean()?.ok_or(malformed)?;
            }
            "accepts" => hello.accepts = Kinds::read_json(json, "accepts")?,
            "emits" => hello.emits = Kinds::read_json(json, "emits")?,
            "features" => hello.features = features(read_number(json, "features", u64::MAX)?),
            "features_ext" => hello.extensions = read_extensions(json)?,
            "version" => {
                hello.version = json.text()?.and_then(|text| version(&text.whole::<7>()?));
            }
            "crypt" => hello.crypt = read_crypt(json)?,
            _ => json.skip()?,
        }
        Ok(())
    })?;
    Ok(hello)
}

fn read_codecs(json: &mut Reader<'_>) -> Result<Vec<CodecId, CODECS>, ControlError> {
    let mut codecs = Vec::new();
    let at = json.at();
    let is_array = json.items(|json| {
        keep(&mut codecs, CodecId(read_number(json, "a codec", u16::MAX)?));
        Ok::<_, ControlError>(())
    })?;
    if is_array { Ok(codecs) } else { Err(ControlError::Malformed { what: "codecs", at }) }
}

fn read_extensions(json: &mut Reader<'_>) -> Result<Extensions, ControlError> {
    let mut extensions = Extensions::NONE;
    let at = json.at();
    let is_array = json.items(|json| {
        let name = read_text(json, "a name in features_ext")?;
        // A name that is longer than this is not known here.
        let known = name.whole::<24>().and_then(|name| Extensions::from_name(&name));
        extensions = extensions.union(known.unwrap_or_default());
        Ok::<_, ControlError>(())
    })?;
    if is_array { Ok(extensions) } else { Err(ControlError::Malformed { what: "features_ext", at }) }
}

fn read_crypt(json: &mut Reader<'_>) -> Result<Option<CryptOffer>, ControlError> {
    let (mut key_id, mut random) = (None, None);
    let at = json.at();
    let is_object = json.fields(|json, key| {
        match key {
            "kid" => {
                let text = read_text(json, "kid")?;
                let (len, most) = (text.len(), KEY_ID_BYTES);
                key_id = Some(text.whole().ok_or(ControlError::TooLong { what: "kid", len, most })?);
            }
            "random" => {
                let at = json.at();
                let text = read_text(json, "random")?;
                let malformed = ControlError::Malformed { what: "32 hexadecimal digits", at };
                random = Some(text.hex().ok_or(malformed)?);
            }
            _ => json.skip()?,
        }
        Ok::<_, ControlError>(())
    })?;
    // `{}` is no offer either: whoever sends the key means to offer something.
    if !is_object || key_id.is_none() {
        return Err(ControlError::Malformed { what: "an offer with kid and random", at });
    }
    offer(key_id, random, at)
}
