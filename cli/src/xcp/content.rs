//! What is sent: an ether, a text, a tensor or a file, and how is it encoded for the peer?

use core::time::Duration;
use std::path::Path;

use bytes::Bytes;
use strait::codec::{
    CodecPolicy, DecodeContext, DecodeLimits, Registry, SizePolicy, SubEncoding, header_facts,
};
use strait::xcp::{Agreed, Attachment, CodecId, Ether, Flags, OCTETS, SchemaKey, Tags};

use super::names::{AsCodec, codec_name, codec_names};
use super::npy::Array;
use super::source::Source;
use crate::args::Place;
use crate::exit::Failure;

/// Kind of an ether that is sent because the peer takes no plain bytes.
const FILE_KIND: &str = "file";

/// What is sent.
#[derive(Debug)]
pub(super) enum Content {
    /// An ether, read from JSON or made of a text.
    Ether(Box<Ether>),
    /// An array, and the kind that its ether has.
    Tensor(Array),
    /// A file.
    File(FileContent),
}

/// A file that is sent.
#[derive(Debug)]
pub(super) struct FileContent {
    pub(super) source: Source,
    pub(super) name: String,
    pub(super) media_type: String,
}

/// A message that is sent whole.
#[derive(Debug)]
pub(super) struct Encoded {
    pub(super) codec: CodecId,
    pub(super) body: Bytes,
    pub(super) schema_key: Option<SchemaKey>,
    pub(super) tags: Vec<(String, String)>,
    /// What it was made of, unless it is plain bytes.
    pub(super) ether: Option<Ether>,
}

impl Content {
    /// The ether in a file of JSON; `-` is standard input. Of what gives its bytes once, at most `limit` bytes.
    ///
    /// # Errors
    /// The file cannot be read, or is no ether.
    pub(super) async fn json(file: &Place, patience: Duration, limit: u64) -> Result<Self, Failure> {
        let failed = |why: &dyn core::fmt::Display| Failure::usage(format_args!("{file}: {why}"));
        let text = match file {
            // A thread of its own: whoever types may think for long, and interrupt.
            Place::Standard => tokio::task::spawn_blocking(|| Place::Standard.read())
                .await
                .unwrap_or_else(|error| Err(error.into()))
                .map_err(|error| failed(&error))?,
            Place::File(path) => Source::open(path, patience)?.all(limit).await?,
        };
        let limits = DecodeLimits { body: text.len(), ..DecodeLimits::default() };
        let context = DecodeContext { limits, ..DecodeContext::default() };
        let ether = Registry::new().decode(CodecId::JSON, &text.into(), &context);
        ether.map(|ether| Self::Ether(Box::new(ether))).map_err(|error| failed(&error))
    }

    /// A text as an ether.
    pub(super) fn text(text: &str) -> Self {
        Self::Ether(Box::new(Ether::text(text)))
    }

    /// The array in a file; of what gives its bytes once, at most `limit` bytes.
    ///
    /// # Errors
    /// As [`Source::open`], [`Source::all`] and [`Array::read`].
    pub(super) async fn tensor(file: &Path, patience: Duration, limit: u64) -> Result<Self, Failure> {
        let mut source = Source::open(file, patience)?;
        let bytes = source.all(limit).await?;
        Array::read(&bytes).map(Self::Tensor).map_err(|why| source.failed(&why))
    }

    /// A file, by its own name or another.
    ///
    /// # Errors
    /// As [`Source::open`].
    pub(super) fn file(
        path: &Path,
        patience: Duration,
        (name, media_type): (Option<&str>, Option<&str>),
    ) -> Result<Self, Failure> {
        let own = path.file_name().map(|name| name.to_string_lossy().into_owned());
        Ok(Self::File(FileContent {
            source: Source::open(path, patience)?,
            name: name.map_or_else(|| own.unwrap_or_default(), str::to_owned),
            media_type: media_type.unwrap_or("application/octet-stream").to_owned(),
        }))
    }

    /// The file, if it can be sent as it is read: plain bytes in chunks that are not sealed.
    pub(super) fn streamed(&mut self, wanted: Option<AsCodec>, agreed: &Agreed) -> Option<&mut FileContent> {
        let Self::File(file) = self else { return None };
        let chunks = agreed.features.contains(Flags::MORE) && !agreed.features.contains(Flags::CRYPT);
        let plain = wanted.is_none_or(|wanted| wanted == AsCodec::Octets);
        (plain && chunks && agreed.has_codec(OCTETS)).then_some(file)
    }

