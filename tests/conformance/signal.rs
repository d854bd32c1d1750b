//! Semaphores: what counting, waiting, waking, removing and locking them promise.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier};
use std::thread;

use strait_core::name::Name;
use strait_core::platform::{
    Access, Clock as _, FaultKind, LockState, Platform as _, PlatformError as _, Signal,
};
use strait_core::time::Instant;
use strait_tests::PATIENCE;

use crate::scene::{Scene, is_not_found};
use crate::system::System;

type SignalOf<S> = <<S as System>::Platform as strait_core::platform::Platform>::Signal;

fn create<S: System>(scene: &Scene<S>, name: &Name) -> SignalOf<S> {
    scene.platform.create_signal(name, Access::default(), false).expect("the name is free")
}

/// Opens it as a second process does.
fn open<S: System>(scene: &Scene<S>, name: &Name) -> SignalOf<S> {
    scene.system.second().open_signal(name).expect("it exists")
}

fn remove<S: System>(scene: &Scene<S>, name: &Name, owner: SignalOf<S>) {
    scene.platform.remove_signal(name).expect("removed");
    drop(owner);
}

fn post(signal: &impl Signal, count: u32) {
    for _ in 0..count {
        signal.post().expect("posted");
    }
}

/// Waits for one permit, which must come before `late`, and takes it.
fn wait_and_take<S: System>(scene: &Scene<S>, signal: &SignalOf<S>, late: Instant) {
    assert!(signal.wait(late).expect("waits"), "no permit came");
    assert!(scene.platform.now() < late, "it came, and nobody was woken");
    assert_eq!(signal.take(1), 1, "the permit was left, for its only waiter");
}

pub(crate) fn a_new_signal_has_no_permits<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("new");
    let owner = create(&scene, &name);
    let opener = open(&scene, &name);
    for signal in [&owner, &opener] {
        assert_eq!((signal.permits(), signal.take(1), signal.take(u32::MAX)), (0, 0, 0));
        assert!(!signal.wait(scene.platform.now()).expect("waits"));
        assert!(!signal.wait(Instant::from_nanos(0)).expect("waits"));
    }
    remove(&scene, &name, owner);
}

pub(crate) fn permits_are_counted_through_every_handle<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("count");
    let owner = create(&scene, &name);
    let (opener, clone) = (open(&scene, &name), owner.clone());
    post(&owner, 1);
    post(&opener, 2);
    post(&clone, 3);
    for signal in [&owner, &opener, &clone] {
        assert_eq!(signal.permits(), 6);
        assert_eq!(signal.permits(), 6, "looking takes nothing");
    }
    assert_eq!(opener.take(0), 0);
    assert_eq!((opener.take(2), owner.permits()), (2, 4));
    assert_eq!((clone.take(1), opener.permits()), (1, 3));
    assert_eq!((owner.take(100), clone.permits()), (3, 0), "no more than there are");
    assert_eq!(opener.take(1), 0);
    post(&opener, 1000);
    assert_eq!((owner.permits(), owner.take(u32::MAX), opener.permits()), (1000, 1000, 0));
    drop(clone);
    remove(&scene, &name, owner);
}

pub(crate) fn waiting_leaves_the_permit<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("leave");
    let owner = create(&scene, &name);
    let opener = open(&scene, &name);
    post(&opener, 2);
    for until in [Instant::from_nanos(0), scene.platform.now(), scene.late()] {
        assert!(owner.wait(until).expect("waits"), "a permit is there");
        assert_eq!((owner.permits(), opener.permits()), (2, 2));
    }
    assert_eq!(owner.take(2), 2);
    assert!(!owner.wait(scene.platform.now()).expect("waits"));
    remove(&scene, &name, owner);
}

pub(crate) fn waiting_ends_not_before_its_instant<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("time");
    let owner = create(&scene, &name);
    // Parts of milliseconds and of microseconds too: whatever a system counts in is rounded up.
    for timeout in [1, 999, 100_001, 1_000_001, 1_999_999, 7_654_321, 20_000_000] {
        let until = scene.platform.now().saturating_add(Duration::from_nanos(timeout));
        assert!(!owner.wait(until).expect("waits"));
        assert!(scene.platform.now() >= until, "too early, of {timeout} ns");
    }
    assert_eq!(owner.permits(), 0);
    remove(&scene, &name, owner);
}

pub(crate) fn a_wait_without_end_is_ended_by_a_post<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("wake");
    let owner = create(&scene, &name);
    for _ in 0..20 {
        let (waiter, barrier) = (open(&scene, &name), Arc::new(Barrier::new(2)));
        let (answer, answers) = channel();
        let thread = thread::spawn({
            let barrier = Arc::clone(&barrier);
            move || {
                barrier.wait();
                let posted = waiter.wait(Instant::from_nanos(u64::MAX)).expect("waits");
                answer.send((posted, waiter.take(1))).expect("the test listens");
            }
        });
        barrier.wait();
        // The other thread sleeps by now, or comes later and finds the permit.
        thread::yield_now();
        post(&owner, 1);
        assert_eq!(answers.recv_timeout(PATIENCE), Ok((true, 1)), "it was not woken");
        thread.join().expect("it has answered");
        assert_eq!(owner.permits(), 0);
    }
    remove(&scene, &name, owner);
}

