//! A participant that forgets what it has taken, and gives it back in place before it takes more: nobody loses by it.

use loom::thread;

use super::super::RingMemory as _;
use super::*;
use crate::sync::{Ordering, SharedU64};

/// What a slot says that was given up.
const TOMBSTONE: u8 = 200;

/// Takes a message or a tombstone; of the latter only the element counts.
fn pop(scene: &Scene) -> Option<Found> {
    let turn = scene.ring.try_claim(1, &()).ok()?;
    let found = match scene.ring.read(&turn) {
        [element] if element == u64::from(TOMBSTONE) => (turn.position(), TOMBSTONE),
        _ => scene.look(&turn),
    };
    scene.ring.release(turn);
    Some(found)
}

/// A consumer has two messages, gives the first back, and forgets the second. It takes back what it had while a producer
/// fills the slots again.
fn a_batch_is_forgotten(take_back: fn(&Two, u64)) {
    explore(move || {
        let scene = Scene::at(1);
        for value in 1..3 {
            scene.push(value).unwrap();
        }
        let receive = move |scene: &Scene| {
            let mut turn = scene.ring.try_claim(2, &()).unwrap();
            let (first, second) = (turn.take_first().unwrap(), turn.take_first().unwrap());
            let mut found = std::vec![scene.look(&first), scene.look(&second)];
            scene.ring.release(first);
            // What is taken back is what the handle has noted: the whole turn.
            for position in 1..3 {
                take_back(&scene.ring, position);
            }
            found.extend(pop(scene));
            found
        };
        let send = |scene: &Scene| (11..13).filter(|value| scene.push(*value).is_some()).collect::<Vec<u8>>();
        let (one, other) = (Rc::clone(&scene), Rc::clone(&scene));
        let sender = thread::spawn(move || send(&one));
        let receiver = thread::spawn(move || receive(&other));
        let mut found = receiver.join().unwrap();
        let sent = sender.join().unwrap();
        found.extend(core::iter::from_fn(|| pop(&scene)));
        check(found, 1, &[&[1, 2], &sent]);
        for value in 30..32 {
            scene.push(value).unwrap();
        }
    });
}

#[test]
fn loom_of_a_forgotten_batch_the_rest_goes_back() {
    a_batch_is_forgotten(|ring, position| {
        ring.release_in_place(position);
    });
}

/// A store frees a slot that was given back before, and that a producer has filled again.
#[test]
#[should_panic]
fn loom_taking_back_by_a_store_is_caught() {
    a_batch_is_forgotten(|ring, position| {
        let slot = ring.memory().slot(ring.index(position));
        slot.sequence.store(position + SLOTS as u64, Ordering::Release);
    });
}

/// A producer forgets what it has begun to fill, gives it up, and sends; one of its kind and a consumer go on meanwhile.
#[test]
fn loom_a_forgotten_reservation_is_skipped() {
    explore(|| {
        let scene = Scene::at(1);
        let forgetful = {
            let scene = Rc::clone(&scene);
            thread::spawn(move || {
                let journal = SharedU64::new(0);
                let mut sent = Vec::new();
                if let Ok(turn) = scene.ring.try_reserve(1, &journal) {
                    let position = turn.position();
                    scene.write(position, 77);
                    core::mem::forget(turn);
                    assert!(scene.ring.publish_in_place(position, [u64::from(TOMBSTONE)]));
                    sent.push(TOMBSTONE);
                }
                if scene.try_push(1, &journal) {
                    sent.push(1);
                }
                sent
            })
        };
        let living = {
            let scene = Rc::clone(&scene);
            thread::spawn(move || (11..12).filter(|value| scene.push(*value).is_some()).collect::<Vec<u8>>())
        };
        let receiver = {
            let scene = Rc::clone(&scene);
            thread::spawn(move || (0..2).filter_map(|_| pop(&scene)).collect::<Vec<_>>())
        };
        let mut found = receiver.join().unwrap();
        let (forgotten, sent) = (forgetful.join().unwrap(), living.join().unwrap());
        found.extend(core::iter::from_fn(|| pop(&scene)));
        check(found, 1, &[&forgotten, &sent]);
        for value in 30..32 {
            scene.push(value).unwrap();
        }
    });
}
