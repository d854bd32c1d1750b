//! Tensors of the reference both ways, bounds of their errors, and bodies of any bytes.

use bytes::Bytes;
use half::f16;
use proptest::prelude::*;
use strait_core::xcp::{CodecId, ErrorCode, KindId, SchemaKey, Tags, TensorError, TensorHeader, TensorType};

use super::*;
use crate::codec::{DecodeContext, EncodeError, Registry};
use crate::xcp::{Attachment, Ether};

const F32: &[u8] = include_bytes!("../../../../tests/vectors/xcp/reference/tensor_f32_2x3.bin");
const F16: &[u8] = include_bytes!("../../../../tests/vectors/xcp/reference/tensor_f16_2x3.bin");
const QNT8: &[u8] = include_bytes!("../../../../tests/vectors/xcp/reference/tensor_qnt8_global_2x3.bin");
const ROWS: &[u8] = include_bytes!("../../../../tests/vectors/xcp/reference/tensor_qnt8_rowscale_2x3.bin");

const VALUES: [f32; 6] = [1.0, -2.5, 3.0, 0.1, 0.0, -0.0];

fn encoded(tensor: &Tensor) -> Vec<u8> {
    let mut out = Vec::new();
    tensor.encode(&mut out);
    out
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn the_tensors_of_the_reference_are_these_numbers() {
    let decode = |codec, body: &'static [u8]| Tensor::decode(codec, &Bytes::from_static(body)).unwrap();
    let exact = decode(CodecId::TENSOR_F32, F32);
    assert_eq!(bits(&exact.to_f32()), bits(&VALUES));
    assert_eq!(exact.shape(), [2, 3]);
    assert_eq!(encoded(&Tensor::f32(&[2, 3], &VALUES).unwrap()), F32);
    // The elements are the body's own bytes.
    assert_eq!(exact.elements().as_ptr(), F32[32..].as_ptr());

    let halves = decode(CodecId::TENSOR_F16, F16);
    let values = VALUES.map(f16::from_f32);
    assert_eq!(halves.to_f16(), values);
    assert_eq!(bits(&halves.to_f32()), bits(&values.map(f16::to_f32)));
    assert_eq!(encoded(&Tensor::f16(&[2, 3], &values).unwrap()), F16);
    assert_eq!(exact.to_f16(), values);

    let global = decode(CodecId::TENSOR_QNT8, QNT8);
    assert_eq!(global.to_f32(), [1.0, -2.5, 3.0, 0.0, -64.0, 63.5]);
    let again = Tensor::quantized(&[2, 3], &global.to_f32(), Quantization::Scale(0.5)).unwrap();
    assert_eq!(encoded(&again), QNT8);

    let rows = decode(CodecId::TENSOR_QNT8, ROWS);
    assert_eq!(rows.to_f32(), [1.0, -2.5, 3.0, 0.0, -32.0, 31.75]);
    assert_eq!(encoded(&rows), ROWS);
}

#[test]
fn what_no_byte_can_say_is_refused_with_its_place() {
    for (value, said) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")] {
        for how in [Quantization::Global, Quantization::PerRow, Quantization::Scale(1.0)] {
            let error = Tensor::quantized(&[2, 2], &[1.0, 127.0, value, f32::NAN], how).unwrap_err();
            assert_eq!(error, TensorError::NotFinite { index: 2, bits: value.to_bits() });
            assert!(error.to_string().starts_with(&format!("number 2 is {said}: ")), "{error}");
        }
    }
    for scale in [0.0, -0.0, f32::NAN, f32::INFINITY] {
        let error = Tensor::quantized(&[1], &[1.0], Quantization::Scale(scale)).unwrap_err();
        assert_eq!(error, TensorError::Scale { bits: scale.to_bits() });
    }
}

