//! Both ends of a buffer over the platform: what a user of the system sees in the end.

use core::time::Duration;
use std::thread;

use strait_core::name::Name;
use strait_core::platform::{Access, Clock as _, Liveness as _, LockState, Pid, Platform, Watch as _};
use strait_core::time::Deadline;
use strait_core::zerobuffer::inspect::Snapshot;
use strait_core::zerobuffer::{
    AttachError, Config, CreateError, MetadataError, ReadError, ReaderEndpoint, WriteError, WriterEndpoint,
};
use strait_tests::pattern::{self, Numbers};

use crate::scene::Scene;
use crate::system::{Process as _, System};

type Reader<S> = ReaderEndpoint<<S as System>::Platform>;
type Writer<S> = WriterEndpoint<<S as System>::Platform>;
type ErrorOf<S> = <<S as System>::Platform as Platform>::Error;

fn try_create<S: System>(
    scene: &Scene<S>,
    name: &Name,
    payload: u64,
) -> Result<Reader<S>, CreateError<ErrorOf<S>>> {
    let config = Config { metadata_capacity: 64, payload_capacity: payload };
    ReaderEndpoint::create(scene.platform.clone(), name, config, Access::default())
}

#[track_caller]
fn create<S: System>(scene: &Scene<S>, name: &Name, payload: u64) -> Reader<S> {
    try_create(scene, name, payload).expect("the name is free")
}

fn try_attach<S: System>(scene: &Scene<S>, name: &Name) -> Result<Writer<S>, AttachError<ErrorOf<S>>> {
    WriterEndpoint::attach(scene.system.second(), name)
}

#[track_caller]
fn attach<S: System>(scene: &Scene<S>, name: &Name) -> Writer<S> {
    try_attach(scene, name).expect("a reader waits for a writer")
}

/// Sends one frame of the pattern; returns its number.
#[track_caller]
fn write<P: Platform>(writer: &mut WriterEndpoint<P>, len: usize, deadline: Deadline) -> u64 {
    let sequence = writer.next_sequence();
    let mut reserved = writer.reserve(len, deadline).expect("there is room");
    pattern::fill(writer.bytes_mut(&mut reserved), sequence);
    assert_eq!(writer.commit(reserved).expect("commits"), sequence);
    sequence
}

/// Receives one frame, which must be whole; returns its number and length.
#[track_caller]
fn read<P: Platform>(
    reader: &mut ReaderEndpoint<P>,
    deadline: Deadline,
) -> Result<(u64, usize), ReadError<P::Error>> {
    let claimed = reader.claim(deadline, || 0)?;
    pattern::check(reader.bytes(&claimed), claimed.sequence());
    let found = (claimed.sequence(), claimed.len());
    reader.release(claimed)?;
    Ok(found)
}

/// Sends and receives `count` frames.
#[track_caller]
fn pass<S: System>(scene: &Scene<S>, writer: &mut Writer<S>, reader: &mut Reader<S>, count: usize) {
    for _ in 0..count {
        let sequence = write(writer, 40, scene.patience());
        assert_eq!(read(reader, scene.patience()).expect("a frame"), (sequence, 40));
    }
}

/// Takes the end of the stream, which must come next and stay.
#[track_caller]
fn expect_end<S: System>(scene: &Scene<S>, reader: &mut Reader<S>) {
    for _ in 0..2 {
        let outcome = read(reader, scene.patience());
        assert!(matches!(outcome, Err(ReadError::EndOfStream)), "{outcome:?}");
    }
}

/// Waits for space, of which there is too little, until the news that the reader has gone, which must come and stay.
#[track_caller]
fn expect_reader_dead<S: System>(scene: &Scene<S>, writer: &mut Writer<S>) {
    let whole = usize::try_from(writer.geometry().max_frame_len()).expect("small");
    for _ in 0..2 {
        let outcome = writer.reserve(whole, scene.patience()).map(drop);
        assert!(matches!(outcome, Err(WriteError::ReaderDead { .. })), "{outcome:?}");
        assert!(!writer.is_reader_connected());
    }
}

pub(crate) fn frames_of_odd_sizes_arrive_whole_for_many_laps<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("laps");
    let mut reader = create(&scene, &name, 1000);
    let mut writer = attach(&scene, &name);
    assert_eq!(reader.geometry().payload_size, 1024);
    assert_eq!(writer.geometry(), reader.geometry());
    let mut numbers = Numbers::new(1);
    // At each number of frames waiting, some 60 laps in all.
    for waiting in (1..=3).cycle().take(60) {
        let sent: Vec<(u64, usize)> = (0..waiting)
            .map(|_| {
                let len = 1 + numbers.below(300);
                (write(&mut writer, len, scene.patience()), len)
            })
            .collect();
        for frame in sent {
            assert_eq!(read(&mut reader, scene.patience()).expect("a frame"), frame);
        }
    }
    // The largest frame takes the whole ring.
    let max = usize::try_from(writer.geometry().max_frame_len()).expect("small");
    for len in [max, 1, max, max - 1, max] {
        let sequence = write(&mut writer, len, scene.patience());
        assert_eq!(read(&mut reader, scene.patience()).expect("a frame"), (sequence, len));
    }
    assert_eq!(reader.counters().frames, writer.counters().frames);
}

