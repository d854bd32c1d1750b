//! What does it cost to write every byte of a 4 KiB block and to read it again?

use core::hint::black_box;

use strait_bench::Outcome;
use strait_bench::lines::time_batches;

/// Bytes of a block.
pub(crate) const LEN: usize = 4096;
/// Blocks that are used in turn, as the slots of a ring would be.
const BLOCKS: usize = 64;

/// Nanoseconds for one block, on one thread.
pub(crate) fn run(trips: u64) -> Outcome<f64> {
    let mut blocks = vec![[0; LEN]; BLOCKS];
    time_batches(trips, |number| {
        let block = &mut blocks[usize::try_from(number)? % BLOCKS];
        write(block, number);
        read(black_box(block), number)
    })
}

/// Writes every byte.
pub(crate) fn write(block: &mut [u8], number: u64) {
    block.fill(value(number));
}

/// Reads every byte, and checks their sum.
pub(crate) fn read(block: &[u8], number: u64) -> Outcome<()> {
    let sum = block.iter().fold(0u64, |sum, byte| sum + u64::from(*byte));
    let expected = u64::from(value(number)) * u64::try_from(block.len())?;
    if sum == expected { Ok(()) } else { Err(format!("block {number} sums to {sum}, not {expected}").into()) }
}

fn value(number: u64) -> u8 {
    number.to_ne_bytes()[0]
}
