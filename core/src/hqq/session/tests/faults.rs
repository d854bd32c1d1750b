//! Each rule of a chunk, the code that its breach is told with, and that the session goes on.

use super::*;

const BEGIN: u64 = 1;
const END: u64 = 2;
const ABORT: u64 = 4;
const REQUEST: u64 = 8;
const RESPONSE: u64 = 16;
const ERROR: u64 = 32;

fn chunk(message: u64, total: u64, offset: u64, len: u64, flags: u64) -> Chunk {
    Chunk { connection: 0, message, total, offset, len, flags: ChunkFlags(flags), aux: 0 }
}

/// Chunks that are fine, the one that is not, and what it breaks.
fn breaches() -> Vec<(Vec<Chunk>, Chunk, ChunkFault)> {
    let begun = || vec![chunk(1, 100, 0, 64, BEGIN)];
    let allowed = 1023;
    let (invalid, huge) = (|flags| ChunkFault::Flags { flags, allowed }, u64::MAX);
    let with_aux = Chunk { aux: 5, ..chunk(1, 100, 64, 36, END) };
    vec![
        (vec![], chunk(1, 1, 0, 1, BEGIN | END | 1 << 20), invalid(BEGIN | END | 1 << 20)),
        (vec![], chunk(1, 1, 0, 1, REQUEST | RESPONSE), invalid(REQUEST | RESPONSE)),
        (begun(), chunk(1, 100, 64, 36, END | ERROR), invalid(END | ERROR)),
        (vec![], chunk(0, 1, 0, 1, BEGIN | END), ChunkFault::MessageZero),
        (vec![], chunk(1, 100, 0, 65, BEGIN), ChunkFault::TooLong { len: 65, limit: 64 }),
        (vec![], chunk(1, 10, 0, 11, BEGIN | END), ChunkFault::Range { offset: 0, len: 11, total: 10 }),
        (begun(), chunk(1, 100, huge, 2, END), ChunkFault::Range { offset: huge, len: 2, total: 100 }),
        (begun(), chunk(1, 100, 64, huge, END), ChunkFault::Range { offset: 64, len: huge, total: 100 }),
        (vec![], chunk(1, 10, 0, 0, BEGIN), ChunkFault::Range { offset: 0, len: 0, total: 10 }),
        (vec![], chunk(1, 9, 0, 0, ABORT), ChunkFault::Range { offset: 0, len: 0, total: 9 }),
        (vec![], chunk(1, 0, 0, 0, BEGIN), ChunkFault::Ends { flags: BEGIN, offset: 0, len: 0, total: 0 }),
        (vec![], chunk(1, 9, 0, 9, END), ChunkFault::Ends { flags: END, offset: 0, len: 9, total: 9 }),
        (begun(), chunk(1, 100, 64, 36, 0), ChunkFault::Ends { flags: 0, offset: 64, len: 36, total: 100 }),
        (
            begun(),
            chunk(1, 100, 64, 36, BEGIN | END),
            ChunkFault::Ends { flags: BEGIN | END, offset: 64, len: 36, total: 100 },
        ),
        (begun(), with_aux, ChunkFault::Aux { aux: 5, offset: 64 }),
        (begun(), chunk(1, 100, 60, 40, END), ChunkFault::OutOfOrder { offset: 60, expected: 64 }),
        (begun(), chunk(1, 100, 80, 20, END), ChunkFault::OutOfOrder { offset: 80, expected: 64 }),
        (vec![], chunk(1, 100, 64, 36, END), ChunkFault::OutOfOrder { offset: 64, expected: 0 }),
        (begun(), chunk(1, 100, 0, 64, BEGIN), ChunkFault::BegunTwice { received: 64 }),
        (begun(), chunk(1, 99, 64, 35, END), ChunkFault::TotalChanged { found: 99, expected: 100 }),
        (vec![], chunk(1, 10_001, 0, 64, BEGIN), ChunkFault::TooLarge { total: 10_001, max: 10_000 }),
        (vec![], chunk(1, huge, 0, 64, BEGIN), ChunkFault::TooLarge { total: huge, max: 10_000 }),
        (
            (2..6).map(|message| chunk(message, 100, 0, 10, BEGIN)).collect(),
            chunk(1, 100, 0, 10, BEGIN),
            ChunkFault::TooManyAssemblies { limit: 4 },
        ),
        (
            (2..4).map(|message| chunk(message, 9000, 0, 10, BEGIN)).collect(),
            chunk(1, 9000, 0, 10, BEGIN),
            ChunkFault::TooManyBytes { total: 9000, open: 18_000, max: 20_000 },
        ),
        (vec![], chunk(1, 1, 0, 1, BEGIN | END | RESPONSE), ChunkFault::UnknownCall),
        (
            vec![chunk(1, 1, 0, 1, BEGIN | END | REQUEST)],
            chunk(1, 1, 0, 1, BEGIN | END | REQUEST),
            ChunkFault::RequestExists,
        ),
        (
            (2..6).map(|message| chunk(message, 1, 0, 1, BEGIN | END | REQUEST)).collect(),
            chunk(1, 1, 0, 1, BEGIN | END | REQUEST),
            ChunkFault::TooManyRequests { limit: 4 },
        ),
    ]
}

