//! When has the other process nothing more to do but wait?
//!
//! On Linux a semaphore tells how many sleep at it, so that a test can act on a process that sleeps for sure. Windows
//! does not tell. There a test acts on a process that has begun to wait: it spins, or sleeps.

use crate::Peer;

#[cfg(not(target_os = "linux"))]
pub use elsewhere::{receive, until_full};
#[cfg(target_os = "linux")]
pub use linux::{receive, stopped_while_asleep, until_asleep, until_full};

/// Tells `reader` to receive a frame from `name`, which has none; it says first that it begins.
#[track_caller]
fn begin_to_receive(reader: &mut Peer) {
    assert_eq!(reader.ok("begin recv"), "begun");
}

#[cfg(target_os = "linux")]
mod linux {
    use std::path::Path;

    use rustix::process::{Pid, Signal, kill_process};

    use crate::{Peer, objects, wait_until};

    /// Has `reader` wait for a frame of `name`, which has none.
    #[track_caller]
    pub fn receive(reader: &mut Peer, name: &str) {
        super::begin_to_receive(reader);
        until_asleep(reader, &objects::data_ready(name));
    }

    /// Waits until `writer`, which sends frames without end, has put `frames` of them into the ring of `name`, which
    /// holds no more, and waits for space.
    #[track_caller]
    pub fn until_full(writer: &mut Peer, name: &str, frames: u64) {
        until_asleep(writer, &objects::space_free(name));
        assert_eq!(objects::word(&objects::segment(name), objects::WRITTEN_COUNT), frames);
    }

    /// Waits until `peer` sleeps at `semaphore`. It may wake the next moment, to look whether the other end lives.
    /// Panics if it answers, or ends, instead.
    #[track_caller]
    pub fn until_asleep(peer: &mut Peer, semaphore: &Path) {
        while objects::waiters(semaphore) == 0 {
            peer.expect_no_answer();
            std::thread::yield_now();
        }
    }

    /// Runs `act` while `peer` is stopped in its sleep at `semaphore`, where it touches nothing but the semaphore.
    #[track_caller]
    pub fn stopped_while_asleep(peer: &mut Peer, semaphore: &Path, act: impl FnOnce()) {
        loop {
            until_asleep(peer, semaphore);
            signal(peer, Signal::STOP);
            wait_until(|| state(peer) == 'T');
            if objects::waiters(semaphore) > 0 {
                break;
            }
            signal(peer, Signal::CONT);
        }
        act();
        signal(peer, Signal::CONT);
    }

    fn signal(peer: &Peer, signal: Signal) {
        let pid = Pid::from_child(&peer.child);
        kill_process(pid, signal).expect("the peer takes signals");
    }

    /// State letter of /proc/PID/stat, behind the program's name in parentheses.
    fn state(peer: &Peer) -> char {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", peer.pid())).expect("the peer runs");
        let (_, rest) = stat.rsplit_once(") ").expect("a name in parentheses");
        rest.chars().next().expect("a state")
    }
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use strait::zerobuffer::inspect;

    use crate::Peer;

    /// Has `reader` begin to wait for a frame of a buffer, which has none.
    #[track_caller]
    pub fn receive(reader: &mut Peer, _name: &str) {
        super::begin_to_receive(reader);
    }

    /// Waits until `writer`, which sends frames without end, has put `frames` of them into the ring of `name`, which
    /// holds no more: then it can but wait.
    #[track_caller]
    pub fn until_full(writer: &mut Peer, name: &str, frames: u64) {
        // Counted once it is visible: after that a frame cannot be lost any more.
        while inspect(name, 0).expect("its reader runs").words.payload_written_count < frames {
            writer.expect_no_answer();
            std::thread::yield_now();
        }
    }
}
