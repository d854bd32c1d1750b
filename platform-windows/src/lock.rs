//! A reader's lock: a file that nobody else can open, and that the system deletes when its handle is closed.
//!
//! The C# implementation takes the same file in the same way. The file goes with the process that holds it, so a lock is
//! held or absent; a free one is what a machine that lost its power has left.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use strait_core::name::Name;
use strait_core::platform::{LockState, NameLock};
use windows_sys::Win32::Foundation::{ERROR_ACCESS_DENIED, ERROR_SHARING_VIOLATION};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_ATTRIBUTE_TEMPORARY, FILE_FLAG_DELETE_ON_CLOSE, FILE_FLAG_OPEN_REPARSE_POINT, FILE_SHARE_DELETE,
    FILE_SHARE_READ, FILE_SHARE_WRITE,
};

use crate::error::{Error, code};

/// A prober has the file open for a moment, and a file that is being deleted cannot be opened: so many tries, a
/// millisecond apart, tell both from an owner.
const TRIES: u32 = 20;

const SUFFIX: &str = ".lock";

fn folder() -> PathBuf {
    std::env::temp_dir().join("zerobuffer").join("locks")
}

/// The lock file in `folder`, which must exist. Its path is a verbatim one: in others `con.lock` is a device.
fn path_in(folder: &Path, name: &Name) -> io::Result<PathBuf> {
    Ok(fs::canonicalize(folder)?.join(format!("{name}{SUFFIX}")))
}

/// A name's lock; dropping it removes the file.
#[derive(Debug)]
pub struct Lock {
    // Never read: the lock lives as long as the file is open.
    _file: File,
    /// Whether the file was there when it was opened.
    was_left: bool,
}

impl NameLock for Lock {
    fn was_left(&self) -> bool {
        self.was_left
    }
}

impl Lock {
    pub(crate) fn take(name: &Name) -> Result<Self, Error> {
        let folder = folder();
        let failed = |call, path: &Path, error| Error::system(call, path.display().to_string(), error);
        fs::create_dir_all(&folder).map_err(|error| failed("CreateDirectoryW", &folder, error))?;
        let path =
            path_in(&folder, name).map_err(|error| failed("GetFinalPathNameByHandleW", &folder, error))?;
        // Deletion on close would remove whatever stands there.
        let found = fs::symlink_metadata(&path).ok();
        if found.as_ref().is_some_and(|found| !found.is_file() || found.len() > 0) {
            let why = "a lock is an empty file, and it is not";
            return Err(Error::unsuitable("CreateFileW", path.display().to_string(), why));
        }
        let was_left = found.is_some();
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).share_mode(0);
        options.attributes(FILE_ATTRIBUTE_TEMPORARY);
        options.custom_flags(FILE_FLAG_DELETE_ON_CLOSE | FILE_FLAG_OPEN_REPARSE_POINT);
        for attempt in 0.. {
            match options.open(&path) {
                Ok(file) => return Ok(Self { _file: file, was_left }),
                Err(error) => match code(&error) {
                    // Access is also denied while the file is being deleted.
                    ERROR_SHARING_VIOLATION | ERROR_ACCESS_DENIED if attempt < TRIES => {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    ERROR_SHARING_VIOLATION => {
                        return Err(Error::busy("CreateFileW", path.display().to_string()));
                    }
                    _ => return Err(failed("CreateFileW", &path, error)),
                },
            }
        }
        Err(Error::busy("CreateFileW", path.display().to_string()))
    }
}

/// Whether somebody holds a lock of that name. Has the file open for a moment, which only takers notice.
pub(crate) fn probe(name: &Name) -> LockState {
    // A lock that we may not even look for says nothing: the process number must.
    let Ok(path) = path_in(&folder(), name) else { return LockState::Absent };
    let share = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
    match OpenOptions::new().read(true).share_mode(share).open(path) {
        Ok(_) => LockState::Free,
        Err(error) if code(&error) == ERROR_SHARING_VIOLATION => LockState::Held,
        Err(_) => LockState::Absent,
    }
}

/// Names of all locks, sorted.
pub(crate) fn list() -> Result<Vec<Name>, Error> {
    let folder = folder();
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::system("FindFirstFileW", folder.display().to_string(), error)),
    };
    let files = entries.filter_map(Result::ok).filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<Name> = files.filter_map(|file| Name::new(file.strip_suffix(SUFFIX)?).ok()).collect();
    names.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    Ok(names)
}
