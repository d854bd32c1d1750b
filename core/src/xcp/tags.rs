//! The key-value pairs of a header, in one bounded buffer.

use core::fmt;

use heapless::Vec;

/// Bytes that the tags of one header take at most: their texts, and 4 more for each.
pub const TAG_BYTES: usize = 512;

/// Pairs of a key and a value, in their order; keys may repeat.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Tags {
    /// Per tag: length of the key and of the value, two little-endian `u16`, then both texts, UTF-8.
    bytes: Vec<u8, TAG_BYTES>,
}

/// A tag has no room beside the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the tags of a header take more than {TAG_BYTES} bytes: a tag of {key_len} and {value_len} bytes has no room"
)]
pub struct TagsFull {
    /// Bytes of its key.
    pub key_len: usize,
    /// Bytes of its value.
    pub value_len: usize,
}

impl Tags {
    /// The tag with the id of a trace: spans of `tracing` carry it.
    pub const TRACE_ID: &str = "trace_id";
    /// The tag that asks for an ACK, with value `1`.
    pub const ACK: &str = "ack";
    /// The tag that names the media type of a body that cannot.
    pub const MEDIA_TYPE: &str = "media_type";

    /// No tags.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: Vec::new() }
    }

    /// Adds a tag behind the others.
    ///
    /// # Errors
    /// [`TagsFull`] if there is no room; nothing is changed then.
    pub fn push(&mut self, key: &str, value: &str) -> Result<(), TagsFull> {
        let full = TagsFull { key_len: key.len(), value_len: value.len() };
        let lens = (u16::try_from(key.len()), u16::try_from(value.len()));
        let (Ok(key_len), Ok(value_len)) = lens else { return Err(full) };
        let room = TAG_BYTES.saturating_sub(self.bytes.len());
        if key.len().saturating_add(value.len()).saturating_add(4) > room {
            return Err(full);
        }
        for part in [&key_len.to_le_bytes()[..], &value_len.to_le_bytes(), key.as_bytes(), value.as_bytes()] {
            self.bytes.extend_from_slice(part).map_err(|_| full)?;
        }
        Ok(())
    }

    /// Every tag, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut rest = self.bytes.as_slice();
        core::iter::from_fn(move || {
            let (lens, texts) = rest.split_first_chunk::<4>()?;
            let key_len = usize::from(u16::from_le_bytes([lens[0], lens[1]]));
            let value_len = usize::from(u16::from_le_bytes([lens[2], lens[3]]));
            let (key, texts) = texts.split_at_checked(key_len)?;
            let (value, others) = texts.split_at_checked(value_len)?;
            rest = others;
            Some((core::str::from_utf8(key).ok()?, core::str::from_utf8(value).ok()?))
        })
    }

    /// The value of the first tag with this key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find(|(each, _)| *each == key).map(|(_, value)| value)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.iter().count()
    }
}

impl fmt::Debug for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::vec::Vec;

    use super::*;

    #[test]
    fn tags_keep_their_order_and_say_when_there_is_no_room() {
        let mut tags = Tags::new();
        tags.push("trace_id", "ä").unwrap();
        tags.push("", "").unwrap();
        tags.push("trace_id", "b").unwrap();
        assert_eq!(tags.iter().collect::<Vec<_>>(), [("trace_id", "ä"), ("", ""), ("trace_id", "b")]);
        assert_eq!(tags.get("trace_id"), Some("ä"));
        assert_eq!(tags.get("none"), None);
        let long = "x".repeat(TAG_BYTES);
        assert_eq!(tags.push("k", &long), Err(TagsFull { key_len: 1, value_len: TAG_BYTES }));
        assert_eq!(tags.len(), 3);
        let last = TAG_BYTES - tags.bytes.len() - 4;
        tags.push(&"x".repeat(last), "").unwrap();
        assert_eq!(tags.push("", ""), Err(TagsFull { key_len: 0, value_len: 0 }));
    }
}
