//! Negotiations in every interleaving, with Strait and with others at the other end.

use super::*;

const GO: Features = Features::KNOWN_TO_ALL;

/// The Go implementation: it either asks or waits, and drops what it does not wait for.
struct Go {
    asks: bool,
    out: VecDeque<Packet>,
    agreed: Option<Offer>,
    started: bool,
}

impl Go {
    fn offer(features: u64) -> Offer {
        let features = Features::from_wire(features, Profile::Superblock);
        Offer { version: Version::V1_0, features, capabilities: Capabilities::KNOWN_TO_ALL, salt: None }
    }

    fn start(&mut self) {
        self.started = true;
        if self.asks {
            self.out.push_back(Operation::Negotiate(Self::offer(u64::MAX)).emit(Profile::Superblock, SLOT));
        }
    }

    fn handle(&mut self, packet: &Packet) {
        match packet.parse(Profile::Superblock).expect("it is ours") {
            Operation::Negotiate(offer) if !self.asks && self.agreed.is_none() => {
                let mut granted = Self::offer(3);
                granted.features = granted.features.intersection(offer.features);
                granted.capabilities = granted.capabilities.intersection(offer.capabilities);
                self.out.push_back(Operation::Ack(granted).emit(Profile::Superblock, SLOT));
                self.agreed = Some(granted);
            }
            Operation::Ack(offer) if self.asks && self.agreed.is_none() => {
                assert_eq!(offer.version, Version::V1_0);
                assert!(
                    GO.contains(offer.features) && Capabilities::KNOWN_TO_ALL.contains(offer.capabilities)
                );
                self.agreed = Some(offer);
            }
            _ => assert_ne!(packet.opcode(), OpCode::ERROR, "nothing is refused"),
        }
    }
}

/// All orders of `steps` that each may be taken once it is possible: `play` gets a list of choices, and says how many
/// choices there were after them.
fn interleavings(mut play: impl FnMut(&[usize]) -> usize) -> usize {
    let (mut stack, mut ends) = (vec![vec![]], 0);
    while let Some(path) = stack.pop() {
        let choices = play(&path);
        if choices == 0 {
            ends += 1;
        }
        stack.extend((0..choices).map(|choice| {
            let mut longer: Vec<usize> = path.clone();
            longer.push(choice);
            longer
        }));
    }
    ends
}

/// One step of a play of two Strait ends; whether it was possible.
fn step(pair: &mut Pair, asks: &mut [bool; 2], which: usize, only_look: bool) -> bool {
    let end = which % 2;
    match which / 2 {
        0 => {
            let possible = asks[end] && pair.ends[end].session.state() == State::None;
            if possible && !only_look {
                pair.ends[end].session.negotiate().expect("it is new");
                asks[end] = false;
            }
            possible
        }
        1 => {
            let possible = !pair.ends[end].session.control.is_empty();
            if possible && !only_look {
                pair.publish(end);
            }
            possible
        }
        _ => {
            let possible = !pair.rings[end].is_empty();
            if possible && !only_look {
                pair.deliver(end);
            }
            possible
        }
    }
}

#[test]
fn both_ends_agree_in_every_interleaving_of_their_requests() {
    for profile in [Profile::Superblock, Profile::Seed] {
        for who in [[true, false], [false, true], [true, true]] {
            let ends = interleavings(|path| {
                let (mut pair, mut asks) = (Pair::new(profile), who);
                for choice in path {
                    let possible = (0..6).filter(|which| step(&mut pair, &mut asks, *which, true));
                    let which = possible.collect::<Vec<_>>()[*choice];
                    step(&mut pair, &mut asks, which, false);
                }
                let choices = (0..6).filter(|which| step(&mut pair, &mut asks, *which, true)).count();
                if choices == 0 {
                    pair.settle();
                    pair.assert_no_errors();
                    let [a, b] = [A, B].map(|end| *pair.ends[end].session.agreed().expect("both agree"));
                    assert_eq!(a.salts, Some(([1; 3], [2; 3])));
                    assert_eq!(b.salts, Some(([2; 3], [1; 3])));
                    assert_eq!(
                        (a.version, a.features, a.capabilities),
                        (b.version, b.features, b.capabilities)
                    );
                    assert_eq!(a.features, Features::ALL.without(Features::ENCRYPTION));
                    let minor = if profile == Profile::Seed { 1 } else { 0 };
                    assert_eq!(a.version, Version { major: 1, minor });
                }
                choices
            });
            assert!(ends > 0);
        }
    }
}

