//! Protobuf messages of Strait's network protocols: reserved until XCP needs it. See `README.md` beside this crate.
#![forbid(unsafe_code)]
