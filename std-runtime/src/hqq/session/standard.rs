//! When does a session go on without a negotiation?

use super::error::SessionError;
use super::state::{Options, State};

impl State {
    /// Negotiates nothing.
    pub(super) fn go_standard(&mut self) -> Result<(), SessionError> {
        self.machine.go_standard()?;
        self.negotiation_began = None;
        (self.refused, self.peer) = (None, None);
        Ok(())
    }

    /// The same after a negotiation that failed, if that was asked for; whether it does. One that has come about meanwhile
    /// is as good.
    pub(super) fn fall_back(&mut self, options: &Options) -> bool {
        if self.machine.agreed().is_some() {
            return true;
        }
        let falls_back = options.fallback && self.broken.is_none() && self.go_standard().is_ok();
        if falls_back {
            tracing::warn!("nothing was negotiated: the session goes on without");
        }
        falls_back
    }
}
