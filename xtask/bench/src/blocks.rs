//! How many bytes per second go from one process to another in blocks of 3.1 MB, written and read in place?

use core::hint::black_box;
use core::sync::atomic::Ordering;
use std::time::Instant;

use strait_bench::Outcome;
use strait_bench::child::{self, Child, argument, spin_until};
use strait_bench::schedule::{Group, Row, Target, contender};
use strait_bench::shared::Shared;

use crate::buffers;

/// Role: fills blocks of bare memory. Arguments: path of the memory, blocks.
pub(crate) const BARE: &str = "blocks-bare";
/// Role: fills frames in place. Arguments: buffer, frames.
pub(crate) const STRAIT: &str = "blocks-strait";

/// One picture of 1920 × 1080 pixels, 1.5 bytes each; a multiple of 8.
const LEN: usize = 3_110_400;
/// Blocks in the ring.
const BLOCKS: usize = 4;
/// Strait's frame costs 16 bytes more. A multiple of 64 as it is.
const RING: u64 = (BLOCKS * (LEN + 16)) as u64;
/// Offsets in bare memory, bytes: the counters on lines of their own, the blocks behind them.
const PRODUCED: usize = 0;
const CONSUMED: usize = 256;
const FIRST_BLOCK: usize = 4096;
const BARE_LEN: usize = FIRST_BLOCK + BLOCKS * LEN;

/// Bare memory with two counters, against frames.
pub(crate) fn group(quick: bool) -> Group {
    let blocks = if quick { 200 } else { 800 };
    Group {
        name: "3.1 MB frames",
        unit: "GB/s",
        is_exact: false,
        contenders: vec![
            contender("bare shared memory", move || bare_consumer(blocks)),
            contender("Strait", move || strait_reader(blocks)),
        ],
        rows: vec![Row {
            label: "3.1 MB frames in place, ring of 4",
            ours: 1,
            reference: Some(0),
            target: Target::RatioAtLeast(0.95),
        }],
    }
}

/// A copy within one process, for orientation.
pub(crate) fn copy(quick: bool) -> Group {
    let copies = if quick { 200 } else { 1_000 };
    Group {
        name: "memcpy 3.1 MB",
        unit: "GB/s",
        is_exact: false,
        contenders: vec![contender("memcpy", move || Ok(copy_blocks(copies)))],
        rows: vec![Row {
            label: "memcpy 3.1 MB, one process",
            ours: 0,
            reference: None,
            target: Target::None,
        }],
    }
}

/// Every byte is written.
#[inline(never)]
fn fill(block: &mut [u8], number: u64) {
    block.fill(value(number));
}

/// Every byte is read; an error unless the block is that of `number`.
#[inline(never)]
fn check(block: &[u8], number: u64) -> Outcome<()> {
    let (words, rest) = block.as_chunks::<8>();
    let sum = words.iter().fold(0u64, |sum, word| sum.wrapping_add(u64::from_ne_bytes(*word)));
    let word = u64::from_ne_bytes([value(number); 8]);
    let wanted = word.wrapping_mul((LEN / 8) as u64);
    if sum == wanted && block.len() == LEN && rest.is_empty() {
        return Ok(());
    }
    Err(format!("wrong content in block {number}: {} bytes, sum {sum:#x}, not {wanted:#x}", block.len())
        .into())
}

/// Changes from block to block, and from lap to lap at every place.
fn value(number: u64) -> u8 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[0]
}

#[expect(clippy::cast_precision_loss, reason = "byte counts are far below 2^52")]
fn gigabytes_per_second(blocks: u64, start: Instant) -> f64 {
    (blocks * LEN as u64) as f64 / start.elapsed().as_secs_f64() / 1e9
}

/// Takes every block in turn and times all but the first tenth.
fn time_blocks(blocks: u64, mut take: impl FnMut(u64) -> Outcome<()>) -> Outcome<f64> {
    let warm = blocks / 10;
    (0..warm).try_for_each(&mut take)?;
    let start = Instant::now();
    (warm..blocks).try_for_each(&mut take)?;
    Ok(gigabytes_per_second(blocks - warm, start))
}

fn offset(number: u64) -> usize {
    #[expect(clippy::cast_possible_truncation, reason = "below BLOCKS")]
    let at = (number % BLOCKS as u64) as usize;
    FIRST_BLOCK + at * LEN
}

fn bare_consumer(blocks: u64) -> Outcome<f64> {
    let shared = Shared::create(BARE_LEN)?;
    let mut child = Child::start(BARE, &[shared.path(), blocks.to_string()])?;
    let (produced, consumed) = (shared.word(PRODUCED), shared.word(CONSUMED));
    child.go()?;
    let rate = time_blocks(blocks, |number| {
        // Pairs with the producer's Release store: the block is filled.
        spin_until(|| produced.load(Ordering::Acquire) > number)?;
        #[expect(unsafe_code, reason = "the consumer's turn")]
        // SAFETY: produced and not yet consumed: the producer leaves the block alone.
        let block = unsafe { shared.block(offset(number), LEN) };
        check(block, number)?;
        // Pairs with the producer's Acquire load: we have read all of it.
        consumed.store(number + 1, Ordering::Release);
        Ok(())
    })?;
    child.finish()?;
    Ok(rate)
}

pub(crate) fn bare_producer(args: &[String]) -> Outcome<()> {
    child::settle()?;
    let shared = Shared::open(&argument::<String>(args, 0)?, BARE_LEN)?;
    let blocks: u64 = argument(args, 1)?;
    let (produced, consumed) = (shared.word(PRODUCED), shared.word(CONSUMED));
    child::report_ready()?;
    for number in 0..blocks {
        // Pairs with the consumer's Release store: it is done with the block's last content.
        spin_until(|| number - consumed.load(Ordering::Acquire) < BLOCKS as u64)?;
        #[expect(unsafe_code, reason = "the producer's turn")]
        // SAFETY: consumed or never produced: the consumer leaves the block alone until it is published below.
        let block = unsafe { shared.block_mut(offset(number), LEN) };
        fill(block, number);
        // Pairs with the consumer's Acquire load.
        produced.store(number + 1, Ordering::Release);
    }
    Ok(())
}

fn strait_reader(blocks: u64) -> Outcome<f64> {
    let name = child::unique_name("blocks");
    let mut reader = buffers::create(&name, RING, None)?;
    let mut child = Child::start(STRAIT, &[name, blocks.to_string()])?;
    child.go()?;
    let rate = time_blocks(blocks, |number| check(&reader.recv()?, number))?;
    child.finish()?;
    Ok(rate)
}

pub(crate) fn strait_writer(args: &[String]) -> Outcome<()> {
    child::settle()?;
    let mut writer = buffers::connect(&argument::<String>(args, 0)?, None)?;
    let blocks: u64 = argument(args, 1)?;
    child::report_ready()?;
    for number in 0..blocks {
        let mut frame = writer.reserve(LEN)?;
        fill(&mut frame, number);
        frame.commit()?;
    }
    Ok(())
}

fn copy_blocks(copies: u64) -> f64 {
    let (from, mut to) = (vec![1u8; LEN], vec![2u8; LEN]);
    to.copy_from_slice(&from);
    let start = Instant::now();
    for _ in 0..copies {
        to.copy_from_slice(black_box(&from));
        black_box(&mut to);
    }
    gigabytes_per_second(copies, start)
}
