//! How does a header look in JSON, the way the Python implementation has it?
//!
//! ```text
//! {"channelId":1,"msgType":256,"bodyCodec":1,"schemaKey":{"nsHash":0,"kindId":0,"major":0,"minor":0,
//!  "hash128":"00000000000000000000000000000000"},"msgId":1,"inReplyTo":0,"tags":[{"key":"k","val":"v"}]}
//! ```
//!
//! Written without white space, with every key, in this order. Read in any order; keys may be missing, `null` or
//! unknown.
//!
//! Source: `xcp/frames.py` of maida-ai/XCP at e8efb0d.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use heapless::String;

use super::{FrameHeader, HeaderError, SchemaKey};
use crate::xcp::dialect::Numbering;
use crate::xcp::json::{Reader, Text, Writer};
use crate::xcp::numbers::{CodecId, MsgType};
use crate::xcp::sink::NoRoom;
use crate::xcp::tags::{TAG_BYTES, Tags, TagsFull};

/// Longest header that a frame can have: its length is a `u16`.
const MAX_LEN: usize = 0xFFFF;

impl From<NoRoom> for HeaderError {
    fn from(NoRoom { needed, len }: NoRoom) -> Self {
        Self::NoRoom { needed, len }
    }
}

/// Writes `header` to the start of `out`: how many bytes it takes.
///
/// # Errors
/// [`HeaderError::NoRoom`] if `out` is too short, with the bytes needed. What is in `out` is undefined then.
pub fn write(header: &FrameHeader, numbering: Numbering, out: &mut [u8]) -> Result<usize, HeaderError> {
    let mut json = Writer::new(out);
    json.object(|json| {
        json.key("channelId").number(header.channel);
        json.key("msgType").number(numbering.to_wire(header.msg_type));
        json.key("bodyCodec").number(header.codec.0);
        json.key("schemaKey").object(|json| write_schema_key(&header.schema_key.unwrap_or_default(), json));
        json.key("msgId").number(header.msg_id);
        json.key("inReplyTo").number(header.in_reply_to);
        json.key("tags").array(|json| {
            for (key, value) in header.tags.iter() {
                json.object(|json| {
                    json.key("key").string(key);
                    json.key("val").string(value);
                });
            }
        });
    });
    // Bounded by the room for tags: every byte of theirs takes at most six.
    Ok(json.finish()?)
}

fn write_schema_key(schema_key: &SchemaKey, json: &mut Writer<'_>) {
    json.key("nsHash").number(schema_key.ns_hash);
    json.key("kindId").number(schema_key.kind_id);
    json.key("major").number(schema_key.major);
    json.key("minor").number(schema_key.minor);
    json.key("hash128").quoted(|sink| sink.hex(&schema_key.hash.unwrap_or_default()));
}

/// Reads a header: what is missing is as in a DATA header with a JSON body and everything else unset.
///
/// A schema key whose fields are all zero is none.
///
/// # Errors
/// - [`HeaderError::TooLong`] for more bytes than a frame's header has;
/// - [`HeaderError::Json`] if it is not JSON;
/// - [`HeaderError::Malformed`] if a value is of another type or a number too large, or a tag lacks its key or value;
/// - [`HeaderError::Hash`] if a schema's hash is neither empty nor zero nor 16 bytes long: read as unset, a message
///   would pass for one of any schema;
/// - [`HeaderError::Tags`] if the tags have no room.
pub fn read(bytes: &[u8], numbering: Numbering) -> Result<FrameHeader, HeaderError> {
    if bytes.len() > MAX_LEN {
        return Err(HeaderError::TooLong { len: bytes.len(), limit: MAX_LEN });
    }
    let mut header = FrameHeader::new(MsgType::DATA, 0, 0);
    let mut json = Reader::new(bytes);
    let at = json.at();
    let is_object = json.fields(|json, key| {
        match key {
            "channelId" => header.channel = number(json, "channelId")?,
            "msgType" => header.msg_type = numbering.from_wire(number(json, "msgType")?),
            "bodyCodec" => header.codec = CodecId(number(json, "bodyCodec")?),
            "schemaKey" => header.schema_key = read_schema_key(json)?,
            "msgId" => header.msg_id = number(json, "msgId")?,
            "inReplyTo" => header.in_reply_to = number(json, "inReplyTo")?,
            "tags" => header.tags = read_tags(json)?,
            _ => json.skip()?,
        }
        Ok::<_, HeaderError>(())
    })?;
    if !is_object {
        return Err(HeaderError::Malformed { what: "the object that a header is", at });
    }
    json.end()?;
    Ok(header)
}

