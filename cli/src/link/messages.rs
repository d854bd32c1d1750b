//! Which messages does `strait link send` send?

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};

use crate::args::Place;
use crate::source::Source;

/// Messages, one after another.
pub(super) enum Messages {
    /// The same one, without end.
    Text(Vec<u8>),
    /// One per line, with its end of line; a longer one is cut.
    Lines {
        /// Where they come from.
        from: Box<dyn BufRead>,
        /// Bytes of the longest message.
        longest: usize,
    },
    /// One, unless it is empty.
    Whole(Vec<u8>),
    /// Cut from a file, or made up.
    Frames {
        /// Where they come from.
        source: Box<Source>,
        /// Number of the next one.
        index: u64,
    },
}

impl Messages {
    /// The lines of a file, none longer than `longest` bytes.
    pub(super) fn lines(place: &Place, longest: usize) -> io::Result<Self> {
        let from: Box<dyn BufRead> = match place {
            Place::Standard => Box::new(BufReader::new(io::stdin())),
            // Windows does not open folders, and would say that access is denied.
            Place::File(path) if path.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Place::File(path) => Box::new(BufReader::new(File::open(path)?)),
        };
        Ok(Self::Lines { from, longest })
    }

    /// All of a file, as one message.
    pub(super) fn whole(place: &Place) -> io::Result<Self> {
        place.read().map(Self::Whole)
    }

    /// Puts the next message into `bytes`, which it replaces; `false` at the end. Nothing of the link is held meanwhile:
    /// the file may be a pipe that stays silent.
    pub(super) fn next(&mut self, bytes: &mut Vec<u8>) -> io::Result<bool> {
        match self {
            Self::Text(text) => {
                bytes.clone_from(text);
                Ok(true)
            }
            Self::Whole(whole) => {
                *bytes = core::mem::take(whole);
                Ok(!bytes.is_empty())
            }
            Self::Lines { from, longest } => {
                bytes.clear();
                from.take(*longest as u64).read_until(b'\n', bytes)?;
                Ok(!bytes.is_empty())
            }
            Self::Frames { source, index } => {
                // Twice at most: a file that ends in a message announces a shorter one.
                while let Some(len) = source.next_len()? {
                    bytes.resize(len, 0);
                    if source.fill(*index, bytes)? {
                        *index = index.wrapping_add(1);
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_keep_their_ends_and_long_ones_are_cut() {
        let mut lines = Messages::Lines { from: Box::new(&b"ab\n\ncdefg\nh"[..]), longest: 4 };
        let (mut found, mut bytes) = (Vec::new(), Vec::new());
        while lines.next(&mut bytes).unwrap() {
            found.push(bytes.clone());
        }
        assert_eq!(found, [&b"ab\n"[..], b"\n", b"cdef", b"g\n", b"h"]);
    }
}
