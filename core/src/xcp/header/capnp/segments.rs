//! Where a segment of a message and its words are: the table in front of them, and bounds.

use super::super::HeaderError;
use super::SEGMENT_LIMIT;

/// A message whose table agrees with its bytes.
#[derive(Clone, Copy)]
pub(super) struct Segments<'a> {
    /// Words of each segment, `u32`.
    table: &'a [[u8; 4]],
    /// All segments.
    bytes: &'a [u8],
    /// Bytes in front of them.
    base: usize,
}

/// A segment of a message: whole words.
#[derive(Clone, Copy)]
pub(super) struct Segment<'a> {
    id: u32,
    words: &'a [[u8; 8]],
    /// Bytes of the message in front of it.
    base: usize,
}

impl<'a> Segments<'a> {
    /// The segments of the message that fills `bytes`.
    pub(super) fn try_new(bytes: &'a [u8]) -> Result<Self, HeaderError> {
        let malformed = |what, at| HeaderError::Malformed { what, at };
        let cut = malformed("the table of segments has no end", bytes.len());
        let (first, rest) = bytes.split_first_chunk::<4>().ok_or(cut)?;
        let count = u64::from(u32::from_le_bytes(*first)).saturating_add(1);
        let limit = SEGMENT_LIMIT as u64;
        let too_many = HeaderError::TooManySegments { segments: count, limit };
        let count = usize::try_from(count).ok().filter(|count| *count <= SEGMENT_LIMIT).ok_or(too_many)?;

        let (words, _) = rest.as_chunks::<4>();
        let table = words.get(..count).ok_or(cut)?;
        // The count, the table, and 4 bytes more where the segments would not begin at a whole word.
        let base = count.saturating_add(1).next_multiple_of(2).saturating_mul(4);
        let segments = bytes.get(base..).ok_or(cut)?;
        let sum = table.iter().map(words_of).sum::<u64>().saturating_mul(8);
        match sum.cmp(&(segments.len() as u64)) {
            core::cmp::Ordering::Less => {
                let at = base.saturating_add(usize::try_from(sum).unwrap_or(usize::MAX));
                Err(malformed("bytes behind the last segment", at))
            }
            core::cmp::Ordering::Greater => Err(malformed("the last segment has no end", bytes.len())),
            core::cmp::Ordering::Equal => Ok(Self { table, bytes: segments, base }),
        }
    }

    /// The segment with this number.
    pub(super) fn segment(&self, id: u32) -> Result<Segment<'a>, HeaderError> {
        let segments = u32::try_from(self.table.len()).unwrap_or(u32::MAX);
        let missing = HeaderError::NoSegment { segment: id, segments };
        let index = usize::try_from(id).map_err(|_| missing)?;
        let (before, rest) = self.table.split_at_checked(index).ok_or(missing)?;
        let len = rest.first().ok_or(missing)?;
        let start = before.iter().map(words_of).sum::<u64>();
        // The sum of all lengths is that of the bytes: checked in `try_new`.
        let (words, _) = self.bytes.as_chunks::<8>();
        let start = usize::try_from(start).map_err(|_| missing)?;
        let len = usize::try_from(words_of(len)).map_err(|_| missing)?;
        let words = words.get(start..).and_then(|words| words.get(..len)).ok_or(missing)?;
        Ok(Segment { id, words, base: self.base.saturating_add(start.saturating_mul(8)) })
    }
}

fn words_of(entry: &[u8; 4]) -> u64 {
    u64::from(u32::from_le_bytes(*entry))
}

impl<'a> Segment<'a> {
    /// `words` words from word `start` on. Also none of them must be asked for inside of the segment, or at its end.
    pub(super) fn words(&self, start: i64, words: u64) -> Result<&'a [[u8; 8]], HeaderError> {
        let len = self.words.len() as u64;
        let outside = HeaderError::OutOfBounds { segment: self.id, start, words, len };
        let from = usize::try_from(start).map_err(|_| outside)?;
        let words = usize::try_from(words).map_err(|_| outside)?;
        self.words.get(from..).and_then(|rest| rest.get(..words)).ok_or(outside)
    }

    /// The word at `index`.
    pub(super) fn word(&self, index: i64) -> Result<[u8; 8], HeaderError> {
        let word = self.words(index, 1)?;
        Ok(word.first().copied().unwrap_or_default())
    }

    /// The bytes of the message in front of the word at `index`, for errors.
    pub(super) fn offset(&self, index: i64) -> usize {
        let bytes = usize::try_from(index).unwrap_or(0).saturating_mul(8);
        self.base.saturating_add(bytes)
    }
}
