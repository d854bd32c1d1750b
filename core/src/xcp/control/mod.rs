//! Bodies of control messages on one page: what they say, in JSON and in Protobuf.
//!
//! | message | JSON | Protobuf fields |
//! |---|---|---|
//! | HELLO, CAPS | see [`Hello`] | see [`Hello`] |
//! | ACK | `msg_id` | 1 |
//! | NACK | `msg_id`, `error_code`, `retry_after_ms` | 1, 2, 3 |
//! | PING, PONG | `nonce`, or anything | 1 |
//! | `CLARIFY_REQ` | `msg_id`, `reason`, `idempotency_key` | 1, 2, 3 |
//! | `CLARIFY_RES` | `msg_id`, `answer`, `idempotency_key` | 1, 2, 3 |
//!
//! A body that begins with `{` is JSON whatever its header says: no Protobuf message of these begins so, and the Python
//! implementation sends it. Keys and fields that are missing have their defaults, unknown ones are skipped, of the same
//! one twice the last counts. JSON is written as the Python implementation does, Protobuf as `protoc`'s code does.
//!
//! | file | question it answers |
//! |---|---|
//! | `hello` | what a side can do |
//! | `kinds`, `extensions` | which kinds of messages it takes, which additions it knows |
//! | `notices` | what ACK, NACK, PING and PONG say |
//! | `clarify` | what is asked about a message, and answered |
//! | `protobuf` | how Protobuf is read and written |
//!
//! Source: `proto/control.proto` and `xcp/server.py` of maida-ai/XCP at e8efb0d. The `.proto` file says `uint16`, which
//! Protobuf does not have: here it is `uint32` with its range checked. CLARIFY has no body in the documents: its keys
//! are this implementation's, as are the fields from 100 on.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod clarify;
mod error;
mod extensions;
mod hello;
mod kinds;
mod notices;
mod protobuf;
#[cfg(all(test, not(loom)))]
mod tests;

pub use clarify::{Clarify, KEY_BYTES, TEXT_BYTES};
pub use error::ControlError;
pub use extensions::Extensions;
pub use hello::{CODECS, CryptOffer, Hello, KEY_ID_BYTES};
pub use kinds::{KINDS, KindRange};
pub use notices::{Ack, Nack, Ping};
pub use protobuf::{ProtobufError, ProtobufFault};

use self::protobuf::Fields;
use super::json::{Reader, Text};
use super::numbers::CodecId;

/// A body, by its encoding.
enum Body<'a> {
    Json(Reader<'a>),
    Protobuf(Fields<'a>),
}

impl<'a> Body<'a> {
    fn new(codec: CodecId, bytes: &'a [u8]) -> Result<Self, ControlError> {
        match codec {
            _ if bytes.first() == Some(&b'{') => Ok(Self::Json(Reader::new(bytes))),
            CodecId::JSON => Ok(Self::Json(Reader::new(bytes))),
            CodecId::PROTOBUF => Ok(Self::Protobuf(Fields::new(bytes, 0))),
            codec => Err(ControlError::Codec { codec }),
        }
    }
}

/// Reads the object that a JSON body is, and nothing behind it.
fn read_object<'a>(
    mut json: Reader<'a>,
    field: impl FnMut(&mut Reader<'a>, &str) -> Result<(), ControlError>,
) -> Result<(), ControlError> {
    let at = json.at();
    if !json.fields(field)? {
        return Err(ControlError::Malformed { what: "the object that a body is", at });
    }
    Ok(json.end()?)
}

/// The next value, which is an integer of at most `most`.
fn read_number<T>(json: &mut Reader<'_>, what: &'static str, most: T) -> Result<T, ControlError>
where
    T: TryFrom<u64> + Into<u64>,
{
    let at = json.at();
    let found = json.integer()?.ok_or(ControlError::Malformed { what, at })?;
    narrow(what, found, most)
}

/// The next value, which is a string.
fn read_text<'a>(json: &mut Reader<'a>, what: &'static str) -> Result<Text<'a>, ControlError> {
    let at = json.at();
    json.text()?.ok_or(ControlError::Malformed { what, at })
}

/// `found` as a number of a type whose largest is `most`.
fn narrow<T>(what: &'static str, found: u64, most: T) -> Result<T, ControlError>
where
    T: TryFrom<u64> + Into<u64>,
{
    T::try_from(found).map_err(|_| ControlError::TooLarge { what, found, most: most.into() })
}
