//! Do messages cross a link inside one program, and is what cannot be said as such?
#![expect(clippy::unwrap_used, reason = "helpers of tests")]
use std::collections::VecDeque;
use std::string::{String, ToString as _};
use std::vec::Vec;

use proptest::prelude::*;

use super::super::{ErrorCode, Profile, superblock};
use super::*;
use crate::shm::StaticSegment;
use crate::testing::HeapSegment;

const PROFILES: [Profile; 2] = [Profile::Superblock, Profile::Seed];

fn geometry(profile: Profile) -> Geometry {
    Geometry::new(4, 24, 64, profile).unwrap()
}

fn memory(profile: Profile) -> HeapSegment {
    HeapSegment::new(geometry(profile).plan().layout_len)
}

fn ends(profile: Profile) -> [End<HeapSegment>; 2] {
    split(memory(profile), geometry(profile)).unwrap()
}

/// What message `number` says: 1 to 24 bytes.
fn message(number: u64) -> Vec<u8> {
    (number * 31..).step_by(7).map(|byte| byte.to_le_bytes()[0]).take(1 + (number % 24) as usize).collect()
}

#[test]
fn messages_cross_a_static_both_ways_lap_after_lap() {
    const SMALL: Geometry = match Geometry::new(2, 24, 64, Profile::Superblock) {
        Ok(geometry) => geometry,
        Err(_) => panic!("possible"),
    };
    static MEMORY: StaticSegment<{ SMALL.plan().layout_len }> = StaticSegment::new();
    let [mut one, mut other] = split(&MEMORY, SMALL).unwrap();
    for number in 1..100 {
        for (producer, consumer) in
            [(&mut one.producer, &mut other.consumer), (&mut other.producer, &mut one.consumer)]
        {
            producer.try_send(&message(number)).unwrap();
            assert_eq!(*consumer.try_recv().unwrap(), message(number));
            assert_eq!(consumer.try_recv().err(), Some(RecvError::Empty));
            assert_eq!(producer.counts(), consumer.counts());
        }
    }
    assert_eq!((one.producer.counts().messages, one.producer.geometry()), (99, &SMALL));
    assert_eq!(split(&MEMORY, SMALL).err(), Some(SplitError::Locked));
}

proptest! {
    #[test]
    fn a_queue_of_messages_says_the_same(
        seed in any::<bool>(), steps in prop::collection::vec((0..2_usize, 0..4_u8), 1..400),
    ) {
        let mut ends = ends(PROFILES[usize::from(seed)]);
        let mut oracles = [VecDeque::new(), VecDeque::new()];
        for (number, (from, step)) in (1..).zip(steps) {
            let (producer, oracle) = (&mut ends[from].producer, &mut oracles[from]);
            match (step, producer.try_reserve()) {
                (0, Ok(slot)) => {
                    drop(slot);
                    oracle.push_back(None);
                }
                (1 | 2, Ok(mut slot)) => {
                    let message = message(number);
                    slot[..message.len()].copy_from_slice(&message);
                    prop_assert_eq!(slot.commit(message.len()), Ok(()));
                    oracle.push_back(Some(message));
                }
                (_, outcome) => {
                    prop_assert_eq!(outcome.is_err(), oracle.len() == 4);
                    drop(outcome);
                    if step == 3 && oracle.len() < 4 {
                        oracle.push_back(None);
                    }
                    while oracle.front().is_some_and(Option::is_none) {
                        oracle.pop_front();
                    }
                    let expected = oracle.pop_front().flatten();
                    let found = ends[1 - from].consumer.try_recv().ok().map(|slot| slot.to_vec());
                    prop_assert_eq!(found, expected);
                }
            }
        }
    }
}

