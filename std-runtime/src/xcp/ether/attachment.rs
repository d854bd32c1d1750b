//! Bytes beside an ether's payload: in it, or where a URI says.

use core::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use strait_core::crc32c::crc32c;

use super::error::EtherError;

/// Bytes that belong to an ether. Either [`uri`](Self::uri) or [`inline_bytes`](Self::inline_bytes) is set, never both;
/// empty bytes are set.
///
/// The fields from [`byte_order`](Self::byte_order) on are MaiEther's; the Python implementation of XCP drops them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attachment {
    /// Its name, unique in the ether.
    pub id: String,
    /// Where the bytes are: `shm://…`, `file://…`, `https://…`.
    pub uri: Option<String>,
    /// What the bytes are, as MIME has it.
    pub media_type: Option<String>,
    /// How the bytes are encoded: a name of [`CodecId`](strait_core::xcp::CodecId), or one of MaiEther's.
    pub codec: Option<String>,
    /// Shape of the tensor that they are, outermost dimension first.
    pub shape: Option<Vec<u64>>,
    /// Type of the tensor's elements, such as `float32`.
    pub dtype: Option<String>,
    /// How many bytes there are.
    pub size_bytes: Option<u64>,
    /// The bytes.
    pub inline_bytes: Option<Bytes>,
    /// Byte order of the elements: `LE` or `BE`; unset is `LE`.
    pub byte_order: Option<String>,
    /// The device that holds them, such as `cuda:0`.
    pub device: Option<String>,
    /// How they are compressed.
    pub compression: Option<Compression>,
    /// Checksum of the bytes as they are here: compressed, if they are.
    pub checksum: Option<Checksum>,
    /// Anything else; empty is unset.
    pub metadata: Map<String, Value>,
}

/// How an attachment's bytes are compressed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compression {
    /// `zstd`, `lz4` or `none`.
    pub name: String,
    /// The compressor's level, if it matters to anybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<i32>,
}

/// How a checksum is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChecksumAlgorithm {
    /// CRC32C, 8 hexadecimal digits.
    Crc32c,
    /// SHA-256, 64 hexadecimal digits.
    Sha256,
}

impl fmt::Display for ChecksumAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Crc32c => "crc32c",
            Self::Sha256 => "sha256",
        })
    }
}

/// What an attachment's bytes sum up to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checksum {
    /// How.
    #[serde(rename = "algo")]
    pub algorithm: ChecksumAlgorithm,
    /// The sum, in hexadecimal of either case.
    pub value: String,
}

impl Checksum {
    /// The checksum of `bytes`.
    #[must_use]
    pub fn of(algorithm: ChecksumAlgorithm, bytes: &[u8]) -> Self {
        let value = match algorithm {
            ChecksumAlgorithm::Crc32c => format!("{:08x}", crc32c(bytes)),
            ChecksumAlgorithm::Sha256 => hex(&Sha256::digest(bytes)),
        };
        Self { algorithm, value }
    }
}

/// `bytes` in lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;

    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes everything");
        text
    })
}

impl Attachment {
    /// An attachment that holds its bytes.
    pub fn bytes(id: impl Into<String>, media_type: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self {
            id: id.into(),
            media_type: Some(media_type.into()),
            size_bytes: Some(bytes.len() as u64),
            inline_bytes: Some(bytes),
            ..Self::default()
        }
    }

    /// An attachment whose bytes are where `uri` says.
    pub fn uri(id: impl Into<String>, media_type: impl Into<String>, uri: impl Into<String>) -> Self {
        Self { id: id.into(), media_type: Some(media_type.into()), uri: Some(uri.into()), ..Self::default() }
    }

    /// Adds the checksum of the bytes that it holds; one that holds none stays as it is.
    #[must_use]
    pub fn with_checksum(mut self, algorithm: ChecksumAlgorithm) -> Self {
        if let Some(bytes) = &self.inline_bytes {
            self.checksum = Some(Checksum::of(algorithm, bytes));
        }
        self
    }

    /// Whether it is what it says: content, size and checksum.
    ///
    /// # Errors
    /// [`EtherError::NoContent`], [`EtherError::TwoContents`], [`EtherError::WrongSize`],
    /// [`EtherError::WrongChecksum`]. Size and checksum of bytes that are elsewhere are not looked at.
    pub fn check(&self) -> Result<(), EtherError> {
        match (&self.uri, &self.inline_bytes) {
            (None, None) => return Err(EtherError::NoContent { id: self.id.clone() }),
            (Some(_), Some(bytes)) => {
                return Err(EtherError::TwoContents { id: self.id.clone(), len: bytes.len() });
            }
            _ => {}
        }
        self.check_bytes()
    }

    /// Whether the bytes that it holds, if any, have the size and the checksum that it says.
    pub(crate) fn check_bytes(&self) -> Result<(), EtherError> {
        let Some(bytes) = &self.inline_bytes else { return Ok(()) };
        if let Some(said) = self.size_bytes.filter(|said| *said != bytes.len() as u64) {
            return Err(EtherError::WrongSize { id: self.id.clone(), said, len: bytes.len() });
        }
        if let Some(checksum) = &self.checksum {
            let found = Checksum::of(checksum.algorithm, bytes).value;
            if !found.eq_ignore_ascii_case(&checksum.value) {
                return Err(EtherError::WrongChecksum {
                    id: self.id.clone(),
                    algorithm: checksum.algorithm,
                    said: checksum.value.clone(),
                    found,
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attachment_has_one_content_of_the_size_and_the_checksum_it_says() {
        let good = Attachment::bytes("a", "application/octet-stream", &b"123456789"[..]);
        for algorithm in [ChecksumAlgorithm::Crc32c, ChecksumAlgorithm::Sha256] {
            assert_eq!(good.clone().with_checksum(algorithm).check(), Ok(()));
        }
        let checksum = Checksum::of(ChecksumAlgorithm::Crc32c, b"123456789");
        assert_eq!(checksum.value, "e3069283");

        let upper = Checksum { value: "E3069283".to_owned(), ..checksum };
        assert_eq!(Attachment { checksum: Some(upper.clone()), ..good.clone() }.check(), Ok(()));
        let other = Attachment { inline_bytes: Some(Bytes::from_static(b"12345678!")), ..good.clone() };
        let wrong = Attachment { checksum: Some(upper), ..other }.check();
        assert!(matches!(wrong, Err(EtherError::WrongChecksum { .. })), "{wrong:?}");

        let wrong = Attachment { size_bytes: Some(8), ..good.clone() }.check();
        assert_eq!(wrong, Err(EtherError::WrongSize { id: "a".to_owned(), said: 8, len: 9 }));
        let both = Attachment { uri: Some(String::new()), ..good.clone() }.check();
        assert_eq!(both, Err(EtherError::TwoContents { id: "a".to_owned(), len: 9 }));
        let none = Attachment { inline_bytes: None, ..good }.check();
        assert_eq!(none, Err(EtherError::NoContent { id: "a".to_owned() }));
        let empty = Attachment { inline_bytes: Some(Bytes::new()), ..Attachment::default() };
        assert_eq!(empty.check(), Ok(()));
    }
}
