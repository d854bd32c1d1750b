//! Logical connections: opened from either side, refused, closed by one or both.

use super::*;

#[test]
fn both_sides_open_and_use_connections() {
    let mut pair = Pair::agreed();
    assert_eq!([pair.open(A), pair.open(B), pair.open(A)], [1, 2, 3].map(ConnectionId));
    let full = CommandError::TooManyConnections { limit: 4 };
    pair.open(B);
    assert_eq!(pair.ends[A].session.open(), Err(full));
}

#[test]
fn messages_begun_before_the_grant_go_after_it() {
    let mut pair = Pair::agreed();
    let connection = pair.ends[A].session.open().unwrap();
    let key = pair.ends[A].begin(connection, message(100)).unwrap();
    assert_eq!(pair.next(A), Some(Operation::Create { connection: 1 }));
    assert_eq!(pair.next(A), None, "nothing before the grant");
    pair.inject(B, Operation::Create { connection: 1 }).unwrap();
    pair.settle();
    assert_eq!(pair.ends[B].take_whole()[0].key, key);
    pair.assert_no_errors();
}

#[test]
fn a_peer_that_does_not_listen_refuses() {
    let deaf = Config { listening: false, ..config(Side::Secondary, Profile::Superblock) };
    let mut pair = Pair::agreed_of(config(Side::Primary, Profile::Superblock), deaf);
    let connection = pair.ends[A].session.open().unwrap();
    let call = pair.ends[A].begin(connection, request(10)).unwrap();
    pair.settle();
    let events = pair.ends[A].take_events();
    assert!(events.contains(&Event::Refused { connection, code: ErrorCode::CONN_NOT_FOUND }));
    assert!(events.contains(&Event::Unsent { message: call, reason: UnsentReason::ConnectionClosed }));
    let reason = CallFailure::ConnectionClosed;
    assert!(events.contains(&Event::CallFailed { connection, message: call.message, reason }));
    assert_eq!(pair.ends[B].errors, [PeerError::NotListening { connection: 1 }]);
    assert_eq!(
        pair.ends[A].session.close(connection, 0),
        Err(CommandError::UnknownConnection { connection })
    );
}

#[test]
fn what_names_no_connection_is_answered_with_its_code() {
    let mut pair = Pair::agreed();
    let connection = pair.open(A).0;
    let none = 77;
    let flags = ChunkFlags(3);
    let chunk = Chunk { connection: none, message: 1, total: 0, offset: 0, len: 0, flags, aux: 0 };
    let unknown = |opcode| PeerError::UnknownConnection { opcode, connection: none };
    let (not_found, invalid) = (Some(ErrorCode::CONN_NOT_FOUND), Some(ErrorCode::INVALID_OP));
    let cases = [
        (Operation::Chunk(chunk), unknown(OpCode::CONN_COPY), not_found),
        (Operation::Close { connection: none, reason: 0 }, unknown(OpCode::CONN_CLOSE), not_found),
        (Operation::Credit { connection: none, limit: 9 }, unknown(OpCode::CREDIT), not_found),
        (Operation::Accept { connection: none }, PeerError::UnexpectedAccept { connection: none }, not_found),
        (Operation::Accept { connection }, PeerError::UnexpectedAccept { connection }, not_found),
        (Operation::Create { connection }, PeerError::ConnectionExists { connection }, invalid),
        (Operation::Create { connection: 0 }, PeerError::ConnectionExists { connection: 0 }, invalid),
        (Operation::Close { connection: 0, reason: 8 }, PeerError::ImplicitClose { reason: 8 }, invalid),
        (
            Operation::Acknowledge { connection: none, message: 5 },
            PeerError::UnknownAcknowledgement { connection: none, message: 5 },
            None,
        ),
    ];
    for (operation, error, code) in cases {
        assert_eq!(pair.inject(B, operation), Err(error));
        let told = code.map(|code| Operation::Error { context: error.context(), code });
        assert_eq!(pair.next(B), told);
    }
    // The existing one has stayed.
    pair.ends[A].begin(ConnectionId(connection), message(1)).unwrap();
    pair.settle();
    assert_eq!(pair.ends[B].take_whole().len(), 1);
}

#[test]
fn one_connection_too_many_is_refused() {
    let mut pair = Pair::agreed();
    for connection in 10..14 {
        pair.inject(B, Operation::Create { connection }).unwrap();
    }
    let full = Err(PeerError::TooManyConnections { connection: 14, limit: 4 });
    assert_eq!(pair.inject(B, Operation::Create { connection: 14 }), full);
    let told = Operation::Error { context: 14, code: ErrorCode::BUFFER_OVERFLOW };
    assert_eq!(pair.next(B), Some(told));
}

#[test]
fn closes_that_cross_and_chunks_on_the_way_are_no_errors() {
    for (a, b) in [(true, false), (false, true), (true, true)] {
        for ahead in 0..8 {
            let mut pair = Pair::agreed();
            let connection = pair.open(A);
            for end in [A, B] {
                pair.ends[end].begin(connection, message(1000)).unwrap();
                for _ in 0..ahead {
                    pair.publish(end);
                }
            }
            for end in [A, B].into_iter().filter(|end| [a, b][*end]) {
                pair.ends[end].session.close(connection, 0).unwrap();
            }
            pair.settle();
            pair.assert_no_errors();
            for end in &mut pair.ends {
                assert_eq!((end.session.unfinished(), end.unfinished.len()), (0, 0));
                assert_eq!(end.session.unacknowledged(), 0, "given up with its connection");
            }
            // Its number serves again.
            pair.inject(B, Operation::Create { connection: connection.0 }).unwrap();
        }
    }
}

#[test]
fn a_number_that_serves_again_has_no_stragglers_of_before() {
    let mut pair = Pair::agreed();
    let connection = pair.open(B);
    pair.ends[A].session.close(connection, 0).unwrap();
    pair.settle();
    let ConnectionId(number) = connection;
    let close = Operation::Close { connection: number, reason: 0 };
    pair.inject(A, close).unwrap();
    pair.inject(A, Operation::Create { connection: number }).unwrap();
    pair.inject(A, close).unwrap();
    let unknown = PeerError::UnknownConnection { opcode: OpCode::CONN_CLOSE, connection: number };
    assert_eq!(pair.inject(A, close), Err(unknown));
}

#[test]
fn a_connection_closed_before_its_grant_is_closed() {
    let mut pair = Pair::agreed();
    let connection = pair.ends[A].session.open().unwrap();
    pair.publish(A);
    pair.ends[A].session.close(connection, 0).unwrap();
    pair.settle();
    let reason = CloseReason::ByPeer(0);
    assert_eq!(
        pair.ends[B].take_events(),
        [Event::Opened { connection }, Event::Closed { connection, reason }]
    );
    pair.assert_no_errors();
    assert_eq!(pair.ends[A].session.close(ZERO, 0), Err(CommandError::ImplicitConnection));
}
