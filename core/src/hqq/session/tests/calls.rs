//! Calls: many at once, answered in any order, failed, forgotten.

use super::*;

fn response(to: u64, total: u64) -> Outgoing {
    Outgoing { aux: 3, ..Outgoing::new(What::Response { to }, total) }
}

/// Four calls of A that B has received.
fn four() -> (Pair, Vec<MessageKey>) {
    let mut pair = Pair::agreed();
    let keys: Vec<_> =
        (0..4).map(|call| pair.ends[A].begin(ZERO, request(call * 50)).expect("there is room")).collect();
    pair.settle();
    let came: Vec<_> = pair.ends[B].take_whole().iter().map(|whole| (whole.key, whole.last.aux)).collect();
    assert_eq!(came, keys.iter().map(|key| (*key, 7)).collect::<Vec<_>>());
    pair.ends[A].take_events();
    (pair, keys)
}

#[test]
fn calls_are_answered_in_any_order() {
    let (mut pair, keys) = four();
    assert_eq!(pair.ends[A].session.begin(ZERO, request(1)), Err(SendError::TooManyCalls { limit: 4 }));
    for (at, call) in [2, 0, 3, 1].into_iter().enumerate() {
        let key = pair.ends[B].begin(ZERO, response(keys[call].message, 100)).unwrap();
        assert_eq!(key, MessageKey { kind: Kind::Response, ..keys[call] });
        pair.settle();
        let whole = pair.ends[A].take_whole();
        assert_eq!((whole[0].key, whole[0].last.aux, whole[0].last.failed), (key, 3, false));
        assert_eq!(pair.ends[A].session.outstanding(), 3 - at);
    }
    assert_eq!(pair.ends[B].session.counters().calls, 4);
    pair.assert_no_errors();
}

#[test]
fn an_error_response_says_so_with_its_status_and_bytes() {
    let (mut pair, keys) = four();
    let failure = Outgoing { aux: 6, ..Outgoing::new(What::ErrorResponse { to: keys[1].message }, 70) };
    pair.ends[B].begin(ZERO, failure).unwrap();
    pair.settle();
    let whole = &pair.ends[A].take_whole()[0];
    assert_eq!((whole.last.failed, whole.last.aux, whole.bytes.len()), (true, 6, 70));
    assert_eq!(pair.ends[A].session.outstanding(), 3);
}

#[test]
fn a_request_is_answered_once() {
    let (mut pair, keys) = four();
    let to = keys[0].message;
    let unknown = |message| Err(SendError::UnknownRequest { connection: ZERO, message });
    assert_eq!(pair.ends[B].begin(ZERO, response(99, 0)), unknown(99));
    pair.ends[B].begin(ZERO, response(to, 0)).unwrap();
    assert_eq!(pair.ends[B].begin(ZERO, response(to, 0)), unknown(to));
    pair.settle();
    assert_eq!(pair.ends[B].begin(ZERO, response(to, 0)), unknown(to));
    pair.assert_no_errors();
}

#[test]
fn an_aborted_response_is_a_failure_and_never_success() {
    let (mut pair, keys) = four();
    for (at, chunks) in [(0, 0), (1, 1)] {
        let key = pair.ends[B].begin(ZERO, response(keys[at].message, 200)).unwrap();
        for _ in 0..chunks {
            while !matches!(pair.rings[A].back(), Some((_, bytes)) if !bytes.is_empty()) {
                pair.publish(B);
            }
        }
        assert!(pair.ends[B].session.abort(key));
        pair.settle();
        let (reason, message) = (AbortReason::ByPeer, keys[at].message);
        let failed = Event::CallFailed { connection: ZERO, message, reason: CallFailure::Aborted(reason) };
        let mut expected = vec![failed];
        if chunks > 0 {
            expected.push(Event::Aborted { message: key, reason });
        }
        let mut events = pair.ends[A].take_events();
        events.reverse();
        events.sort_by_key(|event| matches!(event, Event::Aborted { .. }));
        assert_eq!(events, expected);
    }
    assert_eq!((pair.ends[A].session.outstanding(), pair.ends[A].take_whole()), (2, vec![]));
    // Both requests are settled: two others have room.
    for _ in 0..2 {
        pair.ends[A].begin(ZERO, request(1)).unwrap();
    }
    pair.settle();
    assert_eq!(pair.ends[B].take_whole().len(), 2);
    pair.assert_no_errors();
}

