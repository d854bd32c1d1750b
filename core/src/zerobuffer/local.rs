//! Both ends of a ring inside one program: an interrupt handler and the main loop, or two threads.
//!
//! The same bytes and the same halves as between processes, without names, processes and lock files: [`split`] makes
//! a segment a ring and returns its two ends. [`embedding`](crate::embedding) shows a whole service.
//!
//! An end that is dropped does not tell the other: a wait for it lasts until its deadline. Nobody else is expected in
//! the memory: it is not checked whether it was cut short, and a word that is found changed is an error.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use core::ops::{Deref, DerefMut};

use super::error::Corrupt;
pub use super::error::{ReserveError, RingError, SendError, SplitError};
use super::halves::{ReaderHalf, WriterHalf};
use super::layout::{BLOCK_ALIGN, Geometry, MAX_BLOCK, OIEB_SIZE};
use super::lend;
use super::ring::{Buffer, Claimed, Consumer, Counters, NoFrame, NoRoom, Producer, RingMemory, Room};
use super::wait::{Backoff, Idle, Waited, Waiting, wait};
use crate::platform::{Clock, Segment, Signal, WaitPolicy};
use crate::sync::Ordering;
use crate::time::Deadline;

/// Number of the process at both ends, as it stands in the control words: 0 would mean that nobody is there.
const THIS: u64 = 1;

/// Bytes of the smallest segment that holds a ring: control words and one block.
const MIN_LEN: usize = 192;
const _: () = assert!(MIN_LEN as u64 == OIEB_SIZE as u64 + BLOCK_ALIGN);

/// Makes zeroed memory a ring and returns its two ends.
///
/// The ring takes the segment behind 128 bytes of control words, in whole blocks of 64 bytes; there is no metadata
/// block. The signals have no permits; `data_ready` counts unread frames, `space_free` says that space was returned.
///
/// The segment's lock is what makes this safe: two rings over the same bytes would lend them twice. It is held until both
/// ends and every clone of `segment` are dropped.
///
/// # Errors
/// - [`SplitError::TooSmall`] below 192 bytes;
/// - [`SplitError::Locked`] if the segment's lock is taken: every further call for a `static`;
/// - [`SplitError::NotBlank`] if its control words are not zero.
#[expect(clippy::type_complexity, reason = "two ends, and why there are none")]
pub fn split<S, G>(
    segment: S,
    data_ready: G,
    space_free: G,
) -> Result<(Writer<S, G>, Reader<S, G>), SplitError>
where
    S: Segment,
    G: Signal + Clone,
{
    let len = segment.len();
    let too_small = SplitError::TooSmall { len, min: MIN_LEN };
    let payload = u64::try_from(len).unwrap_or(u64::MAX).saturating_sub(u64::from(OIEB_SIZE)).min(MAX_BLOCK);
    let payload_size = payload & !BLOCK_ALIGN.saturating_sub(1);
    if payload_size == 0 {
        return Err(too_small);
    }
    if !segment.lock() {
        return Err(SplitError::Locked);
    }
    let geometry = Geometry { metadata_size: 0, payload_size };
    let buffer = Buffer::new(segment, geometry).map_err(|_| too_small)?;
    buffer.oieb().check_blank().map_err(SplitError::NotBlank)?;
    buffer.oieb().initialize(geometry, THIS);
    // Relaxed: handing an end to another thread or handler orders it.
    buffer.oieb().writer_pid.store(THIS, Ordering::Relaxed);
    let producer = Producer::new(buffer.clone()).map_err(SplitError::NotBlank)?;
    let writer = Writer {
        half: WriterHalf { producer, data_ready: data_ready.clone(), space_free: space_free.clone() },
        backoff: Backoff::new(WaitPolicy::default()),
        waits: 0,
        sleeps: 0,
    };
    let reader = Reader {
        half: ReaderHalf::new(Consumer::new(buffer), data_ready, space_free),
        lent: 0,
        failed: None,
        backoff: Backoff::new(WaitPolicy::default()),
        waits: 0,
        sleeps: 0,
    };
    Ok((writer, reader))
}