#[test]
fn go_agrees_on_what_it_knows_in_every_interleaving() {
    for side in [Side::Primary, Side::Secondary] {
        for (strait_asks, go_asks) in [(true, false), (false, true), (true, true)] {
            interleavings(|path| {
                let mut end = End::new(config(side, Profile::Superblock));
                let mut go = Go { asks: go_asks, out: VecDeque::new(), agreed: None, started: false };
                let mut asks = strait_asks;
                let (mut to_go, mut to_us) = (VecDeque::new(), VecDeque::new());
                let mut choices = 0;
                for choice in path.iter().copied().map(Some).chain([None]) {
                    let possible = [
                        asks && end.session.state() == State::None,
                        !end.session.control.is_empty(),
                        !to_us.is_empty(),
                        !go.started,
                        !go.out.is_empty(),
                        go.started && !to_go.is_empty(),
                    ];
                    let possible: Vec<usize> = (0..6).filter(|at| possible[*at]).collect();
                    let Some(choice) = choice else {
                        choices = possible.len();
                        break;
                    };
                    match possible[choice] {
                        0 => {
                            asks = false;
                            end.session.negotiate().unwrap();
                        }
                        1 => to_go.extend(end.poll().map(|(packet, _)| packet)),
                        2 => end.handle(Instant::from_nanos(0), &to_us.pop_front().unwrap(), &[]).unwrap(),
                        3 => go.start(),
                        4 => to_us.extend(go.out.pop_front()),
                        _ => go.handle(&to_go.pop_front().unwrap()),
                    }
                }
                if choices == 0 {
                    let agreed = end.session.agreed().expect("both agree");
                    assert!(go.agreed.is_some() && !agreed.peer_is_strait());
                    assert_eq!((agreed.version, agreed.features), (Version::V1_0, GO));
                    assert_eq!(agreed.capabilities, Capabilities::KNOWN_TO_ALL);
                    assert_eq!(end.session.chunk_limit(), Some(SLOT));
                }
                choices
            });
        }
    }
}

#[test]
fn each_feature_is_refused_politely_by_a_peer_without_it() {
    for profile in [Profile::Superblock, Profile::Seed] {
        let all = [
            Features::LARGE_COPY,
            Features::REQUEST_RESPONSE,
            Features::COMPRESSION,
            Features::ENCRYPTION,
            Features::FLOW_CONTROL,
            Features::STATISTICS,
            Features::QOS,
        ];
        for (asker, missing) in [A, B].into_iter().flat_map(|end| all.map(|feature| (end, feature))) {
            let features = Features::ALL;
            let a = Config { features, slot_len: 128, ..config(Side::Primary, profile) };
            let b = Config { features: features.without(missing), ..config(Side::Secondary, profile) };
            let mut pair = Pair::of(a, Config { slot_len: 128, ..b });
            pair.ends[asker].session.negotiate().unwrap();
            pair.settle();
            pair.assert_no_errors();
            for end in &pair.ends {
                assert_eq!(end.session.agreed().unwrap().features, Features::ALL.without(missing));
            }
            let session = &mut pair.ends[A].session;
            let large = session.chunk_limit().unwrap() + 1;
            let refused = |feature| Err(SendError::NotAgreed { feature });
            match missing {
                Features::LARGE_COPY => {
                    assert_eq!(session.begin(ZERO, message(large)), refused("LARGE_COPY"));
                }
                Features::REQUEST_RESPONSE => {
                    assert_eq!(session.begin(ZERO, request(1)), refused("REQUEST_RESPONSE"));
                }
                Features::COMPRESSION => {
                    let compressed = Outgoing { compressed: true, ..message(1) };
                    assert_eq!(session.begin(ZERO, compressed), refused("COMPRESSION"));
                }
                Features::QOS => {
                    let urgent = Outgoing { priority: 1, ..message(1) };
                    assert_eq!(session.begin(ZERO, urgent), refused("QOS"));
                }
                Features::STATISTICS => {
                    assert_eq!(
                        session.ask_statistics(),
                        Err(CommandError::NotAgreed { feature: "STATISTICS" })
                    );
                }
                Features::ENCRYPTION => assert_eq!(large, 129),
                _ => assert_eq!(large, 128 - 24 + 1),
            }
        }
    }
}

#[test]
fn another_major_version_fails_on_either_side() {
    let mut pair = Pair::new(Profile::Superblock);
    let offer = Offer { version: Version { major: 2, minor: 0 }, ..Go::offer(3) };
    let error = pair.inject(B, Operation::Negotiate(offer));
    assert_eq!(error, Err(PeerError::MajorVersion { found: offer.version }));
    assert_eq!(pair.ends[B].take_events(), [Event::NegotiationFailed { code: None }]);
    assert_eq!(pair.ends[B].session.state(), State::Failed);
    let refusal = Operation::Error { context: 0, code: ErrorCode::INVALID_OP };
    assert_eq!(pair.next(B), Some(refusal));

    pair.ends[A].session.negotiate().unwrap();
    pair.inject(A, refusal).unwrap();
    assert_eq!(pair.ends[A].take_events(), [Event::NegotiationFailed { code: Some(ErrorCode::INVALID_OP) }]);
    assert_eq!(pair.ends[A].session.negotiate(), Err(CommandError::AlreadyNegotiated));
    // The next peer starts anew.
    pair.ends[A].session.handle_peer_lost([9; 3]);
    pair.ends[A].session.negotiate().unwrap();
}

