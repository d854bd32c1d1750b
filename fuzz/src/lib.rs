//! What is fuzzed, as functions of bytes: run by libFuzzer, and on the checked-in corpus by `cargo test`.
//!
//! | target | the bytes are |
//! |---|---|
//! | [`hqq_packet`] | a packet |
//! | [`hqq_segment`] | steps of a link's two ends and of a peer that keeps no rule, or a segment |
//! | [`hqq_session`] | steps of a session's user and of a peer that keeps no rule |
//! | [`xcp_codecs`] | a codec, what a header says, and a body |
//! | [`xcp_control`] | a header in JSON, or the body of a control message |
//! | [`xcp_decoder`] | a stream of frames, and where it is split |
//! | [`xcp_header`] | a frame's header |
//! | [`xcp_pair`] | steps of two ends of a connection, and what is slipped in between |
//! | [`xcp_unpack`] | a compressed or sealed message, whole and in pieces |
//! | [`zb_answer`] | a response, as a duplex client reads it |
//! | [`zb_hostile`] | steps of a reader, a writer and a peer that keeps no rule, over one buffer |
//! | [`zb_segment`] | a segment that a writer attaches to and that is looked at |
#![forbid(unsafe_code)]

mod bytes;
mod hqq_packet;
mod hqq_segment;
mod hqq_session;
mod xcp_codecs;
mod xcp_control;
mod xcp_decoder;
mod xcp_header;
mod xcp_pair;
mod xcp_unpack;
mod zb_answer;
mod zb_hostile;
mod zb_segment;

pub use hqq_packet::hqq_packet;
pub use hqq_segment::hqq_segment;
pub use hqq_session::hqq_session;
pub use xcp_codecs::xcp_codecs;
pub use xcp_control::xcp_control;
pub use xcp_decoder::xcp_decoder;
pub use xcp_header::xcp_header;
pub use xcp_pair::xcp_pair;
pub use xcp_unpack::xcp_unpack;
pub use zb_answer::zb_answer;
pub use zb_hostile::zb_hostile;
pub use zb_segment::zb_segment;
