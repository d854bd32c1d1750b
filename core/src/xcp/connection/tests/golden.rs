//! Are our bytes those of the documents and of the Python implementation, and are theirs read?

use std::vec::Vec;

use super::super::super::control::{Extensions, Nack};
use super::super::super::dialect::{Dialect, HeaderFormat};
use super::super::super::header::FrameHeader;
use super::super::super::numbers::{CodecId, ErrorCode, Flags, MsgType};
use super::super::{Config, Event, Knobs, MessageKey, Plain, Side};
use super::end::Verdict;
use super::pair::config;
use super::raw::wrap;
use super::{Delivered, End, frame, frames};
use crate::time::Instant;

macro_rules! golden {
    ($path:literal) => {
        include_bytes!(concat!("../../../../../tests/vectors/xcp/", $path))
    };
}

const NOW: Instant = Instant::from_nanos(5);
const TEXT: &[u8] = br#"{"kind":"text","schema_version":1,"payload":{"text":"Hello, XCP v0.2!"},"metadata":{},"extra_fields":{},"attachments":[]}"#;

/// An end that says no more than the documents have.
fn plain(side: Side) -> End {
    let config = Config {
        codecs: [CodecId::JSON, CodecId::PROTOBUF].into_iter().collect(),
        features: Flags::NONE,
        extensions: Extensions::NONE,
        version: None,
        ..config(side)
    };
    End::new(config, Plain, NOW)
}

fn plain_python(side: Side) -> End {
    let mut config = plain(side).connection.config().clone();
    config.knobs = Knobs::from(Dialect::PYTHON);
    End::new(config, Plain, NOW)
}

/// A server that the golden client of the specification has said HELLO to.
fn spec_server() -> End {
    let mut server = plain(Side::Server);
    server.receive(NOW, golden!("spec/capnp_hello.bin"));
    assert_eq!(server.take_events(), [Event::Connected]);
    server
}

/// The same, and the answer is sent.
fn open_spec_server() -> End {
    let mut server = spec_server();
    server.transmit(NOW);
    server
}

#[test]
fn hello_of_the_specification_is_answered_with_the_bytes_of_the_specification() {
    let mut client = plain(Side::Client);
    assert_eq!(client.transmit(NOW), golden!("spec/capnp_hello.bin"));
    let mut server = spec_server();
    let caps = server.transmit(NOW);
    assert_eq!(caps, golden!("spec/capnp_caps_as_hello_reply.bin"));
    client.receive(NOW, &caps);
    assert_eq!(client.take_events(), [Event::Connected]);
    for end in [&client, &server] {
        let agreed = end.connection.agreed().unwrap();
        assert_eq!(agreed.dialect, Dialect::SPEC);
        assert_eq!(agreed.codecs, [CodecId::JSON, CodecId::PROTOBUF]);
        assert_eq!((agreed.features, agreed.max_frame), (Flags::NONE, 1 << 20));
    }
}

#[test]
fn hello_of_python_is_answered_as_python_does_but_for_the_order_of_a_set() {
    let mut client = plain_python(Side::Client);
    assert_eq!(client.transmit(NOW), golden!("reference/hello.bin"));

    // A server that speaks anything finds out.
    let mut server = plain(Side::Server);
    server.receive(NOW, golden!("reference/hello.bin"));
    assert_eq!(server.take_events(), [Event::Connected]);
    assert_eq!(server.connection.dialect(), Dialect::PYTHON);
    let caps = server.transmit(NOW);
    // The codecs of CAPS are a Python set: in which order it iterates, nobody says. Ours keep the order of HELLO.
    let golden: &[u8] = golden!("reference/caps.bin");
    let [ours, theirs] = [&caps, golden].map(|bytes| frames(Dialect::PYTHON, bytes));
    let body = ours[0].body.clone();
    let text = core::str::from_utf8(&body).unwrap().replace("[1,8]", "[8,1]");
    assert_eq!(text.as_bytes(), theirs[0].body);
    assert_eq!((&ours[0].header, ours[0].flags), (&theirs[0].header, theirs[0].flags));
    // Nothing but those three bytes of the body, and the checksum, may differ.
    let differing: Vec<usize> = (0..golden.len()).filter(|at| caps[*at] != golden[*at]).collect();
    let codecs = golden.windows(5).position(|window| window == b"[8,1]").unwrap();
    assert_eq!(caps.len(), golden.len());
    assert!(differing.iter().all(|at| [codecs + 1, codecs + 3].contains(at) || *at >= golden.len() - 4));

    client.receive(NOW, golden);
    assert_eq!(client.take_events(), [Event::Connected]);
    assert_eq!(client.connection.agreed().unwrap().codecs, [CodecId::JSON, CodecId::PROTOBUF]);
}

