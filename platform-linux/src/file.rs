//! Files that appear under their name complete: made without one, prepared, then linked.

use std::fs::File;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{AtFlags, CWD, FileType, FlockOperation, Gid, Mode, OFlags, Stat};
use rustix::io::Errno;
use strait_core::name::Name;
use strait_core::platform::{Access, LockState};

use crate::error::Error;

/// Makes a file in `folder`, lets `prepare` work on it, and links it to `name`: others see it whole or not at all.
///
/// # Errors
/// `AlreadyExists` if the name is taken; nothing is left behind on any error.
pub(crate) fn publish(
    folder: &Path,
    name: &str,
    access: Access,
    prepare: impl FnOnce(&File, &Path) -> Result<(), Error>,
) -> Result<File, Error> {
    let path = folder.join(name);
    let mode = Mode::from_raw_mode(access.mode);
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    match rustix::fs::open(folder, flags, Mode::RUSR | Mode::WUSR) {
        Ok(fd) => {
            let file = File::from(fd);
            set_access(&file, &path, mode, access)?;
            prepare(&file, &path)?;
            let unnamed = format!("/proc/self/fd/{}", file.as_raw_fd());
            rustix::fs::linkat(CWD, &unnamed, CWD, &path, AtFlags::SYMLINK_FOLLOW)
                .map_err(|errno| Error::system("linkat", &path, errno))?;
            Ok(file)
        }
        // Filesystems without unnamed files (older overlayfs): a temporary name, removed again at once.
        Err(Errno::OPNOTSUPP | Errno::ISDIR) => {
            let temporary = folder.join(format!(".{name}.{}", std::process::id()));
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
            let fd = rustix::fs::open(&temporary, flags, Mode::RUSR | Mode::WUSR)
                .map_err(|errno| Error::system("open", &temporary, errno))?;
            let file = File::from(fd);
            let outcome =
                set_access(&file, &path, mode, access).and_then(|()| prepare(&file, &path)).and_then(|()| {
                    rustix::fs::link(&temporary, &path).map_err(|errno| Error::system("link", &path, errno))
                });
            let _ = rustix::fs::unlink(&temporary);
            outcome.map(|()| file)
        }
        Err(errno) => Err(Error::system("open", &path, errno)),
    }
}

fn set_access(file: &File, path: &Path, mode: Mode, access: Access) -> Result<(), Error> {
    // fchmod, not the mode of open: the umask must not change what was asked for.
    rustix::fs::fchmod(file, mode).map_err(|errno| Error::system("fchmod", path, errno))?;
    if let Some(group) = access.group {
        rustix::fs::fchown(file, None, Some(Gid::from_raw(group)))
            .map_err(|errno| Error::system("fchown", path, errno))?;
    }
    Ok(())
}

/// Opens an existing regular file; never follows a link, never blocks on a pipe.
pub(crate) fn open(path: &Path, write: bool) -> Result<File, Error> {
    let access = if write { OFlags::RDWR } else { OFlags::RDONLY };
    let flags = access | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let mut attempts = 0;
    let fd: OwnedFd = loop {
        match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(fd) => break fd,
            // Somebody asks whether anybody has it open, for a moment.
            Err(Errno::WOULDBLOCK) if attempts < 200 => attempts += 1,
            Err(errno) => return Err(Error::system("open", path, errno)),
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    let stat = stat(&fd, path)?;
    let kind = FileType::from_raw_mode(stat.st_mode);
    if kind != FileType::RegularFile {
        return Err(Error::unsuitable(path, format!("it is a {kind:?}, not a regular file")));
    }
    Ok(File::from(fd))
}

pub(crate) fn stat(fd: impl std::os::fd::AsFd, path: &Path) -> Result<Stat, Error> {
    rustix::fs::fstat(fd).map_err(|errno| Error::system("fstat", path, errno))
}

/// Length in bytes now; one system call without a structure to fill.
#[inline]
pub(crate) fn len_now(file: &File) -> usize {
    let end = rustix::fs::seek(file, rustix::fs::SeekFrom::End(0)).unwrap_or(0);
    usize::try_from(end).unwrap_or(usize::MAX)
}

/// Removes a file; an absent one is no error.
pub(crate) fn remove(folder: &str, name: &str) -> Result<(), Error> {
    let path = PathBuf::from(folder).join(name);
    match rustix::fs::unlink(&path) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(Error::system("unlink", &path, errno)),
    }
}

/// Whether `path` still names this very file.
pub(crate) fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(ours), Ok(there)) = (file.metadata(), rustix::fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW))
    else {
        return false;
    };
    ours.ino() == there.st_ino && ours.dev() == there.st_dev
}

/// Removes this very file from `path`; `false` if another stands there. Nothing there is as good.
pub(crate) fn remove_this(file: &File, path: &Path) -> Result<bool, Error> {
    if let Err(errno) = rustix::fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW) {
        return if errno == Errno::NOENT { Ok(true) } else { Err(Error::system("stat", path, errno)) };
    }
    if !is_at(file, path) {
        return Ok(false);
    }
    match rustix::fs::unlink(path) {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        Err(errno) => Err(Error::system("unlink", path, errno)),
    }
}

/// Whether somebody holds the lock of a file. Takes a shared one for a moment, which only probes and takers notice.
pub(crate) fn probe(path: &Path) -> LockState {
    // One that we may not even open says nothing: other evidence must.
    let Ok(file) = open(path, false) else { return LockState::Absent };
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => LockState::Free,
        Err(Errno::WOULDBLOCK) => LockState::Held,
        Err(_) => LockState::Absent,
    }
}

/// Valid names among a folder's files that start with `prefix`, which is taken off; sorted. Those of semaphores only if
/// the prefix asks for them.
pub(crate) fn list(folder: &str, prefix: &str) -> Result<Vec<Name>, Error> {
    let path = Path::new(folder);
    let entries = std::fs::read_dir(path).map_err(|error| Error::io("readdir", path, error))?;
    let mut names: Vec<Name> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .filter_map(|entry| entry.file_name().to_str().map(str::to_owned))
        .filter(|name| !prefix.is_empty() || !name.starts_with("sem."))
        .filter_map(|name| Name::new(name.strip_prefix(prefix)?).ok())
        .collect();
    names.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    Ok(names)
}
