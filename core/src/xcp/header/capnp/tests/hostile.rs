//! Messages that break a rule, or keep them all and mean harm.

use super::*;

fn refused(bytes: &[u8]) -> HeaderError {
    assert_eq!(read::common(bytes, SPEC), None);
    read(bytes, SPEC).unwrap_err()
}

fn malformed_at(bytes: &[u8]) -> usize {
    match refused(bytes) {
        HeaderError::Malformed { at, .. } => at,
        other => panic!("{other}"),
    }
}

/// A root of one word of data, and these words from its first pointer on.
fn with_pointers(count: u64, words: &[u64]) -> Vec<u8> {
    message(&[&[&[struct_pointer(0, 1, count), DATA], words].concat()])
}

#[test]
fn a_table_that_disagrees_with_the_bytes_is_refused() {
    let whole = written(&FrameHeader::new(MsgType::DATA, 1, 5));
    for len in 0..whole.len() {
        assert!(matches!(refused(&whole[..len]), HeaderError::Malformed { at, .. } if at == len), "{len}");
    }
    for more in 1..17 {
        let bytes = [whole.as_slice(), &[0; 16][..more]].concat();
        assert_eq!(malformed_at(&bytes), whole.len());
    }
    let mut none = message(&[&[], &[0]]);
    assert_eq!(refused(&none), HeaderError::OutOfBounds { segment: 0, start: 0, words: 1, len: 0 });
    none[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(malformed_at(&none), none.len());
}

#[test]
fn more_segments_than_are_read_are_refused() {
    let mut segments = vec![[0].as_slice(); SEGMENT_LIMIT];
    assert!(read(&message(&segments), SPEC).is_ok());
    segments.push(&[0]);
    assert_eq!(refused(&message(&segments)), HeaderError::TooManySegments { segments: 17, limit: 16 });
    let limit = 16;
    assert_eq!(refused(&[0xFF; 64]), HeaderError::TooManySegments { segments: 1 << 32, limit });
}

#[test]
fn pointers_out_of_the_message_are_refused() {
    let outside = |start, words, len| HeaderError::OutOfBounds { segment: 0, start, words, len };
    assert_eq!(refused(&message(&[&[struct_pointer(0, 1, 0)]])), outside(1, 1, 1));
    assert_eq!(refused(&message(&[&[struct_pointer(offset(-2), 1, 0), 0]])), outside(-1, 1, 2));
    assert_eq!(refused(&message(&[&[struct_pointer(offset(-2), 0, 0)]])), outside(-1, 0, 1));
    let lowest = -(1 << 29);
    assert_eq!(refused(&message(&[&[struct_pointer(offset(lowest), 1, 0)]])), outside(lowest + 1, 1, 1));
    let highest = (1 << 29) - 1;
    assert_eq!(refused(&message(&[&[struct_pointer(highest, 1, 0)]])), outside(1 << 29, 1, 1));
    let widest = struct_pointer(0, 0xFFFF, 0xFFFF);
    assert_eq!(refused(&message(&[&[widest, 0]])), outside(1, 0x1_FFFE, 2));

    let longest = (1 << 29) - 1;
    let text =
        with_pointers(2, &[0, structs_pointer(0, 2), struct_pointer(1, 0, 2), bytes_pointer(0, longest)]);
    assert!(matches!(refused(&text), HeaderError::OutOfBounds { .. }));
    let list = with_pointers(2, &[0, structs_pointer(0, longest), struct_pointer(1, 0, 2)]);
    assert!(matches!(refused(&list), HeaderError::OutOfBounds { .. }));

    assert_eq!(refused(&message(&[&[far(1, 0, false)]])), HeaderError::NoSegment { segment: 1, segments: 1 });
    let nowhere = far(usize::try_from(u32::MAX).unwrap(), 0, true);
    assert_eq!(refused(&message(&[&[nowhere]])), HeaderError::NoSegment { segment: u32::MAX, segments: 1 });
    let beyond = far(0, (1 << 29) - 1, false);
    assert_eq!(refused(&message(&[&[beyond]])), outside((1 << 29) - 1, 1, 1));
    assert_eq!(refused(&message(&[&[far(0, 1, true), far(0, 0, false)]])), outside(2, 1, 2));
}

#[test]
fn pointers_that_lead_in_circles_are_refused() {
    // A landing pad that is the pointer itself, and one of two words that is.
    assert_eq!(malformed_at(&message(&[&[far(0, 0, false)]])), 8);
    assert_eq!(malformed_at(&message(&[&[far(0, 0, true), 0]])), 8);
    // A schema that is the root: its hash is no list of bytes.
    let circle = [struct_pointer(0, 1, 1), DATA, struct_pointer(offset(-2), 1, 1)];
    assert_eq!(malformed_at(&message(&[&circle])), 24);
    // Tags that are themselves.
    let circle = with_pointers(2, &[0, structs_pointer(offset(-1), 1)]);
    assert_eq!(malformed_at(&circle), 32);
}

#[test]
fn what_is_not_known_may_lead_anywhere_and_is_not_followed() {
    // Two circles, and structs in structs down to the end of the longest header.
    let mut words = vec![0, 0, struct_pointer(offset(-4), 1, 4), far(9, 9, true)];
    words.extend([struct_pointer(0, 0, 1); 8_000]);
    assert_eq!(read(&with_pointers(4, &words), SPEC), Ok(FrameHeader::new(MsgType::DATA, 0, 0)));
}

#[test]
fn few_bytes_that_claim_to_be_many_elements_cost_nothing() {
    let limit = WORD_LIMIT;
    // Structs of no words, as many as a tag can say.
    let nothing = struct_pointer(0x3FFF_FFFF, 0, 0);
    let bytes = with_pointers(2, &[0, structs_pointer(0, 0), nothing]);
    let words = 0x3FFF_FFFF;
    assert_eq!(refused(&bytes), HeaderError::TooMuch { words, left: limit - 3, limit });
    // A list of voids.
    let words = 0x1FFF_FFFF;
    let bytes = with_pointers(2, &[0, 1 | words << 35]);
    assert_eq!(refused(&bytes), HeaderError::TooMuch { words, left: limit - 3, limit });
    // Fewer of them end where tags have no room.
    let bytes = with_pointers(2, &[0, structs_pointer(0, 0), struct_pointer(60_000, 0, 0)]);
    assert!(matches!(refused(&bytes), HeaderError::Tags(_)));
}

#[test]
fn many_pointers_to_one_long_text_are_refused_at_the_first() {
    let tags = 1000;
    let mut list = vec![0, structs_pointer(0, 2 * tags), struct_pointer(tags, 0, 2)];
    list.extend((0..2 * tags).map(|index| bytes_pointer(2 * tags - 1 - index, 8 * 700)));
    list.extend([u64::from_le_bytes(*b"aaaaaaaa"); 699]);
    list.push(u64::from_le_bytes(*b"aaaaaaa\0"));
    let error = refused(&with_pointers(2, &list));
    assert_eq!(error, HeaderError::Tags(TagsFull { key_len: 8 * 700 - 1, value_len: 0 }));
}

#[test]
fn objects_of_another_kind_than_expected_are_refused() {
    let capability = 3;
    for root in [list_of_bytes(), capability, 0xFFFF_FFFF] {
        assert_eq!(malformed_at(&message(&[&[root, 0]])), 8);
    }
    for pointer in [list_of_bytes(), capability] {
        assert_eq!(malformed_at(&with_pointers(1, &[pointer])), 24);
    }
    for pointer in [struct_pointer(0, 1, 0), capability] {
        assert_eq!(malformed_at(&with_pointers(2, &[0, pointer, 0])), 32);
    }
    // A landing pad and a tag that are capabilities; a list whose tag is a list.
    assert_eq!(malformed_at(&message(&[&[far(0, 1, false), capability]])), 16);
    assert_eq!(malformed_at(&message(&[&[far(0, 1, true), far(0, 0, false), capability]])), 24);
    assert_eq!(malformed_at(&with_pointers(2, &[0, structs_pointer(0, 1), list_of_bytes(), 0])), 40);
    // More elements than there are words for.
    assert_eq!(malformed_at(&with_pointers(2, &[0, structs_pointer(0, 1), struct_pointer(1, 0, 2), 0])), 40);
    // A hash that is a list of words.
    let words = 1 | 5 << 32 | 2 << 35;
    assert_eq!(malformed_at(&with_pointers(1, &[struct_pointer(0, 0, 1), words, 1, 1])), 32);
}

fn list_of_bytes() -> u64 {
    bytes_pointer(0, 1)
}

#[test]
fn texts_that_are_none_are_refused() {
    let key = |len, text: [u8; 8]| {
        let list = [structs_pointer(0, 1), struct_pointer(1, 0, 1), bytes_pointer(0, len)];
        with_pointers(2, &[&[0], list.as_slice(), &[u64::from_le_bytes(text)]].concat())
    };
    assert_eq!(read(&key(3, *b"ab\0....."), SPEC), Ok(tagged(tags([("ab", "")]))));
    assert_eq!(malformed_at(&key(3, *b"abc\0\0\0\0\0")), 48);
    assert_eq!(malformed_at(&key(0, [0; 8])), 48);
    assert_eq!(malformed_at(&key(3, *b"\xC3\x28\0\0\0\0\0\0")), 48);
    assert_eq!(malformed_at(&key(2, *b"\xC3\0\0\0\0\0\0\0")), 48);
}

#[test]
fn packed_headers_that_are_cut_or_unpack_to_too_much_are_refused() {
    let mut header = FrameHeader::new(MsgType::DATA, 1, u64::MAX);
    header.tags.push("trace_id", "0123456789abcdef").unwrap();
    let whole = packed(&header);
    assert_eq!(read_packed(&whole, SPEC), Ok(header));
    for len in 0..whole.len() {
        assert!(read_packed(&whole[..len], SPEC).is_err(), "{len}");
    }
    assert!(read_packed(&[whole.as_slice(), &[0, 0]].concat(), SPEC).is_err());
    let limit = UNPACKED_LIMIT;
    let zeros = [0, 255].repeat(30_000);
    assert_eq!(read_packed(&zeros, SPEC), Err(HeaderError::TooLong { len: 3 * 2048, limit }));
}
