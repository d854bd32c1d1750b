//! An operating system for tests: shared memory, semaphores, locks and processes inside one process, with faults.
#![expect(unsafe_code, reason = "hands out heap memory as a segment")]

mod clock;
mod error;
mod lock;
mod process;
mod signal;

use core::ptr::NonNull;
use core::time::Duration;
use std::boxed::Box;
use std::collections::BTreeMap;
use std::string::{String, ToString};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::vec::Vec;

pub use self::error::FakeError;
pub use self::lock::FakeLock;
pub use self::process::FakeWatch;
pub use self::signal::FakeSignal;
use crate::layout::assert_layout;
use crate::name::Name;
use crate::platform::{
    Access, Clock as _, FaultKind, Identity, LockState, Others, PLACES, Pid, Platform, Segment, Signal as _,
};
use crate::time::Instant;

/// 64 bytes, aligned as a segment must be.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

#[derive(Debug)]
struct Heap {
    lines: NonNull<Line>,
    count: usize,
    len: usize,
    state: Mutex<HeapState>,
}

#[derive(Debug, Default)]
struct HeapState {
    backed_len: usize,
    /// Whether other users may write it.
    others: bool,
    linked: bool,
    /// Number of the next handle.
    next_handle: u64,
    /// The handle that holds the lock, and the fake process that opened it.
    holder: Option<(u64, Identity)>,
    /// The same of each place whose lock is held.
    places: BTreeMap<usize, (u64, Identity)>,
    /// Handles that processes have open.
    open: u32,
}

// SAFETY: the memory is only reached through `Segment`'s contract, the rest is behind a mutex.
unsafe impl Send for Heap {}
// SAFETY: as above.
unsafe impl Sync for Heap {}

impl Drop for Heap {
    fn drop(&mut self) {
        let slice = core::ptr::slice_from_raw_parts_mut(self.lines.as_ptr(), self.count);
        // SAFETY: made by `Box::into_raw` of a slice of `count` lines in `HeapSegment::new`, dropped once.
        drop(unsafe { Box::from_raw(slice) });
    }
}

/// One opening of a segment, shared by clones; the last one gives the lock back.
#[derive(Debug)]
struct Handle {
    heap: Arc<Heap>,
    /// 0 for the system's own.
    number: u64,
    /// The fake process that opened it.
    opener: Identity,
}

/// The system itself, which is no process.
const SYSTEM: Identity = Identity { pid: Pid(0), born: 0, realm: 0 };

impl Drop for Handle {
    fn drop(&mut self) {
        let mut state = lock(&self.heap.state);
        if self.number != 0 {
            state.open = state.open.saturating_sub(1);
        }
        if state.holder.is_some_and(|(number, _)| number == self.number) {
            state.holder = None;
        }
        state.places.retain(|_, (number, _)| *number != self.number);
    }
}

/// A zeroed segment on the heap.
#[derive(Clone, Debug)]
pub struct HeapSegment(Arc<Handle>);

impl HeapSegment {
    /// `len` zeroed bytes.
    pub fn new(len: usize) -> Self {
        Self::try_new(len, Access::default()).expect("there is memory for a test")
    }

    /// `len` zeroed bytes; `None` if there is no such memory.
    fn try_new(len: usize, access: Access) -> Option<Self> {
        let count = len.div_ceil(64).max(1);
        let mut lines = Vec::new();
        lines.try_reserve_exact(count).ok()?;
        lines.resize(count, Line([0; 64]));
        let lines: Box<[Line]> = lines.into_boxed_slice();
        let others = access.mode & 0o022 != 0;
        let state =
            HeapState { backed_len: len, linked: true, next_handle: 1, others, ..HeapState::default() };
        let lines = NonNull::new(Box::into_raw(lines).cast::<Line>()).expect("a box is not null");
        let heap = Arc::new(Heap { lines, count, len, state: Mutex::new(state) });
        Some(Self(Arc::new(Handle { heap, number: 0, opener: SYSTEM })))
    }

    /// Another handle to the same memory, as a process gets by opening it.
    fn opened_by(&self, opener: Identity) -> Self {
        let heap = Arc::clone(&self.0.heap);
        let mut state = lock(&heap.state);
        let number = state.next_handle;
        state.next_handle += 1;
        state.open += 1;
        drop(state);
        Self(Arc::new(Handle { heap, number, opener }))
    }

