//! A segment cut short by somebody. Where others may write it, it is refused, or else each call is an error; where only
//! this user may, who waits finds out. No signal, in either.

use std::fs;

use strait::zerobuffer::Reader;
use strait_tests::{Peer, TestName, blocked, objects};

use crate::peer;

/// Bytes of ring.
const PAYLOAD: u64 = 64 << 10;

/// Lengths that a segment of 64 KiB of payload is cut to: nothing, the control block, one page less.
const CUTS: [u64; 4] = [0, 64, 4096, 128 + PAYLOAD - 4096];

/// Reader and writer of a buffer that others may write, each in a process of its own, so that a signal is a failed test and
/// no dead runner.
fn open_pair(name: &TestName) -> (Peer, Peer) {
    let (mut reader, mut writer) = (peer(), peer());
    reader.ok(&format!("create {name} 0 {PAYLOAD} mode 622"));
    writer.ok(&format!("connect {name} trusting"));
    (reader, writer)
}

/// The same of a buffer that only this user may write.
fn private_pair(name: &TestName) -> (Peer, Peer) {
    let (mut reader, mut writer) = (peer(), peer());
    reader.ok(&format!("create {name} 0 {PAYLOAD}"));
    writer.ok(&format!("connect {name}"));
    (reader, writer)
}

#[track_caller]
fn expect_truncated(error: &str) {
    assert!(error.starts_with("Truncated"), "{error}");
}

/// Both ends still close in order and leave nothing.
#[track_caller]
fn expect_orderly_end(name: &TestName, reader: Peer, writer: Peer) {
    assert!(writer.exit().success());
    assert!(reader.exit().success());
    name.assert_nothing_left();
}

#[test]
fn what_others_may_write_is_refused_unless_they_are_trusted() {
    for mode in ["602", "620", "622", "666"] {
        let name = TestName::new("cut-refused");
        let (mut reader, mut writer) = (peer(), peer());
        reader.ok(&format!("create {name} 0 {PAYLOAD} mode {mode}"));
        let error = writer.err(&format!("connect {name}"));
        assert!(error.starts_with("OthersMayWrite") && error.contains("trust_others"), "{mode}: {error}");
        // The reader has not seen a writer, and the next one may come.
        writer.ok(&format!("connect {name} trusting"));
        writer.ok("send 1");
        reader.ok("recv");
        expect_orderly_end(&name, reader, writer);
    }
    let name = TestName::new("cut-not-refused");
    let (mut reader, mut writer) = (peer(), peer());
    reader.ok(&format!("create {name} 0 {PAYLOAD} mode 644"));
    writer.ok(&format!("connect {name}"));
    expect_orderly_end(&name, reader, writer);
}

#[test]
fn who_finds_nothing_to_do_in_a_private_buffer_finds_out() {
    for cut in CUTS {
        let name = TestName::new("cut-private");
        let (mut reader, writer) = private_pair(&name);
        objects::truncate(&objects::segment(&name), cut);
        expect_truncated(&reader.err("try_recv"));
        expect_truncated(&reader.err("recv"));
        expect_orderly_end(&name, reader, writer);
    }
}

#[test]
fn who_sleeps_at_a_private_buffer_finds_out_when_it_wakes() {
    for cut in CUTS {
        let name = TestName::new("cut-private-asleep");
        let (mut reader, writer) = private_pair(&name);
        reader.tell("recv");
        blocked::stopped_while_asleep(&mut reader, &objects::data_ready(&name), || {
            objects::truncate(&objects::segment(&name), cut);
        });
        expect_truncated(&reader.answer_err());
        expect_orderly_end(&name, reader, writer);

        let name = TestName::new("cut-private-full");
        let (reader, mut writer) = private_pair(&name);
        writer.tell("send 1000 1000");
        blocked::stopped_while_asleep(&mut writer, &objects::space_free(&name), || {
            objects::truncate(&objects::segment(&name), cut);
        });
        expect_truncated(&writer.answer_err());
        expect_orderly_end(&name, reader, writer);
    }
}

