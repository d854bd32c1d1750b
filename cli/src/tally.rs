//! How much was moved, and how long that took: from the first frame on, without waits for the other end to appear.

use core::time::Duration;
use std::time::Instant;

/// Frames, bytes and time of one run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Frames moved.
    pub(crate) frames: u64,
    /// Data bytes in them.
    pub(crate) bytes: u64,
    started: Option<Instant>,
    ended: Option<Instant>,
}

impl Tally {
    /// The first frame begins now, unless one has before.
    pub(crate) fn start(&mut self) {
        self.started.get_or_insert_with(Instant::now);
    }

    /// One more frame of `len` bytes.
    pub(crate) fn add(&mut self, len: usize) {
        self.frames += 1;
        self.bytes = self.bytes.saturating_add(len as u64);
    }

    /// The last frame was done at `at`.
    pub(crate) fn end(&mut self, at: Instant) {
        self.ended = Some(at);
    }

    /// From the start to the end, or to now.
    pub(crate) fn duration(&self) -> Duration {
        let Some(started) = self.started else { return Duration::ZERO };
        self.ended.unwrap_or_else(Instant::now).saturating_duration_since(started)
    }

    /// MiB per second; 0 if nothing was moved.
    pub(crate) fn throughput(&self) -> f64 {
        let seconds = self.duration().as_secs_f64();
        if seconds > 0.0 { self.mebibytes() / seconds } else { 0.0 }
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    fn mebibytes(&self) -> f64 {
        self.bytes as f64 / f64::from(1u32 << 20)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_moved_takes_no_time() {
        let tally = Tally::default();
        assert_eq!((tally.duration(), tally.throughput()), (Duration::ZERO, 0.0));
    }

    #[test]
    fn throughput_is_in_mebibytes() {
        let mut tally = Tally::default();
        let now = Instant::now();
        tally.started = Some(now);
        tally.end(now + Duration::from_secs(2));
        tally.add(4 << 20);
        assert!((tally.throughput() - 2.0).abs() < 1e-9);
    }
}
