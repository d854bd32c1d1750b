//! What decoding knows beside the body, and how much it may take.

use strait_core::xcp::{SchemaKey, Tags};

/// What a frame's header says about its body, and the limits of decoding.
#[derive(Clone, Copy, Debug, Default)]
pub struct DecodeContext<'a> {
    /// The schema that the header names. Bodies without an envelope get their kind and version from it; for the others
    /// it must agree.
    pub schema_key: Option<SchemaKey>,
    /// The header's tags: metadata of bodies without an envelope.
    pub tags: Option<&'a Tags>,
    /// How much the body may be.
    pub limits: DecodeLimits,
}

impl<'a> DecodeContext<'a> {
    /// The context that a header makes.
    #[must_use]
    pub const fn of(header: &'a strait_core::xcp::FrameHeader, limits: DecodeLimits) -> Self {
        Self { schema_key: header.schema_key, tags: Some(&header.tags), limits }
    }
}

/// How much a body may be before it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeLimits {
    /// Bytes of the body, after decompression.
    pub body: usize,
    /// Objects and lists inside each other; 127 at most, whatever stands here.
    pub nesting: usize,
    /// Values and keys of a JSON body, fields and dimensions of a Protobuf one: each takes up to 100 bytes of memory, and 1 or
    /// 2 of the body.
    pub values: usize,
    /// Attachments.
    pub attachments: usize,
}

impl Default for DecodeLimits {
    /// 256 MiB, 64 deep, 4 Mi values, 1024 attachments.
    fn default() -> Self {
        Self { body: 256 << 20, nesting: 64, values: 4 << 20, attachments: 1024 }
    }
}
