//! The envelope that XCP moves: what kind of thing it is, the thing, and what is known about it.
//!
//! | file | question it answers |
//! |---|---|
//! | `attachment` | what stands beside the payload |
//! | `kinds` | what ethers of the known kinds hold |
//! | `trace` | which trace an ether belongs to, and where it has been |
//! | `limits` | how large the parts may be |
//! | `value` | how bytes and numbers stand in JSON values |
//!
//! [`serde_json::Value`], [`serde_json::Map`] and [`bytes::Bytes`] are part of this interface.

mod attachment;
mod error;
mod kinds;
mod limits;
mod trace;
mod value;

use serde_json::{Map, Value};

pub(crate) use attachment::hex;
pub use attachment::{Attachment, Checksum, ChecksumAlgorithm, Compression};
pub use error::EtherError;
pub use kinds::{Embedding, Image, Tokens};
pub use limits::EtherLimits;
pub use trace::Lineage;
pub use value::{NonFinite, bytes_of, bytes_value, numbers_value};

/// An envelope.
///
/// ```
/// use strait::xcp::{Attachment, Ether};
///
/// let ether = Ether::new("camera.frame", 1)
///     .payload("exposure_ms", 12.5)
///     .metadata("producer", "camera-3")
///     .attach(Attachment::bytes("frame", "image/png", &b"\x89PNG"[..]));
/// assert_eq!(ether.payload["exposure_ms"], 12.5);
/// assert_eq!(ether.attachment("frame").map(|frame| frame.size_bytes), Some(Some(4)));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ether {
    /// What it is; names the schema.
    pub kind: String,
    /// Version of the schema, from 1.
    pub schema_version: u32,
    /// What the kind defines.
    pub payload: Map<String, Value>,
    /// What is known about it: `trace_id`, `created_at`, `producer`, `lineage` and others.
    pub metadata: Map<String, Value>,
    /// What no schema defines.
    pub extra_fields: Map<String, Value>,
    /// Bytes that belong to it.
    pub attachments: Vec<Attachment>,
}

impl Ether {
    /// An ether of `kind` in `schema_version`, from 1, that holds nothing.
    #[must_use]
    pub fn new(kind: impl Into<String>, schema_version: u32) -> Self {
        Self { kind: kind.into(), schema_version, ..Self::default() }
    }

    /// Puts a value into the payload; one that was there under this key is replaced.
    #[must_use]
    pub fn payload(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.payload.insert(key.into(), value.into());
        self
    }

    /// Puts a value into the metadata; one that was there under this key is replaced.
    #[must_use]
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    /// Puts a value into the extra fields; one that was there under this key is replaced.
    #[must_use]
    pub fn extra_field(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.extra_fields.insert(key.into(), value.into());
        self
    }

    /// Adds an attachment behind the others.
    #[must_use]
    pub fn attach(mut self, attachment: Attachment) -> Self {
        self.attachments.push(attachment);
        self
    }

    /// The attachment called `id`, the first if there are several.
    pub fn attachment(&self, id: &str) -> Option<&Attachment> {
        self.attachments.iter().find(|attachment| attachment.id == id)
    }

    /// Whether it can be sent: a version, and attachments that are what they say, each with a name of its own.
    ///
    /// # Errors
    /// [`EtherError::VersionZero`], [`EtherError::DuplicateId`], and what [`Attachment::check`] says.
    pub fn check(&self) -> Result<(), EtherError> {
        if self.schema_version == 0 {
            return Err(EtherError::VersionZero);
        }
        let mut ids: Vec<&str> = self.attachments.iter().map(|attachment| attachment.id.as_str()).collect();
        ids.sort_unstable();
        if let Some(pair) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(EtherError::DuplicateId { id: pair[0].to_owned() });
        }
        self.attachments.iter().try_for_each(Attachment::check)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attachments_have_names_of_their_own() {
        let one = Attachment::bytes("a", "text/plain", "1");
        let ether = Ether::new("x", 1).attach(one.clone());
        assert_eq!(ether.check(), Ok(()));
        let two = ether.attach(Attachment::uri("b", "text/plain", "shm://a/b"));
        assert_eq!(two.check(), Ok(()));
        assert_eq!(two.attach(one).check(), Err(EtherError::DuplicateId { id: "a".to_owned() }));
        assert_eq!(Ether::new("", 0).check(), Err(EtherError::VersionZero));
    }
}
