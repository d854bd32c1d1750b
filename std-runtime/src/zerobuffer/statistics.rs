//! What an endpoint has moved, and how full its ring is.

use strait_core::zerobuffer::Counters;

/// What one end of a buffer has moved since it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Frames sent or received.
    pub frames: u64,
    /// Data bytes in them, without headers.
    pub bytes: u64,
    /// Calls that had to wait for the other end.
    pub waits: u64,
    /// Times a wait slept in the system instead of spinning.
    pub sleeps: u64,
    /// Times the ring wrapped and left its tail unused.
    pub wraps: u64,
    /// Times an empty ring was started over.
    pub rewinds: u64,
    /// Frames received although their writer died, or stalled, before announcing them.
    pub recovered: u64,
    /// Most bytes of the ring in use at once, as far as this end saw.
    pub high_water_mark: u64,
    /// Bytes of the ring in use now.
    pub used: u64,
    /// Bytes of the ring.
    pub capacity: u64,
}

/// How full a ring is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// Below 80 %.
    Good,
    /// 80 % or more: the reader falls behind.
    Degraded,
    /// 95 % or more: the writer is about to wait.
    Critical,
}

impl Statistics {
    pub(super) fn new(counters: Counters, used: u64, capacity: u64) -> Self {
        Self {
            frames: counters.frames,
            bytes: counters.bytes,
            waits: counters.waits,
            sleeps: counters.sleeps,
            wraps: counters.wraps,
            rewinds: counters.rewinds,
            recovered: counters.recovered,
            high_water_mark: counters.high_water_mark.max(used),
            used,
            capacity,
        }
    }

    /// How full the ring is now.
    pub fn health(&self) -> Health {
        // In hundredths; a ring is far smaller than 2⁶⁴ / 100.
        match self.used.saturating_mul(100).checked_div(self.capacity) {
            Some(95..) => Health::Critical,
            Some(80..) => Health::Degraded,
            _ => Health::Good,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_changes_at_80_and_95_percent() {
        let at = |used| Statistics::new(Counters::default(), used, 1000).health();
        assert_eq!(
            [at(0), at(799), at(800), at(949), at(950), at(1000)],
            [
                Health::Good,
                Health::Good,
                Health::Degraded,
                Health::Degraded,
                Health::Critical,
                Health::Critical
            ]
        );
    }
}
