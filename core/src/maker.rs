//! Which process made an object: what is inherited through a fork is not the child's.

use crate::platform::{Liveness, Pid};

/// The process that made an end, of a buffer or a link. Kept in the end and compared before anything that others can see.
#[derive(Clone, Copy, Debug)]
pub struct Maker {
    generation: u64,
    pid: Pid,
}

impl Maker {
    /// This process.
    pub fn this(platform: &impl Liveness) -> Self {
        Self { generation: platform.generation(), pid: platform.this() }
    }

    /// Whether this is the process that made it, and not one that was forked from it.
    #[inline]
    pub fn is_here(self, platform: &impl Liveness) -> bool {
        platform.generation() == self.generation
    }

    /// Refuses everybody else.
    ///
    /// # Errors
    /// [`Forked`] in a process that was forked since.
    #[inline]
    pub fn check(self, platform: &impl Liveness) -> Result<(), Forked> {
        if self.is_here(platform) { Ok(()) } else { Err(self.forked(platform)) }
    }

    #[cold]
    fn forked(self, platform: &impl Liveness) -> Forked {
        Forked { made_by: self.pid, used_by: platform.this() }
    }
}

/// An end was used by a process that inherited it through a fork. It belongs to the one that made it: the child may drop its
/// copy, which changes nothing that others see, and makes ends of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("made by process {made_by} and used by process {used_by}, which was forked from it")]
pub struct Forked {
    /// The process that made it.
    pub made_by: Pid,
    /// This one.
    pub used_by: Pid,
}
