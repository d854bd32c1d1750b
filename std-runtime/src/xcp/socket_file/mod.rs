//! The file of a Unix socket: when one may be replaced, and who removes it.
//!
//! A server holds a lock on `PATH.xcp-lock` as long as it lives, and writes into it which file its socket is. A socket at
//! `PATH` is replaced only if nobody holds that lock and this very socket is written there: then its server is dead.
//! That nobody answers proves nothing, because a server may be about to listen, or its backlog may be full.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;
use socket2::{Domain, SockAddr, Socket, Type};

use super::error::BadOption;

/// Bytes of a path that a socket's address has room for, without the 0 behind it.
pub(super) const LONGEST_PATH: usize = 107;

/// Clients that wait to be accepted; the system has a limit of its own.
const BACKLOG: i32 = 1024;

/// What a lock file begins with.
const MAGIC: &str = "strait xcp socket\n";
/// Bytes of a lock file that are looked at: the magic and four numbers are fewer.
const RECORD: u64 = 512;
/// Turns of opening a lock file: each further one means that somebody removed it in between.
const TRIES: u32 = 200;

/// Whether a path fits into a socket's address.
pub(super) fn check(path: &Path) -> Result<(), BadOption> {
    let len = path.as_os_str().len();
    if len <= LONGEST_PATH {
        return Ok(());
    }
    let what = "bytes of a Unix socket's path (one that is relative may be shorter)";
    Err(BadOption::TooMany { what, len, limit: LONGEST_PATH })
}

/// The socket's file of a server: removed with it, unless it is another's by then.
#[derive(Debug)]
pub(super) struct SocketFile {
    place: Place,
    /// What the lock file says of the socket.
    record: String,
    // Behind the socket: it goes before the lock does.
    lock: Lock,
    /// The process that made it: a forked child has a copy of this, and owns nothing.
    process: u32,
}

impl SocketFile {
    /// Binds a socket at `path`, in place of one whose server is dead. Whoever `mode` lets write it may connect.
    ///
    /// # Errors
    /// [`AddrInUse`](io::ErrorKind::AddrInUse) with what stands there; the system's.
    pub(super) fn bind(path: &Path, mode: u32) -> io::Result<(UnixListener, Self)> {
        let place = Place::of(path)?;
        let lock = Lock::take(&place)?;
        match place.stat(&place.name)? {
            None => {}
            Some(stat) if is_socket(&stat) && lock.record.as_ref() == Some(&record_of(&stat)) => {
                place.remove(&record_of(&stat))?;
                tracing::debug!(path = %path.display(), "replaces the socket of a server that is gone");
            }
            Some(stat) => return Err(in_use(&describe(&stat, &place))),
        }
        let listener = listen(&place, mode)?;
        let stat = place.stat(&place.name)?.filter(is_socket);
        let record = record_of(&stat.ok_or_else(|| in_use("it was removed while it was made"))?);
        // From here on it goes again if something fails.
        let mut file = Self { place, record, lock, process: std::process::id() };
        file.lock.keep(&file.record)?;
        Ok((listener, file))
    }
}

/// Nobody connects before the mode is right: a socket that is bound and does not listen yet refuses everybody.
fn listen(place: &Place, mode: u32) -> io::Result<UnixListener> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(&place.path)?)?;
    rustix::fs::chmodat(&place.folder, &place.name, Mode::from_bits_truncate(mode), AtFlags::empty())?;
    socket.listen(BACKLOG)?;
    Ok(OwnedFd::from(socket).into())
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        self.lock.removed = self.process == std::process::id();
        if self.lock.removed {
            // It may be gone, or somebody else's by now; there is nobody to tell.
            let _ = self.place.remove(&self.record);
        }
    }
}

/// Where a socket stands: its folder stays the same one, whatever the working directory becomes.
#[derive(Debug)]
struct Place {
    folder: OwnedFd,
    name: OsString,
    path: PathBuf,
}

impl Place {
    fn of(path: &Path) -> io::Result<Self> {
        let no_file =
            || io::Error::new(io::ErrorKind::InvalidInput, "the path names a folder, and no file in one");
        let name = path.file_name().filter(|_| !path.as_os_str().as_bytes().ends_with(b"/"));
        let name = name.ok_or_else(no_file)?.to_owned();
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(parent.unwrap_or_else(|| Path::new(".")), flags, Mode::empty())?;
        Ok(Self { folder, name, path: path.to_owned() })
    }

    /// A file beside the socket, called as it is and something more.
    fn beside(&self, end: &str) -> OsString {
        let mut name = self.name.clone();
        name.push(end);
        name
    }

