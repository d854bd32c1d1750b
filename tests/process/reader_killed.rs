//! A reader killed at every step: its writer is told, the next reader of the name takes over, nothing is left.

use strait::zerobuffer::{SendError, Writer};
use strait_tests::{TestName, blocked};

use crate::{peer, send, writer};

/// Sends until it fails, as it must once the ring is full at the latest; returns the error.
fn send_until_refused(writer: &mut Writer) -> SendError {
    loop {
        if let Err(error) = writer.send(&[1; 100]) {
            return error;
        }
    }
}

#[track_caller]
fn expect_reader_dead(writer: &mut Writer, pid: u64) {
    let error = send_until_refused(writer);
    assert!(matches!(error, SendError::ReaderDead { pid: found, .. } if found == pid), "{error:?}");
    assert!(!writer.is_reader_connected());
}

#[test]
fn the_writer_is_told_and_the_next_reader_takes_over() {
    // What the reader does before it is killed, and where it then sleeps.
    let steps: [(&str, &[&str], bool); 5] = [
        ("after create", &[], false),
        ("while blocked", &[], true),
        ("while blocked after a frame", &["recv"], true),
        ("frame held", &["hold"], false),
        ("after release", &["hold", "release", "recv"], false),
    ];
    for (what, commands, blocked) in steps {
        let name = TestName::new("reader-killed");
        let mut first = peer();
        first.ok(&format!("create {name} 64 1024"));
        let mut old = writer(&name);
        for _ in 0..commands.iter().filter(|command| **command != "release").count() {
            send(&mut old, 100);
        }
        for command in commands {
            first.ok(command);
        }
        if blocked {
            blocked::receive(&mut first, &name);
        }
        let pid = first.kill();
        expect_reader_dead(&mut old, pid);

        let mut second = peer();
        second.ok(&format!("create {name} 64 1024"));
        // The old buffer stays dead, whatever happens under its name.
        expect_reader_dead(&mut old, pid);
        let mut new = writer(&name);
        assert_eq!(send(&mut new, 300), 1, "{what}: a new buffer, new numbers");
        drop(old);
        assert_eq!(send(&mut new, 300), 2, "{what}: the old writer's end harms nobody");
        assert_eq!(second.ok("recv"), "1 300", "{what}");
        assert_eq!(second.ok("recv"), "2 300", "{what}");
        drop(new);
        assert!(second.err("recv").starts_with("EndOfStream"), "{what}");
        assert!(second.exit().success());
    }
}

#[test]
fn a_writer_blocked_on_a_full_ring_learns_that_its_reader_was_killed() {
    let name = TestName::new("reader-killed-full");
    let mut reader = peer();
    reader.ok(&format!("create {name} 0 1024"));
    let mut writer = peer();
    writer.ok(&format!("connect {name}"));
    writer.tell("send 48 1000");
    blocked::until_full(&mut writer, &name, 16);
    let pid = reader.kill();
    let error = writer.answer_err();
    assert!(error.starts_with("ReaderDead") && error.contains(&format!("pid {pid}")), "{error}");

    // Removed the way the next reader removes it.
    peer().ok(&format!("create {name} 0 64"));
    let mut last = peer();
    last.ok(&format!("create {name} 0 64"));
    assert!(last.exit().success());
}

#[test]
fn a_writer_blocked_on_a_full_ring_learns_that_its_reader_closed() {
    let name = TestName::new("reader-closed-full");
    let mut reader = peer();
    reader.ok(&format!("create {name} 0 1024"));
    let mut writer = peer();
    writer.ok(&format!("connect {name}"));
    writer.tell("send 48 1000");
    blocked::until_full(&mut writer, &name, 16);
    reader.ok("close");
    name.assert_nothing_left();
    let error = writer.answer_err();
    assert!(error.starts_with("ReaderDead"), "{error}");
    let error = writer.err(&format!("connect {name}"));
    assert!(error.starts_with("BufferNotFound") && error.contains(&*name), "{error}");
}

#[test]
fn a_connection_to_what_a_killed_reader_left_is_refused() {
    let name = TestName::new("reader-killed-connect");
    let mut reader = peer();
    reader.ok(&format!("create {name} 64 1024"));
    let pid = reader.kill();
    let error = peer().err(&format!("connect {name}"));
    if cfg!(windows) {
        // Nobody else has its objects open: they went with it.
        assert!(error.starts_with("BufferNotFound"), "{error}");
    } else {
        assert!(error.starts_with("ReaderDead") && error.contains(&format!("pid {pid}")), "{error}");
    }
    drop(crate::reader(&name));
}

#[test]
fn a_hundred_readers_killed_one_after_another_leave_nothing() {
    let name = TestName::new("reader-killed-often");
    for _ in 0..100 {
        let mut reader = peer();
        reader.ok(&format!("create {name} 64 1024"));
        let mut writer = writer(&name);
        send(&mut writer, 100);
        reader.ok("recv");
        reader.kill();
    }
    drop(crate::reader(&name));
}
