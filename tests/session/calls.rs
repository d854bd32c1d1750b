//! Calls: many at a time, answered in any order, failed, forgotten.

use std::thread;
use std::time::Duration;

use strait::hqq::session::{CallError, SessionError};
use strait_tests::TestName;

use crate::{bytes, pair};

#[test]
fn calls_are_answered_in_any_order() {
    let name = TestName::new("session-order");
    let (one, other) = pair(&name);
    let calls: Vec<_> =
        (0..20u32).map(|method| one.request(method, &bytes(300)).expect("it is sent")).collect();
    let mut requests: Vec<_> = (0..20).map(|_| other.next_request().expect("it arrives")).collect();
    assert!(
        requests.iter().zip(0..).all(|(request, method)| request.method() == method && request.len() == 300)
    );
    requests.reverse();
    for request in requests {
        let answer = vec![u8::try_from(request.method()).expect("below 20"); 1000];
        request.respond(&answer).expect("it is answered");
    }
    for (call, method) in calls.into_iter().zip(0u8..) {
        assert_eq!(call.wait().expect("it is answered"), vec![method; 1000]);
    }
}

#[test]
fn both_ends_call_at_the_same_time() {
    let name = TestName::new("session-both");
    let (one, other) = pair(&name);
    thread::scope(|scope| {
        for (server, client) in [(&one, &other), (&other, &one)] {
            scope.spawn(move || {
                for _ in 0..50 {
                    let request = server.next_request().expect("it arrives");
                    let text = request.to_ascii_uppercase();
                    request.respond(&text).expect("it is answered");
                }
            });
            scope.spawn(move || {
                for _ in 0..50 {
                    assert_eq!(client.call(1, b"abc").expect("it is answered"), b"ABC");
                }
            });
        }
    });
}

#[test]
fn a_failure_has_its_status_and_words() {
    let name = TestName::new("session-fails");
    let (one, other) = pair(&name);
    let call = one.request(1, b"x").expect("it is sent");
    other.next_request().expect("it arrives").fail(42, b"no such thing").expect("it is answered");
    let failed = CallError::Failed { status: 42, message: b"no such thing".to_vec() };
    assert_eq!(call.wait(), Err(failed));
    // One that nobody answers fails too.
    let call = one.request(1, b"x").expect("it is sent");
    drop(other.next_request().expect("it arrives"));
    assert!(matches!(call.wait(), Err(CallError::Failed { status: 6, .. })));
}

#[test]
fn a_late_answer_disturbs_nobody() {
    let name = TestName::new("session-late");
    let (one, other) = pair(&name);
    let call = one.request(1, b"slow").expect("it is sent");
    let timeout = call.wait_timeout(Duration::from_millis(1));
    assert_eq!(timeout, Err(CallError::Session(SessionError::Timeout)));
    // Forgotten before it was looked at, or while it is held: either way the next call is answered.
    let next = one.request(2, b"quick").expect("it is sent");
    let request = loop {
        let request = other.next_request().expect("it arrives");
        if request.method() == 2 {
            break request;
        }
        let _ = request.respond(b"late");
    };
    request.respond(b"now").expect("it is answered");
    assert_eq!(next.wait().expect("it is answered"), b"now");
}
