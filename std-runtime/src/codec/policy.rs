//! Which codec an ether is sent in, and what is compressed or attached, by size.

use core::fmt;

use serde_json::Value;
use strait_core::xcp::{CodecId, TensorType};

use super::{EncodeError, Registry, Tensor};
use crate::xcp::ether::EtherError;
use crate::xcp::{Attachment, Ether};

/// From which size on things are done otherwise, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizePolicy {
    /// Ethers below this are JSON, if that is agreed.
    pub json_below: usize,
    /// Bodies above this are compressed, if that is agreed.
    pub compress_above: usize,
    /// Lists of numbers above this are attached as tensors.
    pub attach_above: usize,
}

impl Default for SizePolicy {
    /// What the documents recommend: 2 KiB, 1 KiB, 32 KiB.
    fn default() -> Self {
        Self { json_below: 2048, compress_above: 1024, attach_above: 32 << 10 }
    }
}

impl SizePolicy {
    /// Whether a body of `len` bytes is worth compressing.
    pub const fn compresses(&self, len: usize) -> bool {
        len > self.compress_above
    }

    /// Whether numbers that take `len` bytes are better attached.
    pub const fn attaches(&self, len: usize) -> bool {
        len > self.attach_above
    }

    /// An embedding: its values in the payload if they are few, or else as a tensor called `values`.
    ///
    /// # Errors
    /// [`EtherError::NotFinite`] if they are few and one is NaN or infinite; [`EtherError::Tensor`] if there are 2^32 and
    /// more.
    pub fn embedding(&self, values: &[f32]) -> Result<Ether, EtherError> {
        if !self.attaches(size_of_val(values)) {
            return Ether::embedding(values);
        }
        let dim = u32::try_from(values.len()).unwrap_or(u32::MAX);
        let ether = Ether::new("embedding", 1).payload("dim", values.len()).payload("values", Value::Null);
        ether.tensor("values", values, &[dim])
    }
}

/// Whether JSON will do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CodecPolicy {
    /// Small ethers are JSON; the others the first binary codec that both ends have, or JSON if there is none.
    #[default]
    Prefer,
    /// Never JSON.
    BinaryRequired,
}

/// No agreed codec can carry an ether.
#[derive(Clone, Debug, PartialEq)]
pub struct NoCodec {
    /// The agreed codecs, in order of preference, and why each will not do.
    pub refused: Vec<(CodecId, Refusal)>,
}

/// Why a codec will not do.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// A binary codec is required, and this is none.
    #[error("a binary codec is required")]
    NotBinary,
    /// It is not available here, or cannot carry the ether.
    #[error(transparent)]
    Codec(#[from] EncodeError),
}

