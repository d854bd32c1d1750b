//! Do two ends of a session get what they agreed on: messages, calls, connections, and every feature?
#![forbid(unsafe_code)]

mod calls;
mod connections;
mod counted;
mod features;
mod lost;
mod messages;
mod standard;

use std::thread;

use strait::hqq::session::{Session, SessionBuilder, SessionError};
use strait::hqq::{Link, Profile};
use strait_tests::{PATIENCE, TestName};

/// Two sessions over one link in this process, each with its own options.
fn sessions(
    name: &TestName,
    profile: Profile,
    ours: impl FnOnce(SessionBuilder) -> SessionBuilder + Send,
    theirs: impl FnOnce(SessionBuilder) -> SessionBuilder + Send,
) -> [Result<Session, SessionError>; 2] {
    let link = Link::builder(name).slots(16).slot_len(256).profile(profile);
    let first = link.clone().create().expect("the link is made");
    let second = link.open().expect("the link is opened");
    thread::scope(|scope| {
        let other = scope.spawn(|| theirs(second.session().timeout(PATIENCE)).negotiate());
        let one = ours(first.session().timeout(PATIENCE)).negotiate();
        [one, other.join().expect("no panic")]
    })
}

/// Two sessions that agree on everything but encryption.
fn pair(name: &TestName) -> (Session, Session) {
    let [one, other] = sessions(name, Profile::Superblock, |builder| builder, |builder| builder);
    (one.expect("it is agreed"), other.expect("it is agreed"))
}

/// `len` bytes that tell where they are.
fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|at| u8::try_from((at / 7 + at * 3) % 251).expect("below 251")).collect()
}
