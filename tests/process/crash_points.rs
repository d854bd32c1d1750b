//! A writer killed between any two stores of a commit, and inside a reservation: played out word by word.

use core::time::Duration;

use strait_core::name::Name;
use strait_core::platform::{Access, Clock as _, Pid, Signal as _};
use strait_core::testing::{FakeError, FakePlatform, HeapSegment};
use strait_core::time::Deadline;
use strait_core::zerobuffer::{AttachError, Config, ReadError, ReaderEndpoint, WriteError, WriterEndpoint};
use strait_tests::pattern;

const WRITER: u64 = 2;
const NEXT_WRITER: u64 = 3;
/// More than any frame that comes at all needs; what does not come within it never does.
const ENOUGH: Duration = Duration::from_secs(3);
const CAPACITY: u64 = 1024;
/// Where the payload starts: there is no metadata block.
const PAYLOAD: usize = 128;

type Reader = ReaderEndpoint<FakePlatform>;
type Writer = WriterEndpoint<FakePlatform>;

fn name() -> Name {
    Name::new("crash").expect("valid")
}

fn create(system: &FakePlatform) -> Reader {
    let config = Config { metadata_capacity: 0, payload_capacity: CAPACITY };
    ReaderEndpoint::create(system.clone(), &name(), config, Access::default()).expect("created")
}

fn connect(system: &FakePlatform, pid: u64) -> Writer {
    WriterEndpoint::attach(system.process(pid), &name()).expect("connected")
}

fn send(writer: &mut Writer, len: usize) -> u64 {
    let sequence = writer.next_sequence();
    let mut reserved = writer.try_reserve(len).expect("room");
    pattern::fill(writer.bytes_mut(&mut reserved), sequence);
    writer.commit(reserved).expect("commits")
}

/// Why a frame was not received.
#[derive(Debug, PartialEq, Eq)]
enum NotReceived {
    Refused(ReadError<FakeError>),
    /// The frame of that number was delivered with bytes that are not its own.
    Torn(u64),
}
use NotReceived::{Refused, Torn};

fn receive(reader: &mut Reader) -> Result<u64, NotReceived> {
    let deadline = Deadline::At(reader.platform().now().saturating_add(ENOUGH));
    let claimed = reader.claim(deadline, || 0).map_err(Refused)?;
    let sequence = claimed.sequence();
    let torn = pattern::first_wrong(reader.bytes(&claimed), sequence);
    reader.release(claimed).map_err(Refused)?;
    if torn.is_some() { Err(Torn(sequence)) } else { Ok(sequence) }
}

/// Bytes of the segment.
fn image(segment: &HeapSegment) -> Vec<u8> {
    segment.bytes(0, PAYLOAD + usize::try_from(CAPACITY).expect("small"))
}

/// One store of a commit: where, and which bytes.
type Store = (usize, Vec<u8>);

/// The stores of a commit that takes a segment from `before` to `after`, in the order in which they are made: free
/// bytes, header, wrap marker, read position (a rewind), the last 16 free bytes (a frame that takes the whole ring),
/// write position, count.
fn stores(before: &[u8], after: &[u8], header: usize, marker: Option<usize>, rewinds: bool) -> Vec<Store> {
    const FREE: usize = 0x28;
    let word = |image: &[u8]| u64::from_le_bytes(image[FREE..FREE + 8].try_into().expect("8 bytes"));
    let takes_all = word(before) - word(after) == CAPACITY;
    let from_after = |offset: usize, len: usize| (offset, after[offset..offset + len].to_vec());
    let mut stores = Vec::new();
    if takes_all {
        stores.push((FREE, 16u64.to_le_bytes().to_vec()));
    } else {
        stores.push(from_after(FREE, 8));
    }
    stores.push(from_after(PAYLOAD + header, 16));
    stores.extend(marker.map(|marker| from_after(PAYLOAD + marker, 16)));
    if rewinds {
        stores.push(from_after(0x38, 8));
    }
    if takes_all {
        stores.push(from_after(FREE, 8));
    }
    stores.push(from_after(0x30, 8));
    stores.push(from_after(0x40, 8));
    stores
}

/// What is in the ring when the writer starts its last frame.
struct Scene {
    what: &'static str,
    /// Frames sent and received before.
    read: &'static [usize],
    /// Frames sent before and not yet received.
    unread: &'static [usize],
    /// The frame that is being sent.
    last: usize,
    /// Where its header goes, and where the wrap marker, if any.
    header: usize,
    marker: Option<usize>,
    rewinds: bool,
}

