//! Request and response over two buffers: their names, and what a response says.
//!
//! ```text
//!  client ── Writer ──► NAME_request  ──► Reader ── server      the server's buffer
//!  client ◄── Reader ── NAME_response ◄── Writer ── server      the client's buffer
//! ```
//!
//! Both are ordinary buffers. The response to request n has number n, because both ends count from 1, the server
//! answers in order, and each request is answered once, failed ones too. Existing clients and servers count on the same.
//!
//! | response | means |
//! |---|---|
//! | begins with [`ERROR`] | the handler failed: the rest is why, in UTF-8 |
//! | begins with [`SHARED`], 24 bytes | the response is the request's own bytes, as the handler left them; then their length, u64 |
//! | anything else | the handler's bytes |
//!
//! Handlers cannot answer with bytes that begin with [`RESERVED`]. An existing server can; its responses are not looked
//! at for [`SHARED`], which needs a [`ShareTable`](super::share::ShareTable).
//!
//! Source: modelingevolution/zerobuffer@5d3e0c4, `PROTOCOL.md` and the duplex channels in C++, C# and Python.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

/// Behind the channel's name: the buffer of requests.
pub const REQUEST_SUFFIX: &str = "_request";
/// Behind the channel's name: the buffer of responses.
pub const RESPONSE_SUFFIX: &str = "_response";

/// First bytes of every response that is not the handler's.
pub const RESERVED: &[u8; 8] = b"\0strait-";
/// First bytes of a response that says why there is none.
pub const ERROR: &[u8; 16] = b"\0strait-error/1\n";
/// First bytes of a response that stands where its request stood.
pub const SHARED: &[u8; 16] = b"\0strait-share/1\n";

/// Bytes of a response that only points to its request.
pub const SHARED_LEN: usize = 24;

/// What a response says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    /// The handler's bytes.
    Data(&'a [u8]),
    /// Why there are none; any bytes, meant as UTF-8.
    Failed(&'a [u8]),
    /// The first `len` bytes of the request.
    Shared {
        /// Bytes.
        len: u64,
    },
}

impl<'a> Answer<'a> {
    /// Reads a response; one of a server that shares, or not.
    pub fn parse(response: &'a [u8], shares: bool) -> Self {
        if let Some(why) = response.strip_prefix(ERROR.as_slice()) {
            return Self::Failed(why);
        }
        match response.strip_prefix(SHARED.as_slice()).map(<[u8; 8]>::try_from) {
            Some(Ok(len)) if shares => Self::Shared { len: u64::from_le_bytes(len) },
            _ => Self::Data(response),
        }
    }
}

/// The response that points to the first `len` bytes of its request.
pub fn shared(len: u64) -> [u8; SHARED_LEN] {
    let mut response = [0; SHARED_LEN];
    let (magic, rest) = response.split_at_mut(SHARED.len());
    magic.copy_from_slice(SHARED);
    rest.copy_from_slice(&len.to_le_bytes());
    response
}

/// Whether a handler's response would be taken for something else.
pub fn is_reserved(response: &[u8]) -> bool {
    response.starts_with(RESERVED)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_data_unless_it_says_otherwise() {
        assert_eq!(Answer::parse(b"x", true), Answer::Data(b"x"));
        assert_eq!(Answer::parse(b"\0strait-error/1\nno such file", false), Answer::Failed(b"no such file"));
        assert_eq!(Answer::parse(ERROR, false), Answer::Failed(b""));
        assert_eq!(Answer::parse(&shared(70_000), true), Answer::Shared { len: 70_000 });
        assert_eq!(Answer::parse(&shared(7), false), Answer::Data(&shared(7)));
        let longer = [&shared(7)[..], b"x"].concat();
        assert_eq!(Answer::parse(&longer, true), Answer::Data(&longer));
    }

    #[test]
    fn everything_special_is_reserved() {
        assert!(is_reserved(ERROR) && is_reserved(SHARED) && is_reserved(RESERVED));
        assert!(!is_reserved(b"\0strait") && !is_reserved(b"data"));
    }
}
