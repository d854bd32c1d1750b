//! What ethers of the known kinds hold: text, tokens, embedding, image.
//!
//! Written as MaiEther's schemas have them; read also as the Python implementation of XCP names them.

use bytes::Bytes;
use serde_json::{Map, Value};

use super::error::EtherError;
use super::value::{NonFinite, bytes_of, number_of, numbers_value};
use super::{Attachment, Ether};

/// What an ether of kind `tokens` holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// Numbers of the tokens.
    pub ids: Vec<u32>,
    /// Which of them count, as many as there are tokens.
    pub mask: Option<Vec<bool>>,
    /// The vocabulary.
    pub vocab: Option<String>,
}

/// What an ether of kind `embedding` holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedding {
    /// How many values it has.
    pub dim: u64,
    /// The values, if they stand in the payload and not in an attachment.
    pub values: Option<Vec<f32>>,
}

/// What an ether of kind `image` holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Rows.
    pub height: u32,
    /// Columns.
    pub width: u32,
    /// Values per pixel.
    pub channels: u32,
    /// The image.
    pub data: Bytes,
    /// What `data` is, as MIME has it, if it is said.
    pub media_type: Option<String>,
}

/// Name of the attachment with an image's bytes.
const IMAGE: &str = "image";

impl Ether {
    /// A text.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::new("text", 1).payload("text", text)
    }

    /// The text of an ether of kind `text`.
    ///
    /// # Errors
    /// [`EtherError::WrongKind`], [`EtherError::Missing`], [`EtherError::WrongType`].
    pub fn as_text(&self) -> Result<&str, EtherError> {
        self.require_kind("text")?;
        let text = field(&self.payload, &["text"], "payload.text")?;
        text.as_str().ok_or(EtherError::WrongType { path: "payload.text", wanted: "a text" })
    }

    /// Tokens of a vocabulary. Without a mask, all of them count.
    ///
    /// # Errors
    /// [`EtherError::WrongCount`] if there are not as many tokens as places of the mask.
    pub fn tokens(ids: &[u32], mask: Option<&[bool]>, vocab: &str) -> Result<Self, EtherError> {
        let mask: Vec<u8> = match mask {
            Some(mask) if mask.len() != ids.len() => {
                let (len, said) = (mask.len(), ids.len() as u64);
                return Err(EtherError::WrongCount { path: "payload.mask", len, said });
            }
            Some(mask) => mask.iter().map(|counts| u8::from(*counts)).collect(),
            None => vec![1; ids.len()],
        };
        Ok(Self::new("tokens", 1).payload("ids", ids).payload("mask", mask).metadata("vocab", vocab))
    }

    /// The tokens of an ether of kind `tokens`.
    ///
    /// # Errors
    /// [`EtherError::WrongKind`], [`EtherError::Missing`], [`EtherError::WrongType`], [`EtherError::WrongCount`].
    pub fn as_tokens(&self) -> Result<Tokens, EtherError> {
        self.require_kind("tokens")?;
        let wrong = EtherError::WrongType { path: "payload.ids", wanted: "a list of 32-bit numbers" };
        let ids = field(&self.payload, &["ids", "token_ids"], "payload.ids")?;
        let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
        let ids: Option<Vec<u32>> = ids.as_array().and_then(|ids| ids.iter().map(id).collect());
        let ids = ids.ok_or(wrong)?;
        let counts = |value: &Value| value.as_bool().or_else(|| value.as_u64().map(|number| number != 0));
        let mask = match self.payload.get("mask").filter(|mask| !mask.is_null()) {
            None => None,
            Some(mask) => {
                let mask: Option<Vec<bool>> =
                    mask.as_array().and_then(|mask| mask.iter().map(counts).collect());
                let wrong = EtherError::WrongType { path: "payload.mask", wanted: "a list of 0 and 1" };
                Some(mask.ok_or(wrong)?)
            }
        };
        if let Some(mask) = mask.as_ref().filter(|mask| mask.len() != ids.len()) {
            let (len, said) = (mask.len(), ids.len() as u64);
            return Err(EtherError::WrongCount { path: "payload.mask", len, said });
        }
        let vocab = self.metadata.get("vocab").and_then(Value::as_str).map(str::to_owned);
        Ok(Tokens { ids, mask, vocab })
    }

    /// A vector of numbers, in the payload. Many numbers stand better in a tensor that is attached.
    ///
    /// # Errors
    /// [`EtherError::NotFinite`] for NaN and infinities; with [`numbers_value`] they can be replaced.
    pub fn embedding(values: &[f32]) -> Result<Self, EtherError> {
        let numbers = numbers_value(values, NonFinite::Refuse)?;
        Ok(Self::new("embedding", 1).payload("values", numbers).payload("dim", values.len()))
    }

    /// The vector of an ether of kind `embedding`.
    ///
    /// # Errors
    /// [`EtherError::WrongKind`], [`EtherError::Missing`], [`EtherError::WrongType`], [`EtherError::WrongCount`].
    pub fn as_embedding(&self) -> Result<Embedding, EtherError> {
        self.require_kind("embedding")?;
        let dim = field(&self.payload, &["dim"], "payload.dim")?;
        let dim = dim.as_u64().ok_or(EtherError::WrongType { path: "payload.dim", wanted: "a number" })?;
        let values = match self.payload.get("values") {
            None | Some(Value::Null) => None,
            Some(values) => {
                #[expect(clippy::cast_possible_truncation, reason = "to the nearest 32-bit number")]
                let one = |value: &Value| number_of(value).map(|number| number as f32);
                let values: Option<Vec<f32>> =
                    values.as_array().and_then(|values| values.iter().map(one).collect());
                let wrong = EtherError::WrongType { path: "payload.values", wanted: "a list of numbers" };
                Some(values.ok_or(wrong)?)
            }
        };
        if let Some(values) = values.as_ref().filter(|values| values.len() as u64 != dim) {
            return Err(EtherError::WrongCount { path: "payload.values", len: values.len(), said: dim });
        }
        Ok(Embedding { dim, values })
    }

    /// An image, its bytes as an attachment called `image`.
    #[must_use]
    pub fn image(height: u32, width: u32, channels: u32, media_type: &str, data: impl Into<Bytes>) -> Self {
        Self::new("image", 1)
            .payload("height", height)
            .payload("width", width)
            .payload("channels", channels)
            .attach(Attachment::bytes(IMAGE, media_type, data))
    }

    /// The image of an ether of kind `image`: its bytes from the attachment called `image`, or else the first that holds
    /// bytes, or else from `payload.data`.
    ///
    /// # Errors
    /// [`EtherError::WrongKind`], [`EtherError::Missing`], [`EtherError::WrongType`].
    pub fn as_image(&self) -> Result<Image, EtherError> {
        self.require_kind("image")?;
        let attached = self.attachment(IMAGE).into_iter().chain(&self.attachments);
        let attached = attached.filter_map(|attachment| Some((attachment, attachment.inline_bytes.clone()?)));
        let (data, media_type) = match attached.into_iter().next() {
            Some((attachment, data)) => (data, attachment.media_type.clone()),
            None => {
                let value = field(&self.payload, &["data"], "payload.data")?;
                let wrong = EtherError::WrongType { path: "payload.data", wanted: "bytes" };
                (Bytes::from(bytes_of(value).ok_or(wrong)?), None)
            }
        };
        Ok(Image {
            height: self.number("height", "payload.height")?,
            width: self.number("width", "payload.width")?,
            channels: self.number("channels", "payload.channels")?,
            data,
            media_type,
        })
    }

    fn require_kind(&self, wanted: &'static str) -> Result<(), EtherError> {
        if self.kind == wanted {
            return Ok(());
        }
        Err(EtherError::WrongKind { wanted, found: self.kind.clone() })
    }

    fn number(&self, key: &'static str, path: &'static str) -> Result<u32, EtherError> {
        let value = field(&self.payload, &[key], path)?.as_u64();
        value
            .and_then(|number| u32::try_from(number).ok())
            .ok_or(EtherError::WrongType { path, wanted: "a 32-bit number" })
    }
}

