//! What stands under a name already: replaced where it is proved a leftover, else refused and left, and never followed.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::Path;
use std::process::Command;

use strait::hqq::{Link, Profile};
use strait::zerobuffer::{ConnectError, CreateError, Kind, Reader, State, Writer, gc, inspect};
use strait_tests::{TestName, objects};

use crate::{peer, reader, receive, send, writer};

/// A glibc semaphore with `permits`, as `sem_open(3)` leaves it.
fn put_semaphore(path: &Path, permits: u8) {
    let mut bytes = [0; 32];
    bytes[0] = permits;
    bytes[8] = 0x80;
    fs::write(path, bytes).expect("/dev/shm can be written");
}

/// A segment of 448 bytes whose reader and writer are `pid`; 64 bytes of metadata, 256 of payload.
fn put_segment(path: &Path, oieb_size: u32, pid: u64) {
    let mut bytes = vec![0; 448];
    bytes[..4].copy_from_slice(&oieb_size.to_le_bytes());
    bytes[4] = 1;
    for (offset, value) in [(0x08, 64), (0x10, 64), (0x20, 256), (0x28, 256), (0x50, pid), (0x58, pid)] {
        bytes[offset..offset + 8].copy_from_slice(&u64::to_le_bytes(value));
    }
    fs::write(path, bytes).expect("/dev/shm can be written");
}

fn make_fifo(path: &Path) {
    let status = Command::new("mkfifo").arg(path).status().expect("mkfifo runs");
    assert!(status.success());
}

/// The number of a process that has ended.
fn dead_pid() -> u64 {
    peer().kill()
}

/// The name serves a reader and a writer, and is empty when they have gone.
#[track_caller]
fn expect_usable(name: &TestName) {
    let mut reader = reader(name);
    let mut writer = writer(name);
    for sequence in 1..=30 {
        assert_eq!(send(&mut writer, 200), sequence);
        assert_eq!(receive(&mut reader).expect("a frame"), (sequence, 200));
    }
    drop(writer);
    drop(reader);
    name.assert_nothing_left();
}

#[test]
fn semaphores_alone_as_the_python_reader_leaves_them_are_replaced() {
    let name = TestName::new("left-semaphores");
    put_semaphore(&objects::data_ready(&name), 3);
    put_semaphore(&objects::space_free(&name), 7);
    let refused = Writer::connect(&name);
    assert!(matches!(refused, Err(ConnectError::BufferNotFound { .. })), "{refused:?}");
    let reader = reader(&name);
    assert_eq!(objects::permits(&objects::data_ready(&name)), 0);
    assert_eq!(objects::permits(&objects::space_free(&name)), 0);
    drop(reader);
    name.assert_nothing_left();
    put_semaphore(&objects::space_free(&name), 7);
    expect_usable(&name);
}

#[test]
fn a_segment_of_a_dead_reader_without_a_lock_is_replaced() {
    let name = TestName::new("left-segment");
    let pid = dead_pid();
    put_segment(&objects::segment(&name), 128, pid);
    let refused = Writer::connect(&name);
    assert!(
        matches!(refused, Err(ConnectError::ReaderDead { .. } | ConnectError::NotReady { .. })),
        "{refused:?}"
    );
    put_semaphore(&objects::data_ready(&name), 0);
    put_semaphore(&objects::space_free(&name), 0);
    let refused = Writer::connect(&name);
    assert!(
        matches!(&refused, Err(ConnectError::ReaderDead { pid: found, .. }) if *found == pid),
        "{refused:?}"
    );
    expect_usable(&name);
}

#[test]
fn a_segment_of_a_reader_that_closed_is_replaced() {
    let name = TestName::new("left-closed");
    put_segment(&objects::segment(&name), 128, 0);
    expect_usable(&name);
}

#[test]
fn locks_without_a_segment_are_taken_over() {
    let name = TestName::new("left-locks");
    // Make the folders, as the first reader does.
    drop(reader(&name));
    for lock in objects::locks(&name) {
        fs::write(&lock, []).expect("the folder is there");
        expect_usable(&name);
    }
    for lock in objects::locks(&name) {
        fs::write(&lock, []).expect("the folder is there");
    }
    expect_usable(&name);
    // What a reader leaves that is killed when it had removed all but its locks.
    for lock in objects::locks(&name) {
        fs::write(&lock, []).expect("the folder is there");
    }
    gc(&[&*name], false).expect("shared memory can be listed");
    name.assert_nothing_left();
}

/// A reader is refused by name, and what stands at `path` is as it was; then it is removed, and the name serves.
#[track_caller]
fn expect_refused(name: &TestName, path: &Path, what: &str) {
    let before = fs::symlink_metadata(path).expect("it is there");
    let content = before.is_file().then(|| fs::read(path).expect("it can be read"));
    let error = Reader::create(name).expect_err(what);
    assert!(
        matches!(
            error,
            CreateError::Os { .. } | CreateError::NameTaken { .. } | CreateError::Undecided { .. }
        ),
        "{what}: {error:?}"
    );
    assert!(error.to_string().contains(&**name), "{what}: {error}");
    let after = fs::symlink_metadata(path).expect("it was left alone");
    assert_eq!(after.ino(), before.ino(), "{what}");
    assert_eq!(after.is_file().then(|| fs::read(path).expect("it can be read")), content, "{what}");
    fs::remove_file(path).expect("ours");
    expect_usable(name);
}

