//! What links ask of a platform: memory prepared before it has its name, sleeping at a word, who a process is; and a link.

use std::thread;
use std::time::Duration;

use strait_core::hqq::{Creation, Expected, Geometry, Link, Profile, Role, Side};
use strait_core::name::Name;
use strait_core::platform::{
    Access, Clock as _, Fate, FaultKind, Identity, Liveness as _, PLACES, Pid, Platform, Segment as _,
};

use crate::scene::{Scene, is_not_found, kind};
use crate::system::System;
use crate::words::{add, word};

pub(crate) fn what_was_prepared_is_there_for_whoever_opens<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("prepared");
    let mut calls = 0;
    let owner = scene.platform.create_prepared(&name, 4096, Access::default(), &mut |segment| {
        calls += 1;
        add(segment, 64, 3);
    });
    let owner = owner.expect("created");
    let opened = scene.system.second().open_segment(&name).expect("it exists");
    assert_eq!((calls, word(&owner, 64), word(&opened, 64)), (1, 3, 3));
    let mut called = false;
    let taken = scene.platform.create_prepared(&name, 4096, Access::default(), &mut |_| called = true);
    assert_eq!(kind(&taken), Some(FaultKind::AlreadyExists));
    assert_eq!(word(&opened, 64), 3, "what is there stays as it is");
    drop((opened, taken));
    scene.platform.remove_segment(&name).expect("removed");
}

pub(crate) fn a_reopened_segment_is_the_same_memory_with_a_lock_of_its_own<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("reopened");
    let owner = scene.platform.create_segment(&name, 4096, Access::default()).expect("created");
    let again = scene.platform.reopen_segment(&owner, &name).expect("it exists");
    add(&owner, 0, 5);
    assert_eq!(word(&again, 0), 5);
    assert!(again.lock());
    assert!(!owner.lock(), "the other handle has it");
    drop(again);
    let third = scene.platform.reopen_segment(&owner, &name).expect("it exists");
    assert!(third.lock(), "it is free again");
    drop(third);
    scene.platform.remove_segment(&name).expect("removed");
}

pub(crate) fn a_sleeper_wakes_when_its_word_changes<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("sleeper");
    let owner = scene.platform.create_segment(&name, 4096, Access::default()).expect("created");
    let (platform, opened) = (scene.system.second(), scene.system.second().open_segment(&name));
    let opened = opened.expect("it exists");
    thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..100 {
                // May return early: it is looked at again.
                while word(&opened, 64) == round {
                    platform.park(&opened, 64, round, scene.late());
                }
            }
        });
        for _ in 0..100 {
            add(&owner, 64, 1);
            scene.platform.unpark_all(&owner, 64);
        }
    });
    drop(opened);
    scene.platform.remove_segment(&name).expect("removed");
}

pub(crate) fn nobody_sleeps_at_a_word_that_has_changed_nor_past_its_instant<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("awake");
    let owner = scene.platform.create_segment(&name, 4096, Access::default()).expect("created");
    // Returns at all: its instant is far.
    scene.platform.park(&owner, 64, 1, scene.late());
    for millis in [0, 3] {
        let until = scene.platform.now().saturating_add(Duration::from_millis(millis));
        while scene.platform.now() < until {
            scene.platform.park(&owner, 64, 0, until);
        }
    }
    let until = scene.platform.now().saturating_add(Duration::from_millis(3));
    scene.platform.sleep_until(until);
    assert!(scene.platform.now() >= until);
    scene.platform.remove_segment(&name).expect("removed");
}

pub(crate) fn a_process_is_itself_and_nobody_born_at_another_time<S: System>() {
    let scene = Scene::<S>::new();
    let this = scene.platform.identity();
    assert_eq!((this.pid, scene.platform.identity()), (scene.platform.this(), this));
    assert_eq!(scene.platform.fate(this), Fate::Runs);
    assert_eq!(scene.system.second().fate(this), Fate::Runs);
    let other = Identity { born: this.born.wrapping_add(1 << 33), ..this };
    assert_eq!(scene.platform.fate(other), Fate::Gone);
    for nobody in [0, u64::MAX, 1 << 63] {
        assert_eq!(scene.platform.fate(Identity { pid: Pid(nobody), ..this }), Fate::Gone, "{nobody}");
    }
}

