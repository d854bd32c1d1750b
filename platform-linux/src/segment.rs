//! POSIX shared memory: files in `/dev/shm`, every page reserved when they are created.
#![expect(unsafe_code, reason = "promises what a mapping is")]

use std::fs::File;
use std::io::ErrorKind;
use std::num::NonZeroU32;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use memmap2::{MmapOptions, MmapRaw};
use nix::libc;
use rustix::fs::{FlockOperation, Timespec};
use rustix::io::Errno;
use rustix::thread::futex;
use strait_core::name::Name;
use strait_core::platform::{Access, Others, Segment};
use strait_core::time::Instant;

use crate::error::Error;
use crate::file;
use crate::generation::generation;
use crate::places::Places;
use crate::reserve::reserve;

/// Where `shm_open(3)` keeps its files.
pub(crate) const FOLDER: &str = "/dev/shm";

/// How a segment is mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    ReadWrite,
    ReadOnly,
}

/// A mapped segment. Clones share the mapping; the last one unmaps it.
#[derive(Clone, Debug)]
pub struct LinuxSegment(Arc<Mapping>);

#[derive(Debug)]
struct Mapping {
    map: MmapRaw,
    file: File,
    path: PathBuf,
    mode: Mode,
    /// Whether the lock was taken through this handle. Held while the file's lock is changed: asking again would succeed,
    /// and a look at it would give it back.
    locked: Mutex<bool>,
    /// The locks of places that were taken through this handle.
    places: Mutex<Places>,
    /// The [`generation`] of the process that opened it.
    opener: u64,
}

impl Drop for Mapping {
    fn drop(&mut self) {
        let locked = *self.locked.get_mut().unwrap_or_else(PoisonError::into_inner);
        // A child that was forked meanwhile has the file open too, and would keep the lock. It gives none back itself.
        if locked && generation() == self.opener {
            let _ = rustix::fs::flock(&self.file, FlockOperation::Unlock);
        }
    }
}

impl LinuxSegment {
    /// Makes a file, lets `prepare` work on its memory, and only then gives it its name.
    pub(crate) fn create(
        name: &Name,
        len: usize,
        access: Access,
        prepare: &mut dyn FnMut(&Self),
    ) -> Result<Self, Error> {
        let folder = Path::new(FOLDER);
        let path = folder.join(name.as_str());
        if ["sem.sem-w-", "sem.sem-r-"].iter().any(|prefix| name.as_str().starts_with(prefix)) {
            // Whoever makes or removes that buffer's semaphore would take it for his.
            return Err(Error::unsuitable(&path, "its name is that of a buffer's semaphore"));
        }
        let mut made = None;
        file::publish(folder, name.as_str(), access, |file, path| {
            reserve(file, len, path)?;
            prepare(made.insert(Self::unnamed(file, path, false)?));
            Ok(())
        })?;
        made.ok_or_else(|| Error::unsuitable(&path, "it was never mapped"))
    }

    /// Another opening of the very file behind the mapping, whatever its name stands for now.
    pub(crate) fn reopen(&self) -> Result<Self, Error> {
        let path = &self.0.path;
        let own = format!("/proc/self/fd/{}", self.0.file.as_raw_fd());
        let file = File::options()
            .read(true)
            .write(self.0.mode == Mode::ReadWrite)
            .open(own)
            .map_err(|error| Error::io("reopen", path, error))?;
        let map = map_file(&file, path, self.0.mode)?;
        Ok(Self::mapped(map, file, path.clone(), self.0.mode))
    }

