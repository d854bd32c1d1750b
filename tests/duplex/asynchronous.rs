//! The async half: calls and handlers on tokio.

use std::sync::Arc;
use std::time::Duration;

use strait::zerobuffer::duplex::CallError;
use strait_tests::TestName;
use strait_tests::duplex::{checked, request, respond};
use tokio::sync::{Notify, mpsc};

use crate::{channel, echo, serve};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_calls_at_once_get_each_its_own_answer() {
    let name = TestName::new("async-calls");
    let channel = channel(&name);
    let server = channel.serve_async(|request| async move {
        tokio::task::yield_now().await;
        Ok::<_, String>(request.iter().map(|byte| !byte).collect())
    });
    let server = server.expect("the name is free");
    let client = channel.connect().expect("a server is there");
    let calls: Vec<_> = (0..100u8)
        .map(|mark| {
            let client = client.clone();
            tokio::spawn(async move {
                let response = client.call_async(&[mark; 300]).await.expect("answered");
                assert!(response.len() == 300 && response.iter().all(|byte| *byte == !mark));
            })
        })
        .collect();
    for call in calls {
        call.await.expect("no panic");
    }
    assert_eq!(server.statistics().copied, 100);
    tokio::task::spawn_blocking(move || drop((client, server))).await.expect("no panic");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn async_handlers_finish_in_any_order_and_answers_stay_in_order() {
    let name = TestName::new("async-order");
    let channel = channel(&name);
    let gates: Arc<Vec<Notify>> = Arc::new((0..10).map(|_| Notify::new()).collect());
    let (told, mut begun) = mpsc::unbounded_channel();
    let server = {
        let gates = Arc::clone(&gates);
        channel.serve_async(move |request| {
            let (gates, told) = (Arc::clone(&gates), told.clone());
            async move {
                let sequence = request.sequence();
                told.send(sequence).map_err(|error| error.to_string())?;
                gates[usize::try_from(sequence).expect("small") - 1].notified().await;
                match sequence {
                    3 => Err("three".to_owned()),
                    4 => panic!("four"),
                    _ => respond(&request, sequence),
                }
            }
        })
    };
    let server = server.expect("the name is free");
    let client = channel.connect().expect("a server is there");
    for sequence in 1..=10 {
        assert_eq!(client.send_request_async(&request(sequence, 80)).await.expect("room"), sequence);
        begun.recv().await.expect("all at once");
    }
    for gate in gates.iter().rev() {
        gate.notify_one();
    }
    for sequence in 1..=10 {
        match client.receive_response_async().await {
            Err(CallError::Failed { sequence: found, reason }) => {
                assert!(found == sequence && [3, 4].contains(&sequence), "{sequence}: {reason}");
                assert!(reason.contains(if sequence == 3 { "three" } else { "four" }), "{reason}");
            }
            outcome => assert_eq!(checked(outcome).expect("answered"), (sequence, 80)),
        }
    }
    assert_eq!(server.statistics().failed, 2);
    tokio::task::spawn_blocking(move || drop((client, server))).await.expect("no panic");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_dropped_is_cancelled() {
    let name = TestName::new("async-dropped");
    let channel = channel(&name);
    let (told, mut begun) = mpsc::unbounded_channel();
    let go = Arc::new(Notify::new());
    let server = {
        let go = Arc::clone(&go);
        channel.serve_async(move |request| {
            let (told, go) = (told.clone(), Arc::clone(&go));
            async move {
                told.send(request.sequence()).map_err(|error| error.to_string())?;
                go.notified().await;
                Ok::<_, String>(vec![u8::from(request.is_cancelled())])
            }
        })
    };
    let server = server.expect("the name is free");
    let client = channel.connect().expect("a server is there");
    {
        let call = client.call_async(b"never mind");
        tokio::pin!(call);
        tokio::select! {
            biased;
            outcome = &mut call => panic!("{outcome:?}"),
            sequence = begun.recv() => assert_eq!(sequence, Some(1)),
        }
        // What is sent is waited for from the next poll on: dropping the future from then on cancels.
        while client.statistics().pending == 0 {
            tokio::task::yield_now().await;
        }
    }
    go.notify_one();
    let next = tokio::spawn({
        let client = client.clone();
        async move { client.call_async(b"but this").await }
    });
    assert_eq!(begun.recv().await, Some(2));
    go.notify_one();
    assert_eq!(&*next.await.expect("no panic").expect("answered"), [0]);
    assert_eq!((client.statistics().dropped, client.statistics().pending), (1, 0));
    tokio::task::spawn_blocking(move || drop((client, server))).await.expect("no panic");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn async_waits_end_with_the_time_out_the_cancellation_or_the_server() {
    let name = TestName::new("async-ends");
    let (told, mut begun) = mpsc::unbounded_channel();
    let (step, asking) = strait_tests::duplex::Step::new();
    let server = channel(&name).serve(move |request| {
        told.send(request.sequence()).map_err(|error| error.to_string())?;
        step.wait(request.sequence());
        echo(request)
    });
    let server = server.expect("the name is free");
    let client = channel(&name).timeout(Duration::from_millis(5)).connect().expect("a server is there");
    let late = client.request(&request(1, 10)).expect("room");
    assert_eq!(begun.recv().await, Some(1));
    let late = late.wait_async().await;
    assert!(matches!(late, Err(CallError::Timeout { .. })), "{late:?}");
    drop(client);
    let go = asking.recv().expect("it is handled");
    drop(go);
    let client = channel(&name);
    let client = tokio::task::spawn_blocking(move || client.connect()).await.expect("no panic");
    let client = client.expect("the place is free");
    let pending = client.request(&request(1, 10)).expect("room");
    let waiting = tokio::spawn(pending.wait_async());
    assert_eq!(begun.recv().await, Some(1));
    assert!(client.cancel(1));
    let cancelled = waiting.await.expect("no panic");
    assert!(matches!(cancelled, Err(CallError::Cancelled { sequence: 1 })), "{cancelled:?}");
    drop(asking);
    tokio::task::spawn_blocking(move || drop(server)).await.expect("no panic");
    let gone = client.call_async(&request(2, 10)).await;
    assert!(matches!(gone, Err(CallError::ServerGone { .. })), "{gone:?}");
    drop(client);
    drop(serve(&channel(&name)));
}