pub(crate) fn a_nudge_ends_a_wait_that_is_given_up_and_no_other<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("nudge");
    let owner = create(&scene, &name);
    let (given_up, kept) = (open(&scene, &name), open(&scene, &name));
    let over = Arc::new(AtomicBool::new(false));
    let leaves = thread::spawn({
        let over = Arc::clone(&over);
        move || {
            let is_over = || over.load(Ordering::Acquire);
            given_up.wait_unless(Instant::from_nanos(u64::MAX), &is_over).expect("waits")
        }
    });
    let stays =
        thread::spawn(move || kept.wait_unless(Instant::from_nanos(u64::MAX), &|| false).expect("waits"));
    over.store(true, Ordering::Release);
    while !leaves.is_finished() {
        // It misses one that comes between its look and its sleep.
        owner.nudge();
        thread::yield_now();
    }
    leaves.join().expect("no panic");
    // Where a nudge is a permit, that ends it.
    post(&owner, 1);
    assert!(stays.join().expect("no panic"));
    owner.take(u32::MAX);
    remove(&scene, &name, owner);
}

pub(crate) fn no_wake_up_is_lost_between_two_threads<S: System>() {
    const ROUNDS: u32 = 2000;
    let scene = Scene::<S>::new();
    let (there, back) = (scene.name("there"), scene.name("back"));
    let (owner, other) = (create(&scene, &there), create(&scene, &back));
    let late = scene.late();
    thread::scope(|scope| {
        scope.spawn(|| {
            let (from, to) = (open(&scene, &there), open(&scene, &back));
            for _ in 0..ROUNDS {
                wait_and_take(&scene, &from, late);
                post(&to, 1);
            }
        });
        for _ in 0..ROUNDS {
            post(&owner, 1);
            wait_and_take(&scene, &other, late);
        }
    });
    assert_eq!((owner.permits(), other.permits()), (0, 0));
    remove(&scene, &there, owner);
    remove(&scene, &back, other);
}

pub(crate) fn permits_stay_when_their_poster_has_gone<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("stay");
    let owner = create(&scene, &name);
    let poster = open(&scene, &name);
    post(&poster, 4);
    drop(poster);
    assert_eq!((owner.permits(), open(&scene, &name).permits()), (4, 4));
    assert!(owner.wait(scene.late()).expect("waits"));
    assert_eq!(open(&scene, &name).take(3), 3);
    assert_eq!(owner.permits(), 1, "and those taken stay taken");
    remove(&scene, &name, owner);
}

pub(crate) fn posts_of_many_threads_are_all_taken<S: System>() {
    const THREADS: u32 = 4;
    const EACH: u32 = 2000;
    let scene = Scene::<S>::new();
    let name = scene.name("many");
    let owner = create(&scene, &name);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            let poster = open(&scene, &name);
            scope.spawn(move || post(&poster, EACH));
        }
        let (mut taken, late) = (0, scene.late());
        while taken < THREADS * EACH {
            assert!(owner.wait(late).expect("waits"), "{taken} came");
            taken += owner.take(3);
        }
        assert_eq!(taken, THREADS * EACH);
    });
    assert_eq!(owner.permits(), 0, "and none twice");
    remove(&scene, &name, owner);
}

pub(crate) fn what_was_stored_before_a_post_is_seen_after_the_take<S: System>() {
    const ROUNDS: u64 = 20_000;
    let scene = Scene::<S>::new();
    let name = scene.name("order");
    let owner = create(&scene, &name);
    // Relaxed, all accesses: nothing but the permits orders them.
    let words: [AtomicU64; 4] = [const { AtomicU64::new(0) }; 4];
    thread::scope(|scope| {
        scope.spawn(|| {
            let poster = open(&scene, &name);
            for round in 1..=ROUNDS {
                for word in &words {
                    word.store(round, Ordering::Relaxed);
                }
                post(&poster, 1);
            }
        });
        let late = scene.late();
        let mut seen = 0;
        while seen < ROUNDS {
            assert!(owner.wait(late).expect("waits"), "{seen} came");
            // Half of the time by looking at the permits, as a reader does that takes them in batches.
            if seen.is_multiple_of(2) {
                let shown = u64::from(owner.permits());
                assert!(words.iter().all(|word| word.load(Ordering::Relaxed) >= seen + shown));
            }
            seen += u64::from(owner.take(2));
            assert!(words.iter().all(|word| word.load(Ordering::Relaxed) >= seen), "after {seen}");
        }
    });
    remove(&scene, &name, owner);
}

