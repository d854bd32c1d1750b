//! Where a writer's frames come from: made up, or cut from a file.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};

use crate::args::Place;
use crate::pattern::Pattern;
use crate::size::Sizes;

/// Bytes read ahead to see whether a file goes on; larger frames are read straight into the ring.
const AHEAD: usize = 16 << 10;

/// Frames, one after another.
pub(crate) enum Source {
    /// Without end.
    MadeUp {
        /// What they hold.
        pattern: Pattern,
        /// See [`Pattern`].
        seed: u64,
        /// How long they are.
        sizes: Sizes,
    },
    /// Until the file ends.
    Cut {
        /// The file.
        file: Box<dyn BufRead>,
        /// Bytes left in it at most, if that is known.
        left: Option<u64>,
        /// How long the frames are, but for the last.
        sizes: Sizes,
        /// The last bytes, read into a frame that turned out too long.
        rest: Option<Vec<u8>>,
    },
}

impl Source {
    /// Opens the file at `place`. What a file gains from now on is not carried.
    pub(crate) fn open(place: &Place, sizes: Sizes) -> io::Result<Self> {
        let (file, left): (Box<dyn BufRead>, _) = match place {
            Place::Standard => (Box::new(BufReader::with_capacity(AHEAD, io::stdin())), None),
            Place::File(path) => {
                // Asked first: Windows does not open folders, and would say that access is denied.
                if path.is_dir() {
                    return Err(io::ErrorKind::IsADirectory.into());
                }
                let file = File::open(path)?;
                let metadata = file.metadata()?;
                // Files of /proc and the like say 0 and have more.
                let left = Some(metadata.len()).filter(|len| metadata.is_file() && *len > 0);
                (Box::new(BufReader::with_capacity(AHEAD, file)), left)
            }
        };
        Ok(Self::cut(file, left, sizes))
    }

    fn cut(file: Box<dyn BufRead>, left: Option<u64>, sizes: Sizes) -> Self {
        let file = Box::new(file.take(left.unwrap_or(u64::MAX)));
        Self::Cut { file, left, sizes, rest: None }
    }

    /// Bytes to reserve for the next frame; `None` at the end. Waits for a file that is a pipe.
    pub(crate) fn next_len(&mut self) -> io::Result<Option<usize>> {
        match self {
            Self::MadeUp { sizes, .. } => Ok(Some(sizes.next_len())),
            Self::Cut { rest: Some(rest), .. } => Ok(Some(rest.len())),
            Self::Cut { file, left, sizes, .. } => {
                let ahead = loop {
                    match file.fill_buf() {
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        outcome => break outcome?.len(),
                    }
                };
                if ahead == 0 {
                    return Ok(None);
                }
                let left = left.map_or(usize::MAX, |left| usize::try_from(left).unwrap_or(usize::MAX));
                Ok(Some(sizes.next_len().min(left)))
            }
        }
    }

    /// Fills frame `index`, which has the length that [`next_len`](Self::next_len) said. `false` if the file ended in
    /// it: what was read is kept for a shorter frame, which `next_len` announces.
    pub(crate) fn fill(&mut self, index: u64, frame: &mut [u8]) -> io::Result<bool> {
        match self {
            Self::MadeUp { pattern, seed, .. } => pattern.fill(*seed, index, frame),
            Self::Cut { rest, .. } if rest.is_some() => {
                frame.copy_from_slice(&rest.take().unwrap_or_default());
            }
            Self::Cut { file, left, rest, .. } => {
                let mut filled = 0;
                while filled < frame.len() {
                    match file.read(&mut frame[filled..]) {
                        Ok(0) => {
                            *rest = Some(frame[..filled].to_vec());
                            return Ok(false);
                        }
                        Ok(len) => filled += len,
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        Err(error) => return Err(error),
                    }
                }
                *left = left.map(|left| left.saturating_sub(filled as u64));
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::size::SizeRange;

    fn cut(bytes: &'static [u8], size: usize, left: Option<u64>) -> Vec<Vec<u8>> {
        let file = Box::new(BufReader::with_capacity(3, bytes));
        let mut source = Source::cut(file, left, SizeRange::fixed(size).sizes(0));
        let mut frames = Vec::new();
        while let Some(len) = source.next_len().unwrap() {
            let mut frame = vec![0; len];
            if source.fill(0, &mut frame).unwrap() {
                frames.push(frame);
            }
        }
        frames
    }

    #[test]
    fn a_file_is_cut_into_frames_and_the_last_may_be_shorter() {
        // Unknown, right, and a file that has shrunk since.
        for left in [None, Some(10), Some(99)] {
            assert_eq!(cut(b"0123456789", 4, left), [&b"0123"[..], b"4567", b"89"], "{left:?}");
            assert_eq!(cut(b"0123456789", 5, left), [b"01234", b"56789"], "{left:?}");
            assert_eq!(cut(b"0123456789", 100, left).concat(), b"0123456789", "{left:?}");
        }
        assert!(cut(b"", 4, None).is_empty());
    }

    #[test]
    fn what_a_file_has_gained_since_is_not_carried() {
        assert_eq!(cut(b"0123456789", 4, Some(7)), [&b"0123"[..], b"456"]);
    }
}
