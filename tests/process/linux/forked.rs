//! What a process has inherited through a fork, and what one that has become another program has left.

use std::time::Duration;

use strait::zerobuffer::{Reader, RecvError, Writer};
use strait_tests::{Peer, TestName, objects};

use crate::{channel_peer, drain_dead, expect_end, peer, reader, receive, writer};

/// Both processes are named in an error of this kind.
#[track_caller]
fn expect_forked(error: &str, maker: &Peer) {
    let made = format!("made by process {} and used by process ", maker.pid());
    assert!(error.starts_with("Forked: ") && error.contains(&made), "{error}");
}

#[test]
fn a_child_that_drops_its_parents_reader_removes_nothing() {
    let name = TestName::new("fork-reader");
    let mut parent = peer();
    parent.ok(&format!("create {name} 64 1024"));
    let before = objects::left(&name);
    assert_eq!(before.len(), 5, "{before:?}");
    parent.ok("child close");
    assert_eq!(objects::left(&name), before);
    let refused = Reader::create(&name).expect_err("the parent reads").to_string();
    assert!(refused.contains(&format!("pid {}", parent.pid())), "{refused}");
    let mut writer = writer(&name);
    assert!(writer.is_reader_connected());
    crate::send(&mut writer, 100);
    assert_eq!(parent.ok("recv"), "1 100");
    parent.ok("close");
    name.assert_nothing_left();
}

#[test]
fn a_child_that_drops_its_parents_writer_ends_no_stream() {
    let name = TestName::new("fork-writer");
    let mut reader = reader(&name);
    let mut parent = peer();
    parent.ok(&format!("connect {name}"));
    // Neither before its first frame, when a writer leaves a permit, nor after it.
    for sequence in 1..=2 {
        parent.ok("child close");
        let outcome = reader.recv_timeout(Duration::from_millis(1)).map(|frame| frame.len());
        assert!(matches!(outcome, Err(RecvError::Timeout { .. })), "{outcome:?}");
        assert_eq!(objects::word(&objects::segment(&name), objects::WRITER_PID), parent.pid());
        let refused = Writer::connect(&name).expect_err("the parent writes").to_string();
        assert!(refused.contains(&format!("pid {}", parent.pid())), "{refused}");
        assert_eq!(parent.ok("send 10"), sequence.to_string());
        assert_eq!(receive(&mut reader).expect("a frame"), (sequence, 10));
    }
    parent.ok("close");
    expect_end(&mut reader);
}

#[test]
fn a_child_that_uses_its_parents_ends_is_refused_and_changes_nothing() {
    let name = TestName::new("fork-use");
    let mut parent = peer();
    parent.ok(&format!("create {name} 64 1024"));
    parent.ok(&format!("connect {name}"));
    parent.ok("send 10");
    let before = std::fs::read(objects::segment(&name)).expect("it is there");
    for command in ["send 10", "metadata about", "recv", "try_recv"] {
        expect_forked(&parent.err(&format!("child {command}")), &parent);
    }
    assert!(std::fs::read(objects::segment(&name)).expect("it is there") == before);
    assert_eq!(objects::permits(&objects::data_ready(&name)), 1);
    assert_eq!(parent.ok("recv"), "1 10");
    parent.ok("close");
}

#[test]
fn a_child_has_no_part_in_a_channel() {
    let name = TestName::new("fork-channel");
    let (mut server, mut client) = (channel_peer(), channel_peer());
    server.ok(&format!("serve {name} 65536 echo"));
    client.ok(&format!("connect {name} 65536"));
    for sequence in 1..=3 {
        // The server's thread is not in the child, which does not wait for it.
        server.ok("child stop");
        server.ok("child close");
        expect_forked(&client.err("child send 10"), &client);
        assert!(client.err("child receive").contains("made by process"));
        client.ok("child close");
        assert_eq!(client.ok("send 100"), sequence.to_string());
        assert_eq!(client.ok("receive"), format!("{sequence} 100 copied"));
    }
    client.ok("close");
    server.ok("stop");
}

