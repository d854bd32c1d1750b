//! Which kinds of messages does a side take or send?
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use heapless::Vec;

use super::protobuf::{Field, Message};
use super::{ControlError, read_number};
use crate::xcp::header::SchemaKey;
use crate::xcp::json::{Reader, Writer};
use crate::xcp::numbers::KindId;

/// Kinds in a list at most. A list that is cut would say that a side takes less than it does, so more are an error.
pub const KINDS: usize = 16;

/// One kind of messages, in one major version and a range of minor ones.
///
/// | JSON | Protobuf field |
/// |---|---|
/// | `kind_id` | 1 |
/// | `major` | 2 |
/// | `min_minor` | 3 |
/// | `max_minor` | 4 |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct KindRange {
    /// The kind, by the hash of its name: see [`KindId`].
    pub kind_id: u32,
    /// The major version.
    pub major: u16,
    /// The lowest minor version.
    pub min_minor: u16,
    /// The highest minor version.
    pub max_minor: u16,
}

impl KindRange {
    /// Whether a message that follows this schema is one of them. Both numbers that a kind may have mean it.
    pub fn contains(&self, schema: &SchemaKey) -> bool {
        schema.kind() == KindId::from_wire(self.kind_id)
            && schema.major == self.major
            && (self.min_minor..=self.max_minor).contains(&schema.minor)
    }

    pub(super) fn write_json(&self, json: &mut Writer<'_>) {
        json.object(|json| {
            json.key("kind_id").number(self.kind_id);
            json.key("major").number(self.major);
            json.key("min_minor").number(self.min_minor);
            json.key("max_minor").number(self.max_minor);
        });
    }

    pub(super) fn write_protobuf(&self, message: &mut Message<'_>) {
        message.number(1, self.kind_id);
        message.number(2, self.major);
        message.number(3, self.min_minor);
        message.number(4, self.max_minor);
    }

    fn read_json(json: &mut Reader<'_>, what: &'static str) -> Result<Self, ControlError> {
        let mut range = Self::default();
        let at = json.at();
        let is_object = json.fields(|json, key| {
            match key {
                "kind_id" => range.kind_id = read_number(json, "kind_id", u32::MAX)?,
                "major" => range.major = read_number(json, "major", u16::MAX)?,
                "min_minor" => range.min_minor = read_number(json, "min_minor", u16::MAX)?,
                "max_minor" => range.max_minor = read_number(json, "max_minor", u16::MAX)?,
                _ => json.skip()?,
            }
            Ok::<_, ControlError>(())
        })?;
        if is_object { Ok(range) } else { Err(ControlError::Malformed { what, at }) }
    }

    fn read_protobuf(field: &Field<'_>, what: &'static str) -> Result<Self, ControlError> {
        let mut range = Self::default();
        let mut fields = field.fields(what)?;
        while let Some(field) = fields.next()? {
            match field.number {
                1 => range.kind_id = field.number("kind_id", u32::MAX)?,
                2 => range.major = field.number("major", u16::MAX)?,
                3 => range.min_minor = field.number("min_minor", u16::MAX)?,
                4 => range.max_minor = field.number("max_minor", u16::MAX)?,
                _ => {}
            }
        }
        Ok(range)
    }
}

/// A list of kinds as it comes: those that have room, and how many there were.
#[derive(Debug)]
pub(super) struct Kinds {
    what: &'static str,
    list: Vec<KindRange, KINDS>,
    count: usize,
}

impl Kinds {
    /// An empty list with a name for errors.
    pub(super) const fn new(what: &'static str) -> Self {
        Self { what, list: Vec::new(), count: 0 }
    }

    /// Reads a JSON list.
    pub(super) fn read_json(
        json: &mut Reader<'_>,
        what: &'static str,
    ) -> Result<Vec<KindRange, KINDS>, ControlError> {
        let mut kinds = Self::new(what);
        let at = json.at();
        let is_array = json.items(|json| {
            kinds.push(KindRange::read_json(json, what)?);
            Ok::<_, ControlError>(())
        })?;
        if is_array { kinds.finish() } else { Err(ControlError::Malformed { what, at }) }
    }

    /// Reads one more kind, from a field.
    pub(super) fn read_protobuf(&mut self, field: &Field<'_>) -> Result<(), ControlError> {
        self.push(KindRange::read_protobuf(field, self.what)?);
        Ok(())
    }

    /// The whole list.
    pub(super) fn finish(self) -> Result<Vec<KindRange, KINDS>, ControlError> {
        let Self { what, list, count } = self;
        if count > KINDS { Err(ControlError::TooMany { what, count, most: KINDS }) } else { Ok(list) }
    }

    fn push(&mut self, range: KindRange) {
        self.count = self.count.saturating_add(1);
        // Those without room are counted: `finish` tells of them.
        let _ = self.list.push(range);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_range_takes_its_kind_by_either_number_and_no_other_version() {
        let range = KindRange { kind_id: 0x6EA7_E21B, major: 2, min_minor: 1, max_minor: 3 };
        let schema = |kind_id, major, minor| SchemaKey { kind_id, major, minor, ..SchemaKey::default() };
        for minor in 1..=3 {
            assert!(range.contains(&schema(KindId::TEXT.0, 2, minor)));
            assert!(range.contains(&schema(0x6EA7_E21B, 2, minor)));
        }
        for (kind, major, minor) in
            [(KindId::TOKENS.0, 2, 2), (KindId::TEXT.0, 1, 2), (KindId::TEXT.0, 2, 0), (KindId::TEXT.0, 2, 4)]
        {
            assert!(!range.contains(&schema(kind, major, minor)));
        }
        let nothing = KindRange { min_minor: 4, ..range };
        assert!((0..10).all(|minor| !nothing.contains(&schema(KindId::TEXT.0, 2, minor))));
    }
}
