//! Both halves of a link in one hand.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use strait_core::hqq::{self as core_hqq, Geometry, Link as CoreLink, Recovered, Side};

use super::builder::LinkBuilder;
use super::error::{AddressError, OpenError};
use super::leftovers::named;
use super::receiver::Receiver;
use super::sender::Sender;
use crate::os::Os;

/// A link: a half that sends and a half that receives, until they go separate ways.
///
/// As [`io::Read`] and [`io::Write`] it is a stream of bytes whose writes are messages.
#[derive(Debug)]
pub struct Link {
    sender: Sender,
    receiver: Receiver,
}

/// One end of a link, as datagrams name it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// The link.
    pub link: Arc<str>,
    /// The side.
    pub side: Side,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.link, self.side)
    }
}

impl Link {
    /// Options for the link `name`: 1 to 245 of `A-Z a-z 0-9 . _ -`.
    pub fn builder(name: &str) -> LinkBuilder {
        LinkBuilder::new(name)
    }

    pub(super) fn of(link: CoreLink<Os>, name: Arc<str>, timeout: Duration, copies: bool) -> Self {
        let CoreLink { producer, consumer } = link;
        let sender = Sender::new(producer, Arc::clone(&name), timeout);
        Self { sender, receiver: Receiver::new(consumer, name, timeout, copies) }
    }

    /// Removes the link `name`, whoever uses it: nobody finds it any more, and who has it open keeps it. `false` if there is
    /// none. What is no link stays.
    ///
    /// # Errors
    /// [`OpenError::BadName`], [`OpenError::NotALink`], [`OpenError::Os`].
    pub fn remove(name: &str) -> Result<bool, OpenError> {
        named(name, |name| core_hqq::remove(&Os, name))
    }

    /// Removes the link `name` if nobody uses it, which must be proven; `false` if there is none. What is no link stays.
    ///
    /// # Errors
    /// [`OpenError::AlreadyExists`] if somebody uses it, or may; [`OpenError::Attach`] if it cannot be told who does;
    /// [`OpenError::BadName`], [`OpenError::NotALink`], [`OpenError::Busy`], [`OpenError::Os`].
    pub fn remove_unused(name: &str) -> Result<bool, OpenError> {
        named(name, |name| core_hqq::remove_unused(&Os, name))
    }

    /// Takes the name away from this very link: nobody finds it any more, and who has it open keeps it. `false` if the name
    /// belongs to another one by now, or to none.
    ///
    /// # Errors
    /// [`OpenError::Os`].
    pub fn unlink(&self) -> Result<bool, OpenError> {
        let name = self.sender.name();
        self.sender.core().unlink().map_err(|error| OpenError::new(name, error))
    }

    /// The two halves, each of which can be cloned and sent to other threads.
    pub fn split(self) -> (Sender, Receiver) {
        (self.sender, self.receiver)
    }

    /// The half that sends.
    pub fn sender(&mut self) -> &mut Sender {
        &mut self.sender
    }

    /// The half that receives.
    pub fn receiver(&mut self) -> &mut Receiver {
        &mut self.receiver
    }

    /// What the link looks like.
    pub fn geometry(&self) -> Geometry {
        self.sender.core().geometry()
    }

    /// Which side this is.
    pub fn side(&self) -> Side {
        self.sender.core().side()
    }

    /// This end, as the other one names it.
    pub fn local_address(&self) -> Address {
        Address { link: Arc::clone(self.sender.name()), side: self.side() }
    }

    /// The other end.
    pub fn peer_address(&self) -> Address {
        Address { link: Arc::clone(self.sender.name()), side: self.side().other() }
    }

    /// Recovers what processes that are not Strait held on `side`. You vouch that all processes of that side have ended and
    /// no new one has come: what a living one holds would be sent, or overwritten under its hands.
    ///
    /// # Errors
    /// [`OpenError::SideInUse`] if a process of Strait on that side runs, or may, this one among them; [`OpenError::Busy`],
    /// [`OpenError::Os`].
    pub fn recover_side(&mut self, side: Side) -> Result<Recovered, OpenError> {
        let name = Arc::clone(self.sender.name());
        self.sender.core_mut().recover_side(side).map_err(|error| OpenError::new(&name, error))
    }

    /// Sends `bytes` as one message to `to`, which must be the other end.
    ///
    /// # Errors
    /// [`io::ErrorKind::AddrNotAvailable`] with an [`AddressError`]; as [`Sender::send`].
    pub fn send_to(&mut self, bytes: &[u8], to: &Address) -> io::Result<usize> {
        let ours = self.peer_address();
        if *to != ours {
            let error = AddressError { ours, given: to.clone() };
            return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, error));
        }
        self.sender.send(bytes).map_err(crate::Error::from)?;
        Ok(bytes.len())
    }

    /// Receives one message, or the rest of one, into `to`; returns how many bytes, and from whom.
    ///
    /// What does not fit is kept for the next call, unlike with UDP: nothing is lost.
    ///
    /// # Errors
    /// As [`Receiver::recv_into`].
    pub fn recv_from(&mut self, to: &mut [u8]) -> io::Result<(usize, Address)> {
        let len = self.receiver.recv_into(to).map_err(crate::Error::from)?;
        Ok((len, self.peer_address()))
    }
}

impl io::Read for Link {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.receiver.read(to)
    }
}

impl io::Write for Link {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.sender.write(from)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
