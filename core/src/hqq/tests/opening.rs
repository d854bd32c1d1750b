//! Is it a link, the one that was asked for, and which side is one on?

use std::sync::Mutex;
use std::thread;

use super::super::extension::EXTENSION_LEN;
use super::super::regions::Regions;
use super::super::{AttachError, GeometryError, OpenError};
use super::*;
use crate::mpmc;
use crate::platform::{Platform as _, Segment as _};

fn attach_error(outcome: Result<Ends, OpenError<crate::testing::FakeError>>) -> AttachError {
    match outcome {
        Err(OpenError::Attach(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// What is wrong with the link, without the second for which `Link::open` waits for its creator.
fn reopen(system: &FakePlatform, expected: Expected) -> AttachError {
    Regions::attach(&system.segment(NAME), expected).unwrap_err()
}

#[test]
fn both_profiles_are_made_and_opened_with_their_numbers() {
    for profile in PROFILES {
        let system = FakePlatform::new();
        let (mut one, mut other) = pair(&system, profile);
        assert_eq!(other.geometry(), geometry(profile));
        assert_eq!(system.segment(NAME).len(), geometry(profile).plan().layout_len + EXTENSION_LEN);
        expect_usable(&mut one, &mut other);
    }
}

#[test]
fn the_creator_may_be_the_secondary() {
    let system = FakePlatform::new();
    let creation = Creation { role: Role::Secondary, ..creation(Profile::Superblock) };
    let mut one = Link::create(system.clone(), &name(), creation).unwrap();
    let mut other = open(&system, 2, Role::Auto);
    expect_usable(&mut other, &mut one);
}

#[test]
fn auto_is_the_primary_if_nobody_living_is() {
    let system = FakePlatform::new();
    let first = open_or_create(&system, 1);
    let second = open_or_create(&system, 2);
    let third = open_or_create(&system, 3);
    assert_eq!([&first, &second, &third].map(Ends::side), [Side::Primary, Side::Secondary, Side::Secondary]);
    assert_eq!((third.producer.living(Side::Primary), third.producer.living(Side::Secondary)), (2, 4));
    drop(first);
    let fourth = open_or_create(&system, 4);
    assert_eq!(fourth.side(), Side::Primary);
}

fn open_or_create(system: &FakePlatform, pid: u64) -> Ends {
    let expected = Expected::default();
    Link::open_or_create(system.process(pid), &name(), creation(Profile::Superblock), expected).unwrap()
}

#[test]
fn a_killed_primarys_role_is_taken_over() {
    for profile in PROFILES {
        let system = FakePlatform::new();
        let killed = create(&system.process(2), profile);
        let mut secondary = open(&system, 3, Role::Auto);
        assert_eq!((killed.side(), secondary.side()), (Side::Primary, Side::Secondary));
        system.kill(2);
        core::mem::forget(killed);
        let mut heir = open(&system, 4, Role::Auto);
        assert_eq!(heir.producer.take_recovered().handles, 2);
        assert_eq!(open(&system, 5, Role::Auto).side(), Side::Secondary);
        expect_usable(&mut heir, &mut secondary);
    }
}

/// Many come at once, again and again: never are two of them the primary at the same time.
#[test]
fn one_of_many_becomes_the_primary() {
    let system = FakePlatform::new();
    // Keeps the link, and is never the primary.
    let keeper = Creation { role: Role::Secondary, ..creation(Profile::Superblock) };
    let keeper = Link::create(system.clone(), &name(), keeper).unwrap();
    let primary = Mutex::new(None);
    let terms = Mutex::new(0);
    thread::scope(|scope| {
        for pid in 2..8 {
            let (system, primary, terms) = (&system, &primary, &terms);
            scope.spawn(move || {
                for _ in 0..50 {
                    let link = open(system, pid, Role::Auto);
                    if link.side() == Side::Primary {
                        assert_eq!(primary.lock().unwrap().replace(pid), None, "two primaries");
                        *terms.lock().unwrap() += 1;
                        thread::yield_now();
                        // Before it leaves: its successor may come at once.
                        assert_eq!(primary.lock().unwrap().take(), Some(pid));
                    }
                    drop(link);
                }
            });
        }
    });
    assert!(*terms.lock().unwrap() > 0);
    drop(keeper);
    assert!(system.leftovers().is_empty());
}

#[test]
fn many_who_open_or_create_meet_in_one_link() {
    for _ in 0..20 {
        let system = FakePlatform::new();
        let sides = Mutex::new(Vec::new());
        let all_here = std::sync::Barrier::new(6);
        thread::scope(|scope| {
            for pid in 1..=6 {
                let (system, sides, all_here) = (&system, &sides, &all_here);
                scope.spawn(move || {
                    let link = open_or_create(system, pid);
                    sides.lock().unwrap().push(link.side());
                    all_here.wait();
                });
            }
        });
        let primaries = sides.lock().unwrap().iter().filter(|side| **side == Side::Primary).count();
        assert_eq!(primaries, 1);
        assert!(system.leftovers().is_empty());
    }
}

#[test]
fn what_is_not_there_is_not_found() {
    let outcome = Ends::open(FakePlatform::new(), &name(), Expected::default(), Role::Auto);
    assert!(matches!(outcome, Err(OpenError::NotFound)), "{outcome:?}");
}

#[test]
fn a_name_in_use_is_not_taken() {
    let system = FakePlatform::new();
    let _link = create(&system, Profile::Superblock);
    let outcome = Link::create(system.process(2), &name(), creation(Profile::Superblock));
    assert!(matches!(outcome, Err(OpenError::AlreadyExists { .. })), "{outcome:?}");
}

#[test]
fn other_numbers_than_expected_are_told() {
    for profile in PROFILES {
        let system = FakePlatform::new();
        let _link = create(&system, profile);
        let slots = Expected { slots: Some(8), ..Expected::default() };
        let mismatch = |field, found, wanted| AttachError::Mismatch { field, found, wanted };
        assert_eq!(reopen(&system, slots), mismatch("slots", 4, 8));
        let slot_len = Expected { slot_len: Some(128), ..Expected::default() };
        assert_eq!(reopen(&system, slot_len), mismatch("slot length", 64, 128));
        let [wanted] = PROFILES.into_iter().filter(|other| *other != profile).collect::<Vec<_>>()[..] else {
            panic!("two profiles")
        };
        let other = Expected { profile: Some(wanted), ..Expected::default() };
        assert_eq!(reopen(&system, other), AttachError::OtherProfile { found: profile, wanted });
        let all = Expected {
            slots: Some(SLOTS),
            slot_len: Some(SLOT_LEN),
            profile: Some(profile),
            ..Expected::default()
        };
        assert!(Link::open(system.process(2), &name(), all, Role::Secondary).is_ok());
    }
}

/// Offsets of the words of a superblock.
const MAGIC: usize = 0;
const STATE: usize = 8;
const MAJOR: usize = 16;
const MINOR: usize = 24;
const PAGE: usize = 32;
const SLOT_COUNT: usize = 40;
const LENGTH_OF_SLOT: usize = 48;
const LAYOUT_LEN: usize = 56;

#[test]
fn each_word_of_a_superblock_is_checked() {
    let found = 0x1234_5678;
    let capacity = mpmc::AttachError::Capacity { found: 4, wanted: 8 };
    for (offset, value, wanted) in [
        (MAGIC, found, AttachError::NotALink { found }),
        (MAJOR, 2, AttachError::Version { major: 2, minor: 0 }),
        (MAJOR, 0, AttachError::Version { major: 0, minor: 0 }),
        (PAGE, 100, AttachError::Geometry(GeometryError::Page { page: 100 })),
        (SLOT_COUNT, 3, AttachError::Geometry(GeometryError::Slots { slots: 3 })),
        // The layout is as long; what the rings say differs.
        (SLOT_COUNT, 8, AttachError::Ring { lane: 0, error: capacity }),
        (LENGTH_OF_SLOT, 12, AttachError::Geometry(GeometryError::SlotLen { slot_len: 12 })),
        (LAYOUT_LEN, 4096, AttachError::Mismatch { field: "layout length", found: 4096, wanted: 20480 }),
    ] {
        let system = FakePlatform::new();
        let _link = create(&system, Profile::Superblock);
        system.segment(NAME).scribble_u64(offset, value);
        assert_eq!(reopen(&system, Expected::default()), wanted);
    }
    // A minor version adds, and takes nothing away.
    let system = FakePlatform::new();
    let mut one = create(&system, Profile::Superblock);
    system.segment(NAME).scribble_u64(MINOR, 7);
    let mut other = open(&system, 2, Role::Auto);
    expect_usable(&mut one, &mut other);
}

#[test]
fn a_link_that_is_never_finished_is_told() {
    let system = FakePlatform::new();
    let _link = create(&system, Profile::Superblock);
    system.segment(NAME).scribble_u64(STATE, 1);
    let outcome = Link::open(system.process(2), &name(), Expected::default(), Role::Secondary);
    assert_eq!(attach_error(outcome), AttachError::NotReady { state: 1 });
}

#[test]
fn a_link_that_is_being_made_is_waited_for() {
    let system = FakePlatform::new();
    let _link = create(&system, Profile::Superblock);
    let segment = system.segment(NAME);
    segment.scribble_u64(STATE, 1);
    let calls = system.calls();
    thread::scope(|scope| {
        let opener = scope.spawn(|| open(&system, 2, Role::Auto).side());
        // It has looked at least once.
        while system.calls() == calls {
            thread::yield_now();
        }
        segment.scribble_u64(STATE, 2);
        assert_eq!(opener.join().unwrap(), Side::Secondary);
    });
}

#[test]
fn the_rings_words_are_checked() {
    let plan = geometry(Profile::Superblock).plan();
    for (lane, ring) in plan.rings.into_iter().enumerate() {
        for (offset, value, error) in [
            (0, 7, mpmc::AttachError::Magic { found: 7 }),
            (8, 8, mpmc::AttachError::Capacity { found: 8, wanted: 4 }),
            (16, 1, mpmc::AttachError::NotInitialised { found: 1 }),
        ] {
            let system = FakePlatform::new();
            let _link = create(&system, Profile::Superblock);
            system.segment(NAME).scribble_u64(ring + offset, value);
            assert_eq!(reopen(&system, Expected::default()), AttachError::Ring { lane, error });
        }
    }
}

#[test]
fn a_link_that_others_may_cut_short_is_opened_only_by_who_trusts_them() {
    let system = FakePlatform::new();
    let open_to_all = Access { mode: 0o602, group: None };
    let creation = Creation { access: open_to_all, ..creation(Profile::Superblock) };
    let _link = Link::create(system.clone(), &name(), creation).unwrap();
    let open = |expected| Link::open(system.process(2), &name(), expected, Role::Auto);
    assert!(matches!(open(Expected::default()), Err(OpenError::OthersMayWrite)));
    drop(open(Expected { trusts_others: true, ..Expected::default() }).unwrap());
}

#[test]
fn a_short_segment_is_told_with_its_lengths() {
    let system = FakePlatform::new();
    let _link = create(&system, Profile::Superblock);
    let segment = system.segment(NAME);
    for (len, wanted) in [(20479, 20480), (63, 64), (0, 64)] {
        segment.truncate(len);
        assert_eq!(reopen(&system, Expected::default()), AttachError::TooShort { found: len, wanted });
    }
    let empty = crate::testing::HeapSegment::new(64);
    let not_begun = AttachError::NotReady { state: 0 };
    assert_eq!(Regions::attach(&empty, Expected::default()).unwrap_err(), not_begun);
}

#[test]
fn a_seed_link_without_our_extension_does_not_say_how_long_its_slots_are() {
    let system = FakePlatform::new();
    let _link = create(&system, Profile::Seed);
    let layout_len = geometry(Profile::Seed).plan().layout_len;
    // As another implementation makes it.
    let segment = system.create_segment(&Name::new("seed").unwrap(), layout_len, Access::default()).unwrap();
    segment.scribble(0, &system.segment(NAME).bytes(0, layout_len));
    let open =
        |expected| Link::open(system.process(2), &Name::new("seed").unwrap(), expected, Role::Secondary);
    assert_eq!(attach_error(open(Expected::default())), AttachError::SlotLenUnknown);
    let mut one = open(Expected { slot_len: Some(SLOT_LEN), ..Expected::default() }).unwrap();
    let primary = Link::open(
        system.process(3),
        &Name::new("seed").unwrap(),
        Expected { slot_len: Some(SLOT_LEN), ..Expected::default() },
        Role::Primary,
    );
    assert!(one.producer.has_strangers());
    expect_usable(&mut primary.unwrap(), &mut one);
}
