//! What becomes of what the dead held, and is what the living hold left alone?

use core::mem::forget;

use super::super::{OpenError, Recovered, SendError};
use super::*;

/// A link of process 1 with process 2 on the side of `victim`, which will be killed.
fn scene(profile: Profile, victim: Side) -> (FakePlatform, Ends, Ends) {
    let system = FakePlatform::new();
    let creation = Creation { role: victim.other().into(), ..creation(profile) };
    let survivor = Link::create(system.clone(), &name(), creation).unwrap();
    let other = open(&system, 2, victim.into());
    (system, survivor, other)
}

fn everywhere() -> impl Iterator<Item = (Profile, Side)> {
    PROFILES.into_iter().flat_map(|profile| [(profile, Side::Primary), (profile, Side::Secondary)])
}

/// Which ring `side` sends through.
fn ring(side: Side) -> usize {
    side.lane()
}

fn in_all(link: &Ends) -> [(u64, u64); 2] {
    link.producer.recovered_in_all()
}

#[test]
fn a_slot_that_a_dead_sender_reserved_is_skipped() {
    for (profile, side) in everywhere() {
        let (system, mut survivor, mut victim) = scene(profile, side);
        send(&mut victim.producer, b"before");
        forget(victim.producer.try_reserve().unwrap());
        system.kill(2);
        forget(victim);
        let mut heir = open(&system, 3, side.into());
        assert_eq!(heir.producer.take_recovered(), Recovered { handles: 2, tombstones: 1, lost: 0 });
        send(&mut heir.producer, b"after");
        assert_eq!(receive(&mut survivor.consumer), b"before");
        assert_eq!(receive(&mut survivor.consumer), b"after");
        assert_eq!(survivor.consumer.counts().tombstones, 1);
        assert_eq!(in_all(&survivor)[ring(side)], (1, 0));
        assert_eq!(in_all(&survivor)[1 - ring(side)], (0, 0));
    }
}

#[test]
fn a_waiting_receiver_recovers_what_is_in_its_way() {
    for (profile, side) in everywhere() {
        let (system, mut survivor, mut victim) = scene(profile, side);
        let mut living = open(&system, 3, side.into());
        forget(victim.producer.try_reserve().unwrap());
        send(&mut living.producer, b"behind it");
        system.kill(2);
        forget(victim);
        expect_empty(&mut survivor.consumer);
        assert_eq!(&*survivor.consumer.recv(PATIENCE).unwrap(), b"behind it");
        assert_eq!(survivor.consumer.take_recovered(), Recovered { handles: 2, tombstones: 1, lost: 0 });
        assert!(survivor.consumer.take_recovered().is_nothing());
    }
}

#[test]
fn a_batch_that_a_dead_sender_reserved_is_skipped() {
    for (profile, side) in everywhere() {
        let (system, mut survivor, mut victim) = scene(profile, side);
        send(&mut victim.producer, b"before");
        let mut batch = victim.producer.reserve_many(3, PATIENCE).unwrap();
        batch.buffer()[..3].copy_from_slice(b"one");
        batch.commit(3).unwrap();
        forget(batch);
        system.kill(2);
        forget(victim);
        assert!(survivor.consumer.recover());
        assert_eq!(survivor.consumer.take_recovered(), Recovered { handles: 2, tombstones: 2, lost: 0 });
        assert_eq!(receive(&mut survivor.consumer), b"before");
        assert_eq!(receive(&mut survivor.consumer), b"one");
        expect_empty(&mut survivor.consumer);
        assert_eq!(survivor.consumer.counts().tombstones, 2);
    }
}

#[test]
fn a_message_that_a_dead_receiver_had_is_lost_and_its_slot_free() {
    for (profile, side) in everywhere() {
        let (system, mut survivor, mut victim) = scene(profile, side);
        let mut living = open(&system, 3, side.into());
        for message in 0..4 {
            send(&mut survivor.producer, &[message]);
        }
        forget(victim.consumer.try_recv().unwrap());
        assert_eq!(receive(&mut living.consumer), [1]);
        system.kill(2);
        forget(victim);
        assert_eq!(survivor.producer.try_reserve().err(), Some(SendError::Full));
        // Waiting recovers.
        send(&mut survivor.producer, &[4]);
        assert_eq!(survivor.producer.take_recovered(), Recovered { handles: 2, tombstones: 0, lost: 1 });
        assert_eq!(in_all(&survivor)[ring(side.other())], (0, 1));
        for message in 2..=4 {
            assert_eq!(receive(&mut living.consumer), [message]);
        }
        expect_empty(&mut living.consumer);
        let (mut survivor, mut living) = match side {
            Side::Primary => (living, survivor),
            Side::Secondary => (survivor, living),
        };
        expect_usable(&mut survivor, &mut living);
    }
}

