//! Both ends of a ring inside one program: against an oracle, at their limits, and with signals that fail.

use core::convert::Infallible;
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex};
use std::vec::Vec;

use proptest::prelude::*;

use super::deadline::{SleepClock, Sleeper};
use crate::platform::{Clock, FaultKind, Platform as _, Segment as _, Signal};
use crate::shm::StaticSegment;
use crate::testing::{FakeError, FakePlatform, HeapSegment};
use crate::time::{Deadline, Instant};
use crate::zerobuffer::Corrupt;
use crate::zerobuffer::inspect::Snapshot;
use crate::zerobuffer::local::{ReserveError, RingError, SendError, SplitError, split};

/// A signal between two threads.
#[derive(Clone, Debug, Default)]
struct Counter(Arc<(Mutex<u32>, Condvar)>);

impl Signal for Counter {
    type Error = Infallible;

    fn post(&self) -> Result<(), Infallible> {
        *self.0.0.lock().unwrap() += 1;
        self.0.1.notify_all();
        Ok(())
    }

    fn permits(&self) -> u32 {
        *self.0.0.lock().unwrap()
    }

    fn take(&self, count: u32) -> u32 {
        let mut permits = self.0.0.lock().unwrap();
        let taken = count.min(*permits);
        *permits -= taken;
        taken
    }

    fn wait(&self, until: Instant) -> Result<bool, Infallible> {
        let left = until.saturating_since(FakePlatform::new().now());
        let empty = |permits: &mut u32| *permits == 0;
        let guard = self.0.0.lock().unwrap();
        Ok(!self.0.1.wait_timeout_while(guard, left, empty).unwrap().1.timed_out())
    }
}

type Writer = crate::zerobuffer::local::Writer<HeapSegment, Counter>;
type Reader = crate::zerobuffer::local::Reader<HeapSegment, Counter>;

/// A ring of `capacity` bytes.
fn ring(capacity: usize) -> (Writer, Reader) {
    split(HeapSegment::new(128 + capacity), Counter::default(), Counter::default()).unwrap()
}

/// What frame `sequence` says, `len` bytes of it.
fn pattern(sequence: u64, len: usize) -> Vec<u8> {
    let bytes = (sequence * 31..).step_by(7).map(|number| number.to_le_bytes()[0]);
    bytes.take(len).collect()
}

/// 1 to `most` bytes, in no simple order.
fn len_of(sequence: u64, most: u64) -> usize {
    usize::try_from(1 + sequence * 37 % most).unwrap()
}

/// The next frame, copied.
fn take(reader: &mut Reader) -> Option<(u64, Vec<u8>)> {
    reader.try_recv().unwrap().map(|frame| (frame.sequence(), frame.to_vec()))
}

#[test]
fn frames_come_out_of_a_static_as_they_went_in() {
    static MEMORY: StaticSegment<448> = StaticSegment::new();
    let (mut writer, mut reader) = split(&MEMORY, Counter::default(), Counter::default()).unwrap();
    for sequence in 1..=100 {
        let len = len_of(sequence, 150);
        let mut frame = writer.try_reserve(len).unwrap();
        assert_eq!((frame.len(), frame.sequence()), (len, sequence));
        frame.copy_from_slice(&pattern(sequence, len));
        assert_eq!(frame.commit(), Ok(sequence));
        let frame = reader.try_recv().unwrap().unwrap();
        assert_eq!((frame.sequence(), &*frame), (sequence, &*pattern(sequence, len)));
    }
    assert!(writer.counters().wraps > 10);
    let refused = split(&MEMORY, Counter::default(), Counter::default()).map(drop);
    assert_eq!(refused, Err(SplitError::Locked));
}

proptest! {
    #[test]
    fn a_queue_of_frames_says_the_same(
        blocks in 1usize..8, steps in prop::collection::vec((any::<bool>(), 1usize..200), 1..400),
    ) {
        let (mut writer, mut reader) = ring(blocks * 64);
        let mut oracle = VecDeque::new();
        let mut sequence = 0;
        for (send, len) in steps {
            if !send {
                prop_assert_eq!(take(&mut reader), oracle.pop_front());
                continue;
            }
            let data = pattern(sequence + 1, len);
            match writer.try_send(&data) {
                Ok(number) => {
                    sequence += 1;
                    prop_assert_eq!(number, sequence);
                    oracle.push_back((sequence, data));
                }
                Err(SendError::NoRoom(ReserveError::TooLarge { max, .. })) => {
                    prop_assert_eq!(max, blocks as u64 * 64 - 16);
                    prop_assert!(len as u64 > max);
                }
                Err(SendError::NoRoom(ReserveError::Full { .. })) => prop_assert!(!oracle.is_empty()),
                Err(error) => prop_assert!(false, "{error:?}"),
            }
        }
        while let Some(frame) = oracle.pop_front() {
            prop_assert_eq!(take(&mut reader), Some(frame));
        }
        prop_assert_eq!(take(&mut reader), None);
    }
}

