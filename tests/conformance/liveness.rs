//! Who runs: this process, others, killed ones, and numbers that no process has.

use strait_core::platform::{Liveness as _, Pid, Watch as _};

use crate::scene::{Scene, wait_until};
use crate::system::{Process as _, System};

pub(crate) fn this_process_is_alive_and_seen<S: System>() {
    let scene = Scene::<S>::new();
    let this = scene.platform.this();
    assert_ne!(this, Pid(0), "0 means nobody");
    assert_eq!(scene.platform.this(), this);
    for platform in [&scene.platform, &scene.system.second()] {
        let watch = platform.watch(this);
        assert_eq!(watch.pid(), this);
        assert!(watch.is_alive() && watch.was_seen());
        assert!(watch.is_alive(), "looking changes nothing");
    }
}

pub(crate) fn a_number_that_no_process_has_is_neither_alive_nor_seen<S: System>() {
    let scene = Scene::<S>::new();
    let this = scene.platform.this().0;
    for nobody in
        [0, u64::MAX, (1 << 32) + this, (1 << 63) | this, u64::MAX << 32, this << 32, 1 << 31, 1 << 32]
    {
        let watch = scene.platform.watch(Pid(nobody));
        assert_eq!(watch.pid(), Pid(nobody));
        assert!(!watch.is_alive() && !watch.was_seen(), "{nobody}");
    }
}

pub(crate) fn another_process_is_alive_until_it_is_killed<S: System>() {
    let scene = Scene::<S>::new();
    let mut process = scene.system.spawn();
    assert_ne!(process.pid(), scene.platform.this());
    let watch = scene.platform.watch(process.pid());
    assert!(watch.is_alive() && watch.was_seen());
    process.kill();
    // The system ends it for sure; it is not reaped yet.
    wait_until(|| !watch.is_alive());
    assert!(watch.was_seen(), "that it was seen is not forgotten");
    process.reap();
    assert!(!watch.is_alive() && watch.was_seen());
}

pub(crate) fn a_watch_of_a_dead_process_stays_dead<S: System>() {
    let scene = Scene::<S>::new();
    let mut process = scene.system.spawn();
    let watch = scene.platform.watch(process.pid());
    process.kill();
    wait_until(|| !watch.is_alive());
    // Not yet reaped: nobody else can have the number.
    let late = scene.platform.watch(process.pid());
    assert!(!late.is_alive());
    process.reap();
    for _ in 0..100 {
        assert!(!watch.is_alive() && !late.is_alive());
    }
}

pub(crate) fn one_process_dies_and_another_lives<S: System>() {
    let scene = Scene::<S>::new();
    let (mut one, two) = (scene.system.spawn(), scene.system.spawn());
    assert_ne!(one.pid(), two.pid());
    let (dying, living) = (scene.platform.watch(one.pid()), scene.platform.watch(two.pid()));
    one.kill();
    wait_until(|| !dying.is_alive());
    one.reap();
    assert!(living.is_alive() && scene.platform.watch(two.pid()).is_alive());
    assert!(scene.platform.watch(scene.platform.this()).is_alive());
}
