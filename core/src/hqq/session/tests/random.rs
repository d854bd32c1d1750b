//! Random commands and deliveries against an oracle, and packets of nobody.

use proptest::collection::vec as vec_of;
use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Send { end: usize, connection: usize, total: u64, priority: u8 },
    Call { end: usize, connection: usize, total: u64 },
    Answer { end: usize, which: usize, total: u64, fails: bool },
    Open { end: usize },
    Close { end: usize, connection: usize },
    Publish { end: usize },
    Deliver { end: usize },
    Consume { end: usize },
    Forget { end: usize, which: usize },
    Acknowledge { end: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let end = 0..2usize;
    let connection = 0..5usize;
    let total = prop_oneof![Just(0), Just(SLOT), 1..300u64];
    prop_oneof![
        4 => (end.clone(), connection.clone(), total.clone(), 0..4u8)
            .prop_map(|(end, connection, total, priority)| Step::Send { end, connection, total, priority }),
        2 => (end.clone(), connection.clone(), total.clone())
            .prop_map(|(end, connection, total)| Step::Call { end, connection, total }),
        2 => (end.clone(), any::<usize>(), total, any::<bool>())
            .prop_map(|(end, which, total, fails)| Step::Answer { end, which, total, fails }),
        1 => end.clone().prop_map(|end| Step::Open { end }),
        1 => (end.clone(), connection).prop_map(|(end, connection)| Step::Close { end, connection }),
        10 => end.clone().prop_map(|end| Step::Publish { end }),
        10 => end.clone().prop_map(|end| Step::Deliver { end }),
        3 => end.clone().prop_map(|end| Step::Consume { end }),
        1 => (end.clone(), any::<usize>()).prop_map(|(end, which)| Step::Forget { end, which }),
        2 => end.prop_map(|end| Step::Acknowledge { end }),
    ]
}

/// A pair, and what must come of what was asked for.
struct Play {
    pair: Pair,
    /// Connections each end may use, 0 first.
    usable: [Vec<ConnectionId>; 2],
    /// Messages begun by each end, in their order, with class and length.
    begun: [Vec<(MessageKey, u8, u64)>; 2],
    closed: Vec<ConnectionId>,
    forgotten: Vec<(ConnectionId, u64)>,
    /// Requests each end may answer.
    requests: [Vec<MessageKey>; 2],
    /// Messages each end has to acknowledge.
    unacknowledged: [Vec<MessageKey>; 2],
    looked: [usize; 2],
    heard: [usize; 2],
}

