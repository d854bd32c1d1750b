//! What becomes of a slot whose guard was forgotten.

use core::mem::forget;

use proptest::prelude::*;

use super::super::{Counts, Recovered, local};
use super::*;
use crate::testing::HeapSegment;

#[test]
fn a_message_that_was_forgotten_goes_back_with_the_next_one() {
    for profile in PROFILES {
        let system = FakePlatform::new();
        let (mut one, mut other) = pair(&system, profile);
        send(&mut one.producer, b"forgotten");
        forget(other.consumer.try_recv().unwrap());
        expect_usable(&mut one, &mut other);
    }
}

#[test]
fn a_message_that_was_forgotten_goes_back_with_its_receiver() {
    for profile in PROFILES {
        let system = FakePlatform::new();
        let (mut one, mut other) = pair(&system, profile);
        let mut heir = open(&system, 3, Role::Secondary);
        send(&mut one.producer, b"forgotten");
        forget(other.consumer.try_recv().unwrap());
        drop(other);
        expect_usable(&mut one, &mut heir);
    }
}

#[test]
fn a_slot_that_was_forgotten_is_given_up_by_the_next_one_or_with_its_sender() {
    for profile in PROFILES {
        let system = FakePlatform::new();
        let (mut one, mut other) = pair(&system, profile);
        forget(one.producer.try_reserve().unwrap());
        expect_usable(&mut one, &mut other);
        assert_eq!(one.producer.counts().tombstones, 1);
        let mut another = one.producer.another();
        forget(another.try_reserve().unwrap());
        drop(another);
        expect_usable(&mut one, &mut other);
    }
}

#[test]
fn of_a_batch_that_was_forgotten_only_the_rest_goes_back() {
    for profile in PROFILES {
        let system = FakePlatform::new();
        let (mut one, mut other) = pair(&system, profile);
        let mut batch = one.producer.reserve_many(3, MOMENT).unwrap();
        batch.buffer()[0] = 1;
        batch.commit(1).unwrap();
        forget(batch);
        send(&mut one.producer, &[2]);
        assert_eq!(
            (receive(&mut other.consumer), receive(&mut other.consumer)),
            ([1].to_vec(), [2].to_vec())
        );
        for message in 3..7 {
            send(&mut one.producer, &[message]);
        }
        let mut batch = other.consumer.recv_many(3, MOMENT).unwrap();
        assert_eq!(batch.next().unwrap().unwrap(), [3]);
        assert_eq!(batch.next().unwrap().unwrap(), [4]);
        forget(batch);
        assert_eq!(receive(&mut other.consumer), [6]);
        expect_usable(&mut one, &mut other);
    }
}

/// What was kept for the next call, and its guard then forgotten.
#[test]
fn what_was_kept_and_then_forgotten_goes_back() {
    let system = FakePlatform::new();
    let (mut one, mut other) = pair(&system, Profile::Superblock);
    one.producer.keep().unwrap();
    forget(one.producer.try_reserve().unwrap());
    send(&mut one.producer, b"x");
    other.consumer.keep().unwrap();
    forget(other.consumer.try_recv().unwrap());
    one.producer.keep().unwrap();
    other.producer.keep().unwrap();
    drop(other);
    let mut heir = open(&system, 3, Role::Secondary);
    expect_usable(&mut one, &mut heir);
}

#[test]
fn what_was_forgotten_by_one_who_died_is_recovered() {
    let system = FakePlatform::new();
    let (mut one, mut other) = pair(&system, Profile::Superblock);
    for message in 0..3 {
        send(&mut one.producer, &[message]);
    }
    // The first is given back by the second, which is the one that is held.
    forget(other.consumer.try_recv().unwrap());
    forget(other.consumer.try_recv().unwrap());
    forget(other.producer.try_reserve().unwrap());
    forget(other.producer.try_reserve().unwrap());
    system.kill(2);
    forget(other);
    assert!(one.producer.recover());
    assert_eq!(one.producer.take_recovered(), Recovered { handles: 2, tombstones: 1, lost: 1 });
    let mut heir = open(&system, 3, Role::Secondary);
    assert_eq!(receive(&mut heir.consumer), [2]);
    expect_empty(&mut one.consumer);
    expect_usable(&mut one, &mut heir);
}

