//! Strait on Linux: POSIX shared memory, glibc-layout semaphores, `flock` locks, pidfds.
//!
//! | need | object | calls |
//! |---|---|---|
//! | segment | `/dev/shm/NAME` | `open(2)` `O_TMPFILE`, `fallocate(2)`, `mmap(2)`, `linkat(2)` |
//! | semaphore | `/dev/shm/sem.NAME`, 32 bytes as glibc lays them out | `futex(2)`, absolute `CLOCK_MONOTONIC` |
//! | place of a link's participant | a byte of the segment's file | `fcntl(2)` `F_OFD_SETLK` |
//! | lock | `/tmp/zerobuffer/NAME.lock` and `$TMPDIR/zerobuffer/locks/NAME.lock` | `flock(2)`, `linkat(2)` |
//! | liveness | process number | `pidfd_open(2)`, `poll(2)`, /proc/PID/stat, /proc/self/ns |
//! | nobody has it open | a lease | `fcntl(2)` |
//! | clock | `CLOCK_MONOTONIC` | `clock_gettime(2)` |
//!
//! Everything is created without a name, made ready, and linked to its name in one step, so that nobody sees it half
//! done; everything is opened with `O_CLOEXEC | O_NOFOLLOW` and must be a regular file. Compiles to nothing on other
//! systems.
#![cfg(target_os = "linux")]

mod error;
mod file;
mod generation;
mod lock;
mod places;
mod process;
mod reserve;
mod segment;
mod semaphore;

use core::time::Duration;
use std::path::Path;

pub use error::Error;
pub use lock::Lock;
pub use process::ProcessWatch;
pub use reserve::stop_reserving_when;
pub use segment::LinuxSegment;
pub use semaphore::LinuxSemaphore;
use strait_core::name::Name;
use strait_core::platform::{Access, Clock, Fate, Identity, Liveness, LockState, Pid, Platform, WaitPolicy};
use strait_core::time::Instant;

// Between processes a 64-bit atomic must be one instruction; a fallback's lock would be this process's own.
#[cfg(not(target_has_atomic = "64"))]
compile_error!("strait needs 64-bit atomics to talk to other processes");
// The permits of a semaphore are the first four bytes of its 64-bit word.
#[cfg(not(target_endian = "little"))]
compile_error!("strait's shared layouts are little-endian");

/// This Linux system.
#[derive(Clone, Copy, Debug, Default)]
pub struct Linux;

impl Linux {
    /// Opens a segment for looking only: nothing can be written through it.
    ///
    /// # Errors
    /// As [`Platform::open_segment`].
    pub fn open_read_only(&self, name: &Name) -> Result<LinuxSegment, Error> {
        LinuxSegment::open(name, segment::Mode::ReadOnly)
    }

    /// Permits and waiters of a semaphore, without opening it for writing.
    ///
    /// # Errors
    /// As [`Platform::open_signal`].
    pub fn peek_signal(&self, name: &Name) -> Result<u32, Error> {
        LinuxSemaphore::peek(name)
    }

    /// Names of everything in `/dev/shm` that could be a segment, sorted.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn list_segments(&self) -> Result<Vec<Name>, Error> {
        file::list(segment::FOLDER, "")
    }

    /// Names of every semaphore, sorted.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn list_signals(&self) -> Result<Vec<Name>, Error> {
        file::list(segment::FOLDER, "sem.")
    }

    /// Processor time this process has used.
    pub fn cpu_time(&self) -> Duration {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        process::duration(time)
    }
}

impl Clock for Linux {
    #[inline]
    fn now(&self) -> Instant {
        process::monotonic_now()
    }

    #[inline]
    fn stamp(&self) -> u64 {
        segment::stamp()
    }

    #[inline]
    fn yield_now(&self) {
        rustix::thread::sched_yield();
    }

