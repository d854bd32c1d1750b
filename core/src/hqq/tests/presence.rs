//! Who is here: seen from other namespaces, after `execve`, with a forked child that lives on.

use core::mem::forget;

use super::super::{Doubt, Inspection, PARTICIPANTS, Recovered, SendError, Standing};
use super::*;
use crate::testing::HeapSegment;

/// The namespace of everybody who is in none of his own.
const HERE: u64 = 1;

fn open_in(system: &FakePlatform, realm: u64, pid: u64, role: Role) -> Ends {
    Link::open(system.process_in(realm, pid), &name(), Expected::default(), role).unwrap()
}

/// A link of process 1, and process 2 of `realm` with a slot in its hands.
fn scene(realm: u64, profile: Profile) -> (FakePlatform, Ends, Ends) {
    let system = FakePlatform::new();
    let survivor = create(&system, profile);
    let mut other = open_in(&system, realm, 2, Role::Secondary);
    forget(other.producer.try_reserve().unwrap());
    (system, survivor, other)
}

fn standing(system: &FakePlatform) -> Standing {
    let link: Inspection<HeapSegment> = Inspection::of(&system.segment(NAME), Expected::default()).unwrap();
    link.standing(system)
}

#[test]
fn one_of_another_namespace_is_not_thrown_out_while_it_lives() {
    for profile in PROFILES {
        let (system, mut survivor, mut other) = scene(9, profile);
        assert!(survivor.consumer.recover());
        let heir = open(&system, 3, Role::Secondary);
        assert!(survivor.consumer.take_recovered().is_nothing());
        assert_eq!(survivor.producer.living(Side::Secondary), 4);
        // And the other way round.
        assert!(other.producer.recover());
        assert!(other.producer.take_recovered().is_nothing());
        assert_eq!(other.producer.living(Side::Primary), 2);
        drop(heir);
    }
}

#[test]
fn what_one_of_another_namespace_held_is_given_back_when_it_dies() {
    for profile in PROFILES {
        let (system, mut survivor, other) = scene(9, profile);
        system.process_in(9, 2).kill(2);
        forget(other);
        assert!(survivor.consumer.recover());
        assert_eq!(survivor.consumer.take_recovered(), Recovered { handles: 2, tombstones: 1, lost: 0 });
        expect_empty(&mut survivor.consumer);
        let mut heir = open_in(&system, 8, 3, Role::Secondary);
        expect_usable(&mut survivor, &mut heir);
    }
}

#[test]
fn a_process_that_became_another_program_holds_nothing() {
    for realm in [HERE, 9] {
        let (system, mut survivor, other) = scene(realm, Profile::Superblock);
        system.process_in(realm, 2).exec(2);
        forget(other);
        assert!(survivor.consumer.recover());
        assert_eq!(survivor.consumer.take_recovered(), Recovered { handles: 2, tombstones: 1, lost: 0 });
        // The same number, and the same birth: it takes part anew.
        let mut again = open_in(&system, realm, 2, Role::Secondary);
        expect_usable(&mut survivor, &mut again);
    }
}

#[test]
fn a_forked_child_keeps_no_dead_parents_slot_in_its_namespace() {
    let (system, mut survivor, other) = scene(HERE, Profile::Superblock);
    system.kill_parent(2);
    assert!(survivor.consumer.recover());
    assert_eq!(survivor.consumer.take_recovered(), Recovered { handles: 2, tombstones: 1, lost: 0 });
    // The locks of the two places are held as long as the child lives: others are taken.
    let mut heir = open(&system, 3, Role::Secondary);
    assert_eq!(heir.producer.living(Side::Secondary), 2);
    expect_usable(&mut survivor, &mut heir);
    // Gone without a word. Of the dead one's child nobody knows what it does.
    drop((survivor, heir));
    forget(other);
    assert!(system.leftovers().is_empty());
}

