//! Tensors, and the bodies that are one: codecs 0x0002 to 0x0004.
//!
//! | file | question it answers |
//! |---|---|
//! | `value` | what a tensor is, and which numbers are in it |
//! | `quantize` | how floats become bytes with a scale |
//! | `attached` | how a tensor is an attachment |
//! | `body` | how an ether that is one tensor is a body |
//! | `arrays` | how a tensor is an array of the crate `ndarray` |

#[cfg(feature = "ndarray")]
mod arrays;
mod attached;
mod body;
mod quantize;
#[cfg(test)]
mod tests;
mod value;

pub(crate) use body::kind_key;
pub use body::{BARE_ATTACHMENT, TAG_ATTACHMENT, TAG_KIND, TensorCodec, header_facts};
pub(super) use body::{synthesize, tensors_of};
pub use quantize::Quantization;
pub use value::Tensor;
