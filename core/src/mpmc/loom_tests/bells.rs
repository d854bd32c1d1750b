//! Is everybody who sleeps at a bell woken?
//!
//! Time stands still: a sleeper that nobody wakes is a deadlock, which loom reports. `Bell::was_used` lets the very first
//! sleeper of a link miss its message, because it wakes by itself after a slice; that is no time that stands still. So the
//! bells of these models have been used before, and one model shows the miss.

use loom::sync::{Condvar, Mutex};
use loom::thread;

use super::*;
use crate::hqq::extension::{Bell, Sleep};
use crate::sync::{Ordering, SharedU32, full_fence};

/// A futex made of loom's parts.
#[derive(Debug)]
struct Futex<W> {
    word: W,
    sleepers: Mutex<()>,
    woken: Condvar,
}

/// A word that sleepers compare.
trait Word {
    fn now(&self) -> u32;
}

impl Word for Bell {
    fn now(&self) -> u32 {
        self.word()
    }
}

impl Word for SharedU32 {
    fn now(&self) -> u32 {
        // Relaxed: compared under the lock that the waker takes.
        self.load(Ordering::Relaxed)
    }
}

impl<W: Word> Futex<W> {
    fn new(word: W) -> Self {
        Self { word, sleepers: Mutex::new(()), woken: Condvar::new() }
    }
}

impl<W: Word> Sleep for Futex<W> {
    fn sleep(&self, expected: u32) {
        let guard = self.sleepers.lock().unwrap();
        // Compared under the lock that the waker takes, as the kernel does.
        if self.word.now() == expected {
            drop(self.woken.wait(guard).unwrap());
        }
    }

    fn wake(&self) {
        drop(self.sleepers.lock().unwrap());
        self.woken.notify_all();
    }
}

/// A bell that somebody has slept at.
fn used() -> Rc<Futex<Bell>> {
    let bell = fresh();
    bell.word.announce();
    bell.word.ring(&*bell);
    assert!(bell.word.was_used());
    bell
}

fn fresh() -> Rc<Futex<Bell>> {
    Rc::new(Futex::new(Bell::new()))
}

/// Attempts until there is an answer, as `hqq::wait` does without its time.
fn sleep_until<T>(bell: &Futex<Bell>, mut attempt: impl FnMut() -> Option<T>) -> T {
    loop {
        if let Some(done) = attempt() {
            return done;
        }
        let expected = bell.word.announce();
        if let Some(done) = attempt() {
            return done;
        }
        bell.sleep(expected);
    }
}

/// As `hqq::lane` publishes.
fn publish(scene: &Scene, turn: ProducerTurn, value: u8, bell: &Futex<Bell>) {
    scene.write(turn.position(), value);
    if bell.word.was_used() {
        scene.ring.publish_and_fence(turn, [u64::from(value)]);
        bell.word.ring(bell);
    } else {
        scene.ring.publish(turn, [u64::from(value)]);
    }
}

/// As `hqq::lane` releases.
fn release(scene: &Scene, turn: ConsumerTurn, bell: &Futex<Bell>) {
    scene.ring.release_and_fence(turn);
    bell.word.ring(bell);
}

fn push(scene: &Scene, value: u8, bell: &Futex<Bell>) -> Option<()> {
    scene.ring.try_reserve(1, &()).ok().map(|turn| publish(scene, turn, value, bell))
}

fn pop(scene: &Scene, bell: &Futex<Bell>) -> Option<Found> {
    let turn = scene.ring.try_claim(1, &()).ok()?;
    let found = scene.look(&turn);
    release(scene, turn, bell);
    Some(found)
}

#[test]
fn loom_a_consumer_that_sleeps_is_woken() {
    explore(|| {
        let found = against(
            &Rc::new((Scene::new(), used())),
            |(scene, data)| (1..=2).for_each(|value| push(scene, value, data).unwrap()),
            |(scene, data)| [(); 2].map(|()| sleep_until(data, || scene.pop())),
        );
        assert_eq!(found, [(0, 1), (1, 2)]);
    });
}

#[test]
fn loom_a_producer_that_sleeps_is_woken() {
    explore(|| {
        let scene = Scene::new();
        scene.push(1).unwrap();
        scene.push(2).unwrap();
        against(
            &Rc::new((scene, used())),
            |(scene, space)| assert_eq!(pop(scene, space), Some((0, 1))),
            |(scene, space)| sleep_until(space, || scene.push(3)),
        );
    });
}

/// Both ends sleep, one for data and one for space.
#[test]
fn loom_both_ends_sleep_in_turn() {
    explore(|| {
        let found = against(
            &Rc::new((Scene::at(1), used(), used())),
            |(scene, data, space)| {
                (1..=3).for_each(|value| sleep_until(space, || push(scene, value, data)));
            },
            |(scene, data, space)| [(); 3].map(|()| sleep_until(data, || pop(scene, space))),
        );
        assert_eq!(found, [(1, 1), (2, 2), (3, 3)]);
    });
}

