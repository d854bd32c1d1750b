//! Headers are read as they were written, by the short way and the whole one; and no bytes make a reader panic.

use super::*;

/// Whatever is read is written, and then read as the same.
fn writes_what_it_reads(header: &FrameHeader) {
    assert_eq!(read(&written(header), SPEC).as_ref(), Ok(header));
    assert_eq!(read_packed(&packed(header), SPEC).as_ref(), Ok(header));
}

/// Reads any bytes in all ways.
fn survives(bytes: &[u8]) {
    let whole = read::any(bytes, SPEC);
    assert_eq!(read(bytes, SPEC), whole);
    if let Some(header) = read::common(bytes, SPEC) {
        assert_eq!(whole, Ok(header));
    }
    if let Ok(header) = &whole {
        writes_what_it_reads(header);
    }
    if let Ok(header) = &read_packed(bytes, SPEC) {
        writes_what_it_reads(header);
    }
}

proptest! {
    #[test]
    fn headers_are_read_as_they_were_written(header in headers(), python in any::<bool>()) {
        let numbering = if python { Numbering::Python } else { Numbering::Spec };
        let (mut plain, mut packed) = ([0; MAX_LEN], [0; MAX_LEN]);
        let len = write(&header, numbering, &mut plain).unwrap();
        prop_assert_eq!(len % 8, 0);
        let bytes = &plain[..len];
        prop_assert_eq!(read(bytes, numbering), Ok(meant(&header)));
        prop_assert_eq!(read::any(bytes, numbering), Ok(meant(&header)));
        let is_common = meant(&header).schema_key.is_none() && header.tags.is_empty();
        let is_empty = bytes.get(8) == Some(&0xFC);
        prop_assert_eq!(read::common(bytes, numbering).is_some(), is_common && !is_empty);
        let len = write_packed(&header, numbering, &mut packed).unwrap();
        prop_assert_eq!(read_packed(&packed[..len], numbering), Ok(meant(&header)));
    }

    #[test]
    fn a_header_that_has_no_room_says_how_much_it_takes(header in headers(), cut in 1..80_usize) {
        for write in [write, write_packed] {
            let mut out = [0; MAX_LEN];
            let needed = write(&header, SPEC, &mut out).unwrap();
            let len = needed.saturating_sub(cut);
            let (room, behind) = out.split_at_mut(len);
            behind.fill(0xAA);
            prop_assert_eq!(write(&header, SPEC, room), Err(HeaderError::NoRoom { needed, len }));
            prop_assert!(behind.iter().all(|byte| *byte == 0xAA));
        }
    }

    #[test]
    fn random_bytes_are_read_or_refused(bytes in many(any::<u8>(), 0..200)) {
        survives(&bytes);
    }

    #[test]
    fn random_words_are_read_or_refused(
        first in many(any::<u64>(), 1..9),
        second in many(prop_oneof![any::<u64>(), 0..64_u64], 0..9),
    ) {
        survives(&message(&[&first]));
        survives(&message(&[&first, &second]));
    }

    #[test]
    fn changed_messages_are_read_or_refused(
        header in headers(),
        changes in many((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        for mut bytes in [written(&header), packed(&header)] {
            for (at, byte) in &changes {
                // Pointers and the table are the most interesting, and stand in front.
                let at = if byte & 1 == 1 { at.index(bytes.len().min(64)) } else { at.index(bytes.len()) };
                bytes[at] = *byte;
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            survives(&bytes);
        }
    }
}

#[test]
fn no_header_is_longer_than_it_may_be() {
    let mut longest = 0;
    // The store of tags has room for 512 bytes, 4 of which each tag takes beside its texts.
    for (key_len, value_len) in (0..20).flat_map(|key| (0..20).map(move |value| (key, value))) {
        let mut header = FrameHeader::new(MsgType(0x1111), u32::MAX, u64::MAX);
        header.codec = CodecId(0x1111);
        header.in_reply_to = u64::MAX;
        header.schema_key =
            Some(SchemaKey { ns_hash: 1, kind_id: 1, major: 1, minor: 1, hash: Some([0xFF; 16]) });
        header.tags.push("k", "v").unwrap();
        while header.tags.push(&"k".repeat(key_len), &"v".repeat(value_len)).is_ok() {}
        for bytes in [written(&header), packed(&header)] {
            longest = longest.max(bytes.len());
        }
        writes_what_it_reads(&header);
    }
    assert!((2800..=MAX_LEN).contains(&longest), "{longest}");
}
