//! The reference implementations' bytes: our writer makes the same, our reader reads them.
#![forbid(unsafe_code)]

mod interop_hqq;

use std::path::Path;

use strait_core::name::Name;
use strait_core::platform::{Access, Signal as _};
use strait_core::testing::FakePlatform;
use strait_core::zerobuffer::inspect::{Entry, Snapshot};
use strait_core::zerobuffer::{Claimed, Config, Corrupt, ReadError, ReaderEndpoint, WriterEndpoint};

const NAME: &str = "vector";
const READER: u64 = 1;
const WRITER: u64 = 2;
/// Where the payload starts.
const PAYLOAD: usize = 128 + 64;

type Reader = ReaderEndpoint<FakePlatform>;
type Writer = WriterEndpoint<FakePlatform>;

/// A segment of a reference implementation, with its process numbers masked.
struct Vector {
    bytes: Vec<u8>,
    data_ready: u32,
    space_free: u32,
}

impl Vector {
    fn load(file: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/zerobuffer").join(file);
        let text = std::fs::read_to_string(&path).expect("the vector is checked in");
        let mut vector = Self { bytes: Vec::new(), data_ready: 0, space_free: 0 };
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default();
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            match words.as_slice() {
                [] => {}
                ["data_ready", permits] => vector.data_ready = permits.parse().expect("a number"),
                ["space_free", permits] => vector.space_free = permits.parse().expect("a number"),
                [offset, bytes @ ..] => {
                    assert_eq!(usize::from_str_radix(offset, 16).expect("an offset"), vector.bytes.len());
                    let bytes = bytes.iter().map(|byte| u8::from_str_radix(byte, 16).expect("a byte"));
                    vector.bytes.extend(bytes);
                }
            }
        }
        assert_eq!(vector.bytes.len(), PAYLOAD + 256, "{file}");
        vector
    }
}

struct Scene {
    system: FakePlatform,
    reader: Reader,
}

impl Scene {
    /// Our reader's buffer with the reference's sizes.
    fn new() -> Self {
        let system = FakePlatform::new();
        let name = Name::new(NAME).expect("valid");
        let config = Config { metadata_capacity: 64, payload_capacity: 256 };
        let reader = ReaderEndpoint::create(system.clone(), &name, config, Access::default());
        Self { system, reader: reader.expect("created") }
    }

    fn writer(&self) -> Writer {
        let name = Name::new(NAME).expect("valid");
        WriterEndpoint::attach(self.system.process(WRITER), &name).expect("connected")
    }

    /// Puts a reference writer's work into the buffer, under a running writer's number.
    fn load(&self, file: &str) {
        let vector = Vector::load(file);
        let mut bytes = vector.bytes;
        bytes[0x50..0x58].copy_from_slice(&WRITER.to_le_bytes());
        bytes[0x58..0x60].copy_from_slice(&READER.to_le_bytes());
        self.system.segment(NAME).scribble(0, &bytes);
        self.system.signal("sem-w-vector").set(vector.data_ready);
        self.system.signal("sem-r-vector").set(vector.space_free);
    }

    /// The segment and both permits are those of the reference.
    #[track_caller]
    fn expect(&self, file: &str) {
        self.expect_but(file, &[]);
    }

    /// `expect`, where our words differ by design: offset and value.
    #[track_caller]
    fn expect_but(&self, file: &str, ours: &[(usize, u64)]) {
        let mut vector = Vector::load(file);
        for (offset, value) in ours {
            vector.bytes[*offset..offset + 8].copy_from_slice(&value.to_le_bytes());
        }
        let mut found = self.system.segment(NAME).bytes(0, vector.bytes.len());
        found[0x50..0x60].fill(0);
        for (offset, (found, wanted)) in found.iter().zip(&vector.bytes).enumerate() {
            assert_eq!(found, wanted, "{file}: byte at {offset:#x}");
        }
        assert_eq!(self.system.signal("sem-w-vector").permits(), vector.data_ready, "{file}: data_ready");
        assert_eq!(self.system.signal("sem-r-vector").permits(), vector.space_free, "{file}: space_free");
    }

    #[track_caller]
    fn claim(&mut self, held: u64, sequence: u64, len: usize, byte: u8) -> Claimed {
        let claimed = self.reader.try_claim(|| held).expect("a frame");
        assert_eq!((claimed.sequence(), self.reader.bytes(&claimed)), (sequence, &*vec![byte; len]));
        claimed
    }

