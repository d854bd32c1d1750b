//! What a pointer points at: structs, bytes and lists of structs, near, far or by way of a landing pad.
//!
//! Nothing here calls itself: what a header says lies at most three pointers deep, and other pointers are not followed.
//! What is read is counted, so that many pointers to the same words cost what they cost.

use super::super::HeaderError;
use super::WORD_LIMIT;
use super::segments::{Segment, Segments};

/// Kinds of pointers: their lowest two bits.
const STRUCT: u32 = 0;
const LIST: u32 = 1;
const FAR: u32 = 2;

/// Sizes of a list's elements. Those not named are 2, 4 and 8 bytes.
const VOID: u32 = 0;
const BITS: u32 = 1;
const BYTES: u32 = 2;
const POINTERS: u32 = 6;
const COMPOSITE: u32 = 7;

/// Points at a struct of no words: it is said to be where the pointer is, because an offset of 0 would be null.
pub(super) const EMPTY_STRUCT: u64 = 0xFFFF_FFFC;

/// Points at a struct `offset` words behind the pointer. As the tag of a list: `offset` of them follow.
pub(super) const fn struct_pointer(offset: u64, data: u64, pointers: u64) -> u64 {
    (STRUCT as u64) | offset << 2 | data << 32 | pointers << 48
}

/// Points at `len` bytes, `offset` words behind the pointer.
pub(super) const fn bytes_pointer(offset: u64, len: u64) -> u64 {
    (LIST as u64) | offset << 2 | (BYTES as u64) << 32 | len << 35
}

/// Points at the tag of a list of structs that take `words` words, `offset` words behind the pointer.
pub(super) const fn structs_pointer(offset: u64, words: u64) -> u64 {
    (LIST as u64) | offset << 2 | (COMPOSITE as u64) << 32 | words << 35
}

/// A pointer that is not null, and where it stands.
#[derive(Clone, Copy)]
pub(super) struct Pointer<'a> {
    segment: Segment<'a>,
    index: i64,
    low: u32,
    high: u32,
}

impl<'a> Pointer<'a> {
    const fn new(segment: Segment<'a>, index: i64, word: [u8; 8]) -> Self {
        let [a, b, c, d, e, f, g, h] = word;
        Self { segment, index, low: u32::from_le_bytes([a, b, c, d]), high: u32::from_le_bytes([e, f, g, h]) }
    }

    const fn kind(&self) -> u32 {
        self.low & 3
    }

    /// The first word of what it points at, if that is near.
    fn target(&self) -> i64 {
        let offset = i64::from(self.low.cast_signed() >> 2);
        self.index.saturating_add(1).saturating_add(offset)
    }

    /// Words of a struct's data, and of its pointers.
    const fn struct_words(&self) -> (u32, u32) {
        (self.high & 0xFFFF, self.high >> 16)
    }

    /// Size of a list's elements, and how many there are.
    const fn elements(&self) -> (u32, u32) {
        (self.high & 7, self.high >> 3)
    }

    pub(super) fn malformed(&self, what: &'static str) -> HeaderError {
        HeaderError::Malformed { what, at: self.segment.offset(self.index) }
    }
}

/// Where an object begins, and the pointer or landing pad that says what it is.
struct Target<'a> {
    segment: Segment<'a>,
    start: i64,
    pointer: Pointer<'a>,
}

/// A struct: words of data, then pointers.
#[derive(Clone, Copy)]
pub(super) struct Struct<'a> {
    data: &'a [[u8; 8]],
    pointers: &'a [[u8; 8]],
    segment: Segment<'a>,
    /// Index of the first pointer in the segment.
    first: i64,
}

impl<'a> Struct<'a> {
    /// A word of data; zero, which is every field's default, if the struct does not have it.
    pub(super) fn word(&self, index: usize) -> [u8; 8] {
        self.data.get(index).copied().unwrap_or_default()
    }

    /// A pointer, unless it is null or the struct does not have it.
    pub(super) fn pointer(&self, index: usize) -> Option<Pointer<'a>> {
        let word = self.pointers.get(index).filter(|word| **word != [0; 8])?;
        let index = self.first.saturating_add(i64::try_from(index).ok()?);
        Some(Pointer::new(self.segment, index, *word))
    }
}

/// A list of structs.
pub(super) struct Structs<'a> {
    words: &'a [[u8; 8]],
    segment: Segment<'a>,
    /// Index of the first word in the segment.
    first: i64,
    count: u32,
    /// Words of each.
    data: usize,
    pointers: usize,
}

impl<'a> Structs<'a> {
    /// Each of them, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Struct<'a>> {
        let Self { segment, count, data, .. } = *self;
        let len = data.saturating_add(self.pointers);
        let (mut rest, mut first) = (self.words, self.first);
        (0..count).map_while(move |_| {
            let (element, others) = rest.split_at_checked(len)?;
            let (data, pointers) = element.split_at_checked(data)?;
            let pointers_at = first.saturating_add(i64::try_from(data.len()).ok()?);
            first = first.saturating_add(i64::try_from(len).ok()?);
            rest = others;
            Some(Struct { data, pointers, segment, first: pointers_at })
        })
    }
}

/// A message that is being read, and how much of it still may be.
pub(super) struct Message<'a> {
    segments: Segments<'a>,
    left: u64,
}

impl<'a> Message<'a> {
    pub(super) fn try_new(bytes: &'a [u8]) -> Result<Self, HeaderError> {
        Ok(Self { segments: Segments::try_new(bytes)?, left: WORD_LIMIT })
    }

