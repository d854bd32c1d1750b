//! Ethers that are several tensors: codec 0x0010.

use bytes::Bytes;
use strait_core::xcp::CodecId;
use strait_core::xcp::mixed_latent::{MixedLatentError, Segment, Segments, emit_varint};
use strait_core::xcp::tensor::TENSOR_HEADER_LEN;

use super::tensor::{header_facts, synthesize, tensors_of};
use super::{Codec, DecodeContext, DecodeError, EncodeError, Tensor};
use crate::xcp::Ether;

/// Codec 0x0010: an ether all of whose attachments are tensors. Kind, version, metadata and the attachments' ids stand in
/// the header: [`header_facts`]. The documents call it not interoperable between vendors.
#[derive(Clone, Copy, Debug, Default)]
pub struct MixedLatentCodec;

impl Codec for MixedLatentCodec {
    fn id(&self) -> CodecId {
        CodecId::MIXED_LATENT
    }

    fn encode(&self, ether: &Ether, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        ether.check()?;
        let tensors = tensors_of(ether, self.id())?;
        let varint = |number: usize, out: &mut Vec<u8>| {
            let (bytes, len) = emit_varint(number as u64);
            out.extend_from_slice(&bytes[..len]);
        };
        varint(tensors.len(), out);
        for tensor in tensors {
            out.push(u8::try_from(tensor.codec().0).expect("codecs of tensors are 2 to 4"));
            varint(TENSOR_HEADER_LEN + tensor.elements().len(), out);
            tensor.encode(out);
        }
        Ok(())
    }

    fn decode(&self, body: &[u8], context: &DecodeContext<'_>) -> Result<Ether, DecodeError> {
        self.decode_bytes(&Bytes::copy_from_slice(body), context)
    }

    fn decode_bytes(&self, body: &Bytes, context: &DecodeContext<'_>) -> Result<Ether, DecodeError> {
        let malformed = |why: String| DecodeError::malformed(self.id(), 0, why);
        let segments = Segments::parse(body).map_err(|error| malformed(error.to_string()))?;
        let count = usize::try_from(segments.remaining()).unwrap_or(usize::MAX);
        let max = context.limits.attachments;
        if count > max {
            return Err(DecodeError::BeyondLimit { what: "attachments", count, max });
        }
        let tensor = |segment: Result<Segment<'_>, MixedLatentError>| {
            let segment = segment.map_err(|error| malformed(error.to_string()))?;
            Tensor::decode(segment.codec, &body.slice_ref(segment.body))
                .map_err(|error| malformed(error.to_string()))
        };
        let tensors: Vec<Tensor> = segments.map(tensor).collect::<Result<_, _>>()?;
        synthesize(self.id(), &tensors, context)
    }

    fn carries(&self, ether: &Ether) -> Result<(), EncodeError> {
        tensors_of(ether, self.id())?;
        header_facts(ether, self.id()).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DecodeLimits, Quantization, Registry};
    use super::*;

    const TWO: &[u8] = include_bytes!("../../../tests/vectors/xcp/reference/mixed_latent_2.bin");

    #[test]
    fn the_body_of_the_reference_is_two_tensors_and_comes_back() {
        let ether = MixedLatentCodec.decode(TWO, &DecodeContext::default()).unwrap();
        let exact = ether.as_tensor("segment-0").unwrap();
        assert_eq!(exact.to_f32(), [1.0, -2.5, 3.0, 0.1, 0.0, -0.0]);
        let small = ether.as_tensor("segment-1").unwrap();
        assert_eq!(small.to_f32(), [1.0, -2.5, 3.0, 0.0, -64.0, 63.5]);
        let mut out = Vec::new();
        MixedLatentCodec.encode(&ether, &mut out).unwrap();
        assert_eq!(out, TWO);
        for len in 0..TWO.len() {
            assert!(MixedLatentCodec.decode(&TWO[..len], &DecodeContext::default()).is_err(), "{len}");
        }
        let limits = DecodeLimits { attachments: 1, ..DecodeLimits::default() };
        let context = DecodeContext { limits, ..DecodeContext::default() };
        let many = DecodeError::BeyondLimit { what: "attachments", count: 2, max: 1 };
        assert_eq!(MixedLatentCodec.decode(TWO, &context), Err(many));
    }

    #[test]
    fn names_and_metadata_travel_in_the_header() {
        let small = Tensor::quantized(&[2, 2], &[1.0, 2.0, 3.0, 4.0], Quantization::PerRow).unwrap();
        let ether = Ether::new("memory", 2).metadata("producer", "p").tensor("key", &[1.0], &[1]).unwrap();
        let ether = ether.attach(small.to_attachment("value"));
        let (codecs, mut out) = (Registry::new(), Vec::new());
        codecs.encode(CodecId::MIXED_LATENT, &ether, &mut out).unwrap();
        let (key, tags) = header_facts(&ether, CodecId::MIXED_LATENT).unwrap();
        let context = DecodeContext { schema_key: Some(key), tags: Some(&tags), ..DecodeContext::default() };
        assert_eq!(codecs.decode(CodecId::MIXED_LATENT, &out.into(), &context), Ok(ether));

        let none = Ether::new("memory", 1);
        let mut out = Vec::new();
        codecs.encode(CodecId::MIXED_LATENT, &none, &mut out).unwrap();
        assert_eq!(out, [0]);
        assert!(MixedLatentCodec.carries(&Ether::text("a")).is_err());
    }
}
