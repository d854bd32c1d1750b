//! Are control frames sealed once sealing is on, and is nothing else believed then?

use core::time::Duration;
use std::vec::Vec;

use super::super::super::control::{CryptOffer, Extensions};
use super::super::super::dialect::Dialect;
use super::super::super::header::FrameHeader;
use super::super::super::numbers::{ErrorCode, Flags, MsgType};
use super::super::{
    CloseReason, Config, Event, MessageKey, Protection, SEAL_OVERHEAD, SealedFrame, SendError, Side,
};
use super::raw::{NOW, ack, control, data, of_type};
use super::{End, Frame, Pair, TO_CLIENT, TO_SERVER, config, frame, frames};

/// Every byte is changed by a pad, and a tag depends on every byte and on the header. Nobody is kept out by it.
#[derive(Debug, Default)]
struct Fake {
    on: bool,
    sealed: u32,
    opened: u32,
    used_up: bool,
}

impl Fake {
    fn tag(frame: SealedFrame<'_>, body: &[u8]) -> [u8; SEAL_OVERHEAD] {
        let flags = [frame.flags.0 & 0xC0, frame.version];
        let covered = frame.header.iter().chain(body).chain(&flags);
        let sum = covered.fold(frame.msg_id ^ u64::from(frame.channel), |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(u64::from(*byte)).rotate_left(5)
        });
        let [low, high] = [sum, !sum].map(u64::to_le_bytes);
        core::array::from_fn(|at| if at < 8 { low[at] } else { high[at - 8] })
    }
}

impl Protection for Fake {
    fn is_on(&self) -> bool {
        self.on
    }

    fn seal(&mut self, frame: SealedFrame<'_>, body: &mut [u8], len: usize) -> Option<usize> {
        assert_eq!(body.len(), len + SEAL_OVERHEAD);
        if self.used_up {
            return None;
        }
        self.sealed += 1;
        let (text, tag) = body.split_at_mut(len);
        text.iter_mut().for_each(|byte| *byte ^= 0x5A);
        tag.copy_from_slice(&Self::tag(frame, text));
        Some(len + SEAL_OVERHEAD)
    }

    fn open(&mut self, frame: SealedFrame<'_>, body: &mut [u8]) -> Option<usize> {
        let len = body.len().checked_sub(SEAL_OVERHEAD)?;
        let (text, tag) = body.split_at_mut(len);
        if *tag != Self::tag(frame, text) {
            return None;
        }
        self.opened += 1;
        text.iter_mut().for_each(|byte| *byte ^= 0x5A);
        Some(len)
    }
}

fn sealing(side: Side) -> Config {
    let offer = CryptOffer { key_id: "test".try_into().expect("it is short"), random: [side as u8; 16] };
    Config {
        features: Flags::ALL,
        require: Flags::CRYPT,
        extensions: Extensions::XCP_CRYPT_1,
        crypt: Some(offer),
        ..config(side)
    }
}

/// Two ends that agreed to seal, and do since.
fn pair() -> Pair<Fake> {
    let mut pair =
        Pair::sealed(sealing(Side::Client), sealing(Side::Server), Fake::default(), Fake::default());
    pair.connect();
    for end in [&mut pair.client, &mut pair.server] {
        assert!(end.connection.agreed().expect("both seal").features.contains(Flags::CRYPT));
        assert!(end.connection.agreed().expect("both seal").crypt.is_some());
        end.connection.protection_mut().on = true;
    }
    pair
}

fn of_wire(pair: &Pair<Fake>, direction: usize) -> Vec<Frame> {
    frames(Dialect::SPEC, &pair.wires[direction].log)
}

