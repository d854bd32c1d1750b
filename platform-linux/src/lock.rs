//! A reader's lock: `flock` on a file in each place where an implementation of the protocol looks for one.
//!
//! The file appears locked (made without a name, locked, linked), so a sweep for stale locks never finds it free; it
//! is removed while still held. Existing implementations take the same `flock`, which fcntl locks would not exclude.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{AtFlags, CWD, FlockOperation, Mode};
use rustix::io::Errno;
use strait_core::name::Name;
use strait_core::platform::{Access, FaultKind, LockState, PlatformError as _};

use crate::error::Error;
use crate::file;
use crate::generation::generation;

/// A prober holds a lock for a moment: so many tries, a millisecond apart, tell it from an owner.
const TRIES: u32 = 20;

/// Where the C++ and Python implementations, and where the C# one, look for a name's lock.
pub(crate) fn paths(name: &Name) -> Vec<PathBuf> {
    let file = format!("{name}.lock");
    let temporary = std::env::var_os("TMPDIR").filter(|dir| !dir.is_empty());
    let temporary = temporary.map_or_else(|| PathBuf::from("/tmp"), PathBuf::from);
    vec![Path::new("/tmp/zerobuffer").join(&file), temporary.join("zerobuffer/locks").join(&file)]
}

/// A name's lock, held in every place; dropping it removes the files.
#[derive(Debug)]
pub struct Lock {
    // Never read: the locks live as long as the files are open.
    _files: Vec<Held>,
}

impl Lock {
    pub(crate) fn take(name: &Name, access: Access) -> Result<Self, Error> {
        let mut files = Vec::new();
        for path in paths(name) {
            files.push(Held::take(path, access)?);
        }
        Ok(Self { _files: files })
    }
}

#[derive(Debug)]
struct Held {
    file: File,
    path: PathBuf,
    /// The [`generation`] of the process that took it.
    taker: u64,
}

impl Held {
    fn take(path: PathBuf, access: Access) -> Result<Self, Error> {
        let folder = path.parent().unwrap_or_else(|| Path::new("/"));
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        create_folder(folder)?;
        let mut busy = 0;
        // Bounded: each further turn means that somebody removed or released the file in between.
        for _ in 0..200 {
            let made = file::publish(folder, name, access, |file, path| {
                rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive)
                    .map_err(|errno| Error::system("flock", path, errno))
            });
            match made {
                Ok(file) => return Ok(Self { file, path, taker: generation() }),
                Err(error) if error.kind() == FaultKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
            let file = match file::open(&path, true) {
                Ok(file) => file,
                Err(error) if error.kind() == FaultKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) if is_at(&file, &path) => return Ok(Self { file, path, taker: generation() }),
                // Removed, or replaced, between opening and locking.
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) if busy >= TRIES => return Err(Error::busy(&path)),
                Err(Errno::WOULDBLOCK) => {
                    busy += 1;
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(errno) => return Err(Error::system("flock", &path, errno)),
            }
        }
        Err(Error::busy(&path))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // A child's copy of the handle closes, and the lock stays with the process that took it.
        // Still locked: nobody else can believe to hold the file that goes.
        if self.taker == generation() && is_at(&self.file, &self.path) {
            let _ = rustix::fs::unlink(&self.path);
        }
    }
}

/// Whether `path` still names this very file.
fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(ours), Ok(there)) = (file.metadata(), rustix::fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW))
    else {
        return false;
    };
    ours.ino() == there.st_ino && ours.dev() == there.st_dev
}

/// Makes the folder as /tmp itself is: everybody may add files, nobody may remove another's.
fn create_folder(folder: &Path) -> Result<(), Error> {
    let mut missing: Vec<&Path> = Vec::new();
    for ancestor in folder.ancestors() {
        if ancestor.exists() {
            break;
        }
        missing.push(ancestor);
    }
    for folder in missing.into_iter().rev() {
        match rustix::fs::mkdir(folder, Mode::from_raw_mode(0o700)) {
            Ok(()) => {
                // chmod, not the mode of mkdir: the umask must not make it ours alone.
                rustix::fs::chmod(folder, Mode::from_raw_mode(0o1777))
                    .map_err(|errno| Error::system("chmod", folder, errno))?;
            }
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(Error::system("mkdir", folder, errno)),
        }
    }
    let stat = rustix::fs::statat(CWD, folder, AtFlags::SYMLINK_NOFOLLOW)
        .map_err(|errno| Error::system("stat", folder, errno))?;
    if !rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir() {
        return Err(Error::unsuitable(folder, "it is not a folder; remove it"));
    }
    Ok(())
}

/// Whether somebody holds a lock of that name. Takes a shared lock for a moment, which only probes and takers notice.
pub(crate) fn probe(name: &Name) -> LockState {
    let mut state = LockState::Absent;
    for path in paths(name) {
        // A lock that we may not even open says nothing: the process number must.
        let Ok(file) = file::open(&path, false) else { continue };
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => state = LockState::Free,
            Err(Errno::WOULDBLOCK) => return LockState::Held,
            Err(_) => {}
        }
    }
    state
}
