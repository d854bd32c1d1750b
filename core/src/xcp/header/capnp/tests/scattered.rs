//! Headers whose objects lie anywhere in several segments are read like those in one.

use super::*;

/// A message in the making, and what decides where objects lie.
struct Scattered<'a> {
    segments: Vec<Vec<u64>>,
    choices: core::iter::Cycle<core::slice::Iter<'a, u8>>,
}

/// Segment and word.
type Place = (usize, usize);

impl Scattered<'_> {
    fn choose(&mut self, of: usize) -> usize {
        usize::from(*self.choices.next().unwrap()) % of
    }

    /// Places words at the end of some segment.
    fn place(&mut self, words: &[u64]) -> Place {
        let segment = self.choose(self.segments.len());
        self.place_in(segment, words)
    }

    fn place_in(&mut self, segment: usize, words: &[u64]) -> Place {
        let at = self.segments[segment].len();
        self.segments[segment].extend(words);
        (segment, at)
    }

    /// Makes the word at `from` a pointer to `to`: `kind` is that pointer with an offset of 0.
    fn point(&mut self, from: Place, to: Place, kind: u64) {
        let near = |from: usize| kind | (to.1.wrapping_sub(from + 1) as u64 & 0x3FFF_FFFF) << 2;
        let way = self.choose(3);
        self.segments[from.0][from.1] = if way == 0 {
            let pad = self.place(&[far(to.0, to.1, false), kind]);
            far(pad.0, pad.1, true)
        } else if way == 1 || from.0 != to.0 {
            let pad = self.place_in(to.0, &[0]);
            self.segments[pad.0][pad.1] = near(pad.1);
            far(pad.0, pad.1, false)
        } else {
            near(from.1)
        };
    }

    fn point_at_bytes(&mut self, from: Place, bytes: &[u8]) {
        let mut padded = bytes.to_vec();
        padded.resize(bytes.len().next_multiple_of(8), 0);
        let words: Vec<u64> =
            padded.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().unwrap())).collect();
        let to = self.place(&words);
        self.point(from, to, bytes_pointer(0, bytes.len() as u64));
    }
}

/// `header` with nothing left out, objects where `choices` say.
fn scattered(header: &FrameHeader, choices: &[u8]) -> Vec<u8> {
    let segments = 1 + usize::from(choices[0]) % SEGMENT_LIMIT;
    let mut to = Scattered { segments: vec![Vec::new(); segments], choices: choices.iter().cycle() };
    to.place_in(0, &[0]);
    let first =
        u64::from(header.channel) | u64::from(header.msg_type.0) << 32 | u64::from(header.codec.0) << 48;
    // One word and one pointer more than are known.
    let root = to.place(&[first, header.msg_id, header.in_reply_to, u64::MAX, 0, 0, u64::MAX]);
    to.point((0, 0), root, struct_pointer(0, 4, 3));
    if let Some(SchemaKey { ns_hash, kind_id, major, minor, hash }) = header.schema_key {
        let first = u64::from(ns_hash) | u64::from(kind_id) << 32;
        let key = to.place(&[first, u64::from(major) | u64::from(minor) << 16, 0]);
        to.point((root.0, root.1 + 4), key, struct_pointer(0, 2, 1));
        to.point_at_bytes((key.0, key.1 + 2), hash.as_ref().map_or(&[], |hash| hash));
    }
    let count = header.tags.len();
    let mut list = vec![struct_pointer(count as u64, 1, 2)];
    list.extend((0..count).flat_map(|_| [u64::MAX, 0, 0]));
    let list = to.place(&list);
    to.point((root.0, root.1 + 5), list, structs_pointer(0, 3 * count as u64));
    for (index, (key, value)) in header.tags.iter().enumerate() {
        for (text, pointer) in [(key, 1), (value, 2)] {
            let text = [text.as_bytes(), &[0]].concat();
            to.point_at_bytes((list.0, list.1 + 1 + 3 * index + pointer), &text);
        }
    }
    let segments: Vec<&[u64]> = to.segments.iter().map(Vec::as_slice).collect();
    message(&segments)
}

proptest! {
    #[test]
    fn scattered_headers_are_read(header in headers(), choices in many(any::<u8>(), 1..40)) {
        let bytes = scattered(&header, &choices);
        prop_assert_eq!(read(&bytes, SPEC), Ok(meant(&header)));
    }

    #[test]
    fn changed_scattered_headers_are_read_or_refused(
        header in headers(),
        choices in many(any::<u8>(), 1..40),
        changes in many((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = scattered(&header, &choices);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(header) = read(&bytes, SPEC) {
            prop_assert_eq!(read(&written(&header), SPEC), Ok(header));
        }
    }
}
