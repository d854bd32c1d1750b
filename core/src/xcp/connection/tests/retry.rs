//! Which messages are sent again and when, and do they come but once?

use core::time::Duration;
use std::collections::BTreeSet;
use std::vec::Vec;

use super::super::super::dialect::Dialect;
use super::super::super::header::FrameHeader;
use super::super::super::numbers::{ErrorCode, Flags, MsgType};
use super::super::super::tags::Tags;
use super::super::{Config, Event, MessageKey, Retry, Side};
use super::raw::{NOW, ack, acks, nack, of_type, opened};
use super::{End, Pair, TO_CLIENT, TO_SERVER, Verdict, config, frame, frames};
use crate::time::Instant;

const MS: Duration = Duration::from_millis(1);

/// Never silent long enough to be asked, so that nothing but retries happens.
fn patient(side: Side) -> Config {
    Config { keep_alive: None, idle_timeout: None, ..config(side) }
}

fn asking(channel: u32, msg_id: u64) -> FrameHeader {
    let mut header = FrameHeader::new(MsgType::DATA, channel, msg_id);
    header.tags.push(Tags::ACK, "1").expect("a frame is to be sent");
    header
}

/// The frames of messages that an end sends now.
fn sent(end: &mut End, now: Instant) -> usize {
    let bytes = end.transmit(now);
    of_type(&frames(Dialect::SPEC, &bytes), MsgType::DATA).len()
}

#[test]
fn a_message_that_comes_again_is_acknowledged_again_and_not_delivered_again() {
    let mut server = opened(patient(Side::Server));
    for round in 0..3 {
        server.receive(NOW, &frame(Dialect::SPEC, &asking(1, 5), Flags::NONE, b"once"));
        assert_eq!(acks(&server.transmit(NOW)), [5], "round {round}");
    }
    assert_eq!(server.bodies(), [b"once"]);
    // The number counts on its channel only.
    server.receive(NOW, &frame(Dialect::SPEC, &asking(2, 5), Flags::NONE, b"twice"));
    assert_eq!(server.delivered.len(), 2);
}

#[test]
fn a_message_in_pieces_that_comes_again_is_acknowledged_again_at_its_last() {
    let mut server = opened(patient(Side::Server));
    for round in 0..3 {
        for (flags, body) in [(Flags::MORE, b"on"), (Flags::MORE, b"ce"), (Flags::NONE, b"!!")] {
            assert_eq!(server.transmit(NOW), []);
            server.receive(NOW, &frame(Dialect::SPEC, &asking(1, 5), flags, body));
        }
        assert_eq!(acks(&server.transmit(NOW)), [5], "round {round}");
    }
    assert_eq!(server.bodies(), [b"once!!"]);
    assert_eq!(server.connection.in_flight(), 0);
    // The channel is free for the next.
    server.receive(NOW, &frame(Dialect::SPEC, &asking(1, 6), Flags::NONE, b"next"));
    assert_eq!(server.delivered.len(), 2);
}

#[test]
fn a_message_without_a_number_is_new_each_time_and_never_acknowledged() {
    let mut server = opened(patient(Side::Server));
    for _ in 0..2 {
        server.receive(NOW, &frame(Dialect::SPEC, &asking(1, 0), Flags::NONE, b"again"));
    }
    assert_eq!(server.transmit(NOW), []);
    assert_eq!(server.delivered.len(), 2);
    // Nor one that does not ask.
    server.receive(NOW, &super::raw::data(1, 9, Flags::NONE, b"quiet"));
    assert_eq!(server.transmit(NOW), []);
}