    /// Overwrites bytes, as a peer that keeps no rule would.
    pub fn scribble(&self, offset: usize, bytes: &[u8]) {
        assert!(offset + bytes.len() <= self.0.heap.len, "scribbles inside");
        for (at, byte) in bytes.iter().enumerate() {
            // SAFETY: inside, as asserted.
            let to = unsafe { self.base().add(offset + at) };
            // SAFETY: inside; volatile, because other threads may look.
            unsafe { to.as_ptr().write_volatile(*byte) };
        }
    }

    /// Overwrites an aligned word in one piece, as a peer would.
    pub fn scribble_u64(&self, offset: usize, value: u64) {
        let word = crate::shm::view::<Word, Self>(self, offset).expect("an aligned word inside");
        word.0.store(value, crate::sync::Ordering::Release);
    }

    /// Reads bytes.
    pub fn bytes(&self, offset: usize, len: usize) -> Vec<u8> {
        assert!(offset + len <= self.0.heap.len, "reads inside");
        (offset..offset + len)
            .map(|at| {
                // SAFETY: inside, as asserted.
                let from = unsafe { self.base().add(at) };
                // SAFETY: inside; volatile, because other threads may write.
                unsafe { from.as_ptr().read_volatile() }
            })
            .collect()
    }

    /// Reports only `len` bytes as backed from now on, as after `ftruncate` by somebody else.
    pub fn truncate(&self, len: usize) {
        lock(&self.0.heap.state).backed_len = len;
    }

    /// Frees the locks that handles of a process hold, as the system does when it ends.
    fn unlock_of(&self, process: Identity) {
        let mut state = lock(&self.0.heap.state);
        state.places.retain(|_, (_, opener)| *opener != process);
        if state.holder.is_some_and(|(_, opener)| opener == process) {
            state.holder = None;
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0.heap, &other.0.heap)
    }

    fn unlink(&self) {
        lock(&self.0.heap.state).linked = false;
    }
}

#[repr(C)]
pub(crate) struct Word(pub(crate) crate::sync::SharedU64);
assert_layout!(Word: 8 bytes, aligned to 8 { 0: 8 0 });
// SAFETY: one shared word.
unsafe impl crate::shm::SharedLayout for Word {}

// SAFETY: `Line` is 64-byte aligned, the heap memory lives until the last clone is dropped and never moves, and no
// references into it are made here. One handle holds the lock, and only its last clone gives it back.
unsafe impl Segment for HeapSegment {
    fn base(&self) -> NonNull<u8> {
        self.0.heap.lines.cast()
    }
    fn len(&self) -> usize {
        self.0.heap.len
    }
    fn backed_len(&self) -> usize {
        lock(&self.0.heap.state).backed_len
    }
    fn is_linked(&self) -> bool {
        lock(&self.0.heap.state).linked
    }
    fn lock(&self) -> bool {
        let mut state = lock(&self.0.heap.state);
        let is_free = state.holder.is_none();
        if is_free {
            state.holder = Some((self.0.number, self.0.opener));
        }
        is_free
    }
    fn is_locked(&self) -> bool {
        lock(&self.0.heap.state).holder.is_some_and(|(number, _)| number != self.0.number)
    }
    fn lock_place(&self, place: usize) -> bool {
        let mut state = lock(&self.0.heap.state);
        let is_free = place < PLACES && !state.places.contains_key(&place);
        if is_free {
            state.places.insert(place, (self.0.number, self.0.opener));
        }
        is_free
    }
    fn unlock_place(&self, place: usize) {
        let mut state = lock(&self.0.heap.state);
        if state.places.get(&place).is_some_and(|(number, _)| *number == self.0.number) {
            state.places.remove(&place);
        }
    }
    fn is_place_locked(&self, place: usize) -> Option<bool> {
        Some(lock(&self.0.heap.state).places.contains_key(&place))
    }
    /// A process that was killed in the fake system keeps what its test still holds: only who really closes it has not.
    fn others(&self) -> Others {
        match lock(&self.0.heap.state).open {
            0 | 1 => Others::Nobody,
            _ => Others::Somebody,
        }
    }
}

