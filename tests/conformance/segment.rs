//! Shared memory: what creating, opening, sharing, removing and locking it promise.

use core::sync::atomic::{AtomicU32, Ordering};
use std::sync::Barrier;
use std::thread;

use strait_core::name::Name;
use strait_core::platform::{Access, FaultKind, Platform as _, Segment};

use crate::scene::{Scene, is_not_found, kind};
use crate::system::System;
use crate::words::{WORD, add, is_zero, word};

/// Bytes of the segments here, where the size does not matter: three pages of 4 KiB.
const LEN: usize = 3 << 12;

type SegmentOf<S> = <<S as System>::Platform as strait_core::platform::Platform>::Segment;

fn create<S: System>(scene: &Scene<S>, name: &Name) -> SegmentOf<S> {
    scene.platform.create_segment(name, LEN, Access::default()).expect("the name is free")
}

/// Opens it as a second process does.
fn open<S: System>(scene: &Scene<S>, name: &Name) -> SegmentOf<S> {
    scene.system.second().open_segment(name).expect("it exists")
}

fn remove<S: System>(scene: &Scene<S>, name: &Name, owner: SegmentOf<S>) {
    scene.platform.remove_segment(name).expect("removed");
    drop(owner);
}

pub(crate) fn a_new_segment_is_zeroed_aligned_and_long_enough<S: System>() {
    let scene = Scene::<S>::new();
    for len in [1, 31, 32, 64, 4095, 4096, 4097, 100_000] {
        let name = scene.name("size");
        let owner = scene.platform.create_segment(&name, len, Access::default()).expect("created");
        let opener = open(&scene, &name);
        for segment in [&owner, &opener] {
            // More where the system counts in pages.
            assert!(segment.len() >= len && !segment.is_empty(), "{} of {len}", segment.len());
            assert_eq!(segment.backed_len(), segment.len());
            assert!(segment.base().as_ptr().addr().is_multiple_of(64));
            assert!(segment.is_linked());
            assert!(is_zero(segment, segment.len()));
        }
        remove(&scene, &name, owner);
    }
}

pub(crate) fn every_handle_sees_what_another_wrote<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("shared");
    let owner = create(&scene, &name);
    let (opener, clone) = (open(&scene, &name), owner.clone());
    let other = opener.clone();
    // The first and the last word of every page.
    for offset in (0..LEN).step_by(1 << 12).flat_map(|page| [page, page + (1 << 12) - WORD]) {
        for (count, writer) in (1..).zip([&owner, &opener, &clone, &other]) {
            add(writer, offset, 1);
            for reader in [&owner, &opener, &clone, &other] {
                assert_eq!(word(reader, offset), count, "at {offset}");
            }
        }
    }
    drop((owner, opener));
    // The last handles keep the memory, at the same address.
    assert_eq!((word(&clone, 0), word(&other, 0)), (4, 4));
    remove(&scene, &name, clone);
    assert_eq!(word(&other, 0), 4);
}

pub(crate) fn a_second_segment_of_a_name_is_refused_and_the_first_stays<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("twice");
    let owner = create(&scene, &name);
    add(&owner, 0, 3);
    for len in [LEN, 64, 2 * LEN] {
        for platform in [&scene.platform, &scene.system.second()] {
            let second = platform.create_segment(&name, len, Access::default());
            assert_eq!(kind(&second), Some(FaultKind::AlreadyExists));
        }
    }
    let opener = open(&scene, &name);
    assert_eq!((word(&owner, 0), word(&opener, 0)), (3, 3));
    assert!(owner.is_linked() && opener.is_linked() && opener.len() >= LEN);
    remove(&scene, &name, owner);
}

pub(crate) fn what_never_was_is_not_found_and_removing_it_is_no_error<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("nothing");
    assert!(is_not_found(&scene.platform.open_segment(&name)));
    scene.platform.remove_segment(&name).expect("nothing to remove");
    assert!(is_not_found(&scene.platform.open_segment(&name)));
}

