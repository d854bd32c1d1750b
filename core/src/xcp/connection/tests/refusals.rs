//! Which messages does an end not take, and what does it say?

use std::vec::Vec;

use super::super::super::control::KindRange;
use super::super::super::dialect::Dialect;
use super::super::super::header::{FrameHeader, SchemaKey};
use super::super::super::numbers::{CodecId, ErrorCode, Flags, KindId, MsgType};
use super::super::{CloseReason, Config, Event, MessageKey, SendError, Side};
use super::raw::{NOW, control, data, nacks, opened};
use super::{End, Pair, config, frame};

const SPEC: Dialect = Dialect::SPEC;
const MESSAGE: MessageKey = MessageKey { channel: 1, msg_id: 5 };

fn refused(server: &mut End, bytes: &[u8], code: ErrorCode) {
    server.receive(NOW, bytes);
    assert_eq!(server.take_events(), [Event::Refused { message: MESSAGE, code }]);
    assert_eq!(nacks(SPEC, &server.transmit(NOW)), [(5, code)]);
    assert_eq!((server.delivered.len(), server.connection.in_flight()), (0, 0));
}

/// A message is refused at its first frame; what follows of it is thrown away, and the channel goes on.
fn refused_in_pieces(server: &mut End, header: &FrameHeader, flags: Flags, code: ErrorCode) {
    refused(server, &frame(SPEC, header, flags.union(Flags::MORE), b"be"), code);
    server.receive(NOW, &frame(SPEC, header, flags.union(Flags::MORE), b"gu"));
    server.receive(NOW, &frame(SPEC, header, flags, b"n"));
    assert_eq!((server.take_events(), server.transmit(NOW)), (Vec::new(), Vec::new()));
    server.receive(NOW, &data(1, 6, Flags::NONE, b"next"));
    assert_eq!(server.bodies(), [b"next"]);
}

#[test]
fn what_is_declined_late_takes_nothing_else_with_it() {
    let mut server = opened(config(Side::Server));
    // Messages without numbers all have the same key.
    for (flags, body) in [(Flags::NONE, b"first"), (Flags::MORE, b"secon")] {
        server.receive(NOW, &data(1, 0, flags, body));
    }
    let message = MessageKey { channel: 1, msg_id: 0 };
    server.connection.decline(NOW, message, ErrorCode::ERR_MALFORMED);
    server.receive(NOW, &data(1, 0, Flags::NONE, b"d"));
    assert_eq!(server.bodies(), [b"first".as_slice(), b"second"]);
    assert_eq!(nacks(SPEC, &server.transmit(NOW)), [(0, ErrorCode::ERR_MALFORMED)]);
    // Of one that has a number what still comes is thrown away.
    server.receive(NOW, &data(1, 7, Flags::MORE, b"begun"));
    server.connection.decline(NOW, MessageKey { channel: 1, msg_id: 7 }, ErrorCode::ERR_MALFORMED);
    server.receive(NOW, &data(1, 7, Flags::NONE, b"rest"));
    assert_eq!(server.delivered.len(), 2);
}

#[test]
fn a_body_in_an_unknown_codec_is_refused() {
    let mut header = FrameHeader::new(MsgType::DATA, 1, 5);
    header.codec = CodecId(0x7777);
    let code = ErrorCode::ERR_CODEC_UNSUPPORTED;
    refused(&mut opened(config(Side::Server)), &frame(SPEC, &header, Flags::NONE, b"?"), code);
    refused_in_pieces(&mut opened(config(Side::Server)), &header, Flags::NONE, code);
}

fn of_kind(kind_id: u32, major: u16, minor: u16) -> FrameHeader {
    let mut header = FrameHeader::new(MsgType::DATA, 1, 5);
    header.schema_key = Some(SchemaKey { kind_id, major, minor, ..SchemaKey::default() });
    header
}

fn takes_text(side: Side) -> Config {
    let text = KindRange { kind_id: KindId::TEXT.0, major: 1, min_minor: 0, max_minor: 2 };
    Config { accepts: [text].into_iter().collect(), ..config(side) }
}

