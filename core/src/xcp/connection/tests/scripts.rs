//! Does every message that is accepted come once, whole and in its order, whatever users and transport do?

use core::time::Duration;
use std::collections::BTreeMap;
use std::vec::Vec;

use proptest::prelude::*;

use super::super::super::control::Extensions;
use super::super::super::dialect::Dialect;
use super::super::super::header::FrameHeader;
use super::super::super::numbers::{ErrorCode, Flags, MsgType};
use super::super::super::tags::Tags;
use super::super::{Begun, Config, Event, Knobs, Side};
use super::{Delivered, End, Pair, TO_SERVER, Verdict, config};

/// What users and transport do.
#[derive(Clone, Debug)]
enum Op {
    Begin {
        from: usize,
        channel: u32,
        reliable: bool,
        refused: bool,
    },
    Extend {
        from: usize,
        which: usize,
        len: usize,
        ended: bool,
    },
    Cancel {
        from: usize,
        which: usize,
    },
    Ping {
        from: usize,
    },
    /// One frame goes out, if there is one.
    Frame {
        from: usize,
    },
    /// Pieces of so many bytes are delivered, so many times.
    Deliver {
        piece: usize,
        times: usize,
    },
    Advance {
        millis: u64,
    },
}

fn op() -> impl Strategy<Value = Op> {
    let (from, which) = (0..2_usize, 0..8_usize);
    prop_oneof![
        4 => (from.clone(), 0..4_u32, any::<bool>(), proptest::bool::weighted(0.2))
            .prop_map(|(from, channel, reliable, refused)| Op::Begin { from, channel, reliable, refused }),
        8 => (from.clone(), which.clone(), 0..120_usize, any::<bool>())
            .prop_map(|(from, which, len, ended)| Op::Extend { from, which, len, ended }),
        1 => (from.clone(), which).prop_map(|(from, which)| Op::Cancel { from, which }),
        1 => from.clone().prop_map(|from| Op::Ping { from }),
        2 => from.prop_map(|from| Op::Frame { from }),
        4 => (1..200_usize, 1..20_usize).prop_map(|(piece, times)| Op::Deliver { piece, times }),
        1 => (0..500_u64).prop_map(|millis| Op::Advance { millis }),
    ]
}

/// A message as its user knows it.
#[derive(Debug)]
struct Sent {
    begun: Begun,
    channel: u32,
    number: u8,
    reliable: bool,
    refused: bool,
    len: usize,
    ended: bool,
    /// Taken back: before any of it was given out, or after.
    cancelled: Option<bool>,
}

impl Sent {
    /// The first byte says what becomes of it, the second which it is.
    fn byte(&self, at: usize) -> u8 {
        match at {
            0 => u8::from(self.refused),
            1 => self.number,
            at => (at * 7 + usize::from(self.number)).to_le_bytes()[0],
        }
    }

    fn body(&self) -> Vec<u8> {
        (0..self.len).map(|at| self.byte(at)).collect()
    }

    fn is_refused(&self) -> bool {
        self.refused && self.len > 0
    }
}

fn verdict(message: &Delivered) -> Verdict {
    match message.body.first() {
        Some(1) => Verdict::Refuse(ErrorCode::ERR_SCHEMA_UNKNOWN),
        _ => Verdict::Accept,
    }
}

struct Play {
    pair: Pair,
    sent: [Vec<Sent>; 2],
    pings: [Vec<u64>; 2],
}

impl Play {
    fn new(knobs: Knobs, max_frame: u32) -> Self {
        let each = |side| Config {
            knobs: if side == Side::Client { knobs } else { Knobs::AUTO },
            extensions: Extensions::CAPNP_PACKED,
            max_frame,
            keep_alive: None,
            idle_timeout: None,
            ..config(side)
        };
        let mut pair = Pair::connected(each(Side::Client), each(Side::Server));
        (pair.client.verdict, pair.server.verdict) = (verdict, verdict);
        Self { pair, sent: Default::default(), pings: Default::default() }
    }

    fn end(&mut self, from: usize) -> &mut End {
        if from == TO_SERVER { &mut self.pair.client } else { &mut self.pair.server }
    }

