//! The reading end as users see it.

use std::sync::Arc;
use std::time::Duration;

use strait_core::platform::Platform;
use strait_core::zerobuffer::release::Ticket;
use strait_core::zerobuffer::{Claimed, ReadError, ReaderEndpoint, Shares};

use super::builder::ReaderBuilder;
use super::deadline;
use super::error::{CreateError, MetadataError, RecvError};
use super::frame::{Frame, OwnedFrame};
use super::ledger::{Ledger, MAX_HELD_FRAMES};
use super::statistics::Statistics;
use crate::os::{Os, OsError};

/// The reading end of a buffer: creates it, owns it, removes it when dropped.
///
/// ```
/// # fn main() -> strait::Result<()> {
/// use std::time::Duration;
/// use strait::zerobuffer::{Reader, RecvError, Writer};
///
/// let name = format!("doc-reader-{}", std::process::id());
/// let mut reader = Reader::builder(&name)
///     .metadata_capacity(1 << 10)     // bytes
///     .payload_capacity(16 << 20)     // bytes
///     .create()?;
///
/// # let mut writer = Writer::connect(&name)?;
/// # writer.send(b"hello")?;
/// # drop(writer);
/// loop {
///     match reader.recv_timeout(Duration::from_secs(5)) {
///         Ok(frame) => println!("#{}: {} bytes", frame.sequence(), frame.len()),
///         Err(RecvError::EndOfStream) => break,       // writer closed, ring drained
///         Err(error) => return Err(error.into()),
///     }                                               // `frame` dropped: space returned
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Reader {
    endpoint: ReaderEndpoint<Os>,
    pub(super) name: Arc<str>,
    pub(super) timeout: Duration,
    copy_frames: bool,
    copied: Vec<u8>,
    /// Made with the first frame that is held.
    ledger: Option<Arc<Ledger>>,
    /// What went wrong while a frame was dropped; the next call reports it.
    deferred: Option<ReadError<OsError>>,
    /// A frame that the last call could not hand out whole.
    kept: Option<Kept>,
    #[cfg(feature = "tokio")]
    pub(super) waiter: crate::waiter::Waiter,
}

impl Reader {
    /// Creates the buffer `name` with default sizes: 4096 bytes of metadata, 256 MiB of payload.
    ///
    /// # Errors
    /// As [`ReaderBuilder::create`].
    pub fn create(name: &str) -> Result<Self, CreateError> {
        Self::builder(name).create()
    }

    /// Options first.
    pub fn builder(name: &str) -> ReaderBuilder {
        ReaderBuilder::new(name)
    }

    pub(super) fn of(
        endpoint: ReaderEndpoint<Os>,
        name: Arc<str>,
        timeout: Duration,
        copy_frames: bool,
    ) -> Self {
        let (copied, ledger, deferred, kept) = (Vec::new(), None, None, None);
        Self {
            endpoint,
            name,
            timeout,
            copy_frames,
            copied,
            ledger,
            deferred,
            kept,
            #[cfg(feature = "tokio")]
            waiter: crate::waiter::Waiter::default(),
        }
    }