#[test]
fn a_kind_that_is_not_taken_is_refused() {
    let code = ErrorCode::ERR_KIND_MISMATCH;
    for header in
        [of_kind(KindId::IMAGE.0, 1, 0), of_kind(KindId::TEXT.0, 2, 0), of_kind(KindId::TEXT.0, 1, 3)]
    {
        let mut server = opened(takes_text(Side::Server));
        refused(&mut server, &frame(SPEC, &header, Flags::NONE, b"?"), code);
        refused_in_pieces(&mut opened(takes_text(Side::Server)), &header, Flags::NONE, code);
    }
    // By either number of the kind; and what says nothing of its kind is taken.
    for header in [
        of_kind(KindId::TEXT.0, 1, 2),
        of_kind(0x6EA7_E21B, 1, 0),
        of_kind(0, 9, 9),
        FrameHeader::new(MsgType::DATA, 1, 5),
    ] {
        let mut server = opened(takes_text(Side::Server));
        server.receive(NOW, &frame(SPEC, &header, Flags::NONE, b"text"));
        assert_eq!(server.bodies(), [b"text"]);
    }
}

#[test]
fn a_kind_that_the_peer_does_not_take_is_not_sent() {
    let mut pair = Pair::connected(config(Side::Client), takes_text(Side::Server));
    let error = pair.client.try_send(&of_kind(KindId::IMAGE.0, 1, 0), Flags::NONE, b"!");
    assert_eq!(error, Err(SendError::KindNotAccepted { kind: KindId::IMAGE, major: 1, minor: 0 }));
    for header in [of_kind(KindId::TEXT.0, 1, 1), FrameHeader::new(MsgType::DATA, 1, 0)] {
        pair.client.try_send(&header, Flags::NONE, b"!").unwrap();
    }
    pair.run();
    assert_eq!(pair.server.delivered.len(), 2);
}

#[test]
fn what_was_not_agreed_on_is_refused() {
    let header = FrameHeader::new(MsgType::DATA, 1, 5);
    let code = ErrorCode::ERR_CODEC_UNSUPPORTED;
    refused(&mut opened(config(Side::Server)), &data(1, 5, Flags::COMP, b"?"), code);
    refused_in_pieces(&mut opened(config(Side::Server)), &header, Flags::COMP, code);
    let whole = Config { features: Flags::NONE, ..config(Side::Server) };
    refused_in_pieces(&mut opened(whole), &header, Flags::NONE, code);
    let code = ErrorCode::ERR_AUTHENTICATION_FAILED;
    refused(&mut opened(config(Side::Server)), &data(1, 5, Flags::CRYPT, b"?"), code);
    refused_in_pieces(&mut opened(config(Side::Server)), &header, Flags::CRYPT, code);
}

#[test]
fn what_was_agreed_on_is_taken_and_told() {
    let mut server = opened(Config { features: Flags::ALL, ..config(Side::Server) });
    server.receive(NOW, &data(1, 5, Flags::COMP, b"zstd"));
    assert_eq!(server.delivered[0].flags, Flags::COMP);
    // The lower bits have no meaning.
    server.receive(NOW, &data(1, 6, Flags(0x0F), b"plain"));
    assert_eq!(server.delivered[1].flags, Flags::NONE);
}

#[test]
fn a_payload_that_was_damaged_is_refused_and_the_rest_of_its_message_with_it() {
    let mut server = opened(config(Side::Server));
    let code = ErrorCode::ERR_CRC_MISMATCH;
    for (msg_id, flags) in [(5, Flags::NONE), (6, Flags::MORE)] {
        let mut bytes = data(1, msg_id, flags, b"damaged");
        let at = bytes.len() - 6;
        bytes[at] ^= 4;
        server.take_events();
        server.receive(NOW, &bytes);
        let message = MessageKey { channel: 1, msg_id };
        let dropped = Event::Dropped { message, code };
        assert_eq!(server.take_events()[1..], [dropped]);
        assert_eq!(nacks(SPEC, &server.transmit(NOW)), [(msg_id, code)]);
    }
    server.receive(NOW, &data(1, 6, Flags::NONE, b"rest"));
    assert_eq!((server.take_events(), server.transmit(NOW)), (Vec::new(), Vec::new()));
    // In the second frame, too, and at once for both if it comes anew.
    server.receive(NOW, &data(1, 6, Flags::MORE, b"sec"));
    let mut bytes = data(1, 6, Flags::NONE, b"ond");
    *bytes.last_mut().unwrap() ^= 1;
    server.receive(NOW, &bytes);
    assert_eq!((server.delivered.len(), server.connection.in_flight()), (0, 0));
    server.receive(NOW, &data(1, 6, Flags::NONE, b"third"));
    assert_eq!(server.bodies(), [b"third"]);
}

#[test]
fn a_damaged_control_frame_does_nothing() {
    let mut server = opened(config(Side::Server));
    let begun = server.send_reliably(1, b"!");
    server.transmit(NOW);
    for mut bytes in [super::raw::ack(begun.msg_id), control(MsgType::PING, 3, b"{}")] {
        *bytes.last_mut().unwrap() ^= 1;
        server.receive(NOW, &bytes);
        let sent = server.transmit(NOW);
        assert!(matches!(nacks(SPEC, &sent)[..], [(3 | 900, ErrorCode::ERR_CRC_MISMATCH)]));
    }
    assert_eq!(server.take_events(), []);
}

