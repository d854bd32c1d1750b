//! A writer that dies, or is merely slow, between any two stores of a commit.

use loom::thread;

use super::*;
use crate::sync::Ordering;

/// Where the frame that is never finished goes, in a ring brought there by whole frames that were read.
#[derive(Clone, Copy, Debug)]
struct Scene {
    /// Data bytes of the frames before.
    before: &'static [u64],
    len: u64,
    /// The write position after them.
    write_pos: u64,
    /// Where the header goes.
    position: u64,
    /// Bytes taken from the free ones.
    taken: u64,
    rewind: bool,
}

/// Stores of a commit, in the shipped order.
const STORES: [&str; 8] = ["data", "free", "header", "marker", "read_pos", "rest", "write_pos", "count"];

impl Scene {
    fn sequence(self) -> u64 {
        self.before.len() as u64 + 1
    }

    /// What a frame that takes the whole ring leaves for the end.
    fn rest(self) -> u64 {
        if self.taken == CAPACITY { FRAME_OVERHEAD } else { 0 }
    }

    /// The first `stores` stores of a commit, as `Producer::commit` makes them.
    fn store(self, memory: &LoomMemory, stores: usize) {
        for store in STORES.iter().take(stores) {
            self.step(memory, store);
        }
    }

    fn step(self, memory: &LoomMemory, store: &str) {
        let (oieb, payload) = (memory.oieb(), memory.payload());
        let data = pattern(self.sequence(), usize::try_from(self.len).unwrap());
        let end = (self.position + FRAME_OVERHEAD + self.len) % CAPACITY;
        match store {
            "data" => payload.write(self.position + FRAME_OVERHEAD, &data).unwrap(),
            "free" => {
                oieb.payload_free_bytes.fetch_sub(self.taken - self.rest(), Ordering::AcqRel);
            }
            "rest" if self.rest() > 0 => {
                oieb.payload_free_bytes.fetch_sub(self.rest(), Ordering::Release);
            }
            "header" => {
                let header = FrameHeader::new(self.len, self.sequence()).emit();
                payload.write(self.position, &header).unwrap();
            }
            "marker" if self.write_pos != self.position && !self.rewind => {
                payload.write(self.write_pos, &FrameHeader::WRAP_MARKER.emit()).unwrap();
            }
            "read_pos" if self.rewind => oieb.payload_read_pos.store(0, Ordering::Release),
            "write_pos" => oieb.payload_write_pos.store(end, Ordering::Release),
            // No scene depends on its value.
            "count" => oieb.payload_written_count.store(u64::MAX, Ordering::Relaxed),
            _ => {}
        }
    }

    /// A ring with the frames before it written and read.
    fn set(self) -> (LoomMemory, Reader<LoomSignal>) {
        let (memory, mut writer, mut reader) = pair(LoomSignal::new);
        for (sequence, len) in (1..).zip(self.before) {
            let room = writer.try_reserve(*len).unwrap();
            fill(&memory, &room, sequence);
            writer.commit(&room).unwrap();
            let claimed = claim(&mut reader, || 0);
            release(&mut reader, &claimed);
        }
        reader.return_pending().unwrap();
        reader.settle();
        memory.oieb().writer_pid.store(WRITER, Ordering::Relaxed);
        assert_eq!(memory.oieb().payload_write_pos.load(Ordering::Relaxed), self.write_pos);
        (memory, reader)
    }
}

const FIRST: Scene = Scene { before: &[], len: 4, write_pos: 0, position: 0, taken: 20, rewind: false };
const SECOND: Scene = Scene { before: &[4], len: 4, write_pos: 20, position: 20, taken: 20, rewind: false };
const WRAP: Scene = Scene { before: &[4, 4], len: 4, write_pos: 40, position: 0, taken: 44, rewind: false };
const REWIND: Scene = Scene { before: &[4], len: 40, write_pos: 20, position: 0, taken: 56, rewind: true };
const FULL: Scene = Scene { before: &[], len: 48, write_pos: 0, position: 0, taken: 64, rewind: false };
const FULL_AGAIN: Scene = Scene { before: &[48], ..FULL };

