//! Order, classes and credit.

use super::*;

/// What `from` would send next, as connection and class, without anybody reading it.
fn chunks(pair: &mut Pair, from: usize) -> Vec<(u64, u64)> {
    core::iter::from_fn(|| pair.next(from))
        .filter_map(|operation| match operation {
            Operation::Chunk(chunk) => Some((chunk.connection, chunk.flags.0 >> 8)),
            _ => None,
        })
        .collect()
}

fn without(features: Features) -> Pair {
    let strip = |config: Config| Config { features: config.features.without(features), ..config };
    Pair::agreed_of(
        strip(config(Side::Primary, Profile::Superblock)),
        strip(config(Side::Secondary, Profile::Superblock)),
    )
}

#[test]
fn messages_of_any_length_arrive_as_they_were_sent_in_both_profiles() {
    for profile in [Profile::Superblock, Profile::Seed] {
        for overhead in [0, 24] {
            let set =
                |side| Config { features: Features::ALL, chunk_overhead: overhead, ..config(side, profile) };
            let mut pair = Pair::agreed_of(set(Side::Primary), set(Side::Secondary));
            let connection = pair.open(B);
            let limit = SLOT - overhead;
            assert_eq!(pair.ends[A].session.chunk_limit(), Some(limit));
            for total in [0, 1, limit - 1, limit, limit + 1, 2 * limit, 10_000] {
                for from in [A, B] {
                    let outgoing = Outgoing { priority: 2, compressed: true, aux: 99, ..message(total) };
                    let key = pair.ends[from].begin(connection, outgoing).unwrap();
                    pair.settle();
                    let whole = pair.ends[1 - from].take_whole();
                    assert_eq!(whole.len(), 1, "{total}");
                    assert_eq!((whole[0].key, &whole[0].bytes), (key, &pattern(key.message, total)));
                    let last = whole[0].last;
                    assert_eq!(
                        (last.aux, last.compressed, last.priority, last.redelivered),
                        (99, true, 2, false)
                    );
                    let sent = pair.ends[from].take_events();
                    assert_eq!(sent, [Event::Sent { message: key }]);
                    pair.ends[1 - from].session.acknowledge(connection, key.message).unwrap();
                    pair.settle();
                    assert_eq!(pair.ends[from].take_events(), [Event::Acknowledged { message: key }]);
                }
            }
            pair.assert_no_errors();
        }
    }
}

#[test]
fn urgent_messages_go_first_and_others_within_the_bound() {
    let mut pair = without(Features::FLOW_CONTROL);
    for priority in [0, 1, 3] {
        pair.ends[A].begin(ZERO, Outgoing { priority, ..message(100 * SLOT) }).unwrap();
    }
    let classes: Vec<u64> = chunks(&mut pair, A).into_iter().map(|(_, class)| class).collect();
    assert_eq!(classes.len(), 300);
    assert_eq!(classes[..8], [3; 8]);
    for class in [0, 1] {
        let gaps = classes.split(|of| *of == class).map(<[u64]>::len);
        assert!(gaps.take(10).all(|gap| gap <= 8 + 2), "{class}: {classes:?}");
    }
}

#[test]
fn connections_of_one_class_take_turns_and_messages_of_one_do_not() {
    let mut pair = without(Features::FLOW_CONTROL);
    let [one, two] = [pair.open(A), pair.open(A)];
    for connection in [ZERO, one, one, two] {
        pair.ends[A].begin(connection, message(2 * SLOT)).unwrap();
    }
    let order: Vec<u64> = chunks(&mut pair, A).into_iter().map(|(connection, _)| connection).collect();
    assert_eq!(order, [1, 3, 0, 1, 3, 0, 1, 1]);
}

#[test]
fn a_consumer_that_is_slow_on_one_connection_stalls_no_other() {
    let mut pair = Pair::agreed();
    let [slow, fast] = [pair.open(A), pair.open(B)];
    pair.ends[B].consumes = false;
    let large = pair.ends[A].begin(slow, message(10_000)).unwrap();
    pair.settle();
    assert_eq!(pair.ends[B].owed[&slow.0], 4 * SLOT, "a window and no more");
    for _ in 0..20 {
        let key = pair.ends[A].begin(fast, message(3 * SLOT)).unwrap();
        pair.settle();
        assert_eq!(pair.ends[B].take_whole().iter().map(|whole| whole.key).collect::<Vec<_>>(), [key]);
        pair.ends[B].session.acknowledge(fast, key.message).unwrap();
        let cost = pair.ends[B].owed.remove(&fast.0).unwrap();
        pair.ends[B].session.consumed(fast, cost);
        pair.settle();
    }
    // What waits for us does not age.
    let mut now = pair.now;
    for _ in 0..5 {
        now = now.saturating_add(Duration::from_secs(31));
        pair.ends[B].session.handle_timeout(now);
    }
    assert_eq!(pair.ends[B].session.unfinished(), 1);
    pair.ends[B].consumes = true;
    pair.ends[B].consume_all();
    pair.settle();
    assert_eq!(pair.ends[B].take_whole()[0].key, large);
    pair.assert_no_errors();
}

