//! The writing end as users see it.

use std::io::IoSlice;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use strait_core::name::Name;
use strait_core::platform::{Clock as _, WaitPolicy};
use strait_core::zerobuffer::{AttachError, Reserved, WriterEndpoint};

use super::error::{ConnectError, MetadataError, SendError};
use super::frame::FrameMut;
use super::statistics::Statistics;
use super::{DEFAULT_TIMEOUT, deadline};
use crate::os::Os;

/// How long a connecting writer waits for a reader that is still creating the buffer.
const STARTING: Duration = Duration::from_millis(200);
/// Between two looks for a buffer.
const LOOK: Duration = Duration::from_millis(2);

/// The writing end of a buffer.
///
/// ```
/// # fn main() -> strait::Result<()> {
/// use strait::zerobuffer::{Reader, Writer};
///
/// let name = format!("doc-writer-{}", std::process::id());
/// let mut reader = Reader::builder(&name).payload_capacity(1 << 20).create()?;
/// let mut writer = Writer::connect(&name)?;
///
/// let mut frame = writer.reserve(640 * 480)?;  // waits while the ring is full
/// frame.fill(7);                               // in place, in shared memory
/// frame.commit()?;                             // publish; dropping instead discards
/// writer.send(b"end")?;                        // copy, when that is simpler
///
/// assert_eq!(reader.recv()?.len(), 640 * 480);
/// assert_eq!(&*reader.recv()?, b"end");
/// # Ok(())
/// # }
/// ```
///
/// Frames arrive in order, each once.
///
/// # How a stream ends
///
/// | the writer | a Strait reader is told | a C#, C++ or Python reader finds |
/// |---|---|---|
/// | [`close`](Self::close), or dropped | [`EndOfStream`](super::RecvError::EndOfStream) | no writer, as after a close of its own kind |
/// | [`abort`](Self::abort), or dropped while its thread panics | [`WriterDead`](super::RecvError::WriterDead), "gave up" | a dead writer |
/// | [`abort_on_drop`](WriterBuilder::abort_on_drop), and dropped without `close` | the same | the same |
/// | its process was killed, called [`exit`](std::process::exit), aborted, or leaked it | `WriterDead`, "died", with its number | a dead writer |
///
/// A drop on the way out of an error (`?`) says that the stream is complete like any other drop: a program that can fail
/// between two frames asks for `abort_on_drop` and calls `close` at its end. Whatever the end, the next writer may connect.
#[derive(Debug)]
pub struct Writer {
    pub(super) endpoint: WriterEndpoint<Os>,
    pub(super) name: Arc<str>,
    pub(super) timeout: Duration,
    /// Closed or aborted: whatever happens now, that was said.
    decided: bool,
    #[cfg(feature = "tokio")]
    pub(super) waiter: crate::waiter::Waiter,
}

/// What stands in place of a writer's process number once it [gave up](Writer::abort). No process has it.
pub const ABORTED: u64 = strait_core::zerobuffer::ABORTED.0;

/// Options of a [`Writer`].
#[derive(Clone, Debug)]
#[must_use]
pub struct WriterBuilder {
    name: Arc<str>,
    timeout: Duration,
    wait_for_reader: Duration,
    wait_policy: Option<WaitPolicy>,
    abort_on_drop: bool,
    trust_others: bool,
}

impl WriterBuilder {
    /// How long [`Writer::reserve`] and [`Writer::send`] wait for space; 5 s by default, [`Duration::MAX`] for ever.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long [`connect`](Self::connect) waits for a reader to create the buffer; not at all by default.
    pub fn wait_for_reader(mut self, timeout: Duration) -> Self {
        self.wait_for_reader = timeout;
        self
    }

    /// How long waits spin before they sleep; by default what suits this machine.
    pub fn wait_policy(mut self, policy: WaitPolicy) -> Self {
        self.wait_policy = Some(policy);
        self
    }

    /// Whether dropping the writer gives up, as [`Writer::abort`] does, so that only [`Writer::close`] says that the stream
    /// is complete; `false` by default.
    pub fn abort_on_drop(mut self, aborts: bool) -> Self {
        self.abort_on_drop = aborts;
        self
    }

    /// Connects also to a buffer that other users may write. One of them can cut its file short while it is in use, which
    /// ends this process with SIGBUS: no check can prevent it, though Strait then looks at the size before each frame, at most
    /// 2 µs old. Without this such a buffer is refused. Windows has none.
    pub fn trust_others(mut self, trust: bool) -> Self {
        self.trust_others = trust;
        self
    }

