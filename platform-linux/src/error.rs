//! What the system refused: the call, the object, and why.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use strait_core::platform::{FaultKind, PlatformError};

/// A system call that failed, or an object that is not what it should be.
#[derive(Debug)]
pub struct Error {
    call: &'static str,
    path: PathBuf,
    cause: Cause,
}

#[derive(Debug)]
enum Cause {
    System(io::Error),
    Busy,
    Unsuitable(String),
    Empty,
    Overflow,
    Unmappable { len: u64 },
    OverLimit { len: u64, limit: u64 },
    Stopped { done: u64, len: u64 },
    ClosedFolder { owner: u32, mode: u32 },
}

impl Error {
    pub(crate) fn system(call: &'static str, path: &Path, errno: Errno) -> Self {
        Self { call, path: path.to_owned(), cause: Cause::System(errno.into()) }
    }

    pub(crate) fn io(call: &'static str, path: &Path, error: io::Error) -> Self {
        Self { call, path: path.to_owned(), cause: Cause::System(error) }
    }

    pub(crate) fn busy(path: &Path) -> Self {
        Self { call: "flock", path: path.to_owned(), cause: Cause::Busy }
    }

    pub(crate) fn unsuitable(path: &Path, why: impl Into<String>) -> Self {
        Self { call: "open", path: path.to_owned(), cause: Cause::Unsuitable(why.into()) }
    }

    pub(crate) fn empty(path: &Path) -> Self {
        Self { call: "open", path: path.to_owned(), cause: Cause::Empty }
    }

    pub(crate) fn overflow(path: &Path) -> Self {
        Self { call: "post", path: path.to_owned(), cause: Cause::Overflow }
    }

    pub(crate) fn unmappable(path: &Path, len: u64) -> Self {
        Self { call: "mmap", path: path.to_owned(), cause: Cause::Unmappable { len } }
    }

    pub(crate) fn over_limit(path: &Path, len: u64, limit: u64) -> Self {
        Self { call: "fallocate", path: path.to_owned(), cause: Cause::OverLimit { len, limit } }
    }

    pub(crate) fn stopped(path: &Path, done: u64, len: u64) -> Self {
        Self { call: "fallocate", path: path.to_owned(), cause: Cause::Stopped { done, len } }
    }

    pub(crate) fn closed_folder(path: &Path, owner: u32, mode: u32) -> Self {
        Self { call: "access", path: path.to_owned(), cause: Cause::ClosedFolder { owner, mode } }
    }

    /// The object's path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.cause {
            Cause::System(error) => write!(f, "{} of {path} failed: {error}", self.call),
            Cause::Busy => write!(f, "lock {path} is held by another process"),
            Cause::Unsuitable(why) => write!(f, "{path} cannot be used: {why}"),
            Cause::Empty => write!(f, "{path} is empty: nobody has finished creating it"),
            Cause::Overflow => write!(f, "semaphore {path} holds 2147483647 permits and takes no more"),
            Cause::ClosedFolder { owner, mode } => write!(
                f,
                "no lock can be made in {path}: it belongs to user {owner} and has mode {mode:04o}; that user or root must open it to everybody: chmod 1777 {path}"
            ),
            Cause::Unmappable { len } => write!(
                f,
                "{path} cannot be mapped: its {len} bytes exceed what is free of this process's {} bits of addresses",
                usize::BITS
            ),
            Cause::OverLimit { len, limit } => write!(
                f,
                "{path} would have {len} bytes, and no file of this process may have more than {limit} \
                 (`ulimit -f`, RLIMIT_FSIZE): raise that limit or ask for less"
            ),
            Cause::Stopped { done, len } => {
                write!(f, "signals stopped the reservation of {path} after {done} of {len} bytes")
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.cause {
            Cause::System(error) => Some(error),
            _ => None,
        }
    }
}

impl PlatformError for Error {
    fn kind(&self) -> FaultKind {
        match &self.cause {
            Cause::Busy => FaultKind::Busy,
            Cause::ClosedFolder { .. } => FaultKind::PermissionDenied,
            Cause::Unsuitable(_) => FaultKind::Unsuitable,
            Cause::Empty => FaultKind::Incomplete,
            // A buffer too large to look at may well be in use: it must not count as unsuitable, which gets replaced.
            Cause::Overflow | Cause::Unmappable { .. } | Cause::OverLimit { .. } | Cause::Stopped { .. } => {
                FaultKind::Other
            }
            Cause::System(error) => match error.kind() {
                io::ErrorKind::NotFound => FaultKind::NotFound,
                io::ErrorKind::AlreadyExists => FaultKind::AlreadyExists,
                io::ErrorKind::PermissionDenied => FaultKind::PermissionDenied,
                io::ErrorKind::StorageFull | io::ErrorKind::OutOfMemory | io::ErrorKind::QuotaExceeded => {
                    FaultKind::NoSpace
                }
                io::ErrorKind::FileTooLarge => FaultKind::NoSpace,
                io::ErrorKind::IsADirectory => FaultKind::Unsuitable,
                // A symbolic link, where O_NOFOLLOW forbids one.
                _ if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => FaultKind::Unsuitable,
                _ => FaultKind::Other,
            },
        }
    }

    fn advises(&self) -> bool {
        matches!(self.cause, Cause::ClosedFolder { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_others_may_not_write_says_whose_it_is_and_what_to_do_once() {
        let error = Error::closed_folder(Path::new("/tmp/zerobuffer"), 1000, 0o755);
        let text = error.to_string();
        assert!(text.contains("user 1000 and has mode 0755"), "{text}");
        assert_eq!(text.matches("chmod 1777 /tmp/zerobuffer").count(), 1, "{text}");
        assert!(error.advises() && error.kind() == FaultKind::PermissionDenied);
        let error = Error::unsuitable(Path::new("/tmp/zerobuffer"), "it is not a folder");
        assert!(!error.advises(), "who names the buffer says what to do");
    }
}
