//! The peer dies: what ends, and what goes to the next one.

use super::*;

/// B dies and another process takes its place; what stood in the rings is gone with it.
fn replace(pair: &mut Pair, next: Config) {
    pair.rings = Default::default();
    pair.ends[A].session.handle_peer_lost([3; 3]);
    pair.ends[B] = End::new(next);
    pair.ends[A].events();
}

fn next() -> Config {
    Config { salt: [4; 3], ..config(Side::Secondary, Profile::Superblock) }
}

fn agree(pair: &mut Pair, asker: usize) {
    pair.ends[asker].session.negotiate().expect("it is new");
    pair.settle();
    assert!(pair.ends[A].session.agreed().is_some());
}

#[test]
fn everything_of_a_dead_peer_ends_and_the_next_one_is_served() {
    for asker in [A, B] {
        let mut pair = Pair::agreed();
        let connection = pair.open(A);
        let call = pair.ends[A].begin(connection, request(100)).unwrap();
        pair.settle();
        let unsent = pair.ends[A].begin(connection, Outgoing { priority: 1, ..request(900) }).unwrap();
        pair.ends[B].begin(ZERO, message(500)).unwrap();
        while pair.ends[A].unfinished.is_empty() {
            pair.publish(B);
            pair.deliver(A);
        }
        pair.ends[A].take_events();
        replace(&mut pair, next());
        let events = pair.ends[A].take_events();
        let half = MessageKey { connection: ZERO, message: 1, kind: Kind::Message };
        let reason = CallFailure::PeerLost;
        let expected = [
            Event::Aborted { message: half, reason: AbortReason::PeerLost },
            Event::CallFailed { connection, message: call.message, reason },
            Event::CallFailed { connection, message: unsent.message, reason },
            Event::Unsent { message: unsent, reason: UnsentReason::PeerLost },
            Event::Closed { connection, reason: CloseReason::PeerLost },
        ];
        assert_eq!(events.len(), expected.len());
        assert!(expected.iter().all(|event| events.contains(event)), "{events:?}");
        assert_eq!(pair.ends[A].session.state(), State::None);

        agree(&mut pair, asker);
        assert_eq!(pair.ends[A].session.agreed().unwrap().salts, Some(([3; 3], [4; 3])));
        for end in [A, B] {
            pair.ends[end].begin(ZERO, message(1000)).unwrap();
        }
        pair.open_again();
        pair.assert_no_errors();
        assert!(pair.ends.iter().all(|end| end.whole.len() == 1));
    }
}

impl Pair {
    fn open_again(&mut self) {
        let connection = self.ends[B].session.open().expect("there is room");
        self.settle();
        assert!(self.ends[B].events.contains(&Event::Accepted { connection }));
    }
}

