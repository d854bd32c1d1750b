//! Frames through a shared-memory ring: one writer, one reader, same host.
//!
//! The reader creates the buffer and removes it; the writer connects. Either end may be Strait or any ZeroBuffer v1
//! program (C++, C#, Python). See [`Writer`] and [`Reader`].
//!
//! # What is copied
//!
//! Nothing between user memory and the ring, if the writer fills [`Writer::reserve`] and the reader reads
//! [`Reader::recv`] in place. [`Writer::send`] and [`Reader::recv_into`] copy once; `Reader::into_stream`
//! items are copies.
//!
//! # Trust
//!
//! Control words are checked, whoever wrote them. Frame bytes are lent in place: a process that may write the segment
//! and breaks the protocol can change them while they are read. By default only this user's processes may. Where
//! others may (a wider [`mode`](ReaderBuilder::mode), a foreign owner) frames are private copies taken once;
//! [`copy_frames`](ReaderBuilder::copy_frames) asks for that in any case.

#[cfg(feature = "tokio")]
mod asynchronous;
mod builder;
pub mod duplex;
mod error;
mod frame;
mod inspect;
mod ledger;
mod reader;
mod statistics;
mod stream;
mod writer;

#[cfg(feature = "tokio")]
pub use asynchronous::{FrameSink, FrameStream};
pub use builder::ReaderBuilder;
pub use error::{ConnectError, CreateError, MetadataError, RecvError, SendError};
pub use frame::{Frame, FrameMut, OwnedFrame};
pub use inspect::{BufferInfo, Leftover, State, gc, inspect, list};
pub use ledger::MAX_HELD_FRAMES;
pub use reader::{Frames, Reader};
pub use statistics::{Health, Statistics};
pub use strait_core::kind::Kind;
pub use writer::{Writer, WriterBuilder};

use core::time::Duration;

use strait_core::platform::Clock as _;
use strait_core::time::Deadline;

use crate::os::Os;
use inspect::bury;

/// How long waits last unless told otherwise: the 5 s that all implementations share.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// When a wait that starts now and lasts `timeout` is over; [`Duration::MAX`] never is.
fn deadline(timeout: Duration) -> Deadline {
    if timeout == Duration::MAX { Deadline::Never } else { Deadline::At(Os.now().saturating_add(timeout)) }
}
