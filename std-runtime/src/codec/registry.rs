//! Which codecs there are.

use core::fmt;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use strait_core::xcp::{CodecId, Dialect, KindId, SchemaKey, TensorType};

use super::{
    Codec, DecodeContext, DecodeError, EncodeError, JsonCodec, JsonOptions, MixedLatentCodec, ProtobufCodec,
    SubEncoding, TensorCodec,
};
use crate::xcp::Ether;

/// Codecs by their numbers. Cloning shares them.
#[derive(Clone)]
pub struct Registry {
    /// How the codecs of this crate read JSON.
    json: JsonOptions,
    codecs: BTreeMap<CodecId, Arc<dyn Codec>>,
}

impl Registry {
    /// Every codec of this crate, strict.
    #[must_use]
    pub fn new() -> Self {
        Self::with_json(JsonOptions::default())
    }

    /// Every codec of this crate, for a peer that speaks `dialect`: Python's JSON is read as Python writes it.
    #[must_use]
    pub fn for_dialect(dialect: Dialect) -> Self {
        Self::with_json(if dialect.is_strict() { JsonOptions::python() } else { JsonOptions::default() })
    }

    /// Every codec of this crate, with these ways to read and write JSON.
    #[must_use]
    pub fn with_json(json: JsonOptions) -> Self {
        let mut registry = Self { json, ..Self::empty() };
        registry.register(JsonCodec::new(json));
        registry.register(ProtobufCodec::new(SubEncoding::Protobuf, json));
        for dtype in [TensorType::F32, TensorType::F16, TensorType::Qnt8] {
            registry.register(TensorCodec::new(dtype));
        }
        registry.register(MixedLatentCodec);
        registry
    }

    /// The same, but what codec 0x0008 writes is `written`: for a peer that sent it.
    #[must_use]
    pub fn with_sub_encoding(mut self, written: SubEncoding) -> Self {
        self.register(ProtobufCodec::new(written, self.json));
        self
    }

    /// No codec.
    #[must_use]
    pub fn empty() -> Self {
        Self { json: JsonOptions::new(), codecs: BTreeMap::new() }
    }

    /// Adds a codec, in place of the one with its number, if any.
    pub fn register(&mut self, codec: impl Codec + 'static) {
        self.codecs.insert(codec.id(), Arc::new(codec));
    }

    /// Takes a codec away; `None` if it was not there.
    pub fn remove(&mut self, id: CodecId) -> Option<Arc<dyn Codec>> {
        self.codecs.remove(&id)
    }

    /// The codec with this number.
    pub fn get(&self, id: CodecId) -> Option<&dyn Codec> {
        self.codecs.get(&id).map(|codec| &**codec)
    }

    /// The numbers of all codecs, ascending.
    pub fn ids(&self) -> impl Iterator<Item = CodecId> {
        self.codecs.keys().copied()
    }

    /// Appends `ether` to `out` as `codec` has it. After an error `out` is as it was.
    ///
    /// # Errors
    /// [`EncodeError::Unsupported`], and what the codec says.
    pub fn encode(&self, codec: CodecId, ether: &Ether, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let len = out.len();
        let encoded = self.get(codec).ok_or(EncodeError::Unsupported { codec })?.encode(ether, out);
        if encoded.is_err() {
            out.truncate(len);
        }
        encoded
    }

    /// The ether that `body` is, as `codec` has it; parts of `body` may be kept. If the header names a schema, the ether
    /// follows it.
    ///
    /// # Errors
    /// [`DecodeError::BeyondLimit`], [`DecodeError::Unsupported`], [`DecodeError::KindMismatch`], and what the codec says.
    pub fn decode(
        &self,
        codec: CodecId,
        body: &Bytes,
        context: &DecodeContext<'_>,
    ) -> Result<Ether, DecodeError> {
        let (count, max) = (body.len(), context.limits.body);
        if count > max {
            return Err(DecodeError::BeyondLimit { what: "bytes", count, max });
        }
        let found = self.get(codec).ok_or(DecodeError::Unsupported { codec })?;
        let ether = found.decode_bytes(body, context)?;
        match &context.schema_key {
            Some(key) if !agrees(key, &ether) => Err(DecodeError::KindMismatch {
                kind_id: key.kind_id,
                major: key.major,
                kind: ether.kind,
                version: ether.schema_version,
            }),
            _ => Ok(ether),
        }
    }
}

/// Whether the ether is of the kind and version that the key names; 0 is any.
fn agrees(key: &SchemaKey, ether: &Ether) -> bool {
    let kind = key.kind_id == 0 || key.kind() == KindId::of(&ether.kind);
    kind && (key.major == 0 || u32::from(key.major) == ether.schema_version)
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.ids()).finish()
    }
}

#[cfg(test)]
mod tests {
    use strait_core::xcp::ErrorCode;

    use super::*;

    #[test]
    fn a_codec_that_is_not_there_has_its_own_code() {
        let codecs = Registry::new();
        let context = DecodeContext::default();
        for codec in [CodecId::ARROW_IPC, CodecId::DLPACK, CodecId(0x7777)] {
            let error = codecs.decode(codec, &Bytes::new(), &context).unwrap_err();
            assert_eq!(error.code(), ErrorCode::ERR_CODEC_UNSUPPORTED);
            let error = codecs.encode(codec, &Ether::text("a"), &mut Vec::new());
            assert_eq!(error, Err(EncodeError::Unsupported { codec }));
        }
    }

    #[test]
    fn a_body_follows_the_schema_that_its_header_names() {
        let codecs = Registry::new();
        let mut body = Vec::new();
        codecs.encode(CodecId::JSON, &Ether::text("a"), &mut body).unwrap();
        let body = Bytes::from(body);
        let decode = |kind_id, major| {
            let key = SchemaKey { kind_id, major, ..SchemaKey::default() };
            let context = DecodeContext { schema_key: Some(key), ..DecodeContext::default() };
            codecs.decode(CodecId::JSON, &body, &context).map_err(|error| error.code())
        };
        // The last is the number that the implementation guide has for the kind.
        for kind_id in [0, KindId::TEXT.0, 0x6EA7_E21B] {
            assert_eq!(decode(kind_id, 0), Ok(Ether::text("a")));
            assert_eq!(decode(kind_id, 1), Ok(Ether::text("a")));
            assert_eq!(decode(kind_id, 2), Err(ErrorCode::ERR_KIND_MISMATCH));
        }
        assert_eq!(decode(KindId::IMAGE.0, 0), Err(ErrorCode::ERR_KIND_MISMATCH));
    }

    #[test]
    fn a_failed_encoding_leaves_nothing_behind() {
        let mut out = b"before".to_vec();
        let error = Registry::new().encode(CodecId::JSON, &Ether::new("a", 0), &mut out);
        assert!(error.is_err());
        assert_eq!(out, b"before");
        let limits = super::super::DecodeLimits { body: 1, ..Default::default() };
        let context = DecodeContext { limits, ..DecodeContext::default() };
        let error = Registry::new().decode(CodecId::JSON, &Bytes::from_static(b"{}"), &context).unwrap_err();
        assert_eq!(error, DecodeError::BeyondLimit { what: "bytes", count: 2, max: 1 });
    }
}