pub(crate) fn a_removed_segment_stays_for_those_who_have_it<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("removed");
    let owner = create(&scene, &name);
    let opener = open(&scene, &name);
    let other = open(&scene, &name);
    add(&owner, 64, 2);
    assert!(opener.is_linked());
    remove(&scene, &name, owner);

    assert!(is_not_found(&scene.system.second().open_segment(&name)));
    assert!(!opener.is_linked() && !other.is_linked() && !opener.clone().is_linked());
    assert_eq!(opener.backed_len(), opener.len(), "its memory is whole");
    add(&opener, 64, 1);
    assert_eq!((word(&opener, 64), word(&other, 64)), (3, 3), "and still shared");
    scene.platform.remove_segment(&name).expect("nothing to remove");
}

pub(crate) fn a_name_is_reused_while_the_old_memory_is_read<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("reused");
    let mut old = Vec::new();
    for count in 1..5 {
        let owner = create(&scene, &name);
        assert!(is_zero(&owner, LEN), "nothing of the former one");
        add(&owner, 0, count);
        let opener = open(&scene, &name);
        assert!(owner.is_linked() && opener.is_linked());
        for (former, written) in old.iter().zip(1..) {
            let former: &SegmentOf<S> = former;
            assert!(!former.is_linked(), "replaced");
            assert_eq!(word(former, 0), written, "and left alone");
        }
        remove(&scene, &name, owner);
        assert!(!opener.is_linked());
        old.push(opener);
    }
}

pub(crate) fn a_clone_of_the_creators_handle_keeps_the_name<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("clone");
    let owner = create(&scene, &name);
    let clone = owner.clone();
    drop(owner);
    assert!(clone.is_linked() && open(&scene, &name).is_linked());
    remove(&scene, &name, clone);
    assert!(is_not_found(&scene.platform.open_segment(&name)));
}

pub(crate) fn segments_of_two_names_are_independent<S: System>() {
    let scene = Scene::<S>::new();
    let names = [scene.name("one"), scene.name("two")];
    let [one, two] = names.each_ref().map(|name| create(&scene, name));
    add(&one, 0, 5);
    assert!(is_zero(&two, LEN));
    let opener = open(&scene, &names[1]);
    assert!(one.lock(), "one lock each");
    assert!(!opener.is_locked());
    remove(&scene, &names[0], one);
    assert!(two.is_linked() && opener.is_linked());
    remove(&scene, &names[1], two);
}

pub(crate) fn adds_of_many_threads_through_many_handles_all_count<S: System>() {
    const THREADS: u32 = 4;
    const EACH: u32 = 5000;
    let scene = Scene::<S>::new();
    let name = scene.name("adds");
    let owner = create(&scene, &name);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            let segment = open(&scene, &name);
            scope.spawn(move || add(&segment, 128, EACH));
        }
    });
    assert_eq!(word(&owner, 128), THREADS * EACH);
    remove(&scene, &name, owner);
}

pub(crate) fn a_size_that_cannot_be_is_an_error_and_leaves_nothing<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("absurd");
    let most = isize::MAX.unsigned_abs();
    for len in [Some(0), 1_usize.checked_shl(60), Some(most), Some(most - 4095), Some(usize::MAX)] {
        let Some(len) = len else { continue };
        let created = scene.platform.create_segment(&name, len, Access::default());
        let kind = kind(&created);
        assert!(matches!(kind, Some(FaultKind::NoSpace | FaultKind::Other)), "{len} bytes: {kind:?}");
        assert!(is_not_found(&scene.platform.open_segment(&name)), "left behind: {len} bytes");
    }
    let owner = create(&scene, &name);
    assert!(is_zero(&owner, LEN), "the name was free");
    remove(&scene, &name, owner);
}

pub(crate) fn the_default_access_is_for_this_user_alone<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("access");
    let owner = create(&scene, &name);
    assert!(!scene.platform.is_shared_widely(&owner));
    assert!(!scene.platform.is_shared_widely(&open(&scene, &name)));
    remove(&scene, &name, owner);
}

