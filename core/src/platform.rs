//! What a port to an operating system, or to bare metal, must supply.
//!
//! Core asks for little and says what it needs, not how a system is organised. [`FakePlatform`] (feature
//! `test-util`) is the second implementation that keeps these traits honest.
//!
//! [`FakePlatform`]: crate::testing::FakePlatform

mod pid;

use core::convert::Infallible;
use core::fmt;
use core::ptr::NonNull;

pub use self::pid::{Fate, Identity, Pid, Told};
use crate::name::Name;
use crate::time::Instant;

/// A fixed span of memory that others may share.
///
/// A clone is another handle to the same memory.
///
/// # Safety
/// `base()` is 64-byte aligned and valid for reads and writes of `len()` bytes, at the same address, until the
/// value and every clone of it are dropped. Nobody in this process holds a Rust reference into it except through
/// [`shm`](crate::shm). [`lock`](Segment::lock) never lets two have the memory at once: by it
/// [`local::split`](crate::zerobuffer::local::split) lends bytes, of a ring as of a [link](crate::hqq::local::split).
#[expect(unsafe_code, reason = "declares what an implementation promises")]
pub unsafe trait Segment: Clone + fmt::Debug {
    /// The first byte.
    fn base(&self) -> NonNull<u8>;

    /// Length in bytes; never changes.
    fn len(&self) -> usize;

    /// Whether there are no bytes at all.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that the object behind the mapping has now. Touching bytes beyond it would kill the process, so the
    /// endpoints ask before they hand out a frame. Memory that cannot shrink keeps the default.
    fn backed_len(&self) -> usize {
        self.len()
    }

    /// Whether the object can still be found under its name. `false` proves that its owner has gone or replaced it.
    fn is_linked(&self) -> bool {
        true
    }

    /// Takes the object's exclusive lock; `false` if it is taken, be it through this handle, a clone of it or another
    /// handle. It is held until every clone of the handle that took it is dropped, or its process has ended: for ever
    /// in a `static`.
    ///
    /// The writer takes it: it proves one alive that cannot be seen as a process, and is invisible to implementations
    /// that do not know it.
    fn lock(&self) -> bool;

    /// Whether another handle holds the lock. The default knows none.
    fn is_locked(&self) -> bool {
        false
    }

    /// Takes the lock of a place: one of [`PLACES`] that the object has beside its one lock. `false` if somebody has it,
    /// be it through this handle, or if the system has none: the default.
    ///
    /// It is held until [`unlock_place`](Self::unlock_place), or until every clone of the handle is dropped, or its process
    /// has ended or become another program; a child that it has forked holds it as well, for as long as it has the
    /// handle. Everybody who has the object open sees it, in whatever namespace.
    fn lock_place(&self, _place: usize) -> bool {
        false
    }

    /// Gives a place's lock back that was taken through this handle.
    fn unlock_place(&self, _place: usize) {}

    /// Whether somebody holds a place's lock, through this handle or another; `None` if the system cannot say. Leaves it as it
    /// is.
    fn is_place_locked(&self, _place: usize) -> Option<bool> {
        None
    }

    /// Who else has the object open or mapped, in any process of any namespace, beside this handle and its clones. The
    /// default does not tell.
    fn others(&self) -> Others {
        Others::Untold
    }
}

/// Whether anybody else has an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// Nobody: the system vouches for it.
    Nobody,
    /// Somebody, who may also only be looking.
    Somebody,
    /// The system does not say.
    Untold,
}

/// Places of a segment that have locks of their own.
pub const PLACES: usize = 128;

/// A counting semaphore, outside this process as a rule, with one waiter at most.
///
/// Counting and waiting are two steps: [`wait`](Signal::wait) returns when a permit is there and leaves it,
/// [`take`](Signal::take) removes permits and never waits.
pub trait Signal: fmt::Debug {
    /// What the system says when it fails.
    type Error: PlatformError;

    /// Adds a permit and wakes the waiter. Publishes every store made before it to whoever sees the permit.
    ///
    /// # Errors
    /// At 2³¹ − 1 permits, or when the system fails.
    fn post(&self) -> Result<(), Self::Error>;

    /// Permits there are now. Seeing one also shows what its poster stored before.
    fn permits(&self) -> u32;

    /// Removes up to `count` permits; returns how many.
    fn take(&self, count: u32) -> u32;

