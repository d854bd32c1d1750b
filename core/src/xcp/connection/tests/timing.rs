//! What becomes of those who wait: for an answer, for a sign of life, for the rest of a message?

use core::time::Duration;
use std::vec::Vec;

use super::super::super::dialect::Dialect;
use super::super::super::numbers::{ErrorCode, Flags, MsgType};
use super::super::{CloseReason, Config, Event, MessageKey, Plain, Side};
use super::raw::{NOW, control, data, nacks, of_type, opened};
use super::{End, Pair, TO_CLIENT, TO_SERVER, Verdict, config, frames};
use crate::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

fn after(seconds: u64) -> Instant {
    NOW.saturating_add(SECOND * u32::try_from(seconds).expect("it is small"))
}

/// Nothing becomes due but messages.
fn patient() -> Config {
    Config { keep_alive: None, idle_timeout: None, ..config(Side::Server) }
}

#[test]
fn a_handshake_that_takes_too_long_closes_either_end() {
    for side in [Side::Client, Side::Server] {
        let mut end = End::new(Config { handshake_timeout: SECOND * 3, ..config(side) }, Plain, NOW);
        end.transmit(NOW);
        assert_eq!(end.connection.poll_timeout(), Some(after(3)));
        end.handle_timeout(Instant::from_nanos(after(3).as_nanos() - 1));
        assert_eq!(end.closed(), None);
        end.handle_timeout(after(3));
        assert_eq!(end.closed(), Some(CloseReason::HandshakeTimeout { after: SECOND * 3 }));
        assert_eq!(end.connection.poll_timeout(), None);
        // It is said once.
        end.handle_timeout(after(9));
        end.handle_eof(after(9));
        assert_eq!(end.events.len(), 1);
    }
}

#[test]
fn whoever_does_not_read_by_choice_takes_nothing_for_late() {
    let mut server = opened(config(Side::Server));
    server.receive(NOW, &data(1, 2, Flags::MORE, b"begun"));
    for seconds in (10..300).step_by(10) {
        server.connection.paused(SECOND * 10);
        server.handle_timeout(after(seconds));
        assert_eq!((server.closed(), server.transmit(after(seconds))), (None, Vec::new()));
    }
    server.receive(after(300), &data(1, 2, Flags::NONE, b" and ended"));
    assert_eq!(server.bodies(), [b"begun and ended"]);
    // From then on it counts again.
    server.handle_timeout(after(360));
    assert!(matches!(server.closed(), Some(CloseReason::Idle { .. })));
}

#[test]
fn a_pause_of_ours_is_not_the_peer_s_and_no_more_than_that() {
    let mut server = opened(config(Side::Server));
    server.receive(NOW, &data(1, 2, Flags::MORE, b"begun"));
    server.connection.paused(SECOND * 100);
    server.handle_timeout(after(119));
    assert_eq!((server.closed(), server.transmit(after(119))), (None, Vec::new()));
    server.handle_timeout(after(120));
    assert_eq!(of_type(&frames(Dialect::SPEC, &server.transmit(after(120))), MsgType::PING).len(), 1);
    // Many short ones add up to what they are.
    for _ in 0..10 {
        server.connection.paused(SECOND);
    }
    server.handle_timeout(after(169));
    assert_eq!(server.closed(), None);
    server.handle_timeout(after(170));
    assert!(matches!(server.closed(), Some(CloseReason::Idle { .. })));
}

#[test]
fn bytes_that_come_in_time_do_not_prolong_a_handshake() {
    let mut server = End::new(config(Side::Server), Plain, NOW);
    server.receive(after(9), &[0x10]);
    server.handle_timeout(after(10));
    assert!(matches!(server.closed(), Some(CloseReason::HandshakeTimeout { .. })));
}