    /// Sleeps while the 32-bit word at `offset` is `expected`, until a wake or `until`.
    pub(crate) fn futex_wait(&self, offset: usize, expected: u32, until: Instant) -> Result<(), Errno> {
        const NANOS: u64 = 1_000_000_000;
        let Some(word) = self.futex(offset) else { return Ok(()) };
        let nanos = until.as_nanos();
        let at = Timespec {
            tv_sec: i64::try_from(nanos / NANOS).unwrap_or(i64::MAX),
            tv_nsec: i64::try_from(nanos % NANOS).unwrap_or(0),
        };
        // FUTEX_WAIT_BITSET takes an absolute CLOCK_MONOTONIC time; no PRIVATE flag: other processes wake us.
        let outcome = futex::wait_bitset(word, futex::Flags::empty(), expected, Some(&at), NonZeroU32::MAX);
        match outcome {
            // The word has changed, a signal handler ran, or time is up: the caller looks again.
            Ok(()) | Err(Errno::AGAIN | Errno::INTR | Errno::TIMEDOUT) => Ok(()),
            Err(errno) => Err(errno),
        }
    }

    /// Wakes up to `count` sleepers at the word.
    pub(crate) fn futex_wake(&self, offset: usize, count: u32) -> Result<(), Errno> {
        let Some(word) = self.futex(offset) else { return Ok(()) };
        futex::wake(word, futex::Flags::empty(), count).map(|_| ())
    }

    /// The address of a futex; `None` if it is no aligned word of the mapping.
    fn futex(&self, offset: usize) -> Option<&AtomicU32> {
        let end = offset.checked_add(size_of::<u32>())?;
        if !offset.is_multiple_of(align_of::<AtomicU32>()) || end > self.0.map.len() {
            return None;
        }
        // SAFETY: inside the mapping, as checked.
        let word = unsafe { self.0.map.as_mut_ptr().add(offset) };
        // SAFETY: aligned, because a mapping begins at a page and `offset` is a multiple of 4; it lives as long as `self`;
        // everybody accesses these bytes atomically. The reference only names the futex: it never loads or stores.
        Some(unsafe { AtomicU32::from_ptr(word.cast()) })
    }

    pub(crate) fn open(name: &Name, mode: Mode) -> Result<Self, Error> {
        Self::open_file(&Path::new(FOLDER).join(name.as_str()), mode)
    }

    pub(crate) fn open_file(path: &Path, mode: Mode) -> Result<Self, Error> {
        let file = file::open(path, mode == Mode::ReadWrite)?;
        if file::len_now(&file) == 0 {
            return Err(Error::empty(path));
        }
        let map = map_file(&file, path, mode)?;
        Ok(Self::mapped(map, file, path.to_owned(), mode))
    }

    fn mapped(map: MmapRaw, file: File, path: PathBuf, mode: Mode) -> Self {
        let (locked, places) = (Mutex::new(false), Mutex::default());
        Self(Arc::new(Mapping { map, file, path, mode, locked, places, opener: generation() }))
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.0.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A file that has no name yet, mapped for writing, and with `locked` its lock taken through this handle.
    pub(crate) fn unnamed(file: &File, path: &Path, locked: bool) -> Result<Self, Error> {
        if locked {
            rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive)
                .map_err(|errno| Error::system("flock", path, errno))?;
        }
        let map = map_file(file, path, Mode::ReadWrite)?;
        let file = file.try_clone().map_err(|error| Error::io("dup", path, error))?;
        let (path, mode, locked) = (path.to_owned(), Mode::ReadWrite, Mutex::new(locked));
        let places = Mutex::default();
        Ok(Self(Arc::new(Mapping { map, file, path, mode, locked, places, opener: generation() })))
    }

    pub(crate) fn file(&self) -> &File {
        &self.0.file
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0.path
    }

    /// Whether anybody but this user may write the file.
    pub(crate) fn is_shared_widely(&self) -> bool {
        match rustix::fs::fstat(&self.0.file) {
            Ok(stat) => stat.st_mode & 0o022 != 0 || stat.st_uid != rustix::process::geteuid().as_raw(),
            Err(_) => true,
        }
    }
}

fn map_file(file: &File, path: &Path, mode: Mode) -> Result<MmapRaw, Error> {
    let options = MmapOptions::new();
    let map = match mode {
        Mode::ReadWrite => options.map_raw(file),
        Mode::ReadOnly => options.map_raw_read_only(file),
    };
    map.map_err(|error| match error.kind() {
        // No addresses are left for it, or it is longer than half of them, which memmap2 refuses. Full memory is none of
        // these: no page is touched here.
        ErrorKind::OutOfMemory | ErrorKind::InvalidData => {
            Error::unmappable(path, file.metadata().map_or(0, |file| file.len()))
        }
        _ => Error::io("mmap", path, error),
    })
}

