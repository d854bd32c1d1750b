//! How connections end: in order, at once, or because one end is gone; and nobody waits for what cannot come.

use std::time::Duration;

use bytes::Bytes;
use strait::xcp::{
    CloseReason, Connection, Ether, Flags, FrameHeader, MsgType, OCTETS, Options, RequestError, SendError,
};

use crate::home::{Home, pair};
use crate::proxy::{From, between};
use crate::raw::Raw;

const TCP: &str = "tcp://127.0.0.1:0";

fn numbered(number: u32, len: usize) -> Bytes {
    let mut body = vec![(number % 251) as u8; len];
    body[..4].copy_from_slice(&number.to_le_bytes());
    body.into()
}

#[tokio::test]
async fn the_last_handle_closes_once_everything_was_sent_whatever_was_not_read() {
    const COUNT: u32 = 300;
    let (_server, client, accepted) = pair(&Options::new()).await;
    // The answers are more than a socket holds, and nobody reads them.
    let answering = tokio::spawn(async move {
        let mut seen = 0;
        while let Some(message) = accepted.recv().await {
            assert!(*message.body() == numbered(seen, 60_000));
            seen += 1;
            let body = message.body().clone();
            // It may be closed by now.
            let _ = accepted.reply_body(&message, OCTETS, body).await;
        }
        (seen, accepted.closed().await)
    });
    let second = client.clone();
    drop(client);
    for number in 0..COUNT {
        second.send_body(OCTETS, numbered(number, 60_000)).await.expect("is sent");
    }
    drop(second);
    let (seen, reason) = answering.await.expect("did not panic");
    assert_eq!((seen, reason), (COUNT, CloseReason::Peer));
}

#[tokio::test]
async fn closing_wakes_everybody_who_waits() {
    let options = Options::new().max_queued(100_000);
    let (_server, client, accepted) = pair(&options).await;
    let waits = |client: &Connection| client.clone();
    let receiving = tokio::spawn({
        let client = waits(&client);
        async move { client.recv().await.is_none() }
    });
    let asking = tokio::spawn({
        let client = waits(&client);
        async move { matches!(client.request(&Ether::text("?")).await, Err(RequestError::Closed { .. })) }
    });
    let acknowledged = tokio::spawn({
        let client = waits(&client);
        // Nobody receives at the other end, so the queue there fills up and no more is read.
        async move {
            loop {
                match client.send_body(OCTETS, vec![1; 60_000]).await {
                    Ok(_) => {}
                    Err(error) => return matches!(error, SendError::Closed { .. }),
                }
            }
        }
    });
    let streaming = tokio::spawn({
        let client = waits(&client);
        async move {
            let mut writer = match client.stream(OCTETS, &[]).await {
                Ok(writer) => writer,
                Err(error) => return matches!(error, SendError::Closed { .. }),
            };
            loop {
                match writer.write(vec![1; 60_000]).await {
                    Ok(()) => {}
                    Err(error) => return matches!(error, SendError::Closed { .. }),
                }
            }
        }
    });
    let flushing = tokio::spawn({
        let client = waits(&client);
        async move {
            // All may have been sent just then.
            let _ = client.flush().await;
            true
        }
    });
    let closed = tokio::spawn({
        let client = waits(&client);
        async move { client.closed().await == CloseReason::Local }
    });
    for _ in 0..5000 {
        tokio::task::yield_now().await;
    }
    client.close();
    for (what, waiting) in [
        ("recv", receiving),
        ("request", asking),
        ("send", acknowledged),
        ("stream", streaming),
        ("flush", flushing),
        ("closed", closed),
    ] {
        assert!(waiting.await.expect("did not panic"), "{what}");
    }
    assert!(matches!(client.ping().await, Err(RequestError::Closed { reason: CloseReason::Local })));
    drop(accepted);
}

#[tokio::test]
async fn a_flush_says_whether_all_was_sent() {
    let (_server, client, accepted) = pair(&Options::new()).await;
    client.send(&Ether::text("a")).acknowledged().await.expect("is acknowledged");
    client.flush().await.expect("all is sent");
    // More than sockets hold, to one who is gone the next moment.
    client.send_body(OCTETS, vec![7; 60 << 20]).await.expect("is taken");
    accepted.close();
    let error = client.flush().await.expect_err("not all was sent");
    assert!(matches!(error, SendError::Closed { .. }), "{error:?}");
    let (_server, client, accepted) = pair(&Options::new()).await;
    client.send(&Ether::text("a")).acknowledged().await.expect("is acknowledged");
    accepted.close();
    client.closed().await;
    client.flush().await.expect("nothing was left to send");
}

