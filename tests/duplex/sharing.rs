//! Responses that stand in their requests: when they do, who may touch which bytes, and what both ends count.

use std::thread;
use std::time::Duration;

use strait::zerobuffer::SendError;
use strait::zerobuffer::duplex::{CallError, Channel, Client, ConnectError, RequestMut, Response, Server};
use strait_tests::duplex::{check, check_request, checked, fill_response, request};
use strait_tests::pattern::Numbers;
use strait_tests::{TestName, wait_until};

use crate::channel;

/// Answers in place.
fn change(request: &mut RequestMut) -> Result<(), String> {
    let sequence = request.sequence();
    check_request(request, sequence)?;
    fill_response(request, sequence);
    Ok(())
}

fn serve(channel: &Channel) -> Server {
    channel.serve_mut(change).expect("the name is free")
}

#[track_caller]
fn call(client: &Client, sequence: u64, len: usize) -> Response {
    let response = client.call(&request(sequence, len)).expect("answered");
    assert_eq!((response.sequence(), response.len()), (sequence, len));
    check(&response);
    response
}

#[test]
fn responses_are_shared_only_if_both_ends_ask_for_it() {
    for (server_asks, client_asks) in [(false, false), (false, true), (true, false), (true, true)] {
        let name = TestName::new("share-asked");
        let server = serve(&channel(&name).share_payload(server_asks));
        let client = channel(&name).share_payload(client_asks).connect().expect("a server is there");
        let both = server_asks && client_asks;
        assert_eq!(client.shares_payload(), both);
        for sequence in 1..=200 {
            assert_eq!(call(&client, sequence, 5000).is_shared(), both);
        }
        let (seen, sent) = (server.statistics(), client.statistics());
        let shared = if both { 200 } else { 0 };
        assert_eq!(
            (seen.shared, seen.copied, sent.shared, sent.responses),
            (shared, 200 - shared, shared, 200)
        );
    }
}

#[test]
fn the_next_client_is_not_taken_for_the_one_that_asked() {
    let name = TestName::new("share-next");
    let server = serve(&channel(&name).share_payload(true));
    for client_asks in [true, false, true, false] {
        let client = channel(&name).share_payload(client_asks).connect().expect("the place is free");
        for sequence in 1..=3 {
            assert_eq!(call(&client, sequence, 5000).is_shared(), client_asks);
        }
    }
    assert_eq!((server.statistics().shared, server.statistics().copied), (6, 6));
}

#[test]
fn short_responses_and_those_of_other_handlers_are_copied() {
    let name = TestName::new("share-short");
    let server = serve(&channel(&name).share_payload(true));
    let client = channel(&name).share_payload(true).connect().expect("a server is there");
    for (sequence, len) in (1..).zip([4095, 4096, 1, 4097]) {
        assert_eq!(call(&client, sequence, len).is_shared(), len >= 4096);
    }
    drop((client, server));
    let server = channel(&name).share_payload(true).serve(crate::echo).expect("the name is free");
    let client = channel(&name).share_payload(true).connect().expect("a server is there");
    assert!(!call(&client, 1, 5000).is_shared());
    assert_eq!(server.statistics().copied, 1);
}

#[test]
fn a_shared_response_may_be_shorter_than_its_request() {
    let name = TestName::new("share-truncated");
    let server = channel(&name).share_payload(true).serve_mut(|request| {
        request.truncate(4200);
        change(request)
    });
    let server = server.expect("the name is free");
    let client = channel(&name).share_payload(true).connect().expect("a server is there");
    let response = client.call(&request(1, 9000)).expect("answered");
    assert!(response.is_shared());
    assert_eq!(response.len(), 4200);
    check(&response);
    drop(server);
}

#[test]
fn a_shared_response_that_is_held_keeps_its_space() {
    let name = TestName::new("share-space");
    let server = serve(&channel(&name).share_payload(true));
    // Three requests of 16 + 20000 bytes fit.
    let client = channel(&name).share_payload(true).timeout(Duration::from_millis(20));
    let client = client.connect().expect("a server is there");
    // Patient where the machine and not the ring decides.
    let patiently =
        |sequence| client.request(&request(sequence, 20_000))?.wait_timeout(strait_tests::PATIENCE);
    let held: Vec<_> = (1..=3).map(|sequence| patiently(sequence).expect("answered")).collect();
    assert!(held.iter().all(Response::is_shared));
    let full = client.send_request(&[0; 20_000]).expect_err("no room");
    assert!(matches!(full, SendError::BufferFull { .. }), "{full:?}");
    held.iter().for_each(check);
    // Space goes back in the order of the requests: the last two alone give none.
    let mut held = held.into_iter();
    let first = held.next().expect("three");
    drop(held);
    let full = client.send_request(&[0; 20_000]).expect_err("no room");
    assert!(matches!(full, SendError::BufferFull { .. }), "{full:?}");
    check(&first);
    drop(first);
    let mut sent = None;
    wait_until(|| {
        sent = patiently(4).ok();
        sent.is_some()
    });
    check(&sent.expect("sent"));
    assert_eq!(server.statistics().shared, 4);
}

