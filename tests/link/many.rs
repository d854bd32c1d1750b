//! Three processes send to three others, and one of each is killed: does every message arrive exactly once?

use std::collections::{BTreeMap, BTreeSet};

use strait_tests::pattern::Numbers;

use super::*;

const SENDERS: usize = 3;
const RECEIVERS: usize = 3;
/// Messages of each sender.
const COUNT: u64 = 20_000;
/// Most messages that a receiver takes at once.
const BATCH: usize = 16;

/// What each receiver told, in the order in which it had it.
type Told = Vec<Vec<String>>;

#[test]
fn every_message_arrives_once_though_a_sender_and_a_receiver_are_killed() {
    for seed in 0..4 {
        run("many", "drain", seed, 1);
    }
}

#[test]
fn every_message_arrives_once_in_batches_as_well() {
    for seed in 4..8 {
        run("many-batches", &format!("batches {BATCH}"), seed, BATCH);
    }
}

/// `most` messages at most are taken along by a receiver.
fn run(test: &str, drain: &str, seed: u64, most: usize) {
    let mut numbers = Numbers::new(seed);
    let name = TestName::new(test);
    let case = cases()[usize::try_from(seed).expect("small") % 2];
    let geometry = format!("64 {} {}", message::LONGEST, case.profile_name());
    let enter = |side: &str| {
        let mut peer = peer();
        peer.ok(&format!("enter {side} {} {geometry}", &*name));
        peer
    };
    let mut ends = enter("primary");
    let mut senders: Vec<Peer> = (0..SENDERS).map(|_| enter("primary")).collect();
    let mut receivers: Vec<Peer> = (0..RECEIVERS).map(|_| enter("secondary")).collect();
    receivers.iter_mut().for_each(|receiver| receiver.tell(drain));
    for (label, sender) in senders.iter_mut().enumerate() {
        sender.tell(&format!("pour {label} 0 {COUNT}"));
    }

    let (dead_sender, dead_receiver) = (numbers.below(SENDERS), numbers.below(RECEIVERS));
    let mut told: Told = vec![Vec::new(); RECEIVERS];
    // Somewhere in the middle: when it has received so much, or all together have.
    let (heard, most_heard) = (1 + numbers.below(2000), 20_000);
    while told[dead_receiver].len() < heard && told.iter().map(Vec::len).sum::<usize>() < most_heard {
        hear(receivers.iter_mut().enumerate(), &mut told);
    }
    let rest = receivers.remove(dead_receiver).kill_and_listen();
    told[dead_receiver].extend(rest.iter().filter_map(|line| line.strip_prefix("ok ")).map(str::to_owned));
    // And when it has sent so much.
    let alive: Vec<usize> = (0..RECEIVERS).filter(|at| *at != dead_receiver).collect();
    let sent = numbers.any() % (COUNT / 2);
    let mut looked = vec![0; RECEIVERS];
    let mut has_sent = false;
    while !has_sent {
        hear(alive.iter().copied().zip(&mut receivers), &mut told);
        for (texts, looked) in told.iter().zip(&mut looked) {
            let news = texts[*looked..].iter().map(|text| parse(text));
            has_sent |= news.into_iter().any(|(sender, number)| sender == dead_sender && number >= sent);
            *looked = texts.len();
        }
    }
    senders.remove(dead_sender).kill();

    for sender in &mut senders {
        sender.answer_ok();
    }
    // Enough for each, though another takes as many as it can.
    ends.ok(&format!("pour end 0 {}", most * receivers.len()));
    for (receiver, at) in receivers.iter_mut().zip(alive) {
        told[at].extend(core::iter::from_fn(|| Some(receiver.answer_ok()).filter(|text| text != "end")));
    }
    check(&told, dead_sender, most);
    for peer in senders.into_iter().chain(receivers) {
        assert!(peer.exit().success());
    }
    assert!(ends.exit().success());
}

/// Adds what each has told by now.
fn hear<'p>(receivers: impl Iterator<Item = (usize, &'p mut Peer)>, told: &mut Told) {
    for (at, receiver) in receivers {
        told[at].extend(core::iter::from_fn(|| receiver.answer_by_now()));
    }
    std::thread::yield_now();
}

/// Sender and number of a message.
fn parse(text: &str) -> (usize, u64) {
    let (label, number) = text.split_once('-').expect("a label and a number");
    (label.parse().expect("a number"), number.parse().expect("a number"))
}

fn check(told: &Told, dead_sender: usize, most: usize) {
    let mut all: BTreeMap<usize, BTreeSet<u64>> = BTreeMap::new();
    for receiver in told {
        let mut last: BTreeMap<usize, u64> = BTreeMap::new();
        for (sender, number) in receiver.iter().map(|text| parse(text)) {
            let before = last.insert(sender, number);
            assert!(before < Some(number), "one receiver has the messages of one sender in order");
            assert!(all.entry(sender).or_default().insert(number), "{sender}-{number} arrived twice");
        }
    }
    let mut missing = 0;
    for sender in 0..SENDERS {
        let arrived = all.remove(&sender).unwrap_or_default();
        let sent = match arrived.last() {
            Some(last) if sender == dead_sender => last + 1,
            _ if sender == dead_sender => 0,
            _ => COUNT,
        };
        println!("{sent} messages of sender {sender}");
        missing += sent - arrived.len() as u64;
    }
    println!("{missing} died with their receiver");
    assert!(missing <= most as u64, "{missing} messages are missing");
}