pub(crate) fn what_never_was_is_not_found_and_removing_it_is_no_error<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("nothing");
    assert!(is_not_found(&scene.platform.open_signal(&name)));
    scene.platform.remove_signal(&name).expect("nothing to remove");
    assert!(is_not_found(&scene.platform.open_signal(&name)));
}

pub(crate) fn a_removed_signal_is_not_found<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("removed");
    let owner = create(&scene, &name);
    let (opener, clone) = (open(&scene, &name), owner.clone());
    post(&opener, 1);
    // Where a name lives as long as any handle, the openers' count as well.
    drop((opener, clone));
    remove(&scene, &name, owner);
    assert!(is_not_found(&scene.platform.open_signal(&name)));
    assert!(is_not_found(&scene.system.second().open_signal(&name)));
    scene.platform.remove_signal(&name).expect("nothing to remove");
}

pub(crate) fn a_reused_name_starts_without_permits<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("reused");
    // What a former writer still has open.
    let mut former = Vec::new();
    for _ in 0..4 {
        let owner = create(&scene, &name);
        assert_eq!(owner.permits(), 0);
        assert!(!owner.wait(scene.platform.now()).expect("waits"));
        let opener = open(&scene, &name);
        post(&opener, 7);
        assert_eq!(owner.permits(), 7, "the new one works");
        former.push(opener);
        remove(&scene, &name, owner);
    }
}

pub(crate) fn a_name_in_use_is_refused_or_emptied<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("in-use");
    let owner = create(&scene, &name);
    post(&owner, 5);
    let second = scene.platform.create_signal(&name, Access::default(), false);
    match second {
        Err(error) => {
            assert_eq!(error.kind(), FaultKind::AlreadyExists);
            assert_eq!(owner.permits(), 5, "the first is left alone");
        }
        Ok(second) => {
            assert_eq!((second.permits(), owner.permits()), (0, 0), "one signal, emptied");
            post(&second, 1);
            assert_eq!(owner.permits(), 1);
        }
    }
    remove(&scene, &name, owner);
}

pub(crate) fn signals_of_two_names_are_independent<S: System>() {
    let scene = Scene::<S>::new();
    let names = [scene.name("one"), scene.name("two")];
    let [one, two] = names.each_ref().map(|name| create(&scene, name));
    let opener = open(&scene, &names[1]);
    post(&one, 3);
    assert_eq!((two.permits(), opener.permits()), (0, 0));
    assert!(one.lock() && !opener.is_locked());
    remove(&scene, &names[0], one);
    post(&opener, 1);
    assert_eq!((open(&scene, &names[1]).permits(), two.take(9)), (1, 1));
    remove(&scene, &names[1], two);
}

pub(crate) fn only_one_handle_holds_the_lock<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("lock");
    let owner = create(&scene, &name);
    let (one, two) = (open(&scene, &name), open(&scene, &name));
    for _ in 0..2 {
        assert!(!one.is_locked() && !two.is_locked(), "asking takes nothing");
    }
    assert!(owner.lock());
    assert!(one.is_locked() && two.is_locked() && open(&scene, &name).is_locked());
    assert!(!one.lock() && !two.lock());
    assert!(two.is_locked(), "a refusal changes nothing");
    post(&one, 1);
    assert_eq!(two.take(1), 1, "it is no obstacle to posting and taking");
    // A signal lives on without its creator's handle until it is removed, as long as one handle is there.
    drop(owner);
    assert!(!one.is_locked() && !two.is_locked());
    assert!(one.lock() && two.is_locked());
    drop(one);
    remove(&scene, &name, two);
}

pub(crate) fn a_lock_is_held_until_the_last_clone_of_its_handle<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("clones");
    let owner = create(&scene, &name);
    let opener = open(&scene, &name);
    let before = owner.clone();
    assert!(owner.lock());
    let after = owner.clone();
    drop(owner);
    assert!(opener.is_locked() && !opener.lock());
    drop(before);
    assert!(opener.is_locked() && !opener.lock());
    drop(after);
    assert!(!opener.is_locked() && opener.lock());
    remove(&scene, &name, opener);
}

pub(crate) fn a_signal_made_locked_is_never_found_free<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("made-locked");
    for _ in 0..3 {
        let owner = scene.platform.create_signal(&name, Access::default(), true).expect("the name is free");
        let second = scene.system.second();
        assert_eq!(second.probe_signal(&name), LockState::Held);
        let opener = open(&scene, &name);
        assert!(opener.is_locked() && !opener.lock() && !owner.is_locked() && owner.is_linked());
        assert!(scene.platform.remove_this_signal(&name, &owner).expect("removed"));
        drop((owner, opener));
        assert_eq!(second.probe_signal(&name), LockState::Absent);
    }
    let _free = create(&scene, &name);
    assert_eq!(scene.system.second().probe_signal(&name), LockState::Free);
    scene.platform.remove_signal(&name).expect("removed");
}
