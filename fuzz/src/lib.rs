//! What is fuzzed, as functions of bytes: run by libFuzzer, and on the checked-in corpus by `cargo test`.
//!
//! | target | the bytes are |
//! |---|---|
//! | [`zb_answer`] | a response, as a duplex client reads it |
//! | [`zb_hostile`] | steps of a reader, a writer and a peer that keeps no rule, over one buffer |
//! | [`zb_segment`] | a segment that a writer attaches to and that is looked at |
#![forbid(unsafe_code)]

mod bytes;
mod zb_answer;
mod zb_hostile;
mod zb_segment;

pub use zb_answer::zb_answer;
pub use zb_hostile::zb_hostile;
pub use zb_segment::zb_segment;
