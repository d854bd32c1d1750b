//! One error type over all of this crate's, and what a caller may do about it.

use std::io;

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
            Self::Create(error) => match error {
                CreateError::BadName { .. } | CreateError::BadCapacity { .. } => ErrorKind::Usage,
                CreateError::ReaderAlreadyConnected { .. } => ErrorKind::Disconnected,
                CreateError::Os { .. } => ErrorKind::System,
            },
            Self::Connect(error) => match error {
                ConnectError::BadName { .. } => ErrorKind::Usage,
                ConnectError::BufferNotFound { .. }
                | ConnectError::NotReady { .. }
                | ConnectError::Unsettled { .. }
                | ConnectError::WriterAlreadyConnected { .. }
                | ConnectError::ReaderDead { .. } => ErrorKind::Disconnected,
                ConnectError::NotAZeroBuffer { .. } => ErrorKind::Peer,
                ConnectError::Os { .. } => ErrorKind::System,
            },
            Self::Send(error) => match error {
                SendError::BufferFull { .. } => ErrorKind::Flow,
                SendError::ReaderDead { .. } | SendError::Replaced { .. } => ErrorKind::Disconnected,
                SendError::Corrupt { .. } | SendError::Truncated { .. } => ErrorKind::Peer,
                SendError::FrameTooLarge { .. } | SendError::EmptyFrame { .. } => ErrorKind::Usage,
                SendError::Os { .. } => ErrorKind::System,
            },
            Self::Recv(error) => match error {
                RecvError::Empty | RecvError::Timeout { .. } | RecvError::EndOfStream => ErrorKind::Flow,
                RecvError::WriterDead { .. } => ErrorKind::Disconnected,
                RecvError::SequenceGap { .. } | RecvError::Corrupt { .. } | RecvError::Truncated { .. } => {
                    ErrorKind::Peer
                }
                RecvError::FrameTooLarge { .. } | RecvError::TooManyHeld { .. } => ErrorKind::Usage,
                RecvError::Os { .. } => ErrorKind::System,
            },
            Self::Metadata(error) => match error {
                MetadataError::Corrupt { .. } | MetadataError::Truncated { .. } => ErrorKind::Peer,
                _ => ErrorKind::Usage,
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
        )
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Recv(RecvError::Timeout { .. }) => io::ErrorKind::TimedOut,
            Error::Recv(RecvError::Empty) => io::ErrorKind::WouldBlock,
            Error::Recv(RecvError::EndOfStream) => io::ErrorKind::UnexpectedEof,
            Error::Send(SendError::BufferFull { .. }) => io::ErrorKind::TimedOut,
            Error::Connect(ConnectError::BufferNotFound { .. }) => io::ErrorKind::NotFound,
            Error::Create(CreateError::ReaderAlreadyConnected { .. })
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
