//! The Cap'n Proto header against golden bytes, itself, messages built by hand, and hostile ones.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::string::String;
use std::vec;
use std::vec::Vec;

use proptest::collection::vec as many;
use proptest::prelude::*;

use super::pointer::{bytes_pointer, struct_pointer, structs_pointer};
use super::*;
use crate::xcp::header::SchemaKey;
use crate::xcp::numbers::{CodecId, KindId, MsgType};
use crate::xcp::tags::{Tags, TagsFull};

mod golden;
mod hostile;
mod round_trip;
mod scattered;
mod shapes;

const SPEC: Numbering = Numbering::Spec;

fn written(header: &FrameHeader) -> Vec<u8> {
    let mut out = [0xAA; MAX_LEN];
    let len = write(header, SPEC, &mut out).unwrap();
    out[..len].to_vec()
}

fn packed(header: &FrameHeader) -> Vec<u8> {
    let mut out = [0xAA; MAX_LEN];
    let len = write_packed(header, SPEC, &mut out).unwrap();
    out[..len].to_vec()
}

/// A message of these segments.
fn message(segments: &[&[u64]]) -> Vec<u8> {
    let mut table = vec![u32::try_from(segments.len() - 1).unwrap()];
    table.extend(segments.iter().map(|segment| u32::try_from(segment.len()).unwrap()));
    if table.len() % 2 == 1 {
        table.push(0);
    }
    let mut bytes: Vec<u8> = table.into_iter().flat_map(u32::to_le_bytes).collect();
    bytes.extend(segments.iter().flat_map(|segment| segment.iter()).flat_map(|word| word.to_le_bytes()));
    bytes
}

/// An offset of a pointer, in its 30 bits.
fn offset(words: i64) -> u64 {
    words.cast_unsigned() & 0x3FFF_FFFF
}

/// Points at a landing pad: of one word, or of two.
fn far(segment: usize, word: usize, double: bool) -> u64 {
    2 | u64::from(double) << 2 | (word as u64) << 3 | (segment as u64) << 32
}

/// A text of less than 8 bytes, as the word that it is.
fn short(text: &str) -> u64 {
    let mut word = [0; 8];
    word[..text.len()].copy_from_slice(text.as_bytes());
    u64::from_le_bytes(word)
}

fn tags<const N: usize>(pairs: [(&str, &str); N]) -> Tags {
    let mut tags = Tags::new();
    pairs.into_iter().for_each(|(key, value)| tags.push(key, value).unwrap());
    tags
}

/// A DATA header with these tags.
fn tagged(tags: Tags) -> FrameHeader {
    FrameHeader { tags, ..FrameHeader::new(MsgType::DATA, 0, 0) }
}

/// Channel 0, DATA, JSON: a root's first word.
const DATA: u64 = 0x0001_0100_0000_0000;

/// Any header, with strings of all lengths that fit.
fn headers() -> impl Strategy<Value = FrameHeader> {
    let small = || prop_oneof![Just(0_u64), 1..300_u64, any::<u64>()];
    let hash = proptest::option::of(prop_oneof![any::<[u8; 16]>(), Just([0; 16])]);
    let key =
        (prop_oneof![Just(0), any::<u32>()], prop_oneof![Just(0), any::<u32>()], 0..3_u16, 0..3_u16, hash);
    let text = || prop_oneof![Just(String::new()), "[a-z]{0,9}", ".{0,40}", "x{100,260}"];
    let scalars = (prop_oneof![0..9_u32, any::<u32>()], any::<u16>(), any::<u16>(), small(), small());
    (scalars, proptest::option::of(key), many((text(), text()), 0..6)).prop_map(|(scalars, key, texts)| {
        let (channel, msg_type, codec, msg_id, in_reply_to) = scalars;
        let mut tags = Tags::new();
        for (key, value) in texts {
            // One that has no room is left out: the next may have.
            let _ = tags.push(&key, &value);
        }
        let schema_key = key.map(|(ns_hash, kind_id, major, minor, hash)| SchemaKey {
            ns_hash,
            kind_id,
            major,
            minor,
            hash,
        });
        let (msg_type, codec) = (MsgType(msg_type), CodecId(codec));
        FrameHeader { channel, msg_type, codec, schema_key, msg_id, in_reply_to, tags }
    })
}

/// `header` as it is read: without what says nothing.
fn meant(header: &FrameHeader) -> FrameHeader {
    let mut meant = header.clone();
    if let Some(key) = &mut meant.schema_key {
        key.hash = key.hash.filter(|hash| *hash != [0; 16]);
    }
    meant.schema_key = meant.schema_key.filter(|key| *key != SchemaKey::default());
    meant
}
