//! In which order do messages go out and come in, and what numbers have they?

use std::vec::Vec;

use super::super::super::dialect::Dialect;
use super::super::super::header::FrameHeader;
use super::super::super::numbers::{ErrorCode, Flags, MsgType};
use super::super::{Config, Event, MessageKey, SendError, Side};
use super::raw::{NOW, control, data, nacks, of_type, opened};
use super::{End, Pair, TO_CLIENT, TO_SERVER, config, frame, frames};

const SPEC: Dialect = Dialect::SPEC;

/// Frames with 40 bytes of a message each.
fn short(side: Side) -> Config {
    Config { max_frame: 40 + 32 + 16, ..config(side) }
}

/// Channel, number, length and whether more follows, of every frame.
fn shape(stream: &[u8]) -> Vec<(u32, u64, usize, bool)> {
    let frames = frames(SPEC, stream);
    let messages = of_type(&frames, MsgType::DATA).into_iter();
    messages
        .map(|each| {
            (each.header.channel, each.header.msg_id, each.body.len(), each.flags.contains(Flags::MORE))
        })
        .collect()
}

#[test]
fn channels_take_turns_and_messages_of_one_do_not_mix() {
    let mut server = opened(short(Side::Server));
    let [a, b, c] =
        [(1, 100), (1, 50), (2, 90)].map(|(channel, len)| server.send(channel, &std::vec![7; len]).msg_id);
    assert_eq!(
        shape(&server.transmit(NOW)),
        [
            (1, a, 40, true),
            (2, c, 40, true),
            (1, a, 40, true),
            (2, c, 40, true),
            (1, a, 20, false),
            (2, c, 10, false),
            (1, b, 40, true),
            (1, b, 10, false),
        ]
    );
}

#[test]
fn a_message_fills_frames_to_the_last_byte_and_ends_with_one_that_is_not_empty() {
    for (len, frames) in [(0, 1), (1, 1), (39, 1), (40, 1), (41, 2), (80, 2), (81, 3)] {
        let mut server = opened(short(Side::Server));
        server.send(1, &std::vec![9; len]);
        let sent = server.transmit(NOW);
        let shape = shape(&sent);
        assert_eq!(shape.len(), frames, "{len}");
        assert!(shape.iter().rev().skip(1).all(|each| each.2 == 40 && each.3));
        assert!(!shape[frames - 1].3 && (shape[frames - 1].2 > 0 || len == 0));
    }
}

#[test]
fn interleaved_messages_come_out_whole() {
    let mut pair = Pair::connected(short(Side::Client), short(Side::Server));
    let bodies: Vec<Vec<u8>> = (0..6_u8).map(|at| (0..90).map(|byte| byte ^ (at * 40)).collect()).collect();
    for (channel, body) in (0..3).cycle().zip(&bodies) {
        pair.client.send(channel, body);
    }
    pair.run();
    for channel in 0..3 {
        assert_eq!(
            pair.server.bodies_of(channel),
            [&bodies[channel as usize], &bodies[channel as usize + 3]]
        );
    }
    // They were on the wire side by side.
    let order: Vec<u32> = shape(&pair.wires[TO_SERVER].log).iter().map(|each| each.0).collect();
    assert_eq!(order[..6], [0, 1, 2, 0, 1, 2]);
}

#[test]
fn control_frames_go_first_and_between_chunks() {
    let mut pair = Pair::connected(short(Side::Client), short(Side::Server));
    pair.client.send(1, &[7; 100]);
    let first = pair.client.transmit_one(pair.now).unwrap();
    let nonce = pair.client.connection.ping().unwrap();
    pair.server.receive(pair.now, &first);
    let second = pair.client.transmit_one(pair.now).unwrap();
    assert_eq!(frames(SPEC, &second)[0].header.msg_type, MsgType::PING);
    pair.server.receive(pair.now, &second);
    pair.run();
    assert_eq!(pair.server.bodies(), [[7; 100]]);
    assert_eq!(pair.client.take_events(), [Event::Pong { nonce }]);
}

#[test]
fn a_message_of_which_only_a_part_is_there_is_sent_as_far_as_it_is() {
    let mut pair = Pair::connected(short(Side::Client), short(Side::Server));
    let header = FrameHeader::new(MsgType::DATA, 1, 0);
    let begun = pair.client.begin(&header, Flags::NONE).unwrap();
    pair.run();
    assert_eq!(shape(&pair.wires[TO_SERVER].log), []);
    pair.client.extend(begun.handle, b"some", false).unwrap();
    // Others of its channel wait, those of another do not.
    pair.client.send(1, b"next");
    pair.client.send(2, b"other");
    pair.run();
    assert_eq!(pair.server.bodies(), [b"other"]);
    assert_eq!(pair.server.connection.in_flight(), 4);
    // What is said again is no news.
    pair.client.connection.extend(begun.handle, 2, false).unwrap();
    pair.run();
    pair.client.extend(begun.handle, b" more", false).unwrap();
    pair.run();
    pair.client.extend(begun.handle, b"", true).unwrap();
    pair.run();
    assert_eq!(pair.server.bodies_of(1), [&b"some more"[..], b"next"]);
    let unknown = Err(SendError::Unknown { handle: begun.handle });
    assert_eq!(pair.client.connection.extend(begun.handle, 9, true), unknown);
    // Its last frame had nothing left to carry.
    let shape = shape(&pair.wires[TO_SERVER].log);
    assert!(shape.contains(&(1, begun.msg_id, 0, false)), "{shape:?}");
}