#[test]
fn a_batch_that_a_dead_receiver_had_is_lost_as_far_as_it_was_not_given_back() {
    for (profile, side) in everywhere() {
        let (system, mut survivor, mut victim) = scene(profile, side);
        for message in 0..4 {
            send(&mut survivor.producer, &[message]);
        }
        let mut batch = victim.consumer.recv_many(3, PATIENCE).unwrap();
        assert_eq!(batch.next().unwrap().unwrap(), [0]);
        // Gives the first one back.
        assert_eq!(batch.next().unwrap().unwrap(), [1]);
        forget(batch);
        system.kill(2);
        forget(victim);
        let mut heir = open(&system, 3, side.into());
        assert_eq!(heir.producer.take_recovered(), Recovered { handles: 2, tombstones: 0, lost: 2 });
        assert_eq!(receive(&mut heir.consumer), [3]);
        expect_empty(&mut heir.consumer);
        for message in 10..14 {
            send(&mut survivor.producer, &[message]);
        }
    }
}

#[test]
fn both_rings_are_recovered_at_once() {
    for (profile, side) in everywhere() {
        let (system, mut survivor, mut victim) = scene(profile, side);
        send(&mut survivor.producer, b"lost");
        forget(victim.consumer.try_recv().unwrap());
        forget(victim.producer.try_reserve().unwrap());
        system.kill(2);
        forget(victim);
        assert!(survivor.producer.recover());
        assert_eq!(survivor.producer.take_recovered(), Recovered { handles: 2, tombstones: 1, lost: 1 });
        expect_empty(&mut survivor.consumer);
    }
}

#[test]
fn a_slot_that_a_living_one_holds_is_not_touched() {
    for (profile, side) in everywhere() {
        let (system, mut survivor, mut victim) = scene(profile, side);
        let mut living = open(&system, 3, side.into());
        let mut mine = living.producer.try_reserve().unwrap();
        mine[..4].copy_from_slice(b"mine");
        forget(victim.producer.try_reserve().unwrap());
        system.kill(2);
        forget(victim);
        assert!(survivor.consumer.recover());
        assert_eq!(survivor.consumer.take_recovered(), Recovered { handles: 2, tombstones: 1, lost: 0 });
        expect_empty(&mut survivor.consumer);
        assert_eq!(survivor.consumer.recv(MOMENT).err(), Some(RecvError::Timeout), "he lives");
        mine.commit(4).unwrap();
        assert_eq!(receive(&mut survivor.consumer), b"mine");
        expect_empty(&mut survivor.consumer);
    }
}

#[test]
fn a_message_that_a_living_one_reads_is_not_touched() {
    for (profile, side) in everywhere() {
        let (system, mut survivor, mut victim) = scene(profile, side);
        let mut living = open(&system, 3, side.into());
        for message in 0..4 {
            send(&mut survivor.producer, &[message]);
        }
        let mine = living.consumer.try_recv().unwrap();
        forget(victim.consumer.try_recv().unwrap());
        system.kill(2);
        forget(victim);
        assert!(survivor.producer.recover());
        assert_eq!(survivor.producer.take_recovered(), Recovered { handles: 2, tombstones: 0, lost: 1 });
        assert_eq!(survivor.producer.send(&[4], MOMENT), Err(SendError::Timeout), "he still reads");
        assert_eq!(&*mine, [0]);
        drop(mine);
        send(&mut survivor.producer, &[4]);
        for message in 2..=4 {
            assert_eq!(receive(&mut living.consumer), [message]);
        }
    }
}

/// The journal of a dead one covers what a living one has taken: left alone until that is over.
#[test]
fn what_a_dead_one_only_meant_to_take_is_the_living_ones() {
    for (profile, side) in everywhere() {
        let (system, mut survivor, victim) = scene(profile, side);
        let mut living = open(&system, 3, side.into());
        // It died between its journal and the exchange, and lost the race.
        crate::mpmc::Journal::intend(victim.producer.base().journal(ring(side)).unwrap(), 0, 2);
        let mut mine = living.producer.try_reserve().unwrap();
        system.kill(2);
        forget(victim);
        assert!(!survivor.consumer.recover(), "some of it has to wait");
        assert!(survivor.consumer.take_recovered().is_nothing());
        mine[..4].copy_from_slice(b"mine");
        mine.commit(4).unwrap();
        assert_eq!(receive(&mut survivor.consumer), b"mine");
        assert!(survivor.consumer.recover());
        assert_eq!(survivor.consumer.take_recovered(), Recovered { handles: 2, tombstones: 0, lost: 0 });
    }
}

