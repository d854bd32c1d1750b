//! From the machine into the ring: packets and chunks, sealed where that was agreed.

use std::sync::Arc;

use strait_core::hqq::packet::Packet;
use strait_core::hqq::session::Transmit;
use strait_core::hqq::{Features, OpCode, SendError};

use super::error::SessionError;
use super::serials;
use super::state::State;

impl State {
    /// Puts into the ring what the machine wants to send; `false` if the ring is full.
    pub(super) fn flush(&mut self) -> bool {
        // Bounded by what the machine's tables hold.
        loop {
            let Some(transmit) = self.pending.take().or_else(|| self.machine.poll_packet()) else {
                self.note_credit();
                return true;
            };
            if !self.put(&transmit) {
                self.pending = Some(transmit);
                return false;
            }
            if self.broken.is_some() {
                return true;
            }
        }
    }

    /// Counts each stop for want of credit, not each look.
    fn note_credit(&mut self) {
        let waits = self.machine.waits_for_credit();
        self.statistics.credit_waits += u64::from(waits && !self.waits_for_credit);
        self.waits_for_credit = waits;
    }

    /// Puts one into the ring; `false` if the ring is full.
    fn put(&mut self, transmit: &Transmit<Arc<[u8]>>) -> bool {
        let seals =
            self.machine.agreed().is_some_and(|agreed| agreed.features.contains(Features::ENCRYPTION));
        let ours = self.tx.serial();
        let mut slot = match self.tx.try_reserve() {
            Ok(slot) => slot,
            Err(SendError::Full) => return false,
            Err(error) => {
                self.broken.get_or_insert(SessionError::Send(error));
                return true;
            }
        };
        let (packet, offset, len, body) = match transmit {
            &Transmit::Packet(packet) => {
                self.statistics.credits_sent += u64::from(packet.opcode() == OpCode::CREDIT);
                slot.commit_packet(match packet.opcode() {
                    OpCode::PROTO_NEGOTIATE => serials::request(packet, ours),
                    OpCode::PROTO_ACK => serials::answer(packet, self.asked_by, ours),
                    _ => packet,
                });
                return true;
            }
            Transmit::Chunk { packet, offset, len, body, .. } => (packet, *offset, *len, body),
        };
        let range = usize::try_from(offset).ok().zip(usize::try_from(len).ok());
        let plain = range.and_then(|(offset, len)| body.get(offset..offset.checked_add(len)?));
        let Some(mut bytes) = plain else {
            // Begun with the length of its body: never, and if it were, then not with other bytes.
            let len = body.len() as u64;
            self.broken.get_or_insert(SessionError::BodyTooShort { offset, len });
            return true;
        };
        if seals {
            // In private memory first: plain bytes never stand in the link.
            self.scratch.clear();
            let sealer = self.sealer.as_mut();
            if !sealer.is_some_and(|sealer| sealer.seal(packet, bytes, &mut self.scratch)) {
                self.broken.get_or_insert(SessionError::KeyUsedUp);
                return true;
            }
            self.statistics.sealed_bytes += bytes.len() as u64;
            self.statistics.sealing_overhead += (self.scratch.len() - bytes.len()) as u64;
            bytes = &self.scratch;
        }
        if let Some(to) = slot.get_mut(..bytes.len()) {
            to.copy_from_slice(bytes);
        }
        let mut packet = *packet;
        if packet.opcode() == OpCode::COPY {
            packet.0[2] = slot.index();
        }
        slot.commit_packet(packet);
        true
    }

    /// The plain bytes of a chunk that came, in `scratch`; `false` if they do not open.
    pub(super) fn open_chunk(&mut self, packet: &Packet, payload: &[u8], len: usize) -> bool {
        let mut plain = core::mem::take(&mut self.scratch);
        let opened = match &mut self.opener {
            Some(opener) => {
                let sealed = payload.get(..len.saturating_add(super::seal::OVERHEAD)).unwrap_or_default();
                opener.open(packet, sealed, &mut plain).is_ok()
            }
            None => false,
        };
        if opened {
            self.statistics.sealed_bytes += plain.len() as u64;
            self.statistics.sealing_overhead += super::seal::OVERHEAD as u64;
        }
        self.scratch = plain;
        opened
    }
}
