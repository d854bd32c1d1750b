//! A writer killed at every step: its frames arrive once, its death is told, the next writer goes on.

use strait::zerobuffer::RecvError;
use strait_tests::{TestName, blocked, pattern::Numbers};

use crate::{drain_dead, expect_end, peer, reader, receive};

/// What a writer does before it is killed, and how many frames it has committed by then.
struct Step {
    what: &'static str,
    commands: &'static [&'static str],
    committed: u64,
}

const STEPS: [Step; 7] = [
    Step { what: "after connect", commands: &[], committed: 0 },
    Step { what: "after metadata", commands: &["metadata about"], committed: 0 },
    Step { what: "after reserve", commands: &["reserve 100"], committed: 0 },
    Step { what: "after fill", commands: &["reserve 100", "fill"], committed: 0 },
    Step { what: "after commit", commands: &["reserve 100", "fill", "commit"], committed: 1 },
    Step { what: "between frames", commands: &["send 100", "send 1", "send 300"], committed: 3 },
    Step {
        what: "in the third frame",
        commands: &["send 9", "send 99", "reserve 300", "fill"],
        committed: 2,
    },
];

#[test]
fn every_committed_frame_arrives_once_and_then_the_death() {
    for Step { what, commands, committed } in STEPS {
        let name = TestName::new("writer-killed");
        let mut reader = reader(&name);
        let mut first = peer();
        first.ok(&format!("connect {name}"));
        for command in commands {
            first.ok(command);
        }
        let pid = first.kill();
        assert_eq!(drain_dead(&mut reader, 1, pid), committed, "{what}");
        // The news stays until somebody else connects.
        assert_eq!(drain_dead(&mut reader, 1, pid), 0, "{what}");

        let mut second = peer();
        second.ok(&format!("connect {name}"));
        for sequence in committed + 1..committed + 40 {
            assert_eq!(second.ok("send 150"), sequence.to_string(), "{what}: the number goes on");
            assert_eq!(receive(&mut reader).expect("a frame"), (sequence, 150), "{what}");
        }
        assert!(second.exit().success());
        expect_end(&mut reader);
    }
}

#[test]
fn a_new_writer_may_connect_before_the_death_was_noticed() {
    for Step { what, commands, committed } in STEPS {
        let name = TestName::new("writer-killed-unseen");
        let mut reader = reader(&name);
        let mut first = peer();
        first.ok(&format!("connect {name}"));
        for command in commands {
            first.ok(command);
        }
        let dead = first.pid();
        first.kill();
        let mut second = peer();
        second.ok(&format!("connect {name}"));
        assert_eq!(second.ok("send 77"), (committed + 1).to_string(), "{what}");
        for sequence in 1..=committed {
            assert_eq!(receive(&mut reader).expect("a frame").0, sequence, "{what}");
        }
        let error = receive(&mut reader).expect_err("the first one died");
        assert!(matches!(error, RecvError::WriterDead { pid, .. } if pid == dead), "{what}: {error}");
        assert_eq!(receive(&mut reader).expect("a frame").0, committed + 1, "{what}");
        second.ok("close");
        expect_end(&mut reader);
    }
}

#[test]
fn killed_while_blocked_on_a_full_ring_it_leaves_all_that_fitted() {
    let name = TestName::new("writer-killed-blocked");
    let mut reader = reader(&name);
    let mut first = peer();
    first.ok(&format!("connect {name}"));
    // 16 frames of 16 + 48 bytes fill the kilobyte.
    first.tell("send 48 1000");
    blocked::until_full(&mut first, &name, 16);
    let pid = first.kill();
    assert_eq!(drain_dead(&mut reader, 1, pid), 16);

    let mut second = peer();
    second.ok(&format!("connect {name}"));
    second.tell("send 48 1000");
    for sequence in 17..=1016 {
        assert_eq!(receive(&mut reader).expect("a frame"), (sequence, 48));
    }
    assert_eq!(second.answer_ok(), "1016");
    second.ok("close");
    expect_end(&mut reader);
}

#[test]
fn killed_before_it_commits_a_frame_that_wraps_its_number_is_still_found() {
    let name = TestName::new("writer-killed-wrapping");
    let mut reader = reader(&name);
    let mut first = peer();
    first.ok(&format!("connect {name}"));
    for sequence in 1..=4 {
        // 4 times 16 + 184 of 1024 bytes: a tail of 224.
        first.ok("send 184");
        assert_eq!(receive(&mut reader).expect("a frame").0, sequence);
    }
    first.ok("reserve 300");
    // Over the headers of this lap's first frames.
    first.ok("fill");
    let pid = first.kill();
    assert_eq!(drain_dead(&mut reader, 5, pid), 0);
    let mut second = peer();
    second.ok(&format!("connect {name}"));
    assert_eq!(second.ok("send 300"), "5", "the number goes on");
    assert_eq!(receive(&mut reader).expect("a frame"), (5, 300));
}

#[test]
fn killed_anywhere_in_a_stream_it_leaves_whole_frames_only() {
    let name = TestName::new("writer-killed-anywhere");
    let mut reader = reader(&name);
    let mut numbers = Numbers::new(7);
    let mut next = 1;
    for round in 0..40 {
        let mut writer = peer();
        writer.ok(&format!("connect {name}"));
        writer.tell(&format!("pour 1000000 200 {round}"));
        for at in 0..1 + numbers.below(300) {
            let (sequence, _) = receive(&mut reader).expect("a frame");
            // A writer killed over the headers by which its number is found leaves a successor that starts again.
            assert!(sequence == next || (at == 0 && sequence == 1), "{sequence} after {}", next - 1);
            next = sequence + 1;
        }
        let pid = writer.kill();
        next += drain_dead(&mut reader, next, pid);
        assert_eq!(reader.statistics().used, 0, "nothing the dead writer took is lost");
    }
}