#[test]
fn a_child_may_have_ends_of_its_own() {
    let (name, own) = (TestName::new("fork-first"), TestName::new("fork-own"));
    let mut parent = peer();
    parent.ok(&format!("create {name} 64 1024"));
    parent.ok(&format!("child create {own} 64 1024"));
    own.assert_nothing_left();
    parent.ok("close");
}

#[test]
fn what_a_child_still_holds_keeps_no_stream_and_no_name_when_its_parent_closes() {
    let name = TestName::new("fork-keeps");
    let mut reader = reader(&name);
    let mut parent = peer();
    parent.ok(&format!("connect {name}"));
    parent.ok("keep");
    parent.ok("send 10");
    parent.ok("close");
    assert_eq!(receive(&mut reader).expect("a frame"), (1, 10));
    expect_end(&mut reader);
    let mut second = writer(&name);
    assert_eq!(crate::send(&mut second, 20), 2);
    drop((second, reader));

    let mut parent = peer();
    parent.ok(&format!("create {name} 64 1024"));
    parent.ok("keep");
    parent.ok("close");
    name.assert_nothing_left();
    drop(Reader::builder(&name).payload_capacity(1024).create().expect("the name is free"));
}

#[test]
fn what_a_child_still_holds_keeps_no_stream_and_no_name_when_its_parent_dies() {
    let name = TestName::new("fork-orphan");
    let mut reader = reader(&name);
    let mut parent = peer();
    parent.ok(&format!("connect {name}"));
    parent.ok("send 10");
    parent.ok("keep");
    let pid = parent.kill_alone();
    assert_eq!(drain_dead(&mut reader, 1, pid), 1);
    // The child goes with its pipe, and with it the last of the dead writer's lock.
    drop(parent);
    let mut second = Writer::connect(&name);
    strait_tests::wait_until(|| {
        second = Writer::connect(&name);
        second.is_ok()
    });
    assert_eq!(crate::send(&mut second.expect("the place is free"), 20), 2);
    drop(reader);

    let mut parent_of_reader = peer();
    parent_of_reader.ok(&format!("create {name} 64 1024"));
    let mut writer = writer(&name);
    parent_of_reader.ok("keep");
    parent_of_reader.kill_alone();
    assert!(!writer.is_reader_connected(), "its process has ended, whatever its child holds");
    drop(writer);
    drop(Reader::builder(&name).payload_capacity(1024).create().expect("a dead reader's name is free"));
}

#[test]
fn a_reader_whose_process_becomes_another_program_has_died() {
    let name = TestName::new("exec-reader");
    let mut process = peer();
    process.ok(&format!("create {name} 64 1024"));
    let mut writer = writer(&name);
    process.ok("exec");
    strait_tests::wait_until(|| !writer.is_reader_connected());
    drop(writer);
    let refused = Writer::connect(&name).expect_err("nobody reads").to_string();
    assert!(refused.contains("is gone"), "{refused}");
    process.ok(&format!("create {name} 64 1024"));
    process.ok("close");
}

#[test]
fn a_writer_whose_process_becomes_another_program_has_died() {
    let name = TestName::new("exec-writer");
    let mut reader = reader(&name);
    let mut process = peer();
    process.ok(&format!("connect {name}"));
    process.ok("send 10");
    let pid = process.pid();
    process.ok("exec");
    assert_eq!(drain_dead(&mut reader, 1, pid), 1);
    process.ok(&format!("connect {name}"));
    assert_eq!(process.ok("send 20"), "2");
    process.ok("close");
    assert_eq!(receive(&mut reader).expect("a frame"), (2, 20));
    expect_end(&mut reader);
}

#[test]
fn a_program_that_is_started_inherits_nothing() {
    let name = TestName::new("exec-nothing");
    let reader = reader(&name);
    let writer = writer(&name);
    let listed = std::process::Command::new("ls").args(["-l", "/proc/self/fd"]).output().expect("ls runs");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.contains("-> ") && !listed.contains(&*name), "{listed}");
    drop((writer, reader));
}