fn read_schema_key(json: &mut Reader<'_>) -> Result<Option<SchemaKey>, HeaderError> {
    let mut schema_key = SchemaKey::default();
    let at = json.at();
    let is_object = json.fields(|json, key| {
        match key {
            "nsHash" => schema_key.ns_hash = number(json, "nsHash")?,
            "kindId" => schema_key.kind_id = number(json, "kindId")?,
            "major" => schema_key.major = number(json, "major")?,
            "minor" => schema_key.minor = number(json, "minor")?,
            "hash128" => schema_key.hash = read_hash(json)?,
            _ => json.skip()?,
        }
        Ok::<_, HeaderError>(())
    })?;
    if !is_object {
        return Err(HeaderError::Malformed { what: "schemaKey", at });
    }
    Ok(Some(schema_key).filter(|schema_key| *schema_key != SchemaKey::default()))
}

fn read_hash(json: &mut Reader<'_>) -> Result<Option<[u8; 16]>, HeaderError> {
    let at = json.at();
    let malformed = HeaderError::Malformed { what: "hash128", at };
    let digits = json.text()?.ok_or(malformed)?;
    let len = digits.len();
    if !digits.chars().all(|digit| digit.is_ascii_hexdigit()) || len & 1 == 1 {
        return Err(malformed);
    }
    if digits.chars().all(|digit| digit == '0') {
        return Ok(None);
    }
    digits.hex().map(Some).ok_or(HeaderError::Hash { len: len >> 1 })
}

fn read_tags(json: &mut Reader<'_>) -> Result<Tags, HeaderError> {
    let mut tags = Tags::new();
    let at = json.at();
    let is_array = json.items(|json| {
        let (mut key, mut value) = (None, None);
        let at = json.at();
        json.fields(|json, field| {
            match field {
                "key" => key = Some(text(json, "a tag's key")?),
                "val" => value = Some(text(json, "a tag's val")?),
                _ => json.skip()?,
            }
            Ok::<_, HeaderError>(())
        })?;
        let (Some(key), Some(value)) = (key, value) else {
            return Err(HeaderError::Malformed { what: "a tag with key and val", at });
        };
        push(&mut tags, key, value)
    })?;
    if !is_array {
        return Err(HeaderError::Malformed { what: "tags", at });
    }
    Ok(tags)
}

fn push(tags: &mut Tags, key: Text<'_>, value: Text<'_>) -> Result<(), HeaderError> {
    let full = TagsFull { key_len: key.len(), value_len: value.len() };
    let key: String<TAG_BYTES> = key.whole().ok_or(full)?;
    let value: String<TAG_BYTES> = value.whole().ok_or(full)?;
    Ok(tags.push(&key, &value)?)
}

fn number<T: TryFrom<u64>>(json: &mut Reader<'_>, what: &'static str) -> Result<T, HeaderError> {
    let at = json.at();
    let number = json.integer()?.and_then(|number| T::try_from(number).ok());
    number.ok_or(HeaderError::Malformed { what, at })
}

