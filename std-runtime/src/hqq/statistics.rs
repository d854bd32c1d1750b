//! What a handle has moved, and how it tells what it recovered.

use strait_core::hqq::{Counts, Recovered};

/// What one handle has moved since it was made. Add those of several handles for a whole process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Messages sent or received.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Slots given up by this sender, or found given up by this receiver.
    pub tombstones: u64,
    /// Packets refused, and waits that failed other than by a time-out.
    pub errors: u64,
    /// Times a sender found the ring full and waited.
    pub full_waits: u64,
    /// Times a receiver found the ring empty and waited.
    pub empty_waits: u64,
    /// What this handle recovered of dead processes.
    pub recovered: Recovered,
}

impl Statistics {
    pub(super) fn of_sender(counts: Counts, recovered: Recovered) -> Self {
        Self { full_waits: counts.waits, ..Self::of(counts, recovered) }
    }

    pub(super) fn of_receiver(counts: Counts, recovered: Recovered) -> Self {
        Self { empty_waits: counts.waits, ..Self::of(counts, recovered) }
    }

    fn of(counts: Counts, recovered: Recovered) -> Self {
        Self {
            packets: counts.messages,
            bytes: counts.bytes,
            tombstones: counts.tombstones,
            errors: counts.errors,
            recovered,
            ..Self::default()
        }
    }
}

impl core::ops::Add for Statistics {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let recovered = Recovered {
            handles: self.recovered.handles.wrapping_add(other.recovered.handles),
            tombstones: self.recovered.tombstones.wrapping_add(other.recovered.tombstones),
            lost: self.recovered.lost.wrapping_add(other.recovered.lost),
        };
        Self {
            packets: self.packets.wrapping_add(other.packets),
            bytes: self.bytes.wrapping_add(other.bytes),
            tombstones: self.tombstones.wrapping_add(other.tombstones),
            errors: self.errors.wrapping_add(other.errors),
            full_waits: self.full_waits.wrapping_add(other.full_waits),
            empty_waits: self.empty_waits.wrapping_add(other.empty_waits),
            recovered,
        }
    }
}

/// Says what was recovered.
pub(super) fn tell(link: &str, recovered: Recovered) {
    tracing::warn!(
        link,
        handles = recovered.handles,
        tombstones = recovered.tombstones,
        lost = recovered.lost,
        "a process died: what it held was recovered"
    );
}
