//! How is Protobuf read and written, as far as control messages need it?
//!
//! A message is fields one after another: a varint `number << 3 | wire type`, then a varint (type 0), 8 bytes (1), a
//! varint length and as many bytes (2), or 4 bytes (5). Types 3 and 4 are the groups of an earlier version; nothing
//! here has any, so they are refused rather than searched for their end.
//!
//! Source: the documentation of Protocol Buffers, "Encoding".
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::{ControlError, narrow};
use crate::xcp::sink::{NoRoom, Sink};

const VARINT: u64 = 0;
const EIGHT_BYTES: u64 = 1;
const BYTES: u64 = 2;
const FOUR_BYTES: u64 = 5;

/// Bytes are not a Protobuf message as it is read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Protobuf at byte {at}: {what}")]
pub struct ProtobufError {
    /// Offset of what is wrong in the body, bytes.
    pub at: usize,
    /// What is wrong.
    pub what: ProtobufFault,
}

/// What is wrong with a Protobuf message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtobufFault {
    /// The message ends inside a field.
    #[error("{wanted} bytes are to come and {left} are left")]
    Ends {
        /// Bytes that are to come.
        wanted: u64,
        /// Bytes that are left.
        left: usize,
    },
    /// A number has more than 64 bits.
    #[error("a number has more than 64 bits")]
    Varint,
    /// A field has a number that none can have.
    #[error("a field has the number {found}")]
    FieldNumber {
        /// The number.
        found: u64,
    },
    /// A field is of a type that is not read.
    #[error("field {field} is of wire type {found}")]
    WireType {
        /// The field.
        field: u32,
        /// Its type.
        found: u64,
    },
}

/// One field.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'a> {
    pub(super) number: u32,
    at: usize,
    value: Value<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Value<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    /// 4 or 8 bytes: no field of a control message.
    Fixed,
}

impl<'a> Field<'a> {
    /// Where its value stands: offset in the body, bytes.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// The number that this is, of at most `most`.
    pub(super) fn number<T>(&self, what: &'static str, most: T) -> Result<T, ControlError>
    where
        T: TryFrom<u64> + Into<u64>,
    {
        match self.value {
            Value::Varint(found) => narrow(what, found, most),
            _ => Err(ControlError::Malformed { what, at: self.at }),
        }
    }

    /// The bytes that this is.
    pub(super) fn bytes(&self, what: &'static str) -> Result<&'a [u8], ControlError> {
        match self.value {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(ControlError::Malformed { what, at: self.at }),
        }
    }

    /// The text that this is.
    pub(super) fn text(&self, what: &'static str) -> Result<&'a str, ControlError> {
        core::str::from_utf8(self.bytes(what)?).map_err(|_| ControlError::Malformed { what, at: self.at })
    }

    /// The fields of the message that this is.
    pub(super) fn fields(&self, what: &'static str) -> Result<Fields<'a>, ControlError> {
        Ok(Fields::new(self.bytes(what)?, self.at))
    }

    /// Calls `each` with every number of a list: one after another in one field, or one per field.
    pub(super) fn numbers<T>(
        &self,
        what: &'static str,
        most: T,
        mut each: impl FnMut(T),
    ) -> Result<(), ControlError>
    where
        T: TryFrom<u64> + Into<u64> + Copy,
    {
        let Value::Bytes(packed) = self.value else {
            each(self.number(what, most)?);
            return Ok(());
        };
        let mut fields = Fields::new(packed, self.at);
        // Every turn takes a byte at least.
        while !fields.rest.is_empty() {
            each(narrow(what, fields.varint()?, most)?);
        }
        Ok(())
    }
}

/// The fields of a message, in their order.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
    /// Where `rest` begins: offset in the body, bytes.
    at: usize,
}

impl<'a> Fields<'a> {
    /// The fields of the message that `bytes` are, which stand at offset `at` of the body.
    pub(super) const fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { rest: bytes, at }
    }

    /// Where the next field stands: offset in the body, bytes.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// The next field.
    pub(super) fn next(&mut self) -> Result<Option<Field<'a>>, ProtobufError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let start = self.at;
        let key = self.varint()?;
        let number = u32::try_from(key >> 3).ok().filter(|number| (1..1 << 29).contains(number));
        let Some(number) = number else {
            return Err(ProtobufError { at: start, what: ProtobufFault::FieldNumber { found: key >> 3 } });
        };
        let at = self.at;
        let value = match key & 7 {
            VARINT => Value::Varint(self.varint()?),
            EIGHT_BYTES => self.bytes(8).map(|_| Value::Fixed)?,
            FOUR_BYTES => self.bytes(4).map(|_| Value::Fixed)?,
            BYTES => {
                let len = self.varint()?;
                let at = self.at;
                return Ok(Some(Field { number, at, value: Value::Bytes(self.bytes(len)?) }));
            }
            found => {
                let what = ProtobufFault::WireType { field: number, found };
                return Err(ProtobufError { at: start, what });
            }
        };
        Ok(Some(Field { number, at, value }))
    }

    fn bytes(&mut self, len: u64) -> Result<&'a [u8], ProtobufError> {
        let split = usize::try_from(len).ok().and_then(|len| self.rest.split_at_checked(len));
        let Some((bytes, rest)) = split else {
            let what = ProtobufFault::Ends { wanted: len, left: self.rest.len() };
            return Err(ProtobufError { at: self.at, what });
        };
        self.rest = rest;
        self.at = self.at.saturating_add(bytes.len());
        Ok(bytes)
    }

