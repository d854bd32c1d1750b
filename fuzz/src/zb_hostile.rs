//! A reader and a writer at work, and between any two of their steps a peer that keeps no rule.
//!
//! As long as that peer has done nothing, every frame must arrive as it was sent.

use std::collections::VecDeque;

use strait_core::name::Name;
use strait_core::platform::{Access, Segment as _};
use strait_core::testing::{FakeError, FakePlatform, HeapSegment};
use strait_core::zerobuffer::inspect::Snapshot;
use strait_core::zerobuffer::release::{ReleaseQueue, Ticket};
use strait_core::zerobuffer::{Claimed, Config, ReadError, ReaderEndpoint, Reserved, WriterEndpoint};

use crate::bytes::Bytes;

const NAME: &str = "hostile";
/// Most steps of one input.
const STEPS: usize = 400;
/// Most frames held at once.
const HELD: usize = 8;
/// Processes of the fake system have numbers below 1000.
const LAST_PID: u64 = 900;

/// Plays the steps that `data` stand for. Nothing waits.
pub fn zb_hostile(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let blocks = u64::from(bytes.u8());
    let config =
        Config { metadata_capacity: (blocks >> 4) % 3 * 64, payload_capacity: (blocks % 16 + 1) * 64 };
    let mut play = Play::new(config);
    for _ in 0..STEPS {
        if bytes.is_empty() {
            break;
        }
        play.step(&mut bytes);
    }
    play.end();
}

struct Play {
    system: FakePlatform,
    segment: HeapSegment,
    reader: ReaderEndpoint<FakePlatform>,
    writer: Option<WriterEndpoint<FakePlatform>>,
    writer_pid: u64,
    /// Killed ones: they close nothing while anybody looks.
    killed: Vec<WriterEndpoint<FakePlatform>>,
    /// Deaths that were told before the frames of the next writer.
    told: usize,
    reserved: Option<Reserved>,
    held: Vec<(Claimed, Ticket)>,
    queue: ReleaseQueue<HELD>,
    /// Number and length of each frame committed and not yet claimed; `None` once the peer has touched anything.
    expected: Option<VecDeque<(u64, usize)>>,
}

impl Play {
    fn new(config: Config) -> Self {
        let system = FakePlatform::new();
        let reader = ReaderEndpoint::create(system.clone(), &name(), config, Access::default());
        let reader = reader.expect("the system is empty");
        let segment = system.segment(NAME);
        let mut play = Self {
            system,
            segment,
            reader,
            writer: None,
            writer_pid: 2,
            killed: Vec::new(),
            told: 0,
            reserved: None,
            held: Vec::new(),
            queue: ReleaseQueue::new(),
            expected: Some(VecDeque::new()),
        };
        play.connect();
        play
    }

    fn capacity(&self) -> u64 {
        self.reader.geometry().payload_size
    }

    fn step(&mut self, bytes: &mut Bytes<'_>) {
        match bytes.u8() % 24 {
            0..=3 => self.send(usize::from(bytes.u8())),
            4 => self.send(usize::from(bytes.u16())),
            5..=8 => self.receive(),
            9 => self.reserve(usize::from(bytes.u16())),
            10 => self.commit(),
            11 => self.reserved = None,
            12 | 13 => self.hold(),
            14 => self.release(usize::from(bytes.u8()), false),
            15 => self.release(usize::from(bytes.u8()), true),
            16 => self.metadata(usize::from(bytes.u8())),
            17 => {
                self.close_writer(bytes.u8().is_multiple_of(2));
                self.connect();
            }
            18 => self.refuse_others(),
            19 => self.look(),
            20 => {
                self.reader.prepare_wait();
                if let Some(writer) = &mut self.writer {
                    writer.prepare_wait();
                }
            }
            21 => self.scribble_word(bytes),
            22 => self.scribble_bytes(bytes),
            _ => self.set_permits(bytes),
        }
    }

    fn connect(&mut self) {
        if self.writer.is_none() {
            let writer = WriterEndpoint::attach(self.system.process(self.writer_pid), &name());
            assert!(writer.is_ok() || self.expected.is_none(), "{writer:?}");
            self.writer = writer.ok();
        }
    }

