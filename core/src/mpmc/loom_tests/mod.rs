//! Does the ring hold under every interleaving and reordering that loom finds within three preemptions?
//!
//! | file | what is run |
//! |---|---|
//! | `mod` | a ring of two slots with a buffer each, made of loom's parts |
//! | `models` | producers and consumers of the shipped ring, one slot at a time and in batches |
//! | `bells` | who sleeps is woken |
//! | `recovery` | a participant that dies between any two of its steps while another one lives |
//! | `forgotten` | a participant that gives back in place what it has forgotten |
//! | `mutations` | deliberately wrong orders of the ring, each of which must fail its model |
//!
//! Loom forgets that a thread has read a word when another one reads it too, and so tries fewer orders against a later
//! write. Threads run at first in the order in which they are spawned: who writes is spawned before who only looks, and
//! the thread of the model itself does nothing meanwhile.
//!
//! Each slot owns a buffer, as in a link. Buffers are loom cells: an access that the ring does not order fails the model.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod bells;
mod forgotten;
mod models;
mod mutations;
mod recovery;

use std::boxed::Box;
use std::rc::Rc;
use std::vec::Vec;

use loom::cell::UnsafeCell;

use super::{ArrayMemory, ConsumerTurn, Journal, ProducerTurn, Ring, TurnError};
use crate::shm::Span;

/// Slots of every model's ring.
const SLOTS: usize = 2;

/// Runs `model` in every order, with at most three preemptions unless the environment says otherwise.
fn explore(model: impl Fn() + Sync + Send + 'static) {
    explore_within(3, model);
}

/// As [`explore`], with fewer preemptions for models of more threads.
fn explore_within(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(builder.preemption_bound.unwrap_or(preemptions).min(preemptions));
    builder.max_branches = 10_000;
    builder.check(model);
}

type Two = Ring<ArrayMemory<SLOTS, 1>, 1>;

/// A message: the position it was found at, and what it says.
type Found = (u64, u8);

/// A ring and the buffers of its slots. Loom runs all its threads on one, so that a plain count of owners will do.
#[derive(Debug)]
struct Scene {
    ring: Two,
    buffers: Box<[UnsafeCell<u8>]>,
}

impl Scene {
    fn new() -> Rc<Self> {
        let ring = Ring::initialise(ArrayMemory::new(), SLOTS as u64).unwrap();
        Rc::new(Self { ring, buffers: (0..SLOTS).map(|_| UnsafeCell::new(0)).collect() })
    }

    /// One whose cursors stand at `position`.
    fn at(position: u64) -> Rc<Self> {
        let scene = Self::new();
        for _ in 0..position {
            scene.push(99).unwrap();
            scene.pop().unwrap();
        }
        scene
    }

    fn write(&self, position: u64, value: u8) {
        let at = self.ring.index(position) as u64;
        Span::over(&self.buffers).write(at, &[value]).unwrap();
    }

    fn read(&self, position: u64) -> u8 {
        let mut value = [0];
        Span::over(&self.buffers).read(self.ring.index(position) as u64, &mut value).unwrap();
        value[0]
    }

    /// Writes the buffer of a reserved slot and publishes it.
    fn publish(&self, turn: ProducerTurn, value: u8) {
        self.write(turn.position(), value);
        self.ring.publish(turn, [u64::from(value)]);
    }

    /// What a claimed slot says: its buffer and its element agree.
    fn look(&self, turn: &ConsumerTurn) -> Found {
        let value = self.read(turn.position());
        assert_eq!(self.ring.read(turn), [u64::from(value)]);
        (turn.position(), value)
    }

    fn try_push(&self, value: u8, journal: &impl Journal) -> bool {
        match self.ring.try_reserve(1, journal) {
            Ok(turn) => self.publish(turn, value),
            Err(TurnError::Unavailable) => return false,
            Err(error) => panic!("{error}"),
        }
        true
    }

    fn try_pop(&self, journal: &impl Journal) -> Option<Found> {
        match self.ring.try_claim(1, journal) {
            Ok(turn) => {
                let found = self.look(&turn);
                self.ring.release(turn);
                Some(found)
            }
            Err(TurnError::Unavailable) => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// `None` if the ring is full.
    fn push(&self, value: u8) -> Option<()> {
        self.try_push(value, &()).then_some(())
    }

    /// `None` if the ring is empty.
    fn pop(&self) -> Option<Found> {
        self.try_pop(&())
    }
}

/// Polls until there is an answer.
fn until<T>(mut attempt: impl FnMut() -> Option<T>) -> T {
    loop {
        if let Some(done) = attempt() {
            return done;
        }
        loom::thread::yield_now();
    }
}

/// Runs `first` and `second` against each other, in threads of their own; what the second returns.
fn against<S: 'static, T: 'static>(
    shared: &Rc<S>,
    first: impl FnOnce(&S) + 'static,
    second: impl FnOnce(&S) -> T + 'static,
) -> T {
    let (one, other) = (Rc::clone(shared), Rc::clone(shared));
    let first = loom::thread::spawn(move || first(&one));
    let second = loom::thread::spawn(move || second(&other));
    let done = second.join().unwrap();
    first.join().unwrap();
    done
}

/// Everything that was sent was found once, at positions that follow each other, and in the order of each sender.
fn check(mut found: Vec<Found>, first: u64, sent: &[&[u8]]) {
    found.sort_unstable();
    let positions: Vec<u64> = found.iter().map(|(position, _)| *position).collect();
    let wanted: Vec<u64> = (first..).take(sent.iter().map(|values| values.len()).sum()).collect();
    assert_eq!(positions, wanted);
    for values in sent {
        let theirs = found.iter().map(|(_, value)| *value).filter(|value| values.contains(value));
        assert_eq!(&theirs.collect::<Vec<_>>(), values);
    }
}
