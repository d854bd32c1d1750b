//! The door from shared bytes to typed values, and the rules behind it.
//!
//! 1. A (segment, offset, length) becomes memory in [`view()`] and `bytes` and nowhere else; both check bounds,
//!    alignment and overflow.
//! 2. Control words are [`SharedU32`](crate::sync::SharedU32) and [`SharedU64`](crate::sync::SharedU64): atomic,
//!    so a peer that writes them at the same time is no data race. They are loaded once into a local, and the local
//!    is checked and used.
//! 3. Payload bytes are lent as slices only while the protocol gives us their turn: from reserve to commit for the
//!    writer, from claim to release for the reader. A peer that breaks the protocol can change them meanwhile; who
//!    cannot trust every process that may open the segment asks for copies (`copy_frames`).

mod bytes;
#[cfg(not(all(test, loom)))]
mod static_segment;
pub mod view;

pub(crate) use bytes::{Buffers, Soon, Span};
#[cfg(not(all(test, loom)))]
pub use static_segment::StaticSegment;
pub(crate) use view::Table;
pub use view::{SharedLayout, ViewError, view};