/// Where a system has no locks of places, it says so, and gives none.
pub(crate) fn the_lock_of_a_place_is_seen_through_every_handle_and_taken_once<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("places");
    let owner = scene.platform.create_segment(&name, 4096, Access::default()).expect("created");
    let (clone, opened) = (owner.clone(), scene.system.second().open_segment(&name).expect("it exists"));
    let again = scene.system.second().reopen_segment(&opened, &name).expect("it exists");
    let has_places = owner.is_place_locked(0).is_some();
    for place in [0, 1, PLACES - 1] {
        let locked = |place| [&owner, &clone, &opened, &again].map(|handle| handle.is_place_locked(place));
        assert_eq!(owner.lock_place(place), has_places);
        assert_eq!(locked(place), [has_places.then_some(true); 4]);
        for other in [&owner, &clone, &opened, &again] {
            assert!(!other.lock_place(place), "it is taken");
        }
        // Only through the handle that took it.
        opened.unlock_place(place);
        assert_eq!(locked(place), [has_places.then_some(true); 4]);
        clone.unlock_place(place);
        assert_eq!(locked(place), [has_places.then_some(false); 4]);
        assert_eq!(opened.lock_place(place), has_places);
        opened.unlock_place(place);
    }
    assert!(!owner.lock_place(PLACES) && !owner.lock_place(usize::MAX), "there are no such places");
    assert!(opened.lock_place(7) == has_places && opened.lock_place(8) == has_places);
    assert!(owner.lock(), "the object's one lock is another");
    drop(opened);
    assert_eq!([7, 8].map(|place| owner.is_place_locked(place)), [has_places.then_some(false); 2]);
    drop((owner, clone, again));
    scene.platform.remove_segment(&name).expect("removed");
}

pub(crate) fn a_name_is_taken_from_its_own_object_alone<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("own");
    let old = scene.platform.create_segment(&name, 4096, Access::default()).expect("created");
    scene.platform.remove_segment(&name).expect("removed");
    let new = scene.platform.create_segment(&name, 4096, Access::default()).expect("created");
    let _ = scene.platform.remove_this_segment(&name, &old).expect("no error");
    assert!(new.is_linked() && scene.platform.open_segment(&name).is_ok(), "it is another's by now");
    assert!(scene.platform.remove_this_segment(&name, &new).expect("no error"));
    assert!(!new.is_linked());
    drop((old, new));
    assert!(is_not_found(&scene.platform.open_segment(&name)));
}

pub(crate) fn a_process_keeps_its_generation<S: System>() {
    let scene = Scene::<S>::new();
    let own = scene.platform.generation();
    assert_eq!(thread::scope(|scope| scope.spawn(|| scene.platform.generation()).join().ok()), Some(own));
    assert_eq!(scene.platform.generation(), own);
}

pub(crate) fn pages_are_powers_of_two<S: System>() {
    let scene = Scene::<S>::new();
    let page = scene.platform.page_size();
    assert!(page.is_power_of_two() && page >= 64, "{page}");
}

fn creation<S: System>(scene: &Scene<S>, profile: Profile) -> Creation {
    let page = scene.platform.page_size() as u64;
    let geometry = Geometry::new(8, 64, page, profile).expect("a link can be so");
    Creation { geometry, access: Access::default(), role: Role::Auto, strangers: false, keep: false }
}

fn link<S: System>(scene: &Scene<S>, name: &Name, profile: Profile) -> [Link<S::Platform>; 2] {
    let first = Link::create(scene.platform.clone(), name, creation(scene, profile)).expect("it is made");
    let second = Link::open(scene.system.second(), name, Expected::default(), Role::Auto);
    [first, second.expect("it is opened")]
}

pub(crate) fn messages_go_both_ways_and_the_last_one_out_removes_the_name<S: System>() {
    let scene = Scene::<S>::new();
    for profile in [Profile::Superblock, Profile::Seed] {
        let name = scene.name("link");
        let [mut first, mut second] = link(&scene, &name, profile);
        assert_eq!((first.side(), second.side()), (Side::Primary, Side::Secondary));
        for number in 0..100u64 {
            first.producer.send(&number.to_le_bytes(), scene.patience()).expect("sent");
            assert_eq!(&*second.consumer.recv(scene.patience()).expect("received"), number.to_le_bytes());
            second.producer.send(b"back", scene.patience()).expect("sent");
            assert_eq!(&*first.consumer.recv(scene.patience()).expect("received"), b"back");
        }
        drop(second);
        assert!(scene.platform.open_segment(&name).is_ok(), "one is left");
        drop(first);
        assert!(is_not_found(&scene.platform.open_segment(&name)));
    }
}

pub(crate) fn two_threads_wait_for_each_other_over_a_link<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("waiting");
    let [mut first, mut second] = link(&scene, &name, Profile::Superblock);
    let late = scene.patience();
    thread::scope(|scope| {
        let second = &mut second;
        scope.spawn(move || {
            for number in 0..2000u64 {
                second.producer.send(&number.to_le_bytes(), late).expect("sent");
            }
            for number in 0..200u64 {
                assert_eq!(&*second.consumer.recv(late).expect("received"), number.to_le_bytes());
            }
        });
        for number in 0..2000u64 {
            assert_eq!(&*first.consumer.recv(late).expect("received"), number.to_le_bytes());
        }
        for number in 0..200u64 {
            first.producer.send(&number.to_le_bytes(), late).expect("sent");
        }
    });
}
