//! What can a peer make a connection keep, send or do? Never more than was offered.

use std::vec::Vec;

use super::super::super::dialect::Dialect;
use super::super::super::header::FrameHeader;
use super::super::super::numbers::{ErrorCode, Flags, MsgType};
use super::super::super::tags::Tags;
use super::super::{ANSWERS, CloseReason, Config, Event, MessageKey, Side};
use super::end::MESSAGES;
use super::raw::{NOW, acks, control, data, nacks, of_type, opened};
use super::{End, Verdict, config, frame, frames};

const TOO_LARGE: ErrorCode = ErrorCode::ERR_MESSAGE_TOO_LARGE;

fn key(channel: u32, msg_id: u64) -> MessageKey {
    MessageKey { channel, msg_id }
}

fn server(max_message: u64, max_in_flight: u64) -> End {
    opened(Config { max_message, max_in_flight, ..config(Side::Server) })
}

#[test]
fn a_frame_that_is_longer_than_was_offered_is_refused_and_closes() {
    let limit = 300;
    let around = 32 + 16;
    let mut server = opened(Config { max_frame: limit, ..config(Side::Server) });
    let fits = data(1, 2, Flags::NONE, &std::vec![7; 300 - around]);
    assert_eq!(fits.len(), 300);
    server.receive(NOW, &fits);
    assert_eq!(server.delivered.len(), 1);
    server.take_events();

    let long = data(1, 3, Flags::NONE, &std::vec![7; 301 - around]);
    // Its payload need not come.
    server.receive(NOW, &long[..12 + 32]);
    let closed = CloseReason::FrameTooLong { len: 301, limit: 300 };
    assert_eq!(server.take_events(), [Event::Closed(closed)]);
    assert_eq!(nacks(Dialect::SPEC, &server.transmit(NOW)), [(3, TOO_LARGE)]);
    server.receive(NOW, &long[12 + 32..]);
    assert_eq!((server.transmit(NOW), server.delivered.len()), (Vec::new(), 1));
}

#[test]
fn a_length_of_eight_bytes_is_as_bounded_as_one_of_four() {
    let mut server = opened(config(Side::Server));
    let mut bytes = data(1, 3, Flags::LARGE, b"x");
    bytes[40..48].copy_from_slice(&u64::MAX.to_le_bytes());
    server.receive(NOW, &bytes[..48]);
    let closed = CloseReason::FrameTooLong { len: u64::MAX, limit: 1 << 20 };
    assert_eq!(server.closed(), Some(closed));
}

#[test]
fn a_hello_longer_than_a_control_message_closes_before_it_comes() {
    let mut end = End::new(config(Side::Server), super::super::Plain, NOW);
    let mut hello = control(MsgType::HELLO, 1, b"{}");
    hello[40..44].copy_from_slice(&u32::MAX.to_le_bytes());
    end.receive(NOW, &hello[..44]);
    assert!(matches!(end.closed(), Some(CloseReason::FrameTooLong { limit: ..0x1_0000, .. })));
    assert_eq!(end.transmit(NOW), []);
}

#[test]
fn a_message_that_grows_too_long_is_refused_and_its_channel_goes_on() {
    let mut server = server(100, 1000);
    let chunk = [5; 60];
    server.receive(NOW, &data(1, 2, Flags::MORE, &chunk));
    server.take_events();
    server.receive(NOW, &data(1, 2, Flags::MORE, &chunk));
    assert_eq!(server.take_events(), [Event::Dropped { message: key(1, 2), code: TOO_LARGE }]);
    assert_eq!(nacks(Dialect::SPEC, &server.transmit(NOW)), [(2, TOO_LARGE)]);
    assert_eq!(server.connection.in_flight(), 0);
    // The rest is not told of, and not refused again.
    server.receive(NOW, &data(1, 2, Flags::NONE, &[5; 40]));
    assert_eq!((server.take_events(), server.transmit(NOW)), (Vec::new(), Vec::new()));
    server.receive(NOW, &data(1, 3, Flags::NONE, &[6; 100]));
    assert_eq!(server.bodies(), [[6; 100]]);
}