#[derive(Debug, Default)]
struct World {
    segments: BTreeMap<String, HeapSegment>,
    signals: BTreeMap<String, FakeSignal>,
    /// Holder of each lock, by folder and name; `None` once its process has died.
    locks: BTreeMap<(u32, String), Option<Identity>>,
    /// Births of the processes that have been started anew, by realm and number.
    births: BTreeMap<(u64, u64), u64>,
    dead: Vec<Identity>,
    /// Calls until the next one fails, and how it fails.
    fault: Option<(u32, FaultKind)>,
    calls: u32,
    /// Segments and signals made so far.
    made: u32,
    /// How often sleepers at a word were woken.
    unparks: u32,
}

/// One process's view of a fake operating system.
#[derive(Clone, Debug)]
pub struct FakePlatform {
    world: Arc<Mutex<World>>,
    this: Identity,
    /// Which folder of locks it sees.
    folder: u32,
}

impl Default for FakePlatform {
    fn default() -> Self {
        Self::new()
    }
}

impl FakePlatform {
    /// A new system, seen by process 1.
    pub fn new() -> Self {
        Self { world: Arc::default(), this: Identity { pid: Pid(1), born: 1, realm: 1 }, folder: 0 }
    }

    /// Lets the call after the next `calls` fail with `kind`, once.
    pub fn fail_after(&self, calls: u32, kind: FaultKind) {
        lock(&self.world).fault = Some((calls, kind));
    }

    /// How often sleepers at a word were woken so far.
    pub fn unparks(&self) -> u32 {
        lock(&self.world).unparks
    }

    /// Platform calls made so far.
    pub fn calls(&self) -> u32 {
        lock(&self.world).calls
    }

    /// Segments and signals made so far.
    pub fn made(&self) -> u32 {
        lock(&self.world).made
    }

    /// Names of everything that exists: segments, signals and locks.
    pub fn leftovers(&self) -> Vec<String> {
        let world = lock(&self.world);
        let locks = world.locks.keys().map(|(_, name)| name);
        let names = world.segments.keys().chain(world.signals.keys()).chain(locks);
        names.cloned().collect()
    }

    /// The segment of that name.
    pub fn segment(&self, name: &str) -> HeapSegment {
        lock(&self.world).segments.get(name).expect("segment exists").clone()
    }

    /// The signal of that name.
    pub fn signal(&self, name: &str) -> FakeSignal {
        lock(&self.world).signals.get(name).expect("signal exists").clone()
    }

    fn enter(&self, call: &'static str) -> Result<MutexGuard<'_, World>, FakeError> {
        let mut world = lock(&self.world);
        world.calls += 1;
        match world.fault {
            Some((0, kind)) => {
                world.fault = None;
                Err(FakeError { call, kind })
            }
            Some((calls, kind)) => {
                world.fault = Some((calls - 1, kind));
                Ok(world)
            }
            None => Ok(world),
        }
    }
}

impl Platform for FakePlatform {
    type Segment = HeapSegment;
    type Signal = FakeSignal;
    type Lock = FakeLock;
    type Error = FakeError;

    fn create_segment(&self, name: &Name, len: usize, access: Access) -> Result<HeapSegment, FakeError> {
        let mut world = self.enter("create_segment")?;
        if world.segments.contains_key(name.as_str()) {
            return Err(FakeError { call: "create_segment", kind: FaultKind::AlreadyExists });
        }
        let kind = if len == 0 { FaultKind::Other } else { FaultKind::NoSpace };
        let segment = HeapSegment::try_new(len, access).filter(|_| len > 0);
        let segment = segment.ok_or(FakeError { call: "create_segment", kind })?;
        // The system's own handle is none of a process, and holds no lock.
        let opened = segment.opened_by(self.this);
        world.made += 1;
        world.segments.insert(name.to_string(), segment);
        Ok(opened)
    }

    fn create_prepared(
        &self,
        name: &Name,
        len: usize,
        access: Access,
        prepare: &mut dyn FnMut(&HeapSegment),
    ) -> Result<HeapSegment, FakeError> {
        let call = "create_prepared";
        drop(self.enter(call)?);
        let segment =
            HeapSegment::try_new(len, access).ok_or(FakeError { call, kind: FaultKind::NoSpace })?;
        let opened = segment.opened_by(self.this);
        prepare(&opened);
        let mut world = lock(&self.world);
        if world.segments.contains_key(name.as_str()) {
            return Err(FakeError { call, kind: FaultKind::AlreadyExists });
        }
        world.made += 1;
        world.segments.insert(name.to_string(), segment);
        Ok(opened)
    }

