//! Valid messages of other shapes than ours, built by hand.

use super::*;

/// A root of one word of data and two pointers: to no schema, and to tags of which `tags` is everything.
fn with_tags(pointer: u64, tags: &[u64]) -> Vec<u8> {
    let root = [struct_pointer(0, 1, 2), DATA, 0, pointer];
    message(&[&[root.as_slice(), tags].concat()])
}

#[test]
fn a_root_that_is_null_or_empty_says_nothing() {
    let nothing = FrameHeader { codec: CodecId(0), ..FrameHeader::new(MsgType::HELLO, 0, 0) };
    assert_eq!(read(&message(&[&[0]]), SPEC), Ok(nothing.clone()));
    assert_eq!(read(&written(&nothing), SPEC), Ok(nothing.clone()));
    assert_eq!(written(&nothing), message(&[&[0xFFFF_FFFC]]));
    assert_eq!(read(&message(&[&[struct_pointer(0, 5, 4), 0, 0, 0, 9, 9, 0, 0, 9, 9]]), SPEC), Ok(nothing));
}

#[test]
fn the_root_may_lie_behind_others_and_in_another_segment() {
    let data = FrameHeader::new(MsgType::DATA, 0, 9);
    let root = [DATA, 9];
    let later = message(&[&[struct_pointer(2, 2, 0), 77, 77, DATA, 9]]);
    assert_eq!(read(&later, SPEC), Ok(data.clone()));
    assert_eq!(read::common(&later, SPEC), None);
    let in_another = message(&[&[far(1, 2, false)], &[root[0], root[1], struct_pointer(offset(-3), 2, 0)]]);
    assert_eq!(read(&in_another, SPEC), Ok(data.clone()));
    let by_two_words =
        message(&[&[far(2, 1, true)], &root, &[77, far(1, 0, false), struct_pointer(0, 2, 0)]]);
    assert_eq!(read(&by_two_words, SPEC), Ok(data));
}

#[test]
fn tags_may_be_structs_with_fewer_or_more_fields() {
    let key_only =
        [struct_pointer(2, 0, 1), bytes_pointer(1, 2), bytes_pointer(1, 2), short("a"), short("b")];
    let expected = tagged(tags([("a", ""), ("b", "")]));
    assert_eq!(read(&with_tags(structs_pointer(0, 2), &key_only), SPEC), Ok(expected.clone()));
    assert_eq!(written(&expected), with_tags(structs_pointer(0, 2), &key_only));

    let more =
        [struct_pointer(1, 1, 3), 7, bytes_pointer(2, 2), bytes_pointer(2, 2), 7, short("a"), short("b")];
    assert_eq!(read(&with_tags(structs_pointer(0, 4), &more), SPEC), Ok(tagged(tags([("a", "b")]))));

    let nothing = with_tags(structs_pointer(0, 0), &[struct_pointer(2, 0, 0)]);
    assert_eq!(read(&nothing, SPEC), Ok(tagged(tags([("", ""), ("", "")]))));
    assert_eq!(written(&tagged(tags([("", ""), ("", "")]))), nothing);
    let none = with_tags(structs_pointer(0, 0), &[struct_pointer(0, 0, 2)]);
    assert_eq!(read(&none, SPEC), Ok(tagged(Tags::new())));
}

#[test]
fn a_list_of_structs_may_have_room_behind_them() {
    let list = [struct_pointer(1, 0, 2), bytes_pointer(2, 2), 0, 77, short("a")];
    assert_eq!(read(&with_tags(structs_pointer(0, 3), &list), SPEC), Ok(tagged(tags([("a", "")]))));
}

/// A list of `count` elements of this size, right behind its pointer.
fn list(size: u64, count: u64) -> u64 {
    1 | size << 32 | count << 35
}

#[test]
fn a_list_of_pointers_is_one_of_tags_with_keys_and_one_of_numbers_one_of_empty_tags() {
    let keys = [bytes_pointer(1, 2), bytes_pointer(1, 3), short("a"), short("bc")];
    assert_eq!(read(&with_tags(list(6, 2), &keys), SPEC), Ok(tagged(tags([("a", ""), ("bc", "")]))));
    for (size, words) in [(0, 0), (2, 1), (3, 1), (4, 2), (5, 3)] {
        let elements = [u64::MAX; 3];
        let bytes = with_tags(list(size, 3), &elements[..words]);
        assert_eq!(read(&bytes, SPEC), Ok(tagged(tags([("", ""); 3]))), "{size}");
        if let Some(fewer) = words.checked_sub(1) {
            let short = with_tags(list(size, 3), &elements[..fewer]);
            assert!(matches!(read(&short, SPEC), Err(HeaderError::OutOfBounds { .. })), "{size}");
        }
    }
    let bits = read(&with_tags(list(1, 3), &[7]), SPEC);
    assert!(matches!(bits, Err(HeaderError::Malformed { at: 32, .. })));
}

#[test]
fn a_schema_may_have_fewer_or_more_fields() {
    let key = |words: &[u64], data, pointers| {
        let root = [struct_pointer(0, 1, 1), DATA, struct_pointer(0, data, pointers)];
        read(&message(&[&[root.as_slice(), words].concat()]), SPEC).map(|header| header.schema_key)
    };
    let kind = SchemaKey { ns_hash: 3, kind_id: 4, ..SchemaKey::default() };
    assert_eq!(key(&[0x0000_0004_0000_0003], 1, 0), Ok(Some(kind)));
    assert_eq!(key(&[0x0000_0004_0000_0003, 0, 77, 0, 77], 3, 2), Ok(Some(kind)));
    assert_eq!(key(&[0, 0, 0], 2, 1), Ok(None));
    let hashed = SchemaKey { hash: Some([0x11; 16]), ..SchemaKey::default() };
    let half = 0x1111_1111_1111_1111;
    assert_eq!(key(&[bytes_pointer(0, 16), half, half], 0, 1), Ok(Some(hashed)));
    assert_eq!(key(&[bytes_pointer(0, 16), 0, 0], 0, 1), Ok(None));
    assert_eq!(key(&[bytes_pointer(0, 0)], 0, 1), Ok(None));
    assert_eq!(key(&[bytes_pointer(0, 8), half], 0, 1), Err(HeaderError::Hash { len: 8 }));
    assert_eq!(key(&[bytes_pointer(0, 17), half, half, 0x11], 0, 1), Err(HeaderError::Hash { len: 17 }));
}

#[test]
fn texts_may_share_words_and_hold_zeros() {
    let shared = [struct_pointer(1, 0, 2), bytes_pointer(1, 4), bytes_pointer(0, 4), short("a\0b")];
    let bytes = with_tags(structs_pointer(0, 2), &shared);
    assert_eq!(read(&bytes, SPEC), Ok(tagged(tags([("a\0b", "a\0b")]))));
}