#[test]
fn shared_responses_are_given_back_in_any_order_on_any_thread() {
    let name = TestName::new("share-any-order");
    for threads in [1, 4] {
        let channel = channel(&name).share_payload(true);
        let server = serve(&channel.clone().payload_capacity(1 << 20).threads(threads));
        let client = channel.connect().expect("a server is there");
        thread::scope(|scope| {
            let (give, take) = std::sync::mpsc::sync_channel::<Response>(1);
            scope.spawn(move || take.iter().for_each(|response| check(&response)));
            let mut numbers = Numbers::new(11);
            let mut held: Vec<Response> = Vec::new();
            for sequence in 1..=600 {
                held.push(call(&client, sequence, 4096 + numbers.below(4000)));
                held.iter().for_each(check);
                // None is older than 40 requests of 8 KiB, in a ring of 1 MiB: there is always room.
                while held.len() > 10 + numbers.below(10) || held[0].sequence() + 40 < sequence {
                    let oldest = held[0].sequence() + 40 < sequence;
                    let response = held.remove(if oldest { 0 } else { numbers.below(held.len()) });
                    if sequence % 2 == 0 { drop(response) } else { give.send(response).expect("it runs") }
                }
            }
        });
        assert_eq!((server.statistics().shared, client.statistics().shared), (600, 600));
    }
}

#[test]
fn the_sixty_fifth_response_that_is_held_is_copied() {
    let name = TestName::new("share-65");
    let server = serve(&channel(&name).payload_capacity(1 << 20).share_payload(true));
    let client = channel(&name).share_payload(true).connect().expect("a server is there");
    let mut held: Vec<_> = (1..=64).map(|sequence| call(&client, sequence, 5000)).collect();
    assert!(held.iter().all(Response::is_shared));
    let copied = call(&client, 65, 5000);
    assert!(!copied.is_shared());
    held.iter().for_each(check);
    // The slot of number 2 is free, and number 66 takes it.
    drop(held.remove(1));
    assert!(call(&client, 66, 5000).is_shared());
    assert!(!call(&client, 67, 5000).is_shared(), "number 3 is held");
    held.iter().for_each(check);
    check(&copied);
    assert_eq!((server.statistics().shared, server.statistics().copied), (65, 2));
}

#[test]
fn a_shared_response_outlives_its_client_and_keeps_its_place() {
    let name = TestName::new("share-outlives");
    let server = serve(&channel(&name).share_payload(true));
    let client = channel(&name).share_payload(true).connect().expect("a server is there");
    let held = call(&client, 1, 5000);
    assert!(held.is_shared());
    drop(client);
    let error = channel(&name).connect().expect_err("its bytes are still looked at");
    assert!(matches!(error, ConnectError::ClientAlreadyConnected { .. }), "{error:?}");
    check(&held);
    drop(held);
    let client = channel(&name).share_payload(true).connect().expect("the place is free");
    for sequence in 1..=100 {
        assert!(call(&client, sequence, 5000).is_shared());
    }
    assert_eq!(server.statistics().clients, 2);
}

#[test]
fn shared_responses_nobody_took_go_with_their_client() {
    let name = TestName::new("share-untaken");
    let server = serve(&channel(&name).share_payload(true));
    for round in 1..=5 {
        let client = channel(&name).share_payload(true).connect().expect("the place is free");
        for sequence in 1..=3 {
            client.send_request(&request(sequence, 5000)).expect("room");
        }
        let waited = client.call(&request(4, 5000)).expect("answered");
        check(&waited);
        assert_eq!(server.statistics().shared, 4 * round);
    }
}

#[test]
fn shared_responses_nobody_received_go_with_their_client() {
    let name = TestName::new("share-unreceived");
    let server = serve(&channel(&name).share_payload(true));
    for round in 1..=5 {
        let client = channel(&name).share_payload(true).connect().expect("the place is free");
        for sequence in 1..=3 {
            client.send_request(&request(sequence, 5000)).expect("room");
        }
        wait_until(|| server.statistics().shared == 3 * round);
    }
}

#[test]
fn a_shared_response_is_readable_after_its_server() {
    let name = TestName::new("share-after");
    let server = serve(&channel(&name).share_payload(true));
    let client = channel(&name).share_payload(true).connect().expect("a server is there");
    let held = call(&client, 1, 5000);
    drop(server);
    check(&held);
    let gone = client.receive_response();
    assert!(matches!(gone, Err(CallError::ServerGone { .. })), "{gone:?}");
    drop(client);
    let server = serve(&channel(&name).share_payload(true));
    let next = channel(&name).share_payload(true).connect().expect("the next server's");
    for sequence in 1..=50 {
        assert_eq!(checked(next.call(&request(sequence, 5000))).expect("answered"), (sequence, 5000));
    }
    check(&held);
    drop((held, server));
}

#[test]
fn a_cancelled_request_that_was_shared_gives_its_space_back() {
    let name = TestName::new("share-cancelled");
    let server = serve(&channel(&name).share_payload(true));
    let client = channel(&name).share_payload(true).connect().expect("a server is there");
    for round in 0..20 {
        let given_up = client.request(&request(2 * round + 1, 30_000)).expect("room");
        wait_until(|| server.statistics().shared + server.statistics().failed > 2 * round);
        given_up.cancel();
        check(&call(&client, 2 * round + 2, 30_000));
    }
}
