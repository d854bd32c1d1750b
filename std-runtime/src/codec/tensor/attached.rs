//! How a tensor is an attachment: its elements as they are, the rest in fields.

use serde_json::Value;
use strait_core::xcp::{CodecId, TensorError, TensorHeader, TensorType};

use super::Tensor;
use crate::xcp::ether::EtherError;
use crate::xcp::{Attachment, Ether};

/// Keys of an attachment's metadata.
const SCALE: &str = "scale";
const ROW_QUANTIZED: &str = "row_quantized";
const COL_MAJOR: &str = "col_major";

/// What any tensor's elements are.
const MEDIA_TYPE: &str = "application/octet-stream";

impl Tensor {
    /// An attachment with the elements of the tensor, without a header: `codec`, `shape` and `dtype` say what they are,
    /// and the metadata what QNT8 needs beyond that (`scale`, `row_quantized`), and `col_major`.
    pub fn to_attachment(&self, id: impl Into<String>) -> Attachment {
        let header = self.header();
        let (codec, dtype) = names(header.dtype);
        let mut attachment = Attachment::bytes(id, MEDIA_TYPE, self.elements().clone());
        attachment.codec = Some(codec.to_owned());
        attachment.dtype = Some(dtype.to_owned());
        attachment.shape = Some(header.shape.iter().map(|dim| u64::from(*dim)).collect());
        if header.dtype == TensorType::Qnt8 {
            // JSON has neither NaN nor infinities: such a scale is kept by its bits.
            let scale = serde_json::Number::from_f64(f64::from(header.scale));
            let scale = scale.map_or_else(|| Value::from(header.scale.to_bits().to_string()), Value::Number);
            attachment.metadata.insert(SCALE.to_owned(), scale);
        }
        for (key, set) in [(ROW_QUANTIZED, header.row_quantized), (COL_MAJOR, header.col_major)] {
            if set {
                attachment.metadata.insert(key.to_owned(), true.into());
            }
        }
        attachment
    }

    /// The tensor that an attachment holds. Its elements are the attachment's, not copied; MaiEther's names of codecs
    /// are understood too.
    ///
    /// # Errors
    /// It holds no bytes, or they are no tensor of a type that is known, or not of its shape: [`EtherError::Tensor`],
    /// [`EtherError::NoTensor`].
    pub fn from_attachment(attachment: &Attachment) -> Result<Self, EtherError> {
        let none = |why: &str| EtherError::NoTensor { id: attachment.id.clone(), why: why.to_owned() };
        let bytes = attachment.inline_bytes.clone().ok_or_else(|| none("it holds no bytes"))?;
        if attachment.compression.as_ref().is_some_and(|compression| compression.name != "none") {
            return Err(none("its bytes are compressed"));
        }
        if attachment.byte_order.as_deref().is_some_and(|order| !order.eq_ignore_ascii_case("LE")) {
            return Err(none("its byte order is not LE"));
        }
        let name = attachment.codec.as_deref().or(attachment.dtype.as_deref());
        let dtype = name.and_then(type_of).ok_or_else(|| none("its type is none of F32, F16, QNT8"))?;
        let shape = attachment.shape.as_deref().ok_or_else(|| none("it has no shape"))?;
        let shape: Option<Vec<u32>> = shape.iter().map(|dim| u32::try_from(*dim).ok()).collect();
        let shape = shape.ok_or_else(|| none("a dimension is beyond 32 bits"))?;
        let told = |error: TensorError| EtherError::Tensor { id: attachment.id.clone(), error };
        let mut header = TensorHeader::try_new(dtype, &shape).map_err(told)?;
        let flag = |key: &str| attachment.metadata.get(key).and_then(Value::as_bool).unwrap_or(false);
        header.row_quantized = flag(ROW_QUANTIZED);
        header.col_major = flag(COL_MAJOR);
        if let Some(scale) = attachment.metadata.get(SCALE).filter(|_| dtype == TensorType::Qnt8) {
            header.scale = scale_of(scale).ok_or_else(|| none("its scale is no number"))?;
        }
        Self::try_new(header, bytes).map_err(told)
    }
}

fn scale_of(value: &Value) -> Option<f32> {
    #[expect(clippy::cast_possible_truncation, reason = "what was written was a 32-bit float")]
    let number = value.as_f64().map(|number| number as f32);
    if number.is_some_and(f32::is_infinite) {
        // JSON has no infinities: a number beyond 32 bits would become one.
        return None;
    }
    number.or_else(|| value.as_str()?.parse().ok().map(f32::from_bits))
}

/// Names of the codec and of the type.
const fn names(dtype: TensorType) -> (&'static str, &'static str) {
    match dtype {
        TensorType::F32 => ("TENSOR_F32", "float32"),
        TensorType::F16 => ("TENSOR_F16", "float16"),
        TensorType::Qnt8 => ("TENSOR_QNT8", "qnt8"),
    }
}

fn type_of(name: &str) -> Option<TensorType> {
    match name {
        "TENSOR_F32" | "RAW_F32" | "float32" | "f32" => Some(TensorType::F32),
        "TENSOR_F16" | "RAW_F16" | "float16" | "f16" => Some(TensorType::F16),
        "TENSOR_QNT8" | "qnt8" => Some(TensorType::Qnt8),
        _ => None,
    }
}

impl Attachment {
    /// The codec that its elements are of, if they are a tensor's.
    pub fn tensor_codec(&self) -> Option<CodecId> {
        self.codec.as_deref().and_then(type_of).map(TensorType::codec)
    }
}

impl Ether {
    /// Attaches a tensor of 32-bit floats, row-major.
    ///
    /// # Errors
    /// [`EtherError::Tensor`] if there are not as many values as the shape says, or it has not 1 to 6 dimensions.
    pub fn tensor(self, id: &str, values: &[f32], shape: &[u32]) -> Result<Self, EtherError> {
        let tensor = Tensor::f32(shape, values);
        let tensor = tensor.map_err(|error| EtherError::Tensor { id: id.to_owned(), error })?;
        Ok(self.attach(tensor.to_attachment(id)))
    }

    /// An ether of `kind` that is one tensor: what a TENSOR body holds.
    #[must_use]
    pub fn of_tensor(kind: &str, tensor: &Tensor) -> Self {
        Self::new(kind, 1).attach(tensor.to_attachment(super::BARE_ATTACHMENT))
    }

    /// The tensor in the attachment called `id`.
    ///
    /// # Errors
    /// [`EtherError::NoTensor`], [`EtherError::Tensor`].
    pub fn as_tensor(&self, id: &str) -> Result<Tensor, EtherError> {
        let none =
            || EtherError::NoTensor { id: id.to_owned(), why: "there is no such attachment".to_owned() };
        Tensor::from_attachment(self.attachment(id).ok_or_else(none)?)
    }
}
