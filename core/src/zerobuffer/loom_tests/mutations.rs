//! Wrong protocols, each of which must fail its model: otherwise the models prove nothing.
//!
//! `deadlock` is a lost wake-up, a `Causality violation` an access that nothing orders. What is mutated is written out
//! here; everything else is the shipped code.

use loom::thread;

use super::*;
use crate::sync::{Ordering, SharedU32, full_fence};

/// A writer whose commit is replaced by `commit`, against the shipped reader.
fn committing<S: Signal + Clone + 'static>(signal: fn() -> S, commit: fn(&LoomMemory, &mut Writer<S>, Room)) {
    explore(move || {
        let (memory, mut writer, mut reader) = pair(signal);
        let thread = {
            let memory = memory.clone();
            thread::spawn(move || {
                let room = writer.try_reserve(4).unwrap();
                commit(&memory, &mut writer, room);
            })
        };
        check(&memory, &claim(&mut reader, || 0), 1, 4);
        thread.join().unwrap();
    });
}

fn fill_and_commit<S: Signal>(memory: &LoomMemory, writer: &mut Writer<S>, room: Room) {
    fill(memory, &room, 1);
    writer.commit(&room).unwrap();
}

#[test]
fn loom_the_commit_unchanged_passes() {
    committing(LoomSignal::new, fill_and_commit);
}

#[test]
#[should_panic = "deadlock"]
fn loom_a_permit_posted_before_the_frame_is_caught() {
    committing(LoomSignal::new, |memory, writer, room| {
        fill(memory, &room, 1);
        writer.data_ready.post().unwrap();
        writer.producer.commit(&room).unwrap();
    });
}

#[test]
#[should_panic = "deadlock"]
fn loom_a_frame_without_a_permit_is_caught() {
    committing(LoomSignal::new, |memory, writer, room| {
        fill(memory, &room, 1);
        writer.producer.commit(&room).unwrap();
    });
}

#[test]
#[should_panic = "Causality violation"]
fn loom_data_written_after_the_commit_are_caught() {
    committing(LoomSignal::new, |memory, writer, room| {
        writer.commit(&room).unwrap();
        fill(memory, &room, 1);
    });
}

/// A semaphore whose permits order nothing.
#[derive(Clone, Debug)]
struct RelaxedSignal(Rc<SharedU32>);

impl Signal for RelaxedSignal {
    type Error = Never;

