//! A forked child does nothing by its copies of handles and guards, to them or to the parent.

use core::mem::forget;

use super::super::{OpenError, PARTICIPANTS, SendError};
use super::*;
use crate::platform::Pid;

/// The child's number.
const CHILD: u64 = 77;

fn child<T>(act: impl FnOnce() -> T) -> T {
    FakePlatform::forked(CHILD, act)
}

/// The handle is the parent's, who is process 1.
const PARENT: Pid = Pid(1);

#[test]
fn a_child_that_drops_its_copies_takes_nothing_from_the_parent() {
    for profile in PROFILES {
        let system = FakePlatform::new();
        let mut other = create(&system.process(2), profile);
        let mut parent = Link::open(system.clone(), &name(), Expected::default(), Role::Secondary).unwrap();
        send(&mut other.producer, b"kept");
        send(&mut other.producer, b"held");
        parent.consumer.keep().unwrap();
        parent.producer.keep().unwrap();
        // The parent's own copies, of which nothing can be dropped here: the opening that both have.
        let opening = parent.producer.base().segment.clone();
        let before = system.segment(NAME).bytes(0, 20_480);
        child(|| drop(parent));
        assert_eq!(system.segment(NAME).bytes(0, 20_480), before);
        assert_eq!(other.producer.living(Side::Secondary), 2, "the parent is still there");
        drop(other);
        assert_eq!(system.leftovers(), [NAME]);
        drop(opening);
    }
}

#[test]
fn guards_that_a_child_drops_or_uses_stay_the_parents() {
    let system = FakePlatform::new();
    let mut other = create(&system.process(2), Profile::Superblock);
    let mut parent = Link::open(system.clone(), &name(), Expected::default(), Role::Secondary).unwrap();
    for message in 0..4 {
        send(&mut other.producer, &[message]);
    }
    let before = |system: &FakePlatform| system.segment(NAME).bytes(0, 20_480);
    let mut batch = parent.consumer.recv_many(2, MOMENT).unwrap();
    batch.next().unwrap().unwrap();
    let image = before(&system);
    child(|| {
        let (mut batch, forked) = (batch, RecvError::Forked { owner: PARENT });
        assert_eq!(batch.next(), Some(Err(forked)));
        assert_eq!(batch.next(), None);
    });
    let slot = parent.producer.try_reserve().unwrap();
    let reserved = before(&system);
    assert!(image != reserved);
    let refused = Err(SendError::Forked { owner: PARENT });
    assert_eq!(child(|| slot.commit(3)), refused);
    assert_eq!(before(&system), reserved);
    // Here nobody is left who has them: given back as what was forgotten is.
    let mut slots = parent.producer.reserve_many(2, MOMENT).unwrap();
    child(|| {
        assert_eq!(slots.commit(1), refused);
        drop(slots);
    });
    child(|| drop(parent.producer.try_reserve()));
    let slot = parent.consumer.try_recv().unwrap();
    assert_eq!(&*slot, [2]);
    child(|| drop(slot));
    assert_eq!(receive(&mut parent.consumer), [3]);
    expect_usable(&mut other, &mut parent);
}

#[test]
fn every_use_of_a_childs_copy_is_an_error() {
    let system = FakePlatform::new();
    let mut other = create(&system.process(2), Profile::Superblock);
    let mut parent = Link::open(system.clone(), &name(), Expected::default(), Role::Secondary).unwrap();
    send(&mut other.producer, b"x");
    let (producer, consumer) = (&mut parent.producer, &mut parent.consumer);
    let (sent, received) = (SendError::Forked { owner: PARENT }, RecvError::Forked { owner: PARENT });
    let before = system.segment(NAME).bytes(0, 20_480);
    child(|| {
        assert_eq!(producer.send(b"x", MOMENT), Err(sent));
        assert_eq!(producer.try_reserve().err(), Some(sent));
        assert_eq!(producer.reserve(MOMENT).err(), Some(sent));
        assert_eq!(producer.reserve_many(2, MOMENT).err(), Some(sent));
        assert_eq!(producer.keep(), Err(sent));
        assert_eq!(consumer.try_recv().err(), Some(received));
        assert_eq!(consumer.recv(MOMENT).err(), Some(received));
        assert_eq!(consumer.recv_many(2, MOMENT).err(), Some(received));
        assert_eq!(consumer.recv_packet(MOMENT).err(), Some(received));
        assert_eq!(consumer.keep(), Err(received));
        // Clones of it too, which take no place.
        assert_eq!(producer.another().send(b"x", MOMENT), Err(sent));
        assert_eq!(consumer.another().try_recv().err(), Some(received));
        let refused = [producer.recover_side(Side::Primary).err(), producer.unlink().err()];
        for refused in refused {
            assert!(matches!(refused, Some(OpenError::Forked { owner: PARENT })), "{refused:?}");
        }
        assert!(producer.recover() && producer.take_recovered().is_nothing());
    });
    assert_eq!(system.segment(NAME).bytes(0, 20_480), before);
    assert_eq!(receive(consumer), b"x");
    // What it opens itself is its own.
    send(&mut other.producer, b"own");
    child(|| {
        let mut own = open(&system, CHILD, Role::Secondary);
        assert_eq!(receive(&mut own.consumer), b"own");
    });
    expect_usable(&mut other, &mut parent);
}

/// The table has room for the parent's handles and the child's own alone.
#[test]
fn a_childs_copies_take_no_room() {
    let system = FakePlatform::new();
    let parent = create(&system, Profile::Superblock);
    let crowd: Vec<_> = (0..PARTICIPANTS).map(|_| child(|| parent.producer.another())).collect();
    assert_eq!(parent.producer.living(Side::Primary), 2);
    child(|| drop(crowd));
    forget(parent);
}