#[test]
fn a_full_ring_refuses_with_the_numbers_and_takes_the_frame_once_space_is_back() {
    let (mut writer, mut reader) = ring(128);
    assert_eq!(writer.try_send(&[1; 112]), Ok(1));
    let full = ReserveError::Full { needed: 17, free: 0, capacity: 128 };
    assert_eq!(writer.try_reserve(1).map(drop), Err(full));
    let (clock, now) = (FakePlatform::new(), FakePlatform::new().now());
    assert_eq!(writer.send(&clock, Deadline::At(now), &[1]), Err(SendError::NoRoom(full)));
    drop(reader.try_recv().unwrap());
    assert_eq!(writer.send(&clock, Deadline::Never, &[2]), Ok(2));
}

#[test]
fn frames_that_no_ring_of_its_size_holds_are_refused_with_the_numbers() {
    let (mut writer, _reader) = ring(64);
    assert_eq!(writer.geometry().max_frame_len(), 48);
    let too_large = |len| Err(ReserveError::TooLarge { len, max: 48 });
    assert_eq!(writer.try_reserve(49).map(drop), too_large(49));
    assert_eq!(writer.try_reserve(usize::MAX).map(drop), too_large(usize::MAX as u64));
    assert_eq!(writer.try_send(&[]), Err(SendError::NoRoom(ReserveError::Empty)));
    let clock = FakePlatform::new();
    let refused = SendError::NoRoom(ReserveError::TooLarge { len: 49, max: 48 });
    assert_eq!(writer.send(&clock, Deadline::Never, &[0; 49]), Err(refused));
}

#[test]
fn a_reservation_that_is_dropped_never_was() {
    let (mut writer, mut reader) = ring(64);
    writer.try_reserve(48).unwrap().fill(9);
    assert_eq!(take(&mut reader), None);
    assert_eq!(writer.try_send(&[1; 48]), Ok(1));
    assert_eq!(take(&mut reader), Some((1, Vec::from([1; 48]))));
}

#[test]
fn a_frame_that_is_leaked_goes_back_with_the_next_call() {
    let (mut writer, mut reader) = ring(64);
    for sequence in 1..=3 {
        assert_eq!(writer.try_send(&[7; 48]), Ok(sequence));
        core::mem::forget(reader.try_recv().unwrap().unwrap());
        assert!(writer.try_reserve(1).is_err(), "its space is still lent");
        assert!(reader.try_recv().unwrap().is_none());
    }
}

#[test]
fn nothing_comes_of_an_empty_ring_until_the_deadline() {
    let clock = SleepClock::default();
    let signal = || Sleeper::new(&clock);
    let (_writer, mut reader) = split(HeapSegment::new(192), signal(), signal()).unwrap();
    let deadline = clock.now().saturating_add(Duration::from_millis(5));
    assert!(reader.recv(&clock, Deadline::At(deadline)).unwrap().is_none());
    assert_eq!(clock.now(), deadline);
    assert!(reader.counters().sleeps > 0);
}

#[test]
fn a_segment_is_split_once_at_a_time_and_only_blank() {
    let again =
        |segment: &HeapSegment| split(segment.clone(), Counter::default(), Counter::default()).map(drop);
    let segment = HeapSegment::new(192);
    let (writer, reader) = split(segment.clone(), Counter::default(), Counter::default()).unwrap();
    assert_eq!(again(&segment), Err(SplitError::Locked));
    drop((writer, reader));
    assert_eq!(again(&segment), Err(SplitError::Locked), "a clone of the handle is left");

    // A buffer between processes, opened once more: its reader has not locked it.
    let platform = FakePlatform::new();
    let name = crate::name::Name::new("other").unwrap();
    let _created = platform.create_segment(&name, 192, crate::platform::Access::default()).unwrap();
    let opened = platform.open_segment(&name).unwrap();
    opened.scribble_u64(0x30, 5);
    let found = Corrupt { field: "payload_write_pos", found: 5, limit: 0 };
    assert_eq!(again(&opened), Err(SplitError::NotBlank(found)));
}

#[test]
fn a_segment_too_small_for_a_ring_is_refused_and_stays_unlocked() {
    for len in [0, 1, 127, 128, 191] {
        let segment = HeapSegment::new(len);
        let refused = split(segment.clone(), Counter::default(), Counter::default()).map(drop);
        assert_eq!(refused, Err(SplitError::TooSmall { len, min: 192 }));
        assert!(segment.lock());
    }
}

