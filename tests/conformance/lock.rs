//! The lock of a name: exclusive, seen by others, and free as soon as its holder has gone.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use strait_core::name::Name;
use strait_core::platform::{Access, FaultKind, LockState, Platform};

use crate::scene::{Scene, kind, wait_until};
use crate::system::{Process as _, System};

fn take<P: Platform>(platform: &P, name: &Name) -> Result<P::Lock, P::Error> {
    platform.lock(name, Access::default())
}

pub(crate) fn a_held_lock_is_busy_for_everybody<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("busy");
    let held = take(&scene.platform, &name).expect("it is free");
    let second = scene.system.second();
    assert_eq!(kind(&take(&scene.platform, &name)), Some(FaultKind::Busy));
    assert_eq!(kind(&take(&second, &name)), Some(FaultKind::Busy));
    thread::scope(|scope| {
        scope.spawn(|| assert_eq!(kind(&take(&scene.platform, &name)), Some(FaultKind::Busy)));
        scope.spawn(|| assert_eq!(kind(&take(&second, &name)), Some(FaultKind::Busy)));
    });
    drop(held);
    drop(take(&second, &name).expect("it is free again"));
    drop(take(&scene.platform, &name).expect("and again"));
}

pub(crate) fn a_lock_is_absent_held_and_absent_again<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("states");
    let probe = || [scene.platform.probe_lock(&name), scene.system.second().probe_lock(&name)];
    assert_eq!(probe(), [LockState::Absent; 2]);
    for _ in 0..3 {
        let held = take(&scene.platform, &name).expect("it is free");
        assert_eq!(probe(), [LockState::Held; 2]);
        // A refusal changes nothing.
        assert!(take(&scene.platform, &name).is_err());
        assert_eq!(probe(), [LockState::Held; 2]);
        // Another thread may drop it.
        thread::scope(|scope| scope.spawn(move || drop(held)).join()).expect("dropped");
        assert_eq!(probe(), [LockState::Absent; 2]);
    }
}

pub(crate) fn probing_changes_nothing<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("probe");
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            // Relaxed: only ends the loop.
            while !stop.load(Ordering::Relaxed) {
                scene.platform.probe_lock(&name);
                thread::yield_now();
            }
        });
        // A prober is not taken for a holder, nor does it take what it looks at.
        for _ in 0..50 {
            let held = take(&scene.platform, &name);
            let state = scene.platform.probe_lock(&name);
            if held.is_err() || state != LockState::Held {
                stop.store(true, Ordering::Relaxed);
            }
            assert_eq!((kind(&held), state), (None, LockState::Held));
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(scene.platform.probe_lock(&name), LockState::Absent);
}

pub(crate) fn of_many_threads_one_at_a_time_holds_a_lock<S: System>() {
    const THREADS: u32 = 4;
    const EACH: u32 = 25;
    let scene = Scene::<S>::new();
    let name = scene.name("race");
    let (holders, taken) = (AtomicU32::new(0), AtomicU32::new(0));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let mut left = EACH;
                while left > 0 {
                    let held = match take(&scene.platform, &name) {
                        Ok(held) => held,
                        error => {
                            assert_eq!(kind(&error), Some(FaultKind::Busy));
                            thread::yield_now();
                            continue;
                        }
                    };
                    // Acquire and Release, so that the lock is not what orders the counter that checks it.
                    assert_eq!(holders.fetch_add(1, Ordering::AcqRel), 0, "two hold it");
                    thread::yield_now();
                    assert_eq!(holders.fetch_sub(1, Ordering::AcqRel), 1, "two hold it");
                    taken.fetch_add(1, Ordering::Relaxed);
                    drop(held);
                    left -= 1;
                }
            });
        }
    });
    assert_eq!(taken.into_inner(), THREADS * EACH);
    assert_eq!(scene.platform.probe_lock(&name), LockState::Absent);
}

pub(crate) fn a_busy_lock_is_free_again_at_once<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("free");
    for _ in 0..100 {
        // No time between: what drops it leaves nothing that the next one meets.
        drop(take(&scene.platform, &name).expect("it is free"));
    }
}

pub(crate) fn locks_of_two_names_are_independent<S: System>() {
    let scene = Scene::<S>::new();
    let (one, two) = (scene.name("one"), scene.name("two"));
    let held = take(&scene.platform, &one).expect("free");
    assert_eq!(scene.platform.probe_lock(&two), LockState::Absent);
    let other = take(&scene.platform, &two).expect("free");
    drop(held);
    assert_eq!(scene.platform.probe_lock(&one), LockState::Absent);
    assert_eq!(scene.platform.probe_lock(&two), LockState::Held);
    drop(other);
}

pub(crate) fn the_lock_of_a_killed_process_is_free<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("killed");
    let mut process = scene.system.spawn();
    process.create(&name, 1024);
    assert_eq!(scene.platform.probe_lock(&name), LockState::Held);
    assert_eq!(kind(&take(&scene.platform, &name)), Some(FaultKind::Busy));
    process.kill();
    wait_until(|| scene.platform.probe_lock(&name) != LockState::Held);
    process.reap();
    // Free where the dead one's traces stay, absent where the system sweeps them away.
    assert_ne!(scene.platform.probe_lock(&name), LockState::Held);
    drop(take(&scene.platform, &name).expect("it is free"));
    assert_eq!(scene.platform.probe_lock(&name), LockState::Absent);
    // What the dead one left besides, as a reader that takes over removes it.
    scene.remove(&name);
}