#[test]
fn messages_and_their_answers_are_the_frames_of_the_specification() {
    // The second frame of a client is number 2.
    let mut client = plain(Side::Client);
    client.transmit(NOW);
    client.receive(NOW, golden!("spec/capnp_caps_as_hello_reply.bin"));
    client.send(1, TEXT);
    assert_eq!(client.transmit(NOW), golden!("spec/capnp_data_json.bin"));
    // What follows was captured at other numbers: the next ones are taken by messages in between.
    client.send(2, b"{}");
    client.transmit(NOW);
    client.connection.ping().unwrap();
    assert_eq!(client.transmit(NOW), golden!("spec/capnp_ping.bin"));

    let mut server = open_spec_server();
    server.receive(NOW, golden!("spec/capnp_data_json.bin"));
    assert_eq!(server.bodies(), [TEXT]);
    server.verdict = |_| Verdict::Refuse(ErrorCode::ERR_CODEC_UNSUPPORTED);
    assert_eq!(server.transmit(NOW), []);
    server.receive(NOW, golden!("spec/capnp_data_json.bin"));
    // It was accepted, so it is not even looked at again.
    assert_eq!((server.transmit(NOW), server.delivered.len()), (Vec::new(), 1));

    let mut server = open_spec_server();
    server.verdict = |_| Verdict::Refuse(ErrorCode::ERR_CODEC_UNSUPPORTED);
    server.receive(NOW, golden!("spec/capnp_data_json.bin"));
    // The golden NACK is a server's third frame and ours its second: number 3 against 2, in one byte of the header.
    let mut nack = golden!("spec/capnp_nack.bin").to_vec();
    assert_eq!(nack[32], 3);
    nack[32] = 2;
    assert_eq!(server.transmit(NOW), nack);
}

#[test]
fn ack_and_pong_are_the_frames_of_the_specification() {
    let mut server = open_spec_server();
    // Number 2 of the server.
    server.send(9, b"{}");
    server.transmit(NOW);
    let mut asks = FrameHeader::new(MsgType::DATA, 1, 2);
    asks.tags.push("ack", "1").unwrap();
    server.receive(NOW, &frame(Dialect::SPEC, &asks, Flags::NONE, TEXT));
    assert_eq!(server.transmit(NOW), golden!("spec/capnp_ack.bin"));
    // Number 4.
    server.send(9, b"{}");
    server.transmit(NOW);
    server.receive(NOW, golden!("spec/capnp_ping.bin"));
    assert_eq!(server.transmit(NOW), golden!("spec/capnp_pong.bin"));
}

#[test]
fn ack_nack_and_pong_of_the_specification_are_understood() {
    let mut client = plain(Side::Client);
    client.transmit(NOW);
    client.receive(NOW, golden!("spec/capnp_caps_as_hello_reply.bin"));
    let reliable = client.send_reliably(1, TEXT);
    assert_eq!(reliable.msg_id, 2);
    client.transmit(NOW);
    client.take_events();
    client.receive(NOW, golden!("spec/capnp_pong.bin"));
    client.receive(NOW, golden!("spec/capnp_ack.bin"));
    client.receive(NOW, golden!("spec/capnp_nack.bin"));
    let nacked = Event::Nacked { msg_id: 2, code: ErrorCode::ERR_CODEC_UNSUPPORTED, retry_after: None };
    assert_eq!(client.take_events(), [Event::Pong { nonce: 1 }, Event::Acked { msg_id: 2 }, nacked]);
    assert!(client.connection.is_flushed());
}

