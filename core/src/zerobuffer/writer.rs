//! The writing end: connecting, waiting for space, announcing frames, and noticing that the reader is gone.

mod space_wait;

use core::time::Duration;

use self::space_wait::SpaceWait;
use super::attach::{claim_writer, live_reader, not_found, open_buffer, release_writer};
use super::ends::Ends;
use super::error::{AttachError, CreateError, MetadataError, WriteError};
use super::halves::WriterHalf;
use super::handles::{Lender, Place};
use super::layout::{ABORTED, FRAME_OVERHEAD, Geometry};
use super::lend;
use super::metadata;
use super::ownership::bury;
use super::peer::Peer;
use super::ring::{Buffer, Counters, NoRoom, Producer, RingMemory, Room};
use super::share::Shares;
use super::size::{self, SizeWatch};
use super::wait::{Backoff, Pace, Waited, wait};
use crate::maker::Maker;
use crate::name::Name;
use crate::platform::{
    FaultKind, Identity, LockState, Pid, Platform, PlatformError, Segment, Signal, WaitPolicy,
};
use crate::sync::Ordering;
use crate::time::{Deadline, Instant};

/// How often a writer that never has to wait looks whether its reader lives.
const RECHECK_READER: Duration = Duration::from_millis(100);

/// Name of the semaphore that counts unread frames.
pub(super) const DATA_READY: &str = "sem-w-";
/// Name of the semaphore that says that space was returned.
pub(super) const SPACE_FREE: &str = "sem-r-";

/// Room for one frame. Fill [`WriterEndpoint::bytes_mut`], then [`WriterEndpoint::commit`]; dropped, it never was.
#[derive(Debug)]
#[must_use]
pub struct Reserved {
    room: Room,
}

impl Reserved {
    /// Data bytes.
    pub fn len(&self) -> usize {
        self.room.len()
    }

    /// Whether it has no data; never.
    pub fn is_empty(&self) -> bool {
        self.room.len == 0
    }

    /// Where the data go.
    pub fn place(&self) -> Place {
        Place { position: self.room.position.saturating_add(FRAME_OVERHEAD), len: self.room.len }
    }
}

/// The writing end of a buffer. One per buffer; dropping it ends the stream and lets the next writer connect.
#[derive(Debug)]
pub struct WriterEndpoint<P: Platform> {
    half: WriterHalf<Buffer<P::Segment>, P::Signal>,
    platform: P,
    name: Name,
    this: Identity,
    maker: Maker,
    reader: Peer<P::Watch>,
    /// Where the two ends are told, behind a Strait reader.
    ends: Option<Ends<P::Segment>>,
    backoff: Backoff,
    pace: Pace,
    size: SizeWatch,
    /// Stamp of the last look at the clock.
    clock_checked: u64,
    reader_checked: Instant,
    waits: u64,
    sleeps: u64,
    /// Dropping is no end of the stream.
    aborts: bool,
}

impl<P: Platform> WriterEndpoint<P> {
    /// Connects to the buffer that a reader has created.
    ///
    /// # Errors
    /// - [`AttachError::NotFound`]: no such buffer;
    /// - [`AttachError::NotReady`]: its reader is still creating it, try again soon;
    /// - [`AttachError::ReaderDead`]: a leftover;
    /// - [`AttachError::ReaderUnknown`]: nothing tells whether it is one;
    /// - [`AttachError::WriterAlreadyConnected`];
    /// - [`AttachError::OthersMayWrite`]: see [`attach_trusting`](Self::attach_trusting);
    /// - the others: not a ZeroBuffer v1, or the system refused.
    pub fn attach(platform: P, name: &Name) -> Result<Self, AttachError<P::Error>> {
        Self::attach_with(platform, name, false)
    }

