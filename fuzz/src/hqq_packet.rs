//! A packet of any bytes: what it says in either profile, and that saying it again says the same.

use strait_core::hqq::packet::{Operation, Packet};
use strait_core::hqq::{ErrorCode, Profile};

/// `data` are the 64 bytes of a packet; missing ones are 0.
pub fn hqq_packet(data: &[u8]) {
    let mut bytes = [0; 64];
    for (to, from) in bytes.iter_mut().zip(data) {
        *to = *from;
    }
    let packet = Packet::from_bytes(&bytes);
    assert_eq!(packet.to_bytes(), bytes);
    for profile in [Profile::Superblock, Profile::Seed] {
        let operation = match packet.parse(profile) {
            Ok(operation) => operation,
            Err(bad) => {
                assert!([ErrorCode::INVALID_OP, ErrorCode::INVALID_SIZE].contains(&bad.code()));
                assert!(!bad.to_string().is_empty());
                continue;
            }
        };
        let slot_len = match operation {
            Operation::Chunk(chunk) => chunk.len,
            _ => 0,
        };
        let again = operation.emit(profile, slot_len);
        assert_eq!(again.opcode(), packet.opcode());
        assert_eq!(again.parse(profile), Ok(operation), "{profile}");
        assert_eq!(again, operation.emit(profile, slot_len));
    }
}
