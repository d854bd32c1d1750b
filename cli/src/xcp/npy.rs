//! How is a tensor read from an `.npy` file, and written to one?

use bytes::Bytes;
use half::f16;
use npyz::{DType, NpyFile, Order, TypeChar, WriterBuilder as _};
use strait::codec::{Quantization, Tensor};
use strait_core::xcp::TensorType;

use super::names::AsCodec;
use crate::exit::Failure;

/// Numbers of a file.
#[derive(Clone, Debug, PartialEq)]
enum Numbers {
    Half(Vec<f16>),
    Single(Vec<f32>),
}

/// The numbers of a file, in the order of C: the last dimension varies fastest.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Array {
    shape: Vec<u32>,
    numbers: Numbers,
}

impl Array {
    /// Reads a file of 16-, 32- or 64-bit floats of either byte order, in the order of C or Fortran. 64-bit floats
    /// become the nearest ones of 32 bits.
    ///
    /// # Errors
    /// It is no `.npy`, or holds something else, or a number that no 32-bit float is near.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let len = bytes.len() as u64;
        check_front(bytes)?;
        let file = NpyFile::new(bytes).map_err(|error| format!("no .npy file: {error}"))?;
        let shape: Option<Vec<u32>> = file.shape().iter().map(|dim| u32::try_from(*dim).ok()).collect();
        let shape = shape.ok_or("a dimension is beyond 32 bits")?;
        let width = match file.dtype() {
            DType::Plain(plain) if plain.type_char() == TypeChar::Float => plain.size_field(),
            _ => 0,
        };
        if !matches!(width, 2 | 4 | 8) {
            return Err(format!("its numbers are {}; f2, f4 and f8 can be sent", file.dtype().descr()));
        }
        // What the header says must not decide how much memory is set aside.
        let said = shape.iter().try_fold(width, |said, dim| said.checked_mul(u64::from(*dim)));
        let said = if shape.contains(&0) { Some(0) } else { said };
        if said.is_none_or(|said| said > len) {
            return Err(format!(
                "its header says {shape:?} of {width} bytes each, and it has {len} bytes in all"
            ));
        }
        let fortran = file.order() == Order::Fortran;
        let cut_off = |error: std::io::Error| format!("its numbers cannot be read: {error}");
        let numbers = match width {
            2 => Numbers::Half(in_order_of_c(file.into_vec().map_err(cut_off)?, &shape, fortran)),
            4 => Numbers::Single(in_order_of_c(file.into_vec().map_err(cut_off)?, &shape, fortran)),
            _ => {
                let doubles: Vec<f64> = file.into_vec().map_err(cut_off)?;
                #[expect(clippy::cast_possible_truncation, reason = "the nearest one is what is wanted")]
                let singles: Vec<f32> = doubles.iter().map(|number| *number as f32).collect();
                let lost = |(double, single): (&f64, &f32)| double.is_finite() && single.is_infinite();
                if let Some(at) = doubles.iter().zip(&singles).position(lost) {
                    let most = f32::MAX;
                    return Err(format!(
                        "number {at} is {:e}, beyond {most:e}, the largest of 32 bits",
                        doubles[at]
                    ));
                }
                Numbers::Single(in_order_of_c(singles, &shape, fortran))
            }
        };
        Ok(Self { shape, numbers })
    }

    /// The tensor that is sent: of the file's own type, or of the one that was asked for.
    ///
    /// # Errors
    /// It has no dimensions or more than 6, or a number that the type has nothing near of; said as the library does.
    pub(super) fn tensor(&self, wanted: Option<AsCodec>) -> Result<Tensor, Failure> {
        let shape = &self.shape;
        let singles = || match &self.numbers {
            Numbers::Half(halves) => halves.iter().map(|half| half.to_f32()).collect(),
            Numbers::Single(singles) => singles.clone(),
        };
        let halves = || match &self.numbers {
            Numbers::Half(halves) => halves.clone(),
            Numbers::Single(singles) => singles.iter().map(|single| f16::from_f32(*single)).collect(),
        };
        if let (Some(AsCodec::F16), Numbers::Single(singles)) = (wanted, &self.numbers) {
            let lost = |single: &f32| single.is_finite() && f16::from_f32(*single).is_infinite();
            if let Some(at) = singles.iter().position(lost) {
                let (number, most) = (singles[at], f16::MAX);
                return Err(Failure::usage(format_args!(
                    "number {at} is {number:?}, beyond {most}, the largest of 16 bits"
                )));
            }
        }
        let made = match (wanted, &self.numbers) {
            (Some(AsCodec::Qnt8), _) => Tensor::quantized(shape, &singles(), Quantization::Global),
            (Some(AsCodec::Qnt8Rows), _) => Tensor::quantized(shape, &singles(), Quantization::PerRow),
            (Some(AsCodec::F32), _) => Tensor::f32(shape, &singles()),
            (Some(AsCodec::F16), _) | (_, Numbers::Half(_)) => Tensor::f16(shape, &halves()),
            (_, Numbers::Single(numbers)) => Tensor::f32(shape, numbers),
        };
        made.map_err(Failure::usage)
    }
}