    /// Closes in order, or as `kill -9` does.
    fn close_writer(&mut self, killed: bool) {
        self.reserved = None;
        let Some(writer) = self.writer.take() else { return };
        if killed && self.writer_pid < LAST_PID {
            self.killed.push(writer);
            self.system.kill(self.writer_pid);
            self.writer_pid += 1;
        }
    }

    fn send(&mut self, len: usize) {
        self.reserve(len);
        self.commit();
    }

    fn reserve(&mut self, len: usize) {
        self.reserved = None;
        let Some(writer) = &mut self.writer else { return };
        if let Ok(mut reserved) = writer.try_reserve(len) {
            let sequence = writer.next_sequence();
            let bytes = writer.bytes_mut(&mut reserved);
            assert_eq!(bytes.len(), len);
            bytes.fill(mark(sequence));
            self.reserved = Some(reserved);
        }
    }

    fn commit(&mut self) {
        let (Some(writer), Some(reserved)) = (&mut self.writer, self.reserved.take()) else { return };
        let len = reserved.len();
        let outcome = writer.commit(reserved);
        if let Some(expected) = &mut self.expected {
            expected.push_back((outcome.expect("nothing is wrong"), len));
        }
    }

    fn claim(&mut self) -> Option<Claimed> {
        let queue = &self.queue;
        match self.reader.try_claim(|| queue.held()) {
            Ok(claimed) => {
                let bytes = self.reader.bytes(&claimed);
                assert_eq!(bytes.len(), claimed.len());
                let start = bytes.as_ptr().addr() - self.segment.base().as_ptr().addr();
                assert!(start + bytes.len() <= self.segment.len());
                let sum = bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
                if let Some(expected) = &mut self.expected {
                    let wanted = expected.pop_front();
                    assert_eq!(wanted, Some((claimed.sequence(), claimed.len())));
                    assert!(bytes.iter().all(|byte| *byte == mark(claimed.sequence())), "sum {sum}");
                }
                Some(claimed)
            }
            // A death that the next writer covered comes before that one's frames, and once.
            Err(ReadError::WriterDead { .. })
                if self.expected.as_ref().is_some_and(|expected| !expected.is_empty()) =>
            {
                self.told += 1;
                assert!(self.told <= self.killed.len(), "{} deaths of {}", self.told, self.killed.len());
                self.claim()
            }
            Err(error) => {
                if let Some(expected) = &self.expected {
                    assert!(expected.is_empty(), "{error:?} instead of {expected:?}");
                    let told = matches!(
                        error,
                        ReadError::Empty | ReadError::EndOfStream | ReadError::WriterDead { .. }
                    );
                    assert!(told, "{error:?}");
                }
                None
            }
        }
    }

    fn receive(&mut self) {
        if !self.held.is_empty() {
            // Released in the order of the frames: held ones come first.
            self.hold();
            return self.release(self.held.len() - 1, false);
        }
        if let Some(claimed) = self.claim() {
            let outcome = self.reader.release(claimed);
            assert!(outcome.is_ok() || self.expected.is_none(), "{outcome:?}");
        }
    }

    fn hold(&mut self) {
        if self.queue.is_full() {
            return;
        }
        if let Some(claimed) = self.claim() {
            let ticket = self.queue.push(claimed.cost()).expect("not full");
            self.held.push((claimed, ticket));
        }
    }

    /// Releases one of the held frames, here or as another thread does.
    fn release(&mut self, at: usize, elsewhere: bool) {
        if self.held.is_empty() {
            return;
        }
        let (claimed, ticket) = self.held.remove(at % self.held.len());
        if self.expected.is_some() {
            let bytes = self.reader.bytes(&claimed);
            assert!(bytes.iter().all(|byte| *byte == mark(claimed.sequence())), "overwritten while held");
        }
        let bytes = self.queue.release(ticket);
        let outcome = if elsewhere {
            self.reader.returner().return_space(bytes)
        } else {
            self.reader.release_bytes(bytes)
        };
        assert!(outcome.is_ok() || self.expected.is_none(), "{outcome:?}");
    }

