//! Every interleaving and reordering of a writer and a reader that loom finds within three preemptions.
//!
//! | file | what is run |
//! |---|---|
//! | `mod` | memory, semaphores and waiting, made of loom's parts |
//! | `models` | the shipped halves against each other |
//! | `recovery` | a writer that dies, or is merely slow, between any two of its stores |
//! | `sharing` | the two references to a request whose bytes are lent to its writer |
//! | `mutations` | deliberately wrong protocols, each of which must fail its model |
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod models;
mod mutations;
mod recovery;
mod sharing;

use core::fmt;
use std::boxed::Box;
use std::rc::Rc;
use std::vec;
use std::vec::Vec;

use loom::cell::UnsafeCell;
use loom::sync::{Condvar, Mutex};

use super::error::{ReadError, WriteError};
use super::halves::{ReaderHalf, WriterHalf};
use super::layout::{FRAME_OVERHEAD, FrameHeader, Geometry, Oieb};
use super::ring::{Claimed, Consumer, NoFrame, NoRoom, Producer, RingMemory, Room};
use super::wait::{Backoff, Idle, Waited, Waiting, wait};
use crate::platform::{Clock, FaultKind, PlatformError, Signal, WaitPolicy};
use crate::semaphore::{Futex, Semaphore};
use crate::shm::Span;
use crate::time::{Deadline, Instant};

/// Bytes of every model's ring: three frames of 4 bytes do not fit side by side.
const CAPACITY: u64 = 64;
const READER: u64 = 1;
const WRITER: u64 = 2;

/// Runs `model` in every order, with at most three preemptions unless the environment says otherwise.
fn explore(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(3));
    builder.max_branches = 10_000;
    builder.check(model);
}

/// A ring's words and bytes. Loom runs all its threads on one, so that a plain count of owners will do.
#[derive(Clone, Debug)]
struct LoomMemory(Rc<Cells>);

#[derive(Debug)]
struct Cells {
    oieb: Oieb,
    payload: Box<[UnsafeCell<u8>]>,
}

impl LoomMemory {
    fn new() -> Self {
        let oieb = Oieb::initialized(Geometry { metadata_size: 0, payload_size: CAPACITY }, READER);
        let payload = (0..CAPACITY).map(|_| UnsafeCell::new(0)).collect();
        Self(Rc::new(Cells { oieb, payload }))
    }
}

impl RingMemory for LoomMemory {
    fn oieb(&self) -> &Oieb {
        &self.0.oieb
    }
    fn payload(&self) -> Span<'_> {
        Span::over(&self.0.payload)
    }
    fn capacity(&self) -> u64 {
        CAPACITY
    }
}

/// Loom's semaphores do not fail.
#[derive(Debug)]
enum Never {}

impl fmt::Display for Never {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl core::error::Error for Never {}

impl PlatformError for Never {
    fn kind(&self) -> FaultKind {
        match *self {}
    }
}

/// The shipped semaphore over a futex made of a mutex and a condition variable. Time stands still: a sleeper that
/// nobody wakes is a deadlock, which loom reports.
#[derive(Clone, Debug)]
struct LoomSignal(Rc<Sleep>);

#[derive(Debug)]
struct Sleep {
    semaphore: Semaphore,
    sleepers: Mutex<()>,
    woken: Condvar,
}

impl LoomSignal {
    fn new() -> Self {
        let (sleepers, woken) = (Mutex::new(()), Condvar::new());
        Self(Rc::new(Sleep { semaphore: Semaphore::new(0), sleepers, woken }))
    }
}

impl Futex for Sleep {
    type Error = Never;

    fn sleep(&self, _until: Instant) -> Result<(), Never> {
        let guard = self.sleepers.lock().unwrap();
        // Compared under the lock that the waker takes, as the kernel does.
        if self.semaphore.permits() == 0 {
            drop(self.woken.wait(guard).unwrap());
        }
        Ok(())
    }

    fn wake_one(&self) -> Result<(), Never> {
        drop(self.sleepers.lock().unwrap());
        self.woken.notify_one();
        Ok(())
    }

    fn now(&self) -> Instant {
        STILL.now()
    }
}

impl Signal for LoomSignal {
    type Error = Never;

