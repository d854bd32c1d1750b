//! A message that came: what its header says, and its body.

use std::sync::Arc;

use bytes::Bytes;
use strait_core::xcp::connection::MessageKey;
use strait_core::xcp::{CodecId, FrameHeader, MsgType, SchemaKey, Tags};

use super::engine::Pipe;
use super::options::Options;
use super::unpack::Unpack;
use super::{Ether, OCTETS};
use crate::codec::{DecodeContext, DecodeError, DecodeLimits, Registry};

/// The body of a message: whole, or as it comes.
#[derive(Debug)]
pub(crate) enum Body {
    Whole(Bytes),
    /// As it comes, compressed or not.
    Stream(Arc<Pipe>, Option<Box<Unpack>>),
}

/// A message that came, unpacked and opened.
#[derive(Debug)]
pub struct Message {
    header: Box<FrameHeader>,
    body: Body,
    registry: Arc<Registry>,
    /// What its ether must be, and how long it may be.
    options: Arc<Options>,
}

impl Message {
    pub(crate) fn new(
        header: Box<FrameHeader>,
        body: Body,
        registry: Arc<Registry>,
        options: Arc<Options>,
    ) -> Self {
        Self { header, body, registry, options }
    }

    /// Everything that the header says.
    pub fn header(&self) -> &FrameHeader {
        &self.header
    }

    /// The channel it came on.
    pub fn channel(&self) -> u32 {
        self.header.channel
    }

    /// Its number in its direction; 0 if it has none.
    pub fn id(&self) -> u64 {
        self.header.msg_id
    }

    /// The number of our message that it answers; 0 if none.
    pub fn in_reply_to(&self) -> u64 {
        self.header.in_reply_to
    }

    /// What it is for: [`MsgType::DATA`] mostly.
    pub fn msg_type(&self) -> MsgType {
        self.header.msg_type
    }

    /// How its body is encoded.
    pub fn codec(&self) -> CodecId {
        self.header.codec
    }

    /// The schema that it names.
    pub fn schema_key(&self) -> Option<&SchemaKey> {
        self.header.schema_key.as_ref()
    }

    /// Its key-value pairs.
    pub fn tags(&self) -> &Tags {
        &self.header.tags
    }

    /// Whether its body is read as it comes.
    pub fn is_stream(&self) -> bool {
        matches!(self.body, Body::Stream(..))
    }

    /// Its body as it was encoded; empty if it is read as it comes.
    pub fn body(&self) -> &Bytes {
        static NONE: Bytes = Bytes::new();
        match &self.body {
            Body::Whole(bytes) => bytes,
            Body::Stream(..) => &NONE,
        }
    }

    /// Its body decoded.
    ///
    /// # Errors
    /// [`DecodeError`]; its [`code`](DecodeError::code) is what the peer should be told. [`DecodeError::Streamed`] of a body
    /// that is read as it comes: [`Connection::collect`](super::Connection::collect) makes it whole.
    pub fn ether(&self) -> Result<Ether, DecodeError> {
        if self.is_stream() {
            return Err(DecodeError::Streamed);
        }
        if self.codec() == OCTETS {
            return Ok(octets(self));
        }
        let body = usize::try_from(self.limit()).unwrap_or(usize::MAX);
        let limits = DecodeLimits { body, ..DecodeLimits::default() };
        let ether =
            self.registry.decode(self.codec(), self.body(), &DecodeContext::of(&self.header, limits))?;
        self.options.admit(&ether)?;
        Ok(ether)
    }

    pub(crate) fn key(&self) -> MessageKey {
        MessageKey { channel: self.channel(), msg_id: self.id() }
    }

    /// What is read as it comes.
    pub(crate) fn streamed(&mut self) -> Option<(&Pipe, Option<&mut Unpack>)> {
        match &mut self.body {
            Body::Stream(pipe, unpack) => Some((pipe, unpack.as_deref_mut())),
            Body::Whole(_) => None,
        }
    }

    /// The same message with its body.
    pub(crate) fn with_body(mut self, body: Bytes) -> Self {
        self.body = Body::Whole(body);
        self
    }

    /// Takes the whole body, once.
    pub(crate) fn take_body(&mut self) -> Option<Bytes> {
        match &mut self.body {
            Body::Whole(bytes) => Some(std::mem::take(bytes)),
            Body::Stream(..) => None,
        }
    }

    /// Bytes that it keeps in memory, but for those of a body that is read as it comes.
    pub(crate) fn held(&self) -> usize {
        self.body().len() + size_of::<Self>() + size_of::<FrameHeader>()
    }

    pub(crate) fn limit(&self) -> u64 {
        self.options.max_message
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        if let Body::Stream(pipe, _) = &self.body {
            pipe.abandon();
        }
    }
}

/// Plain bytes as an ether: one attachment with the media type that a tag says.
fn octets(message: &Message) -> Ether {
    let media_type = message.tags().get(Tags::MEDIA_TYPE).unwrap_or("application/octet-stream");
    let id = message.tags().get("name").unwrap_or("body");
    Ether::new("octets", 1).attach(super::Attachment::bytes(id, media_type, message.body().clone()))
}
