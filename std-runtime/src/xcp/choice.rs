//! Which of the agreed encodings suits an ether.

use serde_json::Value;
use strait_core::xcp::CodecId;

use super::Ether;
use super::options::Options;
use crate::codec::{EncodeError, Registry};

/// Whether bodies of a codec say of which kind they are.
pub(crate) fn is_envelope(codec: CodecId) -> bool {
    matches!(codec, CodecId::JSON | CodecId::PROTOBUF)
}

/// The codec for `ether` among those that were agreed on, in order of preference: `preferred` if it can carry it; JSON if
/// the ether is short; otherwise the first that can carry it and is not JSON, and JSON if there is none.
///
/// # Errors
/// None of them can carry it, or JSON alone can and the options rule it out.
pub(crate) fn choose(
    ether: &Ether,
    agreed: &[CodecId],
    preferred: Option<CodecId>,
    registry: &Registry,
    options: &Options,
) -> Result<CodecId, EncodeError> {
    let allowed = |codec: CodecId| !(options.binary_required && codec == CodecId::JSON);
    let mut refusal = None;
    let mut carries = |codec: CodecId| match registry.get(codec).map(|found| found.carries(ether)) {
        Some(Ok(())) => allowed(codec),
        Some(Err(error)) => {
            refusal.get_or_insert(error);
            false
        }
        None => false,
    };
    if let Some(codec) = preferred.filter(|codec| agreed.contains(codec))
        && carries(codec)
    {
        return Ok(codec);
    }
    let json = agreed.contains(&CodecId::JSON) && carries(CodecId::JSON);
    if json && is_shorter(ether, options.json_below) {
        return Ok(CodecId::JSON);
    }
    let binary = agreed.iter().copied().find(|codec| *codec != CodecId::JSON && carries(*codec));
    binary.or(json.then_some(CodecId::JSON)).ok_or_else(|| {
        refusal
            .unwrap_or(EncodeError::Unsupported { codec: agreed.first().copied().unwrap_or(CodecId::JSON) })
    })
}

/// Whether an ether takes less than about `limit` bytes as JSON; counting ends there.
fn is_shorter(ether: &Ether, limit: usize) -> bool {
    let mut left = limit.saturating_sub(120 + ether.kind.len());
    for map in [&ether.payload, &ether.metadata, &ether.extra_fields] {
        for (key, value) in map {
            left = left.saturating_sub(key.len() + 4);
            take(value, &mut left);
        }
    }
    for attachment in &ether.attachments {
        let inline = attachment.inline_bytes.as_ref().map_or(0, |bytes| bytes.len() / 3 * 4);
        left = left.saturating_sub(200 + inline);
    }
    left > 0
}

/// Takes about as many bytes off `left` as a value takes.
fn take(value: &Value, left: &mut usize) {
    if *left == 0 {
        return;
    }
    let len = match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(_) => 8,
        Value::String(text) => text.len() + 2,
        Value::Array(values) => {
            values
                .iter()
                .take_while(|value| {
                    take(value, left);
                    *left > 0
                })
                .count()
                + 2
        }
        Value::Object(map) => {
            let keys = map.iter().take_while(|(key, value)| {
                *left = left.saturating_sub(key.len() + 4);
                take(value, left);
                *left > 0
            });
            keys.count() + 2
        }
    };
    *left = left.saturating_sub(len);
}