    /// The buffer's name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Connects.
    ///
    /// # Errors
    /// [`ConnectError`]: no such buffer, a dead reader, another writer, other users who may write it, not a ZeroBuffer v1, or
    /// no rights.
    pub fn connect(self) -> Result<Writer, ConnectError> {
        let name = Name::new(&self.name)
            .map_err(|source| ConnectError::BadName { name: Arc::clone(&self.name), source })?;
        let patience = deadline(self.wait_for_reader);
        // A buffer seen half made is ready in a moment, unless its reader died.
        let starting = deadline(self.wait_for_reader.max(STARTING));
        let mut endpoint = loop {
            let attached = if self.trust_others {
                WriterEndpoint::attach_trusting(Os, &name)
            } else {
                WriterEndpoint::attach(Os, &name)
            };
            let error = match attached {
                Ok(endpoint) => break endpoint,
                Err(error) => error,
            };
            // Anything else does not pass by itself.
            let until = match error {
                AttachError::NotFound
                | AttachError::ReaderDead { .. }
                | AttachError::ReaderUnknown { .. } => Some(patience),
                AttachError::NotReady { .. } | AttachError::Unsettled { .. } => Some(starting),
                _ => None,
            };
            if until.is_none_or(|until| until.is_over(Os.now())) {
                return Err(ConnectError::new(&self.name, error));
            }
            thread::sleep(LOOK);
        };
        if let Some(policy) = self.wait_policy {
            endpoint.set_wait_policy(policy);
        }
        endpoint.abort_on_drop(self.abort_on_drop);
        let geometry = endpoint.geometry();
        tracing::debug!(buffer = &*self.name, payload = geometry.payload_size, "writer connected");
        Ok(Writer {
            endpoint,
            name: self.name,
            timeout: self.timeout,
            decided: false,
            #[cfg(feature = "tokio")]
            waiter: crate::waiter::Waiter::default(),
        })
    }
}

impl Writer {
    /// Connects to the buffer `name`, which its reader has created.
    ///
    /// # Errors
    /// As [`WriterBuilder::connect`].
    pub fn connect(name: &str) -> Result<Self, ConnectError> {
        Self::builder(name).connect()
    }

    /// Options first.
    pub fn builder(name: &str) -> WriterBuilder {
        WriterBuilder {
            name: name.into(),
            timeout: DEFAULT_TIMEOUT,
            wait_for_reader: Duration::ZERO,
            wait_policy: None,
            abort_on_drop: false,
            trust_others: false,
        }
    }

