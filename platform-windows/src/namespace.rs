//! Where an object's name stands: this session's namespace or the machine's, and who may open it.

use strait_core::name::Name;
use strait_core::platform::Access;

use crate::error::Error;

/// A namespace of the object manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Namespace {
    /// This session's. Objects have the user's default access: this user and the system.
    Local,
    /// The machine's. Objects are open to everybody.
    Global,
}

impl Namespace {
    /// In the order in which an opener looks.
    pub(crate) const ALL: [Self; 2] = [Self::Local, Self::Global];

    /// Where objects of that access are made.
    ///
    /// # Errors
    /// Windows has no such access.
    pub(crate) fn of(name: &Name, access: Access) -> Result<Self, Error> {
        let why = match (access.mode, access.group) {
            (0o600, None) => return Ok(Self::Local),
            (0o666, None) => return Ok(Self::Global),
            (mode, None) => {
                format!("Windows has no mode {mode:04o}: use 0600 (this user, this session) or 0666")
            }
            (_, Some(group)) => format!("Windows has no group {group}: leave the group out"),
        };
        Err(Error::refused(name.as_str(), why))
    }

    /// The whole name of an object: at most 259 characters, Windows' limit, for the longest buffer's name.
    pub(crate) fn path(self, prefix: &str, name: &Name) -> String {
        let namespace = match self {
            Self::Local => "Local",
            Self::Global => "Global",
        };
        format!("{namespace}\\{prefix}{name}")
    }

    /// In the security descriptor definition language; `None` is the user's default.
    pub(crate) fn access(self) -> Option<&'static str> {
        match self {
            Self::Local => None,
            // Everybody may read, write and wait; only the owner may change that.
            Self::Global => Some("D:(A;;GRGWGX;;;WD)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_name_stays_within_the_systems_limit() {
        let name = Name::new(&"x".repeat(245)).unwrap();
        for namespace in Namespace::ALL {
            assert!(namespace.path("~sem-r-", &name).len() < 260);
            assert!(namespace.path("~lock-", &name).len() < 260);
        }
    }

    #[test]
    fn modes_and_groups_without_an_equivalent_are_refused() {
        let name = Name::new("x").unwrap();
        let of = |mode, group| Namespace::of(&name, Access { mode, group });
        assert_eq!(of(0o600, None).unwrap(), Namespace::Local);
        assert_eq!(of(0o666, None).unwrap(), Namespace::Global);
        for (mode, group) in [(0o660, None), (0o644, None), (0o600, Some(5))] {
            let error = of(mode, group).unwrap_err().to_string();
            assert!(error.contains("Windows has no"), "{error}");
        }
    }
}
