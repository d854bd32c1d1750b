//! What the system refused: the call, the object, and `GetLastError`.

use std::fmt;
use std::io;

use strait_core::platform::{FaultKind, PlatformError};
use windows_sys::Win32::Foundation as codes;

/// A system call that failed, or an object that is not what it should be.
#[derive(Debug)]
pub struct Error {
    call: &'static str,
    object: String,
    cause: Cause,
}

#[derive(Debug)]
enum Cause {
    /// Carries the value of `GetLastError`.
    System(io::Error),
    Busy,
    Unsuitable(String),
    /// What was asked for does not exist here.
    Refused(String),
    Overflow,
}

impl Error {
    pub(crate) fn system(call: &'static str, object: impl Into<String>, error: io::Error) -> Self {
        Self { call, object: object.into(), cause: Cause::System(error) }
    }

    pub(crate) fn busy(call: &'static str, object: impl Into<String>) -> Self {
        Self { call, object: object.into(), cause: Cause::Busy }
    }

    pub(crate) fn unsuitable(call: &'static str, object: impl Into<String>, why: impl Into<String>) -> Self {
        Self { call, object: object.into(), cause: Cause::Unsuitable(why.into()) }
    }

    pub(crate) fn refused(object: impl Into<String>, why: impl Into<String>) -> Self {
        Self { call: "create", object: object.into(), cause: Cause::Refused(why.into()) }
    }

    pub(crate) fn overflow(object: impl Into<String>) -> Self {
        Self { call: "ReleaseSemaphore", object: object.into(), cause: Cause::Overflow }
    }

    /// The object's name, or the lock file's path.
    pub fn object(&self) -> &str {
        &self.object
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let object = &self.object;
        match &self.cause {
            Cause::System(error) => write!(f, "{} of {object} failed: {error}", self.call),
            Cause::Busy => write!(f, "lock {object} is held by another process"),
            Cause::Unsuitable(why) => write!(f, "{object} cannot be used: {why}"),
            Cause::Refused(why) => write!(f, "{object}: {why}"),
            Cause::Overflow => write!(f, "semaphore {object} holds 2147483647 permits and takes no more"),
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
            Cause::Unsuitable(_) => FaultKind::Unsuitable,
            Cause::Refused(_) | Cause::Overflow => FaultKind::Other,
            Cause::System(error) => kind(error),
        }
    }
}

/// What a value of `GetLastError` means for core.
pub(crate) fn kind(error: &io::Error) -> FaultKind {
    match code(error) {
        codes::ERROR_FILE_NOT_FOUND | codes::ERROR_PATH_NOT_FOUND => FaultKind::NotFound,
        codes::ERROR_ALREADY_EXISTS | codes::ERROR_FILE_EXISTS => FaultKind::AlreadyExists,
        // The second is what `Global\` says to a user without the right to create global objects.
        codes::ERROR_ACCESS_DENIED | codes::ERROR_PRIVILEGE_NOT_HELD => FaultKind::PermissionDenied,
        codes::ERROR_SHARING_VIOLATION | codes::ERROR_LOCK_VIOLATION => FaultKind::Busy,
        // An object of another type has the name.
        codes::ERROR_INVALID_HANDLE => FaultKind::Unsuitable,
        codes::ERROR_COMMITMENT_LIMIT
        | codes::ERROR_COMMITMENT_MINIMUM
        | codes::ERROR_DISK_FULL
        | codes::ERROR_NOT_ENOUGH_MEMORY
        | codes::ERROR_NO_SYSTEM_RESOURCES
        | codes::ERROR_OUTOFMEMORY => FaultKind::NoSpace,
        _ => FaultKind::Other,
    }
}

/// The value of `GetLastError` in an error; 0 if there is none.
pub(crate) fn code(error: &io::Error) -> u32 {
    error.raw_os_error().map_or(0, i32::cast_unsigned)
}
