//! What a client gets for what a handler does: bytes, failures, panics, and answers that cannot be sent.

use std::sync::mpsc::channel as queue;

use strait::zerobuffer::duplex::{CallError, Client, RequestMut, ServerError};
use strait_tests::duplex::{checked, fill_response, request};
use strait_tests::{PATIENCE, TestName};

use crate::{channel, serve};

/// The reason with which the server failed a request.
#[track_caller]
fn failure(client: &Client, sequence: u64, text: &[u8]) -> String {
    match client.call(text) {
        Err(CallError::Failed { sequence: found, reason }) => {
            assert_eq!(found, sequence);
            reason
        }
        other => panic!("{other:?}"),
    }
}

/// Answers in the way that the request asks for.
fn odd(text: &[u8]) -> Result<Vec<u8>, String> {
    match text {
        b"fail" => Err("as asked: \u{e4}".to_owned()),
        b"panic" => panic!("asked to panic"),
        b"panic otherwise" => std::panic::panic_any(7),
        b"empty" => Ok(Vec::new()),
        b"error" => Ok(b"\0strait-error/1\nnot an error".to_vec()),
        b"share" => Ok([b"\0strait-share/1\n", &5u64.to_le_bytes()[..]].concat()),
        b"huge" => Ok(vec![1; 70_000]),
        b"long reason" => Err("\u{20ac}".repeat(40_000)),
        other => Ok(other.to_ascii_uppercase()),
    }
}

/// Every answer that is none, each followed by one that is.
fn odd_answers(client: &Client) {
    let reasons: [(&[u8], &str); 8] = [
        (b"fail", "as asked: \u{e4}"),
        (b"panic", "the handler panicked: asked to panic"),
        (b"panic otherwise", "the handler panicked"),
        (b"empty", "at least 1 byte"),
        (b"error", "reserved"),
        (b"share", "reserved"),
        (b"huge", "70000"),
        (b"long reason", "\u{20ac}\u{20ac}"),
    ];
    for ((text, expected), round) in reasons.into_iter().zip(0..) {
        let reason = failure(client, 2 * round + 1, text);
        assert!(reason.contains(expected), "{text:?}: {:?}", reason.get(..99));
        assert!(!reason.contains('\u{fffd}'), "cut inside a character");
        let response = client.call(b"still there?").expect("the server goes on");
        assert_eq!((response.sequence(), &*response), (2 * round + 2, &b"STILL THERE?"[..]));
    }
    let seen = client.statistics();
    assert_eq!((seen.requests, seen.responses, seen.failed, seen.pending), (16, 16, 8, 0));
}

#[test]
fn a_handler_that_fails_or_answers_what_cannot_be_sent_fails_its_own_request_only() {
    let name = TestName::new("odd");
    let (told, errors) = queue();
    let channel = channel(&name).on_error(move |error| {
        let ServerError::Handler { sequence, .. } = error else { panic!("{error:?}") };
        // A test that has ended does not listen.
        let _ = told.send(*sequence);
    });
    let server = channel.serve(|request| odd(request)).expect("the name is free");
    odd_answers(&channel.connect().expect("a server is there"));
    let seen = server.statistics();
    assert_eq!((seen.requests, seen.failed, seen.copied, seen.clients), (16, 8, 8, 1));
    drop((channel, server));
    assert_eq!(errors.iter().collect::<Vec<_>>(), [1, 3, 5, 7, 9, 11, 13, 15]);
}

#[test]
fn a_handler_that_writes_its_response_in_place_is_held_to_the_same() {
    let name = TestName::new("odd-into");
    let channel = channel(&name);
    let server = channel.serve_into(|request, responder| {
        let answer = odd(request)?;
        responder.reserve(answer.len())?.copy_from_slice(&answer);
        Ok::<(), String>(())
    });
    let server = server.expect("the name is free");
    odd_answers(&channel.connect().expect("a server is there"));
    let seen = server.statistics();
    assert_eq!((seen.requests, seen.failed, seen.in_place, seen.copied), (16, 8, 8, 0));
}

