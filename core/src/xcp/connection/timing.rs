//! What time does: handshakes that take too long, peers that went away, messages that wait too long.

use core::time::Duration;

use super::super::control::Nack;
use super::super::numbers::ErrorCode;
use super::outgoing::Outgoing;
use super::{CloseReason, Connection, Event, Phase, Protection};
use crate::crc32c::Checksum;
use crate::time::Instant;

impl<C, P, const HEADER: usize, const CONTROL: usize, const MESSAGES: usize>
    Connection<C, P, HEADER, CONTROL, MESSAGES>
where
    C: Checksum,
    P: Protection,
{
    /// When [`handle_timeout`](Self::handle_timeout) must be called next; `None` if not before something else happens.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::Handshake { deadline } => Some(deadline),
            Phase::Closed => None,
            Phase::Open => {
                let asks = self.next_question();
                let gone = self.gone_at();
                // While none can be told, none is due: the driver would come back at once, and again.
                let messages = self.assemblies.next_expiry().filter(|_| self.can_drop());
                [asks, gone, messages, self.sending.next_due()].into_iter().flatten().min()
            }
        }
    }

    /// The time is `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        let closed = match self.phase {
            Phase::Handshake { deadline } if deadline <= now => {
                Some(CloseReason::HandshakeTimeout { after: self.config.handshake_timeout })
            }
            Phase::Open if self.gone_at().is_some_and(|at| at <= now) => {
                let after = self.config.idle_timeout.unwrap_or_default();
                Some(CloseReason::Idle { after })
            }
            _ => None,
        };
        if let Some(reason) = closed {
            let event = self.fail(reason);
            self.push_event(event);
            return;
        }
        if self.phase != Phase::Open {
            return;
        }
        if self.next_question().is_some_and(|at| at <= now) {
            self.asked = Some(now);
            self.ping();
        }
        self.sending.wake(now);
    }

    /// The next event that does not come of input; call it whenever input was taken or time went on.
    pub fn poll_event(&mut self, now: Instant) -> Option<Event<'static>> {
        if let Some(event) = self.events.pop_front() {
            return Some(event);
        }
        if self.phase != Phase::Open {
            return None;
        }
        if self.can_drop()
            && let Some(message) = self.assemblies.next_expired(now)
        {
            self.stop(now, message);
            self.nack(message.msg_id, ErrorCode::ERR_BUSY);
            return Some(Event::Dropped { message, code: ErrorCode::ERR_BUSY });
        }
        while let Some(message) = self.sending.take_overdue(now) {
            if message.attempt >= self.config.retry.attempts {
                return Some(Event::Unacknowledged { msg_id: message.msg_id });
            }
            let at = now.saturating_add(self.back_off(message.attempt));
            if self.protection.is_on() {
                // It was sent, and the same again would be a replay: only the ACK is missing.
                self.sending.wait_on(message, at.saturating_add(self.config.retry.timeout));
            } else {
                self.sending.again(message, at);
            }
        }
        None
    }

    /// Whether a message may be dropped now: the peer can be told, and the driver knows of all that began.
    fn can_drop(&self) -> bool {
        self.has_room_for_answers() && self.pending.is_none()
    }

    /// The peer refused one of our messages: it is sent again if that can help and the message is kept.
    pub(super) fn nacked(&mut self, now: Instant, nack: Nack) -> Option<Event<'static>> {
        let Nack { msg_id, code, retry_after_ms } = nack;
        let passing = matches!(code, ErrorCode::ERR_CRC_MISMATCH | ErrorCode::ERR_BUSY);
        let retry_after = Duration::from_millis(u64::from(retry_after_ms));
        let final_event =
            Event::Nacked { msg_id, code, retry_after: (retry_after_ms > 0).then_some(retry_after) };
        // A sealed message that comes again is a replay, unless it is the channel's last.
        // For longer than `Retry::max` a channel does not wait.
        let can_repeat = passing && !self.protection.is_on() && retry_after <= self.config.retry.max;
        let attempts = self.config.retry.attempts;
        let repeats = |message: &Outgoing| can_repeat && message.reliable && message.attempt < attempts;
        if let Some(message) = self.sending.find_queued(msg_id).copied() {
            if !message.is_begun() {
                return None;
            }
            if !repeats(&message) {
                self.sending.remove(message.handle);
                return Some(final_event);
            }
            // Said of this attempt, or of the last one, which is what it is sent again for.
            if message.sent > 0 {
                let wait = self.back_off(message.attempt).max(retry_after);
                let message = self.sending.find(message.handle)?;
                message.refused = Some(message.refused.unwrap_or_default().max(wait));
            }
            return None;
        }
        let Some(message) = self.sending.take_kept(msg_id) else { return Some(final_event) };
        if !repeats(&message) {
            return Some(final_event);
        }
        let wait = self.back_off(message.attempt).max(retry_after);
        self.sending.again(message, now.saturating_add(wait));
        None
    }

    /// A random time from zero to the base doubled with each attempt.
    fn back_off(&mut self, attempt: u32) -> Duration {
        let retry = self.config.retry;
        let doubled = 1_u32.checked_shl(attempt).unwrap_or(u32::MAX);
        let most = retry.base.saturating_mul(doubled).min(retry.max);
        // xorshift64*: peers that fail together should not come back together.
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        let bits = self.random.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32;
        let nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
        let part = u128::from(nanos).saturating_mul(u128::from(bits)) >> 32;
        Duration::from_nanos(u64::try_from(part).unwrap_or(u64::MAX))
    }

    /// For so long nothing was read by choice, or nobody looked: what was waited for meanwhile has that much longer. Call it
    /// before [`handle_timeout`](Self::handle_timeout).
    pub fn paused(&mut self, pause: Duration) {
        if self.phase == Phase::Open {
            let later = |at: Instant| at.saturating_add(pause);
            (self.last_received, self.asked) = (self.last_received.map(later), self.asked.map(later));
            self.assemblies.shift(pause);
        }
    }

    /// When the peer is asked whether it is there. Python's client would take the question for an answer.
    fn next_question(&self) -> Option<Instant> {
        if self.asked.is_some() || (self.dialect.is_strict() && self.config.side == super::Side::Server) {
            return None;
        }
        Some(self.last_received?.saturating_add(self.config.keep_alive?))
    }

    /// When the peer counts as gone. Python's client is never asked, and may be silent for as long as it likes; its server
    /// says nothing before it has answered the last request, which may take as long as a request may.
    fn gone_at(&self) -> Option<Instant> {
        if self.dialect.is_strict() {
            return None;
        }
        Some(self.last_received?.saturating_add(self.config.idle_timeout?))
    }

    pub(super) fn push_event(&mut self, event: Event<'static>) {
        // There is room: events are polled whenever there may be some.
        let _ = self.events.push_back(event);
    }
}
