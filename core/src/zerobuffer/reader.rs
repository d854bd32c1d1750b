//! The reading end: creating the buffer, waiting for frames, returning space, and noticing that the writer is gone.

mod frame_wait;
mod writer_seen;

use self::frame_wait::FrameWait;
use super::ends::{ENDS_SIZE, Ends};
use super::error::{CreateError, MetadataError, ReadError};
use super::halves::{ReaderHalf, announce_space};
use super::handles::Returner;
use super::layout::{Config, Geometry, Oieb};
use super::lend;
use super::metadata;
use super::ownership::{Made, Owned};
use super::peer::Peer;
pub use super::ring::Claimed;
use super::ring::{Buffer, Consumer, Counters, NoFrame, RingMemory};
use super::share::{SHARE_TABLE_SIZE, Shares};
use super::size::{self, SizeWatch};
use super::wait::{Backoff, LONGEST_SLICE, Pace, Waited, wait};
use crate::maker::Maker;
use crate::name::Name;
use crate::platform::{Access, Pid, Platform, Signal, WaitPolicy};
use crate::shm::view;
use crate::sync::Ordering;
use crate::time::{Deadline, Instant};

/// The reading end of a buffer: creates it, owns it, removes it when dropped.
///
/// `held` in its methods tells the ring bytes of frames that the caller has claimed and not yet released here or
/// returned through a [`Returner`]: `|| 0` for a caller that releases each frame before it claims the next. It is asked
/// after the ring was looked at, and must count a frame until its space has been returned.
#[derive(Debug)]
pub struct ReaderEndpoint<P: Platform> {
    half: ReaderHalf<Buffer<P::Segment>, P::Signal>,
    platform: P,
    maker: Maker,
    /// Where the two ends are told.
    ends: Ends<P::Segment>,
    writer: Option<Peer<P::Watch>>,
    had_writer: bool,
    died: Option<Pid>,
    /// First frame of the last writer that took over from a dead one, once that death was told.
    told: u64,
    /// That frame, until the next attempt.
    kept: Option<Claimed>,
    /// Whether the end of the stream was told since the last frame.
    ended: bool,
    backoff: Backoff,
    pace: Pace,
    size: SizeWatch,
    /// Set for one attempt that follows a look at the size within a microsecond.
    just_checked: bool,
    /// Since when every attempt without waiting found nothing.
    quiet_since: Option<Instant>,
    waits: u64,
    sleeps: u64,
    /// Declared last: everything is removed after the mapping is gone.
    owned: Owned<P>,
}

impl<P: Platform> ReaderEndpoint<P> {
    /// Creates the buffer, after removing what a dead reader of the same name left.
    ///
    /// # Errors
    /// [`CreateError`]; nothing of ours is left behind then.
    pub fn create(
        platform: P,
        name: &Name,
        config: Config,
        access: Access,
    ) -> Result<Self, CreateError<P::Error>> {
        Self::create_with(platform, name, config, access, None)
    }

