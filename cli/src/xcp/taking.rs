//! What does the server do with one message: takes it, writes it, answers it, says what it was?

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use serde::Serialize;
use strait::codec::Tensor;
use strait::xcp::{
    BodyError, BodyWriter, CodecId, Connection, ErrorCode, Ether, Message, MsgType, OCTETS, SendError, Tags,
};
use tokio::sync::Notify;

use super::body;
use super::describe::{self, Sum, TensorFacts};
use super::names::codec_name;
use super::npy;
use super::output::{self, Folder};
use crate::escape::printable;
use crate::report;

/// Messages of a connection that are read as they come at once.
const STREAMS: usize = 16;

/// What is done with every message.
#[derive(Debug)]
pub(super) struct Taking {
    /// Whether messages are sent back, and not acknowledged by their digest.
    pub(super) echo: bool,
    /// Whether they are sent back without being decoded.
    pub(super) raw: bool,
    /// Where bodies are written.
    pub(super) output: Option<Folder>,
    /// Longest body to hold.
    pub(super) limit: u64,
    /// Whether each message is told of, on standard output.
    pub(super) told: Option<Form>,
    /// Messages to take; 0 is no limit.
    pub(super) count: u64,
    pub(super) taken: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) bytes: AtomicU64,
    /// As many as asked for were taken.
    pub(super) done: Notify,
}

/// How messages are told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Line,
    Json,
}

/// Report of one message.
#[derive(Debug, Serialize)]
struct Taken {
    operation: &'static str,
    peer: String,
    channel: u32,
    id: u64,
    codec: String,
    kind: Option<String>,
    bytes: u64,
    sha256: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tensors: Vec<TensorFacts>,
    streamed: bool,
    /// With what is not UTF-8 replaced: JSON has no other texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
}

/// Why a message was not taken: what is said of it here, and to the peer if it does not know.
struct Refusal(String, Option<ErrorCode>);

impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Self {
        Self(error.to_string(), error.code())
    }
}

impl From<SendError> for Refusal {
    fn from(error: SendError) -> Self {
        let code = error.code();
        let gone = matches!(error, SendError::Closed { .. } | SendError::Refused | SendError::Nack { .. });
        Self(format!("the answer was not sent: {error}"), (!gone).then_some(code))
    }
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        let code = match error.kind() {
            // It will be the same the next time.
            std::io::ErrorKind::InvalidData => ErrorCode::ERR_MALFORMED,
            _ => ErrorCode::ERR_BUSY,
        };
        Self(error.to_string(), Some(code))
    }
}

impl Taking {
    /// Takes the messages of a connection until it is over.
    pub(super) async fn run(self: Arc<Self>, connection: Connection) {
        let streams = Arc::new(tokio::sync::Semaphore::new(STREAMS));
        while let Some(message) = connection.recv().await {
            if message.msg_type() != MsgType::DATA {
                tracing::debug!(peer = connection.peer(), msg_type = %message.msg_type(), "not answered");
                continue;
            }
            if message.is_stream() {
                // Others are answered meanwhile.
                let Ok(permit) = streams.clone().acquire_owned().await else { return };
                let (taking, connection) = (self.clone(), connection.clone());
                tokio::spawn(async move {
                    taking.take(&connection, message).await;
                    drop(permit);
                });
            } else {
                // One after another: answers are in the order of their requests.
                self.take(&connection, message).await;
            }
        }
    }