#[test]
fn a_segment_that_is_empty_short_or_of_another_kind_is_refused_and_left() {
    let name = TestName::new("left-broken");
    let segment = objects::segment(&name);
    let put_garbage = |len: usize| fs::write(&segment, vec![0xa5; len]).expect("/dev/shm can be written");
    let forms: [(&str, &dyn Fn()); 9] = [
        ("empty", &|| put_garbage(0)),
        ("one byte", &|| put_garbage(1)),
        ("64 bytes", &|| put_garbage(64)),
        ("127 bytes", &|| put_garbage(127)),
        ("garbage", &|| put_garbage(4096)),
        ("another program's", &|| fs::write(&segment, b"another program's memory").expect("can be written")),
        ("never initialised", &|| fs::write(&segment, [0; 448]).expect("/dev/shm can be written")),
        ("wrong magic", &|| put_segment(&segment, 129, dead_pid())),
        ("blocks larger than the file", &|| {
            put_segment(&segment, 128, dead_pid());
            objects::set_word(&segment, 0x20, 1 << 40);
        }),
    ];
    for (what, put) in forms {
        put();
        let refused = Writer::connect(&name);
        assert!(
            matches!(
                refused,
                Err(ConnectError::NotReady { .. }
                    | ConnectError::NotAZeroBuffer { .. }
                    | ConnectError::ReaderDead { .. })
            ),
            "{what}: {refused:?}"
        );
        expect_refused(&name, &segment, what);
    }
}

#[test]
fn what_a_cpp_reader_left_half_made_is_told_by_its_lock() {
    let name = TestName::new("left-half-made");
    // Make the folders, as the first reader does.
    drop(reader(&name));
    let [lock, _] = objects::locks(&name);
    for put in [&|| fs::write(objects::segment(&name), [0; 448]), &|| {
        put_segment(&objects::segment(&name), 128, dead_pid());
        File::options().write(true).open(objects::segment(&name)).and_then(|file| file.set_len(200))
    }] as [&dyn Fn() -> io::Result<()>; 2]
    {
        put().expect("/dev/shm can be written");
        fs::write(&lock, []).expect("the folder is there");
        expect_usable(&name);
    }
}

#[test]
fn a_link_is_no_leftover_whether_it_is_in_use_or_not() {
    let name = TestName::new("left-queue");
    let segment = objects::segment(&name);
    for profile in [Profile::Superblock, Profile::Seed] {
        let link = Link::builder(&name).slots(4).slot_len(64).profile(profile).open_or_create();
        let link = link.expect("the name is free");
        let error = Reader::create(&name).expect_err("a link is in use");
        assert!(
            matches!(error, CreateError::NameTaken { found: Kind::Link(found), .. } if found == profile),
            "{error:?}"
        );
        let kept = gc(&[&name], false).expect("looks");
        assert!(matches!(&kept[..], [only] if matches!(only.removed, Some(Err(_)))), "{kept:?}");
        assert!(segment.exists());
        drop(link);
        let _ = fs::remove_file(&segment);
        name.assert_nothing_left();
    }
}

#[test]
fn a_symbolic_link_at_the_segments_name_is_refused_and_never_followed() {
    let name = TestName::new("left-link");
    let target = std::env::temp_dir().join(format!("{name}-target"));
    put_segment(&target, 128, u64::from(std::process::id()));
    let before = fs::read(&target).expect("it is there");
    symlink(&target, objects::segment(&name)).expect("/dev/shm takes links");

    let refused = Writer::connect(&name);
    let error = refused.expect_err("a link is no buffer");
    assert!(matches!(error, ConnectError::Os { .. }), "{error:?}");
    assert!(error.to_string().contains(&*name), "{error}");
    expect_refused(&name, &objects::segment(&name), "a link");
    assert_eq!(fs::read(&target).expect("it is still there"), before);

    // Also where a semaphore should be.
    for link in [objects::data_ready(&name), objects::space_free(&name)] {
        symlink(&target, &link).expect("/dev/shm takes links");
        expect_refused(&name, &link, "a link");
    }
    assert_eq!(fs::read(&target).expect("it is still there"), before);
    fs::remove_file(target).expect("ours");
}

#[test]
fn a_link_at_a_locks_name_is_refused_and_never_followed() {
    let name = TestName::new("left-lock-link");
    drop(reader(&name));
    let target = std::env::temp_dir().join(format!("{name}-target"));
    fs::write(&target, b"precious").expect("can be written");
    for lock in objects::locks(&name) {
        symlink(&target, &lock).expect("the folder is there");
        let error = Reader::create(&name).expect_err("a link is no lock");
        assert!(matches!(error, CreateError::Os { .. }), "{error:?}");
        assert!(error.to_string().contains(&*lock.to_string_lossy()), "{error}");
        fs::remove_file(&lock).expect("it was left alone");
        name.assert_nothing_left();
    }
    assert_eq!(fs::read(&target).expect("it is still there"), b"precious");
    fs::remove_file(target).expect("ours");
    expect_usable(&name);
}

