//! What a session has done.

use std::time::Duration;

use strait_core::hqq::packet::Counters;

/// What a session has done since it was made. Bytes are counted as they travel; the two of compression say what they were
/// before and after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionStatistics {
    /// Messages and bytes both ways, calls answered, packets refused.
    pub counters: Counters,
    /// How long the negotiation took.
    pub negotiation_time: Duration,
    /// Messages longer than a slot, both ways.
    pub large_messages: u64,
    /// Bytes of messages that were compressed, before.
    pub uncompressed_bytes: u64,
    /// The same, after.
    pub compressed_bytes: u64,
    /// Bytes of chunks that were sealed or opened, as their messages have them.
    pub sealed_bytes: u64,
    /// Bytes that sealing has added to them: a counter and a tag for each chunk.
    pub sealing_overhead: u64,
    /// Packets that allowed the peer to send more.
    pub credits_sent: u64,
    /// Packets by which the peer allowed more.
    pub credits_received: u64,
    /// Times that sending came to a stop because the peer allowed no more.
    pub credit_waits: u64,
    /// Times that nothing more was taken out of the ring, because too much waited to be read: the way of sessions without flow
    /// control.
    pub reading_pauses: u64,
    /// Messages that the peer gave up, or that broke a rule.
    pub aborted: u64,
    /// Of those, messages whose sender ended or left in their middle.
    pub cut_off: u64,
    /// Messages of the peer that were refused from their first chunk on: too long, or against the rules. The peer is told.
    pub refused: u64,
    /// Messages that the peer has acknowledged.
    pub acknowledged: u64,
    /// Messages sent again, to the next peer; each time counts.
    pub redelivered: u64,
    /// Messages given up without an acknowledgement.
    pub undelivered: u64,
    /// Errors that the peer has reported.
    pub peer_errors: u64,
    /// Peers that ended, or left.
    pub peers_lost: u64,
}

impl SessionStatistics {
    /// Bytes before compression over bytes after; `None` while nothing was compressed.
    pub fn compression_ratio(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
        let ratio = || self.uncompressed_bytes as f64 / self.compressed_bytes as f64;
        (self.compressed_bytes > 0).then(ratio)
    }

    /// Bytes that sealing has added over bytes sealed or opened; `None` while there were none.
    pub fn sealing_ratio(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
        let ratio = || self.sealing_overhead as f64 / self.sealed_bytes as f64;
        (self.sealed_bytes > 0).then(ratio)
    }
}
