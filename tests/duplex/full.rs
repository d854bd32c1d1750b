//! What a server does while its client leaves responses unread: it waits, goes on, and can be stopped.

use strait::zerobuffer::duplex::CallError;
use strait_tests::duplex::{checked, fill_response, request};
use strait_tests::{TestName, wait_until};

use crate::{channel, serve};

#[test]
fn a_server_whose_responses_have_no_room_waits_and_goes_on() {
    let name = TestName::new("full");
    let server = serve(&channel(&name));
    // 8 responses of 16 + 112 bytes.
    let client = channel(&name).payload_capacity(1024).connect().expect("a server is there");
    for sequence in 1..=30 {
        client.send_request(&request(sequence, 112)).expect("room");
    }
    // Begun with the ninth, which has no room.
    wait_until(|| server.statistics().requests == 9);
    assert_eq!(server.statistics().copied, 8);
    for sequence in 1..=30 {
        assert_eq!(checked(client.receive_response()).expect("answered"), (sequence, 112));
    }
    assert_eq!(server.statistics().copied, 30);
}

#[test]
fn handlers_that_write_in_place_wait_for_room_as_well() {
    let name = TestName::new("full-into");
    let server = channel(&name).threads(4).serve_into(|request, responder| {
        fill_response(responder.reserve(request.len())?, request.sequence());
        Ok::<(), String>(())
    });
    let server = server.expect("the name is free");
    let client = channel(&name).payload_capacity(1024).connect().expect("a server is there");
    for sequence in 1..=30 {
        client.send_request(&request(sequence, 112)).expect("room");
    }
    wait_until(|| server.statistics().requests == 8);
    for sequence in 1..=30 {
        assert_eq!(checked(client.receive_response()).expect("answered"), (sequence, 112));
    }
}

#[test]
fn a_server_without_room_can_be_stopped_and_what_fitted_is_there() {
    let name = TestName::new("full-stopped");
    let server = serve(&channel(&name));
    let client = channel(&name).payload_capacity(1024).connect().expect("a server is there");
    for sequence in 1..=30 {
        client.send_request(&request(sequence, 112)).expect("room");
    }
    wait_until(|| server.statistics().requests == 9);
    server.stop();
    for sequence in 1..=8 {
        assert_eq!(checked(client.receive_response()).expect("answered"), (sequence, 112));
    }
    let gone = client.receive_response();
    assert!(matches!(gone, Err(CallError::ServerGone { .. })), "{gone:?}");
}

#[test]
fn a_client_that_goes_while_the_server_waits_for_room_sets_it_free() {
    let name = TestName::new("full-gone");
    let server = serve(&channel(&name));
    for round in 1..=3 {
        let client = channel(&name).payload_capacity(1024).connect().expect("a server is there");
        for sequence in 1..=30 {
            client.send_request(&request(sequence, 112)).expect("room");
        }
        wait_until(|| server.statistics().copied == round * 8);
    }
    let client = channel(&name).connect().expect("the place is free");
    assert_eq!(checked(client.call(&request(1, 500))).expect("answered"), (1, 500));
}
