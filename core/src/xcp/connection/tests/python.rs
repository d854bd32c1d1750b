//! What is different towards peers that speak as the Python implementation does?

use core::time::Duration;
use std::vec::Vec;

use super::super::super::dialect::Dialect;
use super::super::super::header::FrameHeader;
use super::super::super::numbers::{CodecId, ErrorCode, Flags, MsgType};
use super::super::super::tags::Tags;
use super::super::{CloseReason, Config, Event, Knobs, SendError, Side};
use super::raw::{NOW, nacks, of_type, opened_in};
use super::{End, Pair, TO_CLIENT, TO_SERVER, config, frame, frames};

const PYTHON: Dialect = Dialect::PYTHON;

fn pair() -> Pair {
    let client = Config { knobs: Knobs::from(PYTHON), ..config(Side::Client) };
    Pair::connected(client, config(Side::Server))
}

fn server() -> End {
    opened_in(PYTHON, config(Side::Server))
}

fn data(msg_id: u64, flags: Flags, body: &[u8]) -> Vec<u8> {
    frame(PYTHON, &FrameHeader::new(MsgType::DATA, 1, msg_id), flags, body)
}

#[test]
fn a_server_numbers_nothing_and_a_client_begins_with_one_again() {
    let mut pair = pair();
    for _ in 0..3 {
        pair.client.send(1, b"?");
        pair.server.send(1, b"!");
        pair.run();
    }
    pair.client.connection.ping();
    pair.run();
    let ids = |direction: usize| {
        frames(PYTHON, &pair.wires[direction].log).iter().map(|each| each.header.msg_id).collect::<Vec<_>>()
    };
    assert_eq!(ids(TO_SERVER), [1, 1, 2, 3, 4]);
    assert_eq!(ids(TO_CLIENT), [0, 0, 0, 0, 0]);
    // What has no number is new each time, and what has one as well.
    assert_eq!((pair.client.delivered.len(), pair.server.delivered.len()), (3, 3));
    let mut server = server();
    for _ in 0..2 {
        server.receive(NOW, &data(7, Flags::NONE, b"again"));
    }
    assert_eq!(server.delivered.len(), 2);
}

#[test]
fn nothing_is_agreed_on_that_its_bodies_do_not_say() {
    let can_all = |side| Config {
        features: Flags::ALL,
        extensions: super::super::super::control::Extensions::ALL,
        ..config(side)
    };
    let client = Config { knobs: Knobs::from(PYTHON), ..can_all(Side::Client) };
    let pair = Pair::connected(client, can_all(Side::Server));
    for (end, wire) in [(&pair.client, &pair.wires[TO_SERVER]), (&pair.server, &pair.wires[TO_CLIENT])] {
        let agreed = end.connection.agreed().unwrap();
        assert_eq!((agreed.features.0, agreed.extensions.names().count()), (0, 0));
        let body = frames(PYTHON, &wire.log)[0].body.clone();
        let text = std::string::String::from_utf8(body).unwrap();
        assert!(!text.contains("features") && !text.contains("version"), "{text}");
    }
}

#[test]
fn nothing_is_acknowledged_or_sent_again() {
    let mut pair = pair();
    let begun = pair.client.send_reliably(1, b"!");
    assert_eq!(begun.msg_id, 1);
    pair.run();
    assert!(pair.client.connection.is_flushed());
    assert_eq!(frames(PYTHON, &pair.wires[TO_CLIENT].log).len(), 1);
    let mut server = server();
    let mut header = FrameHeader::new(MsgType::DATA, 1, 5);
    header.tags.push(Tags::ACK, "1").unwrap();
    server.receive(NOW, &frame(PYTHON, &header, Flags::NONE, b"!"));
    assert_eq!((server.delivered.len(), server.transmit(NOW)), (1, Vec::new()));
    assert!(!server.delivered[0].wants_ack);
    // Not even by a user who insists.
    server.connection.accept(server.delivered[0].message, true);
    assert_eq!(server.transmit(NOW), []);
}

#[test]
fn a_message_goes_into_one_frame_or_not_at_all() {
    // A server answers with frames as long as it takes.
    let config = Config { max_frame: 1000, max_frame_strict: 1000, ..config(Side::Server) };
    let mut server = opened_in(PYTHON, config);
    let header = FrameHeader::new(MsgType::DATA, 1, 0);
    let room = {
        let mut bytes = [0; 512];
        let begun = server.connection.begin(&mut header.clone(), Flags::NONE, &mut bytes).unwrap();
        server.connection.cancel(begun.handle);
        1000 - begun.header_len - 16
    };
    let begun = server.begin(&header, Flags::NONE).unwrap();
    server.extend(begun.handle, &[1; 100], false).unwrap();
    assert_eq!(server.transmit(NOW), [], "it is not known whether that is all");
    server.extend(begun.handle, &std::vec![1; room - 100], true).unwrap();
    assert_eq!(server.transmit(NOW).len(), 1000);
    let (len, limit) = (room as u64 + 1, room as u64);
    let error = server.try_send(&header, Flags::NONE, &std::vec![1; room + 1]);
    assert_eq!(error, Err(SendError::TooLarge { len, limit }));
    assert!(server.connection.is_flushed(), "it is forgotten");
}

