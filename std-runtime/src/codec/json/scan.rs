//! What a body holds that JSON has not, and whether it is more than a reader should take: before any of it is parsed.

use std::borrow::Cow;

use strait_core::xcp::CodecId;

use super::{BigIntegers, JsonOptions};
use crate::codec::{DecodeError, DecodeLimits};
use crate::xcp::ether::NonFinite;

/// The parser's own limit.
const MAX_NESTING: usize = 127;

/// `body` as JSON has it: what `options` allow beyond that is replaced; and how many values and keys it has about, which is
/// what takes memory. The parser still finds what is no JSON at all.
pub(super) fn prepare<'b>(
    codec: CodecId,
    body: &'b [u8],
    options: &JsonOptions,
    limits: &DecodeLimits,
) -> Result<(Cow<'b, [u8]>, usize), DecodeError> {
    let mut scan = Scan { codec, body, at: 0, options, out: Vec::new(), copied: 0 };
    let (mut nesting, mut values) = (0_usize, 0_usize);
    let max_nesting = limits.nesting.min(MAX_NESTING);
    while let Some(byte) = body.get(scan.at) {
        match byte {
            b'"' => {
                scan.string()?;
                continue;
            }
            b'-' | b'0'..=b'9' => {
                scan.number()?;
                continue;
            }
            b'N' | b'I' => {
                scan.word()?;
                continue;
            }
            b'{' | b'[' => {
                nesting += 1;
                if nesting > max_nesting {
                    return Err(DecodeError::BeyondLimit {
                        what: "levels",
                        count: nesting,
                        max: max_nesting,
                    });
                }
                values += 1;
            }
            b'}' | b']' => nesting = nesting.saturating_sub(1),
            b',' | b':' => values += 1,
            _ => {}
        }
        if values > limits.values {
            return Err(DecodeError::BeyondLimit { what: "values", count: values, max: limits.values });
        }
        scan.at += 1;
    }
    Ok((scan.finish(), values))
}

struct Scan<'a, 'b> {
    codec: CodecId,
    body: &'b [u8],
    /// What is looked at next.
    at: usize,
    options: &'a JsonOptions,
    /// The text so far, if it differs from the body.
    out: Vec<u8>,
    /// Up to where the body stands in `out`.
    copied: usize,
}

impl<'b> Scan<'_, 'b> {
    /// From `at` on.
    fn rest(&self) -> &'b [u8] {
        self.body.get(self.at..).unwrap_or_default()
    }

    fn refuse<T>(&self, why: impl Into<String>) -> Result<T, DecodeError> {
        Err(DecodeError::malformed(self.codec, self.at, why))
    }

    /// Puts `text` in the place of the next `len` bytes.
    fn replace(&mut self, len: usize, text: &[u8]) {
        self.out.extend_from_slice(self.body.get(self.copied..self.at).unwrap_or_default());
        self.out.extend_from_slice(text);
        self.at += len;
        self.copied = self.at;
    }

    fn finish(mut self) -> Cow<'b, [u8]> {
        if self.copied == 0 {
            return Cow::Borrowed(self.body);
        }
        self.out.extend_from_slice(self.body.get(self.copied..).unwrap_or_default());
        Cow::Owned(self.out)
    }

    /// A text, from its first quote to behind its last.
    fn string(&mut self) -> Result<(), DecodeError> {
        self.at += 1;
        while let Some(len) = self.rest().iter().position(|byte| matches!(byte, b'"' | b'\\')) {
            self.at += len;
            match *self.rest() {
                [b'\\', b'u', ..] => self.unicode_escape()?,
                [b'\\', ..] => self.at += 2,
                _ => {
                    self.at += 1;
                    return Ok(());
                }
            }
        }
        // Without an end: the parser says so.
        self.at = self.body.len();
        Ok(())
    }

    /// `\uXXXX`, both halves of a surrogate pair.
    fn unicode_escape(&mut self) -> Result<(), DecodeError> {
        match escaped(self.rest()) {
            Some(0xD800..=0xDBFF) => {
                let second = escaped(self.rest().get(6..).unwrap_or_default());
                if second.is_some_and(|second| (0xDC00..=0xDFFF).contains(&second)) {
                    self.at += 12;
                    return Ok(());
                }
            }
            Some(0xDC00..=0xDFFF) => {}
            // Not four digits: the parser says so.
            _ => {
                self.at += 2;
                return Ok(());
            }
        }
        if !self.options.replace_surrogates {
            return self.refuse("half of a surrogate pair stands alone");
        }
        self.replace(6, b"\\ufffd");
        Ok(())
    }

    fn number(&mut self) -> Result<(), DecodeError> {
        if self.rest().starts_with(b"-I") {
            return self.word();
        }
        let of_number = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
        let len = self.rest().iter().take_while(of_number).count();
        let token = self.rest().get(..len).unwrap_or_default();
        let digits = token.strip_prefix(b"-").unwrap_or(token);
        let text = core::str::from_utf8(token).unwrap_or_default();
        let integer = digits.iter().all(u8::is_ascii_digit);
        let fits = text.parse::<u64>().is_ok() || text.parse::<i64>().is_ok();
        if integer && digits.len() > 18 && !fits {
            match self.options.big_integers {
                BigIntegers::Refuse => {
                    return self.refuse(format!("an integer of {len} digits is beyond 64 bits"));
                }
                BigIntegers::Text => {
                    self.replace(len, format!("\"{text}\"").as_bytes());
                    return Ok(());
                }
                BigIntegers::Float => {}
            }
        }
        // Only these can be beyond what a float holds: parsing every number twice would cost as much as the parser.
        let large = len > 300 || token.iter().any(|byte| matches!(byte, b'e' | b'E'));
        if large && text.parse::<f64>().is_ok_and(f64::is_infinite) {
            let word = if text.starts_with('-') { "-Infinity" } else { "Infinity" };
            return self.non_finite(len, word);
        }
        self.at += len;
        Ok(())
    }

    /// One of the words that Python writes for numbers that JSON has not.
    fn word(&mut self) -> Result<(), DecodeError> {
        for word in ["NaN", "Infinity", "-Infinity"] {
            if self.rest().starts_with(word.as_bytes()) {
                return self.non_finite(word.len(), word);
            }
        }
        self.at += 1;
        Ok(())
    }

    fn non_finite(&mut self, len: usize, word: &str) -> Result<(), DecodeError> {
        match self.options.non_finite {
            NonFinite::Refuse => return self.refuse(format!("{word} is no number of JSON")),
            NonFinite::Null => self.replace(len, b"null"),
            NonFinite::Text => self.replace(len, format!("\"{word}\"").as_bytes()),
        }
        Ok(())
    }
}

/// The number that `\uXXXX` at the start of `text` says.
fn escaped(text: &[u8]) -> Option<u32> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    digits.iter().try_fold(0, |number, digit| Some(number << 4 | char::from(*digit).to_digit(16)?))
}
