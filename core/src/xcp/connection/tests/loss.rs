//! What comes through a transport that breaks at any byte, or changes one?

use core::time::Duration;
use std::vec::Vec;

use super::super::super::dialect::Dialect;
use super::super::super::frame::PREFIX_LEN;
use super::super::super::header::{self, FrameHeader};
use super::super::super::numbers::{Flags, MsgType};
use super::super::super::tags::Tags;
use super::super::{CloseReason, Config, Event, Side};
use super::{End, Frame, Pair, TO_CLIENT, TO_SERVER, config, frames};

/// Messages of the client and of the server: channel, bytes, and whether an ACK is asked for.
const SCRIPT: [&[(u32, usize, bool)]; 2] = [
    &[(1, 200, true), (2, 150, false), (1, 30, false), (9, 0, false)],
    &[(1, 170, false), (7, 90, true), (7, 1, false)],
];

/// Frames are short, so that messages take several.
fn short(side: Side) -> Config {
    Config { max_frame: 144, ..config(side) }
}

/// The body of a message: no two frames have the same.
fn body(direction: usize, at: usize, len: usize) -> Vec<u8> {
    (0..len).map(|byte| (direction * 101 + at * 37 + byte * 7 + byte / 29).to_le_bytes()[0]).collect()
}

/// What is sent in a direction: channel and body.
fn sent(direction: usize) -> Vec<(u32, Vec<u8>)> {
    let messages = SCRIPT[direction].iter().enumerate();
    messages.map(|(at, (channel, len, _))| (*channel, body(direction, at, *len))).collect()
}

/// Handshake, messages on several channels in several frames, questions and answers, as far as the transport lets them.
fn converse(pair: &mut Pair) {
    pair.run();
    for (direction, messages) in SCRIPT.iter().enumerate() {
        let end = if direction == TO_SERVER { &mut pair.client } else { &mut pair.server };
        if !end.connection.is_open() {
            continue;
        }
        for (at, (channel, len, reliable)) in messages.iter().enumerate() {
            let mut header = FrameHeader::new(MsgType::DATA, *channel, 0);
            if *reliable {
                header.tags.push(Tags::ACK, "1").expect("there is room");
            }
            end.try_send(&header, Flags::NONE, &body(direction, at, *len)).expect("there is room");
        }
        end.connection.ping();
    }
    pair.run();
    pair.client.connection.ping();
    pair.run();
}

fn receiver(pair: &Pair, direction: usize) -> &End {
    if direction == TO_SERVER { &pair.server } else { &pair.client }
}

fn undisturbed() -> Pair {
    let mut pair = Pair::new(short(Side::Client), short(Side::Server));
    converse(&mut pair);
    pair
}

#[test]
fn a_whole_conversation_comes_through() {
    let pair = undisturbed();
    for direction in [TO_SERVER, TO_CLIENT] {
        let end = receiver(&pair, direction);
        for channel in [1, 2, 7, 9] {
            let expected: Vec<Vec<u8>> =
                sent(direction).into_iter().filter(|(on, _)| *on == channel).map(|(_, body)| body).collect();
            assert_eq!(end.bodies_of(channel), expected);
        }
        assert!(end.connection.is_flushed() && end.connection.in_flight() == 0);
        assert!(end.unfinished().is_empty());
        assert_eq!(end.events.iter().filter(|event| matches!(event, Event::Acked { .. })).count(), 1);
        let pongs = end.events.iter().filter(|event| matches!(event, Event::Pong { .. })).count();
        assert_eq!(pongs, if direction == TO_CLIENT { 2 } else { 1 });
        let log = frames(Dialect::SPEC, &pair.wires[direction].log);
        assert!(log.iter().any(|frame| frame.flags.contains(Flags::MORE)));
    }
}

/// Why an end is over that got so many bytes of these frames.
fn reason(frames: &[Frame], delivered: usize) -> CloseReason {
    let ends: Vec<usize> = frames.iter().map(|frame| frame.start + frame.len).collect();
    if delivered == 0 {
        CloseReason::NotAnswered
    } else if !ends.contains(&delivered) {
        CloseReason::Truncated
    } else {
        CloseReason::Peer
    }
}

#[test]
fn whichever_byte_is_the_last_nothing_comes_that_is_not_whole() {
    let whole = undisturbed();
    let logs = [TO_SERVER, TO_CLIENT].map(|at| frames(Dialect::SPEC, &whole.wires[at].log));
    for direction in [TO_SERVER, TO_CLIENT] {
        for last in 0..=whole.wires[direction].log.len() {
            for piece in [usize::MAX, 61] {
                let mut pair = Pair::new(short(Side::Client), short(Side::Server));
                pair.piece = piece;
                pair.wires[direction].cut_at = Some(last);
                converse(&mut pair);
                assert!(pair.is_cut);
                for way in [TO_SERVER, TO_CLIENT] {
                    let end = receiver(&pair, way);
                    if piece == usize::MAX {
                        let expected = reason(&logs[way], pair.wires[way].delivered);
                        assert_eq!(end.closed(), Some(expected), "{last} in {direction}: {way}");
                    }
                    let closed = end.events.iter().filter(|event| matches!(event, Event::Closed(_)));
                    assert_eq!(closed.count(), 1);
                    for channel in [1, 2, 7, 9] {
                        let expected: Vec<Vec<u8>> = sent(way)
                            .into_iter()
                            .filter(|(on, _)| *on == channel)
                            .map(|(_, body)| body)
                            .take(end.bodies_of(channel).len())
                            .collect();
                        assert_eq!(end.bodies_of(channel), expected);
                    }
                }
            }
        }
    }
}