#[test]
fn a_response_written_in_place_is_what_was_reserved_last_and_none_is_a_failure() {
    let name = TestName::new("into");
    let channel = channel(&name);
    let server = channel.serve_into(|request, responder| {
        match &**request {
            b"nothing" => {}
            b"twice" => {
                responder.reserve(1000)?.fill(1);
                responder.reserve(3)?.copy_from_slice(b"two");
            }
            b"refused" => drop(responder.reserve(0)),
            b"reserved, then failed" => {
                responder.reserve(1000)?.fill(1);
                return Err("after all".to_owned());
            }
            b"reserved, then panicked" => {
                responder.reserve(1000)?.fill(1);
                panic!("after all");
            }
            other => responder.reserve(other.len())?.copy_from_slice(other),
        }
        Ok(())
    });
    let server = server.expect("the name is free");
    let client = channel.connect().expect("a server is there");
    assert!(failure(&client, 1, b"nothing").contains("reserved no response"));
    assert_eq!(&*client.call(b"twice").expect("answered"), b"two");
    assert!(failure(&client, 3, b"refused").contains("reserved no response"));
    assert_eq!(failure(&client, 4, b"reserved, then failed"), "after all");
    assert!(failure(&client, 5, b"reserved, then panicked").contains("after all"));
    assert_eq!(&*client.call(b"as it is").expect("answered"), b"as it is");
    assert_eq!(server.statistics().failed, 4);
}

#[test]
fn a_request_changed_in_place_is_its_response() {
    let name = TestName::new("mut");
    let channel = channel(&name);
    let server = channel.serve_mut(|request: &mut RequestMut| {
        let (sequence, len) = (request.sequence(), request.len());
        match len {
            1 => return Err("too short"),
            2 => request.truncate(0),
            3 => panic!("three"),
            4 => request.copy_from_slice(b"\0str"),
            100 => request.truncate(1000),
            _ => request.truncate(len - 5),
        }
        fill_response(request, sequence);
        if len == 20 {
            request[..8].copy_from_slice(b"\0strait-");
        }
        Ok(())
    });
    let server = server.expect("the name is free");
    let client = channel.connect().expect("a server is there");
    let call = |sequence, len| checked(client.call(&request(sequence, len)));
    assert_eq!(call(1, 100).expect("answered"), (1, 100));
    for (sequence, len, why) in [
        (2, 1, "too short"),
        (3, 2, "at least 1 byte"),
        (4, 3, "the handler panicked: three"),
        (5, 20, "reserved"),
    ] {
        let failed = call(sequence, len);
        assert!(
            matches!(&failed, Err(CallError::Failed { reason, .. }) if reason.contains(why)),
            "{failed:?}"
        );
    }
    assert_eq!(call(6, 4).expect("answered"), (6, 4));
    assert_eq!(call(7, 60_000).expect("answered"), (7, 59_995));
    assert_eq!(server.statistics().copied, 3, "nothing is shared unless both ask for it");
}

#[test]
fn a_response_larger_than_the_clients_ring_is_a_failure_with_the_numbers() {
    let name = TestName::new("small-client");
    let server = serve(&channel(&name));
    let client = channel(&name).payload_capacity(1024).connect().expect("a server is there");
    assert_eq!(checked(client.call(&request(1, 1008))).expect("the largest"), (1, 1008));
    let reason = failure(&client, 2, &request(2, 1009));
    assert!(reason.contains("1009") && reason.contains("1008"), "{reason}");
    assert_eq!(checked(client.call(&request(3, 500))).expect("the next"), (3, 500));
    drop(server);
}

#[test]
fn a_callback_may_ask_the_server_and_may_panic() {
    let name = TestName::new("on-error");
    let server = std::sync::Arc::new(std::sync::OnceLock::<strait::zerobuffer::duplex::Server>::new());
    let (told, errors) = queue();
    let channel = {
        let server = std::sync::Arc::clone(&server);
        channel(&name).on_error(move |_| {
            let failed = server.get().map(|server| server.statistics().failed);
            let _ = told.send(failed);
            panic!("in on_error");
        })
    };
    server.set(channel.serve(|request| odd(request)).expect("the name is free")).expect("set once");
    let client = channel.connect().expect("a server is there");
    for round in 1..=3 {
        assert_eq!(failure(&client, round, b"fail"), "as asked: \u{e4}");
        assert_eq!(errors.recv_timeout(PATIENCE).expect("told"), Some(round));
    }
    assert!(server.get().is_some_and(strait::zerobuffer::duplex::Server::is_running));
    assert_eq!(&*client.call(b"on").expect("it goes on"), b"ON");
    server.get().expect("set").stop();
}
