//! What does Strait enter in the measurements?

use crate::contenders::{Contender, Play};

/// Strait's contenders. In one process: a type of ours that is a [`crate::queues::Queue`], run by the functions of
/// [`crate::threads`]. Between processes: a function that starts a [`strait_bench::child::Child`] in one of [`ROLES`].
pub(crate) const CONTENDERS: &[Contender] = &[];

/// What the second process does: a role's name and its function.
pub(crate) const ROLES: &[(&str, Play)] = &[];
