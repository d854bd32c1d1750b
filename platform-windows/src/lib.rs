//! Strait on Windows: named file mappings and semaphores, lock files, process handles.
//!
//! | need | object | calls |
//! |---|---|---|
//! | segment | mapping `NAME`, backed by the page file | `CreateFileMappingW`, `OpenFileMappingW`, `MapViewOfFile` |
//! | semaphore | semaphore `sem-w-NAME`, `sem-r-NAME` | `CreateSemaphoreW`, `WaitForSingleObject`, `ReleaseSemaphore` |
//! | lock | file `%TEMP%\zerobuffer\locks\NAME.lock` | `CreateFileW` with share mode 0, deleted on close |
//! | liveness | process number | `OpenProcess`, `WaitForSingleObject`, `GetProcessTimes` |
//! | clock | performance counter | `QueryPerformanceCounter` |
//!
//! The names are those of the C# implementation of ZeroBuffer. Mappings and semaphores are made in this session's
//! namespace (`Local\`) for mode 0600, and in the machine's (`Global\`), open to everybody, for mode 0666; other modes
//! and groups have no equivalent here and are refused. Opening looks in `Local\` first.
//!
//! # Names live as long as handles
//!
//! Windows removes a name when the last handle to its object is closed, and not before; a mapped view does not hold the
//! name. So the creator of a segment keeps its handle, and openers close theirs once they have mapped it: the name goes
//! with its creator, also when that is killed, and the next reader can take it while an old writer still holds the old
//! memory. Nothing is ever left behind. `remove_segment` gives up the name of what this process
//! has made, and keeps the memory for the frames that it still holds.
//!
//! A semaphore is of use through its handle only, so an old writer keeps its name. The next creator then shares it, and
//! takes every permit out of it first: permits are hints, and one that the old writer adds or takes is made good.
//!
//! Two objects more, that other implementations do not know, tell Strait ends what handles cannot: the mapping `~NAME`
//! (the segment's identity and the writer's lock) and the event `~sem-r-NAME` (the reader is Strait's). Beside a segment of
//! another implementation the event `~lock-NAME` is the writer's lock. No buffer's name has a `~`.
#![cfg(windows)]

mod companion;
mod error;
mod lock;
mod namespace;
mod process;
mod segment;
mod semaphore;
mod sys;

use core::time::Duration;

pub use error::Error;
pub use lock::Lock;
pub use process::ProcessWatch;
pub use segment::WindowsSegment;
pub use semaphore::WindowsSemaphore;
use strait_core::name::Name;
use strait_core::platform::{
    Access, Clock, Fate, Identity, Liveness, LockState, Pid, Platform, Segment as _, Signal as _, WaitPolicy,
};
use strait_core::time::Instant;

// Between processes a 64-bit atomic must be one instruction; a fallback's lock would be this process's own.
#[cfg(not(target_has_atomic = "64"))]
compile_error!("strait needs 64-bit atomics to talk to other processes");

/// This Windows system.
#[derive(Clone, Copy, Debug, Default)]
pub struct Windows;

impl Windows {
    /// Opens a segment for looking only: nothing can be written through it.
    ///
    /// # Errors
    /// As [`Platform::open_segment`].
    pub fn open_read_only(&self, name: &Name) -> Result<WindowsSegment, Error> {
        WindowsSegment::open(name, sys::Mode::ReadOnly)
    }

    /// Permits of a semaphore.
    ///
    /// Windows tells them only to who takes one: it is put back at once.
    ///
    /// # Errors
    /// As [`Platform::open_signal`].
    pub fn peek_signal(&self, name: &Name) -> Result<u32, Error> {
        use strait_core::platform::Signal as _;
        Ok(WindowsSemaphore::open(name)?.permits())
    }

    /// Names of this user's buffers whose readers run, by their lock files, sorted. Windows has no list of mappings,
    /// and none outlives its processes.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn list_segments(&self) -> Result<Vec<Name>, Error> {
        lock::list()
    }

    /// Names of semaphores that may have been left behind: none, they go with the processes that hold them.
    ///
    /// # Errors
    /// None here.
    pub fn list_signals(&self) -> Result<Vec<Name>, Error> {
        Ok(Vec::new())
    }

    /// Processor time this process has used.
    pub fn cpu_time(&self) -> Duration {
        process::cpu_time()
    }
}

