//! Of what stands under a name, only what is proven to be a dead leftover of a link goes.

use core::mem::forget;
use std::string::ToString as _;

use super::super::standing::remove_dead_unlike;
use super::super::{AttachError, Doubt, Inspection, OpenError, Standing, remove, remove_dead, remove_unused};
use super::*;
use crate::platform::{Platform as _, Segment as _};
use crate::testing::{FakeError, HeapSegment};

const LEN: u64 = 128;

/// Geometry of another version of the program.
fn other(profile: Profile) -> Creation {
    Creation { geometry: Geometry::new(SLOTS, LEN, 4096, profile).unwrap(), ..creation(profile) }
}

fn enter(system: &FakePlatform, creation: Creation) -> Result<Ends, OpenError<FakeError>> {
    let expected = Expected { slot_len: Some(creation.geometry.slot_len()), ..Expected::default() };
    Link::open_or_create(system.process(7), &name(), creation, expected)
}

fn die(system: &FakePlatform, pid: u64, link: Ends) {
    system.kill(pid);
    forget(link);
}

fn standing(system: &FakePlatform) -> Standing {
    let link: Inspection<HeapSegment> = Inspection::of(&system.segment(NAME), Expected::default()).unwrap();
    link.standing(system)
}

/// What is wrong, and whose it is.
#[track_caller]
fn expect_differs(outcome: Result<Ends, OpenError<FakeError>>, wanted: Standing) {
    match outcome {
        Err(OpenError::Differs { error: AttachError::Mismatch { found: 64, wanted: LEN, .. }, standing }) => {
            assert_eq!(standing, wanted);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_dead_link_of_another_shape_is_replaced() {
    for profile in PROFILES {
        for next in PROFILES {
            let system = FakePlatform::new();
            let dead = create(&system.process(2), profile);
            die(&system, 2, dead);
            assert_eq!(standing(&system), Standing::Dead);
            let link = enter(&system, other(next)).unwrap();
            assert_eq!((link.geometry().slot_len(), link.side()), (LEN, Side::Primary));
        }
    }
}

#[test]
fn a_dead_link_of_the_same_shape_is_joined_with_what_was_sent() {
    let system = FakePlatform::new();
    let mut dead = open_as_primary(&system);
    send(&mut dead.producer, b"left");
    die(&system, 2, dead);
    let creation = Creation { role: Role::Secondary, ..creation(Profile::Superblock) };
    assert_eq!(receive(&mut enter(&system, creation).unwrap().consumer), b"left");
}

fn open_as_primary(system: &FakePlatform) -> Ends {
    create(&system.process(2), Profile::Superblock)
}

#[test]
fn a_living_link_of_another_shape_stays_and_its_handles_are_told() {
    let system = FakePlatform::new();
    let mut living = open_as_primary(&system);
    expect_differs(enter(&system, other(Profile::Superblock)), Standing::Live { handles: 2 });
    let outcome = Link::create(system.clone(), &name(), other(Profile::Seed));
    let told = matches!(outcome, Err(OpenError::AlreadyExists { standing: Standing::Live { handles: 2 } }));
    assert!(told, "{outcome:?}");
    expect_usable(&mut living, &mut open(&system, 3, Role::Secondary));
}

/// Who found a dead link of another shape comes back to remove it, and somebody was faster.
#[test]
fn a_link_that_fits_by_now_stays_and_its_difference_is_told_to_nobody() {
    let system = FakePlatform::new();
    let remove = |slot_len| {
        let expected = Expected { slot_len: Some(slot_len), ..Expected::default() };
        remove_dead_unlike(&system, &name(), expected)
    };
    remove(LEN).expect("none is there");
    let living = enter(&system, other(Profile::Superblock)).unwrap();
    remove(LEN).expect("it fits");
    let outcome = remove(64);
    let told = matches!(outcome, Err(OpenError::Differs { standing: Standing::Live { handles: 2 }, .. }));
    assert!(told, "{outcome:?}");
    die(&system, 7, living);
    remove(LEN).expect("it fits, and is opened");
    assert_eq!(system.leftovers(), [NAME]);
    remove(64).expect("it is dead");
    assert!(system.leftovers().is_empty());
}

#[test]
fn a_kept_link_of_another_shape_stays_and_says_so() {
    let system = FakePlatform::new();
    let kept = Creation { keep: true, ..creation(Profile::Superblock) };
    let dead = Link::create(system.process(2), &name(), kept).unwrap();
    die(&system, 2, dead);
    expect_differs(enter(&system, other(Profile::Superblock)), Standing::Kept);
    let error = remove_dead(&system, &name()).unwrap_err().to_string();
    assert!(error.contains("made to stay"), "{error}");
    assert_eq!(system.leftovers(), [NAME]);
    assert!(remove_unused(&system, &name()).unwrap());
    assert!(system.leftovers().is_empty());
    assert!(!remove_unused(&system, &name()).unwrap(), "there is none");
}

#[test]
fn a_link_that_may_be_used_unseen_stays_and_says_why() {
    for (doubt, words) in [
        (Doubt::Strangers, "other implementations"),
        (Doubt::Held { place: 77 }, "place 77"),
        (Doubt::Hidden { handles: 2 }, "cannot be seen"),
    ] {
        let system = FakePlatform::new();
        let strangers = doubt == Doubt::Strangers;
        let creation = Creation { strangers, ..creation(Profile::Superblock) };
        let realm = if matches!(doubt, Doubt::Hidden { .. }) { 9 } else { 1 };
        let link = Link::create(system.process_in(realm, 2), &name(), creation).unwrap();
        let segment = system.segment(NAME);
        let stray = system.reopen_segment(&segment, &name()).unwrap();
        match doubt {
            Doubt::Held { place } => assert!(stray.lock_place(place)),
            Doubt::Hidden { .. } => {
                let entries = geometry(Profile::Superblock).plan().layout_len + 384;
                for entry in [0, 64] {
                    segment.scribble_u64(entries + entry + 56, 0);
                }
            }
            _ => {}
        }
        die(&system.process_in(realm, 2), 2, link);
        assert_eq!(standing(&system), Standing::Unsure(doubt));
        let error = enter(&system, other(Profile::Superblock)).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
        assert!(remove_unused(&system, &name()).is_err());
        assert_eq!(system.leftovers(), [NAME]);
        assert!(remove(&system, &name()).unwrap(), "who insists");
    }
}

#[test]
fn a_link_of_another_implementation_stays() {
    let system = FakePlatform::new();
    let geometry = geometry(Profile::Superblock);
    let plain = geometry.plan().layout_len;
    let segment = system.create_segment(&name(), plain, Access::default()).unwrap();
    super::super::regions::Regions::initialise(&segment, geometry).unwrap();
    assert_eq!(standing(&system), Standing::Unsure(Doubt::NoTable));
    expect_differs(enter(&system, other(Profile::Superblock)), Standing::Unsure(Doubt::NoTable));
    assert!(remove_unused(&system, &name()).is_err());
    assert!(remove(&system, &name()).unwrap());
}

/// What other programs may have put under the name.
#[test]
fn what_is_no_link_is_neither_replaced_nor_removed() {
    let oieb = 128 | 1 << 32;
    for (len, first, words) in [
        (4096, oieb, "as a ZeroBuffer has it"),
        (4096, u64::from_le_bytes(*b"someones"), "neither a superblock nor a ring"),
        (4096, 0, "no link at all"),
        (8, 0, "8 bytes"),
    ] {
        let system = FakePlatform::new();
        let segment = system.create_segment(&name(), len, Access::default()).unwrap();
        segment.scribble_u64(0, first);
        let before = segment.bytes(0, len);
        let created = Link::create(system.process(2), &name(), creation(Profile::Superblock));
        for refused in [
            created.map(|_| false),
            remove(&system, &name()),
            remove_unused(&system, &name()),
            remove_dead(&system, &name()),
        ] {
            let Err(error @ OpenError::NotALink(_)) = refused else { panic!("{refused:?}") };
            assert!(error.to_string().contains(words), "{error}");
        }
        assert!(segment.is_linked() && segment.bytes(0, len) == before);
    }
}

/// It says what it is, and who uses it can no longer be told.
#[test]
fn a_broken_link_goes_only_when_somebody_insists() {
    let system = FakePlatform::new();
    let link = open_as_primary(&system);
    system.segment(NAME).truncate(8192);
    die(&system, 2, link);
    for refused in [remove_unused(&system, &name()), remove_dead(&system, &name())] {
        assert!(matches!(refused, Err(OpenError::Attach(_))), "{refused:?}");
    }
    assert!(remove(&system, &name()).unwrap());
    assert!(system.leftovers().is_empty());
}

#[test]
fn many_who_replace_a_dead_link_at_once_meet_in_one() {
    for round in 0..20 {
        let system = FakePlatform::new();
        let dead = open_as_primary(&system);
        die(&system, 2, dead);
        let links: Vec<_> = std::thread::scope(|scope| {
            let open = |pid| {
                let expected = Expected { slot_len: Some(LEN), ..Expected::default() };
                Link::open_or_create(system.process(pid), &name(), other(Profile::Superblock), expected)
            };
            let many = (10..14).map(|pid| scope.spawn(move || open(pid)));
            let many: Vec<_> = many.collect();
            many.into_iter().map(|one| one.join().unwrap().unwrap()).collect()
        });
        for link in &links {
            let [primary, secondary] =
                [Side::Primary, Side::Secondary].map(|side| link.producer.living(side));
            assert_eq!(primary + secondary, 8, "round {round}");
        }
        std::thread::scope(|scope| links.into_iter().for_each(|link| drop(scope.spawn(move || drop(link)))));
        assert!(system.leftovers().is_empty(), "round {round}");
    }
}