#[test]
fn a_message_may_be_as_long_as_was_offered_and_no_longer() {
    for (len, whole) in [(40, true), (41, false)] {
        let mut server = server(100, 1000);
        server.receive(NOW, &data(1, 2, Flags::MORE, &[5; 60]));
        server.receive(NOW, &data(1, 2, Flags::NONE, &std::vec![5; len]));
        assert_eq!(server.delivered.len() == 1, whole);
        server.receive(NOW, &data(2, 3, Flags::NONE, &std::vec![5; 60 + len]));
        assert_eq!(server.delivered.len() == 2, whole);
        assert_eq!(server.connection.in_flight(), 0);
        // It may come anew: its last frame was thrown away with it.
        server.receive(NOW, &data(1, 2, Flags::NONE, b"short"));
        assert_eq!(server.delivered.len(), if whole { 2 } else { 1 });
    }
}

#[test]
fn a_first_frame_that_is_too_long_a_message_is_refused() {
    let mut server = server(100, 1000);
    server.receive(NOW, &data(1, 2, Flags::MORE, &[5; 101]));
    assert_eq!(server.take_events(), [Event::Refused { message: key(1, 2), code: TOO_LARGE }]);
    server.receive(NOW, &data(1, 2, Flags::NONE, b"rest"));
    assert_eq!(server.take_events(), []);
    assert_eq!(nacks(Dialect::SPEC, &server.transmit(NOW)), [(2, TOO_LARGE)]);
}

#[test]
fn a_message_that_never_ends_closes_the_connection() {
    let mut server = server(100, 1000);
    // 60 are taken, with 120 it is refused; the peer may not know yet for 60 more, with 120 it is too much.
    for _ in 0..3 {
        server.receive(NOW, &data(1, 2, Flags::MORE, &[5; 60]));
    }
    assert_eq!(server.closed(), None);
    server.receive(NOW, &data(1, 2, Flags::MORE, &[5; 60]));
    assert_eq!(server.closed(), Some(CloseReason::NotStopping { len: 120 }));
}

#[test]
fn a_message_whose_header_changes_all_the_time_closes_the_connection_too() {
    let mut server = server(100, 1000);
    for at in 0..8_u8 {
        let mut header = FrameHeader::new(MsgType::DATA, 1, 2);
        header.tags.push("part", if at & 1 == 0 { "even" } else { "odd" }).unwrap();
        server.receive(NOW, &frame(Dialect::SPEC, &header, Flags::MORE, &[5; 60]));
    }
    assert_eq!(server.closed(), Some(CloseReason::NotStopping { len: 120 }));
}

#[test]
fn a_channel_more_than_there_is_room_for_closes_the_connection() {
    let mut server = opened(config(Side::Server));
    for channel in (0_u32..).take(MESSAGES) {
        server.receive(NOW, &data(channel, 50, Flags::MORE, b"begun"));
    }
    assert_eq!((server.unfinished().len(), server.closed()), (MESSAGES, None));
    // One that needs no room is taken still.
    server.receive(NOW, &data(90, 51, Flags::NONE, b"whole"));
    assert_eq!(server.bodies(), [b"whole"]);
    server.receive(NOW, &data(91, 52, Flags::MORE, b"begun"));
    assert_eq!(server.closed(), Some(CloseReason::TooManyMessages { limit: MESSAGES }));
    assert_eq!(nacks(Dialect::SPEC, &server.transmit(NOW)), [(52, ErrorCode::ERR_BUSY)]);
}

#[test]
fn messages_of_which_nothing_came_for_long_make_room() {
    let mut server = opened(Config { keep_alive: None, idle_timeout: None, ..config(Side::Server) });
    let mut now = NOW;
    let age = server.connection.config().message_age;
    for round in 0..3 {
        for channel in (0_u32..).take(MESSAGES) {
            server.receive(now, &data(channel + 100 * round, 50, Flags::MORE, b"begun"));
        }
        assert_eq!(server.closed(), None, "round {round}");
        // They are dropped, and a while later forgotten.
        for _ in 0..2 {
            now = now.saturating_add(age);
            server.handle_timeout(now);
        }
        assert_eq!(nacks(Dialect::SPEC, &server.transmit(now)).len(), MESSAGES);
        assert_eq!(server.unfinished().len(), 0);
    }
}