#[test]
fn the_bytes_are_those_of_a_buffer_between_processes() {
    let segment = HeapSegment::new(128 + 100);
    let (mut writer, mut reader) = split(segment.clone(), Counter::default(), Counter::default()).unwrap();
    assert_eq!(writer.try_send(b"five5"), Ok(1));
    Snapshot::check::<_, ()>(&segment).unwrap();
    let seen = Snapshot::of::<_, ()>(&segment).unwrap();
    assert_eq!((seen.metadata_size, seen.payload_size), (0, 64));
    assert_eq!((seen.writer_pid.0, seen.reader_pid.0), (1, 1));
    assert_eq!((seen.payload_free_bytes, seen.payload_write_pos, seen.payload_read_pos), (43, 21, 0));
    assert_eq!(take(&mut reader), Some((1, b"five5".to_vec())));
    assert_eq!(Snapshot::of::<_, ()>(&segment).unwrap().payload_free_bytes, 64);
}

#[test]
fn two_threads_that_wait_for_each_other_lose_no_frame_and_no_wake_up() {
    const FRAMES: u64 = 20_000;
    let (mut writer, mut reader) = ring(192);
    let producer = std::thread::spawn(move || {
        let clock = FakePlatform::new();
        for sequence in 1..=FRAMES {
            let len = len_of(sequence, 176);
            assert_eq!(writer.send(&clock, Deadline::Never, &pattern(sequence, len)), Ok(sequence));
        }
        writer.counters()
    });
    let clock = FakePlatform::new();
    for sequence in 1..=FRAMES {
        let frame = reader.recv(&clock, Deadline::Never).unwrap().unwrap();
        let len = len_of(sequence, 176);
        assert_eq!((frame.sequence(), &*frame), (sequence, &*pattern(sequence, len)));
    }
    let (written, read) = (producer.join().unwrap(), reader.counters());
    assert_eq!((written.frames, written.bytes), (read.frames, read.bytes));
    assert!(written.waits > 0 && written.wraps > 0);
}

/// A signal whose posts fail while it is told to.
#[derive(Clone, Debug, Default)]
struct Failing(Counter, Arc<Mutex<bool>>);

impl Failing {
    fn fail(&self, fail: bool) {
        *self.1.lock().unwrap() = fail;
    }
}

const POST: FakeError = FakeError { call: "post", kind: FaultKind::Other };

impl Signal for Failing {
    type Error = FakeError;

    fn post(&self) -> Result<(), FakeError> {
        if *self.1.lock().unwrap() {
            return Err(POST);
        }
        self.0.post().map_err(|never| match never {})
    }

    fn permits(&self) -> u32 {
        self.0.permits()
    }

    fn take(&self, count: u32) -> u32 {
        self.0.take(count)
    }

    fn wait(&self, until: Instant) -> Result<bool, FakeError> {
        self.0.wait(until).map_err(|never| match never {})
    }
}

#[test]
fn a_frame_whose_announcement_failed_is_found_by_waiting() {
    let (data_ready, space_free) = (Failing::default(), Failing::default());
    let (mut writer, mut reader) = split(HeapSegment::new(192), data_ready.clone(), space_free).unwrap();
    data_ready.fail(true);
    assert_eq!(writer.try_send(b"lost?"), Err(SendError::Ring(RingError::System(POST))));
    data_ready.fail(false);
    assert!(reader.try_recv().unwrap().is_none());
    let frame = reader.recv(&FakePlatform::new(), Deadline::Never).unwrap().unwrap();
    assert_eq!((frame.sequence(), &*frame), (1, &b"lost?"[..]));
}

#[test]
fn what_goes_wrong_when_a_frame_is_released_is_told_by_the_next_call() {
    let (data_ready, space_free) = (Failing::default(), Failing::default());
    let (mut writer, mut reader) = split(HeapSegment::new(192), data_ready, space_free.clone()).unwrap();
    writer.try_send(&[1; 48]).unwrap();
    space_free.fail(true);
    drop(reader.try_recv().unwrap());
    assert_eq!(reader.try_recv().map(drop), Err(RingError::System(POST)));
    assert!(reader.try_recv().unwrap().is_none());
    assert_eq!(writer.try_send(&[2; 48]), Ok(2), "the space itself went back");
}

#[test]
fn a_word_that_something_else_wrote_is_reported_with_the_numbers() {
    let segment = HeapSegment::new(192);
    let (mut writer, mut reader) = split(segment.clone(), Counter::default(), Counter::default()).unwrap();
    writer.try_send(&[1; 8]).unwrap();
    // The number in the frame's header.
    segment.scribble_u64(128 + 8, 77);
    let gap = Corrupt { field: "frame sequence", found: 77, limit: 1 };
    assert_eq!(reader.try_recv().map(drop), Err(RingError::Corrupt(gap)));
    segment.scribble_u64(0x28, 1 << 50);
    let free = Corrupt { field: "payload_free_bytes", found: 1 << 50, limit: 64 };
    assert_eq!(writer.try_reserve(48).map(drop), Err(ReserveError::Corrupt(free)));
}
