//! Two sessions against each other, on virtual time, with a ring of packets and bytes between them.

use std::collections::{BTreeMap, VecDeque};
use std::vec;
use std::vec::Vec;

use super::*;
use crate::hqq::packet::{Chunk, Operation};
use crate::hqq::{ChunkFlags, OpCode};
use crate::time::Instant;

mod calls;
mod connections;
mod faults;
mod flow;
mod negotiating;
mod peer_lost;
mod random;

type Small = Session<4, 4, 8, 4>;

/// Bytes of a slot.
const SLOT: u64 = 64;
const A: usize = 0;
const B: usize = 1;
const ZERO: ConnectionId = ConnectionId::IMPLICIT;

fn config(side: Side, profile: Profile) -> Config {
    let salt = match side {
        Side::Primary => [1; 3],
        Side::Secondary => [2; 3],
    };
    // Without sealing a chunk takes a whole slot, which most tests count in.
    let features = Features::ALL.without(Features::ENCRYPTION);
    let window = 4 * SLOT;
    Config {
        features,
        window,
        max_message: 10_000,
        max_assembly_bytes: 20_000,
        ..Config::new(side, profile, SLOT, salt)
    }
}

/// A message that came whole.
#[derive(Clone, Debug, PartialEq)]
struct Whole {
    key: MessageKey,
    bytes: Vec<u8>,
    last: Arrived,
}

/// A session with a runtime's duties: it keeps the bytes.
struct End {
    session: Small,
    outgoing: BTreeMap<(u64, u64, u8), Vec<u8>>,
    unfinished: BTreeMap<(u64, u64, u8), Vec<u8>>,
    whole: Vec<Whole>,
    events: Vec<Event>,
    errors: Vec<PeerError>,
    /// Whether bytes are consumed as they come; else their costs wait in `owed`.
    consumes: bool,
    owed: BTreeMap<u64, u64>,
}

fn name(key: MessageKey) -> (u64, u64, u8) {
    (key.connection.0, key.message, key.kind as u8)
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).expect("it is small")
}

/// Bytes that no other message has.
fn pattern(seed: u64, len: u64) -> Vec<u8> {
    (0..len).map(|at| (seed.wrapping_mul(37) ^ at.wrapping_mul(11) ^ (at >> 8)).to_le_bytes()[0]).collect()
}

impl End {
    fn new(config: Config) -> Self {
        Self {
            session: Session::new(config),
            outgoing: BTreeMap::new(),
            unfinished: BTreeMap::new(),
            whole: vec![],
            events: vec![],
            errors: vec![],
            consumes: true,
            owed: BTreeMap::new(),
        }
    }

    fn begin(&mut self, connection: ConnectionId, outgoing: Outgoing) -> Result<MessageKey, SendError> {
        let key = self.session.begin(connection, outgoing)?;
        self.outgoing.insert(name(key), pattern(key.message, outgoing.total));
        Ok(key)
    }

    fn note(&mut self, event: Event, bytes: &[u8]) {
        match event {
            Event::Chunk(arrived) => return self.chunk(arrived, bytes),
            Event::Aborted { message, .. } => drop(self.unfinished.remove(&name(message))),
            Event::Redeliver { old, new } => {
                let bytes = self.outgoing.get(&name(old)).expect("kept until acknowledged").clone();
                self.outgoing.insert(name(new), bytes);
            }
            _ => {}
        }
        self.events.push(event);
    }

    fn chunk(&mut self, arrived: Arrived, bytes: &[u8]) {
        let Arrived { message, offset, len, first, last, total, .. } = arrived;
        assert_eq!(bytes.len() as u64, len);
        let so_far = self.unfinished.entry(name(message)).or_default();
        assert_eq!((so_far.len() as u64, first), (offset, offset == 0), "{arrived:?}");
        so_far.extend_from_slice(bytes);
        assert_eq!(so_far.len() as u64 == total, last);
        if last {
            let bytes = self.unfinished.remove(&name(message)).expect("it is there");
            self.whole.push(Whole { key: message, bytes, last: arrived });
        }
        if self.consumes {
            self.session.consumed(message.connection, arrived.cost);
        } else {
            *self.owed.entry(message.connection.0).or_default() += arrived.cost;
        }
    }

    fn poll(&mut self) -> Option<(Packet, Vec<u8>)> {
        self.events();
        let sent = match self.session.poll_packet()? {
            Transmit::Packet(packet) => (packet, vec![]),
            Transmit::Chunk { packet, message, offset, len, .. } => {
                let bytes = &self.outgoing[&name(message)];
                (packet, bytes[size(offset)..size(offset + len)].to_vec())
            }
        };
        self.events();
        Some(sent)
    }

