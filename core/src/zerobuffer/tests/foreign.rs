//! Our writers behind a reader that refuses every number but the next, as those in C++ and Python do.

use proptest::prelude::*;
use proptest::sample::Index;

use super::super::writer::{DATA_READY, SPACE_FREE};
use super::*;
use crate::platform::{Platform as _, Signal as _};
use crate::testing::FakeLock;

const FREE: usize = 0x28;
const WRITE_POS: usize = 0x30;
const READ_POS: usize = 0x38;
const WRITTEN_COUNT: usize = 0x40;

/// The reading end by the letter of the protocol. Source: zerobuffer@5d3e0c4 `cpp/src/reader.cpp`.
#[derive(Debug)]
struct Foreign {
    scene: Scene,
    data_ready: FakeSignal,
    space_free: FakeSignal,
    segment: HeapSegment,
    expected: u64,
    _lock: FakeLock,
}

impl Foreign {
    fn new(payload_size: u64) -> Self {
        let (platform, name) = (FakePlatform::new(), Name::new("buffer").unwrap());
        let lock = platform.lock(&name, Access::default()).unwrap();
        let len = PAYLOAD + usize::try_from(payload_size).unwrap();
        let segment = platform.create_segment(&name, len, Access::default()).unwrap();
        let signal =
            |prefix| platform.create_signal(&name.prefixed(prefix), Access::default(), false).unwrap();
        let (data_ready, space_free) = (signal(DATA_READY), signal(SPACE_FREE));
        let metadata = PAYLOAD as u64 - 128;
        let words = [(0x08, metadata), (0x10, metadata), (0x20, payload_size), (FREE, payload_size)];
        for (offset, word) in words.into_iter().chain([(0x58, READER), (0, 128 | 1 << 32)]) {
            segment.scribble_u64(offset, word);
        }
        let scene = Scene { platform, name, payload_size };
        Self { scene, data_ready, space_free, segment, expected: 1, _lock: lock }
    }

    fn word(&self, offset: usize) -> u64 {
        u64::from_le_bytes(self.segment.bytes(offset, 8).try_into().unwrap())
    }

    fn payload(&self, position: u64, len: u64) -> Vec<u8> {
        self.segment.bytes(PAYLOAD + usize::try_from(position).unwrap(), usize::try_from(len).unwrap())
    }

    fn header(&self, position: u64) -> (u64, u64) {
        let bytes = self.payload(position, 16);
        let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        (word(0), word(8))
    }

    /// Reads and releases the next frame that is announced: its data.
    fn read(&mut self) -> Option<Vec<u8>> {
        if self.data_ready.take(1) == 0 {
            return None;
        }
        let mut position = self.word(READ_POS) % self.scene.payload_size;
        let mut cost = 0;
        let (mut len, mut sequence) = self.header(position);
        if (len, sequence) == (0, 0) {
            cost += self.scene.payload_size - position;
            position = 0;
            (len, sequence) = self.header(position);
        }
        assert_eq!(sequence, self.expected, "invalid sequence number");
        assert!(len > 0 && position + 16 + len <= self.scene.payload_size, "invalid frame size {len}");
        self.expected += 1;
        let data = self.payload(position + 16, len);
        cost += 16 + len;
        self.segment.scribble_u64(READ_POS, (position + 16 + len) % self.scene.payload_size);
        self.segment.scribble_u64(FREE, self.word(FREE) + cost);
        self.space_free.post().unwrap();
        Some(data)
    }
}

#[derive(Clone, Debug)]
enum Step {
    Write(Index),
    Read,
    /// A frame is filled and then dropped.
    Abort(Index),
    /// A frame is filled, and its writer closes instead of committing it, or is killed.
    Leave(Index, bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => any::<Index>().prop_map(Step::Write),
        3 => Just(Step::Read),
        2 => any::<Index>().prop_map(Step::Abort),
        2 => (any::<Index>(), any::<bool>()).prop_map(|(len, killed)| Step::Leave(len, killed)),
    ];
    prop::collection::vec(step, 1..80)
}

#[derive(Debug)]
struct World {
    reader: Foreign,
    writer: Option<Writer>,
    pid: u64,
    written: u64,
    read: u64,
}

impl World {
    fn new(payload_size: u64) -> Self {
        let reader = Foreign::new(payload_size);
        let mut world = Self { reader, writer: None, pid: WRITER, written: 0, read: 0 };
        world.attach();
        world
    }

    /// Most bytes of a frame, for a few small ones among those of any size.
    fn len(&self, index: Index) -> usize {
        let largest = usize::try_from(self.reader.scene.payload_size).unwrap() - 16;
        1 + index.index(2 * largest) % largest
    }

