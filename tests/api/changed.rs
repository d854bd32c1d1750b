//! Frames that their receiver changes in place: they alone change, in the ring and as copies.

use strait_tests::{PATIENCE, TestName, pattern};

use strait::zerobuffer::{Reader, Writer};

const RING: u64 = 4096;

fn pair(name: &TestName, copies: bool) -> (Reader, Writer) {
    let reader = Reader::builder(name).payload_capacity(RING).timeout(PATIENCE).copy_frames(copies);
    let reader = reader.create().expect("created");
    (reader, Writer::builder(name).timeout(PATIENCE).connect().expect("connected"))
}

/// Three laps of frames of many sizes: each arrives as it was sent, whatever was made of those before it.
#[test]
fn a_frame_is_changed_in_place_and_no_other_is() {
    for copies in [false, true] {
        let name = TestName::new("changed");
        let (mut reader, mut writer) = pair(&name, copies);
        let mut sent = 0;
        while sent < 3 * RING {
            let len = 1 + usize::try_from(sent % 700).expect("small");
            for _ in 0..2 {
                let mut frame = writer.reserve(len).expect("there is room");
                let sequence = frame.sequence();
                pattern::fill(&mut frame, sequence);
                frame.commit().expect("sent");
                sent += len as u64 + 16;
            }
            let mut frame = reader.recv().expect("a frame");
            pattern::check(&frame, frame.sequence());
            frame.fill(0xff);
            assert!(frame.iter().all(|byte| *byte == 0xff));
            drop(frame);
            let next = reader.recv().expect("a frame");
            pattern::check(&next, next.sequence());
        }
        writer.close();
        assert_eq!(reader.statistics().used, 0);
    }
}

#[test]
fn frames_that_are_held_are_changed_each_for_itself() {
    for copies in [false, true] {
        let name = TestName::new("changed-held");
        let (mut reader, mut writer) = pair(&name, copies);
        for sequence in 1..=3 {
            writer.send(&pattern::content(sequence, 100)).expect("sent");
        }
        let mut held: Vec<_> = (0..3).map(|_| reader.recv_owned().expect("a frame")).collect();
        held[1].make_ascii_uppercase();
        held[1].fill(0xff);
        pattern::check(&held[0], 1);
        pattern::check(&held[2], 3);
        assert!(held[1].iter().all(|byte| *byte == 0xff));
        // Also on another thread, and after the reader has gone.
        drop(reader);
        let mut last = held.pop().expect("three");
        let changed = std::thread::spawn(move || {
            last.reverse();
            last.to_vec()
        });
        let mut wanted = pattern::content(3, 100);
        wanted.reverse();
        assert_eq!(changed.join().expect("did not panic"), wanted);
    }
}
