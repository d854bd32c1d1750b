//! Links as streams, datagrams, batches and futures, and what a message that was copied is worth.

use std::io::{ErrorKind, Read as _, Write as _};
use std::time::Duration;

use strait::hqq::{Address, Link, LinkBuilder, Receiver, RecvError, SendError, Sender, Side};
use strait_tests::{PATIENCE, TestName};

fn builder(name: &TestName) -> LinkBuilder {
    Link::builder(name).slots(4).slot_len(64).timeout(PATIENCE)
}

/// What one end sends through and the other receives by, with the halves that are not used.
fn halves(name: &TestName) -> ((Sender, Receiver), (Sender, Receiver)) {
    let first = builder(name).create().expect("made").split();
    (first, builder(name).open().expect("opened").split())
}

#[test]
fn a_read_takes_one_message_and_leaves_the_rest_of_it_to_the_next() {
    let name = TestName::new("link-read");
    let ((mut tx, _), (_, mut rx)) = halves(&name);
    assert_eq!(tx.write(&[]).expect("nothing is sent"), 0);
    // A message of a slot's length, and one of the rest.
    let text: Vec<u8> = (0..100).collect();
    assert_eq!(tx.write(&text).expect("sent"), 64);
    tx.write_all(&text[64..]).expect("sent");
    let mut to = [0; 40];
    let lens: Vec<usize> = (0..3).map(|_| rx.read(&mut to).expect("received")).collect();
    assert_eq!((lens, rx.read(&mut []).expect("no bytes")), (vec![40, 24, 36], 0));
    assert_eq!(to[..36], text[64..]);
    assert_eq!((tx.statistics().packets, rx.statistics().packets, rx.statistics().bytes), (2, 2, 100));
}

#[test]
fn a_datagram_goes_to_the_other_end_alone_and_says_where_it_comes_from() {
    let name = TestName::new("link-datagram");
    let (mut one, mut other) =
        (builder(&name).create().expect("made"), builder(&name).open().expect("opened"));
    let to = one.peer_address();
    assert_eq!((&to, to.side), (&other.local_address(), Side::Secondary));
    assert_eq!(one.send_to(b"hello", &to).expect("sent"), 5);
    let mut buffer = [0; 64];
    assert_eq!(other.recv_from(&mut buffer).expect("received"), (5, one.local_address()));
    for wrong in [one.local_address(), Address { link: "elsewhere".into(), side: to.side }] {
        let refused = one.send_to(b"hello", &wrong).expect_err("it does not lead there");
        assert_eq!(refused.kind(), ErrorKind::AddrNotAvailable);
        assert!(refused.to_string().contains(&wrong.to_string()), "{refused}");
    }
}

#[test]
fn waits_end_with_what_they_waited_for() {
    let name = TestName::new("link-timeout");
    let ((mut tx, _), (_, mut rx)) = halves(&name);
    let short = Duration::from_millis(3);
    assert_eq!(rx.recv_timeout(short).err(), Some(RecvError::Timeout));
    assert_eq!(rx.try_recv().err(), Some(RecvError::Empty));
    (0..4).for_each(|_| tx.try_send(b"x").expect("there is room"));
    assert_eq!(tx.try_send(b"x"), Err(SendError::Full));
    assert_eq!(tx.send_timeout(b"x", short), Err(SendError::Timeout));
    assert_eq!((tx.statistics().full_waits, rx.statistics().empty_waits), (1, 1));
    rx.set_timeout(short);
    (0..4).for_each(|_| drop(rx.recv().expect("received")));
    let error = rx.read(&mut [0]).expect_err("nothing is there");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn futures_send_and_receive_through_a_tight_ring() {
    let name = TestName::new("link-async");
    let ((mut tx, _keeps), (_keeps_too, mut rx)) = halves(&name);
    let sending = tokio::spawn(async move {
        for number in 0..2000u64 {
            tx.send_async(&number.to_le_bytes()).await.expect("sent");
        }
        let mut slot = tx.reserve_async().await.expect("reserved");
        slot[..4].copy_from_slice(b"last");
        slot.commit(4).expect("committed");
        tx
    });
    for number in 0..2000u64 {
        assert_eq!(&*rx.recv_async().await.expect("received"), number.to_le_bytes());
    }
    assert_eq!(&*rx.recv_async().await.expect("received"), b"last");
    drop(sending.await.expect("no panic"));
}

#[tokio::test]
async fn a_future_that_is_dropped_loses_no_message() {
    let name = TestName::new("link-dropped");
    let ((mut tx, _keeps), (_keeps_too, mut rx)) = halves(&name);
    for number in 0..50u8 {
        let waited = tokio::time::timeout(Duration::from_millis(1), rx.recv_async()).await.is_err();
        assert!(waited, "nothing was sent");
        tx.send_async(&[number]).await.expect("sent");
        assert_eq!(*rx.recv_async().await.expect("received"), [number]);
    }
    rx.set_timeout(Duration::from_millis(3));
    assert_eq!(rx.recv_async().await.err(), Some(RecvError::Timeout));
}

#[cfg(target_os = "linux")]
#[test]
fn messages_that_are_copied_do_not_change_any_more_in_batches_either() {
    use std::os::unix::fs::FileExt as _;

    /// Where buffer `index` of the primary's ring stands in such a link.
    const fn buffer(index: u64) -> u64 {
        8192 + 64 * index
    }

    let name = TestName::new("link-copied");
    let (mut tx, _rx) = builder(&name).create().expect("made").split();
    let (_tx, mut rx) = builder(&name).copy_slots(true).open().expect("opened").split();
    let memory = std::fs::File::options().write(true).open(format!("/dev/shm/{}", &*name)).expect("a file");
    let scribble = |index| memory.write_all_at(b"FORGE", buffer(index)).expect("written");
    tx.send(b"first").expect("sent");
    tx.send(b"other").expect("sent");
    let mut batch = rx.recv_many(2).expect("received");
    let message = batch.next().expect("there are two").expect("a message");
    scribble(0);
    assert_eq!(message, b"first");
    drop(batch);
    tx.send(b"third").expect("sent");
    let message = rx.recv().expect("received");
    scribble(2);
    assert_eq!(&*message, b"third");
}