#[test]
fn a_message_can_be_taken_back_before_it_is_sent_and_after() {
    let mut pair = Pair::connected(short(Side::Client), short(Side::Server));
    let [early, late] = [1, 1].map(|channel| pair.client.send(channel, &[1; 100]));
    assert!(pair.client.connection.cancel(late.handle));
    assert!(!pair.client.connection.cancel(late.handle));
    let first = pair.client.transmit_one(pair.now).unwrap();
    pair.server.receive(pair.now, &first);
    assert!(!pair.client.connection.cancel(early.handle));
    assert!(pair.client.connection.is_flushed());
    pair.run();
    assert_eq!(pair.server.connection.in_flight(), 40);
    // The next of the channel ends it.
    pair.client.send(1, b"new");
    pair.server.take_events();
    pair.run();
    let message = MessageKey { channel: 1, msg_id: early.msg_id };
    let dropped = Event::Dropped { message, code: ErrorCode::ERR_MALFORMED };
    assert_eq!(pair.server.take_events()[0], dropped);
    assert_eq!((pair.server.bodies(), pair.server.connection.in_flight()), (std::vec![&b"new"[..]], 0));
}

#[test]
fn a_message_that_waits_for_its_ack_can_be_forgotten() {
    let mut server = opened(config(Side::Server));
    let begun = server.send_reliably(1, b"!");
    server.transmit(NOW);
    assert!(!server.connection.is_flushed());
    assert!(!server.connection.cancel(begun.handle));
    assert!(server.connection.is_flushed());
    // Also while it waits to be sent again.
    let begun = server.send_reliably(1, b"!");
    server.transmit(NOW);
    server.receive(NOW, &super::raw::nack(begun.msg_id, ErrorCode::ERR_BUSY, 50));
    assert!(!server.connection.cancel(begun.handle), "some of it was given out");
    assert!(server.connection.is_flushed());
    assert_eq!(server.transmit(NOW.saturating_add(core::time::Duration::from_secs(9))), []);
}

#[test]
fn every_frame_of_the_specification_has_a_number_and_messages_have_their_own() {
    let mut pair = Pair::usual();
    let mut begun = Vec::new();
    for at in 0..20 {
        begun.push(pair.client.send(at % 3, b"!").msg_id);
        pair.server.send(at % 2, b"?");
        pair.client.connection.ping();
        pair.run();
    }
    for direction in [TO_SERVER, TO_CLIENT] {
        let ids: Vec<u64> =
            frames(SPEC, &pair.wires[direction].log).iter().map(|frame| frame.header.msg_id).collect();
        let mut sorted = ids.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (1..=ids.len() as u64).collect::<Vec<_>>());
    }
    assert!(begun.windows(2).all(|pair| pair[0] < pair[1]));
}

#[test]
fn a_message_that_is_not_sent_takes_no_number() {
    let mut server = opened(config(Side::Server));
    let mut small = [0; 31];
    let mut header = FrameHeader::new(MsgType::DATA, 1, 0);
    let refused = server.connection.begin(&mut header, Flags::NONE, &mut small);
    assert!(matches!(refused, Err(SendError::Header(_))));
    assert_eq!(server.send(1, b"!").msg_id, 2);
}

#[test]
fn a_header_that_changes_inside_a_message_ends_it_and_begins_another() {
    let message = |msg_id| MessageKey { channel: 1, msg_id };
    let mut server = opened(config(Side::Server));
    server.receive(NOW, &data(1, 5, Flags::MORE, b"old"));
    server.take_events();
    server.receive(NOW, &data(1, 6, Flags::NONE, b"new"));
    assert_eq!(
        server.take_events(),
        [
            Event::Dropped { message: message(5), code: ErrorCode::ERR_MALFORMED },
            Event::Started { message: message(6), flags: Flags::NONE, len: Some(3) },
            Event::Verified { message: message(6), complete: true },
        ]
    );
    assert_eq!(server.bodies(), [b"new"]);
    assert_eq!(nacks(SPEC, &server.transmit(NOW)), [(5, ErrorCode::ERR_MALFORMED)]);
    assert_eq!(server.connection.in_flight(), 0);
}