    fn varint(&mut self) -> Result<u64, ProtobufError> {
        let start = self.at;
        let mut value = 0_u64;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.bytes(1)?.iter().fold(0, |_, byte| *byte);
            let part = u64::from(byte & 0x7F);
            let moved = part.wrapping_shl(shift);
            if moved.wrapping_shr(shift) != part {
                break;
            }
            value |= moved;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(ProtobufError { at: start, what: ProtobufFault::Varint })
    }
}

/// Writes fields one after another.
#[derive(Debug)]
pub(super) struct Message<'a> {
    sink: Sink<'a>,
}

impl<'a> Message<'a> {
    /// Writes from the start of `out`.
    pub(super) fn new(out: &'a mut [u8]) -> Self {
        Self { sink: Sink::new(out) }
    }

    /// How many bytes were written.
    ///
    /// # Errors
    /// [`NoRoom`] if they are more than the slice has.
    pub(super) fn finish(self) -> Result<usize, NoRoom> {
        self.sink.finish()
    }

    /// A number; 0 is said by leaving it out.
    pub(super) fn number(&mut self, field: u32, value: impl Into<u64>) {
        let value = value.into();
        if value != 0 {
            self.number_always(field, value);
        }
    }

    /// A number whose absence does not mean 0.
    pub(super) fn number_always(&mut self, field: u32, value: impl Into<u64>) {
        self.varint(u64::from(field) << 3 | VARINT);
        self.varint(value.into());
    }

    /// Bytes, of a text or as they are.
    pub(super) fn bytes(&mut self, field: u32, bytes: &[u8]) {
        self.nested(field, |message| message.raw().push(bytes));
    }

    /// What `write` writes, behind its length: it is called twice and does the same both times.
    pub(super) fn nested(&mut self, field: u32, write: impl Fn(&mut Message<'_>)) {
        let mut counted = Message::new(&mut []);
        write(&mut counted);
        self.varint(u64::from(field) << 3 | BYTES);
        // No slice is longer than 64 bits can say.
        self.varint(u64::try_from(counted.sink.needed()).unwrap_or(u64::MAX));
        write(self);
    }

    /// A number without its field, as in a list.
    pub(super) fn varint(&mut self, value: u64) {
        let mut rest = value;
        // At most nine turns: seven bits each.
        while rest >= 0x80 {
            self.sink.push(&[rest.to_le_bytes()[0] | 0x80]);
            rest >>= 7;
        }
        self.sink.push(&[rest.to_le_bytes()[0]]);
    }

    /// Where bytes without a field go.
    pub(super) const fn raw(&mut self) -> &mut Sink<'a> {
        &mut self.sink
    }
}
