//! HQQ: packets through two lock-free rings, each with a buffer per slot.
//!
//! ```text
//!  Link          Producer, Consumer          by name, with a platform: waiting, recovery
//!    │           SlotMut, Slot               guards: commit or tombstone, read and release
//!  Lane          ring + buffers + bells      one direction; slot i owns buffer i
//!    │
//!  mpmc::Ring    whose turn it is
//! ```
//!
//! | file | question |
//! |---|---|
//! | `layout`, `superblock`, `regions` | where everything stands, and whether a segment is a link |
//! | `extension` | what Strait ends share beyond the protocol |
//! | `link`, `base` | who takes part, on which side |
//! | `local` | a link inside one program |
//! | `standing` | may a link of that name go |
//! | `lent` | whether a guard was forgotten |
//! | `wait` | how one waits |
//! | `presence` | who of the participants is here |
//! | `recovery` | what becomes of what the dead held |
//! | `inspect`, `trace` | what a link holds, what goes through it, for who does not join it |
//!
//! Source: the HQQ protocol document (seed profile) and gosuda/HQQ at fb15cd8 (superblock profile).

mod base;
mod consumer;
mod error;
pub(crate) mod extension;
mod features;
mod incoming;
mod inspect;
mod lane;
mod layout;
mod lend;
mod lent;
mod link;
pub mod local;
mod numbers;
mod outgoing;
pub mod packet;
mod port;
mod presence;
mod producer;
pub(crate) mod recovery;
mod regions;
pub mod session;
mod standing;
pub mod superblock;
#[cfg(all(test, not(loom)))]
mod tests;
mod trace;
mod wait;

pub use base::Recovered;
pub use consumer::Consumer;
pub use error::{OpenError, RecvError, Role, SendError};
pub use extension::{EXTENSION_LEN, PARTICIPANTS};
pub use features::{Capabilities, Features};
pub use incoming::{Slot, Slots};
pub use inspect::{Holder, Inspection, RingState};
pub use layout::{Geometry, GeometryError, MIN_SLOT_LEN, Plan, Side};
pub use link::{Creation, Link};
pub use numbers::{ChunkFlags, ErrorCode, OpCode, Profile, Version};
pub use outgoing::{SlotMut, SlotsMut};
pub use port::Port;
pub use presence::Presence;
pub use producer::{Counts, Producer};
pub use regions::{AttachError, Expected};
pub use standing::{Doubt, Standing, remove, remove_dead, remove_unused};
pub use trace::{Trace, Tracer};
pub use wait::{Patience, Sleeper};
