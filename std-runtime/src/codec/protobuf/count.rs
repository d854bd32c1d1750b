//! Whether a body is more than a reader should take: before the parser takes memory for it.
//!
//! An attachment of 2 bytes takes 200 of memory, a text of 3 takes 24.

use strait_core::xcp::CodecId;
use strait_core::xcp::mixed_latent::varint;

use crate::codec::{DecodeError, DecodeLimits};

/// Number of the field `attachments`.
const ATTACHMENTS: u64 = 6;

/// Counts fields of the message, and attachments among them. The parser looks at what is in them.
pub(super) fn check(body: &[u8], limits: &DecodeLimits) -> Result<(), DecodeError> {
    let (mut at, mut fields, mut attachments) = (0_usize, 0_usize, 0_usize);
    while at < body.len() {
        let (tag, len) = number(body, at)?;
        at += len;
        fields += 1;
        attachments += usize::from(tag >> 3 == ATTACHMENTS);
        for (what, count, max) in
            [("values", fields, limits.values), ("attachments", attachments, limits.attachments)]
        {
            if count > max {
                return Err(DecodeError::BeyondLimit { what, count, max });
            }
        }
        let skipped = match tag & 7 {
            0 => number(body, at)?.1 as u64,
            1 => 8,
            2 => {
                let (field, len) = number(body, at)?;
                at += len;
                field
            }
            5 => 4,
            wire => return refuse(at, format!("a field of wire type {wire}")),
        };
        let left = body.len().saturating_sub(at);
        match usize::try_from(skipped) {
            Ok(skipped) if skipped <= left => at += skipped,
            _ => return refuse(at, format!("a field of {skipped} bytes, and {left} are left")),
        }
    }
    Ok(())
}

fn number(body: &[u8], at: usize) -> Result<(u64, usize), DecodeError> {
    varint(body, at).or_else(|error| refuse(at, error.to_string()))
}

fn refuse<T>(at: usize, why: String) -> Result<T, DecodeError> {
    Err(DecodeError::malformed(CodecId::PROTOBUF, at, why))
}
