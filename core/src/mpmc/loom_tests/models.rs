//! Do producers and consumers of the shipped ring lose, double or tear a message?

use loom::thread;

use super::*;

/// Pushes `values` one after another as long as there is room; how many.
fn spawn_producer(scene: &Rc<Scene>, values: &'static [u8]) -> thread::JoinHandle<usize> {
    let scene = Rc::clone(scene);
    thread::spawn(move || values.iter().take_while(|value| scene.push(**value).is_some()).count())
}

/// Attempts to pop `count` messages.
fn spawn_consumer(scene: &Rc<Scene>, count: usize) -> thread::JoinHandle<Vec<Found>> {
    let scene = Rc::clone(scene);
    thread::spawn(move || (0..count).filter_map(|_| scene.pop()).collect())
}

/// What these producers and consumers do with a ring that holds `before` and whose head stands at `first`. Nobody polls: two that wait for a third keep loom busy for ever. Who finds no room or no
/// message goes on, and what is left is there afterwards.
fn arrives(
    (first, before): (u64, &'static [u8]),
    producers: &'static [&'static [u8]],
    consumers: &'static [usize],
) {
    explore(move || {
        let scene = Scene::at(first);
        for value in before {
            scene.push(*value).unwrap();
        }
        let sending: Vec<_> = producers.iter().map(|values| spawn_producer(&scene, values)).collect();
        let receiving: Vec<_> = consumers.iter().map(|count| spawn_consumer(&scene, *count)).collect();
        let mut found = Vec::new();
        for thread in receiving {
            found.extend(thread.join().unwrap());
        }
        let mut sent = std::vec![before];
        for (thread, values) in sending.into_iter().zip(producers) {
            sent.push(&values[..thread.join().unwrap()]);
        }
        found.extend(core::iter::from_fn(|| scene.pop()));
        check(found, first, &sent);
        let end = first + sent.iter().map(|values| values.len() as u64).sum::<u64>();
        assert_eq!(scene.ring.positions(), (end, end));
    });
}

/// Both wait for each other: each message goes through as soon as there is room.
#[test]
fn loom_one_producer_and_one_consumer_go_round() {
    explore(|| {
        let found = against(
            &Scene::at(1),
            |scene| (1..=3).for_each(|value| until(|| scene.push(value))),
            |scene| (0..3).map(|_| until(|| scene.pop())).collect(),
        );
        check(found, 1, &[&[1, 2, 3]]);
    });
}

#[test]
fn loom_two_producers_and_one_consumer_wrap() {
    arrives((1, &[1]), &[&[11, 12], &[21, 22]], &[3]);
}

#[test]
fn loom_one_producer_and_two_consumers_wrap() {
    arrives((1, &[1, 2]), &[&[11, 12]], &[2, 2]);
}

#[test]
fn loom_two_producers_and_two_consumers_wrap() {
    arrives((1, &[1]), &[&[11], &[21]], &[1, 1]);
}

#[test]
fn loom_two_producers_and_two_consumers_go_round_a_full_ring() {
    arrives((3, &[1, 2]), &[&[11], &[21]], &[1, 2]);
}

/// A batch of two is published one by one while a consumer claims as many as it finds.
#[test]
fn loom_batches_arrive_whole() {
    explore(|| {
        let send = |scene: &Scene| {
            let mut next = 1;
            while next < 4 {
                let mut turn = until(|| scene.ring.try_reserve(4 - u64::from(next), &()).ok());
                while let Some(one) = turn.take_first() {
                    scene.publish(one, next);
                    next += 1;
                }
            }
        };
        let receive = |scene: &Scene| {
            let mut found = Vec::new();
            while found.len() < 3 {
                let mut turn = until(|| scene.ring.try_claim(3, &()).ok());
                let mut claimed = Vec::new();
                while let Some(one) = turn.take_first() {
                    found.push(scene.look(&one));
                    claimed.push(one);
                }
                // Given back in the other order.
                while let Some(one) = claimed.pop() {
                    scene.ring.release(one);
                }
            }
            found
        };
        check(against(&Scene::at(1), send, receive), 1, &[&[1, 2, 3]]);
    });
}

/// Two who take batches get slots that do not overlap.
#[test]
fn loom_batches_of_two_producers_do_not_overlap() {
    explore(|| {
        let scene = Scene::at(1);
        scene.push(1).unwrap();
        let producers = [11, 21].map(|first: u8| {
            let scene = Rc::clone(&scene);
            thread::spawn(move || {
                let mut sent = Vec::new();
                if let Ok(mut turn) = scene.ring.try_reserve(2, &()) {
                    while let Some(one) = turn.take_first() {
                        sent.push(first + u8::try_from(sent.len()).unwrap());
                        scene.publish(one, *sent.last().unwrap());
                    }
                }
                sent
            })
        });
        let consumer = spawn_consumer(&scene, 2);
        let sent = producers.map(|thread| thread.join().unwrap());
        let mut found = consumer.join().unwrap();
        found.extend(core::iter::from_fn(|| scene.pop()));
        let [first, second] = &sent;
        check(found, 1, &[&[1], first, second]);
    });
}
