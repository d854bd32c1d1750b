//! Files of a running reader removed by others: it keeps its place, or leaves it to its successor.

use std::fs;

use strait::zerobuffer::SendError;
use strait_tests::{TestName, objects};

use crate::{peer, reader, receive, send, writer};

#[test]
fn a_reader_whose_lock_files_were_swept_away_is_still_protected_by_its_process() {
    let name = TestName::new("swept-locks");
    let mut reader = reader(&name);
    let mut first = writer(&name);
    for lock in objects::locks(&name) {
        fs::remove_file(lock).expect("both locks were there");
    }
    let error = peer().err(&format!("create {name} 64 1024"));
    assert!(error.starts_with("ReaderAlreadyConnected"), "{error}");
    send(&mut first, 10);
    assert_eq!(receive(&mut reader).expect("a frame"), (1, 10));
}

#[test]
fn a_reader_that_was_replaced_leaves_its_successor_alone() {
    let name = TestName::new("replaced-reader");
    let first = reader(&name);
    let mut old = writer(&name);
    send(&mut old, 10);
    // What a C++ reader does to a C# one of the same name: it sweeps, unlinks and creates.
    for lock in objects::locks(&name) {
        fs::remove_file(lock).expect("both locks were there");
    }
    for object in [objects::segment(&name), objects::data_ready(&name), objects::space_free(&name)] {
        fs::remove_file(object).expect("all of it was there");
    }
    let mut second = peer();
    second.ok(&format!("create {name} 64 1024"));

    let error = loop {
        if let Err(error) = old.send(&[0; 100]) {
            break error;
        }
    };
    assert!(matches!(error, SendError::ReaderDead { .. }), "{error:?}");
    drop(first);
    drop(old);
    let mut new = writer(&name);
    send(&mut new, 10);
    assert_eq!(second.ok("recv"), "1 10");
    assert!(second.exit().success());
}
