//! Named semaphores in glibc's layout over a mapped file and a shared futex: the same bytes as `sem_open(3)`'s.
//!
//! Unlike `sem_timedwait(3)` it waits by the monotonic clock and goes on after a signal; unlike musl's own it can be
//! shared with glibc programs.

use std::path::Path;

use rustix::io::Errno;
use strait_core::name::Name;
use strait_core::platform::{Access, Segment as _, Signal};
use strait_core::semaphore::{Futex, PostError, Semaphore};
use strait_core::shm::view;
use strait_core::time::Instant;

use crate::error::Error;
use crate::file;
use crate::process::monotonic_now;
use crate::reserve::reserve;
use crate::segment::{FOLDER, LinuxSegment, Mode};

/// `sem_open(3)` puts this in front of a name.
pub(crate) fn file_name(name: &Name) -> String {
    format!("sem.{name}")
}

/// A named semaphore. Clones share it.
#[derive(Clone, Debug)]
pub struct LinuxSemaphore {
    segment: LinuxSegment,
}

impl LinuxSemaphore {
    /// With `locked`, nobody ever finds it without its lock held by us.
    pub(crate) fn create(name: &Name, access: Access, locked: bool) -> Result<Self, Error> {
        let folder = Path::new(FOLDER);
        let mut made = None;
        file::publish(folder, &file_name(name), access, |file, path| {
            reserve(file, size_of::<Semaphore>(), path)?;
            // glibc's initial bytes: no permits, no waiters, shared.
            let mut bytes = [0; size_of::<Semaphore>()];
            bytes[8] = 0x80;
            rustix::io::pwrite(file, &bytes, 0).map_err(|errno| Error::system("pwrite", path, errno))?;
            made = Some(LinuxSegment::unnamed(file, path, locked)?);
            Ok(())
        })?;
        let unmapped = || Error::unsuitable(&folder.join(file_name(name)), "it was never mapped");
        Ok(Self { segment: made.ok_or_else(unmapped)? })
    }

    pub(crate) fn open(name: &Name) -> Result<Self, Error> {
        Self::open_file(name, Mode::ReadWrite)
    }

    fn open_file(name: &Name, mode: Mode) -> Result<Self, Error> {
        let path = Path::new(FOLDER).join(file_name(name));
        let segment = LinuxSegment::open_file(&path, mode)?;
        let wanted = size_of::<Semaphore>();
        if segment.len() < wanted {
            let why = format!("{} bytes are no semaphore of {wanted}", segment.len());
            return Err(Error::unsuitable(&path, why));
        }
        let semaphore = Self { segment };
        if !semaphore.words().is_valid() {
            return Err(Error::unsuitable(&path, "its bytes are not those of a shared glibc semaphore"));
        }
        Ok(semaphore)
    }

    /// Removes it, unless another file stands under its name by now. What is longer than a semaphore is somebody else's.
    pub(crate) fn remove(&self) -> Result<bool, Error> {
        let (path, len) = (self.segment.path(), self.segment.len());
        if len != size_of::<Semaphore>() {
            let why = format!("{len} bytes are more than a semaphore's {}", size_of::<Semaphore>());
            return Err(Error::unsuitable(path, why));
        }
        file::remove_this(self.segment.file(), path)
    }

    /// Permits now, through a read-only mapping.
    pub(crate) fn peek(name: &Name) -> Result<u32, Error> {
        Ok(Self::open_file(name, Mode::ReadOnly)?.words().permits())
    }

    #[inline]
    fn words(&self) -> &Semaphore {
        view(&self.segment, 0).expect("length checked in `open_file`, mappings are page-aligned")
    }
}

impl Futex for LinuxSemaphore {
    type Error = Errno;

    fn sleep(&self, until: Instant) -> Result<(), Errno> {
        // The permits are the first four bytes.
        self.segment.futex_wait(0, 0, until)
    }

    fn wake_one(&self) -> Result<(), Errno> {
        self.segment.futex_wake(0, 1)
    }

    fn now(&self) -> Instant {
        monotonic_now()
    }
}

impl Signal for LinuxSemaphore {
    type Error = Error;

    #[inline]
    fn post(&self) -> Result<(), Error> {
        self.words().post(self).map_err(|error| match error {
            PostError::Overflow => Error::overflow(self.segment.path()),
            PostError::Futex(errno) => Error::system("futex", self.segment.path(), errno),
        })
    }

    #[inline]
    fn permits(&self) -> u32 {
        self.words().permits()
    }

    #[inline]
    fn take(&self, count: u32) -> u32 {
        self.words().take(count)
    }

    fn wait(&self, until: Instant) -> Result<bool, Error> {
        self.wait_unless(until, &|| false)
    }

    fn wait_unless(&self, until: Instant, is_over: &dyn Fn() -> bool) -> Result<bool, Error> {
        // Before sleeping, not at every look: a file cut to nothing would kill us at the next load.
        if self.segment.backed_len() < size_of::<Semaphore>() {
            return Err(Error::unsuitable(self.segment.path(), "it was truncated"));
        }
        let outcome = self.words().wait_unless(self, until, is_over);
        outcome.map_err(|errno| Error::system("futex", self.segment.path(), errno))
    }

    fn nudge(&self) {
        // All of them: who else sleeps here looks, and sleeps again. A failure leaves them to the end of their slice.
        let _ = self.segment.futex_wake(0, u32::MAX >> 1);
    }

    fn lock(&self) -> bool {
        self.segment.lock()
    }

    fn is_locked(&self) -> bool {
        self.segment.is_locked()
    }

    fn is_linked(&self) -> bool {
        self.segment.is_linked()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_beyond_32_bits_of_seconds_is_one_to_sleep_until() {
        let name = Name::new(&format!("strait-far-{}", std::process::id())).unwrap();
        let access = Access { mode: 0o600, group: None };
        let semaphore = LinuxSemaphore::create(&name, access, false).unwrap();
        file::remove(FOLDER, &file_name(&name)).unwrap();
        semaphore.post().unwrap();
        // The permit ends the sleep at once; a time that the system call cannot hold would be an error.
        for seconds in [1_u64 << 31, 1 << 32, u64::MAX / 1_000_000_000] {
            let until = Instant::from_nanos(seconds.saturating_mul(1_000_000_000));
            assert_eq!(semaphore.sleep(until), Ok(()), "{seconds} s");
        }
    }
}
