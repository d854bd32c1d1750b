//! How long does a 64-byte request and its reply take, when both sides spin?

use core::sync::atomic::Ordering;
use std::time::Instant;

use strait::WaitPolicy;

use crate::Outcome;
use crate::child::{self, Child, Sweep, argument, spin_until};
use crate::one_way::{check, write_number};
use crate::schedule::{Group, Row, Target, contender, median};
use crate::shared::Shared;

/// Role: copies line A to line B. Arguments: path of the memory, round trips.
pub(crate) const LINES: &str = "echo-lines";
/// Role: sends every frame back from where it lies. Arguments: request buffer, reply buffer, round trips.
pub(crate) const STRAIT: &str = "echo-strait";

const LEN: usize = 64;
const RING: u64 = 64 << 10;
/// Offsets of the lines, bytes: far enough apart for the prefetcher of line pairs.
const LINE_A: usize = 0;
const LINE_B: usize = 256;
const PAGE: usize = 4096;
/// Round trips between two looks at the clock: reading it costs 20 to 30 ns.
const BATCH: u64 = 100;

/// Spinning first, and for long: both sides answer within that.
const SPINNING: WaitPolicy = WaitPolicy { min_spins: 1_000_000, max_spins: 1_000_000, yields: 0 };

/// Two cache lines, against two buffers.
pub(crate) fn group(quick: bool) -> Group {
    let trips = BATCH * if quick { 1_000 } else { 4_000 };
    Group {
        name: "round trip 64 B",
        unit: "ns",
        is_exact: false,
        contenders: vec![
            contender("two cache lines", move || lines_client(trips)),
            contender("Strait, spinning", move || strait_client(trips, Some(SPINNING))),
            contender("Strait, default waiting", move || strait_client(trips, None)),
        ],
        rows: vec![
            Row {
                label: "round trip 64 B, spinning",
                ours: 1,
                reference: Some(0),
                target: Target::RatioAtMost(2.5),
            },
            Row {
                label: "round trip 64 B, default waiting",
                ours: 2,
                reference: Some(0),
                target: Target::None,
            },
        ],
    }
}

/// Median over the batches of nanoseconds per round trip; the first tenth is not counted.
pub(crate) fn time_batches(trips: u64, mut trip: impl FnMut(u64) -> Outcome<()>) -> Outcome<f64> {
    let mut batches = Vec::new();
    let mut number = 0;
    while number < trips {
        let start = Instant::now();
        for _ in 0..BATCH {
            number += 1;
            trip(number)?;
        }
        #[expect(clippy::cast_precision_loss, reason = "a small constant")]
        batches.push(start.elapsed().as_secs_f64() * 1e9 / BATCH as f64);
    }
    Ok(median(&batches[batches.len() / 10..]))
}

fn lines_client(trips: u64) -> Outcome<f64> {
    let shared = Shared::create(PAGE)?;
    let mut child = Child::start(LINES, &[shared.path(), trips.to_string()])?;
    let (request, reply) = (shared.word(LINE_A), shared.word(LINE_B));
    child.go()?;
    let nanos = time_batches(trips, |number| {
        // Release pairs with the server's Acquire load; Acquire with its Release store.
        request.store(number, Ordering::Release);
        spin_until(|| reply.load(Ordering::Acquire) == number)
    })?;
    child.finish()?;
    Ok(nanos)
}

pub(crate) fn lines_server(args: &[String]) -> Outcome<()> {
    child::settle()?;
    let shared = Shared::open(&argument::<String>(args, 0)?, PAGE)?;
    let trips: u64 = argument(args, 1)?;
    let (request, reply) = (shared.word(LINE_A), shared.word(LINE_B));
    child::report_ready()?;
    for number in 1..=trips {
        // Acquire pairs with the client's Release store; Release with its Acquire load.
        spin_until(|| request.load(Ordering::Acquire) == number)?;
        reply.store(number, Ordering::Release);
    }
    Ok(())
}

pub(crate) fn strait_client(trips: u64, policy: Option<WaitPolicy>) -> Outcome<f64> {
    let (request, reply) = (child::unique_name("request"), child::unique_name("reply"));
    let _sweep = Sweep(&request);
    let mut replies = child::create(&reply, RING, policy)?;
    let spinning = policy.is_some().to_string();
    let mut child = Child::start(STRAIT, &[request.clone(), reply, trips.to_string(), spinning])?;
    let mut requests = child::connect(&request, policy)?;
    child.go()?;
    let mut frame = [0; LEN];
    let nanos = time_batches(trips, |number| {
        write_number(&mut frame, number);
        requests.send(&frame)?;
        check(&replies.recv()?, number, LEN)
    })?;
    child.finish()?;
    Ok(nanos)
}

pub(crate) fn strait_server(args: &[String]) -> Outcome<()> {
    child::settle()?;
    let (request, reply): (String, String) = (argument(args, 0)?, argument(args, 1)?);
    let trips: u64 = argument(args, 2)?;
    let policy = argument::<bool>(args, 3)?.then_some(SPINNING);
    let mut requests = child::create(&request, RING, policy)?;
    let mut replies = child::connect(&reply, policy)?;
    child::report_ready()?;
    for _ in 0..trips {
        let frame = requests.recv()?;
        replies.send(&frame)?;
    }
    Ok(())
}
