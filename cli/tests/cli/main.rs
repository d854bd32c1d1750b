//! The built tool as real processes: what it moves, says, leaves behind and ends with.
#![allow(
    clippy::unwrap_used,
    reason = "the lint knows tests by their attribute, not the functions they call"
)]

mod died;
mod duplex;
mod duplex_exec;
mod exits;
mod files;
mod flow;
mod json;
// Elsewhere there are none of these: a process is not asked to stop but ended, and a buffer goes with its processes.
#[cfg(target_os = "linux")]
mod linux;
mod look;
mod partial;
mod seed;
#[cfg(target_os = "linux")]
mod signals;
mod support;
mod xcp;
mod xcp_certificates;
mod xcp_decode;
mod xcp_exits;
#[cfg(target_os = "linux")]
mod xcp_listening;
#[cfg(target_os = "linux")]
mod xcp_pipes;