/// Looks at what stands in front of the numbers before it is believed: the crate for these files sets aside as many bytes as
/// a header is said to have, and multiplies its dimensions without a look at how large they are.
fn check_front(bytes: &[u8]) -> Result<(), String> {
    let (len, start) = match *bytes {
        [_, _, _, _, _, _, version, _, a, b, c, d, ..] if version > 1 => {
            (u32::from_le_bytes([a, b, c, d]) as usize, 12)
        }
        [_, _, _, _, _, _, _, _, a, b, ..] => (u16::from_le_bytes([a, b]).into(), 10),
        // It is told what it is not.
        _ => return Ok(()),
    };
    let Some(header) = bytes[start..].get(..len) else {
        return Err(format!(
            "no .npy file: its header says it has {len} bytes, and {} are there",
            bytes.len() - start
        ));
    };
    let shape = String::from_utf8_lossy(header);
    let shape = shape.split_once("shape").and_then(|(_, rest)| rest.split_once('('));
    let dims = shape.and_then(|(_, rest)| rest.split_once(')')).map_or("", |(dims, _)| dims);
    // Those that are no numbers are told of later.
    if is_countable(dims.split(',').filter_map(|dim| dim.trim().parse().ok())) {
        return Ok(());
    }
    Err(format!("its header says ({dims}), which is more than can be counted"))
}

/// Whether dimensions can be multiplied in any order: one of 0 may come last.
fn is_countable(mut dims: impl Iterator<Item = u64>) -> bool {
    dims.try_fold(1_u64, |product, dim| product.checked_mul(dim.max(1))).is_some()
}

/// The same numbers with the last dimension varying fastest.
fn in_order_of_c<T: Copy>(numbers: Vec<T>, shape: &[u32], fortran: bool) -> Vec<T> {
    // Of no numbers the dimensions may be more than can be multiplied.
    if !fortran || shape.len() < 2 || numbers.is_empty() {
        return numbers;
    }
    // Where a step along each dimension leads in the order of Fortran: the first varies fastest.
    let mut stride = 1;
    let strides: Vec<usize> = shape
        .iter()
        .map(|dim| {
            let this = stride;
            stride *= *dim as usize;
            this
        })
        .collect();
    let mut index = vec![0_u32; shape.len()];
    let mut turned = Vec::with_capacity(numbers.len());
    for _ in 0..numbers.len() {
        let at: usize = index.iter().zip(&strides).map(|(index, stride)| *index as usize * stride).sum();
        turned.push(numbers[at]);
        for (index, dim) in index.iter_mut().zip(shape).rev() {
            *index += 1;
            if *index < *dim {
                break;
            }
            *index = 0;
        }
    }
    turned
}

