//! Lends a frame's bytes in place, to the end whose turn it is.
#![expect(unsafe_code, reason = "says whose turn it is")]

use super::handles::Place;
use super::layout::FRAME_OVERHEAD;
use super::ring::{Buffer, Claimed, Producer, RingMemory, Room};
use crate::platform::Segment;

/// The bytes of a claimed frame.
pub(super) fn claimed<'a, S: Segment>(buffer: &'a Buffer<S>, claimed: &'a Claimed) -> &'a [u8] {
    let payload = buffer.payload();
    // SAFETY: from claim to release the protocol forbids the writer to touch the range, and `claimed`, which cannot
    // be copied, is borrowed for as long as the slice. A process that breaks the protocol may change the bytes: the
    // trust contract of `crate::shm`.
    let bytes = unsafe { payload.slice(claimed.position, claimed.len()) };
    // A frame of another ring may lie outside; it has no bytes here.
    bytes.unwrap_or_default()
}

/// The bytes of a claimed frame, to be changed in place.
pub(super) fn claimed_mut<'a, S: Segment>(buffer: &'a Buffer<S>, claimed: &'a mut Claimed) -> &'a mut [u8] {
    let payload = buffer.payload();
    // SAFETY: as in `claimed`; `&mut claimed` makes this the only slice over it here.
    let bytes = unsafe { payload.slice_mut(claimed.position, claimed.len()) };
    bytes.unwrap_or_default()
}

/// The first `len` bytes of a frame that the writer has committed and the reader has lent it back.
pub(super) fn lent<S: Segment>(buffer: &Buffer<S>, place: Place, len: u64) -> &[u8] {
    let payload = buffer.payload();
    let len = if len <= place.len { len } else { 0 };
    // SAFETY: from the response that lends it to `Shares::give_back` the reader, which still holds the claim, does not
    // touch the range and does not return its space, so the writer cannot reserve it: the protocol of `share`. That the
    // writer does not fill it all the same, when a reader breaks the protocol, is the caller's part of it.
    let bytes = unsafe { payload.slice(place.position, usize::try_from(len).unwrap_or(0)) };
    bytes.unwrap_or_default()
}

/// The bytes of a reserved frame, to be filled.
pub(super) fn reserved_mut<'a, S: Segment>(
    producer: &'a mut Producer<Buffer<S>>,
    room: &Room,
) -> &'a mut [u8] {
    let payload = producer.memory.payload();
    // SAFETY: from reserve to commit the range is free space after the write position: the protocol forbids the
    // reader to touch it. `&mut producer`, which commits too, makes this the only slice over it here.
    let bytes = unsafe { payload.slice_mut(room.position.saturating_add(FRAME_OVERHEAD), room.len()) };
    // Room in another ring may lie outside; it has no bytes here.
    bytes.unwrap_or_default()
}

/// The bytes of a reserved frame so far.
pub(super) fn reserved<'a, S: Segment>(producer: &'a Producer<Buffer<S>>, room: &Room) -> &'a [u8] {
    let payload = producer.memory.payload();
    // SAFETY: as in `reserved_mut`; `&producer` keeps `&mut producer`, by which alone the range is written, away.
    let bytes = unsafe { payload.slice(room.position.saturating_add(FRAME_OVERHEAD), room.len()) };
    bytes.unwrap_or_default()
}