/// The writing end.
#[derive(Debug)]
pub struct Writer<S: Segment, G: Signal> {
    half: WriterHalf<Buffer<S>, G>,
    backoff: Backoff,
    waits: u64,
    sleeps: u64,
}

impl<S: Segment, G: Signal> Writer<S, G> {
    /// Reserves room for `len` data bytes if it is there now. Never waits: for interrupt handlers.
    ///
    /// # Errors
    /// [`ReserveError`].
    pub fn try_reserve(&mut self, len: usize) -> Result<FrameMut<'_, S, G>, ReserveError> {
        let room = self.try_room(len)?;
        Ok(FrameMut { writer: self, room })
    }

    /// Reserves room for `len` data bytes, waiting until `deadline` while the ring is full.
    ///
    /// # Errors
    /// - at once: [`ReserveError::TooLarge`], [`ReserveError::Empty`], [`ReserveError::Corrupt`];
    /// - [`ReserveError::Full`] once `deadline` is over;
    /// - [`RingError::System`] if the signal fails.
    pub fn reserve<C: Clock>(
        &mut self,
        clock: &C,
        deadline: Deadline,
        len: usize,
    ) -> Result<FrameMut<'_, S, G>, SendError<G::Error>> {
        let room = match self.try_room(len) {
            Err(full @ ReserveError::Full { .. }) => self.wait_for_room(clock, deadline, len, full)?,
            outcome => outcome?,
        };
        Ok(FrameMut { writer: self, room })
    }

    /// Copies `data` into a frame and commits it if there is room now; returns its number: 1, 2, 3 …
    ///
    /// # Errors
    /// [`SendError`]; [`ReserveError::Full`] at once.
    pub fn try_send(&mut self, data: &[u8]) -> Result<u64, SendError<G::Error>> {
        let room = self.try_room(data.len())?;
        self.publish(&room, data)
    }

    /// Copies `data` into a frame and commits it, waiting until `deadline` while the ring is full; returns its number.
    ///
    /// # Errors
    /// As [`reserve`](Self::reserve) and [`FrameMut::commit`].
    pub fn send<C: Clock>(
        &mut self,
        clock: &C,
        deadline: Deadline,
        data: &[u8],
    ) -> Result<u64, SendError<G::Error>> {
        let room = self.reserve(clock, deadline, data.len())?.room;
        self.publish(&room, data)
    }

    /// Block sizes: [`max_frame_len`](Geometry::max_frame_len) bytes fit one frame.
    pub fn geometry(&self) -> Geometry {
        self.half.producer.memory.geometry()
    }

    /// What was written so far.
    pub fn counters(&self) -> Counters {
        Counters { waits: self.waits, sleeps: self.sleeps, ..self.half.producer.counters }
    }

    fn wait_for_room<C: Clock>(
        &mut self,
        clock: &C,
        deadline: Deadline,
        len: usize,
        full: ReserveError,
    ) -> Result<Room, SendError<G::Error>> {
        self.waits = self.waits.wrapping_add(1);
        self.backoff.follow(clock.wait_policy());
        let mut space = SpaceWait { writer: self, len, full };
        match wait(&mut space, clock, deadline)? {
            Waited::Done(room) => Ok(room),
            Waited::TimedOut => Err(SendError::NoRoom(space.full)),
        }
    }

    fn try_room(&mut self, len: usize) -> Result<Room, ReserveError> {
        let len = u64::try_from(len).unwrap_or(u64::MAX);
        if len == 0 {
            return Err(ReserveError::Empty);
        }
        self.half.try_reserve(len).map_err(|no_room| match no_room {
            NoRoom::TooLarge { max } => ReserveError::TooLarge { len, max },
            NoRoom::Full { needed, free } => {
                ReserveError::Full { needed, free, capacity: self.geometry().payload_size }
            }
            NoRoom::Corrupt(corrupt) => ReserveError::Corrupt(corrupt),
        })
    }

    fn publish(&mut self, room: &Room, data: &[u8]) -> Result<u64, SendError<G::Error>> {
        self.half.producer.fill(room, data).map_err(RingError::Corrupt)?;
        Ok(self.half.commit(room)?)
    }
}

