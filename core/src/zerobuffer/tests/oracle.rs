//! Random operations against a queue in private memory.

use std::collections::VecDeque;

use proptest::prelude::*;
use proptest::sample::Index;

use super::super::release::{ReleaseQueue, Ticket};
use super::super::{Claimed, Returner};
use super::*;

/// Most frames held at once.
const HELD: usize = 6;

#[derive(Clone, Debug)]
enum Step {
    Write(Index),
    WriteSmall(Index),
    /// Reserves and fills, and then thinks better of it.
    Abort(Index),
    Claim,
    /// Releases any of the frames held; the only one, if so chosen, through the reader itself.
    Release(Index, bool),
    /// The writer closes and another one connects.
    Reconnect,
    /// The writer is killed while it fills a frame, and another one connects, before or after the reader looks.
    Kill(Index, bool),
    Metadata(Index),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => any::<Index>().prop_map(Step::Write),
        3 => any::<Index>().prop_map(Step::WriteSmall),
        1 => any::<Index>().prop_map(Step::Abort),
        6 => Just(Step::Claim),
        6 => (any::<Index>(), any::<bool>()).prop_map(|(pick, direct)| Step::Release(pick, direct)),
        1 => Just(Step::Reconnect),
        1 => (any::<Index>(), any::<bool>()).prop_map(|(len, looks)| Step::Kill(len, looks)),
        1 => any::<Index>().prop_map(Step::Metadata),
    ];
    prop::collection::vec(step, 1..150)
}

#[derive(Debug)]
struct Held {
    claimed: Claimed,
    ticket: Ticket,
    data: Vec<u8>,
}

#[derive(Debug)]
struct World {
    scene: Scene,
    reader: Reader,
    returner: Returner<FakePlatform>,
    writer: Option<Writer>,
    /// Process of the writer.
    pid: u64,
    /// A writer was killed, and no frame came since: the reader may not have seen that others were there after it.
    killed: bool,
    /// Number of the first frame after a death that the next writer covered; whether it must be told, or a death was told
    /// there already.
    covered: Option<(u64, bool)>,
    /// Number that was due when a death was told last.
    told_at: u64,
    /// Frames so far, and so the last one's number.
    written: u64,
    /// Committed and not claimed.
    queue: VecDeque<(u64, Vec<u8>)>,
    held: Vec<Held>,
    tickets: ReleaseQueue<HELD>,
    metadata: Option<Vec<u8>>,
}

impl World {
    fn new(payload_size: u64) -> Self {
        let (scene, reader, writer) = Scene::connected(payload_size);
        Self {
            scene,
            returner: reader.returner(),
            reader,
            writer: Some(writer),
            pid: WRITER,
            killed: false,
            covered: None,
            told_at: 0,
            written: 0,
            queue: VecDeque::new(),
            held: Vec::new(),
            tickets: ReleaseQueue::new(),
            metadata: None,
        }
    }

    fn capacity(&self) -> u64 {
        self.scene.payload_size
    }

    fn writer(&mut self) -> &mut Writer {
        self.writer.as_mut().expect("connected between steps")
    }

    fn step(&mut self, step: &Step) {
        let largest = usize::try_from(self.capacity()).unwrap() - 16;
        match step {
            Step::Write(len) => self.write(1 + len.index(largest)),
            Step::WriteSmall(len) => self.write(1 + len.index(largest.min(24))),
            Step::Abort(len) => self.abort(1 + len.index(largest)),
            Step::Claim => self.claim(),
            Step::Release(_, _) if self.held.is_empty() => {}
            Step::Release(pick, direct) => self.release(pick.index(self.held.len()), *direct),
            Step::Reconnect => {
                self.writer = None;
                if self.queue.is_empty() && self.written > 0 {
                    let tickets = &self.tickets;
                    let end = self.reader.try_claim(|| tickets.held()).map(drop);
                    let dead = self.killed || self.covered.is_some();
                    let died = dead && matches!(end, Err(ReadError::WriterDead { .. }));
                    assert!(died || end == Err(ReadError::EndOfStream), "{end:?}");
                    self.note_told();
                }
                self.attach();
            }
            Step::Kill(len, looks) => {
                self.abort(1 + len.index(largest));
                self.scene.platform.kill(self.pid);
                self.killed = true;
                // Killed: it closes nothing.
                core::mem::forget(self.writer.take());
                let (due, dead) = (self.written + 1, Pid(self.pid));
                if *looks && self.queue.is_empty() {
                    let tickets = &self.tickets;
                    let mut end = self.reader.try_claim(|| tickets.held()).map(drop);
                    if self.covered.is_some() && end != Err(ReadError::WriterDead { pid: dead }) {
                        assert!(matches!(end, Err(ReadError::WriterDead { .. })), "{end:?}");
                        end = self.reader.try_claim(|| tickets.held()).map(drop);
                    }
                    assert_eq!(end, Err(ReadError::WriterDead { pid: dead }));
                    self.note_told();
                }
                self.attach();
                self.covered = Some((due, self.told_at != due));
            }
            Step::Metadata(len) => {
                let data = pattern(99, len.index(56) + 1);
                let outcome = self.writer().set_metadata(&data);
                assert_eq!(outcome.is_ok(), self.metadata.is_none());
                self.metadata.get_or_insert(data);
            }
        }
    }

    fn attach(&mut self) {
        self.pid += 1;
        self.writer = Some(self.scene.attach(self.pid).unwrap());
    }

