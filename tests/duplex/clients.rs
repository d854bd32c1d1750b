//! Clients that come and go, servers that end, and errors that are told at once.

use std::sync::mpsc::channel as queue;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use strait::zerobuffer::SendError;
use strait::zerobuffer::duplex::{CallError, Channel, ConnectError, ServeError, Server, ServerError};
use strait_tests::duplex::{Step, asked, checked, request};
use strait_tests::{PATIENCE, TestName};

use crate::{channel, echo, serve};

#[test]
fn a_server_outlives_its_clients_and_each_counts_from_one() {
    let name = TestName::new("three");
    let (told, metadata) = queue();
    let channel = channel(&name).on_init(move |metadata| {
        // A test that has ended does not listen.
        let _ = told.send(metadata.map(<[u8]>::to_vec));
        panic!("in on_init");
    });
    let server = channel.serve(echo).expect("the name is free");
    for round in 1..=3 {
        let client = channel.connect().expect("the place is free");
        match round {
            1 => assert_eq!(metadata.try_recv().ok(), None),
            2 => client.set_metadata(b"about").expect("once"),
            _ => assert!(client.set_metadata(b"again").is_err()),
        }
        for sequence in 1..=20 {
            assert_eq!(checked(client.call(&request(sequence, 99))).expect("answered"), (sequence, 99));
        }
        assert_eq!(server.statistics().clients, round);
        let expected = (round > 1).then(|| b"about".to_vec());
        assert_eq!(metadata.recv_timeout(PATIENCE).expect("called once per client"), expected);
        assert_eq!(metadata.try_recv().ok(), None, "once");
    }
}

#[test]
fn what_cannot_be_is_refused_at_once_and_each_for_its_own_reason() {
    let name = TestName::new("errors");
    let once = || Channel::new(&name).payload_capacity(4096);
    let error = once().connect().expect_err("no server");
    assert!(matches!(error, ConnectError::ServerNotFound { .. }), "{error:?}");
    let server = once().serve(echo).expect("the name is free");
    let error = once().serve(echo).expect_err("taken");
    let this = u64::from(std::process::id());
    assert!(matches!(error, ServeError::ServerAlreadyRunning { pid, .. } if pid == this), "{error:?}");
    let client = once().connect().expect("a server is there");
    let error = once().connect().expect_err("taken");
    assert!(matches!(error, ConnectError::ClientAlreadyConnected { .. }), "{error:?}");
    let error = client.send_request(&[0; 4081]).expect_err("larger than the ring");
    assert!(matches!(error, SendError::FrameTooLarge { len: 4081, max: 4080, .. }), "{error:?}");
    let error = client.call(&[]).expect_err("empty");
    assert!(matches!(error, CallError::Send(SendError::EmptyFrame { .. })), "{error:?}");
    assert_eq!(client.statistics().requests, 0);
    assert_eq!(checked(client.call(&request(1, 4080))).expect("the largest"), (1, 4080));
    for bad in ["", ".x", "a/b", &"x".repeat(237)] {
        let error = Channel::new(bad).serve(echo).expect_err("bad");
        assert!(matches!(error, ServeError::Requests(_)), "{error:?}");
        let error = Channel::new(bad).connect().expect_err("bad");
        assert!(matches!(error, ConnectError::Requests(_)), "{error:?}");
    }
    drop(server);
    let error = once().connect().expect_err("closed");
    assert!(matches!(error, ConnectError::ServerNotFound { .. }), "{error:?}");
}

#[test]
fn a_server_that_is_stopped_answers_what_runs_and_leaves_the_rest() {
    let name = TestName::new("stopped");
    let (step, asking) = Step::new();
    let channel = channel(&name);
    let server = channel.serve(move |request| {
        step.wait(request.sequence());
        echo(request)
    });
    let server = server.expect("the name is free");
    let client = channel.connect().expect("a server is there");
    let pending: Vec<_> =
        (1..=3).map(|sequence| client.request(&request(sequence, 40)).expect("room")).collect();
    let (_, go) = asked(&asking);
    thread::scope(|scope| {
        scope.spawn(|| server.stop());
        drop(go);
        // What it begins before it is told to stop, too.
        asking.iter().for_each(drop);
    });
    let outcomes: Vec<_> = pending.into_iter().map(|pending| checked(pending.wait())).collect();
    assert!(matches!(outcomes[0], Ok((1, 40))), "{outcomes:?}");
    for outcome in &outcomes[1..] {
        assert!(matches!(outcome, Ok(_) | Err(CallError::ServerGone { .. })), "{outcomes:?}");
    }
    assert!(!server.is_running() && !client.is_server_connected());
    let error = client.call(&[1]).expect_err("gone");
    assert!(matches!(error, CallError::ServerGone { .. }), "{error:?}");
    drop(client);
    name.assert_nothing_left();
    let again = serve(&channel);
    let client = channel.connect().expect("a server is there");
    assert_eq!(checked(client.call(&request(1, 40))).expect("answered"), (1, 40));
    drop(again);
}

