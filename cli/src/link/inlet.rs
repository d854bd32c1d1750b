//! Where do the messages that `strait link recv` takes come from: the link itself, or a session over it?

use core::time::Duration;

use strait::hqq::session::{Session, SessionError};
use strait::hqq::{Link, RecvError, Statistics};

use super::agreement;
use super::command::Entry;
use super::peers::{Look, Senders};
use crate::exit::Failure;

/// A source of messages.
pub(super) enum Inlet {
    /// The link, slot by slot.
    Standard(Box<Link>, Senders),
    /// A session over it.
    Session(Session, Senders),
}

/// What a try brought.
pub(super) enum Taken {
    /// A message was taken; what became of it.
    Message(Result<(), Failure>),
    /// None is there now.
    Nothing,
    /// None came in time.
    Late,
    /// A packet that is no message; the next one comes with the next try.
    Wrong(Failure),
    /// There will be none any more, because of this.
    Ended(Look),
}

impl Inlet {
    /// The next message: at once if it is there, or, given a time, within that.
    pub(super) fn take(
        &mut self,
        entry: &Entry,
        wait: Option<Duration>,
        mut each: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<Taken, Failure> {
        match self {
            Self::Standard(link, senders) => {
                let receiver = link.receiver();
                let received = match wait {
                    None => receiver.try_recv(),
                    Some(wait) => receiver.recv_timeout(wait),
                };
                let taken = received.map(|message| each(&message));
                match taken {
                    Ok(outcome) => {
                        senders.heard();
                        Ok(Taken::Message(outcome))
                    }
                    Err(RecvError::Empty) => Ok(Taken::Nothing),
                    Err(RecvError::Timeout) => Ok(Taken::Late),
                    Err(error) => packet(error).map_or_else(
                        |error| Err(read(entry, error)),
                        |error| Ok(Taken::Wrong(read(entry, error))),
                    ),
                }
            }
            Self::Session(session, senders) => {
                match session.with_timeout(wait.unwrap_or(Duration::ZERO)).recv() {
                    // Dropped behind `each`: what is acknowledged has been taken care of.
                    Ok(message) => Ok(Taken::Message(each(&message))),
                    Err(SessionError::Timeout) if wait.is_none() => Ok(Taken::Nothing),
                    Err(SessionError::Timeout) => Ok(Taken::Late),
                    Err(SessionError::PeerGone) => Ok(Taken::Ended(match senders.look() {
                        Look::Died(pid) => Look::Died(pid),
                        _ => {
                            let told = session.statistics();
                            match (told.cut_off, told.aborted + told.refused) {
                                (0, 0) => Look::Gone,
                                (0, refused) => Look::Incomplete(refused),
                                _ => Look::CutOff,
                            }
                        }
                    })),
                    Err(error) => Err(read(entry, error)),
                }
            }
        }
    }

    /// Whether more may come, as far as can be told by the link. A session knows by itself.
    pub(super) fn look(&mut self) -> Look {
        match self {
            Self::Standard(_, senders) => senders.look(),
            Self::Session(..) => Look::Open,
        }
    }

    /// Who is there to send, as the end of a sentence.
    pub(super) fn who_sends(&self) -> String {
        let (Self::Standard(_, senders) | Self::Session(_, senders)) = self;
        senders.who()
    }

    /// What the link has counted.
    pub(super) fn statistics(&mut self) -> Option<Statistics> {
        match self {
            Self::Standard(link, _) => Some(link.receiver().statistics()),
            Self::Session(..) => None,
        }
    }

    /// The session, if there is one.
    pub(super) fn session(&self) -> Option<&Session> {
        match self {
            Self::Standard(..) => None,
            Self::Session(session, _) => Some(session),
        }
    }

    /// Says what both ends have counted.
    pub(super) fn say(&mut self, entry: &Entry) {
        if let Some(statistics) = self.statistics() {
            entry.say(|| format!("{statistics:?}"));
        }
        if let Some(session) = self.session() {
            entry.say(|| agreement::as_json(&session.statistics()).to_string());
        }
    }
}

/// An error that concerns one packet, or one that ends it all.
pub(super) fn packet(error: RecvError) -> Result<RecvError, RecvError> {
    match error {
        RecvError::WrongBuffer { .. }
        | RecvError::InvalidLen { .. }
        | RecvError::UnexpectedOp { .. }
        | RecvError::Peer { .. } => Ok(error),
        error => Err(error),
    }
}

/// A failure to receive.
pub(super) fn read(entry: &Entry, error: impl core::fmt::Display) -> Failure {
    Failure::read(format_args!("link {:?}: {error}", entry.name))
}
