//! Every feature, and its politeness towards an end that has not got it.

use std::thread;
use strait::hqq::session::{SessionBuilder, SessionError};
use strait::hqq::{Capabilities, Features, Profile};
use strait_tests::TestName;

use crate::{bytes, sessions};

const KEY: [u8; 32] = [9; 32];

fn all(builder: SessionBuilder) -> SessionBuilder {
    builder.key(KEY).reliable()
}

#[test]
fn everything_is_agreed_and_works_in_both_profiles() {
    for profile in [Profile::Superblock, Profile::Seed] {
        let name = TestName::new("session-all");
        let [one, other] = sessions(&name, profile, all, all);
        let (one, other) = (one.expect("agreed"), other.expect("agreed"));
        let agreed = one.agreed().expect("agreed");
        assert_eq!((agreed.features, agreed.capabilities), (Features::ALL, Capabilities::ALL));
        let sent = bytes(50_000);
        thread::scope(|scope| {
            scope.spawn(|| one.send_with_priority(&sent, 3).expect("it is sent"));
            let message = other.recv().expect("it arrives");
            assert_eq!((&*message, message.priority()), (&sent[..], 3));
        });
        one.wait_acknowledged(strait_tests::PATIENCE).expect("it is acknowledged");
        let statistics = one.statistics();
        assert!(statistics.compression_ratio().is_some_and(|ratio| ratio > 2.0), "{statistics:?}");
        assert_eq!((statistics.acknowledged, statistics.counters.messages_sent), (1, 1));
        let theirs = one.peer_statistics().expect("they are told");
        assert_eq!((theirs.messages_received, theirs.errors), (1, 0));
    }
}

#[test]
fn what_one_end_has_not_got_is_refused_by_name_and_the_rest_works() {
    let name = TestName::new("session-less");
    let [one, other] =
        sessions(&name, Profile::Superblock, all, |builder| builder.offer(Features::KNOWN_TO_ALL));
    let (one, other) = (one.expect("agreed"), other.expect("agreed"));
    assert_eq!(one.agreed().map(|agreed| agreed.features), Ok(Features::KNOWN_TO_ALL));
    let refused = one.send_with_priority(b"x", 2).expect_err("classes are not agreed");
    assert_eq!(refused, SessionError::NotAgreed { feature: "QOS" });
    assert_eq!(one.peer_statistics().err(), Some(SessionError::NotAgreed { feature: "STATISTICS" }));
    one.send(&bytes(255)).expect("it is sent");
    assert_eq!(*other.recv().expect("it arrives"), bytes(255)[..]);
}

#[test]
fn a_required_feature_that_is_missing_ends_the_negotiation() {
    let name = TestName::new("session-required");
    let [one, _other] = sessions(
        &name,
        Profile::Superblock,
        |builder| builder.key(KEY).require(Features::ENCRYPTION.union(Features::QOS)),
        |builder| builder,
    );
    let missing = one.expect_err("the other end has no key");
    assert_eq!(missing, SessionError::Missing { missing: Features::ENCRYPTION });
    assert_eq!(missing.to_string(), "the peer does not agree to ENCRYPTION");
}

#[test]
fn sealed_bytes_are_not_in_the_link_and_another_key_opens_nothing() {
    let name = TestName::new("session-sealed");
    let [one, other] =
        sessions(&name, Profile::Superblock, |builder| builder.key(KEY), |builder| builder.key(KEY));
    let (one, other) = (one.expect("agreed"), other.expect("agreed"));
    let secret = b"the combination is 8-15-47, and nobody must read it in the memory that all share";
    one.send(secret).expect("it is sent");
    assert_eq!(&*other.recv().expect("it arrives"), secret);
    #[cfg(target_os = "linux")]
    {
        let memory = std::fs::read(format!("/dev/shm/{}", &*name)).expect("the link is a file");
        assert!(!memory.windows(16).any(|part| secret.windows(16).any(|text| text == part)));
    }
    drop((one, other));

    let [one, other] =
        sessions(&name, Profile::Superblock, |builder| builder.key(KEY), |builder| builder.key([8; 32]));
    let (one, other) = (one.expect("agreed"), other.expect("agreed"));
    one.send(b"secret").expect("it is sent");
    assert_eq!(other.recv().err(), Some(SessionError::Sealed));
}
