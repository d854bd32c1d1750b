//! How a tensor is an array of the crate `ndarray`.

use half::f16;
use ndarray::{Array, ArrayBase, ArrayD, Data, Dimension, IxDyn, ShapeBuilder as _};
use strait_core::xcp::TensorError;
use strait_core::xcp::tensor::MAX_DIMENSIONS;

use super::{Quantization, Tensor};

impl Tensor {
    /// A tensor of the numbers of an array, whatever their order in memory.
    ///
    /// # Errors
    /// [`TensorError::Dimensions`] if it has not 1 to 6 dimensions, [`TensorError::TooLarge`] if one is beyond 32 bits.
    pub fn from_array<S, D>(array: &ArrayBase<S, D>) -> Result<Self, TensorError>
    where
        S: Data<Elem = f32>,
        D: Dimension,
    {
        Self::f32(&shape_of(array.shape())?, &array.iter().copied().collect::<Vec<_>>())
    }

    /// As [`from_array`](Self::from_array), of 16-bit floats.
    ///
    /// # Errors
    /// As [`from_array`](Self::from_array).
    pub fn from_array_f16<S, D>(array: &ArrayBase<S, D>) -> Result<Self, TensorError>
    where
        S: Data<Elem = f16>,
        D: Dimension,
    {
        Self::f16(&shape_of(array.shape())?, &array.iter().copied().collect::<Vec<_>>())
    }

    /// As [`from_array`](Self::from_array), as bytes with a scale.
    ///
    /// # Errors
    /// As [`from_array`](Self::from_array).
    pub fn from_array_quantized<S, D>(array: &ArrayBase<S, D>, how: Quantization) -> Result<Self, TensorError>
    where
        S: Data<Elem = f32>,
        D: Dimension,
    {
        Self::quantized(&shape_of(array.shape())?, &array.iter().copied().collect::<Vec<_>>(), how)
    }

    /// The numbers as an array of the tensor's shape and order.
    ///
    /// # Errors
    /// [`TensorError::TooLarge`] if the tensor is empty and its other dimensions are more than `ndarray` can count.
    pub fn to_array(&self) -> Result<ArrayD<f32>, TensorError> {
        self.array(self.to_f32())
    }

    /// The numbers as an array of 16-bit floats, each the nearest one.
    ///
    /// # Errors
    /// As [`to_array`](Self::to_array).
    pub fn to_array_f16(&self) -> Result<ArrayD<f16>, TensorError> {
        self.array(self.to_f16())
    }

    fn array<T>(&self, values: Vec<T>) -> Result<ArrayD<T>, TensorError> {
        let mut told = [0; MAX_DIMENSIONS];
        for (to, from) in told.iter_mut().zip(self.shape()) {
            *to = *from;
        }
        let shape: Vec<usize> = self.shape().iter().map(|dim| *dim as usize).collect();
        let shape = IxDyn(&shape).set_f(self.header().col_major);
        Array::from_shape_vec(shape, values).map_err(|_| TensorError::TooLarge { shape: told })
    }
}

fn shape_of(shape: &[usize]) -> Result<Vec<u32>, TensorError> {
    let dim = |dim: &usize| u32::try_from(*dim);
    let shape: Result<Vec<u32>, _> = shape.iter().map(dim).collect();
    shape.map_err(|_| TensorError::TooLarge { shape: [u32::MAX; 6] })
}

#[cfg(test)]
mod tests {
    use ndarray::{arr0, arr2};
    use strait_core::xcp::TensorHeader;

    use super::*;

    #[test]
    fn arrays_come_back_in_any_order() {
        let array = arr2(&[[1.0_f32, -2.5, 3.0], [0.1, 0.0, -0.0]]);
        let golden = include_bytes!("../../../../tests/vectors/xcp/reference/tensor_f32_2x3.bin");
        let tensor = Tensor::from_array(&array).unwrap();
        let mut body = Vec::new();
        tensor.encode(&mut body);
        assert_eq!(body, golden);
        assert_eq!(tensor.to_array().unwrap(), array.clone().into_dyn());

        // The same numbers, column by column.
        let columns: Vec<f32> = array.t().iter().copied().collect();
        let header = TensorHeader { col_major: true, ..tensor.header().clone() };
        let elements = columns.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>();
        let other = Tensor::try_new(header, elements.into()).unwrap();
        assert_eq!(other.to_array().unwrap(), array.clone().into_dyn());

        let turned = Tensor::from_array(&array.t()).unwrap();
        assert_eq!(
            (turned.shape(), turned.to_array().unwrap()),
            (&[3, 2][..], array.t().to_owned().into_dyn())
        );
        let halves = Tensor::from_array_f16(&array.mapv(f16::from_f32)).unwrap();
        assert_eq!(halves.to_array_f16().unwrap(), array.mapv(f16::from_f32).into_dyn());
        let small = Tensor::from_array_quantized(&array, Quantization::PerRow).unwrap();
        assert!((small.to_array().unwrap() - array).iter().all(|error| error.abs() <= 3.0 / 254.0));
        assert_eq!(Tensor::from_array(&arr0(1.0)), Err(TensorError::Dimensions { ndim: 0 }));
    }

    #[test]
    fn an_empty_tensor_of_huge_dimensions_is_no_array() {
        let shape = [u32::MAX, u32::MAX, u32::MAX, 0];
        let tensor = Tensor::f32(&shape, &[]).unwrap();
        let error = TensorError::TooLarge { shape: [u32::MAX, u32::MAX, u32::MAX, 0, 0, 0] };
        assert_eq!(tensor.to_array(), Err(error));
        assert_eq!(Tensor::f32(&[3, 0], &[]).unwrap().to_array().map(|array| array.len()), Ok(0));
    }
}
