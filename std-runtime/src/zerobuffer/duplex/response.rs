//! One response, wherever its bytes are: in the client's buffer, or in the request that it answers.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use strait_core::platform::Platform;
use strait_core::zerobuffer::{Lender, Place, Shares};

use crate::os::Os;
use crate::zerobuffer::{OwnedFrame, Writer};

/// What a client needs to read responses that stand in its own requests.
#[derive(Debug)]
pub(super) struct Sharing {
    shares: Shares<<Os as Platform>::Segment>,
    lender: Lender<Os>,
    /// Where such responses stand that the user still holds.
    held: Mutex<Vec<Place>>,
    /// A response that is held keeps its client connected: the server returns everything once it is gone.
    _writer: Arc<Mutex<Writer>>,
}

impl Sharing {
    pub(super) fn new(
        shares: Shares<<Os as Platform>::Segment>,
        lender: Lender<Os>,
        writer: Arc<Mutex<Writer>>,
    ) -> Self {
        Self { shares, lender, held: Mutex::new(Vec::new()), _writer: writer }
    }

    fn held(&self) -> MutexGuard<'_, Vec<Place>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a response that is held stands there: then a server has returned space that it had lent.
    pub(super) fn is_held(&self, place: Place) -> bool {
        self.held().iter().any(|held| held.overlaps(place))
    }

    fn give_back(&self, sequence: u64, place: Place) {
        // A copy that a forked child inherited: the client has the response still.
        if !self.lender.is_here() {
            return;
        }
        let mut held = self.held();
        if let Some(at) = held.iter().position(|held| *held == place) {
            held.swap_remove(at);
        }
        drop(held);
        if self.shares.give_back(sequence) {
            // It returns the space. An error means that it has enough permits to look.
            let _ = self.lender.wake_reader();
        }
    }
}

/// A response. Dropping it returns its space.
///
/// It outlives its client. One that [is shared](Self::is_shared) keeps the channel's place for a client meanwhile.
pub struct Response {
    sequence: u64,
    bytes: Bytes,
}

enum Bytes {
    Frame(OwnedFrame),
    Copy(Box<[u8]>),
    Shared { sharing: Arc<Sharing>, place: Place, len: u64 },
}

impl Response {
    pub(super) fn frame(frame: OwnedFrame) -> Self {
        Self { sequence: frame.sequence(), bytes: Bytes::Frame(frame) }
    }

    /// The first `len` bytes of the request at `place`, which is this long at least.
    pub(super) fn shared(sequence: u64, sharing: Arc<Sharing>, place: Place, len: u64) -> Self {
        sharing.held().push(place);
        Self { sequence, bytes: Bytes::Shared { sharing, place, len } }
    }

    /// A small response that another thread will take some time later: copied, because space goes back in order, and that of
    /// all later ones would wait for it.
    pub(super) fn set_aside(self) -> Self {
        /// More costs more to copy than space is worth.
        const SMALL: usize = 4096;
        match &self.bytes {
            Bytes::Frame(frame) if frame.len() < SMALL => {
                Self { sequence: self.sequence, bytes: Bytes::Copy(frame[..].into()) }
            }
            _ => self,
        }
    }

    /// The number of the request that it answers.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Whether its bytes are the request's own, changed in place by the server: then they keep the request's space.
    pub fn is_shared(&self) -> bool {
        matches!(self.bytes, Bytes::Shared { .. })
    }
}

impl Deref for Response {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Frame(frame) => frame,
            Bytes::Copy(copy) => copy,
            Bytes::Shared { sharing, place, len } => sharing.lender.bytes(*place, *len),
        }
    }
}

impl AsRef<[u8]> for Response {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("sequence", &self.sequence).field("len", &self.len()).finish()
    }
}

impl Drop for Response {
    fn drop(&mut self) {
        if let Bytes::Shared { sharing, place, .. } = &self.bytes {
            sharing.give_back(self.sequence, *place);
        }
    }
}
