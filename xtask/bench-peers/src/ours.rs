//! What does Strait enter in the measurements?

use std::time::Instant;

use strait::WaitPolicy;
use strait::hqq::{Link, LinkBuilder, Receiver, Sender};
use strait_bench::Outcome;
use strait_bench::child::{self, Child, argument};
use strait_bench::lines::time_batches;
use strait_bench::messages::{check, millions_per_second, warm_up, write_number};
use strait_bench::schedule::Target;
use strait_core::mpmc::{ArrayMemory, Ring};

use crate::contenders::{ARRAY_QUEUE, Contender, FUTEX, LINES, Measurement, Play};
use crate::queues::{Item, PLACES, Queue};
use crate::{threads, touch};

const RING: &str = "Strait ring, in process";
const LINK: &str = "Strait link, two processes";
const BATCHES: &str = "Strait link, two processes, batches of 64";
const SMALL: &str = "Strait link: slot of 64 B, and touch of 4 KiB";
const LARGE: &str = "Strait link: slot of 4 KiB, touched";

/// Strait's contenders.
pub(crate) const CONTENDERS: &[Contender] = &[
    ours(Measurement::Pair, RING, ARRAY_QUEUE, Target::RatioAtMost(1.0), threads::pair::<OurRing>),
    ours(Measurement::Pair, "Strait link, in process", ARRAY_QUEUE, Target::None, link_pair),
    ours(Measurement::OneWay, RING, ARRAY_QUEUE, Target::None, threads::one_way::<OurRing>),
    ours(Measurement::OneWay, LINK, ARRAY_QUEUE, Target::RatioAtLeast(1.0), one_way),
    ours(Measurement::OneWay, BATCHES, ARRAY_QUEUE, Target::RatioAtLeast(3.0), one_way_batches),
    ours(Measurement::TwoByTwo, RING, ARRAY_QUEUE, Target::RatioAtLeast(1.0), threads::two_by_two::<OurRing>),
    ours(Measurement::RoundTrip, RING, LINES, Target::None, threads::round_trip::<OurRing>),
    ours(Measurement::RoundTrip, LINK, LINES, Target::RatioAtMost(2.2), round_trip),
    ours(Measurement::OneCore, LINK, FUTEX, Target::RatioAtMost(3.0), one_core),
    Contender {
        measurement: Measurement::Slot,
        name: SMALL,
        against: None,
        target: Target::None,
        run: small_slot,
    },
    ours(Measurement::Slot, LARGE, SMALL, Target::RatioAtMost(1.0), large_slot),
];

const fn ours(
    measurement: Measurement,
    name: &'static str,
    against: &'static str,
    target: Target,
    run: fn(u64) -> Outcome<f64>,
) -> Contender {
    Contender { measurement, name, against: Some(against), target, run }
}

/// What the second process does: a role's name and its function.
pub(crate) const ROLES: &[(&str, Play)] = &[(SENDER, sender), (SERVER, server), (SLOTS, slots)];

/// Role: sends numbered messages. Arguments: link, messages, messages in a batch.
const SENDER: &str = "link-sender";
/// Role: sends back what it receives. Arguments: link, round trips, processor.
const SERVER: &str = "link-server";
/// Role: sends slots, filled in place. Arguments: link, slots, bytes.
const SLOTS: &str = "link-slots";

const LEN: usize = size_of::<Item>();

