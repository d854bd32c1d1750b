//! The stream as a whole: its end, its restart, its bytes.

use std::io::{Read as _, Write as _};
use std::thread;

use strait::zerobuffer::RecvError;
use strait_tests::{TestName, pattern, pattern::Numbers};

use crate::{expect_end, peer, reader, reader_of, receive, send, writer};

#[test]
fn unread_frames_come_before_the_end() {
    let name = TestName::new("end-unread");
    let mut reader = reader(&name);
    let mut peer = peer();
    peer.ok(&format!("connect {name}"));
    peer.ok("send 40 10");
    assert!(peer.exit().success());
    for sequence in 1..=10 {
        assert_eq!(receive(&mut reader).expect("a frame"), (sequence, 40));
    }
    expect_end(&mut reader);
}

#[test]
fn a_writer_that_sent_nothing_also_ends_the_stream_it_began() {
    let name = TestName::new("end-metadata");
    let mut reader = reader(&name);
    let mut first = writer(&name);
    assert!(matches!(reader.try_recv(), Err(RecvError::Empty)));
    first.set_metadata(b"about").expect("fits");
    drop(first);
    expect_end(&mut reader);
    assert_eq!(reader.metadata().expect("whole"), Some(b"about".to_vec()));
}

#[test]
fn the_next_writer_goes_on_with_the_numbers() {
    let name = TestName::new("restart");
    let mut reader = reader(&name);
    let mut numbers = Numbers::new(3);
    let mut next = 1;
    for _ in 0..60 {
        let mut writer = writer(&name);
        for _ in 0..numbers.below(7) {
            let len = 1 + numbers.below(300);
            assert_eq!(send(&mut writer, len), next);
            assert_eq!(receive(&mut reader).expect("a frame"), (next, len));
            next += 1;
        }
        drop(writer);
        if next > 1 {
            expect_end(&mut reader);
        }
    }
    assert!(next > 100);
}

#[test]
fn every_byte_written_is_read_once() {
    let name = TestName::new("bytes");
    let mut reader = reader_of(&name, 4096).create().expect("the name is free");
    let mut writer = writer(&name);
    let sent = pattern::content(1, 300_001);
    let received = thread::scope(|scope| {
        scope.spawn(|| {
            let mut numbers = Numbers::new(1);
            let mut rest = &sent[..];
            while !rest.is_empty() {
                let (here, after) = rest.split_at((1 + numbers.below(9000)).min(rest.len()));
                writer.write_all(here).expect("the reader reads");
                writer.flush().expect("nothing to do");
                rest = after;
            }
            drop(writer);
        });
        let mut numbers = Numbers::new(2);
        let mut received = Vec::new();
        loop {
            let mut part = vec![0; 1 + numbers.below(700)];
            match reader.read(&mut part).expect("the writer writes") {
                0 => break received,
                len => received.extend_from_slice(&part[..len]),
            }
        }
    });
    assert!(received == sent);
}

#[test]
fn two_processes_stream_through_a_small_ring() {
    let name = TestName::new("stream");
    let mut reader = reader(&name);
    let mut peer = peer();
    peer.ok(&format!("connect {name}"));
    peer.tell("pour 20000 500 9");
    for next in 1..=20_000 {
        assert_eq!(receive(&mut reader).expect("a frame").0, next);
    }
    assert_eq!(peer.answer_ok(), "20000");
    peer.ok("close");
    expect_end(&mut reader);
    assert_eq!(reader.statistics().used, 0);
}
