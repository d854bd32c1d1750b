//! How does the body of a message come: piece by piece, or as a whole up to a limit?

use bytes::{Bytes, BytesMut};
use strait::codec::{DecodeContext, DecodeError, DecodeLimits, Registry};
use strait::xcp::{BodyError, CodecId, Dialect, Ether, Message};

/// All of a body of at most `limit` bytes.
///
/// # Errors
/// [`BodyError`], of a message that is read as it comes.
pub(super) async fn whole(message: &mut Message, limit: u64) -> Result<Bytes, BodyError> {
    if !message.is_stream() {
        return Ok(message.body().clone());
    }
    let mut whole = BytesMut::new();
    while let Some(bytes) = message.next_chunk().await? {
        if whole.len() as u64 + bytes.len() as u64 > limit {
            return Err(BodyError::TooLarge { limit });
        }
        whole.extend_from_slice(&bytes);
    }
    Ok(whole.freeze())
}

/// The ether that a body is.
///
/// # Errors
/// [`DecodeError`].
pub(super) fn ether(message: &Message, body: &Bytes, dialect: Dialect) -> Result<Ether, DecodeError> {
    if !message.is_stream() {
        return message.ether();
    }
    let limits = DecodeLimits { body: body.len(), ..DecodeLimits::default() };
    Registry::for_dialect(dialect).decode(message.codec(), body, &DecodeContext::of(message.header(), limits))
}

/// Whether bodies of this codec are one tensor.
pub(super) fn is_tensor(codec: CodecId) -> bool {
    matches!(codec, CodecId::TENSOR_F32 | CodecId::TENSOR_F16 | CodecId::TENSOR_QNT8)
}
