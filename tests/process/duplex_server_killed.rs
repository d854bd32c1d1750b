//! A duplex server killed at every step: its client is told, keeps what it has, and the next server has the name.

use strait::zerobuffer::duplex::{CallError, Client, Response};
use strait_tests::duplex::{channel_of, check, checked, request};
use strait_tests::{Peer, TestName, blocked};

use crate::channel_peer;

const RING: u64 = 64 << 10;

fn server(name: &str, kind: &str) -> Peer {
    let mut server = channel_peer();
    server.ok(&format!("serve {name} {RING} {kind}"));
    server
}

fn client(name: &str, ring: u64) -> Client {
    channel_of(name, ring).share_payload(true).connect().expect("a server is there")
}

#[track_caller]
fn expect_gone(outcome: Result<Response, CallError>) {
    assert!(matches!(outcome, Err(CallError::ServerGone { .. })), "{outcome:?}");
}

/// Everything that a client of a dead server may ask, and then a new server of that name.
#[track_caller]
fn goes_on(name: &TestName, client: Client) {
    for _ in 0..2 {
        expect_gone(client.receive_response());
        expect_gone(client.call(b"anybody there?"));
    }
    assert!(!client.is_server_connected());
    // At once, while the old client is there.
    let mut next = server(name, "echo");
    expect_gone(client.receive_response());
    drop(client);
    let client = self::client(name, RING);
    for sequence in 1..=50 {
        assert_eq!(checked(client.call(&request(sequence, 700))).expect("answered"), (sequence, 700));
    }
    next.ok("stop");
    expect_gone(client.receive_response());
    drop(client);
    name.assert_nothing_left();
}

#[test]
fn killed_before_its_first_request() {
    let name = TestName::new("server-killed-idle");
    let server = server(&name, "echo");
    let client = client(&name, RING);
    server.kill();
    goes_on(&name, client);
}

#[test]
fn killed_between_requests() {
    let name = TestName::new("server-killed-between");
    let server = server(&name, "echo");
    let client = client(&name, RING);
    for sequence in 1..=5 {
        assert_eq!(checked(client.call(&request(sequence, 100))).expect("answered"), (sequence, 100));
    }
    server.kill();
    goes_on(&name, client);
}

#[test]
fn killed_inside_its_first_handler() {
    let name = TestName::new("server-killed-first");
    let mut server = server(&name, "step");
    let client = client(&name, RING);
    let pending: Vec<_> =
        (1..=3).map(|sequence| client.request(&request(sequence, 90)).expect("room")).collect();
    assert_eq!(server.answer_ok(), "asked 1 90");
    server.kill();
    for pending in pending {
        expect_gone(pending.wait());
    }
    goes_on(&name, client);
}

#[test]
fn killed_inside_a_later_handler_its_answers_so_far_are_there() {
    let name = TestName::new("server-killed-later");
    let mut server = server(&name, "step");
    let client = client(&name, RING);
    for sequence in 1..=4 {
        client.send_request(&request(sequence, 90)).expect("room");
    }
    for sequence in 1..=2 {
        assert_eq!(server.answer_ok(), format!("asked {sequence} 90"));
        server.tell(if sequence == 1 { "answer" } else { "fail" });
    }
    assert_eq!(server.answer_ok(), "asked 3 90");
    server.kill();
    assert_eq!(checked(client.receive_response()).expect("answered"), (1, 90));
    let failed = client.receive_response();
    assert!(matches!(failed, Err(CallError::Failed { sequence: 2, .. })), "{failed:?}");
    goes_on(&name, client);
}

#[test]
fn killed_while_several_threads_wait_for_their_answers() {
    let name = TestName::new("server-killed-threads");
    let mut server = server(&name, "step");
    let client = client(&name, RING);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| client.call(&request(1, 90)))).collect();
        assert_eq!(server.answer_ok(), "asked 1 90");
        server.kill();
        for thread in threads {
            expect_gone(thread.join().expect("no panic"));
        }
    });
    goes_on(&name, client);
}

#[test]
fn killed_while_its_responses_wait_for_room() {
    let name = TestName::new("server-killed-full");
    let mut server = server(&name, "echo");
    // 8 responses of 16 + 112 bytes.
    let client = client(&name, 1024);
    for sequence in 1..=20 {
        client.send_request(&request(sequence, 112)).expect("room");
    }
    blocked::until_full(&mut server, &format!("{name}_response"), 8);
    server.kill();
    for sequence in 1..=8 {
        assert_eq!(checked(client.receive_response()).expect("it fitted"), (sequence, 112));
    }
    goes_on(&name, client);
}

#[test]
fn killed_while_its_client_waits_for_room() {
    let name = TestName::new("server-killed-unread");
    let mut server = server(&name, "step");
    let client = client(&name, RING);
    std::thread::scope(|scope| {
        let sending = scope.spawn(|| {
            for sequence in 1.. {
                if let Err(error) = client.send_request(&request(sequence, 10_000)) {
                    return (sequence, CallError::from(error));
                }
            }
            unreachable!("the ring is full before that")
        });
        assert_eq!(server.answer_ok(), "asked 1 10000");
        // Six of 16 + 10000 bytes fit.
        strait_tests::wait_until(|| client.statistics().requests == 6);
        server.kill();
        let (sequence, error) = sending.join().expect("no panic");
        assert!(sequence == 7 && matches!(error, CallError::ServerGone { .. }), "{sequence}: {error:?}");
    });
    goes_on(&name, client);
}

#[test]
fn killed_between_a_shared_response_and_its_release() {
    let name = TestName::new("server-killed-shared");
    let server = server(&name, "change");
    let client = client(&name, RING);
    let held: Vec<_> =
        (1..=3).map(|sequence| client.call(&request(sequence, 9000)).expect("answered")).collect();
    assert!(held.iter().all(Response::is_shared));
    server.kill();
    held.iter().for_each(check);
    expect_gone(client.receive_response());
    let mut held = held.into_iter();
    drop(held.next());
    held.as_slice().iter().for_each(check);
    let kept = held.next_back().expect("three");
    drop(held);
    // It stays readable, whatever comes; its place at the old server is nobody's concern.
    goes_on(&name, client);
    check(&kept);
}

#[test]
fn killed_anywhere_in_a_stream_of_calls() {
    let name = TestName::new("server-killed-anywhere");
    let mut numbers = strait_tests::pattern::Numbers::new(9);
    for kind in ["echo", "change"].repeat(10) {
        let server = server(&name, kind);
        let client = client(&name, RING);
        let calls = 1 + numbers.below(200) as u64;
        std::thread::scope(|scope| {
            let calling = scope.spawn(|| {
                for sequence in 1.. {
                    match checked(client.call(&request(sequence, 5000))) {
                        Ok(found) => assert_eq!(found, (sequence, 5000)),
                        Err(error) => return error,
                    }
                }
                unreachable!("it is killed before that")
            });
            strait_tests::wait_until(|| client.statistics().responses >= calls || calling.is_finished());
            server.kill();
            let error = calling.join().expect("no panic");
            assert!(matches!(error, CallError::ServerGone { .. }), "{error:?}");
        });
    }
    // Removes what the last one left.
    assert!(server(&name, "echo").exit().success());
}
