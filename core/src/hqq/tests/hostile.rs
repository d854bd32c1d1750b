//! Any word of a link with any value: is there always an answer, and never a panic or a hang?

use std::thread;

use super::super::packet::Packet;
use super::*;
use crate::platform::{Clock as _, Segment as _};
use crate::sync::{Ordering, SharedU32};
use crate::testing::HeapSegment;
use crate::time::Deadline;

/// Random numbers that are the same in each run.
struct Numbers(u64);

impl Numbers {
    fn any(&mut self) -> u64 {
        // Xorshift.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.any() % bound as u64).unwrap()
    }
}

/// Offsets of every word that means something: superblock, rings, slots, extension, the first participants.
fn words(profile: Profile) -> Vec<usize> {
    let plan = geometry(profile).plan();
    let superblock = match profile {
        Profile::Superblock => 0..64,
        Profile::Seed => 0..0,
    };
    let slots = 72 * usize::try_from(SLOTS).unwrap();
    let rings = plan.rings.into_iter().flat_map(|ring| {
        let header = [0, 8, 16, 24, 128].map(|offset| ring + offset);
        header.into_iter().chain((ring + 256..ring + 256 + slots).step_by(8))
    });
    let extension = (plan.layout_len..plan.layout_len + 384 + 5 * 64).step_by(8);
    superblock.step_by(8).chain(rings).chain(extension).collect()
}

/// Values at the edges of everything, and some between.
fn values(seed: usize) -> Vec<u64> {
    let (n, len) = (SLOTS, SLOT_LEN);
    let mut numbers = Numbers(seed as u64 + 1);
    let edges =
        [0, 1, 2, 3, n - 1, n, n + 1, 2 * n, len - 1, len, len + 1, 0xfe, 0xff, 1 << 32, 1 << 56, 1 << 63];
    let large = [u64::MAX - n, u64::MAX - 1, u64::MAX];
    edges.into_iter().chain(large).chain([numbers.any(), numbers.any() % 16]).collect()
}

fn soon(system: &FakePlatform) -> Deadline {
    Deadline::At(system.now().saturating_add(Duration::from_micros(30)))
}

/// Everything a sender can do, each once; results are not looked at.
fn work_out(system: &FakePlatform, producer: &mut Producer<FakePlatform>) {
    let _ = producer.send(b"message", soon(system));
    if let Ok(mut slot) = producer.try_reserve() {
        assert_eq!(slot.len(), 64);
        slot.fill(0xaa);
        let _ = slot.commit(64);
    }
    if let Ok(slot) = producer.reserve(soon(system)) {
        drop(slot);
    }
    if let Ok(mut batch) = producer.reserve_many(3, soon(system)) {
        assert!(batch.len() <= 3);
        while !batch.is_empty() {
            assert_eq!(batch.buffer().len(), 64);
            let _ = batch.commit(1 + batch.len());
        }
    }
    if let Ok(slot) = producer.try_reserve() {
        slot.commit_packet(Packet([0x77, 1, 2, 3, 4, 5, 6, 7]));
    }
    let _ = producer.keep();
    producer.recover();
    producer.recover_if_stuck();
    let _ = (producer.living(Side::Primary), producer.living(Side::Secondary), producer.recovered_in_all());
}

/// Everything a receiver can do, each once; what it lends lies inside the segment.
fn work_in(system: &FakePlatform, segment: &HeapSegment, consumer: &mut Consumer<FakePlatform>) {
    let base = segment.base().as_ptr().addr();
    let check = |bytes: &[u8]| {
        assert!(bytes.len() <= 64);
        let at = bytes.as_ptr().addr();
        assert!(at >= base && at + bytes.len() <= base + segment.len(), "outside");
        let _ = bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    };
    for _ in 0..2 {
        if let Ok(slot) = consumer.try_recv() {
            check(&slot);
        }
    }
    if let Ok(slot) = consumer.recv(soon(system)) {
        check(&slot);
    }
    if let Ok(mut batch) = consumer.recv_many(3, soon(system)) {
        assert!(batch.len() <= 3);
        while let Some(message) = batch.next() {
            if let Ok(bytes) = message {
                check(bytes);
            }
        }
    }
    if let Ok((_, slot)) = consumer.recv_packet(soon(system)) {
        assert_eq!(slot.len(), 64);
        check(&slot);
    }
    let _ = consumer.keep();
    consumer.recover();
    let _ = (consumer.living(Side::Primary), consumer.recovered_in_all());
}

fn work(system: &FakePlatform, segment: &HeapSegment, link: &mut Ends) {
    work_out(system, &mut link.producer);
    work_in(system, segment, &mut link.consumer);
}

/// Comes, looks, and goes.
fn visit(system: &FakePlatform, segment: &HeapSegment) {
    // Without the second for which an opener waits for a creator.
    if super::super::regions::Regions::attach(segment, Expected::default()).is_ok()
        && let Ok(mut link) = Link::open(system.process(3), &name(), Expected::default(), Role::Auto)
    {
        work(system, segment, &mut link);
    }
}

#[test]
fn words_scribbled_between_operations() {
    for profile in PROFILES {
        for offset in words(profile) {
            for value in values(offset) {
                let system = FakePlatform::new();
                let (mut one, mut other) = pair(&system, profile);
                let segment = system.segment(NAME);
                send(&mut one.producer, b"one");
                send(&mut one.producer, b"two");
                send(&mut other.producer, b"three");
                segment.scribble_u64(offset, value);
                work(&system, &segment, &mut one);
                work(&system, &segment, &mut other);
                segment.scribble_u64(offset, value);
                visit(&system, &segment);
                work(&system, &segment, &mut one);
            }
        }
    }
}