#[test]
fn questions_answers_and_acks_are_sealed_and_opened() {
    let mut pair = pair();
    let nonce = pair.client.connection.ping().unwrap();
    let mut header = FrameHeader::new(MsgType::DATA, 3, 0);
    header.tags.push("ack", "1").unwrap();
    // Bodies of messages are the driver's to seal, and this one does not care.
    let begun = pair.client.try_send(&header, Flags::CRYPT, b"sealed elsewhere").unwrap();
    pair.run();
    let mut events = pair.client.take_events();
    events.sort_by_key(|event| matches!(event, Event::Acked { .. }));
    assert_eq!(events, [Event::Pong { nonce }, Event::Acked { msg_id: begun.msg_id }]);
    assert_eq!(pair.server.bodies(), [b"sealed elsewhere"]);
    for direction in [TO_SERVER, TO_CLIENT] {
        for frame in of_wire(&pair, direction) {
            let is_hello = frame.header.msg_type == MsgType::HELLO;
            assert_eq!(frame.flags.contains(Flags::CRYPT), !is_hello, "{:?}", frame.header.msg_type);
            assert_eq!(frame.body.starts_with(b"{"), is_hello);
        }
    }
    let pings = of_wire(&pair, TO_SERVER);
    assert_eq!(of_type(&pings, MsgType::PING)[0].body.len(), br#"{"nonce":1}"#.len() + SEAL_OVERHEAD);
    assert_eq!(pair.server.connection.protection_mut().opened, 1);
    assert_eq!(pair.server.connection.protection_mut().sealed, 2);
}

#[test]
fn a_refusal_is_sealed_too() {
    let mut pair = pair();
    pair.server.verdict = |_| super::Verdict::Refuse(ErrorCode::ERR_SCHEMA_UNKNOWN);
    let header = FrameHeader::new(MsgType::DATA, 3, 0);
    let begun = pair.client.try_send(&header, Flags::CRYPT, b"!").unwrap();
    pair.run();
    let (msg_id, code) = (begun.msg_id, ErrorCode::ERR_SCHEMA_UNKNOWN);
    assert_eq!(pair.client.take_events(), [Event::Nacked { msg_id, code, retry_after: None }]);
}

fn asking(channel: u32) -> FrameHeader {
    let mut header = FrameHeader::new(MsgType::DATA, channel, 0);
    header.tags.push("ack", "1").unwrap();
    header
}

/// The sealed refusals that an end sends now.
fn refusals(end: &mut End<Fake>, now: crate::time::Instant) -> usize {
    let sent = frames(Dialect::SPEC, &end.transmit(now));
    assert!(sent.iter().all(|frame| frame.flags.contains(Flags::CRYPT)));
    of_type(&sent, MsgType::NACK).len()
}

#[test]
fn control_frames_that_are_not_sealed_are_refused_and_three_close() {
    let mut pair = pair();
    let mut header = FrameHeader::new(MsgType::DATA, 3, 0);
    header.tags.push("ack", "1").unwrap();
    let begun = pair.server.try_send(&header, Flags::CRYPT, b"!").unwrap();
    pair.server.transmit(pair.now);
    for forged in [control(MsgType::PING, 9, b"{}"), ack(begun.msg_id)] {
        pair.server.receive(pair.now, &forged);
        assert_eq!(pair.server.take_events(), []);
        assert_eq!(refusals(&mut pair.server, pair.now), 1);
    }
    // Sealed with another tag.
    let header = FrameHeader::new(MsgType::PING, 0, 10);
    pair.server.receive(pair.now, &frame(Dialect::SPEC, &header, Flags::CRYPT, &[7; 40]));
    assert_eq!(pair.server.closed(), Some(CloseReason::Authentication { count: 3 }));
    assert_eq!(refusals(&mut pair.server, pair.now), 1);
    assert_eq!(pair.server.connection.protection_mut().opened, 0);
}

#[test]
fn messages_that_are_not_sealed_are_refused_and_three_close() {
    let mut pair = pair();
    for msg_id in [20, 21, 22] {
        let message = MessageKey { channel: 1, msg_id };
        pair.server.receive(pair.now, &data(1, msg_id, Flags::NONE, b"plain"));
        if msg_id < 22 {
            let code = ErrorCode::ERR_AUTHENTICATION_FAILED;
            assert_eq!(pair.server.take_events(), [Event::Refused { message, code }]);
        }
    }
    assert_eq!(pair.server.closed(), Some(CloseReason::Authentication { count: 3 }));
    assert_eq!(pair.server.delivered.len(), 0);
}

#[test]
fn messages_that_the_driver_cannot_open_count_as_well_and_close_but_once() {
    let mut pair = pair();
    pair.server.verdict = |_| super::Verdict::Wait;
    for msg_id in 20..24 {
        pair.server.receive(pair.now, &data(1, msg_id, Flags::CRYPT, b"?"));
    }
    for msg_id in 20..24 {
        let message = MessageKey { channel: 1, msg_id };
        pair.server.refuse(pair.now, message, ErrorCode::ERR_AUTHENTICATION_FAILED);
        assert_eq!(pair.server.closed().is_some(), msg_id >= 22);
    }
    let closed = pair.server.events.iter().filter(|event| matches!(event, Event::Closed(_)));
    assert_eq!(closed.count(), 1);
}

#[test]
fn nothing_is_taken_before_there_are_keys() {
    let mut client = End::new(sealing(Side::Client), Fake::default(), NOW);
    let mut input = client.transmit(NOW);
    // Sent at once behind HELLO, by somebody who has no key.
    let hello = input.len();
    input.extend_from_slice(&data(1, 2, Flags::NONE, b"plain"));
    input.extend_from_slice(&control(MsgType::PING, 3, b"{}"));
    for split in [hello, hello + 1, input.len()] {
        let mut server = End::new(sealing(Side::Server), Fake::default(), NOW);
        server.receive(NOW, &input[..split]);
        assert_eq!(server.take_events(), [Event::Connected]);
        server.receive(NOW, &input[split..]);
        assert!(!server.connection.takes_input());
        assert_eq!(server.take_events(), []);
        assert_eq!(of_type(&frames(Dialect::SPEC, &server.transmit(NOW)), MsgType::HELLO).len(), 1);
        server.connection.protection_mut().on = true;
        server.receive(NOW, &[]);
        let (message, code) = (MessageKey { channel: 1, msg_id: 2 }, ErrorCode::ERR_AUTHENTICATION_FAILED);
        assert_eq!(server.take_events(), [Event::Refused { message, code }]);
        assert_eq!(refusals(&mut server, NOW), 2);
        assert_eq!(server.delivered.len(), 0);
    }
}

#[test]
fn channel_0_carries_no_sealed_messages() {
    let mut pair = pair();
    let header = FrameHeader::new(MsgType::DATA, 0, 0);
    assert_eq!(pair.client.try_send(&header, Flags::CRYPT, b"!"), Err(SendError::ControlChannel));
    let (message, code) = (MessageKey { channel: 0, msg_id: 9 }, ErrorCode::ERR_MALFORMED);
    pair.server.receive(pair.now, &data(0, 9, Flags::CRYPT, b"sealed elsewhere"));
    assert_eq!(pair.server.take_events(), [Event::Refused { message, code }]);
}

#[test]
fn a_sealed_message_whose_ack_is_late_is_not_sent_again() {
    let mut pair = pair();
    let header = asking(3);
    pair.wires[TO_CLIENT].deaf = true;
    let begun = pair.client.try_send(&header, Flags::CRYPT, b"once").unwrap();
    pair.run();
    pair.wires[TO_CLIENT].deaf = false;
    pair.advance(Duration::from_secs(2000));
    let sent = of_wire(&pair, TO_SERVER);
    assert_eq!(of_type(&sent, MsgType::DATA).len(), 1);
    let event = Event::Unacknowledged { msg_id: begun.msg_id };
    assert!(pair.client.take_events().contains(&event));
}

#[test]
fn an_end_whose_keys_are_used_up_closes() {
    let mut pair = pair();
    pair.server.connection.protection_mut().used_up = true;
    pair.client.connection.ping().unwrap();
    pair.run();
    assert_eq!(pair.server.closed(), Some(CloseReason::NotSealed));
    assert_eq!(pair.server.transmit(pair.now), []);
}

#[test]
fn a_message_of_ours_that_is_not_sealed_is_not_sent() {
    let mut pair = pair();
    let header = FrameHeader::new(MsgType::DATA, 3, 0);
    assert_eq!(pair.client.try_send(&header, Flags::NONE, b"!"), Err(SendError::MustBeSealed));
}

#[test]
fn a_sealed_message_that_is_refused_for_now_is_not_sent_again() {
    let mut pair = pair();
    pair.server.verdict = |_| super::Verdict::Refuse(ErrorCode::ERR_BUSY);
    let mut header = FrameHeader::new(MsgType::DATA, 3, 0);
    header.tags.push("ack", "1").unwrap();
    let begun = pair.client.try_send(&header, Flags::CRYPT, b"!").unwrap();
    pair.run();
    let event = pair.client.take_events();
    assert!(matches!(event[..], [Event::Nacked { msg_id, .. }] if msg_id == begun.msg_id), "{event:?}");
    assert!(pair.client.connection.is_flushed());
}

#[test]
fn an_end_that_must_seal_does_not_speak_with_one_that_cannot() {
    let plain = |side| config(side);
    for side in [Side::Client, Side::Server] {
        let with = |each| if each == side { sealing(each) } else { plain(each) };
        let mut pair = Pair::new(with(Side::Client), with(Side::Server));
        pair.run();
        let end = if side == Side::Client { &pair.client } else { &pair.server };
        assert_eq!(end.closed(), Some(CloseReason::Requirement { missing: Flags::CRYPT }));
    }
}