#[test]
fn a_sender_without_credit_sends_nothing_and_one_beyond_it_is_refused() {
    let mut pair = Pair::agreed();
    pair.ends[B].consumes = false;
    let whole = |message, len| {
        Operation::Chunk(Chunk {
            connection: 0,
            message,
            total: len,
            offset: 0,
            len,
            flags: ChunkFlags(3),
            aux: 0,
        })
    };
    for message in 1..=4 {
        pair.inject(B, whole(message, SLOT)).unwrap();
    }
    let error = pair.inject(B, whole(5, 0)).unwrap_err();
    let fault = ChunkFault::BeyondCredit { len: 1, received: 4 * SLOT, granted: 4 * SLOT };
    assert!(matches!(error, PeerError::Chunk { fault: found, .. } if found == fault));
    assert_eq!(pair.next(B), Some(Operation::Error { context: 0, code: ErrorCode::BUFFER_OVERFLOW }));
    pair.ends[B].session.consumed(ZERO, 2 * SLOT);
    assert_eq!(pair.next(B), Some(Operation::Credit { connection: 0, limit: 6 * SLOT }));
    pair.inject(B, whole(5, 0)).unwrap();
}

#[test]
fn windows_smaller_than_two_slots_are_granted_as_two() {
    let small = |side| Config { window: 0, ..config(side, Profile::Superblock) };
    let mut pair = Pair::agreed_of(small(Side::Primary), small(Side::Secondary));
    for total in [1, 63, 64, 65, 1000] {
        let key = pair.ends[A].begin(ZERO, message(total)).unwrap();
        pair.settle();
        assert_eq!(pair.ends[B].take_whole()[0].key, key);
    }
}

#[test]
fn no_more_messages_are_half_sent_than_an_equal_peer_can_hold() {
    let mut pair = Pair::agreed();
    let connections: Vec<_> = (0..4).map(|_| pair.open(A)).collect();
    pair.ends[B].consumes = false;
    for connection in connections.iter().chain([&ZERO]) {
        pair.ends[A].begin(*connection, message(1000)).unwrap();
    }
    let small = pair.ends[A].begin(ZERO, Outgoing { priority: 1, ..message(5) }).unwrap();
    pair.settle();
    assert_eq!(pair.ends[B].session.unfinished(), 4);
    assert_eq!(pair.ends[B].take_whole()[0].key, small);
    pair.ends[B].consumes = true;
    pair.ends[B].consume_all();
    pair.settle();
    assert_eq!(pair.ends[B].take_whole().len(), 5);
    pair.assert_no_errors();
}

#[test]
fn statistics_come_when_they_are_asked_for() {
    let mut pair = Pair::agreed();
    pair.ends[A].begin(ZERO, message(100)).unwrap();
    pair.settle();
    pair.ends[A].take_events();
    pair.ends[A].session.ask_statistics().unwrap();
    pair.settle();
    let counters = Counters { messages_received: 1, bytes_received: 100, ..Counters::default() };
    assert_eq!(pair.ends[A].take_events(), [Event::Statistics(counters)]);
    assert_eq!(pair.ends[A].session.counters().bytes_sent, 100);
}

#[test]
fn limits_of_our_own_user_are_errors_with_their_numbers() {
    let mut pair = Pair::agreed();
    let session = &mut pair.ends[A].session;
    assert_eq!(session.begin(ZERO, message(10_001)), Err(SendError::TooLarge { total: 10_001, max: 10_000 }));
    let urgent = Outgoing { priority: 4, ..message(1) };
    assert_eq!(session.begin(ZERO, urgent), Err(SendError::Priority { priority: 4 }));
    let unknown = ConnectionId(9);
    assert_eq!(session.begin(unknown, message(1)), Err(SendError::UnknownConnection { connection: unknown }));
    for _ in 0..8 {
        session.begin(ZERO, message(1)).unwrap();
    }
    assert_eq!(session.begin(ZERO, message(1)), Err(SendError::TooManyUnacknowledged { limit: 8 }));
    assert_eq!(session.begin(ZERO, request(1)), Err(SendError::TooManyMessages { limit: 8 }));
    let mut seed =
        Pair::agreed_of(config(Side::Primary, Profile::Seed), config(Side::Secondary, Profile::Seed));
    let large = Outgoing { aux: 1 << 32, ..request(1) };
    let max = u64::from(u32::MAX);
    assert_eq!(seed.ends[A].session.begin(ZERO, large), Err(SendError::Aux { aux: 1 << 32, max }));
}

#[test]
fn an_aborted_message_is_told_once_any_of_it_was_seen() {
    let mut pair = Pair::agreed();
    let unseen = pair.ends[A].begin(ZERO, message(1000)).unwrap();
    assert!(pair.ends[A].session.abort(unseen) && !pair.ends[A].session.abort(unseen));
    pair.settle();
    assert_eq!((pair.ends[A].take_events(), pair.ends[B].take_events()), (vec![], vec![]));
    let seen = pair.ends[A].begin(ZERO, message(1000)).unwrap();
    pair.publish(A);
    assert!(pair.ends[A].session.abort(seen));
    pair.settle();
    let aborted = Event::Aborted { message: seen, reason: AbortReason::ByPeer };
    assert_eq!(pair.ends[B].take_events(), [aborted]);
    assert_eq!(pair.ends[A].session.unacknowledged(), 0);
    pair.assert_no_errors();
}
