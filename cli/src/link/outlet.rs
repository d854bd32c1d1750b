//! Where do the messages of `strait link send` go: into the link itself, or into a session over it?

use strait::hqq::session::{Session, SessionError};
use strait::hqq::{Sender, Side};

use super::command::Entry;
use super::endpoint;
use crate::exit::Failure;
use crate::interrupt::{Interrupt, Patience, SLICE};

/// A way for messages.
pub(super) enum Outlet {
    /// The link, slot by slot.
    Standard(Box<Sender>, Side),
    /// A session over it.
    Session {
        /// The session.
        session: Session,
        /// Class of the messages.
        priority: u8,
        /// Whether the next peer shall get what a dead one has not acknowledged.
        reliable: bool,
    },
}

impl Outlet {
    /// Sends one message.
    pub(super) fn send(&mut self, bytes: &[u8], entry: &Entry, interrupt: &Interrupt) -> Result<(), Failure> {
        let (session, priority, reliable) = match self {
            Self::Standard(sender, side) => return endpoint::send(sender, *side, bytes, entry, interrupt),
            Self::Session { session, priority, reliable } => (&*session, *priority, *reliable),
        };
        let patience = Patience::new(entry.timeout());
        loop {
            let error = match session.send_with_priority(bytes, priority) {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if interrupt.is_set() {
                return Err(interrupt.failure());
            }
            match patience.slice() {
                // The next peer gets it.
                Some(slice)
                    if reliable && matches!(error, SessionError::PeerGone | SessionError::Missing { .. }) =>
                {
                    interrupt.sleep(slice.min(SLICE));
                }
                _ => return Err(endpoint::write(entry, error)),
            }
        }
    }

    /// Waits until nothing is under way any more.
    pub(super) fn finish(&self, entry: &Entry, interrupt: &Interrupt) -> Result<(), Failure> {
        let Self::Session { session, reliable, .. } = self else { return Ok(()) };
        refused(session, entry)?;
        if !reliable {
            return Ok(());
        }
        let patience = Patience::new(entry.timeout());
        while let Some(slice) = patience.slice() {
            match session.wait_acknowledged(slice) {
                Err(SessionError::Timeout) => {}
                outcome => return outcome.map_err(|error| endpoint::write(entry, error)),
            }
            // What was refused is never acknowledged.
            refused(session, entry)?;
            if interrupt.is_set() {
                return Err(interrupt.failure());
            }
        }
        let ms = entry.timeout_ms;
        Err(endpoint::write(entry, format_args!("messages were not acknowledged within {ms} ms")))
    }

    /// Times that the ring was full.
    pub(super) fn full_waits(&self) -> Option<u64> {
        match self {
            Self::Standard(sender, _) => Some(sender.statistics().full_waits),
            Self::Session { .. } => None,
        }
    }

    /// The session, if there is one.
    pub(super) fn session(&self) -> Option<&Session> {
        match self {
            Self::Standard(..) => None,
            Self::Session { session, .. } => Some(session),
        }
    }
}

/// Fails if the receiver has said that it does not take what was sent.
fn refused(session: &Session, entry: &Entry) -> Result<(), Failure> {
    match session.statistics().peer_errors {
        0 => Ok(()),
        count => Err(endpoint::write(
            entry,
            format_args!("the receiver refused {count} of the messages: its log says why (--max-message?)"),
        )),
    }
}
