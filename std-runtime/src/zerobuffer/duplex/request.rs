//! A request as a handler sees it, and where it puts its response.

use std::ops::{Deref, DerefMut};

use strait_core::platform::Platform;
use strait_core::zerobuffer::Shares;

use super::outbox::{Outbox, Turn};
use crate::os::Os;
use crate::zerobuffer::OwnedFrame;

type OsShares = Shares<<Os as Platform>::Segment>;

/// A request, in shared memory: its bytes.
#[derive(Debug)]
pub struct Request {
    frame: OwnedFrame,
    shares: Option<OsShares>,
}

impl Request {
    pub(super) fn new(frame: OwnedFrame, shares: Option<OsShares>) -> Self {
        Self { frame, shares }
    }

    /// Its number: 1, 2, 3 … per client.
    pub fn sequence(&self) -> u64 {
        self.frame.sequence()
    }

    /// Whether the client, a Strait one, has given it up: nobody reads the response.
    pub fn is_cancelled(&self) -> bool {
        self.shares.as_ref().is_some_and(|shares| shares.is_cancelled(self.sequence()))
    }

    /// [`is_cancelled`](Self::is_cancelled), asked right after it was received.
    pub(super) fn came_cancelled(&self) -> bool {
        self.shares.as_ref().is_some_and(|shares| shares.is_received_cancelled(self.sequence()))
    }

    pub(super) fn into_frame(self) -> OwnedFrame {
        self.frame
    }
}

impl Deref for Request {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.frame
    }
}

impl AsRef<[u8]> for Request {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

/// A request that its handler changes in place: what it leaves is the response.
#[derive(Debug)]
pub struct RequestMut {
    request: Request,
    len: usize,
}

impl RequestMut {
    pub(super) fn new(request: Request) -> Self {
        let len = request.len();
        Self { request, len }
    }

    /// Its number: 1, 2, 3 … per client.
    pub fn sequence(&self) -> u64 {
        self.request.sequence()
    }

    /// Whether the client has given it up.
    pub fn is_cancelled(&self) -> bool {
        self.request.is_cancelled()
    }

    /// Makes the response the first `len` bytes; more than there are changes nothing.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    pub(super) fn into_parts(self) -> (OwnedFrame, usize) {
        (self.request.into_frame(), self.len)
    }
}

impl Deref for RequestMut {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.request.get(..self.len).unwrap_or_default()
    }
}

impl DerefMut for RequestMut {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.request.frame.get_mut(..self.len).unwrap_or_default()
    }
}

/// Where a handler puts its response: straight into the client's buffer.
#[derive(Debug)]
pub struct Responder<'o> {
    outbox: &'o Outbox,
    session: u64,
    sequence: u64,
    turn: Option<Turn<'o>>,
}

impl<'o> Responder<'o> {
    pub(super) fn new(outbox: &'o Outbox, session: u64, sequence: u64) -> Self {
        Self { outbox, session, sequence, turn: None }
    }

    /// Reserves `len` bytes for the response, in shared memory, waiting until the requests before this one are answered
    /// and the ring has room. They are sent when the handler returns `Ok`. A second call replaces the first one's bytes.
    ///
    /// Other threads of the server cannot answer from here until the handler returns.
    ///
    /// # Errors
    /// A sentence: the response is too large or empty, or the client is gone. Return it: `?`.
    pub fn reserve(&mut self, len: usize) -> Result<&mut [u8], String> {
        // Gives the first reservation up.
        self.turn = None;
        let turn = self.outbox.take_turn(self.session, self.sequence, len)?;
        Ok(self.turn.insert(turn).bytes_mut())
    }

    pub(super) fn into_turn(self) -> Option<Turn<'o>> {
        self.turn
    }
}
