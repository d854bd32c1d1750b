//! A system that fails at every call, one after the other.

use super::*;
use crate::platform::FaultKind;

const KINDS: [FaultKind; 8] = [
    FaultKind::NotFound,
    FaultKind::AlreadyExists,
    FaultKind::PermissionDenied,
    FaultKind::NoSpace,
    FaultKind::Busy,
    FaultKind::Unsuitable,
    FaultKind::Incomplete,
    FaultKind::Other,
];

#[test]
fn a_reader_that_fails_at_any_call_leaves_nothing_behind_and_the_next_attempt_succeeds() {
    let (scene, reader) = Scene::new(64);
    let calls = scene.platform.calls();
    drop(reader);
    for kind in KINDS {
        for call in 0..calls {
            scene.platform.fail_after(call, kind);
            match scene.create(READER) {
                Err(_) => assert_eq!(scene.platform.leftovers(), Vec::<std::string::String>::new()),
                // Looking for a leftover: what cannot be one is none.
                Ok(reader) => {
                    let none = [FaultKind::NotFound, FaultKind::Unsuitable, FaultKind::Incomplete];
                    assert!(none.contains(&kind), "call {call} fails with {kind:?} and is ignored");
                    drop(reader);
                }
            }
            let reader = scene.create(READER).expect("the fault is over");
            assert_eq!(scene.platform.leftovers().len(), 4);
            drop(reader);
            assert!(scene.platform.leftovers().is_empty());
        }
    }
}

#[test]
fn a_writer_that_fails_at_any_call_leaves_the_buffer_free_for_the_next() {
    let (scene, mut reader) = Scene::new(256);
    let before = scene.platform.calls();
    drop(scene.attach(WRITER).unwrap());
    let calls = scene.platform.calls() - before;
    assert!(calls >= 3);
    let mut sequence = 0;
    for kind in KINDS {
        for call in 0..calls {
            scene.platform.fail_after(call, kind);
            assert!(scene.attach(WRITER).is_err(), "call {call} fails with {kind:?}");
            let mut writer = scene.attach(WRITER).expect("the fault is over");
            sequence += 1;
            assert_eq!(write(&mut writer, &pattern(sequence, 10)), Ok(sequence));
            assert_eq!(read(&mut reader), Ok((sequence, pattern(sequence, 10))));
        }
    }
}
