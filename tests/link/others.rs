//! A link that other users may write, who could cut its file short: refused unless they are trusted.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use strait::hqq::{Link, OpenError};
use strait_tests::{PATIENCE, TestName, objects};

#[test]
fn what_others_may_write_is_refused_unless_they_are_trusted() {
    for mode in [0o602, 0o620, 0o622, 0o666] {
        let name = TestName::new("link-refused");
        let builder = Link::builder(&name).slots(4).slot_len(64).timeout(PATIENCE);
        let mut link = builder.clone().mode(mode).create().expect("who lets others in trusts them");
        match builder.clone().open() {
            Err(error @ OpenError::OthersMayWrite { .. }) => {
                assert!(error.to_string().contains("trust_others"), "{error}");
            }
            other => panic!("{mode:o}: {other:?}"),
        }
        let refused = builder.clone().open_or_create();
        assert!(matches!(refused, Err(OpenError::OthersMayWrite { .. })), "{mode:o}: {refused:?}");
        // Refused, it took no place; trusted, it works.
        let mut trusting = builder.clone().trust_others(true).open().expect("trusted");
        trusting.sender().send(b"in").expect("there is room");
        assert_eq!(&*link.receiver().recv().expect("a message"), b"in");
        // Who would let others in trusts them as well.
        drop(builder.mode(mode).open_or_create().expect("the mode says so"));
    }
}

#[test]
fn what_others_may_only_read_is_not_refused() {
    let name = TestName::new("link-not-refused");
    let builder = Link::builder(&name).slots(4).slot_len(64).timeout(PATIENCE);
    let _link = builder.clone().mode(0o644).create().expect("the name is free");
    drop(builder.clone().open().expect("nobody can cut it short"));
    // What was opened to them later counts.
    fs::set_permissions(objects::segment(&name), Permissions::from_mode(0o646)).expect("it is ours");
    assert!(matches!(builder.open(), Err(OpenError::OthersMayWrite { .. })));
}