#[test]
fn where_only_places_are_left_whose_locks_a_child_keeps_they_are_taken_without() {
    let system = FakePlatform::new();
    let mut survivor = create(&system, Profile::Superblock);
    let mut crowd = std::vec![open(&system, 2, Role::Secondary)];
    while crowd.len() < PARTICIPANTS / 2 - 1 {
        crowd.push(open(&system, 2, Role::Secondary));
    }
    system.kill_parent(2);
    let mut heir = open(&system, 3, Role::Secondary);
    expect_usable(&mut survivor, &mut heir);
    // It has no lock, and is known by its process.
    system.kill(3);
    forget(heir);
    assert!(survivor.producer.recover());
    assert_eq!(survivor.producer.living(Side::Secondary), 0);
    forget(crowd);
}

/// Where neither the lock nor the process says anything, nothing is taken.
#[test]
fn what_a_process_holds_that_has_no_lock_and_cannot_be_seen_is_left_alone() {
    let (system, mut survivor, other) = scene(9, Profile::Superblock);
    let guarded = |index: usize| geometry(Profile::Superblock).plan().layout_len + 384 + 64 * index + 56;
    for index in [2, 3] {
        system.segment(NAME).scribble_u64(guarded(index), 0);
    }
    system.kill(2);
    forget(other);
    assert!(survivor.consumer.recover());
    assert!(survivor.consumer.take_recovered().is_nothing());
    assert_eq!(survivor.consumer.living(Side::Secondary), 2, "they may live");
    drop(survivor);
    assert_eq!(standing(&system), Standing::Unsure(Doubt::Hidden { handles: 2 }));
}

/// Strait processes of a link that strangers may use die, one after another.
#[test]
fn handles_of_the_dead_are_free_again_where_strangers_take_part() {
    let system = FakePlatform::new();
    let strange = Creation { strangers: true, keep: true, ..creation(Profile::Superblock) };
    drop(Link::create(system.clone(), &name(), strange).unwrap());
    for pid in 2..2 + PARTICIPANTS as u64 {
        let mut victim = open(&system, pid, Role::Secondary);
        if pid == 5 {
            forget(victim.producer.try_reserve().unwrap());
        }
        system.kill(pid);
        forget(victim);
    }
    let mut one = open(&system, 500, Role::Primary);
    assert_eq!((one.producer.living(Side::Primary), one.producer.living(Side::Secondary)), (2, 0));
    // A slot may be a stranger's, whoever's journal covers it.
    assert_eq!(one.consumer.recovered_in_all(), [(0, 0); 2]);
    assert_eq!(one.consumer.recover_side(Side::Secondary).unwrap().tombstones, 1);
    send(&mut one.producer, b"on");
}

#[test]
fn one_who_leaves_gives_his_lock_back() {
    let system = FakePlatform::new();
    let (one, other) = pair(&system, Profile::Superblock);
    let segment = system.segment(NAME);
    let held = || {
        (0..PARTICIPANTS).filter(|at| crate::platform::Segment::is_place_locked(&segment, *at) == Some(true))
    };
    assert_eq!(held().collect::<Vec<_>>(), [0, 1, 2, 3]);
    drop(other);
    assert_eq!(held().collect::<Vec<_>>(), [0, 1]);
    let clone = one.producer.another();
    assert_eq!(held().collect::<Vec<_>>(), [0, 1, 2]);
    drop(one);
    assert_eq!(held().collect::<Vec<_>>(), [2]);
    drop(clone);
    assert_eq!(held().count(), 0);
}

#[test]
fn a_full_link_says_so_and_a_late_clone_finds_the_room() {
    let system = FakePlatform::new();
    let link = create(&system, Profile::Superblock);
    let crowd: Vec<_> = (2..PARTICIPANTS).map(|_| link.producer.another()).collect();
    let mut late = link.producer.another();
    assert_eq!(late.send(b"x", MOMENT), Err(SendError::TooManyHandles { limit: PARTICIPANTS }));
    drop(crowd);
    late.send(b"x", MOMENT).unwrap();
}