    /// [`attach`](Self::attach), also where other users may write the segment. One of them can cut it short between a look
    /// at its size and a touch of its bytes, which ends this process: SIGBUS on Linux.
    ///
    /// # Errors
    /// As [`attach`](Self::attach), except [`AttachError::OthersMayWrite`].
    pub fn attach_trusting(platform: P, name: &Name) -> Result<Self, AttachError<P::Error>> {
        Self::attach_with(platform, name, true)
    }

    fn attach_with(platform: P, name: &Name, trusts: bool) -> Result<Self, AttachError<P::Error>> {
        let segment = platform.open_segment(name).map_err(not_found)?;
        let size = SizeWatch::new(&platform, &segment);
        // Before a byte of it is touched.
        if size.is_wary() && !trusts {
            return Err(AttachError::OthersMayWrite);
        }
        let buffer = open_buffer(segment)?;
        // Before the pid is published: a buffer without semaphores is one still being created, or a leftover.
        let signal = |prefix| {
            platform.open_signal(&name.prefixed(prefix)).map_err(|error| match error.kind() {
                FaultKind::NotFound | FaultKind::Incomplete => {
                    AttachError::NotReady { len: buffer.segment().len() }
                }
                _ => AttachError::System(error),
            })
        };
        let (data_ready, space_free) = (signal(DATA_READY)?, signal(SPACE_FREE)?);
        let ends = Ends::open(buffer.segment().clone(), buffer.geometry());
        let reader = live_reader(&platform, name, &buffer, ends.as_ref(), &space_free)?;
        let this = platform.identity();
        let former = claim_writer(&platform, &buffer, ends.as_ref())?;
        // Whoever fails now leaves the death of its predecessor to be told.
        let mark = if former == Pid(0) { former } else { ABORTED };
        if !buffer.segment().is_linked() {
            release_writer(buffer.oieb(), ends.as_ref(), this, mark);
            return Err(AttachError::ReaderDead { pid: reader.pid() });
        }
        let oieb_of = buffer.clone();
        let producer = Producer::new(buffer).map_err(|corrupt| {
            release_writer(oieb_of.oieb(), ends.as_ref(), this, mark);
            AttachError::Corrupt(corrupt)
        })?;
        if let Some(ends) = ends.as_ref().filter(|_| former != Pid(0)) {
            ends.mark_takeover(producer.next_sequence(), former);
        }
        let reader_checked = platform.now();
        let backoff = Backoff::new(platform.wait_policy());
        let maker = Maker::this(&platform);
        Ok(Self {
            half: WriterHalf { producer, data_ready, space_free },
            platform,
            name: name.clone(),
            this,
            maker,
            reader,
            ends,
            backoff,
            pace: Pace::default(),
            size,
            clock_checked: 0,
            reader_checked,
            waits: 0,
            sleeps: 0,
            aborts: false,
        })
    }

    /// Reserves room for `len` data bytes, waiting until `deadline` while the ring is full.
    ///
    /// # Errors
    /// - at once: [`WriteError::TooLarge`], [`WriteError::Empty`];
    /// - [`WriteError::Full`] once `deadline` is over;
    /// - [`WriteError::ReaderDead`] if the reader closed (at once) or died (within 100 ms);
    /// - [`WriteError::Forked`] at once in a process that was forked since;
    /// - [`WriteError::Replaced`], [`WriteError::Truncated`], [`WriteError::Corrupt`], [`WriteError::System`].
    pub fn reserve(&mut self, len: usize, deadline: Deadline) -> Result<Reserved, WriteError<P::Error>> {
        let len = self.check_len(len)?;
        if let Some(reserved) = self.attempt_reserve(len)? {
            return Ok(reserved);
        }
        self.waits = self.waits.wrapping_add(1);
        self.pace.rest(self.platform.stamp(), self.half.producer.counters.frames);
        let clock = self.platform.clone();
        let mut space = SpaceWait { endpoint: self, len, needed: 0, free: 0 };
        match wait(&mut space, &clock, deadline)? {
            Waited::Done(reserved) => Ok(reserved),
            Waited::TimedOut => {
                let (needed, free) = (space.needed, space.free);
                Err(WriteError::Full { needed, free, capacity: self.geometry().payload_size })
            }
        }
    }

