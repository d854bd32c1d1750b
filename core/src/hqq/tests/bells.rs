//! Whoever sleeps is woken by each thing it can have slept for, once, and nobody else is.

use super::super::extension::Waits;
use super::{Ends, PATIENCE, PROFILES, pair};
use crate::platform::Liveness as _;
use crate::testing::FakePlatform;

/// Says that somebody sleeps at a bell of ring 0, as a sleeper does before it sleeps.
fn announce(link: &Ends, waits: Waits) {
    let lane = &link.producer.base().regions.lanes[0];
    lane.bell(waits).unwrap().announce();
}

/// How often sleepers were woken by `what`.
fn rings(system: &FakePlatform, what: impl FnOnce()) -> u32 {
    let before = system.unparks();
    what();
    system.unparks() - before
}

#[test]
fn a_receiver_that_sleeps_is_woken_by_whatever_is_published() {
    for profile in PROFILES {
        let system = FakePlatform::new();
        let (mut sender, mut receiver) = pair(&system, profile);
        let mut send = |what: &dyn Fn(&mut Ends)| {
            announce(&receiver, Waits::Data);
            let woken = rings(&system, || what(&mut sender));
            let again = rings(&system, || {
                // Nobody sleeps any more.
                sender.producer.send(b"x", PATIENCE).unwrap();
            });
            while receiver.consumer.try_recv().is_ok() {}
            (woken, again)
        };
        assert_eq!(send(&|link| link.producer.send(b"x", PATIENCE).unwrap()), (1, 0), "sent");
        assert_eq!(send(&|link| drop(link.producer.reserve(PATIENCE).unwrap())), (1, 0), "given up");
        let batch = |link: &mut Ends| {
            let mut slots = link.producer.reserve_many(2, PATIENCE).unwrap();
            slots.commit(1).unwrap();
            slots.commit(1).unwrap();
        };
        assert_eq!(send(&batch), (1, 0), "a batch");
    }
}

#[test]
fn a_sender_that_sleeps_is_woken_by_whatever_is_released() {
    for profile in PROFILES {
        let system = FakePlatform::new();
        let (mut sender, mut receiver) = pair(&system, profile);
        let mut receive = |what: &dyn Fn(&mut Ends)| {
            (0..3).for_each(|_| sender.producer.send(b"x", PATIENCE).unwrap());
            announce(&sender, Waits::Space);
            let woken = rings(&system, || what(&mut receiver));
            let again = rings(&system, || while receiver.consumer.try_recv().is_ok() {});
            (woken, again)
        };
        assert_eq!(receive(&|link| drop(link.consumer.recv(PATIENCE).unwrap())), (1, 0), "received");
        let batch = |link: &mut Ends| {
            let mut slots = link.consumer.recv_many(2, PATIENCE).unwrap();
            while slots.next().is_some() {}
        };
        assert_eq!(receive(&batch), (1, 0), "a batch");
        assert_eq!(
            receive(&|link| drop(link.consumer.recv_many(2, PATIENCE).unwrap())),
            (1, 0),
            "left unread"
        );
    }
}

#[test]
fn whoever_sleeps_for_what_the_dead_hold_is_woken_by_its_recovery() {
    for profile in PROFILES {
        let system = FakePlatform::new();
        let (mut sender, mut receiver) = pair(&system, profile);
        sender.producer.send(b"x", PATIENCE).unwrap();
        core::mem::forget(sender.producer.reserve(PATIENCE).unwrap());
        announce(&receiver, Waits::Data);
        system.kill(sender.producer.base().platform.this().0);
        assert_eq!(rings(&system, || assert!(receiver.consumer.recover())), 1);
    }
}