#[test]
fn a_full_ring_an_empty_one_and_lengths_that_do_not_fit_are_refused() {
    for profile in PROFILES {
        let [mut here, mut there] = ends(profile);
        let producer = &mut here.producer;
        let too_long = SendError::TooLong { len: 25, slot_len: 24 };
        assert_eq!(
            (producer.try_send(&[]), producer.try_send(&[0; 25])),
            (Err(SendError::Empty), Err(too_long))
        );
        assert_eq!(producer.counts(), Counts::default(), "no slot was taken");
        for number in 0..4 {
            producer.try_send(&[number; 24]).unwrap();
        }
        assert_eq!(producer.try_send(&[4]), Err(SendError::Full));
        let held = there.consumer.try_recv().unwrap();
        assert_eq!(producer.try_reserve().err(), Some(SendError::Full), "it is still being read");
        assert_eq!(*held, [0; 24]);
        drop(held);
        producer.try_send(&[4]).unwrap();
        for number in 1..4 {
            assert_eq!(*there.consumer.try_recv().unwrap(), [number; 24]);
        }
        assert_eq!(*there.consumer.try_recv().unwrap(), [4]);
        assert_eq!(there.consumer.try_recv().err(), Some(RecvError::Empty));
    }
}

#[test]
fn slots_given_up_are_passed_over_a_ring_of_them_per_call() {
    for profile in PROFILES {
        let [mut here, mut there] = ends(profile);
        drop(here.producer.try_reserve().unwrap());
        here.producer.try_reserve().unwrap().abort(ErrorCode::INVALID_SIZE);
        assert_eq!(here.producer.try_reserve().unwrap().commit(0), Err(SendError::Empty));
        here.producer.try_send(b"kept").unwrap();
        assert_eq!(*there.consumer.try_recv().unwrap(), *b"kept");
        assert_eq!((here.producer.counts().tombstones, there.consumer.counts().tombstones), (3, 3));
        for _ in 0..4 {
            drop(here.producer.try_reserve().unwrap());
        }
        assert_eq!(there.consumer.try_recv().err(), Some(RecvError::Empty));
        assert_eq!(there.consumer.counts().tombstones, 7);
    }
}

#[test]
fn several_slots_are_taken_at_once() {
    let [mut here, mut there] = ends(Profile::Seed);
    for round in 0..5 {
        let mut slots = here.producer.try_reserve_many(3).unwrap();
        assert_eq!(slots.len(), 3);
        for at in 0..2 {
            slots.buffer()[..2].copy_from_slice(&[round, at]);
            slots.commit(2).unwrap();
        }
        drop(slots);
        let mut slots = there.consumer.try_recv_many(9).unwrap();
        assert_eq!((slots.len(), slots.next()), (3, Some(Ok(&[round, 0][..]))));
        assert_eq!(slots.next(), Some(Ok(&[round, 1][..])));
        assert_eq!(slots.next(), None, "the third was given up");
    }
}

#[test]
fn who_interrupts_a_half_finds_no_slot_or_goes_on_and_never_waits() {
    for profile in PROFILES {
        let [mut here, mut there] = ends(profile);
        let mut handler = here.producer.another();
        here.producer.try_send(b"before").unwrap();
        let mut slot = here.producer.try_reserve().unwrap();
        handler.try_send(b"behind").unwrap();
        assert_eq!(*there.consumer.try_recv().unwrap(), *b"before");
        assert_eq!(there.consumer.try_recv().err(), Some(RecvError::Empty));
        handler.try_send(b"last").unwrap();
        handler.try_send(b"more").unwrap();
        assert_eq!(handler.try_send(b"full"), Err(SendError::Full));
        slot[..6].copy_from_slice(b"middle");
        slot.commit(6).unwrap();
        let mut reader = there.consumer.another();
        let held = there.consumer.try_recv().unwrap();
        assert_eq!((&*held, &*reader.try_recv().unwrap()), (&b"middle"[..], &b"behind"[..]));
        assert_eq!(handler.try_send(b"full"), Err(SendError::Full), "its turn comes to the held slot");
        drop(held);
        handler.try_send(b"free").unwrap();
    }
}

