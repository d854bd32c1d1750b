//! What a frame of a message does, and what becomes of a message that is complete.

use super::super::numbers::{ErrorCode, Flags, KindId};
use super::super::tags::Tags;
use super::assembly::{Place, Refusal};
use super::{Answer, CloseReason, Connection, Event, MessageKey, Protection, Route};
use crate::crc32c::Checksum;
use crate::time::Instant;

impl<C, P, const HEADER: usize, const CONTROL: usize, const MESSAGES: usize>
    Connection<C, P, HEADER, CONTROL, MESSAGES>
where
    C: Checksum,
    P: Protection,
{
    /// A frame of a message begins.
    pub(super) fn message_frame(&mut self, now: Instant) -> Option<Event<'static>> {
        let message = self.current();
        let (ended, place) =
            self.assemblies.frame(now, message, self.header_hash(), self.payload_len, self.more());
        let Some(old) = ended else { return self.place(now, place) };
        // The driver must learn of the old message before it learns of the new one, which may have the same number.
        self.pending = Some(place);
        self.nack(old.msg_id, ErrorCode::ERR_MALFORMED);
        Some(Event::Dropped { message: old, code: ErrorCode::ERR_MALFORMED })
    }

    /// The message whose frame comes.
    fn current(&self) -> MessageKey {
        MessageKey { channel: self.header.channel, msg_id: self.header.msg_id }
    }

    /// Whether another frame of it follows.
    fn more(&self) -> bool {
        self.flags.contains(Flags::MORE)
    }

    /// Does what the place of a message's frame asks for.
    pub(super) fn place(&mut self, now: Instant, place: Result<Place, Refusal>) -> Option<Event<'static>> {
        let (message, more) = (self.current(), self.more());
        self.route = Route::Discard { duplicate: None };
        match place {
            Ok(Place::Next) => {
                self.route = Route::Message { message, more };
                None
            }
            Ok(Place::Refused) => {
                self.route = self.again(message, more);
                None
            }
            Ok(Place::First) => self.first_of_message(now, message, more),
            Err(Refusal::Begun(code)) => {
                self.nack(message.msg_id, code);
                Some(Event::Dropped { message, code })
            }
            Err(Refusal::First(code)) => {
                self.nack(message.msg_id, code);
                Some(Event::Refused { message, code })
            }
            Err(Refusal::NoRoom) => {
                self.nack(message.msg_id, ErrorCode::ERR_BUSY);
                Some(self.fail(CloseReason::TooManyMessages { limit: MESSAGES }))
            }
            Err(Refusal::NotStopping { len }) => Some(self.fail(CloseReason::NotStopping { len })),
        }
    }

    /// A message begins: is it one that we take?
    fn first_of_message(&mut self, now: Instant, message: MessageKey, more: bool) -> Option<Event<'static>> {
        if !self.dialect.is_strict() && self.came_before(message) {
            self.assemblies.refuse(now, message);
            self.route = self.again(message, more);
            return None;
        }
        if let Some(code) = self.unwanted() {
            self.assemblies.refuse(now, message);
            if code == ErrorCode::ERR_AUTHENTICATION_FAILED {
                if let Some(closed) = self.not_opened(message.msg_id) {
                    return Some(closed);
                }
            } else {
                self.nack(message.msg_id, code);
            }
            return Some(Event::Refused { message, code });
        }
        self.route = Route::Message { message, more };
        let flags = self.flags.intersection(Flags::COMP.union(Flags::CRYPT));
        Some(Event::Started { message, flags, len: (!more).then_some(self.payload_len) })
    }

    /// Where a frame goes whose message is not taken. If it was taken before, the last frame is acknowledged again.
    fn again(&self, message: MessageKey, more: bool) -> Route {
        let acknowledged = !more && self.wants_ack() && self.came_before(message);
        Route::Discard { duplicate: acknowledged.then_some(message) }
    }

    /// What still comes of a message is thrown away: of the frame that comes, and of those that follow.
    pub(super) fn stop(&mut self, now: Instant, message: MessageKey) {
        match self.route {
            Route::Message { message: current, more } if current == message => {
                self.route = Route::Discard { duplicate: None };
                // Behind its last frame nothing follows: it may come anew.
                if more { self.assemblies.refuse(now, message) } else { self.assemblies.finish(message) }
            }
            _ => self.assemblies.refuse(now, message),
        }
    }

    /// Why the message whose header came is not taken.
    fn unwanted(&self) -> Option<ErrorCode> {
        let agreed = self.agreed.as_ref()?;
        let sealed = self.flags.contains(Flags::CRYPT);
        if sealed != self.seals() && !self.dialect.is_strict() {
            return Some(ErrorCode::ERR_AUTHENTICATION_FAILED);
        }
        if sealed && self.header.channel == 0 {
            return Some(ErrorCode::ERR_MALFORMED);
        }
        if self.flags.contains(Flags::COMP) && !agreed.features.contains(Flags::COMP) {
            return Some(ErrorCode::ERR_CODEC_UNSUPPORTED);
        }
        // The specification has chunks and no way to offer them, so a peer need not.
        if self.more() && !self.config.features.contains(Flags::MORE) {
            return Some(ErrorCode::ERR_CODEC_UNSUPPORTED);
        }
        if !self.config.any_codec && !self.config.codecs.contains(&self.header.codec) {
            return Some(ErrorCode::ERR_CODEC_UNSUPPORTED);
        }
        let key = self.header.schema_key.as_ref().filter(|key| key.kind() != KindId::UNSET)?;
        let taken =
            self.config.accepts.is_empty() || self.config.accepts.iter().any(|range| range.contains(key));
        (!taken).then_some(ErrorCode::ERR_KIND_MISMATCH)
    }

    /// The message that is complete was taken: the peer learns it if it asked to, and the same message again is no new
    /// one. Before more input: what kind of message it is, its header says.
    pub fn accept(&mut self, message: MessageKey, wants_ack: bool) {
        let msg_type = self.header.msg_type;
        if wants_ack {
            self.acknowledged.insert(message, msg_type);
            self.acknowledge(message.msg_id);
        } else {
            self.recent.insert(message, msg_type);
        }
    }

    /// Whether the message whose header came was taken before.
    fn came_before(&self, message: MessageKey) -> bool {
        let msg_type = self.header.msg_type;
        self.acknowledged.contains(message, msg_type) || self.recent.contains(message, msg_type)
    }

    /// Bytes of an unfinished message are no longer kept: they do not count against
    /// [`Config::max_in_flight`](super::Config::max_in_flight) any more. For messages that are read as they come.
    pub fn consumed(&mut self, message: MessageKey, bytes: u64) {
        self.assemblies.consume(message, bytes);
    }

    /// A message is not taken, complete or not; the peer is told why, and what still comes of it is thrown away.
    ///
    /// With [`ErrorCode::ERR_AUTHENTICATION_FAILED`], and for the third time, the connection is closed.
    pub fn refuse(&mut self, now: Instant, message: MessageKey, code: ErrorCode) -> Option<Event<'static>> {
        if self.is_closed() {
            return None;
        }
        self.stop(now, message);
        if code == ErrorCode::ERR_AUTHENTICATION_FAILED {
            return self.not_opened(message.msg_id);
        }
        self.nack(message.msg_id, code);
        None
    }

    /// A message that was accepted is not wanted after all, and the peer is told why. What still comes of it is thrown
    /// away, unless it has no number: then any message of its channel could be meant.
    pub fn decline(&mut self, now: Instant, message: MessageKey, code: ErrorCode) {
        if self.is_closed() {
            return;
        }
        if message.msg_id != 0 {
            self.stop(now, message);
        }
        self.nack(message.msg_id, code);
    }

    /// Whether the message whose header came asks for an ACK, and may get one.
    pub fn wants_ack(&self) -> bool {
        !self.dialect.is_strict() && self.header.msg_id != 0 && self.header.tags.get(Tags::ACK) == Some("1")
    }

    pub(super) fn acknowledge(&mut self, msg_id: u64) {
        if msg_id != 0 && !self.dialect.is_strict() {
            self.answer(Answer::Ack { msg_id });
        }
    }
}