#[test]
fn a_message_whose_ack_is_lost_is_sent_again_and_comes_once() {
    for len in [10, 500] {
        let short = |side| Config { max_frame: 200, ..patient(side) };
        let mut pair = Pair::connected(short(Side::Client), short(Side::Server));
        pair.wires[TO_CLIENT].deaf = true;
        let begun = pair.client.send_reliably(1, &std::vec![7; len]);
        pair.run();
        assert!(!pair.client.connection.is_flushed());
        pair.wires[TO_CLIENT].deaf = false;
        pair.advance(Duration::from_secs(11));
        assert_eq!(pair.client.take_events(), [Event::Acked { msg_id: begun.msg_id }]);
        assert_eq!(pair.server.delivered.len(), 1);
        assert!(pair.client.connection.is_flushed());
    }
}

#[test]
fn a_message_that_was_damaged_is_sent_again_soon() {
    let mut pair = Pair::connected(patient(Side::Client), patient(Side::Server));
    let start = pair.wires[TO_SERVER].log.len();
    let begun = pair.client.send_reliably(1, b"dear");
    // Its last byte.
    let len = pair.client.connection.agreed().unwrap().max_frame.min(1);
    assert_eq!(len, 1);
    pair.wires[TO_SERVER].corrupt = Some((start + begun.header_len + 16 + 3, 0x10));
    pair.run();
    assert_eq!(pair.server.delivered.len(), 0);
    pair.advance(MS * 50);
    assert_eq!(pair.server.bodies(), [b"dear"]);
    assert_eq!(pair.client.take_events(), [Event::Acked { msg_id: begun.msg_id }]);
}

#[test]
fn messages_that_all_come_twice_are_delivered_once_and_in_their_order() {
    let mut server = opened(patient(Side::Server));
    let ids = 2..2 + super::end::MESSAGES as u64;
    for _ in 0..2 {
        for id in ids.clone() {
            let body = [u8::try_from(id).unwrap()];
            server.receive(NOW, &frame(Dialect::SPEC, &asking(1, id), Flags::NONE, &body));
            // A receiver that did not read for long: plain ones came in between.
            for plain in 0..50 {
                server.receive(NOW, &super::raw::data(1, 1000 * id + plain, Flags::NONE, b"plain"));
            }
            server.transmit(NOW);
        }
    }
    let numbered: Vec<&[u8]> = server.bodies().into_iter().filter(|body| body.len() == 1).collect();
    let expected: Vec<Vec<u8>> = ids.map(|id| std::vec![u8::try_from(id).unwrap()]).collect();
    assert_eq!(numbered, expected);
}

#[test]
fn overdue_messages_are_sent_again_in_their_order() {
    let mut pair = Pair::connected(patient(Side::Client), patient(Side::Server));
    pair.wires[TO_SERVER].deaf = true;
    for body in [b"1", b"2", b"3", b"4", b"5"] {
        pair.client.send_reliably(1, body);
    }
    pair.run();
    pair.wires[TO_SERVER].deaf = false;
    pair.advance(Duration::from_secs(300));
    assert_eq!(pair.server.bodies(), [b"1", b"2", b"3", b"4", b"5"]);
}

#[test]
fn types_of_messages_have_numbers_of_their_own() {
    let mut server = opened(patient(Side::Server));
    for _ in 0..2 {
        for msg_type in [MsgType::DATA, MsgType::CLARIFY_REQ] {
            let header = FrameHeader { msg_type, ..asking(1, 5) };
            server.receive(NOW, &frame(Dialect::SPEC, &header, Flags::NONE, b"!"));
            assert_eq!(acks(&server.transmit(NOW)), [5]);
        }
    }
    assert_eq!(server.delivered.len(), 2);
}

#[test]
fn a_peer_that_asks_for_more_time_than_a_channel_waits_has_refused() {
    let mut server = opened(patient(Side::Server));
    let begun = server.send_reliably(1, b"never");
    assert_eq!(sent(&mut server, NOW), 1);
    server.receive(NOW, &nack(begun.msg_id, ErrorCode::ERR_BUSY, u32::MAX));
    let (msg_id, code) = (begun.msg_id, ErrorCode::ERR_BUSY);
    let retry_after = Some(MS * u32::MAX);
    assert_eq!(server.take_events(), [Event::Nacked { msg_id, code, retry_after }]);
    assert!(server.connection.is_flushed());
    server.send(1, b"next");
    assert_eq!(sent(&mut server, NOW), 1);
}