    fn post(&self) -> Result<(), Never> {
        self.0.semaphore.post(&*self.0).expect("few permits, and a futex that never fails");
        Ok(())
    }
    fn permits(&self) -> u32 {
        self.0.semaphore.permits()
    }
    fn take(&self, count: u32) -> u32 {
        self.0.semaphore.take(count)
    }
    fn wait(&self, until: Instant) -> Result<bool, Never> {
        self.0.semaphore.wait(&*self.0, until)
    }
}

/// A clock that never moves.
#[derive(Clone, Copy, Debug)]
struct Still;

const STILL: Still = Still;

impl Clock for Still {
    fn now(&self) -> Instant {
        Instant::from_nanos(0)
    }
    fn wait_policy(&self) -> WaitPolicy {
        WaitPolicy::BLOCK
    }
}

type Writer<S> = WriterHalf<LoomMemory, S>;
type Reader<S> = ReaderHalf<LoomMemory, S>;

/// Both halves over one ring.
fn pair<S: Signal + Clone>(signal: impl Fn() -> S) -> (LoomMemory, Writer<S>, Reader<S>) {
    let memory = LoomMemory::new();
    let (data_ready, space_free) = (signal(), signal());
    let reader = ReaderHalf::new(Consumer::new(memory.clone()), data_ready.clone(), space_free.clone());
    let producer = Producer::new(memory.clone()).expect("a fresh ring is in order");
    (memory, WriterHalf { producer, data_ready, space_free }, reader)
}

/// The bytes of frame `sequence`: its number, then its number plus one, and so on.
fn pattern(sequence: u64, len: usize) -> Vec<u8> {
    (0..len).map(|at| u8::try_from(sequence).unwrap() * 16 + u8::try_from(at).unwrap()).collect()
}

/// Writes the data of the frame that goes to `room`.
fn fill(memory: &LoomMemory, room: &Room, sequence: u64) {
    let data = pattern(sequence, usize::try_from(room.len).unwrap());
    memory.payload().write(room.position + FRAME_OVERHEAD, &data).unwrap();
}

/// Checks a claimed frame to the last byte.
fn check(memory: &LoomMemory, claimed: &Claimed, sequence: u64, len: usize) {
    assert_eq!((claimed.sequence(), claimed.len()), (sequence, len));
    let mut data = vec![0; len];
    memory.payload().read(claimed.position, &mut data).unwrap();
    assert_eq!(data, pattern(sequence, len));
}

/// Reserves room, waiting with the shipped loop; the copy of `writer::SpaceWait` without names and processes.
fn reserve<S: Signal>(half: &mut Writer<S>, len: u64) -> Room {
    let mut space = SpaceWait { half, len, backoff: Backoff::new(WaitPolicy::BLOCK) };
    match wait(&mut space, &STILL, Deadline::Never) {
        Ok(Waited::Done(room)) => room,
        Ok(Waited::TimedOut) => unreachable!("no deadline"),
        Err(error) => panic!("{error:?}"),
    }
}

struct SpaceWait<'w, S> {
    half: &'w mut Writer<S>,
    len: u64,
    backoff: Backoff,
}

impl<S: Signal> Waiting<Room, WriteError<S::Error>> for SpaceWait<'_, S> {
    type Signal = S;

    fn attempt(&mut self) -> Result<Option<Room>, WriteError<S::Error>> {
        self.half.forget_permits();
        match self.half.try_reserve(self.len) {
            Ok(room) => Ok(Some(room)),
            Err(NoRoom::Full { .. }) => Ok(None),
            Err(error) => panic!("{error:?}"),
        }
    }
    fn is_ready(&self) -> bool {
        self.half.space_free.permits() > 0
    }
    fn idle(&mut self) -> Result<Idle<Room>, WriteError<S::Error>> {
        Ok(Idle::Wait)
    }
    fn signal(&self) -> &S {
        &self.half.space_free
    }
    fn backoff(&mut self) -> &mut Backoff {
        &mut self.backoff
    }
    fn on_sleep(&mut self) {}
    fn system(error: S::Error) -> WriteError<S::Error> {
        WriteError::System(error)
    }
}

/// Claims a frame, waiting with the shipped loop; the copy of `reader::FrameWait` without names and processes.
fn claim<S: Signal>(half: &mut Reader<S>, held: impl Fn() -> u64) -> Claimed {
    match wait(
        &mut FrameWait { half, held, backoff: Backoff::new(WaitPolicy::BLOCK) },
        &STILL,
        Deadline::Never,
    ) {
        Ok(Waited::Done(claimed)) => claimed,
        Ok(Waited::TimedOut) => unreachable!("no deadline"),
        Err(error) => panic!("{error:?}"),
    }
}

struct FrameWait<'r, S, H> {
    half: &'r mut Reader<S>,
    held: H,
    backoff: Backoff,
}

impl<S: Signal, H: Fn() -> u64> Waiting<Claimed, ReadError<S::Error>> for FrameWait<'_, S, H> {
    type Signal = S;

    fn attempt(&mut self) -> Result<Option<Claimed>, ReadError<S::Error>> {
        let claimed = self.half.try_claim(&self.held).unwrap_or_else(|error: NoFrame| panic!("{error:?}"));
        if claimed.is_none() {
            self.half.return_pending()?;
        }
        Ok(claimed)
    }
    fn is_ready(&self) -> bool {
        self.half.is_ready()
    }
    fn idle(&mut self) -> Result<Idle<Claimed>, ReadError<S::Error>> {
        self.half.settle();
        Ok(Idle::Wait)
    }
    fn signal(&self) -> &S {
        &self.half.data_ready
    }
    fn backoff(&mut self) -> &mut Backoff {
        &mut self.backoff
    }
    fn on_sleep(&mut self) {}
    fn system(error: S::Error) -> ReadError<S::Error> {
        ReadError::System(error)
    }
}

/// Gives a frame back, and its space if the shipped rule says so.
fn release<S: Signal>(half: &mut Reader<S>, claimed: &Claimed) {
    if half.release(claimed.cost()) {
        half.return_pending().unwrap();
    }
}
