//! Async waits where no thread can be started: errors, and everything that need not wait goes on.
#![cfg(target_os = "linux")]
#![forbid(unsafe_code)]

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use strait::hqq::{self, Link};
use strait::zerobuffer::duplex::{CallError, Channel};
use strait::zerobuffer::{Reader, RecvError, SendError, Writer};
use strait_tests::{PATIENCE, TestName};

/// Leaves this process no room for the stack of another thread.
fn no_more_threads() {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("readable");
    let pages: u64 = pages.split(' ').next().and_then(|pages| pages.parse().ok()).expect("a number");
    let most = pages * rustix::param::page_size() as u64 + (1 << 20);
    let before = getrlimit(Resource::As);
    setrlimit(Resource::As, Rlimit { current: Some(most), ..before }).expect("allowed");
    std::thread::Builder::new().spawn(|| ()).expect_err("a stack is larger than what is left");
}

// The only test of its process, which cannot have its threads back.
#[test]
fn a_wait_without_a_thread_is_an_error() {
    let name = TestName::new("no_threads");
    let (buffer, link) = (TestName::new("no_threads_buffer"), TestName::new("no_threads_link"));
    let mut reader =
        Reader::builder(&buffer).payload_capacity(64).timeout(PATIENCE).create().expect("created");
    let mut writer = Writer::builder(&buffer).timeout(PATIENCE).connect().expect("connected");
    let open = || Link::builder(&link).slots(2).slot_len(64).timeout(PATIENCE).open_or_create();
    let (mut tx, _keeps) = open().expect("made").split();
    let (_keeps_too, mut rx) = open().expect("opened").split();
    let channel = Channel::new(&name).payload_capacity(4096).timeout(PATIENCE);
    let server = channel.serve(|request| Ok::<_, String>(request.to_vec())).expect("started");
    let client = channel.connect().expect("connected");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    no_more_threads();
    runtime.block_on(async {
        assert!(matches!(reader.recv_async().await, Err(RecvError::Thread { .. })));
        writer.send_async(&[1; 40]).await.expect("room");
        assert!(matches!(writer.send_async(&[2; 40]).await, Err(SendError::Thread { .. })));
        assert_eq!(*reader.recv_async().await.expect("a frame"), [1; 40]);
        assert!(matches!(rx.recv_async().await, Err(hqq::RecvError::Wait { code: 1.. })));
        tx.send_async(b"1").await.expect("room");
        tx.send_async(b"2").await.expect("room");
        assert!(matches!(tx.send_async(b"3").await, Err(hqq::SendError::Wait { code: 1.. })));
        assert_eq!(&*rx.recv_async().await.expect("a message"), b"1");
        assert!(matches!(client.receive_response_async().await, Err(CallError::Thread { .. })));
    });
    assert_eq!(&*client.call(b"x").expect("a response"), b"x");
    drop((reader, writer, client, server));
}