#[test]
fn a_silent_peer_is_asked_once_and_then_taken_for_gone() {
    let mut server = opened(config(Side::Server));
    assert_eq!(server.connection.poll_timeout(), Some(after(20)));
    server.handle_timeout(after(19));
    assert_eq!(server.transmit(after(19)), []);
    server.handle_timeout(after(20));
    let asked = frames(Dialect::SPEC, &server.transmit(after(20)));
    assert_eq!(of_type(&asked, MsgType::PING).len(), 1);
    // The next time is the last.
    assert_eq!(server.connection.poll_timeout(), Some(after(60)));
    for seconds in [21, 40, 59] {
        server.handle_timeout(after(seconds));
        assert_eq!(server.transmit(after(seconds)), []);
    }
    server.handle_timeout(after(60));
    assert_eq!(server.take_events(), [Event::Closed(CloseReason::Idle { after: SECOND * 60 })]);
    assert_eq!(server.connection.poll_timeout(), None);
}

#[test]
fn every_byte_of_a_peer_is_a_sign_of_life() {
    let mut server = opened(config(Side::Server));
    let mut now = 0;
    for byte in data(1, 1, Flags::NONE, b"slow") {
        now += 59;
        // Asked in the meantime, and not gone.
        server.handle_timeout(after(now));
        assert_eq!(of_type(&frames(Dialect::SPEC, &server.transmit(after(now))), MsgType::PING).len(), 1);
        server.receive(after(now), &[byte]);
        assert_eq!(server.connection.poll_timeout(), Some(after(now + 20)));
    }
    assert_eq!(server.bodies(), [b"slow"]);
}

#[test]
fn ends_that_have_nothing_to_say_keep_each_other_alive() {
    let mut pair = Pair::usual();
    pair.advance(SECOND * 3600);
    assert!(pair.client.connection.is_open() && pair.server.connection.is_open());
    // As often as was asked for, and not more often than both ask.
    let asked = pair.wires.iter().map(|wire| of_type(&frames(Dialect::SPEC, &wire.log), MsgType::PING).len());
    let asked: usize = asked.sum();
    assert!((3600 / 20..=2 * 3600 / 20).contains(&asked), "{asked}");
    // One that hears nothing does not wait for ever.
    pair.wires[TO_CLIENT].deaf = true;
    pair.wires[TO_SERVER].deaf = true;
    pair.advance(SECOND * 61);
    for end in [&pair.client, &pair.server] {
        assert_eq!(end.closed(), Some(CloseReason::Idle { after: SECOND * 60 }));
    }
}

#[test]
fn without_times_nothing_is_ever_due() {
    let mut server = opened(patient());
    assert_eq!(server.connection.poll_timeout(), None);
    server.handle_timeout(after(1_000_000));
    assert_eq!((server.transmit(after(1_000_000)), server.events.len()), (Vec::new(), 0));
}

#[test]
fn a_message_that_stands_still_is_dropped_and_the_peer_told() {
    let mut server = opened(patient());
    let message = MessageKey { channel: 4, msg_id: 8 };
    server.receive(NOW, &data(4, 8, Flags::MORE, b"begun"));
    assert_eq!(server.connection.poll_timeout(), Some(after(30)));
    server.handle_timeout(after(29));
    assert_eq!(server.take_events().len(), 2);
    server.handle_timeout(after(30));
    assert_eq!(server.take_events(), [Event::Dropped { message, code: ErrorCode::ERR_BUSY }]);
    assert_eq!(nacks(Dialect::SPEC, &server.transmit(after(30))), [(8, ErrorCode::ERR_BUSY)]);
    assert_eq!((server.connection.in_flight(), server.connection.poll_timeout()), (0, None));
    // What comes of it is thrown away, and a new message of the channel is taken.
    server.receive(after(31), &data(4, 8, Flags::NONE, b"late"));
    assert_eq!((server.take_events(), server.transmit(after(31))), (Vec::new(), Vec::new()));
    server.receive(after(31), &data(4, 9, Flags::NONE, b"new"));
    assert_eq!(server.bodies(), [b"new"]);
}

#[test]
fn every_byte_of_a_message_gives_it_time_again() {
    let mut server = opened(patient());
    server.receive(NOW, &data(4, 8, Flags::MORE, b"begun "));
    let last = data(4, 8, Flags::NONE, b"and ended");
    let (head, body) = last.split_at(last.len() - 13);
    let (payload, trailer) = body.split_at(9);
    server.receive(after(29), head);
    let mut now = 29;
    for byte in payload {
        now += 29;
        server.handle_timeout(after(now));
        server.receive(after(now), &[*byte]);
        assert_eq!(server.connection.poll_timeout(), Some(after(now + 30)));
    }
    server.receive(after(now), trailer);
    assert_eq!(server.bodies(), [b"begun and ended"]);
}

