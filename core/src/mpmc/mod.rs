//! A bounded ring for many producers and many consumers, over any memory.
//!
//! Each slot has a *sequence*, and each cursor a *position* that only grows. A producer takes position *p* when the
//! sequence of slot *p mod n* is *p*, by moving the tail from *p* to *p + 1*; it fills the slot and stores *p + 1*. A
//! consumer takes *p* when the sequence is *p + 1*, by moving the head; it reads the slot and stores *p + n*, which makes
//! the slot free for the position one lap later.
//!
//! ```text
//!            head = 5            tail = 8                 n = 4
//!              ▼                   ▼
//!  position    5       6       7  (8)
//!  slot        1       2       3   0
//!  sequence    6       6       8   8        5 is filled, 6 is being filled, 7 is filled, 8 may be taken
//! ```
//!
//! Here a consumer takes 5, and then finds the ring empty until the producer of 6 publishes: order is kept.
//!
//! | operation | progress |
//! |---|---|
//! | [`try_reserve`](Ring::try_reserve), [`try_claim`](Ring::try_claim) | never wait; lock-free among their own kind, and bounded by [`MOST_RACES`] |
//! | [`publish`](Ring::publish), [`release`](Ring::release), [`read`](Ring::read) | wait-free: a fixed number of steps |
//!
//! **A stalled or dead participant.** Between `try_reserve` and `publish` a producer holds up every consumer at its
//! position, and, once the ring is full behind it, every producer. Between `try_claim` and `release` a consumer holds up
//! producers one lap later; other consumers go on. So the ring as a whole is not lock-free, and nothing here claims it.
//! Who wants to recover what a dead participant held gives each a [`Journal`].
//!
//! Algorithm: D. Vyukov's bounded MPMC queue. Words and constants: gosuda/HQQ, whose rings these are.

mod error;
mod guards;
pub(crate) mod journal;
mod layout;
#[cfg(all(test, loom, not(shuttle)))]
mod loom_tests;
mod memory;
mod ring;
#[cfg(all(test, loom, shuttle))]
mod shuttle_tests;
#[cfg(all(test, not(loom)))]
mod tests;
mod watch;

pub use error::{AttachError, Corrupt, TurnError};
pub use guards::{Claims, Reservations};
pub use journal::Journal;
pub use layout::{HEADER_LEN, INITIALISED, MAGIC, RingHeader, RingSlot};
pub use memory::{ArrayMemory, RingMemory};
pub use ring::{ConsumerTurn, MOST_AT_ONCE, MOST_RACES, ProducerTurn, Ring};
pub use watch::Watched;