/// The first of `keys` that is there.
fn field<'m>(
    members: &'m Map<String, Value>,
    keys: &[&str],
    path: &'static str,
) -> Result<&'m Value, EtherError> {
    keys.iter().find_map(|key| members.get(*key)).ok_or(EtherError::Missing { path })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::bytes_value;
    use super::*;

    #[test]
    fn what_a_kind_was_made_of_is_read_back() {
        assert_eq!(Ether::text("ä").as_text(), Ok("ä"));
        let tokens = Ether::tokens(&[7, u32::MAX], Some(&[true, false]), "bpe").unwrap();
        assert_eq!(tokens.payload["mask"], json!([1, 0]));
        let read = tokens.as_tokens().unwrap();
        assert_eq!((read.ids, read.mask), (vec![7, u32::MAX], Some(vec![true, false])));
        assert_eq!(read.vocab.as_deref(), Some("bpe"));
        let embedding = Ether::embedding(&[0.1, -2.5]).unwrap();
        let read = embedding.as_embedding();
        assert_eq!(read, Ok(Embedding { dim: 2, values: Some(vec![0.1, -2.5]) }));
        let image = Ether::image(2, 3, 1, "image/raw", &b"123456"[..]).as_image().unwrap();
        assert_eq!((image.height, image.width, image.channels), (2, 3, 1));
        assert_eq!((&image.data[..], image.media_type.as_deref()), (&b"123456"[..], Some("image/raw")));
    }

    #[test]
    fn python_names_are_read() {
        let tokens =
            Ether::new("tokens", 1).payload("token_ids", vec![1, 2]).payload("mask", vec![true, false]);
        assert_eq!(tokens.as_tokens().unwrap().mask, Some(vec![true, false]));
        let image = Ether::new("image", 1).payload("height", 1).payload("width", 1).payload("channels", 3);
        let image = image.payload("data", bytes_value(b"rgb"));
        assert_eq!(&image.as_image().unwrap().data[..], b"rgb");
    }

    #[test]
    fn what_is_missing_or_does_not_agree_is_named() {
        let text = Ether::text("a");
        let wrong = EtherError::WrongKind { wanted: "image", found: "text".to_owned() };
        assert_eq!(text.as_image(), Err(wrong));
        assert_eq!(Ether::new("text", 1).as_text(), Err(EtherError::Missing { path: "payload.text" }));
        let wrong = EtherError::WrongType { path: "payload.text", wanted: "a text" };
        assert_eq!(Ether::new("text", 1).payload("text", 1).as_text(), Err(wrong));
        let short = Ether::new("embedding", 1).payload("dim", 3).payload("values", vec![1.0]);
        let wrong = EtherError::WrongCount { path: "payload.values", len: 1, said: 3 };
        assert_eq!(short.as_embedding(), Err(wrong));
        assert!(Ether::tokens(&[1], Some(&[]), "v").is_err());
        let elsewhere = Ether::new("embedding", 1).payload("dim", 3).payload("values", Value::Null);
        assert_eq!(elsewhere.as_embedding(), Ok(Embedding { dim: 3, values: None }));
    }
}