#[test]
fn a_busy_peer_is_given_the_time_it_asks_for() {
    let mut server = opened(patient(Side::Server));
    let begun = server.send_reliably(1, b"wait");
    assert_eq!(sent(&mut server, NOW), 1);
    server.receive(NOW, &nack(begun.msg_id, ErrorCode::ERR_BUSY, 2000));
    let due = server.connection.poll_timeout().unwrap();
    assert_eq!(due, NOW.saturating_add(MS * 2000));
    server.handle_timeout(NOW.saturating_add(MS * 1999));
    assert_eq!(sent(&mut server, NOW.saturating_add(MS * 1999)), 0);
    server.handle_timeout(due);
    assert_eq!(sent(&mut server, due), 1);
    assert_eq!(server.take_events(), []);
}

#[test]
fn a_message_that_nobody_acknowledges_is_given_up_after_the_last_attempt() {
    let retry = Retry { attempts: 3, ..patient(Side::Server).retry };
    let mut server = opened(Config { retry, ..patient(Side::Server) });
    let begun = server.send_reliably(1, b"anybody?");
    let mut now = NOW;
    let mut times = 0;
    while let Some(due) = server.connection.poll_timeout() {
        now = now.max(due);
        server.handle_timeout(now);
        times += sent(&mut server, now);
        assert!(times <= 4);
        if times == 0 {
            break;
        }
    }
    // Before any time-out it goes out for the first time.
    times += sent(&mut server, now);
    while let Some(due) = server.connection.poll_timeout() {
        now = now.max(due);
        server.handle_timeout(now);
        times += sent(&mut server, now);
    }
    assert_eq!(times, 1 + 3);
    assert_eq!(server.take_events(), [Event::Unacknowledged { msg_id: begun.msg_id }]);
    assert!(server.connection.is_flushed());
    // Each waits for its ACK, and then a random time.
    assert!(now >= NOW.saturating_add(retry.timeout * 4));
    assert!(now <= NOW.saturating_add(retry.timeout * 4 + retry.base * (1 + 2 + 4)));
}

#[test]
fn a_message_that_is_refused_too_often_is_given_up() {
    let mut server = opened(patient(Side::Server));
    let begun = server.send_reliably(1, b"please");
    let mut now = NOW;
    for _ in 0..4 {
        assert_eq!(sent(&mut server, now), 1);
        server.receive(now, &nack(begun.msg_id, ErrorCode::ERR_BUSY, 1));
        assert_eq!(server.take_events(), []);
        now = server.connection.poll_timeout().unwrap();
        server.handle_timeout(now);
    }
    assert_eq!(sent(&mut server, now), 1);
    server.receive(now, &nack(begun.msg_id, ErrorCode::ERR_BUSY, 7));
    let nacked = Event::Nacked { msg_id: begun.msg_id, code: ErrorCode::ERR_BUSY, retry_after: Some(MS * 7) };
    assert_eq!(server.take_events(), [nacked]);
    assert!(server.connection.is_flushed());
}

