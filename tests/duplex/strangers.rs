//! A plain `Writer` or `Reader` in the place of a server or a client: each thing it does wrong is told, and nobody hangs.

use std::sync::mpsc::channel as queue;
use std::time::Duration;

use strait::zerobuffer::duplex::{CallError, Client, ServerError};
use strait::zerobuffer::{Reader, RecvError, Writer};
use strait_tests::duplex::{checked, request};
use strait_tests::{PATIENCE, TestName};

use crate::{channel, echo, serve};

const ERROR: &[u8] = b"\0strait-error/1\n";

/// The response that says that it stands in its request.
fn shared(len: u64) -> Vec<u8> {
    [b"\0strait-share/1\n", &len.to_le_bytes()[..]].concat()
}

/// What a server creates, without being one.
fn requests(name: &str) -> Reader {
    let reader = Reader::builder(&format!("{name}_request")).payload_capacity(64 << 10).timeout(PATIENCE);
    reader.create().expect("the name is free")
}

/// What a server answers by, without being one.
fn responses(name: &str) -> Writer {
    Writer::builder(&format!("{name}_response")).timeout(PATIENCE).connect().expect("the client is there")
}

fn client(name: &str) -> Client {
    channel(name).share_payload(true).connect().expect("its place is free")
}

#[track_caller]
fn expect_unknown(outcome: Result<impl core::fmt::Debug, CallError>, number: u64, requests: u64) {
    match outcome {
        Err(CallError::UnknownSequence { sequence, sent, .. }) => {
            assert_eq!((sequence, sent), (number, requests));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_response_to_nothing_is_told_at_once_and_the_client_goes_on() {
    let name = TestName::new("unknown");
    let mut server = requests(&name);
    let client = client(&name);
    let mut answers = responses(&name);
    answers.send(b"to nothing").expect("room");
    expect_unknown(client.receive_response(), 1, 0);
    // Also while this very thread fills a request.
    let mut frame = client.reserve_request(4).expect("room");
    answers.send(b"to nothing").expect("room");
    expect_unknown(client.receive_response(), 2, 0);
    frame.copy_from_slice(b"text");
    assert_eq!(frame.commit().expect("sent"), 1);
    assert_eq!(&*server.recv().expect("the request"), b"text");
    // A call is told, too, and given up.
    answers.send(b"to nothing yet").expect("room");
    expect_unknown(client.call(b"two"), 3, 2);
    assert_eq!(client.statistics().pending, 2);
}

#[test]
fn responses_are_known_by_number_whoever_waits() {
    let name = TestName::new("known");
    let _server = requests(&name);
    let client = client(&name);
    let first = client.request(b"one").expect("room");
    let second = client.request(b"two").expect("room");
    let mut answers = responses(&name);
    // The sender of the bad one is told; who waits for the good one gets it.
    answers.send(&[ERROR, &[0xff, 0xfe, b'x']].concat()).expect("room");
    answers.send(b"second").expect("room");
    assert_eq!(&*second.wait().expect("answered"), b"second");
    match first.wait() {
        Err(CallError::Failed { sequence: 1, reason }) => assert_eq!(reason, "\u{fffd}\u{fffd}x"),
        other => panic!("{other:?}"),
    }
    answers.send(ERROR).expect("room");
    expect_unknown(client.receive_response(), 3, 2);
}

#[cfg(target_os = "linux")]
#[test]
fn a_number_that_repeats_or_leaps_is_told() {
    use strait_tests::objects;
    let name = TestName::new("repeated");
    let _server = requests(&name);
    let client = client(&name);
    for _ in 0..5 {
        client.send_request(b"text").expect("room");
    }
    let mut answers = responses(&name);
    let segment = objects::segment(&format!("{name}_response"));
    // Frames of 16 + 8 bytes behind 128 bytes of control words and 256 of metadata; the number is the second word.
    let number = |at: u64, number: u64| objects::set_word(&segment, 128 + 256 + 24 * at + 8, number);
    for _ in 0..4 {
        answers.send(&[1; 8]).expect("room");
    }
    number(1, 1);
    assert_eq!(client.receive_response().expect("the first").sequence(), 1);
    expect_unknown(client.receive_response(), 1, 5);
    // After a 1, 2 is due.
    let gap = client.receive_response().expect_err("3 is not due");
    assert!(matches!(gap, CallError::Recv(RecvError::SequenceGap { .. })), "{gap:?}");
    assert_eq!(client.receive_response().expect("the one found").sequence(), 3);
    assert_eq!(client.receive_response().expect("the next").sequence(), 4);
}

#[test]
fn a_shared_response_of_a_server_that_cannot_share_is_bytes() {
    let name = TestName::new("share-no-table");
    let _server = requests(&name);
    let client = client(&name);
    assert!(!client.shares_payload());
    let pending = client.request(&[7; 5000]).expect("room");
    responses(&name).send(&shared(5000)).expect("room");
    let response = pending.wait().expect("bytes");
    assert!(!response.is_shared());
    assert_eq!(&*response, shared(5000));
}

#[test]
fn a_client_without_a_buffer_for_responses_is_waited_for_once_and_the_next_is_served() {
    let name = TestName::new("no-responses");
    let (told, errors) = queue();
    let impatient = channel(&name).timeout(Duration::from_millis(30)).on_error(move |error| {
        let kind = match error {
            ServerError::Connect(_) => "connect",
            ServerError::NoClient { .. } => "no client",
            _ => "another",
        };
        let _ = told.send(kind);
    });
    let server = impatient.serve(echo).expect("the name is free");
    let connect = || Writer::builder(&format!("{name}_request")).timeout(PATIENCE).connect();
    let mut stranger = connect().expect("the place is free");
    for sequence in 1..=3 {
        stranger.send(&request(sequence, 100)).expect("room");
    }
    let told: Vec<_> = (0..3).map(|_| errors.recv_timeout(PATIENCE).expect("told")).collect();
    assert_eq!(told, ["connect", "no client", "no client"]);
    drop(stranger);
    let client = channel(&name).connect().expect("the place is free");
    assert_eq!(checked(client.call(&request(1, 100))).expect("answered"), (1, 100));
    assert_eq!((server.statistics().clients, server.statistics().copied), (2, 1));
}

#[test]
fn a_stranger_that_leaves_is_not_waited_for() {
    let name = TestName::new("stranger-left");
    // For ever, if the client were there.
    let server = serve(&channel(&name).timeout(Duration::MAX));
    for _ in 0..3 {
        let connect = Writer::builder(&format!("{name}_request")).timeout(PATIENCE);
        let mut stranger = connect.connect().expect("the place is free");
        stranger.send(&request(1, 100)).expect("room");
        strait_tests::wait_until(|| server.statistics().requests % 2 == 1);
        drop(stranger);
        let client = channel(&name).connect().expect("the place is free");
        assert_eq!(checked(client.call(&request(1, 100))).expect("answered"), (1, 100));
        drop(client);
    }
    assert_eq!(server.statistics().clients, 6);
}

/// A server whose number vanishes from a client's buffer, for however short a time, has closed as far as that can see.
#[test]
fn a_server_that_was_seen_stays_connected_through_the_first_request() {
    for _ in 0..50 {
        let name = TestName::new("stays");
        let server = serve(&channel(&name));
        let mut requests = Writer::connect(&format!("{name}_request")).expect("a server is there");
        let mut responses =
            Reader::builder(&format!("{name}_response")).payload_capacity(64 << 10).create().expect("free");
        assert!(
            responses.wait_for_writer(PATIENCE).expect("a whole buffer"),
            "it connects before the first request"
        );
        requests.send(&request(1, 40)).expect("room");
        let answered = loop {
            match responses.try_recv() {
                Err(RecvError::Empty) => {}
                outcome => break outcome.map(|frame| frame.sequence()),
            }
        };
        assert_eq!(answered.expect("the server is there all the time"), 1);
        drop((requests, server));
    }
}