impl Play {
    fn new(profile: Profile) -> Self {
        let mut pair = Pair::agreed_of(config(Side::Primary, profile), config(Side::Secondary, profile));
        for end in &mut pair.ends {
            end.consumes = false;
        }
        Self {
            pair,
            usable: [vec![ZERO], vec![ZERO]],
            begun: Default::default(),
            closed: vec![],
            forgotten: vec![],
            requests: Default::default(),
            unacknowledged: Default::default(),
            looked: [0; 2],
            heard: [0; 2],
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Send { end, connection, total, priority } => {
                self.begin(end, connection, Outgoing { priority, ..message(total) });
            }
            Step::Call { end, connection, total } => self.begin(end, connection, request(total)),
            Step::Answer { end, which, total, fails } => {
                if self.requests[end].is_empty() {
                    return;
                }
                let which = which % self.requests[end].len();
                let MessageKey { connection, message: to, .. } = self.requests[end][which];
                let what = if fails { What::ErrorResponse { to } } else { What::Response { to } };
                let known = self.usable[end].contains(&connection);
                match self.pair.ends[end].begin(connection, Outgoing::new(what, total)) {
                    Ok(key) => self.begun[end].push((key, 0, total)),
                    Err(SendError::TooManyMessages { .. }) => return,
                    Err(error) => assert!(!known, "{error}"),
                }
                self.requests[end].remove(which);
            }
            Step::Open { end } => {
                // Two of each end, so that four are enough.
                let parity = if end == A { 1 } else { 0 };
                let own = self.usable[end].iter().filter(|id| **id != ZERO && id.0 % 2 == parity).count();
                if own < 2
                    && let Ok(id) = self.pair.ends[end].session.open()
                {
                    self.usable[end].push(id);
                }
            }
            Step::Close { end, connection } => {
                let id = self.usable[end][connection % self.usable[end].len()];
                if id != ZERO && self.pair.ends[end].session.close(id, 0).is_ok() {
                    self.closed.push(id);
                    self.usable[end].retain(|known| *known != id);
                }
            }
            Step::Publish { end } => {
                // A ring of eight.
                if self.pair.rings[1 - end].len() < 8 {
                    self.pair.publish(end);
                }
            }
            Step::Deliver { end } => {
                self.pair.deliver(end);
            }
            Step::Consume { end } => self.pair.ends[end].consume_all(),
            Step::Forget { end, which } => {
                let calls = self.begun[end].iter().filter(|(key, ..)| key.kind == Kind::Request);
                let calls: Vec<_> = calls.map(|(key, ..)| *key).collect();
                let Some(key) = calls.get(which % calls.len().max(1)) else { return };
                // No more are remembered.
                if self.forgotten.len() == 32 {
                    return;
                }
                if self.pair.ends[end].session.forget_call(key.connection, key.message) {
                    self.forgotten.push((key.connection, key.message));
                }
            }
            Step::Acknowledge { end } => {
                if let Some(key) = self.unacknowledged[end].pop() {
                    let result = self.pair.ends[end].session.acknowledge(key.connection, key.message);
                    if matches!(result, Err(CommandError::Backlogged { .. })) {
                        self.unacknowledged[end].push(key);
                    }
                }
            }
        }
        self.look();
    }

    fn begin(&mut self, end: usize, connection: usize, outgoing: Outgoing) {
        let id = self.usable[end][connection % self.usable[end].len()];
        match self.pair.ends[end].begin(id, outgoing) {
            Ok(key) => self.begun[end].push((key, outgoing.priority, outgoing.total)),
            Err(
                SendError::TooManyMessages { .. }
                | SendError::TooManyCalls { .. }
                | SendError::TooManyUnacknowledged { .. },
            ) => {}
            Err(error) => panic!("{error}"),
        }
    }

    /// Takes note of what came, and checks it against what was sent.
    fn look(&mut self) {
        for end in [A, B] {
            self.pair.ends[end].events();
            let (events, whole) = (&self.pair.ends[end].events, &self.pair.ends[end].whole);
            for event in &events[self.heard[end]..] {
                match event {
                    Event::Opened { connection } => self.usable[end].push(*connection),
                    Event::Aborted { message, .. } => self.requests[end].retain(|key| key != message),
                    Event::Closed { connection, .. } => {
                        self.usable[end].retain(|known| known != connection);
                        self.requests[end].retain(|key| key.connection != *connection);
                    }
                    _ => {}
                }
            }
            for Whole { key, bytes, .. } in &whole[self.looked[end]..] {
                let sent = self.begun[1 - end].iter().find(|(sent, ..)| sent == key).expect("it was sent");
                assert_eq!(*bytes, pattern(key.message, sent.2));
                match key.kind {
                    Kind::Message => self.unacknowledged[end].push(*key),
                    Kind::Request => self.requests[end].push(*key),
                    Kind::Response => {}
                }
            }
            (self.heard[end], self.looked[end]) = (events.len(), whole.len());
            let session = &self.pair.ends[end].session;
            assert_eq!(session.unfinished(), self.pair.ends[end].unfinished.len());
            assert!(session.unfinished() <= 4 && session.outstanding() <= 4 && session.unacknowledged() <= 8);
            let unread: u64 = self.pair.ends[end].owed.values().sum();
            assert!(unread <= 5 * 4 * SLOT * (1 + self.closed.len() as u64), "{unread} bytes wait");
        }
    }

