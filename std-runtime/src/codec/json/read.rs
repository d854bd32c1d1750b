//! Which ether a JSON text is.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Map, Value};
use strait_core::xcp::CodecId;

use super::JsonOptions;
use crate::codec::{DecodeError, DecodeLimits};
use crate::xcp::{Attachment, Ether};

/// Padding as it comes.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The ether that `text` is.
pub(super) fn ether(
    codec: CodecId,
    text: &[u8],
    options: &JsonOptions,
    limits: &DecodeLimits,
) -> Result<Ether, DecodeError> {
    let read = Read { codec, options };
    let members: Map<String, Value> = serde_json::from_slice(text)
        .map_err(|error| DecodeError::malformed(codec, offset(text, &error), error.to_string()))?;
    read.ether(members, limits)
}

/// Attachments' fields that `EtherProto` has no place for, from the object that holds them.
pub(in crate::codec) fn details(
    codec: CodecId,
    details: Value,
    attachment: &mut Attachment,
) -> Result<(), DecodeError> {
    let options = JsonOptions::new();
    let read = Read { codec, options: &options };
    let Value::Object(mut members) = details else {
        return read.refuse("an attachment's details are no object");
    };
    read.details(&mut members, attachment)
}

/// Where in the text the parser stopped; it says so in lines and columns.
fn offset(text: &[u8], error: &serde_json::Error) -> usize {
    let lines = text.split_inclusive(|byte| *byte == b'\n').take(error.line().saturating_sub(1));
    lines.map(<[u8]>::len).sum::<usize>().saturating_add(error.column()).min(text.len())
}

struct Read<'a> {
    codec: CodecId,
    options: &'a JsonOptions,
}

impl Read<'_> {
    fn refuse<T>(&self, why: impl Into<String>) -> Result<T, DecodeError> {
        Err(DecodeError::malformed(self.codec, 0, why))
    }

    fn ether(&self, mut members: Map<String, Value>, limits: &DecodeLimits) -> Result<Ether, DecodeError> {
        let Some(Value::String(kind)) = members.swap_remove("kind") else {
            return self.refuse("`kind` is missing or no text");
        };
        let version = members.swap_remove("schema_version");
        let version =
            version.and_then(|version| version.as_u64()).and_then(|number| u32::try_from(number).ok());
        let Some(schema_version) = version.filter(|version| *version > 0) else {
            return self.refuse("`schema_version` is missing or no number from 1 to 4294967295");
        };
        let attachments = match members.swap_remove("attachments") {
            None => Vec::new(),
            Some(Value::Array(attachments)) => attachments,
            Some(_) => return self.refuse("`attachments` is no list"),
        };
        let (count, max) = (attachments.len(), limits.attachments);
        if count > max {
            return Err(DecodeError::BeyondLimit { what: "attachments", count, max });
        }
        let ether = Ether {
            kind,
            schema_version,
            payload: self.object(&mut members, "payload", true)?,
            metadata: self.object(&mut members, "metadata", true)?,
            extra_fields: self.object(&mut members, "extra_fields", false)?,
            attachments: attachments
                .into_iter()
                .map(|each| self.attachment(each))
                .collect::<Result<_, _>>()?,
        };
        if self.options.lenient_fields {
            ether.attachments.iter().try_for_each(Attachment::check_bytes)?;
        } else {
            ether.check()?;
        }
        Ok(ether)
    }

    fn object(
        &self,
        members: &mut Map<String, Value>,
        key: &str,
        required: bool,
    ) -> Result<Map<String, Value>, DecodeError> {
        match members.swap_remove(key) {
            Some(Value::Object(object)) => Ok(object),
            None if !required || self.options.lenient_fields => Ok(Map::new()),
            None => self.refuse(format!("`{key}` is missing")),
            Some(_) => self.refuse(format!("`{key}` is no object")),
        }
    }

    fn attachment(&self, value: Value) -> Result<Attachment, DecodeError> {
        let Value::Object(mut members) = value else { return self.refuse("an attachment is no object") };
        let Some(id) = self.text(&mut members, "id")? else {
            return self.refuse("an attachment has no `id`");
        };
        let mut attachment = Attachment {
            id,
            uri: self.text(&mut members, "uri")?,
            media_type: self.text(&mut members, "media_type")?,
            codec: self.text(&mut members, "codec")?,
            dtype: self.text(&mut members, "dtype")?,
            size_bytes: self.parsed(&mut members, "size_bytes")?,
            inline_bytes: self.bytes(&mut members)?,
            ..Attachment::default()
        };
        self.details(&mut members, &mut attachment)?;
        Ok(attachment)
    }

    fn details(
        &self,
        members: &mut Map<String, Value>,
        attachment: &mut Attachment,
    ) -> Result<(), DecodeError> {
        if let Some(shape) = self.parsed(members, "shape")? {
            attachment.shape = Some(shape);
        }
        attachment.byte_order = self.text(members, "byte_order")?;
        attachment.device = self.text(members, "device")?;
        attachment.compression = self.parsed(members, "compression")?;
        attachment.checksum = self.parsed(members, "checksum")?;
        attachment.metadata = match members.swap_remove("metadata") {
            Some(Value::Object(metadata)) => metadata,
            None | Some(Value::Null) => Map::new(),
            Some(_) => return self.refuse("an attachment's `metadata` is no object"),
        };
        Ok(())
    }

    fn text(&self, members: &mut Map<String, Value>, key: &str) -> Result<Option<String>, DecodeError> {
        match members.swap_remove(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => self.refuse(format!("an attachment's `{key}` is no text")),
        }
    }

    fn parsed<T: serde::de::DeserializeOwned>(
        &self,
        members: &mut Map<String, Value>,
        key: &str,
    ) -> Result<Option<T>, DecodeError> {
        let value = members.swap_remove(key).unwrap_or_default();
        serde_json::from_value(value)
            .or_else(|error| self.refuse(format!("an attachment's `{key}`: {error}")))
    }

    fn bytes(&self, members: &mut Map<String, Value>) -> Result<Option<Bytes>, DecodeError> {
        let Some(mut text) = self.text(members, "inline_bytes")? else { return Ok(None) };
        let decoded = if self.options.lenient_base64 {
            text.retain(|letter| !letter.is_ascii_whitespace());
            LENIENT.decode(&text)
        } else {
            STANDARD.decode(&text)
        };
        let bytes =
            decoded.or_else(|error| self.refuse(format!("an attachment's `inline_bytes`: {error}")))?;
        Ok(Some(bytes.into()))
    }
}
