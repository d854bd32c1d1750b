//! Which additions to the protocol does a side know?

use core::fmt;

/// A set of additions that the specification does not have, known by name. Names that are not known here are ignored.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Extensions(u8);

impl Extensions {
    /// None.
    pub const NONE: Self = Self(0);
    /// `capnp-packed`: headers may be packed Cap'n Proto.
    pub const CAPNP_PACKED: Self = Self(1);
    /// `xcp-crypt-1`: messages may be sealed, with keys of the connection, of a direction, and whole.
    pub const XCP_CRYPT_1: Self = Self(1 << 1);
    /// `dlpack-flat-1`: DLPACK bodies are tensors written out.
    pub const DLPACK_FLAT_1: Self = Self(1 << 2);
    /// All that are known.
    pub const ALL: Self = Self(0b111);

    const NAMES: [(Self, &'static str); 3] = [
        (Self::CAPNP_PACKED, "capnp-packed"),
        (Self::XCP_CRYPT_1, "xcp-crypt-1"),
        (Self::DLPACK_FLAT_1, "dlpack-flat-1"),
    ];

    /// The addition of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, each)| *each == name).map(|(extension, _)| *extension)
    }

    /// Whether all of `other` are in it.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// What is in either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What is in this and not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Their names.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().filter(move |(each, _)| self.contains(*each)).map(|(_, name)| *name)
    }
}

impl fmt::Display for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::NONE {
            return f.write_str("none");
        }
        for (at, name) in self.names().enumerate() {
            write!(f, "{}{name}", if at == 0 { "" } else { "+" })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::format;
    use std::vec::Vec;

    use super::*;

    #[test]
    fn every_extension_has_a_name_and_is_found_by_it() {
        let all = Extensions::ALL.names().filter_map(Extensions::from_name);
        assert_eq!(all.fold(Extensions::NONE, Extensions::union), Extensions::ALL);
        assert_eq!(Extensions::ALL.names().collect::<Vec<_>>().len(), 3);
        assert_eq!(Extensions::from_name("capnp"), None);
        let some = Extensions::ALL.without(Extensions::XCP_CRYPT_1);
        assert_eq!(format!("{some} {:?}", Extensions::NONE), "capnp-packed+dlpack-flat-1 none");
        assert!(!some.contains(Extensions::XCP_CRYPT_1));
        assert_eq!(some.intersection(Extensions::CAPNP_PACKED), Extensions::CAPNP_PACKED);
    }
}
