//! Who is alive: ends in namespaces of their own, numbers that mean nothing, locks that are not seen.

use super::*;
use crate::kind::Kind;
use crate::platform::{Liveness as _, LockState, Platform as _, Segment as _, Signal as _};
use crate::zerobuffer::verdict::{Doubt, Proof, Sign, Verdict};
use crate::zerobuffer::{Geometry, Oieb, remove_leftover};

/// A namespace beside that of the scene.
const ELSEWHERE: u64 = 2;

fn create(platform: &FakePlatform) -> Result<Reader, CreateError<FakeError>> {
    let config = Config { metadata_capacity: 64, payload_capacity: 256 };
    ReaderEndpoint::create(platform.clone(), &name(), config, Access::default())
}

fn attach(platform: &FakePlatform) -> Result<Writer, AttachError<FakeError>> {
    WriterEndpoint::attach(platform.clone(), &name())
}

fn name() -> Name {
    Name::new("buffer").unwrap()
}

fn verdict(platform: &FakePlatform) -> Verdict {
    let segment = platform.open_segment(&name()).unwrap();
    Verdict::of(platform, &name(), &segment)
}

/// A buffer as another implementation leaves it: words, semaphores, and no record behind the ring.
fn put_foreign(platform: &FakePlatform, pid: u64) {
    let geometry = Geometry { metadata_size: 64, payload_size: 256 };
    let segment = platform.create_segment(&name(), 448, Access::default()).unwrap();
    crate::shm::view::<Oieb, _>(&segment, 0).unwrap().initialize(geometry, pid);
    for prefix in ["sem-w-", "sem-r-"] {
        platform.create_signal(&name().prefixed(prefix), Access::default(), false).unwrap();
    }
}

/// The two ends of a pair of containers: each is number 1, and the locks of one are in another folder than the other's.
fn containers() -> (FakePlatform, FakePlatform) {
    let system = FakePlatform::new();
    (system.process(1), system.process_in(ELSEWHERE, 1).with_folder(7))
}

#[test]
fn a_killed_writer_of_the_same_number_elsewhere_is_noticed_and_its_successor_accepted() {
    let (here, there) = containers();
    let mut reader = create(&here).unwrap();
    for first in [1, 3] {
        let mut writer = attach(&there).unwrap();
        write(&mut writer, &pattern(first, 10)).unwrap();
        assert!(reader.is_writer_connected().unwrap());
        assert!(matches!(attach(&here).map(drop), Err(AttachError::WriterAlreadyConnected { pid: Pid(1) })));
        write(&mut writer, &pattern(first + 1, 10)).unwrap();
        there.kill(1);
        core::mem::forget(writer);
        for sequence in first..first + 2 {
            assert_eq!(read(&mut reader), Ok((sequence, pattern(sequence, 10))));
        }
        assert_eq!(read(&mut reader), Err(ReadError::WriterDead { pid: Pid(1) }));
        assert!(!reader.is_writer_connected().unwrap());
    }
    // One that comes before the reader has looked.
    let mut writer = attach(&there).unwrap();
    write(&mut writer, &pattern(5, 10)).unwrap();
    there.kill(1);
    core::mem::forget(writer);
    let mut writer = attach(&there).unwrap();
    write(&mut writer, &pattern(6, 10)).unwrap();
    assert_eq!(read(&mut reader), Ok((5, pattern(5, 10))));
    assert_eq!(read(&mut reader), Err(ReadError::WriterDead { pid: Pid(1) }), "where it happened, and once");
    assert_eq!(read(&mut reader), Ok((6, pattern(6, 10))));
    assert_eq!(reader.try_claim(|| 0).map(drop), Err(ReadError::Empty), "this one lives");
    drop(writer);
    assert_eq!(read(&mut reader), Err(ReadError::EndOfStream));
}

#[test]
fn a_killed_reader_of_the_same_number_elsewhere_is_noticed_and_its_name_taken() {
    let (here, there) = containers();
    let reader = create(&there).unwrap();
    let mut writer = attach(&here).unwrap();
    write(&mut writer, &pattern(1, 10)).unwrap();
    assert_eq!(verdict(&here), Verdict::Live { pid: Pid(1), sign: Sign::SignalLock });
    assert!(writer.is_reader_connected());
    assert!(matches!(create(&here).map(drop), Err(CreateError::ReaderAlreadyConnected { pid: Pid(1) })));

    there.kill(1);
    core::mem::forget(reader);
    assert!(!writer.is_reader_connected());
    for platform in [&here, &there] {
        assert_eq!(verdict(platform), Verdict::Dead { pid: Pid(1), proof: Proof::Unlocked });
    }
    assert_eq!(attach(&here).map(drop), Err(AttachError::ReaderDead { pid: Pid(1) }));
    let mut reader = create(&here).unwrap();
    drop(writer);
    let mut writer = attach(&there).unwrap();
    write(&mut writer, &pattern(1, 10)).unwrap();
    assert_eq!(read(&mut reader), Ok((1, pattern(1, 10))));
}