    async fn take(&self, connection: &Connection, mut message: Message) {
        let streamed = message.is_stream();
        let outcome = if streamed && message.codec() == OCTETS {
            self.stream(connection, &mut message).await
        } else {
            self.whole(connection, &mut message).await
        };
        match outcome {
            Ok(taken) => {
                // Relaxed, here and below: numbers for a report, nothing ordered by them.
                self.bytes.fetch_add(taken.bytes, Ordering::Relaxed);
                self.tell(&taken);
                let count = self.taken.fetch_add(1, Ordering::Relaxed) + 1;
                if count == self.count {
                    // Who is gone has no use for its answer.
                    let _ = connection.flush().await;
                    self.done.notify_one();
                }
            }
            Err(Refusal(why, code)) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                let (peer, channel, id) = (connection.peer(), message.channel(), message.id());
                tracing::info!(peer, channel, id, %why, "message refused");
                if let Some(code) = code {
                    connection.refuse(&message, code);
                }
            }
        }
    }

    /// Takes a message that is held whole.
    async fn whole(&self, connection: &Connection, message: &mut Message) -> Result<Taken, Refusal> {
        let streamed = message.is_stream();
        let bytes = body::whole(message, self.limit).await?;
        let mut ether = None;
        if !self.raw {
            let decoded = body::ether(message, &bytes, connection.dialect());
            let decoded = decoded.map_err(|error| Refusal(error.to_string(), Some(error.code())))?;
            connection.span(message, &decoded).in_scope(|| tracing::debug!("message decoded"));
            ether = Some(decoded);
        }
        let sum = Sum::of(&bytes);
        check(message.tags(), &sum)?;
        let path = match &self.output {
            None => None,
            Some(folder) => {
                let mut file = folder.create(&self.name(message, &bytes))?;
                file.write(&content(message.codec(), &bytes)?).await?;
                Some(file.finish().await?)
            }
        };
        if self.echo {
            let mut reply = connection.reply_body(message, message.codec(), bytes);
            // Python's implementation drops both.
            if !connection.dialect().is_strict() {
                if let Some(key) = message.schema_key() {
                    reply = reply.schema_key(*key);
                }
                for (key, value) in message.tags().iter().filter(|(key, _)| *key != Tags::ACK) {
                    reply = reply.tag(key, value);
                }
            }
            reply.await?;
        } else {
            connection.reply(message, &receipt(&sum)).await?;
        }
        let kind = ether.as_ref().filter(|_| message.codec() != OCTETS).map(|ether| ether.kind.clone());
        Ok(Taken {
            kind,
            tensors: ether.as_ref().map(describe::tensors).unwrap_or_default(),
            ..facts(connection, message, &sum, streamed, path)
        })
    }

    /// Takes plain bytes as they come.
    async fn stream(&self, connection: &Connection, message: &mut Message) -> Result<Taken, Refusal> {
        let mut file = match &self.output {
            None => None,
            Some(folder) => Some(folder.create(&self.name(message, &Bytes::new()))?),
        };
        let mut back: Option<BodyWriter> = None;
        if self.echo {
            let tags: Vec<(&str, &str)> =
                message.tags().iter().filter(|(key, _)| *key != Tags::ACK).collect();
            back = Some(connection.reply_stream(message, OCTETS, &tags).await?);
        }
        let mut sum = Sum::default();
        while let Some(bytes) = message.next_chunk().await? {
            sum.add(&bytes);
            if let Some(file) = &mut file {
                file.write(&bytes).await?;
            }
            if let Some(back) = &mut back {
                back.write(bytes).await?;
            }
        }
        check(message.tags(), &sum)?;
        let path = match file {
            None => None,
            Some(file) => Some(file.finish().await?),
        };
        match back {
            Some(back) => back.finish().await?,
            None => connection.reply(message, &receipt(&sum)).await?,
        };
        Ok(facts(connection, message, &sum, true, path))
    }

    /// The file that a body is written to.
    fn name(&self, message: &Message, body: &Bytes) -> String {
        let named = message.tags().get("name").and_then(output::sanitized);
        if let (OCTETS, Some(name)) = (message.codec(), &named) {
            // A file is called as its sender calls it.
            return name.clone();
        }
        let name = named.unwrap_or_else(|| format!("message-{}", self.taken.load(Ordering::Relaxed) + 1));
        let extension = match message.codec() {
            codec if body::is_tensor(codec) => "npy",
            CodecId::JSON => "json",
            CodecId::PROTOBUF if describe::is_json(body) => "json",
            _ => "bin",
        };
        format!("{name}.{extension}")
    }

    fn tell(&self, taken: &Taken) {
        let Some(form) = self.told else { return };
        let text = match form {
            // Numbers and texts: they are always JSON.
            Form::Json => serde_json::to_string(taken).unwrap_or_default() + "\n",
            Form::Line => line(taken),
        };
        if let Err(failure) = report::print(&text) {
            report::complain(failure.message);
        }
    }
}

/// What a file of a body holds.
fn content(codec: CodecId, body: &Bytes) -> Result<Bytes, Refusal> {
    if !body::is_tensor(codec) {
        return Ok(body.clone());
    }
    let malformed =
        |error: strait_core::xcp::TensorError| Refusal(error.to_string(), Some(ErrorCode::ERR_MALFORMED));
    Ok(npy::file_of(&Tensor::decode(codec, body).map_err(malformed)?)?)
}

/// Whether the bytes are those that the sender meant.
fn check(tags: &Tags, sum: &Sum) -> Result<(), Refusal> {
    let found = sum.sha256().to_string();
    match tags.get("sha256").filter(|said| !said.eq_ignore_ascii_case(&found)) {
        None => Ok(()),
        Some(said) => {
            let why = format!("the SHA-256 is {found}, the sender says {}", printable(said.as_bytes()));
            Err(Refusal(why, Some(ErrorCode::ERR_MALFORMED)))
        }
    }
}

/// The answer that says what came.
fn receipt(sum: &Sum) -> Ether {
    Ether::new("receipt", 1).payload("bytes", sum.bytes()).payload("sha256", sum.sha256().to_string())
}

fn facts(
    connection: &Connection,
    message: &Message,
    sum: &Sum,
    streamed: bool,
    path: Option<PathBuf>,
) -> Taken {
    Taken {
        operation: "xcp-message",
        peer: connection.peer().to_owned(),
        channel: message.channel(),
        id: message.id(),
        codec: codec_name(message.codec()),
        kind: None,
        bytes: sum.bytes(),
        sha256: sum.sha256().to_string(),
        tensors: Vec::new(),
        streamed,
        path: path.map(|path| path.display().to_string()),
    }
}

fn line(taken: &Taken) -> String {
    let Taken { peer, channel, id, codec, bytes, sha256, .. } = taken;
    let kind = taken.kind.as_ref().map(|kind| format!(" kind {}", printable(kind.as_bytes())));
    let tensors: String = taken.tensors.iter().map(|tensor| format!(" {tensor}")).collect();
    let path = taken.path.as_ref().map(|path| format!(" -> {path}"));
    format!(
        "{peer} channel {channel} id {id} {codec}{}{tensors} {bytes} bytes sha256 {sha256}{}\n",
        kind.unwrap_or_default(),
        path.unwrap_or_default()
    )
}
