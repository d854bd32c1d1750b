//! Who may open a buffer: mode and group whatever the umask, refusals that name it, copies where others may write.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::process::Command;

use strait::zerobuffer::{ConnectError, Writer};
use strait_tests::{Peer, TestName, objects, pattern};

use crate::{PEER, peer, reader, reader_of, receive, send, writer};

/// An unprivileged user.
const NOBODY: u32 = 65_534;

/// A program that an unprivileged user may run: the peer, copied where everybody may look.
struct Copied(PathBuf);

impl Copied {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("{name}-peer"));
        // Copied by another process: a file that was open for writing here could not be run while any child of this
        // process that started meanwhile still has it open.
        let status = Command::new("cp").arg(PEER).arg(&path).status().expect("cp runs");
        assert!(status.success());
        let status = Command::new("chmod").arg("0755").arg(&path).status().expect("chmod runs");
        assert!(status.success());
        Self(path)
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// A peer of another user, who shares nothing with this one; `None` where we may not become one.
fn foreign_peer(program: &Copied) -> Option<Peer> {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can become somebody else");
        return None;
    }
    let id = NOBODY.to_string();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", &id, "--regid", &id, "--clear-groups", "--"]).arg(&program.0);
    Some(Peer::start(&mut command))
}

/// Segment, semaphores and locks of a buffer: every file of it.
fn files(name: &str) -> Vec<PathBuf> {
    let files = objects::left(name);
    assert_eq!(files.len(), 5, "{files:?}");
    files
}

fn mode_of(path: &PathBuf) -> u32 {
    fs::metadata(path).expect("it is there").mode() & 0o7777
}

#[test]
fn by_default_a_buffer_is_its_users_alone_whatever_the_umask() {
    for umask in ["000", "022", "077", "777"] {
        let name = TestName::new("mode-default");
        let mut reader = peer();
        reader.ok(&format!("umask {umask}"));
        reader.ok(&format!("create {name} 64 1024"));
        for file in files(&name) {
            assert_eq!(mode_of(&file), 0o600, "{}, umask {umask}", file.display());
        }
        assert!(reader.exit().success());
    }
}

#[test]
fn the_mode_asked_for_is_the_mode_of_everything_whatever_the_umask() {
    for umask in ["000", "022", "077", "777"] {
        for mode in [0o600, 0o640, 0o660, 0o666, 0o622] {
            let name = TestName::new("mode");
            let mut reader = peer();
            reader.ok(&format!("umask {umask}"));
            reader.ok(&format!("create {name} 64 1024 mode {mode:o}"));
            for file in files(&name) {
                assert_eq!(mode_of(&file), mode, "{}, umask {umask}", file.display());
            }
            assert!(reader.exit().success());
        }
    }
}

#[test]
fn the_group_asked_for_owns_everything() {
    let name = TestName::new("group");
    let root = rustix::process::geteuid().is_root();
    let group = if root { 12_345 } else { rustix::process::getegid().as_raw() };
    let reader = reader_of(&name, 1024).mode(0o660).group(group).create().expect("we may");
    for file in files(&name) {
        assert_eq!(fs::metadata(&file).expect("it is there").gid(), group, "{}", file.display());
        assert_eq!(mode_of(&file), 0o660, "{}", file.display());
    }
    drop(reader);
}

#[test]
fn a_buffer_of_another_user_is_refused_by_name() {
    let name = TestName::new("foreign");
    let program = Copied::new(&name);
    let mut reader = reader(&name);
    let Some(mut foreign) = foreign_peer(&program) else { return };
    let error = foreign.err(&format!("connect {name}"));
    assert!(error.starts_with("Os"), "{error}");
    assert!(error.contains(&*name) && error.to_lowercase().contains("permission denied"), "{error}");
    let error = foreign.err(&format!("create {name} 64 1024"));
    assert!(error.contains(&*name), "{error}");
    // The stream is unharmed.
    let mut writer = writer(&name);
    send(&mut writer, 10);
    assert_eq!(receive(&mut reader).expect("a frame"), (1, 10));
}

#[test]
fn a_buffer_open_to_all_takes_a_foreign_writer_and_gives_copies() {
    let name = TestName::new("open-to-all");
    let program = Copied::new(&name);
    let mut reader = reader_of(&name, 1024).mode(0o666).create().expect("the name is free");
    let mut foreign = match foreign_peer(&program) {
        Some(foreign) => foreign,
        None => peer(),
    };
    foreign.ok(&format!("connect {name} trusting"));
    foreign.ok("send 100");
    foreign.ok("send 100");
    let segment = objects::segment(&name);
    {
        let frame = reader.recv().expect("a frame");
        // All of the ring: the frame in hand is not there any more.
        objects::scribble(&segment, 128 + 64, &[0xee; 100 + 16]);
        pattern::check(&frame, 1);
    }
    let frame = reader.recv_owned().expect("a frame");
    assert_eq!(reader.statistics().used, 0, "a copy gives its space back at once");
    objects::scribble(&segment, 128 + 64, &[0xee; 1024]);
    pattern::check(&frame, 2);
    assert!(foreign.exit().success());
}

#[test]
fn what_another_user_left_is_not_taken_over_without_the_right_to() {
    let name = TestName::new("foreign-leftover");
    let program = Copied::new(&name);
    let mut dead = peer();
    dead.ok(&format!("create {name} 64 1024"));
    dead.kill();
    if let Some(mut foreign) = foreign_peer(&program) {
        let before = objects::left(&name);
        let error = foreign.err(&format!("create {name} 64 1024"));
        assert!(error.starts_with("Os") && error.contains(&*name), "{error}");
        assert_eq!(objects::left(&name), before);
    }
    drop(reader(&name));
}

#[test]
fn another_user_may_create_buffers_of_its_own() {
    let name = TestName::new("foreign-own");
    let program = Copied::new(&name);
    // The folders of the locks are there now, made by us.
    drop(reader(&name));
    let Some(mut foreign) = foreign_peer(&program) else { return };
    foreign.ok(&format!("create {name} 64 1024"));
    // Even root is refused: its owner could end us by cutting it short.
    let refused = Writer::connect(&name).expect_err("its owner is not trusted");
    assert!(matches!(refused, ConnectError::OthersMayWrite { .. }), "{refused}");
    let mut writer = Writer::builder(&name).trust_others(true).connect().expect("a reader is there");
    send(&mut writer, 10);
    assert_eq!(foreign.ok("recv"), "1 10");
    assert!(foreign.exit().success());
}
