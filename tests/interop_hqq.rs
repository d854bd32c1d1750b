//! The bytes of the Go implementation of HQQ: our ends make the same, and go on where it has stopped.

use std::path::Path;

use strait_core::hqq::{
    Creation, ErrorCode, Expected, Geometry, Link, Profile, RecvError, Role, SendError, Side,
};
use strait_core::name::Name;
use strait_core::platform::{Access, Platform as _, Segment as _};
use strait_core::testing::{FakePlatform, HeapSegment};
use strait_core::time::Deadline;

const NAME: &str = "go";

type Ends = Link<FakePlatform>;

fn name() -> Name {
    Name::new(NAME).expect("valid")
}

/// The segment that two Go processes have left.
fn vector() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/hqq/superblock_link_4x64.bin");
    let bytes = std::fs::read(path).expect("the vector is checked in");
    assert_eq!(bytes.len(), 20480);
    bytes
}

#[track_caller]
fn expect_bytes(found: &[u8], wanted: &[u8]) {
    assert_eq!(found.len(), wanted.len());
    for (offset, (found, wanted)) in found.iter().zip(wanted).enumerate() {
        assert_eq!(found, wanted, "byte at {offset:#x}");
    }
}

/// A fake system where the Go processes' segment has its name.
fn system() -> FakePlatform {
    let system = FakePlatform::new();
    let segment = system.create_segment(&name(), 20480, Access::default()).expect("created");
    segment.scribble(0, &vector());
    system
}

fn open(system: &FakePlatform, pid: u64, role: Role) -> Ends {
    let expected = Expected {
        slots: Some(4),
        slot_len: Some(64),
        profile: Some(Profile::Superblock),
        ..Expected::default()
    };
    Link::open(system.process(pid), &name(), expected, role).expect("a link")
}

#[track_caller]
fn send(link: &mut Ends, message: &[u8]) {
    link.producer.send(message, Deadline::Never).expect("sent");
}

#[track_caller]
fn receive(link: &mut Ends, message: &[u8]) {
    assert_eq!(&*link.consumer.try_recv().expect("a message"), message);
}

#[test]
fn our_ends_make_the_bytes_of_the_go_implementation() {
    let system = FakePlatform::new();
    let geometry = Geometry::new(4, 64, 4096, Profile::Superblock).expect("possible");
    let creation =
        Creation { geometry, access: Access::default(), role: Role::Primary, strangers: false, keep: false };
    let mut primary = Link::create(system.clone(), &name(), creation).expect("created");
    let mut secondary = open(&system, 2, Role::Secondary);
    let mut later = open(&system, 3, Role::Secondary);
    for message in [b"hello0", b"hello1", b"hello2"] {
        send(&mut primary, message);
    }
    receive(&mut secondary, b"hello0");
    receive(&mut secondary, b"hello1");
    send(&mut secondary, b"back0");
    // Copies are numbered by each endpoint: in the vector this one has number 1 as well.
    later.producer.try_reserve().expect("a slot").abort(ErrorCode::INVALID_OP);
    receive(&mut later, b"hello2");
    let segment = system.segment(NAME);
    assert!(segment.len() > 20480, "what is ours stands behind it");
    expect_bytes(&segment.bytes(0, 20480), &vector());
}

#[test]
fn our_primary_goes_on_where_the_go_processes_have_stopped() {
    let system = system();
    let mut primary = open(&system, 1, Role::Primary);
    assert!(primary.producer.has_strangers(), "nobody of the table is there");
    receive(&mut primary, b"back0");
    assert_eq!(primary.consumer.try_recv().err(), Some(RecvError::Empty), "the tombstone is skipped");
    assert_eq!(primary.consumer.counts().tombstones, 1);
    let mut secondary = open(&system, 2, Role::Auto);
    assert_eq!(secondary.side(), Side::Secondary);
    for round in 0..10u8 {
        send(&mut primary, &[round; 7]);
        receive(&mut secondary, &[round; 7]);
        send(&mut secondary, &[round; 64]);
        receive(&mut primary, &[round; 64]);
    }
    assert_eq!(secondary.consumer.try_recv().err(), Some(RecvError::Empty));
}