    /// Reserves room for `len` data bytes if it is there now, and looks at nothing else; `None` while the ring is full.
    ///
    /// # Errors
    /// As [`reserve`](Self::reserve), except [`WriteError::Full`].
    pub fn reserve_ready(&mut self, len: usize) -> Result<Option<Reserved>, WriteError<P::Error>> {
        let len = self.check_len(len)?;
        self.attempt_reserve(len)
    }

    /// Reserves room for `len` data bytes if it is there now.
    ///
    /// # Errors
    /// [`WriteError::Full`] at once, and as [`reserve`](Self::reserve).
    pub fn try_reserve(&mut self, len: usize) -> Result<Reserved, WriteError<P::Error>> {
        let len = self.check_len(len)?;
        if let Some(reserved) = self.attempt_reserve(len)? {
            return Ok(reserved);
        }
        self.check_reader()?;
        match self.half.try_reserve(len) {
            Ok(room) => Ok(Reserved { room }),
            Err(no_room) => Err(self.no_room(len, no_room)),
        }
    }

    fn no_room(&self, len: u64, no_room: NoRoom) -> WriteError<P::Error> {
        match no_room {
            NoRoom::Full { needed, free } => {
                WriteError::Full { needed, free, capacity: self.geometry().payload_size }
            }
            NoRoom::TooLarge { max } => WriteError::TooLarge { len, max },
            NoRoom::Corrupt(corrupt) => WriteError::Corrupt(corrupt),
        }
    }

    fn check_len(&self, len: usize) -> Result<u64, WriteError<P::Error>> {
        let max = self.geometry().max_frame_len();
        match u64::try_from(len) {
            Ok(0) => Err(WriteError::Empty),
            Ok(len) if len <= max => Ok(len),
            _ => Err(WriteError::TooLarge { len: u64::try_from(len).unwrap_or(u64::MAX), max }),
        }
    }

    /// `None` while the ring is full.
    fn attempt_reserve(&mut self, len: u64) -> Result<Option<Reserved>, WriteError<P::Error>> {
        self.maker.check(&self.platform)?;
        self.check_at_frame()?;
        let stamp = self.platform.stamp();
        if stamp.wrapping_sub(self.clock_checked) >= size::RECHECK {
            self.clock_checked = stamp;
            if self.platform.now().saturating_since(self.reader_checked) >= RECHECK_READER {
                self.check_reader()?;
            }
        }
        self.check_pids()?;
        match self.half.try_reserve(len) {
            Ok(room) => Ok(Some(Reserved { room })),
            Err(NoRoom::Full { .. }) => Ok(None),
            Err(no_room) => Err(self.no_room(len, no_room)),
        }
    }

    /// The frame's bytes, in shared memory. They hold whatever an earlier frame left.
    pub fn bytes_mut(&mut self, reserved: &mut Reserved) -> &mut [u8] {
        lend::reserved_mut(&mut self.half.producer, &reserved.room)
    }

    /// The frame's bytes so far.
    pub fn bytes(&self, reserved: &Reserved) -> &[u8] {
        lend::reserved(&self.half.producer, &reserved.room)
    }

    /// Publishes a frame and wakes the reader; returns its number. Everything written before is visible to the reader.
    ///
    /// # Errors
    /// [`WriteError::Truncated`], [`WriteError::Corrupt`]: the frame is not published. [`WriteError::System`]: it is,
    /// but the reader may learn of it late.
    #[expect(clippy::needless_pass_by_value, reason = "a reservation is used up")]
    pub fn commit(&mut self, reserved: Reserved) -> Result<u64, WriteError<P::Error>> {
        self.maker.check(&self.platform)?;
        self.check_at_frame()?;
        self.publish(&reserved)
    }