#[test]
fn a_message_in_two_frames_is_split_and_joined_as_the_specification_has_it() {
    let (first, second) = (golden!("spec/capnp_more_1of2.bin"), golden!("spec/capnp_more_2of2.bin"));
    let config = |side| Config {
        // Room for 64 bytes beside a header of 32.
        max_frame: 64 + 32 + 16,
        ..plain(side).connection.config().clone()
    };
    let with_more = |side| Config { features: Flags::MORE, ..config(side) };
    let mut pair = super::Pair::connected(with_more(Side::Client), with_more(Side::Server));
    while pair.client.send(2, b"{}").msg_id < 5 {}
    pair.run();
    assert_eq!(pair.client.send(1, TEXT).msg_id, 6);
    let sent = pair.client.transmit(pair.now);
    assert_eq!(sent, [first.as_slice(), second].concat());

    pair.server.receive(pair.now, first);
    assert_eq!(pair.server.bodies_of(1).len(), 0);
    assert_eq!(pair.server.connection.in_flight(), 64);
    pair.server.receive(pair.now, second);
    assert_eq!(pair.server.bodies_of(1), [TEXT]);
    assert_eq!(pair.server.connection.in_flight(), 0);
}

#[test]
fn a_long_length_and_a_packed_header_are_read() {
    let packs = Config { extensions: Extensions::CAPNP_PACKED, ..config(Side::Client) };
    for (bytes, msg_id) in [
        (golden!("spec/capnp_large.bin").as_slice(), 7),
        (golden!("spec/capnp_data_json_packedhdr.bin").as_slice(), 2),
    ] {
        let offered = Config { extensions: Extensions::CAPNP_PACKED, ..config(Side::Server) };
        let mut server = super::Pair::connected(packs.clone(), offered).server;
        server.receive(NOW, bytes);
        let message = MessageKey { channel: 1, msg_id };
        let Delivered { message: came, body, .. } = &server.delivered[0];
        assert_eq!((*came, body.as_slice()), (message, TEXT));
    }
}

#[test]
fn a_packed_header_that_was_not_agreed_on_is_refused() {
    let mut server = open_spec_server();
    server.receive(NOW, golden!("spec/capnp_data_json_packedhdr.bin"));
    assert!(server.delivered.is_empty());
    assert!(server.connection.is_open());
    assert_ne!(server.transmit(NOW), []);
}

#[test]
fn a_packed_header_is_written_as_the_specification_would_once_both_read_it() {
    let packed = |side| Config { extensions: Extensions::CAPNP_PACKED, ..config(side) };
    let mut pair = super::Pair::connected(packed(Side::Client), packed(Side::Server));
    for end in [&pair.client, &pair.server] {
        assert_eq!(end.connection.dialect().header, HeaderFormat::CapnProtoPacked);
    }
    pair.client.send(1, TEXT);
    assert_eq!(pair.client.transmit(pair.now), golden!("spec/capnp_data_json_packedhdr.bin"));
}

#[test]
fn frames_of_python_are_ours_in_its_dialect() {
    let mut client = plain_python(Side::Client);
    client.transmit(NOW);
    client.receive(NOW, golden!("reference/caps.bin"));
    let first = client.send(1, TEXT);
    // Number 1 once more, as Python does.
    assert_eq!(first.msg_id, 1);
    assert_eq!(client.transmit(NOW), golden!("reference/data_json_text.req.bin"));
    client.receive(NOW, golden!("reference/data_json_text.resp.bin"));
    assert_eq!(client.bodies(), [TEXT]);
    assert_eq!((client.delivered[0].header.in_reply_to, client.delivered[0].message.msg_id), (1, 0));

    let mut server = plain(Side::Server);
    server.receive(NOW, golden!("reference/hello.bin"));
    server.transmit(NOW);
    server.receive(NOW, golden!("reference/data_json_text.req.bin"));
    assert_eq!(server.bodies(), [TEXT]);
    let mut reply = FrameHeader::new(MsgType::DATA, 1, 0);
    reply.in_reply_to = 1;
    server.try_send(&reply, Flags::NONE, TEXT).unwrap();
    assert_eq!(server.transmit(NOW), golden!("reference/data_json_text.resp.bin"));
    server.receive(NOW, golden!("reference/ping.bin"));
    assert_eq!(server.transmit(NOW), golden!("reference/pong.bin"));
}

