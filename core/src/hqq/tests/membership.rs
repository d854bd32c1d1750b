//! How many handles has a link, and when does its name go?

use std::vec::Vec;

use super::super::{OpenError, PARTICIPANTS, SendError};
use super::*;

#[test]
fn there_is_room_for_128_handles_and_dropping_one_makes_room() {
    let system = FakePlatform::new();
    let link = create(&system, Profile::Superblock);
    let mut more: Vec<_> = (2..PARTICIPANTS).map(|_| link.producer.another()).collect();
    assert_eq!(link.producer.living(Side::Primary), PARTICIPANTS);
    let outcome = Link::open(system.process(2), &name(), Expected::default(), Role::Secondary);
    assert!(matches!(outcome, Err(OpenError::TooManyHandles { limit: PARTICIPANTS })), "{outcome:?}");
    // Made all the same, and refused when it is used.
    let mut late = link.producer.another();
    let too_many = Err(SendError::TooManyHandles { limit: PARTICIPANTS });
    assert_eq!(late.send(b"late", PATIENCE), too_many);
    let mut late_too = link.consumer.another();
    let too_many = RecvError::TooManyHandles { limit: PARTICIPANTS };
    assert_eq!(late_too.try_recv().err(), Some(too_many));

    more.pop();
    // One place, and a link takes two.
    let outcome = Link::open(system.process(2), &name(), Expected::default(), Role::Secondary);
    assert!(matches!(outcome, Err(OpenError::TooManyHandles { .. })), "{outcome:?}");
    send(&mut late, b"late");
    drop((more, late));
    let mut other = open(&system, 2, Role::Secondary);
    assert_eq!(receive(&mut other.consumer), b"late");
}

#[test]
fn places_of_the_dead_are_given_to_the_living() {
    let system = FakePlatform::new();
    let (link, dead) = pair(&system, Profile::Superblock);
    let crowd: Vec<_> = (4..PARTICIPANTS).map(|_| dead.producer.another()).collect();
    system.kill(2);
    core::mem::forget((dead, crowd));
    let mut heir = link.producer.another();
    send(&mut heir, b"one");
    assert_eq!(heir.take_recovered().handles, PARTICIPANTS as u64 - 2);
    assert_eq!(heir.living(Side::Secondary), 0);
}

#[test]
fn the_last_one_out_removes_the_name() {
    for profile in PROFILES {
        let system = FakePlatform::new();
        let (one, other) = pair(&system, profile);
        let Link { producer, consumer } = one;
        drop(producer);
        drop(other);
        assert_eq!(system.leftovers(), [NAME]);
        drop(consumer);
        assert!(system.leftovers().is_empty());
    }
}

#[test]
fn the_last_living_one_out_removes_the_name() {
    let system = FakePlatform::new();
    let (one, other) = pair(&system, Profile::Superblock);
    system.kill(2);
    core::mem::forget(other);
    drop(one);
    assert!(system.leftovers().is_empty());
}

#[test]
fn a_kept_link_stays_with_what_was_sent() {
    let system = FakePlatform::new();
    let kept = Creation { keep: true, ..creation(Profile::Superblock) };
    let mut one = Link::create(system.clone(), &name(), kept).unwrap();
    send(&mut one.producer, b"kept");
    drop(one);
    assert_eq!(system.leftovers(), [NAME]);
    let outcome = Link::create(system.clone(), &name(), kept);
    assert!(
        matches!(outcome, Err(OpenError::AlreadyExists { .. })),
        "a kept link is not replaced: {outcome:?}"
    );
    let mut other = open(&system, 2, Role::Secondary);
    assert_eq!(receive(&mut other.consumer), b"kept");
}

#[test]
fn a_link_whose_members_are_all_dead_is_replaced() {
    for profile in PROFILES {
        let system = FakePlatform::new();
        let mut dead = create(&system.process(2), profile);
        send(&mut dead.producer, b"old");
        system.kill(2);
        core::mem::forget(dead);
        let mut one = create(&system, profile);
        let mut other = open(&system, 3, Role::Secondary);
        expect_empty(&mut other.consumer);
        expect_usable(&mut one, &mut other);
    }
}

#[test]
fn a_link_that_strangers_may_use_is_not_replaced() {
    let system = FakePlatform::new();
    let strange = Creation { strangers: true, ..creation(Profile::Superblock) };
    let dead = Link::create(system.process(2), &name(), strange).unwrap();
    system.kill(2);
    core::mem::forget(dead);
    let outcome = Link::create(system.clone(), &name(), strange);
    assert!(matches!(outcome, Err(OpenError::AlreadyExists { .. })), "{outcome:?}");
}

#[test]
fn a_link_with_one_living_member_is_not_replaced() {
    let system = FakePlatform::new();
    let (one, other) = pair(&system, Profile::Superblock);
    system.kill(2);
    core::mem::forget(other);
    let outcome = Link::create(system.process(3), &name(), creation(Profile::Superblock));
    assert!(matches!(outcome, Err(OpenError::AlreadyExists { .. })), "{outcome:?}");
    drop(one);
}

#[test]
fn a_name_that_belongs_to_another_link_by_now_is_left_alone() {
    let system = FakePlatform::new();
    let old = create(&system, Profile::Superblock);
    // Somebody removes it and makes another one.
    crate::platform::Platform::remove_segment(&system, &name()).unwrap();
    let new = create(&system.process(2), Profile::Superblock);
    drop(old);
    assert_eq!(system.leftovers(), [NAME]);
    drop(new);
    assert!(system.leftovers().is_empty());
}
