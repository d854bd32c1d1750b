//! Async waits take no thread of the runtime, and leave when their future is dropped.

use std::future::Future;
use std::sync::mpsc::channel;
use std::time::Duration;

use strait::hqq::Link;
use strait::zerobuffer::duplex::{CallError, Channel};
use strait_tests::{PATIENCE, TestName};

use super::pair;

/// Does `work` on a runtime whose only thread for blocking work is taken all the while.
fn with_no_thread_to_spare(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let (done, until_done) = channel::<()>();
        let taken = tokio::task::spawn_blocking(move || until_done.recv().is_err());
        let worked = tokio::time::timeout(PATIENCE, work).await;
        drop(done);
        assert!(taken.await.expect("no panic"));
        worked.expect("it waits for a thread of the runtime");
    });
}

/// Lets others run until they wait.
async fn a_while() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[test]
fn frames_are_waited_for_with_no_thread_to_spare() {
    let name = TestName::new("no_thread_frames");
    with_no_thread_to_spare(async {
        let (mut reader, mut writer) = pair(&name, 64);
        let (received, sent) = tokio::join!(reader.recv_async(), async {
            a_while().await;
            writer.try_send(&[1; 40])
        });
        assert_eq!(sent.expect("room"), 1);
        assert_eq!(*received.expect("a frame"), [1; 40]);
        writer.try_send(&[2; 40]).expect("room");
        let (sent, ()) = tokio::join!(writer.send_async(&[3; 40]), async {
            a_while().await;
            assert_eq!(*reader.try_recv().expect("a frame"), [2; 40]);
        });
        assert_eq!(sent.expect("room"), 3);
    });
    name.assert_nothing_left();
}

#[test]
fn messages_are_waited_for_with_no_thread_to_spare() {
    let name = TestName::new("no_thread_messages");
    with_no_thread_to_spare(async {
        let open = || Link::builder(&name).slots(2).slot_len(64).timeout(PATIENCE).open_or_create();
        let (mut tx, _keeps) = open().expect("made").split();
        let (_keeps_too, mut rx) = open().expect("opened").split();
        let (received, ()) = tokio::join!(rx.recv_async(), async {
            a_while().await;
            tx.try_send(b"1").expect("room");
        });
        assert_eq!(&*received.expect("a message"), b"1");
        (0..2).for_each(|_| tx.try_send(b"2").expect("room"));
        let (sent, ()) = tokio::join!(tx.send_async(b"3"), async {
            a_while().await;
            assert_eq!(&*rx.try_recv().expect("a message"), b"2");
        });
        sent.expect("room");
    });
}

#[test]
fn responses_are_waited_for_with_no_thread_to_spare() {
    let name = TestName::new("no_thread_calls");
    with_no_thread_to_spare(async {
        let channel = Channel::new(&name).payload_capacity(256).timeout(PATIENCE);
        let server = channel.serve_async(|request| async move { Ok::<_, String>(request.to_vec()) });
        let server = server.expect("started");
        let client = channel.connect().expect("connected");
        for _ in 0..20 {
            // More than the ring holds: some wait for room, some for others, and all for their response.
            let calls = (0..20u8).map(|number| {
                let client = client.clone();
                async move {
                    let response = client.call_async(&[number; 50]).await.expect("a response");
                    assert_eq!(*response, [number; 50]);
                }
            });
            futures_util::future::join_all(calls).await;
        }
        let sequence = client.send_request_async(b"apart").await.expect("sent");
        let response = client.receive_response_async().await.expect("a response");
        assert_eq!((response.sequence(), &*response), (sequence, &b"apart"[..]));
        drop(response);
        drop((client, server));
    });
    name.assert_nothing_left();
}

#[test]
fn a_client_goes_at_once_after_calls_that_were_given_up() {
    let name = TestName::new("given_up_calls");
    let (go_on, held) = channel::<()>();
    let held = std::sync::Mutex::new(held);
    let channel = Channel::new(&name).payload_capacity(4096).timeout(PATIENCE);
    let server = channel.serve(move |_| {
        // Answers nothing before it is told.
        let _ = held.lock().map(|held| held.recv());
        Ok::<_, String>(b"late".to_vec())
    });
    let server = server.expect("started");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let client = channel.connect().expect("connected");
        for _ in 0..20 {
            let (first, second) = (client.clone(), client.clone());
            tokio::select! {
                _ = first.call_async(b"never answered") => panic!("answered"),
                _ = second.receive_response_async() => panic!("answered"),
                () = a_while() => {}
            }
        }
        assert_eq!(client.statistics().requests, 20);
        drop(client);
        // Its buffer is gone: the next one takes its place.
        drop(go_on);
        let next = channel.connect().expect("connected");
        assert_eq!(&*next.call_async(b"x").await.expect("a response"), b"late");
        drop(next);
    });
    drop(server);
    name.assert_nothing_left();
}

#[tokio::test]
async fn calls_time_out_each_at_its_own_time() {
    let name = TestName::new("calls_time_out");
    let (go_on, held) = channel::<()>();
    let held = std::sync::Mutex::new(held);
    let channel = Channel::new(&name).payload_capacity(4096).timeout(Duration::from_millis(30));
    let server = channel.serve(move |_| {
        let _ = held.lock().map(|held| held.recv());
        Ok::<_, String>(Vec::new())
    });
    let server = server.expect("started");
    let client = channel.connect().expect("connected");
    let began = std::time::Instant::now();
    let calls = futures_util::future::join_all((0..5).map(|_| client.call_async(b"x"))).await;
    assert!(calls.iter().all(|call| matches!(call, Err(CallError::Timeout { .. }))), "{calls:?}");
    assert!(began.elapsed() >= Duration::from_millis(30));
    drop(go_on);
    drop((calls, client, server));
    name.assert_nothing_left();
}

/// It has not got the thread that receives, and does not wait for it.
#[cfg(target_os = "linux")]
#[test]
fn a_forked_child_waits_for_no_response() {
    use std::task::{Context, Poll, Waker};
    let name = TestName::new("childs_calls");
    let channel = Channel::new(&name).payload_capacity(4096).timeout(PATIENCE);
    let server = channel.serve(|request| Ok::<_, String>(request.to_vec())).expect("started");
    let client = channel.connect().expect("connected");
    let mut context = Context::from_waker(Waker::noop());
    let mut waiting = Box::pin(client.receive_response_async());
    assert!(waiting.as_mut().poll(&mut context).is_pending());
    let mut waiting = Some(waiting);
    let code = strait_tests::forked::in_child_beside_threads(|| {
        let told = match waiting.as_mut().map(|waiting| waiting.as_mut().poll(&mut context)) {
            Some(Poll::Ready(Err(error))) => error.to_string().contains("made by process"),
            _ => false,
        };
        drop(waiting.take());
        u8::from(!told)
    });
    assert_eq!(code.expect("a child"), 0);
    drop(waiting);
    drop((client, server));
    name.assert_nothing_left();
}