    /// Waits until a permit is there; `false` if `until` came first. The permit stays.
    ///
    /// # Errors
    /// When the system fails. An interruption by a signal handler is not an error.
    fn wait(&self, until: Instant) -> Result<bool, Self::Error>;

    /// [`wait`](Signal::wait), given up, `false`, once `is_over` says so: it is asked before every sleep, and
    /// [`nudge`](Signal::nudge) ends a sleep. The default is for signals at which nobody waits on behalf of others.
    ///
    /// # Errors
    /// As [`wait`](Signal::wait).
    fn wait_unless(&self, until: Instant, is_over: &dyn Fn() -> bool) -> Result<bool, Self::Error> {
        if is_over() { Ok(false) } else { self.wait(until) }
    }

    /// Lets everybody who waits look again, with a permit or without: who still has a reason goes on waiting.
    fn nudge(&self) {}

    /// Takes an exclusive lock through this handle, held until every clone of it is dropped; `false` if another handle
    /// holds it. The reader does, on the signal for space: it tells what kind of reader is there and that it lives, and
    /// nothing is lent by it. Where there is none, the default succeeds.
    fn lock(&self) -> bool {
        true
    }

    /// Whether another handle holds the lock. The default knows none.
    fn is_locked(&self) -> bool {
        false
    }

    /// Whether the object can still be found under its name. The default says yes.
    fn is_linked(&self) -> bool {
        true
    }
}

/// A shared signal, for one in a `static`.
impl<T: Signal> Signal for &T {
    type Error = T::Error;

    fn post(&self) -> Result<(), T::Error> {
        T::post(self)
    }

    fn permits(&self) -> u32 {
        T::permits(self)
    }

    fn take(&self, count: u32) -> u32 {
        T::take(self, count)
    }

    fn wait(&self, until: Instant) -> Result<bool, T::Error> {
        T::wait(self, until)
    }

    fn wait_unless(&self, until: Instant, is_over: &dyn Fn() -> bool) -> Result<bool, T::Error> {
        T::wait_unless(self, until, is_over)
    }

    fn nudge(&self) {
        T::nudge(self);
    }

    fn lock(&self) -> bool {
        T::lock(self)
    }

    fn is_locked(&self) -> bool {
        T::is_locked(self)
    }

    fn is_linked(&self) -> bool {
        T::is_linked(self)
    }
}

/// A process kept in view, so that another one with the same number later is not taken for it.
pub trait Watch: fmt::Debug {
    /// Its number.
    fn pid(&self) -> Pid;
    /// Whether it still runs. Once `false`, always `false`. A process that has exited but is not yet reaped is gone.
    fn is_alive(&self) -> bool;
    /// Whether it was ever seen running from here. A process in another PID namespace never is.
    fn was_seen(&self) -> bool;
}

/// Who we are, and whether others still run.
pub trait Liveness {
    /// A process kept in view.
    type Watch: Watch;
    /// The number others know this process by.
    fn this(&self) -> Pid;
    /// A number that this process keeps, and that no process has which it was forked from, or which it forks: for who must
    /// know whether what it has in its hands is its own. Cheap to ask for. The default is [`this`](Self::this): for systems
    /// without `fork`.
    #[inline]
    fn generation(&self) -> u64 {
        self.this().0
    }
    /// Starts to watch `pid`.
    fn watch(&self, pid: Pid) -> Self::Watch;
    /// This process.
    fn identity(&self) -> Identity;
    /// What has become of a process: [`Fate::Unknown`] in any other realm than this process's, and in realm 0. Nothing
    /// that a clock says, or that moves with one, may enter into it. The identity may be any bits that a peer has written.
    fn fate(&self, identity: Identity) -> Fate;
}

/// A monotonic clock, and the processor to give away.
pub trait Clock {
    /// The time now. Never goes backwards.
    fn now(&self) -> Instant;
    /// A counter that tells whether something was looked at just now: one to some per nanosecond, and cheaper than
    /// [`now`](Clock::now) where the processor has one. Wraps; a jump only makes things looked at again.
    fn stamp(&self) -> u64 {
        self.now().as_nanos()
    }
    /// Lets another thread run where there is a scheduler.
    fn yield_now(&self) {
        crate::sync::spin_loop();
    }
    /// How long waits spin and yield before they block here.
    fn wait_policy(&self) -> WaitPolicy {
        WaitPolicy::default()
    }
}