    /// Receives the next frame, waiting for it.
    ///
    /// # Errors
    /// - [`RecvError::Timeout`] after the reader's time-out (5 s by default);
    /// - [`RecvError::EndOfStream`] once the writer has closed and every frame was received, and from then on until
    ///   another writer connects;
    /// - [`RecvError::WriterDead`] likewise if it died or gave up, within 100 ms;
    /// - [`RecvError::SequenceGap`], [`RecvError::Corrupt`], [`RecvError::Truncated`], [`RecvError::Os`].
    pub fn recv(&mut self) -> Result<Frame<'_>, RecvError> {
        self.recv_timeout(self.timeout)
    }

    /// [`recv`](Self::recv) with its own time-out; [`Duration::MAX`] waits as long as a writer lives, or for the first
    /// one.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Frame<'_>, RecvError> {
        let (claimed, ticket) = self.claim(Some(timeout))?;
        Ok(Frame::new(self, claimed, ticket))
    }

    /// [`recv`](Self::recv) without waiting.
    ///
    /// # Errors
    /// [`RecvError::Empty`] if no frame is there; the others as [`recv`](Self::recv).
    pub fn try_recv(&mut self) -> Result<Frame<'_>, RecvError> {
        let (claimed, ticket) = self.claim(None)?;
        Ok(Frame::new(self, claimed, ticket))
    }

    /// Receives a frame that can be held while others are received. At most [`MAX_HELD_FRAMES`] at once.
    ///
    /// # Errors
    /// [`RecvError::TooManyHeld`]; the others as [`recv`](Self::recv).
    pub fn recv_owned(&mut self) -> Result<OwnedFrame, RecvError> {
        self.recv_owned_timeout(self.timeout)
    }

    /// [`recv_owned`](Self::recv_owned) with its own time-out.
    ///
    /// # Errors
    /// As [`recv_owned`](Self::recv_owned).
    pub fn recv_owned_timeout(&mut self, timeout: Duration) -> Result<OwnedFrame, RecvError> {
        self.owned(Some(timeout))
    }

    /// [`recv_owned`](Self::recv_owned) without waiting.
    ///
    /// # Errors
    /// [`RecvError::Empty`] if no frame is there; the others as [`recv_owned`](Self::recv_owned).
    pub fn try_recv_owned(&mut self) -> Result<OwnedFrame, RecvError> {
        self.owned(None)
    }

    /// Receives the next frame into the start of `out`; returns its length.
    ///
    /// # Errors
    /// [`RecvError::FrameTooLarge`] if it does not fit: it is kept for the next call. The others as
    /// [`recv`](Self::recv).
    pub fn recv_into(&mut self, out: &mut [u8]) -> Result<usize, RecvError> {
        let (claimed, ticket) = self.claim(Some(self.timeout))?;
        let (len, capacity) = (claimed.len(), out.len());
        match out.get_mut(..len) {
            Some(out) => {
                out.copy_from_slice(self.endpoint.bytes(&claimed));
                self.give_back(claimed, ticket);
                Ok(len)
            }
            None => {
                self.kept = Some(Kept { claimed, ticket, taken: 0 });
                Err(RecvError::FrameTooLarge { name: Arc::clone(&self.name), len, capacity })
            }
        }
    }

    /// Frames until the stream ends. A time-out or any other error is an item, and the last one.
    pub fn frames(&mut self) -> Frames<'_> {
        Frames { reader: self, ended: false }
    }

    /// Takes up to `out.len()` bytes of the stream that the frames make up.
    pub(super) fn read_some(&mut self, out: &mut [u8]) -> Result<usize, RecvError> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            let taken = self.kept.as_ref().map_or(0, |kept| kept.taken);
            let (claimed, ticket) = self.claim(Some(self.timeout))?;
            let rest = self.endpoint.bytes(&claimed).get(taken..).unwrap_or_default();
            let len = rest.len().min(out.len());
            let (here, left) = rest.split_at(len);
            out[..len].copy_from_slice(here);
            if left.is_empty() {
                self.give_back(claimed, ticket);
            } else {
                self.kept = Some(Kept { claimed, ticket, taken: taken + len });
            }
            // A frame without data is no end of the stream.
            if len > 0 {
                return Ok(len);
            }
        }
    }

    fn owned(&mut self, timeout: Option<Duration>) -> Result<OwnedFrame, RecvError> {
        let (claimed, ticket) = self.claim(timeout)?;
        // Space goes back in frame order: ours first, then the ledger's.
        self.endpoint.return_released().map_err(|error| RecvError::new(&self.name, error))?;
        let ledger = self.ledger.get_or_insert_with(|| Arc::new(Ledger::new(self.endpoint.returner())));
        let ledger = Arc::clone(ledger);
        let ticket = ticket.or_else(|| ledger.lock().push(claimed.cost()));
        match ticket {
            Some(ticket) => Ok(OwnedFrame::new(ledger, claimed, ticket, self.copy_frames)),
            // `claim` has made sure that there is room.
            None => Err(self.too_many()),
        }
    }

    /// The next frame, and its place among the held ones if there are any.
    fn claim(&mut self, timeout: Option<Duration>) -> Result<(Claimed, Option<Ticket>), RecvError> {
        if let Some(error) = self.deferred.take() {
            return Err(RecvError::new(&self.name, error));
        }
        if let Some(kept) = self.kept.take() {
            return Ok((kept.claimed, kept.ticket));
        }
        let lent = self.ledger.as_ref().filter(|ledger| Arc::strong_count(ledger) > 1);
        let Some(ledger) = lent else {
            // Pairs with the Release decrement of the last held frame: its space has been returned.
            std::sync::atomic::fence(std::sync::atomic::Ordering::Acquire);
            let claimed = claim_within(&mut self.endpoint, timeout, || 0);
            return claimed.map(|claimed| (claimed, None)).map_err(|error| RecvError::new(&self.name, error));
        };
        if ledger.lock().is_full() {
            return Err(self.too_many());
        }
        let claimed = claim_within(&mut self.endpoint, timeout, || ledger.held())
            .map_err(|error| RecvError::new(&self.name, error))?;
        let ticket = ledger.lock().push(claimed.cost());
        Ok((claimed, ticket))
    }

    fn too_many(&self) -> RecvError {
        RecvError::TooManyHeld { name: Arc::clone(&self.name), limit: MAX_HELD_FRAMES }
    }

    /// Gives a frame's space back; an error is reported by the next call.
    pub(super) fn give_back(&mut self, claimed: Claimed, ticket: Option<Ticket>) {
        let outcome = match (ticket, &self.ledger) {
            (Some(ticket), Some(ledger)) => {
                ledger.release(ticket);
                Ok(())
            }
            _ => self.endpoint.release(claimed),
        };
        if let Err(error) = outcome {
            self.deferred = Some(error);
        }
    }

    pub(super) fn bytes<'a>(&'a self, claimed: &'a Claimed) -> &'a [u8] {
        self.endpoint.bytes(claimed)
    }

    pub(super) fn bytes_mut<'a>(&'a mut self, claimed: &'a mut Claimed) -> &'a mut [u8] {
        self.endpoint.bytes_mut(claimed)
    }

    pub(super) fn copies(&self) -> bool {
        self.copy_frames
    }

    pub(super) fn copy_out(&mut self, claimed: &Claimed) {
        self.copied.clear();
        self.copied.extend_from_slice(self.endpoint.bytes(claimed));
    }

    pub(super) fn copied(&self) -> &[u8] {
        &self.copied
    }

    pub(super) fn copied_mut(&mut self) -> &mut [u8] {
        &mut self.copied
    }

    /// The metadata that the writer has set; `None` while it has set none.
    ///
    /// # Errors
    /// [`MetadataError::Corrupt`] or [`MetadataError::Truncated`].
    pub fn metadata(&self) -> Result<Option<Vec<u8>>, MetadataError> {
        let metadata = || {
            let Some(len) = self.endpoint.metadata_len()? else { return Ok(None) };
            let mut bytes = vec![0; len];
            self.endpoint.read_metadata(&mut bytes)?;
            Ok(Some(bytes))
        };
        metadata().map_err(|error| MetadataError::new(&self.name, &error))
    }

    /// Whether a writer is connected and alive.
    ///
    /// # Errors
    /// [`RecvError::Truncated`] if the segment was cut short.
    pub fn is_writer_connected(&mut self) -> Result<bool, RecvError> {
        self.endpoint.is_writer_connected().map_err(|error| RecvError::new(&self.name, error))
    }

    /// Waits until a writer is connected; `false` if none came in time.
    ///
    /// # Errors
    /// [`RecvError::Truncated`] if the segment was cut short.
    pub fn wait_for_writer(&mut self, timeout: Duration) -> Result<bool, RecvError> {
        let until = deadline(timeout);
        loop {
            if self.is_writer_connected()? {
                return Ok(true);
            }
            if until.is_over(strait_core::platform::Clock::now(&Os)) {
                return Ok(false);
            }
            // Connecting posts nothing: there is nothing else to wait for.
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// The buffer's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bytes of the ring.
    pub fn payload_capacity(&self) -> u64 {
        self.endpoint.geometry().payload_size
    }

    /// Bytes of the metadata block, 8 of them for the length.
    pub fn metadata_capacity(&self) -> u64 {
        self.endpoint.geometry().metadata_size
    }

    /// How long [`recv`](Self::recv) waits; [`Duration::MAX`] is for ever.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Changes how long [`recv`](Self::recv) waits.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// What was received so far, and how full the ring is.
    pub fn statistics(&mut self) -> Statistics {
        let used = self.endpoint.used_bytes().unwrap_or(0);
        Statistics::new(self.endpoint.counters(), used, self.payload_capacity())
    }

    /// Takes the next frame, if there is one, and keeps it for the next receive.
    #[cfg(feature = "tokio")]
    pub(super) fn keep_next(&mut self) -> Result<(), RecvError> {
        if self.kept.is_none() {
            let (claimed, ticket) = self.claim(None)?;
            self.kept = Some(Kept { claimed, ticket, taken: 0 });
        }
        Ok(())
    }

    /// The words by which this end and its writer share frames.
    pub(super) fn shares(&self) -> Option<Shares<<Os as Platform>::Segment>> {
        self.endpoint.shares()
    }

    /// The wait of an async receive: the signal, made to block unless a further frame is there.
    pub(super) fn prepare_wait(&mut self) -> <Os as Platform>::Signal {
        self.endpoint.prepare_wait();
        self.endpoint.data_ready().clone()
    }

    /// What is posted when a frame comes.
    #[cfg(feature = "tokio")]
    pub(super) fn signal(&self) -> <Os as Platform>::Signal {
        self.endpoint.data_ready().clone()
    }

    /// What the system said to a wait at it.
    #[cfg(feature = "tokio")]
    pub(super) fn system(&self, error: OsError) -> RecvError {
        RecvError::new(&self.name, ReadError::System(error))
    }

    /// Removes the buffer, as dropping does. Frames that are held stay readable.
    pub fn close(self) {}
}

impl Drop for Reader {
    fn drop(&mut self) {
        let counters = self.endpoint.counters();
        tracing::debug!(
            buffer = &*self.name,
            frames = counters.frames,
            bytes = counters.bytes,
            "reader closed"
        );
    }
}

/// A frame taken from the ring and not yet handed out whole.
#[derive(Debug)]
struct Kept {
    claimed: Claimed,
    ticket: Option<Ticket>,
    /// Bytes taken through `io::Read`.
    taken: usize,
}

fn claim_within<H: Fn() -> u64>(
    endpoint: &mut ReaderEndpoint<Os>,
    timeout: Option<Duration>,
    held: H,
) -> Result<Claimed, ReadError<OsError>> {
    match timeout {
        // The clock for the deadline is read only if there is nothing.
        Some(timeout) => match endpoint.claim_ready(&held)? {
            None => endpoint.claim(deadline(timeout), held),
            Some(claimed) => Ok(claimed),
        },
        None => endpoint.try_claim(held),
    }
}

/// Iterator over received frames, see [`Reader::frames`].
#[derive(Debug)]
pub struct Frames<'r> {
    reader: &'r mut Reader,
    ended: bool,
}

impl Iterator for Frames<'_> {
    type Item = Result<OwnedFrame, RecvError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        match self.reader.recv_owned() {
            Err(RecvError::EndOfStream) => {
                self.ended = true;
                None
            }
            outcome => {
                self.ended = outcome.is_err();
                Some(outcome)
            }
        }
    }
}

impl std::iter::FusedIterator for Frames<'_> {}