#[test]
fn each_breach_is_told_with_its_code_drops_its_message_and_stops_nothing_else() {
    for profile in [Profile::Superblock, Profile::Seed] {
        for (before, wrong, fault) in breaches() {
            // What the seed profile cannot say at all is refused before.
            if profile == Profile::Seed && (wrong.flags.0 > 0xffff || wrong.len > SLOT) {
                continue;
            }
            let mut pair = Pair::agreed_of(config(Side::Primary, profile), config(Side::Secondary, profile));
            for fine in &before {
                pair.inject(B, Operation::Chunk(*fine)).unwrap();
            }
            pair.ends[B].take_events();
            let unfinished = pair.ends[B].session.unfinished();
            let result = pair.inject(B, Operation::Chunk(wrong));
            assert_eq!(result, Err(PeerError::Chunk { chunk: wrong, fault }), "{profile}");
            let told = Operation::Error { context: 0, code: fault.code() };
            let sent: Vec<_> = core::iter::from_fn(|| pair.next(B)).collect();
            assert!(sent.contains(&told), "{fault:?}: {sent:?}");
            let key = MessageKey { connection: ZERO, message: 1, kind: Kind::Message };
            let dropped = before.first().is_some_and(|first| first.message == 1 && first.flags.0 == BEGIN);
            if dropped {
                let reason = AbortReason::Violation;
                assert_eq!(
                    pair.ends[B].take_events(),
                    [Event::Aborted { message: key, reason }],
                    "{fault:?}"
                );
                assert_eq!(pair.ends[B].session.unfinished(), unfinished - 1);
                // The rest of it is not an error each.
                if wrong.flags.0 & END == 0 {
                    assert_eq!(pair.inject(B, Operation::Chunk(chunk(1, 100, 90, 10, END))), Ok(()));
                }
            }
            pair.inject(B, Operation::Chunk(chunk(50, 5, 0, 5, BEGIN | END))).unwrap();
            assert_eq!(pair.ends[B].take_whole().last().unwrap().key.message, 50);
        }
    }
}

#[test]
fn the_same_error_is_told_once_until_the_peer_has_heard() {
    let mut pair = Pair::agreed();
    for message in 1..200 {
        let wrong = chunk(message, 100, 64, 36, END);
        assert!(pair.inject(B, Operation::Chunk(wrong)).is_err());
        assert!(pair.ends[B].session.is_ready());
    }
    let sent: Vec<_> = core::iter::from_fn(|| pair.next(B)).collect();
    let errors = sent.iter().filter(|sent| matches!(sent, Operation::Error { .. })).count();
    assert_eq!(errors, 1);
    assert_eq!(pair.ends[B].session.counters().errors, 199);
}

