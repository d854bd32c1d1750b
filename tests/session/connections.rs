//! Logical connections: opened, accepted, closed, and not held up by each other.

use std::time::Duration;
use strait::hqq::Features;
use strait::hqq::session::{CallError, SessionError};
use strait::hqq::{ErrorCode, Profile};
use strait_tests::TestName;

use crate::{bytes, pair, sessions};

#[test]
fn a_connection_is_opened_used_and_closed_and_its_calls_fail() {
    let name = TestName::new("session-connection");
    let (one, other) = pair(&name);
    let ours = one.open_connection().expect("it is granted");
    let theirs = other.accept_connection().expect("it is there");
    assert_eq!(ours.id(), theirs.id());
    ours.send(b"over there").expect("it is sent");
    assert_eq!(&*theirs.recv().expect("it arrives"), b"over there");
    theirs.send(b"and back").expect("it is sent");
    assert_eq!(&*ours.recv().expect("it arrives"), b"and back");

    let call = ours.request(1, b"x").expect("it is sent");
    theirs.clone().close(7).expect("it is closed");
    assert!(matches!(call.wait(), Err(CallError::Session(SessionError::Closed { .. }))));
    assert!(matches!(ours.recv(), Err(SessionError::Closed { .. })));
    assert!(matches!(theirs.send(b"x"), Err(SessionError::Closed { .. })));
    // The session goes on.
    one.send(b"still there").expect("it is sent");
    assert_eq!(&*other.recv().expect("it arrives"), b"still there");
}

#[test]
fn an_end_that_listens_to_nobody_refuses() {
    let name = TestName::new("session-refuses");
    let [one, other] =
        sessions(&name, Profile::Superblock, |builder| builder, |builder| builder.refuse_connections());
    let (one, _other) = (one.expect("agreed"), other.expect("agreed"));
    let refused = one.open_connection().expect_err("nobody listens");
    assert_eq!(refused, SessionError::ConnectionRefused { code: ErrorCode::CONN_NOT_FOUND });
}

#[test]
fn a_connection_that_nobody_reads_stops_itself_alone() {
    let name = TestName::new("session-credits");
    let window = |builder: strait::hqq::session::SessionBuilder| {
        builder.window(4096).offer(Features::ALL.without(Features::COMPRESSION))
    };
    let [one, other] = sessions(&name, Profile::Superblock, window, window);
    let (one, other) = (one.expect("agreed"), other.expect("agreed"));
    let stuck = one.open_connection().expect("it is granted");
    let theirs = other.accept_connection().expect("it is there");
    let stuck = stuck.with_timeout(Duration::from_millis(50));
    let mut sent = 0;
    while stuck.send(&bytes(256)).is_ok() {
        sent += 1;
        assert!(sent < 1000, "credit ends some time");
    }
    assert!(sent >= 8, "a window is granted");
    for _ in 0..100 {
        one.send(&bytes(256)).expect("the others go on");
        assert_eq!(other.recv().expect("it arrives").len(), 256);
    }
    // Once it is read, it goes on.
    for _ in 0..sent {
        assert_eq!(theirs.recv().expect("it arrives").len(), 256);
    }
    stuck.with_timeout(strait_tests::PATIENCE).send(b"again").expect("there is credit");
}
