//! What do two ends agree on, and what makes one of them give up before they do?

use std::format;
use std::vec::Vec;

use super::super::super::control::{Extensions, KindRange, Nack};
use super::super::super::decoder::FrameError;
use super::super::super::dialect::{CrcOrder, Dialect, HeaderFormat, Numbering};
use super::super::super::header::FrameHeader;
use super::super::super::numbers::{CodecId, ErrorCode, Flags, MsgType};
use super::super::{CloseReason, Config, Event, Knobs, Plain, Side};
use super::pair::config;
use super::{End, Pair, frame, frames};
use crate::crc32c::crc32c;
use crate::time::Instant;

const NOW: Instant = Instant::from_nanos(5);

fn dialects() -> Vec<Dialect> {
    let mut all = Vec::new();
    for header in [HeaderFormat::CapnProto, HeaderFormat::CapnProtoPacked, HeaderFormat::Json] {
        for crc in [CrcOrder::Little, CrcOrder::Big] {
            for numbering in [Numbering::Spec, Numbering::Python] {
                all.push(Dialect { header, crc, numbering });
            }
        }
    }
    all
}

fn speaking(side: Side, knobs: Knobs) -> Config {
    Config { knobs, ..config(side) }
}

/// A message each way, and a question of the client.
fn talk(pair: &mut Pair) {
    pair.client.send(3, b"up");
    let nonce = pair.client.connection.ping().expect("the connection is open");
    pair.run();
    pair.server.send(3, b"down");
    pair.run();
    assert_eq!(
        (pair.server.bodies(), pair.client.bodies()),
        (std::vec![&b"up"[..]], std::vec![&b"down"[..]])
    );
    assert!(pair.client.take_events().contains(&Event::Pong { nonce }));
}

#[test]
fn ends_that_are_told_the_same_dialect_understand_each_other() {
    for dialect in dialects() {
        let knobs = Knobs::from(dialect);
        let mut pair = Pair::connected(speaking(Side::Client, knobs), speaking(Side::Server, knobs));
        // A packed header is for peers that said they read it, whoever was told to write it.
        let header = match dialect.header {
            HeaderFormat::CapnProtoPacked => HeaderFormat::CapnProto,
            other => other,
        };
        for end in [&pair.client, &pair.server] {
            assert_eq!(end.connection.dialect(), Dialect { header, ..dialect });
            assert_eq!(end.connection.agreed().unwrap().dialect, end.connection.dialect());
            let more = if dialect.is_strict() { Flags::NONE } else { Flags::MORE.union(Flags::LARGE) };
            assert_eq!(end.connection.agreed().unwrap().features, more);
        }
        talk(&mut pair);
    }
}

#[test]
fn a_server_that_is_told_nothing_speaks_as_its_client_does() {
    for dialect in dialects() {
        let knobs = Knobs::from(dialect);
        let mut pair = Pair::new(speaking(Side::Client, knobs), config(Side::Server));
        pair.run();
        let numbering = match dialect.crc {
            CrcOrder::Little => Numbering::Spec,
            CrcOrder::Big => Numbering::Python,
        };
        assert_eq!(pair.server.connection.dialect().numbering, numbering);
        assert_eq!(pair.server.connection.dialect().crc, dialect.crc);
        if numbering == dialect.numbering {
            talk(&mut pair);
        } else {
            // Nobody speaks so who was not told to: the numbers of the answer give it away before harm is done.
            let closed = pair.client.closed();
            assert!(matches!(closed, Some(CloseReason::NotHello { .. })), "{dialect:?}: {closed:?}");
        }
    }
}

#[test]
fn a_client_whose_numbers_are_open_takes_those_of_the_answer() {
    for (crc, numbering) in [(CrcOrder::Little, Numbering::Spec), (CrcOrder::Big, Numbering::Python)] {
        let knobs = Knobs { crc: Some(crc), ..Knobs::AUTO };
        let mut pair = Pair::connected(speaking(Side::Client, knobs), config(Side::Server));
        assert_eq!(pair.client.connection.dialect().numbering, numbering);
        assert_eq!(pair.server.connection.dialect(), pair.client.connection.dialect());
        talk(&mut pair);
    }
}

