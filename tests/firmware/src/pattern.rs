//! Which length and which bytes a frame has: a function of its number, so that a wrong one shows.

/// Data bytes of frame `sequence`: 1 to 197, in no simple order.
pub(crate) fn len(sequence: u64) -> usize {
    // 197 is prime: the product takes every remainder.
    1 + (sequence * 89 % 197) as usize
}

/// The byte at `at` of frame `sequence`.
fn byte(sequence: u64, at: usize) -> u8 {
    let mixed = (sequence as u32).wrapping_mul(0x9e37_79b9).rotate_left(at as u32 % 32);
    mixed as u8 ^ at as u8
}

/// Fills frame `sequence`.
pub(crate) fn fill(sequence: u64, frame: &mut [u8]) {
    for (at, to) in frame.iter_mut().enumerate() {
        *to = byte(sequence, at);
    }
}

/// Whether `frame` is frame `sequence`, whole.
pub(crate) fn is(sequence: u64, frame: &[u8]) -> bool {
    frame.len() == len(sequence) && frame.iter().enumerate().all(|(at, found)| *found == byte(sequence, at))
}
