//! Bytes of the reference both ways, what the documents leave open, and shapes that overflow.

use std::string::ToString as _;
use std::vec::Vec as StdVec;

use proptest::prelude::*;

use super::*;

const F32: &[u8] = include_bytes!("../../../../tests/vectors/xcp/reference/tensor_f32_2x3.bin");
const F16: &[u8] = include_bytes!("../../../../tests/vectors/xcp/reference/tensor_f16_2x3.bin");
const QNT8: &[u8] = include_bytes!("../../../../tests/vectors/xcp/reference/tensor_qnt8_global_2x3.bin");
const ROWS: &[u8] = include_bytes!("../../../../tests/vectors/xcp/reference/tensor_qnt8_rowscale_2x3.bin");

#[test]
fn the_bytes_of_the_reference_are_read_and_written() {
    for (bytes, dtype, rows, scale, codec) in [
        (F32, TensorType::F32, false, 0.0, CodecId::TENSOR_F32),
        (F16, TensorType::F16, false, 0.0, CodecId::TENSOR_F16),
        (QNT8, TensorType::Qnt8, false, 0.5, CodecId::TENSOR_QNT8),
        (ROWS, TensorType::Qnt8, true, 1.0, CodecId::TENSOR_QNT8),
    ] {
        let (header, elements) = TensorHeader::parse_as(codec, bytes).unwrap();
        assert_eq!(header.emit().unwrap(), bytes[..32]);
        assert_eq!(elements, &bytes[32..]);
        let same =
            TensorHeader { row_quantized: rows, scale, ..TensorHeader::try_new(dtype, &[2, 3]).unwrap() };
        assert_eq!(header, same);
        let other = if codec == CodecId::TENSOR_F32 { CodecId::TENSOR_F16 } else { CodecId::TENSOR_F32 };
        let wrong = TensorError::TypeMismatch { found: dtype, codec: other };
        assert_eq!(TensorHeader::parse_as(other, bytes), Err(wrong));
        for len in 0..bytes.len() {
            assert!(TensorHeader::parse(&bytes[..len]).is_err(), "{len}");
        }
        let longer: StdVec<u8> = bytes.iter().copied().chain([0]).collect();
        let (wanted, found) = (elements.len() as u64, elements.len() as u64 + 1);
        assert_eq!(TensorHeader::parse(&longer), Err(TensorError::Length { wanted, found }));
    }
}

#[test]
fn what_the_documents_leave_open_is_refused_with_a_way_out() {
    let with = |at: usize, byte: u8| {
        let mut bytes = StdVec::from(QNT8);
        bytes[at] = byte;
        TensorHeader::parse(&bytes).map(|(header, _)| header)
    };
    for ndim in [0, 7, 8, 255] {
        let error = with(0, ndim).unwrap_err();
        assert_eq!(error, TensorError::Dimensions { ndim: ndim.into() });
        assert!(error.to_string().contains("reshape") && error.to_string().contains("DLPACK"));
    }
    assert_eq!(with(1, 3), Err(TensorError::UnknownType { dtype: 3 }));
    assert_eq!(with(2, 3), Err(TensorError::RowsOfColumns));
    assert!(with(2, 2).is_ok_and(|header| header.col_major));
    // Reserved bits, the reserved byte and dimensions that are not used say nothing.
    for (at, byte) in [(2, 0xFC), (3, 0xFF), (12, 9)] {
        assert_eq!(with(at, byte), with(3, 0), "{at}");
    }
    let mut rows_of_floats = StdVec::from(F32);
    rows_of_floats[2] = 1;
    let wrong = TensorError::RowsOfFloats { dtype: TensorType::F32 };
    assert_eq!(TensorHeader::parse(&rows_of_floats), Err(wrong));
    // A scale of floats is ignored.
    let mut scaled = StdVec::from(F32);
    scaled[31] = 0x40;
    assert_eq!(TensorHeader::parse(&scaled).unwrap().0.emit().unwrap(), F32[..32]);
}

#[test]
fn shapes_that_overflow_are_refused_and_empty_ones_are_not() {
    let wide = [u32::MAX; 6];
    let error = TensorHeader::try_new(TensorType::F32, &wide);
    assert_eq!(error, Err(TensorError::TooLarge { shape: wide }));
    // 2^62 elements can be counted, their bytes cannot.
    let error = TensorHeader::try_new(TensorType::F32, &[1 << 31, 1 << 31]).unwrap_err();
    assert_eq!(error, TensorError::TooLarge { shape: [1 << 31, 1 << 31, 0, 0, 0, 0] });
    assert_eq!(
        TensorHeader::try_new(TensorType::Qnt8, &[1 << 31, 1 << 31]).unwrap().body_len(),
        Some(1 << 62)
    );
    let empty = TensorHeader::try_new(TensorType::F32, &[u32::MAX, u32::MAX, u32::MAX, 0]).unwrap();
    assert_eq!(empty.body_len(), Some(0));
    // Rows without elements still have scales, and those can be too many.
    let rows = TensorHeader::try_new(TensorType::Qnt8, &[5, 0]).unwrap();
    let rows = TensorHeader { row_quantized: true, ..rows };
    assert_eq!(rows.body_len(), Some(20));
    let rows = TensorHeader { shape: Vec::from_slice(&[u32::MAX, u32::MAX, u32::MAX, 0]).unwrap(), ..rows };
    assert!(matches!(rows.emit(), Err(TensorError::TooLarge { .. })));
    assert_eq!(TensorHeader::try_new(TensorType::F16, &[]), Err(TensorError::Dimensions { ndim: 0 }));
    assert_eq!(TensorHeader::try_new(TensorType::F16, &[1; 7]), Err(TensorError::Dimensions { ndim: 7 }));
}

proptest! {
    #[test]
    fn any_bytes_are_refused_or_a_tensor_that_is_written_the_same(
        mut bytes in prop::collection::vec(any::<u8>(), 0..80), ndim in 0..9_u8, dims in any::<[u8; 6]>(),
    ) {
        for (at, byte) in [ndim].into_iter().chain([bytes.get(1).copied().unwrap_or_default() % 4]).enumerate() {
            if let Some(to) = bytes.get_mut(at) {
                *to = byte;
            }
        }
        for (word, dim) in bytes.iter_mut().skip(4).step_by(4).zip(dims) {
            *word = dim % 4;
        }
        if let Ok((header, elements)) = TensorHeader::parse(&bytes) {
            prop_assert_eq!(header.body_len(), Some(elements.len() as u64));
            let mut again = StdVec::from(header.emit().unwrap());
            again.extend_from_slice(elements);
            let (same, _) = TensorHeader::parse(&again).unwrap();
            prop_assert_eq!(same.emit(), header.emit());
        }
    }
}