/// The same for receivers.
#[test]
fn what_a_dead_one_only_meant_to_receive_is_the_living_ones() {
    for (profile, side) in everywhere() {
        let (system, mut survivor, victim) = scene(profile, side);
        let mut living = open(&system, 3, side.into());
        send(&mut survivor.producer, b"mine");
        let journal = victim.consumer.base().journal(ring(side.other())).unwrap();
        crate::mpmc::Journal::intend(journal, 0, 2);
        let mine = living.consumer.try_recv().unwrap();
        system.kill(2);
        forget(victim);
        assert!(!survivor.producer.recover(), "some of it has to wait");
        assert!(survivor.producer.take_recovered().is_nothing());
        for message in 1..4 {
            send(&mut survivor.producer, &[message]);
        }
        assert_eq!(survivor.producer.try_reserve().err(), Some(SendError::Full), "he still reads");
        assert_eq!(&*mine, b"mine");
        drop(mine);
        send(&mut survivor.producer, &[4]);
        assert!(survivor.producer.recover());
        assert_eq!(survivor.producer.take_recovered(), Recovered { handles: 2, tombstones: 0, lost: 0 });
    }
}

#[test]
fn nothing_of_strangers_is_recovered_without_being_told() {
    for (profile, side) in everywhere() {
        let (system, mut survivor, mut victim) = scene(profile, side);
        survivor.producer.expect_strangers();
        send(&mut survivor.producer, b"lost");
        forget(victim.consumer.try_recv().unwrap());
        send(&mut victim.producer, b"sent");
        forget(victim.producer.try_reserve().unwrap());
        system.kill(2);
        forget(victim);
        assert!(survivor.consumer.recover());
        assert!(survivor.consumer.take_recovered().is_nothing());
        // Who comes frees the handles of a dead Strait process, and no slot: it may be a stranger's.
        let only_handles = Recovered { handles: 2, tombstones: 0, lost: 0 };
        assert_eq!(open(&system, 4, side.into()).producer.take_recovered(), only_handles);
        assert_eq!(survivor.consumer.recovered_in_all(), [(0, 0); 2]);
        assert_eq!(receive(&mut survivor.consumer), b"sent");
        assert_eq!(survivor.consumer.recv(MOMENT).err(), Some(RecvError::Timeout));
        let recovered = survivor.consumer.recover_side(side).unwrap();
        assert_eq!(recovered, Recovered { handles: 0, tombstones: 1, lost: 1 });
        assert!(survivor.consumer.recover_side(side).unwrap().is_nothing());
        let heir = open(&system, 3, side.into());
        let (mut primary, mut secondary) = match side {
            Side::Primary => (heir, survivor),
            Side::Secondary => (survivor, heir),
        };
        expect_empty(&mut primary.consumer);
        expect_empty(&mut secondary.consumer);
        expect_usable(&mut primary, &mut secondary);
    }
}

/// Strangers write nothing into the table: what the vouched side holds is found in the rings alone.
#[test]
fn what_strangers_held_is_found_in_the_rings() {
    for (profile, side) in everywhere() {
        let (system, mut survivor, victim) = scene(profile, side);
        survivor.producer.expect_strangers();
        for message in 0..3 {
            send(&mut survivor.producer, &[message]);
        }
        let [zero, one] = &victim.producer.base().regions.lanes;
        let (theirs, ours) = if side == Side::Primary { (zero, one) } else { (one, zero) };
        let _never_released = ours.try_claim(2, &()).unwrap();
        let _never_published = theirs.try_reserve(3, &()).unwrap();
        // Whoever vouches is not believed as long as Strait knows better.
        for vouched in [side, side.other()] {
            let refused = survivor.producer.recover_side(vouched);
            let told = matches!(refused, Err(OpenError::SideInUse { side, handles: 2 }) if side == vouched);
            assert!(told, "{refused:?}");
        }
        system.kill(2);
        let recovered = survivor.producer.recover_side(side).unwrap();
        assert_eq!(recovered, Recovered { handles: 2, tombstones: 3, lost: 2 });
        forget(victim);
        expect_empty(&mut survivor.consumer);
    }
}

/// Process after process dies with a slot in its hands, and one that lives goes on through all of it.
#[test]
fn a_link_survives_many_deaths() {
    for (profile, side) in everywhere() {
        let system = FakePlatform::new();
        let creation = Creation { role: side.other().into(), ..creation(profile) };
        let mut survivor = Link::create(system.clone(), &name(), creation).unwrap();
        for pid in 2..40 {
            let mut victim = open(&system, pid, side.into());
            send(&mut survivor.producer, b"to be lost");
            send(&mut victim.producer, &pid.to_le_bytes());
            match pid % 3 {
                0 => forget(victim.producer.try_reserve().unwrap()),
                1 => forget(victim.consumer.try_recv().unwrap()),
                _ => {
                    forget(victim.producer.reserve_many(2, PATIENCE).unwrap());
                    forget(victim.consumer.recv_many(2, PATIENCE).unwrap());
                }
            }
            system.kill(pid);
            forget(victim);
            assert!(survivor.producer.recover());
            assert_eq!(receive(&mut survivor.consumer), pid.to_le_bytes());
            expect_empty(&mut survivor.consumer);
            let mut heir = open(&system, 100, side.into());
            while heir.consumer.try_recv().is_ok() {}
            drop(heir);
        }
        assert_eq!((survivor.producer.living(side), survivor.producer.living(side.other())), (0, 2));
        drop(survivor);
        assert!(system.leftovers().is_empty());
    }
}
