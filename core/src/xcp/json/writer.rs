//! How is a value written? Compact and in ASCII, as Python's `json.dumps` does with `separators=(",", ":")`.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use crate::xcp::sink::{NoRoom, Sink};

/// Writes values one after another, commas where they belong. Whoever writes closes what it has opened.
#[derive(Debug)]
pub(in crate::xcp) struct Writer<'a> {
    sink: Sink<'a>,
    /// A value stands in front of the next one.
    follows: bool,
}

impl<'a> Writer<'a> {
    /// Writes from the start of `out`.
    pub(in crate::xcp) fn new(out: &'a mut [u8]) -> Self {
        Self { sink: Sink::new(out), follows: false }
    }

    /// How many bytes were written.
    ///
    /// # Errors
    /// [`NoRoom`] if they are more than the slice has.
    pub(in crate::xcp) fn finish(self) -> Result<usize, NoRoom> {
        self.sink.finish()
    }

    /// An object: `fields` writes keys, and a value behind each.
    pub(in crate::xcp) fn object(&mut self, fields: impl FnOnce(&mut Self)) {
        self.nest(b"{", b"}", fields);
    }

    /// An array: `items` writes values.
    pub(in crate::xcp) fn array(&mut self, items: impl FnOnce(&mut Self)) {
        self.nest(b"[", b"]", items);
    }

    /// The key of the next value.
    pub(in crate::xcp) fn key(&mut self, key: &str) -> &mut Self {
        self.string(key);
        self.sink.push(b":");
        self.follows = false;
        self
    }

    /// A number.
    pub(in crate::xcp) fn number(&mut self, value: impl Into<u64>) {
        self.separate();
        self.sink.decimal(value.into());
    }

    /// `true` or `false`.
    pub(in crate::xcp) fn boolean(&mut self, value: bool) {
        self.separate();
        self.sink.push(if value { b"true" } else { b"false" });
    }

    /// A string.
    pub(in crate::xcp) fn string(&mut self, text: &str) {
        self.quoted(|sink| text.chars().for_each(|each| escape(sink, each)));
    }

    /// A string whose characters `write` writes: printable ASCII without quotes and backslashes.
    pub(in crate::xcp) fn quoted(&mut self, write: impl FnOnce(&mut Sink<'a>)) {
        self.separate();
        self.sink.push(b"\"");
        write(&mut self.sink);
        self.sink.push(b"\"");
    }

    fn nest(&mut self, open: &[u8], close: &[u8], inside: impl FnOnce(&mut Self)) {
        self.separate();
        self.sink.push(open);
        self.follows = false;
        inside(self);
        self.sink.push(close);
        self.follows = true;
    }

    fn separate(&mut self) {
        if core::mem::replace(&mut self.follows, true) {
            self.sink.push(b",");
        }
    }
}

fn escape(sink: &mut Sink<'_>, each: char) {
    let short = match each {
        '"' => "\\\"",
        '\\' => "\\\\",
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        '\u{8}' => "\\b",
        '\u{c}' => "\\f",
        ' '..='~' => return sink.push(each.encode_utf8(&mut [0; 4]).as_bytes()),
        _ => {
            for unit in each.encode_utf16(&mut [0; 2]) {
                sink.push(b"\\u");
                sink.hex(&unit.to_be_bytes());
            }
            return;
        }
    };
    sink.push(short.as_bytes());
}