impl Clock for Windows {
    #[inline]
    fn now(&self) -> Instant {
        process::now()
    }

    #[inline]
    fn stamp(&self) -> u64 {
        sys::stamp()
    }

    #[inline]
    fn yield_now(&self) {
        std::thread::yield_now();
    }

    /// Fewer polls than elsewhere: each is a system call here, of some 0.5 µs.
    fn wait_policy(&self) -> WaitPolicy {
        let spins = if sys::processors() > 1 { 80 } else { 0 };
        WaitPolicy { min_spins: spins / 20, max_spins: spins, yields: 2 }
    }
}

impl Liveness for Windows {
    type Watch = ProcessWatch;

    fn this(&self) -> Pid {
        Pid(u64::from(std::process::id()))
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

impl Platform for Windows {
    type Segment = WindowsSegment;
    type Signal = WindowsSemaphore;
    type Lock = Lock;
    type Error = Error;

    fn create_segment(&self, name: &Name, len: usize, access: Access) -> Result<WindowsSegment, Error> {
        WindowsSegment::create(name, len, access)
    }

    fn reopen_segment(&self, _segment: &WindowsSegment, name: &Name) -> Result<WindowsSegment, Error> {
        // A name stays with its object here for as long as somebody holds it.
        WindowsSegment::open(name, sys::Mode::ReadWrite)
    }

    fn page_size(&self) -> usize {
        4096
    }

    fn sleep_until(&self, until: Instant) {
        std::thread::sleep(until.saturating_since(self.now()));
    }

    /// Windows wakes by address within one process only: the word is looked at once a millisecond.
    fn park(&self, segment: &WindowsSegment, offset: usize, expected: u32, until: Instant) {
        while self.now() < until && segment.word(offset) == Some(expected) {
            std::thread::sleep(until.saturating_since(self.now()).min(Duration::from_millis(1)));
        }
    }

    fn unpark_all(&self, _segment: &WindowsSegment, _offset: usize) {}

    fn open_segment(&self, name: &Name) -> Result<WindowsSegment, Error> {
        WindowsSegment::open(name, sys::Mode::ReadWrite)
    }

    fn create_signal(&self, name: &Name, access: Access, locked: bool) -> Result<WindowsSemaphore, Error> {
        WindowsSemaphore::create(name, access, locked)
    }

    fn open_signal(&self, name: &Name) -> Result<WindowsSemaphore, Error> {
        WindowsSemaphore::open(name)
    }

    fn lock(&self, name: &Name, _access: Access) -> Result<Lock, Error> {
        // The folder is this user's, whoever may open the buffer.
        Lock::take(name)
    }

    fn probe_lock(&self, name: &Name) -> LockState {
        lock::probe(name)
    }

    fn lock_holder(&self, _name: &Name) -> Pid {
        // Windows does not tell who has a file open.
        Pid(0)
    }

    fn probe_signal(&self, name: &Name) -> LockState {
        match WindowsSemaphore::open(name) {
            Ok(semaphore) if semaphore.is_locked() => LockState::Held,
            Ok(_) => LockState::Free,
            Err(_) => LockState::Absent,
        }
    }

    fn is_shared_widely(&self, segment: &WindowsSegment) -> bool {
        segment.is_shared_widely()
    }

    /// Nobody: the size of a section is fixed when it is made.
    fn others_may_cut(&self, _segment: &WindowsSegment) -> bool {
        false
    }

    fn remove_segment(&self, name: &Name) -> Result<(), Error> {
        segment::remove(name);
        Ok(())
    }

    fn remove_this_segment(&self, _name: &Name, segment: &WindowsSegment) -> Result<bool, Error> {
        // What another process has made goes with it.
        segment.give_up();
        Ok(!segment.is_linked())
    }

    fn remove_signal(&self, _name: &Name) -> Result<(), Error> {
        // It goes with the last handle.
        Ok(())
    }

    fn remove_this_signal(&self, _name: &Name, signal: &WindowsSemaphore) -> Result<bool, Error> {
        // As above: a semaphore that a writer still has is shared with the next reader, who empties it.
        signal.give_up();
        Ok(true)
    }
}