#[test]
fn nothing_is_lost_when_the_peer_is_not_ready() {
    let mut pair = Pair::agreed();
    for connection in 100..100 + CONTROL as u64 {
        assert!(pair.inject(B, Operation::Accept { connection }).is_err());
    }
    assert!(!pair.ends[B].session.is_ready());
    let whole = Operation::Chunk(chunk(1, 5, 0, 5, BEGIN | END));
    assert_eq!(pair.inject(B, whole), Err(PeerError::NotReady { queued: CONTROL }));
    assert_eq!(pair.ends[B].session.open(), Err(CommandError::Backlogged { queued: CONTROL }));
    pair.next(B).unwrap();
    pair.inject(B, whole).unwrap();
    assert_eq!(pair.ends[B].take_whole().len(), 1);
}

#[test]
fn a_message_whose_next_chunk_does_not_come_is_dropped() {
    let mut pair = Pair::agreed();
    let age = Duration::from_secs(30);
    pair.inject(B, Operation::Chunk(chunk(1, 100, 0, 10, BEGIN))).unwrap();
    let session = &mut pair.ends[B].session;
    assert_eq!(session.poll_timeout(), Some(pair.now.saturating_add(age)));
    session.handle_timeout(Instant::from_nanos(29_999_999_999));
    assert_eq!(session.poll_event(), None);
    pair.now = Instant::from_nanos(20_000_000_000);
    pair.inject(B, Operation::Chunk(chunk(1, 100, 10, 10, 0))).unwrap();
    let session = &mut pair.ends[B].session;
    session.handle_timeout(Instant::from_nanos(49_999_999_999));
    assert_eq!(session.poll_event(), None);
    session.handle_timeout(Instant::from_nanos(50_000_000_000));
    let key = MessageKey { connection: ZERO, message: 1, kind: Kind::Message };
    assert_eq!(session.poll_event(), Some(Event::Aborted { message: key, reason: AbortReason::TooOld }));
    assert_eq!((session.unfinished(), session.poll_timeout()), (0, None));
    // Its other chunks come late, and are no errors.
    pair.inject(B, Operation::Chunk(chunk(1, 100, 20, 80 - 20, 0))).unwrap();
    pair.inject(B, Operation::Chunk(chunk(1, 100, 80, 20, END))).unwrap();
    assert_eq!(pair.ends[B].take_whole(), []);
}

#[test]
fn packets_of_a_standard_link_are_refused_or_ignored() {
    let mut pair = Pair::agreed();
    let copy = Operation::Copy { copy: 1, buffer: 0, len: 6 };
    assert_eq!(pair.inject(B, copy), Err(PeerError::UnexpectedCopy { copy: 1, len: 6 }));
    assert_eq!(pair.next(B), Some(Operation::Error { context: 0, code: ErrorCode::INVALID_OP }));
    pair.inject(B, Operation::Tombstone { copy: 1, slot: 0, reason: ErrorCode::INVALID_OP }).unwrap();
    assert_eq!(pair.next(B), None);
}

#[test]
fn packets_of_features_that_were_not_agreed_are_refused() {
    let features = Features::KNOWN_TO_ALL;
    let capabilities = Capabilities::KNOWN_TO_ALL;
    let mut pair = Pair::agreed_of(
        Config { features, capabilities, ..config(Side::Primary, Profile::Superblock) },
        config(Side::Secondary, Profile::Superblock),
    );
    let refused = |opcode, feature| Err(PeerError::NotAgreed { opcode, connection: 0, feature });
    let credit = Operation::Credit { connection: 0, limit: 1 };
    assert_eq!(pair.inject(B, credit), refused(OpCode::CREDIT, "FLOW_CONTROL"));
    let acknowledge = Operation::Acknowledge { connection: 0, message: 1 };
    assert_eq!(pair.inject(B, acknowledge), refused(OpCode::ACKNOWLEDGE, "RELIABLE_DELIVERY"));
    assert_eq!(pair.inject(B, Operation::AskStatistics), refused(OpCode::STATISTICS, "STATISTICS"));
    assert_eq!(
        pair.inject(B, Operation::Statistics(Counters::default())),
        Err(PeerError::UnexpectedStatistics)
    );
    let sealed = Operation::Chunk(chunk(1, 1, 0, 1, BEGIN | END | 64));
    assert!(matches!(pair.inject(B, sealed), Err(PeerError::Chunk { fault: ChunkFault::Flags { .. }, .. })));
}
