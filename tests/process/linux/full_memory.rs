//! Shared memory that is full: an error that says so, and nothing left.

use std::process::Command;

use strait::zerobuffer::{CreateError, Reader};
use strait_tests::{Peer, TestName, objects};

use crate::PEER;

/// The peer with a `/dev/shm` of its own, `size` bytes; `None` where this user may not mount.
fn peer_in_small_memory(size: u64) -> Option<Peer> {
    let script = format!("mount -t tmpfs -o size={size},mode=1777 tmpfs /dev/shm && exec {PEER}");
    let may_mount = Command::new("unshare").args(["-m", "true"]).output();
    if !may_mount.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: no private mounts here");
        return None;
    }
    Some(Peer::start(Command::new("unshare").args(["-m", "sh", "-c", &script])))
}

#[test]
fn more_than_shared_memory_holds_is_refused_as_full() {
    let name = TestName::new("too-much");
    let memory = rustix::fs::statvfs(objects::SHM).expect("it is mounted");
    let bytes = memory.f_blocks.saturating_mul(memory.f_frsize);
    let error =
        Reader::builder(&name).payload_capacity(bytes + (1 << 30)).create().expect_err("does not fit");
    let text = error.to_string();
    assert!(text.contains(&*name), "{text}");
    if isize::try_from(bytes + (2 << 30)).is_ok() {
        assert!(matches!(error, CreateError::Os { .. }) && text.contains("full"), "{error:?}");
    } else {
        // A 32-bit build, whose addresses end before the memory does.
        assert!(matches!(error, CreateError::BadCapacity { .. }), "{error:?}");
    }
    name.assert_nothing_left();
}

#[test]
fn a_segment_or_semaphore_that_no_longer_fits_leaves_nothing() {
    let name = TestName::new("small-memory");
    // Pages for the segment, of which the last 128 bytes say who the ends are, with room for none, one and both of the
    // semaphores, then for all.
    let segment = 8 * 4096;
    for (spare, fits) in [(-1i64, false), (0, false), (1, false), (2, true)] {
        let size = u64::try_from(segment + spare * 4096).expect("positive");
        let Some(mut peer) = peer_in_small_memory(size) else { return };
        let create = format!("create {name} 0 {}", segment - 256);
        if fits {
            peer.ok(&create);
            peer.ok(&format!("connect {name}"));
            peer.ok("send 1000 20");
            peer.ok("close");
        } else {
            let error = peer.err(&create);
            assert!(error.starts_with("Os") && error.contains("full"), "{spare}: {error}");
        }
        assert_eq!(peer.ok(&format!("list {name}")), "", "{spare}");
        // What did not fit leaves room for what does.
        peer.ok(&format!("create {name} 0 1024"));
        peer.ok("close");
        assert!(peer.exit().success());
        name.assert_nothing_left();
    }
}