#[test]
fn a_request_above_what_we_know_gets_what_the_profile_knows() {
    for (profile, known) in [(Profile::Superblock, Version::V1_0), (Profile::Seed, Version::V1_1)] {
        for (minor, salt) in
            [0, 1, 2, 255].into_iter().flat_map(|minor| [(minor, None), (minor, Some([5; 3]))])
        {
            let version = Version { major: 1, minor };
            let mut pair = Pair::new(profile);
            pair.inject(B, Operation::Negotiate(Offer { version, salt, ..Go::offer(3) })).unwrap();
            let Some(Operation::Ack(granted)) = pair.next(B) else { panic!("an answer") };
            assert_eq!(granted.version, version.min(known), "{profile}, asked for {version}");
            // An answer is marked if the request was.
            assert_eq!(granted.salt, salt.map(|_| [2; 3]));
            assert_eq!(pair.ends[B].session.agreed().unwrap().version, granted.version);
        }
    }
}

#[test]
fn an_answer_that_grants_too_much_fails() {
    let fits = Go::offer(3);
    let wrong = [
        Offer { version: Version { major: 2, minor: 0 }, ..fits },
        Offer { version: Version::V1_1, ..fits },
        Offer { features: Features::ENCRYPTION, ..fits },
    ];
    for granted in wrong {
        let mut pair = Pair::new(Profile::Superblock);
        pair.ends[A].session.negotiate().unwrap();
        assert!(matches!(pair.inject(A, Operation::Ack(granted)), Err(PeerError::BadAck { .. })));
        assert_eq!(pair.ends[A].take_events(), [Event::NegotiationFailed { code: None }]);
        assert_eq!(pair.ends[A].session.state(), State::Failed);
    }
}

#[test]
fn answers_and_requests_out_of_turn_change_nothing() {
    let mut pair = Pair::agreed();
    let agreed = *pair.ends[A].session.agreed().unwrap();
    for salt in [None, Some([2; 3]), Some([5; 3])] {
        let offer = Offer { salt, ..Go::offer(3) };
        assert_eq!(
            pair.inject(A, Operation::Negotiate(offer)),
            Err(PeerError::UnexpectedNegotiate { offer })
        );
        assert_eq!(pair.next(A), Some(Operation::Error { context: 0, code: ErrorCode::INVALID_OP }));
        assert_eq!(pair.inject(A, Operation::Ack(offer)), Err(PeerError::UnexpectedAck { offer }));
        assert_eq!(pair.next(A), None);
    }
    assert_eq!(pair.ends[A].session.agreed(), Some(&agreed));
}

#[test]
fn data_before_the_negotiation_is_refused_and_does_no_harm() {
    let mut pair = Pair::new(Profile::Superblock);
    let opcode = OpCode::CONN_CREATE;
    let refused = Err(PeerError::NotNegotiated { opcode, connection: 5 });
    assert_eq!(pair.inject(B, Operation::Create { connection: 5 }), refused);
    assert_eq!(pair.next(B), Some(Operation::Error { context: 5, code: ErrorCode::INVALID_OP }));
    // Context 0 would be taken for a refusal of what the peer is about to ask.
    let flags = ChunkFlags(3);
    let chunk = Chunk { connection: 0, message: 1, total: 1, offset: 0, len: 1, flags, aux: 0 };
    assert!(pair.inject(B, Operation::Chunk(chunk)).is_err());
    assert_eq!(pair.next(B), None);
    assert_eq!(pair.ends[B].session.begin(ZERO, message(1)), Err(SendError::NotNegotiated));
    pair.ends[B].errors.clear();
    pair.ends[A].session.negotiate().unwrap();
    pair.settle();
    pair.ends[A].begin(ZERO, message(100)).unwrap();
    pair.settle();
    assert_eq!(pair.ends[B].take_whole().len(), 1);
    pair.assert_no_errors();
}

#[test]
fn a_peer_of_the_seed_document_gets_chunks_without_flags() {
    let mut pair = Pair::new(Profile::Seed);
    let all = Offer {
        version: Version::V1_1,
        features: Features::ALL,
        capabilities: Capabilities::ALL,
        salt: None,
    };
    pair.inject(B, Operation::Negotiate(all)).unwrap();
    let agreed = *pair.ends[B].session.agreed().unwrap();
    assert_eq!((agreed.features, agreed.version), (Features::LARGE_COPY, Version::V1_1));
    pair.next(B);
    let key = pair.ends[B].begin(ZERO, message(100)).unwrap();
    let chunk = |offset, len| Chunk {
        connection: 0,
        message: key.message,
        total: 100,
        offset,
        len,
        flags: ChunkFlags(0),
        aux: 0,
    };
    assert_eq!(pair.next(B), Some(Operation::Chunk(chunk(0, 64))));
    assert_eq!(pair.next(B), Some(Operation::Chunk(chunk(64, 36))));
    pair.inject(B, Operation::Chunk(chunk(0, 50))).unwrap();
    pair.inject(B, Operation::Chunk(chunk(50, 50))).unwrap();
    assert_eq!(pair.ends[B].take_whole().len(), 1);
}