const SCENES: [Scene; 7] = [
    Scene {
        what: "the first frame",
        read: &[],
        unread: &[],
        last: 100,
        header: 0,
        marker: None,
        rewinds: false,
    },
    Scene {
        what: "behind others",
        read: &[84, 84],
        unread: &[84],
        last: 100,
        header: 300,
        marker: None,
        rewinds: false,
    },
    Scene {
        what: "to the very end",
        read: &[484],
        unread: &[],
        last: 508,
        header: 500,
        marker: None,
        rewinds: false,
    },
    Scene {
        what: "a wrap",
        read: &[384, 384],
        unread: &[84],
        last: 300,
        header: 0,
        marker: Some(900),
        rewinds: false,
    },
    Scene {
        what: "a wrap of an empty ring",
        read: &[384, 484],
        unread: &[],
        last: 200,
        header: 0,
        marker: Some(900),
        rewinds: false,
    },
    // The frame ends where the write position stood: the walk for the number must not be misled.
    Scene {
        what: "a wrap up to the write position",
        read: &[484, 444],
        unread: &[],
        last: 944,
        header: 0,
        marker: Some(960),
        rewinds: false,
    },
    Scene { what: "a rewind", read: &[584], unread: &[], last: 800, header: 0, marker: None, rewinds: true },
];

/// A buffer whose writer was killed in the middle of a commit.
struct Crash {
    what: String,
    system: FakePlatform,
    reader: Reader,
    /// The number of the frame that was being sent.
    last: u64,
    /// The number that the reader expects next.
    next: u64,
    /// The number of the last frame that must be received: all that were committed, and the torn one from the store of
    /// the write position on.
    committed: u64,
    /// Gaps told of, which there must not be.
    gaps: u32,
    /// How often the death was told.
    told: u32,
    /// Whether the torn frame may be received as well: its space is taken, its data and header stand in the ring.
    torn_is_whole: bool,
}

/// Plays `scene` and kills the writer after the first `made` stores of its commit; `None` if it has not as many.
fn crash(scene: &Scene, made: usize) -> Option<Crash> {
    let what = format!("{}, killed after {made} stores", scene.what);
    let system = FakePlatform::new();
    let mut reader = create(&system);
    let mut writer = connect(&system, WRITER);
    let segment = system.segment("crash");
    let mut sent = 0;
    for len in scene.read {
        sent = send(&mut writer, *len);
        assert_eq!(receive(&mut reader), Ok(sent), "{what}");
    }
    let next = sent + 1;
    for len in scene.unread {
        sent = send(&mut writer, *len);
    }

    // The frame's data stand in the ring before the commit.
    let mut reserved = writer.try_reserve(scene.last).expect("room");
    pattern::fill(writer.bytes_mut(&mut reserved), sent + 1);
    let before = image(&segment);
    let data_ready = system.signal("sem-w-crash");
    let announced = data_ready.permits();
    writer.commit(reserved).expect("commits");
    let after = image(&segment);

    let stores = stores(&before, &after, scene.header, scene.marker, scene.rewinds);
    let apply = |stores: &[Store]| {
        let mut image = before.clone();
        for (offset, bytes) in stores {
            image[*offset..offset + bytes.len()].copy_from_slice(bytes);
        }
        image
    };
    assert!(apply(&stores) == after, "{what}: these are all the stores of a commit");
    let torn = apply(stores.get(..made)?);
    segment.scribble(0, &torn);
    data_ready.set(announced);
    system.kill(WRITER);
    // Killed: it closes nothing.
    core::mem::forget(writer);
    let position_at = stores.iter().position(|store| store.0 == 0x30).expect("among them");
    let committed = sent + u64::from(made > position_at);
    Some(Crash {
        what,
        system,
        reader,
        last: sent + 1,
        next,
        committed,
        gaps: 0,
        told: 0,
        torn_is_whole: made >= 2,
    })
}

/// Every scene, killed at every point.
fn crashes() -> impl Iterator<Item = Crash> {
    SCENES.iter().flat_map(|scene| (0..).map_while(|made| crash(scene, made)))
}

impl Crash {
    /// Every frame that must come has come, and none that must not.
    #[track_caller]
    fn check_received(&self) {
        let received = self.next - 1;
        let most = self.committed.max(if self.torn_is_whole { self.last } else { 0 });
        assert!((self.committed..=most).contains(&received), "{}: {received} frames", self.what);
    }

    /// Receives what the dead writer left, and then the news of its death.
    fn drain(&mut self) {
        loop {
            match receive(&mut self.reader) {
                Ok(sequence) => {
                    assert_eq!(sequence, self.next, "{}", self.what);
                    self.next += 1;
                }
                Err(Refused(ReadError::WriterDead { pid })) => {
                    assert_eq!(pid.0, WRITER, "{}", self.what);
                    return;
                }
                Err(error) => panic!("{}: {error:?}", self.what),
            }
        }
    }

    fn hear_of(&mut self, dead: Pid) {
        assert_eq!(dead.0, WRITER, "{}", self.what);
        self.told += 1;
    }

