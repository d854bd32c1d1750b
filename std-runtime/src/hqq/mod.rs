//! Links: messages between many processes, through lock-free rings with a buffer per slot.
//!
//! A link has two sides, *primary* and *secondary*, and a direction each way. Any number of processes and threads may
//! share a side: each message goes to one receiver of the other side.
//!
//! ```
//! # fn main() -> strait::Result<()> {
//! use strait::hqq::Link;
//!
//! let name = format!("orders-{}", std::process::id());
//! let builder = Link::builder(&name).slots(64).slot_len(256);
//! let (mut tx, _rx) = builder.clone().open_or_create()?.split(); // one process: the first one in is the primary
//! let (_tx, mut rx) = builder.secondary().open()?.split(); //       another
//!
//! tx.send(b"copied in")?;
//! let mut slot = tx.reserve()?; // or filled in place, in shared memory
//! slot[..8].copy_from_slice(b"in place");
//! slot.commit(8)?; // dropping it instead gives the slot up
//!
//! assert_eq!(&*rx.recv()?, b"copied in");
//! assert_eq!(&*rx.recv()?, b"in place");
//! # Ok(())
//! # }
//! ```
//!
//! # Guarantees
//!
//! - **Order.** Receivers of a side take messages in the order in which their slots were reserved. With one receiver,
//!   messages of one sender arrive in the order sent.
//! - **At most once.** A message goes to one receiver. One that dies while it holds a message takes it along.
//! - **Who dies loses its own message alone.** What a dead process held, or one that became another program by `execve`, is
//!   given back by whoever waits for it, within 40 ms: a reserved slot is skipped, a claimed one is free again.
//!   [`tracing`] says so, and [`Statistics::recovered`] counts it. On Linux namespaces of numbers or clocks do not matter.
//! - **The last one out removes the name,** unless the link was made with [`keep`](LinkBuilder::keep).
//!
//! A process that is stopped (not dead) while it holds a slot stops its direction until it goes on: time is no proof.
//!
//! # Processes that fork
//!
//! Handles, slots and sessions belong to the process that opened them. In a child that it forks, dropping their copies does
//! nothing, and using them is an error: [`SendError::Forked`], [`RecvError::Forked`], [`OpenError::Forked`]. The bytes of a
//! slot that was held at that moment can still be looked at there, as long as the parent holds it. A child opens the link
//! anew. A program that becomes a daemon opens its links after it has.
//!
//! # Peers that are not Strait
//!
//! The bytes are those of the Go implementation ([`Profile::Superblock`]) or of the protocol document
//! ([`Profile::Seed`]). Such a process neither rings nor registers: say [`foreign_peers`](LinkBuilder::foreign_peers)
//! when you make a link for one. Waits then look once a millisecond at least, and of dead processes only the handles of
//! Strait's are freed by themselves: [`Link::recover_side`].

#[cfg(feature = "tokio")]
mod asynchronous;
mod builder;
mod error;
mod inspect;
mod leftovers;
mod link;
mod receiver;
mod sender;
#[cfg(feature = "session")]
pub mod session;
mod slot;
mod statistics;
mod trace;

pub use builder::LinkBuilder;
pub use error::{AddressError, OpenError};
pub use inspect::{LinkInfo, Participant, inspect};
pub use leftovers::{LinkLeftover, gc, list};
pub use link::{Address, Link};
pub use receiver::Receiver;
pub use sender::{Reservations, Sender};
pub use slot::{Batch, Slot, SlotMut};
pub use statistics::Statistics;
pub use strait_core::hqq::{
    AttachError, Capabilities, Counts, Doubt, ErrorCode, Features, Geometry, GeometryError, OpCode, Profile,
    Recovered, RecvError, RingState, SendError, Side, Standing, Trace, Version,
};
pub use trace::LinkTrace;