impl fmt::Display for NoCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no codec for this ether: ")?;
        if self.refused.is_empty() {
            return f.write_str("none is agreed");
        }
        for (at, (codec, why)) in self.refused.iter().enumerate() {
            write!(f, "{}{codec}: {why}", if at == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl core::error::Error for NoCodec {}

impl CodecPolicy {
    /// The codec for `ether`, out of `agreed` in order of preference, and of `codecs`.
    ///
    /// # Errors
    /// [`NoCodec`] if none of them will do.
    pub fn choose(
        self,
        ether: &Ether,
        agreed: &[CodecId],
        codecs: &Registry,
        sizes: &SizePolicy,
    ) -> Result<CodecId, NoCodec> {
        let refusal = |id: CodecId| match codecs.get(id) {
            None => Some(Refusal::Codec(EncodeError::Unsupported { codec: id })),
            Some(_) if self == Self::BinaryRequired && id == CodecId::JSON => Some(Refusal::NotBinary),
            Some(codec) => codec.carries(ether).err().map(Refusal::Codec),
        };
        if self == Self::Prefer
            && agreed.contains(&CodecId::JSON)
            && refusal(CodecId::JSON).is_none()
            && size_of(ether) < sizes.json_below
        {
            return Ok(CodecId::JSON);
        }
        let mut refused = Vec::new();
        let binary = agreed.iter().filter(|id| **id != CodecId::JSON);
        let json = agreed.iter().filter(|id| **id == CodecId::JSON).take(1);
        for id in binary.chain(json) {
            match refusal(*id) {
                None => return Ok(*id),
                Some(why) => refused.push((*id, why)),
            }
        }
        Err(NoCodec { refused })
    }
}

/// About how many bytes an ether takes as JSON.
fn size_of(ether: &Ether) -> usize {
    let members = [&ether.payload, &ether.metadata, &ether.extra_fields];
    let members: usize =
        members.into_iter().flatten().map(|(key, value)| key.len() + size_of_value(value)).sum();
    let inline = |each: &Attachment| each.inline_bytes.as_ref().map_or(0, |bytes| bytes.len() / 3 * 4);
    let attachments: usize = ether.attachments.iter().map(|each| 128 + inline(each)).sum();
    96 + ether.kind.len() + members + attachments
}

fn size_of_value(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 8,
        // Floats that were 32 bits have as many digits as others.
        Value::Number(number) if number.is_f64() => 20,
        Value::Number(_) => 8,
        Value::String(text) => text.len() + 3,
        Value::Array(values) => 2 + values.iter().map(size_of_value).sum::<usize>(),
        Value::Object(members) => {
            2 + members.iter().map(|(key, value)| key.len() + 4 + size_of_value(value)).sum::<usize>()
        }
    }
}

impl Ether {
    /// The codec whose whole body this ether could be: that of its one tensor. `None` if it is more than that.
    pub fn bare_codec(&self) -> Option<CodecId> {
        let [attachment] = &self.attachments[..] else { return None };
        let plain = self.payload.is_empty() && self.extra_fields.is_empty();
        let tensor = plain.then(|| Tensor::from_attachment(attachment).ok()).flatten()?;
        TensorType::of(tensor.codec()).map(TensorType::codec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_ethers_are_json_and_the_others_the_first_that_carries_them() {
        let (codecs, sizes) = (Registry::new(), SizePolicy::default());
        let agreed = [CodecId::ARROW_IPC, CodecId::TENSOR_F32, CodecId::PROTOBUF, CodecId::JSON];
        let choose =
            |policy: CodecPolicy, ether: &Ether| policy.choose(ether, &agreed, &codecs, &sizes).unwrap();
        let (small, large) = (Ether::text("a"), Ether::text(&"a".repeat(4096)));
        let tensor = Ether::of_tensor("x", &Tensor::f32(&[1024], &[0.5; 1024]).unwrap());
        assert_eq!(choose(CodecPolicy::Prefer, &small), CodecId::JSON);
        assert_eq!(choose(CodecPolicy::BinaryRequired, &small), CodecId::PROTOBUF);
        assert_eq!(choose(CodecPolicy::Prefer, &large), CodecId::PROTOBUF);
        assert_eq!(choose(CodecPolicy::Prefer, &tensor), CodecId::TENSOR_F32);
        assert_eq!(choose(CodecPolicy::Prefer, &tensor.clone().payload("a", 1)), CodecId::PROTOBUF);
        assert_eq!((tensor.bare_codec(), large.bare_codec()), (Some(CodecId::TENSOR_F32), None));

        let only = |agreed: &[CodecId], policy: CodecPolicy| policy.choose(&large, agreed, &codecs, &sizes);
        assert_eq!(only(&[CodecId::JSON], CodecPolicy::Prefer), Ok(CodecId::JSON));
        let error = only(&[CodecId::JSON, CodecId::ARROW_IPC], CodecPolicy::BinaryRequired).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no codec for this ether: ARROW_IPC: codec ARROW_IPC is not available; JSON: a binary codec is required"
        );
        assert_eq!(only(&[], CodecPolicy::Prefer).unwrap_err().refused, []);
    }

    #[test]
    fn large_vectors_are_attached_and_long_bodies_compressed() {
        let sizes = SizePolicy::default();
        assert!(!sizes.compresses(1024) && sizes.compresses(1025));
        let few = sizes.embedding(&[0.5; 8192]).unwrap();
        assert!(few.attachments.is_empty());
        let many = sizes.embedding(&[0.5; 8193]).unwrap();
        assert_eq!(many.as_embedding().map(|embedding| (embedding.dim, embedding.values)), Ok((8193, None)));
        assert_eq!(many.as_tensor("values").unwrap().to_f32().len(), 8193);
    }
}
