//! What came back: did the peer see the bytes that were sent?

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use strait::xcp::{BodyError, Dialect, Ether, Message, OCTETS};

use super::body;
use super::describe::Sum;
use super::names::codec_name;
use crate::escape::printable;

/// Most bytes of an answer that is shown.
const SHOWN: u64 = 64 << 10;

/// An answer, for a report.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Answer {
    pub(super) codec: String,
    pub(super) kind: Option<String>,
    pub(super) bytes: u64,
    pub(super) sha256: String,
    /// What a receipt says that the server saw.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) seen: Option<Seen>,
    /// What it says, if it is neither a receipt nor what was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) body: Option<Value>,
}

/// What a server says that came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Seen {
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

/// What was sent, as far as answers are compared with it.
#[derive(Clone, Debug)]
pub(super) struct Sent<'a> {
    pub(super) sum: &'a Sum,
    pub(super) ether: Option<&'a Ether>,
}

/// How an answer is related to what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    /// A receipt, which says whether the bytes were the same.
    Receipt { equal: bool },
    /// The same bytes, or the same ether.
    Echo,
    /// Something else.
    Other,
}

/// The body of an answer, read to its end: its digest, and all of it if it is not plain bytes.
///
/// # Errors
/// [`BodyError`].
pub(super) async fn read(message: &mut Message, limit: u64) -> Result<(Sum, Option<Bytes>), BodyError> {
    if message.is_stream() && message.codec() == OCTETS {
        let mut sum = Sum::default();
        while let Some(bytes) = message.next_chunk().await? {
            sum.add(&bytes);
        }
        return Ok((sum, None));
    }
    let bytes = body::whole(message, limit).await?;
    Ok((Sum::of(&bytes), Some(bytes)))
}

/// What an answer is.
pub(super) fn judge(
    message: &Message,
    sum: &Sum,
    bytes: Option<&Bytes>,
    dialect: Dialect,
    sent: &Sent<'_>,
) -> (Answer, Relation) {
    let ether = bytes.and_then(|bytes| body::ether(message, bytes, dialect).ok());
    let seen = ether.as_ref().filter(|ether| ether.kind == "receipt").and_then(seen);
    let equal = sum.sha256() == sent.sum.sha256();
    let relation = match &seen {
        Some(seen) => {
            let same = seen.sha256.eq_ignore_ascii_case(&sent.sum.sha256().to_string());
            Relation::Receipt { equal: same && seen.bytes == sent.sum.bytes() }
        }
        None if equal || (ether.is_some() && ether.as_ref() == sent.ether) => Relation::Echo,
        None => Relation::Other,
    };
    let shown = bytes.filter(|_| relation == Relation::Other && sum.bytes() <= SHOWN);
    let body = shown.map(|bytes| match serde_json::from_slice(bytes) {
        Ok(value) => value,
        Err(_) => Value::String(printable(bytes)),
    });
    let kind = ether.filter(|_| message.codec() != OCTETS).map(|ether| ether.kind);
    let answer = Answer {
        codec: codec_name(message.codec()),
        kind,
        bytes: sum.bytes(),
        sha256: sum.sha256().to_string(),
        seen,
        body,
    };
    (answer, relation)
}

fn seen(ether: &Ether) -> Option<Seen> {
    // Through Protobuf without marks every number is a text.
    let bytes = &ether.payload.get("bytes")?;
    let bytes = bytes.as_u64().or_else(|| bytes.as_str()?.parse().ok())?;
    let sha256 = ether.payload.get("sha256")?.as_str()?.to_owned();
    Some(Seen { bytes, sha256 })
}

impl Answer {
    /// The lines for people.
    pub(super) fn lines(&self) -> String {
        let kind = self.kind.as_ref().map(|kind| format!(", kind {}", printable(kind.as_bytes())));
        let mut text =
            format!("answer    {}{}, {} bytes\n", self.codec, kind.unwrap_or_default(), self.bytes);
        match &self.seen {
            Some(Seen { bytes, sha256 }) => {
                text += &format!("seen      {bytes} bytes\nseen      {}\n", printable(sha256.as_bytes()));
            }
            None => text += &format!("returned  {}\n", self.sha256),
        }
        if let Some(body) = &self.body {
            text += &match body {
                Value::String(printed) => format!("{printed}\n"),
                json => format!("{}\n", printable(json.to_string().as_bytes())),
            };
        }
        text
    }
}
