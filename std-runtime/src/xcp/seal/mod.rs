//! How is a message sealed with ChaCha20-Poly1305, and what does an opened one prove?
//!
//! ```text
//! nonce   HMAC-SHA256(nonce key, LE64(msgId) ‖ LE32(channelId)), first 12 bytes
//! sealed  ciphertext ‖ tag (16 bytes), of the whole message: before it is split into chunks, after it was compressed
//! also    VER ‖ (FLAGS & 0xC0) ‖ LE16(HLEN) ‖ HEADER, authenticated and not encrypted
//! ```
//!
//! A message that opens was sealed by whoever has the keys, for this direction of this connection, this channel, this
//! header, and is newer than all that opened before it on its channel. That none was left out in between, or at the end,
//! is not proved: who can change what goes over the wire can leave whole messages out.
//!
//! Source: XCP v0.2 specification, CRYPT, for cipher and nonce; profile xcp-crypt-1, DESIGN.md, for the rest.

use core::fmt;

use chacha20poly1305::aead::{AeadInPlace as _, KeyInit as _};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce, Tag};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use strait_core::xcp::Flags;
use zeroize::Zeroizing;

use super::keys::Keys;
use super::order::Order;
pub use super::order::{MAX_CHANNELS, MAX_MESSAGES, OrderError};

/// Bytes that sealing adds.
pub const TAG_LEN: usize = 16;
/// Most bytes of a message: 2^38 - 64, which is what the cipher can encrypt under one nonce.
///
/// Source: RFC 8439, section 2.8.
pub const MAX_MESSAGE: u64 = (1 << 38) - 64;

/// What is authenticated with a message and not encrypted: the same in every frame that carries a part of it.
#[derive(Clone, Copy, Debug)]
pub struct Outside<'a> {
    /// The version byte.
    pub version: u8,
    /// The flags; COMP and CRYPT count, MORE and LARGE differ between the frames of a message.
    pub flags: Flags,
    /// The header's bytes, at most 65 535.
    pub header: &'a [u8],
}

impl Outside<'_> {
    fn write(&self, to: &mut Vec<u8>) -> Result<(), SealError> {
        if !self.flags.contains(Flags::CRYPT) {
            return Err(SealError::NotMarked { flags: self.flags });
        }
        let len = self.header.len();
        let header_len = u16::try_from(len).map_err(|_| SealError::HeaderTooLong { len })?;
        to.clear();
        to.push(self.version);
        to.push(self.flags.intersection(Flags::COMP.union(Flags::CRYPT)).0);
        to.extend_from_slice(&header_len.to_le_bytes());
        to.extend_from_slice(self.header);
        Ok(())
    }
}

/// Why a message was not sealed, or not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// Its number is not its channel's next.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// The frame says that it is not sealed.
    #[error("frame of a sealed message has flags {flags}, without CRYPT")]
    NotMarked {
        /// Its flags.
        flags: Flags,
    },
    /// No frame has such a header.
    #[error("header of a sealed message has {len} bytes, at most 65535 are possible")]
    HeaderTooLong {
        /// Its bytes.
        len: usize,
    },
    /// Longer than the cipher can encrypt.
    #[error("message to seal has {len} bytes, at most {MAX_MESSAGE} can be sealed")]
    TooLong {
        /// Its bytes.
        len: u64,
    },
    /// Shorter than the tag.
    #[error("sealed message has {len} bytes, a tag alone has 16")]
    TooShort {
        /// Its bytes.
        len: usize,
    },
    /// Other keys sealed it, or other bytes.
    #[error("sealed message {msg_id} of channel {channel}, {len} bytes, is not authentic")]
    Forged {
        /// Its number.
        msg_id: u64,
        /// Its channel.
        channel: u32,
        /// Its bytes, without the tag.
        len: usize,
    },
}

/// What both ends of a direction have.
struct Direction {
    cipher: ChaCha20Poly1305,
    nonce_key: Zeroizing<[u8; 32]>,
    order: Order,
    /// The bytes of [`Outside`], kept for its memory.
    outside: Vec<u8>,
}

impl Direction {
    fn new(keys: Keys) -> Self {
        let Keys { aead, nonce } = keys;
        let cipher = ChaCha20Poly1305::new(Key::from_slice(&*aead));
        Self { cipher, nonce_key: nonce, order: Order::default(), outside: Vec::new() }
    }

    fn check(
        &mut self,
        len: usize,
        msg_id: u64,
        channel: u32,
        outside: &Outside<'_>,
    ) -> Result<(), SealError> {
        self.order.check(msg_id, channel)?;
        let len = len as u64;
        if len > MAX_MESSAGE {
            return Err(SealError::TooLong { len });
        }
        outside.write(&mut self.outside)
    }
}

