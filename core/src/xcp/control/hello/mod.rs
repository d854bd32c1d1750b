//! What can a side do? The body of HELLO, and of the CAPS that answers it.

mod json;
mod protobuf;
#[cfg(all(test, not(loom)))]
mod tests;

use heapless::{String, Vec};

use super::kinds::{KINDS, KindRange};
use super::{Body, ControlError, Extensions};
use crate::xcp::numbers::{CodecId, DEFAULT_MAX_FRAME, Flags};

/// Codecs in a list at most.
pub const CODECS: usize = 16;
/// Bytes of the name of a key at most.
pub const KEY_ID_BYTES: usize = 64;

/// What a side can do.
///
/// | JSON, in this order | Protobuf field | written | missing |
/// |---|---|---|---|
/// | `codecs`: numbers | 1, packed | always | none |
/// | `max_frame_bytes`, read also as `max_frame` | 2 | always | [`DEFAULT_MAX_FRAME`] |
/// | `shared_mem` | 5 | always | no |
/// | `accepts`: objects, see [`KindRange`] | 3 | always | any kind |
/// | `emits`: the same | 4 | always | any kind |
/// | `features`: bits of [`Flags`] | 100 | unless 0 | none |
/// | `features_ext`: names, see [`Extensions`] | 101, text, repeated | unless none | none |
/// | `version`: `"0.2"` | 102, text | if set | not said |
/// | `crypt`: `{"kid":"…","random":"<32 hexadecimal digits>"}` | 103 text, 104 bytes | if set | no offer |
///
/// "Always" is about JSON: in Protobuf empty lists and `false` are said by leaving them out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// How bodies may be encoded that are sent to it. When read: each once, and of more than there is room for those
    /// without a name go first.
    pub codecs: Vec<CodecId, CODECS>,
    /// Longest frame that it takes, bytes, MAGIC to checksum. A larger number than this type has is read as its
    /// largest.
    pub max_frame: u32,
    /// Whether it maps shared memory of this host.
    pub shared_mem: bool,
    /// Which kinds of messages it takes; empty is any.
    pub accepts: Vec<KindRange, KINDS>,
    /// Which kinds of messages it sends; empty is any.
    pub emits: Vec<KindRange, KINDS>,
    /// Which bits of a frame's flags it reads. Bits without a meaning are neither written nor read.
    pub features: Flags,
    /// Which additions to the protocol it knows.
    pub extensions: Extensions,
    /// Major and minor number of the protocol that it speaks, if it says so. Anything else but two numbers of 8 bits is
    /// read as not said: the key is not the specification's, and a peer may mean something else by it.
    pub version: Option<(u8, u8)>,
    /// What it brings to sealed messages, if it knows a key.
    pub crypt: Option<CryptOffer>,
}

/// One side's part in the keys of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CryptOffer {
    /// Which of the keys that both sides share: its name.
    pub key_id: String<KEY_ID_BYTES>,
    /// New for every connection.
    pub random: [u8; 16],
}

impl Default for Hello {
    /// What a body without any key says.
    fn default() -> Self {
        Self {
            codecs: Vec::new(),
            max_frame: DEFAULT_MAX_FRAME,
            shared_mem: false,
            accepts: Vec::new(),
            emits: Vec::new(),
            features: Flags::NONE,
            extensions: Extensions::NONE,
            version: None,
            crypt: None,
        }
    }
}

impl Hello {
    /// A buffer of that many bytes has room for any body, in either encoding.
    pub const MAX_BODY: usize = 4096;

    /// Reads a body that is encoded as `codec`, or as JSON if it begins with a brace.
    ///
    /// # Errors
    /// - [`ControlError::Codec`] for another codec than JSON and PROTOBUF;
    /// - [`ControlError::Json`] and [`ControlError::Protobuf`] if it is not encoded so;
    /// - [`ControlError::Malformed`] if a value is of another type, or half of an offer to seal is missing;
    /// - [`ControlError::TooLarge`] for numbers that are too large;
    /// - [`ControlError::TooMany`] for more than [`KINDS`] kinds in a list;
    /// - [`ControlError::TooLong`] for a key's name of more than [`KEY_ID_BYTES`] bytes.
    pub fn read(codec: CodecId, body: &[u8]) -> Result<Self, ControlError> {
        match Body::new(codec, body)? {
            Body::Json(json) => json::read(json),
            Body::Protobuf(fields) => protobuf::read(fields),
        }
    }

    /// Writes it as JSON to the start of `out`: how many bytes it takes.
    ///
    /// # Errors
    /// [`ControlError::NoRoom`] if `out` is too short. What is in `out` is undefined then.
    pub fn write_json(&self, out: &mut [u8]) -> Result<usize, ControlError> {
        json::write(self, out)
    }

    /// Writes it as Protobuf to the start of `out`: how many bytes it takes.
    ///
    /// # Errors
    /// [`ControlError::NoRoom`] if `out` is too short. What is in `out` is undefined then.
    pub fn write_protobuf(&self, out: &mut [u8]) -> Result<usize, ControlError> {
        protobuf::write(self, out)
    }
}

/// Adds a codec that a peer can read, unless there is no room for it.
///
/// Codecs with a name always have room: there are fewer than [`CODECS`], and one without gives way.
fn keep(codecs: &mut Vec<CodecId, CODECS>, codec: CodecId) {
    if codecs.contains(&codec) || codecs.push(codec).is_ok() || codec.name().is_none() {
        return;
    }
    if let Some(nameless) = codecs.iter().rposition(|each| each.name().is_none()) {
        codecs.remove(nameless);
        let _ = codecs.push(codec);
    }
}

/// The bits that have a meaning here, of as many as a peer may say.
fn features(bits: u64) -> Flags {
    Flags(bits.to_le_bytes()[0]).intersection(Flags::ALL)
}

/// The largest frame, if a peer says more than 32 bits do.
fn max_frame(bytes: u64) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// The two numbers in `"0.2"`.
fn version(text: &str) -> Option<(u8, u8)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// The offer that its two parts are.
fn offer(
    key_id: Option<String<KEY_ID_BYTES>>,
    random: Option<[u8; 16]>,
    at: usize,
) -> Result<Option<CryptOffer>, ControlError> {
    match (key_id, random) {
        (None, None) => Ok(None),
        (Some(key_id), Some(random)) => Ok(Some(CryptOffer { key_id, random })),
        _ => Err(ControlError::Malformed { what: "an offer with kid and random", at }),
    }
}
