//! What a peer without rules can do to a server: end its own connection, and nothing else.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use strait::xcp::{Dialect, ErrorCode, Ether, Flags, FrameHeader, MsgType, Options};
use strait_core::xcp::control::Ping;
use strait_core::xcp::numbers::VERSION;

use crate::home::Home;
use crate::raw::{self, Raw, abilities, data, frame, head, hello_frame, text};

const SPEC: Dialect = Dialect::SPEC;

/// A server that echoes, a raw peer that shook hands.
fn meet(options: &Options) -> (Home, Raw) {
    let home = Home::echo(options);
    let raw = Raw::ready(&home.address);
    (home, raw)
}

/// The answer to a text is that text.
#[track_caller]
fn answers(raw: &mut Raw, msg_id: u64) {
    raw.send(&data(1, msg_id), Flags::NONE, &text("hello"));
    let answer = raw.next();
    assert_eq!((answer.header.msg_type, answer.header.in_reply_to), (MsgType::DATA, msg_id), "{answer:?}");
    assert!(String::from_utf8_lossy(&answer.body).contains("hello"));
}

/// A zstd frame that says nothing of its size: blocks of one byte and how often it comes.
pub(crate) fn bomb(len: u64) -> Vec<u8> {
    const BLOCK: u64 = 128 << 10;
    // No content size, no checksum, a window of 1 MiB.
    let mut out = vec![0x28, 0xB5, 0x2F, 0xFD, 0x00, 10 << 3];
    let mut left = len;
    while left > 0 {
        let block = left.min(BLOCK);
        left -= block;
        let word = u32::from(left == 0) | 1 << 1 | u32::try_from(block).expect("a block") << 3;
        out.extend_from_slice(&word.to_le_bytes()[..3]);
        out.push(0);
    }
    out
}

#[test]
fn a_peer_that_writes_byte_by_byte_is_understood() {
    let home = Home::echo(&Options::new());
    let mut raw = Raw::connect(&home.address, SPEC);
    let hello = hello_frame(SPEC, &abilities());
    let request = frame(SPEC, &data(1, 2), Flags::NONE, &text("slowly"));
    for byte in hello.iter().chain(&request) {
        raw.write(&[*byte]);
    }
    assert_eq!(raw.next().header.msg_type, MsgType::HELLO);
    assert_eq!(raw.next().header.in_reply_to, 2);
    home.serves();
}

#[test]
fn a_frame_that_says_it_is_endless_is_refused_before_it_comes() {
    for len in [u64::from(u32::MAX), 1 << 32, 1 << 63, u64::MAX] {
        let (home, mut raw) = meet(&Options::new());
        let flags = if len < 1 << 32 { Flags::NONE } else { Flags::LARGE };
        raw.write(&head(SPEC, &data(1, 2), flags, len));
        let frames = raw.rest();
        assert_eq!(frames[0].nack(), (2, ErrorCode::ERR_MESSAGE_TOO_LARGE), "{len}");
        assert_eq!(frames.len(), 1);
        home.serves();
    }
}

#[test]
fn a_first_frame_that_says_it_is_endless_ends_the_connection() {
    let home = Home::echo(&Options::new());
    for len in [1 << 31, u64::MAX] {
        let mut raw = Raw::connect(&home.address, SPEC);
        raw.write(&head(SPEC, &FrameHeader::new(MsgType::HELLO, 0, 1), Flags::LARGE, len));
        assert!(raw.rest().is_empty());
    }
    home.serves();
}

#[test]
fn a_message_that_unpacks_to_four_gigabytes_is_refused_and_the_next_one_is_not() {
    let (home, mut raw) = meet(&Options::new());
    let bomb = bomb(4 << 30);
    for (at, msg_id) in (2..8).enumerate() {
        raw.send(&data(1, msg_id), Flags::COMP, &bomb);
        assert_eq!(raw.next().nack(), (msg_id, ErrorCode::ERR_MESSAGE_TOO_LARGE), "bomb {at}");
    }
    raw.send(&data(1, 8), Flags::COMP, b"no zstd");
    assert_eq!(raw.next().nack(), (8, ErrorCode::ERR_MALFORMED));
    answers(&mut raw, 9);
    home.serves();
}

