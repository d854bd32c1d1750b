//! The keys of a connection, and what is sealed with them: control frames by core, messages by the engine.

use bytes::{Bytes, BytesMut};
use strait_core::xcp::connection::{Protection, SealedFrame, Side};
use strait_core::xcp::control::CryptOffer;
use strait_core::xcp::{Flags, FrameHeader};

use crate::xcp::keys::{Keys, Psk};
use crate::xcp::options::KeySource;
use crate::xcp::seal::{Frame, OpenError, Opener, SealError, Sealer};

/// Nothing, until keys were made.
#[derive(Debug, Default)]
pub(crate) struct Guard {
    ends: Option<(Sealer, Opener)>,
}

impl Guard {
    /// Makes the keys of a connection, each direction its own; `None` if there is no secret to make them from.
    pub(super) fn derive(
        source: &KeySource,
        exported: Option<[u8; 32]>,
        side: Side,
        ours: &CryptOffer,
        theirs: &CryptOffer,
        sent: &[u8],
        received: &[u8],
    ) -> Option<Self> {
        let by_tls = exported.map(Psk::from_bytes);
        let secret = match source {
            KeySource::None => return None,
            KeySource::Shared(key) => key.as_ref(),
            KeySource::TlsExporter => by_tls.as_ref()?,
        };
        let (first, second, hello, caps) = match side {
            Side::Client => (ours, theirs, sent, received),
            Side::Server => (theirs, ours, received, sent),
        };
        let keys = Keys::derive(secret, &first.random, &second.random, hello, caps);
        let (out, back) = match side {
            Side::Client => (keys.client_to_server, keys.server_to_client),
            Side::Server => (keys.server_to_client, keys.client_to_server),
        };
        Some(Self { ends: Some((Sealer::new(out), Opener::new(back))) })
    }

    /// Whether messages are sealed.
    pub(super) fn seals(&self) -> bool {
        self.ends.is_some()
    }

    /// Seals a whole message.
    pub(super) fn seal_message(
        &mut self,
        header: &FrameHeader,
        raw: &[u8],
        flags: Flags,
        body: &[u8],
    ) -> Result<Bytes, SealError> {
        let Some((sealer, _)) = &mut self.ends else { return Err(SealError::NoKey) };
        let mut sealed = Vec::with_capacity(body.len() + 16);
        sealed.extend_from_slice(body);
        let frame = Frame { flags, header: raw, msg_id: header.msg_id, channel: header.channel };
        sealer.seal_in_place(&frame, &mut sealed)?;
        Ok(sealed.into())
    }

    /// Opens a whole message.
    pub(super) fn open_message(
        &mut self,
        header: &FrameHeader,
        raw: &[u8],
        flags: Flags,
        body: &mut BytesMut,
    ) -> Result<(), OpenError> {
        let Some((_, opener)) = &mut self.ends else { return Err(OpenError::NoKey) };
        let frame = Frame { flags, header: raw, msg_id: header.msg_id, channel: header.channel };
        let len = opener.open_slice(&frame, body)?;
        body.truncate(len);
        Ok(())
    }
}

impl Protection for Guard {
    fn is_on(&self) -> bool {
        self.ends.is_some()
    }

    fn seal(&mut self, frame: SealedFrame<'_>, body: &mut [u8], len: usize) -> Option<usize> {
        let (sealer, _) = self.ends.as_mut()?;
        let SealedFrame { flags, header, msg_id, channel } = frame;
        sealer.seal_slice(&Frame { flags, header, msg_id, channel }, body, len).ok()
    }

    fn open(&mut self, frame: SealedFrame<'_>, body: &mut [u8]) -> Option<usize> {
        let (_, opener) = self.ends.as_mut()?;
        let SealedFrame { flags, header, msg_id, channel } = frame;
        opener.open_slice(&Frame { flags, header, msg_id, channel }, body).ok()
    }
}