/// The steps that a sender and a receiver may take.
#[derive(Clone, Copy, Debug)]
enum Step {
    Send,
    Forget,
    /// Reserves so many, commits so many, forgets the rest.
    Batch(u8, u8),
    Receive,
    ForgetReceived,
    NewSender,
    NewReceiver,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Send),
        1 => Just(Step::Forget),
        1 => (1..5u8, 0..5u8).prop_map(|(most, some)| Step::Batch(most, some)),
        4 => Just(Step::Receive),
        1 => Just(Step::ForgetReceived),
        1 => Just(Step::NewSender),
        1 => Just(Step::NewReceiver),
    ];
    prop::collection::vec(step, 0..60)
}

/// Runs the steps over any handles; whoever forgets a guard loses its message alone, and at most one guard of a handle is out.
macro_rules! play {
    ($steps:expr, $sender:expr, $receiver:expr, $reserve_many:ident $(, $moment:expr)?) => {{
        let (mut sender, mut receiver) = ($sender, $receiver);
        let (mut next, mut expected) = (0u8, std::collections::VecDeque::new());
        for step in $steps {
            match step {
                Step::Send => {
                    if sender.try_reserve().is_ok_and(|mut slot| {
                        slot[0] = next;
                        slot.commit(1).is_ok()
                    }) {
                        expected.push_back(next);
                        next = next.wrapping_add(1);
                    }
                }
                Step::Forget => forget(sender.try_reserve()),
                Step::Batch(most, some) => {
                    if let Ok(mut batch) = sender.$reserve_many(usize::from(most) $(, $moment)?) {
                        for _ in 0..some {
                            batch.buffer().first_mut().into_iter().for_each(|byte| *byte = next);
                            if batch.commit(1).is_ok() {
                                expected.push_back(next);
                                next = next.wrapping_add(1);
                            }
                        }
                        forget(batch);
                    }
                }
                Step::Receive => match receiver.try_recv() {
                    Ok(slot) => prop_assert_eq!(slot.to_vec(), Vec::from_iter(expected.pop_front())),
                    Err(error) => prop_assert_eq!(error, RecvError::Empty),
                },
                Step::ForgetReceived => {
                    if let Ok(slot) = receiver.try_recv() {
                        prop_assert_eq!(slot.to_vec(), Vec::from_iter(expected.pop_front()));
                        forget(slot);
                    }
                }
                Step::NewSender => sender = sender.another(),
                Step::NewReceiver => receiver = receiver.another(),
            }
        }
        // Once nobody holds anything, everything comes, and the whole ring can be used.
        sender = sender.another();
        receiver = receiver.another();
        while let Ok(slot) = receiver.try_recv() {
            prop_assert_eq!(slot.to_vec(), Vec::from_iter(expected.pop_front()));
        }
        prop_assert!(expected.is_empty());
        for message in 0..4 * u8::try_from(SLOTS).unwrap() {
            let mut slot = sender.try_reserve().unwrap();
            slot[0] = message;
            slot.commit(1).unwrap();
            prop_assert_eq!(receiver.try_recv().unwrap().to_vec(), [message]);
        }
        let Counts { errors, .. } = receiver.counts();
        prop_assert_eq!(errors, 0);
    }};
}

proptest! {
    #[test]
    fn whatever_is_forgotten_nothing_else_is_lost_between_processes(steps in steps(), seed: bool) {
        let system = FakePlatform::new();
        let profile = if seed { Profile::Seed } else { Profile::Superblock };
        let (one, other) = pair(&system, profile);
        play!(steps, one.producer.another(), other.consumer.another(), reserve_many, Duration::ZERO);
    }

    #[test]
    fn whatever_is_forgotten_nothing_else_is_lost_inside_a_program(steps in steps(), seed: bool) {
        let profile = if seed { Profile::Seed } else { Profile::Superblock };
        let geometry = Geometry::new(SLOTS, SLOT_LEN, 64, profile).unwrap();
        let [one, other] = local::split(HeapSegment::new(geometry.plan().layout_len), geometry).unwrap();
        play!(steps, one.producer, other.consumer, try_reserve_many);
    }
}