/// How long a wait spins and yields before it blocks. Spinning is learned within these bounds: a wait that spinning
/// ended doubles the next one's spin, one that had to block halves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitPolicy {
    /// Fewest polls of the shared word before yielding.
    pub min_spins: u32,
    /// Most polls of the shared word before yielding.
    pub max_spins: u32,
    /// Yields of the processor, each followed by a poll, before blocking.
    pub yields: u32,
}

impl Default for WaitPolicy {
    /// 20 to 600 polls (up to about 40 µs), then two yields: about one wake-up's cost (DESIGN.md, "Waiting").
    fn default() -> Self {
        Self { min_spins: 20, max_spins: 600, yields: 2 }
    }
}

impl WaitPolicy {
    /// Blocks at once: for one processor, or where its time is dearer than latency.
    pub const BLOCK: Self = Self { min_spins: 0, max_spins: 0, yields: 0 };
}

/// Who may open what is created: permission bits and an owning group, as far as the system has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// POSIX permission bits, applied whatever the umask.
    pub mode: u32,
    /// Numeric group that shall own the objects; `None` keeps the creator's.
    pub group: Option<u32>,
}

impl Default for Access {
    /// Mode 0600: this user alone.
    fn default() -> Self {
        Self { mode: 0o600, group: None }
    }
}

/// What went wrong, as far as core decides by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// No object of that name.
    NotFound,
    /// An object of that name is there.
    AlreadyExists,
    /// This process may not.
    PermissionDenied,
    /// Memory or disk is full.
    NoSpace,
    /// Another process holds it.
    Busy,
    /// An object is there but is not what was expected (wrong type, wrong size, a link).
    Unsuitable,
    /// An object is there but empty: somebody is creating it, or died doing so.
    Incomplete,
    /// Anything else.
    Other,
}

/// An error of a platform: what failed and how core may act on it.
pub trait PlatformError: core::error::Error + 'static {
    /// How core may act on it.
    fn kind(&self) -> FaultKind;

    /// Whether its words say what to do, so that nobody needs to add it.
    fn advises(&self) -> bool {
        false
    }
}

/// For a signal that cannot fail.
impl PlatformError for Infallible {
    fn kind(&self) -> FaultKind {
        match *self {}
    }
}

/// Whether somebody holds a name's lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockState {
    /// No lock of that name exists here. (It may in another container.)
    Absent,
    /// A lock exists and nobody holds it: its owner ended without cleaning up.
    Free,
    /// A running process holds it.
    Held,
}

/// A name's lock, held.
pub trait NameLock: fmt::Debug {
    /// Whether it was there when it was taken, held by nobody: its last owner ended without cleaning up.
    fn was_left(&self) -> bool;

    /// Why it is not held in every place where implementations look for it, if it is not.
    fn skipped(&self) -> Option<&dyn core::error::Error> {
        None
    }
}

/// Names to resources. A clone is another handle to the same platform.
pub trait Platform: Liveness + Clock + Clone + fmt::Debug {
    /// Shared memory.
    type Segment: Segment;
    /// A semaphore. A clone is another handle to the same one.
    type Signal: Signal<Error = Self::Error> + Clone;
    /// Held exclusively by one process for as long as the value lives; dropping it removes it.
    type Lock: NameLock;
    /// What the system says when it fails.
    type Error: PlatformError;

    /// Creates a zeroed segment of `len` bytes, every page of it reserved.
    ///
    /// # Errors
    /// [`FaultKind::AlreadyExists`], [`FaultKind::NoSpace`], [`FaultKind::PermissionDenied`] or others; nothing is
    /// left behind then.
    fn create_segment(&self, name: &Name, len: usize, access: Access) -> Result<Self::Segment, Self::Error>;

    /// [`create_segment`](Self::create_segment), with `prepare` called on the zeroed memory. Where the system can, the
    /// segment gets its name after that, so that nobody ever opens one that is half prepared.
    ///
    /// # Errors
    /// As there.
    fn create_prepared(
        &self,
        name: &Name,
        len: usize,
        access: Access,
        prepare: &mut dyn FnMut(&Self::Segment),
    ) -> Result<Self::Segment, Self::Error> {
        let segment = self.create_segment(name, len, access)?;
        prepare(&segment);
        Ok(segment)
    }

    /// Another handle to the very object behind `segment`, whatever its name stands for now. Locks taken by the two are
    /// separate.
    ///
    /// # Errors
    /// When the system fails.
    fn reopen_segment(&self, segment: &Self::Segment, name: &Name) -> Result<Self::Segment, Self::Error>;

    /// Sleeps until `until`, or a little longer.
    fn sleep_until(&self, until: Instant);