#[test]
fn frames_longer_than_was_offered_are_taken_up_to_a_bound() {
    let limit = 4000;
    let config = Config { max_frame: 1000, max_frame_strict: limit, ..config(Side::Server) };
    let mut server = opened_in(PYTHON, config);
    let around = data(5, Flags::NONE, b"").len();
    server.receive(NOW, &data(5, Flags::NONE, &std::vec![1; 4000 - around]));
    assert_eq!(server.delivered.len(), 1);
    server.receive(NOW, &data(6, Flags::NONE, &std::vec![1; 4001 - around]));
    assert_eq!(server.closed(), Some(CloseReason::FrameTooLong { len: 4001, limit: 4000 }));
    assert_eq!(nacks(PYTHON, &server.transmit(NOW)), [(6, ErrorCode::ERR_MESSAGE_TOO_LARGE)]);
}

#[test]
fn a_client_is_never_asked_and_may_be_silent_for_ever() {
    let mut server = server();
    assert_eq!(server.connection.ping(), None);
    assert_eq!(server.connection.poll_timeout(), None);
    let later = NOW.saturating_add(Duration::from_secs(100_000));
    server.handle_timeout(later);
    assert_eq!((server.transmit(later), server.take_events()), (Vec::new(), Vec::new()));
}

#[test]
fn a_server_is_asked_and_answers() {
    let mut pair = pair();
    pair.advance(Duration::from_secs(25));
    let asked = frames(PYTHON, &pair.wires[TO_SERVER].log);
    let answered = frames(PYTHON, &pair.wires[TO_CLIENT].log);
    assert_eq!(of_type(&asked, MsgType::PING).len(), 1);
    assert_eq!(of_type(&answered, MsgType::PONG).len(), 1);
    assert!(matches!(pair.client.take_events()[..], [Event::Pong { .. }]));
}

#[test]
fn a_wrong_checksum_closes() {
    let mut server = server();
    let mut bytes = data(5, Flags::NONE, b"damaged");
    *bytes.last_mut().unwrap() ^= 1;
    server.receive(NOW, &bytes);
    assert!(matches!(server.closed(), Some(CloseReason::Checksum { .. })));
    assert_eq!((server.transmit(NOW), server.delivered.len()), (Vec::new(), 0));
}

#[test]
fn a_header_that_cannot_be_read_closes() {
    let mut server = server();
    let mut bytes = data(5, Flags::NONE, b"!");
    bytes[8] = b'[';
    server.receive(NOW, &bytes);
    assert!(matches!(server.closed(), Some(CloseReason::Header(_))));
    assert_eq!(server.transmit(NOW), []);
}

/// The Python implementation reads no flag but LARGE.
#[test]
fn flags_mean_nothing() {
    let mut server = server();
    for (msg_id, flags) in [(1, Flags::MORE), (2, Flags::COMP), (3, Flags::CRYPT), (4, Flags(0xEF))] {
        server.receive(NOW, &data(msg_id, flags, b"!"));
        let came = server.delivered.last().unwrap();
        assert_eq!((came.message.msg_id, came.flags), (msg_id, Flags::NONE));
    }
    server.receive(NOW, &data(5, Flags::LARGE, b"long"));
    assert_eq!(server.bodies()[4], b"long");
    assert_eq!((server.transmit(NOW), server.connection.in_flight()), (Vec::new(), 0));
}

#[test]
fn a_refusal_is_the_answer() {
    let mut server = server();
    let mut header = FrameHeader::new(MsgType::DATA, 1, 5);
    header.codec = CodecId(0x20);
    server.receive(NOW, &frame(PYTHON, &header, Flags::NONE, b"!"));
    let sent = server.transmit(NOW);
    assert_eq!(nacks(PYTHON, &sent), [(5, ErrorCode::ERR_CODEC_UNSUPPORTED)]);
    assert_eq!(frames(PYTHON, &sent).len(), 1);
}

#[test]
fn a_question_of_anything_is_answered_with_the_same() {
    let mut server = server();
    for body in [&b""[..], b"\xFF\x00", br#"{"nonce":18446744073709551616}"#] {
        let mut header = FrameHeader::new(MsgType::PING, 0, 5);
        header.codec = CodecId(0x7777);
        server.receive(NOW, &frame(PYTHON, &header, Flags::NONE, body));
        let pong = &frames(PYTHON, &server.transmit(NOW))[0];
        assert_eq!(
            (pong.header.msg_type, pong.header.codec, pong.body.as_slice()),
            (MsgType::PONG, CodecId(0x7777), body)
        );
        assert_eq!((pong.header.in_reply_to, pong.header.msg_id), (5, 0));
    }
}