fn text<'a>(json: &mut Reader<'a>, what: &'static str) -> Result<Text<'a>, HeaderError> {
    let at = json.at();
    json.text()?.ok_or(HeaderError::Malformed { what, at })
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::string::String as StdString;
    use std::vec::Vec;
    use std::{format, vec};

    use proptest::prelude::*;

    use super::*;
    use crate::xcp::json::{JsonError, JsonFault};

    /// The HEADER of a frame.
    fn header_of(frame: &[u8]) -> &[u8] {
        let len = usize::from(u16::from_le_bytes([frame[6], frame[7]]));
        &frame[8..8 + len]
    }

    fn read_python(text: &str) -> Result<FrameHeader, HeaderError> {
        read(text.as_bytes(), Numbering::Python)
    }

    fn written(header: &FrameHeader, numbering: Numbering) -> Vec<u8> {
        let mut out = vec![0; 1 << 13];
        let len = write(header, numbering, &mut out).expect("room for any header");
        out.truncate(len);
        out
    }

    macro_rules! golden {
        ($($file:literal)+) => {
            [$(($file, &include_bytes!(concat!("../../../../tests/vectors/xcp/reference/", $file))[..])),+]
        };
    }

    #[test]
    fn headers_of_the_python_implementation_are_read_and_written_byte_for_byte() {
        let frames = golden!["hello.bin" "caps.bin" "ping.bin" "pong.bin" "nack.bin"
            "data_codec8_stock_jsonfallback_text.req.bin" "data_codec8_stock_jsonfallback_text.resp.bin"
            "data_json_text.req.bin" "data_json_text.resp.bin"
            "data_protobuf_text.req.bin" "data_protobuf_text.resp.bin"];
        for (file, frame) in frames {
            let header = read(header_of(frame), Numbering::Python).unwrap();
            assert_eq!(written(&header, Numbering::Python), header_of(frame), "{file}");
            let expected = match file {
                "hello.bin" => FrameHeader::new(MsgType::HELLO, 0, 1),
                "caps.bin" => FrameHeader { in_reply_to: 1, ..FrameHeader::new(MsgType::CAPS, 0, 0) },
                "ping.bin" => FrameHeader::new(MsgType::PING, 0, 4),
                "pong.bin" => FrameHeader { in_reply_to: 4, ..FrameHeader::new(MsgType::PONG, 0, 0) },
                "nack.bin" => FrameHeader { in_reply_to: 6, ..FrameHeader::new(MsgType::NACK, 0, 0) },
                _ => {
                    assert_eq!((header.msg_type, header.channel), (MsgType::DATA, 1), "{file}");
                    continue;
                }
            };
            assert_eq!(header, expected, "{file}");
        }
    }

    #[test]
    fn every_key_may_be_missing_unknown_null_or_last_of_two() {
        let default = FrameHeader::new(MsgType::DATA, 0, 0);
        for text in [
            "{}",
            " {\t}\r\n",
            r#"{"msgType":null,"schemaKey":null,"tags":null,"x":[1e400,{"y":NaN}]}"#,
            r#"{"schemaKey":{"nsHash":0,"hash128":""}}"#,
            r#"{"schemaKey":{"hash128":null}}"#,
            r#"{"schemaKey":{"hash128":"0000"}}"#,
            r#"{"tags":[{"key":"a","val":"b"}],"tags":[],"channelId":1,"channelId":0}"#,
        ] {
            assert_eq!(read_python(text), Ok(default.clone()), "{text}");
        }
        let text = r#"{"msgId":18446744073709551615, "\u0063hannelId": 7, "msgType":4}"#;
        assert_eq!(read_python(text), Ok(FrameHeader::new(MsgType::PING, 7, u64::MAX)));
        let text = r#"{"schemaKey":{"hash128":"000102030405060708090A0b0c0d0e0f"}}"#;
        let hash = core::array::from_fn(|at| u8::try_from(at).unwrap());
        assert_eq!(read_python(text).unwrap().schema_key.unwrap().hash, Some(hash));
        let text = r#"{"tags":[{"val":"\ud83d\ude00\ud83d","x":0,"key":"ä"}]}"#;
        assert_eq!(read_python(text).unwrap().tags.get("ä"), Some("😀\u{fffd}"));
    }

    #[test]
    fn what_is_of_another_type_or_too_large_is_told_with_its_place() {
        for (text, what, at) in [
            (r#"{"msgType":"DATA"}"#, "msgType", 11),
            (r#"{"msgType":65536}"#, "msgType", 11),
            (r#"{"channelId":4294967296}"#, "channelId", 13),
            (r#"{"msgId": 18446744073709551616}"#, "msgId", 10),
            (r#"{"msgId":-1}"#, "msgId", 9),
            (r#"{"msgId":1.5}"#, "msgId", 9),
            (r#"{"msgId":1e400}"#, "msgId", 9),
            (r#"{"msgId":NaN}"#, "msgId", 9),
            (r#"{"inReplyTo":true}"#, "inReplyTo", 13),
            (r#"{"schemaKey":[]}"#, "schemaKey", 13),
            (r#"{"schemaKey":{"hash128":"0"}}"#, "hash128", 24),
            (r#"{"schemaKey":{"hash128":"gg"}}"#, "hash128", 24),
            (r#"{"schemaKey":{"hash128":0}}"#, "hash128", 24),
            (r#"{"tags":{}}"#, "tags", 8),
            (r#"{"tags":[{"key":"k"}]}"#, "a tag with key and val", 9),
            (r#"{"tags":[{"key":"k","val":null}]}"#, "a tag with key and val", 9),
            (r#"{"tags":[7]}"#, "a tag with key and val", 9),
            (r#"{"tags":[{"key":"k","val":1}]}"#, "a tag's val", 26),
            (" []", "the object that a header is", 1),
        ] {
            assert_eq!(read_python(text), Err(HeaderError::Malformed { what, at }), "{text}");
        }
        let text = r#"{"schemaKey":{"hash128":"00ff"}}"#;
        assert_eq!(read_python(text), Err(HeaderError::Hash { len: 2 }));
        let trailing = JsonFault::Unexpected { found: b'{', wanted: "the end of the text" };
        assert_eq!(read_python("{}{}"), Err(HeaderError::Json(JsonError { at: 2, what: trailing })));
        let long = vec![b' '; MAX_LEN + 1];
        let too_long = HeaderError::TooLong { len: MAX_LEN + 1, limit: MAX_LEN };
        assert_eq!(read(&long, Numbering::Spec), Err(too_long));
        let text = format!(r#"{{"tags":[{{"key":"","val":"{}"}}]}}"#, "x".repeat(600));
        assert_eq!(read_python(&text), Err(HeaderError::Tags(TagsFull { key_len: 0, value_len: 600 })));
    }

    #[test]
    fn a_header_without_room_says_how_much_it_needs() {
        let header = FrameHeader::new(MsgType::HELLO, 0, 1);
        let mut out = [0; 176];
        for len in 0..176 {
            let error = HeaderError::NoRoom { needed: 176, len };
            assert_eq!(write(&header, Numbering::Python, &mut out[..len]), Err(error));
        }
        assert_eq!(write(&header, Numbering::Python, &mut out), Ok(176));
    }

    fn headers() -> impl Strategy<Value = FrameHeader> {
        let schema_key = proptest::option::of(
            (any::<u32>(), any::<u32>(), any::<u16>(), any::<u16>(), proptest::option::of(any::<[u8; 16]>()))
                .prop_map(|(ns_hash, kind_id, major, minor, hash)| SchemaKey {
                    ns_hash: ns_hash | 1,
                    kind_id,
                    major,
                    minor,
                    hash: hash.filter(|hash| *hash != [0; 16]),
                }),
        );
        let ids = (any::<u32>(), any::<u16>(), any::<u16>(), any::<u64>(), any::<u64>());
        let tags = proptest::collection::vec((any::<StdString>(), any::<StdString>()), 0..4);
        (ids, schema_key, tags).prop_map(
            |((channel, msg_type, codec, msg_id, in_reply_to), schema_key, pairs)| {
                let mut tags = Tags::new();
                for (key, value) in pairs {
                    // Those without room are left out.
                    let _ = tags.push(&key, &value);
                }
                let (msg_type, codec) = (MsgType(msg_type), CodecId(codec));
                FrameHeader { channel, msg_type, codec, schema_key, msg_id, in_reply_to, tags }
            },
        )
    }

    proptest! {
        #[test]
        fn every_header_is_read_as_it_was_written(header in headers(), python: bool) {
            let numbering = if python { Numbering::Python } else { Numbering::Spec };
            let bytes = written(&header, numbering);
            prop_assert!(bytes.is_ascii() && bytes.len() <= MAX_LEN);
            // Cut anywhere, it is an error: its last byte closes the object.
            for len in 0..bytes.len() {
                prop_assert!(read(&bytes[..len], numbering).is_err());
            }
            prop_assert_eq!(read(&bytes, numbering), Ok(header));
        }

        #[test]
        fn any_bytes_are_a_header_or_an_error(bytes: Vec<u8>) {
            let _ = read(&bytes, Numbering::Spec);
        }
    }
}
