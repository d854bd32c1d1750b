//! Responses in the order of their requests, each to whom it belongs, however many threads there are.

use std::thread;
use std::time::Duration;

use strait::zerobuffer::duplex::CallError;
use strait_tests::duplex::{Step, asked, checked, fill_response, request, respond};
use strait_tests::pattern::Numbers;
use strait_tests::{PATIENCE, TestName};

use crate::{channel, serve};

#[test]
fn responses_stay_in_order_though_handlers_finish_out_of_it() {
    let name = TestName::new("pool");
    let (step, asking) = Step::new();
    let channel = channel(&name).threads(4);
    let server = channel.serve(move |request| {
        step.wait(request.sequence());
        respond(request, request.sequence())
    });
    let server = server.expect("the name is free");
    let client = channel.connect().expect("a server is there");
    for round in 0..5 {
        let first = 4 * round + 1;
        for sequence in first..first + 4 {
            assert_eq!(client.send_request(&request(sequence, 300)).expect("room"), sequence);
        }
        // Four at once, whichever is first.
        let mut begun: Vec<_> = (0..4).map(|_| asked(&asking)).collect();
        begun.sort_by_key(|(sequence, _)| *sequence);
        assert_eq!(
            begun.iter().map(|(sequence, _)| *sequence).collect::<Vec<_>>(),
            [first, first + 1, first + 2, first + 3]
        );
        while begun.len() > 1 {
            drop(begun.pop());
        }
        let early = client.receive_response_timeout(Duration::from_millis(5));
        assert!(matches!(early, Err(CallError::Timeout { .. })), "{early:?}");
        drop(begun);
        for sequence in first..first + 4 {
            assert_eq!(checked(client.receive_response()).expect("answered"), (sequence, 300));
        }
    }
    assert_eq!(server.statistics().requests, 20);
}

#[test]
fn a_pool_that_writes_in_place_takes_turns() {
    let name = TestName::new("pool-into");
    let (step, asking) = Step::new();
    let channel = channel(&name).threads(4);
    let server = channel.serve_into(move |request, responder| {
        step.wait(request.sequence());
        fill_response(responder.reserve(request.len())?, request.sequence());
        Ok::<(), String>(())
    });
    let server = server.expect("the name is free");
    let client = channel.connect().expect("a server is there");
    for sequence in 1..=4 {
        client.send_request(&request(sequence, 200)).expect("room");
    }
    let mut begun: Vec<_> = (0..4).map(|_| asked(&asking)).collect();
    begun.sort_by_key(|(sequence, _)| *sequence);
    while begun.pop().is_some() {}
    for sequence in 1..=4 {
        assert_eq!(checked(client.receive_response()).expect("answered"), (sequence, 200));
    }
    assert_eq!(server.statistics().in_place, 4);
}

/// Stopped while the first of two handlers runs and the second waits for its turn, both are answered.
#[test]
fn a_pool_that_is_stopped_answers_what_it_has_begun() {
    let name = TestName::new("pool-stopped");
    let (step, asking) = Step::new();
    let channel = channel(&name).threads(2);
    let server = channel.serve_into(move |request, responder| {
        step.wait(request.sequence());
        let room = responder.reserve(request.len());
        fill_response(room?, request.sequence());
        Ok::<(), String>(())
    });
    let server = server.expect("the name is free");
    let client = channel.connect().expect("a server is there");
    for sequence in 1..=2 {
        client.send_request(&request(sequence, 200)).expect("room");
    }
    // Both are begun before it is told to stop.
    let mut begun = [asked(&asking), asked(&asking)];
    begun.sort_by_key(|(sequence, _)| *sequence);
    let [first, second] = begun;
    drop(second);
    thread::scope(|scope| {
        scope.spawn(|| server.stop());
        // The first one is not answered yet, so nothing comes, the end of the server neither. A server that gives the second
        // one up when it is told to stop does it within this time.
        let nothing = client.receive_response_timeout(Duration::from_millis(250));
        assert!(matches!(nothing, Err(CallError::Timeout { .. })), "{nothing:?}");
        drop(first);
    });
    assert!(!server.is_running());
    for sequence in 1..=2 {
        assert_eq!(checked(client.receive_response()).expect("answered"), (sequence, 200));
    }
    let gone = client.receive_response();
    assert!(matches!(gone, Err(CallError::ServerGone { .. })), "{gone:?}");
}