#[test]
fn a_refusal_is_the_nack_of_python_in_its_dialect() {
    let mut server = plain(Side::Server);
    server.receive(NOW, golden!("reference/hello.bin"));
    server.transmit(NOW);
    let mut header = FrameHeader::new(MsgType::DATA, 1, 6);
    header.codec = CodecId(0x7777);
    server.receive(NOW, &frame(Dialect::PYTHON, &header, Flags::NONE, b"?"));
    assert_eq!(server.transmit(NOW), golden!("reference/nack.bin"));
    let nack = &frames(Dialect::PYTHON, golden!("reference/nack.bin"))[0];
    let said = Nack::read(CodecId::JSON, &nack.body).unwrap();
    assert_eq!((said.msg_id, said.code), (6, ErrorCode::ERR_CODEC_UNSUPPORTED));
}

/// Every golden frame behind its handshake leads to the same events and answers, split anywhere.
#[test]
fn every_golden_frame_does_the_same_however_it_is_split() {
    let spec: [&[u8]; 9] = [
        golden!("spec/capnp_hello.bin"),
        golden!("spec/capnp_data_json.bin"),
        golden!("spec/capnp_ping.bin"),
        golden!("spec/capnp_pong.bin"),
        golden!("spec/capnp_ack.bin"),
        golden!("spec/capnp_nack.bin"),
        golden!("spec/capnp_more_1of2.bin"),
        golden!("spec/capnp_more_2of2.bin"),
        golden!("spec/capnp_large.bin"),
    ];
    let python: [&[u8]; 6] = [
        golden!("reference/hello.bin"),
        golden!("reference/data_json_text.req.bin"),
        golden!("reference/data_protobuf_text.req.bin"),
        golden!("reference/ping.bin"),
        golden!("reference/pong.bin"),
        golden!("reference/nack.bin"),
    ];
    for stream in [spec.concat(), python.concat()] {
        let play = |pieces: &[&[u8]]| {
            let mut config = config(Side::Server);
            config.codecs.push(CodecId::PROTOBUF).unwrap();
            let mut server = End::new(config, Plain, NOW);
            let mut sent = Vec::new();
            for piece in pieces {
                server.receive(NOW, piece);
                // One PING is answered before the next is read.
                while !server.input.is_empty() {
                    sent.extend(server.transmit(NOW));
                    server.feed(NOW);
                }
            }
            sent.extend(server.transmit(NOW));
            (server.take_events(), server.delivered, sent)
        };
        let whole = play(&[&stream]);
        assert!(whole.1.len() >= 2 && !whole.2.is_empty());
        for at in 0..=stream.len() {
            let (front, back) = stream.split_at(at);
            assert_eq!(play(&[front, back]), whole, "split at {at}");
        }
        for piece in [1, 2, 3, 7] {
            assert_eq!(play(&stream.chunks(piece).collect::<Vec<_>>()), whole, "pieces of {piece}");
        }
    }
}

#[test]
fn what_a_golden_frame_is_made_of_makes_it_again() {
    // The harness's own frames are those of the documents, so what it forges elsewhere is what a peer would send.
    let bytes = golden!("spec/capnp_large.bin");
    let came = &frames(Dialect::SPEC, bytes)[0];
    assert_eq!(frame(Dialect::SPEC, &came.header, came.flags, &came.body), bytes);
    let (header, _) = bytes[8..].split_at(32);
    let envelope = super::super::super::frame::Envelope {
        flags: came.flags,
        payload_len: came.body.len() as u64,
        crc: Dialect::SPEC.crc,
    };
    assert_eq!(wrap(&envelope, header, &came.body), bytes);
}
