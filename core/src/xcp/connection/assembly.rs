//! Which incoming messages are unfinished, and whether the next frame may go on with them.

use core::time::Duration;

use heapless::Vec;

use super::super::numbers::{ErrorCode, Flags};
use super::event::MessageKey;
use crate::time::Instant;

/// A message of which the last frame has not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Assembly {
    pub(super) message: MessageKey,
    /// What every chunk's header must hash to, with its flags.
    pub(super) header_hash: u64,
    /// Bytes that came, also those of the current frame.
    pub(super) received: u64,
    /// Those of them that the driver keeps no longer.
    pub(super) consumed: u64,
    pub(super) expires: Instant,
    /// It was refused: what still comes of it is thrown away.
    pub(super) refused: bool,
}

/// Bounds of all unfinished messages of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) max_message: u64,
    pub(super) max_in_flight: u64,
    pub(super) age: Duration,
}

/// What a frame of a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The first of its message.
    First,
    /// One of a message that goes on.
    Next,
    /// One of a message that was refused.
    Refused,
}

/// Why a frame of a message is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The message is refused with this code before it began, and what follows of it is thrown away.
    First(ErrorCode),
    /// The same, of a message that had begun.
    Begun(ErrorCode),
    /// There is no room to remember that the message was refused.
    NoRoom,
    /// The peer goes on with a refused message.
    NotStopping { len: u64 },
}

/// The unfinished messages of a connection: one per channel at most, `N` in all.
#[derive(Debug)]
pub(super) struct Assemblies<const N: usize> {
    entries: Vec<Assembly, N>,
    bounds: Bounds,
}

impl<const N: usize> Assemblies<N> {
    pub(super) const fn new(bounds: Bounds) -> Self {
        Self { entries: Vec::new(), bounds }
    }

    /// Takes note of a frame of `len` bytes of `message`; `more` if another follows.
    ///
    /// Also gives the message that this one ended because it began on its channel, unless that was refused before.
    pub(super) fn frame(
        &mut self,
        now: Instant,
        message: MessageKey,
        header_hash: u64,
        len: u64,
        more: bool,
    ) -> (Option<MessageKey>, Result<Place, Refusal>) {
        let in_flight = self.in_flight();
        let Bounds { max_message, max_in_flight, age } = self.bounds;
        let expires = now.saturating_add(age);
        let found = self.entries.iter().position(|entry| entry.message.channel == message.channel);
        let mut ended = None;
        if let Some(at) = found
            && let Some(entry) = self.entries.get_mut(at)
        {
            // Of a message that was refused no header is compared: nothing of it is taken. One without a number may be new.
            let same_header = entry.header_hash == header_hash;
            if entry.refused && entry.message == message && (same_header || message.msg_id != 0) {
                let received = entry.received.saturating_add(len);
                // As long as some of it comes it is not forgotten, or the rest would pass for a message.
                (entry.received, entry.expires) = (received, expires);
                if !more {
                    self.entries.swap_remove(at);
                }
                let stop = received > max_message;
                let place =
                    if stop { Err(Refusal::NotStopping { len: received }) } else { Ok(Place::Refused) };
                return (None, place);
            }
            if entry.message == message && same_header {
                let received = entry.received.saturating_add(len);
                let code = if received > max_message {
                    Some(ErrorCode::ERR_MESSAGE_TOO_LARGE)
                } else if in_flight.saturating_add(len) > max_in_flight {
                    Some(ErrorCode::ERR_BUSY)
                } else {
                    None
                };
                if let Some(code) = code {
                    // Bytes that follow count against the same bound once more.
                    (entry.refused, entry.received, entry.expires) = (true, 0, expires);
                    if !more {
                        self.entries.swap_remove(at);
                    }
                    return (None, Err(Refusal::Begun(code)));
                }
                (entry.received, entry.expires) = (received, expires);
                return (None, Ok(Place::Next));
            }
            if entry.message == message && message.msg_id != 0 {
                // The same message with another header: neither is what was sent, and its rest is not either.
                (entry.refused, entry.received, entry.expires) = (true, 0, expires);
                if !more {
                    self.entries.swap_remove(at);
                }
                return (None, Err(Refusal::Begun(ErrorCode::ERR_MALFORMED)));
            }
            // Chunks of a channel's messages do not mix: the old one will not be finished.
            ended = (!entry.refused).then_some(entry.message);
            self.entries.swap_remove(at);
        }
        let in_flight = self.in_flight();
        let code = if len > max_message {
            Some(ErrorCode::ERR_MESSAGE_TOO_LARGE)
        } else if in_flight.saturating_add(len) > max_in_flight {
            Some(ErrorCode::ERR_BUSY)
        } else {
            None
        };
        if more {
            self.forget_expired(now);
            let entry = Assembly {
                message,
                header_hash,
                received: if code.is_some() { 0 } else { len },
                consumed: 0,
                expires,
                refused: code.is_some(),
            };
            if self.entries.push(entry).is_err() {
                return (ended, Err(Refusal::NoRoom));
            }
        }
        (ended, code.map_or(Ok(Place::First), |code| Err(Refusal::First(code))))
    }

