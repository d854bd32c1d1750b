//! Does anybody sleep until there is something to receive, or room to send?

use strait::hqq::Side;
use strait_tests::{Peer, objects};

/// What somebody sleeps for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Awaited {
    Data,
    Space,
}

/// So often somebody sleeps before his sleeps are as long as they become.
pub(crate) const OFTEN: u64 = 6;

/// Bytes of what stands behind the layout: bells, counters, participants.
const EXTENSION_LEN: u64 = 384 + 128 * 64;

/// Whether somebody has announced to sleep for something in the ring of `sender`'s side, and nobody has rung since.
pub(crate) fn is_awaited(name: &str, sender: Side, what: Awaited) -> bool {
    let segment = objects::segment(name);
    let len = segment.metadata().expect("it has its name").len();
    // A bell has a line of its own behind the first one, and its word is odd then.
    let bell = 1 + 2 * u64::from(sender == Side::Secondary) + u64::from(matches!(what, Awaited::Space));
    objects::word(&segment, len - EXTENSION_LEN + 64 * bell) & 1 == 1
}

/// Waits until `peer`, and nobody else, has announced to sleep. Panics if it answers instead.
#[track_caller]
pub(crate) fn until_awaited(peer: &Peer, name: &str, sender: Side, what: Awaited) {
    while !is_awaited(name, sender, what) {
        peer.expect_no_answer();
        std::thread::yield_now();
    }
}

/// Waits until the system says that `peer` sleeps, having announced it.
#[track_caller]
pub(crate) fn until_asleep(peer: &Peer, name: &str, sender: Side, what: Awaited) {
    until_awaited(peer, name, sender, what);
    while state(peer) != 'S' {
        peer.expect_no_answer();
        std::thread::yield_now();
    }
}

/// Waits until `peer` has gone to sleep `times` times more: its sleeps grow.
#[track_caller]
pub(crate) fn until_slept(peer: &Peer, times: u64) {
    let first = sleeps(peer);
    while sleeps(peer) < first + times {
        peer.expect_no_answer();
        std::thread::yield_now();
    }
}

/// State letter of /proc/PID/stat, behind the program's name in parentheses.
fn state(peer: &Peer) -> char {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", peer.pid())).expect("the peer runs");
    let (_, rest) = stat.rsplit_once(") ").expect("a name in parentheses");
    rest.chars().next().expect("a state")
}

/// How often it gave up the processor to wait for something.
fn sleeps(peer: &Peer) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", peer.pid())).expect("the peer runs");
    let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    count.and_then(|count| count.trim().parse().ok()).expect("a number")
}
