//! What tests of several processes need: children brought to an exact step, names of their own, the raw objects.
// `forked` has some: there is no safe fork.
#![deny(unsafe_code)]

pub mod blocked;
pub mod child;
pub mod duplex;
#[cfg(target_os = "linux")]
pub mod forked;
pub mod message;
// Files in /dev/shm. Elsewhere a buffer's objects are no files, and no test can lay hands on them.
#[cfg(target_os = "linux")]
pub mod objects;
pub mod pattern;
pub mod test_name;
#[cfg(target_os = "linux")]
pub mod traced;

pub use child::Peer;
pub use test_name::TestName;

/// How long the endpoints of the tests wait: never needed, but a test that fails ends with an error and not at all.
pub const PATIENCE: core::time::Duration = core::time::Duration::from_secs(300);

/// Waits until `condition` holds. It must be one that the library, or the system, brings about for sure.
pub fn wait_until(mut condition: impl FnMut() -> bool) {
    while !condition() {
        std::thread::yield_now();
    }
}
