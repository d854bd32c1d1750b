//! A reader's lock: `flock` on a file in each place where an implementation of the protocol looks for one.
//!
//! The file appears locked (made without a name, locked, linked), so a sweep for stale locks never finds it free; it
//! is removed while still held. Existing implementations take the same `flock`, which fcntl locks would not exclude.
//!
//! It says who took it. A child that a dead holder has forked has the lock for as long as it has the file; the file is then
//! replaced, because its holder has ended. Existing implementations neither read nor write it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags, Stat};
use rustix::io::Errno;
use strait_core::name::Name;
use strait_core::platform::{
    Access, Fate, FaultKind, Identity, LockState, NameLock, Pid, PlatformError as _,
};

use crate::error::Error;
use crate::file;
use crate::generation::generation;
use crate::process;

/// A prober holds a lock for a moment: so many tries, a millisecond apart, tell it from an owner.
const TRIES: u32 = 20;

/// Where the C++ and Python implementations look for a name's lock.
fn shared_path(name: &Name) -> PathBuf {
    Path::new("/tmp/zerobuffer").join(format!("{name}.lock"))
}

/// Where the C# implementation looks: beside this process's temporary files, wherever it has been told that they are. A
/// relative place counts from the working folder, as it does there; without one there is none.
fn own_path(name: &Name) -> Option<PathBuf> {
    let temporary = std::env::var_os("TMPDIR").filter(|folder| !folder.is_empty());
    let temporary = temporary.map_or_else(|| PathBuf::from("/tmp"), PathBuf::from);
    let temporary = std::path::absolute(temporary).ok()?;
    Some(temporary.join("zerobuffer/locks").join(format!("{name}.lock")))
}

fn paths(name: &Name) -> impl Iterator<Item = PathBuf> {
    [Some(shared_path(name)), own_path(name)].into_iter().flatten()
}

/// A name's lock, held in every place; dropping it removes the files.
#[derive(Debug)]
pub struct Lock {
    shared: Held,
    /// Where this process's temporary files can be written.
    own: Option<Held>,
    /// Why there is none.
    skipped: Option<Error>,
}

impl Lock {
    pub(crate) fn take(name: &Name, access: Access) -> Result<Self, Error> {
        let shared = Held::take(shared_path(name), access)?;
        let (mut own, mut skipped) = (None, None);
        if let Some(path) = own_path(name) {
            match Held::take(path.clone(), access) {
                Ok(held) => own = Some(held),
                // Somebody holds it, or something else stands there.
                Err(error) if error.kind() == FaultKind::Busy => return Err(error),
                Err(error) if error.kind() == FaultKind::Unsuitable && error.path() == path => {
                    return Err(error);
                }
                Err(_) if file::probe(&path) == LockState::Held => return Err(Error::busy(&path)),
                // No process with the same temporary folder can take one there either.
                Err(error) => skipped = Some(error),
            }
        }
        Ok(Self { shared, own, skipped })
    }
}

impl NameLock for Lock {
    fn was_left(&self) -> bool {
        self.shared.was_left || self.own.as_ref().is_some_and(|held| held.was_left)
    }

    fn skipped(&self) -> Option<&dyn core::error::Error> {
        self.skipped.as_ref().map(|error| -> &dyn core::error::Error { error })
    }
}

#[derive(Debug)]
struct Held {
    file: File,
    path: PathBuf,
    /// The [`generation`] of the process that took it.
    taker: u64,
    /// Whether the file was there, locked by nobody.
    was_left: bool,
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
                    .map_err(|errno| Error::system("flock", path, errno))?;
                sign(file, path)
            });
            match made {
                Ok(file) => return Ok(Self { file, path, taker: generation(), was_left: false }),
                Err(error) if error.kind() == FaultKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
            let file = match file::open(&path, true) {
                Ok(file) => file,
                Err(error) if error.kind() == FaultKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) if file::is_at(&file, &path) => {
                    let len = file::len_now(&file);
                    if len > 0 && signer(&file).is_none() {
                        let why =
                            format!("a lock is empty or says who holds it, and it has {len} other bytes");
                        return Err(Error::unsuitable(&path, why));
                    }
                    sign(&file, &path)?;
                    return Ok(Self { file, path, taker: generation(), was_left: true });
                }
                // Removed, or replaced, between opening and locking.
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) if is_orphaned(&file) => remove_orphan(&file, &path, folder)?,
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

/// Writes who holds the lock into its file.
fn sign(file: &File, path: &Path) -> Result<(), Error> {
    let Identity { pid, born, realm } = process::identity();
    let words = format!("strait {pid} {born} {realm}\n");
    rustix::fs::ftruncate(file, 0).map_err(|errno| Error::system("ftruncate", path, errno))?;
    rustix::io::pwrite(file, words.as_bytes(), 0).map_err(|errno| Error::system("pwrite", path, errno))?;
    Ok(())
}

