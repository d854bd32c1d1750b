//! A response of any bytes: what a duplex client takes it for.

use strait_core::zerobuffer::duplex::{Answer, ERROR, RESERVED, SHARED, SHARED_LEN, is_reserved, shared};

/// The first bit of `data` says whether the server shares; the rest is the response.
pub fn zb_answer(data: &[u8]) {
    let Some((first, response)) = data.split_first() else { return };
    let shares = first & 1 == 1;
    match Answer::parse(response, shares) {
        Answer::Data(bytes) => {
            assert_eq!(bytes, response);
            assert!(!response.starts_with(ERROR), "a failure was taken for bytes");
            let is_share = response.starts_with(SHARED) && response.len() == SHARED_LEN;
            assert!(!(shares && is_share), "a share was taken for bytes");
        }
        Answer::Failed(why) => assert_eq!([ERROR, why].concat(), response),
        Answer::Shared { len } => {
            assert!(shares, "a server that cannot share has shared");
            assert_eq!(shared(len), response);
        }
    }
    assert_eq!(is_reserved(response), response.get(..RESERVED.len()) == Some(RESERVED));
    // A handler's own bytes are never taken for anything else.
    if !is_reserved(response) {
        assert_eq!(Answer::parse(response, shares), Answer::Data(response));
    }
}
