//! Which handle asks and which is answered: in bits of the negotiation that other implementations ignore.
//!
//! A request that was given up stays in the ring, and so does an answer to a process that has died. Who finds one must not
//! take it for his. So each request names the handle that asks, by the number that the link gave it, in the upper 48 bits
//! of the version; an answer repeats that, and names its own in the upper half of the capabilities. Only Strait ends see
//! them: an answer has them only if the request had.

use strait_core::hqq::OpCode;
use strait_core::hqq::packet::Packet;

const VERSION_BITS: u32 = 16;
const CAPABILITY_BITS: u32 = 32;

/// A request that names who asks.
pub(super) fn request(mut packet: Packet, ours: Option<u64>) -> Packet {
    packet.0[1] |= ours.unwrap_or(0) << VERSION_BITS;
    packet
}

/// An answer that names whom it answers, and who does.
pub(super) fn answer(mut packet: Packet, theirs: u64, ours: Option<u64>) -> Packet {
    if theirs != 0 {
        packet.0[1] |= theirs << VERSION_BITS;
        packet.0[3] |= ours.unwrap_or(0) << CAPABILITY_BITS;
    }
    packet
}

/// A refusal that names whom it refuses, in an operand that errors leave 0.
pub(super) fn refusal(mut packet: Packet, theirs: u64) -> Packet {
    packet.0[3] = theirs;
    packet
}

/// Whom an error refuses; 0 if it does not say.
pub(super) fn refused(packet: &Packet) -> u64 {
    if packet.opcode() == OpCode::ERROR { packet.0[3] } else { 0 }
}

/// Who asks, or whom an answer is for; 0 if it does not say.
pub(super) fn named(packet: &Packet) -> u64 {
    packet.0[1] >> VERSION_BITS
}

/// Who answers; 0 if it does not say.
pub(super) fn answering(packet: &Packet) -> u64 {
    if packet.opcode() == OpCode::PROTO_ACK { packet.0[3] >> CAPABILITY_BITS } else { 0 }
}

#[cfg(test)]
mod tests {
    use strait_core::hqq::packet::{Offer, Operation};
    use strait_core::hqq::{Capabilities, Features, Profile, Version};

    use super::*;

    #[test]
    fn names_are_read_back_and_change_nothing_else() {
        let offer = Offer {
            version: Version::V1_0,
            features: Features::ALL,
            capabilities: Capabilities::ALL,
            salt: Some([1, 2, 3]),
        };
        for profile in [Profile::Superblock, Profile::Seed] {
            let asked = request(Operation::Negotiate(offer).emit(profile, 64), Some(7));
            assert_eq!((named(&asked), asked.parse(profile)), (7, Ok(Operation::Negotiate(offer))));
            let answered = answer(Operation::Ack(offer).emit(profile, 64), 7, Some(9));
            assert_eq!((named(&answered), answering(&answered)), (7, 9));
            assert_eq!(answered.parse(profile), Ok(Operation::Ack(offer)));
            let error = Operation::Error { context: 0, code: strait_core::hqq::ErrorCode::INVALID_OP };
            let named = refusal(error.emit(profile, 64), 7);
            assert_eq!((refused(&named), named.parse(profile)), (7, Ok(error)));
            // Towards others every bit is as they expect it.
            let plain = Operation::Ack(offer).emit(profile, 64);
            assert_eq!(answer(plain, 0, Some(9)), plain);
        }
    }
}
