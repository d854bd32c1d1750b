//! A peer that ends: what was under way fails, the next peer is served, and what was not acknowledged goes once more.

use std::thread;

use strait::hqq::session::{CallError, SessionError};
use strait::hqq::{Features, Link, Profile};
use strait_tests::{PATIENCE, TestName};

use crate::sessions;

#[test]
fn the_session_goes_on_with_the_next_peer_and_sends_again_what_nobody_acknowledged() {
    let name = TestName::new("session-next");
    let reliable = |builder: strait::hqq::session::SessionBuilder| builder.reliable();
    let [one, other] = sessions(&name, Profile::Superblock, reliable, reliable);
    let (one, other) = (one.expect("agreed"), other.expect("agreed"));
    one.send(b"consumed").expect("it is sent");
    drop(other.recv().expect("it arrives"));
    one.wait_acknowledged(PATIENCE).expect("it is acknowledged");
    one.send(b"never looked at").expect("it is sent");
    let call = one.request(1, b"x").expect("it is sent");
    // Leaving is for the other end what dying is: its handles are gone.
    drop(other);
    assert_eq!(call.wait(), Err(CallError::Session(SessionError::PeerGone)));

    let link = Link::builder(&name).secondary().open().expect("the link is there");
    let next = link.session().reliable().timeout(PATIENCE).negotiate().expect("the survivor answers");
    let message = next.recv().expect("it comes again");
    assert_eq!((&*message, message.is_redelivered()), (&b"never looked at"[..], true));
    drop(message);
    one.wait_acknowledged(PATIENCE).expect("it is acknowledged");
    let statistics = one.statistics();
    assert_eq!((statistics.peers_lost, statistics.redelivered, statistics.undelivered), (1, 1, 0));
    thread::scope(|scope| {
        scope.spawn(|| next.next_request().expect("it arrives").respond(b"yes").expect("answered"));
        assert_eq!(one.call(1, b"there?").expect("it is answered"), b"yes");
    });
}

/// Bytes that say whose they are, of many lengths: most are several slots long.
fn body(number: u32) -> Vec<u8> {
    (0..1 + number as usize * 37 % 900).flat_map(|_| number.to_le_bytes()).collect()
}

#[test]
fn receivers_that_come_and_go_take_each_message_once_in_order_and_as_it_was_sent() {
    const MESSAGES: u32 = 600;
    for sealed in [false, true] {
        let name = TestName::new("session-relay");
        let link = Link::builder(&name).slots(16).slot_len(256);
        let options = |builder: strait::hqq::session::SessionBuilder| {
            let builder = builder.reliable().timeout(PATIENCE);
            if sealed { builder.key([7; 32]) } else { builder }
        };
        let ours = link.clone().primary().create().expect("the link is made");
        thread::scope(|scope| {
            let sender = scope.spawn(move || {
                let session = options(ours.session()).negotiate().expect("agreed");
                for number in 0..MESSAGES {
                    while let Err(error) = session.send(&body(number)) {
                        assert_eq!(error, SessionError::PeerGone);
                        thread::yield_now();
                    }
                }
                session.wait_acknowledged(PATIENCE).expect("all were taken");
                session.statistics()
            });
            let mut wanted = 0;
            while wanted < MESSAGES {
                let session = link.clone().secondary().open().expect("the link is there").session();
                let session = options(session).negotiate().expect("the sender answers");
                // Each takes some, leaves others unread in the ring, and goes.
                for _ in 0..1 + wanted % 23 {
                    let message = session.recv().expect("a message");
                    assert!(*message == body(wanted), "message {wanted} of {} bytes", message.len());
                    wanted += 1;
                    if wanted == MESSAGES {
                        break;
                    }
                }
            }
            let statistics = sender.join().expect("no panic");
            assert_eq!((statistics.acknowledged, statistics.undelivered), (u64::from(MESSAGES), 0));
            assert!(statistics.redelivered > 0, "some were left unread");
        });
    }
}

#[test]
fn without_acknowledgements_nothing_is_sent_again() {
    let name = TestName::new("session-once");
    let plain = |builder: strait::hqq::session::SessionBuilder| builder.offer(Features::KNOWN_TO_ALL);
    let [one, other] = sessions(&name, Profile::Superblock, plain, plain);
    let (one, other) = (one.expect("agreed"), other.expect("agreed"));
    one.send(b"lost").expect("it is sent");
    drop(other);
    while one.agreed().is_ok() {
        thread::yield_now();
    }
    assert_eq!(one.send(b"x"), Err(SessionError::PeerGone));
    let link = Link::builder(&name).secondary().open().expect("the link is there");
    let next = link.session().timeout(PATIENCE).negotiate().expect("the survivor answers");
    one.send(b"new").expect("it is sent");
    assert_eq!(&*next.recv().expect("it arrives"), b"new");
}

#[test]
fn an_end_that_gave_up_and_asks_again_is_answered_as_itself() {
    let name = TestName::new("session-again");
    let link = Link::builder(&name).slots(16).slot_len(256);
    let keeper = link.clone().create().expect("the link is made");
    // Nobody answers: three requests stay in the ring.
    for _ in 0..3 {
        let early = link.clone().secondary().open().expect("the link is there").session().key([1; 32]);
        let gave_up = early.timeout(core::time::Duration::from_millis(1)).negotiate();
        assert_eq!(gave_up.err(), Some(SessionError::Timeout));
    }
    let asks = link.secondary().open().expect("the link is there").session().key([1; 32]);
    thread::scope(|scope| {
        let server = scope.spawn(|| keeper.session().key([1; 32]).timeout(PATIENCE).negotiate());
        let client = asks.timeout(PATIENCE).negotiate().expect("it is answered");
        let server = server.join().expect("no panic").expect("it is asked");
        client.send(b"sealed for you").expect("it is sent");
        assert_eq!(&*server.recv().expect("it opens"), b"sealed for you");
    });
}

#[test]
fn a_connection_outlives_the_session_that_opened_it() {
    let name = TestName::new("session-handles");
    let everything = |builder: strait::hqq::session::SessionBuilder| builder;
    let [one, other] = sessions(&name, Profile::Superblock, everything, everything);
    let (one, other) = (one.expect("agreed"), other.expect("agreed"));
    let ours = one.open_connection().expect("it is granted");
    drop(one);
    let theirs = other.accept_connection().expect("it is there");
    theirs.send(b"still there").expect("it is sent");
    assert_eq!(&*ours.recv().expect("it arrives"), b"still there");
}
