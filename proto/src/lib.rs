//! Protobuf messages of Strait's network protocols: what `prost` makes of `protos/*/*.proto`, checked in.
//!
//! `protos/SOURCE.md` says where the messages come from. `cargo xtask regen` makes the code again.
#![forbid(unsafe_code)]

/// XCP v0.2.
pub mod xcp {
    /// Bodies of HELLO, CAPS, ACK, NACK, PING and PONG.
    #[allow(clippy::all, missing_debug_implementations, reason = "generated")]
    pub mod control {
        include!("generated/xcp.control.rs");
    }

    /// Envelopes.
    #[allow(clippy::all, missing_debug_implementations, reason = "generated")]
    pub mod ether {
        include!("generated/xcp.ether.rs");
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::xcp::control::{Ack, Hello, KindRange, Nack, Ping};
    use super::xcp::ether::EtherProto;

    // What Python's protobuf writes for the same messages.
    #[test]
    fn control_messages_have_the_bytes_of_the_reference() {
        let range = KindRange { kind_id: 0x6EA7_E21B, major: 1, min_minor: 0, max_minor: 5 };
        let hello = Hello {
            codecs: vec![1, 8, 32, 33],
            max_frame_bytes: 1 << 20,
            accepts: vec![range],
            shared_mem: true,
            ..Hello::default()
        };
        let bytes = b"\x0a\x04\x01\x08\x20\x21\x10\x80\x80\x40\x1a\x0a\x08\x9b\xc4\x9f\xf5\x06\x10\x01\x20\x05\x28\x01";
        assert_eq!(hello.encode_to_vec(), bytes);
        assert_eq!(Hello::decode(&bytes[..]), Ok(hello));
        // Numbers that are not packed are read, too.
        assert_eq!(Hello::decode(&b"\x08\x01\x08\x08"[..]).map(|hello| hello.codecs), Ok(vec![1, 8]));

        assert_eq!(Ack { msg_id: 7 }.encode_to_vec(), b"\x08\x07");
        let nack = Nack { msg_id: 7, error_code: 2, retry_after_ms: 250 };
        assert_eq!(nack.encode_to_vec(), b"\x08\x07\x10\x02\x18\xfa\x01");
        let ping = Ping { nonce: 0x0102_0304_0506_0708 };
        assert_eq!(ping.encode_to_vec(), b"\x08\x88\x8e\x98\xa8\xc0\xe0\x80\x81\x01");
    }

    #[test]
    fn an_ether_has_the_bytes_of_the_reference() {
        let frame = include_bytes!("../../tests/vectors/xcp/reference/data_protobuf_text.req.bin");
        let header = usize::from(u16::from_le_bytes([frame[6], frame[7]]));
        let body = &frame[12 + header..frame.len() - 4];
        let ether = EtherProto::decode(body).unwrap();
        assert_eq!((ether.kind.as_str(), ether.schema_version), ("text", 1));
        assert_eq!(ether.payload["text"], b"Hello, XCP v0.2!");
        assert_eq!(ether.encode_to_vec(), body);
    }
}