#[test]
fn a_message_that_never_ends_is_refused_and_who_goes_on_is_gone() {
    let (home, mut raw) = meet(&Options::new().max_message_len(100_000));
    let chunk = frame(SPEC, &data(1, 2), Flags::MORE, &[7; 30_000]);
    for _ in 0..4 {
        raw.write(&chunk);
    }
    assert_eq!(raw.next().nack(), (2, ErrorCode::ERR_MESSAGE_TOO_LARGE));
    // Some of it was under way already, and is forgiven.
    raw.write(&chunk);
    answers_on(&mut raw, 2, 3);
    let mut taken = 0;
    while raw.stream.write_all(&chunk).is_ok() {
        taken += 1;
        assert!(taken < 100_000, "the server takes all of it");
    }
    home.serves();
}

/// The same on another channel.
#[track_caller]
fn answers_on(raw: &mut Raw, channel: u32, msg_id: u64) {
    raw.send(&data(channel, msg_id), Flags::NONE, &text("hello"));
    let answer = raw.next();
    assert_eq!((answer.header.channel, answer.header.in_reply_to), (channel, msg_id), "{answer:?}");
}

#[test]
fn a_damaged_frame_is_named_and_the_rest_goes_on() {
    let (home, mut raw) = meet(&Options::new());
    let mut damaged = frame(SPEC, &data(1, 2), Flags::NONE, &text("damaged"));
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    raw.write(&damaged);
    assert_eq!(raw.next().nack(), (2, ErrorCode::ERR_CRC_MISMATCH));
    // In the middle of a message in pieces, too: what follows of it is no message.
    raw.send(&data(1, 3), Flags::MORE, &[b' '; 100]);
    let mut damaged = frame(SPEC, &data(1, 3), Flags::MORE, &[b' '; 100]);
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    raw.write(&damaged);
    assert_eq!(raw.next().nack(), (3, ErrorCode::ERR_CRC_MISMATCH));
    raw.send(&data(1, 3), Flags::NONE, &text("the rest"));
    answers(&mut raw, 4);
    let mut ping = raw::ping(SPEC, 5, 9);
    let last = ping.len() - 1;
    ping[last] ^= 1;
    raw.write(&ping);
    assert_eq!(raw.next().nack(), (5, ErrorCode::ERR_CRC_MISMATCH));
    answers(&mut raw, 6);
    home.serves();
}

#[test]
fn a_peer_that_says_half_a_hello_is_gone_after_a_while() {
    let options = Options::new().handshake_timeout(Duration::from_millis(50));
    let home = Home::echo(&options);
    let hello = hello_frame(SPEC, &abilities());
    for said in [0, 1, 8, 30, hello.len() - 1] {
        let mut raw = Raw::connect(&home.address, SPEC);
        raw.write(&hello[..said]);
        assert!(raw.rest().is_empty(), "{said} bytes");
    }
    // One that keeps talking all the time is gone as well.
    let mut raw = Raw::connect(&home.address, SPEC);
    raw.write(&head(SPEC, &FrameHeader::new(MsgType::HELLO, 0, 1), Flags::NONE, 1 << 20));
    while raw.stream.write_all(b" ").is_ok() {}
}

#[test]
fn a_peer_that_asks_and_never_reads_is_gone_after_a_while() {
    let options = Options::new().write_timeout(Duration::from_millis(100)).max_queued(1 << 20);
    let (home, mut raw) = meet(&options);
    let body = text(&"x".repeat(60_000));
    let mut msg_id = 2;
    loop {
        let request = frame(SPEC, &data(1, msg_id), Flags::NONE, &body);
        if raw.stream.write_all(&request).is_err() {
            break;
        }
        msg_id += 1;
        assert!(msg_id < 100_000, "the server takes all of it and sends nothing");
        if msg_id % 50 == 0 {
            home.serves();
        }
    }
    home.serves();
}

#[test]
fn a_peer_with_more_unfinished_messages_than_there_is_room_for_is_gone() {
    let (home, mut raw) = meet(&Options::new());
    for channel in 1..=256 {
        raw.send(&data(channel, u64::from(channel)), Flags::MORE, b"{");
    }
    // All of them are held, and others come through.
    raw.write(&raw::ping(SPEC, 1000, 1));
    assert_eq!(raw.next().header.msg_type, MsgType::PONG);
    for channel in 257..3000_u32 {
        let frame = frame(SPEC, &data(channel, u64::from(channel)), Flags::MORE, b"{");
        if raw.stream.write_all(&frame).is_err() {
            break;
        }
    }
    let frames = raw.rest();
    if let Some(first) = frames.first() {
        assert_eq!(first.nack(), (257, ErrorCode::ERR_BUSY));
    }
    home.serves();
}