    /// The whole message; of what gives its bytes once, at most `limit` bytes.
    ///
    /// # Errors
    /// It cannot be encoded as asked for, or the peer reads nothing that can carry it; as [`Source::all`].
    pub(super) async fn encode(
        &mut self,
        wanted: Option<AsCodec>,
        agreed: &Agreed,
        limit: u64,
    ) -> Result<Encoded, Failure> {
        match self {
            Self::Ether(ether) => match wanted {
                Some(AsCodec::Octets) => {
                    let mut body = Vec::new();
                    let encoded = Registry::new().encode(CodecId::JSON, ether, &mut body);
                    encoded.map_err(Failure::write)?;
                    octets(body.into(), "ether.json", "application/json", agreed)
                }
                wanted => encode(ether, wanted.map(AsCodec::id), agreed),
            },
            Self::Tensor(array) => {
                let tensor = array.tensor(wanted)?;
                let codec = match wanted {
                    None => tensor.header().dtype.codec(),
                    Some(AsCodec::Octets) => {
                        let mut body = Vec::new();
                        tensor.encode(&mut body);
                        return octets(body.into(), "tensor", "application/octet-stream", agreed);
                    }
                    Some(wanted) => wanted.id(),
                };
                encode(&Ether::of_tensor("tensor", &tensor), Some(codec), agreed)
            }
            Self::File(file) => {
                let bytes: Bytes = file.source.all(limit).await?.into();
                let plain = match wanted {
                    None => agreed.has_codec(OCTETS),
                    Some(wanted) => wanted == AsCodec::Octets,
                };
                if plain {
                    return octets(bytes, &file.name, &file.media_type, agreed);
                }
                let attachment = Attachment::bytes(&*file.name, &*file.media_type, bytes);
                let ether = Ether::new(FILE_KIND, 1).payload("name", &*file.name).attach(attachment);
                // Bytes in JSON take a third more.
                let binary = agreed.has_codec(CodecId::PROTOBUF).then_some(CodecId::PROTOBUF);
                encode(&ether, wanted.map(AsCodec::id).or(binary), agreed)
            }
        }
    }
}

fn octets(body: Bytes, name: &str, media_type: &str, agreed: &Agreed) -> Result<Encoded, Failure> {
    let codec = reads(OCTETS, agreed)?;
    let tags =
        vec![("name".to_owned(), name.to_owned()), (Tags::MEDIA_TYPE.to_owned(), media_type.to_owned())];
    Ok(Encoded { codec, body, schema_key: None, tags, ether: None })
}

fn encode(ether: &Ether, wanted: Option<CodecId>, agreed: &Agreed) -> Result<Encoded, Failure> {
    let mut registry = Registry::for_dialect(agreed.dialect);
    if agreed.dialect.is_strict() {
        // What stock Python peers read in the name of Protobuf.
        registry = registry.with_sub_encoding(SubEncoding::Json);
    }
    let codec = match wanted {
        Some(codec) => reads(codec, agreed)?,
        None => CodecPolicy::default()
            .choose(ether, &agreed.codecs, &registry, &SizePolicy::default())
            .map_err(Failure::write)?,
    };
    let mut body = Vec::new();
    registry.encode(codec, ether, &mut body).map_err(Failure::write)?;
    let (mut schema_key, mut tags) = (None, Vec::new());
    if !matches!(codec, CodecId::JSON | CodecId::PROTOBUF) {
        // The body does not say of which kind it is: the header must.
        let (key, facts) = header_facts(ether, codec).map_err(Failure::write)?;
        schema_key = Some(key);
        tags = facts.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    }
    Ok(Encoded { codec, body: body.into(), schema_key, tags, ether: Some(ether.clone()) })
}

/// The codec, if the peer reads it.
fn reads(codec: CodecId, agreed: &Agreed) -> Result<CodecId, Failure> {
    if agreed.has_codec(codec) {
        return Ok(codec);
    }
    Err(Failure::write(format_args!(
        "the peer does not read {}: it reads {}; --as-codec chooses another",
        codec_name(codec),
        codec_names(&agreed.codecs)
    )))
}