    /// Connects another writer, letting the reader look first where the ring does not say what is in use.
    fn connect_next(&mut self) -> Writer {
        loop {
            match WriterEndpoint::attach(self.system.process(NEXT_WRITER), &name()) {
                Ok(writer) => return writer,
                Err(AttachError::Unsettled { pid }) => assert_eq!(pid.0, WRITER, "{}", self.what),
                Err(error) => panic!("{}: {error:?}", self.what),
            }
            match receive(&mut self.reader) {
                Ok(sequence) => {
                    assert_eq!(sequence, self.next, "{}", self.what);
                    self.next += 1;
                }
                Err(Refused(ReadError::WriterDead { pid })) => self.hear_of(pid),
                Err(error) => panic!("{}: {error:?}", self.what),
            }
        }
    }

    /// Lets another writer connect and send frames, which must all arrive after what the dead one left.
    ///
    /// # Errors
    /// What did not come, or had no room.
    fn restart(&mut self) -> Result<(), String> {
        let failed = |error: &dyn core::fmt::Debug| format!("{error:?}");
        let mut writer = self.connect_next();
        for len in [50, 200, 100, 1, 300] {
            if matches!(writer.try_reserve(len), Err(WriteError::Full { .. })) {
                // What the dead writer left fills the ring.
                let mut received = receive(&mut self.reader);
                if let Err(Refused(ReadError::WriterDead { pid })) = received {
                    self.hear_of(pid);
                    received = receive(&mut self.reader);
                }
                assert_eq!(received.map_err(|error| failed(&error))?, self.next, "{}", self.what);
                self.next += 1;
            }
            let sequence = send(&mut writer, len);
            loop {
                match receive(&mut self.reader) {
                    Ok(found) if found == sequence => break,
                    Ok(found) => {
                        assert_eq!(found, self.next, "{}", self.what);
                        self.next += 1;
                    }
                    // The frame is kept for the next call.
                    Err(Refused(ReadError::SequenceGap { .. })) => self.gaps += 1,
                    Err(Refused(ReadError::WriterDead { pid })) => self.hear_of(pid),
                    Err(error) => return Err(failed(&error)),
                }
            }
        }
        drop(writer);
        match receive(&mut self.reader) {
            Err(Refused(ReadError::EndOfStream)) => Ok(()),
            other => Err(failed(&other)),
        }
    }
}

/// Fails with all of `failures`, if there are any.
#[track_caller]
fn expect_none(failures: &[String]) {
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn every_committed_frame_arrives_once_and_no_space_is_lost() {
    for mut crash in crashes() {
        crash.drain();
        crash.check_received();
        assert_eq!(crash.reader.used_bytes(), Ok(0), "{}", crash.what);
    }
}

#[test]
fn frames_held_meanwhile_delay_the_cleaning_up_and_are_safe() {
    for mut crash in crashes() {
        let Ok(held) = crash.reader.try_claim(|| 0) else { continue };
        let cost = held.cost();
        let end = loop {
            match crash.reader.try_claim(|| cost) {
                // The scenes leave one frame to hold and at most one more.
                Ok(claimed) => assert_eq!(claimed.sequence(), crash.committed, "{}", crash.what),
                Err(error) => break error,
            }
        };
        assert!(matches!(end, ReadError::WriterDead { .. }), "{}: {end:?}", crash.what);
        pattern::check(crash.reader.bytes(&held), crash.next);
    }
}

#[test]
fn the_next_writer_goes_on_with_the_numbers() {
    let mut failures = Vec::new();
    for mut crash in crashes() {
        crash.drain();
        // The reader takes a number 1 for a new writer's; existing readers refuse anything but the next number.
        let first = connect(&crash.system, NEXT_WRITER).next_sequence();
        if first != crash.next {
            failures.push(format!("{}: {first} instead of {}", crash.what, crash.next));
        }
    }
    expect_none(&failures);
}

#[test]
fn the_next_writers_frames_arrive_and_no_gap_is_told_of() {
    let mut failures = Vec::new();
    for mut crash in crashes() {
        crash.drain();
        if let Err(error) = crash.restart() {
            failures.push(format!("{}: {error}", crash.what));
        } else if crash.gaps > 0 {
            failures.push(format!("{}: a gap that is none", crash.what));
        }
    }
    expect_none(&failures);
}

#[test]
fn a_writer_that_connects_before_the_reader_looks_loses_no_frame() {
    let mut failures = Vec::new();
    for mut crash in crashes() {
        match crash.restart() {
            Ok(()) => {
                crash.check_received();
                assert!(crash.told > 0, "{}: the death was not told", crash.what);
            }
            Err(error) => failures.push(format!("{}: {error}", crash.what)),
        }
    }
    expect_none(&failures);
}

#[test]
fn a_writer_that_connects_before_the_reader_looks_loses_no_space() {
    let mut failures = Vec::new();
    for mut crash in crashes() {
        // Whether it worked is another test.
        let _ = crash.restart();
        if let Ok(used @ 1..) = crash.reader.used_bytes() {
            failures.push(format!("{}: {used} bytes", crash.what));
        }
    }
    expect_none(&failures);
}
