//! Which messages are being sent, and whose chunk is next.

use core::time::Duration;

use heapless::Vec;

use crate::time::Instant;

/// A message that is being sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outgoing {
    pub(super) handle: u64,
    pub(super) msg_id: u64,
    pub(super) channel: u32,
    /// [`Flags::COMP`](super::Flags::COMP) and [`Flags::CRYPT`](super::Flags::CRYPT).
    pub(super) flags: super::Flags,
    /// Bytes of its header.
    pub(super) header_len: usize,
    /// Bytes that the driver has; all of them once it has `ended`.
    pub(super) available: u64,
    pub(super) sent: u64,
    pub(super) ended: bool,
    /// Whether it is kept until it is acknowledged.
    pub(super) reliable: bool,
    /// How often it was sent before.
    pub(super) attempt: u32,
    /// Not before this: it is sent again then.
    pub(super) not_before: Option<Instant>,
    /// The peer refused what it has of this attempt for now. The rest goes out all the same, because only behind the last
    /// frame can the message begin anew, and so long after that it does.
    pub(super) refused: Option<Duration>,
}

impl Outgoing {
    /// Whether any of it was ever given out.
    pub(super) const fn is_begun(&self) -> bool {
        self.sent > 0 || self.attempt > 0
    }
}

/// A message that waits for its ACK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unacknowledged {
    pub(super) message: Outgoing,
    pub(super) deadline: Instant,
}

/// The messages being sent, in the order they were begun, and those that wait for an ACK: `N` together.
#[derive(Debug)]
pub(super) struct Sending<const N: usize> {
    queue: Vec<Outgoing, N>,
    kept: Vec<Unacknowledged, N>,
    /// The channel whose turn was the last.
    last_channel: u32,
}

impl<const N: usize> Sending<N> {
    pub(super) const fn new() -> Self {
        Self { queue: Vec::new(), kept: Vec::new(), last_channel: u32::MAX }
    }

    pub(super) fn is_full(&self) -> bool {
        self.queue.len().saturating_add(self.kept.len()) >= N
    }

    /// Whether a message waits that was begun before the one with this handle.
    pub(super) fn has_before(&self, handle: u64) -> bool {
        self.queue.iter().any(|message| message.handle < handle)
    }

    /// Appends a message; not if there is no room.
    pub(super) fn push(&mut self, message: Outgoing) -> bool {
        !self.is_full() && self.queue.push(message).is_ok()
    }

    pub(super) fn find(&mut self, handle: u64) -> Option<&mut Outgoing> {
        self.queue.iter_mut().find(|message| message.handle == handle)
    }

    /// Forgets a message, sent or not.
    pub(super) fn remove(&mut self, handle: u64) -> Option<Outgoing> {
        if let Some(at) = self.queue.iter().position(|message| message.handle == handle) {
            return Some(self.queue.remove(at));
        }
        let at = self.kept.iter().position(|kept| kept.message.handle == handle)?;
        Some(self.kept.remove(at).message)
    }

    /// The next message of which a frame can be sent: of each channel the oldest only, and of the channels the one behind
    /// that of the last frame, by number.
    pub(super) fn next(&mut self, now: Instant, chunks: bool) -> Option<&mut Outgoing> {
        let mut found: Option<(u32, usize)> = None;
        for (at, message) in self.queue.iter().enumerate() {
            let turn = message.channel.wrapping_sub(self.last_channel).wrapping_sub(1);
            if found.is_some_and(|(first, _)| first <= turn) {
                continue;
            }
            let ready = message.ended || (chunks && message.available > message.sent);
            let due = message.not_before.is_none_or(|at| at <= now);
            let mut older = self.queue.iter().take(at);
            if ready && due && older.all(|other| other.channel != message.channel) {
                found = Some((turn, at));
            }
        }
        let message = self.queue.get_mut(found?.1)?;
        self.last_channel = message.channel;
        Some(message)
    }

    /// The last chunk of a message was given out.
    pub(super) fn sent_whole(&mut self, now: Instant, handle: u64, timeout: Duration) {
        let Some(at) = self.queue.iter().position(|message| message.handle == handle) else { return };
        let mut message = self.queue.remove(at);
        if let Some(wait) = message.refused.take() {
            self.again(message, now.saturating_add(wait));
        } else if message.reliable {
            // There is room: both tables together have at most N.
            let _ = self.kept.push(Unacknowledged { message, deadline: now.saturating_add(timeout) });
        }
    }

    /// The peer has a message. Its handle, if it waited for that, or was to be sent again.
    pub(super) fn acked(&mut self, msg_id: u64) -> Option<u64> {
        let again = |message: &Outgoing| message.msg_id == msg_id && message.reliable && message.attempt > 0;
        if let Some(at) = self.queue.iter().position(again) {
            return Some(self.queue.remove(at).handle);
        }
        self.take_kept(msg_id).map(|message| message.handle)
    }

    /// The message with this number that waits for its ACK, taken out of those.
    pub(super) fn take_kept(&mut self, msg_id: u64) -> Option<Outgoing> {
        let at = self.kept.iter().position(|kept| kept.message.msg_id == msg_id)?;
        Some(self.kept.remove(at).message)
    }

    /// The message with this number that is being sent, or will be.
    pub(super) fn find_queued(&mut self, msg_id: u64) -> Option<&mut Outgoing> {
        self.queue.iter_mut().find(|message| message.msg_id == msg_id)
    }

    /// The next message whose ACK is overdue, taken out of those that wait.
    pub(super) fn take_overdue(&mut self, now: Instant) -> Option<Outgoing> {
        let at = self.kept.iter().position(|kept| kept.deadline <= now)?;
        Some(self.kept.remove(at).message)
    }

    /// Waits for an ACK once more, until `deadline`.
    pub(super) fn wait_on(&mut self, mut message: Outgoing, deadline: Instant) {
        message.attempt = message.attempt.saturating_add(1);
        // There is room: it was in one of the tables just now.
        let _ = self.kept.push(Unacknowledged { message, deadline });
    }

    /// Sends a message once more, not before `at`.
    pub(super) fn again(&mut self, mut message: Outgoing, at: Instant) {
        message.sent = 0;
        message.attempt = message.attempt.saturating_add(1);
        message.not_before = Some(at);
        // There is room: it was in one of the tables just now.
        let _ = self.queue.push(message);
    }

    /// Times that have come hold nothing up any more.
    pub(super) fn wake(&mut self, now: Instant) {
        for message in &mut self.queue {
            message.not_before = message.not_before.filter(|at| *at > now);
        }
    }

    /// When something becomes due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let waiting = self.queue.iter().filter_map(|message| message.not_before);
        waiting.chain(self.kept.iter().map(|kept| kept.deadline)).min()
    }

    /// Whether nothing is to be sent, and nothing waits for an ACK.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.kept.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.queue.clear();
        self.kept.clear();
    }
}