pub(crate) fn only_one_handle_holds_the_lock<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("lock");
    let owner = create(&scene, &name);
    let (one, two) = (open(&scene, &name), open(&scene, &name));
    for _ in 0..2 {
        assert!(!owner.is_locked() && !two.is_locked(), "asking takes nothing");
    }
    assert!(one.lock());
    assert!(owner.is_locked() && two.is_locked() && open(&scene, &name).is_locked());
    assert!(!two.lock() && !owner.lock());
    assert!(!one.lock() && !one.clone().lock(), "nor the handle that has it");
    assert!(two.is_locked(), "a refusal changes nothing");
    drop(one);
    assert!(!owner.is_locked() && !two.is_locked());
    assert!(two.lock());
    assert!(owner.is_locked());
    drop(two);
    assert!(owner.lock(), "the creator as any other");
    remove(&scene, &name, owner);
}

pub(crate) fn a_lock_is_held_until_the_last_clone_of_its_handle<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("clones");
    let owner = create(&scene, &name);
    let (one, two) = (open(&scene, &name), open(&scene, &name));
    let before = one.clone();
    assert!(one.lock());
    let after = one.clone();
    drop(one);
    assert!(two.is_locked() && !two.lock());
    drop(before);
    assert!(two.is_locked() && !two.lock());
    drop(after);
    assert!(!two.is_locked() && two.lock());
    drop(two);
    remove(&scene, &name, owner);
}

pub(crate) fn of_many_threads_one_gets_the_lock<S: System>() {
    const THREADS: usize = 4;
    let scene = Scene::<S>::new();
    let name = scene.name("race");
    let owner = create(&scene, &name);
    for shared in [false, true] {
        let one = open(&scene, &name);
        let (barrier, winners) = (Barrier::new(THREADS), AtomicU32::new(0));
        thread::scope(|scope| {
            for _ in 0..THREADS {
                // Clones of one handle, then a handle each.
                let segment = if shared { one.clone() } else { open(&scene, &name) };
                let (barrier, winners) = (&barrier, &winners);
                scope.spawn(move || {
                    barrier.wait();
                    // Relaxed: only counts; the scope's end orders it.
                    winners.fetch_add(u32::from(segment.lock()), Ordering::Relaxed);
                    // Nobody gives it up before all have tried.
                    barrier.wait();
                });
            }
        });
        assert_eq!(winners.into_inner(), 1, "clones of one handle: {shared}");
        drop(one);
        assert!(!owner.is_locked());
    }
    remove(&scene, &name, owner);
}

pub(crate) fn the_lock_belongs_to_the_object_and_not_to_its_name<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("object");
    let owner = create(&scene, &name);
    let former = open(&scene, &name);
    assert!(former.lock());
    remove(&scene, &name, owner);
    let owner = create(&scene, &name);
    let next = open(&scene, &name);
    assert!(!owner.is_locked() && next.lock(), "the former one's lock is not in the way");
    drop(former);
    assert!(owner.is_locked(), "nor does it take this one along");
    drop(next);
    assert!(!owner.is_locked());
    remove(&scene, &name, owner);
}

pub(crate) fn removing_an_object_leaves_its_successor<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("successor");
    let create = || scene.platform.create_segment(&name, 4096, Access::default()).expect("the name is free");
    let first = create();
    assert!(scene.platform.remove_this_segment(&name, &first).expect("removed"));
    assert!(scene.platform.remove_this_segment(&name, &first).expect("nothing to remove"));
    assert!(!first.is_linked());
    let second = create();
    let _ = scene.platform.remove_this_segment(&name, &first).expect("not ours");
    assert!(second.is_linked() && scene.system.second().open_segment(&name).is_ok(), "it is another's");
    assert!(scene.platform.remove_this_segment(&name, &second).expect("removed"));
    drop(second);
    assert!(is_not_found(&scene.system.second().open_segment(&name)));
}