/// Whichever thread handles requests, it can stop the server, and its answer is sent.
fn stopped_by_its_handler(name: &TestName, threads: usize) {
    let server = Arc::new(OnceLock::<Server>::new());
    let channel = channel(name).threads(threads);
    let own = Arc::clone(&server);
    let started = channel.serve(move |request| {
        if let Some(server) = own.get() {
            server.stop();
        }
        echo(request)
    });
    server.set(started.expect("the name is free")).expect("set once");
    let client = channel.connect().expect("a server is there");
    assert_eq!(checked(client.call(&request(1, 40))).expect("answered"), (1, 40));
    let server = server.get().expect("set");
    server.stop();
    assert!(!server.is_running());
    drop(client);
    name.assert_nothing_left();
}

#[test]
fn a_handler_may_stop_its_server() {
    stopped_by_its_handler(&TestName::new("stops-itself"), 1);
}

#[test]
fn a_handler_of_a_pool_may_stop_its_server() {
    stopped_by_its_handler(&TestName::new("stops-itself-pool"), 4);
}

/// A client that goes before its first answer leaves no buffer that the server could find.
#[test]
fn a_client_that_leaves_with_its_first_request_unanswered_keeps_nobody_waiting() {
    let name = TestName::new("left");
    let (step, asking) = Step::new();
    let (told, errors) = queue();
    // The server would wait for a client's buffer for ever.
    let channel = channel(&name).timeout(Duration::MAX).on_error(move |error| {
        let _ = told.send(matches!(error, ServerError::Connect(_) | ServerError::Send(_)));
    });
    let server = channel.serve(move |request| {
        step.wait(request.sequence());
        echo(request)
    });
    let server = server.expect("the name is free");
    let client = channel.connect().expect("a server is there");
    client.send_request(&request(1, 40)).expect("room");
    let (_, go) = asked(&asking);
    drop(client);
    drop(go);
    assert!(errors.recv_timeout(PATIENCE).expect("told"), "it was not answered");
    let client = channel.connect().expect("the place is free");
    let next = client.request(&request(1, 41)).expect("room");
    drop(asked(&asking));
    assert_eq!(checked(next.wait()).expect("answered"), (1, 41));
    assert_eq!(server.statistics().clients, 2);
}

/// One thread may fill a request and ask everything else meanwhile.
#[test]
fn everything_may_be_asked_while_a_request_is_filled() {
    let name = TestName::new("filling");
    let server = serve(&channel(&name));
    let client = channel(&name).connect().expect("a server is there");
    let first = client.send_request(&request(1, 30)).expect("room");
    let mut frame = client.reserve_request(50).expect("room");
    assert!(client.is_server_connected());
    assert_eq!(client.statistics().requests, 1);
    assert_eq!(checked(client.receive_response()).expect("answered"), (first, 30));
    strait_tests::pattern::fill(&mut frame, 2);
    assert_eq!(frame.commit().expect("sent"), 2);
    assert_eq!(checked(client.receive_response()).expect("answered"), (2, 50));
    // Dropped, it never was.
    drop(client.reserve_request(60).expect("room"));
    assert_eq!(checked(client.call(&request(3, 50))).expect("answered"), (3, 50));
    drop(server);
}

#[test]
fn everything_may_be_asked_by_others_while_requests_are_sent() {
    let name = TestName::new("asking");
    let server = serve(&channel(&name));
    let client = channel(&name).connect().expect("a server is there");
    thread::scope(|scope| {
        let sending = scope.spawn(|| {
            for sequence in 1..=3000 {
                let response = checked(client.call(&request(sequence, 30)));
                assert_eq!(response.expect("answered"), (sequence, 30));
            }
        });
        while !sending.is_finished() {
            assert!(client.is_server_connected());
            assert!(client.statistics().pending <= 1);
        }
    });
    drop(server);
}

/// A thread that panics while it fills a request takes nothing away from the others.
#[test]
fn a_client_goes_on_after_a_panic_while_a_request_was_filled() {
    let name = TestName::new("panicked");
    let server = serve(&channel(&name));
    let client = channel(&name).connect().expect("a server is there");
    let other = client.clone();
    let panicked = thread::spawn(move || {
        let _frame = other.reserve_request(50).expect("room");
        panic!("while it is filled");
    });
    assert!(panicked.join().is_err());
    assert_eq!(checked(client.call(&request(1, 50))).expect("answered"), (1, 50));
    drop(server);
    assert!(!client.is_server_connected());
    let gone = client.receive_response();
    assert!(matches!(gone, Err(CallError::ServerGone { .. })), "{gone:?}");
}
