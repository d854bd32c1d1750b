//! What is asked about a message, and answered: `CLARIFY_REQ` and `CLARIFY_RES`.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use heapless::String;

use super::protobuf::Message;
use super::{Body, ControlError, read_number, read_object, read_text};
use crate::xcp::json::{Writer, cut};
use crate::xcp::numbers::{CodecId, MsgType};

/// Bytes of a question or an answer at most.
pub const TEXT_BYTES: usize = 256;
/// Bytes of an idempotency key at most.
pub const KEY_BYTES: usize = 64;

/// A question about a message, or the answer to one.
///
/// Texts that are too long end at the last character that has room, ours as well as a peer's: a question is for people
/// and logs, and its beginning is worth more than an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clarify {
    /// Number of the message.
    pub msg_id: u64,
    /// What is asked or answered.
    pub text: String<TEXT_BYTES>,
    /// The same for a question asked again, and for its answer.
    pub idempotency_key: String<KEY_BYTES>,
}

impl Clarify {
    /// A question or an answer; texts that are too long are cut.
    #[must_use]
    pub fn new(msg_id: u64, text: &str, idempotency_key: &str) -> Self {
        Self { msg_id, text: cut(text.chars()), idempotency_key: cut(idempotency_key.chars()) }
    }

    /// Reads a body that is encoded as `codec`, or as JSON if it begins with a brace. In JSON, `reason` and `answer`
    /// are the same text.
    ///
    /// # Errors
    /// [`ControlError`]: another codec, not encoded so, or a value of another type.
    pub fn read(codec: CodecId, body: &[u8]) -> Result<Self, ControlError> {
        let mut clarify = Self::default();
        match Body::new(codec, body)? {
            Body::Json(json) => read_object(json, |json, key| {
                match key {
                    "msg_id" => clarify.msg_id = read_number(json, "msg_id", u64::MAX)?,
                    "reason" | "answer" => clarify.text = read_text(json, "reason or answer")?.cut(),
                    "idempotency_key" => {
                        clarify.idempotency_key = read_text(json, "idempotency_key")?.cut();
                    }
                    _ => json.skip()?,
                }
                Ok(())
            })?,
            Body::Protobuf(mut fields) => {
                while let Some(field) = fields.next()? {
                    match field.number {
                        1 => clarify.msg_id = field.number("msg_id", u64::MAX)?,
                        2 => clarify.text = cut(field.text("reason or answer")?.chars()),
                        3 => clarify.idempotency_key = cut(field.text("idempotency_key")?.chars()),
                        _ => {}
                    }
                }
            }
        }
        Ok(clarify)
    }

    /// Writes it as JSON to the start of `out`: how many bytes it takes. The text is the `answer` of a `CLARIFY_RES`,
    /// and the `reason` of any other message.
    ///
    /// # Errors
    /// [`ControlError::NoRoom`] if `out` is too short. What is in `out` is undefined then.
    pub fn write_json(&self, msg_type: MsgType, out: &mut [u8]) -> Result<usize, ControlError> {
        let text = if msg_type == MsgType::CLARIFY_RES { "answer" } else { "reason" };
        let mut json = Writer::new(out);
        json.object(|json| {
            json.key("msg_id").number(self.msg_id);
            json.key(text).string(&self.text);
            json.key("idempotency_key").string(&self.idempotency_key);
        });
        Ok(json.finish()?)
    }

    /// Writes it as Protobuf to the start of `out`: how many bytes it takes.
    ///
    /// # Errors
    /// [`ControlError::NoRoom`] if `out` is too short. What is in `out` is undefined then.
    pub fn write_protobuf(&self, out: &mut [u8]) -> Result<usize, ControlError> {
        let mut message = Message::new(out);
        message.number(1, self.msg_id);
        for (field, text) in [(2, self.text.as_str()), (3, self.idempotency_key.as_str())] {
            if !text.is_empty() {
                message.bytes(field, text.as_bytes());
            }
        }
        Ok(message.finish()?)
    }
}
