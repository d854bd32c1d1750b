//! How many bytes may still be sent on a connection, either way.
//!
//! Limits are sums since the connection was opened, so that a limit told twice or late does no harm. A chunk costs its
//! bytes, an empty one costs 1: nobody floods a peer with empty messages.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::fault::ChunkFault;

/// Credit of one connection. Sums saturate: 16 EiB on one connection are not reached.
#[derive(Clone, Copy, Debug)]
pub(super) struct Credit {
    /// Bytes that the peer may have sent unread.
    window: u64,
    sent: u64,
    /// What the peer allows; 0 until it says.
    allowed: u64,
    received: u64,
    granted: u64,
    consumed: u64,
    /// Whether the peer has not yet been told `granted`.
    due: bool,
}

/// What a chunk of `len` bytes costs.
pub(super) const fn cost(len: u64) -> u64 {
    if len == 0 { 1 } else { len }
}

impl Credit {
    pub(super) const fn new(window: u64) -> Self {
        Self { window, sent: 0, allowed: 0, received: 0, granted: window, consumed: 0, due: true }
    }

    /// The peer allows `limit` bytes in all; less than before changes nothing.
    pub(super) fn allow(&mut self, limit: u64) {
        self.allowed = self.allowed.max(limit);
    }

    pub(super) fn send(&mut self, cost: u64) {
        self.sent = self.sent.saturating_add(cost);
    }

    pub(super) fn receive(&mut self, cost: u64) -> Result<(), ChunkFault> {
        let (received, granted) = (self.received, self.granted);
        let sum = received.checked_add(cost).filter(|sum| *sum <= granted);
        self.received = sum.ok_or(ChunkFault::BeyondCredit { len: cost, received, granted })?;
        Ok(())
    }

    /// Grants more once half of the window was consumed: a packet per half window and not per chunk.
    pub(super) fn consume(&mut self, cost: u64) {
        // A user that gives back more than came would grant what there is no room for.
        self.consumed = self.consumed.saturating_add(cost).min(self.received);
        let limit = self.consumed.saturating_add(self.window);
        if limit.saturating_sub(self.granted) >= (self.window >> 1).max(1) {
            self.granted = limit;
            self.due = true;
        }
    }

    /// The limit to tell the peer, once.
    pub(super) fn take_due(&mut self) -> Option<u64> {
        core::mem::take(&mut self.due).then_some(self.granted)
    }

    /// Bytes that may be sent now.
    pub(super) const fn available(&self) -> u64 {
        self.allowed.saturating_sub(self.sent)
    }

    /// Whether the peer may have something to send and not be allowed to: a whole chunk of `chunk` bytes has no room.
    pub(super) const fn holds_back(&self, chunk: u64) -> bool {
        self.due || self.granted.saturating_sub(self.received) < chunk
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_told_at_first_and_then_per_half_window() {
        let mut credit = Credit::new(100);
        assert_eq!(credit.take_due(), Some(100));
        assert_eq!(credit.take_due(), None);
        credit.receive(60).unwrap();
        credit.consume(49);
        assert_eq!(credit.take_due(), None);
        credit.consume(1);
        assert_eq!(credit.take_due(), Some(150));
        credit.receive(90).unwrap();
        let beyond = ChunkFault::BeyondCredit { len: 1, received: 150, granted: 150 };
        assert_eq!(credit.receive(1), Err(beyond));
    }

    #[test]
    fn once_all_is_consumed_half_a_window_is_always_free() {
        for step in 1..=50 {
            let (mut receiver, mut sender) = (Credit::new(100), Credit::new(0));
            sender.allow(receiver.take_due().unwrap());
            for _ in 0..100 {
                assert!(sender.available() >= 50, "{step}");
                sender.send(step);
                receiver.receive(step).unwrap();
                receiver.consume(step);
                if let Some(limit) = receiver.take_due() {
                    sender.allow(limit);
                }
            }
        }
    }

    #[test]
    fn a_lower_limit_changes_nothing_and_more_than_came_is_not_consumed() {
        let mut credit = Credit::new(100);
        credit.take_due();
        credit.allow(80);
        credit.allow(20);
        assert_eq!(credit.available(), 80);
        credit.consume(u64::MAX);
        assert_eq!(credit.take_due(), None);
    }
}
