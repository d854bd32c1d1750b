//! What a message is read from: a file that can be read again, or a pipe that gives its bytes once.

use core::time::Duration;
use std::io;
use std::path::{Path, PathBuf};

use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use crate::exit::Failure;

/// Bytes that are read at once.
const PIECE: usize = 256 << 10;

/// A file that is sent.
#[derive(Debug)]
pub(super) struct Source {
    path: PathBuf,
    from: From,
    /// Bytes that came.
    read: u64,
    /// Longest wait for the next of them.
    patience: Duration,
}

#[derive(Debug)]
enum From {
    File(tokio::fs::File),
    /// Bytes that come once, from something that never makes a thread wait.
    #[cfg(unix)]
    Pipe(tokio::net::unix::pipe::Receiver),
    /// The same from something that may.
    Stream(tokio::fs::File),
}

impl Source {
    /// Opens a file; of a pipe, without a wait for whoever writes into it. Its bytes are waited for, each time for
    /// `patience` at most.
    ///
    /// # Errors
    /// It cannot be opened, or is a folder.
    pub(super) fn open(path: &Path, patience: Duration) -> Result<Self, Failure> {
        let failed = |why: &dyn core::fmt::Display| Failure::usage(format_args!("{}: {why}", path.display()));
        let file = open(path).map_err(|error| failed(&error))?;
        let metadata = file.metadata().map_err(|error| failed(&error))?;
        if metadata.is_dir() {
            return Err(failed(&"a folder cannot be sent"));
        }
        // Files of the kernel say that they are empty, and may be others at the next look.
        let from = if metadata.is_file() && metadata.len() > 0 {
            From::File(file.into())
        } else {
            From::once(file).map_err(|error| failed(&error))?
        };
        Ok(Self { path: path.to_owned(), from, read: 0, patience })
    }

    /// Whether it can be read again.
    pub(super) fn is_file(&self) -> bool {
        matches!(self.from, From::File(_))
    }

    /// Begins again.
    ///
    /// # Errors
    /// The system's.
    pub(super) async fn rewind(&mut self) -> Result<(), Failure> {
        self.read = 0;
        let From::File(file) = &mut self.from else { return Ok(()) };
        file.rewind().await.map(drop).map_err(|error| self.failed(&error))
    }

    /// The next bytes; none at the end.
    ///
    /// # Errors
    /// The system's; nothing came in time.
    pub(super) async fn piece(&mut self) -> Result<Vec<u8>, Failure> {
        let read = tokio::time::timeout(self.patience, self.from.piece()).await;
        let Ok(read) = read else {
            let (path, after, read) = (self.path.display(), self.patience, self.read);
            return Err(Failure::read(match read {
                0 => {
                    format!("{path}: nobody wrote into it within {after:?}; --timeout says how long to wait")
                }
                _ => format!(
                    "{path}: nothing came within {after:?}, behind {read} bytes; --timeout says how long to wait"
                ),
            }));
        };
        let bytes = read.map_err(|error| self.failed(&error))?;
        self.read += bytes.len() as u64;
        Ok(bytes)
    }

    /// All of it; of what gives its bytes once, at most `limit` bytes.
    ///
    /// # Errors
    /// As [`piece`](Self::piece); there is more than the limit.
    pub(super) async fn all(&mut self, limit: u64) -> Result<Vec<u8>, Failure> {
        let mut all = Vec::new();
        loop {
            let bytes = self.piece().await?;
            if bytes.is_empty() {
                return Ok(all);
            }
            all.extend_from_slice(&bytes);
            if !self.is_file() && self.read > limit {
                return Err(Failure::write(format_args!(
                    "{}: it gives more than the {limit} bytes that are held of a message; --max-message says how many may be",
                    self.path.display()
                )));
            }
        }
    }

    /// A failure with the file's name.
    pub(super) fn failed(&self, why: &dyn core::fmt::Display) -> Failure {
        Failure::usage(format_args!("{}: {why}", self.path.display()))
    }
}

impl From {
    #[cfg(unix)]
    fn once(file: std::fs::File) -> io::Result<Self> {
        use std::os::unix::fs::FileTypeExt as _;
        if file.metadata()?.file_type().is_fifo() {
            return tokio::net::unix::pipe::Receiver::from_file(file).map(Self::Pipe);
        }
        // A thread waits for devices: a terminal would tell it to come again.
        rustix::fs::fcntl_setfl(&file, rustix::fs::OFlags::empty())?;
        Ok(Self::Stream(file.into()))
    }

    #[cfg(not(unix))]
    fn once(file: std::fs::File) -> io::Result<Self> {
        Ok(Self::Stream(file.into()))
    }

    async fn piece(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(PIECE);
        match self {
            Self::File(file) | Self::Stream(file) => {
                file.read_buf(&mut bytes).await?;
            }
            #[cfg(unix)]
            Self::Pipe(pipe) => loop {
                // Before there was a writer a read would say that the end is reached: the first is not tried until
                // something comes, or a writer was there and left.
                pipe.readable().await?;
                match pipe.try_read_buf(&mut bytes) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    outcome => break outcome.map(drop)?,
                }
            },
        }
        Ok(bytes)
    }
}

#[cfg(unix)]
fn open(path: &Path) -> io::Result<std::fs::File> {
    use rustix::fs::{Mode, OFlags};
    // A fifo is opened at once, and a terminal is not taken over.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<std::fs::File> {
    std::fs::File::open(path)
}
