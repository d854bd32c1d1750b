//! What a frame of a given number and length must contain, so that a stale, torn or foreign byte is seen.

/// Byte `at` of the frame numbered `sequence`.
#[expect(clippy::cast_possible_truncation, reason = "a byte is what is meant")]
fn byte(sequence: u64, at: usize) -> u8 {
    let mixed =
        sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (at as u64).wrapping_mul(0xd6e8_feb8_6659_fd93);
    (mixed >> 32) as u8
}

/// Fills `frame` with the content of the frame numbered `sequence`.
pub fn fill(frame: &mut [u8], sequence: u64) {
    for (at, to) in frame.iter_mut().enumerate() {
        *to = byte(sequence, at);
    }
}

/// The content of the frame numbered `sequence`, `len` bytes.
pub fn content(sequence: u64, len: usize) -> Vec<u8> {
    let mut frame = vec![0; len];
    fill(&mut frame, sequence);
    frame
}

/// Offset of the first byte that is not what [`fill`] puts there.
pub fn first_wrong(frame: &[u8], sequence: u64) -> Option<usize> {
    frame.iter().enumerate().position(|(at, found)| *found != byte(sequence, at))
}

/// Panics if `frame` is not the content of the frame numbered `sequence`.
#[track_caller]
pub fn check(frame: &[u8], sequence: u64) {
    if let Some(at) = first_wrong(frame, sequence) {
        let found = frame[at];
        panic!("frame {sequence} of {} bytes: byte {at} is {found}, not {}", frame.len(), byte(sequence, at));
    }
}

/// Numbers that look random and are the same in every run.
#[derive(Clone, Debug)]
pub struct Numbers(u64);

impl Numbers {
    /// A sequence of its own for every `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number: splitmix64.
    pub fn any(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The next number below `end`.
    #[expect(clippy::cast_possible_truncation, reason = "less than `end`, a usize")]
    pub fn below(&mut self, end: usize) -> usize {
        (self.any() % end as u64) as usize
    }
}
