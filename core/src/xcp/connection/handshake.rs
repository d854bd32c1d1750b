//! What HELLO and its answer lead to: the dialect, and what both ends can do.

use heapless::Vec;

use super::super::control::{Extensions, Hello};
use super::super::dialect::{CrcOrder, Dialect, HeaderFormat, Numbering};
use super::super::numbers::{CodecId, ErrorCode, Flags, MsgType};
use super::{Agreed, Answer, CloseReason, Connection, Event, Phase, Side};
use crate::crc32c::Checksum;
use crate::time::Instant;
use crate::xcp::connection::Protection;

impl<C, P, const HEADER: usize, const CONTROL: usize, const MESSAGES: usize>
    Connection<C, P, HEADER, CONTROL, MESSAGES>
where
    C: Checksum,
    P: Protection,
{
    /// Takes the first frame of the peer, which came whole.
    pub(super) fn first_frame(&mut self, now: Instant, computed: u32, trailer: [u8; 4]) -> Event<'static> {
        let len = self.payload_len;
        if let Err(reason) = self.settle_dialect(computed, trailer) {
            return self.fail(reason);
        }
        let is_caps = self.is_caps();
        let answers_us = self.config.side == Side::Client;
        if answers_us && self.header.msg_type == MsgType::NACK {
            let reason = match super::super::control::Nack::read(self.header.codec, &self.control) {
                Ok(nack) if nack.code == ErrorCode::ERR_VERSION_UNSUPPORTED => {
                    CloseReason::Version { major: 0, minor: 2 }
                }
                _ => CloseReason::NotHello { found: MsgType::NACK },
            };
            return self.fail(reason);
        }
        if is_caps != answers_us {
            let found = self.header.msg_type;
            return self.fail(CloseReason::NotHello { found });
        }
        let Ok(hello) = Hello::read(self.header.codec, &self.control) else {
            return self.fail(CloseReason::BadHello { len });
        };
        let agreed = self.agree(&hello);
        let missing = self.config.require.without(agreed.features);
        if missing != Flags::NONE {
            self.nack(self.header.msg_id, ErrorCode::ERR_CODEC_UNSUPPORTED);
            return self.fail(CloseReason::Requirement { missing });
        }
        if answers_us && agreed.codecs.is_empty() {
            let first = self.config.codecs.first().copied();
            return self.fail(CloseReason::NoCommonCodec { first });
        }
        self.agreed = Some(agreed);
        self.phase = Phase::Open;
        self.last_received = Some(now);
        if self.dialect.is_strict() {
            // The handshake's number is used once more: so does Python's client, and its server does not care.
            self.next_msg_id = 1;
        }
        if !answers_us {
            self.answer(Answer::Caps { reply_to: self.header.msg_id });
        }
        Event::Connected
    }

    /// Whether the frame is an answer to HELLO: CAPS, or a HELLO that names the one it answers. Who has a number for CAPS
    /// uses it, so a HELLO for an answer means that the numbers are not those that were forced.
    pub(super) fn is_caps(&self) -> bool {
        match self.header.msg_type {
            MsgType::CAPS => true,
            MsgType::HELLO => self.header.in_reply_to != 0 && !self.dialect.is_strict(),
            _ => false,
        }
    }

    /// A client that was told Python's byte order and no numbers learns them from the answer to HELLO: an ACK is none, and
    /// what would be one is CAPS in Python's numbers.
    pub(super) fn settle_numbering(&mut self) {
        let is_open = self.config.side == Side::Client
            && self.config.knobs.numbering.is_none()
            && self.dialect.crc == CrcOrder::Big;
        if is_open && self.header.msg_type == MsgType::ACK {
            self.dialect.numbering = Numbering::Python;
            self.header.msg_type = MsgType::CAPS;
        }
    }

    /// Finds out what the peer speaks, from its first frame. Only what was left open is.
    ///
    /// The byte order of the checksum is the mark of the Python implementation; where a checksum reads the same in both,
    /// the header's encoding is. A client has chosen before, and its peer follows.
    fn settle_dialect(&mut self, computed: u32, trailer: [u8; 4]) -> Result<(), CloseReason> {
        let knobs = self.config.knobs;
        // The header was read in the numbers of the specification or in forced ones.
        let format = HeaderFormat::detect(self.decoder.header()).unwrap_or(HeaderFormat::Json);
        let wire = self.dialect.numbering.to_wire(self.header.msg_type);
        let fits = |order: CrcOrder| order.read(trailer) == computed;
        let found = CrcOrder::Little.read(trailer);
        let wrong = CloseReason::Checksum { computed, found };
        let crc = match (self.config.side, knobs.crc) {
            (Side::Server, None) => match (fits(CrcOrder::Little), fits(CrcOrder::Big)) {
                (true, true) if format == HeaderFormat::Json => CrcOrder::Big,
                (true, _) => CrcOrder::Little,
                (false, true) => CrcOrder::Big,
                (false, false) => return Err(wrong),
            },
            _ if fits(self.dialect.crc) => self.dialect.crc,
            _ => return Err(wrong),
        };
        if self.config.side == Side::Server {
            let numbering = match crc {
                CrcOrder::Little => Numbering::Spec,
                CrcOrder::Big => Numbering::Python,
            };
            self.dialect = Dialect {
                // A peer that wrote a packed header reads one; but it is only sent once that was agreed on.
                header: knobs.header.unwrap_or(match format {
                    HeaderFormat::CapnProtoPacked => HeaderFormat::CapnProto,
                    other => other,
                }),
                crc,
                numbering: knobs.numbering.unwrap_or(numbering),
            };
            self.header.msg_type = self.dialect.numbering.from_wire(wire);
        }
        Ok(())
    }

    /// What both ends can do.
    fn agree(&mut self, theirs: &Hello) -> Agreed {
        let ours = &self.config;
        let (first, second) = match ours.side {
            Side::Client => (&ours.codecs, &theirs.codecs),
            Side::Server => (&theirs.codecs, &ours.codecs),
        };
        let codecs: Vec<CodecId, 16> = first.iter().filter(|codec| second.contains(codec)).copied().collect();
        let strict = self.dialect.is_strict();
        let mut features = if strict { Flags::NONE } else { ours.features.intersection(theirs.features) };
        let mut extensions =
            if strict { Extensions::NONE } else { ours.extensions.intersection(theirs.extensions) };
        if theirs.crypt.is_none() || ours.crypt.is_none() || !extensions.contains(Extensions::XCP_CRYPT_1) {
            features = features.without(Flags::CRYPT);
            extensions = extensions.without(Extensions::XCP_CRYPT_1);
        }
        self.dialect.header = match self.dialect.header {
            HeaderFormat::Json => HeaderFormat::Json,
            // Also where packed headers are forced: a peer that does not read them would close.
            _ if extensions.contains(Extensions::CAPNP_PACKED) => HeaderFormat::CapnProtoPacked,
            _ => HeaderFormat::CapnProto,
        };
        Agreed {
            dialect: self.dialect,
            codecs,
            max_frame: self.config.max_frame.min(theirs.max_frame),
            features,
            extensions,
            shared_mem: self.config.shared_mem && theirs.shared_mem,
            accepts: theirs.accepts.clone(),
            emits: theirs.emits.clone(),
            crypt: theirs.crypt.clone(),
        }
    }

    /// The body of HELLO, or of its answer: what both can do.
    pub(super) fn hello_body(&self, reply: bool) -> Hello {
        let mut hello = self.config.hello();
        if let Some(agreed) = self.agreed.as_ref().filter(|_| reply) {
            hello.codecs = agreed.codecs.clone();
            hello.shared_mem = agreed.shared_mem;
            hello.features = agreed.features;
            hello.extensions = agreed.extensions;
            if !agreed.features.contains(Flags::CRYPT) {
                hello.crypt = None;
            }
        }
        if self.dialect.is_strict() {
            // What its bodies have, and no more.
            hello.features = Flags::NONE;
            hello.extensions = Extensions::NONE;
            hello.version = None;
            hello.crypt = None;
        }
        hello
    }
}
