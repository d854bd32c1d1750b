//! What a frame's header says, whatever it is written in.

mod error;
pub mod json;

pub use error::HeaderError;

use super::numbers::{CodecId, KindId, MsgType};
use super::tags::Tags;

/// What stands in front of every payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Which of the connection's channels; 0 is for control.
    pub channel: u32,
    /// What the frame is for.
    pub msg_type: MsgType,
    /// How the body is encoded.
    pub codec: CodecId,
    /// Which schema the body follows, if it says so.
    pub schema_key: Option<SchemaKey>,
    /// Number of the message in its direction; 0 is none.
    pub msg_id: u64,
    /// Number of the message that this one answers; 0 is none.
    pub in_reply_to: u64,
    /// Key-value pairs.
    pub tags: Tags,
}

impl FrameHeader {
    /// A header with a JSON body, and everything else unset.
    #[must_use]
    pub const fn new(msg_type: MsgType, channel: u32, msg_id: u64) -> Self {
        Self {
            channel,
            msg_type,
            codec: CodecId::JSON,
            schema_key: None,
            msg_id,
            in_reply_to: 0,
            tags: Tags::new(),
        }
    }
}

/// Which schema a body follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SchemaKey {
    /// FNV-1a hash of the namespace's name; 0 is none.
    pub ns_hash: u32,
    /// The kind; 0 is none.
    pub kind_id: u32,
    /// Changes that break readers.
    pub major: u16,
    /// Changes that do not.
    pub minor: u16,
    /// First 16 bytes of the SHA-256 of the schema in canonical JSON (RFC 8785).
    pub hash: Option<[u8; 16]>,
}

impl SchemaKey {
    /// The kind, also where an existing implementation's wrong number for it stands.
    pub const fn kind(&self) -> KindId {
        KindId::from_wire(self.kind_id)
    }
}