/// Threads that call on one client at once, each with requests that only it sends.
fn callers(name: &TestName, threads: usize, share: bool, lens: usize) {
    let channel = channel(name).threads(threads).share_payload(share);
    let server = channel.serve_mut(|request| {
        request.iter_mut().for_each(|byte| *byte = !*byte);
        Ok::<(), String>(())
    });
    let server = server.expect("the name is free");
    let client = channel.connect().expect("a server is there");
    thread::scope(|scope| {
        for seed in 0..8 {
            let client = &client;
            scope.spawn(move || {
                let mut numbers = Numbers::new(seed);
                for _ in 0..100 {
                    let mark = numbers.any().to_le_bytes();
                    let text = mark.repeat(1 + numbers.below(lens / 8));
                    let response = client.call(&text).expect("answered");
                    assert!(response.iter().zip(&text).all(|(found, sent)| *found == !*sent), "another's");
                    assert_eq!(response.len(), text.len());
                }
            });
        }
    });
    let (sent, seen) = (client.statistics(), server.statistics());
    assert_eq!((sent.requests, sent.responses, sent.pending, sent.dropped), (800, 800, 0, 0));
    assert_eq!((seen.requests, seen.failed, seen.copied + seen.shared), (800, 0, 800));
    assert_eq!(seen.shared, sent.shared);
    assert_eq!(share && lens > 8192, seen.shared > 0);
}

#[test]
fn eight_threads_that_call_at_once_get_each_its_own_answers() {
    callers(&TestName::new("callers"), 1, false, 1000);
}

#[test]
fn eight_threads_and_a_pool_of_four() {
    callers(&TestName::new("callers-pool"), 4, false, 1000);
}

#[test]
fn eight_threads_whose_requests_are_their_responses() {
    callers(&TestName::new("callers-share"), 1, true, 10_000);
}

#[test]
fn eight_threads_whose_requests_are_their_responses_and_a_pool_of_four() {
    callers(&TestName::new("callers-share-pool"), 4, true, 10_000);
}

#[test]
fn one_thread_sends_while_another_receives() {
    let name = TestName::new("apart");
    let server = serve(&channel(&name));
    let client = channel(&name).payload_capacity(4096).connect().expect("a server is there");
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut numbers = Numbers::new(3);
            for sequence in 1..=2000 {
                let mut frame = client.reserve_request(1 + numbers.below(3000)).expect("room");
                assert_eq!(frame.sequence(), sequence);
                strait_tests::pattern::fill(&mut frame, sequence);
                assert_eq!(frame.commit().expect("sent"), sequence);
            }
        });
        let mut numbers = Numbers::new(3);
        for sequence in 1..=2000 {
            let len = 1 + numbers.below(3000);
            assert_eq!(checked(client.receive_response()).expect("answered"), (sequence, len));
        }
    });
    assert_eq!(server.statistics().copied, 2000);
}

/// Responses to `call` and to `send_request` do not get into each other's way.
#[test]
fn waiters_and_receivers_share_a_client() {
    let name = TestName::new("mixed");
    let server = serve(&channel(&name));
    let client = channel(&name).connect().expect("a server is there");
    let first = client.send_request(&request(1, 50)).expect("room");
    let second = client.request(&request(2, 51)).expect("room");
    let third = client.send_request(&request(3, 5000)).expect("room");
    assert_eq!(checked(client.call(&request(4, 52))).expect("answered"), (4, 52));
    assert_eq!(client.statistics().pending, 0, "they arrived before");
    assert_eq!(checked(second.wait()).expect("kept for it"), (2, 51));
    assert_eq!(checked(client.receive_response()).expect("kept"), (first, 50));
    assert_eq!(checked(client.receive_response_timeout(PATIENCE)).expect("kept"), (third, 5000));
    drop(server);
}
