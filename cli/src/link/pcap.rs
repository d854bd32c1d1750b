//! What does a packet of a link look like in a pcap file?
//!
//! ```text
//! file     nanosecond pcap, little-endian, version 2.4, link type 147 (USER0)
//! record   byte 0: 0 from the primary, 1 from the secondary · byte 1: 0 superblock profile, 1 seed profile
//!          byte 2: 0 a packet, 1 packets that were missed · bytes 3 to 7: 0 · bytes 8 to 15: position in its ring
//!          bytes 16 to 79: the packet, eight little-endian words; of missed ones their number and zeros
//! ```

use std::time::{SystemTime, UNIX_EPOCH};

use strait::hqq::{Profile, Side, Trace};

/// Bytes of a record behind its time and length.
const RECORD: u32 = 80;

/// The first bytes of a file.
pub(super) const HEADER: [u8; 24] = [
    0x4d, 0x3c, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, // snapshot length 65536
    147, 0, 0, 0,
];

/// A record of what was seen at a time.
pub(super) fn record(at: SystemTime, from: Side, seen: &Trace, profile: Profile) -> Vec<u8> {
    let at = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    // The format's seconds have 32 bits, until 2106.
    let seconds = u32::try_from(at.as_secs()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(16 + 80);
    for word in [seconds, at.subsec_nanos(), RECORD, RECORD] {
        bytes.extend(word.to_le_bytes());
    }
    let (kind, position, body) = match *seen {
        Trace::Packet { position, packet } => (0, position, packet.to_bytes()),
        Trace::Missed { position, count } => {
            let mut body = [0; 64];
            body[..8].copy_from_slice(&count.to_le_bytes());
            (1, position, body)
        }
    };
    bytes.extend([
        u8::from(from == Side::Secondary),
        u8::from(profile == Profile::Seed),
        kind,
        0,
        0,
        0,
        0,
        0,
    ]);
    bytes.extend(position.to_le_bytes());
    bytes.extend(body);
    bytes
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use strait_core::hqq::packet::Packet;

    use super::*;

    #[test]
    fn a_record_has_the_bytes_of_the_table() {
        // Windows knows times in units of 100 ns.
        let at = UNIX_EPOCH + Duration::new(0x0102_0304, 500);
        let packet = Packet([0xff, 9, 1, 6, 0, 0, 0, 0]);
        let bytes = record(at, Side::Secondary, &Trace::Packet { position: 7, packet }, Profile::Seed);
        assert_eq!(bytes.len(), 96);
        assert_eq!(bytes[..16], [4, 3, 2, 1, 0xf4, 1, 0, 0, 80, 0, 0, 0, 80, 0, 0, 0]);
        assert_eq!(bytes[16..32], [1, 1, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!((bytes[32], bytes[40], bytes[48], bytes[56]), (0xff, 9, 1, 6));
        let missed = Trace::Missed { position: 7, count: 300 };
        let bytes = record(at, Side::Primary, &missed, Profile::Superblock);
        assert_eq!((&bytes[16..19], &bytes[32..40]), (&[0, 0, 1][..], &[44, 1, 0, 0, 0, 0, 0, 0][..]));
    }
}