    /// The root; `None` if it is null.
    pub(super) fn root(&mut self) -> Result<Option<Struct<'a>>, HeaderError> {
        let segment = self.segments.segment(0)?;
        let word = segment.word(0)?;
        if word == [0; 8] {
            return Ok(None);
        }
        self.read_struct(Pointer::new(segment, 0, word)).map(Some)
    }

    pub(super) fn read_struct(&mut self, pointer: Pointer<'a>) -> Result<Struct<'a>, HeaderError> {
        let Target { segment, start, pointer } = self.resolve(pointer)?;
        if pointer.kind() != STRUCT {
            return Err(pointer.malformed("no pointer to a struct, where one is expected"));
        }
        let (data, pointers) = pointer.struct_words();
        let len = u64::from(data).saturating_add(u64::from(pointers));
        let words = segment.words(start, len)?;
        self.spend(len)?;
        let first = start.saturating_add(i64::from(data));
        let data = usize::try_from(data).unwrap_or(usize::MAX);
        let (data, pointers) = words.split_at_checked(data).unwrap_or((words, &[]));
        Ok(Struct { data, pointers, segment, first })
    }

    /// What a list of bytes says: data, and texts with the zero at their end.
    pub(super) fn read_bytes(&mut self, pointer: Pointer<'a>) -> Result<&'a [u8], HeaderError> {
        let Target { segment, start, pointer } = self.resolve(pointer)?;
        let (BYTES, count) = pointer.elements() else {
            return Err(pointer.malformed("no pointer to bytes, where one is expected"));
        };
        if pointer.kind() != LIST {
            return Err(pointer.malformed("no pointer to a list, where one is expected"));
        }
        let len = u64::from(count).div_ceil(8);
        let bytes = segment.words(start, len)?.as_flattened();
        self.spend(len)?;
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        Ok(bytes.get(..count).unwrap_or(bytes))
    }

    /// Reads a list of structs. Any list but that of bits is one: a reader may know fields that its writer did not.
    pub(super) fn read_structs(&mut self, pointer: Pointer<'a>) -> Result<Structs<'a>, HeaderError> {
        let Target { segment, start, pointer } = self.resolve(pointer)?;
        if pointer.kind() != LIST {
            return Err(pointer.malformed("no pointer to a list, where one is expected"));
        }
        let none = Structs { words: &[], segment, first: start, count: 0, data: 0, pointers: 0 };
        match pointer.elements() {
            (BITS, _) => Err(pointer.malformed("a list of bits, where one of structs is expected")),
            (COMPOSITE, words) => self.read_composite(segment, start, words),
            (POINTERS, count) => {
                let words = segment.words(start, u64::from(count))?;
                self.spend(u64::from(count))?;
                Ok(Structs { words, count, pointers: 1, ..none })
            }
            // Data and no pointers: a tag has no field there, only an existence.
            (size, count) => {
                let bits = if size == VOID { 0 } else { 2_u64.wrapping_shl(size) };
                let words = u64::from(count).saturating_mul(bits).div_ceil(64);
                segment.words(start, words)?;
                self.spend(u64::from(count))?;
                Ok(Structs { count, ..none })
            }
        }
    }

    fn read_composite(
        &mut self,
        segment: Segment<'a>,
        start: i64,
        words: u32,
    ) -> Result<Structs<'a>, HeaderError> {
        let tag = Pointer::new(segment, start, segment.word(start)?);
        if tag.kind() != STRUCT {
            return Err(tag.malformed("the tag of a list of structs is none of a struct"));
        }
        let first = start.saturating_add(1);
        let all = segment.words(first, u64::from(words))?;
        let (data, pointers) = tag.struct_words();
        let len = u64::from(data).saturating_add(u64::from(pointers));
        // Where a pointer has an offset, the tag has a count.
        let count = tag.low >> 2;
        if u64::from(count).saturating_mul(len) > u64::from(words) {
            return Err(tag.malformed("a list of structs is shorter than its elements"));
        }
        // An element of no words costs one too: any number of them fits into a list.
        self.spend(u64::from(words).max(u64::from(count)))?;
        let width = |words| usize::try_from(words).unwrap_or(usize::MAX);
        Ok(Structs { words: all, segment, first, count, data: width(data), pointers: width(pointers) })
    }

    /// Follows a pointer to what it points at.
    fn resolve(&mut self, pointer: Pointer<'a>) -> Result<Target<'a>, HeaderError> {
        if pointer.kind() != FAR {
            return Ok(Target { segment: pointer.segment, start: pointer.target(), pointer });
        }
        let (pad_segment, index) = self.far(&pointer)?;
        let pad = Pointer::new(pad_segment, index, pad_segment.word(index)?);
        self.spend(1)?;
        let is_double = pointer.low & 4 != 0;
        match (is_double, pad.kind()) {
            (false, FAR) => Err(pad.malformed("a landing pad that leads on")),
            (false, _) => Ok(Target { segment: pad_segment, start: pad.target(), pointer: pad }),
            (true, FAR) if pad.low & 4 == 0 => {
                let (segment, start) = self.far(&pad)?;
                let index = index.saturating_add(1);
                let tag = Pointer::new(pad_segment, index, pad_segment.word(index)?);
                self.spend(1)?;
                Ok(Target { segment, start, pointer: tag })
            }
            (true, _) => Err(pad.malformed("a landing pad of two words that leads nowhere")),
        }
    }

    /// Segment and word that a far pointer names.
    fn far(&self, pointer: &Pointer<'a>) -> Result<(Segment<'a>, i64), HeaderError> {
        Ok((self.segments.segment(pointer.high)?, i64::from(pointer.low >> 3)))
    }

    fn spend(&mut self, words: u64) -> Result<(), HeaderError> {
        let left = self.left;
        let too_much = HeaderError::TooMuch { words, left, limit: WORD_LIMIT };
        self.left = left.checked_sub(words).ok_or(too_much)?;
        Ok(())
    }
}