#[test]
fn what_a_scale_cannot_reach_is_the_nearest_that_it_can() {
    let cut = Tensor::quantized(&[3], &[1e9, -1e9, 0.4], Quantization::Scale(1.0)).unwrap();
    assert_eq!(cut.to_f32(), [127.0, -128.0, 0.0]);
    let tiny = Tensor::quantized(&[2], &[1.0, -1.0], Quantization::Scale(f32::MIN_POSITIVE)).unwrap();
    assert_eq!(tiny.elements()[..], [255, 0]);
    for values in [[0.0; 2], [1e-45, -1e-45]] {
        let tensor = Tensor::quantized(&[2], &values, Quantization::Global).unwrap();
        assert_eq!(tensor.to_f32(), [0.0; 2]);
    }
    let largest = Tensor::quantized(&[2], &[f32::MAX, f32::MIN], Quantization::PerRow).unwrap();
    assert!(largest.to_f32().iter().all(|value| value.is_finite() && value.abs() > 3.4e38));
    for how in [Quantization::Global, Quantization::PerRow] {
        let wrong = Tensor::quantized(&[2, 2], &[1.0; 3], how);
        assert_eq!(wrong, Err(TensorError::Length { wanted: 4, found: 3 }));
    }
}

#[test]
fn no_elements_take_no_memory_however_many_rows_there_are() {
    for shape in [&[3, 0][..], &[u32::MAX, 0], &[0, u32::MAX], &[u32::MAX, u32::MAX, u32::MAX, 0]] {
        for how in [Quantization::Global, Quantization::PerRow, Quantization::Scale(2.0)] {
            let empty = Tensor::quantized(shape, &[], how).unwrap();
            assert_eq!((empty.shape(), empty.elements().len(), empty.to_f32()), (shape, 0, Vec::new()));
        }
    }
    // A peer's rows may have scales, and then they are there.
    let header = TensorHeader::try_new(TensorType::Qnt8, &[3, 0]).unwrap();
    let header = TensorHeader { row_quantized: true, ..header };
    let rows = Tensor::try_new(header.clone(), vec![0; 12].into()).unwrap();
    assert_eq!(rows.to_f32(), Vec::<f32>::new());
    let short = Tensor::try_new(header, vec![0; 8].into());
    assert_eq!(short, Err(TensorError::Length { wanted: 12, found: 8 }));
}

#[test]
fn a_tensor_is_an_attachment_and_names_of_maiether_are_read() {
    let ether = Ether::new("x", 1).tensor("a", &VALUES, &[3, 2]).unwrap();
    assert_eq!(bits(&ether.as_tensor("a").unwrap().to_f32()), bits(&VALUES));
    let attachment = ether.attachment("a").unwrap();
    assert_eq!(attachment.tensor_codec(), Some(CodecId::TENSOR_F32));
    let named = Attachment { codec: Some("RAW_F32".to_owned()), dtype: None, ..attachment.clone() };
    assert_eq!(Tensor::from_attachment(&named), Tensor::from_attachment(attachment));
    for wrong in [
        Attachment { codec: Some("NPZ".to_owned()), ..named.clone() },
        Attachment { shape: None, ..named.clone() },
        Attachment { shape: Some(vec![6, u64::MAX]), ..named.clone() },
        Attachment { shape: Some(vec![7]), ..named.clone() },
        Attachment { inline_bytes: None, ..named.clone() },
        Attachment { byte_order: Some("BE".to_owned()), ..named },
    ] {
        assert!(Tensor::from_attachment(&wrong).is_err(), "{wrong:?}");
    }
    assert!(ether.as_tensor("b").is_err() && Ether::new("x", 1).tensor("a", &VALUES, &[7]).is_err());
}