#[test]
fn a_client_that_is_told_nothing_speaks_as_the_specification_does() {
    let mut pair = Pair::usual();
    assert_eq!(pair.client.connection.dialect(), Dialect::SPEC);
    assert_eq!(pair.server.connection.dialect(), Dialect::SPEC);
    talk(&mut pair);
}

#[test]
fn a_server_that_is_told_a_byte_order_takes_no_other() {
    let knobs = Knobs { crc: Some(CrcOrder::Little), ..Knobs::AUTO };
    let mut pair =
        Pair::new(speaking(Side::Client, Knobs::from(Dialect::PYTHON)), speaking(Side::Server, knobs));
    pair.run();
    assert!(matches!(pair.server.closed(), Some(CloseReason::Checksum { .. })));
    assert_eq!(pair.wires[super::TO_CLIENT].log, []);
}

/// The body of a HELLO whose checksum reads the same in both byte orders.
fn palindromic_body() -> Vec<u8> {
    (0_u32..)
        .map(|salt| format!(r#"{{"codecs":[1],"salt":{salt}}}"#).into_bytes())
        .find(|body| crc32c(body).swap_bytes() == crc32c(body))
        .expect("the connection is open")
}

#[test]
fn where_the_checksum_says_nothing_the_header_tells_the_dialect() {
    let body = palindromic_body();
    for (header, dialect) in [(HeaderFormat::Json, Dialect::PYTHON), (HeaderFormat::CapnProto, Dialect::SPEC)]
    {
        let mut server = End::new(config(Side::Server), Plain, NOW);
        let spoken = Dialect { header, ..dialect };
        let hello = FrameHeader::new(MsgType::HELLO, 0, 1);
        server.receive(NOW, &frame(spoken, &hello, Flags::NONE, &body));
        assert_eq!(server.take_events(), [Event::Connected]);
        assert_eq!(server.connection.dialect(), dialect);
    }
}

#[test]
fn a_packed_hello_is_read_and_answered_unpacked() {
    let mut server = End::new(config(Side::Server), Plain, NOW);
    let spoken = Dialect { header: HeaderFormat::CapnProtoPacked, ..Dialect::SPEC };
    let hello = FrameHeader::new(MsgType::HELLO, 0, 1);
    server.receive(NOW, &frame(spoken, &hello, Flags::NONE, br#"{"codecs":[1]}"#));
    assert_eq!(server.connection.dialect(), Dialect::SPEC);
    let answer = server.transmit(NOW);
    assert_eq!(HeaderFormat::detect(&answer[8..]), Some(HeaderFormat::CapnProto));
}

#[test]
fn both_ends_agree_on_what_both_can_do() {
    let range = |kind_id| KindRange { kind_id, major: 1, min_minor: 0, max_minor: 9 };
    let client = Config {
        codecs: [CodecId(40), CodecId::PROTOBUF, CodecId::JSON].into_iter().collect(),
        max_frame: 70_000,
        features: Flags::COMP.union(Flags::MORE),
        extensions: Extensions::CAPNP_PACKED.union(Extensions::XCP_CRYPT_1),
        shared_mem: true,
        accepts: [range(1)].into_iter().collect(),
        ..config(Side::Client)
    };
    let server = Config {
        codecs: [CodecId::JSON, CodecId(41), CodecId::PROTOBUF].into_iter().collect(),
        max_frame: 60_000,
        features: Flags::ALL,
        extensions: Extensions::ALL,
        shared_mem: true,
        emits: [range(2)].into_iter().collect(),
        ..config(Side::Server)
    };
    let pair = Pair::connected(client, server);
    for end in [&pair.client, &pair.server] {
        let agreed = end.connection.agreed().unwrap();
        assert_eq!(agreed.codecs, [CodecId::PROTOBUF, CodecId::JSON]);
        assert_eq!(agreed.max_frame, 60_000);
        assert_eq!(agreed.features, Flags::COMP.union(Flags::MORE));
        // Without offers of a key nothing is sealed.
        assert_eq!(agreed.extensions, Extensions::CAPNP_PACKED);
        assert!(agreed.shared_mem);
    }
    assert_eq!(pair.server.connection.agreed().unwrap().accepts, [range(1)]);
    assert_eq!(pair.client.connection.agreed().unwrap().emits, [range(2)]);
}

#[test]
fn without_a_common_codec_the_client_gives_up() {
    let server = Config { codecs: [CodecId(40)].into_iter().collect(), ..config(Side::Server) };
    let mut pair = Pair::new(config(Side::Client), server);
    pair.run();
    assert_eq!(pair.client.closed(), Some(CloseReason::NoCommonCodec { first: Some(CodecId::JSON) }));
    // The server has answered, and waits for the client to go.
    assert!(pair.server.connection.is_open());
    assert_eq!(pair.server.connection.agreed().unwrap().codecs, []);
}

#[test]
fn an_end_that_requires_what_the_other_cannot_do_gives_up() {
    for side in [Side::Client, Side::Server] {
        let with = |each| match each == side {
            true => Config { require: Flags::COMP, features: Flags::COMP, ..config(each) },
            false => config(each),
        };
        let mut pair = Pair::new(with(Side::Client), with(Side::Server));
        pair.run();
        let end = if side == Side::Client { &pair.client } else { &pair.server };
        assert_eq!(end.closed(), Some(CloseReason::Requirement { missing: Flags::COMP }));
    }
}

#[test]
fn anything_but_hello_first_closes() {
    for found in [MsgType::DATA, MsgType::PING, MsgType::ACK, MsgType::NACK, MsgType(0x0123)] {
        let mut server = End::new(config(Side::Server), Plain, NOW);
        let header = FrameHeader::new(found, 0, 1);
        server.receive(NOW, &frame(Dialect::SPEC, &header, Flags::NONE, b"{}"));
        assert_eq!(server.closed(), Some(CloseReason::NotHello { found }));
        assert_eq!(server.transmit(NOW), []);
    }
    // Nor an answer to a HELLO that was not said.
    for found in [MsgType::CAPS, MsgType::HELLO] {
        let mut server = End::new(config(Side::Server), Plain, NOW);
        let mut header = FrameHeader::new(found, 0, 1);
        header.in_reply_to = 9;
        server.receive(NOW, &frame(Dialect::SPEC, &header, Flags::NONE, b"{}"));
        assert_eq!(server.closed(), Some(CloseReason::NotHello { found }));
    }
    // And of a server no HELLO that answers nothing.
    let mut client = End::new(config(Side::Client), Plain, NOW);
    let header = FrameHeader::new(MsgType::HELLO, 0, 1);
    client.receive(NOW, &frame(Dialect::SPEC, &header, Flags::NONE, br#"{"codecs":[1]}"#));
    assert_eq!(client.closed(), Some(CloseReason::NotHello { found: MsgType::HELLO }));
}

#[test]
fn the_number_of_caps_is_taken_for_the_answer_as_well() {
    let mut client = End::new(config(Side::Client), Plain, NOW);
    let mut header = FrameHeader::new(MsgType::CAPS, 0, 1);
    header.in_reply_to = 1;
    client.receive(NOW, &frame(Dialect::SPEC, &header, Flags::NONE, br#"{"codecs":[1]}"#));
    assert_eq!(client.take_events(), [Event::Connected]);
}

#[test]
fn what_is_no_frame_or_no_hello_closes_and_is_not_answered() {
    type Check = fn(&CloseReason) -> bool;
    let hello =
        |body: &[u8]| frame(Dialect::SPEC, &FrameHeader::new(MsgType::HELLO, 0, 1), Flags::NONE, body);
    let mut damaged = hello(br#"{"codecs":[1]}"#);
    *damaged.last_mut().unwrap() ^= 1;
    let mut bad_header = hello(b"{}");
    bad_header[8] = 0xFF;
    let cases: [(Vec<u8>, Check); 6] = [
        (b"GET / HTTP/1.1\r\n".to_vec(), |reason| {
            matches!(reason, CloseReason::Frame(FrameError::BadMagic { .. }))
        }),
        (hello(b"[]"), |reason| *reason == CloseReason::BadHello { len: 2 }),
        (hello(b""), |reason| *reason == CloseReason::BadHello { len: 0 }),
        (hello(&[b' '; 600]), |reason| *reason == CloseReason::BadHello { len: 600 }),
        (damaged, |reason| matches!(reason, CloseReason::Checksum { .. })),
        (bad_header, |reason| matches!(reason, CloseReason::Header(_))),
    ];
    for (bytes, check) in cases {
        let mut server = End::new(config(Side::Server), Plain, NOW);
        server.receive(NOW, &bytes);
        let reason = server.closed().unwrap();
        assert!(check(&reason), "{reason}");
        assert_eq!(server.transmit(NOW), []);
    }
}

#[test]
fn another_major_version_is_refused_in_so_many_words_and_closed() {
    for version in [0x10, 0x12, 0xF0] {
        let mut server = End::new(config(Side::Server), Plain, NOW);
        let mut hello = frame(Dialect::SPEC, &FrameHeader::new(MsgType::HELLO, 0, 1), Flags::NONE, b"{}");
        hello[4] = version;
        server.receive(NOW, &hello);
        let (major, minor) = (version >> 4, version & 0xF);
        assert_eq!(server.closed(), Some(CloseReason::Version { major, minor }));
        let refusal = server.transmit(NOW);
        let nack = Nack::read(CodecId::JSON, &frames(Dialect::SPEC, &refusal)[0].body).unwrap();
        assert_eq!(nack.code, ErrorCode::ERR_VERSION_UNSUPPORTED);
        // A client understands it.
        let mut client = End::new(config(Side::Client), Plain, NOW);
        client.receive(NOW, &refusal);
        assert_eq!(client.closed(), Some(CloseReason::Version { major: 0, minor: 2 }));
    }
    // Another minor version is spoken with.
    let mut server = End::new(config(Side::Server), Plain, NOW);
    let mut hello =
        frame(Dialect::SPEC, &FrameHeader::new(MsgType::HELLO, 0, 1), Flags::NONE, br#"{"codecs":[1]}"#);
    hello[4] = 0x0F;
    server.receive(NOW, &hello);
    assert_eq!(server.take_events(), [Event::Connected]);
}

#[test]
fn hello_said_again_changes_nothing() {
    let mut pair = Pair::usual();
    let hello = FrameHeader::new(MsgType::HELLO, 0, 9);
    pair.server.receive(pair.now, &frame(Dialect::SPEC, &hello, Flags::NONE, br#"{"codecs":[]}"#));
    let mut caps = FrameHeader::new(MsgType::CAPS, 0, 9);
    caps.in_reply_to = 1;
    pair.client.receive(pair.now, &frame(Dialect::SPEC, &caps, Flags::NONE, br#"{"codecs":[]}"#));
    assert_eq!((pair.server.transmit(pair.now), pair.client.transmit(pair.now)), (Vec::new(), Vec::new()));
    assert_eq!(pair.client.connection.agreed().unwrap().codecs, [CodecId::JSON]);
    talk(&mut pair);
}

#[test]
fn nothing_is_sent_before_the_handshake_is_over() {
    let mut client = End::new(config(Side::Client), Plain, NOW);
    let header = FrameHeader::new(MsgType::DATA, 1, 0);
    let refused = client.try_send(&header, Flags::NONE, b"early");
    assert_eq!(refused, Err(super::super::SendError::NotOpen));
    assert_eq!(client.connection.ping(), None);
    assert_eq!(client.connection.agreed(), None);
    let sent = frames(Dialect::SPEC, &client.transmit(NOW));
    assert_eq!(sent.len(), 1);
}
