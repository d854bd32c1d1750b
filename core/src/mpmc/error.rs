//! Why a ring does not take or give a slot.

/// Why there is no turn now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TurnError {
    /// Full, for a producer; empty, for a consumer. A slot in between that somebody has taken and not given back looks
    /// the same. Also said after [`MOST_RACES`](super::MOST_RACES) races lost in a row.
    #[error("no slot is available")]
    Unavailable,
    /// A word holds what no correct participant leaves there.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
}

/// A word of a ring that no correct participant leaves so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "ring is corrupt: {word} is {found} where a ring of {capacity} slots at position {position} cannot have it"
)]
pub struct Corrupt {
    /// The word: `sequence`, `head`, `tail`.
    pub word: &'static str,
    /// What it holds.
    pub found: u64,
    /// The position that was looked at.
    pub position: u64,
    /// Slots of the ring.
    pub capacity: u64,
}

/// Why memory is not a ring that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttachError {
    /// The first word is not a ring's.
    #[error("first word is {found:#018x}, a ring's is {:#018x}", super::MAGIC)]
    Magic {
        /// What it is.
        found: u64,
    },
    /// Somebody began to initialise it and has not ended.
    #[error("flags are {found}, an initialised ring has 2")]
    NotInitialised {
        /// What they are.
        found: u64,
    },
    /// It has another number of slots.
    #[error("ring says it has {found} slots, {wanted} are expected")]
    Capacity {
        /// What it says.
        found: u64,
        /// What it should be.
        wanted: u64,
    },
    /// A number of slots that no ring can have.
    #[error("{slots} slots: a ring has a power of two, at least 2")]
    Slots {
        /// The number asked for.
        slots: u64,
    },
}
