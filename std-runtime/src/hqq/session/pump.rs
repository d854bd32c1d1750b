//! From the ring into the machine: the thread that receives for a session.

use std::sync::Arc;
use std::time::Duration;

use strait_core::hqq::packet::{Operation, Packet};
use strait_core::hqq::session::{Agreed, Arrived, Event, Kind, PeerError};
use strait_core::hqq::{Consumer, Features, OpCode, RecvError};
use strait_core::platform::Clock as _;

use super::compress::decompress;
use super::error::{CallError, SessionError};
use super::serials;
use super::state::{Options, Shared, State};
use crate::os::Os;

/// Longest sleep, after which the peer's life and the age of unfinished messages are looked at.
const SLICE: Duration = Duration::from_millis(50);
/// Longest time for which the end of a session is put off to acknowledge what was taken.
const FAREWELL: Duration = Duration::from_secs(1);
/// Sleep while there is something to send and no room for it.
const FULL_SLICE: Duration = Duration::from_millis(1);

/// Receives until the session stops, or cannot go on.
pub(super) fn run(shared: &Arc<Shared>, mut rx: Consumer<Os>) {
    loop {
        let Ok(mut state) = shared.lock() else { break };
        if state.stopping {
            drop(state);
            say_what_was_taken(shared);
            break;
        }
        if state.broken.is_some() {
            break;
        }
        state.settle(&shared.options);
        // Room for an answer first: a packet that is taken out of the ring cannot be put back.
        let pauses = state.must_wait_for_readers();
        state.statistics.reading_pauses += u64::from(pauses && !state.pauses_reading);
        state.pauses_reading = pauses;
        if state.machine.is_ready() && !pauses {
            drop(state);
            if !receive(shared, &mut rx) {
                let slice =
                    if shared.lock().is_ok_and(|state| state.pending.is_some()) { FULL_SLICE } else { SLICE };
                let until = Os.now().saturating_add(slice);
                shared.receiver.sleep(until);
                tick(shared, &mut rx);
            }
        } else {
            let waited = shared.changed.wait_timeout(state, FULL_SLICE);
            drop(waited);
        }
    }
    shared.changed.notify_all();
}

/// Acknowledges what was taken before the session ends, as far as there is room in time: what the peer does not hear of, it
/// would send to the next.
fn say_what_was_taken(shared: &Shared) {
    let until = Os.now().saturating_add(FAREWELL);
    while Os.now() < until {
        let Ok(mut state) = shared.lock() else { return };
        state.settle(&shared.options);
        let said = state.consumed.is_empty() && state.pending.is_none();
        if said || state.broken.is_some() || state.peer_is_gone() {
            return;
        }
        drop(state);
        shared.room.sleep(until.min(Os.now().saturating_add(FULL_SLICE)));
    }
}

/// Handles what is in the ring, up to a ring's length; `false` if there was nothing.
fn receive(shared: &Shared, rx: &mut Consumer<Os>) -> bool {
    let most = rx.geometry().slots();
    for taken in 0..most {
        let outcome = rx.recv_packet(Duration::ZERO);
        let Ok(mut state) = shared.lock() else { return false };
        match outcome {
            // As on a Standard link: a copy is in its own slot's buffer.
            Ok((packet, slot)) if packet.opcode() == OpCode::COPY && packet.0[2] != slot.buffer() => {
                tracing::warn!(
                    slot = slot.buffer(),
                    buffer = packet.0[2],
                    "a copy in another slot's buffer was dropped"
                );
            }
            Ok((packet, slot)) => state.handle(&packet, &slot, &shared.options),
            Err(RecvError::Timeout) => {
                drop(state);
                if taken > 0 {
                    shared.changed.notify_all();
                }
                return taken > 0;
            }
            Err(error) => {
                state.break_off(SessionError::Recv(error));
                return true;
            }
        }
        let goes_on = state.machine.is_ready() && !state.must_wait_for_readers();
        drop(state);
        shared.changed.notify_all();
        if !goes_on {
            break;
        }
    }
    true
}

/// What time brings: unfinished messages grow too old, peers end.
fn tick(shared: &Shared, rx: &mut Consumer<Os>) {
    rx.recover_if_stuck();
    let Ok(mut state) = shared.lock() else { return };
    state.machine.handle_timeout(Os.now());
    // What the peer has sent before it ended comes first: it is gone before the ring is looked at, not after.
    if state.peer_is_gone() && !rx.sleeper().is_ready() {
        state.lose_peer(&shared.options);
    }
    state.settle(&shared.options);
    drop(state);
    shared.changed.notify_all();
}

impl State {
    /// Without credits, unread messages are bounded by leaving the rest in the ring.
    fn must_wait_for_readers(&self) -> bool {
        let flow =
            self.machine.agreed().is_some_and(|agreed| agreed.features.contains(Features::FLOW_CONTROL));
        !flow && self.incoming.is_overfull()
    }

