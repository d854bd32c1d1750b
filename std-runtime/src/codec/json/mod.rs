//! Ethers as JSON, as the Python implementation writes them and more strictly read.
//!
//! | file | question it answers |
//! |---|---|
//! | `scan` | what a body holds that JSON has not, and whether it is too much |
//! | `read` | which ether a body is |
//! | `write` | how an ether is written |

mod read;
mod scan;
mod write;

pub(super) use read::details as read_details;
use strait_core::xcp::CodecId;

use serde_json::Value;

use super::{Codec, DecodeContext, DecodeError, DecodeLimits, EncodeError};
use crate::xcp::Ether;
use crate::xcp::ether::NonFinite;
pub(super) use write::{details as write_details, value as write_value};

/// What becomes of integers that 64 bits cannot hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BigIntegers {
    /// Refused.
    #[default]
    Refuse,
    /// Their digits as a text.
    Text,
    /// The nearest 64-bit float.
    Float,
}

/// How JSON is read and written. Keys that an ether has not are passed over, the last of several equal keys counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JsonOptions {
    /// Reading: what becomes of the words `NaN`, `Infinity` and `-Infinity`, and of numbers beyond 64-bit floats.
    pub non_finite: NonFinite,
    /// Reading: what becomes of integers that 64 bits cannot hold.
    pub big_integers: BigIntegers,
    /// Reading: whether halves of surrogate pairs, such as `\ud800`, become U+FFFD. Otherwise they are refused.
    pub replace_surrogates: bool,
    /// Reading: whether base64 may have white space in it, and no padding behind it.
    pub lenient_base64: bool,
    /// Reading: whether the ether may be wrong by itself: payload or metadata missing, attachments with no or two
    /// contents or with the same id.
    pub lenient_fields: bool,
    /// Writing: whether everything but ASCII is escaped, as Python does it.
    pub ascii: bool,
    /// Writing: whether an attachment's unset fields are left out, as MaiEther's schemas want it; Python's XCP writes
    /// `null`.
    pub omit_unset: bool,
}

impl JsonOptions {
    /// Reads what the specification allows, writes what Python does.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            non_finite: NonFinite::Refuse,
            big_integers: BigIntegers::Refuse,
            replace_surrogates: false,
            lenient_base64: false,
            lenient_fields: false,
            ascii: true,
            omit_unset: false,
        }
    }

    /// Reads all that Python's `json` module writes, too.
    #[must_use]
    pub const fn python() -> Self {
        Self {
            non_finite: NonFinite::Text,
            big_integers: BigIntegers::Text,
            replace_surrogates: true,
            lenient_base64: true,
            lenient_fields: true,
            ..Self::new()
        }
    }
}

impl Default for JsonOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// The value that `text` is. What it takes of `limits.values` is taken off.
pub(super) fn read_value(
    codec: CodecId,
    text: &[u8],
    limits: &mut DecodeLimits,
) -> Result<Value, DecodeError> {
    let (text, values) = scan::prepare(codec, text, &JsonOptions::new(), limits)?;
    limits.values = limits.values.saturating_sub(values);
    serde_json::from_slice(&text).map_err(|error| DecodeError::malformed(codec, 0, error.to_string()))
}

/// Codec 0x0001.
#[derive(Clone, Copy, Debug, Default)]
pub struct JsonCodec {
    options: JsonOptions,
}

impl JsonCodec {
    /// The codec with these options.
    #[must_use]
    pub const fn new(options: JsonOptions) -> Self {
        Self { options }
    }

    /// As [`Codec::decode`], for bodies that came under another codec's number.
    pub(super) fn decode_as(
        &self,
        codec: CodecId,
        body: &[u8],
        context: &DecodeContext<'_>,
    ) -> Result<Ether, DecodeError> {
        let (text, _) = scan::prepare(codec, body, &self.options, &context.limits)?;
        read::ether(codec, &text, &self.options, &context.limits)
    }
}

impl Codec for JsonCodec {
    fn id(&self) -> CodecId {
        CodecId::JSON
    }

    fn encode(&self, ether: &Ether, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        ether.check()?;
        write::ether(ether, &self.options, out)
    }

    fn decode(&self, body: &[u8], context: &DecodeContext<'_>) -> Result<Ether, DecodeError> {
        self.decode_as(CodecId::JSON, body, context)
    }
}

#[cfg(test)]
pub(in crate::codec) mod tests;