    #[track_caller]
    fn receive(&mut self, sequence: u64, len: usize, byte: u8) {
        let claimed = self.claim(0, sequence, len, byte);
        self.reader.release(claimed).expect("released");
    }

    #[track_caller]
    fn expect_empty(&mut self) {
        let none = self.reader.try_claim(|| 0);
        assert_eq!(none.err(), Some(ReadError::Empty));
        assert_eq!(self.reader.used_bytes(), Ok(0));
    }

    fn word(&self, offset: usize) -> u64 {
        let bytes = self.system.segment(NAME).bytes(offset, 8);
        u64::from_le_bytes(bytes.try_into().expect("8 bytes"))
    }
}

fn send(writer: &mut Writer, len: usize, byte: u8) {
    let mut reserved = writer.try_reserve(len).expect("room");
    writer.bytes_mut(&mut reserved).fill(byte);
    writer.commit(reserved).expect("commits");
}

fn write_scenario_a(writer: &mut Writer) {
    writer.set_metadata(b"{\"a\":1}").expect("fits");
    for (len, byte) in [(20, 0xa1), (100, 0xb2), (60, 0xc3)] {
        send(writer, len, byte);
    }
}

#[test]
fn our_reader_creates_the_reference_buffer() {
    Scene::new().expect("fresh.hex");
}

#[test]
fn our_writer_makes_scenario_a() {
    let scene = Scene::new();
    write_scenario_a(&mut scene.writer());
    scene.expect("a.hex");
}

#[test]
fn our_reader_holds_a_frame_as_in_scenario_a() {
    let mut scene = Scene::new();
    let mut writer = scene.writer();
    write_scenario_a(&mut writer);
    scene.receive(1, 20, 0xa1);
    let held = scene.claim(0, 2, 100, 0xb2);
    // By itself it happens later: permits are taken in batches.
    scene.reader.prepare_wait();
    // Our read position says how far space was returned; the reference's, how far frames were claimed.
    scene.expect_but("a_held.hex", &[(0x38, 36)]);
    scene.reader.release(held).expect("released");
    scene.receive(3, 60, 0xc3);
    scene.expect_empty();
}

#[test]
fn our_writer_wraps_as_in_scenario_b() {
    let mut scene = Scene::new();
    let mut writer = scene.writer();
    send(&mut writer, 100, 0xa1);
    scene.expect("b_first.hex");
    scene.receive(1, 100, 0xa1);
    scene.reader.prepare_wait();
    send(&mut writer, 50, 0xb2);
    scene.expect("b_before.hex");
    send(&mut writer, 90, 0xc3);
    scene.expect("b.hex");
    scene.receive(2, 50, 0xb2);
    scene.receive(3, 90, 0xc3);
    // Before it sleeps the reader shows its count.
    scene.reader.prepare_wait();
    // As the reference leaves it: free 256, both positions 0x6a, four records.
    assert_eq!([0x28, 0x30, 0x38, 0x40, 0x48].map(|at| scene.word(at)), [0x100, 0x6a, 0x6a, 4, 4]);
}

#[test]
fn our_reader_reads_scenario_a() {
    let mut scene = Scene::new();
    scene.load("a.hex");
    let mut metadata = [0; 7];
    assert_eq!(scene.reader.metadata_len(), Ok(Some(7)));
    scene.reader.read_metadata(&mut metadata).expect("whole");
    assert_eq!(&metadata, b"{\"a\":1}");
    scene.receive(1, 20, 0xa1);
    scene.receive(2, 100, 0xb2);
    scene.receive(3, 60, 0xc3);
    scene.expect_empty();
}

#[test]
fn our_reader_holds_frames_of_scenario_a_and_returns_them_in_order() {
    let mut scene = Scene::new();
    scene.load("a.hex");
    let first = scene.claim(0, 1, 20, 0xa1);
    let second = scene.claim(36, 2, 100, 0xb2);
    let third = scene.claim(152, 3, 60, 0xc3);
    assert_eq!([first.cost(), second.cost(), third.cost()], [36, 116, 76]);
    for claimed in [first, second, third] {
        scene.reader.release(claimed).expect("released");
    }
    scene.expect_empty();
}

