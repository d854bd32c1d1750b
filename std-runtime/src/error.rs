//! One error type over all of this crate's, and what a caller may do about it.

use std::io;

use crate::hqq;
use crate::zerobuffer::duplex::{CallError, ConnectError as ChannelError, ServeError};
use crate::zerobuffer::{ConnectError, CreateError, MetadataError, RecvError, SendError};

/// Any error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Creating a buffer.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// Connecting to a buffer.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// Sending a frame.
    #[error(transparent)]
    Send(#[from] SendError),
    /// Receiving a frame.
    #[error(transparent)]
    Recv(#[from] RecvError),
    /// Writing or reading metadata.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// Connecting a client to a duplex channel.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// Starting a duplex server.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// A request over a duplex channel.
    #[error(transparent)]
    Call(#[from] CallError),
    /// Making or opening a link.
    #[error(transparent)]
    LinkOpen(#[from] hqq::OpenError),
    /// Sending over a link.
    #[error(transparent)]
    LinkSend(#[from] hqq::SendError),
    /// Receiving from a link.
    #[error(transparent)]
    LinkRecv(#[from] hqq::RecvError),
}

/// This crate's results.
pub type Result<T> = core::result::Result<T, Error>;

/// Who can act on an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Not a fault: full, empty, timed out, ended. Retry or finish.
    Flow,
    /// The other end died or was replaced. Reconnect or give up.
    Disconnected,
    /// The other end wrote what no correct peer writes. Close.
    Peer,
    /// The call cannot succeed as it is. Fix it.
    Usage,
    /// The system refused. Fix the environment.
    System,
}

impl Error {
    /// Who can act on it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Create(error) => create_kind(error),
            Self::Connect(error) => connect_kind(error),
            Self::Send(error) => send_kind(error),
            Self::Recv(error) => recv_kind(error),
            Self::Metadata(error) => match error {
                MetadataError::Corrupt { .. } | MetadataError::Truncated { .. } => ErrorKind::Peer,
                _ => ErrorKind::Usage,
            },
            Self::Channel(error) => match error {
                ChannelError::Requests(error) => connect_kind(error),
                ChannelError::Responses(error) => create_kind(error),
                _ => ErrorKind::Disconnected,
            },
            Self::Serve(error) => match error {
                ServeError::ServerAlreadyRunning { .. } => ErrorKind::Disconnected,
                ServeError::Requests(error) => create_kind(error),
                ServeError::Thread { .. } => ErrorKind::System,
            },
            Self::Call(error) => match error {
                CallError::Send(error) => send_kind(error),
                CallError::Recv(error) => recv_kind(error),
                CallError::Timeout { .. } | CallError::Cancelled { .. } | CallError::Failed { .. } => {
                    ErrorKind::Flow
                }
                CallError::ServerGone { .. } | CallError::OutOfStep { .. } => ErrorKind::Disconnected,
                CallError::UnknownSequence { .. } | CallError::BadShare { .. } => ErrorKind::Peer,
                CallError::Thread { .. } => ErrorKind::System,
            },
            Self::LinkOpen(error) => match error {
                hqq::OpenError::BadName { .. }
                | hqq::OpenError::Geometry { .. }
                | hqq::OpenError::OthersMayWrite { .. } => ErrorKind::Usage,
                hqq::OpenError::Attach { .. } => ErrorKind::Peer,
                hqq::OpenError::Os { .. } => ErrorKind::System,
                _ => ErrorKind::Disconnected,
            },
            Self::LinkSend(error) => match error {
                hqq::SendError::Full | hqq::SendError::Timeout => ErrorKind::Flow,
                hqq::SendError::Corrupt(_) | hqq::SendError::Truncated { .. } => ErrorKind::Peer,
                hqq::SendError::Wait { .. } => ErrorKind::System,
                _ => ErrorKind::Usage,
            },
            Self::LinkRecv(error) => match error {
                hqq::RecvError::Empty | hqq::RecvError::Timeout => ErrorKind::Flow,
                hqq::RecvError::TooManyHandles { .. } => ErrorKind::Usage,
                hqq::RecvError::Wait { .. } => ErrorKind::System,
                _ => ErrorKind::Peer,
            },
        }
    }

    /// Whether the same call may succeed later, nothing else being changed.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Send(SendError::BufferFull { .. })
                | Self::Recv(RecvError::Empty | RecvError::Timeout { .. } | RecvError::SequenceGap { .. })
                | Self::Connect(
                    ConnectError::BufferNotFound { .. }
                        | ConnectError::NotReady { .. }
                        | ConnectError::Unsettled { .. }
                )
                | Self::LinkOpen(hqq::OpenError::NotFound { .. } | hqq::OpenError::Busy { .. })
                | Self::LinkSend(hqq::SendError::Full | hqq::SendError::Timeout)
                | Self::LinkRecv(
                    hqq::RecvError::Empty
                        | hqq::RecvError::Timeout
                        | hqq::RecvError::WrongBuffer { .. }
                        | hqq::RecvError::InvalidLen { .. }
                        | hqq::RecvError::UnexpectedOp { .. }
                        | hqq::RecvError::Peer { .. }
                )
                | Self::Channel(ChannelError::ServerNotFound { .. } | ChannelError::Unsettled { .. })
        )
    }
}

