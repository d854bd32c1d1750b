//! Whether a body is more than a reader should take: before the parser takes memory for it.
//!
//! An attachment of 2 bytes takes 200 of memory, a text of 3 takes 24, a dimension of 1 takes 12.

use strait_core::xcp::CodecId;
use strait_core::xcp::mixed_latent::varint;

use crate::codec::{DecodeError, DecodeLimits};

/// Number of the field `attachments`, a message.
const ATTACHMENTS: u64 = 6;
/// Number of an attachment's field `shape`, a number, or many in one field.
const SHAPE: u64 = 5;

/// Counts fields of the message and of its attachments, dimensions among them, and the attachments. The parser looks at
/// what is in them.
pub(super) fn check(body: &[u8], limits: &DecodeLimits) -> Result<(), DecodeError> {
    let (mut values, mut attachments) = (0, 0);
    let mut at = 0;
    while let Some(field) = next(body, &mut at)? {
        add("values", &mut values, 1, limits.values)?;
        if field.number != ATTACHMENTS {
            continue;
        }
        add("attachments", &mut attachments, 1, limits.attachments)?;
        let mut at = 0;
        while let Some(inner) = next(field.bytes, &mut at)? {
            // Each byte may be a dimension.
            let dimensions = if inner.number == SHAPE { inner.bytes.len() } else { 0 };
            add("values", &mut values, dimensions.max(1), limits.values)?;
        }
    }
    Ok(())
}

fn add(what: &'static str, count: &mut usize, more: usize, max: usize) -> Result<(), DecodeError> {
    *count = count.saturating_add(more);
    if *count > max { Err(DecodeError::BeyondLimit { what, count: *count, max }) } else { Ok(()) }
}

/// A field, and its bytes if it has a length.
struct Field<'b> {
    number: u64,
    bytes: &'b [u8],
}

/// The field at `at`, which goes on behind it.
fn next<'b>(body: &'b [u8], at: &mut usize) -> Result<Option<Field<'b>>, DecodeError> {
    if *at >= body.len() {
        return Ok(None);
    }
    let (tag, len) = number(body, *at)?;
    *at += len;
    let (skipped, has_length) = match tag & 7 {
        0 => (number(body, *at)?.1 as u64, false),
        1 => (8, false),
        2 => {
            let (length, len) = number(body, *at)?;
            *at += len;
            (length, true)
        }
        5 => (4, false),
        wire => return refuse(*at, format!("a field of wire type {wire}")),
    };
    let rest = body.get(*at..).unwrap_or_default();
    let Some(bytes) = usize::try_from(skipped).ok().and_then(|skipped| rest.get(..skipped)) else {
        return refuse(*at, format!("a field of {skipped} bytes, and {} are left", rest.len()));
    };
    *at += bytes.len();
    Ok(Some(Field { number: tag >> 3, bytes: if has_length { bytes } else { &[] } }))
}

fn number(body: &[u8], at: usize) -> Result<(u64, usize), DecodeError> {
    varint(body, at).or_else(|error| refuse(at, error.to_string()))
}

fn refuse<T>(at: usize, why: String) -> Result<T, DecodeError> {
    Err(DecodeError::malformed(CodecId::PROTOBUF, at, why))
}
