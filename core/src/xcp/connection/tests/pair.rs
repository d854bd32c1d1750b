//! What happens between two ends? Bytes move in pieces of any size, are damaged, and one day no more come.

use core::time::Duration;
use std::collections::VecDeque;
use std::vec::Vec;

use super::super::{Config, Plain, Protection, Side};
use super::End;
use crate::time::Instant;

/// Index of the direction from the client to the server.
pub(super) const TO_SERVER: usize = 0;
/// Index of the direction from the server to the client.
pub(super) const TO_CLIENT: usize = 1;

/// One direction of a transport.
#[derive(Debug, Default)]
pub(super) struct Wire {
    bytes: VecDeque<u8>,
    /// All that was put in, as it was put in.
    pub(super) log: Vec<u8>,
    pub(super) delivered: usize,
    /// The transport breaks once so many bytes were delivered.
    pub(super) cut_at: Option<usize>,
    /// Which byte is changed, and the bits that are.
    pub(super) corrupt: Option<(usize, u8)>,
    /// What is put in is lost.
    pub(super) deaf: bool,
}

/// Two ends and what is between them, on virtual time.
#[derive(Debug)]
pub(super) struct Pair<P = Plain> {
    pub(super) client: End<P>,
    pub(super) server: End<P>,
    pub(super) wires: [Wire; 2],
    /// Bytes that are delivered at once, at most.
    pub(super) piece: usize,
    pub(super) now: Instant,
    pub(super) is_cut: bool,
}

/// A configuration for tests.
pub(super) fn config(side: Side) -> Config {
    Config { seed: 7 + side as u64, ..Config::new(side) }
}

impl Pair {
    /// Two ends that have not spoken yet.
    pub(super) fn new(client: Config, server: Config) -> Self {
        Self::sealed(client, server, Plain, Plain)
    }

    /// Two ends that connected.
    pub(super) fn connected(client: Config, server: Config) -> Self {
        let mut pair = Self::new(client, server);
        pair.connect();
        pair
    }

    /// The usual two ends that connected.
    pub(super) fn usual() -> Self {
        Self::connected(config(Side::Client), config(Side::Server))
    }
}

impl<P: Protection> Pair<P> {
    pub(super) fn sealed(client: Config, server: Config, ours: P, theirs: P) -> Self {
        let now = Instant::from_nanos(1_000_000_000);
        Self {
            client: End::new(client, ours, now),
            server: End::new(server, theirs, now),
            wires: [Wire::default(), Wire::default()],
            piece: usize::MAX,
            now,
            is_cut: false,
        }
    }

    pub(super) fn connect(&mut self) {
        self.run();
        assert!(self.client.connection.is_open(), "{:?}", self.client.closed());
        assert!(self.server.connection.is_open(), "{:?}", self.server.closed());
        self.client.take_events();
        self.server.take_events();
    }

    /// Moves bytes until no more move.
    pub(super) fn run(&mut self) {
        let mut rounds = 0;
        while self.step() {
            rounds += 1;
            assert!(rounds < 1_000_000, "they never stop");
        }
    }

    /// Everything that is to be sent goes onto the wires, and one piece off each; whether anything moved.
    pub(super) fn step(&mut self) -> bool {
        let mut moved = false;
        for direction in [TO_SERVER, TO_CLIENT] {
            let from = if direction == TO_SERVER { &mut self.client } else { &mut self.server };
            let bytes = from.transmit(self.now);
            moved |= !bytes.is_empty();
            self.wires[direction].put(&bytes, self.is_cut);
        }
        for direction in [TO_SERVER, TO_CLIENT] {
            let to = if direction == TO_SERVER { &mut self.server } else { &mut self.client };
            let waiting = to.input.len();
            let bytes = self.wires[direction].take(self.piece);
            to.receive(self.now, &bytes);
            moved |= !bytes.is_empty() || to.input.len() < waiting;
        }
        if !self.is_cut && self.wires.iter().any(|wire| wire.cut_at == Some(wire.delivered)) {
            self.cut();
            moved = true;
        }
        moved
    }

    /// The transport breaks.
    pub(super) fn cut(&mut self) {
        self.is_cut = true;
        self.wires.iter_mut().for_each(|wire| wire.bytes.clear());
        for end in [&mut self.client, &mut self.server] {
            // The end of a stream is read behind all that came.
            while !end.input.is_empty() && !end.connection.is_closed() {
                end.transmit(self.now);
                end.feed(self.now);
            }
            end.handle_eof(self.now);
        }
    }

    /// Time goes on, and whatever becomes due on the way happens at its time.
    pub(super) fn advance(&mut self, by: Duration) {
        let end = self.now.saturating_add(by);
        self.run();
        let mut rounds = 0;
        while let Some(due) = self.next_due().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.tick();
            rounds += 1;
            assert!(rounds < 10_000, "due without end");
        }
        self.now = end;
        self.tick();
    }

    /// When either end wants to be called.
    pub(super) fn next_due(&self) -> Option<Instant> {
        [self.client.connection.poll_timeout(), self.server.connection.poll_timeout()]
            .into_iter()
            .flatten()
            .min()
    }

    fn tick(&mut self) {
        self.client.handle_timeout(self.now);
        self.server.handle_timeout(self.now);
        self.run();
    }
}

impl Wire {
    pub(super) fn put(&mut self, bytes: &[u8], is_cut: bool) {
        let start = self.log.len();
        self.log.extend_from_slice(bytes);
        if is_cut || self.deaf {
            return;
        }
        for (at, byte) in (start..).zip(bytes) {
            let damage = self.corrupt.map_or(0, |(place, bits)| if place == at { bits } else { 0 });
            self.bytes.push_back(byte ^ damage);
        }
    }

    fn take(&mut self, piece: usize) -> Vec<u8> {
        let room = self.cut_at.map_or(usize::MAX, |at| at - self.delivered);
        let len = piece.min(self.bytes.len()).min(room);
        self.delivered += len;
        self.bytes.drain(..len).collect()
    }
}
