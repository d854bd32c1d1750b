//! Do many producers and consumers lose, double or tear a message in thousands of random interleavings?
//!
//! Shuttle runs one thread at a time and knows no reordering; loom does that, with fewer threads. What a failure needs to
//! be run again stands in its output: the seed here, and the schedule that shuttle prints.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::Arc;
use std::vec::Vec;

use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Runner, thread};

use super::{ArrayMemory, Ring, RingMemory as _, TurnError};
use crate::sync::{Ordering, SharedU64};

const SLOTS: usize = 4;
const PRODUCERS: u64 = 3;
const CONSUMERS: usize = 3;
/// Messages of each producer.
const MESSAGES: u64 = 100;
/// Schedules of each scheduler.
const SCHEDULES: usize = 2000;

/// Two words, so that a torn element shows.
type Four = Ring<ArrayMemory<SLOTS, 2>, 2>;

/// A message, and the position it was found at.
type Found = (u64, u64);

fn run(scheduler: impl Scheduler + 'static, seed: u64, model: impl Fn() + Send + Sync + 'static) {
    std::println!("seed {seed}");
    let mut config = shuttle::Config::new();
    config.max_steps = shuttle::MaxSteps::FailAfter(10_000_000);
    Runner::new(scheduler, config).run(model);
}

/// Runs `model` in random orders, the same ones each time.
fn explore(schedules: usize, model: impl Fn() + Send + Sync + Copy + 'static) {
    for seed in [1, 2] {
        run(RandomScheduler::new_from_seed(seed, schedules), seed, model);
        // Three changes of priority: what loom does with three preemptions, over longer runs.
        run(PctScheduler::new_from_seed(seed, 3, schedules), seed, model);
    }
}

/// How a producer sends values, and how a consumer attempts to receive some.
type Sends = fn(&Four, core::ops::Range<u64>);
type Receives = fn(&Four) -> Vec<Found>;

fn element(value: u64) -> [u64; 2] {
    [value, !value]
}

fn send_each(ring: &Four, values: core::ops::Range<u64>) {
    for value in values {
        while let Err(error) = ring.try_push(element(value)) {
            assert_eq!(error, TurnError::Unavailable);
            thread::yield_now();
        }
    }
}

/// In batches of 1 to 3.
fn send_batches(ring: &Four, mut values: core::ops::Range<u64>) {
    while !values.is_empty() {
        let left = values.end - values.start;
        match ring.try_reserve((1 + values.start % 3).min(left), &()) {
            Ok(mut turn) => {
                while let Some(one) = turn.take_first() {
                    ring.publish(one, element(values.next().unwrap()));
                }
            }
            Err(error) => {
                assert_eq!(error, TurnError::Unavailable);
                thread::yield_now();
            }
        }
    }
}

fn receive_up_to(ring: &Four, most: u64) -> Vec<Found> {
    let mut found = Vec::new();
    match ring.try_claim(most, &()) {
        Ok(mut turn) => {
            while let Some(one) = turn.take_first() {
                let [value, inverted] = ring.read(&one);
                assert_eq!(inverted, !value, "torn");
                found.push((one.position(), value));
                ring.release(one);
            }
        }
        Err(error) => {
            assert_eq!(error, TurnError::Unavailable);
            thread::yield_now();
        }
    }
    found
}

fn receive_each(ring: &Four) -> Vec<Found> {
    receive_up_to(ring, 1)
}

fn receive_batches(ring: &Four) -> Vec<Found> {
    receive_up_to(ring, 3)
}

/// All producers against all consumers, until everything has arrived.
fn exchange(send: Sends, receive: Receives) {
    let ring = Arc::new(Four::initialise(ArrayMemory::new(), SLOTS as u64).unwrap());
    let left = Arc::new(SharedU64::new(PRODUCERS * MESSAGES));
    let producers: Vec<_> = (0..PRODUCERS)
        .map(|producer| {
            let ring = Arc::clone(&ring);
            thread::spawn(move || send(&ring, producer * MESSAGES..(producer + 1) * MESSAGES))
        })
        .collect();
    let consumers: Vec<_> = (0..CONSUMERS)
        .map(|_| {
            let (ring, left) = (Arc::clone(&ring), Arc::clone(&left));
            thread::spawn(move || {
                let mut all = Vec::new();
                while left.load(Ordering::Acquire) > 0 {
                    let found = receive(&ring);
                    left.fetch_sub(found.len() as u64, Ordering::AcqRel);
                    all.extend(found);
                }
                all
            })
        })
        .collect();
    let mut found = Vec::new();
    for consumer in consumers {
        let theirs = consumer.join().unwrap();
        assert!(theirs.is_sorted_by(|one, next| one.0 < next.0), "positions of a consumer only grow");
        found.extend(theirs);
    }
    for producer in producers {
        producer.join().unwrap();
    }
    found.sort_unstable();
    assert!(found.iter().map(|(position, _)| *position).eq(0..PRODUCERS * MESSAGES), "each position once");
    for producer in 0..PRODUCERS {
        let values = producer * MESSAGES..(producer + 1) * MESSAGES;
        let theirs = found.iter().map(|(_, value)| *value).filter(|value| values.contains(value));
        assert!(theirs.eq(values.clone()), "each message once, in its sender's order");
    }
}

#[test]
fn shuttle_messages_arrive_once_and_in_order() {
    explore(SCHEDULES, || exchange(send_each, receive_each));
}

#[test]
fn shuttle_batches_arrive_once_and_in_order() {
    explore(SCHEDULES, || exchange(send_batches, receive_batches));
}

/// A producer that stores the cursor instead of exchanging it: two take the same slot.
fn send_without_exchange(ring: &Four, values: core::ops::Range<u64>) {
    let memory = ring.memory();
    for value in values {
        let position = loop {
            let tail = memory.header().tail.load(Ordering::Acquire);
            if memory.slot(ring.index(tail)).sequence.load(Ordering::Acquire) == tail {
                memory.header().tail.store(tail + 1, Ordering::Release);
                break tail;
            }
            thread::yield_now();
        };
        let slot = memory.slot(ring.index(position));
        for (word, part) in slot.element.iter().zip(element(value)) {
            word.store(part, Ordering::Relaxed);
        }
        slot.sequence.store(position + 1, Ordering::Release);
    }
}

/// What goes wrong first is a matter of the schedule: a torn message, a lost one, or a ring that is stuck.
#[test]
#[should_panic]
fn shuttle_a_cursor_that_is_not_exchanged_is_caught() {
    explore(10, || exchange(send_without_exchange, receive_each));
}

/// A consumer that releases its slot before it reads it.
#[test]
#[should_panic]
fn shuttle_a_slot_released_before_it_is_read_is_caught() {
    explore(10, || {
        exchange(send_each, |ring| {
            let Ok(turn) = ring.try_claim(1, &()) else {
                thread::yield_now();
                return Vec::new();
            };
            let position = turn.position();
            ring.release(turn);
            let slot = ring.memory().slot(ring.index(position));
            let [value, inverted] = [0, 1].map(|at: usize| slot.element[at].load(Ordering::Relaxed));
            assert_eq!(inverted, !value, "torn");
            std::vec![(position, value)]
        });
    });
}
