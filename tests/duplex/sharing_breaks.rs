//! A server that shares and keeps no rule: space returned too early, and words of the table that say anything.

use std::time::Duration;

use strait::zerobuffer::duplex::{CallError, Client};
use strait::zerobuffer::{SendError, Writer};
use strait_core::name::Name;
use strait_core::platform::Access;
use strait_core::time::Deadline;
use strait_core::zerobuffer::{Config, ReaderEndpoint};
use strait_platform_linux::Linux;
use strait_tests::pattern::Numbers;
use strait_tests::{PATIENCE, TestName, duplex, objects};

use crate::channel;

/// The response that says that it stands in its request.
fn shared(len: u64) -> Vec<u8> {
    [b"\0strait-share/1\n", &len.to_le_bytes()[..]].concat()
}

/// A request buffer with a table whose owner returns space whenever it likes, and its client.
struct Scene {
    server: ReaderEndpoint<Linux>,
    client: Client,
    answers: Writer,
}

impl Scene {
    fn new(name: &TestName) -> Self {
        let buffer = Name::new(&format!("{name}_request")).expect("valid");
        let config = Config { metadata_capacity: 64, payload_capacity: 16 << 10 };
        let server = ReaderEndpoint::create_sharing(Linux, &buffer, config, Access::default(), true);
        let server = server.expect("the name is free");
        let client = channel(name).share_payload(true).connect().expect("a server is there");
        let answers = Writer::builder(&format!("{name}_response")).timeout(PATIENCE).connect();
        Self { server, client, answers: answers.expect("the client is there") }
    }

    /// Takes a request and returns its space at once.
    fn take(&mut self) {
        let claimed = self.server.claim(Deadline::Never, || 0).expect("a request");
        self.server.release(claimed).expect("returned");
        self.server.return_released().expect("returned");
    }
}

#[test]
fn a_response_longer_than_its_request_is_told_to_whoever_waits_for_it() {
    let name = TestName::new("share-long");
    let mut scene = Scene::new(&name);
    let [first, second, third] = [7, 8, 9].map(|mark| scene.client.request(&[mark; 5000]).expect("room"));
    scene.answers.send(&shared(5001)).expect("room");
    scene.answers.send(&shared(5000)).expect("room");
    scene.answers.send(&shared(u64::MAX)).expect("room");
    // What the server never lent can be looked at, and there is nothing to give back.
    let response = second.wait().expect("as long as the request");
    assert!(response.is_shared());
    assert_eq!(&*response, [8; 5000]);
    for (pending, found) in [(first, 5001), (third, u64::MAX)] {
        match pending.wait() {
            Err(CallError::BadShare { len, limit: 5000, .. }) => assert_eq!(len, found),
            other => panic!("{other:?}"),
        }
    }
    drop(response);
    scene.take();
}

#[test]
fn a_request_written_over_before_it_was_answered_is_not_shared_any_more() {
    let name = TestName::new("early-unanswered");
    let mut scene = Scene::new(&name);
    let first = scene.client.request(&[1; 5000]).expect("room");
    scene.take();
    for _ in 0..2 {
        scene.client.send_request(&[2; 5000]).expect("room");
        scene.take();
    }
    // Number 4 starts at 0 again.
    scene.client.send_request(&[4; 5000]).expect("room");
    scene.answers.send(&shared(5000)).expect("room");
    match first.wait() {
        Err(CallError::BadShare { sequence: 1, len: 5000, limit: 0, .. }) => {}
        other => panic!("{other:?}"),
    }
    // Those that are whole still are.
    scene.answers.send(&shared(5000)).expect("room");
    let second = scene.client.receive_response().expect("whole");
    assert_eq!((second.sequence(), &*second), (2, &[2; 5000][..]));
}

#[test]
fn a_response_that_is_held_is_never_written_over() {
    let name = TestName::new("early-held");
    let mut scene = Scene::new(&name);
    let first = scene.client.request(&[1; 5000]).expect("room");
    scene.answers.send(&shared(5000)).expect("room");
    let held = first.wait().expect("shared");
    scene.take();
    for _ in 0..2 {
        scene.client.send_request(&[2; 5000]).expect("room");
        scene.take();
    }
    for _ in 0..2 {
        let refused = scene.client.send_request(&[3; 5000]).expect_err("it would stand there");
        assert!(matches!(refused, SendError::Corrupt { .. }), "{refused:?}");
    }
    assert_eq!(&*held, [1; 5000]);
    drop(held);
    assert_eq!(scene.client.send_request(&[3; 5000]).expect("nobody looks there"), 4);
}

/// Where the table of a server's request buffer starts: behind 128 bytes of control words, metadata, ring, and 128 bytes that
/// say who the ends are.
const TABLE: u64 = 128 + 256 + (64 << 10) + 128;
/// Words of the table.
const WORDS: usize = 136;

#[test]
fn a_process_number_that_is_no_clients_shares_nothing() {
    let name = TestName::new("table-client");
    let server = channel(&name).share_payload(true).serve_mut(|_| Ok::<(), String>(()));
    let server = server.expect("the name is free");
    let segment = objects::segment(&format!("{name}_request"));
    for number in [1, 12_345, u64::MAX] {
        let client = channel(&name).connect().expect("the place is free");
        objects::set_word(&segment, TABLE + 8, number);
        let response = client.call(&[7; 5000]).expect("answered");
        assert_eq!((response.is_shared(), &*response), (false, &[7; 5000][..]));
    }
    assert_eq!((server.statistics().shared, server.statistics().copied), (0, 3));
}

#[test]
fn a_table_of_random_words_costs_no_more_than_answers() {
    let name = TestName::new("table-random");
    let server = channel(&name).share_payload(true).serve_mut(|_| Ok::<(), String>(()));
    let server = server.expect("the name is free");
    let segment = objects::segment(&format!("{name}_request"));
    let mut numbers = Numbers::new(5);
    for _ in 0..40 {
        let client = channel(&name).share_payload(true).timeout(Duration::from_millis(5));
        let client = client.connect().expect("the place is free");
        let mut held = Vec::new();
        for sequence in 1..=10 {
            for _ in 0..30 {
                // Not the first two, by which a client says that it shares: without them it gets bytes that mean nothing
                // to it.
                let word = 2 + numbers.below(WORDS - 2);
                let value = match numbers.below(3) {
                    0 => numbers.any(),
                    1 => sequence << 2 | numbers.any() & 3,
                    _ => sequence,
                };
                objects::set_word(&segment, TABLE + 8 * word as u64, value);
            }
            // Answered, refused or given up: nothing hangs, and nothing panics.
            if let Ok(response) = client.call(&[7; 5000]) {
                assert!(response.len() == 5000 && response.iter().all(|byte| *byte == 7));
                held.push(response);
            }
            if held.len() > 3 {
                held.swap_remove(numbers.below(held.len()));
            }
        }
    }
    assert!(server.is_running());
    drop(server);
    let server = channel(&name).share_payload(true).serve(crate::echo).expect("the name is free");
    let client = channel(&name).connect().expect("a server is there");
    let answered = duplex::checked(client.call(&duplex::request(1, 100)));
    assert_eq!(answered.expect("answered"), (1, 100));
    drop(server);
}