    /// Bytes of all unfinished messages that were not refused.
    pub(super) fn in_flight(&self) -> u64 {
        let taken = self.entries.iter().filter(|entry| !entry.refused);
        taken.fold(0, |sum, entry| sum.saturating_add(entry.received.saturating_sub(entry.consumed)))
    }

    /// Whether some message is unfinished that was not refused.
    pub(super) fn has_unfinished(&self) -> bool {
        self.entries.iter().any(|entry| !entry.refused)
    }

    /// Bytes of a message are no longer kept.
    pub(super) fn consume(&mut self, message: MessageKey, bytes: u64) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.message == message) {
            entry.consumed = entry.consumed.saturating_add(bytes).min(entry.received);
        }
    }

    /// A message is complete.
    pub(super) fn finish(&mut self, message: MessageKey) {
        if let Some(at) = self.entries.iter().position(|entry| entry.message == message) {
            self.entries.swap_remove(at);
        }
    }

    /// A message is refused: if it is unfinished, what still comes of it is thrown away.
    pub(super) fn refuse(&mut self, now: Instant, message: MessageKey) {
        let expires = now.saturating_add(self.bounds.age);
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.message == message) {
            (entry.refused, entry.received, entry.expires) = (true, 0, expires);
        }
    }

    /// A message that has waited too long for its next byte.
    pub(super) fn next_expired(&self, now: Instant) -> Option<MessageKey> {
        self.entries.iter().find(|entry| !entry.refused && entry.expires <= now).map(|entry| entry.message)
    }

    /// Bytes of a message came.
    pub(super) fn touch(&mut self, now: Instant, message: MessageKey) {
        let expires = now.saturating_add(self.bounds.age);
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.message == message) {
            entry.expires = expires;
        }
    }

    /// Every message has so much longer.
    pub(super) fn shift(&mut self, pause: Duration) {
        for entry in &mut self.entries {
            entry.expires = entry.expires.saturating_add(pause);
        }
    }

    /// When the next message will have waited too long.
    pub(super) fn next_expiry(&self) -> Option<Instant> {
        self.entries.iter().filter(|entry| !entry.refused).map(|entry| entry.expires).min()
    }

    /// Makes room: refused messages of which nothing came for long.
    fn forget_expired(&mut self, now: Instant) {
        if self.entries.is_full() {
            self.entries.retain(|entry| !entry.refused || entry.expires > now);
        }
    }
}

/// What the chunks of a message have in common: every byte of the header, and the flags that are the message's.
pub(super) fn header_hash(header: &[u8], flags: Flags) -> u64 {
    let flags = flags.intersection(Flags::COMP.union(Flags::CRYPT)).0;
    header.iter().chain(&[flags]).fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}
