//! Ethers as Protobuf: codec 0x0008, and the JSON that Python peers send under its number.
//!
//! | file | question it answers |
//! |---|---|
//! | `count` | whether a body is more than a reader should take |
//! | `message` | how an ether is an `EtherProto` message |

mod count;
mod message;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use prost::Message as _;
use strait_core::xcp::CodecId;
use strait_proto::xcp::ether::EtherProto;

use super::{Codec, DecodeContext, DecodeError, EncodeError, JsonCodec, JsonOptions};
use crate::xcp::Ether;

/// What stands in a body of codec 0x0008.
///
/// The Python implementation comes without the Protobuf code that it needs, and then sends JSON. It reads what it sends:
/// a reply should be what the request was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SubEncoding {
    /// An `EtherProto` message.
    #[default]
    Protobuf,
    /// JSON.
    Json,
}

impl SubEncoding {
    /// What `body` is, by its first byte: `{` would begin a group, of which `EtherProto` has none.
    pub fn of(body: &[u8]) -> Self {
        if body.first() == Some(&b'{') { Self::Json } else { Self::Protobuf }
    }
}

/// Codec 0x0008. Reads either encoding, writes one.
///
/// In a Protobuf body each value is bytes: of a text its UTF-8, of [bytes](crate::xcp::ether::bytes_value) themselves, of
/// anything else its JSON. Which is which stands in fields that Python's reader passes over: there, and from there,
/// everything is a text.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProtobufCodec {
    written: SubEncoding,
    json: JsonCodec,
}

impl ProtobufCodec {
    /// The codec that writes `written`, and reads JSON by `json`.
    #[must_use]
    pub const fn new(written: SubEncoding, json: JsonOptions) -> Self {
        Self { written, json: JsonCodec::new(json) }
    }
}

impl Codec for ProtobufCodec {
    fn id(&self) -> CodecId {
        CodecId::PROTOBUF
    }

    fn encode(&self, ether: &Ether, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        if self.written == SubEncoding::Json {
            return self.json.encode(ether, out);
        }
        ether.check()?;
        let message = message::of(ether);
        out.reserve(message.encoded_len());
        message.encode_raw(out);
        Ok(())
    }

    fn decode(&self, body: &[u8], context: &DecodeContext<'_>) -> Result<Ether, DecodeError> {
        self.decode_bytes(&Bytes::copy_from_slice(body), context)
    }

    fn decode_bytes(&self, body: &Bytes, context: &DecodeContext<'_>) -> Result<Ether, DecodeError> {
        if SubEncoding::of(body) == SubEncoding::Json {
            return self.json.decode_as(self.id(), body, context);
        }
        count::check(body, &context.limits)?;
        let message = EtherProto::decode(body.clone())
            .map_err(|error| DecodeError::malformed(self.id(), 0, error.to_string()))?;
        message::ether(message, &context.limits)
    }
}
