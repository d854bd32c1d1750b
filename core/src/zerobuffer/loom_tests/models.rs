//! The shipped halves, semaphores and waits against each other.

use loom::sync::{Arc, Mutex};
use loom::thread;

use super::super::halves::announce_space;
use super::super::release::ReleaseQueue;
use super::super::ring::return_space;
use super::*;
use crate::sync::Ordering;

/// A writer thread that writes frames of these lengths, each as soon as there is room.
fn spawn_writer(
    memory: LoomMemory,
    mut writer: Writer<LoomSignal>,
    lens: &'static [u64],
) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        for (sequence, len) in (1..).zip(lens) {
            let room = reserve(&mut writer, *len);
            fill(&memory, &room, sequence);
            assert_eq!(writer.commit(&room).unwrap(), sequence);
        }
    })
}

/// Frames of these lengths arrive whole, in order, and leave an empty ring.
fn arrives(lens: &'static [u64]) {
    explore(move || {
        let (memory, writer, mut reader) = pair(LoomSignal::new);
        let thread = spawn_writer(memory.clone(), writer, lens);
        for (sequence, len) in (1..).zip(lens) {
            let claimed = claim(&mut reader, || 0);
            check(&memory, &claimed, sequence, usize::try_from(*len).unwrap());
            release(&mut reader, &claimed);
        }
        reader.return_pending().unwrap();
        thread.join().unwrap();
        assert!(matches!(reader.try_recover(|| 0), Ok(None)), "nothing is left");
        assert_eq!(memory.oieb().payload_free_bytes.load(Ordering::Relaxed), CAPACITY);
    });
}

#[test]
fn loom_two_frames_arrive() {
    arrives(&[4, 4]);
}

#[test]
fn loom_a_frame_that_wraps_waits_for_its_space() {
    // 20 + 20 leave a tail of 24: the third frame would leave 4 of it, so it wraps and needs the first one's space.
    arrives(&[4, 4, 4]);
}

#[test]
fn loom_a_full_ring_waits_for_the_reader() {
    arrives(&[48, 48]);
}

#[test]
fn loom_a_frame_that_fits_nowhere_waits_for_an_empty_ring_and_starts_it_over() {
    arrives(&[4, 40]);
}

#[test]
fn loom_a_rewound_ring_goes_on() {
    arrives(&[4, 40, 4]);
}

#[test]
fn loom_a_semaphore_loses_no_permit_and_no_wake_up() {
    explore(|| {
        let signal = LoomSignal::new();
        let posters: [_; 2] = core::array::from_fn(|_| {
            let signal = signal.clone();
            thread::spawn(move || signal.post().unwrap())
        });
        let mut taken = 0;
        while taken < 2 {
            assert!(signal.wait(Instant::from_nanos(1)).unwrap());
            taken += signal.take(1);
        }
        for poster in posters {
            poster.join().unwrap();
        }
        assert_eq!(signal.permits(), 0);
    });
}

#[test]
fn loom_a_permit_shows_what_was_stored_before_it() {
    explore(|| {
        let (signal, cell) = (LoomSignal::new(), Rc::new(UnsafeCell::new(0)));
        let poster = {
            let (signal, cell) = (signal.clone(), Rc::clone(&cell));
            thread::spawn(move || {
                cell.with_mut(|cell| store(cell, 7));
                signal.post().unwrap();
            })
        };
        assert!(signal.wait(Instant::from_nanos(1)).unwrap());
        assert_eq!(cell.with(load), 7);
        poster.join().unwrap();
    });
}

#[expect(unsafe_code, reason = "loom checks the access")]
fn store(cell: *mut u8, value: u8) {
    // SAFETY: called inside `with_mut`, which fails the model unless the access is exclusive.
    unsafe { *cell = value };
}

#[expect(unsafe_code, reason = "loom checks the access")]
fn load(cell: *const u8) -> u8 {
    // SAFETY: called inside `with`, which fails the model if anybody writes meanwhile.
    unsafe { *cell }
}

/// Frames released on another thread while the reader looks for the next: as `strait::Reader` does, the count of held
/// bytes and the return of their space change under one lock.
#[test]
fn loom_space_is_returned_on_another_thread_while_the_reader_looks() {
    explore(|| {
        let (memory, mut writer, mut reader) = pair(LoomSignal::new);
        for sequence in 1..=2 {
            let room = writer.try_reserve(4).unwrap();
            fill(&memory, &room, sequence);
            writer.commit(&room).unwrap();
        }
        let held = Arc::new(Mutex::new(ReleaseQueue::<2>::new()));
        let first = claim(&mut reader, || held.lock().unwrap().held());
        let ticket = held.lock().unwrap().push(first.cost()).unwrap();

        let returner = {
            let (memory, held, space_free) = (memory.clone(), Arc::clone(&held), reader.space_free.clone());
            thread::spawn(move || {
                check(&memory, &first, 1, 4);
                let mut held = held.lock().unwrap();
                let bytes = held.release(ticket);
                return_space(&memory, bytes).unwrap();
                announce_space(&space_free).unwrap();
            })
        };
        let third = {
            let memory = memory.clone();
            thread::spawn(move || {
                // Wraps into the space of the first frame: must not touch it before it was read.
                let room = reserve(&mut writer, 4);
                fill(&memory, &room, 3);
                writer.commit(&room).unwrap();
            })
        };
        let second = claim(&mut reader, || held.lock().unwrap().held());
        check(&memory, &second, 2, 4);
        held.lock().unwrap().push(second.cost()).unwrap();
        let last = claim(&mut reader, || held.lock().unwrap().held());
        check(&memory, &last, 3, 4);
        returner.join().unwrap();
        third.join().unwrap();
    });
}
