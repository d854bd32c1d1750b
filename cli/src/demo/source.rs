//! Which bytes the demo streams: a file's, over and over.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::exit::Failure;

/// Files up to this many bytes are read once and held; larger ones are read again in each turn.
const HELD: u64 = 256 << 20;

/// A file's bytes, repeated without end.
#[derive(Debug)]
pub(crate) struct Source(Kind);

#[derive(Debug)]
enum Kind {
    /// The file, then its start again, so that every frame is one slice.
    Held {
        bytes: Vec<u8>,
        period: usize,
        at: usize,
    },
    Streamed(File),
}

impl Source {
    /// Opens a file whose bytes will be taken at most `frame_len` at a time.
    ///
    /// # Errors
    /// Usage: no such file, no rights, a directory or device, or an empty file.
    pub(crate) fn open(path: &Path, frame_len: usize) -> Result<Self, Failure> {
        let failure =
            |reason: &dyn core::fmt::Display| Failure::usage(format_args!("{}: {reason}", path.display()));
        let metadata = std::fs::metadata(path).map_err(|error| failure(&error))?;
        // Opening a pipe would wait for its writer.
        match metadata.file_type() {
            kind if kind.is_dir() => return Err(failure(&"it is a directory; name a file")),
            kind if !kind.is_file() => return Err(failure(&"it is a device or pipe; name a file")),
            _ => {}
        }
        let file = File::open(path).map_err(|error| failure(&error))?;
        if metadata.len() > HELD {
            return Ok(Self(Kind::Streamed(file)));
        }
        let mut bytes = Vec::new();
        // The metadata may be wrong, as under /proc, or the file may grow.
        file.take(HELD).read_to_end(&mut bytes).map_err(|error| failure(&error))?;
        if bytes.is_empty() {
            return Err(failure(&"it is empty; name a file with at least 1 byte"));
        }
        Ok(Self::held(bytes, frame_len))
    }

    fn held(mut bytes: Vec<u8>, frame_len: usize) -> Self {
        let period = bytes.len();
        let needed = period + frame_len;
        bytes.reserve_exact(frame_len);
        while bytes.len() < needed {
            let more = (needed - bytes.len()).min(bytes.len());
            bytes.extend_from_within(..more);
        }
        Self(Kind::Held { bytes, period, at: 0 })
    }

    /// Fills `frame` with the next bytes, copying each once.
    ///
    /// # Errors
    /// Reading a file that is not held failed, or it has become empty.
    pub(crate) fn fill(&mut self, frame: &mut [u8]) -> io::Result<()> {
        match &mut self.0 {
            Kind::Held { bytes, period, at } => {
                let next = bytes.get(*at..*at + frame.len()).ok_or(io::ErrorKind::InvalidInput)?;
                frame.copy_from_slice(next);
                *at = (*at + frame.len()) % *period;
                Ok(())
            }
            Kind::Streamed(file) => fill_from(file, frame),
        }
    }

    /// Bytes of the file.
    pub(crate) fn file_len(&self) -> u64 {
        match &self.0 {
            Kind::Held { period, .. } => *period as u64,
            Kind::Streamed(file) => file.metadata().map_or(0, |metadata| metadata.len()),
        }
    }

    /// SHA-256 of the next `total` bytes, taken `frame_len` at a time, hexadecimal.
    ///
    /// # Errors
    /// As [`fill`](Self::fill).
    pub(crate) fn digest(&mut self, total: u64, frame_len: usize) -> io::Result<String> {
        let mut hash = Sha256::new();
        let mut frame = vec![0; frame_len];
        let mut left = total;
        while left > 0 {
            let len = usize::try_from(left).map_or(frame_len, |left| left.min(frame_len));
            let (next, _) = frame.split_at_mut(len);
            self.fill(next)?;
            hash.update(&*next);
            left -= len as u64;
        }
        Ok(hex(&hash.finalize()))
    }
}

fn fill_from(file: &mut File, mut frame: &mut [u8]) -> io::Result<()> {
    let mut rewound = false;
    while !frame.is_empty() {
        match file.read(frame) {
            Ok(0) if rewound => {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file has become empty"));
            }
            Ok(0) => {
                file.rewind()?;
                rewound = true;
            }
            Ok(len) => {
                frame = frame.get_mut(len..).unwrap_or_default();
                rewound = false;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Hexadecimal, lower case.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `frames` of `len` bytes are, by the definition.
    fn repeated(content: &[u8], len: usize, frames: usize) -> Vec<u8> {
        content.iter().copied().cycle().take(len * frames).collect()
    }

    fn taken(source: &mut Source, len: usize, frames: usize) -> Vec<u8> {
        let mut all = Vec::new();
        for _ in 0..frames {
            let mut frame = vec![0; len];
            source.fill(&mut frame).unwrap();
            all.extend(frame);
        }
        all
    }

    #[test]
    fn a_held_file_repeats_whatever_its_length() {
        for period in [1, 2, 3, 7, 8, 9, 20] {
            let content: Vec<u8> = (1..=period).collect();
            let mut source = Source::held(content.clone(), 8);
            assert_eq!(taken(&mut source, 8, 11), repeated(&content, 8, 11), "{period}");
        }
    }

    #[test]
    fn a_streamed_file_repeats_and_an_emptied_one_is_an_error() {
        let path = std::env::temp_dir().join(format!("strait-demo-source-{}", std::process::id()));
        std::fs::write(&path, b"abc").unwrap();
        let mut source = Source(Kind::Streamed(File::open(&path).unwrap()));
        assert_eq!(taken(&mut source, 8, 5), repeated(b"abc", 8, 5));
        std::fs::write(&path, b"").unwrap();
        assert_eq!(source.fill(&mut [0; 8]).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn the_digest_is_that_of_the_repeated_bytes_with_a_short_last_frame() {
        let mut source = Source::held(b"ab".to_vec(), 4);
        let expected = hex(&Sha256::digest(b"ababababa"));
        assert_eq!(source.digest(9, 4).unwrap(), expected);
    }
}
