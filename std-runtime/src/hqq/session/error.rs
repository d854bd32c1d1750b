//! What can go wrong in a session, as its users see it.

use strait_core::hqq::session::{CloseReason, CommandError, SendError as CoreSendError};
use strait_core::hqq::{ErrorCode, Features, RecvError, SendError};

/// Why a session, or an operation on it, failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// Nothing happened in time.
    #[error("nothing happened in time")]
    Timeout,
    /// The peer refused to negotiate, or granted what was not asked for.
    #[error("negotiation failed: {}", refusal(.code))]
    Refused {
        /// What the peer said; `None` if it was this end that refused.
        code: Option<ErrorCode>,
    },
    /// The peer has not got what was required.
    #[error("the peer does not agree to {}", .missing.names().collect::<Vec<_>>().join(", "))]
    Missing {
        /// What is missing.
        missing: Features,
    },
    /// The peer has not got what this operation needs.
    #[error("{feature} is not agreed")]
    NotAgreed {
        /// Its name.
        feature: &'static str,
    },
    /// The peer's processes have ended, or left. A new peer may come.
    #[error("the peer is gone")]
    PeerGone,
    /// The connection was closed.
    #[error("connection {connection} is closed: {reason:?}")]
    Closed {
        /// Its number.
        connection: u64,
        /// By whom.
        reason: CloseReason,
    },
    /// The peer does not grant a connection.
    #[error("connection refused: {code}")]
    ConnectionRefused {
        /// What it said.
        code: ErrorCode,
    },
    /// The message cannot be sent as it is.
    #[error(transparent)]
    Usage(CoreSendError),
    /// There is no room for it now, or it makes no sense now.
    #[error(transparent)]
    Command(CommandError),
    /// What came could not be opened: the peer has another key, or somebody has written into the link.
    #[error("a sealed chunk does not open: the peer has another key, or the link was tampered with")]
    Sealed,
    /// All numbers that a key can seal with were used.
    #[error("the session's key is used up: negotiate a new session")]
    KeyUsedUp,
    /// A message's bytes end before one of its chunks: a fault of this library, and nothing was sent in their place.
    #[error("a chunk at {offset} lies outside the {len} bytes of its message: please report this")]
    BodyTooShort {
        /// Where the chunk begins.
        offset: u64,
        /// Bytes that there are.
        len: u64,
    },
    /// Messages were given up before anybody had taken them.
    #[error("{count} messages were given up: the next peer does not acknowledge, or cannot take them")]
    Undelivered {
        /// How many, since this was told last.
        count: u64,
    },
    /// The link cannot send.
    #[error(transparent)]
    Send(SendError),
    /// The link cannot receive.
    #[error(transparent)]
    Recv(RecvError),
    /// The session is a copy that a forked child has: its link and its threads are the parent's.
    #[error("the session belongs to process {owner}, which forked this one: open the link anew")]
    Forked {
        /// The process that made it.
        owner: u64,
    },
    /// The system refused a thread, or random bytes.
    #[error("{what}: {why}")]
    System {
        /// What was asked for.
        what: &'static str,
        /// What it said.
        why: String,
    },
}

fn refusal(code: &Option<ErrorCode>) -> String {
    code.map_or_else(|| "the peer granted what was not requested".to_owned(), |code| code.to_string())
}

/// Why a call got no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The other end's handler failed.
    #[error("the call failed with status {status}: {}", String::from_utf8_lossy(.message))]
    Failed {
        /// What it says.
        status: u32,
        /// Its own words.
        message: Vec<u8>,
    },
    /// The response was given up before its end.
    #[error("the response was aborted")]
    Aborted,
    /// The session, or its connection.
    #[error(transparent)]
    Session(#[from] SessionError),
}

impl From<CoreSendError> for SessionError {
    fn from(error: CoreSendError) -> Self {
        match error {
            CoreSendError::NotAgreed { feature } => Self::NotAgreed { feature },
            error => Self::Usage(error),
        }
    }
}

impl From<CommandError> for SessionError {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::NotAgreed { feature } => Self::NotAgreed { feature },
            error => Self::Command(error),
        }
    }
}
