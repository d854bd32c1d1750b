//! Messages of any length, whole and as they come, one at a time and many.

use std::io::Read as _;
use std::thread;

use strait::hqq::Features;
use strait::hqq::session::SessionError;
use strait_tests::TestName;

use crate::{bytes, pair, sessions};
use strait::hqq::Profile;

#[test]
fn messages_of_every_length_around_a_slot_arrive() {
    let name = TestName::new("session-lengths");
    let (one, other) = pair(&name);
    for len in [0, 1, 255, 256, 257, 511, 512, 513, 16 * 256, 16 * 256 + 1, 100_000] {
        let sent = bytes(len);
        thread::scope(|scope| {
            scope.spawn(|| one.send(&sent).expect("it is sent"));
            assert_eq!(&*other.recv().expect("it arrives"), &sent[..], "{len}");
        });
    }
}

#[test]
fn messages_of_many_threads_each_arrive_once_and_in_order_of_their_thread() {
    let name = TestName::new("session-threads");
    let (one, other) = pair(&name);
    thread::scope(|scope| {
        for thread in 0..4u32 {
            let one = one.clone();
            scope.spawn(move || {
                for number in 0..50u32 {
                    let len = usize::try_from(number).expect("small") * 37;
                    let text = [&thread.to_le_bytes()[..], &number.to_le_bytes(), &bytes(len)].concat();
                    one.send(&text).expect("it is sent");
                }
            });
        }
        let mut next = [0u32; 4];
        for _ in 0..200 {
            let message = other.recv().expect("it arrives");
            let word = |at: usize| u32::from_le_bytes(message[at..at + 4].try_into().expect("4 bytes"));
            let (thread, number) = (usize::try_from(word(0)).expect("below 4"), word(4));
            assert_eq!(number, next[thread]);
            assert_eq!(&message[8..], bytes(usize::try_from(number).expect("small") * 37));
            next[thread] += 1;
        }
    });
}

#[test]
fn a_message_is_read_while_it_comes() {
    let name = TestName::new("session-stream");
    let window = |builder: strait::hqq::session::SessionBuilder| {
        builder.window(2048).offer(Features::ALL.without(Features::COMPRESSION))
    };
    let [one, other] = sessions(&name, Profile::Superblock, window, window);
    let (one, other) = (one.expect("agreed"), other.expect("agreed"));
    let sent = bytes(300_000);
    thread::scope(|scope| {
        scope.spawn(|| one.send(&sent).expect("it is sent"));
        let mut reader = other.recv_reader().expect("it begins");
        assert_eq!(reader.total(), 300_000);
        let mut got = Vec::new();
        reader.read_to_end(&mut got).expect("it is read");
        assert_eq!(got, sent);
    });
    // The next message comes as if nothing had been.
    one.send(b"after").expect("it is sent");
    assert_eq!(&*other.recv().expect("it arrives"), b"after");
}

#[test]
fn a_reader_dropped_halfway_lets_the_next_message_through() {
    let name = TestName::new("session-halfway");
    let (one, other) = pair(&name);
    thread::scope(|scope| {
        scope.spawn(|| {
            one.send(&bytes(200_000)).expect("it is sent");
            one.send(b"after").expect("it is sent");
        });
        let mut reader = other.recv_reader().expect("it begins");
        reader.read_exact(&mut [0; 1000]).expect("it comes");
        drop(reader);
        assert_eq!(&*other.recv().expect("it arrives"), b"after");
    });
}

#[test]
fn a_message_beyond_the_limit_is_refused_with_the_numbers() {
    let name = TestName::new("session-limit");
    let limit = |builder: strait::hqq::session::SessionBuilder| builder.max_message(1000);
    let [one, other] = sessions(&name, Profile::Superblock, limit, limit);
    let (one, other) = (one.expect("agreed"), other.expect("agreed"));
    let noise: Vec<u8> =
        (0..1001).map(|at: u32| at.to_le_bytes()[0] ^ (at.pow(3) >> 5).to_le_bytes()[0]).collect();
    let refused = one.send(&noise).expect_err("it is too long");
    assert!(matches!(refused, SessionError::Usage(_)), "{refused:?}");
    assert!(refused.to_string().contains("1000"), "{refused}");
    one.send(&bytes(1000)).expect("this fits");
    assert_eq!(other.recv().expect("it arrives").len(), 1000);
}