    /// Handles one packet with the buffer of its slot.
    fn handle(&mut self, packet: &Packet, payload: &[u8], options: &Options) {
        if !self.concerns_us(packet, options) {
            return;
        }
        let agreed = self.machine.agreed().copied();
        let profile = self.tx.geometry().profile();
        let mut len = 0;
        if let Ok(Operation::Copy { len: copied, .. }) = packet.parse(profile) {
            len = usize::try_from(copied).unwrap_or(usize::MAX);
        }
        if let Ok(Operation::Chunk(chunk)) = packet.parse(profile) {
            len = usize::try_from(chunk.len).unwrap_or(usize::MAX);
            let sealed = agreed.is_some_and(|agreed| agreed.features.contains(Features::ENCRYPTION));
            let empty = chunk.total == 0 && chunk.flags.contains(strait_core::hqq::ChunkFlags::ABORT);
            if sealed && !empty && !self.open_chunk(packet, payload, len) {
                self.break_off(SessionError::Sealed);
                return;
            }
        }
        match self.machine.handle_packet(Os.now(), packet) {
            Ok(Some(Event::Chunk(arrived))) => {
                let sealed =
                    agreed.is_some_and(|agreed: Agreed| agreed.features.contains(Features::ENCRYPTION));
                let scratch = core::mem::take(&mut self.scratch);
                let bytes = if sealed { &scratch[..] } else { payload };
                // The machine has checked that the chunk fits its slot.
                self.on_chunk(&arrived, bytes.get(..len).unwrap_or_default(), options);
                self.scratch = scratch;
            }
            Ok(Some(event)) => self.on_event(event, options),
            Ok(None) => self.statistics.credits_received += u64::from(packet.opcode() == OpCode::CREDIT),
            Err(error) => {
                // The first chunk of a message; the others are swallowed.
                self.statistics.refused +=
                    u64::from(matches!(&error, PeerError::Chunk { chunk, .. } if chunk.offset == 0));
                tracing::warn!(%error, "a packet was refused");
            }
        }
        self.settle(options);
    }

    /// Whether a packet is not left over from an end that is gone, or for one. Says who the peer is.
    fn concerns_us(&mut self, packet: &Packet, options: &Options) -> bool {
        let named = serials::named(packet);
        match packet.opcode() {
            OpCode::PROTO_NEGOTIATE if named != 0 => {
                if !self.tx.has_member(self.side.other(), named) {
                    tracing::debug!(handle = named, "a request of a handle that is gone was dropped");
                    return false;
                }
                // The old peer's packets all came before.
                if self.peer_is_gone() {
                    self.lose_peer(options);
                }
                self.asked_by = named;
                self.peer.get_or_insert(named);
            }
            OpCode::PROTO_NEGOTIATE => self.asked_by = 0,
            OpCode::PROTO_ACK if named != 0 => {
                if self.tx.serial() != Some(named) {
                    tracing::debug!(handle = named, "an answer for a handle that is gone was dropped");
                    return false;
                }
                self.peer = Some(serials::answering(packet)).filter(|serial| *serial != 0);
            }
            OpCode::ERROR if serials::refused(packet) != 0 => {
                return self.tx.serial() == Some(serials::refused(packet));
            }
            _ => {}
        }
        true
    }

    fn on_chunk(&mut self, arrived: &Arrived, bytes: &[u8], options: &Options) {
        let key = arrived.message;
        if arrived.first && arrived.total > arrived.len {
            self.statistics.large_messages += 1;
        }
        let (owed, complete) = self.incoming.take(arrived, bytes);
        self.machine.consumed(key.connection, owed);
        let Some(number) = complete else { return };
        let Some(assembly) = self.incoming.get_mut(number) else { return };
        let mut damaged = false;
        if assembly.compressed {
            let before = assembly.bytes.len();
            match decompress(assembly.bytes.make_contiguous(), options.max_message) {
                Ok(plain) => {
                    self.statistics.compressed_bytes += before as u64;
                    self.statistics.uncompressed_bytes += plain.len() as u64;
                    assembly.bytes = plain.into();
                }
                Err(error) => {
                    tracing::warn!(%error, message = %key, "a message was dropped");
                    damaged = true;
                }
            }
        }
        if damaged {
            self.statistics.aborted += 1;
            if let Some(assembly) = self.incoming.remove(number) {
                self.machine.consumed(key.connection, assembly.owed);
            }
            if key.kind == Kind::Response {
                self.finish_call((key.connection, key.message), Err(CallError::Aborted));
            }
            return;
        }
        if key.kind == Kind::Response
            && let Some(assembly) = self.incoming.remove(number)
        {
            self.machine.consumed(key.connection, assembly.owed);
            let bytes = Vec::from(assembly.bytes);
            let result = if assembly.failed {
                Err(CallError::Failed {
                    status: u32::try_from(assembly.aux).unwrap_or(u32::MAX),
                    message: bytes,
                })
            } else {
                Ok(bytes)
            };
            self.finish_call((key.connection, key.message), result);
        }
    }
}
