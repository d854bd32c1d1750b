//! XCP v0.2: negotiated messages over TCP, Unix sockets and TLS.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use strait::xcp::{self, Ether};
//!
//! let server = xcp::listen("tcp://127.0.0.1:0").await?;
//! let address = server.address().to_string();
//! tokio::spawn(server.serve(|ether: Ether| async move { Ok(Some(ether)) })); // answers with what it was asked
//!
//! let client = xcp::connect(&address).await?;
//! let answer = client.request(&Ether::text("hello")).await?;
//! assert_eq!(answer.ether()?.as_text()?, "hello");
//! # Ok(())
//! # }
//! ```
//!
//! | for | see |
//! |---|---|
//! | what to offer, allow and ask for | [`Options`] |
//! | sending, asking, receiving | [`Connection`], [`Message`] |
//! | taking connections | [`Server`] |
//! | the same without async | [`blocking`] |
//! | what is in a message | [`Ether`], [`codec`](crate::codec) |
//! | compression, encryption, TLS | [`compress`], [`seal`], `tls` |
//!
//! Peers may speak the specification's dialect or that of the Python implementation: a server does as its client does, a
//! client tries one after the other. See `strait_core::xcp` for the bytes.

mod address;
pub mod blocking;
mod client;
pub mod compress;
mod connection;
pub mod decompress;
mod dial;
mod draft;
mod driver;
mod engine;
mod error;
pub mod ether;
pub mod keys;
mod message;
mod options;
mod order;
mod outlet;
pub mod psk;
pub mod schema;
pub mod seal;
mod sending;
mod server;
mod shared;
#[cfg(unix)]
mod socket_file;
mod stream;
#[cfg(feature = "xcp-tls")]
pub mod tls;
mod transport;
mod trouble;
mod unpack;
mod zstd_frame;

pub use address::{Address, BadAddress};
pub use client::connect;
pub use connection::{Connection, DEFAULT_CHANNEL};
pub use error::{Attempt, BadOption, BodyError, ConnectError, NotSent, RequestError, SendError};
pub use ether::{Attachment, Ether, EtherError};
pub use message::Message;
pub use options::Options;
pub use psk::Psk;
pub use sending::{Request, Send};
pub use server::{Server, listen};
/// The numbers and rules of the protocol.
pub use strait_core::xcp::{
    CodecId, CrcOrder, Dialect, ErrorCode, Flags, FrameHeader, HeaderFormat, KindId, MsgType, Numbering,
    SchemaKey, Tags,
    connection::{Agreed, CloseReason, Knobs},
    control::KindRange,
};
pub use stream::{Answer, BodyReader, BodyWriter};

/// Plain bytes. No codec of the protocol's: numbers from 0x8000 on are free, and this one is offered to ends that have it
/// too. A tag `media_type` says what the bytes are, a tag `name` what they are called.
pub const OCTETS: CodecId = CodecId(0x8000);
pub use schema::{Schema, SchemaError, SchemaRegistry};