/// Who has written that it holds the lock; `None` in the empty file of another implementation.
fn signer(file: &File) -> Option<Identity> {
    // Three numbers of at most twenty digits.
    let mut bytes = [0; 80];
    let len = rustix::io::pread(file, &mut bytes, 0).ok()?;
    let text = core::str::from_utf8(bytes.get(..len)?).ok()?;
    let mut words = text.strip_suffix('\n')?.strip_prefix("strait ")?.split(' ').map(str::parse);
    let mut word = || words.next()?.ok();
    let (pid, born, realm) = (Pid(word()?), word()?, word()?);
    words.next().is_none().then_some(Identity { pid, born, realm })
}

/// Whether whoever took the lock has ended, by all evidence: then a child of his holds it, who has no part in it.
fn is_orphaned(file: &File) -> bool {
    signer(file).is_some_and(|signer| process::fate(signer) == Fate::Gone)
}

/// Removes a lock's file that is held and orphaned. One process at a time, by a lock of the folder: another one could have
/// removed it since, and made the next.
fn remove_orphan(file: &File, path: &Path, folder: &Path) -> Result<(), Error> {
    let opened =
        rustix::fs::open(folder, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    let folder = File::from(opened.map_err(|errno| Error::system("open", folder, errno))?);
    rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive).map_err(|_| Error::busy(path))?;
    let removed = file::remove_this(file, path).map(drop);
    // Explicitly: a child that was forked meanwhile would keep it.
    let _ = rustix::fs::flock(&folder, FlockOperation::Unlock);
    removed
}

impl Drop for Held {
    fn drop(&mut self) {
        // A child's copy of the handle closes, and the lock stays with the process that took it.
        // Still locked: nobody else can believe to hold the file that goes.
        if self.taker == generation() {
            let _ = file::remove_this(&self.file, &self.path);
        }
    }
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
        return Err(Error::unsuitable(folder, "it is not a folder"));
    }
    if !may_write(folder) {
        return Err(Error::closed_folder(folder, stat.st_uid, stat.st_mode & 0o7777));
    }
    Ok(())
}

fn may_write(folder: &Path) -> bool {
    use rustix::fs::Access;
    let outcome = rustix::fs::accessat(CWD, folder, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS);
    // A system that cannot tell says so when a file is made.
    !matches!(outcome, Err(Errno::ACCESS | Errno::ROFS))
}

/// Whether somebody holds a lock of that name. Takes a shared lock for a moment, which only probes and takers notice.
pub(crate) fn probe(name: &Name) -> LockState {
    let mut state = LockState::Absent;
    for path in paths(name) {
        match file::probe(&path) {
            LockState::Held if !file::open(&path, false).is_ok_and(|file| is_orphaned(&file)) => {
                return LockState::Held;
            }
            LockState::Held | LockState::Free => state = LockState::Free,
            LockState::Absent => {}
        }
    }
    state
}

/// The process that holds a lock of that name, as far as the system shows it here; 0 if none is shown.
pub(crate) fn holder(name: &Name) -> Pid {
    let Ok(locks) = std::fs::read_to_string("/proc/locks") else { return Pid(0) };
    let files = paths(name).filter_map(|path| rustix::fs::statat(CWD, &path, AtFlags::SYMLINK_NOFOLLOW).ok());
    let mut holders = files.filter_map(|file| holder_in(&locks, &file));
    holders.next().unwrap_or(Pid(0))
}

/// The holder of an flock on `file` in the lines of /proc/locks: `1: FLOCK  ADVISORY  WRITE 4711 00:1f:1234 0 EOF`.
fn holder_in(locks: &str, file: &Stat) -> Option<Pid> {
    let (major, minor) = (rustix::fs::major(file.st_dev), rustix::fs::minor(file.st_dev));
    let wanted = format!("{major:02x}:{minor:02x}:{}", file.st_ino);
    let pid = locks.lines().find_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let is_flock = fields.next() == Some("FLOCK");
        let pid = fields.nth(2)?;
        (is_flock && fields.next() == Some(wanted.as_str())).then_some(pid)
    })?;
    // -1 or 0: one that cannot be seen from here.
    pid.parse().ok().map(Pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_a_lock_is_this_process() {
        let name = Name::new(&format!("strait-holder-{}", std::process::id())).unwrap();
        assert_eq!(holder(&name), Pid(0));
        let lock = Lock::take(&name, Access::default()).unwrap();
        assert!(!lock.was_left());
        assert_eq!(holder(&name), Pid(u64::from(std::process::id())));
        drop(lock);
        assert_eq!(holder(&name), Pid(0));
    }

    #[test]
    fn a_file_with_bytes_in_it_is_no_lock_and_stays() {
        let name = Name::new(&format!("strait-odd-lock-{}", std::process::id())).unwrap();
        drop(Lock::take(&name, Access::default()).unwrap());
        let path = shared_path(&name);
        std::fs::write(&path, b"precious").unwrap();
        let refused = Lock::take(&name, Access::default()).map(drop);
        let left = std::fs::read(&path);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(refused.map_err(|error| error.kind()), Err(FaultKind::Unsuitable));
        assert_eq!(left.unwrap(), b"precious");
        // An empty one was left by a reader that died.
        std::fs::write(&path, []).unwrap();
        assert!(Lock::take(&name, Access::default()).unwrap().was_left());
    }
}