    fn end(mut self) {
        for end in &mut self.pair.ends {
            end.consume_all();
            end.consumes = true;
        }
        self.pair.settle();
        self.look();
        self.pair.assert_no_errors();
        for end in [A, B] {
            let came: Vec<MessageKey> = self.pair.ends[1 - end].whole.iter().map(|whole| whole.key).collect();
            for (key, ..) in &self.begun[end] {
                let times = came.iter().filter(|other| *other == key).count();
                let forgotten = self.forgotten.contains(&(key.connection, key.message));
                let lost = self.closed.contains(&key.connection) || forgotten;
                assert!(times == 1 || lost && times == 0, "{key} came {times} times");
            }
            // In the order of their lane.
            for lane in self.begun[end].iter().map(|(key, class, _)| (key.connection, *class)) {
                let sent = self.begun[end].iter().filter(|(key, class, _)| (key.connection, *class) == lane);
                let sent: Vec<_> = sent.map(|(key, ..)| *key).filter(|key| came.contains(key)).collect();
                let came: Vec<_> = came.iter().filter(|key| sent.contains(key)).copied().collect();
                assert_eq!(came, sent);
            }
            assert!(self.pair.ends[end].unfinished.is_empty());
        }
    }
}

/// Numbers that matter, or any.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![3 => 0..6u64, 2 => 60..70u64, 1 => Just(u64::MAX), 1 => Just(1 << 32), 1 => any::<u64>()]
}

fn packet() -> impl Strategy<Value = Packet> {
    let opcode = prop_oneof![4 => Just(4u64), 8 => 0..10u64, 1 => 0xfe..0x100u64, 1 => any::<u64>()];
    (opcode, prop::array::uniform7(number()))
        .prop_map(|(opcode, [a, b, c, d, e, f, g])| Packet([opcode, a, b, c, d, e, f, g]))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn messages_come_whole_in_order_and_once(steps in vec_of(step(), 0..250), seed in any::<bool>()) {
        let mut play = Play::new(if seed { Profile::Seed } else { Profile::Superblock });
        for step in &steps {
            play.step(step);
        }
        play.end();
    }

    #[test]
    fn a_session_survives_any_packets_and_serves_the_next_peer(
        packets in vec_of((packet(), any::<bool>()), 0..150),
        agreed in any::<bool>(),
        seed in any::<bool>(),
    ) {
        let profile = if seed { Profile::Seed } else { Profile::Superblock };
        let mut session = Small::new(config(Side::Secondary, profile));
        if agreed {
            let offer = Offer {
                version: Version::V1_1,
                features: Features::ALL,
                capabilities: Capabilities::ALL,
                salt: Some([8; 3]),
            };
            session.handle_packet(Instant::from_nanos(0), &Operation::Negotiate(offer).emit(profile, SLOT)).unwrap();
        }
        for (at, (packet, sends)) in packets.iter().enumerate() {
            let now = Instant::from_nanos(at as u64 * 1_000_000_000);
            if *sends {
                let _ = session.begin(ZERO, request(100));
                let _ = session.begin(ZERO, message(100));
                let _ = session.open();
                session.handle_timeout(now);
            }
            let _ = session.handle_packet(now, packet);
            prop_assert!(session.unfinished() <= 4);
            while session.poll_event().is_some() {}
            while session.poll_packet().is_some() {}
        }
        session.handle_peer_lost([9; 3]);
        while session.poll_event().is_some() {}
        let mut pair = Pair::of(config(Side::Primary, profile), config(Side::Secondary, profile));
        pair.ends[B].session = session;
        pair.ends[A].session.negotiate().unwrap();
        // Redelivered messages have no bytes here: those of the session under test are its own.
        for message in 0..2000 {
            let key = MessageKey { connection: ZERO, message, kind: Kind::Message };
            pair.ends[B].outgoing.insert(name(key), vec![0; 100]);
        }
        pair.settle();
        let key = pair.ends[A].begin(ZERO, message(1000)).unwrap();
        pair.settle();
        prop_assert_eq!(pair.ends[B].whole.last().unwrap().key, key);
        prop_assert_eq!(&pair.ends[B].errors, &[]);
    }
}
