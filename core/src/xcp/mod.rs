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