#[tokio::test]
async fn a_dropped_request_and_one_that_took_too_long_leave_late_answers_to_nobody() {
    let (_server, client, accepted) = pair(&Options::new()).await;
    // Both ways: a server asks as a client does.
    for (asks, answers) in [(&client, &accepted), (&accepted, &client)] {
        let listening = tokio::spawn({
            let asks = asks.clone();
            async move { asks.recv().await }
        });
        let dropped = tokio::time::timeout(Duration::from_millis(1), asks.request(&Ether::text("first")));
        assert!(dropped.await.is_err());
        let late = asks.request(&Ether::text("second")).timeout(Duration::from_millis(1)).await;
        assert!(matches!(late, Err(RequestError::Timeout { .. })), "{late:?}");
        let third = tokio::spawn({
            let asks = asks.clone();
            async move { asks.request(&Ether::text("third")).await }
        });
        for wanted in ["first", "second", "third"] {
            let message = answers.recv().await.expect("a message");
            assert_eq!(message.ether().expect("an ether").as_text(), Ok(wanted));
            answers.reply(&message, &Ether::text(wanted)).await.expect("is sent");
        }
        let answer = third.await.expect("did not panic").expect("is answered");
        assert_eq!(answer.ether().expect("an ether").as_text(), Ok("third"));
        answers.send(&Ether::text("one of its own")).await.expect("is sent");
        let first = listening.await.expect("did not panic").expect("a message");
        assert_eq!(first.ether().expect("an ether").as_text(), Ok("one of its own"));
    }
}

#[test]
fn a_server_that_is_dropped_takes_nobody_and_ends_what_it_served() {
    let runtime = crate::home::runtime();
    runtime.block_on(async {
        let server = Options::new().listen(TCP).await.expect("listens");
        let address = server.address().to_string();
        let serving = tokio::spawn(server.serve(|ether| async move { Ok(Some(ether)) }));
        let client = strait::xcp::connect(&address).await.expect("connects");
        client.request(&Ether::text("a")).await.expect("is answered");
        serving.abort();
        assert!(serving.await.is_err());
        assert_eq!(client.closed().await, CloseReason::Peer);
        assert!(strait::xcp::connect(&address).await.is_err());
        // One that was given out lives on.
        let (server, client, accepted) = pair(&Options::new()).await;
        drop(server);
        let asking = tokio::spawn(async move { client.request(&Ether::text("b")).await });
        let message = accepted.recv().await.expect("a message");
        accepted.reply(&message, &Ether::text("b")).await.expect("is sent");
        assert!(asking.await.expect("did not panic").is_ok());
    });
}

#[test]
fn a_runtime_that_ends_takes_its_connections_with_it() {
    let (ours, theirs) = (crate::home::runtime(), crate::home::runtime());
    let server = theirs.block_on(Options::new().listen(TCP)).expect("listens");
    let address = server.address().to_string();
    theirs.spawn(server.serve(|_: Ether| std::future::pending()));
    let client = ours.block_on(strait::xcp::connect(&address)).expect("connects");
    let asking = ours.spawn({
        let client = client.clone();
        async move { client.request(&Ether::text("for ever?")).await }
    });
    theirs.shutdown_background();
    let answer = ours.block_on(asking).expect("did not panic");
    assert!(matches!(answer, Err(RequestError::Closed { .. })), "{answer:?}");
    // And the end whose handle is still there.
    let server = ours.block_on(Options::new().listen(TCP)).expect("listens");
    let address = server.address().to_string();
    let third = crate::home::runtime();
    let client = third.block_on(strait::xcp::connect(&address)).expect("connects");
    third.shutdown_background();
    ours.block_on(client.closed());
    assert!(ours.block_on(async { client.send(&Ether::text("a")).await }).is_err());
}

#[test]
fn an_acknowledged_message_whose_connection_dies_says_so() {
    let home =
        Home::each(&Options::new(), |connection| async move { while connection.recv().await.is_some() {} });
    let address = between(&home.address, |frame| match (frame.from, frame.number) {
        (From::Server, 1..) => None,
        _ => Some(vec![frame]),
    });
    home.runtime.block_on(async {
        let client = strait::xcp::connect(&address).await.expect("connects");
        let error = client.send(&Ether::text("important")).acknowledged().await.expect_err("no ACK came");
        assert!(matches!(error, SendError::Closed { .. }), "{error:?}");
    });
}

#[test]
fn a_silent_peer_is_asked_and_then_gone() {
    let options =
        Options::new().keep_alive(Some(Duration::from_millis(20))).idle_timeout(Some(Duration::from_secs(2)));
    let (tell, told) = std::sync::mpsc::channel();
    let home = Home::each(&options, move |connection| {
        let tell = tell.clone();
        async move { tell.send(connection.closed().await).expect("the test waits") }
    });
    let mut raw = Raw::ready(&home.address);
    let asked = raw.next();
    assert_eq!(asked.header.msg_type, MsgType::PING);
    let reason = told.recv().expect("it ends");
    assert!(matches!(reason, CloseReason::Idle { .. }), "{reason:?}");
    assert!(raw.try_next().is_none());
    // One that answers stays.
    let options = options.idle_timeout(Some(strait_tests::PATIENCE));
    let (tell, told) = std::sync::mpsc::channel();
    let home = Home::each(&options, move |connection| {
        let tell = tell.clone();
        async move { tell.send(connection.closed().await).expect("the test waits") }
    });
    let mut raw = Raw::ready(&home.address);
    for number in 0..30 {
        let asked = raw.next();
        assert_eq!(asked.header.msg_type, MsgType::PING);
        let mut pong = FrameHeader::new(MsgType::PONG, 0, 100 + number);
        pong.in_reply_to = asked.header.msg_id;
        raw.send(&pong, Flags::NONE, &asked.body);
    }
    assert!(told.try_recv().is_err());
}