#[test]
fn words_scribbled_while_slots_are_held() {
    for profile in PROFILES {
        for offset in words(profile) {
            for value in values(offset + 1) {
                let system = FakePlatform::new();
                let (mut one, mut other) = pair(&system, profile);
                let segment = system.segment(NAME);
                send(&mut one.producer, b"one");
                let mut reserved = one.producer.try_reserve().unwrap();
                let claimed = other.consumer.try_recv().unwrap();
                segment.scribble_u64(offset, value);
                assert_eq!((reserved.len(), claimed.len()), (64, 3));
                reserved.fill(0xbb);
                let _ = reserved.commit(10);
                drop(claimed);
                work(&system, &segment, &mut one);
                work(&system, &segment, &mut other);
            }
        }
    }
}

#[test]
fn a_dead_process_and_any_word() {
    for profile in PROFILES {
        for offset in words(profile) {
            for value in values(offset + 2) {
                let system = FakePlatform::new();
                let (mut one, mut dead) = pair(&system, profile);
                let segment = system.segment(NAME);
                send(&mut one.producer, b"one");
                core::mem::forget(dead.consumer.try_recv().unwrap());
                core::mem::forget(dead.producer.try_reserve().unwrap());
                system.kill(2);
                core::mem::forget(dead);
                segment.scribble_u64(offset, value);
                one.producer.recover();
                work(&system, &segment, &mut one);
                let _ = one.consumer.recover_side(Side::Secondary);
                work(&system, &segment, &mut one);
            }
        }
    }
}

#[test]
fn a_cursor_that_cannot_be_is_told_to_who_waits_for_the_other_end() {
    use super::super::SendError;
    use crate::mpmc::Corrupt;
    for profile in PROFILES {
        let plan = geometry(profile).plan();
        let (head, tail) = (plan.rings[0] + 24, plan.rings[0] + 128);
        for found in [SLOTS + 1, 1 << 40, u64::MAX, 1 << 63] {
            let system = FakePlatform::new();
            let (mut one, mut other) = pair(&system, profile);
            let segment = system.segment(NAME);
            (0..SLOTS).for_each(|_| send(&mut one.producer, b"x"));
            segment.scribble_u64(head, found);
            let corrupt = Corrupt { word: "head", found, position: SLOTS, capacity: SLOTS };
            assert_eq!(one.producer.try_reserve().err(), Some(SendError::Corrupt(corrupt)), "{profile}");
            assert_eq!(one.producer.send(b"x", PATIENCE), Err(SendError::Corrupt(corrupt)), "{profile}");
            assert_eq!(one.producer.keep(), Err(SendError::Corrupt(corrupt)), "{profile}");

            segment.scribble_u64(head, 0);
            (0..SLOTS).for_each(|_| drop(other.consumer.try_recv().unwrap()));
            segment.scribble_u64(tail, found.wrapping_add(SLOTS));
            let found = found.wrapping_add(SLOTS);
            let corrupt = Corrupt { word: "tail", found, position: SLOTS, capacity: SLOTS };
            assert_eq!(other.consumer.recv(PATIENCE).err(), Some(RecvError::Corrupt(corrupt)), "{profile}");
            assert_eq!(other.consumer.keep(), Err(RecvError::Corrupt(corrupt)), "{profile}");
        }
    }
}

#[test]
fn a_segment_cut_short_is_told() {
    use super::super::SendError;
    let system = FakePlatform::new();
    let (mut one, mut other) = pair(&system, Profile::Superblock);
    let segment = system.segment(NAME);
    segment.truncate(4096);
    let len = segment.len();
    let truncated = RecvError::Truncated { backed: 4096, len };
    assert_eq!(other.consumer.recv(PATIENCE).err(), Some(truncated));
    for _ in 0..4 {
        let _ = one.producer.try_reserve().map(|slot| slot.commit(1));
    }
    assert_eq!(one.producer.send(b"x", PATIENCE), Err(SendError::Truncated { backed: 4096, len }));
}

/// Both ends work on threads of their own while a third one scribbles.
#[test]
fn words_scribbled_by_a_third_while_both_run() {
    for profile in PROFILES {
        let targets = words(profile);
        for seed in 0..20 {
            let system = FakePlatform::new();
            let (mut one, mut other) = pair(&system, profile);
            let segment = system.segment(NAME);
            let done = SharedU32::new(0);
            let values = values(seed);
            thread::scope(|scope| {
                let (system, segment) = (&system, &segment);
                let ends = [&mut one, &mut other]
                    .map(|link| scope.spawn(move || (0..40).for_each(|_| work(system, segment, link))));
                let done = &done;
                let stopping = scope.spawn(move || {
                    let outcomes = ends.map(thread::ScopedJoinHandle::join);
                    // Relaxed: nothing else is told by it.
                    done.store(1, Ordering::Relaxed);
                    assert!(outcomes.iter().all(Result::is_ok), "an end panicked");
                });
                let mut numbers = Numbers(seed as u64 + 77);
                // Relaxed: as above.
                while done.load(Ordering::Relaxed) == 0 {
                    // Now and then all is well for a while.
                    (0..numbers.below(100)).for_each(|_| thread::yield_now());
                    let offset = targets[numbers.below(targets.len())];
                    segment.scribble_u64(offset, values[numbers.below(values.len())]);
                }
                stopping.join().unwrap();
            });
        }
    }
}
