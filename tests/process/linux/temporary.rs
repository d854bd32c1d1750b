//! The folder for temporary files, where the C# implementation looks for locks: unusable, relative, or a file's.

use std::fs;
use std::path::Path;
use std::process::Command;

use strait_tests::{Peer, TestName, objects};

use crate::{PEER, peer};

/// Creates a buffer in a process that is told of this folder, and of `working` to work in.
#[track_caller]
fn serves(name: &TestName, temporary: &Path, working: &Path, seen: impl FnOnce()) {
    let mut command = Command::new(PEER);
    let mut reader = Peer::start(command.env("TMPDIR", temporary).current_dir(working));
    reader.ok(&format!("create {name} 64 1024"));
    seen();
    let error = peer().err(&format!("create {name} 64 1024"));
    assert!(error.starts_with("ReaderAlreadyConnected"), "{error}");
    let mut writer = peer();
    writer.ok(&format!("connect {name}"));
    writer.ok("send 10 1");
    assert_eq!(reader.ok("recv"), "1 10");
    reader.ok("close");
    assert!(reader.exit().success());
}

#[test]
fn a_folder_that_cannot_be_used_stops_no_reader() {
    let name = TestName::new("temporary-unusable");
    let own = std::env::temp_dir().join(format!("{name}-folder"));
    fs::create_dir(&own).expect("can be made");
    fs::write(own.join("zerobuffer"), b"a file").expect("can be written");
    for unusable in ["/dev/null".as_ref(), "/proc/nothing".as_ref(), own.as_path()] {
        serves(&name, unusable, Path::new("/"), || ());
        name.assert_nothing_left();
    }
    fs::remove_dir_all(own).expect("ours");
}

#[test]
fn a_relative_folder_counts_from_the_working_folder() {
    let name = TestName::new("temporary-relative");
    let own = std::env::temp_dir().join(format!("{name}-folder"));
    fs::create_dir(&own).expect("can be made");
    let lock = own.join("here/zerobuffer/locks").join(format!("{}.lock", &*name));
    serves(&name, "here".as_ref(), &own, || assert!(lock.exists(), "it is held there"));
    assert!(!lock.exists() && objects::left(&name).iter().all(|left| *left == own));
    fs::remove_dir_all(own).expect("ours");
    name.assert_nothing_left();
}

#[test]
fn what_is_no_lock_is_refused_in_either_folder_and_left() {
    let name = TestName::new("temporary-odd");
    // Make the folders, as the first reader does.
    let mut reader = peer();
    reader.ok(&format!("create {name} 64 1024"));
    reader.ok("close");
    for lock in objects::locks(&name) {
        fs::write(&lock, b"precious").expect("the folder is there");
        let error = peer().err(&format!("create {name} 64 1024"));
        assert!(error.contains(&*lock.to_string_lossy()), "{error}");
        assert_eq!(error.matches("remove it").count(), 1, "{error}");
        assert_eq!(fs::read(&lock).expect("it was left alone"), b"precious");
        fs::remove_file(lock).expect("ours");
        name.assert_nothing_left();
    }
}
