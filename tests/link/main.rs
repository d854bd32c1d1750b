//! What do survivors of a link notice of a process that was killed, wherever it stood?
//!
//! Every test prints the longest time from a kill to the survivors' next message; nothing depends on it.
#![forbid(unsafe_code)]

// A test of ptrace: single steps, and what one instruction is, are the system's and the processor's.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod instructions;

use std::process::Command;
use std::time::{Duration, Instant};

use strait::hqq::{Link, LinkBuilder, Profile, Side};
use strait_tests::{PATIENCE, Peer, TestName, message};

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
        let profile = match self.profile {
            Profile::Superblock => "superblock",
            Profile::Seed => "seed",
        };
        format!("{SLOTS} {} {profile}", message::LONGEST)
    }
}

/// The options of a link of this process.
fn builder(name: &str, side: Side) -> LinkBuilder {
    let builder = Link::builder(name).timeout(PATIENCE);
    match side {
        Side::Primary => builder.primary(),
        Side::Secondary => builder.secondary(),
    }
}

/// Makes a link of this process.
fn create(name: &str, side: Side, profile: Profile, slots: u64) -> Link {
    let builder = builder(name, side).slots(slots).slot_len(message::LONGEST as u64).profile(profile);
    builder.create().expect("the name is free")
}

/// Opens a link that is there.
fn open(name: &str, side: Side) -> Link {
    builder(name, side).open().expect("a link is there")
}

#[track_caller]
fn send(link: &mut Link, text: &str) {
    link.sender().send(&message::bytes(text)).expect("there is room, or there will be");
}

#[track_caller]
fn receive(link: &mut Link) -> String {
    let slot = link.receiver().recv().expect("a message is there, or there will be");
    message::text(&slot).expect("whole")
}

/// What somebody sleeps for.
#[cfg(target_os = "linux")]
#[derive(Clone, Copy)]
enum Awaited {
    Data,
    Space,
}

/// Whether somebody has announced to sleep for something in the ring of `side`, and nobody has woken him.
#[cfg(target_os = "linux")]
fn is_awaited(link: &mut Link, side: Side, what: Awaited) -> bool {
    // A doorbell stands in a line of its own behind the first one of the extension, its word is odd then.
    let bell = 1 + 2 * u64::from(side == Side::Secondary) + u64::from(matches!(what, Awaited::Space));
    let bells = u64::try_from(link.geometry().plan().layout_len).expect("small");
    strait_tests::objects::word(&strait_tests::objects::segment(link.sender().name()), bells + 64 * bell) & 1 == 1
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

    /// Of what was timed already.
    fn unheard() -> Self {
        Self::new("")
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