    fn play(&mut self, op: &Op) {
        match *op {
            Op::Begin { from, channel, reliable, refused } => {
                let mut header = FrameHeader::new(MsgType::DATA, channel, 0);
                if reliable {
                    header.tags.push(Tags::ACK, "1").expect("there is room");
                }
                let number = self.sent[from].len().to_le_bytes()[0];
                // No room for another, perhaps.
                let Ok(begun) = self.end(from).begin(&header, Flags::NONE) else { return };
                let (len, ended, cancelled) = (0, false, None);
                self.sent[from].push(Sent {
                    begun,
                    channel,
                    number,
                    reliable,
                    refused,
                    len,
                    ended,
                    cancelled,
                });
            }
            Op::Extend { from, which, len, ended } => self.extend(from, which, len, ended),
            Op::Cancel { from, which } => {
                let open = self.open(from);
                let Some(at) = open.get(which % open.len().max(1)).copied() else { return };
                let handle = self.sent[from][at].begun.handle;
                self.sent[from][at].cancelled = Some(self.end(from).connection.cancel(handle));
            }
            Op::Ping { from } => {
                let nonce = self.end(from).connection.ping();
                self.pings[from].extend(nonce);
            }
            Op::Frame { from } => {
                let now = self.pair.now;
                if let Some(frame) = self.end(from).transmit_one(now) {
                    self.pair.wires[from].put(&frame, false);
                }
            }
            Op::Deliver { piece, times } => {
                self.pair.piece = piece;
                for _ in 0..times {
                    self.pair.step();
                }
            }
            Op::Advance { millis } => self.pair.advance(Duration::from_millis(millis)),
        }
        for end in [&self.pair.client, &self.pair.server] {
            assert!(end.connection.in_flight() <= end.connection.config().max_in_flight);
        }
    }

    /// Messages that the user has not finished.
    fn open(&self, from: usize) -> Vec<usize> {
        let open = |at: &usize| !self.sent[from][*at].ended && self.sent[from][*at].cancelled.is_none();
        (0..self.sent[from].len()).filter(open).collect()
    }

    fn extend(&mut self, from: usize, which: usize, len: usize, ended: bool) {
        let open = self.open(from);
        let Some(at) = open.get(which % open.len().max(1)).copied() else { return };
        let sent = &self.sent[from][at];
        let (handle, bytes) =
            (sent.begun.handle, (sent.len..sent.len + len).map(|at| sent.byte(at)).collect::<Vec<u8>>());
        self.end(from).extend(handle, &bytes, ended).expect("there is room");
        let sent = &mut self.sent[from][at];
        sent.len += len;
        sent.ended = ended;
    }

    /// Every message is finished, everything comes, and is what was sent.
    fn finish(mut self, strict: bool) {
        for from in [0, 1] {
            while !self.open(from).is_empty() {
                self.extend(from, 0, 1, true);
            }
        }
        self.pair.piece = usize::MAX;
        self.pair.run();
        self.pair.advance(Duration::from_secs(20));
        for from in [0, 1] {
            let to = 1 - from;
            let events = self.end(from).take_events();
            let receiver = self.end(to);
            let mut came: BTreeMap<u32, Vec<Vec<u8>>> = BTreeMap::new();
            for message in &receiver.delivered {
                came.entry(message.message.channel).or_default().push(message.body.clone());
            }
            assert_eq!(receiver.closed(), None);
            for channel in 0..4 {
                let came = came.remove(&channel).unwrap_or_default();
                let sent = self.sent[from].iter().filter(|sent| sent.channel == channel);
                let expected: Vec<Vec<u8>> = sent
                    .filter(|sent| sent.cancelled.is_none() && !sent.is_refused())
                    .map(Sent::body)
                    .collect();
                assert_eq!(came, expected, "channel {channel} from {from}");
            }
            self.check_answers(from, &events, strict);
            assert!(self.end(from).connection.is_flushed());
            let pongs: Vec<u64> = events
                .iter()
                .filter_map(|event| if let Event::Pong { nonce } = event { Some(*nonce) } else { None })
                .collect();
            assert_eq!(pongs, self.pings[from]);
        }
    }

    /// What asked for an answer has one, and but one.
    fn check_answers(&self, from: usize, events: &[Event<'static>], strict: bool) {
        for sent in self.sent[from].iter().filter(|sent| sent.cancelled.is_none()) {
            let id = sent.begun.msg_id;
            let acks = events.iter().filter(|event| **event == Event::Acked { msg_id: id }).count();
            let nacks =
                events.iter().filter(|event| matches!(event, Event::Nacked { msg_id, .. } if *msg_id == id));
            let acknowledged = sent.reliable && !sent.is_refused() && !strict;
            assert_eq!(acks, usize::from(acknowledged), "{sent:?}");
            // Messages of a server of Python's dialect have no number of their own.
            if id != 0 {
                assert_eq!(nacks.count(), usize::from(sent.is_refused()), "{sent:?}");
            }
        }
        assert!(!events.iter().any(|event| matches!(event, Event::Unacknowledged { .. })));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_message_that_is_accepted_comes_once_whole_and_in_its_order(
        max_frame in prop_oneof![Just(130_u32), Just(200), Just(1 << 20)],
        ops in proptest::collection::vec(op(), 0..120),
    ) {
        let mut play = Play::new(Knobs::AUTO, max_frame);
        ops.iter().for_each(|op| play.play(op));
        play.finish(false);
    }

    #[test]
    fn so_it_does_in_the_dialect_of_python(ops in proptest::collection::vec(op(), 0..120)) {
        let mut play = Play::new(Knobs::from(Dialect::PYTHON), 1 << 20);
        ops.iter().for_each(|op| play.play(op));
        play.finish(true);
    }
}