/// Room for one frame: fill it, then [`commit`](Self::commit). Dropped, it never was.
///
/// At first its bytes hold whatever an earlier frame left.
#[derive(Debug)]
#[must_use = "only `commit` publishes it"]
pub struct FrameMut<'w, S: Segment, G: Signal> {
    writer: &'w mut Writer<S, G>,
    room: Room,
}

impl<S: Segment, G: Signal> FrameMut<'_, S, G> {
    /// Publishes the frame and posts `data_ready`; returns its number.
    ///
    /// # Errors
    /// [`RingError::Corrupt`]: it is not published. [`RingError::System`]: it is, but [`Reader::recv`] finds it only after
    /// some milliseconds of waiting, and [`Reader::try_recv`] only when another one is announced.
    pub fn commit(self) -> Result<u64, RingError<G::Error>> {
        self.writer.half.commit(&self.room)
    }

    /// The number that the frame will have: 1, 2, 3 …
    pub fn sequence(&self) -> u64 {
        self.writer.half.producer.next_sequence()
    }
}

impl<S: Segment, G: Signal> Deref for FrameMut<'_, S, G> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        lend::reserved(&self.writer.half.producer, &self.room)
    }
}

impl<S: Segment, G: Signal> DerefMut for FrameMut<'_, S, G> {
    fn deref_mut(&mut self) -> &mut [u8] {
        lend::reserved_mut(&mut self.writer.half.producer, &self.room)
    }
}

/// The reading end.
#[derive(Debug)]
pub struct Reader<S: Segment, G: Signal> {
    half: ReaderHalf<Buffer<S>, G>,
    /// Bytes of ring of the frame last lent; 0 once released.
    lent: u64,
    /// What went wrong when that was done.
    failed: Option<RingError<G::Error>>,
    backoff: Backoff,
    waits: u64,
    sleeps: u64,
}

impl<S: Segment, G: Signal> Reader<S, G> {
    /// The next frame, if one is there. Never waits: for interrupt handlers.
    ///
    /// # Errors
    /// [`RingError`]; also what went wrong when the frame before was released.
    pub fn try_recv(&mut self) -> Result<Option<Frame<'_, S, G>>, RingError<G::Error>> {
        self.finish()?;
        Ok(self.attempt()?.map(|claimed| Frame::new(self, claimed)))
    }

    /// The next frame, waiting until `deadline`; `None` if none came.
    ///
    /// # Errors
    /// As [`try_recv`](Self::try_recv).
    pub fn recv<C: Clock>(
        &mut self,
        clock: &C,
        deadline: Deadline,
    ) -> Result<Option<Frame<'_, S, G>>, RingError<G::Error>> {
        self.finish()?;
        if let Some(claimed) = self.attempt()? {
            return Ok(Some(Frame::new(self, claimed)));
        }
        self.waits = self.waits.wrapping_add(1);
        self.backoff.follow(clock.wait_policy());
        match wait(&mut FrameWait { reader: self, looked: false }, clock, deadline)? {
            Waited::Done(claimed) => Ok(Some(Frame::new(self, claimed))),
            Waited::TimedOut => Ok(None),
        }
    }

    /// What was read so far.
    pub fn counters(&self) -> Counters {
        Counters { waits: self.waits, sleeps: self.sleeps, ..self.half.consumer.counters }
    }

    fn attempt(&mut self) -> Result<Option<Claimed>, RingError<G::Error>> {
        match self.half.try_claim(|| 0) {
            Ok(Some(claimed)) => Ok(Some(claimed)),
            Ok(None) | Err(NoFrame::Nothing) => {
                self.half.return_pending()?;
                Ok(None)
            }
            Err(NoFrame::Gap { expected, found }) => {
                Err(RingError::Corrupt(Corrupt { field: "frame sequence", found, limit: expected }))
            }
            Err(NoFrame::Corrupt(corrupt)) => Err(RingError::Corrupt(corrupt)),
        }
    }

    /// Releases the frame last lent, if that was not done, and tells what went wrong. A frame that was leaked is over
    /// too: its borrow has ended.
    fn finish(&mut self) -> Result<(), RingError<G::Error>> {
        self.release();
        self.failed.take().map_or(Ok(()), Err)
    }

    fn release(&mut self) {
        let cost = core::mem::take(&mut self.lent);
        if cost > 0
            && self.half.release(cost)
            && let Err(error) = self.half.return_pending()
        {
            self.failed = Some(error);
        }
    }
}

