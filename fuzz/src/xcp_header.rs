//! A header of any bytes: what it says in Cap'n Proto and packed, and that saying it again says the same.

use strait_core::xcp::header::capnp;
use strait_core::xcp::{FrameHeader, Numbering};

/// `data` is the header of a frame, between HLEN and PLEN.
pub fn xcp_header(data: &[u8]) {
    for numbering in [Numbering::Spec, Numbering::Python] {
        for read in [capnp::read, capnp::read_packed] {
            match read(data, numbering) {
                Ok(header) => says_the_same_again(&header, numbering),
                Err(bad) => assert!(!bad.to_string().is_empty()),
            }
        }
    }
}

fn says_the_same_again(header: &FrameHeader, numbering: Numbering) {
    let mut plain = [0; capnp::MAX_LEN];
    let len = capnp::write(header, numbering, &mut plain).expect("no header is longer");
    let (bytes, _) = plain.split_at(len);
    assert_eq!(capnp::read(bytes, numbering).as_ref(), Ok(header));

    let mut packed = [0; capnp::MAX_LEN];
    let packed_len = capnp::write_packed(header, numbering, &mut packed).expect("no header is longer");
    let (bytes, _) = packed.split_at(packed_len);
    assert_eq!(capnp::read_packed(bytes, numbering).as_ref(), Ok(header));

    // What takes a byte less has no room.
    assert!(capnp::write(header, numbering, &mut plain[..len - 1]).is_err());
    assert!(capnp::write_packed(header, numbering, &mut packed[..packed_len - 1]).is_err());
}
