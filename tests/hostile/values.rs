//! Which words a hostile peer writes, and which values into them.

use strait_tests::pattern::Numbers;

/// Bytes of metadata block.
pub(crate) const METADATA: u64 = 64;
/// Bytes of ring.
pub(crate) const PAYLOAD: u64 = 256;
/// Where the ring starts.
pub(crate) const RING: u64 = 128 + METADATA;

/// A word of a segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) offset: u64,
    /// Bytes.
    pub(crate) size: usize,
}

/// The words of the control block.
pub(crate) fn control_words() -> Vec<Target> {
    let halves = [0, 4].map(|offset| Target { offset, size: 4 });
    halves.into_iter().chain((0..128).step_by(8).map(|offset| Target { offset, size: 8 })).collect()
}

/// The length in front of the metadata, and the headers of frames that stand in the ring: of the 20 and 100 bytes that
/// [`crate::fake`] and [`crate::linux`] send first, and of what comes next.
pub(crate) fn headers() -> Vec<Target> {
    let metadata = Target { offset: 128, size: 8 };
    let frames = [0, 8, 36, 44, 152, 160].map(|at| Target { offset: RING + at, size: 8 });
    core::iter::once(metadata).chain(frames).collect()
}

/// All of them.
pub(crate) fn targets() -> Vec<Target> {
    control_words().into_iter().chain(headers()).collect()
}

/// Values at the edges of everything, and some between.
pub(crate) fn values(seed: u64) -> Vec<u64> {
    let p = PAYLOAD;
    let edges = [
        0,
        1,
        15,
        16,
        17,
        p - 16,
        p - 1,
        p,
        p + 1,
        2 * p,
        1 << 31,
        1 << 32,
        1 << 63,
        u64::MAX - 15,
        u64::MAX - 7,
        u64::MAX,
    ];
    let mut numbers = Numbers::new(seed);
    let large = numbers.any();
    let small = numbers.any() % p;
    edges.into_iter().chain([large, small]).collect()
}
