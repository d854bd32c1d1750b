//! Seals chunks with ChaCha20-Poly1305: a key for each direction of each session, and never a nonce twice.
//!
//! ```text
//! key        HKDF-SHA256(secret, salt = primary's salt ‖ secondary's salt, info = "strait-hqq/1 " + direction)
//! nonce      four zero bytes ‖ counter, little-endian
//! in a slot  counter (8 bytes, little-endian) ‖ ciphertext ‖ tag (16 bytes)
//! sealed too the packet's 64 bytes: connection, message, place, flags
//! ```
//!
//! Both salts are fresh for each session, so its keys are; within a session the counter grows by one for each chunk. The
//! opener takes counters that grow only: nothing that was opened is opened again.
//!
//! What is not sealed: packets without bytes (opening, closing, credit). Who can write the link can disturb it anyway.

use chacha20poly1305::aead::{AeadInPlace as _, KeyInit as _};
use chacha20poly1305::{ChaCha20Poly1305, Key as CipherKey, Nonce, Tag};
use hkdf::Hkdf;
use sha2::Sha256;
use strait_core::hqq::Side;
use strait_core::hqq::packet::Packet;

/// Bytes that sealing adds.
pub(super) const OVERHEAD: usize = COUNTER + TAG;
const COUNTER: usize = 8;
const TAG: usize = 16;

/// A secret that both ends know.
#[derive(Clone)]
pub(super) struct Secret(pub(super) [u8; 32]);

impl core::fmt::Debug for Secret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Seals what this end sends.
pub(super) struct Sealer {
    cipher: ChaCha20Poly1305,
    next: u64,
}

/// Opens what the other end sends.
pub(super) struct Opener {
    cipher: ChaCha20Poly1305,
    /// The lowest counter that is taken.
    lowest: u64,
}

/// Why bytes were not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OpenFailure {
    /// Fewer than sealing adds, or more than the slot has.
    Short,
    /// The counter was taken before.
    Replayed { counter: u64, lowest: u64 },
    /// Another key, or other bytes.
    Forged,
}

/// The keys of a session: of what `side` sends, and of what it receives.
pub(super) fn keys(secret: &Secret, side: Side, ours: [u64; 3], theirs: [u64; 3]) -> (Sealer, Opener) {
    let (primary, secondary) = if side == Side::Primary { (ours, theirs) } else { (theirs, ours) };
    let mut salt = [0; 48];
    for (to, word) in salt.chunks_exact_mut(8).zip(primary.iter().chain(&secondary)) {
        to.copy_from_slice(&word.to_le_bytes());
    }
    let keys = Hkdf::<Sha256>::new(Some(&salt), &secret.0);
    let key = |from: Side| {
        let mut key = [0; 32];
        let info = format!("strait-hqq/1 {from}");
        keys.expand(info.as_bytes(), &mut key).expect("32 bytes are less than HKDF can give");
        ChaCha20Poly1305::new(CipherKey::from_slice(&key))
    };
    (Sealer { cipher: key(side), next: 0 }, Opener { cipher: key(side.other()), lowest: 0 })
}

fn nonce(counter: u64) -> Nonce {
    let mut nonce = Nonce::default();
    nonce[4..].copy_from_slice(&counter.to_le_bytes());
    nonce
}

impl Sealer {
    /// Seals `plain`, which belongs to `packet`, onto the end of `sealed`; `false` once all counters were used.
    pub(super) fn seal(&mut self, packet: &Packet, plain: &[u8], sealed: &mut Vec<u8>) -> bool {
        let counter = self.next;
        let Some(next) = counter.checked_add(1) else { return false };
        self.next = next;
        sealed.extend_from_slice(&counter.to_le_bytes());
        let start = sealed.len();
        sealed.extend_from_slice(plain);
        let tag =
            self.cipher.encrypt_in_place_detached(&nonce(counter), &packet.to_bytes(), &mut sealed[start..]);
        let Ok(tag) = tag else { return false };
        sealed.extend_from_slice(&tag);
        true
    }
}

