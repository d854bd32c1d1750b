//! A session whose user and whose peer do anything, and the peer that comes after that one.

use std::collections::HashMap;
use std::time::Duration;

use strait_core::hqq::packet::Packet;
use strait_core::hqq::session::{
    AbortReason, Agreed, Arrived, Config, ConnectionId, Event, Kind, MessageKey, Outgoing, PeerError,
    Session, State, Transmit, What,
};
use strait_core::hqq::{Features, Profile, Side};
use strait_core::time::Instant;

use crate::bytes::Bytes;

type Small = Session<3, 4, 6, 3>;

/// Most steps of one input.
const STEPS: usize = 500;
/// Bytes of a slot.
const SLOT: u64 = 64;

/// Plays the steps that `data` stand for.
pub fn hqq_session(data: &[u8]) {
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

/// A session and what its runtime would know.
struct Play {
    config: Config,
    session: Small,
    now: Instant,
    /// Bytes that have come of each unfinished message.
    unfinished: HashMap<MessageKey, u64>,
    salt: u64,
}

fn config(kind: u8, salt: u64) -> Config {
    let side = if kind & 1 == 0 { Side::Primary } else { Side::Secondary };
    let profile = if kind & 2 == 0 { Profile::Superblock } else { Profile::Seed };
    let without = match kind >> 2 & 3 {
        0 => Features::NONE,
        1 => Features::FLOW_CONTROL.union(Features::ENCRYPTION),
        2 => Features::LARGE_COPY.union(Features::QOS),
        _ => Features::ALL.without(Features::KNOWN_TO_ALL),
    };
    Config {
        features: Features::ALL.without(without),
        max_message: 1000,
        max_assembly_bytes: 2500,
        window: 4 * SLOT,
        assembly_age: Duration::from_secs(1),
        listening: kind & 64 == 0,
        ..Config::new(side, profile, SLOT, [salt; 3])
    }
}

impl Play {
    fn new(kind: u8) -> Self {
        let config = config(kind, 1);
        let now = Instant::from_nanos(0);
        Self { config, session: Session::new(config), now, unfinished: HashMap::new(), salt: 1 }
    }

    fn step(&mut self, bytes: &mut Bytes<'_>) {
        match bytes.u8() % 24 {
            0..=6 => {
                let packet = self.likely_packet(bytes);
                self.handle(&packet);
            }
            7 => {
                let packet = Packet(std::array::from_fn(|_| bytes.u64()));
                self.handle(&packet);
            }
            8 => drop(self.session.negotiate()),
            9 => drop(self.session.open()),
            10 => drop(self.session.close(ConnectionId(u64::from(bytes.u8() % 8)), 0)),
            11..=14 => self.begin(bytes),
            15 => drop(self.session.abort(key(bytes))),
            16 => self.session.consumed(ConnectionId(u64::from(bytes.u8() % 8)), bytes.value(SLOT)),
            17 => drop(self.session.acknowledge(ConnectionId(u64::from(bytes.u8() % 8)), bytes.value(4))),
            18 => drop(self.session.ask_statistics()),
            19 => {
                let MessageKey { connection, message, .. } = key(bytes);
                self.session.forget_call(connection, message);
            }
            20 => {
                self.now = self.now.saturating_add(Duration::from_millis(u64::from(bytes.u8()) * 10));
                self.session.handle_timeout(self.now);
            }
            21 => self.poll(usize::from(bytes.u8() % 8)),
            22 => self.poll(usize::MAX),
            _ if bytes.u8() < 32 => self.lose(),
            _ => {}
        }
        self.events();
    }

    /// A packet whose numbers are near those that matter.
    fn likely_packet(&self, bytes: &mut Bytes<'_>) -> Packet {
        let opcode = u64::from(bytes.u8() % 12);
        let small = |bytes: &mut Bytes<'_>| u64::from(bytes.u8() % 8);
        let words = match opcode {
            4 | 10 | 11 => {
                let (connection, message, flags) =
                    (small(bytes), small(bytes), u64::from(bytes.u16()) % 1024);
                let total = u64::from(bytes.u8());
                let offset = u64::from(bytes.u8() % 5) * SLOT;
                let len =
                    if bytes.u8() < 200 { total.saturating_sub(offset).min(SLOT) } else { bytes.value(SLOT) };
                match self.config.profile {
                    Profile::Superblock => [4, connection, message, total, offset, len, flags, 0],
                    Profile::Seed => [4 | flags << 8, connection, message, total, len, offset, SLOT, 0],
                }
            }
            5 | 6 => {
                let mark = if bytes.u8() < 200 { u64::from_le_bytes(*b"STRAITHQ") } else { 0 };
                let version = 0x100 + small(bytes) % 3;
                [opcode, version, bytes.value(256), bytes.value(32), mark, small(bytes), 7, 7]
            }
            _ => {
                let (connection, number) = (small(bytes), bytes.value(SLOT));
                [opcode, connection, number, bytes.value(SLOT), 0, 0, 0, 0]
            }
        };
        Packet(words)
    }

    fn handle(&mut self, packet: &Packet) {
        let ready = self.session.is_ready();
        match self.session.handle_packet(self.now, packet) {
            Ok(Some(event)) => self.note(event),
            Ok(None) => assert!(ready),
            Err(error) => {
                assert_eq!(matches!(error, PeerError::NotReady { .. }), !ready);
                assert!(!error.to_string().is_empty());
            }
        }
    }

    fn note(&mut self, event: Event) {
        match event {
            Event::Chunk(Arrived { message, total, offset, len, first, last, .. }) => {
                if first {
                    let before = self.unfinished.insert(message, 0);
                    assert_eq!(before, None, "begun twice");
                }
                let so_far = self.unfinished.get_mut(&message).expect("it was begun");
                assert_eq!(*so_far, offset);
                *so_far += len;
                assert!(len <= SLOT && *so_far <= total && total <= self.config.max_message);
                assert_eq!(last, *so_far == total);
                if last {
                    self.unfinished.remove(&message);
                }
            }
            Event::Aborted { message, reason } => {
                let unfinished = self.unfinished.remove(&message).is_some();
                // The peer may want no answer to a request that came whole.
                assert!(unfinished || message.kind == Kind::Request && reason == AbortReason::ByPeer);
            }
            _ => {}
        }
    }

    fn begin(&mut self, bytes: &mut Bytes<'_>) {
        let connection = ConnectionId(u64::from(bytes.u8() % 8));
        let to = u64::from(bytes.u8() % 8);
        let what = match bytes.u8() % 6 {
            0..=2 => What::Message,
            3 => What::Request,
            4 => What::Response { to },
            _ => What::ErrorResponse { to },
        };
        let outgoing = Outgoing { priority: bytes.u8() % 5, ..Outgoing::new(what, bytes.value(200)) };
        if self.session.begin(connection, outgoing).is_ok() {
            assert!(outgoing.total <= self.config.max_message && outgoing.priority < 4);
        }
    }

    fn poll(&mut self, most: usize) {
        for _ in 0..most {
            let Some(transmit) = self.session.poll_packet() else { break };
            if let Transmit::Chunk { offset, len, .. } = transmit {
                assert!(len <= SLOT && offset + len <= self.config.max_message);
            }
            self.events();
        }
    }

    /// Whatever came before, the tables are as small as they promise, and agree with what was told.
    fn events(&mut self) {
        while let Some(event) = self.session.poll_event() {
            self.note(event);
        }
        assert_eq!(self.session.unfinished(), self.unfinished.len());
        assert!(self.session.unfinished() <= 4 && self.session.outstanding() <= 3);
        assert!(self.session.unacknowledged() <= 6);
        let bytes: u64 = self.unfinished.values().sum();
        assert!(bytes <= self.config.max_assembly_bytes);
    }

    fn lose(&mut self) {
        self.salt += 1;
        self.session.handle_peer_lost([self.salt; 3]);
        self.events();
        assert!(self.unfinished.is_empty());
        assert_eq!(self.session.state(), State::None);
    }

    /// The next peer keeps the rules: it is understood, and a message goes either way.
    fn end(mut self) {
        self.lose();
        let kind = match (self.config.side, self.config.profile) {
            (Side::Primary, Profile::Superblock) => 1,
            (Side::Secondary, Profile::Superblock) => 0,
            (Side::Primary, Profile::Seed) => 3,
            (Side::Secondary, Profile::Seed) => 2,
        };
        let mut peer = Self::new(kind);
        peer.session = Session::new(config(kind, 1000));
        peer.session.negotiate().expect("it is new");
        exchange(&mut self, &mut peer);
        let agreed: [Option<&Agreed>; 2] = [self.session.agreed(), peer.session.agreed()];
        assert!(agreed.iter().all(|agreed| agreed.is_some_and(Agreed::peer_is_strait)));
        for play in [&mut self, &mut peer] {
            let key = play.session.begin(ConnectionId::IMPLICIT, Outgoing::new(What::Message, 30));
            key.expect("there is room: the last peer's are sent or given up");
        }
        let before =
            [self.session.counters(), peer.session.counters()].map(|counters| counters.messages_received);
        exchange(&mut self, &mut peer);
        let after =
            [self.session.counters(), peer.session.counters()].map(|counters| counters.messages_received);
        assert_eq!(after, before.map(|count| count + 1));
    }
}

/// Both send until neither has anything more, and acknowledge what came.
fn exchange(a: &mut Play, b: &mut Play) {
    // Bounded: a few messages of at most 1000 bytes, and their credits.
    for _ in 0..2000 {
        let moved = [one(a, b), one(b, a)];
        if moved == [false; 2] {
            return;
        }
    }
    panic!("it never ends");
}

/// One packet from one to the other; whether there was one.
fn one(from: &mut Play, to: &mut Play) -> bool {
    let Some(transmit) = from.session.poll_packet() else { return false };
    from.events();
    let (Transmit::Packet(packet) | Transmit::Chunk { packet, .. }) = transmit;
    let event = to.session.handle_packet(to.now, &packet).expect("both keep the rules");
    if let Some(event) = event {
        to.note(event);
        if let Event::Chunk(arrived) = event {
            to.session.consumed(arrived.message.connection, arrived.cost);
            if arrived.last && arrived.message.kind == Kind::Message {
                // Not agreed, or told.
                let _ = to.session.acknowledge(arrived.message.connection, arrived.message.message);
            }
        }
    }
    to.events();
    true
}

fn key(bytes: &mut Bytes<'_>) -> MessageKey {
    let kind = [Kind::Message, Kind::Request, Kind::Response][usize::from(bytes.u8() % 3)];
    let (connection, message) = (u64::from(bytes.u8() % 8), u64::from(bytes.u8() % 16));
    MessageKey { connection: ConnectionId(connection), message, kind }
}
