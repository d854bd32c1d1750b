//! Hostile words in the memory of a fake system, where every access can be placed and every address checked.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::thread;

use strait_core::name::Name;
use strait_core::platform::{Access, Clock as _, Segment as _};
use strait_core::testing::{FakeError, FakePlatform, HeapSegment};
use strait_core::time::Deadline;
use strait_core::zerobuffer::inspect::Snapshot;
use strait_core::zerobuffer::{Claimed, Config, ReaderEndpoint, WriterEndpoint};
use strait_tests::pattern::Numbers;

use crate::values::{METADATA, PAYLOAD, RING, Target, targets, values};

pub(crate) const NAME: &str = "hostile";
const WAIT: Duration = Duration::from_millis(2);

pub(crate) type Reader = ReaderEndpoint<FakePlatform>;
pub(crate) type Writer = WriterEndpoint<FakePlatform>;

pub(crate) fn name() -> Name {
    Name::new(NAME).expect("valid")
}

pub(crate) fn create(system: &FakePlatform) -> Reader {
    let config = Config { metadata_capacity: METADATA, payload_capacity: PAYLOAD };
    ReaderEndpoint::create(system.clone(), &name(), config, Access::default()).expect("created")
}

pub(crate) fn connect(system: &FakePlatform) -> Option<Writer> {
    // Refused or not: an answer.
    WriterEndpoint::attach(system.process(2), &name()).ok()
}

fn soon(system: &FakePlatform) -> Deadline {
    Deadline::At(system.now().saturating_add(WAIT))
}

/// A delivered frame is whole and lies inside the ring.
fn check_inside(segment: &HeapSegment, reader: &Reader, claimed: &Claimed) {
    let bytes = reader.bytes(claimed);
    assert_eq!(bytes.len(), claimed.len());
    let base = segment.base().as_ptr().addr();
    let start = bytes.as_ptr().addr();
    let ring = usize::try_from(RING).expect("small");
    assert!(start >= base + ring && start + bytes.len() <= base + segment.len(), "outside the ring");
    assert!(claimed.cost() <= PAYLOAD, "{claimed:?}");
}

/// Everything a writer can do, each once; results are not looked at.
pub(crate) fn write(system: &FakePlatform, writer: &mut Writer) {
    let _ = writer.set_metadata(b"{\"a\":1}");
    for len in [20, 100, 1, 240, 241, 0, 76] {
        if let Ok(mut reserved) = writer.try_reserve(len) {
            assert_eq!(reserved.len(), len);
            assert_eq!(writer.bytes_mut(&mut reserved).len(), len);
            writer.bytes_mut(&mut reserved).fill(0xaa);
            assert_eq!(writer.bytes(&reserved).len(), len);
            let _ = writer.commit(reserved);
        }
    }
    if let Ok(reserved) = writer.reserve(150, soon(system)) {
        drop(reserved);
    }
    let _ = (writer.is_reader_connected(), writer.free_bytes(), writer.counters(), writer.next_sequence());
}

/// Everything a reader can do, each once; what it delivers is checked, errors are not looked at.
pub(crate) fn read(system: &FakePlatform, reader: &mut Reader) {
    let segment = system.segment(NAME);
    if let Ok(Some(len)) = reader.metadata_len() {
        let mut metadata = vec![0; len];
        assert!(len as u64 <= METADATA);
        let _ = reader.read_metadata(&mut metadata);
    }
    // One held while the next is claimed.
    if let Ok(first) = reader.try_claim(|| 0) {
        check_inside(&segment, reader, &first);
        let held = first.cost();
        if let Ok(second) = reader.try_claim(|| held) {
            check_inside(&segment, reader, &second);
            let _ = reader.returner().return_space(held);
            let _ = reader.release(second);
        } else {
            let _ = reader.release(first);
        }
    }
    for _ in 0..3 {
        if let Ok(claimed) = reader.try_claim(|| 0) {
            check_inside(&segment, reader, &claimed);
            let _ = reader.release(claimed);
        }
    }
    if let Ok(claimed) = reader.claim(soon(system), || 0) {
        check_inside(&segment, reader, &claimed);
        let _ = reader.release(claimed);
    }
    let _ = (reader.is_writer_connected(), reader.used_bytes(), reader.counters());
    inspect(&segment);
}

fn inspect(segment: &HeapSegment) {
    let Ok(snapshot) = Snapshot::of::<_, FakeError>(segment) else { return };
    let _ = Snapshot::check::<_, FakeError>(segment);
    let mut entries = 0;
    snapshot.unread(segment, 100, |_| entries += 1);
    assert!(entries <= 100);
    let _ = snapshot.metadata(segment, &mut [0; 100]);
}

