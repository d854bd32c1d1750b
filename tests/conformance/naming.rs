//! Which names serve: every valid one, for every kind of object, each for itself.

use strait_core::name::{MAX_NAME_LEN, Name};
use strait_core::platform::{Access, LockState, Platform as _, Segment as _, Signal as _};

use crate::scene::{Scene, is_not_found};
use crate::system::System;
use crate::words::{add, word};

/// Takes the lock, and creates, finds and removes a segment, then a signal: core gives no two objects beside the lock
/// one name, and a system may keep them in one place.
fn serves<S: System>(scene: &Scene<S>, name: &Name) {
    let (platform, second, access) = (&scene.platform, scene.system.second(), Access::default());
    let lock = platform.lock(name, access).unwrap_or_else(|error| panic!("lock {name}: {error}"));
    assert_eq!(second.probe_lock(name), LockState::Held, "{name}");

    let segment = platform.create_segment(name, 4096, access);
    let segment = segment.unwrap_or_else(|error| panic!("segment {name}: {error}"));
    add(&segment, 0, 2);
    let opened = second.open_segment(name).unwrap_or_else(|error| panic!("segment {name}: {error}"));
    assert_eq!(word(&opened, 0), 2);
    platform.remove_segment(name).expect("removed");
    drop((segment, opened));
    assert!(is_not_found(&second.open_segment(name)), "{name}");

    let signal = platform.create_signal(name, access, false);
    let signal = signal.unwrap_or_else(|error| panic!("signal {name}: {error}"));
    signal.post().expect("posted");
    let opened = second.open_signal(name).unwrap_or_else(|error| panic!("signal {name}: {error}"));
    assert_eq!(opened.permits(), 1);
    platform.remove_signal(name).expect("removed");
    drop((signal, opened));
    assert!(is_not_found(&second.open_signal(name)), "{name}");

    assert_eq!(second.probe_lock(name), LockState::Held, "{name}");
    drop(lock);
    assert_eq!(second.probe_lock(name), LockState::Absent, "{name}");
}

pub(crate) fn every_valid_name_names_a_lock_a_segment_and_a_signal<S: System>() {
    let scene = Scene::<S>::new();
    // Devices of DOS, which Windows sees in front of any dot.
    for device in ["con", "nul", "aux", "prn", "com1", "lpt9", "CON", "Nul"] {
        serves(&scene, &scene.name_by(|unique| format!("{device}.{unique}")));
        serves(&scene, &scene.name_by(|unique| format!("{unique}.{device}")));
    }
    for odd in
        ["-", "_", "a.b", "a..b", "trailing.", "trailing..", "-_.-_.", "sem.x", "x.lock", "UPPER.lower.09"]
    {
        serves(&scene, &scene.name_by(|unique| format!("{unique}{odd}")));
    }
    for prefix in ["-", "_", "--help", "sem.", "sem-w-", "sem-r-", "0"] {
        serves(&scene, &scene.name_by(|unique| format!("{prefix}{unique}")));
    }
    // The longest, and one byte less.
    for len in [MAX_NAME_LEN, MAX_NAME_LEN - 1] {
        serves(&scene, &scene.name_by(|unique| format!("{unique:x<len$}")));
    }
}

pub(crate) fn the_objects_of_a_buffer_stand_beside_each_other<S: System>() {
    let scene = Scene::<S>::new();
    let name = scene.name("all");
    let signals = ["sem-w-", "sem-r-"].map(|prefix| scene.name_by(|_| format!("{prefix}{name}")));
    let access = Access::default();
    // In several orders: none is in the way of another.
    for order in ["lswr", "lrws", "wrsl", "srlw", "rlsw"] {
        let (mut lock, mut segment, mut data, mut space) = (None, None, None, None);
        for object in order.chars() {
            match object {
                'l' => lock = Some(scene.platform.lock(&name, access).expect("free")),
                's' => segment = Some(scene.platform.create_segment(&name, 64, access).expect("free")),
                'w' => data = Some(scene.platform.create_signal(&signals[0], access, false).expect("free")),
                _ => space = Some(scene.platform.create_signal(&signals[1], access, false).expect("free")),
            }
        }
        let (data, space) = (data.expect("created"), space.expect("created"));
        data.post().expect("posted");
        assert_eq!((data.permits(), space.permits()), (1, 0));
        assert!(space.lock() && segment.as_ref().is_some_and(|segment| segment.lock()));
        assert_eq!(scene.platform.probe_lock(&name), LockState::Held);
        scene.platform.remove_segment(&name).expect("removed");
        for signal in &signals {
            scene.platform.remove_signal(signal).expect("removed");
        }
        drop((segment, data, space, lock));
    }
}

pub(crate) fn names_that_differ_by_one_character_are_different<S: System>() {
    let scene = Scene::<S>::new();
    let (first, ring) = (scene.name("x"), scene.name("r.x"));
    let access = Access::default();
    let lock = scene.platform.lock(&first, access).expect("free");
    let segment = scene.platform.create_segment(&first, 64, access).expect("free");
    let signal = scene.platform.create_signal(&ring, access, false).expect("free");
    for end in ["xx", "y", "x.", "x-", "_x", "x.x", "x.lock"] {
        let other = |name: &Name| {
            let start = name.as_str().strip_suffix('x').expect("ends so");
            Name::new(&format!("{start}{end}")).expect("valid")
        };
        assert_eq!(scene.platform.probe_lock(&other(&first)), LockState::Absent, "{end}");
        assert!(is_not_found(&scene.platform.open_segment(&other(&first))), "{end}");
        assert!(is_not_found(&scene.platform.open_signal(&other(&ring))), "{end}");
        scene.platform.remove_segment(&other(&first)).expect("nothing to remove");
        scene.platform.remove_signal(&other(&ring)).expect("nothing to remove");
    }
    scene.platform.open_segment(&first).expect("still there");
    scene.platform.open_signal(&ring).expect("still there");
    scene.platform.remove_segment(&first).expect("removed");
    scene.platform.remove_signal(&ring).expect("removed");
    drop((signal, segment, lock));
}
