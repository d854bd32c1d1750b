//! Requests given up: before their handler begins, while it runs, and after.

use std::sync::mpsc::channel as queue;
use std::thread;
use std::time::Duration;

use strait::zerobuffer::duplex::CallError;
use strait_tests::duplex::{Step, asked, checked, request, respond};
use strait_tests::{TestName, wait_until};

use crate::{channel, echo};

#[test]
fn a_request_cancelled_before_its_handler_begins_is_not_handled() {
    let name = TestName::new("cancel-before");
    let (step, asking) = Step::new();
    let server = channel(&name).serve(move |request| {
        step.wait(request.sequence());
        echo(request)
    });
    let server = server.expect("the name is free");
    let client = channel(&name).connect().expect("a server is there");
    let first = client.request(&request(1, 10)).expect("room");
    let (_, go) = asked(&asking);
    let second = client.request(&request(2, 10)).expect("room");
    let third = client.send_request(&request(3, 10)).expect("room");
    let fourth = client.request(&request(4, 10)).expect("room");
    second.cancel();
    assert!(client.cancel(third));
    assert!(!client.cancel(third), "it is cancelled already");
    assert!(!client.cancel(5), "it was never sent");
    drop(go);
    let (sequence, go) = asked(&asking);
    assert_eq!(sequence, 4, "the cancelled ones are not handled");
    drop(go);
    assert_eq!(checked(first.wait()).expect("answered"), (1, 10));
    assert_eq!(checked(fourth.wait()).expect("answered"), (4, 10));
    assert!(!client.cancel(1), "it is answered");
    let seen = client.statistics();
    assert_eq!((seen.responses, seen.failed, seen.dropped, seen.pending), (4, 2, 2, 0));
    assert_eq!(server.statistics().failed, 2);
}

#[test]
fn a_handler_sees_that_its_request_is_cancelled_and_its_response_is_dropped() {
    let name = TestName::new("cancel-while");
    let (step, asking) = Step::new();
    let (told, cancelled) = queue();
    let server = channel(&name).serve(move |request| {
        let before = request.is_cancelled();
        step.wait(request.sequence());
        // A test that has ended does not listen.
        let _ = told.send((before, request.is_cancelled()));
        echo(request)
    });
    let server = server.expect("the name is free");
    let client = channel(&name).connect().expect("a server is there");
    thread::scope(|scope| {
        let pending = client.request(&request(1, 10)).expect("room");
        let waiting = scope.spawn(|| pending.wait());
        let (sequence, go) = asked(&asking);
        assert!(client.cancel(sequence));
        let outcome = waiting.join().expect("no panic");
        assert!(matches!(outcome, Err(CallError::Cancelled { sequence: 1 })), "{outcome:?}");
        drop(go);
    });
    assert_eq!(cancelled.recv().expect("handled"), (false, true));
    let next = client.request(&request(2, 10)).expect("room");
    drop(asked(&asking));
    assert_eq!(checked(next.wait()).expect("answered"), (2, 10));
    assert_eq!(cancelled.recv().expect("handled"), (false, false));
    assert_eq!(client.statistics().dropped, 1);
    drop(server);
}

#[test]
fn a_request_not_answered_in_time_is_given_up_and_its_late_response_is_nobodys() {
    let name = TestName::new("cancel-late");
    let (step, asking) = Step::new();
    let server = channel(&name).serve(move |request| {
        step.wait(request.sequence());
        echo(request)
    });
    let server = server.expect("the name is free");
    let client = channel(&name).connect().expect("a server is there");
    let late = client.request(&request(1, 10)).expect("room");
    let begun = asked(&asking);
    let late = late.wait_timeout(Duration::from_millis(5));
    assert!(matches!(late, Err(CallError::Timeout { .. })), "{late:?}");
    drop(begun);
    wait_until(|| server.statistics().copied == 1);
    let next = client.request(&request(2, 10)).expect("a Strait server keeps its numbers");
    drop(asked(&asking));
    assert_eq!(checked(next.wait()).expect("answered"), (2, 10));
    assert_eq!(client.statistics().dropped, 1);
}

#[test]
fn dropping_what_waits_after_the_response_came_returns_its_space() {
    let name = TestName::new("cancel-after");
    let server = channel(&name).serve(echo).expect("the name is free");
    // Two responses do not fit.
    let client = channel(&name).payload_capacity(8192).connect().expect("a server is there");
    for round in 0..20 {
        let dropped = client.request(&request(2 * round + 1, 4500)).expect("room");
        wait_until(|| server.statistics().copied == 2 * round + 1);
        drop(dropped);
        let answered = client.call(&request(2 * round + 2, 4500));
        assert_eq!(checked(answered).expect("answered"), (2 * round + 2, 4500));
    }
    assert_eq!(client.statistics().dropped, 20);
}

#[test]
fn what_one_client_has_cancelled_the_next_one_has_not() {
    let name = TestName::new("cancel-next");
    let (step, asking) = Step::new();
    let server = channel(&name).serve(move |request| {
        if request[0] == 0 {
            step.wait(request.sequence());
        }
        Ok::<_, String>(request.to_vec())
    });
    let server = server.expect("the name is free");
    let client = channel(&name).connect().expect("a server is there");
    let first = client.request(&[0]).expect("room");
    let begun = asked(&asking);
    for sequence in 2..=4 {
        client.request(&[1]).expect("room").cancel();
        assert!(!client.cancel(sequence));
    }
    drop(begun);
    assert_eq!(&*first.wait().expect("answered"), [0]);
    wait_until(|| server.statistics().failed == 3);
    drop(client);
    let client = channel(&name).connect().expect("a server is there");
    for sequence in 1..=4 {
        let response = client.call(&[9]).expect("this one's was not cancelled");
        assert_eq!((response.sequence(), &*response), (sequence, &[9][..]));
    }
}

#[test]
fn cancelling_among_a_pool_disturbs_no_order() {
    let name = TestName::new("cancel-pool");
    let server = channel(&name).threads(4).serve(|request| respond(request, request.sequence()));
    let server = server.expect("the name is free");
    let client = channel(&name).connect().expect("a server is there");
    let mut kept = Vec::new();
    for sequence in 1..=200 {
        let pending = client.request(&request(sequence, 60)).expect("room");
        if sequence % 3 == 0 {
            pending.cancel();
        } else {
            kept.push(pending);
        }
    }
    for pending in kept.into_iter().rev() {
        let sequence = pending.sequence();
        assert_eq!(checked(pending.wait()).expect("answered"), (sequence, 60));
    }
    drop(server);
}