    fn stat(&self, name: &OsStr) -> io::Result<Option<Stat>> {
        match rustix::fs::statat(&self.folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Removes the socket of this record, and nothing that took its place.
    fn remove(&self, record: &str) -> io::Result<()> {
        let is_it = |name: &OsStr| {
            Ok::<_, io::Error>(self.stat(name)?.is_some_and(|stat| record_of(&stat) == record))
        };
        if !is_it(&self.name)? {
            return Err(in_use("another file has taken its place"));
        }
        // What is looked at and what is removed must be the same file: it is moved to a name that nobody else uses.
        let aside = self.beside(&format!(".gone-{}", std::process::id()));
        self.rename(&self.name, &aside)?;
        if is_it(&aside)? {
            return Ok(rustix::fs::unlinkat(&self.folder, &aside, AtFlags::empty())?);
        }
        self.rename(&aside, &self.name)?;
        Err(in_use("another file has taken its place"))
    }

    /// Renames, unless there is a file of the new name.
    fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        let only_new = RenameFlags::NOREPLACE;
        match rustix::fs::renameat_with(&self.folder, from, &self.folder, to, only_new) {
            // File systems that cannot promise it.
            Err(Errno::INVAL | Errno::NOSYS) if self.stat(to)?.is_none() => {
                Ok(rustix::fs::renameat(&self.folder, from, &self.folder, to)?)
            }
            outcome => Ok(outcome?),
        }
    }
}

/// The lock of a place, held; the file goes with it if this process made it or listened under it.
#[derive(Debug)]
struct Lock {
    file: File,
    folder: OwnedFd,
    name: OsString,
    /// What it said of a socket when it was taken.
    record: Option<String>,
    removed: bool,
}

impl Lock {
    fn take(place: &Place) -> io::Result<Self> {
        let name = place.beside(".xcp-lock");
        let beside = |what: &str| {
            in_use(&format!("{}.xcp-lock, the lock of its server, {what}", place.path.display()))
        };
        for _ in 0..TRIES {
            let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let only_new = flags | OFlags::CREATE | OFlags::EXCL;
            // A fifo of that name must not be waited for.
            let (opened, made) =
                match rustix::fs::openat(&place.folder, &name, only_new, Mode::RUSR | Mode::WUSR) {
                    Err(Errno::EXIST) => (
                        rustix::fs::openat(&place.folder, &name, flags | OFlags::NONBLOCK, Mode::empty()),
                        false,
                    ),
                    outcome => (outcome, true),
                };
            let file = match opened {
                Ok(fd) => File::from(fd),
                Err(Errno::NOENT) if !made => continue,
                Err(Errno::LOOP) => return Err(beside("is a symbolic link; remove it yourself")),
                Err(Errno::ACCESS | Errno::PERM) if !made => {
                    return Err(beside("cannot be opened: it is another user's"));
                }
                Err(errno) if made => return Err(errno.into()),
                Err(errno) => return Err(beside(&format!("cannot be opened: {}", io::Error::from(errno)))),
            };
            let stat = rustix::fs::fstat(&file)?;
            if !FileType::from_raw_mode(stat.st_mode).is_file() {
                return Err(beside("is no regular file; remove it yourself"));
            }
            let (user, owner) = (rustix::process::geteuid().as_raw(), stat.st_uid);
            if owner != user {
                return Err(beside(&format!(
                    "belongs to user {owner}, and this is {user}; remove both yourself"
                )));
            }
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => return Err(beside("is held: that server lives")),
                Err(errno) => return Err(beside(&format!("cannot be locked: {}", io::Error::from(errno)))),
            }
            let folder = place.folder.try_clone()?;
            let mut lock = Self { file, folder, name: name.clone(), record: None, removed: made };
            if !lock.is_there() {
                // Removed, or replaced, between opening and locking.
                lock.removed = false;
                continue;
            }
            let mut text = Vec::new();
            (&lock.file).take(RECORD).read_to_end(&mut text)?;
            if !text.is_empty() {
                let record =
                    text.strip_prefix(MAGIC.as_bytes()).and_then(|record| str::from_utf8(record).ok());
                let record = record.ok_or_else(|| beside("holds something else; remove it yourself"))?;
                lock.record = Some(record.to_owned());
            }
            return Ok(lock);
        }
        Err(beside(&format!("was removed {TRIES} times while it was taken")))
    }

    /// Writes down which socket it is the lock of.
    fn keep(&mut self, record: &str) -> io::Result<()> {
        self.removed = true;
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(format!("{MAGIC}{record}").as_bytes())
    }

    /// Whether its name is still that of this file.
    fn is_there(&self) -> bool {
        let ours = rustix::fs::fstat(&self.file);
        let there = rustix::fs::statat(&self.folder, &self.name, AtFlags::SYMLINK_NOFOLLOW);
        let same = |a: Stat, b: Stat| (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino);
        ours.is_ok_and(|ours| there.is_ok_and(|there| same(ours, there)))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Still held: nobody else can believe to hold the file that goes.
        if self.removed && self.is_there() {
            let _ = rustix::fs::unlinkat(&self.folder, &self.name, AtFlags::empty());
        }
    }
}

fn is_socket(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode).is_socket()
}

/// Which file it is. Numbers of files are used again; the time of the last change is that of birth, for a socket is never
/// written to.
fn record_of(stat: &Stat) -> String {
    format!("device {} inode {} made {}.{:09}\n", stat.st_dev, stat.st_ino, stat.st_mtime, stat.st_mtime_nsec)
}

fn describe(stat: &Stat, place: &Place) -> String {
    let what = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => format!("a regular file of {} bytes", stat.st_size),
        FileType::Directory => "a folder".to_owned(),
        FileType::Symlink => "a symbolic link".to_owned(),
        FileType::Fifo => "a fifo".to_owned(),
        FileType::CharacterDevice | FileType::BlockDevice => "a device".to_owned(),
        FileType::Socket => {
            return format!(
                "{0} is a socket of which {0}.xcp-lock says nothing, so another program may hold it; if none does, remove it \
                 yourself",
                place.path.display()
            );
        }
        FileType::Unknown => "something unknown".to_owned(),
    };
    format!("{} is {what}; remove it yourself, or listen elsewhere", place.path.display())
}

fn in_use(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::AddrInUse, format!("address already in use: {what}"))
}

#[cfg(test)]
mod tests;