pub(crate) fn two_threads_wait_for_each_other<S: System>() {
    const FRAMES: u64 = 3000;
    const MAX: usize = 700;
    let scene = Scene::<S>::new();
    let name = scene.name("threads");
    // At most a few frames fit: each end waits for the other again and again.
    let mut reader = create(&scene, &name, 1024);
    let mut writer = attach(&scene, &name);
    let deadline = scene.patience();
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut numbers = Numbers::new(7);
            for _ in 0..FRAMES {
                write(&mut writer, 1 + numbers.below(MAX), deadline);
            }
        });
        let mut numbers = Numbers::new(7);
        for sequence in 1..=FRAMES {
            let expected = (sequence, 1 + numbers.below(MAX));
            assert_eq!(read(&mut reader, deadline).expect("a frame"), expected);
        }
        expect_end(&scene, &mut reader);
    });
}

pub(crate) fn metadata_are_read_as_written<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("metadata");
    let reader = create(&scene, &name, 1024);
    let mut writer = attach(&scene, &name);
    assert_eq!(reader.metadata_len(), Ok(None));
    let text = b"{\"width\":640,\"height\":480}";
    writer.set_metadata(text).expect("it fits");
    assert_eq!(reader.metadata_len(), Ok(Some(text.len())));
    let mut found = vec![0; text.len()];
    reader.read_metadata(&mut found).expect("it is there");
    assert_eq!(found, text);
    let len = u64::try_from(text.len()).expect("small");
    assert_eq!(writer.set_metadata(b"again"), Err(MetadataError::AlreadyWritten { len }));
}

pub(crate) fn a_buffer_can_be_looked_at_by_name<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("inspect");
    let mut reader = create(&scene, &name, 1024);
    let mut writer = attach(&scene, &name);
    for len in [10, 20, 30] {
        write(&mut writer, len, scene.patience());
    }
    let look = || {
        let segment = scene.platform.open_segment(&name).expect("it exists");
        let snapshot = Snapshot::of::<_, ErrorOf<S>>(&segment).expect("it has an OIEB");
        let mut unread = Vec::new();
        snapshot.unread(&segment, 10, |entry| unread.push((entry.sequence, entry.len)));
        (snapshot, unread)
    };
    let (snapshot, unread) = look();
    assert_eq!(snapshot.reader_pid, scene.platform.this());
    assert_eq!(snapshot.writer_pid, scene.system.second().this());
    assert_eq!((snapshot.payload_size, snapshot.oieb_size), (1024, 128));
    assert_eq!(unread, [(1, 10), (2, 20), (3, 30)]);
    drop(writer);
    assert_eq!(look().0.writer_pid, Pid(0));
    assert_eq!(look().1, unread, "looking takes nothing");
    for frame in [(1, 10), (2, 20), (3, 30)] {
        assert_eq!(read(&mut reader, scene.patience()).expect("a frame"), frame);
    }
}

pub(crate) fn there_is_nothing_to_attach_to_before_a_reader<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("nothing");
    for _ in 0..3 {
        let outcome = try_attach(&scene, &name);
        assert!(matches!(outcome, Err(AttachError::NotFound)), "{outcome:?}");
        let mut reader = create(&scene, &name, 1024);
        let mut writer = attach(&scene, &name);
        pass(&scene, &mut writer, &mut reader, 2);
        // What the reader leaves, it leaves to nobody.
        drop((reader, writer));
    }
}

pub(crate) fn a_second_writer_is_refused<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("writers");
    let mut reader = create(&scene, &name, 1024);
    let mut writer = attach(&scene, &name);
    pass(&scene, &mut writer, &mut reader, 1);
    for platform in [scene.platform.clone(), scene.system.second()] {
        let outcome = WriterEndpoint::attach(platform, &name);
        let pid = scene.system.second().this();
        let refused =
            matches!(outcome, Err(AttachError::WriterAlreadyConnected { pid: found }) if found == pid);
        assert!(refused, "{outcome:?}");
    }
    assert!(reader.is_writer_connected().expect("looks"));
    pass(&scene, &mut writer, &mut reader, 5);
}

