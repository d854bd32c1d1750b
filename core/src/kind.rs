//! What stands under a name: told by its own bytes, changing nothing.

use core::fmt;

use crate::hqq::{Profile, superblock};
use crate::mpmc;
use crate::platform::Segment;
use crate::shm::view;
use crate::sync::{Ordering, SharedU64};
use crate::zerobuffer::AttachError;
use crate::zerobuffer::layout::{Geometry, OIEB_SIZE, Oieb};

/// What a segment seems to be. Bytes can be anybody's: it is what they say, not who wrote them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A ZeroBuffer v1 whose blocks fit it.
    ZeroBuffer(Geometry),
    /// A ZeroBuffer of another major version.
    OtherZeroBuffer {
        /// Found.
        major: u8,
        /// Bytes of the segment.
        len: usize,
    },
    /// A ZeroBuffer v1 whose blocks do not fit it: cut short, or its words are wrong.
    Misfit {
        /// Bytes of the segment.
        len: usize,
    },
    /// A link.
    Link(Profile),
    /// Zeros where any of these has its first words: somebody is creating it, or died doing so.
    Blank {
        /// Bytes of the segment.
        len: usize,
    },
    /// Nothing that is known here.
    Other {
        /// Bytes of the segment.
        len: usize,
        /// Its first bytes.
        begins: [u8; 8],
    },
}

impl Kind {
    /// What `segment` seems to be.
    pub fn of<S: Segment>(segment: &S) -> Self {
        let len = segment.len().min(segment.backed_len());
        let begins = match len < size_of::<u64>() {
            true => 0,
            // Relaxed: one look, and nothing else is believed because of it.
            false => view::<SharedU64, S>(segment, 0).map_or(0, |word| word.load(Ordering::Relaxed)),
        };
        let other = Self::Other { len, begins: begins.to_le_bytes() };
        match begins {
            superblock::MAGIC => return Self::Link(Profile::Superblock),
            mpmc::MAGIC => return Self::Link(Profile::Seed),
            _ => {}
        }
        if len < OIEB_SIZE as usize {
            return other;
        }
        let Ok(oieb) = view::<Oieb, S>(segment, 0) else { return other };
        if oieb.check_blank().is_ok() {
            return Self::Blank { len };
        }
        match oieb.geometry::<()>(len) {
            Ok(geometry) => Self::ZeroBuffer(geometry),
            Err(AttachError::WrongVersion { major, .. }) => Self::OtherZeroBuffer { major, len },
            Err(AttachError::BadGeometry { .. }) => Self::Misfit { len },
            Err(_) => other,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ZeroBuffer(_) => f.write_str("a ZeroBuffer v1"),
            Self::OtherZeroBuffer { major, len } => write!(f, "a ZeroBuffer v{major} of {len} bytes"),
            Self::Misfit { len } => write!(f, "a ZeroBuffer v1 whose blocks do not fit its {len} bytes"),
            Self::Link(profile) => write!(f, "a link of the {profile} profile"),
            Self::Blank { len } => write!(f, "{len} bytes that begin with zeros: something not finished"),
            Self::Other { len, begins } => {
                write!(
                    f,
                    "{len} bytes of something else, beginning with {:016x}",
                    u64::from_be_bytes(*begins)
                )
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::string::ToString as _;

    use super::*;
    use crate::testing::HeapSegment;

    fn of(len: usize, bytes: &[u8]) -> Kind {
        let segment = HeapSegment::new(len);
        segment.scribble(0, bytes);
        Kind::of(&segment)
    }

    /// The first words of a buffer with 64 bytes of metadata and 256 of payload.
    fn oieb(size: u32, major: u8) -> [u8; 128] {
        let mut bytes = [0; 128];
        bytes[..4].copy_from_slice(&size.to_le_bytes());
        bytes[4] = major;
        bytes[8] = 64;
        bytes[0x21] = 1;
        bytes
    }

    #[test]
    fn a_buffer_is_one_by_size_version_and_blocks_that_fit() {
        let geometry = Geometry { metadata_size: 64, payload_size: 256 };
        assert_eq!(of(448, &oieb(128, 1)), Kind::ZeroBuffer(geometry));
        assert_eq!(of(4096, &oieb(128, 1)), Kind::ZeroBuffer(geometry));
        assert_eq!(of(447, &oieb(128, 1)), Kind::Misfit { len: 447 });
        assert!(matches!(of(448, &oieb(129, 1)), Kind::Other { .. }));
        assert_eq!(of(448, &oieb(128, 2)), Kind::OtherZeroBuffer { major: 2, len: 448 });
        let segment = HeapSegment::new(448);
        segment.scribble(0, &oieb(128, 1));
        segment.truncate(440);
        assert_eq!(Kind::of(&segment), Kind::Misfit { len: 440 }, "cut short");
    }

    #[test]
    fn a_link_is_one_by_its_magic() {
        for (magic, profile) in [(superblock::MAGIC, Profile::Superblock), (mpmc::MAGIC, Profile::Seed)] {
            assert_eq!(of(4096, &magic.to_le_bytes()), Kind::Link(profile));
        }
    }

    #[test]
    fn everything_else_is_told_with_its_size_and_first_bytes() {
        assert_eq!(of(4096, &[]), Kind::Blank { len: 4096 });
        assert!(matches!(of(127, &[]), Kind::Other { len: 127, .. }), "too short to be one of ours");
        let text = of(512, b"another program").to_string();
        assert_eq!(text, "512 bytes of something else, beginning with 616e6f7468657220");
        assert!(matches!(of(4, b"abcd"), Kind::Other { len: 4, .. }));
    }
}
