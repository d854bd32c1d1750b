//! Lends a slot's buffer in place, to the end whose turn it is.
#![expect(unsafe_code, reason = "says whose turn it is")]

use super::lane::Lane;
use crate::mpmc::{ConsumerTurn, ProducerTurn};
use crate::platform::Segment;

/// The buffer of the first slot of `turn`.
#[inline]
pub(super) fn reserved<'a, S: Segment>(lane: &'a Lane<S>, turn: &'a mut ProducerTurn) -> &'a mut [u8] {
    let span = lane.buffer(lane.ring().index(turn.position()));
    // SAFETY: a slot's buffer belongs to whoever has its turn, and the ring gives each turn to one: the tail moves over a
    // position once, and the slot's sequence returns only when a consumer has released it. `&mut turn`, which cannot be
    // copied and which publishing consumes, makes this the only slice over it here. A process that breaks the protocol
    // may touch the bytes all the same: the trust contract of `crate::shm`.
    let bytes = unsafe { span.slice_mut(0, lane.slot_len()) };
    bytes.unwrap_or_default()
}

/// The same, to be looked at.
#[inline]
pub(super) fn reserved_so_far<'a, S: Segment>(lane: &'a Lane<S>, turn: &'a ProducerTurn) -> &'a [u8] {
    let span = lane.buffer(lane.ring().index(turn.position()));
    // SAFETY: as in `reserved`; `&turn` keeps `&mut turn`, by which alone the bytes are written, away.
    let bytes = unsafe { span.slice(0, lane.slot_len()) };
    bytes.unwrap_or_default()
}

/// The first `len` bytes of buffer `buffer`, which the packet of `turn` names: its slot's own, or, in the seed profile,
/// the one that the producer says it has filled.
#[inline]
pub(super) fn claimed<'a, S: Segment>(
    lane: &'a Lane<S>,
    _turn: &'a ConsumerTurn,
    buffer: usize,
    len: usize,
) -> &'a [u8] {
    let span = lane.buffer(buffer);
    // SAFETY: from claim to release the protocol forbids producers to touch the buffer that the packet names, and
    // `_turn`, which cannot be copied and which releasing consumes, is borrowed for as long as the slice. A producer that
    // names a buffer which is not its slot's, and fills it again too early, breaks the protocol: the trust contract of
    // `crate::shm`. In one program safe code could do so, and there no packet may name one (`Lane::alone`).
    let bytes = unsafe { span.slice(0, len) };
    bytes.unwrap_or_default()
}