#[test]
fn our_reader_follows_the_marker_of_scenario_b() {
    let mut scene = Scene::new();
    scene.load("b_first.hex");
    scene.receive(1, 100, 0xa1);
    scene.reader.prepare_wait();
    scene.load("b_before.hex");
    scene.load("b.hex");
    scene.receive(2, 50, 0xb2);
    scene.receive(3, 90, 0xc3);
    scene.expect_empty();
    scene.reader.prepare_wait();
    assert_eq!([0x28, 0x38, 0x48].map(|at| scene.word(at)), [0x100, 0x6a, 4]);
}

#[test]
fn our_reader_survives_the_gap_of_scenario_c() {
    let mut scene = Scene::new();
    scene.load("c_first.hex");
    scene.receive(1, 230, 0xa1);
    scene.reader.prepare_wait();
    assert_eq!(scene.word(0x38), 0xf6);
    scene.load("c.hex");
    let claimed = scene.claim(0, 2, 50, 0xb2);
    assert_eq!(claimed.cost(), 10 + 66, "the gap is returned with the frame behind it");
    scene.reader.release(claimed).expect("released");
    scene.expect_empty();
    scene.reader.prepare_wait();
    // Counts no marker: none was there.
    assert_eq!(scene.word(0x48), 2);
}

#[test]
fn our_reader_reads_the_exact_fit_of_scenario_d_and_our_writer_goes_on_behind_it() {
    let mut scene = Scene::new();
    scene.load("d.hex");
    scene.receive(1, 240, 0xa1);
    scene.expect_empty();
    // The Python writer has gone, its position still at the end.
    scene.system.segment(NAME).scribble(0x50, &[0; 8]);
    let mut writer = scene.writer();
    assert_eq!(writer.next_sequence(), 2);
    send(&mut writer, 100, 0xb2);
    scene.receive(2, 100, 0xb2);
}

#[test]
fn our_writer_takes_over_from_the_reference_with_its_numbers() {
    for (file, next) in
        [("fresh.hex", 1), ("a.hex", 4), ("b_first.hex", 2), ("b_before.hex", 3), ("b.hex", 4), ("c.hex", 3)]
    {
        let scene = Scene::new();
        scene.load(file);
        scene.system.segment(NAME).scribble(0x50, &[0; 8]);
        assert_eq!(scene.writer().next_sequence(), next, "{file}");
    }
}

#[test]
fn looking_lists_what_each_scenario_holds() {
    let entry = |position, len, sequence| Entry { position, len, sequence };
    let held: [(&str, Vec<Entry>); 5] = [
        ("fresh.hex", vec![]),
        ("a.hex", vec![entry(0, 20, 1), entry(36, 100, 2), entry(152, 60, 3)]),
        ("b.hex", vec![entry(0x74, 50, 2), entry(0xb6, 0, 0), entry(0, 90, 3)]),
        ("c.hex", vec![entry(0, 50, 2)]),
        ("d.hex", vec![entry(0, 240, 1)]),
    ];
    for (file, wanted) in held {
        let scene = Scene::new();
        scene.load(file);
        let segment = scene.system.segment(NAME);
        let snapshot = Snapshot::of::<_, ()>(&segment).expect("long enough");
        let mut found = Vec::new();
        snapshot.unread(&segment, 10, |entry| found.push(entry));
        assert_eq!(found, wanted, "{file}");
        assert_eq!(Snapshot::check::<_, ()>(&segment), Ok(()), "{file}");
    }
}

#[test]
fn a_header_size_set_to_zero_or_beyond_the_ring_is_told_with_its_numbers() {
    for (size, sequence) in [(0u64, 0u64), (21, 1), (240, 1), (241, 1), (u64::MAX - 7, 1), (u64::MAX, 1)] {
        let mut scene = Scene::new();
        scene.load("a.hex");
        let segment = scene.system.segment(NAME);
        segment.scribble(PAYLOAD, &size.to_le_bytes());
        segment.scribble(PAYLOAD + 8, &sequence.to_le_bytes());
        match scene.reader.try_claim(|| 0) {
            // A longer frame that still lies within what is committed cannot be told from a good one.
            Ok(claimed) => assert_eq!((size, claimed.len()), (21, 21)),
            Err(ReadError::Corrupt(Corrupt { found, .. })) => assert!(found == size || size == 0),
            Err(error) => panic!("{size}: {error:?}"),
        }
        assert_eq!(scene.word(0x28), 28, "nothing was returned for it");
    }
}
