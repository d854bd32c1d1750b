//! Which exit code does an error of the library mean?

use strait::xcp::{ConnectError, RequestError, SendError};

use crate::exit::Failure;

/// Why there is no connection, or nobody listens.
pub(super) fn connect(error: ConnectError) -> Failure {
    match error {
        ConnectError::Address(_) | ConnectError::Option(_) | ConnectError::Tls(_) => Failure::usage(error),
        other => Failure::connect(other),
    }
}

/// Why a message was not sent.
pub(super) fn send(error: SendError) -> Failure {
    match error {
        SendError::Nack { .. }
        | SendError::Unacknowledged
        | SendError::Refused
        | SendError::Closed { .. } => Failure::read(error),
        other => Failure::write(other),
    }
}

/// Why there is no answer.
pub(super) fn request(error: RequestError) -> Failure {
    match error {
        RequestError::Send(error) => send(error),
        other => Failure::read(other),
    }
}