#[test]
fn a_body_without_an_envelope_is_what_its_header_says() {
    let codecs = Registry::new();
    let decode = |key: Option<SchemaKey>, tags: &Tags| {
        let context = DecodeContext { schema_key: key, tags: Some(tags), ..DecodeContext::default() };
        codecs.decode(CodecId::TENSOR_F16, &Bytes::from_static(F16), &context)
    };
    let plain = decode(None, &Tags::new()).unwrap();
    assert_eq!((plain.kind.as_str(), plain.schema_version), ("tensor", 1));
    assert_eq!(plain.attachments[0].id, "tensor");
    let key = SchemaKey { kind_id: KindId::EMBEDDING.0, major: 3, ..SchemaKey::default() };
    let mut tags = Tags::new();
    tags.push("trace_id", "abc").unwrap();
    tags.push("ack", "1").unwrap();
    tags.push("attachment", "values").unwrap();
    let named = decode(Some(key), &tags).unwrap();
    assert_eq!((named.kind.as_str(), named.schema_version), ("embedding", 3));
    assert_eq!((named.trace_id(), named.metadata.len()), (Some("abc"), 1));
    assert_eq!(named.as_tensor("values").unwrap().to_f16().len(), 6);

    let unknown = SchemaKey { kind_id: 7, ..key };
    assert_eq!(decode(Some(unknown), &tags).unwrap_err().code(), ErrorCode::ERR_SCHEMA_UNKNOWN);
    let mut wrong = Tags::new();
    wrong.push("attachment", "a,b").unwrap();
    assert_eq!(decode(None, &wrong).unwrap_err().code(), ErrorCode::ERR_MALFORMED);
    let other = codecs.decode(CodecId::TENSOR_F32, &Bytes::from_static(F16), &DecodeContext::default());
    assert_eq!(other.unwrap_err().code(), ErrorCode::ERR_MALFORMED);
}

#[test]
fn what_has_no_place_in_a_bare_body_or_its_header_is_not_lost_but_refused() {
    let tensor = Tensor::f32(&[2], &[1.0, 2.0]).unwrap();
    let good = Ether::of_tensor("x", &tensor);
    let codecs = Registry::new();
    let codec = codecs.get(CodecId::TENSOR_F32).unwrap();
    assert_eq!(codec.carries(&good), Ok(()));
    assert_eq!(codec.carries(&good.clone().metadata("a", "b")), Ok(()));
    let mut summed = good.clone();
    summed.attachments[0].checksum =
        summed.attachments[0].clone().with_checksum(crate::xcp::ether::ChecksumAlgorithm::Crc32c).checksum;
    for wrong in [
        good.clone().payload("a", 1),
        good.clone().metadata("a", 1),
        good.clone().metadata("kind", "a"),
        good.clone().metadata("a", "b".repeat(600)),
        good.clone().attach(tensor.to_attachment("second")),
        Ether { attachments: Vec::new(), ..good.clone() },
        Ether { attachments: vec![tensor.to_attachment("a,b")], ..good.clone() },
        Ether { schema_version: 65_536, ..good.clone() },
        summed,
    ] {
        let refused = codec.carries(&wrong);
        assert!(matches!(refused, Err(EncodeError::CannotCarry { .. })), "{refused:?}");
    }
    assert!(codecs.get(CodecId::TENSOR_F16).unwrap().carries(&good).is_err());
}

fn shape_and_values() -> impl Strategy<Value = (Vec<u32>, Vec<f32>)> {
    prop::collection::vec(0..4_u32, 1..=6).prop_flat_map(|shape| {
        let len = shape.iter().product::<u32>() as usize;
        (Just(shape), prop::collection::vec(prop::num::f32::ANY, len))
    })
}

