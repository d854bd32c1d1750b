//! A body of any bytes under each codec: it is refused, or an ether that is written and read as itself.

use bytes::Bytes;
use strait::codec::{
    Codec, DecodeContext, DecodeLimits, JsonCodec, JsonOptions, Registry, Tensor, header_facts,
};
use strait_core::xcp::{CodecId, ErrorCode, SchemaKey, Tags};

use crate::bytes::Bytes as Numbers;

const CODECS: [CodecId; 6] = [
    CodecId::JSON,
    CodecId::PROTOBUF,
    CodecId::TENSOR_F32,
    CodecId::TENSOR_F16,
    CodecId::TENSOR_QNT8,
    CodecId::MIXED_LATENT,
];

/// The first byte of `data` chooses the codec, the second what the header says; the rest is the body.
pub fn xcp_codecs(data: &[u8]) {
    let mut numbers = Numbers::new(data);
    let (codec, header) = (CODECS[usize::from(numbers.u8()) % CODECS.len()], numbers.u8());
    let body = Bytes::copy_from_slice(data.get(2..).unwrap_or_default());
    let mut tags = Tags::new();
    for (bit, key, value) in [
        (1, "kind", "robot.pose"),
        (2, "trace_id", "4bf92f35"),
        (4, "attachment", "a"),
        (8, "attachment", "a,b"),
    ] {
        if header & bit != 0 {
            tags.push(key, value).expect("there is room for four");
        }
    }
    let kind_id = if header & 16 == 0 { 0 } else { strait_core::xcp::KindId::of("robot.pose").0 };
    let schema_key = SchemaKey { kind_id, major: u16::from(header >> 5), ..SchemaKey::default() };
    // Small, so that limits are met.
    let limits = DecodeLimits { body: 1 << 16, nesting: 32, values: 4096, attachments: 16 };
    let context = DecodeContext { schema_key: Some(schema_key), tags: Some(&tags), limits };

    if codec == CodecId::JSON {
        // Whatever is read leniently is at least not a reason to stop.
        let lenient = JsonCodec::new(JsonOptions::python()).decode(&body, &context);
        assert!(lenient.is_ok() || lenient.is_err_and(|error| !error.to_string().is_empty()));
    }
    let codecs = Registry::new();
    let ether = match codecs.decode(codec, &body, &context) {
        Ok(ether) => ether,
        Err(error) => {
            assert!(error.code() != ErrorCode::OK && !error.to_string().is_empty());
            return;
        }
    };
    for attachment in &ether.attachments {
        if let Ok(tensor) = Tensor::from_attachment(attachment) {
            assert_eq!(Some(tensor.to_f32().len() as u64), tensor.header().elements());
        }
    }
    let mut again = Vec::new();
    codecs.encode(codec, &ether, &mut again).expect("what was decoded can be encoded");
    let (key, tags) = header_facts(&ether, codec).expect("what a header said fits one");
    let limits = DecodeLimits { values: usize::MAX, body: usize::MAX, nesting: usize::MAX, ..limits };
    let context = DecodeContext { schema_key: Some(key), tags: Some(&tags), limits };
    assert_eq!(codecs.decode(codec, &Bytes::from(again), &context).as_ref(), Ok(&ether));
    // The others carry all of it, or say what not.
    for other in CODECS.into_iter().filter(|other| *other != codec) {
        let mut out = Vec::new();
        let encoded = codecs.encode(other, &ether, &mut out).is_ok();
        let Some((key, tags)) = header_facts(&ether, other).ok().filter(|_| encoded) else { continue };
        let context = DecodeContext { schema_key: Some(key), tags: Some(&tags), limits };
        let same = codecs.decode(other, &Bytes::from(out), &context);
        let same = same.expect("what one codec carries comes back from it");
        assert_eq!((&same.kind, &same.metadata), (&ether.kind, &ether.metadata));
    }
}
