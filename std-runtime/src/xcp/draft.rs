//! A message before it is sent: what is in it, how it is encoded, what its header says.

use bytes::Bytes;
use strait_core::xcp::{CodecId, FrameHeader, MsgType, Tags};

use super::Ether;
use super::connection::DEFAULT_CHANNEL;
use super::engine::Peer;
use super::error::SendError;
use super::message::Message;
use super::options::{Options, is_of};
use crate::codec::{header_facts, kind_key};

/// What is sent.
#[derive(Clone, Debug)]
pub(crate) enum Payload {
    Ether(Box<Ether>),
    Body(CodecId, Bytes),
}

/// A message before it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    payload: Payload,
    /// Boxed: drafts are moved about, and a header has some 600 bytes.
    pub(crate) header: Box<FrameHeader>,
    /// The encoding, if it was chosen.
    pub(crate) codec: Option<CodecId>,
    /// The encoding, if it can be.
    pub(crate) preferred: Option<CodecId>,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) acknowledged: bool,
}

impl Draft {
    pub(crate) fn new(payload: Payload) -> Self {
        Self {
            payload,
            header: Box::new(FrameHeader::new(MsgType::DATA, DEFAULT_CHANNEL, 0)),
            codec: None,
            preferred: None,
            tags: Vec::new(),
            acknowledged: false,
        }
    }

    pub(crate) fn ether(ether: &Ether) -> Self {
        Self::new(Payload::Ether(Box::new(ether.clone())))
    }

    pub(crate) fn body(codec: CodecId, body: impl Into<Bytes>) -> Self {
        Self::new(Payload::Body(codec, body.into()))
    }

    /// Makes it the answer to a message: on its channel, and in its encoding if that can be.
    pub(crate) fn answering(mut self, to: &Message) -> Self {
        self.header.channel = to.channel();
        self.header.in_reply_to = to.id();
        self.preferred = Some(to.codec());
        self
    }

    /// Chooses the encoding, encodes, and writes the header's tags. Of a body as it is nothing depends on the peer.
    pub(crate) fn encode(
        &mut self,
        peer: impl FnOnce() -> Peer,
        options: &Options,
    ) -> Result<Bytes, SendError> {
        let body = match &self.payload {
            Payload::Body(codec, bytes) => {
                self.header.codec = *codec;
                bytes.clone()
            }
            Payload::Ether(ether) => {
                let Peer { codecs, accepts, registry } = peer();
                let mirrors = |codec: &CodecId| {
                    codecs.contains(codec)
                        && registry.get(*codec).is_some_and(|found| found.carries(ether).is_ok())
                };
                let codec = match self.codec.or_else(|| self.preferred.filter(mirrors)) {
                    Some(codec) => codec,
                    None => options.policy.choose(ether, &codecs, &registry, &options.sizes)?,
                };
                self.header.codec = codec;
                let mut body = Vec::new();
                registry.encode(codec, ether, &mut body)?;
                if !matches!(codec, CodecId::JSON | CodecId::PROTOBUF) {
                    // The body does not say of which kind it is: the header must.
                    let (key, tags) = header_facts(ether, codec)?;
                    self.header.schema_key.get_or_insert(key);
                    for (key, value) in tags.iter() {
                        self.header.tags.push(key, value)?;
                    }
                } else if !accepts.is_empty() {
                    // So that the peer can refuse it before it reads it, and we before it is sent.
                    let mut key = kind_key(ether);
                    // An ether has no minor version: any of those that are taken.
                    let taken = accepts.iter().find(|range| is_of(range, &key));
                    key.minor = taken.map_or(0, |range| range.min_minor);
                    self.header.schema_key.get_or_insert(key);
                }
                body.into()
            }
        };
        for (key, value) in &self.tags {
            self.header.tags.push(key, value)?;
        }
        if self.acknowledged {
            self.header.tags.push(Tags::ACK, "1")?;
        }
        Ok(body)
    }
}
