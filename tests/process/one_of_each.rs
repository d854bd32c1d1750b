//! One writer and one reader per buffer: others are refused, replacement is noticed, the stream is unharmed.

use std::thread;

use strait::zerobuffer::{ConnectError, CreateError, Reader, Writer, inspect};
use strait_tests::{PATIENCE, TestName};

use crate::{expect_end, peer, reader, receive, send, writer};

#[test]
fn a_second_writer_is_refused_and_the_stream_is_unharmed() {
    let name = TestName::new("second-writer");
    let mut reader = reader(&name);
    let mut first = writer(&name);
    let here = u64::from(std::process::id());
    for sequence in 1..=50 {
        assert_eq!(send(&mut first, 100), sequence);
        // In this process, and in another.
        let refused = Writer::connect(&name);
        assert!(
            matches!(&refused, Err(ConnectError::WriterAlreadyConnected { pid, .. }) if *pid == here),
            "{refused:?}"
        );
        if sequence % 10 == 0 {
            let error = peer().err(&format!("connect {name}"));
            assert!(error.starts_with("WriterAlreadyConnected"), "{error}");
            assert!(error.contains(&format!("pid {here}")), "{error}");
        }
        assert_eq!(inspect(&name, 0).expect("it is there").words.writer_pid.0, here);
        assert_eq!(receive(&mut reader).expect("a frame"), (sequence, 100));
    }
    drop(first);
    expect_end(&mut reader);
}

#[test]
fn of_many_writers_that_race_one_is_connected() {
    let name = TestName::new("racing-writers");
    let mut reader = reader(&name);
    for round in 1..=20 {
        let mut peers: Vec<_> = (0..4).map(|_| peer()).collect();
        for peer in &mut peers {
            peer.tell(&format!("connect {name}"));
        }
        let answers: Vec<String> = peers.iter_mut().map(strait_tests::Peer::answer).collect();
        let connected = answers.iter().position(|answer| answer.starts_with("ok"));
        let connected = connected.unwrap_or_else(|| panic!("none is connected: {answers:?}"));
        for (at, answer) in answers.iter().enumerate() {
            assert!(at == connected || answer.starts_with("err WriterAlreadyConnected"), "{answers:?}");
        }
        assert_eq!(peers[connected].ok("send 10"), round.to_string());
        assert_eq!(receive(&mut reader).expect("a frame").0, round);
        for peer in peers {
            assert!(peer.exit().success());
        }
    }
}

#[test]
fn a_second_reader_is_refused_and_the_stream_is_unharmed() {
    let name = TestName::new("second-reader");
    let mut reader = reader(&name);
    let mut writer = writer(&name);
    let here = u64::from(std::process::id());
    for sequence in 1..=5 {
        send(&mut writer, 100);
        let refused = Reader::create(&name);
        assert!(
            matches!(&refused, Err(CreateError::ReaderAlreadyConnected { pid, .. }) if *pid == here),
            "{refused:?}"
        );
        let error = peer().err(&format!("create {name} 64 1024"));
        assert!(error.starts_with("ReaderAlreadyConnected"), "{error}");
        assert!(error.contains(&format!("pid {here}")), "{error}");
        assert_eq!(receive(&mut reader).expect("a frame"), (sequence, 100));
    }
}

#[test]
fn of_many_readers_that_race_one_creates_the_buffer() {
    for _ in 0..20 {
        let name = TestName::new("racing-readers");
        let mut peers: Vec<_> = (0..4).map(|_| peer()).collect();
        for peer in &mut peers {
            peer.tell(&format!("create {name} 64 1024"));
        }
        let answers: Vec<String> = peers.iter_mut().map(strait_tests::Peer::answer).collect();
        let created = answers.iter().position(|answer| answer.starts_with("ok"));
        let created = created.unwrap_or_else(|| panic!("none has created it: {answers:?}"));
        for (at, answer) in answers.iter().enumerate() {
            assert!(at == created || answer.starts_with("err ReaderAlreadyConnected"), "{answers:?}");
        }
        let mut writer = writer(&name);
        send(&mut writer, 10);
        assert_eq!(peers[created].ok("recv"), "1 10");
        for peer in peers {
            assert!(peer.exit().success());
        }
    }
}

#[test]
fn a_writer_waits_for_a_reader_that_comes_later() {
    let name = TestName::new("late-reader");
    let mut waiting = peer();
    waiting.tell(&format!("await {name}"));
    let mut reader = reader(&name);
    waiting.answer_ok();
    waiting.ok("send 10");
    assert_eq!(receive(&mut reader).expect("a frame"), (1, 10));
}

#[test]
fn a_writer_waits_past_what_a_dead_reader_left() {
    let name = TestName::new("late-reader-leftover");
    let mut dead = peer();
    dead.ok(&format!("create {name} 64 1024"));
    dead.kill();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| Writer::builder(&name).wait_for_reader(PATIENCE).connect());
        let mut reader = reader(&name);
        let mut writer = waiting.join().expect("does not panic").expect("the reader came");
        assert!(writer.is_reader_connected(), "connected to what the dead reader left");
        send(&mut writer, 10);
        assert_eq!(receive(&mut reader).expect("a frame"), (1, 10));
    });
}

#[test]
fn a_reader_waits_for_its_writer() {
    let name = TestName::new("late-writer");
    let mut reader = reader(&name);
    let mut late = peer();
    late.tell(&format!("connect {name}"));
    assert!(reader.wait_for_writer(PATIENCE).expect("waits"));
    late.answer_ok();
    late.kill();
    assert!(!reader.is_writer_connected().expect("looks"));
}

#[test]
fn a_name_that_could_leave_its_folder_is_refused_by_both_ends() {
    for bad in ["", ".", "..", ".hidden", "../escape", "a/b", "/a", "a b", "a\0b", "ü", &"x".repeat(246)] {
        let reader = Reader::create(bad);
        assert!(matches!(reader, Err(CreateError::BadName { .. })), "{bad:?}: {reader:?}");
        let writer = Writer::connect(bad);
        assert!(matches!(writer, Err(ConnectError::BadName { .. })), "{bad:?}: {writer:?}");
    }
}

#[test]
fn the_longest_name_works() {
    let name = TestName::new("longest");
    let long = format!("{name}{}", "x".repeat(245 - name.len()));
    let mut reader = reader(&long);
    let mut writer = writer(&long);
    send(&mut writer, 10);
    assert_eq!(receive(&mut reader).expect("a frame"), (1, 10));
}
