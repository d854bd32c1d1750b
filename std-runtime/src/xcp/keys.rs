//! Which keys does a connection have, for each direction?
//!
//! ```text
//! transcript  SHA-256(HELLO frame ‖ CAPS frame)
//! prk         HKDF-Extract(salt = client's random ‖ server's random, secret)
//! key         HKDF-Expand(prk, "xcp/0.2 " + {"c2s", "s2c"} + {" aead", " nonce"} ‖ transcript, 32 bytes)
//! ```
//!
//! Both randoms are fresh for each connection, so its keys are. What was agreed in HELLO and CAPS goes into them: ends
//! that saw different frames cannot read each other.
//!
//! Source: profile xcp-crypt-1, DESIGN.md. The specification leaves open where keys come from.

use core::fmt;

use hkdf::Hkdf;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::psk::Psk;

/// The name of this profile in HELLO.
pub const PROFILE: &str = "xcp-crypt-1";
/// Bytes of the random number that each end sends.
pub const RANDOM_LEN: usize = 16;

/// The keys of one direction of one connection. Not to be had twice: whoever seals with them must know every message
/// that was sealed with them. Wiped from memory when they are dropped, but for what the hash functions leave on the stack.
pub struct Keys {
    pub(super) aead: Zeroizing<[u8; 32]>,
    pub(super) nonce: Zeroizing<[u8; 32]>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

impl Keys {
    /// The keys of a connection: from client to server, and from server to client.
    ///
    /// `hello_frame` and `caps_frame` are the whole frames, from magic to checksum, as they went over the wire. At least
    /// the own random must never have been used before.
    pub fn derive(
        psk: &Psk,
        client_random: &[u8; RANDOM_LEN],
        server_random: &[u8; RANDOM_LEN],
        hello_frame: &[u8],
        caps_frame: &[u8],
    ) -> (Self, Self) {
        let transcript = Sha256::new().chain_update(hello_frame).chain_update(caps_frame).finalize();
        let mut salt = [0; 2 * RANDOM_LEN];
        salt[..RANDOM_LEN].copy_from_slice(client_random);
        salt[RANDOM_LEN..].copy_from_slice(server_random);
        let prk = Hkdf::<Sha256>::new(Some(&salt), psk.secret());
        let key = |name: &str| {
            let mut key = Zeroizing::new([0; 32]);
            let info = [b"xcp/0.2 ", name.as_bytes(), &transcript];
            prk.expand_multi_info(&info, &mut *key).expect("32 bytes are less than HKDF can give");
            key
        };
        let client_to_server = Self { aead: key("c2s aead"), nonce: key("c2s nonce") };
        (client_to_server, Self { aead: key("s2c aead"), nonce: key("s2c nonce") })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) const HELLO: &[u8] = include_bytes!("../../../tests/vectors/xcp/spec/capnp_hello.bin");
    pub(crate) const CAPS: &[u8] =
        include_bytes!("../../../tests/vectors/xcp/spec/capnp_caps_as_hello_reply.bin");

    /// Bytes 0 to 31.
    pub(crate) fn psk() -> Psk {
        Psk::new(std::array::from_fn(|at| u8::try_from(at).unwrap()))
    }

    pub(crate) fn keys() -> (Keys, Keys) {
        Keys::derive(&psk(), &[0x11; 16], &[0x22; 16], HELLO, CAPS)
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn the_keys_are_those_of_the_profile() {
        let (prk, _) = Hkdf::<Sha256>::extract(Some(&[[0x11; 16], [0x22; 16]].concat()), psk().secret());
        assert_eq!(hex(&prk), "7101848cd9561d0635e651f963af107891302264a5818c614b57b38598882802");
        let (there, back) = keys();
        assert_eq!(hex(&*there.aead), "d2ae58ed1907f7162d3e449e12c28ed113daa06afe640ed5c2dc0f00812609aa");
        assert_eq!(hex(&*there.nonce), "690ce8d1ca138a37f33f6ceb64f62186abfd538c4622583fc3da525094437388");
        // By Python's hmac and hashlib.
        assert_eq!(hex(&*back.aead), "231ff04ed3cb6adc108baa5487b231dcf5d6b91c2b41fbcb2178f3c3391af66a");
        assert_eq!(hex(&*back.nonce), "ff2114a161f7b1433cbcce24175d448606235692d030203469ad8481d4ecf27d");
    }

    #[test]
    fn whatever_the_ends_do_not_share_changes_every_key() {
        let other = Psk::new([9; 32]);
        let hello = HELLO.iter().rev().copied().collect::<Vec<u8>>();
        let all = [
            keys(),
            Keys::derive(&other, &[0x11; 16], &[0x22; 16], HELLO, CAPS),
            Keys::derive(&psk(), &[0x12; 16], &[0x22; 16], HELLO, CAPS),
            Keys::derive(&psk(), &[0x11; 16], &[0x23; 16], HELLO, CAPS),
            Keys::derive(&psk(), &[0x22; 16], &[0x11; 16], HELLO, CAPS),
            Keys::derive(&psk(), &[0x11; 16], &[0x22; 16], &hello, CAPS),
            Keys::derive(&psk(), &[0x11; 16], &[0x22; 16], HELLO, &hello),
        ];
        let each = all.iter().flat_map(|(a, b)| [&a.aead, &a.nonce, &b.aead, &b.nonce]);
        let different: std::collections::HashSet<[u8; 32]> = each.map(|key| **key).collect();
        assert_eq!(different.len(), 4 * all.len());
    }

    #[test]
    fn nothing_prints_a_key() {
        assert_eq!(format!("{:?}", keys().0), "Keys { .. }");
    }
}
