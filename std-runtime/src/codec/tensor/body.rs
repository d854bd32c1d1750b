//! How an ether that is nothing but tensors is a body without an envelope, and what the header says in its place.

use bytes::Bytes;
use serde_json::{Map, Value};
use strait_core::xcp::{CodecId, KindId, SchemaKey, Tags, TensorType};

use super::Tensor;
use crate::codec::{Codec, DecodeContext, DecodeError, EncodeError};
use crate::xcp::{Attachment, Ether};

/// Id of the attachment that a TENSOR body becomes, unless the header has a tag that names it.
pub const BARE_ATTACHMENT: &str = "tensor";
/// The tag that names the kind of a body without an envelope, for kinds that are not known by their number.
pub const TAG_KIND: &str = "kind";
/// The tag that names the attachments that a body without an envelope becomes, separated by commas.
pub const TAG_ATTACHMENT: &str = "attachment";

/// Kind of a body without an envelope whose header names none.
const UNNAMED: &str = "tensor";
/// Kinds whose numbers are known.
const KINDS: [&str; 5] = ["text", "tokens", "embedding", "image", UNNAMED];
/// Tags that are not metadata.
const NO_METADATA: [&str; 4] = [TAG_KIND, TAG_ATTACHMENT, Tags::ACK, Tags::MEDIA_TYPE];

/// What a header says about an ether: its schema, its trace, and for bodies without an envelope also its kind, its metadata
/// and the names of its attachments. [`DecodeContext`] takes it back.
///
/// ```
/// # use bytes::Bytes;
/// # use strait::codec::{DecodeContext, Registry, Tensor, header_facts};
/// # use strait::xcp::Ether;
/// # use strait_core::xcp::CodecId;
/// let ether = Ether::of_tensor("robot.pose", &Tensor::f32(&[3], &[0.5, 1.0, 2.0])?).metadata("producer", "arm");
/// let (codecs, mut body) = (Registry::new(), Vec::new());
/// codecs.encode(CodecId::TENSOR_F32, &ether, &mut body)?;
/// let (schema_key, tags) = header_facts(&ether, CodecId::TENSOR_F32)?;
///
/// let context = DecodeContext { schema_key: Some(schema_key), tags: Some(&tags), ..DecodeContext::default() };
/// assert_eq!(codecs.decode(CodecId::TENSOR_F32, &Bytes::from(body), &context)?, ether);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
///
/// # Errors
/// [`EncodeError::CannotCarry`] if the body has no envelope and the header has no place for something.
pub fn header_facts(ether: &Ether, codec: CodecId) -> Result<(SchemaKey, Tags), EncodeError> {
    let bare = TensorType::of(codec).is_some() || codec == CodecId::MIXED_LATENT;
    let mut key = kind_key(ether);
    let mut tags = Tags::new();
    if !bare {
        if let Some(trace_id) = ether.trace_id() {
            // Too long for a tag: it is in the body.
            let _ = tags.push(Tags::TRACE_ID, trace_id);
        }
        return Ok((key, tags));
    }
    let cannot = |what: String| EncodeError::CannotCarry { codec, what };
    key.major =
        u16::try_from(ether.schema_version).map_err(|_| cannot("a version beyond 65535".to_owned()))?;
    let mut push = |name: &str, value: &str| tags.push(name, value).map_err(|full| cannot(full.to_string()));
    if !KINDS.contains(&ether.kind.as_str()) {
        push(TAG_KIND, &ether.kind)?;
    }
    let names: Vec<&str> = ether.attachments.iter().map(|attachment| attachment.id.as_str()).collect();
    if names.iter().enumerate().any(|(at, name)| *name != unnamed(codec, at)) {
        if names.iter().any(|name| name.contains(',')) {
            return Err(cannot("an attachment whose id has a comma in it".to_owned()));
        }
        push(TAG_ATTACHMENT, &names.join(","))?;
    }
    for (name, value) in &ether.metadata {
        let text = value.as_str().filter(|_| !NO_METADATA.contains(&name.as_str()));
        push(name, text.ok_or_else(|| cannot(format!("metadata {name:?} = {value}")))?)?;
    }
    Ok((key, tags))
}

/// The key that names an ether's kind and version, and no schema: the body has the version if it has no room; 0 is any.
pub(crate) fn kind_key(ether: &Ether) -> SchemaKey {
    let major = u16::try_from(ether.schema_version).unwrap_or(0);
    SchemaKey { kind_id: KindId::of(&ether.kind).0, major, ..SchemaKey::default() }
}

/// Id of attachment number `at`, unless it has a name.
fn unnamed(codec: CodecId, at: usize) -> String {
    if codec == CodecId::MIXED_LATENT { format!("segment-{at}") } else { BARE_ATTACHMENT.to_owned() }
}

