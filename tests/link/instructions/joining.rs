//! Killed while it makes, opens, shares or leaves a link: does the link work for all others, or can it be made?

use strait_tests::objects;

use super::links::send;
use super::*;

/// The link works for everybody: nothing was sent by the victim, and nothing was there for it.
fn check_use(scene: &mut Scene, killed: Instant, times: &mut Times) {
    assert_eq!(scene.send_on(killed, times), [""; 0]);
    scene.receive_on(&[], 0, killed, &mut Times::unheard());
}

/// Somebody gets the link that the victim had for itself, or a new one, at once; and nothing is left of either.
fn check_make(scene: &mut Scene, killed: Instant, times: &mut Times) {
    let geometry = scene.case.geometry();
    let mut next = peer();
    assert_eq!(next.ok(&format!("enter auto {} {geometry}", &*scene.name)), "primary");
    times.since(killed);
    let left = objects::left(&scene.name);
    assert_eq!(left, [objects::segment(&scene.name)], "what is in use and nothing else");
    let mut third = peer();
    assert_eq!(third.ok(&format!("enter auto {} {geometry}", &*scene.name)), "secondary");
    next.ok("send there");
    assert_eq!(third.ok("recv"), "there");
    third.ok("send back");
    assert_eq!(next.ok("recv"), "back");
    next.ok("close");
    third.ok("close");
    scene.name.assert_nothing_left();
}

/// A process that holds a slot of its own in each ring, and dies.
fn leave_something_to_recover(scene: &mut Scene) {
    send(scene.other(), "lost");
    let mut dead = scene.victim();
    assert_eq!(dead.ok("hold"), "lost");
    dead.ok("reserve");
    dead.kill();
}

#[test]
fn opening() {
    let operation = Operation {
        test: "killed-opening",
        prepare: |_| peer(),
        command: |scene| format!("open {} {}", scene.case.side, &*scene.name),
        check: check_use,
        slots: SLOTS,
        cases: 2,
        often: 1,
    };
    operation.kill_everywhere();
}

#[test]
fn opening_and_recovering() {
    let operation = Operation {
        test: "killed-recovering",
        prepare: |scene| {
            leave_something_to_recover(scene);
            peer()
        },
        command: |scene| format!("open {} {}", scene.case.side, &*scene.name),
        check: check_use,
        slots: 2,
        cases: 2,
        often: 1,
    };
    operation.kill_everywhere();
}

#[test]
fn cloning() {
    let operation = Operation {
        test: "killed-cloning",
        prepare: |scene| scene.victim(),
        command: |_| "clone".to_owned(),
        check: check_use,
        slots: SLOTS,
        cases: 2,
        often: 1,
    };
    operation.kill_everywhere();
}

#[test]
fn closing() {
    let operation = Operation {
        test: "killed-closing",
        prepare: |scene| scene.victim(),
        command: |_| "close".to_owned(),
        check: check_use,
        slots: SLOTS,
        cases: 8,
        often: 2,
    };
    operation.kill_everywhere();
}

#[test]
fn closing_as_the_last_one() {
    let operation = Operation {
        test: "killed-closing-last",
        prepare: |scene| {
            let victim = scene.victim();
            (scene.mate, scene.other) = (None, None);
            victim
        },
        command: |_| "close".to_owned(),
        check: check_make,
        slots: SLOTS,
        cases: 2,
        often: 1,
    };
    operation.kill_everywhere();
}

#[test]
fn making() {
    let operation = Operation {
        test: "killed-making",
        prepare: |scene| {
            (scene.mate, scene.other) = (None, None);
            peer()
        },
        command: |scene| format!("enter {} {} {}", scene.case.side, &*scene.name, scene.case.geometry()),
        check: check_make,
        slots: SLOTS,
        cases: 8,
        often: 1,
    };
    operation.kill_everywhere();
}

#[test]
fn making_anew_where_all_are_dead() {
    let operation = Operation {
        test: "killed-making-anew",
        prepare: |scene| {
            let victim = scene.victim();
            (scene.mate, scene.other) = (None, None);
            victim.kill();
            peer()
        },
        command: |scene| format!("create {} {} {}", scene.case.side, &*scene.name, scene.case.geometry()),
        check: check_make,
        slots: SLOTS,
        cases: 8,
        often: 1,
    };
    operation.kill_everywhere();
}
