//! Which packets go through a link, for who does not join it?

use strait_core::hqq::{Geometry, Side, Trace, Tracer};
use strait_core::mpmc::Corrupt;
use strait_core::platform::Platform;

use super::builder::LinkBuilder;
use super::error::OpenError;
use crate::os::Os;

/// Follows the packets of a link, both ways, without joining it and without changing a byte of it.
///
/// Nobody waits for who follows: a packet can be seen until its slot is filled again, one lap later, and then is counted as
/// missed. The rings have no common order.
#[derive(Debug)]
pub struct LinkTrace {
    tracer: Tracer<<Os as Platform>::Segment>,
}

impl LinkBuilder {
    /// Follows the link's packets from the oldest that can still be seen, without joining it. The options that matter are
    /// those of [`inspect`](Self::inspect).
    ///
    /// # Errors
    /// As there.
    pub fn trace(&self) -> Result<LinkTrace, OpenError> {
        let segment = Os.open_read_only(&self.name()?).map_err(|error| self.error(error))?;
        let tracer = Tracer::of(&segment, self.expected());
        let tracer = tracer.map_err(|source| OpenError::Attach { name: self.text(), source })?;
        Ok(LinkTrace { tracer })
    }
}

impl LinkTrace {
    /// What the link looks like.
    pub fn geometry(&self) -> Geometry {
        self.tracer.geometry()
    }

    /// Whether the link can still be found under its name. If not, nobody new will join it.
    pub fn is_linked(&self) -> bool {
        self.tracer.is_linked()
    }

    /// What comes next in the ring through which `from` sends; `None` while it is not there. Never waits.
    ///
    /// # Errors
    /// [`Corrupt`] if the ring's tail has gone back, which no correct participant does; it is followed from there.
    pub fn next(&mut self, from: Side) -> Result<Option<Trace>, Corrupt> {
        self.tracer.next(from)
    }
}
