//! Files of a running reader removed by others: it keeps its place, or leaves it to its successor.

use std::fs;
use std::time::Duration;

use strait::zerobuffer::{CreateError, Reader, RecvError, SendError, State, gc, inspect};
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

/// What a wait says whose end is far away.
fn told(reader: &mut Reader) -> RecvError {
    reader.recv_timeout(Duration::from_secs(60)).map(|frame| frame.len()).expect_err("nothing was sent")
}

#[test]
fn a_reader_whose_buffer_was_removed_is_told_and_leaves_nothing() {
    let name = TestName::new("removed");
    for object in [objects::segment(&name), objects::data_ready(&name), objects::space_free(&name)] {
        let mut reader = reader(&name);
        fs::remove_file(object).expect("it was there");
        let error = told(&mut reader);
        assert!(matches!(error, RecvError::Removed { .. }), "{error:?}");
        assert!(matches!(reader.try_recv().map(drop), Err(RecvError::Removed { .. })), "it stays so");
        drop(reader);
        name.assert_nothing_left();
    }
}

#[test]
fn what_was_there_comes_before_the_news_that_the_buffer_was_removed() {
    let name = TestName::new("removed-late");
    let mut reader = reader(&name);
    let mut first = writer(&name);
    send(&mut first, 10);
    fs::remove_file(objects::segment(&name)).expect("it was there");
    drop(first);
    assert_eq!(receive(&mut reader).expect("a frame"), (1, 10));
    let error = told(&mut reader);
    assert!(matches!(error, RecvError::EndOfStream), "{error:?}");
    let error = told(&mut reader);
    assert!(matches!(error, RecvError::Removed { .. }), "no writer can come: {error:?}");
}

#[test]
fn a_reader_that_was_replaced_is_told_by_whom() {
    let name = TestName::new("replaced-told");
    let mut first = reader(&name);
    for lock in objects::locks(&name) {
        fs::remove_file(lock).expect("both locks were there");
    }
    for object in [objects::segment(&name), objects::data_ready(&name), objects::space_free(&name)] {
        fs::remove_file(object).expect("all of it was there");
    }
    let mut second = peer();
    second.ok(&format!("create {name} 64 1024"));
    let error = told(&mut first);
    assert!(matches!(error, RecvError::Replaced { pid, .. } if pid == second.pid()), "{error:?}");
    drop(first);
    second.ok("close");
}

#[test]
fn a_newcomer_is_told_who_keeps_the_name_of_a_removed_buffer() {
    let name = TestName::new("removed-newcomer");
    let mut first = peer();
    first.ok(&format!("create {name} 64 1024"));
    fs::remove_file(objects::segment(&name)).expect("it was there");
    let error = Reader::create(&name).expect_err("the first one lives");
    let told = matches!(error, CreateError::ReaderAlreadyConnected { pid, .. } if pid == first.pid());
    assert!(told, "{error:?}");
    first.ok("close");
}

#[test]
fn a_living_reader_without_a_lock_file_is_live_to_everybody() {
    let name = TestName::new("swept-live");
    let mut first = peer();
    first.ok(&format!("create {name} 64 1024"));
    for lock in objects::locks(&name) {
        fs::remove_file(lock).expect("both locks were there");
    }
    // A number that is nobody's, as one of another namespace is here.
    objects::set_word(&objects::segment(&name), objects::READER_PID, 4_000_001);
    assert_eq!(inspect(&name, 0).map(|info| info.state).expect("it is there"), State::Live);
    let kept = gc(&[&name], false).expect("looks");
    assert!(matches!(&kept[..], [only] if matches!(only.removed, Some(Err(_)))), "{kept:?}");
    let error = Reader::create(&name).expect_err("it lives");
    assert!(matches!(error, CreateError::ReaderAlreadyConnected { .. }), "{error:?}");
    assert!(objects::segment(&name).exists());
    first.ok("close");
}

#[test]
fn a_future_that_waits_for_a_frame_is_told_that_the_buffer_was_removed() {
    let name = TestName::new("removed-async");
    let mut reader = reader(&name);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    fs::remove_file(objects::segment(&name)).expect("it was there");
    let error = runtime.block_on(async { reader.recv_async().await.map(|frame| frame.len()) });
    let error = error.expect_err("nothing was sent");
    assert!(matches!(error, RecvError::Removed { .. }), "{error:?}");
}
