//! How long does a round trip take when two processes share two cache lines and nothing else?

use core::sync::atomic::Ordering;
use std::time::Instant;

use crate::Outcome;
use crate::child::{self, Child, argument, spin_until};
use crate::schedule::median;
use crate::shared::Shared;

/// Role: copies line A to line B. Arguments: path of the memory, round trips.
pub const LINES: &str = "echo-lines";
/// Round trips between two looks at the clock: reading it costs 20 to 30 ns.
pub const BATCH: u64 = 100;

/// Offsets of the lines, bytes: far enough apart for the prefetcher of line pairs.
const LINE_A: usize = 0;
const LINE_B: usize = 256;
const PAGE: usize = 4096;

/// Median over the batches of nanoseconds per round trip; the first tenth is not counted.
pub fn time_batches(trips: u64, mut trip: impl FnMut(u64) -> Outcome<()>) -> Outcome<f64> {
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

/// Nanoseconds per round trip with a process in the role [`LINES`].
pub fn client(trips: u64) -> Outcome<f64> {
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

/// The role [`LINES`].
pub fn server(args: &[String]) -> Outcome<()> {
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
