//! Does `strait link` move what it is given, between real processes, and say what happened?
#![allow(
    clippy::unwrap_used,
    reason = "the lint knows tests by their attribute, not the functions they call"
)]

mod bench;
mod calls;
mod died;
mod echo;
mod exits;
mod files;
// A link whose processes have ended is there only where a segment is a file.
#[cfg(target_os = "linux")]
mod kept;
#[cfg(target_os = "linux")]
mod leftovers;
mod link_name;
mod look;
mod refused;
mod session;
#[path = "../cli/support.rs"]
#[allow(dead_code, reason = "the other tests of the tool use the rest")]
mod support;
mod trace;
