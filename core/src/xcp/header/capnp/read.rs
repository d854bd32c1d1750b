//! What a message says: a header, by a short way if it is one of the common ones.

use super::super::super::dialect::Numbering;
use super::super::super::numbers::CodecId;
use super::super::super::tags::{TAG_BYTES, Tags, TagsFull};
use super::super::{FrameHeader, HeaderError, SchemaKey};
use super::pointer::{Message, Pointer, Struct};

/// Reads the message that fills `bytes`.
pub(super) fn header(bytes: &[u8], numbering: Numbering) -> Result<FrameHeader, HeaderError> {
    match common(bytes, numbering) {
        Some(header) => Ok(header),
        None => any(bytes, numbering),
    }
}

/// Reads one segment with a root right behind the pointer to it and neither schema nor tags; anything else is `None`.
pub(super) fn common(bytes: &[u8], numbering: Numbering) -> Option<FrameHeader> {
    let (words, []) = bytes.as_chunks::<8>() else { return None };
    let [table, root, rest @ ..] = words else { return None };
    let [0, 0, 0, 0, len @ ..] = *table else { return None };
    let [0, 0, 0, 0, data_low, data_high, pointers_low, pointers_high] = *root else { return None };
    let len = usize::try_from(u32::from_le_bytes(len)).ok()?;
    if len != words.len().saturating_sub(1) {
        return None;
    }
    let (data, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes([data_low, data_high])))?;
    let pointers = rest.get(..usize::from(u16::from_le_bytes([pointers_low, pointers_high])))?;
    if pointers.iter().take(2).any(|pointer| *pointer != [0; 8]) {
        return None;
    }
    let word = |index| data.get(index).copied().unwrap_or_default();
    Some(scalars([word(0), word(1), word(2)], numbering))
}

/// Reads a message of any shape.
pub(super) fn any(bytes: &[u8], numbering: Numbering) -> Result<FrameHeader, HeaderError> {
    let mut message = Message::try_new(bytes)?;
    let Some(root) = message.root()? else { return Ok(scalars([[0; 8]; 3], numbering)) };
    let mut header = scalars([root.word(0), root.word(1), root.word(2)], numbering);
    if let Some(pointer) = root.pointer(0) {
        header.schema_key = schema_key(&mut message, pointer)?;
    }
    if let Some(pointer) = root.pointer(1) {
        for tag in message.read_structs(pointer)?.iter() {
            let key = text(&mut message, &tag, 0)?;
            let value = text(&mut message, &tag, 1)?;
            header.tags.push(key, value)?;
        }
    }
    Ok(header)
}

/// The header that three words of data are.
fn scalars(words: [[u8; 8]; 3], numbering: Numbering) -> FrameHeader {
    let [[a, b, c, d, type_low, type_high, codec_low, codec_high], msg_id, in_reply_to] = words;
    FrameHeader {
        channel: u32::from_le_bytes([a, b, c, d]),
        msg_type: numbering.from_wire(u16::from_le_bytes([type_low, type_high])),
        codec: CodecId(u16::from_le_bytes([codec_low, codec_high])),
        schema_key: None,
        msg_id: u64::from_le_bytes(msg_id),
        in_reply_to: u64::from_le_bytes(in_reply_to),
        tags: Tags::new(),
    }
}

/// A schema's key; `None` if it says nothing.
fn schema_key<'a>(message: &mut Message<'a>, pointer: Pointer<'a>) -> Result<Option<SchemaKey>, HeaderError> {
    let key = message.read_struct(pointer)?;
    let [a, b, c, d, e, f, g, h] = key.word(0);
    let [major_low, major_high, minor_low, minor_high, ..] = key.word(1);
    let hash = match key.pointer(0) {
        Some(pointer) => hash(message.read_bytes(pointer)?)?,
        None => None,
    };
    let key = SchemaKey {
        ns_hash: u32::from_le_bytes([a, b, c, d]),
        kind_id: u32::from_le_bytes([e, f, g, h]),
        major: u16::from_le_bytes([major_low, major_high]),
        minor: u16::from_le_bytes([minor_low, minor_high]),
        hash,
    };
    Ok((key != SchemaKey::default()).then_some(key))
}

/// A schema's hash; `None` if it is of no bytes, or of zeros however many.
fn hash(bytes: &[u8]) -> Result<Option<[u8; 16]>, HeaderError> {
    if bytes.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    <[u8; 16]>::try_from(bytes).map(Some).map_err(|_| HeaderError::Hash { len: bytes.len() })
}

/// A text field of a tag; empty if it is null.
fn text<'a>(message: &mut Message<'a>, tag: &Struct<'a>, index: usize) -> Result<&'a str, HeaderError> {
    let Some(pointer) = tag.pointer(index) else { return Ok("") };
    let malformed = |what| pointer.malformed(what);
    let [bytes @ .., 0] = message.read_bytes(pointer)? else {
        return Err(malformed("a text without a zero at its end"));
    };
    // Before its bytes are looked at: one that has no room need not be read, however often it is pointed at.
    if bytes.len() > TAG_BYTES {
        let (key_len, value_len) = if index == 0 { (bytes.len(), 0) } else { (0, bytes.len()) };
        return Err(TagsFull { key_len, value_len }.into());
    }
    core::str::from_utf8(bytes).map_err(|_| malformed("a text that is not UTF-8"))
}