fn scribble(segment: &HeapSegment, target: Target, value: u64) {
    let offset = usize::try_from(target.offset).expect("small");
    if offset.is_multiple_of(8) && target.size == 8 {
        segment.scribble_u64(offset, value);
    } else {
        segment.scribble(offset, &value.to_le_bytes()[..target.size]);
    }
}

/// Both ends work, in both orders.
fn work(system: &FakePlatform, reader: &mut Reader, writer: &mut Option<Writer>) {
    for _ in 0..2 {
        if let Some(writer) = writer {
            write(system, writer);
        }
        read(system, reader);
    }
    if writer.is_none() {
        *writer = connect(system);
    }
}

#[test]
fn words_scribbled_before_the_writer_attaches() {
    for target in targets() {
        for value in values(target.offset) {
            let system = FakePlatform::new();
            let mut reader = create(&system);
            scribble(&system.segment(NAME), target, value);
            let mut writer = connect(&system);
            work(&system, &mut reader, &mut writer);
            drop(reader);
            drop(writer);
            assert!(system.leftovers().is_empty(), "{target:?} {value}");
        }
    }
}

#[test]
fn words_scribbled_between_operations() {
    for target in targets() {
        for value in values(target.offset + 1) {
            let system = FakePlatform::new();
            let mut reader = create(&system);
            let mut writer = connect(&system);
            {
                let writer = writer.as_mut().expect("nothing is wrong yet");
                writer.set_metadata(b"{\"a\":1}").expect("fits");
                for len in [20, 100] {
                    let reserved = writer.try_reserve(len).expect("room");
                    writer.commit(reserved).expect("commits");
                }
            }
            let segment = system.segment(NAME);
            scribble(&segment, target, value);
            work(&system, &mut reader, &mut writer);
            // Once more, in the middle of whatever that led to.
            scribble(&segment, target, value);
            work(&system, &mut reader, &mut writer);
        }
    }
}

#[test]
fn words_scribbled_between_reserve_and_commit_and_between_claim_and_release() {
    for target in targets() {
        for value in values(target.offset + 2) {
            let system = FakePlatform::new();
            let mut reader = create(&system);
            let mut writer = connect(&system).expect("nothing is wrong yet");
            let first = writer.try_reserve(20).expect("room");
            writer.commit(first).expect("commits");
            let segment = system.segment(NAME);
            let claimed = reader.try_claim(|| 0).expect("a frame");
            let mut reserved = writer.try_reserve(100).expect("room");
            scribble(&segment, target, value);
            assert_eq!(writer.bytes_mut(&mut reserved).len(), 100);
            check_inside(&segment, &reader, &claimed);
            let _ = writer.commit(reserved);
            let _ = reader.release(claimed);
            work(&system, &mut reader, &mut Some(writer));
        }
    }
}

/// Runs both ends in threads of their own while this one scribbles what `next` says.
fn scribble_meanwhile(rounds: usize, mut next: impl FnMut() -> (Target, u64)) {
    let system = FakePlatform::new();
    let mut reader = create(&system);
    let mut writer = connect(&system);
    let segment = system.segment(NAME);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let writing = scope.spawn(|| {
            for _ in 0..rounds {
                match &mut writer {
                    Some(writer) => write(&system, writer),
                    None => writer = connect(&system),
                }
            }
        });
        let reading = scope.spawn(|| {
            for _ in 0..rounds {
                read(&system, &mut reader);
            }
        });
        let stopping = scope.spawn(|| {
            let outcomes = (writing.join(), reading.join());
            // Relaxed: nothing else is told by it.
            done.store(true, Ordering::Relaxed);
            assert!(outcomes.0.is_ok() && outcomes.1.is_ok(), "an end panicked");
        });
        // Relaxed: as above.
        while !done.load(Ordering::Relaxed) {
            let (target, value) = next();
            scribble(&segment, target, value);
        }
        stopping.join().expect("no end panicked");
    });
}

#[test]
fn each_word_scribbled_by_a_third_while_both_run() {
    for target in targets() {
        let values = values(target.offset + 3);
        let mut turn = 0;
        scribble_meanwhile(15, || {
            turn += 1;
            (target, values[turn % values.len()])
        });
    }
}

#[test]
fn all_words_scribbled_by_a_third_while_both_run() {
    let targets = targets();
    for seed in 0..20 {
        let mut numbers = Numbers::new(seed);
        let values = values(seed);
        scribble_meanwhile(20, || {
            // Now and then all is well for a while.
            for _ in 0..numbers.below(200) {
                thread::yield_now();
            }
            (targets[numbers.below(targets.len())], values[numbers.below(values.len())])
        });
    }
}