pub(crate) fn a_second_reader_is_refused<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("readers");
    let mut reader = create(&scene, &name, 1024);
    let mut writer = attach(&scene, &name);
    for platform in [scene.platform.clone(), scene.system.second()] {
        let config = Config { metadata_capacity: 64, payload_capacity: 2048 };
        let outcome = ReaderEndpoint::create(platform, &name, config, Access::default());
        let pid = scene.platform.this();
        let refused =
            matches!(outcome, Err(CreateError::ReaderAlreadyConnected { pid: found }) if found == pid);
        assert!(refused, "{outcome:?}");
    }
    // The first is as it was.
    assert_eq!(scene.platform.probe_lock(&name), LockState::Held);
    assert!(writer.is_reader_connected());
    pass(&scene, &mut writer, &mut reader, 5);
}

pub(crate) fn a_writer_that_closes_ends_the_stream<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("end");
    let mut reader = create(&scene, &name, 1024);
    let mut writer = attach(&scene, &name);
    for len in 1..=9 {
        write(&mut writer, len, scene.patience());
    }
    drop(writer);
    for len in 1..=9 {
        let (sequence, found) = read(&mut reader, scene.patience()).expect("every frame comes first");
        assert_eq!((sequence, found), (u64::try_from(len).expect("small"), len));
    }
    expect_end(&scene, &mut reader);
    assert!(!reader.is_writer_connected().expect("looks"));
}

pub(crate) fn a_second_writer_follows_the_first<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("follows");
    let mut reader = create(&scene, &name, 256);
    for next in [1, 5, 9, 13] {
        let mut writer = attach(&scene, &name);
        assert_eq!(writer.next_sequence(), next, "goes on where the last one ended");
        pass(&scene, &mut writer, &mut reader, 4);
        drop(writer);
        expect_end(&scene, &mut reader);
    }
}

pub(crate) fn a_reader_that_closes_is_noticed<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("closes");
    // While the writer waits for space, and while it does not.
    for waits in [true, false] {
        let reader = create(&scene, &name, 256);
        let mut writer = attach(&scene, &name);
        if waits {
            write(&mut writer, 240, scene.patience());
            let deadline = scene.patience();
            thread::scope(|scope| {
                let waiting = scope.spawn(|| {
                    let outcome = writer.reserve(1, deadline).map(drop);
                    assert!(matches!(outcome, Err(WriteError::ReaderDead { .. })), "{outcome:?}");
                });
                drop(reader);
                waiting.join().expect("noticed");
            });
        } else {
            drop(reader);
        }
        let outcome = writer.try_reserve(1).map(drop);
        assert!(matches!(outcome, Err(WriteError::ReaderDead { .. })), "{outcome:?}");
        let outcome = try_attach(&scene, &name);
        assert!(matches!(outcome, Err(AttachError::NotFound)), "{outcome:?}");
    }
}

pub(crate) fn a_full_ring_times_out_not_before_its_deadline<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("full");
    let mut reader = create(&scene, &name, 256);
    let mut writer = attach(&scene, &name);
    write(&mut writer, 100, scene.patience());
    write(&mut writer, 100, scene.patience());
    for timeout in [1, 1_234_567, 30_000_000] {
        let until = scene.platform.now().saturating_add(Duration::from_nanos(timeout));
        let outcome = writer.reserve(100, Deadline::At(until)).map(drop);
        let now = scene.platform.now();
        let full = matches!(outcome, Err(WriteError::Full { free: 24, capacity: 256, .. }));
        assert!(full && now >= until, "{outcome:?} at {now:?} of {until:?}");
    }
    assert!(matches!(writer.try_reserve(100), Err(WriteError::Full { .. })));
    assert_eq!(read(&mut reader, scene.patience()).expect("a frame"), (1, 100));
    assert_eq!(write(&mut writer, 100, scene.patience()), 3, "room again");
    assert_eq!(read(&mut reader, scene.patience()).expect("a frame"), (2, 100));
    assert_eq!(read(&mut reader, scene.patience()).expect("a frame"), (3, 100));
}

pub(crate) fn an_empty_ring_times_out_not_before_its_deadline<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("empty");
    let mut reader = create(&scene, &name, 256);
    // Before a writer came, while it is silent, and after a frame.
    let mut writer = None;
    for step in 0..3 {
        if step == 1 {
            writer = Some(attach(&scene, &name));
        }
        if let (2, Some(writer)) = (step, &mut writer) {
            pass(&scene, writer, &mut reader, 1);
        }
        for timeout in [1, 1_234_567, 30_000_000] {
            let until = scene.platform.now().saturating_add(Duration::from_nanos(timeout));
            let outcome = read(&mut reader, Deadline::At(until));
            let now = scene.platform.now();
            let in_time = matches!(outcome, Err(ReadError::Timeout)) && now >= until;
            assert!(in_time, "{outcome:?} at {now:?} of {until:?}");
        }
        assert!(matches!(reader.try_claim(|| 0), Err(ReadError::Empty)));
    }
    // A wait that timed out leaves the next one as it was.
    pass(&scene, writer.as_mut().expect("attached"), &mut reader, 5);
}

