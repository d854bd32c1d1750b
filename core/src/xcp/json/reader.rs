//! What stands where in a JSON text? Values are taken one after another, without recursion and without a copy.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use heapless::String;

use super::{JsonError, JsonFault, MAX_DEPTH, Text};

/// No key that means something is longer, bytes.
const KEY_LEN: usize = 24;

/// Tokens that are values as they are. Python writes the last three for floats that are no numbers.
const LITERALS: [&str; 6] = ["true", "false", "null", "NaN", "Infinity", "-Infinity"];

/// Reads one JSON text from front to back.
///
/// What a value is must be asked in the order of the text. A question that the next value does not answer (a number
/// where a string stands) skips that value and says `None` or `false`: what that means is up to who asks. Errors are
/// about the text alone, and end the reading.
#[derive(Debug)]
pub(in crate::xcp) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Objects and arrays entered and not left.
    depth: u32,
    /// An object or array was entered, and nothing read in it.
    fresh: bool,
}

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    pub(in crate::xcp) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, depth: 0, fresh: false }
    }

    /// Offset of the next value, bytes.
    pub(in crate::xcp) fn at(&mut self) -> usize {
        self.peek();
        self.at
    }

    /// Reads an object. `field` is given every key whose value is not `null`, and reads or skips that value. A key that
    /// is longer than any that means something is given as the empty one. Says whether it was an object.
    pub(in crate::xcp) fn fields<E: From<JsonError>>(
        &mut self,
        mut field: impl FnMut(&mut Self, &str) -> Result<(), E>,
    ) -> Result<bool, E> {
        if !self.enter(b'{')? {
            return Ok(false);
        }
        // Every turn takes a key off the text.
        while let Some(key) = self.key()? {
            if !self.null() {
                let key: String<KEY_LEN> = key.whole().unwrap_or_default();
                field(self, &key)?;
            }
        }
        Ok(true)
    }

    /// Reads an array. `item` is called before every value, and reads or skips it. Says whether it was an array.
    pub(in crate::xcp) fn items<E: From<JsonError>>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<bool, E> {
        if !self.enter(b'[')? {
            return Ok(false);
        }
        // Every turn takes a value off the text.
        while self.another(b']')? {
            item(self)?;
        }
        Ok(true)
    }

    /// The next value, if it is an integer from 0 to 2^64 - 1 and written as one.
    pub(in crate::xcp) fn integer(&mut self) -> Result<Option<u64>, JsonError> {
        match self.peek() {
            Some(b'0'..=b'9') => self.number(),
            _ => self.skip().map(|()| None),
        }
    }

    /// The next value, if it is a string.
    pub(in crate::xcp) fn text(&mut self) -> Result<Option<Text<'a>>, JsonError> {
        match self.peek() {
            Some(b'"') => self.string().map(Some),
            _ => self.skip().map(|()| None),
        }
    }

    /// The next value, if it is `true` or `false`.
    pub(in crate::xcp) fn boolean(&mut self) -> Result<Option<bool>, JsonError> {
        match self.peek() {
            _ if self.take("true") => Ok(Some(true)),
            _ if self.take("false") => Ok(Some(false)),
            _ => self.skip().map(|()| None),
        }
    }

    /// Skips the next value, whatever it is.
    pub(in crate::xcp) fn skip(&mut self) -> Result<(), JsonError> {
        let outside = self.depth;
        // A bit for everything entered here, the last one lowest: 1 is an object.
        const { assert!(MAX_DEPTH <= u32::BITS) };
        let mut objects = 0_u32;
        // Every turn takes a value, a bracket or a key off the text.
        loop {
            match self.peek() {
                Some(b'{') => {
                    self.open()?;
                    objects = objects << 1 | 1;
                }
                Some(b'[') => {
                    self.open()?;
                    objects <<= 1;
                }
                Some(b'"') => drop(self.string()?),
                _ => self.scalar()?,
            }
            loop {
                if self.depth == outside {
                    return Ok(());
                }
                let another = if objects & 1 == 1 { self.key()?.is_some() } else { self.another(b']')? };
                if another {
                    break;
                }
                objects >>= 1;
            }
        }
    }

    /// Checks that nothing but white space is left.
    pub(in crate::xcp) fn end(&mut self) -> Result<(), JsonError> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.unexpected("the end of the text")),
        }
    }

    /// Takes the next value if it is `null`.
    fn null(&mut self) -> bool {
        self.peek();
        self.take("null")
    }

    /// Enters what begins with this bracket, or skips another value.
    fn enter(&mut self, bracket: u8) -> Result<bool, JsonError> {
        if self.peek() == Some(bracket) {
            self.open()?;
            return Ok(true);
        }
        self.skip()?;
        Ok(false)
    }

    /// Takes an opening bracket.
    fn open(&mut self) -> Result<(), JsonError> {
        if self.depth >= MAX_DEPTH {
            return Err(self.error(JsonFault::TooDeep { limit: MAX_DEPTH }));
        }
        self.depth = self.depth.saturating_add(1);
        self.fresh = true;
        self.advance(1);
        Ok(())
    }

    /// The next key of what was entered last and the colon behind it, or its end.
    fn key(&mut self) -> Result<Option<Text<'a>>, JsonError> {
        if !self.another(b'}')? {
            return Ok(None);
        }
        if self.peek() != Some(b'"') {
            return Err(self.unexpected("a key"));
        }
        let key = self.string()?;
        if self.peek() != Some(b':') {
            return Err(self.unexpected("a colon"));
        }
        self.advance(1);
        Ok(Some(key))
    }

    /// Takes the comma in front of something else, or this bracket.
    fn another(&mut self, close: u8) -> Result<bool, JsonError> {
        let fresh = core::mem::take(&mut self.fresh);
        match self.peek() {
            Some(found) if found == close => {
                self.depth = self.depth.saturating_sub(1);
                self.advance(1);
                Ok(false)
            }
            Some(_) if fresh => Ok(true),
            Some(b',') => {
                self.advance(1);
                Ok(true)
            }
            _ => Err(self.unexpected("a comma or a closing bracket")),
        }
    }

    fn scalar(&mut self) -> Result<(), JsonError> {
        if LITERALS.iter().any(|literal| self.take(literal)) {
            return Ok(());
        }
        self.take("-");
        self.number().map(drop)
    }

    /// Takes a number without a sign: its value if it is an integer of 64 bits.
    fn number(&mut self) -> Result<Option<u64>, JsonError> {
        let start = self.at;
        let digits = self.digits("a value")?;
        if matches!(digits, [b'0', _, ..]) {
            return Err(JsonError { at: start, what: JsonFault::LeadingZero });
        }
        let mut integer = true;
        if self.take(".") {
            self.digits("a digit")?;
            integer = false;
        }
        if self.take("e") || self.take("E") {
            let _ = self.take("+") || self.take("-");
            self.digits("a digit")?;
            integer = false;
        }
        if !integer {
            return Ok(None);
        }
        Ok(digits
            .iter()
            .try_fold(0_u64, |value, digit| value.checked_mul(10)?.checked_add(u64::from(digit & 0xF))))
    }

    /// Takes at least one digit.
    fn digits(&mut self, wanted: &'static str) -> Result<&'a [u8], JsonError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let len = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if len == 0 {
            return Err(self.unexpected(wanted));
        }
        self.advance(len);
        Ok(rest.get(..len).unwrap_or_default())
    }

    /// Takes a string, whose first quote is next.
    fn string(&mut self) -> Result<Text<'a>, JsonError> {
        self.advance(1);
        let start = self.at;
        loop {
            match self.bytes.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => self.escape()?,
                Some(&found @ 0..0x20) => return Err(self.error(JsonFault::Control { found })),
                Some(_) => self.advance(1),
                None => return Err(self.error(JsonFault::Ends { wanted: "the end of a string" })),
            }
        }
        let raw = self.bytes.get(start..self.at).unwrap_or_default();
        self.advance(1);
        match core::str::from_utf8(raw) {
            Ok(raw) => Ok(Text::new(raw)),
            Err(error) => {
                let at = start.saturating_add(error.valid_up_to());
                Err(JsonError { at, what: JsonFault::NotUtf8 })
            }
        }
    }

    /// Takes an escape, whose backslash is next.
    fn escape(&mut self) -> Result<(), JsonError> {
        self.advance(1);
        match self.bytes.get(self.at) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.advance(1),
            Some(b'u') => {
                self.advance(1);
                for _ in 0..4 {
                    if !self.bytes.get(self.at).is_some_and(u8::is_ascii_hexdigit) {
                        return Err(self.unexpected("a hexadecimal digit"));
                    }
                    self.advance(1);
                }
            }
            _ => return Err(self.unexpected("an escaped character")),
        }
        Ok(())
    }

    /// Skips white space, and says what stands behind it.
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.advance(1),
                other => return other.copied(),
            }
        }
    }

    /// Takes `token` if it comes next.
    fn take(&mut self, token: &str) -> bool {
        let found = self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(token.as_bytes()));
        if found {
            self.advance(token.len());
        }
        found
    }

    /// `self.at` is an offset into `bytes` or its length: it only moves over what was seen there.
    fn advance(&mut self, len: usize) {
        self.at = self.at.saturating_add(len);
    }

    const fn error(&self, what: JsonFault) -> JsonError {
        JsonError { at: self.at, what }
    }

    fn unexpected(&self, wanted: &'static str) -> JsonError {
        self.error(match self.bytes.get(self.at) {
            Some(&found) => JsonFault::Unexpected { found, wanted },
            None => JsonFault::Ends { wanted },
        })
    }
}
