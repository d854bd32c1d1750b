//! Frames held while the writer presses: never overwritten, readable after their reader, returned in any order.

use strait::zerobuffer::{MAX_HELD_FRAMES, OwnedFrame, RecvError, SendError};
use strait_tests::{PATIENCE, TestName, blocked, pattern, pattern::Numbers};

use crate::{expect_end, peer, reader, reader_of, send, writer};

fn check(frame: &OwnedFrame) {
    pattern::check(frame, frame.sequence());
}

#[test]
fn held_frames_released_in_any_order_are_never_overwritten() {
    let name = TestName::new("held");
    let mut reader = reader_of(&name, 4096).create().expect("the name is free");
    let mut peer = peer();
    peer.ok(&format!("connect {name}"));
    peer.tell("pour 5000 300 1");
    let mut numbers = Numbers::new(5);
    let mut held: Vec<OwnedFrame> = Vec::new();
    let mut next = 1;
    while next <= 5000 {
        let received = if held.is_empty() { reader.recv_owned() } else { reader.try_recv_owned() };
        match received {
            Ok(frame) => {
                assert_eq!(frame.sequence(), next);
                next += 1;
                held.push(frame);
            }
            Err(RecvError::Empty) => drop(held.swap_remove(numbers.below(held.len()))),
            Err(error) => panic!("{error:?}"),
        }
        held.iter().for_each(check);
        if held.len() > numbers.below(40) {
            drop(held.swap_remove(numbers.below(held.len())));
        }
    }
    assert_eq!(peer.answer_ok(), "5000");
    held.iter().for_each(check);
    held.clear();
    assert_eq!(reader.statistics().used, 0);
    peer.ok("close");
    expect_end(&mut reader);
}

#[test]
fn the_oldest_frame_alone_blocks_the_writer_until_it_is_released() {
    let name = TestName::new("held-oldest");
    let mut reader = reader(&name);
    let mut peer = peer();
    peer.ok(&format!("connect {name}"));
    // 16 frames of 64 bytes fill the ring; the 17th waits.
    peer.tell("send 48 17");
    let mut held: Vec<OwnedFrame> = (0..16).map(|_| reader.recv_owned().expect("a frame")).collect();
    held.truncate(1);
    blocked::until_full(&mut peer, &name, 16);
    check(&held[0]);
    assert_eq!(reader.statistics().used, 1024);
    held.clear();
    assert_eq!(peer.answer_ok(), "17");
    assert_eq!(reader.recv().expect("a frame").sequence(), 17);
}

#[test]
fn frames_may_be_released_on_other_threads() {
    let name = TestName::new("held-threads");
    let mut reader = reader(&name);
    let mut peer = peer();
    peer.ok(&format!("connect {name}"));
    peer.tell("pour 5000 100 2");
    std::thread::scope(|scope| {
        let (to, from) = std::sync::mpsc::sync_channel::<OwnedFrame>(2);
        let (to_other, from_other) = std::sync::mpsc::sync_channel::<OwnedFrame>(2);
        for from in [from, from_other] {
            scope.spawn(move || {
                for frame in from {
                    check(&frame);
                }
            });
        }
        for sequence in 1..=5000 {
            let frame = reader.recv_owned().expect("a frame");
            assert_eq!(frame.sequence(), sequence);
            let to = if sequence % 3 == 0 { &to } else { &to_other };
            to.send(frame).expect("the thread runs");
        }
    });
    assert_eq!(reader.statistics().used, 0);
}

#[test]
fn a_frame_stays_readable_after_its_reader_and_a_new_buffer_of_that_name() {
    let name = TestName::new("held-after-close");
    let frame = {
        let mut reader = reader(&name);
        let mut writer = writer(&name);
        send(&mut writer, 500);
        reader.recv_owned().expect("a frame")
    };
    name.assert_nothing_left();
    check(&frame);
    let mut reader = reader(&name);
    let mut writer = writer(&name);
    writer.send(&[0xff; 900]).expect("fits");
    assert_eq!(&*reader.recv().expect("a frame"), [0xff; 900]);
    check(&frame);
    drop(frame);
    writer.send(&[0xee; 900]).expect("fits");
    assert_eq!(&*reader.recv().expect("a frame"), [0xee; 900]);
}

#[test]
fn one_frame_more_than_can_be_held_is_refused_and_not_lost() {
    let name = TestName::new("held-most");
    let mut reader = reader_of(&name, 64 << 10).create().expect("the name is free");
    let mut writer = writer(&name);
    let mut held = Vec::new();
    for _ in 0..MAX_HELD_FRAMES {
        send(&mut writer, 1);
        held.push(reader.recv_owned().expect("a frame"));
    }
    send(&mut writer, 1);
    let refused = reader.recv_owned();
    assert!(matches!(refused, Err(RecvError::TooManyHeld { limit: MAX_HELD_FRAMES, .. })), "{refused:?}");
    held.remove(0);
    let frame = reader.recv_owned_timeout(PATIENCE).expect("the frame was kept");
    assert_eq!(frame.sequence(), MAX_HELD_FRAMES as u64 + 1);
    check(&frame);
}

#[test]
fn a_held_frame_keeps_the_writer_from_its_bytes_without_waiting() {
    let name = TestName::new("held-full");
    let mut reader = reader(&name);
    let mut writer = writer(&name);
    send(&mut writer, 600);
    let frame = reader.recv_owned().expect("a frame");
    let refused = writer.try_send(&[0; 600]);
    assert!(matches!(refused, Err(SendError::BufferFull { .. })), "{refused:?}");
    check(&frame);
    drop(frame);
    writer.try_send(&[0; 600]).expect("fits again");
}