#[test]
fn a_message_whose_chunks_differ_is_refused_whole() {
    let message = MessageKey { channel: 1, msg_id: 5 };
    let mut tagged = FrameHeader::new(MsgType::DATA, 1, 5);
    tagged.tags.push("a", "b").unwrap();
    // Another tag, and other flags.
    for next in
        [frame(SPEC, &tagged, Flags::MORE, b"new"), data(1, 5, Flags::COMP.union(Flags::MORE), b"new")]
    {
        let mut server = opened(Config { features: Flags::ALL, ..config(Side::Server) });
        server.receive(NOW, &data(1, 5, Flags::MORE, b"old"));
        server.take_events();
        server.receive(NOW, &next);
        server.receive(NOW, &data(1, 5, Flags::NONE, b"end"));
        assert_eq!(server.take_events(), [Event::Dropped { message, code: ErrorCode::ERR_MALFORMED }]);
        assert_eq!(nacks(SPEC, &server.transmit(NOW)), [(5, ErrorCode::ERR_MALFORMED)]);
        // Sent again, it is taken: its number was not used up.
        server.receive(NOW, &data(1, 5, Flags::NONE, b"good"));
        assert_eq!(server.bodies(), [b"good"]);
    }
}

#[test]
fn a_frame_of_another_channel_or_for_the_connection_ends_nothing() {
    let mut server = opened(config(Side::Server));
    server.receive(NOW, &data(1, 5, Flags::MORE, b"be"));
    server.receive(NOW, &data(2, 5, Flags::NONE, b"other"));
    server.receive(NOW, &control(MsgType::PING, 6, b"{}"));
    server.transmit(NOW);
    server.feed(NOW);
    server.receive(NOW, &data(1, 5, Flags::MORE, b""));
    server.receive(NOW, &data(1, 5, Flags::NONE, b"gun"));
    assert_eq!(server.bodies(), [&b"other"[..], b"begun"]);
}

#[test]
fn frames_as_small_as_a_header_and_a_byte_carry_whole_messages() {
    for max_frame in [49, 64] {
        let tiny = |side| Config { max_frame, ..config(side) };
        let mut pair = Pair::connected(tiny(Side::Client), tiny(Side::Server));
        let body: Vec<u8> = (0..100).collect();
        pair.client.send(1, &body);
        // Control frames need more room than that, and have it.
        pair.client.connection.ping();
        pair.run();
        assert_eq!(pair.server.bodies(), [body.as_slice()]);
        let log = frames(SPEC, &pair.wires[TO_SERVER].log);
        assert!(of_type(&log, MsgType::DATA).iter().all(|frame| frame.len <= max_frame as usize));
        assert!(matches!(pair.client.take_events()[..], [Event::Pong { .. }]));
        assert!(pair.server.connection.is_open());
    }
}

#[test]
fn a_header_that_leaves_no_room_in_a_frame_is_refused() {
    let tiny = |side| Config { max_frame: 48, ..config(side) };
    let mut pair = Pair::connected(tiny(Side::Client), tiny(Side::Server));
    let header = FrameHeader::new(MsgType::DATA, 1, 0);
    let refused = pair.client.try_send(&header, Flags::NONE, b"!");
    assert_eq!(refused, Err(SendError::NoFrame { header_len: 32, limit: 48 }));
    assert!(pair.client.connection.is_flushed());
}

#[test]
fn what_cannot_be_agreed_on_is_not_sent() {
    let mut server = opened(config(Side::Server));
    let mut header = FrameHeader::new(MsgType::DATA, 1, 0);
    for flags in [Flags::COMP, Flags::CRYPT, Flags::COMP.union(Flags::CRYPT)] {
        let refused = server.try_send(&header, flags, b"!");
        assert_eq!(refused, Err(SendError::NotAgreed { flags }));
    }
    header.codec = super::super::CodecId(77);
    let refused = server.try_send(&header, Flags::NONE, b"!");
    assert_eq!(refused, Err(SendError::CodecNotAgreed { codec: header.codec }));
    assert!(server.connection.is_flushed());
}

#[test]
fn nothing_is_sent_and_nothing_is_due_once_it_is_closed() {
    let mut server: End = opened(config(Side::Server));
    server.send_reliably(1, b"!");
    assert_eq!(server.connection.close(), super::super::CloseReason::Local);
    assert!(server.connection.is_closed() && server.connection.is_flushed());
    assert_eq!((server.transmit(NOW), server.connection.poll_timeout()), (Vec::new(), None));
    server.handle_eof(NOW);
    server.connection.handle_timeout(NOW.saturating_add(core::time::Duration::from_secs(999)));
    server.poll_events(NOW);
    assert_eq!(server.take_events(), []);
    let mut input: &[u8] = &data(1, 2, Flags::NONE, b"!");
    assert_eq!(server.connection.handle_input(NOW, &mut input), None);
    let refused = server.try_send(&FrameHeader::new(MsgType::DATA, 1, 0), Flags::NONE, b"!");
    assert_eq!(refused, Err(SendError::NotOpen));
}