    fn reopen_segment(&self, segment: &HeapSegment, _name: &Name) -> Result<HeapSegment, FakeError> {
        drop(self.enter("reopen_segment")?);
        Ok(segment.opened_by(self.this))
    }

    fn page_size(&self) -> usize {
        4096
    }

    fn sleep_until(&self, until: Instant) {
        std::thread::sleep(until.saturating_since(self.now()));
    }

    fn park(&self, segment: &HeapSegment, offset: usize, expected: u32, until: Instant) {
        let whole = segment.opened_by(self.this);
        // A look every 20 µs: there is no address to be woken by.
        while self.now() < until && whole.bytes(offset, 4) == expected.to_le_bytes() {
            std::thread::sleep(Duration::from_micros(20));
        }
    }

    fn unpark_all(&self, _segment: &HeapSegment, _offset: usize) {
        lock(&self.world).unparks += 1;
    }

    fn open_segment(&self, name: &Name) -> Result<HeapSegment, FakeError> {
        let world = self.enter("open_segment")?;
        let missing = FakeError { call: "open_segment", kind: FaultKind::NotFound };
        world.segments.get(name.as_str()).map(|segment| segment.opened_by(self.this)).ok_or(missing)
    }

    fn create_signal(&self, name: &Name, _access: Access, locked: bool) -> Result<FakeSignal, FakeError> {
        let mut world = self.enter("create_signal")?;
        if world.signals.contains_key(name.as_str()) {
            return Err(FakeError { call: "create_signal", kind: FaultKind::AlreadyExists });
        }
        let signal = FakeSignal::new();
        let opened = signal.opened_by(self.this);
        if locked {
            opened.lock();
        }
        world.made += 1;
        world.signals.insert(name.to_string(), signal);
        Ok(opened)
    }

    fn open_signal(&self, name: &Name) -> Result<FakeSignal, FakeError> {
        let world = self.enter("open_signal")?;
        let missing = FakeError { call: "open_signal", kind: FaultKind::NotFound };
        world.signals.get(name.as_str()).map(|signal| signal.opened_by(self.this)).ok_or(missing)
    }

    fn lock(&self, name: &Name, _access: Access) -> Result<FakeLock, FakeError> {
        drop(self.enter("lock")?);
        FakeLock::take(self, name)
    }

    fn probe_lock(&self, name: &Name) -> LockState {
        lock::probe(self, name)
    }

    fn lock_holder(&self, name: &Name) -> Pid {
        lock::holder(self, name)
    }

    fn probe_signal(&self, name: &Name) -> LockState {
        let world = lock(&self.world);
        match world.signals.get(name.as_str()).map(|signal| signal.opened_by(self.this)) {
            None => LockState::Absent,
            Some(signal) if signal.is_locked() => LockState::Held,
            Some(_) => LockState::Free,
        }
    }

    fn is_shared_widely(&self, segment: &HeapSegment) -> bool {
        lock(&segment.0.heap.state).others
    }

    fn remove_segment(&self, name: &Name) -> Result<(), FakeError> {
        let mut world = self.enter("remove_segment")?;
        if let Some(segment) = world.segments.remove(name.as_str()) {
            segment.unlink();
        }
        Ok(())
    }

    fn remove_this_segment(&self, name: &Name, segment: &HeapSegment) -> Result<bool, FakeError> {
        let mut world = self.enter("remove_this_segment")?;
        if world.segments.get(name.as_str()).is_some_and(|there| !there.is_same(segment)) {
            return Ok(false);
        }
        if let Some(segment) = world.segments.remove(name.as_str()) {
            segment.unlink();
        }
        Ok(true)
    }

    fn remove_signal(&self, name: &Name) -> Result<(), FakeError> {
        self.enter("remove_signal")?.signals.remove(name.as_str()).iter().for_each(FakeSignal::unlink);
        Ok(())
    }

    fn remove_this_signal(&self, name: &Name, signal: &FakeSignal) -> Result<bool, FakeError> {
        let mut world = self.enter("remove_this_signal")?;
        if world.signals.get(name.as_str()).is_some_and(|there| !there.is_same(signal)) {
            return Ok(false);
        }
        if let Some(signal) = world.signals.remove(name.as_str()) {
            signal.unlink();
        }
        Ok(true)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
