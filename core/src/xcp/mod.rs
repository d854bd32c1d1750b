//! XCP v0.2 on one page: framed, negotiated messages over any transport that keeps bytes in order.
//!
//! ```text
//!  0        4     5       6       8          8+n          12+n (16+n)
//!  ├ MAGIC ─┼ VER ┼ FLAGS ┼ HLEN ─┼─ HEADER ─┼─ PLEN ─────┼─ PAYLOAD ─┼─ CRC32C ─┤
//!    u32      u8    u8      u16 n   n bytes    u32 (u64)    p bytes     u32 over the payload
//! ```
//!
//! | file | question it answers |
//! |---|---|
//! | `numbers` | what the numbers are |
//! | `dialect` | where the specification and its Python implementation differ |
//! | `tensor`, `mixed_latent` | what stands in front of one tensor's elements, and how several stand in one body |
//! | `header`, `tags` | what a frame's header says, in Cap'n Proto, packed Cap'n Proto and JSON |
//! | `frame` | what stands around header and payload |
//! | `decoder` | which part of a frame the next bytes are |
//! | `connection` | what an end of a connection does |
//! | `json`, `sink` | how JSON is read and written |
//! | `control` | what the bodies of HELLO, CAPS, ACK, NACK, PING and CLARIFY say |
//!
//! # Both ends in one program
//!
//! What a driver does, with two byte buffers for a socket: whatever [`poll_transmit`](connection::Connection::poll_transmit)
//! says is sent, whatever comes is handed to [`handle_input`](connection::Connection::handle_input).
//!
//! ```
//! use strait_core::crc32c::Crc32c;
//! use strait_core::time::Instant;
//! use strait_core::xcp::connection::{Config, Connection, Event, Plain, Side, Transmit};
//! use strait_core::xcp::{Flags, FrameHeader, MsgType};
//!
//! type End = Connection<Crc32c, Plain, 256, 512, 4>; // longest header, longest control message, messages at once
//!
//! /// Sends all that `end` has to send; `message` is the one that it may be sending.
//! fn transmit(end: &mut End, now: Instant, header: &[u8], message: &[u8], wire: &mut Vec<u8>) {
//!     let mut buf = [0; 1024];
//!     while let Some(next) = end.poll_transmit(now, &mut buf) {
//!         match next {
//!             Transmit::Bytes(len) => wire.extend_from_slice(&buf[..len]),
//!             Transmit::Chunk(chunk) => {
//!                 let offset = chunk.offset as usize;
//!                 let bytes = &message[offset..offset + chunk.len];
//!                 let len = chunk.envelope.head(header, &mut buf).expect("headers are short here");
//!                 wire.extend_from_slice(&buf[..len]);
//!                 wire.extend_from_slice(bytes);
//!                 wire.extend_from_slice(&chunk.envelope.trailer::<Crc32c>(bytes));
//!             }
//!         }
//!     }
//! }
//!
//! let now = Instant::from_nanos(0);
//! let mut client = End::new(Config::new(Side::Client), Plain, now);
//! let mut server = End::new(Config::new(Side::Server), Plain, now);
//! let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
//!
//! transmit(&mut client, now, &[], &[], &mut to_server); // HELLO
//! assert_eq!(server.handle_input(now, &mut &to_server[..]), Some(Event::Connected));
//! transmit(&mut server, now, &[], &[], &mut to_client); // its answer
//! assert_eq!(client.handle_input(now, &mut &to_client[..]), Some(Event::Connected));
//!
//! let (message, mut encoded) = (br#"{"kind":"text"}"#, [0; 256]);
//! let mut header = FrameHeader::new(MsgType::DATA, 1, 0);
//! let begun = client.begin(&mut header, Flags::NONE, &mut encoded)?;
//! client.extend(begun.handle, message.len() as u64, true)?;
//! to_server.clear();
//! transmit(&mut client, now, &encoded[..begun.header_len], message, &mut to_server);
//!
//! let (mut input, mut received) = (&to_server[..], Vec::new());
//! while let Some(event) = server.handle_input(now, &mut input) {
//!     match event {
//!         Event::Chunk { bytes, .. } => received.extend_from_slice(bytes),
//!         Event::Verified { message, complete: true } => server.accept(message, server.wants_ack()),
//!         _ => {}
//!     }
//! }
//! assert_eq!(received, message);
//! # Ok::<(), strait_core::xcp::connection::SendError>(())
//! ```
//!
//! Source: XCP v0.2 specification and codec appendix, maida-ai/XCP at e8efb0d.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

pub mod connection;
pub mod control;
pub mod decoder;
pub mod dialect;
pub mod frame;
pub mod header;
mod json;
pub mod mixed_latent;
pub mod numbers;
mod sink;
pub mod tags;
pub mod tensor;

pub use dialect::{CrcOrder, Dialect, HeaderFormat, Numbering};
pub use header::{FrameHeader, HeaderError, SchemaKey};
pub use json::{JsonError, JsonFault};
pub use numbers::{CodecId, ErrorCode, Flags, KindId, MsgType};
pub use tags::{Tags, TagsFull};
pub use tensor::{TensorError, TensorHeader, TensorType};
