//! What does a string say, once its escapes are resolved?
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use core::str::Chars;

use heapless::String;

/// A string as it stands in a JSON text, without its quotes. Its escapes were checked.
#[derive(Clone, Copy, Debug)]
pub(in crate::xcp) struct Text<'a>(&'a str);

impl<'a> Text<'a> {
    /// `raw` has no escape but those of JSON, all of them complete: checked by `Reader::string`.
    pub(super) const fn new(raw: &'a str) -> Self {
        Self(raw)
    }

    /// Its characters. A half of a surrogate pair that stands alone is U+FFFD.
    pub(in crate::xcp) fn chars(self) -> impl Iterator<Item = char> + use<'a> {
        let mut rest = self.0.chars();
        core::iter::from_fn(move || {
            let first = rest.next()?;
            if first != '\\' {
                return Some(first);
            }
            Some(match rest.next()? {
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'u' => escaped(&mut rest),
                other => other,
            })
        })
    }

    /// Its length in UTF-8, bytes.
    pub(in crate::xcp) fn len(self) -> usize {
        self.chars().fold(0, |len, each| usize::saturating_add(len, each.len_utf8()))
    }

    /// The whole text, if `N` bytes are enough.
    pub(in crate::xcp) fn whole<const N: usize>(self) -> Option<String<N>> {
        let mut text = String::new();
        for each in self.chars() {
            text.push(each).ok()?;
        }
        Some(text)
    }

    /// As many of its characters as `N` bytes hold.
    pub(in crate::xcp) fn cut<const N: usize>(self) -> String<N> {
        cut(self.chars())
    }

    /// The bytes that it gives as exactly `2 * N` hexadecimal digits.
    pub(in crate::xcp) fn hex<const N: usize>(self) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        let mut digits = self.chars();
        for byte in &mut bytes {
            for _ in 0..2 {
                let digit = u8::try_from(digits.next()?.to_digit(16)?).ok()?;
                *byte = *byte << 4 | digit;
            }
        }
        digits.next().is_none().then_some(bytes)
    }
}

/// As many of `chars` as `N` bytes hold: a text that is too long ends at the end of a character.
pub(in crate::xcp) fn cut<const N: usize>(chars: impl Iterator<Item = char>) -> String<N> {
    let mut text = String::new();
    for each in chars {
        if text.push(each).is_err() {
            break;
        }
    }
    text
}

/// What the escape says whose four digits come next, together with a second one that completes it.
fn escaped(rest: &mut Chars<'_>) -> char {
    let first = unit(rest);
    let mut ahead = rest.clone();
    if (0xD800..0xDC00).contains(&first)
        && (ahead.next(), ahead.next()) == (Some('\\'), Some('u'))
        && let Some(Ok(pair)) = char::decode_utf16([first, unit(&mut ahead)]).next()
    {
        *rest = ahead;
        return pair;
    }
    char::from_u32(u32::from(first)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// The number that four hexadecimal digits are.
fn unit(digits: &mut Chars<'_>) -> u16 {
    digits.take(4).fold(0, |unit, digit| {
        let digit = digit.to_digit(16).and_then(|digit| u16::try_from(digit).ok());
        unit << 4 | digit.unwrap_or(0)
    })
}
