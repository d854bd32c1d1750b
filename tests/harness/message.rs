//! What a named message of a link consists of, so that a stale, torn or foreign byte is seen.

use crate::pattern;

/// Longest message made of a text of at most 32 bytes.
pub const LONGEST: usize = 64;

/// The bytes of the message `text`: the text, a zero, and some bytes that follow from it.
pub fn bytes(text: &str) -> Vec<u8> {
    let seed = text.bytes().fold(0, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let mut message = text.as_bytes().to_vec();
    message.push(0);
    let room = LONGEST.saturating_sub(message.len());
    // As many as the text decides, so that a length left by another message is seen.
    let rest = usize::try_from(seed % 31).unwrap_or(0).min(room);
    message.extend(pattern::content(seed, rest));
    message
}

/// The text of a message, which must be whole.
///
/// # Errors
/// What was found instead.
pub fn text(bytes_found: &[u8]) -> Result<String, String> {
    let end = bytes_found.iter().position(|byte| *byte == 0);
    let text = end.and_then(|end| core::str::from_utf8(&bytes_found[..end]).ok());
    match text {
        Some(text) if bytes(text) == bytes_found => Ok(text.to_owned()),
        _ => Err(format!("no message, or a torn one: {bytes_found:?}")),
    }
}