fn nonce(key: &[u8; 32], msg_id: u64, channel: u32) -> Nonce {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(&msg_id.to_le_bytes());
    mac.update(&channel.to_le_bytes());
    let mac = mac.finalize().into_bytes();
    let mut nonce = Nonce::default();
    nonce.copy_from_slice(&mac[..12]);
    nonce
}

/// Seals what this end sends.
pub struct Sealer(Direction);

/// Opens what the other end sends.
pub struct Opener {
    direction: Direction,
    failures: u64,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("order", &self.0.order).finish_non_exhaustive()
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Opener");
        out.field("order", &self.direction.order).field("failures", &self.failures).finish_non_exhaustive()
    }
}

impl Sealer {
    /// Seals with these keys.
    pub fn new(keys: Keys) -> Self {
        Self(Direction::new(keys))
    }

    /// Seals `message` in place and appends the tag: [`TAG_LEN`] bytes.
    ///
    /// # Errors
    /// [`SealError::Order`] unless `msg_id` is above all that this channel had, so that no nonce is used twice;
    /// [`SealError::NotMarked`], [`SealError::HeaderTooLong`], [`SealError::TooLong`]. `message` is as it was then, and
    /// the number is still free.
    pub fn seal_in_place(
        &mut self,
        message: &mut Vec<u8>,
        msg_id: u64,
        channel: u32,
        outside: &Outside<'_>,
    ) -> Result<(), SealError> {
        // Before anything is sealed: taking memory may fail.
        message.reserve(TAG_LEN);
        let tag = self.seal_detached(message, msg_id, channel, outside)?;
        message.extend_from_slice(&tag);
        Ok(())
    }

    /// Seals `message` in place, and gives the tag, which is to follow it.
    ///
    /// # Errors
    /// As [`seal_in_place`](Self::seal_in_place).
    pub fn seal_detached(
        &mut self,
        message: &mut [u8],
        msg_id: u64,
        channel: u32,
        outside: &Outside<'_>,
    ) -> Result<[u8; TAG_LEN], SealError> {
        let len = message.len() as u64;
        self.0.check(message.len(), msg_id, channel, outside)?;
        // First: whatever happens below, this number is used.
        self.0.order.record(msg_id, channel);
        let nonce = nonce(&self.0.nonce_key, msg_id, channel);
        let tag = self.0.cipher.encrypt_in_place_detached(&nonce, &self.0.outside, message);
        Ok(tag.map_err(|_| SealError::TooLong { len })?.into())
    }

    /// Messages sealed so far; after [`MAX_MESSAGES`] there can be no more.
    pub fn messages(&self) -> u64 {
        self.0.order.messages()
    }
}

impl Opener {
    /// Opens with these keys.
    pub fn new(keys: Keys) -> Self {
        Self { direction: Direction::new(keys), failures: 0 }
    }

    /// Opens `message` in place and takes the tag off its end.
    ///
    /// # Errors
    /// [`SealError::Forged`] if it is not authentic; [`SealError::Order`] if `msg_id` is not above all that opened on
    /// this channel, or the channel is one too many; the other [`SealError`]s for what no sealer makes. `message` is as
    /// it was then, still sealed, and does not count.
    pub fn open_in_place(
        &mut self,
        message: &mut Vec<u8>,
        msg_id: u64,
        channel: u32,
        outside: &Outside<'_>,
    ) -> Result<(), SealError> {
        let too_short = SealError::TooShort { len: message.len() };
        let (text, tag) = message.split_last_chunk_mut::<TAG_LEN>().ok_or(too_short)?;
        let len = text.len();
        self.open_detached(text, tag, msg_id, channel, outside)?;
        message.truncate(len);
        Ok(())
    }

    /// Opens `message`, whose tag is beside it, in place.
    ///
    /// # Errors
    /// As [`open_in_place`](Self::open_in_place).
    pub fn open_detached(
        &mut self,
        message: &mut [u8],
        tag: &[u8; TAG_LEN],
        msg_id: u64,
        channel: u32,
        outside: &Outside<'_>,
    ) -> Result<(), SealError> {
        let (len, direction) = (message.len(), &mut self.direction);
        direction.check(len, msg_id, channel, outside)?;
        let nonce = nonce(&direction.nonce_key, msg_id, channel);
        let tag = Tag::from_slice(tag);
        // The tag is compared before anything is decrypted.
        let opened = direction.cipher.decrypt_in_place_detached(&nonce, &direction.outside, message, tag);
        if opened.is_err() {
            self.failures = self.failures.saturating_add(1);
            return Err(SealError::Forged { msg_id, channel, len });
        }
        // Only now: a forged message must not keep the real one out.
        direction.order.record(msg_id, channel);
        Ok(())
    }

    /// Messages opened so far; after [`MAX_MESSAGES`] there can be no more.
    pub fn messages(&self) -> u64 {
        self.direction.order.messages()
    }

    /// Messages that were not authentic so far: a connection should not bear many.
    pub fn failures(&self) -> u64 {
        self.failures
    }
}

#[cfg(test)]
mod tests;