/// A frame in place; dropping it returns its space to the writer.
///
/// Space of less than 4 KiB and less than 1/16 of the ring may be kept back while further frames are known to wait.
#[derive(Debug)]
pub struct Frame<'r, S: Segment, G: Signal> {
    reader: &'r mut Reader<S, G>,
    claimed: Claimed,
}

impl<'r, S: Segment, G: Signal> Frame<'r, S, G> {
    fn new(reader: &'r mut Reader<S, G>, claimed: Claimed) -> Self {
        reader.lent = claimed.cost();
        Self { reader, claimed }
    }

    /// Its number: 1, 2, 3 …
    pub fn sequence(&self) -> u64 {
        self.claimed.sequence()
    }
}

impl<S: Segment, G: Signal> Deref for Frame<'_, S, G> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        lend::claimed(&self.reader.half.consumer.memory, &self.claimed)
    }
}

impl<S: Segment, G: Signal> Drop for Frame<'_, S, G> {
    fn drop(&mut self) {
        self.reader.release();
    }
}

/// Waiting for space.
struct SpaceWait<'w, S: Segment, G: Signal> {
    writer: &'w mut Writer<S, G>,
    len: usize,
    /// What the last attempt found.
    full: ReserveError,
}

impl<S: Segment, G: Signal> Waiting<Room, SendError<G::Error>> for SpaceWait<'_, S, G> {
    type Signal = G;

    fn attempt(&mut self) -> Result<Option<Room>, SendError<G::Error>> {
        // Old permits first: what is posted after this attempt is then seen by `is_ready`.
        self.writer.half.forget_permits();
        match self.writer.try_room(self.len) {
            Ok(room) => Ok(Some(room)),
            Err(full @ ReserveError::Full { .. }) => {
                self.full = full;
                Ok(None)
            }
            Err(error) => Err(SendError::NoRoom(error)),
        }
    }

    fn is_ready(&self) -> bool {
        self.writer.half.space_free.permits() > 0
    }

    fn idle(&mut self) -> Result<Idle<Room>, SendError<G::Error>> {
        Ok(Idle::Wait)
    }

    fn signal(&self) -> &G {
        &self.writer.half.space_free
    }

    fn backoff(&mut self) -> &mut Backoff {
        &mut self.writer.backoff
    }

    fn on_sleep(&mut self) {
        self.writer.sleeps = self.writer.sleeps.wrapping_add(1);
    }

    fn system(error: G::Error) -> SendError<G::Error> {
        SendError::Ring(RingError::System(error))
    }
}

/// Waiting for a frame.
struct FrameWait<'r, S: Segment, G: Signal> {
    reader: &'r mut Reader<S, G>,
    /// Whether a slice has passed, in which a frame already published would have been announced.
    looked: bool,
}

impl<S: Segment, G: Signal> Waiting<Claimed, RingError<G::Error>> for FrameWait<'_, S, G> {
    type Signal = G;

    fn attempt(&mut self) -> Result<Option<Claimed>, RingError<G::Error>> {
        self.reader.attempt()
    }

    fn is_ready(&self) -> bool {
        self.reader.half.is_ready()
    }

    fn idle(&mut self) -> Result<Idle<Claimed>, RingError<G::Error>> {
        self.reader.half.settle();
        if core::mem::replace(&mut self.looked, true) {
            // One whose announcement failed. A late permit for it is ignored when it comes; what looks wrong may be a
            // commit that is not over, and is told by the claim that a permit asks for.
            if let Ok(Some(claimed)) = self.reader.half.try_recover(|| 0) {
                return Ok(Idle::Done(claimed));
            }
        }
        Ok(Idle::Wait)
    }

    fn signal(&self) -> &G {
        &self.reader.half.data_ready
    }

    fn backoff(&mut self) -> &mut Backoff {
        &mut self.reader.backoff
    }

    fn on_sleep(&mut self) {
        self.reader.sleeps = self.reader.sleeps.wrapping_add(1);
    }

    fn system(error: G::Error) -> RingError<G::Error> {
        RingError::System(error)
    }
}
