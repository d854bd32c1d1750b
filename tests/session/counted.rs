//! What a session's statistics say of encryption and of flow control.

use core::time::Duration;

use strait::hqq::session::SessionBuilder;
use strait::hqq::{Features, Profile};
use strait_tests::TestName;

use crate::{bytes, sessions};

/// Bytes of counter and tag.
const OVERHEAD: u64 = 24;

#[test]
fn what_sealing_adds_is_counted_at_both_ends() {
    let name = TestName::new("session-sealing");
    let sealed =
        |builder: SessionBuilder| builder.key([9; 32]).offer(Features::ALL.without(Features::COMPRESSION));
    let [one, other] = sessions(&name, Profile::Superblock, sealed, sealed);
    let (one, other) = (one.expect("agreed"), other.expect("agreed"));
    one.send(&bytes(1000)).expect("it is sent");
    assert_eq!(other.recv().expect("it arrives").len(), 1000);
    // Slots of 256 bytes carry 232 of a message.
    for told in [one.statistics(), other.statistics()] {
        assert_eq!((told.sealed_bytes, told.sealing_overhead), (1000, 5 * OVERHEAD), "{told:?}");
        assert!(told.sealing_ratio().is_some_and(|ratio| (ratio - 0.12).abs() < 1e-9), "{told:?}");
    }
}

#[test]
fn credits_and_stops_for_want_of_them_are_counted() {
    let name = TestName::new("session-stops");
    let window =
        |builder: SessionBuilder| builder.window(4096).offer(Features::ALL.without(Features::COMPRESSION));
    let [one, other] = sessions(&name, Profile::Superblock, window, window);
    let (one, other) = (one.expect("agreed"), other.expect("agreed"));
    one.send(&bytes(256)).expect("there is credit");
    assert_eq!(other.recv().expect("it arrives").len(), 256);
    assert_eq!(one.statistics().credit_waits, 0);
    let hasty = one.with_timeout(Duration::from_millis(50));
    let mut sent = 0;
    // One that does not get through may have found the ring full.
    for _ in 0..1000 {
        sent += u64::from(hasty.send(&bytes(256)).is_ok());
        if one.statistics().credit_waits > 0 {
            break;
        }
    }
    assert!(one.statistics().credit_waits >= 1, "{:?}", one.statistics());
    for _ in 0..sent {
        assert_eq!(other.recv().expect("it arrives").len(), 256);
    }
    one.send(&bytes(256)).expect("there is credit");
    assert_eq!(other.recv().expect("it arrives").len(), 256);
    let (told, theirs) = (one.statistics(), other.statistics());
    assert!(
        told.credits_received >= 2 && theirs.credits_sent >= told.credits_received,
        "{told:?} {theirs:?}"
    );
    assert_eq!((theirs.credit_waits, theirs.reading_pauses), (0, 0), "{theirs:?}");
    assert_eq!((told.sealed_bytes, told.sealing_ratio()), (0, None), "{told:?}");
}

#[test]
fn pauses_of_a_session_without_credits_are_counted() {
    let name = TestName::new("session-pauses");
    let plain = |builder: SessionBuilder| builder.window(4096).offer(Features::KNOWN_TO_ALL);
    let [one, other] = sessions(&name, Profile::Superblock, plain, plain);
    let (one, other) = (one.expect("agreed"), other.expect("agreed"));
    let hasty = one.with_timeout(Duration::from_millis(50));
    for _ in 0..1000 {
        let _ = hasty.send(&bytes(256));
        if other.statistics().reading_pauses > 0 {
            break;
        }
    }
    let told = other.statistics();
    assert_eq!((told.reading_pauses, told.credits_sent), (1, 0), "{told:?}");
    assert_eq!((one.statistics().credit_waits, one.statistics().credits_received), (0, 0));
}
