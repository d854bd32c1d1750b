//! Every hostile peer at once beside honest clients: the clients are served, and the server's memory stays bounded.

use std::io::Write as _;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use strait::xcp::{CloseReason, Dialect, Ether, Flags, FrameHeader, MsgType, OCTETS, Options, Psk};
use strait_tests::Peer;

use crate::home::{runtime, served};
use crate::hostile::bomb;
use crate::proxy::{From, between};
use crate::raw::{Raw, abilities, data, frame, head, hello_frame, ping, text};

const SPEC: Dialect = Dialect::SPEC;
/// Rounds of each hostile peer, unless `STRAIT_TEST_ROUNDS` says how many; of the slow one fewer.
const ROUNDS: u64 = 6;
/// Connections of each honest client, and requests on each.
const HONEST: u64 = 4;
const REQUESTS: u64 = 200;

/// What the server of `strait-test-xcp-peer` may hold for one connection: messages that came in part (2 MiB), one that is
/// being unpacked (1 MiB), those that wait and those that are being answered and their answers (512 KiB each, and half of
/// a longest message more).
const CONNECTION_KIB: u64 = (2 + 1 + 3) << 10;
/// What else the process takes.
const REST_KIB: u64 = 64 << 10;
/// Hostile peers that are there at once.
const HOSTILE: [fn(&str); 10] =
    [bombs, unfinished, endless, huge, pings, stalled, slow, garbage, many_small, bytewise];

/// Which of them waits for long.
const SLOW: usize = 6;

/// Writes until the peer is gone, or all is written.
fn pour(raw: &mut Raw, frames: impl Iterator<Item = Vec<u8>>) {
    for frame in frames {
        if raw.stream.write_all(&frame).is_err() {
            return;
        }
    }
}

fn bombs(address: &str) {
    let mut raw = Raw::ready(address);
    let (large, small) = (bomb(4 << 30), bomb(1 << 20));
    pour(&mut raw, (2..6).map(|msg_id| frame(SPEC, &data(1, msg_id), Flags::COMP, &large)));
    // Of these each one is as long as messages may be, and hundreds are in one read.
    pour(&mut raw, (6..206).map(|msg_id| frame(SPEC, &data(1, msg_id), Flags::COMP, &small)));
    raw.half_close();
    raw.rest();
}

fn unfinished(address: &str) {
    let mut raw = Raw::ready(address);
    let chunk = vec![7; 20_000];
    pour(
        &mut raw,
        (1..=300).map(|channel| frame(SPEC, &data(channel, u64::from(channel)), Flags::MORE, &chunk)),
    );
    raw.half_close();
    raw.rest();
}

fn endless(address: &str) {
    let mut raw = Raw::ready(address);
    let chunk = frame(SPEC, &data(1, 2), Flags::MORE, &[7; 100_000]);
    pour(&mut raw, (0..50).map(|_| chunk.clone()));
}

fn huge(address: &str) {
    let mut raw = Raw::connect(address, SPEC);
    // A HELLO that is not one, and as long as a first frame may be, but for its end.
    let hello = head(SPEC, &FrameHeader::new(MsgType::HELLO, 0, 1), Flags::NONE, (1 << 20) - 100);
    pour(&mut raw, [hello, vec![b' '; 1 << 20]].into_iter());
    let mut raw = Raw::ready(address);
    pour(&mut raw, [head(SPEC, &data(1, 2), Flags::LARGE, u64::MAX), vec![0; 1 << 20]].into_iter());
}

fn pings(address: &str) {
    let mut raw = Raw::ready(address);
    pour(&mut raw, (0..20_000).map(|nonce| ping(SPEC, nonce + 2, nonce)));
}

fn stalled(address: &str) {
    let mut raw = Raw::ready(address);
    let body = text(&"x".repeat(50_000));
    pour(&mut raw, (2..2000).map(|msg_id| frame(SPEC, &data(1, msg_id), Flags::NONE, &body)));
}

fn slow(address: &str) {
    let hello = hello_frame(SPEC, &abilities());
    for said in [0, 1, hello.len() - 1] {
        let mut raw = Raw::connect(address, SPEC);
        pour(&mut raw, hello[..said].iter().map(|byte| vec![*byte]));
        // Two seconds later.
        raw.rest();
    }
}

fn garbage(address: &str) {
    let mut raw = Raw::ready(address);
    let mut damaged = frame(SPEC, &data(1, 2), Flags::NONE, &[7; 1000]);
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    pour(&mut raw, (0..500).map(|_| damaged.clone()));
    pour(&mut raw, std::iter::once(vec![0xA5; 100_000]));
}

