//! Two ends of a connection between which anything may be slipped in: what they promise holds all the same.

mod end;
mod forge;

use std::time::Duration;

use strait_core::time::Instant;
use strait_core::xcp::connection::{Config, Knobs, Retry, Side};
use strait_core::xcp::{CodecId, Dialect, ErrorCode, Flags};

use crate::bytes::Bytes;
use end::End;

/// Most steps of one input.
const STEPS: usize = 400;
/// Longest frame that either end takes.
const MAX_FRAME: u32 = 256;

/// Plays the steps that `data` stand for.
pub fn xcp_pair(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let mut play = Play::new(bytes.u8());
    for _ in 0..STEPS {
        if bytes.is_empty() {
            break;
        }
        play.step(&mut bytes);
    }
    play.end();
}

/// Two ends, and the bytes on their way to each.
struct Play {
    ends: [End; 2],
    wires: [Vec<u8>; 2],
    now: Instant,
}

fn config(side: Side, kind: u8) -> Config {
    let python = kind & 1 != 0 && side == Side::Client;
    Config {
        knobs: if python { Knobs::from(Dialect::PYTHON) } else { Knobs::AUTO },
        codecs: [CodecId::JSON, CodecId::PROTOBUF].into_iter().collect(),
        max_frame: MAX_FRAME,
        max_frame_strict: 1024,
        max_message: 600,
        max_in_flight: 900,
        features: if kind & 2 == 0 { Flags::ALL } else { Flags::LARGE },
        message_age: Duration::from_secs(1),
        keep_alive: (kind & 4 == 0).then_some(Duration::from_secs(2)),
        idle_timeout: (kind & 4 == 0).then_some(Duration::from_secs(5)),
        retry: Retry {
            timeout: Duration::from_millis(500),
            base: Duration::from_millis(50),
            max: Duration::from_millis(100),
            attempts: 2,
        },
        ..Config::new(side)
    }
}

impl Play {
    fn new(kind: u8) -> Self {
        let now = Instant::from_nanos(1);
        let ends = [Side::Client, Side::Server].map(|side| End::new(config(side, kind), now));
        let mut play = Self { ends, wires: [Vec::new(), Vec::new()], now };
        if kind & 8 == 0 {
            for _ in 0..4 {
                play.send(0);
                play.deliver(1, usize::MAX);
                play.send(1);
                play.deliver(0, usize::MAX);
            }
            assert!(play.ends.iter().all(|end| end.connection.is_open()));
        }
        play
    }

    fn step(&mut self, bytes: &mut Bytes<'_>) {
        let what = bytes.u8();
        let to = usize::from(what >> 7);
        let end = &mut self.ends[to];
        match what % 20 {
            0 | 1 => end.begin(bytes),
            2..=4 => end.extend(bytes),
            5 => end.cancel(bytes),
            6 => drop(end.connection.ping()),
            7 => end.verdict = bytes.u8() % 4,
            8 => end.refuse_unfinished(self.now, bytes.u8()),
            9 => end.consume(bytes),
            10 => {
                self.now = self.now.saturating_add(Duration::from_millis(u64::from(bytes.u8()) * 8));
                self.ends.iter_mut().for_each(|end| end.handle_timeout(self.now));
            }
            11..=13 => self.send(to),
            14 => self.deliver(to, usize::from(bytes.u8())),
            15 => self.deliver(to, usize::MAX),
            16 | 17 => {
                let frame = forge::frame(bytes, self.ends[to].connection.dialect());
                self.wires[to].extend_from_slice(&frame);
            }
            18 => {
                let wire = &mut self.wires[to];
                let at = usize::from(bytes.u16()) % wire.len().max(1);
                if let Some(byte) = wire.get_mut(at) {
                    *byte ^= bytes.u8();
                }
            }
            _ => match bytes.u8() % 16 {
                0 => end.handle_eof(),
                1 => end.close(),
                2 => {
                    let junk: Vec<u8> = (0..bytes.u8() % 16).map(|_| bytes.u8()).collect();
                    self.wires[to].extend_from_slice(&junk);
                }
                _ => self.wires[to].truncate(usize::from(bytes.u8())),
            },
        }
        self.ends.iter_mut().for_each(|end| end.check(self.now));
    }

    /// All that an end has to send goes to the other.
    fn send(&mut self, from: usize) {
        let sent = self.ends[from].transmit(self.now);
        self.wires[1 - from].extend_from_slice(&sent);
    }

    fn deliver(&mut self, to: usize, most: usize) {
        let wire = &mut self.wires[to];
        let bytes: Vec<u8> = wire.drain(..most.min(wire.len())).collect();
        self.ends[to].receive(self.now, &bytes);
    }

    /// In the end both come to rest: whatever was begun is finished, dropped or over.
    fn end(mut self) {
        for end in &mut self.ends {
            end.verdict = 0;
            end.finish_all();
        }
        for _ in 0..200 {
            for from in [0, 1] {
                self.send(from);
                self.deliver(1 - from, usize::MAX);
            }
            self.now = self.now.saturating_add(Duration::from_millis(100));
            self.ends.iter_mut().for_each(|end| end.handle_timeout(self.now));
            self.ends.iter_mut().for_each(|end| end.check(self.now));
        }
        for end in &mut self.ends {
            assert!(end.connection.is_closed() || end.connection.in_flight() == 0 || end.is_inside_a_frame());
            end.close();
            assert_eq!(end.connection.poll_timeout(), None);
            end.refuse_all(self.now, ErrorCode::ERR_BUSY);
        }
    }
}