    /// Bytes of a page.
    fn page_size(&self) -> usize;

    /// Sleeps while the aligned 32-bit word at `offset` of `segment` is `expected`, until [`unpark_all`] or `until`. May
    /// return early. Where the system cannot wake by an address, it looks at the word once a millisecond.
    ///
    /// [`unpark_all`]: Self::unpark_all
    fn park(&self, segment: &Self::Segment, offset: usize, expected: u32, until: Instant);

    /// Wakes all who sleep at the word, in every process.
    fn unpark_all(&self, segment: &Self::Segment, offset: usize);

    /// Opens an existing segment, whole.
    ///
    /// # Errors
    /// [`FaultKind::NotFound`] and others.
    fn open_segment(&self, name: &Name) -> Result<Self::Segment, Self::Error>;

    /// Creates a semaphore with no permits. Core does so under the name's lock, after [`remove_signal`]. With `locked` its
    /// lock is ours before anybody can find it.
    ///
    /// What a former process still has open is no obstacle to it. A system that keeps a name for as long as anybody has
    /// it open cannot tell that from a name in use: there the same semaphore is opened, and all its permits are taken.
    ///
    /// # Errors
    /// As [`create_segment`](Self::create_segment); not [`FaultKind::AlreadyExists`] on a system that keeps names so.
    /// [`FaultKind::Busy`] there if another holds the lock that was asked for.
    ///
    /// [`remove_signal`]: Self::remove_signal
    fn create_signal(&self, name: &Name, access: Access, locked: bool) -> Result<Self::Signal, Self::Error>;

    /// Opens an existing semaphore.
    ///
    /// # Errors
    /// [`FaultKind::NotFound`] and others.
    fn open_signal(&self, name: &Name) -> Result<Self::Signal, Self::Error>;

    /// Takes the name's lock, in every place where implementations of the protocol look for it.
    ///
    /// # Errors
    /// [`FaultKind::Busy`] if a running process holds it, in any of those places.
    fn lock(&self, name: &Name, access: Access) -> Result<Self::Lock, Self::Error>;

    /// Whether somebody holds the name's lock. Leaves it as it is.
    fn probe_lock(&self, name: &Name) -> LockState;

    /// The process that holds the name's lock; 0 if nobody does, or the system does not tell.
    fn lock_holder(&self, name: &Name) -> Pid;

    /// Whether somebody holds the lock of the semaphore of that name, which this process may not be able to open.
    fn probe_signal(&self, name: &Name) -> LockState;

    /// Whether other users may write the segment: then what was checked may change before it is used.
    fn is_shared_widely(&self, segment: &Self::Segment) -> bool;

    /// Whether other users may cut the segment short: then touching what was there a moment ago may end this process. The
    /// default is [`is_shared_widely`](Self::is_shared_widely); `false` where nobody can.
    fn others_may_cut(&self, segment: &Self::Segment) -> bool {
        self.is_shared_widely(segment)
    }

    /// Removes the segment of that name; an absent one is no error.
    ///
    /// The name is free once the handle that created the segment, and its clones, are dropped as well, or their process
    /// has ended: core calls this first and drops them then. Where the name goes with that handle, this does nothing.
    /// Who has opened the segment keeps the memory, not the name, and sees by [`Segment::is_linked`] that it is gone.
    ///
    /// # Errors
    /// [`FaultKind::PermissionDenied`] and others.
    fn remove_segment(&self, name: &Name) -> Result<(), Self::Error>;

    /// [`remove_segment`](Self::remove_segment), unless another object than `segment` stands there by now; whether the
    /// name is free of it.
    ///
    /// # Errors
    /// As there.
    fn remove_this_segment(&self, name: &Name, segment: &Self::Segment) -> Result<bool, Self::Error>;

    /// Removes the semaphore of that name; an absent one is no error.
    ///
    /// The name is not found any more once every handle is dropped as well; [`create_signal`](Self::create_signal) does
    /// not wait for that. Where the name goes with the last handle, this does nothing.
    ///
    /// # Errors
    /// [`FaultKind::PermissionDenied`] and others.
    fn remove_signal(&self, name: &Name) -> Result<(), Self::Error>;

    /// [`remove_signal`](Self::remove_signal), unless another object than `signal` stands there by now; whether the name is
    /// free of it.
    ///
    /// # Errors
    /// As there.
    fn remove_this_signal(&self, name: &Name, signal: &Self::Signal) -> Result<bool, Self::Error>;
}
