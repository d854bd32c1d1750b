//! What can go wrong on a channel, by operation.

use std::sync::Arc;

use strait_core::platform::Pid;

use crate::zerobuffer::{ConnectError as BufferConnectError, CreateError, RecvError, SendError};

type Name = Arc<str>;

/// Why a client could not connect. Nothing is left behind.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// No server has opened the channel.
    #[error("channel {name:?} has no server: start it first, or wait for it with `wait_for_server`")]
    ServerNotFound {
        /// The channel.
        name: Name,
    },
    /// What a server left that closed or died.
    #[error("the server of channel {name:?} is gone (pid {pid}): start it again")]
    ServerDead {
        /// The channel.
        name: Name,
        /// Its process; 0 if it closed.
        pid: u64,
    },
    /// A channel has one client at a time.
    #[error("channel {name:?} already has a client ({}): stop it first", Pid(*pid).told())]
    ClientAlreadyConnected {
        /// The channel.
        name: Name,
        /// Its process; 0 if it cannot be told.
        pid: u64,
    },
    /// What the last client has sent was not taken in time.
    #[error("channel {name:?}: the server has not taken {bytes} bytes of requests that the last client left")]
    Unsettled {
        /// The channel.
        name: Name,
        /// Bytes of the request ring in use.
        bytes: u64,
    },
    /// The server's buffer cannot be used.
    #[error(transparent)]
    Requests(BufferConnectError),
    /// The client's own buffer cannot be created.
    #[error(transparent)]
    Responses(CreateError),
}

impl ConnectError {
    pub(super) fn requests(name: &Name, error: BufferConnectError) -> Self {
        let name = Arc::clone(name);
        match error {
            BufferConnectError::BufferNotFound { .. } => Self::ServerNotFound { name },
            BufferConnectError::ReaderDead { pid, .. } => Self::ServerDead { name, pid },
            BufferConnectError::WriterAlreadyConnected { pid, .. } => {
                Self::ClientAlreadyConnected { name, pid }
            }
            other => Self::Requests(other),
        }
    }

    pub(super) fn responses(name: &Name, error: CreateError) -> Self {
        match error {
            CreateError::ReaderAlreadyConnected { pid, .. } => {
                Self::ClientAlreadyConnected { name: Arc::clone(name), pid }
            }
            other => Self::Responses(other),
        }
    }
}

/// Why a server could not start. Nothing is left behind.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// A running server has the channel.
    #[error("channel {name:?} already has a server ({}): stop it or use another name", Pid(*pid).told())]
    ServerAlreadyRunning {
        /// The channel.
        name: Name,
        /// Its process; 0 if it cannot be told.
        pid: u64,
    },
    /// The buffer of requests cannot be created.
    #[error(transparent)]
    Requests(CreateError),
    /// The system has no thread for it.
    #[error("channel {name:?}: no thread for the server: {source}")]
    Thread {
        /// The channel.
        name: Name,
        /// What it said.
        source: std::io::Error,
    },
}

impl ServeError {
    pub(super) fn requests(name: &Name, error: CreateError) -> Self {
        match error {
            CreateError::ReaderAlreadyConnected { pid, .. } => {
                Self::ServerAlreadyRunning { name: Arc::clone(name), pid }
            }
            other => Self::Requests(other),
        }
    }
}

/// Why a request has no response.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The request was not sent.
    #[error(transparent)]
    Send(SendError),
    /// The server's handler failed or panicked, or its answer cannot be sent.
    #[error("request {sequence} failed at the server: {reason}")]
    Failed {
        /// The request's number.
        sequence: u64,
        /// What the server says.
        reason: String,
    },
    /// No response came in time. One that comes later is dropped.
    #[error("channel {name:?}: no response in time")]
    Timeout {
        /// The channel.
        name: Name,
    },
    /// The request was cancelled from here.
    #[error("request {sequence} was cancelled")]
    Cancelled {
        /// The request's number.
        sequence: u64,
    },
    /// The server closed or died. Every request without a response fails with it.
    #[error("the server of channel {name:?} is gone: {reason}")]
    ServerGone {
        /// The channel.
        name: Name,
        /// How it shows.
        reason: String,
    },
    /// A response to a request that was never sent, or that has been answered.
    #[error("channel {name:?}: response {sequence} answers no request; {sent} were sent")]
    UnknownSequence {
        /// The channel.
        name: Name,
        /// The response's number.
        sequence: u64,
        /// Requests sent so far.
        sent: u64,
    },
    /// A response that says that it stands in the request, and is longer than that.
    #[error(
        "channel {name:?}: response {sequence} of {len} bytes is said to stand in a request of {limit} bytes"
    )]
    BadShare {
        /// The channel.
        name: Name,
        /// The response's number.
        sequence: u64,
        /// Bytes said.
        len: u64,
        /// Bytes of the request.
        limit: u64,
    },
    /// A server that is not Strait's has left a request unanswered. It skips requests that fail, and numbers its responses
    /// without them: from now on numbers do not tell which response belongs to which request.
    #[error(
        "channel {name:?}: its server left a request unanswered, so its numbers mean nothing now: connect again"
    )]
    OutOfStep {
        /// The channel.
        name: Name,
    },
    /// The buffer of responses failed.
    #[error(transparent)]
    Recv(RecvError),
    /// An async call has to wait, and the system has no thread for that.
    #[error("channel {name:?}: no thread to wait on: {source}")]
    Thread {
        /// The channel.
        name: Name,
        /// What it said.
        source: std::io::Error,
    },
}

impl From<SendError> for CallError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::ReaderDead { ref name, .. } => {
                Self::ServerGone { name: Arc::clone(name), reason: error.to_string() }
            }
            other => Self::Send(other),
        }
    }
}
