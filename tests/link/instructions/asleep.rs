//! Killed between what others sleep for and waking them: how long do they sleep on?

use super::links::{give_up_receiving, give_up_sending, send};
use super::*;
use crate::awaited::{Awaited, OFTEN, until_asleep, until_slept};

/// Kills processes that have done the last that `operation` does to the memory, which is to say that they will wake who
/// sleeps, or the last but one, which is what that one sleeps for. `sleeper` begins to sleep on the other side.
fn kill_before_it_wakes(operation: &Operation, sleeper: fn(&mut Scene) -> Peer) {
    let mut times = Times::new(operation.test);
    for case in cases().into_iter().take(operation.cases) {
        let course = operation.course(case);
        let stretch = course.stretches.last().expect("it changes the memory");
        let last = stretch.steps.len() as u64;
        for changes in [last - 1, last] {
            println!("{case}, after {changes} changes of {last}");
            let mut scene = Scene::new(operation.test, case, operation.slots);
            let victim = scene.victim();
            let mut sleeper = sleeper(&mut scene);
            until_slept(&sleeper, OFTEN);
            let traced = Traced::begin(victim, &(operation.command)(&scene));
            Position { calls: stretch.calls, changes, steps: 0 }.reach(&traced, &scene.name, &course);
            let killed = Instant::now();
            traced.kill();
            sleeper.answer_ok();
            times.since(killed);
            sleeper.exit();
            (operation.check)(&mut scene, killed, &mut Times::unheard());
        }
    }
}

#[test]
fn a_receiver_that_was_not_woken() {
    let operation = Operation {
        test: "killed-before-it-wakes-a-receiver",
        prepare: |scene| {
            let victim = scene.victim();
            give_up_receiving(scene.other());
            victim
        },
        command: |_| "send victim".to_owned(),
        check: |scene, killed, times| {
            assert_eq!(scene.send_on(killed, times), [""; 0], "the sleeper has it");
            scene.receive_on(&[], 0, killed, times);
        },
        slots: SLOTS,
        cases: 4,
        often: 1,
    };
    kill_before_it_wakes(&operation, |scene| {
        let mut receiver = member("open", scene.case.side.other(), &scene.name, scene.case);
        assert_eq!(receiver.ok("begin recv"), "begun");
        until_asleep(&receiver, &scene.name, scene.case.side, Awaited::Data);
        receiver
    });
}

#[test]
fn a_sender_that_was_not_woken() {
    const FULL: [&str; 4] = ["other-a", "other-b", "other-c", "other-d"];
    let operation = Operation {
        test: "killed-before-it-wakes-a-sender",
        prepare: |scene| {
            let victim = scene.victim();
            FULL.iter().for_each(|text| send(scene.other(), text));
            give_up_sending(scene.other());
            victim
        },
        command: |_| "recv".to_owned(),
        check: |scene, killed, times| {
            // The first one was received by the victim, the last one sent by the sleeper.
            scene.receive_on(&["other-b", "other-c", "other-d", "other-e"], 0, killed, times);
            assert_eq!(scene.send_on(killed, times), [""; 0]);
        },
        slots: SLOTS,
        cases: 4,
        often: 1,
    };
    kill_before_it_wakes(&operation, |scene| {
        let mut sender = member("open", scene.case.side.other(), &scene.name, scene.case);
        FULL.iter().for_each(|text| drop(sender.ok(&format!("send {text}"))));
        assert_eq!(sender.ok("begin send other-e"), "begun");
        until_asleep(&sender, &scene.name, scene.case.side.other(), Awaited::Space);
        sender
    });
}