    fn wait_policy(&self) -> WaitPolicy {
        // On one processor the other end runs only when we do not. The machine's processors, not those this process
        // may use: the other end may be pinned to another.
        let online = std::fs::read_to_string("/sys/devices/system/cpu/online");
        let one = online.is_ok_and(|list| !list.trim().is_empty() && !list.contains(['-', ',']));
        if one { WaitPolicy { min_spins: 0, max_spins: 0, yields: 2 } } else { WaitPolicy::default() }
    }
}

impl Liveness for Linux {
    type Watch = ProcessWatch;

    fn this(&self) -> Pid {
        Pid(u64::from(std::process::id()))
    }

    #[inline]
    fn generation(&self) -> u64 {
        generation::generation()
    }

    fn watch(&self, pid: Pid) -> ProcessWatch {
        ProcessWatch::new(pid)
    }

    fn identity(&self) -> Identity {
        process::identity()
    }

    fn fate(&self, identity: Identity) -> Fate {
        process::fate(identity)
    }
}

impl Platform for Linux {
    type Segment = LinuxSegment;
    type Signal = LinuxSemaphore;
    type Lock = Lock;
    type Error = Error;

    fn create_segment(&self, name: &Name, len: usize, access: Access) -> Result<LinuxSegment, Error> {
        LinuxSegment::create(name, len, access, &mut |_| ())
    }

    fn create_prepared(
        &self,
        name: &Name,
        len: usize,
        access: Access,
        prepare: &mut dyn FnMut(&LinuxSegment),
    ) -> Result<LinuxSegment, Error> {
        LinuxSegment::create(name, len, access, prepare)
    }

    fn reopen_segment(&self, segment: &LinuxSegment, _name: &Name) -> Result<LinuxSegment, Error> {
        segment.reopen()
    }

    fn page_size(&self) -> usize {
        rustix::param::page_size()
    }

    fn sleep_until(&self, until: Instant) {
        std::thread::sleep(until.saturating_since(self.now()));
    }

    fn park(&self, segment: &LinuxSegment, offset: usize, expected: u32, until: Instant) {
        if segment.futex_wait(offset, expected, until).is_err() {
            // A kernel without it: the caller polls.
            std::thread::sleep(until.saturating_since(self.now()).min(Duration::from_millis(1)));
        }
    }

    fn unpark_all(&self, segment: &LinuxSegment, offset: usize) {
        // Who is not woken wakes by himself after a slice.
        let _ = segment.futex_wake(offset, u32::MAX >> 1);
    }

    fn open_segment(&self, name: &Name) -> Result<LinuxSegment, Error> {
        LinuxSegment::open(name, segment::Mode::ReadWrite)
    }

    fn create_signal(&self, name: &Name, access: Access, locked: bool) -> Result<LinuxSemaphore, Error> {
        LinuxSemaphore::create(name, access, locked)
    }

    fn open_signal(&self, name: &Name) -> Result<LinuxSemaphore, Error> {
        LinuxSemaphore::open(name)
    }

    fn lock(&self, name: &Name, access: Access) -> Result<Lock, Error> {
        Lock::take(name, access)
    }

    fn probe_lock(&self, name: &Name) -> LockState {
        lock::probe(name)
    }

    fn lock_holder(&self, name: &Name) -> Pid {
        lock::holder(name)
    }

    fn probe_signal(&self, name: &Name) -> LockState {
        file::probe(&Path::new(segment::FOLDER).join(semaphore::file_name(name)))
    }

    fn is_shared_widely(&self, segment: &LinuxSegment) -> bool {
        segment.is_shared_widely()
    }

    fn remove_segment(&self, name: &Name) -> Result<(), Error> {
        file::remove(segment::FOLDER, name.as_str())
    }

    fn remove_this_segment(&self, name: &Name, segment: &LinuxSegment) -> Result<bool, Error> {
        file::remove_this(segment.file(), &Path::new(segment::FOLDER).join(name.as_str()))
    }

    fn remove_signal(&self, name: &Name) -> Result<(), Error> {
        file::remove(segment::FOLDER, &semaphore::file_name(name))
    }

    fn remove_this_signal(&self, _name: &Name, signal: &LinuxSemaphore) -> Result<bool, Error> {
        signal.remove()
    }
}
