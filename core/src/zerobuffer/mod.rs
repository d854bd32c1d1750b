//! ZeroBuffer v1: frames through a shared-memory ring, one writer, one reader.
//!
//! ```text
//!  segment NAME     0            128               128 + metadata_size              end
//!                   ├── OIEB ────┼── metadata ─────┼── payload ring ─────────────────┤
//!                     counters     u64 length        frame │ frame │ … │ wrap marker
//!                     positions    then bytes        16-byte header + data, unaligned
//!                     pids
//!  semaphore sem-w-NAME   one permit per unread frame      writer posts, reader takes
//!  semaphore sem-r-NAME   "space was returned"             reader posts, writer takes
//!  lock NAME.lock         held by the reader for its life
//! ```
//!
//! The reader creates all of it and removes it when it closes; the writer connects. What differs from the existing
//! implementations, all of it invisible to them:
//!
//! - the writer never leaves a tail of 1 to 15 bytes, too small for a wrap marker ([`cursor`]);
//! - the writer starts over at the ring's start when it is empty and a frame fits nowhere else ([`cursor`]);
//! - the reader accepts such a tail from others, returns space strictly in frame order, and may return the space of
//!   small frames a little late ([`ring`]);
//! - permits are taken in batches, and `sem-r` is posted only when it is 0 ([`reader`], [`writer`]).
//!
//! | file | question it answers |
//! |---|---|
//! | [`layout`] | which byte means what |
//! | [`cursor`] | where the next frame goes: arithmetic without memory |
//! | [`ring`], `producer`, `consumer` | how a frame is published, claimed and returned |
//! | `state` | whether positions and free bytes agree |
//! | `halves` | which permit follows which store |
//! | [`release`] | which bytes may be returned when frames are released out of order |
//! | [`metadata`] | the write-once block |
//! | [`reader`], [`writer`], `wait` | waiting, and what happens when the other end dies |
//! | `peer` | whether the other end still lives |
//! | [`verdict`] | whether a buffer is in use, and by which evidence |
//! | `attach`, `ownership` | who may connect, who owns the name, what is removed |
//! | [`local`] | both ends inside one program: an interrupt handler and the main loop |
//! | [`duplex`] | request and response over two buffers: names, and what a response says |
//! | [`ends`] | who the two ends are, where both are Strait |
//! | [`share`] | how two Strait ends share a request's bytes |
//! | `handles` | frames away from their endpoint, on any thread |
//! | `lend` | whose bytes a frame's are, from claim to release and from reserve to commit |
//! | [`inspect`] | what a buffer holds, changing nothing |
//!
//! Source: modelingevolution/zerobuffer@5d3e0c4, `PROTOCOL.md` and the C++, C# and Python implementations.

mod attach;
mod consumer;
pub mod cursor;
pub mod duplex;
pub mod ends;
mod error;
mod halves;
mod handles;
#[cfg(not(all(test, loom)))]
pub mod inspect;
pub mod layout;
mod lend;
pub mod local;
#[cfg(all(test, loom, not(shuttle)))]
mod loom_tests;
pub mod metadata;
mod ownership;
mod peer;
mod producer;
pub mod reader;
pub mod release;
pub mod ring;
pub mod share;
mod size;
mod state;
#[cfg(all(test, not(loom)))]
mod tests;
pub mod verdict;
mod wait;
pub mod writer;

pub use error::{AttachError, Corrupt, CreateError, Death, Forked, MetadataError, ReadError, WriteError};
pub use handles::{Lender, Place, Returner};
pub use layout::{ABORTED, Config, FRAME_OVERHEAD, FrameHeader, Geometry, Oieb};
pub use ownership::remove_leftover;
pub use reader::{Claimed, ReaderEndpoint};
pub use ring::Counters;
pub use share::Shares;
pub use verdict::Verdict;
pub use writer::{Reserved, WriterEndpoint};