#[test]
fn a_late_response_to_a_forgotten_call_is_swallowed() {
    let (mut pair, keys) = four();
    // One answered in part, one not at all.
    pair.ends[B].begin(ZERO, response(keys[0].message, 200)).unwrap();
    while pair.ends[A].unfinished.is_empty() {
        pair.publish(B);
        pair.deliver(A);
    }
    for key in &keys[..2] {
        assert!(pair.ends[A].session.forget_call(ZERO, key.message));
        assert!(!pair.ends[A].session.forget_call(ZERO, key.message));
    }
    pair.ends[B].begin(ZERO, response(keys[1].message, 200)).unwrap();
    pair.settle();
    let key = MessageKey { kind: Kind::Response, ..keys[0] };
    let reason = AbortReason::Forgotten;
    assert_eq!(pair.ends[A].take_events(), [Event::Aborted { message: key, reason }]);
    assert_eq!((pair.ends[A].take_whole(), pair.ends[A].session.outstanding()), (vec![], 2));
    pair.assert_no_errors();
    // The credit of what was swallowed has come back.
    for _ in 0..10 {
        let key = pair.ends[B].begin(ZERO, message(5 * SLOT)).unwrap();
        pair.settle();
        pair.ends[A].session.acknowledge(ZERO, key.message).unwrap();
        pair.settle();
    }
    assert_eq!(pair.ends[A].take_whole().len(), 10);
}

#[test]
fn the_peer_hears_of_a_forgotten_call_and_need_not_answer() {
    let (mut pair, keys) = four();
    assert!(pair.ends[A].session.forget_call(ZERO, keys[2].message));
    pair.publish(A);
    let key = pair.ends[A].begin(ZERO, request(10)).unwrap();
    pair.settle();
    let reason = AbortReason::ByPeer;
    assert_eq!(pair.ends[B].take_events(), [Event::Aborted { message: keys[2], reason }]);
    assert_eq!(pair.ends[B].take_whole()[0].key, key, "there is room for the next");
    pair.assert_no_errors();
}

#[test]
fn a_bad_chunk_of_the_peers_message_fails_no_call_of_that_number() {
    let (mut pair, keys) = four();
    let (message, flags) = (keys[0].message, ChunkFlags(1 << 20));
    let chunk = Chunk { connection: 0, message, total: 1, offset: 0, len: 1, flags, aux: 0 };
    assert!(pair.inject(A, Operation::Chunk(chunk)).is_err());
    assert_eq!((pair.ends[A].take_events(), pair.ends[A].session.outstanding()), (vec![], 4));
}

#[test]
fn an_aborted_request_wants_no_answer() {
    let mut pair = Pair::agreed();
    let key = pair.ends[A].begin(ZERO, request(500)).unwrap();
    while pair.ends[B].unfinished.is_empty() {
        pair.publish(A);
        pair.deliver(B);
    }
    // Half a request may be answered.
    assert!(pair.ends[B].session.calls.is_requested((ZERO, key.message)));
    assert!(pair.ends[A].session.abort(key));
    pair.settle();
    assert_eq!(pair.ends[B].take_events(), [Event::Aborted { message: key, reason: AbortReason::ByPeer }]);
    let unknown = SendError::UnknownRequest { connection: ZERO, message: key.message };
    assert_eq!(pair.ends[B].begin(ZERO, response(key.message, 0)), Err(unknown));
    assert_eq!(pair.ends[A].session.outstanding(), 0);
    pair.assert_no_errors();
}

#[test]
fn closing_a_connection_fails_its_calls_and_no_others() {
    for closer in [A, B] {
        let mut pair = Pair::agreed();
        let connection = pair.open(A);
        let on = |pair: &mut Pair, connection| pair.ends[A].begin(connection, request(100)).unwrap();
        let [kept, lost] = [on(&mut pair, ZERO), on(&mut pair, connection)];
        pair.settle();
        pair.ends[A].take_events();
        pair.ends[B].begin(connection, response(lost.message, 5000)).unwrap();
        while pair.ends[A].unfinished.is_empty() {
            pair.publish(B);
            pair.deliver(A);
        }
        pair.ends[closer].session.close(connection, 4).unwrap();
        pair.settle();
        let events = pair.ends[A].take_events();
        let reason = CallFailure::ConnectionClosed;
        assert!(events.contains(&Event::CallFailed { connection, message: lost.message, reason }));
        let half = MessageKey { kind: Kind::Response, ..lost };
        assert!(events.contains(&Event::Aborted { message: half, reason: AbortReason::ConnectionClosed }));
        let reason = CloseReason::ByPeer(4);
        assert!(
            pair.ends[1 - closer]
                .events
                .iter()
                .chain(&events)
                .any(|event| *event == Event::Closed { connection, reason })
        );
        pair.ends[B].begin(ZERO, response(kept.message, 10)).unwrap();
        pair.settle();
        assert_eq!(pair.ends[A].take_whole().len(), 1);
        pair.assert_no_errors();
    }
}
