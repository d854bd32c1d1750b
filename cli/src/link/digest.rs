//! Which SHA-256 do all bytes together have?

use core::fmt;
use core::str::FromStr;

use sha2::{Digest as _, Sha256};

/// A digest in the making.
#[derive(Clone, Debug, Default)]
pub(crate) struct Digest(Sha256);

impl Digest {
    /// Some more bytes.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Of all bytes so far.
    pub(crate) fn value(&self) -> Value {
        Value(self.0.clone().finalize().into())
    }
}

/// A digest, 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Value([u8; 32]);

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Value {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        bytes(text).map(Self).ok_or_else(|| "a SHA-256 has 64 hexadecimal digits".to_owned())
    }
}

/// The 32 bytes of 64 hexadecimal digits.
pub(crate) fn bytes(text: &str) -> Option<[u8; 32]> {
    let pairs = text.as_bytes().chunks(2).map(|pair| {
        let digit = |at: usize| char::from(*pair.get(at)?).to_digit(16);
        u8::try_from(digit(0)? << 4 | digit(1)?).ok()
    });
    pairs.collect::<Option<Vec<u8>>>()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_shown_as_it_is_read() {
        let mut digest = Digest::default();
        digest.add(b"a");
        digest.add(b"bc");
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest.value().to_string(), text);
        assert_eq!(text.to_uppercase().parse(), Ok(digest.value()));
        for bad in
            ["", "ba78", &text[1..], &format!("{text}00"), &text.replace('b', "g"), &text.replace('b', "é")]
        {
            assert!(bad.parse::<Value>().is_err(), "{bad}");
        }
    }
}