#[test]
fn control_frames_that_say_nothing_do_nothing() {
    let mut server = opened(config(Side::Server));
    for msg_type in [MsgType::ACK, MsgType::NACK, MsgType::PONG] {
        for body in [&b""[..], b"[]", b"{", b"nonsense", &[0xFF; 9]] {
            server.receive(NOW, &control(msg_type, 3, body));
        }
    }
    assert_eq!((server.take_events(), server.transmit(NOW)), (Vec::new(), Vec::new()));
}

#[test]
fn a_header_that_cannot_be_read_costs_its_frame_only() {
    let mut server = opened(config(Side::Server));
    server.receive(NOW, &data(1, 4, Flags::NONE, b"good"));
    let mut bytes = data(1, 5, Flags::NONE, b"bad");
    bytes[8] = 0xFF;
    server.receive(NOW, &bytes);
    // Of which message it was cannot be known.
    assert_eq!(nacks(SPEC, &server.transmit(NOW)), [(0, ErrorCode::ERR_MALFORMED)]);
    *bytes.last_mut().unwrap() ^= 1;
    server.receive(NOW, &bytes);
    let twice = [(0, ErrorCode::ERR_MALFORMED), (0, ErrorCode::ERR_CRC_MISMATCH)];
    assert_eq!(nacks(SPEC, &server.transmit(NOW)), twice);
    server.receive(NOW, &data(1, 6, Flags::NONE, b"good"));
    assert_eq!(server.bodies(), [b"good", b"good"]);
}

#[test]
fn a_header_that_cannot_be_read_closes_if_its_frame_may_be_one_of_several() {
    for more in [true, false] {
        let mut server = opened(config(Side::Server));
        if !more {
            server.receive(NOW, &data(2, 4, Flags::MORE, b"begun"));
        }
        let mut bytes = data(1, 5, if more { Flags::MORE } else { Flags::NONE }, b"bad");
        bytes[8] = 0xFF;
        server.receive(NOW, &bytes);
        assert!(matches!(server.closed(), Some(CloseReason::Header(_))));
    }
}

#[test]
fn another_major_version_closes_at_any_time() {
    let mut server = opened(config(Side::Server));
    let mut bytes = data(1, 5, Flags::NONE, b"new");
    bytes[4] = 0x10;
    server.receive(NOW, &bytes);
    assert_eq!(server.closed(), Some(CloseReason::Version { major: 1, minor: 0 }));
    assert_eq!(nacks(SPEC, &server.transmit(NOW)), [(0, ErrorCode::ERR_VERSION_UNSUPPORTED)]);
}

#[test]
fn the_user_refuses_in_the_middle_and_hears_no_more_of_it() {
    let mut server = opened(config(Side::Server));
    let bytes = data(1, 5, Flags::MORE, b"unwelcome");
    let (front, back) = bytes.split_at(bytes.len() - 8);
    server.receive(NOW, front);
    assert_eq!(server.connection.payload_left(), 4);
    server.take_events();
    server.refuse(NOW, MESSAGE, ErrorCode::ERR_SCHEMA_UNKNOWN);
    assert_eq!(server.connection.payload_left(), 0);
    server.receive(NOW, back);
    server.receive(NOW, &data(1, 5, Flags::MORE, b"still"));
    server.receive(NOW, &data(1, 5, Flags::NONE, b"there"));
    assert_eq!(server.take_events(), []);
    assert_eq!(nacks(SPEC, &server.transmit(NOW)), [(5, ErrorCode::ERR_SCHEMA_UNKNOWN)]);
    server.receive(NOW, &data(1, 6, Flags::NONE, b"welcome"));
    assert_eq!(server.bodies(), [b"welcome"]);
}

#[test]
fn messages_of_any_other_type_are_messages() {
    let mut server = opened(config(Side::Server));
    for (msg_id, msg_type) in
        [(5, MsgType::CLARIFY_REQ), (6, MsgType::CLARIFY_RES), (7, MsgType(0x0101)), (8, MsgType(0xFFFF))]
    {
        server.receive(NOW, &frame(SPEC, &FrameHeader::new(msg_type, 1, msg_id), Flags::NONE, b"?"));
        assert_eq!(server.delivered.last().unwrap().header.msg_type, msg_type);
    }
    assert_eq!(server.transmit(NOW), []);
}
