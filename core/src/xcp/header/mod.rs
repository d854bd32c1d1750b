//! What a frame's header says, whatever it is written in.

pub mod capnp;
mod error;
pub mod json;

pub use error::HeaderError;

use super::dialect::{HeaderFormat, Numbering};
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

/// Reads a header in any of the formats.
///
/// # Errors
/// [`HeaderError`].
pub fn read(bytes: &[u8], numbering: Numbering) -> Result<(HeaderFormat, FrameHeader), HeaderError> {
    let format = HeaderFormat::detect(bytes).ok_or_else(|| {
        let mut first = [0; 2];
        first.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        HeaderError::Unknown { first }
    })?;
    let header = match format {
        HeaderFormat::CapnProto => capnp::read(bytes, numbering)?,
        HeaderFormat::CapnProtoPacked => capnp::read_packed(bytes, numbering)?,
        HeaderFormat::Json => json::read(bytes, numbering)?,
    };
    Ok((format, header))
}

/// Writes a header into the front of `out`; how many bytes it takes.
///
/// # Errors
/// [`HeaderError`].
pub fn write(
    header: &FrameHeader,
    format: HeaderFormat,
    numbering: Numbering,
    out: &mut [u8],
) -> Result<usize, HeaderError> {
    match format {
        HeaderFormat::CapnProto => capnp::write(header, numbering, out),
        HeaderFormat::CapnProtoPacked => capnp::write_packed(header, numbering, out),
        HeaderFormat::Json => json::write(header, numbering, out),
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