#[test]
fn ten_thousand_pings_at_once_are_all_answered_in_order() {
    let (home, mut raw) = meet(&Options::new());
    let mut writer = raw.stream.try_clone().expect("a socket");
    let writing = thread::spawn(move || {
        let pings: Vec<u8> = (0..10_000).flat_map(|nonce| raw::ping(SPEC, nonce + 2, nonce)).collect();
        writer.write_all(&pings).expect("the server reads");
    });
    for nonce in 0..10_000 {
        let pong = raw.next();
        assert_eq!((pong.header.msg_type, pong.header.in_reply_to), (MsgType::PONG, nonce + 2));
        assert_eq!(Ping::read(pong.header.codec, &pong.body), Some(Ping { nonce }));
    }
    writing.join().expect("did not panic");
    home.serves();
}

#[test]
fn pings_that_nobody_reads_the_answers_of_end_the_connection() {
    let (home, mut raw) = meet(&Options::new().write_timeout(Duration::from_millis(100)));
    let pings: Vec<u8> = (0..1000).flat_map(|nonce| raw::ping(SPEC, nonce + 2, nonce)).collect();
    let mut rounds = 0;
    while raw.stream.write_all(&pings).is_ok() {
        rounds += 1;
        assert!(rounds < 10_000, "the server answers into nowhere");
    }
    home.serves();
}

#[test]
fn a_second_hello_changes_nothing() {
    let (home, mut raw) = meet(&Options::new());
    let mut less = abilities();
    less.codecs.clear();
    raw.write(&hello_frame(SPEC, &less));
    answers(&mut raw, 3);
    home.serves();
}

#[test]
fn noise_ends_the_connection_wherever_it_begins() {
    let home = Home::echo(&Options::new());
    let noise: Vec<u8> = (0..4096_u32).map(|at| (at.wrapping_mul(0x9E37_79B9) >> 24) as u8).collect();
    let mut raw = Raw::connect(&home.address, SPEC);
    let _ = raw.stream.write_all(&noise);
    assert!(raw.rest().is_empty());
    let mut raw = Raw::ready(&home.address);
    let _ = raw.stream.write_all(&noise);
    assert!(raw.rest().is_empty());
    let mut raw = Raw::connect(&home.address, SPEC);
    let _ = raw.stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(raw.rest().is_empty());
    home.serves();
}

#[test]
fn another_version_is_told_so() {
    let home = Home::echo(&Options::new());
    let mut raw = Raw::connect(&home.address, SPEC);
    let mut hello = hello_frame(SPEC, &abilities());
    assert_eq!(hello[4], VERSION);
    hello[4] = 0x10;
    raw.write(&hello);
    assert_eq!(raw.next().nack(), (0, ErrorCode::ERR_VERSION_UNSUPPORTED));
    assert!(raw.rest().is_empty());
    home.serves();
}

#[test]
fn anything_but_hello_at_first_ends_the_connection() {
    let home = Home::echo(&Options::new());
    for first in [
        raw::ping(SPEC, 1, 1),
        frame(SPEC, &data(1, 1), Flags::NONE, &text("hello")),
        frame(SPEC, &FrameHeader::new(MsgType::CAPS, 0, 1), Flags::NONE, b"{}"),
        frame(SPEC, &FrameHeader::new(MsgType::HELLO, 0, 1), Flags::NONE, b"no object"),
    ] {
        let mut raw = Raw::connect(&home.address, SPEC);
        raw.write(&first);
        assert!(raw.rest().is_empty());
    }
    home.serves();
}

#[test]
fn a_peer_that_ends_its_half_is_answered_no_more() {
    let (home, mut raw) = meet(&Options::new());
    answers(&mut raw, 2);
    raw.half_close();
    assert!(raw.rest().is_empty());
    // Inside a frame.
    let mut raw = Raw::ready(&home.address);
    raw.write(&head(SPEC, &data(1, 2), Flags::NONE, 100));
    raw.half_close();
    assert!(raw.rest().is_empty());
    home.serves();
}