fn many_small(address: &str) {
    let mut raw = Raw::ready(address);
    // Never to be answered: nobody waits for answers to such.
    let body = br#"{"kind":"a","schema_version":1}"#;
    pour(&mut raw, (2..20_000).map(|msg_id| frame(SPEC, &data(1, msg_id), Flags::NONE, body)));
}

/// Keeps every rule, one byte at a time.
fn bytewise(address: &str) {
    let mut raw = Raw::connect(address, SPEC);
    let hello = hello_frame(SPEC, &abilities());
    let requests = (2..12).map(|msg_id| frame(SPEC, &data(1, msg_id), Flags::NONE, &text("byte by byte")));
    for frame in std::iter::once(hello).chain(requests) {
        pour(&mut raw, frame.into_iter().map(|byte| vec![byte]));
        raw.next();
    }
}

/// Somebody in between who has recorded a sealed message, and sends it again much later: the same nonce once more.
fn replays(address: &str) {
    let mut recorded = None;
    let address = between(address, move |frame| {
        if frame.from == From::Server || frame.number == 0 {
            return Some(vec![frame]);
        }
        let first = recorded.get_or_insert_with(|| frame.clone()).clone();
        let late = frame.number > 300;
        Some(if late { vec![frame, first] } else { vec![frame] })
    });
    runtime().block_on(async {
        let client = Options::new().encrypt(Psk::new([7; 32])).connect(&address).await.expect("connects");
        let mut asked = 0;
        while let Ok(answer) = client.request(&Ether::text("recorded")).await {
            assert_eq!(answer.ether().expect("an ether").as_text(), Ok("recorded"));
            asked += 1;
            assert!(asked < 1000, "replays are borne for ever");
        }
        assert!(asked >= 300, "{asked}");
        let reason = client.closed().await;
        assert!(matches!(reason, CloseReason::Peer | CloseReason::Truncated), "{reason:?}");
    });
}

/// An honest client: many requests on each of some connections, all of which are answered.
async fn ask(address: &str, byte: u8) {
    for _ in 0..HONEST {
        served(address).await;
        let client = Options::new().connect(address).await.expect("connects");
        for number in 0..REQUESTS {
            let body = vec![byte; 1000 * usize::try_from(number).expect("fits")];
            let answer = client.request_body(OCTETS, body.clone()).await;
            let answer = answer.unwrap_or_else(|error| panic!("request {number}: {error}"));
            let ether = answer.ether().expect("an ether");
            assert!(ether.attachments[0].inline_bytes.as_deref() == Some(&body[..]));
        }
    }
}

fn memory(peer: &mut Peer) -> (u64, u64) {
    let answer = peer.ok("memory");
    let (most, now) = answer.split_once(' ').expect("two numbers");
    (most.parse().expect("KiB"), now.parse().expect("KiB"))
}

#[cfg(target_os = "linux")]
#[test]
fn honest_clients_are_served_beside_every_hostile_peer_and_memory_stays_bounded() {
    let mut peer = Peer::start(&mut Command::new(env!("CARGO_BIN_EXE_strait-test-xcp-peer")));
    let addresses = peer.answer_ok();
    let (address, sealed) = addresses.split_once(' ').expect("two addresses");
    let (address, sealed) = (address.to_owned(), sealed.to_owned());
    let rounds =
        std::env::var("STRAIT_TEST_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(ROUNDS);
    let failed = Arc::new(AtomicBool::new(false));
    let mut threads = Vec::new();
    let plain = HOSTILE.map(|hostile| (hostile, &address));
    for (at, (hostile, address)) in plain.into_iter().chain([(replays as fn(&str), &sealed)]).enumerate() {
        let (address, failed) = (address.clone(), failed.clone());
        threads.push(thread::spawn(move || {
            let rounds = if at == SLOW { rounds.min(2) } else { rounds };
            for _ in 0..rounds {
                if failed.load(Ordering::Relaxed) {
                    return;
                }
                hostile(&address);
            }
        }));
    }
    for honest in 0..2_u8 {
        let (address, failed) = (address.clone(), failed.clone());
        threads.push(thread::spawn(move || {
            let ask = || runtime().block_on(ask(&address, honest));
            if let Err(panic) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(ask)) {
                failed.store(true, Ordering::Relaxed);
                std::panic::resume_unwind(panic);
            }
        }));
    }
    for thread in threads {
        thread.join().expect("did not panic");
    }
    let (most, now) = memory(&mut peer);
    let bound = REST_KIB + (HOSTILE.len() as u64 + 1 + 2) * CONNECTION_KIB;
    eprintln!("server: at most {most} KiB, {now} KiB at the end; the bound is {bound} KiB");
    assert!(most > 0 && most < bound, "{most} KiB, bound {bound} KiB");
    assert!(peer.exit().success());
}