    /// Copies `data` into the frame and commits it. Where others may cut the segment short, its size is looked at again only
    /// if the copy was a long one.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    #[expect(clippy::needless_pass_by_value, reason = "a reservation is used up")]
    pub fn commit_copy(&mut self, reserved: Reserved, data: &[u8]) -> Result<u64, WriteError<P::Error>> {
        /// Bytes copied in about the time for which a look at the size is good.
        const SHORT: usize = 16 << 10;
        self.maker.check(&self.platform)?;
        self.half.producer.fill(&reserved.room, data).map_err(WriteError::Corrupt)?;
        if data.len() > SHORT {
            self.check_at_frame()?;
        }
        self.publish(&reserved)
    }

    fn publish(&mut self, reserved: &Reserved) -> Result<u64, WriteError<P::Error>> {
        let sequence = self.half.commit(&reserved.room)?;
        // After the post rather than before the next frame: while the reader works, looking costs no latency. What is
        // found is told by the next call.
        let _ = self.check_at_frame();
        Ok(sequence)
    }

    /// Writes the metadata: once per buffer, whoever writes.
    ///
    /// # Errors
    /// [`MetadataError`]: already there, too large, empty, or the block is corrupt.
    pub fn set_metadata(&mut self, data: &[u8]) -> Result<(), MetadataError> {
        self.maker.check(&self.platform)?;
        metadata::write(self.buffer(), data)
    }

    /// Number of the frame that the next commit publishes.
    pub fn next_sequence(&self) -> u64 {
        self.half.producer.next_sequence()
    }

    /// Starts numbering at 1 again, as every writer of another implementation does: for protocols that count from
    /// there. A Strait reader takes it for a new writer.
    pub fn restart_sequence(&mut self) {
        self.half.producer.restart_sequence();
    }

    /// Whether dropping this end leaves [`ABORTED`], by which every reader learns that its writer died, instead of saying
    /// that the stream has ended. `false` at first.
    pub fn abort_on_drop(&mut self, aborts: bool) {
        self.aborts = aborts;
    }

    /// Whether the reader is a Strait end.
    pub fn is_strait_reader(&self) -> bool {
        self.ends.is_some()
    }

    /// The words by which this end and its reader share requests, if there are any.
    pub fn shares(&self) -> Option<Shares<P::Segment>> {
        let shares =
            |_: &Ends<P::Segment>| Shares::open(self.buffer().segment().clone(), self.buffer().geometry());
        self.ends.as_ref().and_then(shares)
    }

    /// A handle by which frames that the reader gave back to look at are read, on any thread.
    pub fn lender(&self) -> Lender<P> {
        Lender::new(self.buffer().clone(), self.half.data_ready.clone(), self.platform.clone())
    }

    /// Block sizes.
    pub fn geometry(&self) -> Geometry {
        self.buffer().geometry()
    }

    /// Bytes free in the ring now.
    ///
    /// # Errors
    /// [`WriteError::Truncated`] if the segment was cut short.
    pub fn free_bytes(&self) -> Result<u64, WriteError<P::Error>> {
        size::check(self.buffer().segment())?;
        Ok(self.half.producer.free_now())
    }

    /// What was written so far.
    pub fn counters(&self) -> Counters {
        Counters { waits: self.waits, sleeps: self.sleeps, ..self.half.producer.counters }
    }

    /// Replaces the platform's wait policy.
    pub fn set_wait_policy(&mut self, policy: WaitPolicy) {
        self.backoff.set_policy(policy);
    }

    /// The platform.
    pub fn platform(&self) -> &P {
        &self.platform
    }

    /// The signal that is posted when space is returned, for waiting outside (async).
    pub fn space_free(&self) -> &P::Signal {
        &self.half.space_free
    }