#[test]
fn a_message_that_is_refused_for_good_is_not_sent_again() {
    let codes = [
        ErrorCode::ERR_SCHEMA_UNKNOWN,
        ErrorCode::ERR_CODEC_UNSUPPORTED,
        ErrorCode::ERR_MESSAGE_TOO_LARGE,
        ErrorCode::ERR_KIND_MISMATCH,
        ErrorCode::ERR_MALFORMED,
        ErrorCode::ERR_AUTHENTICATION_FAILED,
        ErrorCode(0x77),
    ];
    for code in codes {
        let mut server = opened(patient(Side::Server));
        let begun = server.send_reliably(1, b"no");
        assert_eq!(sent(&mut server, NOW), 1);
        server.receive(NOW, &nack(begun.msg_id, code, 0));
        assert_eq!(server.take_events(), [Event::Nacked { msg_id: begun.msg_id, code, retry_after: None }]);
        assert!(server.connection.is_flushed());
    }
    // Nor one that is not kept, whatever the reason.
    let mut server = opened(patient(Side::Server));
    let begun = server.send(1, b"no");
    assert_eq!(sent(&mut server, NOW), 1);
    server.receive(NOW, &nack(begun.msg_id, ErrorCode::ERR_BUSY, 0));
    let (msg_id, code) = (begun.msg_id, ErrorCode::ERR_BUSY);
    assert_eq!(server.take_events(), [Event::Nacked { msg_id, code, retry_after: None }]);
    assert_eq!(server.connection.poll_timeout(), None);
}

#[test]
fn back_off_is_random_within_bounds_that_double_and_differs_by_seed() {
    let base = MS * 100;
    let retry = Retry { base, max: MS * 350, attempts: 4, ..patient(Side::Server).retry };
    let mut waits: [Vec<Duration>; 4] = Default::default();
    for seed in 0..64 {
        let mut server = opened(Config { retry, seed, ..patient(Side::Server) });
        let begun = server.send_reliably(1, b"?");
        let mut now = NOW;
        for each in &mut waits {
            assert_eq!(sent(&mut server, now), 1);
            server.receive(now, &nack(begun.msg_id, ErrorCode::ERR_CRC_MISMATCH, 0));
            let due = server.connection.poll_timeout().unwrap();
            each.push(due.saturating_since(now));
            now = due;
            server.handle_timeout(now);
        }
    }
    for (waits, most) in waits.iter().zip([base, base * 2, MS * 350, MS * 350]) {
        assert!(waits.iter().all(|wait| *wait <= most));
        // Spread over the whole range.
        assert!(waits.iter().any(|wait| *wait < most / 4));
        assert!(waits.iter().any(|wait| *wait > most * 3 / 4));
        let different: BTreeSet<Duration> = waits.iter().copied().collect();
        assert_eq!(different.len(), waits.len(), "every seed has times of its own");
    }
}

/// A message of five frames of which two are sent.
fn half_sent(end: &mut End, reliable: bool) -> super::super::Begun {
    let body = std::vec![3; 400];
    let begun = if reliable { end.send_reliably(1, &body) } else { end.send(1, &body) };
    for _ in 0..2 {
        end.transmit_one(NOW).expect("a frame is to be sent");
    }
    begun
}

fn short() -> Config {
    Config { max_frame: 200, ..patient(Side::Server) }
}

#[test]
fn a_message_that_is_refused_for_good_while_it_is_sent_is_sent_no_further() {
    for reliable in [false, true] {
        let mut server = opened(short());
        let begun = half_sent(&mut server, reliable);
        server.receive(NOW, &nack(begun.msg_id, ErrorCode::ERR_MESSAGE_TOO_LARGE, 0));
        let nacked =
            Event::Nacked { msg_id: begun.msg_id, code: ErrorCode::ERR_MESSAGE_TOO_LARGE, retry_after: None };
        assert_eq!(server.take_events(), [nacked]);
        assert_eq!(server.transmit_one(NOW), None);
        assert!(server.connection.is_flushed());
    }
}