#[test]
fn idle_ends_find_out_at_the_next_call() {
    for cut in CUTS {
        let name = TestName::new("cut-idle");
        let (mut reader, mut writer) = open_pair(&name);
        writer.ok("send 1000 40");
        reader.ok("recv");
        objects::truncate(&objects::segment(&name), cut);
        for _ in 0..3 {
            expect_truncated(&writer.err("send 1000"));
            expect_truncated(&reader.err("try_recv"));
            expect_truncated(&reader.err("recv"));
        }
        expect_truncated(&writer.err("metadata x"));
        expect_orderly_end(&name, reader, writer);
    }
}

#[test]
fn a_frame_is_not_published_into_bytes_that_are_gone() {
    for cut in CUTS {
        let name = TestName::new("cut-reserved");
        let (mut reader, mut writer) = open_pair(&name);
        writer.ok("reserve 1000");
        writer.ok("fill");
        objects::truncate(&objects::segment(&name), cut);
        expect_truncated(&writer.err("commit"));
        expect_truncated(&reader.err("try_recv"));
        expect_orderly_end(&name, reader, writer);
    }
}

#[test]
fn a_reader_that_sleeps_finds_out_when_it_wakes() {
    for cut in CUTS {
        let name = TestName::new("cut-reader-asleep");
        let (mut reader, mut writer) = open_pair(&name);
        reader.tell("recv");
        blocked::stopped_while_asleep(&mut reader, &objects::data_ready(&name), || {
            objects::truncate(&objects::segment(&name), cut);
        });
        expect_truncated(&reader.answer_err());
        expect_truncated(&writer.err("send 1"));
        expect_orderly_end(&name, reader, writer);
    }
}

#[test]
fn a_writer_that_sleeps_finds_out_when_it_wakes() {
    for cut in CUTS {
        let name = TestName::new("cut-writer-asleep");
        let (mut reader, mut writer) = open_pair(&name);
        writer.tell("send 1000 1000");
        blocked::stopped_while_asleep(&mut writer, &objects::space_free(&name), || {
            objects::truncate(&objects::segment(&name), cut);
        });
        expect_truncated(&writer.answer_err());
        expect_truncated(&reader.err("recv"));
        expect_orderly_end(&name, reader, writer);
    }
}

#[test]
fn a_buffer_cut_short_is_not_connected_to() {
    for cut in CUTS {
        let name = TestName::new("cut-connect");
        let mut reader = peer();
        reader.ok(&format!("create {name} 0 {PAYLOAD}"));
        objects::truncate(&objects::segment(&name), cut);
        let error = peer().err(&format!("connect {name}"));
        assert!(error.starts_with("NotAZeroBuffer") || error.starts_with("NotReady"), "{cut}: {error}");
        assert!(reader.exit().success());
    }
}

#[test]
fn a_semaphore_cut_to_nothing_is_an_error_to_who_sleeps_at_it() {
    let name = TestName::new("cut-semaphore");
    let (mut reader, writer) = open_pair(&name);
    reader.tell("recv");
    blocked::until_asleep(&mut reader, &objects::data_ready(&name));
    // Held frames of a page: one byte less is enough to be no semaphore, and the page stays.
    objects::truncate(&objects::data_ready(&name), 31);
    let error = reader.answer_err();
    assert!(error.starts_with("Os"), "{error}");
    expect_orderly_end(&name, reader, writer);
}

#[test]
fn what_was_cut_short_is_replaced_by_the_next_reader() {
    for cut in CUTS {
        let name = TestName::new("cut-replaced");
        let (reader, writer) = open_pair(&name);
        objects::truncate(&objects::segment(&name), cut);
        reader.kill();
        writer.kill();
        let created = Reader::create(&name).map(drop);
        // Without its control words nothing says that it was a buffer.
        if cut < 128 {
            let error = created.expect_err("it could be anything");
            assert!(error.to_string().contains(&*name), "{error}");
            fs::remove_file(objects::segment(&name)).expect("it was left alone");
        }
        drop(crate::reader(&name));
    }
}
