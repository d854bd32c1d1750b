//! Killed while it sends or receives one message: is nothing lost or repeated but that message?

use super::links::{give_up_receiving, give_up_sending, receive, send};
use super::*;

/// What the victim has sent before.
const BEFORE: &str = "victim-1";
const DURING: &str = "victim-2";

/// The first one has arrived, and perhaps the second.
fn check_sent(scene: &mut Scene, killed: Instant, times: &mut Times) {
    let arrived = scene.send_on(killed, times);
    assert!(arrived == [BEFORE] || arrived == [BEFORE, DURING], "{arrived:?}");
    scene.receive_on(&[], 0, killed, &mut Times::unheard());
}

/// What stands in the ring for the victim.
const UNREAD: [&str; 2] = ["other-a", "other-b"];
const FULL: [&str; 4] = ["other-a", "other-b", "other-c", "other-d"];

/// The first one may be gone.
fn check_received(scene: &mut Scene, killed: Instant, times: &mut Times) {
    scene.receive_on(&UNREAD, 1, killed, times);
    assert_eq!(scene.send_on(killed, &mut Times::unheard()), [""; 0]);
}

#[test]
fn a_send() {
    let operation = Operation {
        test: "killed-in-send",
        prepare: |scene| {
            let mut victim = scene.victim();
            victim.ok(&format!("send {BEFORE}"));
            victim
        },
        command: |_| format!("send {DURING}"),
        check: check_sent,
        slots: SLOTS,
        cases: 8,
        often: 8,
    };
    operation.kill_everywhere();
}

#[test]
fn a_send_that_wakes() {
    let operation = Operation {
        test: "killed-in-waking-send",
        prepare: |scene| {
            let mut victim = scene.victim();
            give_up_receiving(scene.other());
            victim.ok(&format!("send {BEFORE}"));
            assert_eq!(receive(scene.other()), BEFORE);
            give_up_receiving(scene.other());
            victim
        },
        command: |_| format!("send {DURING}"),
        check: |scene, killed, times| {
            let arrived = scene.send_on(killed, times);
            assert!(arrived.is_empty() || arrived == [DURING], "{arrived:?}");
            scene.receive_on(&[], 0, killed, &mut Times::unheard());
        },
        slots: SLOTS,
        cases: 8,
        often: 4,
    };
    operation.kill_everywhere();
}

#[test]
fn a_receive() {
    let operation = Operation {
        test: "killed-in-receive",
        prepare: |scene| {
            UNREAD.iter().for_each(|text| send(scene.other(), text));
            scene.victim()
        },
        command: |_| "recv".to_owned(),
        check: check_received,
        slots: SLOTS,
        cases: 8,
        often: 8,
    };
    operation.kill_everywhere();
}

#[test]
fn a_receive_that_wakes() {
    let operation = Operation {
        test: "killed-in-waking-receive",
        prepare: |scene| {
            let victim = scene.victim();
            FULL.iter().for_each(|text| send(scene.other(), text));
            give_up_sending(scene.other());
            victim
        },
        command: |_| "recv".to_owned(),
        check: |scene, killed, times| {
            scene.receive_on(&FULL, 1, killed, times);
            assert_eq!(scene.send_on(killed, &mut Times::unheard()), [""; 0]);
        },
        slots: SLOTS,
        cases: 8,
        often: 4,
    };
    operation.kill_everywhere();
}
