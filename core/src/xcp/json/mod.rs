//! JSON on one page: what is read strictly, what is tolerated, and what is written.
//!
//! | | read | written |
//! |---|---|---|
//! | nesting | up to [`MAX_DEPTH`] | as deep as the messages are |
//! | integers | exact from 0 to 2^64 - 1; others where they are skipped | the same |
//! | floats, `NaN`, `Infinity` | where they are skipped | never |
//! | strings | UTF-8; escaped halves of a surrogate pair become U+FFFD | ASCII, all else escaped |
//! | the same key twice | the last wins | never |
//! | `null` | as if the key were not there | never |
//!
//! Everything else is as in RFC 8259: no comments, no commas in excess, no control characters in strings. The Python
//! implementation writes the tokens for what is no number, and reads them.
//!
//! | file | question it answers |
//! |---|---|
//! | `reader` | what stands where |
//! | `text` | what a string says |
//! | `writer` | how a value is written |
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod reader;
#[cfg(all(test, not(loom)))]
mod tests;
mod text;
mod writer;

pub(in crate::xcp) use reader::Reader;
pub(in crate::xcp) use text::{Text, cut};
pub(in crate::xcp) use writer::Writer;

/// Objects and arrays inside each other at most.
pub(super) const MAX_DEPTH: u32 = 32;

/// A text is not JSON as it is read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("JSON at byte {at}: {what}")]
pub struct JsonError {
    /// Offset of what is wrong, bytes.
    pub at: usize,
    /// What is wrong.
    pub what: JsonFault,
}

/// What is wrong with a JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonFault {
    /// There is nothing, or the text ends inside a value.
    #[error("the text ends where {wanted} must stand")]
    Ends {
        /// What must stand there.
        wanted: &'static str,
    },
    /// Something else stands there.
    #[error("byte {found:#04x} stands where {wanted} must stand")]
    Unexpected {
        /// The byte that stands there.
        found: u8,
        /// What must stand there.
        wanted: &'static str,
    },
    /// Objects and arrays are nested too deep.
    #[error("objects and arrays are nested deeper than {limit}")]
    TooDeep {
        /// How deep they may be.
        limit: u32,
    },
    /// A control character stands in a string as it is.
    #[error("control character {found:#04x} stands in a string")]
    Control {
        /// The character.
        found: u8,
    },
    /// A string is not UTF-8.
    #[error("a string is not UTF-8")]
    NotUtf8,
    /// A number has a zero in front.
    #[error("a number begins with 0 and goes on")]
    LeadingZero,
}