    fn handle(&mut self, now: Instant, packet: &Packet, bytes: &[u8]) -> Result<(), PeerError> {
        let result = self.session.handle_packet(now, packet);
        match result {
            Ok(Some(event)) => self.note(event, bytes),
            Ok(None) => {}
            Err(error) => self.errors.push(error),
        }
        self.events();
        result.map(|_| ())
    }

    fn events(&mut self) {
        while let Some(event) = self.session.poll_event() {
            self.note(event, &[]);
        }
    }

    fn consume_all(&mut self) {
        for (connection, cost) in core::mem::take(&mut self.owed) {
            self.session.consumed(ConnectionId(connection), cost);
        }
    }

    fn take_events(&mut self) -> Vec<Event> {
        core::mem::take(&mut self.events)
    }

    fn take_whole(&mut self) -> Vec<Whole> {
        core::mem::take(&mut self.whole)
    }
}

/// Two ends and what lies in the rings between them.
struct Pair {
    ends: [End; 2],
    /// To each end.
    rings: [VecDeque<(Packet, Vec<u8>)>; 2],
    now: Instant,
}

impl Pair {
    fn of(a: Config, b: Config) -> Self {
        Self { ends: [End::new(a), End::new(b)], rings: Default::default(), now: Instant::from_nanos(0) }
    }

    fn new(profile: Profile) -> Self {
        Self::of(config(Side::Primary, profile), config(Side::Secondary, profile))
    }

    /// Both agree, and have told their credits.
    fn agreed_of(a: Config, b: Config) -> Self {
        let mut pair = Self::of(a, b);
        pair.ends[A].session.negotiate().expect("it is new");
        pair.settle();
        for end in &mut pair.ends {
            assert!(matches!(end.take_events()[..], [Event::Negotiated(_)]));
        }
        pair
    }

    fn agreed() -> Self {
        Self::agreed_of(
            config(Side::Primary, Profile::Superblock),
            config(Side::Secondary, Profile::Superblock),
        )
    }

    /// One packet of `from` goes into the ring; whether there was one.
    fn publish(&mut self, from: usize) -> bool {
        let Some(sent) = self.ends[from].poll() else { return false };
        self.rings[1 - from].push_back(sent);
        true
    }

    /// One packet is taken out by `to`; whether there was one.
    fn deliver(&mut self, to: usize) -> bool {
        if !self.ends[to].session.is_ready() {
            return false;
        }
        let Some((packet, bytes)) = self.rings[to].pop_front() else { return false };
        let _ = self.ends[to].handle(self.now, &packet, &bytes);
        true
    }

    fn settle(&mut self) {
        for round in 0.. {
            assert!(round < 100_000, "it never ends");
            let moved = [A, B].map(|end| self.publish(end) | self.deliver(end));
            if moved == [false; 2] {
                break;
            }
        }
    }

    fn open(&mut self, from: usize) -> ConnectionId {
        let connection = self.ends[from].session.open().expect("there is room");
        self.settle();
        assert_eq!(self.ends[from].take_events(), [Event::Accepted { connection }]);
        assert_eq!(self.ends[1 - from].take_events(), [Event::Opened { connection }]);
        connection
    }

    /// A packet of nobody arrives at `to`.
    fn inject(&mut self, to: usize, operation: Operation) -> Result<(), PeerError> {
        let profile = self.ends[to].session.config.profile;
        let len = match operation {
            Operation::Chunk(chunk) => chunk.len.min(SLOT),
            _ => 0,
        };
        let bytes = vec![0x77; size(len)];
        self.ends[to].handle(self.now, &operation.emit(profile, SLOT), &bytes)
    }

    /// What `from` sends next, as an operation.
    fn next(&mut self, from: usize) -> Option<Operation> {
        let profile = self.ends[from].session.config.profile;
        self.ends[from].poll().map(|(packet, _)| packet.parse(profile).expect("it is ours"))
    }

    fn assert_no_errors(&self) {
        for end in &self.ends {
            assert_eq!(end.errors, []);
            assert!(!end.events.iter().any(|event| matches!(event, Event::PeerError { .. })));
        }
    }
}

fn message(total: u64) -> Outgoing {
    Outgoing::new(What::Message, total)
}

fn request(total: u64) -> Outgoing {
    Outgoing { aux: 7, ..Outgoing::new(What::Request, total) }
}
