//! Killed while it sends or receives a batch: is nothing lost or repeated but what is left of the batch?

use super::links::{give_up_receiving, give_up_sending, send};
use super::*;

const BATCH: [&str; 3] = ["victim-1", "victim-2", "victim-3"];

/// The first of the batch have arrived, in order.
fn check_sent(scene: &mut Scene, killed: Instant, times: &mut Times) {
    let arrived = scene.send_on(killed, times);
    assert_eq!(arrived, BATCH[..arrived.len().min(BATCH.len())]);
    scene.receive_on(&[], 0, killed, &mut Times::unheard());
}

#[test]
fn a_batch_sent() {
    let operation = Operation {
        test: "killed-in-sent-batch",
        prepare: |scene| scene.victim(),
        command: |_| format!("send_many {}", BATCH.join(" ")),
        check: check_sent,
        slots: SLOTS,
        cases: 4,
        often: 2,
    };
    operation.kill_everywhere();
}

#[test]
fn a_batch_sent_that_wakes() {
    let operation = Operation {
        test: "killed-in-waking-sent-batch",
        prepare: |scene| {
            let victim = scene.victim();
            give_up_receiving(scene.other());
            victim
        },
        command: |_| format!("send_many {}", BATCH.join(" ")),
        check: check_sent,
        slots: SLOTS,
        cases: 4,
        often: 1,
    };
    operation.kill_everywhere();
}

#[test]
fn a_batch_received() {
    const UNREAD: [&str; 3] = ["other-a", "other-b", "other-c"];
    let operation = Operation {
        test: "killed-in-received-batch",
        prepare: |scene| {
            UNREAD.iter().for_each(|text| send(scene.other(), text));
            scene.victim()
        },
        command: |_| format!("recv_many {}", UNREAD.len()),
        check: |scene, killed, times| {
            scene.receive_on(&UNREAD, UNREAD.len(), killed, times);
            assert_eq!(scene.send_on(killed, &mut Times::unheard()), [""; 0]);
        },
        slots: SLOTS,
        cases: 4,
        often: 2,
    };
    operation.kill_everywhere();
}

#[test]
fn a_batch_received_that_wakes() {
    const UNREAD: [&str; 4] = ["other-a", "other-b", "other-c", "other-d"];
    let operation = Operation {
        test: "killed-in-waking-received-batch",
        prepare: |scene| {
            let victim = scene.victim();
            UNREAD.iter().for_each(|text| send(scene.other(), text));
            give_up_sending(scene.other());
            victim
        },
        command: |_| "recv_many 3".to_owned(),
        check: |scene, killed, times| {
            scene.receive_on(&UNREAD, 3, killed, times);
            assert_eq!(scene.send_on(killed, &mut Times::unheard()), [""; 0]);
        },
        slots: SLOTS,
        cases: 4,
        often: 1,
    };
    operation.kill_everywhere();
}
