//! Where bytes leave: the half of the socket that is written to, and what waits for it.
//!
//! Both the driver and those who send write here. Whoever fills the queue holds the lock from then until the socket took
//! what it would: frames leave in the order in which the engine made them.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite as _;

use super::engine::{SLICES, WriteQueue};
use super::transport::Writer;

#[derive(Debug)]
pub(super) struct Outlet {
    /// Gone with the driver: handles that outlive it must not keep the socket open.
    writer: Option<Writer>,
    pub(super) queue: WriteQueue,
    /// Something was written and not flushed.
    dirty: bool,
}

impl Outlet {
    pub(super) fn new(writer: Writer) -> Self {
        Self { writer: Some(writer), queue: WriteQueue::default(), dirty: false }
    }

    /// Whether what is put into the queue is the next to be written.
    pub(super) fn is_idle(&self) -> bool {
        self.writer.is_some() && self.queue.is_empty()
    }

    /// Writes what the socket takes at once; whether that was everything. The driver does the rest, and learns of errors.
    pub(super) fn try_write(&mut self) -> bool {
        let Some(writer) = &self.writer else { return false };
        while !self.queue.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let count = self.queue.slices(&mut slices);
            match writer.try_write_vectored(&slices[..count]) {
                Ok(len) if len > 0 => self.queue.advance(len),
                _ => return false,
            }
        }
        true
    }

    /// Writes; how many bytes the socket took, and the task is woken once it takes those that are left.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>) -> io::Result<usize> {
        let Some(writer) = &mut self.writer else { return Ok(0) };
        let mut written = 0;
        while !self.queue.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let count = self.queue.slices(&mut slices);
            match Pin::new(&mut *writer).poll_write_vectored(cx, &slices[..count]) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(len)) => {
                    self.queue.advance(len);
                    written += len;
                    self.dirty = true;
                }
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => return Ok(written),
            }
        }
        if self.dirty && Pin::new(writer).poll_flush(cx)?.is_ready() {
            self.dirty = false;
        }
        Ok(written)
    }

    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(writer) = &mut self.writer {
            // A peer that does not take the end of it is not waited for.
            let _ = ready!(Pin::new(writer).poll_shutdown(cx));
        }
        Poll::Ready(())
    }

    /// Nothing is written any more.
    pub(super) fn close(&mut self) {
        self.writer = None;
    }
}