/// Which part of a frame a byte is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
    /// The checksum says if it changed.
    Checked,
    /// Nothing does.
    Unchecked,
}

fn part(frame: &Frame, at: usize) -> Part {
    let mut bytes = [0; 512];
    let header_len = header::write(&frame.header, Dialect::SPEC.header, Dialect::SPEC.numbering, &mut bytes)
        .expect("there is room");
    assert_eq!(frame.len, PREFIX_LEN + header_len + 4 + frame.body.len() + 4);
    if at < frame.start + PREFIX_LEN + header_len + 4 { Part::Unchecked } else { Part::Checked }
}

/// Whether a change of that byte makes a header of the frame that cannot be read.
fn is_unreadable(frame: &Frame, at: usize, bits: u8) -> bool {
    let mut bytes = [0; 512];
    let len = header::write(&frame.header, Dialect::SPEC.header, Dialect::SPEC.numbering, &mut bytes)
        .expect("there is room");
    let Some(byte) = at.checked_sub(frame.start + PREFIX_LEN).and_then(|at| bytes[..len].get_mut(at)) else {
        return false;
    };
    *byte ^= bits;
    header::read(&bytes[..len], Dialect::SPEC.numbering).is_err()
}

/// Whether `body` is what some frames carry, in the order in which they were sent.
fn is_made_of(body: &[u8], frames: &[Frame]) -> bool {
    body.is_empty()
        || frames.iter().enumerate().any(|(at, frame)| {
            !frame.body.is_empty()
                && body
                    .strip_prefix(frame.body.as_slice())
                    .is_some_and(|rest| is_made_of(rest, &frames[at + 1..]))
        })
}

/// The checksum covers the payload of a frame and nothing else. So if a payload changes, it is noticed and what was to be
/// acknowledged comes again; if flags, header or length change, a message may be lost, cut at the end of a frame, or come
/// on another channel: but no frame's payload is ever another than was sent.
#[test]
fn whichever_byte_is_changed_no_payload_comes_that_was_not_sent() {
    let whole = undisturbed();
    for direction in [TO_SERVER, TO_CLIENT] {
        let log = frames(Dialect::SPEC, &whole.wires[direction].log);
        for frame in &log {
            for at in frame.start..frame.start + frame.len {
                for bits in [0x01, 0x20, 0x80] {
                    let mut pair = Pair::new(short(Side::Client), short(Side::Server));
                    pair.wires[direction].corrupt = Some((at, bits));
                    converse(&mut pair);
                    pair.advance(Duration::from_secs(30));
                    // Also those that came again, and of any type: that of a header is not checked either.
                    let carried = frames(Dialect::SPEC, &pair.wires[direction].log);
                    let end = receiver(&pair, direction);
                    for body in end.bodies() {
                        assert!(is_made_of(body, &carried), "byte {at} in {direction}: {body:?}");
                    }
                    if is_unreadable(frame, at, bits) {
                        // A chunk may be missing: what has begun is not finished.
                        let originals = sent(direction);
                        assert!(
                            end.bodies().iter().all(|body| originals.iter().any(|(_, sent)| sent == body))
                        );
                    }
                    if part(frame, at) == Part::Checked {
                        changed_payload(&pair, direction, frame);
                    }
                    let other = receiver(&pair, 1 - direction);
                    let originals: Vec<Vec<u8>> =
                        sent(1 - direction).into_iter().map(|(_, body)| body).collect();
                    assert!(other.bodies().iter().all(|body| originals.iter().any(|sent| sent == body)));
                }
            }
        }
    }
}

/// A byte of the payload or the checksum of a frame was changed.
fn changed_payload(pair: &Pair, direction: usize, frame: &Frame) {
    let end = receiver(pair, direction);
    if matches!(frame.header.msg_type, MsgType::HELLO) {
        assert!(matches!(end.closed(), Some(CloseReason::Checksum { .. })), "{:?}", end.closed());
        return;
    }
    // The dialect of the specification goes on, and only that message is lost, unless it comes again.
    assert_eq!(end.closed(), None);
    let expected: Vec<(u32, Vec<u8>)> = SCRIPT[direction]
        .iter()
        .zip(sent(direction))
        .enumerate()
        .filter(|(at, ((_, _, reliable), _))| {
            *reliable || frame.header.msg_type != MsgType::DATA || !belongs(frame, direction, *at)
        })
        .map(|(_, (_, message))| message)
        .collect();
    let mut came: Vec<(u32, Vec<u8>)> =
        end.delivered.iter().map(|each| (each.message.channel, each.body.clone())).collect();
    let mut expected = expected;
    came.sort();
    expected.sort();
    assert_eq!(came, expected);
    assert!(end.unfinished().is_empty() && end.connection.in_flight() == 0);
    assert!(pair.client.connection.is_flushed() && pair.server.connection.is_flushed());
}

/// Whether a frame is one of that message of the script.
fn belongs(frame: &Frame, direction: usize, at: usize) -> bool {
    let (channel, len, _) = SCRIPT[direction][at];
    let whole = body(direction, at, len);
    let is_part = whole.windows(frame.body.len().max(1)).any(|window| window == frame.body);
    channel == frame.header.channel && (is_part || whole == frame.body)
}