/// Or its rest would pass for a message.
#[test]
fn a_refused_message_of_which_more_comes_is_not_forgotten() {
    let mut server = opened(Config { keep_alive: None, idle_timeout: None, ..config(Side::Server) });
    let refused = |channel, flags| data(channel, 50, Flags::CRYPT.union(flags), b"?");
    let after = |seconds| NOW.saturating_add(core::time::Duration::from_secs(seconds));
    server.receive(NOW, &refused(0, Flags::MORE));
    for channel in (0_u32..).take(MESSAGES).skip(1) {
        server.receive(NOW, &data(channel, 50, Flags::MORE, b"begun"));
        server.refuse(NOW, key(channel, 50), ErrorCode::ERR_BUSY);
    }
    server.receive(after(20), &refused(0, Flags::MORE));
    server.take_events();
    // The others make room.
    server.receive(after(31), &data(90, 51, Flags::MORE, b"begun"));
    assert_eq!(server.take_events().len(), 2);
    server.receive(after(31), &refused(0, Flags::NONE));
    assert_eq!((server.take_events(), server.closed()), (Vec::new(), None));
}

#[test]
fn bytes_of_all_unfinished_messages_are_bounded() {
    let mut server = server(100, 150);
    server.receive(NOW, &data(1, 2, Flags::MORE, &[1; 90]));
    server.receive(NOW, &data(2, 3, Flags::MORE, &[2; 60]));
    assert_eq!(server.connection.in_flight(), 150);
    server.take_events();
    // Neither a new message, whole or not, nor more of one that is there.
    server.receive(NOW, &data(3, 4, Flags::NONE, &[3; 1]));
    server.receive(NOW, &data(4, 5, Flags::MORE, &[3; 1]));
    server.receive(NOW, &data(1, 2, Flags::MORE, &[1; 1]));
    let busy = ErrorCode::ERR_BUSY;
    assert_eq!(
        server.take_events(),
        [
            Event::Refused { message: key(3, 4), code: busy },
            Event::Refused { message: key(4, 5), code: busy },
            Event::Dropped { message: key(1, 2), code: busy },
        ]
    );
    let sent = server.transmit(NOW);
    assert_eq!(nacks(Dialect::SPEC, &sent), [(4, busy), (5, busy), (2, busy)]);
    assert_eq!(server.connection.in_flight(), 60);
    // Now there is room again.
    server.receive(NOW, &data(3, 4, Flags::NONE, &[3; 90]));
    assert_eq!(server.bodies(), [[3; 90]]);
    // And a message that is refused is not counted.
    server.refuse(NOW, key(2, 3), busy);
    assert_eq!(server.connection.in_flight(), 0);
}

#[test]
fn bytes_that_were_consumed_do_not_count() {
    let mut server = server(1000, 150);
    server.consumes = true;
    for _ in 0..9 {
        server.receive(NOW, &data(1, 2, Flags::MORE, &[1; 100]));
        assert_eq!(server.connection.in_flight(), 0);
    }
    server.receive(NOW, &data(1, 2, Flags::NONE, &[1; 100]));
    assert_eq!(server.bodies(), [[1; 1000]]);
    // Consuming more than came, or of what is not there, gives no more room.
    server.consumes = false;
    server.receive(NOW, &data(1, 3, Flags::MORE, &[1; 100]));
    server.connection.consumed(key(1, 3), u64::MAX);
    server.connection.consumed(key(7, 7), u64::MAX);
    server.receive(NOW, &data(1, 3, Flags::MORE, &[1; 100]));
    assert_eq!(server.connection.in_flight(), 100);
}

#[test]
fn a_ping_is_answered_before_the_next_is_read() {
    let mut server = opened(config(Side::Server));
    let flood: Vec<u8> = (0..1000_u64)
        .flat_map(|at| control(MsgType::PING, 2 + at, std::format!("{{\"nonce\":{at}}}").as_bytes()))
        .collect();
    server.receive(NOW, &flood);
    assert!(!server.connection.takes_input());
    let mut nonces = Vec::new();
    while !server.input.is_empty() {
        let sent = frames(Dialect::SPEC, &server.transmit(NOW));
        assert_eq!(sent.len(), 1);
        nonces.push(sent[0].clone());
        server.feed(NOW);
    }
    nonces.extend(frames(Dialect::SPEC, &server.transmit(NOW)));
    assert_eq!(nonces.len(), 1000);
    for (at, pong) in nonces.iter().enumerate() {
        assert_eq!((pong.header.msg_type, pong.header.in_reply_to), (MsgType::PONG, 2 + at as u64));
        assert_eq!(pong.body, std::format!("{{\"nonce\":{at}}}").as_bytes());
    }
}