    fn post(&self) -> Result<(), Never> {
        self.0.store(1, Ordering::Relaxed);
        Ok(())
    }
    fn permits(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
    fn take(&self, _count: u32) -> u32 {
        0
    }
    fn wait(&self, _until: Instant) -> Result<bool, Never> {
        while self.permits() == 0 {
            thread::yield_now();
        }
        Ok(true)
    }
}

#[test]
#[should_panic = "Causality violation"]
fn loom_a_permit_that_does_not_release_is_caught() {
    let signal = || RelaxedSignal(Rc::new(SharedU32::new(0)));
    committing(signal, |memory, writer, room| {
        // Without the release of the free bytes, which orders a part of it: the permit alone must do.
        let oieb = memory.oieb();
        fill(memory, &room, 1);
        memory.payload().write(room.position, &FrameHeader::new(4, 1).emit()).unwrap();
        oieb.payload_free_bytes.fetch_sub(20, Ordering::Relaxed);
        oieb.payload_write_pos.store(20, Ordering::Relaxed);
        writer.data_ready.post().unwrap();
    });
}

/// A frame recovered by its position alone.
fn recovering(write_pos_order: Ordering) {
    explore(move || {
        let (memory, _, mut reader) = pair(LoomSignal::new);
        let thread = {
            let memory = memory.clone();
            thread::spawn(move || {
                let oieb = memory.oieb();
                memory.payload().write(16, &pattern(1, 4)).unwrap();
                oieb.payload_free_bytes.fetch_sub(20, Ordering::AcqRel);
                memory.payload().write(0, &FrameHeader::new(4, 1).emit()).unwrap();
                oieb.payload_write_pos.store(20, write_pos_order);
            })
        };
        if let Some(claimed) = reader.try_recover(|| 0).unwrap() {
            check(&memory, &claimed, 1, 4);
        }
        thread.join().unwrap();
    });
}

#[test]
fn loom_the_recovery_unchanged_passes() {
    recovering(Ordering::Release);
}

#[test]
#[should_panic = "Causality violation"]
fn loom_a_write_position_that_does_not_release_is_caught() {
    recovering(Ordering::Relaxed);
}

/// A reader that returns a frame's space by `give`, against a writer that gets it by `reserve`, in a ring of one frame
/// with a permit left over from before.
fn returning(give: fn(&LoomMemory, &LoomSignal, u64), reserve: fn(&mut Writer<LoomSignal>, u64) -> Room) {
    explore(move || {
        let (memory, mut writer, mut reader) = pair(LoomSignal::new);
        let room = writer.try_reserve(48).unwrap();
        fill_and_commit(&memory, &mut writer, room);
        writer.space_free.post().unwrap();
        let claimed = claim(&mut reader, || 0);
        let thread = {
            let memory = memory.clone();
            thread::spawn(move || {
                let room = reserve(&mut writer, 48);
                fill(&memory, &room, 2);
                writer.commit(&room).unwrap();
            })
        };
        check(&memory, &claimed, 1, 48);
        give(&memory, &reader.space_free, claimed.cost());
        thread.join().unwrap();
    });
}

/// The shipped order, with a choice of the addition's ordering and of the fence.
fn give(memory: &LoomMemory, space_free: &LoomSignal, bytes: u64, order: Ordering, fence: bool) {
    memory.oieb().payload_read_pos.store(CAPACITY, Ordering::Relaxed);
    memory.oieb().payload_free_bytes.fetch_add(bytes, order);
    if fence {
        full_fence();
    }
    if space_free.permits() == 0 {
        space_free.post().unwrap();
    }
}

fn give_rightly(memory: &LoomMemory, space_free: &LoomSignal, bytes: u64) {
    give(memory, space_free, bytes, Ordering::Release, true);
}

#[test]
fn loom_the_return_unchanged_passes() {
    returning(give_rightly, reserve);
}

#[test]
#[should_panic = "Causality violation"]
fn loom_a_return_that_does_not_release_is_caught() {
    // A fence would order it too, and so would a permit: what is left is the addition alone.
    returning(
        |memory, _, bytes| {
            memory.oieb().payload_free_bytes.fetch_add(bytes, Ordering::Relaxed);
        },
        |writer, len| loop {
            if let Ok(room) = writer.try_reserve(len) {
                return room;
            }
            thread::yield_now();
        },
    );
}

#[test]
#[should_panic = "deadlock"]
fn loom_a_return_without_a_fence_is_caught() {
    returning(|memory, space_free, bytes| give(memory, space_free, bytes, Ordering::Release, false), reserve);
}

#[test]
#[should_panic = "deadlock"]
fn loom_a_permit_looked_at_before_the_return_is_caught() {
    returning(
        |memory, space_free, bytes| {
            let needed = space_free.permits() == 0;
            memory.oieb().payload_free_bytes.fetch_add(bytes, Ordering::Release);
            full_fence();
            if needed {
                space_free.post().unwrap();
            }
        },
        reserve,
    );
}

#[test]
#[should_panic = "deadlock"]
fn loom_a_writer_that_does_not_try_again_before_it_sleeps_is_caught() {
    returning(give_rightly, |writer, len| {
        loop {
            if let Ok(room) = writer.try_reserve(len) {
                return room;
            }
            writer.forget_permits();
            writer.space_free.wait(STILL.now().saturating_add(core::time::Duration::MAX)).unwrap();
        }
    });
}

#[test]
#[should_panic = "deadlock"]
fn loom_a_writer_without_a_fence_is_caught() {
    returning(give_rightly, |writer, len| {
        loop {
            writer.space_free.take(u32::MAX);
            if let Ok(room) = writer.try_reserve(len) {
                return room;
            }
            writer.space_free.wait(STILL.now().saturating_add(core::time::Duration::MAX)).unwrap();
        }
    });
}

#[test]
#[should_panic = "deadlock"]
fn loom_a_reader_that_takes_every_permit_is_caught() {
    explore(|| {
        let (memory, mut writer, mut reader) = pair(LoomSignal::new);
        let thread = {
            let memory = memory.clone();
            thread::spawn(move || {
                let room = writer.try_reserve(4).unwrap();
                fill_and_commit(&memory, &mut writer, room);
            })
        };
        while reader.try_claim(|| 0).unwrap().is_none() {
            reader.data_ready.take(u32::MAX);
            reader.data_ready.wait(Instant::from_nanos(1)).unwrap();
        }
        thread.join().unwrap();
    });
}

/// A futex that sleeps whatever the permits are.
#[derive(Debug)]
struct Blind(Sleep);

impl Futex for Blind {
    type Error = Never;

    fn sleep(&self, _until: Instant) -> Result<(), Never> {
        let guard = self.0.sleepers.lock().unwrap();
        drop(self.0.woken.wait(guard).unwrap());
        Ok(())
    }
    fn wake_one(&self) -> Result<(), Never> {
        self.0.wake_one()
    }
    fn now(&self) -> Instant {
        STILL.now()
    }
}

#[test]
#[should_panic = "deadlock"]
fn loom_a_futex_that_does_not_compare_is_caught() {
    explore(|| {
        let sleep = Sleep { semaphore: Semaphore::new(0), sleepers: Mutex::new(()), woken: Condvar::new() };
        let blind = Rc::new(Blind(sleep));
        let poster = {
            let blind = Rc::clone(&blind);
            thread::spawn(move || blind.0.semaphore.post(&*blind).unwrap())
        };
        assert!(blind.0.semaphore.wait(&*blind, Instant::from_nanos(1)).unwrap());
        poster.join().unwrap();
    });
}