/// The peer throws away what follows, up to the last frame: only behind that can the message begin anew.
#[test]
fn a_message_that_is_refused_for_now_while_it_is_sent_comes_again_once_it_was_sent_whole() {
    let mut pair = Pair::connected(
        Config { max_frame: 200, ..patient(Side::Client) },
        Config { max_frame: 200, ..patient(Side::Server) },
    );
    let start = pair.wires[TO_SERVER].log.len();
    let begun = pair.client.send_reliably(1, &[3; 400]);
    // A byte in the first of its frames, so that the NACK comes while the others wait.
    pair.wires[TO_SERVER].corrupt = Some((start + begun.header_len + 16 + 3, 0x10));
    let first = pair.client.transmit_one(pair.now).unwrap();
    let mut damaged = first.clone();
    damaged[begun.header_len + 14] ^= 1;
    pair.wires[TO_SERVER].corrupt = None;
    pair.server.receive(pair.now, &damaged);
    let refusal = pair.server.transmit(pair.now);
    pair.client.receive(pair.now, &refusal);
    assert_eq!(pair.client.take_events(), []);
    pair.run();
    assert_eq!((pair.server.delivered.len(), pair.client.take_events()), (0, Vec::new()));
    pair.advance(MS * 50);
    assert_eq!(pair.server.bodies(), [[3; 400]]);
    assert_eq!(pair.client.take_events(), [Event::Acked { msg_id: begun.msg_id }]);
    assert!(pair.client.connection.is_flushed());
}

#[test]
fn an_ack_that_comes_late_is_an_ack() {
    let mut server = opened(patient(Side::Server));
    let begun = server.send_reliably(1, b"late");
    assert_eq!(sent(&mut server, NOW), 1);
    let now = server.connection.poll_timeout().unwrap();
    // It is about to be sent again.
    server.handle_timeout(now);
    server.receive(now, &ack(begun.msg_id));
    assert_eq!(server.take_events(), [Event::Acked { msg_id: begun.msg_id }]);
    assert!(server.connection.is_flushed());
    assert_eq!(server.transmit(now.saturating_add(Duration::from_secs(60))), []);
}

#[test]
fn answers_to_what_was_not_sent_do_nothing() {
    let mut server = opened(patient(Side::Server));
    let begun = server.send_reliably(1, b"later");
    server.receive(NOW, &ack(begun.msg_id));
    server.receive(NOW, &nack(begun.msg_id, ErrorCode::ERR_MALFORMED, 0));
    assert_eq!(server.take_events(), []);
    assert_eq!(sent(&mut server, NOW), 1);
    server.receive(NOW, &ack(begun.msg_id + 1));
    assert_eq!(server.take_events(), []);
    server.receive(NOW, &ack(begun.msg_id));
    server.receive(NOW, &ack(begun.msg_id));
    assert_eq!(server.take_events(), [Event::Acked { msg_id: begun.msg_id }]);
}

#[test]
fn a_message_that_was_refused_is_taken_when_it_comes_again() {
    let mut server = opened(patient(Side::Server));
    server.verdict = |_| Verdict::Refuse(ErrorCode::ERR_BUSY);
    let bytes = frame(Dialect::SPEC, &asking(1, 5), Flags::NONE, b"later");
    server.receive(NOW, &bytes);
    assert_eq!(server.delivered.len(), 0);
    server.verdict = |_| Verdict::Accept;
    server.receive(NOW, &bytes);
    assert_eq!(server.bodies(), [b"later"]);
}

/// The user refuses a message while its last frame comes: behind that frame nothing of it is left.
#[test]
fn a_message_that_was_refused_in_its_last_frame_is_taken_when_it_comes_again() {
    let mut server = opened(patient(Side::Server));
    let message = MessageKey { channel: 1, msg_id: 5 };
    let pieces = [(Flags::MORE, b"be"), (Flags::NONE, b"gn")]
        .map(|(flags, body)| frame(Dialect::SPEC, &asking(1, 5), flags, body));
    server.receive(NOW, &pieces[0]);
    let (most, rest) = pieces[1].split_at(pieces[1].len() - 5);
    server.receive(NOW, most);
    server.refuse(NOW, message, ErrorCode::ERR_BUSY);
    server.receive(NOW, rest);
    assert_eq!((server.delivered.len(), server.connection.in_flight()), (0, 0));
    pieces.iter().for_each(|piece| server.receive(NOW, piece));
    assert_eq!(server.bodies(), [b"begn"]);
}