#[test]
fn our_secondary_sends_behind_what_the_go_process_has_sent() {
    let system = system();
    let mut secondary = open(&system, 2, Role::Secondary);
    assert_eq!(secondary.consumer.try_recv().err(), Some(RecvError::Empty), "all was read");
    send(&mut secondary, b"back1");
    send(&mut secondary, b"back2");
    assert_eq!(secondary.producer.try_reserve().err(), Some(SendError::Full));
    let mut primary = open(&system, 1, Role::Primary);
    for message in [b"back0", b"back1", b"back2"] {
        receive(&mut primary, message);
    }
}

/// What a Go process leaves that is killed with a slot in its hands: by the word of who started it, it is recovered.
#[test]
fn a_slot_of_a_killed_go_process_is_recovered_when_its_end_is_vouched_for() {
    let system = system();
    let segment: HeapSegment = system.segment(NAME);
    // The secondary has moved its tail and not published; it has moved its head and not released.
    segment.scribble_u64(0x3080, 3);
    segment.scribble_u64(0x1218, 4);
    segment.scribble_u64(0x1080, 4);
    segment.scribble_u64(0x1018, 4);
    let mut primary = open(&system, 1, Role::Primary);
    receive(&mut primary, b"back0");
    assert_eq!(primary.consumer.try_recv().err(), Some(RecvError::Empty));
    let recovered = primary.consumer.recover_side(Side::Secondary).expect("the lock is free");
    assert_eq!((recovered.handles, recovered.tombstones, recovered.lost), (0, 1, 1));
    let mut secondary = open(&system, 2, Role::Secondary);
    send(&mut secondary, b"back1");
    receive(&mut primary, b"back1");
    send(&mut primary, b"hello4");
    receive(&mut secondary, b"hello4");
}

#[cfg(target_os = "linux")]
mod files {
    use strait::hqq::{ErrorCode, Link, RecvError, Side};
    use strait_tests::{PATIENCE, TestName, objects};

    use super::{expect_bytes, vector};

    #[test]
    fn a_file_of_the_go_processes_is_a_link() {
        let name = TestName::new("go-link");
        std::fs::write(objects::segment(&name), vector()).expect("written");
        let builder = Link::builder(&name).slots(4).slot_len(64).timeout(PATIENCE);
        let mut primary = builder.clone().primary().open().expect("a link");
        assert_eq!(&*primary.receiver().try_recv().expect("a message"), b"back0");
        assert_eq!(primary.receiver().try_recv().err(), Some(RecvError::Empty));
        let mut secondary = builder.open().expect("a link");
        assert_eq!(secondary.side(), Side::Secondary);
        for round in 0..10u8 {
            primary.sender().send(&[round; 9]).expect("sent");
            assert_eq!(&*secondary.receiver().recv().expect("a message"), [round; 9]);
            secondary.sender().send(&[round; 64]).expect("sent");
            assert_eq!(&*primary.receiver().recv().expect("a message"), [round; 64]);
        }
        drop((primary, secondary));
        // Nobody of us made it, and nobody knows who else uses it: it stays.
        assert!(objects::segment(&name).exists());
        Link::remove(&name).expect("removed");
    }

    #[test]
    fn our_files_begin_as_those_of_the_go_processes() {
        let name = TestName::new("our-link");
        let builder = Link::builder(&name).slots(4).slot_len(64).timeout(PATIENCE);
        let mut primary = builder.clone().primary().create().expect("created");
        if primary.geometry().page() != 4096 {
            // Regions begin at pages, and those of the Go processes had 4096 bytes.
            return;
        }
        let mut secondary = builder.clone().secondary().open().expect("a link");
        let mut later = builder.secondary().open().expect("a link");
        for message in [b"hello0", b"hello1", b"hello2"] {
            primary.sender().send(message).expect("sent");
        }
        for message in [b"hello0", b"hello1"] {
            assert_eq!(&*secondary.receiver().recv().expect("a message"), message);
        }
        secondary.sender().send(b"back0").expect("sent");
        later.sender().reserve().expect("a slot").abort(ErrorCode::INVALID_OP);
        assert_eq!(&*later.receiver().recv().expect("a message"), b"hello2");
        let file = std::fs::read(objects::segment(&name)).expect("the segment is a file");
        expect_bytes(&file[..20480], &vector());
    }
}
