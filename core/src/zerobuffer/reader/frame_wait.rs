//! What a reader does while it waits for a frame.

use core::time::Duration;

use super::{Claimed, Look, ReaderEndpoint};
use crate::platform::Platform;
use crate::zerobuffer::error::ReadError;
use crate::zerobuffer::wait::{Backoff, Idle, LONGEST_SLICE, UNSEEN_SLICE, Waiting};

/// Waiting for a frame.
pub(super) struct FrameWait<'r, P: Platform, H> {
    pub(super) endpoint: &'r mut ReaderEndpoint<P>,
    pub(super) held: H,
    /// Whether a slice has passed since the writer was last looked at.
    pub(super) looked: bool,
}

impl<P: Platform, H: Fn() -> u64> Waiting<Claimed, ReadError<P::Error>> for FrameWait<'_, P, H> {
    type Signal = P::Signal;

    fn attempt(&mut self) -> Result<Option<Claimed>, ReadError<P::Error>> {
        let claimed = self.endpoint.attempt_claim(&self.held)?;
        if claimed.is_none() {
            self.endpoint.return_pending()?;
        }
        Ok(claimed)
    }

    fn is_ready(&self) -> bool {
        self.endpoint.half.is_ready()
    }

    fn idle(&mut self) -> Result<Idle<Claimed>, ReadError<P::Error>> {
        self.endpoint.check_size()?;
        self.endpoint.half.settle();
        let recover = core::mem::replace(&mut self.looked, true);
        Ok(match self.endpoint.look(&self.held, recover)? {
            Look::Claimed(claimed) => Idle::Done(claimed),
            Look::Quiet => Idle::Wait,
        })
    }

    /// Short until a writer has come: one of another implementation that sends nothing leaves no trace when it closes.
    fn longest_slice(&self) -> Duration {
        if self.endpoint.had_writer { LONGEST_SLICE } else { UNSEEN_SLICE }
    }

    fn signal(&self) -> &P::Signal {
        &self.endpoint.half.data_ready
    }

    fn backoff(&mut self) -> &mut Backoff {
        &mut self.endpoint.backoff
    }

    fn on_short_spin(&mut self) {
        self.endpoint.just_checked = true;
    }

    fn on_sleep(&mut self) {
        self.endpoint.sleeps = self.endpoint.sleeps.wrapping_add(1);
    }

    fn system(error: P::Error) -> ReadError<P::Error> {
        ReadError::System(error)
    }
}