#[test]
fn a_living_reader_is_left_alone_whatever_its_number_and_its_lock_file_say_here() {
    let (here, there) = containers();
    let mut reader = create(&there).unwrap();
    // Its number has ended here, and its lock is in another folder.
    here.kill(1);
    let other = here.process(5);
    let access = Access::default();
    for _ in 0..2 {
        let removed = remove_leftover(&other, &name(), access);
        assert!(matches!(removed, Err(CreateError::ReaderAlreadyConnected { pid: Pid(1) })), "{removed:?}");
        assert!(matches!(create(&other).map(drop), Err(CreateError::ReaderAlreadyConnected { .. })));
        // Also after a sweep.
        there.sweep_lock(&name());
    }
    let mut writer = attach(&other).unwrap();
    write(&mut writer, &pattern(1, 10)).unwrap();
    assert_eq!(read(&mut reader), Ok((1, pattern(1, 10))));
}

#[test]
fn where_nothing_tells_a_buffer_is_left_alone_and_said_why() {
    let (here, there) = containers();
    let reader = create(&there).unwrap();
    // Its semaphore is swept too: nothing is left to see of it.
    there.remove_signal(&name().prefixed("sem-r-")).unwrap();
    assert_eq!(verdict(&here), Verdict::Unknown { pid: Pid(1), doubt: Doubt::NotSeen });
    let undecided = Err(CreateError::Undecided { pid: Pid(1), doubt: Doubt::NotSeen });
    assert_eq!(create(&here).map(drop), undecided);
    assert_eq!(remove_leftover(&here, &name(), Access::default()), undecided);
    // In its own namespace it is seen.
    assert_eq!(verdict(&there.process(9)), Verdict::Live { pid: Pid(1), sign: Sign::Runs });
    drop(reader);
    assert!(create(&here).is_ok());
}

#[test]
fn a_number_that_another_process_has_by_now_is_not_the_reader() {
    let (scene, reader) = Scene::new(64);
    scene.platform.kill_parent(READER);
    core::mem::forget(reader);
    scene.platform.reuse(READER);
    // A child has inherited its lock.
    assert_eq!(verdict(&scene.platform.process(8)), Verdict::Dead { pid: Pid(READER), proof: Proof::Gone });
    let refused = scene.attach(8).map(drop);
    assert_eq!(refused, Err(AttachError::ReaderDead { pid: Pid(READER) }));
}

#[test]
fn a_reader_that_became_another_program_is_gone() {
    let (scene, _reader, mut writer) = Scene::connected(64);
    assert!(writer.is_reader_connected());
    scene.platform.exec(READER);
    assert!(!writer.is_reader_connected());
    assert_eq!(verdict(&scene.platform), Verdict::Dead { pid: Pid(READER), proof: Proof::Unlocked });
    // Under its own number, too.
    assert!(scene.create(READER).is_ok());
}

#[test]
fn a_writer_whose_child_holds_its_lock_is_dead_and_its_place_free() {
    let (scene, mut reader, writer) = Scene::connected(256);
    assert!(reader.is_writer_connected().unwrap());
    scene.platform.kill_parent(WRITER);
    core::mem::forget(writer);
    assert_eq!(read(&mut reader), Err(ReadError::WriterDead { pid: Pid(WRITER) }));
    let mut second = scene.attach(3).unwrap();
    write(&mut second, &pattern(1, 10)).unwrap();
    assert_eq!(read(&mut reader), Ok((1, pattern(1, 10))));
    assert!(matches!(scene.attach(4).map(drop), Err(AttachError::WriterAlreadyConnected { pid: Pid(3) })));
    // The child ends: the second one lives all the same, and its own end is noticed.
    scene.platform.kill(WRITER);
    assert!(reader.is_writer_connected().unwrap());
    assert_eq!(reader.try_claim(|| 0).map(drop), Err(ReadError::Empty));
    scene.platform.kill(3);
    assert_eq!(read(&mut reader), Err(ReadError::WriterDead { pid: Pid(3) }));
}

#[test]
fn a_writer_that_became_another_program_is_dead() {
    let (scene, mut reader, writer) = Scene::connected(256);
    assert!(reader.is_writer_connected().unwrap());
    scene.platform.exec(WRITER);
    core::mem::forget(writer);
    assert_eq!(read(&mut reader), Err(ReadError::WriterDead { pid: Pid(WRITER) }));
    assert!(scene.attach(WRITER).is_ok());
}

