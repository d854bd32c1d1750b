//! What is in a measured frame, and how are frames counted?

use core::error::Error;
use std::time::Instant;

use crate::Outcome;

/// The first tenth warms up: pages, caches, learned spinning.
pub fn warm_up(frames: u64) -> u64 {
    frames / 10
}

/// Millions of frames per second since `start`.
#[expect(clippy::cast_precision_loss, reason = "frame counts are far below 2^52")]
pub fn millions_per_second(frames: u64, start: Instant) -> f64 {
    frames as f64 / start.elapsed().as_secs_f64() / 1e6
}

/// Numbers a frame in its first 8 bytes.
pub fn write_number(frame: &mut [u8], number: u64) {
    if let Some(start) = frame.first_chunk_mut() {
        *start = number.to_ne_bytes();
    }
}

/// Whether this is the frame of that number and length.
pub fn check(frame: &[u8], number: u64, len: usize) -> Outcome<()> {
    let found = frame.first_chunk().copied().map(u64::from_ne_bytes);
    if found == Some(number) && frame.len() == len {
        return Ok(());
    }
    Err(wrong(found, frame.len(), number, len))
}

#[cold]
fn wrong(found: Option<u64>, found_len: usize, number: u64, len: usize) -> Box<dyn Error> {
    format!("wrong content: {found:?} in {found_len} bytes, not {number} in {len}").into()
}
