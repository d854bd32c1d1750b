//! What the fake system refuses with.

use crate::platform::{FaultKind, PlatformError};

/// A fault of the fake system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{call} failed: {kind:?}")]
pub struct FakeError {
    /// The call that failed.
    pub call: &'static str,
    /// How.
    pub kind: FaultKind,
}

impl PlatformError for FakeError {
    fn kind(&self) -> FaultKind {
        self.kind
    }
}
