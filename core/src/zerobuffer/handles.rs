//! Frames away from their endpoint: handles by which other threads read them and give them back.

use super::error::ReadError;
use super::halves::announce_space;
use super::lend;
use super::ring::{Buffer, Claimed, return_space};
use super::size;
use crate::maker::Maker;
use crate::platform::{Platform, Signal as _};

/// Returns space of frames released away from their reader, on any thread.
#[derive(Debug)]
pub struct Returner<P: Platform> {
    buffer: Buffer<P::Segment>,
    space_free: P::Signal,
    platform: P,
    maker: Maker,
    /// As of its reader.
    is_wary: bool,
}

impl<P: Platform> Returner<P> {
    pub(super) fn new(buffer: Buffer<P::Segment>, space_free: P::Signal, platform: P, is_wary: bool) -> Self {
        let maker = Maker::this(&platform);
        Self { buffer, space_free, platform, maker, is_wary }
    }

    /// Whether this is the process that made it, and not one that was forked from it: a child gives nothing back.
    pub fn is_here(&self) -> bool {
        self.maker.is_here(&self.platform)
    }

    /// Gives `bytes` of ring back to the writer, and wakes it. They must be those of the oldest frames held.
    ///
    /// # Errors
    /// [`ReadError::Forked`], [`ReadError::Truncated`], [`ReadError::Corrupt`] or [`ReadError::System`].
    pub fn return_space(&self, bytes: u64) -> Result<(), ReadError<P::Error>> {
        if bytes == 0 {
            return Ok(());
        }
        self.maker.check(&self.platform)?;
        if self.is_wary {
            size::check(self.buffer.segment())?;
        }
        return_space(&self.buffer, bytes).map_err(ReadError::Corrupt)?;
        announce_space(&self.space_free).map_err(ReadError::System)
    }

    /// The frame's bytes, in shared memory.
    pub fn bytes<'a>(&'a self, claimed: &'a Claimed) -> &'a [u8] {
        lend::claimed(&self.buffer, claimed)
    }

    /// The frame's bytes, to be changed in place: nobody else looks at them until its space is returned.
    pub fn bytes_mut<'a>(&'a self, claimed: &'a mut Claimed) -> &'a mut [u8] {
        lend::claimed_mut(&self.buffer, claimed)
    }
}

/// Where a frame's data stand in the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Bytes into the payload.
    pub(super) position: u64,
    /// Bytes.
    pub(super) len: u64,
}

impl Place {
    /// Where the data start, bytes into the payload.
    pub fn position(self) -> u64 {
        self.position
    }

    /// Data bytes.
    pub fn len(self) -> u64 {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.len == 0
    }

    /// Whether the two have a byte in common.
    pub fn overlaps(self, other: Self) -> bool {
        let ends = (self.position.saturating_add(self.len), other.position.saturating_add(other.len));
        self.position < ends.1 && other.position < ends.0
    }
}

/// Reads frames of a writer whose reader keeps their space back for it, as a server that shares does.
#[derive(Debug)]
pub struct Lender<P: Platform> {
    buffer: Buffer<P::Segment>,
    data_ready: P::Signal,
    platform: P,
    maker: Maker,
}

impl<P: Platform> Lender<P> {
    pub(super) fn new(buffer: Buffer<P::Segment>, data_ready: P::Signal, platform: P) -> Self {
        let maker = Maker::this(&platform);
        Self { buffer, data_ready, platform, maker }
    }

    /// Whether this is the process that made it, and not one that was forked from it: a child gives nothing back.
    pub fn is_here(&self) -> bool {
        self.maker.is_here(&self.platform)
    }

    /// The first `len` bytes at `place`, where a frame of this writer is that its reader has lent us; none if there are
    /// not so many. The lending ends with [`Shares::give_back`](super::share::Shares::give_back); before that the caller fills no reservation that
    /// [overlaps](Place::overlaps), which only a reader that breaks the protocol can make possible.
    pub fn bytes(&self, place: Place, len: u64) -> &[u8] {
        lend::lent(&self.buffer, place, len)
    }

    /// Wakes the reader to look whether space may be returned.
    ///
    /// # Errors
    /// As [`Signal::post`](crate::platform::Signal::post).
    pub fn wake_reader(&self) -> Result<(), P::Error> {
        self.data_ready.post()
    }
}
