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
//! others may, by a wider [`mode`](ReaderBuilder::mode), frames are private copies taken once;
//! [`copy_frames`](ReaderBuilder::copy_frames) asks for that in any case. A writer refuses a buffer that other users may
//! write unless it [trusts](WriterBuilder::trust_others) them: whoever cuts the file short ends every process that uses it.
//!
//! # Fork, exec and daemons
//!
//! What one has made belongs to the process that made it: readers, writers, channels, links, sessions, and what was taken
//! from them.
//!
//! | event | in the process that made it | in the other, and for its peers |
//! |---|---|---|
//! | `fork` | nothing changes | The child has copies. Using one is an error that names both processes ([`RecvError::Forked`] and its kin); dropping one unmaps memory and closes files, and nothing that others see changes. Frames that were received before can be read; dropping them gives no space back. The child may make ends of its own. |
//! | the maker closes while the child has copies | as ever: the stream ends, the name is free | The copies keep neither. |
//! | the maker dies while the child has copies | – | Peers are told that it died. A reader's name is free. The place of a *writer* stays taken until the child ends, closes its copy, or becomes another program. |
//! | [`Command`](std::process::Command), `posix_spawn` | nothing changes | The program inherits nothing: all files are close-on-exec, and memory is not kept. |
//! | `exec` in the maker | its ends are gone, as if it had been killed | Peers are told that it died, although its number lives on; the new program may take the same names. |
//! | a daemon: `fork`, and the parent ends | a parent that returns from `main` closes its ends; one that calls `_exit` has died | The child's copies are of no use: make ends after the last fork. |
//!
//! What is written into the bytes of a frame that a child has inherited is written: memory cannot tell who writes.
//!
//! # Names in other implementations
//!
//! | C++, C#, Python | here |
//! |---|---|
//! | `BufferConfig(metadata, payload)` | [`ReaderBuilder::metadata_capacity`], [`ReaderBuilder::payload_capacity`]; the same defaults |
//! | `Reader(name, config)` | [`Reader::builder`], [`ReaderBuilder::create`]; [`Reader::create`] with the defaults |
//! | `is_writer_connected()`, `IsWriterConnected()` | [`Reader::is_writer_connected`] |
//! | `is_writer_connected(ms)`, `IsWriterConnected(ms)` | [`Reader::wait_for_writer`] |
//! | `read_frame()`, `ReadFrame(timeout)` | [`Reader::recv`], [`Reader::recv_timeout`]; [`Reader::try_recv`] does not wait |
//! | `release_frame(frame)`, `Dispose` of a frame | dropping the [`Frame`] |
//! | several frames before the first is released | [`Reader::recv_owned`], an [`OwnedFrame`] each |
//! | `valid()`, `IsValid`, `is_valid`, `Frame::invalid()` | an error says why there is no frame: [`RecvError::Timeout`], [`RecvError::EndOfStream`] |
//! | `data()` and `size()`, `Data` and `Size`, `as_numpy()` | a frame is a slice of bytes: `&*frame`, `frame.len()` |
//! | `ToArray()` | `frame.to_vec()` |
//! | `GetMutableSpan()` | a frame is a slice that can be changed: `&mut *frame` |
//! | `sequence()`, `Sequence`, `sequence` | [`Frame::sequence`] |
//! | `get_metadata()`, `GetMetadata()` | [`Reader::metadata`] |
//! | `Writer(name)` | [`Writer::connect`]; [`WriterBuilder::wait_for_reader`] waits for the buffer |
//! | `write_frame(data)`, `WriteFrame(data)` | [`Writer::send`]; [`Writer::send_vectored`] for pieces |
//! | `get_frame_buffer(size)` and `commit_frame()`, `GetFrameBuffer`, `CommitFrame` | [`Writer::reserve`] and [`FrameMut::commit`] |
//! | `set_metadata(data)`, `SetMetadata(data)` | [`Writer::set_metadata`] |
//! | `WriteTimeout`, a time-out of the constructor or a setter | [`WriterBuilder::timeout`], [`Writer::set_timeout`], [`Writer::timeout`]; of a reader likewise |
//! | `close()`, `Dispose()` | [`Writer::close`], [`Reader::close`], or dropping |
//! | `allow_payload_sharing`, `request_payload_sharing` (planned there) | [`duplex::Channel::share_payload`], where requests and responses share |
//! | `SharedWriter(name, reader)` (planned there) | none: a frame that is passed on is copied once, by [`Writer::send`]. Its space would depend on a third process, whose death or slowness would stop the first writer |
//! | `BufferNotFoundException`, `buffer_not_found_exception`, `BufferNotFoundError` | [`ConnectError::BufferNotFound`] |
//! | `WriterAlreadyConnectedException` … | [`ConnectError::WriterAlreadyConnected`] |
//! | `ReaderAlreadyConnectedException` … | [`CreateError::ReaderAlreadyConnected`] |
//! | `BufferFullException` … | [`SendError::BufferFull`] |
//! | `ReaderDeadException` … | [`SendError::ReaderDead`], to who connects [`ConnectError::ReaderDead`] |
//! | `WriterDeadException` … | [`RecvError::WriterDead`]; a writer that has closed is [`RecvError::EndOfStream`] |
//! | `FrameTooLargeException` … | [`SendError::FrameTooLarge`] |
//! | `SequenceError` | [`RecvError::SequenceGap`] |
//! | `ZeroBufferException` | [`Error`](crate::Error) is all of them, and says by [`Error::kind`](crate::Error::kind) what can be done |

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
pub use strait_core::zerobuffer::Forked;
pub use writer::{ABORTED, Writer, WriterBuilder};

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