#[test]
fn loom_two_consumers_that_sleep_are_both_woken() {
    explore_within(2, || {
        let (scene, data) = (Scene::new(), used());
        let producer = {
            let (scene, data) = (Rc::clone(&scene), Rc::clone(&data));
            thread::spawn(move || (1..=2).for_each(|value| push(&scene, value, &data).unwrap()))
        };
        let consumers = [(); 2].map(|()| {
            let (scene, data) = (Rc::clone(&scene), Rc::clone(&data));
            thread::spawn(move || sleep_until(&data, || scene.pop()))
        });
        let found = consumers.map(|thread| thread.join().unwrap());
        producer.join().unwrap();
        check(found.to_vec(), 0, &[&[1, 2]]);
    });
}

/// A batch published quietly, and one ring at its end.
#[test]
fn loom_a_quiet_batch_wakes_at_its_end() {
    explore(|| {
        let found = against(
            &Rc::new((Scene::new(), used())),
            |(scene, data)| {
                let mut turn = scene.ring.try_reserve(2, &()).unwrap();
                for value in 1..=2 {
                    scene.publish(turn.take_first().unwrap(), value);
                }
                // As `Lane::ring_bell`.
                full_fence();
                data.word.ring(&**data);
            },
            |(scene, data)| [(); 2].map(|()| sleep_until(data, || scene.pop())),
        );
        assert_eq!(found, [(0, 1), (1, 2)]);
    });
}

/// A consumer that waits for one message, against a producer that sends it: with a bell, and what each does.
fn waking(
    bell: fn() -> Rc<Futex<Bell>>,
    send: fn(&Scene, &Futex<Bell>),
    receive: fn(&Scene, &Futex<Bell>) -> Found,
) {
    explore(move || {
        let shared = Rc::new((Scene::new(), bell()));
        let found = against(
            &shared,
            move |(scene, data)| send(scene, data),
            move |(scene, data)| receive(scene, data),
        );
        assert_eq!(found, (0, 1));
    });
}

fn send(scene: &Scene, bell: &Futex<Bell>) {
    push(scene, 1, bell).unwrap();
}

fn receive(scene: &Scene, bell: &Futex<Bell>) -> Found {
    sleep_until(bell, || scene.pop())
}

#[test]
fn loom_the_waking_unchanged_passes() {
    waking(used, send, receive);
}

/// By design: nobody fences for a bell that was never used, and the first sleeper sleeps for a short slice only.
#[test]
#[should_panic = "deadlock"]
fn loom_the_very_first_sleeper_may_miss_its_message() {
    waking(fresh, send, receive);
}

#[test]
#[should_panic = "deadlock"]
fn loom_a_ring_without_a_fence_is_caught() {
    waking(
        used,
        |scene, bell| {
            scene.push(1).unwrap();
            bell.word.ring(bell);
        },
        receive,
    );
}

#[test]
#[should_panic = "deadlock"]
fn loom_a_bell_rung_before_the_message_is_caught() {
    waking(
        used,
        |scene, bell| {
            full_fence();
            bell.word.ring(bell);
            scene.push(1).unwrap();
        },
        receive,
    );
}

#[test]
#[should_panic = "deadlock"]
fn loom_a_message_without_a_ring_is_caught() {
    waking(used, |scene, _| scene.push(1).unwrap(), receive);
}

#[test]
#[should_panic = "deadlock"]
fn loom_a_sleeper_that_does_not_look_again_is_caught() {
    waking(used, send, |scene, bell| {
        loop {
            if let Some(found) = scene.pop() {
                return found;
            }
            bell.sleep(bell.word.announce());
        }
    });
}

#[test]
#[should_panic = "deadlock"]
fn loom_a_sleeper_that_does_not_compare_is_caught() {
    waking(used, send, |scene, bell| {
        sleep_until(bell, || {
            scene.pop().or_else(|| {
                bell.word.announce();
                let found = scene.pop();
                if found.is_none() {
                    let guard = bell.sleepers.lock().unwrap();
                    drop(bell.woken.wait(guard).unwrap());
                }
                found
            })
        })
    });
}

/// The bell's two ends over a plain word, with a choice of the sleeper's fence.
fn announcing(fence: bool) {
    explore(move || {
        let shared = Rc::new((Scene::new(), Futex::new(SharedU32::new(2))));
        let send = |(scene, bell): &(Rc<Scene>, Futex<SharedU32>)| {
            let turn = scene.ring.try_reserve(1, &()).unwrap();
            scene.write(0, 1);
            scene.ring.publish_and_fence(turn, [1]);
            let found = bell.word.load(Ordering::Relaxed);
            if found & 1 == 1 && bell.word.compare_exchange(found, found + 1, Ordering::AcqRel).is_ok() {
                bell.wake();
            }
        };
        let receive = move |(scene, bell): &(Rc<Scene>, Futex<SharedU32>)| {
            loop {
                if let Some(found) = scene.pop() {
                    return found;
                }
                let found = bell.word.load(Ordering::Relaxed);
                let _ = bell.word.compare_exchange(found, found | 1, Ordering::AcqRel);
                if fence {
                    full_fence();
                }
                if let Some(found) = scene.pop() {
                    return found;
                }
                bell.sleep(found | 1);
            }
        };
        assert_eq!(against(&shared, send, receive), (0, 1));
    });
}

#[test]
fn loom_the_announcement_unchanged_passes() {
    announcing(true);
}

#[test]
#[should_panic = "deadlock"]
fn loom_an_announcement_without_a_fence_is_caught() {
    announcing(false);
}