    /// Uses up old permits of [`space_free`](Self::space_free): call it, try once more, and only then wait outside.
    pub fn prepare_wait(&mut self) {
        if self.maker.is_here(&self.platform) {
            self.half.forget_permits();
        }
    }

    /// Whether the reader that created the buffer is still there.
    pub fn is_reader_connected(&mut self) -> bool {
        self.check_reader().is_ok()
    }

    /// Removes the buffer of a reader of another implementation that ran when this end connected, and has ended: proof that
    /// nobody has who comes later. `false`, and nothing is removed, for any other reader and for a buffer that has lost its
    /// name.
    ///
    /// # Errors
    /// [`CreateError::ReaderAlreadyConnected`] while somebody holds the lock of the name; the system's.
    pub fn bury_reader(&self) -> Result<bool, CreateError<P::Error>> {
        // Relaxed: only says who is there.
        let pid = self.buffer().oieb().reader_pid.load(Ordering::Relaxed);
        if pid != self.reader.pid().0 || !self.reader.is_stranger_that_ended() {
            return Ok(false);
        }
        let signals = [(DATA_READY, &self.half.data_ready), (SPACE_FREE, &self.half.space_free)];
        bury(&self.platform, &self.name, self.buffer().segment(), signals)
    }

    fn buffer(&self) -> &Buffer<P::Segment> {
        &self.half.producer.memory
    }

    #[inline]
    fn check_at_frame(&mut self) -> Result<(), WriteError<P::Error>> {
        Ok(self.size.at_frame(&self.platform, self.half.producer.memory.segment())?)
    }

    fn check_size(&mut self) -> Result<(), WriteError<P::Error>> {
        Ok(self.size.look(&self.platform, self.half.producer.memory.segment())?)
    }

    /// Both pids, one cache line: the reader is there, and the buffer is still ours.
    fn check_pids(&self) -> Result<(), WriteError<P::Error>> {
        let oieb = self.buffer().oieb();
        // Relaxed, both: words that only say who is there.
        if oieb.reader_pid.load(Ordering::Relaxed) == 0 {
            return Err(WriteError::ReaderDead { pid: Pid(0) });
        }
        let writer = oieb.writer_pid.load(Ordering::Relaxed);
        if writer == self.this.pid.0 {
            return Ok(());
        }
        // A second writer that an existing implementation refused clears our pid: put it back.
        match oieb.writer_pid.compare_exchange(0, self.this.pid.0, Ordering::Acquire) {
            Ok(_) => Ok(()),
            Err(pid) => Err(WriteError::Replaced { pid: Pid(pid) }),
        }
    }

    fn check_reader(&mut self) -> Result<(), WriteError<P::Error>> {
        self.reader_checked = self.platform.now();
        let linked = self.buffer().segment().is_linked();
        self.check_size()?;
        // Relaxed: only says who is there.
        let pid = self.buffer().oieb().reader_pid.load(Ordering::Relaxed);
        let gone = WriteError::ReaderDead { pid: self.reader.pid() };
        if !linked || pid != self.reader.pid().0 {
            return Err(gone);
        }
        let locked = || self.half.space_free.is_locked();
        let held = || self.platform.probe_lock(&self.name) == LockState::Held;
        if self.reader.lives(locked, held) { Ok(()) } else { Err(gone) }
    }
}

impl<P: Platform> Drop for WriterEndpoint<P> {
    fn drop(&mut self) {
        // A child's copy says nothing.
        if !self.maker.is_here(&self.platform) || size::check(self.buffer().segment()).is_err() {
            return;
        }
        if self.ends.is_some() && self.half.producer.counters.frames == 0 {
            // Wakes a reader that waits for a first frame: its record shows that a writer was here. Readers of other
            // implementations would look for a frame.
            let _ = self.half.data_ready.post();
        }
        let mark = if self.aborts { ABORTED } else { Pid(0) };
        release_writer(self.buffer().oieb(), self.ends.as_ref(), self.this, mark);
    }
}