/// The ether that these tensors are, by what the header says.
pub(in crate::codec) fn synthesize(
    codec: CodecId,
    tensors: &[Tensor],
    context: &DecodeContext<'_>,
) -> Result<Ether, DecodeError> {
    let key = context.schema_key.unwrap_or_default();
    let tag = |name: &str| context.tags.and_then(|tags| tags.get(name));
    let metadata: Map<String, Value> = {
        let tags = context.tags.into_iter().flat_map(Tags::iter);
        let tags = tags.filter(|(name, _)| !NO_METADATA.contains(name));
        let mut metadata = Map::new();
        for (name, value) in tags {
            metadata.entry(name).or_insert_with(|| value.into());
        }
        metadata
    };
    let ids: Vec<String> = match tag(TAG_ATTACHMENT) {
        Some(names) => names.split(',').map(str::to_owned).collect(),
        None => (0..tensors.len()).map(|at| unnamed(codec, at)).collect(),
    };
    if ids.len() != tensors.len() {
        let why = format!("{} tensors, and the header names {}", tensors.len(), ids.len());
        return Err(DecodeError::malformed(codec, 0, why));
    }
    let ether = Ether {
        kind: kind_of(&key, tag(TAG_KIND))?,
        schema_version: u32::from(key.major).max(1),
        metadata,
        attachments: tensors.iter().zip(ids).map(|(tensor, id)| tensor.to_attachment(id)).collect(),
        ..Ether::default()
    };
    ether.check()?;
    Ok(ether)
}

fn kind_of(key: &SchemaKey, name: Option<&str>) -> Result<String, DecodeError> {
    let unset = key.kind_id == KindId::UNSET.0;
    let mut names = name.into_iter().chain(KINDS);
    if unset {
        return Ok(name.unwrap_or(UNNAMED).to_owned());
    }
    let found = names.find(|name| KindId::of(name) == key.kind());
    found.map(str::to_owned).ok_or(DecodeError::UnknownKind { kind_id: key.kind_id })
}

/// The tensors that an ether is, if it is nothing else.
pub(in crate::codec) fn tensors_of(ether: &Ether, codec: CodecId) -> Result<Vec<Tensor>, EncodeError> {
    let cannot = |what: &str| EncodeError::CannotCarry { codec, what: what.to_owned() };
    if !ether.payload.is_empty() || !ether.extra_fields.is_empty() {
        return Err(cannot("a payload or extra fields"));
    }
    ether.attachments.iter().map(|attachment| tensor_of(attachment, &cannot)).collect()
}

fn tensor_of(attachment: &Attachment, cannot: &dyn Fn(&str) -> EncodeError) -> Result<Tensor, EncodeError> {
    let tensor = Tensor::from_attachment(attachment)?;
    let same = tensor.to_attachment("");
    if attachment.metadata != same.metadata {
        return Err(cannot("metadata of an attachment"));
    }
    if attachment.checksum.is_some() || attachment.device.is_some() {
        return Err(cannot("a checksum or a device of an attachment"));
    }
    if attachment.media_type.is_some() && attachment.media_type != same.media_type {
        return Err(cannot("a media type of an attachment"));
    }
    Ok(tensor)
}

/// Codecs 0x0002 to 0x0004: an ether whose one attachment is a tensor of this type. Kind, version, metadata and the
/// attachment's id stand in the header: [`header_facts`].
#[derive(Clone, Copy, Debug)]
pub struct TensorCodec {
    dtype: TensorType,
}

impl TensorCodec {
    /// The codec of this type.
    #[must_use]
    pub const fn new(dtype: TensorType) -> Self {
        Self { dtype }
    }

    fn tensor(&self, ether: &Ether) -> Result<Tensor, EncodeError> {
        let codec = self.id();
        let found = ether.attachments.len();
        let mut tensors = tensors_of(ether, codec)?;
        match (tensors.pop(), tensors.is_empty()) {
            (Some(tensor), true) if tensor.codec() == codec => Ok(tensor),
            (Some(tensor), true) => Err(EncodeError::CannotCarry {
                codec,
                what: format!("a tensor of {:?}", tensor.header().dtype),
            }),
            _ => Err(EncodeError::CannotCarry { codec, what: format!("{found} attachments") }),
        }
    }
}

impl Codec for TensorCodec {
    fn id(&self) -> CodecId {
        self.dtype.codec()
    }

    fn encode(&self, ether: &Ether, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        ether.check()?;
        self.tensor(ether)?.encode(out);
        Ok(())
    }

    fn decode(&self, body: &[u8], context: &DecodeContext<'_>) -> Result<Ether, DecodeError> {
        self.decode_bytes(&Bytes::copy_from_slice(body), context)
    }

    fn decode_bytes(&self, body: &Bytes, context: &DecodeContext<'_>) -> Result<Ether, DecodeError> {
        let codec = self.id();
        let tensor = Tensor::decode(codec, body)
            .map_err(|error| DecodeError::malformed(codec, 0, error.to_string()))?;
        synthesize(codec, &[tensor], context)
    }

    fn carries(&self, ether: &Ether) -> Result<(), EncodeError> {
        self.tensor(ether)?;
        header_facts(ether, self.id()).map(|_| ())
    }
}
