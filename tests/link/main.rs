//! What do survivors of a link notice of a process that was killed, wherever it stood?
//!
//! They go on within 50 ms. Every test prints its longest time from a kill to the survivors' next message (`--show-output`),
//! and none fails by it: another program may have had the processor.
#![forbid(unsafe_code)]

#[cfg(target_os = "linux")]
mod awaited;
// A test of ptrace: single steps, and what one instruction is, are the system's and the processor's.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod instructions;
mod many;
// Windows lets nobody cut a section short.
#[cfg(target_os = "linux")]
mod others;
// There is neither `fork` nor `execve` elsewhere.
#[cfg(target_os = "linux")]
mod processes;
mod receiver_steps;
mod roles;
mod sender_steps;
// The system says which process sleeps.
#[cfg(target_os = "linux")]
mod waiting;

use core::fmt;
use std::process::Command;
use std::time::{Duration, Instant};

use strait::hqq::{Profile, Side};
use strait_tests::{Peer, TestName, message};

/// Slots of each direction: few, so that every slot is soon needed again.
const SLOTS: u64 = 4;

/// Another process, not yet on any link.
fn peer() -> Peer {
    Peer::start(&mut Command::new(env!("CARGO_BIN_EXE_strait-test-link-peer")))
}

/// One way of many in which a scene is played.
#[derive(Clone, Copy, Debug)]
struct Case {
    profile: Profile,
    /// The victim's side.
    side: Side,
    /// Whether a second process is on that side from the start; else one comes after the kill.
    company: bool,
}

/// Both profiles, both sides, one process and two on the victim's side; the first 2 or 4 have all of these as well.
fn cases() -> [Case; 8] {
    use Profile::{Seed, Superblock};
    use Side::{Primary, Secondary};
    [
        (Superblock, Primary, true),
        (Seed, Secondary, false),
        (Superblock, Secondary, false),
        (Seed, Primary, true),
        (Superblock, Primary, false),
        (Seed, Secondary, true),
        (Superblock, Secondary, true),
        (Seed, Primary, false),
    ]
    .map(|(profile, side, company)| Case { profile, side, company })
}

impl Case {
    /// What a peer is told of the geometry.
    fn geometry(self) -> String {
        format!("{SLOTS} {} {}", message::LONGEST, self.profile_name())
    }

    fn profile_name(self) -> &'static str {
        match self.profile {
            Profile::Superblock => "superblock",
            Profile::Seed => "seed",
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let company = if self.company { "in company" } else { "alone" };
        write!(f, "{:?}, a {} {company}", self.profile, self.side)
    }
}

/// Another process on the link `name`: `how` says whether it makes it.
fn member(how: &str, side: Side, name: &str, case: Case) -> Peer {
    let mut peer = peer();
    let geometry = if how == "open" { String::new() } else { case.geometry() };
    assert_eq!(peer.ok(&format!("{how} {side} {name} {geometry}")), side.to_string());
    peer
}

/// Sends messages through every slot of the ring, more than once; they must arrive in order and nothing else.
#[track_caller]
fn talk(from: &mut Peer, to: &mut Peer) {
    for number in 0..=2 * SLOTS {
        from.ok(&format!("send talk-{number}"));
        assert_eq!(to.ok("recv"), format!("talk-{number}"));
    }
    let end = to.err("try_recv");
    assert!(end.starts_with("Empty"), "{end}");
}

/// What survivors have recovered of the dead.
#[derive(Debug)]
struct Found {
    handles: u64,
    lost: u64,
    given_up: u64,
}

impl core::ops::Add for Found {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            handles: self.handles + other.handles,
            lost: self.lost + other.lost,
            given_up: self.given_up + other.given_up,
        }
    }
}

/// What a peer has recovered.
fn recovered(peer: &mut Peer) -> Found {
    let statistics = peer.ok("statistics");
    let mut last = statistics.split(' ').skip(4).map(|number| number.parse().expect("a number"));
    let mut next = || last.next().expect("it is there");
    Found { handles: next(), lost: next(), given_up: next() }
}

/// Times from kills to the next message.
struct Times {
    test: &'static str,
    times: Vec<Duration>,
}

impl Times {
    fn new(test: &'static str) -> Self {
        Self { test, times: Vec::new() }
    }

    fn since(&mut self, kill: Instant) {
        self.times.push(kill.elapsed());
    }
}

impl Drop for Times {
    fn drop(&mut self) {
        self.times.sort();
        if let Some(worst) = self.times.last().filter(|_| !self.test.is_empty()) {
            let (middle, count) = (self.times[self.times.len() / 2], self.times.len());
            println!("{}: {count} kills, progress after {middle:?} as a rule, {worst:?} at worst", self.test);
        }
    }
}