#[test]
fn threads_at_both_ends_lose_and_repeat_nothing() {
    const MESSAGES: u64 = if cfg!(miri) { 100 } else { 50_000 };
    fn turn(mut end: End<HeapSegment>) {
        let (mut sent, mut received) = (0, 0);
        while sent < MESSAGES || received < MESSAGES {
            if sent < MESSAGES && end.producer.try_send(&message(sent)).is_ok() {
                sent += 1;
            }
            match end.consumer.try_recv() {
                Ok(slot) => {
                    assert_eq!(*slot, message(received));
                    received += 1;
                }
                Err(error) => {
                    assert_eq!(error, RecvError::Empty);
                    std::thread::yield_now();
                }
            }
        }
    }
    let [one, other] = ends(Profile::Superblock);
    let thread = std::thread::spawn(move || turn(other));
    turn(one);
    thread.join().unwrap();
}

#[test]
fn memory_that_is_short_locked_or_not_blank_is_refused() {
    for profile in PROFILES {
        let (geometry, segment) = (geometry(profile), memory(profile));
        let min = geometry.plan().layout_len;
        let short = SplitError::TooSmall { len: min - 1, min };
        assert_eq!(split(HeapSegment::new(min - 1), geometry).err(), Some(short));
        let ends = split(segment.clone(), geometry).unwrap();
        assert_eq!(split(segment, geometry).err(), Some(SplitError::Locked));
        drop(ends);

        let segment = memory(profile);
        segment.scribble_u64(0, 7);
        assert_eq!(split(segment, geometry).err(), Some(SplitError::NotBlank { found: 7 }));

        let segment = memory(profile);
        segment.truncate(min - 64);
        let cut = AttachError::TooShort { found: min - 64, wanted: min };
        assert_eq!(split(segment, geometry).err(), Some(SplitError::Memory(cut)));
    }
    let segment = memory(Profile::Superblock);
    segment.scribble_u64(8, superblock::INITIALISING);
    let begun = SplitError::Memory(AttachError::NotReady { state: superblock::INITIALISING });
    assert_eq!(split(segment, geometry(Profile::Superblock)).err(), Some(begun));
}

#[test]
fn no_packet_makes_a_consumer_lend_the_buffer_of_another_slot() {
    for profile in PROFILES {
        let [mut here, mut there] = ends(profile);
        here.producer.try_reserve().unwrap().commit_packet(Packet::copy(1, 1, 24));
        here.producer.try_send(b"next").unwrap();
        let wrong = RecvError::WrongBuffer { slot: 0, buffer: 1 };
        assert_eq!(there.consumer.try_recv().err(), Some(wrong));
        assert_eq!(*there.consumer.try_recv().unwrap(), *b"next");
        assert_eq!(there.consumer.counts().errors, 1);
    }
}

#[test]
fn a_word_that_something_else_wrote_is_reported() {
    let segment = memory(Profile::Seed);
    let [mut here, mut there] = split(segment.clone(), geometry(Profile::Seed)).unwrap();
    // The sequence of slot 0.
    segment.scribble_u64(256 + 64, 77);
    let named = |error: String| error.contains("sequence is 77");
    assert!(here.producer.try_send(b"x").is_err_and(|error| named(error.to_string())));
    assert!(there.consumer.try_recv().is_err_and(|error| named(error.to_string())));
    assert_eq!((here.producer.counts().errors, there.consumer.counts().errors), (1, 1));
}

#[test]
fn a_link_takes_as_many_bytes_as_its_documentation_says() {
    for (slots, slot_len) in [(2_u64, 8_u64), (4, 24), (16, 64), (64, 200)] {
        let len = 2 * ((512 + 72 * slots).next_multiple_of(64) + (slots * slot_len).next_multiple_of(64));
        for (profile, more) in [(Profile::Seed, 0), (Profile::Superblock, 64)] {
            let geometry = Geometry::new(slots, slot_len, 64, profile).unwrap();
            assert_eq!(geometry.plan().layout_len as u64, len + more);
        }
    }
}
