//! How a stream ends: only a writer that closes says that this was all, and one that sends nothing says it too.

use std::time::Duration;

use strait::zerobuffer::{ABORTED, RecvError, inspect};
use strait_tests::{Peer, TestName};

use crate::{expect_end, peer, reader, receive, writer};

/// A peer that has sent two frames as the writer of `name`.
fn sender(name: &str) -> Peer {
    let mut sender = peer();
    sender.ok(&format!("connect {name}"));
    sender.ok("send 10 2");
    sender
}

#[test]
fn a_writer_that_gives_up_or_is_unwound_over_is_a_death_to_every_reader() {
    for how in ["abort", "unwind"] {
        let name = TestName::new("gives-up");
        let mut reader = reader(&name);
        let mut first = sender(&name);
        first.ok(how);
        assert_eq!(inspect(&name, 0).expect("it is there").words.writer_pid.0, ABORTED, "{how}");
        for sequence in [1, 2] {
            assert_eq!(receive(&mut reader).expect("a frame"), (sequence, 10), "{how}");
        }
        // The news stays, though the reader has put the buffer in order.
        for _ in 0..2 {
            let error = receive(&mut reader).expect_err("it gave up");
            assert!(matches!(error, RecvError::WriterDead { pid: ABORTED, .. }), "{how}: {error:?}");
            assert_eq!(
                error.to_string(),
                format!("the writer of buffer {:?} gave up; every frame it committed was received", &*name)
            );
        }
        // The same process, still there, may write again.
        first.ok(&format!("connect {name}"));
        assert_eq!(first.ok("send 20"), "3", "{how}: the number goes on");
        first.ok("close");
        assert_eq!(receive(&mut reader).expect("a frame"), (3, 20), "{how}");
        expect_end(&mut reader);
    }
}

#[test]
fn a_new_writer_may_connect_before_the_reader_has_seen_that_the_last_one_gave_up() {
    let name = TestName::new("gave-up-unseen");
    let mut reader = reader(&name);
    sender(&name).ok("abort");
    let mut second = writer(&name);
    second.send(&[0; 5]).expect("there is room");
    second.close();
    for sequence in 1..=2 {
        assert_eq!(reader.recv().expect("a frame").sequence(), sequence);
    }
    // Told where it happened, once.
    let error = reader.recv().expect_err("the first one gave up");
    assert!(matches!(error, RecvError::WriterDead { pid: ABORTED, .. }), "{error}");
    assert_eq!(reader.recv().expect("a frame").sequence(), 3);
    expect_end(&mut reader);
}

#[test]
fn a_death_that_the_next_writer_covers_is_told_also_if_that_one_sends_nothing() {
    for closes in [true, false] {
        let name = TestName::new("covered");
        let mut reader = reader(&name);
        let dead = sender(&name);
        let pid = dead.pid();
        dead.kill();
        let second = writer(&name);
        for sequence in 1..=2 {
            assert_eq!(reader.recv().expect("a frame").sequence(), sequence);
        }
        let mut second = if closes {
            second.close();
            None
        } else {
            Some(second)
        };
        let error = reader.recv().expect_err("the first one died");
        assert!(matches!(error, RecvError::WriterDead { pid: found, .. } if found == pid), "{error}");
        if let Some(second) = &mut second {
            second.send(&[0; 5]).expect("there is room");
            assert_eq!(reader.recv().expect("a frame").sequence(), 3);
            continue;
        }
        expect_end(&mut reader);
    }
}

#[test]
fn a_death_that_was_told_is_not_told_again_when_the_next_writer_comes() {
    let name = TestName::new("told-once");
    let mut reader = reader(&name);
    sender(&name).kill();
    let held: Vec<_> = (0..2).map(|_| reader.recv_owned().expect("a frame")).collect();
    let error = reader.recv().expect_err("it died");
    assert!(matches!(error, RecvError::WriterDead { .. }), "{error}");
    writer(&name).send(&[0; 5]).expect("there is room");
    assert_eq!(reader.recv().expect("a frame").sequence(), 3);
    drop(held);
    expect_end(&mut reader);
}

#[test]
fn a_process_that_leaves_without_closing_is_a_death() {
    for how in ["panic", "leave", "fault"] {
        let name = TestName::new("leaves");
        let mut reader = reader(&name);
        let pid = sender(&name).end_by(how);
        for sequence in [1, 2] {
            assert_eq!(receive(&mut reader).expect("a frame"), (sequence, 10), "{how}");
        }
        let error = receive(&mut reader).expect_err("it died");
        assert!(
            matches!(error, RecvError::WriterDead { pid: found, .. } if found == pid),
            "{how}: {error:?}"
        );
    }
}

#[test]
fn a_drop_ends_the_stream_unless_it_was_told_otherwise() {
    let name = TestName::new("drops");
    let mut reader = reader(&name);
    drop(writer(&name));
    expect_end(&mut reader);

    let connect =
        || strait::zerobuffer::Writer::builder(&name).abort_on_drop(true).connect().expect("connects");
    connect().close();
    expect_end(&mut reader);
    drop(connect());
    let gave_up = receive(&mut reader);
    assert!(matches!(gave_up, Err(RecvError::WriterDead { pid: ABORTED, .. })), "{gave_up:?}");
}

#[test]
fn a_writer_that_sends_nothing_ends_the_stream_of_a_reader_that_waits_or_comes_to_it_later() {
    for waits in [true, false] {
        let name = TestName::new("empty");
        let mut second = peer();
        second.ok(&format!("create {name} 64 1024"));
        if waits {
            // Without a limit: the answer is the proof.
            second.tell("recv");
        }
        writer(&name).close();
        if !waits {
            second.tell("recv");
        }
        let answer = second.answer_err();
        assert!(answer.starts_with("EndOfStream"), "waits {waits}: {answer}");
        assert!(second.err("try_recv").starts_with("EndOfStream"), "waits {waits}");
        second.ok("close");
    }
}

#[test]
fn the_trace_of_an_empty_stream_is_taken_for_no_frame() {
    let name = TestName::new("empty-then-full");
    let mut reader = reader(&name);
    writer(&name).close();
    let mut second = writer(&name);
    assert!(matches!(reader.recv_timeout(Duration::from_millis(1)), Err(RecvError::Timeout { .. })));
    second.send(b"one").expect("there is room");
    assert_eq!(reader.recv().expect("a frame").sequence(), 1);
    second.close();
    expect_end(&mut reader);
    assert_eq!(inspect(&name, 0).expect("it is there").data_ready, Some(0));
}