/// It waits too long in the middle of a frame: of that frame nothing may come any more.
#[test]
fn a_message_that_stands_still_inside_a_frame_does_not_come_after_all() {
    for flags in [Flags::NONE, Flags::MORE] {
        let mut server = opened(patient());
        let message = MessageKey { channel: 4, msg_id: 8 };
        server.receive(NOW, &data(4, 8, Flags::MORE, b"one"));
        let second = data(4, 8, flags, b"and two");
        let (front, back) = second.split_at(second.len() - 7);
        server.receive(NOW, front);
        server.take_events();
        server.handle_timeout(after(30));
        assert_eq!(server.take_events(), [Event::Dropped { message, code: ErrorCode::ERR_BUSY }]);
        server.receive(after(31), back);
        assert_eq!((server.take_events(), server.connection.in_flight()), (Vec::new(), 0));
        if flags == Flags::MORE {
            server.receive(after(31), &data(4, 8, Flags::NONE, b"!"));
        }
        // Sent anew it comes.
        server.receive(after(32), &data(4, 8, Flags::NONE, b"whole"));
        assert_eq!(server.bodies(), [b"whole"]);
    }
}

#[test]
fn a_message_of_another_channel_is_not_kept_from_its_end() {
    let mut server = opened(patient());
    server.receive(NOW, &data(1, 8, Flags::MORE, b"old"));
    server.receive(after(20), &data(2, 9, Flags::MORE, b"new"));
    server.handle_timeout(after(30));
    server.receive(after(40), &data(2, 9, Flags::NONE, b"er"));
    assert_eq!(server.bodies(), [b"newer"]);
    assert_eq!(nacks(Dialect::SPEC, &server.transmit(after(40))), [(8, ErrorCode::ERR_BUSY)]);
}

/// It began and the driver has not heard of that: there was no room for what the frame leads to.
#[test]
fn a_message_is_not_dropped_before_it_began() {
    let mut server = opened(patient());
    server.receive(NOW, &data(1, 5, Flags::MORE, b"old"));
    while server.connection.ping().is_some() {}
    server.verdict = |_| Verdict::Refuse(ErrorCode::ERR_BUSY);
    for id in 10..15 {
        server.receive(NOW, &data(9, id, Flags::NONE, b"?"));
    }
    server.take_events();
    server.receive(NOW, &data(1, 6, Flags::MORE, b"new"));
    let dropped = |msg_id, code| Event::Dropped { message: MessageKey { channel: 1, msg_id }, code };
    assert_eq!(server.take_events(), [dropped(5, ErrorCode::ERR_MALFORMED)]);
    assert!(!server.connection.takes_input());

    server.transmit(after(31));
    assert!(server.connection.takes_input());
    assert_eq!(server.connection.poll_timeout(), None);
    server.handle_timeout(after(31));
    assert_eq!(server.take_events(), []);
    server.feed(after(31));
    assert!(matches!(server.take_events()[..], [Event::Started { .. }, Event::Verified { .. }]));
    assert_eq!(server.connection.poll_timeout(), Some(after(61)));
}

/// The driver sleeps until [`poll_timeout`]. What it cannot do anything about must not wake it at once again.
///
/// [`poll_timeout`]: super::super::Connection::poll_timeout
#[test]
fn nothing_is_due_that_cannot_be_done() {
    let mut server = opened(patient());
    server.receive(NOW, &data(4, 8, Flags::MORE, b"begun"));
    // A PONG that waits to be sent: nothing can be told before.
    server.receive(NOW, &control(MsgType::PING, 9, b"{}"));
    server.take_events();
    server.handle_timeout(after(30));
    assert_eq!((server.take_events(), server.connection.poll_timeout()), (Vec::new(), None));
    server.transmit(after(31));
    assert_eq!(server.connection.poll_timeout(), Some(after(30)));
    server.handle_timeout(after(31));
    assert!(matches!(server.take_events()[..], [Event::Dropped { .. }]));
    assert_eq!(server.connection.poll_timeout(), None);
}