impl Opener {
    /// Opens `sealed` into `plain`, which is left empty if that fails.
    pub(super) fn open(
        &mut self,
        packet: &Packet,
        sealed: &[u8],
        plain: &mut Vec<u8>,
    ) -> Result<(), OpenFailure> {
        plain.clear();
        let (counter, rest) = sealed.split_first_chunk::<COUNTER>().ok_or(OpenFailure::Short)?;
        let (text, tag) = rest.split_last_chunk::<TAG>().ok_or(OpenFailure::Short)?;
        let counter = u64::from_le_bytes(*counter);
        if counter < self.lowest {
            return Err(OpenFailure::Replayed { counter, lowest: self.lowest });
        }
        plain.extend_from_slice(text);
        let tag = Tag::from_slice(tag);
        let opened = self.cipher.decrypt_in_place_detached(&nonce(counter), &packet.to_bytes(), plain, tag);
        if opened.is_err() {
            plain.clear();
            return Err(OpenFailure::Forged);
        }
        self.lowest = counter.saturating_add(1);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: Secret = Secret([7; 32]);

    fn pair() -> (Sealer, Opener) {
        let (sealer, _) = keys(&SECRET, Side::Primary, [1; 3], [2; 3]);
        let (_, opener) = keys(&SECRET, Side::Secondary, [2; 3], [1; 3]);
        (sealer, opener)
    }

    fn sealed(sealer: &mut Sealer, packet: &Packet, plain: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        assert!(sealer.seal(packet, plain, &mut out));
        out
    }

    #[test]
    fn what_is_sealed_opens_once() {
        let (mut sealer, mut opener) = pair();
        let packet = Packet([4, 1, 2, 3, 4, 5, 6, 7]);
        let bytes = sealed(&mut sealer, &packet, b"chunk");
        assert_eq!(bytes.len(), 5 + OVERHEAD);
        let mut plain = Vec::new();
        assert_eq!(opener.open(&packet, &bytes, &mut plain), Ok(()));
        assert_eq!(plain, b"chunk");
        let again = opener.open(&packet, &bytes, &mut plain);
        assert_eq!(again, Err(OpenFailure::Replayed { counter: 0, lowest: 1 }));
    }

    #[test]
    fn a_changed_bit_anywhere_is_found() {
        let packet = Packet([4, 1, 2, 3, 4, 5, 6, 7]);
        let (mut sealer, _) = pair();
        let good = sealed(&mut sealer, &packet, b"chunk");
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            let mut plain = Vec::new();
            assert!(pair().1.open(&packet, &bad, &mut plain).is_err() && plain.is_empty(), "byte {at}");
        }
        for word in 0..8 {
            let mut other = packet;
            other.0[word] ^= 1;
            assert_eq!(pair().1.open(&other, &good, &mut Vec::new()), Err(OpenFailure::Forged));
        }
        for len in 0..OVERHEAD {
            assert!(pair().1.open(&packet, &good[..len], &mut Vec::new()).is_err());
        }
    }

    #[test]
    fn every_direction_session_and_secret_has_its_own_key() {
        let packet = Packet([4; 8]);
        let seal = |secret: &Secret, side, ours, theirs| {
            sealed(&mut keys(secret, side, ours, theirs).0, &packet, &[0; 32])
        };
        let texts = [
            seal(&SECRET, Side::Primary, [1; 3], [2; 3]),
            seal(&SECRET, Side::Secondary, [2; 3], [1; 3]),
            seal(&SECRET, Side::Primary, [1; 3], [3; 3]),
            seal(&SECRET, Side::Primary, [3; 3], [2; 3]),
            seal(&Secret([8; 32]), Side::Primary, [1; 3], [2; 3]),
        ];
        for (at, text) in texts.iter().enumerate() {
            assert!(texts[..at].iter().all(|other| other != text));
        }
    }

    #[test]
    fn no_nonce_is_used_twice() {
        let (mut sealer, _) = pair();
        let packet = Packet([4; 8]);
        let counters: Vec<Vec<u8>> =
            (0..100).map(|_| sealed(&mut sealer, &packet, b"x")[..8].to_vec()).collect();
        for (counter, expected) in counters.iter().zip(0u64..) {
            assert_eq!(counter, &expected.to_le_bytes());
        }
        sealer.next = u64::MAX;
        assert!(!sealer.seal(&packet, b"x", &mut Vec::new()), "the counter never wraps");
    }
}
