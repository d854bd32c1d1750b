//! How ethers become bodies and bodies become ethers.
//!
//! ```
//! use strait::codec::{DecodeContext, Registry};
//! use strait::xcp::Ether;
//! use strait_core::xcp::CodecId;
//!
//! let codecs = Registry::new();
//! let mut body = Vec::new();
//! codecs.encode(CodecId::JSON, &Ether::text("hello"), &mut body)?;
//! let ether = codecs.decode(CodecId::JSON, &body.into(), &DecodeContext::default())?;
//! assert_eq!(ether.as_text()?, "hello");
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! | file | question it answers |
//! |---|---|
//! | `registry` | which codecs there are |
//! | `context` | what decoding knows beside the body, and how much it may take |
//! | `json` | JSON |
//! | `protobuf` | Protobuf |
//! | `tensor`, `mixed_latent` | tensors, one or several, without an envelope |
//! | `policy` | which codec an ether is sent in |
//!
//! [`half::f16`], arrays of [`ndarray`](https://docs.rs/ndarray) (feature `ndarray`) and [`bytes::Bytes`] are part of this
//! interface.

mod context;
mod error;
mod json;
mod mixed_latent;
mod policy;
mod protobuf;
mod registry;
mod tensor;

use bytes::Bytes;
use strait_core::xcp::CodecId;

use crate::xcp::Ether;

pub use context::{DecodeContext, DecodeLimits};
pub use error::{DecodeError, EncodeError};
pub use json::{BigIntegers, JsonCodec, JsonOptions};
pub use mixed_latent::MixedLatentCodec;
pub use policy::{CodecPolicy, NoCodec, Refusal, SizePolicy};
pub use protobuf::{ProtobufCodec, SubEncoding};
pub use registry::Registry;
pub(crate) use tensor::kind_key;
pub use tensor::{
    BARE_ATTACHMENT, Quantization, TAG_ATTACHMENT, TAG_KIND, Tensor, TensorCodec, header_facts,
};

/// One way to write an ether.
pub trait Codec: Send + Sync {
    /// Its number on the wire.
    fn id(&self) -> CodecId;

    /// Appends `ether` to `out`. After an error `out` may end with part of it.
    ///
    /// # Errors
    /// The ether is not right by itself, or this codec cannot carry all of it.
    fn encode(&self, ether: &Ether, out: &mut Vec<u8>) -> Result<(), EncodeError>;

    /// The ether that `body` is, all of it. Takes no more memory than a small multiple of what the body can hold.
    ///
    /// # Errors
    /// The body is not what this codec writes, or beyond the context's limits.
    fn decode(&self, body: &[u8], context: &DecodeContext<'_>) -> Result<Ether, DecodeError>;

    /// As [`decode`](Self::decode); the ether may keep parts of `body` and not copy them.
    ///
    /// # Errors
    /// As [`decode`](Self::decode).
    fn decode_bytes(&self, body: &Bytes, context: &DecodeContext<'_>) -> Result<Ether, DecodeError> {
        self.decode(body, context)
    }

    /// Whether `ether` can be encoded without losing any of it, by its shape; encoding may still find it wrong.
    ///
    /// # Errors
    /// What would be lost.
    fn carries(&self, ether: &Ether) -> Result<(), EncodeError> {
        let _ = ether;
        Ok(())
    }
}
