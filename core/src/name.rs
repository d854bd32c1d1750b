//! Names of shared resources: what is allowed, and the names derived from one.

use core::fmt;

use heapless::String;

/// Most bytes in a resource name. `sem.sem-w-` + name must fit a 255-byte file name.
pub const MAX_NAME_LEN: usize = 245;

/// A validated name of a shared resource: 1 to 245 of `A-Z a-z 0-9 . _ -`, not starting with a dot.
///
/// What passes is safe as a file name on every platform: it cannot leave its folder.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Name(String<{ MAX_NAME_LEN + 6 }>);

impl Name {
    /// Checks `name`.
    ///
    /// # Errors
    /// [`NameError`] says which rule is broken, and where.
    pub fn new(name: &str) -> Result<Self, NameError> {
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        if name.len() > MAX_NAME_LEN {
            return Err(NameError::TooLong { len: name.len() });
        }
        if name.starts_with('.') {
            return Err(NameError::LeadingDot);
        }
        if let Some((at, found)) =
            name.char_indices().find(|(_, c)| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '_' | '-'))
        {
            return Err(NameError::BadCharacter { found, at });
        }
        String::try_from(name).map(Self).map_err(|_| NameError::TooLong { len: name.len() })
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `prefix` (at most 6 bytes) followed by this name.
    pub(crate) fn prefixed(&self, prefix: &str) -> Self {
        debug_assert!(prefix.len() <= 6, "prefix fits the reserve");
        let mut text = String::new();
        // Cannot fail: a public name has at most 245 bytes and a prefix at most 6.
        let _ = text.push_str(prefix);
        let _ = text.push_str(&self.0);
        Self(text)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// Why a text cannot be the name of a shared resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// No characters at all.
    #[error("name is empty: use 1 to 245 of A-Z a-z 0-9 . _ -")]
    Empty,
    /// Longer than [`MAX_NAME_LEN`] bytes.
    #[error("name has {len} bytes, more than the 245 that fit a semaphore's file name")]
    TooLong {
        /// Bytes given.
        len: usize,
    },
    /// Starts with a dot, as hidden files and `..` do.
    #[error("name starts with a dot")]
    LeadingDot,
    /// A character outside the allowed set.
    #[error("name has {found:?} at byte {at}: allowed are A-Z a-z 0-9 . _ -")]
    BadCharacter {
        /// The character.
        found: char,
        /// Its byte offset.
        at: usize,
    },
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_folder() {
        for bad in ["", ".", "..", "../x", "a/b", "a\\b", "a b", "a\0b", "ü", "\n"] {
            assert!(Name::new(bad).is_err(), "{bad:?}");
        }
        let long = "x".repeat(246);
        assert_eq!(Name::new(&long), Err(NameError::TooLong { len: 246 }));
    }

    #[test]
    fn the_longest_name_still_takes_a_prefix() {
        let name = Name::new(&"x".repeat(245)).unwrap();
        assert_eq!(name.prefixed("sem-w-").as_str().len(), 251);
        assert!(name.prefixed("sem-w-").as_str().starts_with("sem-w-xxx"));
    }
}