    /// A death was told, with everything read.
    fn note_told(&mut self) {
        self.covered = None;
        self.told_at = self.written + 1;
    }

    /// Reserves a frame and fills it.
    fn abort(&mut self, len: usize) {
        if let Ok(mut reserved) = self.writer().try_reserve(len) {
            self.writer().bytes_mut(&mut reserved).fill(0xff);
        }
    }

    fn write(&mut self, len: usize) {
        let data = pattern(self.written + 1, len);
        let before = self.scene.snapshot();
        let rewinds = self.writer().counters().rewinds;
        match write(self.writer(), &data) {
            Ok(sequence) => {
                let tail = self.capacity() - before.payload_write_pos;
                let rewound = self.writer().counters().rewinds > rewinds;
                assert!(!(1..16).contains(&tail) || rewound, "a frame after a tail that holds no marker");
                assert!(
                    !rewound || before.payload_free_bytes == self.capacity(),
                    "started over while in use"
                );
                self.written += 1;
                assert_eq!(sequence, self.written, "whoever writes, and whatever was not committed");
                self.queue.push_back((sequence, data));
            }
            Err(WriteError::Full { needed, free, capacity }) => {
                assert!(needed <= capacity);
                assert_eq!(free, before.payload_free_bytes);
                assert!(free < capacity, "an empty ring takes every frame");
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn claim(&mut self) {
        if self.tickets.is_full() {
            return;
        }
        let tickets = &self.tickets;
        match self.reader.try_claim(|| tickets.held()) {
            Ok(claimed) => {
                self.killed = false;
                let (sequence, data) = self.queue.pop_front().expect("a frame was written");
                assert_ne!(self.covered, Some((sequence, true)), "a death was not told");
                assert_eq!((claimed.sequence(), claimed.len()), (sequence, data.len()));
                let ticket = self.tickets.push(claimed.cost()).expect("not full");
                self.held.push(Held { claimed, ticket, data });
            }
            Err(ReadError::WriterDead { .. }) => {
                let due = self.queue.front().map_or(self.written + 1, |(sequence, _)| *sequence);
                let covered = self.covered.take().map(|(first, _)| first);
                assert_eq!(covered, Some(due), "told where it happened");
                self.told_at = due;
            }
            Err(error) => {
                assert!(self.queue.is_empty());
                let quiet = [ReadError::Empty, ReadError::EndOfStream];
                assert!(quiet.contains(&error), "{error}");
            }
        }
    }

    fn release(&mut self, at: usize, direct: bool) {
        let held = self.held.remove(at);
        self.check(&held);
        let returned = self.tickets.release(held.ticket);
        if direct && self.held.is_empty() && returned == held.claimed.cost() {
            self.reader.release(held.claimed).unwrap();
        } else {
            self.reader.return_released().unwrap();
            self.returner.return_space(returned).unwrap();
        }
    }

    fn check(&self, held: &Held) {
        assert!(self.reader.bytes(&held.claimed) == held.data, "frame {}", held.claimed.sequence());
        assert!(self.returner.bytes(&held.claimed) == held.data, "frame {}", held.claimed.sequence());
    }

    /// What holds after every step.
    fn invariants(&mut self) {
        self.held.iter().for_each(|held| self.check(held));
        let found = self.scene.snapshot();
        assert!(found.payload_read_count <= found.payload_written_count);
        let metadata = self.metadata.as_ref().map(Vec::len);
        assert_eq!(self.reader.metadata_len(), Ok(metadata));
        if let Some(expected) = &self.metadata {
            let mut data = std::vec![0; expected.len()];
            self.reader.read_metadata(&mut data).unwrap();
            assert_eq!(&data, expected);
        }
        if self.queue.is_empty() && self.held.is_empty() {
            self.drained();
        }
    }

    /// What holds when everything is read and released.
    fn drained(&mut self) {
        self.reader.return_released().unwrap();
        let capacity = self.capacity();
        assert_eq!(self.scene.snapshot().payload_free_bytes, capacity);
        let largest = usize::try_from(capacity).unwrap() - 16;
        for len in [largest, largest / 2, 1] {
            let reserved = self.writer().try_reserve(len.max(1)).expect("an empty ring takes every frame");
            assert_eq!(self.writer().bytes(&reserved).len(), len.max(1));
        }
    }

    /// Reads and releases everything that is left, the newest frame first where that is allowed.
    fn drain(&mut self) {
        while !self.queue.is_empty() || !self.held.is_empty() {
            if self.tickets.is_full() || self.queue.is_empty() {
                self.release(self.held.len() - 1, true);
            } else {
                self.claim();
            }
            self.invariants();
        }
    }
}

fn run(payload_size: u64, steps: &[Step]) {
    let mut world = World::new(payload_size);
    for step in steps {
        world.step(step);
        world.invariants();
    }
    world.drain();
    // Finding nothing is enough to show what was read.
    assert!(world.reader.try_claim(|| 0).is_err());
    let found = world.scene.snapshot();
    assert_eq!(found.payload_read_count, found.payload_written_count);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn small_rings_hold_what_a_queue_holds(blocks in 1u64..8, steps in steps()) {
        run(blocks * 64, &steps);
    }

    #[test]
    fn rings_of_kilobytes_hold_what_a_queue_holds(blocks in 8u64..512, steps in steps()) {
        run(blocks * 64, &steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    #[test]
    fn a_ring_of_a_megabyte_holds_what_a_queue_holds(steps in steps()) {
        run(1 << 20, &steps);
    }
}