    fn attach(&mut self) {
        self.pid += 1;
        let writer = self.reader.scene.attach(self.pid).unwrap();
        assert!(!writer.is_strait_reader());
        assert_eq!(writer.next_sequence(), self.written + 1, "the numbers go on");
        self.writer = Some(writer);
    }

    fn writer(&mut self) -> &mut Writer {
        self.writer.as_mut().expect("connected between steps")
    }

    fn kill(&mut self) {
        self.reader.scene.platform.kill(self.pid);
        core::mem::forget(self.writer.take());
    }

    fn abort(&mut self, len: usize) {
        if let Ok(mut reserved) = self.writer().try_reserve(len) {
            // Bytes that look like headers.
            for (at, byte) in self.writer().bytes_mut(&mut reserved).iter_mut().enumerate() {
                *byte = u8::from(at % 8 == 0);
            }
        }
    }

    fn read(&mut self) {
        if let Some(data) = self.reader.read() {
            self.read += 1;
            assert_eq!(data, pattern(self.read, data.len()));
        }
    }

    fn write(&mut self, len: usize) {
        let data = pattern(self.written + 1, len);
        loop {
            match write(self.writer(), &data) {
                Ok(sequence) => {
                    self.written += 1;
                    assert_eq!(sequence, self.written);
                    return;
                }
                Err(WriteError::Full { .. }) => self.read(),
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Write(len) => self.write(self.len(*len)),
            Step::Read => self.read(),
            Step::Abort(len) => self.abort(self.len(*len)),
            Step::Leave(len, killed) => {
                self.abort(self.len(*len));
                if *killed {
                    self.kill();
                }
                self.writer = None;
                self.attach();
            }
        }
    }

    fn drain(&mut self) {
        while self.read < self.written {
            let before = self.read;
            self.read();
            assert!(self.read > before, "frame {} is announced", before + 1);
        }
    }

    /// Kills the writer after the first `made` stores of a commit; whether its frame counts as committed: its position is
    /// stored, or, the ring being started over, the reader's.
    fn kill_in_commit(&mut self, len: usize, made: usize) -> bool {
        let segment = self.reader.segment.clone();
        let whole = PAYLOAD + usize::try_from(self.reader.scene.payload_size).unwrap();
        let position = usize::try_from(self.reader.word(WRITE_POS)).unwrap();
        let sequence = self.written + 1;
        let mut reserved = self.writer().try_reserve(len).expect("an empty ring takes every frame");
        self.writer().bytes_mut(&mut reserved).copy_from_slice(&pattern(sequence, len));
        let header = PAYLOAD + usize::try_from(reserved.place().position()).unwrap() - 16;
        let before = segment.bytes(0, whole);
        let counters = self.writer().counters();
        let announced = self.reader.data_ready.permits();
        self.writer().commit(reserved).unwrap();
        let after = segment.bytes(0, whole);
        let wraps = self.writer().counters().wraps > counters.wraps;
        let rewinds = self.writer().counters().rewinds > counters.rewinds;
        let marker = if wraps { PAYLOAD + position } else { header };
        let all = before[FREE..FREE + 8] != after[FREE..FREE + 8] && after[FREE..FREE + 8] == [0; 8];
        let stores =
            [(FREE, 8), (header, 16), (marker, 16), (READ_POS, 8), (WRITE_POS, 8), (WRITTEN_COUNT, 8)];
        let mut image = before;
        for (offset, len) in stores.into_iter().take(made) {
            image[offset..offset + len].copy_from_slice(&after[offset..offset + len]);
        }
        if all && (1..=3).contains(&made) {
            // A frame that takes the whole ring leaves 16 bytes for after the header.
            image[FREE] = 16;
        }
        segment.scribble(0, &image);
        self.reader.data_ready.set(announced);
        self.kill();
        made > 4 || (made == 4 && rewinds)
    }
}

proptest! {
    #[test]
    fn numbers_go_on_whatever_was_filled_and_never_committed(blocks in 1u64..9, steps in steps()) {
        let mut world = World::new(blocks * 64);
        for step in &steps {
            world.step(step);
        }
        world.drain();
        prop_assert_eq!(world.reader.word(FREE), blocks * 64);
    }

    #[test]
    fn numbers_go_on_after_a_writer_killed_between_any_two_stores(
        blocks in 1u64..9, steps in steps(), len in any::<Index>(), made in 0usize..7,
    ) {
        let mut world = World::new(blocks * 64);
        for step in &steps {
            world.step(step);
        }
        world.drain();
        let len = world.len(len);
        if world.kill_in_commit(len, made) {
            world.written += 1;
        }
        // A ring that is wholly lost takes no further frame, whatever its number.
        if world.reader.word(FREE) > 16 {
            world.attach();
        }
    }
}
