//! What a writer does while it waits for space.

use super::{Reserved, WriterEndpoint};
use crate::platform::{Platform, Signal};
use crate::zerobuffer::error::WriteError;
use crate::zerobuffer::ring::NoRoom;
use crate::zerobuffer::wait::{Backoff, Idle, Waiting};

/// Waiting for space.
pub(super) struct SpaceWait<'w, P: Platform> {
    pub(super) endpoint: &'w mut WriterEndpoint<P>,
    pub(super) len: u64,
    /// As the last attempt found the ring.
    pub(super) needed: u64,
    pub(super) free: u64,
}

impl<P: Platform> Waiting<Reserved, WriteError<P::Error>> for SpaceWait<'_, P> {
    type Signal = P::Signal;

    fn attempt(&mut self) -> Result<Option<Reserved>, WriteError<P::Error>> {
        // Old permits first: what is posted after this attempt is then seen by `is_ready`.
        self.endpoint.half.forget_permits();
        self.endpoint.check_size()?;
        self.endpoint.check_pids()?;
        match self.endpoint.half.try_reserve(self.len) {
            Ok(room) => Ok(Some(Reserved { room })),
            Err(NoRoom::Full { needed, free }) => {
                (self.needed, self.free) = (needed, free);
                Ok(None)
            }
            Err(no_room) => Err(self.endpoint.no_room(self.len, no_room)),
        }
    }

    /// Polls the semaphore and not the ring: its file is its own, and cutting the segment short cannot hurt us here.
    fn is_ready(&self) -> bool {
        self.endpoint.half.space_free.permits() > 0
    }

    fn idle(&mut self) -> Result<Idle<Reserved>, WriteError<P::Error>> {
        self.endpoint.check_reader()?;
        Ok(Idle::Wait)
    }

    fn signal(&self) -> &P::Signal {
        &self.endpoint.half.space_free
    }

    fn backoff(&mut self) -> &mut Backoff {
        &mut self.endpoint.backoff
    }

    fn on_sleep(&mut self) {
        self.endpoint.sleeps = self.endpoint.sleeps.wrapping_add(1);
    }

    fn system(error: P::Error) -> WriteError<P::Error> {
        WriteError::System(error)
    }
}