/// The ring as it is, over the program's own memory.
pub(crate) struct OurRing(Ring<&'static Memory>);

type Memory = ArrayMemory<PLACES>;

impl Queue for OurRing {
    fn create() -> Self {
        // Leaked: a process makes two at most, and ends.
        let memory = Box::leak(Box::new(Memory::new()));
        Self(Ring::initialise(&*memory, PLACES as u64).expect("1024 is a power of two"))
    }

    #[inline]
    fn try_put(&self, item: &Item) -> bool {
        let (chunks, _) = item.as_chunks::<8>();
        let words = core::array::from_fn(|at| u64::from_ne_bytes(chunks[at]));
        self.0.try_push(words).is_ok()
    }

    #[inline]
    fn try_take(&self) -> Option<Item> {
        let words = self.0.try_pop().ok()?;
        let mut item = [0; LEN];
        let (chunks, _) = item.as_chunks_mut::<8>();
        for (to, word) in chunks.iter_mut().zip(words) {
            *to = word.to_ne_bytes();
        }
        Some(item)
    }
}

/// Polls for as long as it takes, as the other contenders do.
const SPIN: WaitPolicy = WaitPolicy { min_spins: 1 << 24, max_spins: 1 << 24, yields: 0 };

fn link(name: &str, slot_len: usize) -> LinkBuilder {
    Link::builder(name).slots(PLACES as u64).slot_len(slot_len as u64)
}

/// The primary's halves of a new link.
fn create(name: &str, slot_len: usize, policy: WaitPolicy) -> Outcome<(Sender, Receiver)> {
    Ok(link(name, slot_len).wait_policy(policy).create()?.split())
}

/// The secondary's halves of one that is there.
fn open(args: &[String], policy: WaitPolicy) -> Outcome<(Sender, Receiver)> {
    let name: String = argument(args, 0)?;
    Ok(Link::builder(&name).secondary().wait_policy(policy).open()?.split())
}

/// Nanoseconds for a message sent and received by one thread.
fn link_pair(pairs: u64) -> Outcome<f64> {
    const PAIRS: u64 = 100;
    let name = child::unique_name("pair");
    let (mut tx, _rx) = create(&name, LEN, SPIN)?;
    let (_tx, mut rx) = open(&[name], SPIN)?;
    let mut item = [0; LEN];
    let nanos = time_batches(pairs / PAIRS, |trip| {
        for number in (trip - 1) * PAIRS..trip * PAIRS {
            write_number(&mut item, number);
            tx.send(&item)?;
            check(&rx.recv()?, number, LEN)?;
        }
        Ok(())
    })?;
    #[expect(clippy::cast_precision_loss, reason = "a small constant")]
    Ok(nanos / PAIRS as f64)
}

fn one_way(messages: u64) -> Outcome<f64> {
    receive_from_sender(messages, 1)
}

fn one_way_batches(messages: u64) -> Outcome<f64> {
    receive_from_sender(messages, 64)
}

/// Millions of messages per second, `batch` of them per call at both ends.
fn receive_from_sender(messages: u64, batch: usize) -> Outcome<f64> {
    let name = child::unique_name("one-way");
    let (_tx, mut rx) = create(&name, LEN, SPIN)?;
    let mut child = Child::start(SENDER, &[name, messages.to_string(), batch.to_string()])?;
    child.go()?;
    let warm = warm_up(messages);
    let mut start = Instant::now();
    let mut number = 0;
    while number < messages {
        if number >= warm && number < warm + batch as u64 {
            start = Instant::now();
        }
        if batch == 1 {
            check(&rx.recv()?, number, LEN)?;
            number += 1;
            continue;
        }
        let mut slots = rx.recv_many(batch)?;
        while let Some(message) = slots.next() {
            check(message?, number, LEN)?;
            number += 1;
        }
    }
    let rate = millions_per_second(messages - warm, start);
    child.finish()?;
    Ok(rate)
}

fn sender(args: &[String]) -> Outcome<()> {
    child::settle()?;
    let (mut tx, _rx) = open(args, SPIN)?;
    let (messages, batch): (u64, usize) = (argument(args, 1)?, argument(args, 2)?);
    child::report_ready()?;
    let mut item = [0; LEN];
    let mut number = 0;
    while number < messages {
        if batch == 1 {
            write_number(&mut item, number);
            tx.send(&item)?;
            number += 1;
            continue;
        }
        let mut slots = tx.reserve_many(batch.min(usize::try_from(messages - number)?))?;
        while !slots.is_empty() {
            write_number(slots.buffer(), number);
            slots.commit(LEN)?;
            number += 1;
        }
    }
    Ok(())
}

fn round_trip(trips: u64) -> Outcome<f64> {
    there_and_back(trips, SPIN, child::CHILD_CPU)
}

fn one_core(trips: u64) -> Outcome<f64> {
    there_and_back(trips, WaitPolicy::default(), child::PARENT_CPU)
}

/// Nanoseconds for a message there and another one back.
fn there_and_back(trips: u64, policy: WaitPolicy, cpu: usize) -> Outcome<f64> {
    let name = child::unique_name("round-trip");
    let (mut tx, mut rx) = create(&name, LEN, policy)?;
    let mut child = Child::start(SERVER, &[name, trips.to_string(), cpu.to_string()])?;
    child.go()?;
    let mut item = [0; LEN];
    let nanos = time_batches(trips, |number| {
        write_number(&mut item, number);
        tx.send(&item)?;
        check(&rx.recv()?, number, LEN)
    })?;
    child.finish()?;
    Ok(nanos)
}

fn server(args: &[String]) -> Outcome<()> {
    let cpu = argument(args, 2)?;
    child::settle_on(cpu)?;
    let policy = if cpu == child::PARENT_CPU { WaitPolicy::default() } else { SPIN };
    let (mut tx, mut rx) = open(args, policy)?;
    let trips: u64 = argument(args, 1)?;
    child::report_ready()?;
    for _ in 0..trips {
        tx.send(&rx.recv()?)?;
    }
    Ok(())
}

/// Nanoseconds for a 64-byte slot from process to process, with a private block written here and read there.
fn small_slot(slots: u64) -> Outcome<f64> {
    receive_slots(slots, LEN)
}

/// Nanoseconds for a 4 KiB slot from process to process, written and read in place.
fn large_slot(slots: u64) -> Outcome<f64> {
    receive_slots(slots, touch::LEN)
}

fn receive_slots(slots: u64, len: usize) -> Outcome<f64> {
    let name = child::unique_name("slots");
    let (_tx, mut rx) = link(&name, len).slots(64).wait_policy(SPIN).create()?.split();
    let mut child = Child::start(SLOTS, &[name, slots.to_string(), len.to_string()])?;
    child.go()?;
    let mut private = vec![0; touch::LEN];
    let nanos = time_batches(slots, |number| {
        let slot = rx.recv()?;
        if len == touch::LEN {
            return touch::read(&slot, number);
        }
        check(&slot, number, len)?;
        drop(slot);
        touch::write(&mut private, number);
        touch::read(core::hint::black_box(&private), number)
    })?;
    child.finish()?;
    Ok(nanos)
}

fn slots(args: &[String]) -> Outcome<()> {
    child::settle()?;
    let (mut tx, _rx) = open(args, SPIN)?;
    let (slots, len): (u64, usize) = (argument(args, 1)?, argument(args, 2)?);
    child::report_ready()?;
    for number in 1..=slots {
        let mut slot = tx.reserve()?;
        if len == touch::LEN {
            touch::write(&mut slot, number);
        } else {
            write_number(&mut slot, number);
        }
        slot.commit(len)?;
    }
    Ok(())
}