/// A tensor as a file: 32- and 16-bit floats as they are, quantized ones as the 32-bit floats that they mean.
///
/// # Errors
/// What the crate for these files says; the tensor is empty, and its other dimensions are more than that crate can count.
pub(super) fn file_of(tensor: &Tensor) -> std::io::Result<Bytes> {
    let header = tensor.header();
    let shape: Vec<u64> = header.shape.iter().map(|dim| u64::from(*dim)).collect();
    if !is_countable(shape.iter().copied()) {
        let why = format!("an empty tensor of shape {shape:?} cannot be written to a file");
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, why));
    }
    let order = if header.col_major { Order::Fortran } else { Order::C };
    let mut file = Vec::new();
    if header.dtype == TensorType::F16 {
        let options = npyz::WriteOptions::<f16>::new().default_dtype().shape(&shape).order(order);
        let mut writer = options.writer(&mut file).begin_nd()?;
        writer.extend(tensor.to_f16())?;
        writer.finish()?;
    } else {
        let options = npyz::WriteOptions::<f32>::new().default_dtype().shape(&shape).order(order);
        let mut writer = options.writer(&mut file).begin_nd()?;
        writer.extend(tensor.to_f32())?;
        writer.finish()?;
    }
    Ok(file.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &[u8]) -> Result<Array, String> {
        Array::read(file)
    }

    fn npy(descr: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
        let fortran = if fortran { "True" } else { "False" };
        let mut text = format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}");
        while (10 + text.len() + 1) % 64 != 0 {
            text.push(' ');
        }
        text.push('\n');
        let mut file = b"\x93NUMPY\x01\x00".to_vec();
        file.extend(u16::try_from(text.len()).unwrap().to_le_bytes());
        file.extend(text.as_bytes());
        file.extend(data);
        file
    }

    #[test]
    fn the_order_of_fortran_is_turned() {
        let data: Vec<u8> = [1_f32, 4.0, 2.0, 5.0, 3.0, 6.0].iter().flat_map(|n| n.to_le_bytes()).collect();
        let turned = read(&npy("<f4", true, "(2, 3)", &data)).unwrap();
        assert_eq!(turned.numbers, Numbers::Single(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
        let cube: Vec<u8> = (0..24_u8).map(f32::from).flat_map(f32::to_le_bytes).collect();
        let turned = read(&npy("<f4", true, "(2, 3, 4)", &cube)).unwrap();
        let Numbers::Single(numbers) = turned.numbers else { panic!("32-bit floats") };
        let expected = (0..2).flat_map(|i| (0..3).flat_map(move |j| (0..4).map(move |k| i + 2 * j + 6 * k)));
        assert_eq!(numbers, expected.map(|at: u8| f32::from(at)).collect::<Vec<_>>());
    }

    #[test]
    fn floats_of_all_widths_and_byte_orders_are_read() {
        let expected = Numbers::Single(vec![1.5, -2.0]);
        let double: Vec<u8> = [1.5_f64, -2.0].iter().flat_map(|n| n.to_be_bytes()).collect();
        assert_eq!(read(&npy(">f8", false, "(2,)", &double)).unwrap().numbers, expected);
        let single: Vec<u8> = [1.5_f32, -2.0].iter().flat_map(|n| n.to_be_bytes()).collect();
        assert_eq!(read(&npy(">f4", false, "(2,)", &single)).unwrap().numbers, expected);
        let half: Vec<u8> = [1.5_f32, -2.0].iter().flat_map(|n| f16::from_f32(*n).to_le_bytes()).collect();
        let half = read(&npy("<f2", false, "(2,)", &half)).unwrap();
        assert_eq!(half.tensor(None).unwrap().header().dtype, TensorType::F16);
        assert_eq!(half.tensor(Some(AsCodec::F32)).unwrap().to_f32(), [1.5, -2.0]);
    }

    #[test]
    fn what_is_no_array_of_floats_is_refused_with_a_reason() {
        for (file, why) in [
            (Vec::new(), "no .npy file"),
            (b"\x93NUMPY".to_vec(), "no .npy file"),
            (npy("<i4", false, "(1,)", &[0; 4]), "'<i4'; f2, f4 and f8 can be sent"),
            (npy("<c8", false, "(1,)", &[0; 8]), "can be sent"),
            (npy("<f4", false, "(4000000000, 4000000000)", &[]), "says [4000000000, 4000000000]"),
            (npy("<f4", false, "(4000000000, 4000000000, 4000000000)", &[]), "more than can be counted"),
            (npy("<f4", true, "(4000000000, 4000000000, 4000000000, 0)", &[]), "more than can be counted"),
            (npy("<f4", false, "(5000000000,)", &[]), "beyond 32 bits"),
            // 4 GiB of header, of 12 bytes.
            (b"\x93NUMPY\x02\x00\xff\xff\xff\xff".to_vec(), "says it has 4294967295 bytes, and 0 are there"),
            (
                npy("<f8", false, "(2,)", &[0.5_f64, -1e39].map(f64::to_le_bytes).concat()),
                "number 1 is -1e39, beyond",
            ),
            (npy("<f4", false, "(3,)", &[0; 8]), "cannot be read"),
        ] {
            let error = read(&file).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
        let scalar = read(&npy("<f4", false, "()", &[0; 4])).unwrap();
        assert!(scalar.tensor(None).is_err());
    }

    #[test]
    fn no_numbers_take_no_memory_whatever_the_dimensions() {
        for (shape, fortran) in
            [("(4294967295, 0)", false), ("(4294967295, 0)", true), ("(0, 4294967295)", true)]
        {
            let array = read(&npy("<f4", fortran, shape, &[])).unwrap();
            for codec in [None, Some(AsCodec::Qnt8), Some(AsCodec::Qnt8Rows), Some(AsCodec::F16)] {
                let tensor = array.tensor(codec).unwrap();
                assert_eq!((tensor.shape().len(), tensor.elements().len()), (2, 0));
                assert!(file_of(&tensor).unwrap().len() < 1000);
            }
        }
        // A peer may send this one.
        let huge = Tensor::f32(&[u32::MAX, u32::MAX, u32::MAX, 0], &[]).unwrap();
        assert!(file_of(&huge).unwrap_err().to_string().contains("[4294967295, 4294967295, 4294967295, 0]"));
    }

    #[test]
    fn a_number_that_a_type_cannot_hold_is_refused_with_its_place() {
        let array = |numbers: &[f32]| {
            let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
            read(&npy("<f4", false, &format!("({},)", numbers.len()), &bytes)).unwrap()
        };
        for (numbers, codec, why) in [
            (&[1.0, f32::NAN][..], AsCodec::Qnt8, "number 1 is NaN"),
            (&[f32::INFINITY], AsCodec::Qnt8Rows, "number 0 is inf"),
            (&[1.0, 2.0, -70000.0], AsCodec::F16, "number 2 is -70000.0, beyond 65504"),
        ] {
            let failure = array(numbers).tensor(Some(codec)).unwrap_err();
            assert!(failure.message.contains(why), "{failure:?}");
            assert_eq!(failure.code, crate::exit::USAGE);
        }
        // 16-bit floats have both.
        assert!(array(&[f32::NAN, f32::INFINITY, 65504.0]).tensor(Some(AsCodec::F16)).is_ok());
    }

    #[test]
    fn a_tensor_comes_back_from_its_file() {
        let tensor = Tensor::f32(&[2, 3], &[1.0, -2.5, 3.0, 0.1, 0.0, -0.0]).unwrap();
        let back = read(&file_of(&tensor).unwrap()).unwrap();
        assert_eq!(back.tensor(None).unwrap(), tensor);
        let halves = Tensor::f16(&[2], &[f16::from_f32(0.5), f16::NEG_INFINITY]).unwrap();
        assert_eq!(read(&file_of(&halves).unwrap()).unwrap().tensor(None).unwrap(), halves);
    }
}