// SAFETY: a mapping starts at a page boundary, is valid for `map.len()` bytes until the last clone is dropped, and
// `MmapRaw` hands out no references to its inside. That its pages exist is checked by `backed_len`; a read-only
// mapping serves `inspect`, which loads and copies out, and is never locked for anybody who would write. The lock is the
// open file's, which clones share and the last one closes; the flag beside it refuses whoever asks through the same file again.
unsafe impl Segment for LinuxSegment {
    #[inline]
    fn base(&self) -> NonNull<u8> {
        // A mapping is never at address 0.
        NonNull::new(self.0.map.as_mut_ptr()).unwrap_or(NonNull::dangling())
    }

    #[inline]
    fn len(&self) -> usize {
        self.0.map.len()
    }

    #[inline]
    fn backed_len(&self) -> usize {
        file::len_now(&self.0.file)
    }

    fn is_linked(&self) -> bool {
        rustix::fs::fstat(&self.0.file).is_ok_and(|stat| stat.st_nlink > 0)
    }

    fn lock(&self) -> bool {
        let mut locked = self.0.locked.lock().unwrap_or_else(PoisonError::into_inner);
        // Who holds the lock writes, and a read-only mapping would not bear it.
        if *locked || self.0.mode == Mode::ReadOnly {
            return false;
        }
        // A probe holds the lock for a moment: a few tries tell it from an owner.
        for attempt in 0..20 {
            if rustix::fs::flock(&self.0.file, FlockOperation::NonBlockingLockExclusive).is_ok() {
                *locked = true;
                return true;
            }
            if attempt > 0 {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        false
    }

    fn is_locked(&self) -> bool {
        let locked = self.0.locked.lock().unwrap_or_else(PoisonError::into_inner);
        if *locked {
            return false;
        }
        match rustix::fs::flock(&self.0.file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => {
                let _ = rustix::fs::flock(&self.0.file, FlockOperation::Unlock);
                false
            }
            Err(errno) => errno == Errno::WOULDBLOCK,
        }
    }

    fn lock_place(&self, place: usize) -> bool {
        self.places().lock(&self.0.file, place)
    }

    fn unlock_place(&self, place: usize) {
        self.places().unlock(&self.0.file, place);
    }

    fn is_place_locked(&self, place: usize) -> Option<bool> {
        self.places().is_locked(&self.0.file, place)
    }

    fn others(&self) -> Others {
        // Somebody who looks has it open for a moment, and so has a child between `fork` and `execve`.
        for attempt in 0..5 {
            if attempt > 0 {
                std::thread::sleep(Duration::from_millis(1));
            }
            match lease(&self.0.file) {
                Ok(()) => return Others::Nobody,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // Another user's file, or a system without leases.
                Err(_) => return Others::Untold,
            }
        }
        Others::Somebody
    }
}

/// Asks for a lease of the file and gives it back: the system grants one to the only handle of a file, and counts handles
/// and mappings of every process, in every namespace.
///
/// Meanwhile others who open the file wait, or are told to try again, and we are sent a signal: SIGURG, which nobody minds, and
/// not SIGIO, which ends a process.
fn lease(file: &File) -> std::io::Result<()> {
    /// Source: `include/uapi/asm-generic/fcntl.h`; `libc` lacks it.
    const F_SETSIG: libc::c_int = 10;
    let fd = file.as_raw_fd();
    let done = |returned: libc::c_int| match returned {
        -1 => Err(std::io::Error::last_os_error()),
        _ => Ok(()),
    };
    // SAFETY: takes a number and touches no memory; `file` is open.
    done(unsafe { libc::fcntl(fd, F_SETSIG, libc::SIGURG) })?;
    // SAFETY: as above.
    done(unsafe { libc::fcntl(fd, libc::F_SETLEASE, libc::F_WRLCK) })?;
    // SAFETY: as above.
    done(unsafe { libc::fcntl(fd, libc::F_SETLEASE, libc::F_UNLCK) })
}

/// The processor's time stamp counter where it has one that a program may read: 10 ns instead of a clock's 25.
#[inline]
pub(crate) fn stamp() -> u64 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: RDTSC reads a counter and touches nothing else.
    let stamp = unsafe { std::arch::x86_64::_rdtsc() };
    #[cfg(not(target_arch = "x86_64"))]
    let stamp = crate::process::monotonic_now().as_nanos();
    stamp
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_is_taken_once_until_every_clone_of_its_handle_is_dropped() {
        let name = Name::new(&format!("strait-lock-{}", std::process::id())).unwrap();
        let segment = LinuxSegment::create(&name, 4096, Access::default(), &mut |_| ()).unwrap();
        let other = LinuxSegment::open(&name, Mode::ReadWrite).unwrap();
        let looking = LinuxSegment::open(&name, Mode::ReadOnly).unwrap();
        std::fs::remove_file(segment.path()).unwrap();
        assert!(!looking.lock(), "nothing can be written through it");

        let clone = segment.clone();
        assert!(segment.lock());
        assert!(!segment.lock() && !clone.lock() && !other.lock());
        // A look through the handle that holds it finds no other, and does not give it back.
        assert!(!clone.is_locked() && other.is_locked());
        drop(segment);
        assert!(!other.lock(), "a clone is left");
        drop(clone);
        assert!(other.lock());
    }

    #[test]
    fn nobody_else_has_a_file_until_it_is_opened_or_mapped_once_more() {
        let name = Name::new(&format!("strait-others-{}", std::process::id())).unwrap();
        let segment = LinuxSegment::create(&name, 4096, Access::default(), &mut |_| ()).unwrap();
        let clone = segment.clone();
        assert_eq!((segment.others(), clone.others()), (Others::Nobody, Others::Nobody));
        for mode in [Mode::ReadOnly, Mode::ReadWrite] {
            let other = LinuxSegment::open(&name, mode).unwrap();
            assert_eq!((segment.others(), other.others()), (Others::Somebody, Others::Somebody));
        }
        // A mapping alone counts too.
        let file = file::open(segment.path(), true).unwrap();
        let map = map_file(&file, segment.path(), Mode::ReadWrite).unwrap();
        drop(file);
        assert_eq!(segment.others(), Others::Somebody);
        drop(map);
        assert_eq!(segment.others(), Others::Nobody);
        std::fs::remove_file(segment.path()).unwrap();
    }

    #[test]
    fn the_name_of_a_semaphore_is_no_segments() {
        let name = Name::new(&format!("sem.sem-w-strait-{}", std::process::id())).unwrap();
        let refused = LinuxSegment::create(&name, 4096, Access::default(), &mut |_| ()).unwrap_err();
        assert!(refused.to_string().contains("a buffer's semaphore"), "{refused}");
        assert!(!Path::new(FOLDER).join(name.as_str()).exists());
    }

    #[test]
    fn a_segment_longer_than_the_addresses_is_refused_with_its_size() {
        use strait_core::platform::{FaultKind, PlatformError as _};
        for len in [1 << 31, 3 << 30, (1 << 32) + 4096_u64] {
            let path = Path::new(FOLDER).join(format!("strait-unmappable-{}", std::process::id()));
            // Holes only: it takes no memory.
            File::create_new(&path).and_then(|file| file.set_len(len)).unwrap();
            let opened = LinuxSegment::open_file(&path, Mode::ReadWrite).map(|segment| segment.len());
            std::fs::remove_file(&path).unwrap();
            match opened {
                Ok(found) => assert_eq!((found as u64, usize::BITS), (len, 64)),
                Err(error) => {
                    assert_eq!((error.kind(), usize::BITS), (FaultKind::Other, 32));
                    assert!(error.to_string().contains(&format!("its {len} bytes")), "{error}");
                }
            }
        }
    }
}
