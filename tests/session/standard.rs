//! Connections without a negotiation, and what follows one that fails.

use core::time::Duration;

use strait::hqq::session::SessionError;
use strait::hqq::{Features, Link, Profile};
use strait_tests::{PATIENCE, TestName};

use crate::bytes;

fn links(name: &TestName, profile: Profile) -> (Link, Link) {
    let link = Link::builder(name).slots(16).slot_len(256).profile(profile).timeout(PATIENCE);
    let first = link.clone().create().expect("the link is made");
    (first, link.open().expect("the link is opened"))
}

#[test]
fn connections_need_no_negotiation() {
    for profile in [Profile::Superblock, Profile::Seed] {
        let name = TestName::new("session-standard");
        let (first, second) = links(&name, profile);
        let one = first.session().timeout(PATIENCE).standard().expect("nobody is asked");
        let other = second.session().timeout(PATIENCE).standard().expect("nobody is asked");
        assert!(one.is_standard() && other.is_standard());
        let ours = one.open_connection().expect("it is granted");
        let theirs = other.accept_connection().expect("it is there");
        assert_eq!(ours.id(), theirs.id());
        for len in [0, 1, 256] {
            ours.send(&bytes(len)).expect("it is sent");
            assert_eq!(*theirs.recv().expect("it arrives"), bytes(len)[..], "{profile}");
        }
        // More than a slot only where the document has it.
        let large = ours.send(&bytes(1000));
        match profile {
            Profile::Superblock => assert_eq!(large, Err(SessionError::NotAgreed { feature: "LARGE_COPY" })),
            Profile::Seed => {
                large.expect("it is sent");
                assert_eq!(*theirs.recv().expect("it arrives"), bytes(1000)[..]);
            }
        }
        theirs.send(b"back").expect("it is sent");
        assert_eq!(&*ours.recv().expect("it arrives"), b"back");
        let refused = one.call(0, b"x").expect_err("calls are a feature");
        assert!(refused.to_string().contains("REQUEST_RESPONSE"), "{refused}");
        assert!(one.send(b"").is_err() && one.send(&bytes(257)).is_err());
    }
}

#[test]
fn a_standard_link_and_a_session_without_a_negotiation_hear_each_other() {
    for profile in [Profile::Superblock, Profile::Seed] {
        let name = TestName::new("session-copies");
        let (first, mut second) = links(&name, profile);
        let one = first.session().timeout(PATIENCE).standard().expect("nobody is asked");
        for at in 1..40 {
            one.send(&bytes(at)).expect("it is sent");
            assert_eq!(*second.receiver().recv().expect("it arrives"), bytes(at)[..]);
            second.sender().send(&bytes(at + 1)).expect("it is sent");
            assert_eq!(*one.recv().expect("it arrives"), bytes(at + 1)[..]);
        }
        assert_eq!(one.statistics().peer_errors, 0);
    }
}

#[test]
fn a_negotiation_that_nobody_answers_is_followed_by_none_and_nothing_is_lost() {
    for profile in [Profile::Superblock, Profile::Seed] {
        let name = TestName::new("session-fallback");
        let (first, mut second) = links(&name, profile);
        second.sender().send(b"before").expect("it is sent");
        let soon = Duration::from_millis(50);
        let one = first.session().timeout(soon).fallback().negotiate().expect("it falls back");
        assert!(one.is_standard());
        let one = one.with_timeout(PATIENCE);
        assert_eq!(&*one.recv().expect("it arrives"), b"before");
        one.send(b"after").expect("it is sent");
        // The request that nobody understood comes first.
        second.receiver().recv().expect_err("a standard link knows no negotiation");
        assert_eq!(&*second.receiver().recv().expect("it arrives"), b"after");
    }
}

#[test]
fn a_negotiation_that_is_refused_is_followed_by_none_at_both_ends() {
    let name = TestName::new("session-refused");
    let (first, second) = links(&name, Profile::Superblock);
    let one = first.session().timeout(PATIENCE).standard().expect("nobody is asked");
    // Refused at once: the other end has decided.
    let other = second.session().timeout(PATIENCE).fallback().negotiate().expect("it falls back");
    assert!(other.is_standard());
    let ours = one.open_connection().expect("it is granted");
    let theirs = other.accept_connection().expect("it is there");
    ours.send(b"x").expect("it is sent");
    assert_eq!(&*theirs.recv().expect("it arrives"), b"x");
}

#[test]
fn who_requires_something_does_without_nothing() {
    let name = TestName::new("session-no-fallback");
    let (first, second) = links(&name, Profile::Superblock);
    let required = Features::FLOW_CONTROL;
    let soon = first.session().timeout(Duration::from_millis(20));
    let refused = soon.require(required).fallback().negotiate().expect_err("nobody answers");
    assert_eq!(refused, SessionError::Timeout);
    let refused = second.session().require(required).standard().expect_err("it cannot be had");
    assert_eq!(refused, SessionError::Missing { missing: required });
}