#[test]
fn a_stranger_is_judged_by_its_lock_then_its_number_then_whether_anybody_has_it() {
    let system = FakePlatform::new();
    let (owner, other) = (system.process(5), system.process(6));
    let fresh = || {
        system.remove_segment(&name()).unwrap();
        for prefix in ["sem-w-", "sem-r-"] {
            system.remove_signal(&name().prefixed(prefix)).unwrap();
        }
        system.sweep_lock(&name());
        put_foreign(&owner, 5);
    };
    fresh();
    let lock = owner.lock(&name(), Access::default()).unwrap();
    assert_eq!(verdict(&other), Verdict::Live { pid: Pid(5), sign: Sign::NameLock });
    drop(lock);
    let held = owner.open_segment(&name()).unwrap();
    assert_eq!(verdict(&other), Verdict::Live { pid: Pid(5), sign: Sign::Runs });
    drop(held);
    assert_eq!(verdict(&other), Verdict::Dead { pid: Pid(5), proof: Proof::Abandoned });

    // Killed, and its lock is there.
    fresh();
    let held = owner.open_segment(&name()).unwrap();
    core::mem::forget(owner.lock(&name(), Access::default()).unwrap());
    owner.kill(5);
    assert_eq!(other.probe_lock(&name()), LockState::Free);
    assert_eq!(verdict(&other), Verdict::Dead { pid: Pid(5), proof: Proof::NameLockLeft });
    // Another has its number by now.
    other.reuse(5);
    assert_eq!(verdict(&other), Verdict::Unknown { pid: Pid(5), doubt: Doubt::NumberInUse });
    // Its lock is gone: it could live elsewhere.
    other.kill(5);
    other.sweep_lock(&name());
    assert_eq!(verdict(&other), Verdict::Unknown { pid: Pid(5), doubt: Doubt::NotSeen });
    assert_eq!(
        attach(&other).map(drop),
        Err(AttachError::ReaderUnknown { pid: Pid(5), doubt: Doubt::NotSeen })
    );
    drop(held);
    assert_eq!(verdict(&other), Verdict::Dead { pid: Pid(5), proof: Proof::Abandoned });
    system.segment("buffer").scribble_u64(0x58, 0);
    let _held = owner.open_segment(&name()).unwrap();
    assert_eq!(verdict(&other), Verdict::Dead { pid: Pid(0), proof: Proof::Closed });
    assert!(create(&other).is_ok());
}

#[test]
fn what_is_no_buffer_is_refused_and_stays() {
    let platform = FakePlatform::new();
    let segment = platform.create_segment(&name(), 448, Access::default()).unwrap();
    segment.scribble(0, b"another program's");
    let outcome = create(&platform).map(drop);
    assert!(
        matches!(outcome, Err(CreateError::NotOurs { kind: Kind::Other { len: 448, .. } })),
        "{outcome:?}"
    );
    assert!(segment.is_linked());
    // Without a word in it, a lock that was left makes it a reader's.
    segment.scribble(0, &[0; 448]);
    let outcome = remove_leftover(&platform, &name(), Access::default());
    assert!(matches!(outcome, Err(CreateError::NotOurs { kind: Kind::Blank { .. } })), "{outcome:?}");
    drop(segment);
    let other = platform.process(9);
    core::mem::forget(other.lock(&name(), Access::default()).unwrap());
    other.kill(9);
    assert!(create(&platform).is_ok());
}

#[test]
fn removing_a_leftover_makes_nothing_and_a_living_readers_semaphore_stays() {
    let (scene, reader) = Scene::new(64);
    scene.platform.kill(READER);
    core::mem::forget(reader);
    let (other, access) = (scene.platform.process(7), Access::default());
    let made = other.made();
    remove_leftover(&other, &scene.name, access).unwrap();
    assert_eq!((other.made(), other.leftovers().len()), (made, 0));
    remove_leftover(&other, &scene.name, access).unwrap();

    // A creator that cannot see our lock has its semaphore before its segment.
    let signal = scene.name.prefixed("sem-r-");
    let creator = scene.platform.process_in(ELSEWHERE, 1).with_folder(7);
    let held = creator.create_signal(&signal, access, true).unwrap();
    for outcome in [remove_leftover(&other, &scene.name, access), scene.create(7).map(drop)] {
        assert!(matches!(outcome, Err(CreateError::ReaderAlreadyConnected { .. })), "{outcome:?}");
    }
    assert!(held.is_linked());
}

#[test]
fn a_reader_removes_only_what_is_still_its_own() {
    let (scene, mut reader) = Scene::new(64);
    let first = scene.platform.clone();
    // Somebody sweeps all of it, and another reader comes.
    first.sweep_lock(&scene.name);
    first.remove_segment(&scene.name).unwrap();
    for prefix in ["sem-w-", "sem-r-"] {
        first.remove_signal(&scene.name.prefixed(prefix)).unwrap();
    }
    assert_eq!(reader.try_claim(|| 0).map(drop), Err(ReadError::Removed));
    let mut second = scene.create(4).unwrap();
    assert_eq!(reader.try_claim(|| 0).map(drop), Err(ReadError::Replaced { pid: Pid(4) }));
    drop(reader);
    let mut writer = scene.attach(5).unwrap();
    write(&mut writer, &pattern(1, 10)).unwrap();
    assert_eq!(read(&mut second), Ok((1, pattern(1, 10))));
    assert!(first.identity().realm != ELSEWHERE);
}