    /// [`create`](Self::create) with a [`ShareTable`](super::share::ShareTable) behind the ring, which only another
    /// Strait end finds, and which says whether this end `lends`.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn create_sharing(
        platform: P,
        name: &Name,
        config: Config,
        access: Access,
        lends: bool,
    ) -> Result<Self, CreateError<P::Error>> {
        Self::create_with(platform, name, config, access, Some(lends))
    }

    fn create_with(
        platform: P,
        name: &Name,
        config: Config,
        access: Access,
        shares: Option<bool>,
    ) -> Result<Self, CreateError<P::Error>> {
        let geometry = config.geometry()?;
        let too_large = || CreateError::TooLarge {
            metadata_capacity: config.metadata_capacity,
            payload_capacity: config.payload_capacity,
        };
        let extra = ENDS_SIZE.saturating_add(shares.map_or(0, |_| SHARE_TABLE_SIZE));
        let len = geometry.segment_len().and_then(|len| len.checked_add(extra));
        let len = len.filter(|len| isize::try_from(*len).is_ok()).ok_or_else(too_large)?;
        let (this, maker) = (platform.identity(), Maker::this(&platform));
        let mut prepare = |segment: &P::Segment| {
            // Each has room, as `len` says.
            let _ = Ends::create(segment.clone(), geometry, this);
            if let Some(lends) = shares {
                let _ = Shares::create(segment.clone(), geometry, lends);
            }
            // Last, where a segment has its name before it is prepared: a writer that sees the OIEB finds everything else.
            if let Ok(oieb) = view::<Oieb, _>(segment, 0) {
                oieb.initialize(geometry, this.pid.0);
            }
        };
        let Made { owned, segment, data_ready, space_free } =
            Owned::create(platform.clone(), name, len, access, &mut prepare)?;
        let buffer = Buffer::new(segment.clone(), geometry)
            .map_err(|error| CreateError::PayloadTooSmall { capacity: error.len as u64 })?;
        let size = SizeWatch::new(&platform, &segment);
        let ends = Ends::open(segment, geometry).ok_or_else(too_large)?;
        let backoff = Backoff::new(platform.wait_policy());
        Ok(Self {
            half: ReaderHalf::new(Consumer::new(buffer), data_ready, space_free),
            platform,
            maker,
            ends,
            writer: None,
            had_writer: false,
            died: None,
            told: 0,
            kept: None,
            ended: false,
            backoff,
            pace: Pace::default(),
            size,
            just_checked: false,
            quiet_since: None,
            waits: 0,
            sleeps: 0,
            owned,
        })
    }

    /// Claims the next frame, waiting until `deadline`.
    ///
    /// # Errors
    /// - [`ReadError::Timeout`] once `deadline` is over, the writer living or none having come yet;
    /// - [`ReadError::EndOfStream`] when the last writer has closed and every frame was claimed, within 100 ms;
    /// - [`ReadError::WriterDead`] when it died or gave up, likewise;
    /// - [`ReadError::Forked`] at once in a process that was forked since;
    /// - [`ReadError::Removed`], [`ReadError::Replaced`] when another program took the buffer from its name, likewise;
    /// - [`ReadError::SequenceGap`] (the next call returns the frame found), [`ReadError::Corrupt`],
    ///   [`ReadError::Truncated`], [`ReadError::System`].
    pub fn claim<H: Fn() -> u64>(
        &mut self,
        deadline: Deadline,
        held: H,
    ) -> Result<Claimed, ReadError<P::Error>> {
        if let Some(claimed) = self.attempt_claim(&held)? {
            return Ok(claimed);
        }
        self.waits = self.waits.wrapping_add(1);
        self.return_pending()?;
        self.pace.rest(self.platform.stamp(), self.half.consumer.counters.frames);
        let clock = self.platform.clone();
        match wait(&mut FrameWait { endpoint: self, held, looked: false }, &clock, deadline)? {
            Waited::Done(claimed) => Ok(claimed),
            Waited::TimedOut => Err(ReadError::Timeout),
        }
    }

    /// Claims the next frame if one is announced. Looks at nothing else: the fast way to a frame that is there.
    ///
    /// # Errors
    /// [`ReadError::SequenceGap`], [`ReadError::Corrupt`], [`ReadError::Truncated`].
    pub fn claim_ready<H: Fn() -> u64>(&mut self, held: H) -> Result<Option<Claimed>, ReadError<P::Error>> {
        self.attempt_claim(&held)
    }

    /// Claims the next frame if one is there.
    ///
    /// # Errors
    /// [`ReadError::Empty`] if none is there and the writer lives; the others as [`claim`](Self::claim).
    pub fn try_claim<H: Fn() -> u64>(&mut self, held: H) -> Result<Claimed, ReadError<P::Error>> {
        if let Some(claimed) = self.attempt_claim(&held)? {
            return Ok(claimed);
        }
        self.return_pending()?;
        self.check_size()?;
        self.half.settle_if_behind();
        // A frame that stays unannounced is recovered once the writer has had a slice of time to announce it.
        let now = self.platform.now();
        let since = *self.quiet_since.get_or_insert(now);
        let recover = now.saturating_since(since) >= LONGEST_SLICE;
        match self.look(&held, recover)? {
            Look::Claimed(claimed) => Ok(claimed),
            Look::Quiet => Err(ReadError::Empty),
        }
    }

    fn attempt_claim<H: Fn() -> u64>(&mut self, held: &H) -> Result<Option<Claimed>, ReadError<P::Error>> {
        self.maker.check(&self.platform)?;
        if !core::mem::take(&mut self.just_checked) {
            self.check_at_frame()?;
        }
        if let Some(kept) = self.kept.take() {
            return Ok(Some(kept));
        }
        let claimed = self.half.try_claim(held).map_err(no_frame)?;
        claimed.map(|claimed| self.accept(claimed)).transpose()
    }

    /// Finds out why there is no frame: the writer closed, died, or is merely silent, or no writer can come. With `recover`,
    /// a frame that a living writer has not announced is taken all the same.
    fn look<H: Fn() -> u64>(&mut self, held: &H, recover: bool) -> Result<Look, ReadError<P::Error>> {
        let outcome = self.look_at_writer(held, recover);
        match &outcome {
            Ok(Look::Quiet) => self.check_name()?,
            // The end of what was there comes first.
            Err(ReadError::EndOfStream | ReadError::WriterDead { .. })
                if core::mem::replace(&mut self.ended, true) =>
            {
                self.check_name()?;
            }
            _ => {}
        }
        outcome
    }

    /// Whether a writer still finds us.
    fn check_name(&self) -> Result<(), ReadError<P::Error>> {
        if self.owned.is_linked() {
            return Ok(());
        }
        Err(match self.owned.successor() {
            Some(pid) => ReadError::Replaced { pid },
            None => ReadError::Removed,
        })
    }

    fn look_at_writer<H: Fn() -> u64>(
        &mut self,
        held: &H,
        recover: bool,
    ) -> Result<Look, ReadError<P::Error>> {
        self.check_size()?;
        self.tell_takeover(self.half.consumer.due())?;
        // Acquire: a writer that has let go committed everything before.
        let pid = Pid(self.buffer().oieb().writer_pid.load(Ordering::Acquire));
        let record = self.ends.writer();
        if pid.0 != 0 {
            if self.is_alive(pid, record) {
                // A late permit for a frame taken here is ignored when it comes.
                let recovered = if recover { self.half.try_recover(held) } else { Ok(None) };
                let recovered = recovered.ok().flatten().map(|claimed| self.accept(claimed)).transpose()?;
                return Ok(recovered.map_or(Look::Quiet, Look::Claimed));
            }
        } else if !self.had_writer {
            // Relaxed: only says that somebody has been there.
            let written = self.buffer().oieb().payload_written_count.load(Ordering::Relaxed);
            let metadata = self.buffer().oieb().metadata_written_bytes.load(Ordering::Relaxed);
            self.had_writer = written != 0 || metadata != 0 || self.ends.had_writer();
        }
        // A second writer that an existing implementation refused clears the first one's pid: its record and its lock say
        // that it lives.
        if pid.0 == 0 && record.is_some_and(|writer| self.is_alive(writer.pid, record)) {
            return Ok(Look::Quiet);
        }
        if !self.had_writer {
            return Ok(Look::Quiet);
        }
        // The writer is gone: what it announced between our last attempt and now comes first, then what it committed
        // without announcing it.
        if let Some(claimed) = self.attempt_claim(held)? {
            return Ok(Look::Claimed(claimed));
        }
        match self.half.try_recover(held) {
            Ok(Some(claimed)) => return self.accept(claimed).map(Look::Claimed),
            Err(gap @ NoFrame::Gap { .. }) => return Err(no_frame(gap)),
            // A frame never finished is not part of the stream; it is cleaned up below.
            Ok(None) | Err(NoFrame::Nothing | NoFrame::Corrupt(_)) => {}
        }
        // While frames are held the ring is not quiet; a later look cleans up. After one that closed there is something to
        // do if, with no Strait end in between, it took over from one that died.
        if held() == 0 && (pid.0 != 0 || !self.half.consumer.is_settled().map_err(ReadError::Corrupt)?) {
            self.half.settle();
            let this = self.platform.this().0;
            if !self.half.consumer.clean_up_after(pid.0, this).map_err(ReadError::Corrupt)? {
                return Ok(Look::Quiet);
            }
            if let Some(writer) = record {
                self.ends.bury_writer(writer);
            }
            announce_space(&self.half.space_free).map_err(ReadError::System)?;
        }
        if pid.0 != 0 {
            self.died = Some(pid);
        }
        Err(self.died.map_or(ReadError::EndOfStream, |pid| ReadError::WriterDead { pid }))
    }

    /// The frame's bytes, in shared memory.
    pub fn bytes<'a>(&'a self, claimed: &'a Claimed) -> &'a [u8] {
        lend::claimed(self.buffer(), claimed)
    }

    /// The frame's bytes, to be changed in place: nobody else looks at them until its space is returned.
    pub fn bytes_mut<'a>(&'a mut self, claimed: &'a mut Claimed) -> &'a mut [u8] {
        lend::claimed_mut(self.buffer(), claimed)
    }

    /// Gives a frame's space back to the writer. Frames must be released in the order in which they were claimed;
    /// [`ReleaseQueue`](super::release::ReleaseQueue) brings others into it.
    ///
    /// Space of less than 4 KiB and less than 1/16 of the ring may be kept back while further frames are known to
    /// wait; it is returned with the next release or claim that finds no more of them.
    ///
    /// # Errors
    /// [`ReadError::Truncated`], [`ReadError::Corrupt`] or [`ReadError::System`].
    #[expect(clippy::needless_pass_by_value, reason = "a claim is used up")]
    pub fn release(&mut self, claimed: Claimed) -> Result<(), ReadError<P::Error>> {
        self.release_bytes(claimed.cost)
    }

    /// [`release`](Self::release) for the `cost` of frames that are the oldest ones held.
    ///
    /// # Errors
    /// As [`release`](Self::release).
    pub fn release_bytes(&mut self, cost: u64) -> Result<(), ReadError<P::Error>> {
        if self.half.release(cost) { self.return_pending() } else { Ok(()) }
    }

    /// Returns at once everything released so far, and shows how many frames were claimed. Needed before a [`Returner`]
    /// returns space of later frames.
    ///
    /// # Errors
    /// As [`release`](Self::release).
    pub fn return_released(&mut self) -> Result<(), ReadError<P::Error>> {
        self.maker.check(&self.platform)?;
        self.check_at_frame()?;
        self.half.consumer.publish_count();
        self.return_pending()
    }

    fn return_pending(&mut self) -> Result<(), ReadError<P::Error>> {
        if self.half.consumer.has_pending() {
            self.maker.check(&self.platform)?;
            self.check_at_frame()?;
            self.half.return_pending()?;
        }
        Ok(())
    }

    /// A handle by which frames are read and returned on other threads. While frames are held, it returns the space of
    /// all, one call at a time, after a [`return_released`](Self::return_released).
    pub fn returner(&self) -> Returner<P> {
        Returner::new(
            self.buffer().clone(),
            self.half.space_free.clone(),
            self.platform.clone(),
            self.size.is_wary(),
        )
    }

    /// The words by which this end and its writer share requests, if there are any.
    pub fn shares(&self) -> Option<Shares<P::Segment>> {
        Shares::open(self.buffer().segment().clone(), self.buffer().geometry())
    }

    /// Length of the metadata, bytes; `None` while the writer has set none.
    ///
    /// # Errors
    /// [`MetadataError::Corrupt`] or [`MetadataError::Truncated`].
    pub fn metadata_len(&self) -> Result<Option<usize>, MetadataError> {
        metadata::len(self.buffer())
    }

    /// Copies the first `out.len()` bytes of the metadata.
    ///
    /// # Errors
    /// [`MetadataError::Corrupt`] if the block is shorter.
    pub fn read_metadata(&self, out: &mut [u8]) -> Result<(), MetadataError> {
        metadata::read(self.buffer(), out)
    }

    /// Whether a writer is connected and alive.
    ///
    /// # Errors
    /// [`ReadError::Truncated`] if the segment was cut short.
    pub fn is_writer_connected(&mut self) -> Result<bool, ReadError<P::Error>> {
        self.check_size()?;
        // Relaxed: only says who is there.
        let pid = self.buffer().oieb().writer_pid.load(Ordering::Relaxed);
        Ok(pid != 0 && self.is_alive(Pid(pid), self.ends.writer()))
    }

    /// Block sizes.
    pub fn geometry(&self) -> Geometry {
        self.buffer().geometry()
    }

    /// Bytes of the ring in use now.
    ///
    /// # Errors
    /// [`ReadError::Truncated`] if the segment was cut short.
    pub fn used_bytes(&mut self) -> Result<u64, ReadError<P::Error>> {
        self.check_size()?;
        // Relaxed: a look, nothing is done by it.
        let free = self.buffer().oieb().payload_free_bytes.load(Ordering::Relaxed);
        Ok(self.geometry().payload_size.saturating_sub(free))
    }

    /// What was read so far.
    pub fn counters(&self) -> Counters {
        Counters { waits: self.waits, sleeps: self.sleeps, ..self.half.consumer.counters }
    }

    /// Why the lock of the name is not held in every place where implementations look for it, if it is not.
    pub fn lock_skipped(&self) -> Option<&dyn core::error::Error> {
        self.owned.lock_skipped()
    }

    /// Whether other users may write the segment.
    pub fn is_shared_widely(&self) -> bool {
        self.platform.is_shared_widely(self.buffer().segment())
    }

    /// Replaces the platform's wait policy.
    pub fn set_wait_policy(&mut self, policy: WaitPolicy) {
        self.backoff.set_policy(policy);
    }

    /// The platform.
    pub fn platform(&self) -> &P {
        &self.platform
    }

    /// The signal that is posted when a frame is committed, for waiting outside (async).
    pub fn data_ready(&self) -> &P::Signal {
        &self.half.data_ready
    }

    /// Takes the permits that were used, so that [`data_ready`](Self::data_ready) blocks: call it, try once more, and
    /// only then wait outside.
    pub fn prepare_wait(&mut self) {
        if self.maker.is_here(&self.platform) {
            self.half.settle();
        }
    }

    fn buffer(&self) -> &Buffer<P::Segment> {
        &self.half.consumer.memory
    }

    #[inline]
    fn check_at_frame(&mut self) -> Result<(), ReadError<P::Error>> {
        Ok(self.size.at_frame(&self.platform, self.half.consumer.memory.segment())?)
    }

    fn check_size(&mut self) -> Result<(), ReadError<P::Error>> {
        Ok(self.size.look(&self.platform, self.half.consumer.memory.segment())?)
    }
}

impl<P: Platform> Drop for ReaderEndpoint<P> {
    fn drop(&mut self) {
        // A child's copy says nothing.
        if !self.maker.is_here(&self.platform) {
            return;
        }
        if size::check(self.buffer().segment()).is_ok() {
            self.half.consumer.publish_count();
            // Release: a writer that sees it finds nothing of ours half done.
            self.buffer().oieb().reader_pid.store(0, Ordering::Release);
        }
        // A writer that waits for space learns at once that there will be none.
        let _ = self.half.space_free.post();
    }
}

enum Look {
    Claimed(Claimed),
    Quiet,
}

fn no_frame<E>(error: NoFrame) -> ReadError<E> {
    match error {
        NoFrame::Nothing => ReadError::Empty,
        NoFrame::Gap { expected, found } => ReadError::SequenceGap { expected, found },
        NoFrame::Corrupt(corrupt) => ReadError::Corrupt(corrupt),
    }
}