#[test]
fn a_message_that_was_not_acknowledged_goes_to_the_next_peer_once() {
    let mut pair = Pair::agreed();
    let connection = pair.open(A);
    let keys: Vec<_> = [10, 200, 0, 30]
        .map(|total| {
            pair.ends[A].begin(connection, Outgoing { priority: 2, aux: 5, ..message(total) }).unwrap()
        })
        .into();
    while pair.ends[B].whole.len() < 2 {
        pair.publish(A);
        pair.deliver(B);
    }
    pair.ends[B].session.acknowledge(connection, keys[0].message).unwrap();
    pair.publish(B);
    while pair.deliver(A) {}
    assert!(pair.ends[A].take_events().contains(&Event::Acknowledged { message: keys[0] }));

    replace(&mut pair, next());
    let closed = Event::Closed { connection, reason: CloseReason::PeerLost };
    assert_eq!(pair.ends[A].take_events(), [closed], "and nothing is unsent");
    assert_eq!(pair.ends[A].session.unacknowledged(), 3);
    agree(&mut pair, B);
    let again = redelivered_of(&pair.ends[A].take_events());
    assert_eq!(again.iter().map(|(old, _)| *old).collect::<Vec<_>>(), keys[1..]);
    let whole = pair.ends[B].take_whole();
    assert_eq!(whole.len(), 3);
    for (whole, (old, new)) in whole.iter().zip(&again) {
        assert_eq!((whole.key, whole.key.connection), (*new, ZERO));
        assert_eq!(whole.bytes, pattern(old.message, whole.bytes.len() as u64));
        assert_eq!((whole.last.redelivered, whole.last.priority, whole.last.aux), (true, 2, 5));
    }
    pair.ends[B].session.acknowledge(ZERO, again[0].1.message).unwrap();
    pair.settle();
    assert_eq!(pair.ends[A].take_events(), [Event::Acknowledged { message: again[0].1 }]);

    // The second consumer dies too, and those after it: what nobody has taken is never given up, and stays in order.
    let mut left: Vec<_> = again[1..].to_vec();
    for turn in 5..9 {
        replace(&mut pair, Config { salt: [turn; 3], ..next() });
        assert_eq!(pair.ends[A].take_events(), []);
        agree(&mut pair, A);
        let renamed = redelivered_of(&pair.ends[A].take_events());
        assert_eq!(
            renamed.iter().map(|(old, _)| *old).collect::<Vec<_>>(),
            left.iter().map(|(_, new)| *new).collect::<Vec<_>>()
        );
        let whole = pair.ends[B].take_whole();
        assert_eq!(whole.len(), 2);
        for (whole, original) in whole.iter().zip(&keys[2..]) {
            assert_eq!(whole.bytes, pattern(original.message, whole.bytes.len() as u64));
        }
        left = renamed;
    }
    for (_, new) in &left {
        pair.ends[B].session.acknowledge(ZERO, new.message).unwrap();
    }
    pair.settle();
    assert_eq!(pair.ends[A].session.unacknowledged(), 0);
    pair.assert_no_errors();
}

#[test]
fn a_next_peer_that_does_not_acknowledge_gets_nothing_twice() {
    let mut pair = Pair::agreed();
    let key = pair.ends[A].begin(ZERO, message(10)).unwrap();
    pair.settle();
    pair.ends[A].take_events();
    replace(&mut pair, Config { capabilities: Capabilities::KNOWN_TO_ALL, ..next() });
    assert_eq!(pair.ends[A].take_events(), []);
    agree(&mut pair, A);
    assert!(pair.ends[A].take_events().contains(&Event::Undelivered { message: key }));
    assert_eq!(pair.ends[B].take_whole(), []);
}

#[test]
fn an_acknowledgement_that_nobody_waits_for_changes_nothing() {
    let mut pair = Pair::agreed();
    let key = pair.ends[A].begin(ZERO, message(200)).unwrap();
    pair.publish(A);
    let early = PeerError::UnknownAcknowledgement { connection: 0, message: key.message };
    let acknowledge = Operation::Acknowledge { connection: 0, message: key.message };
    assert_eq!(pair.inject(A, acknowledge), Err(early), "not yet sent whole");
    while pair.publish(A) {}
    pair.inject(A, acknowledge).unwrap();
    assert_eq!(pair.inject(A, acknowledge), Err(early));
    assert_eq!(pair.ends[A].session.unacknowledged(), 0);
}

#[test]
fn a_request_of_the_dead_peer_is_recognised() {
    let mut pair = Pair::agreed();
    pair.ends[A].session.handle_peer_lost([3; 3]);
    let offer = |salt| Offer {
        version: Version::V1_0,
        features: Features::NONE,
        capabilities: Capabilities::NONE,
        salt: Some(salt),
    };
    assert_eq!(pair.inject(A, Operation::Negotiate(offer([2; 3]))), Err(PeerError::StaleNegotiate));
    assert_eq!(pair.next(A), None);
    pair.inject(A, Operation::Negotiate(offer([7; 3]))).unwrap();
}

fn redelivered_of(events: &[Event]) -> Vec<(MessageKey, MessageKey)> {
    let renamed = |event: &Event| match event {
        Event::Redeliver { old, new } => Some((*old, *new)),
        _ => None,
    };
    events.iter().filter_map(renamed).collect()
}