/// What a look at a writer that was silent for a slice does: claims by permit, then by position.
fn look(memory: &LoomMemory, reader: &mut Reader<LoomSignal>, scene: Scene) -> bool {
    let claimed = match reader.try_claim(|| 0).expect("nothing torn is announced") {
        Some(claimed) => Some(claimed),
        // A frame never finished may look like anything; as long as it is not delivered.
        None => reader.try_recover(|| 0).unwrap_or(None),
    };
    let Some(claimed) = claimed else { return false };
    check(memory, &claimed, scene.sequence(), usize::try_from(scene.len).unwrap());
    release(reader, &claimed);
    reader.return_pending().unwrap();
    true
}

/// The writer makes only the first `stores` stores while the reader looks. The reader delivers the frame whole or not
/// at all, and certainly if it is recoverable; then it cleans up, and the next writer's frame arrives in sequence.
fn survives_death_after(scene: Scene, stores: usize) {
    explore(move || {
        let (memory, mut reader) = scene.set();
        let writer = {
            let memory = memory.clone();
            thread::spawn(move || scene.store(&memory, stores))
        };
        let mut delivered = look(&memory, &mut reader, scene);
        writer.join().unwrap();
        while look(&memory, &mut reader, scene) {
            assert!(!delivered, "once");
            delivered = true;
        }
        if STORES.iter().take(stores).any(|store| *store == "write_pos") {
            assert!(delivered, "committed but not recovered, after {stores} stores");
        }
        reader.settle();
        assert_eq!(reader.consumer.clean_up_after(WRITER, READER), Ok(true));
        let oieb = memory.oieb();
        assert_eq!(oieb.payload_free_bytes.load(Ordering::Relaxed), CAPACITY);

        let producer = Producer::new(memory.clone()).unwrap();
        let (data_ready, space_free) = (reader.data_ready.clone(), reader.space_free.clone());
        let mut next = WriterHalf { producer, data_ready, space_free };
        let room = next.try_reserve(4).unwrap();
        let expected = scene.sequence() + u64::from(delivered);
        fill(&memory, &room, expected);
        assert_eq!(
            next.commit(&room).unwrap(),
            expected,
            "goes on where the delivered frames end, after {stores} stores"
        );
        check(&memory, &claim(&mut reader, || 0), expected, 4);
    });
}

macro_rules! survives {
    ($($name:ident: $scene:expr;)*) => {$(
        #[test]
        fn $name() {
            for stores in 0..=STORES.len() {
                survives_death_after($scene, stores);
            }
        }
    )*};
}

survives! {
    loom_a_writer_dies_in_its_first_frame: FIRST;
    loom_a_writer_dies_in_a_later_frame: SECOND;
    loom_a_writer_dies_wrapping: WRAP;
    loom_a_writer_dies_starting_over: REWIND;
    loom_a_writer_dies_filling_the_ring: FULL;
    loom_a_writer_dies_filling_the_ring_again: FULL_AGAIN;
}

/// A living writer is so slow between two stores that the reader recovers its first frame; its permit comes later, while
/// the second frame is being committed, and must not be taken for that one's.
fn late_permit_before(first: u64, second: u64) {
    explore(move || {
        let (memory, writer, mut reader) = pair(LoomSignal::new);
        let mut producer = writer.producer;
        let room = producer.try_reserve(first).unwrap();
        fill(&memory, &room, 1);
        producer.commit(&room).unwrap();
        let claimed = reader.try_recover(|| 0).unwrap().expect("committed");
        release(&mut reader, &claimed);
        reader.return_pending().unwrap();
        // The late one.
        writer.data_ready.post().unwrap();
        let thread = {
            let memory = memory.clone();
            let data_ready = writer.data_ready.clone();
            thread::spawn(move || {
                let room = producer.try_reserve(second).unwrap();
                fill(&memory, &room, 2);
                producer.commit(&room).unwrap();
                data_ready.post().unwrap();
            })
        };
        check(&memory, &claim(&mut reader, || 0), 2, usize::try_from(second).unwrap());
        thread.join().unwrap();
    });
}

#[test]
fn loom_a_late_permit_does_not_announce_the_next_frame() {
    late_permit_before(4, 4);
}

#[test]
fn loom_a_late_permit_does_not_announce_a_frame_that_starts_over() {
    late_permit_before(4, 40);
}

#[test]
fn loom_a_late_permit_does_not_announce_a_frame_that_fills_the_ring() {
    late_permit_before(32, 48);
}
