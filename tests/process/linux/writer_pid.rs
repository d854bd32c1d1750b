//! The word that names the writer, overwritten by others: put back, or believed.

use strait::zerobuffer::{RecvError, SendError, Writer};
use strait_tests::{TestName, objects};

use crate::{expect_end, peer, reader, receive, send, writer};

#[test]
fn cleared_by_a_refused_writer_of_another_implementation_it_is_put_back() {
    let name = TestName::new("pid-cleared");
    let mut reader = reader(&name);
    let mut first = writer(&name);
    let here = u64::from(std::process::id());
    let segment = objects::segment(&name);
    for sequence in 1..=20 {
        objects::set_word(&segment, objects::WRITER_PID, 0);
        assert_eq!(send(&mut first, 30), sequence);
        assert_eq!(objects::word(&segment, objects::WRITER_PID), here);
        assert_eq!(receive(&mut reader).expect("a frame"), (sequence, 30));
    }
    drop(first);
    expect_end(&mut reader);
}

#[test]
fn cleared_it_lets_no_second_writer_of_ours_in() {
    let name = TestName::new("pid-cleared-second");
    let _reader = reader(&name);
    let mut first = writer(&name);
    objects::set_word(&objects::segment(&name), objects::WRITER_PID, 0);
    assert!(Writer::connect(&name).is_err());
    let error = peer().err(&format!("connect {name}"));
    assert!(error.starts_with("WriterAlreadyConnected"), "{error}");
    send(&mut first, 10);
}

#[test]
fn naming_another_writer_it_is_believed_and_left_alone() {
    let name = TestName::new("pid-replaced");
    let _reader = reader(&name);
    let mut first = writer(&name);
    let other = peer();
    let segment = objects::segment(&name);
    objects::set_word(&segment, objects::WRITER_PID, other.pid());
    let refused = first.send(b"x");
    assert!(matches!(&refused, Err(SendError::Replaced { pid, .. }) if *pid == other.pid()), "{refused:?}");
    drop(first);
    assert_eq!(objects::word(&segment, objects::WRITER_PID), other.pid(), "not ours to clear");
}

#[test]
fn of_a_dead_process_it_does_not_keep_the_next_writer_out() {
    let name = TestName::new("pid-dead");
    let mut reader = reader(&name);
    let dead = peer();
    let segment = objects::segment(&name);
    objects::set_word(&segment, objects::WRITER_PID, dead.pid());
    dead.kill();
    let mut first = writer(&name);
    send(&mut first, 10);
    let error = receive(&mut reader).expect_err("its death comes first");
    assert!(matches!(error, RecvError::WriterDead { .. }), "{error}");
    assert_eq!(receive(&mut reader).expect("a frame"), (1, 10));
}
