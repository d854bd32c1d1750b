//! Frames and messages between processes, languages and hosts.
//!
//! ```
//! # fn main() -> strait::Result<()> {
//! use strait::zerobuffer::{Reader, Writer};
//!
//! let name = format!("camera-{}", std::process::id());
//! let mut reader = Reader::create(&name)?;           // one process: creates the buffer
//! let mut writer = Writer::connect(&name)?;          // another: connects to it
//! writer.send(b"a frame")?;
//! assert_eq!(&*reader.recv()?, b"a frame");
//! # Ok(())
//! # }
//! ```
//!
//! | module | protocol | what it moves |
//! |---|---|---|
//! | [`zerobuffer`] | ZeroBuffer v1 | frames through a ring, one writer, one reader; peers in C++, C#, Python |
//! | [`hqq`] | HQQ | messages through links with many senders and many receivers, a slot each |
//! | [`hqq::session`] | HQQ, Advanced | calls, messages of any length, connections over a link |
//! | [`zerobuffer::duplex`] | ZeroBuffer duplex | requests and responses over two such rings |
//! | `xcp`, a feature | XCP v0.2 | typed messages over TCP, Unix sockets and TLS; peers in Python |
//! | `xcp`, `codec` | XCP v0.2 | ethers, their schemas, and the bodies that they become |
//!
//! | feature | adds |
//! |---|---|
//! | `session`, on by default | [`hqq::session`] |
//! | `xcp` | `xcp` and `codec`; `ndarray`: tensors as arrays; `schema-validation`: payloads against their schemas |
//! | `tokio` | `recv_async`, `send_async`, `reserve_async`, `Stream` and `Sink`; `call_async`, `serve_async` |
//!
//! Events off the hot path (connect, close, dead peers) go to [`tracing`]. The rules of the protocols are in
//! `strait-core`, which needs neither std nor an allocator.
#![forbid(unsafe_code)]

#[cfg(feature = "xcp")]
pub mod codec;
mod error;
pub mod hqq;
mod os;
#[cfg(feature = "tokio")]
mod waiter;
#[cfg(feature = "xcp")]
pub mod xcp;
pub mod zerobuffer;

pub use error::{Error, ErrorKind, Result};
/// How long waits spin and yield before they sleep.
pub use strait_core::platform::WaitPolicy;

/// Processor time that this process has used so far, all threads, user and system.
pub fn cpu_time() -> core::time::Duration {
    os::Os.cpu_time()
}

/// Nanoseconds on the clock that every process of this machine shares: for latencies between processes.
pub fn monotonic_nanos() -> u64 {
    strait_core::platform::Clock::now(&os::Os).as_nanos()
}