/// A conversation: HELLO, a request, one in two chunks, PING.
fn conversation() -> Vec<u8> {
    let body = text("in two");
    [
        hello_frame(SPEC, &abilities()),
        frame(SPEC, &data(1, 2), Flags::NONE, &text("one")),
        frame(SPEC, &data(2, 3), Flags::MORE, &body[..10]),
        frame(SPEC, &data(2, 3), Flags::NONE, &body[10..]),
        raw::ping(SPEC, 4, 1),
    ]
    .concat()
}

#[test]
fn a_peer_may_vanish_after_any_byte() {
    let home = Home::echo(&Options::new());
    let conversation = conversation();
    let address = home.address.strip_prefix("tcp://").expect("TCP").to_owned();
    for said in 0..=conversation.len() {
        let mut stream = TcpStream::connect(&address).expect("connects");
        stream.write_all(&conversation[..said]).expect("the server reads");
        if said % 2 == 0 {
            // A close that takes back what was not read: RST.
            let _runtime = home.runtime.enter();
            stream.set_nonblocking(true).expect("a socket");
            let stream = tokio::net::TcpStream::from_std(stream).expect("a socket");
            #[expect(deprecated, reason = "it blocks only if the time is not zero")]
            stream.set_linger(Some(Duration::ZERO)).expect("a socket");
        }
        if said % 100 == 0 {
            home.serves();
        }
    }
    home.serves();
}

#[test]
fn a_header_that_cannot_be_read_costs_its_message_alone() {
    let (home, mut raw) = meet(&Options::new());
    let mut broken = frame(SPEC, &data(1, 2), Flags::NONE, &text("lost"));
    // The pointer of the root: somewhere else.
    broken[16..20].copy_from_slice(&[0xFC, 0xFF, 0xFF, 0x7F]);
    raw.write(&broken);
    assert_eq!(raw.next().nack(), (0, ErrorCode::ERR_MALFORMED));
    answers(&mut raw, 3);
    // A header of any length that is said.
    let mut long = Raw::ready(&home.address);
    long.write(&[0x10, 0x7A, 0xA1, 0xA9, 2, 0, 0xFF, 0xFF]);
    assert!(long.rest().is_empty());
    home.serves();
}

#[test]
fn acks_and_nacks_of_what_was_never_sent_are_nothing() {
    let (home, mut raw) = meet(&Options::new());
    for msg_id in 0..2000 {
        for (msg_type, body) in [
            (MsgType::ACK, format!(r#"{{"msg_id":{msg_id}}}"#)),
            (MsgType::NACK, format!(r#"{{"msg_id":{msg_id},"error_code":3,"retry_after_ms":5}}"#)),
            (MsgType::PONG, format!(r#"{{"nonce":{msg_id}}}"#)),
        ] {
            raw.send(&FrameHeader::new(msg_type, 0, 10_000 + msg_id), Flags::NONE, body.as_bytes());
        }
    }
    answers(&mut raw, 3);
    home.serves();
}

#[test]
fn a_message_that_comes_twice_is_answered_once() {
    let (home, mut raw) = meet(&Options::new());
    answers(&mut raw, 2);
    raw.send(&data(1, 2), Flags::NONE, &text("again"));
    answers(&mut raw, 3);
    home.serves();
}

#[test]
fn every_request_of_a_flood_that_is_refused_is_told_so() {
    let home = Home::serving(&Options::new(), |_: Ether| async { Err(ErrorCode::ERR_KIND_MISMATCH) });
    let mut raw = Raw::ready(&home.address);
    let mut writer = raw.stream.try_clone().expect("a socket");
    let writing = thread::spawn(move || {
        for msg_id in 2..3002 {
            let request = frame(SPEC, &data(1, msg_id), Flags::NONE, &text("no?"));
            writer.write_all(&request).expect("the server reads");
        }
    });
    let mut refused: Vec<u64> = (2..3002).map(|_| raw.next().nack().0).collect();
    refused.sort_unstable();
    assert!(refused.into_iter().eq(2..3002));
    writing.join().expect("did not panic");
}

#[test]
fn a_long_control_frame_is_refused_and_the_rest_goes_on() {
    let (home, mut raw) = meet(&Options::new());
    raw.send(&FrameHeader::new(MsgType::PING, 0, 2), Flags::NONE, &[b' '; 100_000]);
    assert_eq!(raw.next().nack(), (2, ErrorCode::ERR_MESSAGE_TOO_LARGE));
    answers(&mut raw, 3);
    let mut rest = [0; 1];
    raw.half_close();
    assert_eq!(raw.stream.read(&mut rest).unwrap_or(0), 0);
    home.serves();
}
