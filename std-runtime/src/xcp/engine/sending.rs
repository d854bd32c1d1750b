//! What is sent: messages with their places and seals, and which bytes of them go out next.

use bytes::Bytes;
use strait_core::time::Instant;
use strait_core::xcp::connection::{Protection as _, Side, Transmit};
use strait_core::xcp::{Flags, FrameHeader};

use super::outbound::{Outbound, Outgoing};
use super::{Engine, HEADER, Submitted, WriteQueue, len};
use crate::xcp::compress::{self, CompressError};
use crate::xcp::error::{NotSent, SendError};

/// Most bytes that are kept to compress into.
const PACKED: usize = 4 << 20;

impl Engine {
    /// Gives a message its place, seals it if that was agreed on, and hands it to core.
    pub(crate) fn submit(
        &mut self,
        header: &mut FrameHeader,
        outgoing: Outgoing,
    ) -> Result<Submitted, SendError> {
        // A peer of Python's dialect takes answers in the order of its questions, and a refusal is one.
        self.tell_refusals(self.seen);
        let sealed = self.core.protection_mut().is_on();
        let mut flags = if outgoing.compressed { Flags::COMP } else { Flags::NONE };
        if sealed {
            flags = flags.union(Flags::CRYPT);
        }
        let begun = self.core.begin(header, flags, &mut self.control[..HEADER])?;
        let header_bytes = &self.control[..begun.header_len];
        let body = match outgoing.body {
            Some(body) => match self.core.protection_mut().seal_message(header, header_bytes, flags, body) {
                Ok(body) => Some(body),
                Err(error) => {
                    self.core.cancel(begun.handle);
                    return Err(error.into());
                }
            },
            // It cannot be sealed before all of it is there.
            None if sealed => {
                self.core.cancel(begun.handle);
                return Err(SendError::Stream { cannot: "be sealed: messages are sealed whole" });
            }
            None => None,
        };
        let whole = body.as_ref().map(|body| len(body.len()));
        let outbound = Outbound::new(header_bytes, begun.msg_id, body, outgoing.room);
        self.outbound.insert(begun.handle, outbound);
        if let Some(whole) = whole
            && let Err(error) = self.core.extend(begun.handle, whole, true)
        {
            self.outbound.remove(&begun.handle);
            return Err(error.into());
        }
        Ok(Submitted { handle: begun.handle, msg_id: begun.msg_id })
    }

    /// More bytes of a message that is sent as it is made; `ended` with the last of them.
    pub(crate) fn push(&mut self, handle: u64, bytes: Bytes, ended: bool) -> Result<(), NotSent> {
        let outbound = self.outbound.get_mut(&handle).ok_or(NotSent::Unknown { handle })?;
        let available = outbound.push(bytes);
        let pushed = self.core.extend(handle, available, ended);
        if pushed.is_err() {
            self.outbound.remove(&handle);
        }
        pushed
    }

    /// Bytes of a message that are not sent yet; `None` if there is no such message.
    pub(crate) fn unsent(&self, handle: u64) -> Option<usize> {
        self.outbound.get(&handle).map(Outbound::held)
    }

    pub(crate) fn cancel(&mut self, handle: u64) {
        self.core.cancel(handle);
        self.outbound.remove(&handle);
    }

    /// The peer refused a message, perhaps before all of it was sent. Only kept ones may have no number.
    pub(super) fn forget_refused(&mut self, msg_id: u64) {
        let refused =
            |outbound: &mut Outbound| outbound.msg_id() == msg_id && (msg_id != 0 || outbound.is_kept());
        for (_, outbound) in self.outbound.extract_if(|_, outbound| refused(outbound)) {
            outbound.close();
        }
    }

    pub(super) fn forget(&mut self, msg_id: u64) {
        self.outbound.retain(|_, outbound| !(outbound.is_kept() && outbound.msg_id() == msg_id));
    }

    /// Whether every byte was given out, ACKs or not.
    pub(crate) fn is_sent(&self) -> bool {
        let sent = |outbound: &Outbound| outbound.is_kept() || outbound.held() == 0;
        self.refusals.is_empty() && self.outbound.values().all(sent)
    }

    /// Hands refusals to core as far as it has room.
    fn tell_refusals(&mut self, now: Instant) {
        while self.core.takes_input()
            && let Some((message, code)) = self.refusals.pop_front()
        {
            self.core.decline(now, message, code);
            // Of one that is read as it comes nothing more is told.
            if message.msg_id != 0
                && let Some(inbound) = self.inbound.remove(&message)
            {
                inbound.fail(code);
            }
        }
    }

    /// Moves what is to be sent into `queue`, until it holds enough; whether anything was moved.
    pub(crate) fn fill(&mut self, now: Instant, queue: &mut WriteQueue) -> bool {
        self.seen = now;
        let mut moved = false;
        while !queue.is_high() {
            self.tell_refusals(now);
            match self.core.poll_transmit(now, &mut self.control) {
                None => break,
                Some(Transmit::Bytes(len)) => {
                    let bytes = &self.control[..len];
                    queue.copy(bytes);
                    if let Some(transcript) = &mut self.transcript {
                        transcript.sent(bytes);
                    }
                    if self.core.is_open() && self.core.config().side == Side::Server {
                        self.make_keys();
                    }
                }
                Some(Transmit::Chunk(chunk)) => {
                    if let Some(outbound) = self.outbound.get_mut(&chunk.handle) {
                        outbound.emit(&chunk, queue);
                        if chunk.last && !chunk.kept {
                            self.outbound.remove(&chunk.handle);
                        }
                    }
                }
            }
            moved = true;
        }
        if self.core.is_closed() {
            // A frame that could not be sealed closes it.
            self.poll_core(now);
        }
        moved
    }

    /// Compresses a body if that is asked for, agreed on, and makes it shorter.
    pub(crate) fn pack(&mut self, body: Bytes, level: Option<i32>) -> Result<(Bytes, bool), CompressError> {
        level.map_or(Ok(()), compress::check)?;
        let agreed = self.core.agreed().is_some_and(|agreed| agreed.features.contains(Flags::COMP));
        let Some(level) = level.filter(|_| agreed && self.options.sizes.compresses(body.len())) else {
            return Ok((body, false));
        };
        // The room for the worst case is kept: only what it came to is set aside for the message.
        self.packed.clear();
        self.compressor.compress(level, &body, &mut self.packed)?;
        let packed = match self.packed.len() < body.len() {
            true => (Bytes::copy_from_slice(&self.packed), true),
            false => (body, false),
        };
        if self.packed.capacity() > PACKED {
            self.packed = Vec::new();
        }
        Ok(packed)
    }

    /// Bytes of messages that are not sent yet, or kept for an ACK.
    pub(crate) fn held(&self) -> usize {
        self.outbound.values().map(Outbound::held).sum()
    }
}
