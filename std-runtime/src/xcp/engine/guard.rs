//! The keys of a connection, and what is sealed with them: control frames by core, messages by the engine.

use bytes::Bytes;
use strait_core::xcp::connection::{Protection, SealedFrame, Side};
use strait_core::xcp::control::CryptOffer;
use strait_core::xcp::numbers::VERSION;
use strait_core::xcp::{Flags, FrameHeader};

use super::buffer::{self, Buffer};
use crate::xcp::keys::Keys;
use crate::xcp::options::KeySource;
use crate::xcp::psk::Psk;
use crate::xcp::seal::{Opener, Outside, SealError, Sealer, TAG_LEN};

/// Nothing, until keys were made.
#[derive(Debug, Default)]
pub(crate) struct Guard {
    ends: Option<(Sealer, Opener)>,
}

impl Guard {
    /// Makes the keys of a connection, each direction its own; `None` if there is no secret to make them from.
    pub(super) fn derive(
        source: &KeySource,
        exported: Option<&Psk>,
        side: Side,
        offers: (&CryptOffer, &CryptOffer),
        frames: (&[u8], &[u8]),
    ) -> Option<Self> {
        #[cfg(not(feature = "xcp-tls"))]
        let _ = exported;
        let secret = match source {
            KeySource::None => return None,
            KeySource::Shared(key) => key.as_ref(),
            #[cfg(feature = "xcp-tls")]
            KeySource::TlsExporter => exported?,
        };
        let (ours, theirs) = offers;
        let (sent, received) = frames;
        let (client_to_server, server_to_client) = match side {
            Side::Client => Keys::derive(secret, &ours.random, &theirs.random, sent, received),
            Side::Server => Keys::derive(secret, &theirs.random, &ours.random, received, sent),
        };
        let (out, back) = match side {
            Side::Client => (client_to_server, server_to_client),
            Side::Server => (server_to_client, client_to_server),
        };
        Some(Self { ends: Some((Sealer::new(out), Opener::new(back))) })
    }

    /// Seals a whole message; its bytes as they were if messages are not sealed.
    pub(super) fn seal_message(
        &mut self,
        header: &FrameHeader,
        raw: &[u8],
        flags: Flags,
        body: Bytes,
    ) -> Result<Bytes, SealError> {
        let Some((sealer, _)) = &mut self.ends else { return Ok(body) };
        let mut sealed = buffer::memory(body.len() + TAG_LEN);
        sealed.reserve_exact(body.len() + TAG_LEN);
        sealed.extend_from_slice(&body);
        sealer.seal_in_place(&mut sealed, header.msg_id, header.channel, &outside(VERSION, flags, raw))?;
        Ok(buffer::share(sealed))
    }

    /// Opens a whole message; whether it could be.
    pub(super) fn open_message(
        &mut self,
        header: &FrameHeader,
        raw: &[u8],
        (version, flags): (u8, Flags),
        body: &mut Buffer,
    ) -> bool {
        let frame =
            SealedFrame { version, flags, header: raw, msg_id: header.msg_id, channel: header.channel };
        let opened = self.open(frame, body);
        body.truncate(opened.unwrap_or(0));
        opened.is_some()
    }
}

fn outside(version: u8, flags: Flags, header: &[u8]) -> Outside<'_> {
    Outside { version, flags, header }
}

fn outside_of(frame: SealedFrame<'_>) -> Outside<'_> {
    outside(frame.version, frame.flags, frame.header)
}

impl Protection for Guard {
    fn is_on(&self) -> bool {
        self.ends.is_some()
    }

    fn seal(&mut self, frame: SealedFrame<'_>, body: &mut [u8], len: usize) -> Option<usize> {
        let (sealer, _) = self.ends.as_mut()?;
        let (text, room) = body.split_at_mut_checked(len)?;
        let place = room.first_chunk_mut::<TAG_LEN>()?;
        let sealed = sealer.seal_detached(text, frame.msg_id, frame.channel, &outside_of(frame));
        *place = sealed.map_err(|error| tracing::warn!(%error, "a control frame cannot be sealed")).ok()?;
        Some(len + TAG_LEN)
    }

    fn open(&mut self, frame: SealedFrame<'_>, body: &mut [u8]) -> Option<usize> {
        let (_, opener) = self.ends.as_mut()?;
        let (text, tag) = body.split_last_chunk_mut::<TAG_LEN>()?;
        let opened = opener.open_detached(text, tag, frame.msg_id, frame.channel, &outside_of(frame));
        opened.map_err(|error| tracing::debug!(%error, "a sealed body does not open")).ok()?;
        Some(text.len())
    }
}
