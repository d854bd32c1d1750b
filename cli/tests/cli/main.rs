//! The built tool as real processes: what it moves, says, leaves behind and ends with.
#![allow(
    clippy::unwrap_used,
    reason = "the lint knows tests by their attribute, not the functions they call"
)]

mod exits;
mod files;
mod flow;
mod interrupted;
mod json;
mod look;
mod support;