    fn metadata(&mut self, len: usize) {
        if let Some(writer) = &mut self.writer {
            let _ = writer.set_metadata(&vec![0x55; len]);
        }
        if let Ok(Some(len)) = self.reader.metadata_len() {
            let mut metadata = vec![0; len];
            assert!(len as u64 <= self.reader.geometry().metadata_size);
            self.reader.read_metadata(&mut metadata).expect("as long as it said");
        }
    }

    /// Another writer and another reader try to come in.
    fn refuse_others(&mut self) {
        let writer = WriterEndpoint::attach(self.system.process(LAST_PID + 1), &name());
        if self.expected.is_some() && self.writer.is_some() {
            assert!(writer.is_err());
        }
        drop(writer);
        let config = Config { metadata_capacity: 0, payload_capacity: 64 };
        let other = self.system.process(LAST_PID + 2);
        // The lock is held, whatever the words say.
        assert!(ReaderEndpoint::create(other, &name(), config, Access::default()).is_err());
    }

    fn look(&mut self) {
        let snapshot = Snapshot::of::<_, FakeError>(&self.segment).expect("long enough");
        let _ = Snapshot::check::<_, FakeError>(&self.segment);
        let mut entries = Vec::new();
        snapshot.unread(&self.segment, 100, |entry| entries.push(entry));
        let _ = snapshot.metadata(&self.segment, &mut [0; 64]);
        let _ = (self.reader.is_writer_connected(), self.reader.used_bytes(), self.reader.counters());
        if let Some(writer) = &mut self.writer {
            let _ = (writer.is_reader_connected(), writer.free_bytes(), writer.counters());
        }
    }

    fn scribble_word(&mut self, bytes: &mut Bytes<'_>) {
        self.expected = None;
        let words = self.segment.len() / 8;
        // The control block twice as often as all the rest.
        let at = usize::from(bytes.u8());
        let at = if at < 170 { at % 16 } else { usize::from(bytes.u16()) % words };
        let value = bytes.value(self.capacity());
        self.segment.scribble_u64(at * 8, value);
    }

    fn scribble_bytes(&mut self, bytes: &mut Bytes<'_>) {
        self.expected = None;
        // Mostly headers, which stand at any byte of the ring.
        let at = usize::from(bytes.u16()) % (self.segment.len() - 8);
        let value = bytes.value(self.capacity());
        self.segment.scribble(at, &value.to_le_bytes());
    }

    fn set_permits(&mut self, bytes: &mut Bytes<'_>) {
        self.expected = None;
        let what = bytes.u8();
        let signal = if what.is_multiple_of(2) { "sem-w-hostile" } else { "sem-r-hostile" };
        let permits = match what >> 5 {
            0 => 0,
            1 => 1,
            2 => 5,
            3 => i32::MAX.unsigned_abs(),
            4 => u32::MAX,
            _ => bytes.u32(),
        };
        self.system.signal(signal).set(permits);
    }

    /// Everything that was committed comes, all space goes back, and nothing is left.
    fn end(mut self) {
        while let Some((_, ticket)) = self.held.pop() {
            let bytes = self.queue.release(ticket);
            let _ = self.reader.release_bytes(bytes);
        }
        // Bounded: a hostile ring of 1 KiB holds fewer frames, or errors.
        for _ in 0..200 {
            self.receive();
        }
        if let Some(expected) = &self.expected {
            assert!(expected.is_empty(), "{expected:?}");
            assert_eq!(self.reader.used_bytes(), Ok(0));
        }
        let system = self.system.clone();
        drop(self);
        assert!(system.leftovers().is_empty());
    }
}

fn name() -> Name {
    Name::new(NAME).expect("valid")
}

/// What every byte of the frame of that number is.
fn mark(sequence: u64) -> u8 {
    // Never 0, which a zeroed ring is full of.
    u8::try_from(sequence % 255 + 1).expect("at most 255")
}
