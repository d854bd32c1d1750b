//! Which words a header is: the canonical form, one segment, objects in the order of their pointers.
//!
//! Sums do not overflow, and saturate all the same: a header's tags are bounded, and so are its words, by
//! [`MAX_LEN`](super::MAX_LEN).

use super::super::super::dialect::Numbering;
use super::super::super::tags::Tags;
use super::super::{FrameHeader, HeaderError, SchemaKey};
use super::pointer::{EMPTY_STRUCT, bytes_pointer, struct_pointer, structs_pointer};

/// Where words go, one after the other.
pub(super) trait Words {
    fn word(&mut self, word: u64);
}

/// Words as they are.
pub(super) struct Plain<'a> {
    out: &'a mut [u8],
    /// Bytes of all words so far, also of those that had no room.
    len: usize,
}

impl<'a> Plain<'a> {
    pub(super) const fn new(out: &'a mut [u8]) -> Self {
        Self { out, len: 0 }
    }

    pub(super) const fn finish(self) -> Result<usize, HeaderError> {
        let (needed, len) = (self.len, self.out.len());
        if needed > len { Err(HeaderError::NoRoom { needed, len }) } else { Ok(needed) }
    }
}

impl Words for Plain<'_> {
    fn word(&mut self, word: u64) {
        let end = self.len.saturating_add(8);
        if let Some(out) = self.out.get_mut(self.len..end) {
            out.copy_from_slice(&word.to_le_bytes());
        }
        self.len = end;
    }
}

/// Says the message that `header` is, from its segment table on.
pub(super) fn words(header: &FrameHeader, numbering: Numbering, to: &mut impl Words) {
    let first = u64::from(header.channel)
        | u64::from(numbering.to_wire(header.msg_type)) << 32
        | u64::from(header.codec.0) << 48;
    let data = [first, header.msg_id, header.in_reply_to];
    let data = significant(&data);
    let key = header.schema_key.as_ref().and_then(Key::new);
    let tags = TagList::new(&header.tags);

    let data_words = count(data);
    let pointers = match (&key, &tags) {
        (_, Some(_)) => 2,
        (Some(_), None) => 1,
        (None, None) => 0,
    };
    let key_words = key.as_ref().map_or(0, Key::words);
    let tag_words = tags.as_ref().map_or(0, TagList::words);
    // The pointer to the root, the root, what it points at.
    let segment_words: u64 = [1, data_words, pointers, key_words, tag_words].iter().sum();

    to.word(segment_words << 32);
    let is_empty = data_words == 0 && pointers == 0;
    to.word(if is_empty { EMPTY_STRUCT } else { struct_pointer(0, data_words, pointers) });
    data.iter().for_each(|word| to.word(*word));
    if pointers > 0 {
        // What a pointer points at begins so many words behind it.
        let behind = pointers.saturating_sub(1);
        to.word(key.as_ref().map_or(0, |key| struct_pointer(behind, count(key.data()), key.pointers())));
    }
    if let Some(tags) = &tags {
        to.word(tags.pointer(key_words));
    }
    if let Some(key) = &key {
        key.write(to);
    }
    if let Some(tags) = &tags {
        tags.write(to);
    }
}

/// `data` without the zeros at its end.
fn significant(data: &[u64]) -> &[u64] {
    let mut significant = data;
    while let [rest @ .., 0] = significant {
        significant = rest;
    }
    significant
}

fn count(words: &[u64]) -> u64 {
    words.iter().map(|_| 1).sum()
}

/// A schema's key that says something.
struct Key {
    data: [u64; 2],
    /// Both halves, unless all of it is zero.
    hash: Option<[u64; 2]>,
}

impl Key {
    fn new(key: &SchemaKey) -> Option<Self> {
        let hash = key.hash.map(|hash| {
            let hash = u128::from_le_bytes(hash);
            [low(hash), low(hash >> 64)]
        });
        let this = Self {
            data: [
                u64::from(key.ns_hash) | u64::from(key.kind_id) << 32,
                u64::from(key.major) | u64::from(key.minor) << 16,
            ],
            hash: hash.filter(|hash| *hash != [0; 2]),
        };
        (this.words() > 0).then_some(this)
    }

    fn data(&self) -> &[u64] {
        significant(&self.data)
    }

    fn pointers(&self) -> u64 {
        u64::from(self.hash.is_some())
    }

    fn words(&self) -> u64 {
        let hash = if self.hash.is_some() { 3 } else { 0 };
        count(self.data()).saturating_add(hash)
    }

    fn write(&self, to: &mut impl Words) {
        self.data().iter().for_each(|word| to.word(*word));
        if let Some(hash) = self.hash {
            to.word(bytes_pointer(0, 16));
            hash.into_iter().for_each(|half| to.word(half));
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half is meant")]
const fn low(number: u128) -> u64 {
    number as u64
}

/// Tags, of which there are some.
struct TagList<'a> {
    tags: &'a Tags,
    /// How many there are.
    count: u64,
    /// Pointers of each: canonically as many as the tag with the most needs.
    pointers: u64,
}

impl<'a> TagList<'a> {
    fn new(tags: &'a Tags) -> Option<Self> {
        let mut list = Self { tags, count: 0, pointers: 0 };
        for (key, value) in tags.iter() {
            list.count = list.count.saturating_add(1);
            let needed = match (key, value) {
                ("", "") => 0,
                (_, "") => 1,
                (_, _) => 2,
            };
            list.pointers = list.pointers.max(needed);
        }
        (list.count > 0).then_some(list)
    }

    /// The texts that the list has pointers for, in their order.
    fn texts(&self) -> impl Iterator<Item = &'a str> {
        let pointers = usize::try_from(self.pointers).unwrap_or(0);
        self.tags.iter().flat_map(move |(key, value)| [key, value].into_iter().take(pointers))
    }

    /// Words of all pointers.
    const fn element_words(&self) -> u64 {
        self.count.saturating_mul(self.pointers)
    }

    /// Words of the list with what it points at.
    fn words(&self) -> u64 {
        let texts = self.texts().map(text_words).sum::<u64>();
        self.element_words().saturating_add(texts).saturating_add(1)
    }

    fn pointer(&self, offset: u64) -> u64 {
        structs_pointer(offset, self.element_words())
    }

    fn write(&self, to: &mut impl Words) {
        to.word(struct_pointer(self.count, 0, self.pointers));
        // Words between a pointer and the next text to be pointed at.
        let mut offset = self.element_words();
        for text in self.texts() {
            offset = offset.saturating_sub(1);
            let words = text_words(text);
            to.word(if words == 0 { 0 } else { bytes_pointer(offset, terminated_len(text)) });
            offset = offset.saturating_add(words);
        }
        for text in self.texts().filter(|text| !text.is_empty()) {
            // The zero that ends a text is there in what is missing from its last word.
            let (words, rest) = text.as_bytes().as_chunks::<8>();
            let mut last = [0; 8];
            for (to, from) in last.iter_mut().zip(rest) {
                *to = *from;
            }
            words.iter().chain([&last]).for_each(|word| to.word(u64::from_le_bytes(*word)));
        }
    }
}

/// Bytes of a text with the zero that ends it.
const fn terminated_len(text: &str) -> u64 {
    (text.len() as u64).saturating_add(1)
}

/// Words of a text; none if it is empty, because then nothing points at it.
const fn text_words(text: &str) -> u64 {
    if text.is_empty() { 0 } else { terminated_len(text).div_ceil(8) }
}