#[test]
fn a_pipe_at_the_segments_name_blocks_nobody_and_is_refused() {
    let name = TestName::new("left-pipe");
    make_fifo(&objects::segment(&name));
    let error = Writer::connect(&name).expect_err("a pipe is no buffer");
    assert!(matches!(error, ConnectError::Os { .. }), "{error:?}");
    expect_refused(&name, &objects::segment(&name), "a pipe");
    make_fifo(&objects::data_ready(&name));
    expect_refused(&name, &objects::data_ready(&name), "a pipe");
}

#[test]
fn a_pipe_at_a_locks_name_blocks_nobody_and_is_refused() {
    let name = TestName::new("left-lock-pipe");
    drop(reader(&name));
    for lock in objects::locks(&name) {
        make_fifo(&lock);
        let error = Reader::create(&name).expect_err("a pipe is no lock");
        assert!(matches!(error, CreateError::Os { .. }), "{error:?}");
        fs::remove_file(&lock).expect("it was left alone");
        name.assert_nothing_left();
    }
}

#[test]
fn a_folder_at_the_segments_name_is_refused_by_both_ends() {
    let name = TestName::new("left-folder");
    let segment = objects::segment(&name);
    fs::create_dir(&segment).expect("/dev/shm takes folders");
    let error = Writer::connect(&name).expect_err("a folder is no buffer");
    assert!(error.to_string().contains(&*name), "{error}");
    let error = Reader::create(&name).expect_err("a folder is not removed");
    assert!(error.to_string().contains(&*name), "{error}");
    fs::remove_dir(&segment).expect("it was left alone");
    name.assert_nothing_left();
    expect_usable(&name);
}

#[test]
fn a_folder_at_a_locks_name_is_refused_by_name() {
    let name = TestName::new("left-lock-folder");
    drop(reader(&name));
    for lock in objects::locks(&name) {
        fs::create_dir(&lock).expect("the folder is there");
        let error = Reader::create(&name).expect_err("a folder is no lock");
        assert!(matches!(error, CreateError::Os { .. }), "{error:?}");
        assert!(error.to_string().contains(&*lock.to_string_lossy()), "{error}");
        fs::remove_dir(&lock).expect("it was left alone");
        name.assert_nothing_left();
    }
    expect_usable(&name);
}

#[test]
fn what_is_no_semaphore_is_refused_and_left() {
    let name = TestName::new("left-odd-semaphores");
    for semaphore in [objects::data_ready(&name), objects::space_free(&name)] {
        for len in [0, 1, 31, 32, 4096] {
            fs::write(&semaphore, vec![0xff; len]).expect("/dev/shm can be written");
            expect_refused(&name, &semaphore, "no semaphore");
        }
        // A semaphore in front, and something else behind.
        put_semaphore(&semaphore, 3);
        objects::scribble(&semaphore, 32, b"more");
        expect_refused(&name, &semaphore, "more than a semaphore");
    }
}

#[test]
fn a_foreign_buffer_that_somebody_has_open_is_left_where_nothing_else_tells() {
    let name = TestName::new("left-elsewhere");
    let segment = objects::segment(&name);
    // Its reader lives in another container: its number is nobody's here, and its lock is not here either.
    put_segment(&segment, 128, dead_pid());
    let held = File::open(&segment).expect("it is there");
    let error = Reader::create(&name).expect_err("it may live");
    assert!(matches!(error, CreateError::Undecided { .. }), "{error:?}");
    // Of this name alone: others are other tests', and who looks at one keeps it in doubt for who looks too.
    let kept = gc(&[&name], false).expect("looks");
    let [kept] = &kept[..] else { panic!("{kept:?}") };
    assert!(matches!(&kept.removed, Some(Err(CreateError::Undecided { .. }))), "{kept:?}");
    assert_eq!(inspect(&name, 0).map(|info| info.state).expect("it is there"), State::Unknown);
    drop(held);
    // Now the system vouches that nobody has it.
    assert_eq!(inspect(&name, 0).map(|info| info.state).expect("it is there"), State::Dead);
    expect_usable(&name);
}

#[test]
fn a_buffer_whose_semaphores_are_none_is_refused() {
    let name = TestName::new("odd-semaphores");
    let keep = reader(&name);
    for len in [0, 1, 31, 32] {
        fs::remove_file(objects::data_ready(&name)).expect("it was there");
        fs::write(objects::data_ready(&name), vec![0; len]).expect("/dev/shm can be written");
        let refused = Writer::connect(&name);
        assert!(
            matches!(refused, Err(ConnectError::Os { .. } | ConnectError::NotReady { .. })),
            "{len}: {refused:?}"
        );
    }
    fs::remove_file(objects::data_ready(&name)).expect("it was there");
    let refused = Writer::connect(&name);
    assert!(matches!(refused, Err(ConnectError::NotReady { .. })), "{refused:?}");
    drop(keep);
}