    /// Reserves `len` contiguous bytes for one frame, waiting while the ring is full.
    ///
    /// The frame costs `len + 16` bytes of ring, plus the tail of the ring when it does not fit there. The bytes hold
    /// whatever an earlier frame left.
    ///
    /// # Errors
    /// - at once: [`SendError::FrameTooLarge`], [`SendError::EmptyFrame`];
    /// - [`SendError::BufferFull`] after the writer's time-out (5 s by default);
    /// - [`SendError::ReaderDead`] if the reader closed (at once) or died (within 100 ms).
    pub fn reserve(&mut self, len: usize) -> Result<FrameMut<'_>, SendError> {
        self.reserve_timeout(len, self.timeout)
    }

    /// [`reserve`](Self::reserve) with its own time-out; [`Duration::MAX`] waits as long as the reader lives.
    ///
    /// # Errors
    /// As [`reserve`](Self::reserve).
    pub fn reserve_timeout(&mut self, len: usize, timeout: Duration) -> Result<FrameMut<'_>, SendError> {
        let reserved = self.reserve_raw(len, timeout)?;
        Ok(FrameMut::new(self, reserved))
    }

    /// [`reserve`](Self::reserve) without waiting.
    ///
    /// # Errors
    /// [`SendError::BufferFull`] at once; the others as [`reserve`](Self::reserve).
    pub fn try_reserve(&mut self, len: usize) -> Result<FrameMut<'_>, SendError> {
        match self.endpoint.try_reserve(len) {
            Ok(reserved) => Ok(FrameMut::new(self, reserved)),
            Err(error) => Err(SendError::new(&self.name, error)),
        }
    }

    pub(super) fn reserve_raw(&mut self, len: usize, timeout: Duration) -> Result<Reserved, SendError> {
        // The clock is read only if the ring is full.
        let outcome = match self.endpoint.reserve_ready(len) {
            Ok(None) if timeout.is_zero() => self.endpoint.try_reserve(len),
            Ok(None) => self.endpoint.reserve(len, deadline(timeout)),
            Ok(Some(reserved)) => return Ok(reserved),
            Err(error) => Err(error),
        };
        outcome.map_err(|error| SendError::new(&self.name, error))
    }

    /// Sends a copy of `data` as one frame, waiting while the ring is full; returns the frame's number (1, 2, 3 …).
    ///
    /// # Errors
    /// As [`reserve`](Self::reserve).
    pub fn send(&mut self, data: &[u8]) -> Result<u64, SendError> {
        self.send_timeout(data, self.timeout)
    }

    /// [`send`](Self::send) with its own time-out.
    ///
    /// # Errors
    /// As [`reserve`](Self::reserve).
    pub fn send_timeout(&mut self, data: &[u8], timeout: Duration) -> Result<u64, SendError> {
        let reserved = self.reserve_raw(data.len(), timeout)?;
        self.endpoint.commit_copy(reserved, data).map_err(|error| SendError::new(&self.name, error))
    }

    /// [`send`](Self::send) without waiting.
    ///
    /// # Errors
    /// [`SendError::BufferFull`] at once; the others as [`reserve`](Self::reserve).
    pub fn try_send(&mut self, data: &[u8]) -> Result<u64, SendError> {
        self.send_timeout(data, Duration::ZERO)
    }

    /// Sends the concatenation of `parts` as one frame.
    ///
    /// # Errors
    /// As [`reserve`](Self::reserve).
    pub fn send_vectored(&mut self, parts: &[IoSlice<'_>]) -> Result<u64, SendError> {
        let len = parts.iter().fold(0usize, |len, part| len.saturating_add(part.len()));
        let mut reserved = self.reserve_raw(len, self.timeout)?;
        let mut rest = self.endpoint.bytes_mut(&mut reserved);
        for part in parts {
            let (here, after) = rest.split_at_mut(part.len());
            here.copy_from_slice(part);
            rest = after;
        }
        self.commit(reserved)
    }

    pub(super) fn commit(&mut self, reserved: Reserved) -> Result<u64, SendError> {
        self.endpoint.commit(reserved).map_err(|error| SendError::new(&self.name, error))
    }

    /// Writes the buffer's metadata: bytes that describe its frames. Once per buffer, whoever writes.
    ///
    /// # Errors
    /// [`MetadataError::AlreadyWritten`], [`MetadataError::TooLarge`], [`MetadataError::Empty`].
    pub fn set_metadata(&mut self, data: &[u8]) -> Result<(), MetadataError> {
        self.endpoint.set_metadata(data).map_err(|error| MetadataError::new(&self.name, &error))
    }

    /// Whether the reader is there: open, alive, and not replaced.
    pub fn is_reader_connected(&mut self) -> bool {
        self.endpoint.is_reader_connected()
    }

    /// [`WriterEndpoint::bury_reader`]; `None` while that cannot be decided.
    pub(super) fn bury_reader(&self) -> Option<bool> {
        match self.endpoint.bury_reader() {
            Ok(buried) => Some(buried),
            Err(strait_core::zerobuffer::CreateError::ReaderAlreadyConnected { .. }) => None,
            Err(_) => Some(false),
        }
    }

    /// The buffer's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bytes of the ring; a frame costs 16 more than its data.
    pub fn payload_capacity(&self) -> u64 {
        self.endpoint.geometry().payload_size
    }

    /// Most data bytes in one frame.
    pub fn max_frame_len(&self) -> usize {
        usize::try_from(self.endpoint.geometry().max_frame_len()).unwrap_or(usize::MAX)
    }

    /// How long [`reserve`](Self::reserve) and [`send`](Self::send) wait; [`Duration::MAX`] is for ever.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Changes how long [`reserve`](Self::reserve) and [`send`](Self::send) wait.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// What was sent so far, and how full the ring is.
    pub fn statistics(&self) -> Statistics {
        let capacity = self.payload_capacity();
        let used = self.endpoint.free_bytes().map_or(0, |free| capacity.saturating_sub(free));
        Statistics::new(self.endpoint.counters(), used, capacity)
    }

    /// Ends the stream: everything that was to be sent was sent.
    pub fn close(mut self) {
        self.endpoint.abort_on_drop(false);
        self.decided = true;
    }

    /// Gives up: what was sent so far is not all that was to be sent. The reader, of whatever implementation, receives it
    /// and then learns that its writer died; the next writer may connect.
    pub fn abort(mut self) {
        self.endpoint.abort_on_drop(true);
        self.decided = true;
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.decided && thread::panicking() {
            self.endpoint.abort_on_drop(true);
        }
        let counters = self.endpoint.counters();
        tracing::debug!(
            buffer = &*self.name,
            frames = counters.frames,
            bytes = counters.bytes,
            "writer closed"
        );
    }
}