fn create_kind(error: &CreateError) -> ErrorKind {
    match error {
        CreateError::BadName { .. } | CreateError::BadCapacity { .. } => ErrorKind::Usage,
        CreateError::ReaderAlreadyConnected { .. } | CreateError::Undecided { .. } => ErrorKind::Disconnected,
        CreateError::NameTaken { .. } => ErrorKind::Peer,
        CreateError::Os { .. } => ErrorKind::System,
    }
}

fn connect_kind(error: &ConnectError) -> ErrorKind {
    match error {
        ConnectError::BadName { .. } | ConnectError::OthersMayWrite { .. } => ErrorKind::Usage,
        ConnectError::BufferNotFound { .. }
        | ConnectError::NotReady { .. }
        | ConnectError::Unsettled { .. }
        | ConnectError::WriterAlreadyConnected { .. }
        | ConnectError::ReaderDead { .. }
        | ConnectError::ReaderUnknown { .. } => ErrorKind::Disconnected,
        ConnectError::NotAZeroBuffer { .. } => ErrorKind::Peer,
        ConnectError::Os { .. } => ErrorKind::System,
    }
}

fn send_kind(error: &SendError) -> ErrorKind {
    match error {
        SendError::BufferFull { .. } => ErrorKind::Flow,
        SendError::ReaderDead { .. } | SendError::Replaced { .. } => ErrorKind::Disconnected,
        SendError::Corrupt { .. } | SendError::Truncated { .. } => ErrorKind::Peer,
        SendError::FrameTooLarge { .. } | SendError::EmptyFrame { .. } | SendError::Forked { .. } => {
            ErrorKind::Usage
        }
        SendError::Os { .. } | SendError::Thread { .. } => ErrorKind::System,
    }
}

fn recv_kind(error: &RecvError) -> ErrorKind {
    match error {
        RecvError::Empty | RecvError::Timeout { .. } | RecvError::EndOfStream => ErrorKind::Flow,
        RecvError::WriterDead { .. } | RecvError::Removed { .. } | RecvError::Replaced { .. } => {
            ErrorKind::Disconnected
        }
        RecvError::SequenceGap { .. } | RecvError::Corrupt { .. } | RecvError::Truncated { .. } => {
            ErrorKind::Peer
        }
        RecvError::FrameTooLarge { .. } | RecvError::TooManyHeld { .. } | RecvError::Forked { .. } => {
            ErrorKind::Usage
        }
        RecvError::Os { .. } | RecvError::Thread { .. } => ErrorKind::System,
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Recv(RecvError::Timeout { .. })
            | Error::LinkRecv(hqq::RecvError::Timeout)
            | Error::LinkSend(hqq::SendError::Timeout) => io::ErrorKind::TimedOut,
            Error::Recv(RecvError::Empty)
            | Error::LinkRecv(hqq::RecvError::Empty)
            | Error::LinkSend(hqq::SendError::Full) => io::ErrorKind::WouldBlock,
            Error::LinkOpen(hqq::OpenError::NotFound { .. }) => io::ErrorKind::NotFound,
            Error::LinkOpen(hqq::OpenError::AlreadyExists { .. }) => io::ErrorKind::AlreadyExists,
            Error::Recv(RecvError::EndOfStream) => io::ErrorKind::UnexpectedEof,
            Error::Send(SendError::BufferFull { .. }) => io::ErrorKind::TimedOut,
            Error::Connect(ConnectError::BufferNotFound { .. }) => io::ErrorKind::NotFound,
            Error::Create(
                CreateError::ReaderAlreadyConnected { .. }
                | CreateError::Undecided { .. }
                | CreateError::NameTaken { .. },
            )
            | Error::Connect(ConnectError::WriterAlreadyConnected { .. }) => io::ErrorKind::AddrInUse,
            _ => match error.kind() {
                ErrorKind::Disconnected => io::ErrorKind::BrokenPipe,
                ErrorKind::Peer => io::ErrorKind::InvalidData,
                ErrorKind::Usage => io::ErrorKind::InvalidInput,
                ErrorKind::Flow | ErrorKind::System => io::ErrorKind::Other,
            },
        };
        Self::new(kind, error)
    }
}