pub(crate) fn a_name_is_free_while_the_former_writer_is_still_there<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("former");
    let mut formers: Vec<Writer<S>> = Vec::new();
    for _ in 0..4 {
        let mut reader = create(&scene, &name, 512);
        let mut writer = attach(&scene, &name);
        pass(&scene, &mut writer, &mut reader, 20);
        for former in &mut formers {
            let outcome = former.try_reserve(1).map(drop);
            assert!(matches!(outcome, Err(WriteError::ReaderDead { .. })), "{outcome:?}");
            expect_reader_dead(&scene, former);
            pass(&scene, &mut writer, &mut reader, 2);
        }
        // One that goes takes nothing of the new pair along.
        if formers.len() == 2 {
            formers.clear();
            assert!(writer.is_reader_connected() && reader.is_writer_connected().expect("looks"));
            let outcome = try_attach(&scene, &name);
            assert!(matches!(outcome, Err(AttachError::WriterAlreadyConnected { .. })), "{outcome:?}");
            pass(&scene, &mut writer, &mut reader, 20);
        }
        drop(reader);
        formers.push(writer);
    }
}

pub(crate) fn a_name_is_free_while_a_frame_is_still_held<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("held");
    let mut reader = create(&scene, &name, 512);
    let mut writer = attach(&scene, &name);
    write(&mut writer, 100, scene.patience());
    let claimed = reader.claim(scene.patience(), || 0).expect("a frame");
    // Keeps the memory, and not the name.
    let returner = reader.returner();
    drop((reader, writer));

    let mut reader = create(&scene, &name, 512);
    let mut writer = attach(&scene, &name);
    pass(&scene, &mut writer, &mut reader, 20);
    pattern::check(returner.bytes(&claimed), 1);
    returner.return_space(claimed.cost()).expect("into the old ring");
    pass(&scene, &mut writer, &mut reader, 20);
    drop(writer);
    expect_end(&scene, &mut reader);
    drop(returner);
    assert_eq!(scene.platform.probe_lock(&name), LockState::Held);
}

pub(crate) fn a_buffer_that_cannot_be_leaves_nothing<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("cannot");
    for payload in [0, 16] {
        let outcome = try_create(&scene, &name, payload);
        assert!(matches!(outcome, Err(CreateError::PayloadTooSmall { .. })), "{outcome:?}");
    }
    let outcome = try_create(&scene, &name, 1 << 60);
    assert!(matches!(outcome, Err(CreateError::TooLarge { .. })), "{outcome:?}");
    assert_eq!(scene.platform.probe_lock(&name), LockState::Absent);
    // The name is as good as any.
    let mut reader = create(&scene, &name, 512);
    let mut writer = attach(&scene, &name);
    pass(&scene, &mut writer, &mut reader, 3);
}

pub(crate) fn a_killed_writers_frames_all_arrive<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("killed-writer");
    let mut reader = create(&scene, &name, 1024);
    let mut first = 1;
    for _ in 0..2 {
        let mut process = scene.system.spawn();
        process.connect(&name);
        process.send(33, 7);
        let pid = process.pid();
        process.kill();
        process.reap();
        for sequence in first..first + 7 {
            assert_eq!(read(&mut reader, scene.patience()).expect("a frame"), (sequence, 33));
        }
        let outcome = read(&mut reader, scene.patience());
        assert!(matches!(outcome, Err(ReadError::WriterDead { pid: found }) if found == pid), "{outcome:?}");
        first += 7;
    }
    let mut writer = attach(&scene, &name);
    assert_eq!(writer.next_sequence(), first);
    pass(&scene, &mut writer, &mut reader, 20);
}

pub(crate) fn a_killed_readers_name_is_taken_over<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("killed-reader");
    let mut formers = Vec::new();
    for _ in 0..2 {
        let mut process = scene.system.spawn();
        process.create(&name, 512);
        let outcome = try_create(&scene, &name, 512);
        assert!(matches!(outcome, Err(CreateError::ReaderAlreadyConnected { .. })), "{outcome:?}");
        let mut former = attach(&scene, &name);
        write(&mut former, 100, scene.patience());
        let watch = scene.platform.watch(process.pid());
        process.kill();
        process.reap();
        assert!(!watch.is_alive());
        expect_reader_dead(&scene, &mut former);
        formers.push(former);

        // A leftover at most; where names go with their processes, nothing.
        let outcome = try_attach(&scene, &name);
        assert!(
            matches!(outcome, Err(AttachError::ReaderDead { .. } | AttachError::NotFound)),
            "{outcome:?}"
        );
        let mut reader = create(&scene, &name, 1024);
        let mut writer = attach(&scene, &name);
        pass(&scene, &mut writer, &mut reader, 20);
    }
}