#[test]
fn while_answers_wait_no_input_is_taken_and_none_is_lost() {
    let mut server = opened(config(Side::Server));
    server.verdict = |_| Verdict::Refuse(ErrorCode::ERR_BUSY);
    let flood: Vec<u8> = (2..500).flat_map(|id| data(1, id, Flags::NONE, b"!")).collect();
    let mut refused = Vec::new();
    server.receive(NOW, &flood);
    let mut rounds = 0;
    loop {
        let sent = server.transmit(NOW);
        if sent.is_empty() {
            break;
        }
        let nacks = nacks(Dialect::SPEC, &sent);
        assert!(nacks.len() < ANSWERS);
        refused.extend(nacks.into_iter().map(|(id, _)| id));
        server.feed(NOW);
        rounds += 1;
    }
    assert!(rounds > 1);
    assert_eq!(refused, (2..500).collect::<Vec<u64>>());
    assert!(server.connection.takes_input());
}

#[test]
fn questions_of_the_user_leave_room_for_answers() {
    let mut server = opened(config(Side::Server));
    let asked = (0..1000).take_while(|_| server.connection.ping().is_some()).count();
    assert!(asked > 0 && asked < ANSWERS);
    assert!(server.connection.takes_input());
    server.receive(NOW, &control(MsgType::PING, 2, b"{}"));
    let sent = frames(Dialect::SPEC, &server.transmit(NOW));
    assert_eq!(of_type(&sent, MsgType::PING).len(), asked);
    assert_eq!(of_type(&sent, MsgType::PONG).len(), 1);
    assert!(server.connection.ping().is_some());
}

#[test]
fn a_control_frame_that_is_too_long_is_thrown_away() {
    let mut server = opened(config(Side::Server));
    server.receive(NOW, &control(MsgType::PING, 4, &[b' '; 513]));
    assert_eq!(nacks(Dialect::SPEC, &server.transmit(NOW)), [(4, TOO_LARGE)]);
    server.receive(NOW, &control(MsgType::PING, 5, &[b' '; 512]));
    let sent = frames(Dialect::SPEC, &server.transmit(NOW));
    assert_eq!((sent[0].header.msg_type, sent[0].body.len()), (MsgType::PONG, 512));
}

#[test]
fn only_so_many_messages_wait_to_be_sent_or_acknowledged() {
    let mut server = opened(config(Side::Server));
    let mut header = FrameHeader::new(MsgType::DATA, 1, 0);
    header.tags.push(Tags::ACK, "1").unwrap();
    let ids: Vec<u64> =
        (0..MESSAGES).map(|_| server.try_send(&header, Flags::NONE, b"!").unwrap().msg_id).collect();
    let busy = Err(super::super::SendError::Busy { limit: MESSAGES });
    assert_eq!(server.try_send(&header, Flags::NONE, b"!"), busy);
    server.transmit(NOW);
    assert_eq!(server.try_send(&header, Flags::NONE, b"!"), busy);
    server.receive(NOW, &super::raw::ack(ids[3]));
    assert!(server.try_send(&header, Flags::NONE, b"!").is_ok());
    assert_eq!(server.try_send(&header, Flags::NONE, b"!"), busy);
}

#[test]
fn acknowledged_messages_are_remembered_for_a_while_only() {
    let mut server = opened(config(Side::Server));
    let mut header = FrameHeader::new(MsgType::DATA, 1, 0);
    header.tags.push(Tags::ACK, "1").unwrap();
    let last = MESSAGES as u64 + 2;
    for id in 2..=last {
        header.msg_id = id;
        server.receive(NOW, &frame(Dialect::SPEC, &header, Flags::NONE, b"!"));
        assert_eq!(acks(&server.transmit(NOW)), [id]);
    }
    // Those that ask for no ACK do not count.
    for id in 1000..1300 {
        server.receive(NOW, &data(1, id, Flags::NONE, b"?"));
    }
    // As many as a peer can have sent without having seen their ACKs.
    for (id, again) in [(3, false), (2, true)] {
        let before = server.delivered.len();
        header.msg_id = id;
        server.receive(NOW, &frame(Dialect::SPEC, &header, Flags::NONE, b"!"));
        server.transmit(NOW);
        assert_eq!(server.delivered.len() > before, again);
    }
}