proptest! {
    #[test]
    fn numbers_come_back_as_they_were_or_within_half_a_scale((shape, values) in shape_and_values()) {
        let exact = Tensor::f32(&shape, &values).unwrap();
        prop_assert_eq!(bits(&exact.to_f32()), bits(&values));
        let halves: Vec<f16> = values.iter().map(|value| f16::from_f32(*value)).collect();
        let half = Tensor::f16(&shape, &halves).unwrap();
        let raw = |values: &[f16]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(raw(&half.to_f16()), raw(&halves));
        prop_assert_eq!(bits(&half.to_f32()), bits(&halves.iter().map(|half| half.to_f32()).collect::<Vec<_>>()));

        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            let error = Tensor::quantized(&shape, &values, Quantization::Global);
            prop_assert_eq!(error, Err(TensorError::NotFinite { index, bits: values[index].to_bits() }));
        }
        let values: Vec<f32> = values.into_iter().filter(|value| value.is_finite()).collect();
        let shape = match usize::try_from(shape.iter().product::<u32>()) {
            Ok(len) if len == values.len() => shape,
            _ => vec![u32::try_from(values.len()).unwrap()],
        };
        for how in [Quantization::Global, Quantization::PerRow] {
            let small = Tensor::quantized(&shape, &values, how).unwrap();
            let row_len = if how == Quantization::Global { values.len() } else { *shape.last().unwrap() as usize };
            let rows = values.chunks(row_len.max(1)).zip(small.to_f32().chunks(row_len.max(1)).map(Vec::from).collect::<Vec<_>>());
            for (row, back) in rows {
                let largest = row.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
                let bound = if (largest / 127.0).is_normal() { largest / 127.0 * 0.500_01 } else { f32::MIN_POSITIVE * 128.0 };
                for (value, back) in row.iter().zip(back) {
                    prop_assert!((value - back).abs() <= bound, "{value} {back} {bound}");
                }
            }
        }
    }

    #[test]
    fn any_tensor_comes_back_as_a_body_and_as_an_attachment(
        (shape, values) in shape_and_values(), per_row: bool, col_major: bool, scale in prop::num::f32::ANY,
    ) {
        let finite: Vec<f32> = values.iter().map(|value| if value.is_finite() { *value } else { 0.5 }).collect();
        let how = if per_row { Quantization::PerRow } else { Quantization::Global };
        let mut small = Tensor::quantized(&shape, &finite, how).unwrap();
        if !per_row {
            // A peer's scale may be any.
            let header = TensorHeader { scale, ..small.header().clone() };
            small = Tensor::try_new(header, small.elements().clone()).unwrap();
        }
        let plain = Tensor::f32(&shape, &values).unwrap();
        let header = TensorHeader { col_major, ..plain.header().clone() };
        let exact = Tensor::try_new(header, plain.elements().clone()).unwrap();
        for tensor in [exact, small] {
            let body = Bytes::from(encoded(&tensor));
            let back = Tensor::decode(tensor.codec(), &body).unwrap();
            // NaN as a scale is no scale that equals itself.
            prop_assert_eq!(encoded(&back), encoded(&tensor));
            let attached = Tensor::from_attachment(&tensor.to_attachment("a")).unwrap();
            let same = encoded(&attached);
            prop_assert!(same == encoded(&tensor) || tensor.header().scale.is_nan());

            let codecs = Registry::new();
            let ether = Ether::of_tensor("some.kind", &tensor).metadata("m", "v");
            let mut out = Vec::new();
            codecs.encode(tensor.codec(), &ether, &mut out).unwrap();
            prop_assert_eq!(&out[..], &body[..]);
            let (key, tags) = header_facts(&ether, tensor.codec()).unwrap();
            let context = DecodeContext { schema_key: Some(key), tags: Some(&tags), ..DecodeContext::default() };
            prop_assert_eq!(codecs.decode(tensor.codec(), &body, &context), Ok(ether));
        }
    }

    #[test]
    fn bodies_of_any_bytes_are_refused_or_come_back(
        dtype in 0..3_usize, ndim in 0..3_u8, flags in 0..4_u8, dims in any::<[u8; 2]>(),
        rest in prop::collection::vec(any::<u8>(), 0..24),
    ) {
        let types = [TensorType::F32, TensorType::F16, TensorType::Qnt8];
        let mut body = vec![0; 32];
        body[..4].copy_from_slice(&[ndim, u8::try_from(dtype).unwrap(), flags, 0]);
        // Dimensions that are not used are written as 0.
        (body[4], body[8]) = (dims[0] % 4, if ndim == 2 { dims[1] % 4 } else { 0 });
        body.extend_from_slice(&rest);
        if let Ok(tensor) = Tensor::decode(types[dtype].codec(), &Bytes::from(body.clone())) {
            let elements: u32 = tensor.shape().iter().product();
            prop_assert_eq!(tensor.to_f32().len(), elements as usize);
            prop_assert_eq!(encoded(&tensor), body);
        }
    }
}
