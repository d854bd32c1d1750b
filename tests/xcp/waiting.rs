//! Does everybody who waits learn what became of it, whoever gives up first?

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use strait::xcp::{ErrorCode, Ether, Flags, OCTETS, Options, RequestError, SendError};
use strait_tests::PATIENCE;

use crate::home::{Home, pair};
use crate::raw::{Raw, data};

const MS: Duration = Duration::from_millis(1);

/// What must end does.
async fn ends<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it waits for ever")
}

#[tokio::test]
async fn a_request_is_late_in_time_though_nothing_else_is_ever_due() {
    let options = Options::new().keep_alive(None).idle_timeout(None).handshake_timeout(1000 * MS);
    let (_server, client, _silent) = pair(&options).await;
    // Until the clock of the handshake has rung, and no other is set.
    tokio::time::sleep(2000 * MS).await;
    let late = ends(async { client.request(&Ether::text("?")).timeout(50 * MS).await }).await;
    assert!(matches!(late, Err(RequestError::Timeout { .. })), "{late:?}");
}

#[tokio::test]
async fn acks_make_room_and_end_a_flush() {
    let options = Options::new().keep_alive(None).idle_timeout(None);
    let (_server, client, accepted) = pair(&options).await;
    let taking = tokio::spawn(async move { while accepted.recv().await.is_some() {} });
    client.send(&Ether::text("!")).tag("ack", "1").await.expect("is sent");
    ends(client.flush()).await.expect("all is sent");
    // More than may wait for their ACKs at once.
    let sends: Vec<_> = (0..600)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.send(&Ether::text("!")).acknowledged().await })
        })
        .collect();
    for send in sends {
        ends(send).await.expect("did not panic").expect("is acknowledged");
    }
    drop(client);
    ends(taking).await.expect("did not panic");
}

#[tokio::test]
async fn a_write_that_was_given_up_wrote_nothing() {
    let options = Options::new().stream_over(1000).max_queued(64 << 10).compress(1);
    let (_server, client, accepted) = pair(&options).await;
    let mut writer = client.stream(OCTETS, &[]).await.expect("begins");
    let mut expected: Vec<u8> = Vec::new();
    let mut state = 1_u32;
    let mut given_up = 0;
    while given_up < 3 && expected.len() < 200 << 20 {
        // Bytes that cannot be packed.
        let piece: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        })
        .take(300_000)
        .collect();
        match tokio::time::timeout(20 * MS, writer.write(piece.clone())).await {
            Ok(written) => {
                written.expect("is sent");
                expected.extend_from_slice(&piece);
            }
            Err(_) => given_up += 1,
        }
    }
    assert_eq!(given_up, 3, "nobody reads");
    let reading = tokio::spawn(async move {
        let mut message = accepted.recv().await.expect("a message");
        let mut read = Vec::new();
        while let Some(bytes) = message.next_chunk().await.expect("all of it comes") {
            read.extend_from_slice(&bytes);
        }
        read
    });
    ends(writer.write(&b"the end"[..])).await.expect("is sent");
    expected.extend_from_slice(b"the end");
    writer.finish().await.expect("is sent");
    assert!(ends(reading).await.expect("did not panic") == expected);
}

#[tokio::test]
async fn a_reader_that_pauses_is_not_told_that_its_peer_is_gone() {
    let options = Options::new().stream_over(1000).max_queued(256 << 10);
    let options = options.keep_alive(None).idle_timeout(Some(1000 * MS)).message_timeout(1000 * MS);
    let mut server = options.listen("tcp://127.0.0.1:0").await.expect("listens");
    let address = server.address().to_string();
    // The writer is patient.
    let (client, accepted) = tokio::join!(strait::xcp::connect(&address), server.accept());
    let (client, accepted) = (client.expect("connects"), accepted.expect("a client"));
    let written = Bytes::from(vec![7; 20 << 20]);
    let sending = tokio::spawn({
        let written = written.clone();
        async move {
            client.send_body(OCTETS, written).await.expect("is sent");
            client.flush().await.expect("all is sent");
            client
        }
    });
    let mut message = accepted.recv().await.expect("a message");
    // Longer than either limit: the socket is full of what is not read.
    tokio::time::sleep(3000 * MS).await;
    let mut read = 0;
    while let Some(bytes) = message.next_chunk().await.expect("all of it comes") {
        read += bytes.len();
    }
    assert_eq!(read, written.len());
    ends(sending).await.expect("did not panic");
}

#[test]
fn a_blocking_client_that_pauses_is_not_told_that_its_server_is_gone() {
    let home = Home::echo(&Options::new().idle_timeout(None));
    let options = Options::new().keep_alive(None).idle_timeout(Some(1000 * MS));
    let mut client = options.connect_blocking(&home.address).expect("connects");
    for _ in 0..2 {
        client.request(&Ether::text("still there?")).expect("is answered");
        std::thread::sleep(2000 * MS);
    }
}

#[test]
fn a_blocking_client_that_looks_often_notices_that_its_server_is_gone() {
    let home = Home::each(&Options::new(), |connection| async move {
        // It says nothing, and lives on.
        let _ = connection.closed().await;
    });
    let options = Options::new().keep_alive(None).idle_timeout(Some(500 * MS));
    let mut client = options.connect_blocking(&home.address).expect("connects");
    let since = std::time::Instant::now();
    let gone = loop {
        assert!(client.recv(20 * MS).is_none());
        match client.send(&Ether::text("?")) {
            Err(SendError::Closed { reason }) => break reason,
            outcome => outcome.map(drop).expect("is sent"),
        }
        assert!(since.elapsed() < PATIENCE, "it looks for ever");
    };
    assert!(matches!(gone, strait::xcp::CloseReason::Idle { .. }), "{gone:?}");
}

#[tokio::test]
async fn streams_that_are_refused_while_they_come_leave_nothing_behind() {
    let (_server, client, accepted) = pair(&Options::new().stream_over(1000)).await;
    for _ in 0..300 {
        let mut writer = client.stream(OCTETS, &[]).await.expect("begins");
        writer.write(vec![7; 5000]).await.expect("is sent");
        let message = ends(accepted.recv()).await.expect("a message");
        accepted.refuse(&message, ErrorCode::ERR_MALFORMED);
        // The same handle may still be read, and says that no more comes.
        let mut message = message;
        while let Ok(Some(_)) = ends(message.next_chunk()).await {}
        drop(writer);
    }
    client.ping().await.expect("the peer is there");
}

#[test]
fn a_blocking_client_that_closes_with_answers_unread_has_sent_everything() {
    const COUNT: usize = 50;
    let (closes, go) = std::sync::mpsc::channel::<()>();
    let (told, done) = std::sync::mpsc::channel();
    let go = Arc::new(std::sync::Mutex::new(go));
    // It reads no more than it takes.
    let home = Home::each(&Options::new().max_queued(1), move |connection| {
        let (go, told) = (go.clone(), told.clone());
        async move {
            let first = connection.recv().await.expect("a message");
            let answer = connection.reply_body(&first, OCTETS, vec![7; 100_000]).await;
            answer.expect("is sent");
            connection.flush().await.expect("all is sent");
            let closing = tokio::task::spawn_blocking(move || go.lock().expect("alone").recv());
            closing.await.expect("did not panic").expect("the test says so");
            let mut taken = 0;
            while connection.recv().await.is_some() {
                taken += 1;
            }
            told.send(taken).expect("the test waits");
        }
    });
    let mut client = strait::xcp::blocking::connect(&home.address).expect("connects");
    client.send_body(OCTETS, "answer at length").expect("is sent");
    for _ in 0..COUNT {
        client.send_body(OCTETS, vec![7; 10_000]).expect("is sent");
    }
    closes.send(()).expect("the server waits");
    client.close().expect("is closed");
    assert_eq!(done.recv_timeout(PATIENCE).expect("the server sees the end"), COUNT);
}

#[test]
fn thousands_of_refusals_that_nobody_reads_for_long_all_arrive() {
    const COUNT: u64 = 100_000;
    let home = Home::echo(&Options::new());
    let mut raw = Raw::ready(&home.address);
    let mut writer = raw.stream.try_clone().expect("a socket");
    let writing = std::thread::spawn(move || {
        for msg_id in 2..2 + COUNT {
            let frame =
                crate::raw::frame(strait::xcp::Dialect::SPEC, &data(1, msg_id), Flags::NONE, b"no JSON");
            std::io::Write::write_all(&mut writer, &frame).expect("the server reads");
        }
    });
    // So that refusals wait. Time is given, not measured.
    std::thread::sleep(500 * MS);
    let mut refused: Vec<u64> = (0..COUNT).map(|_| raw.next().nack().0).collect();
    writing.join().expect("did not panic");
    refused.sort_unstable();
    assert!(refused.into_iter().eq(2..2 + COUNT));
    home.serves();
}

#[tokio::test]
async fn a_stream_longer_than_messages_are_held_is_refused_by_a_server_that_holds_them() {
    let options = Options::new().stream_over(10_000).max_message_len(100_000);
    let server = options.listen("tcp://127.0.0.1:0").await.expect("listens");
    let address = server.address().to_string();
    tokio::spawn(server.serve(|ether| async move { Ok(Some(ether)) }));
    let client = Options::new().max_frame_len(20_000).connect(&address).await.expect("connects");
    let (mut writer, answer) = client.request_stream(OCTETS, &[]).await.expect("begins");
    writer.write(vec![7; 300_000]).await.expect("is sent");
    // Refused while it is written, or after.
    let _ = writer.finish().await;
    let refused = ends(answer.wait(PATIENCE)).await.expect_err("it is too long");
    let RequestError::Nack { code, .. } = refused else { panic!("{refused:?}") };
    assert_eq!(code, ErrorCode::ERR_MESSAGE_TOO_LARGE);
}

#[tokio::test]
async fn streams_that_are_given_up_one_after_another_use_nothing_up() {
    let (_server, client, accepted) = pair(&Options::new().stream_over(1000)).await;
    for _ in 0..1000 {
        let mut writer = client.stream(OCTETS, &[]).await.expect("begins");
        writer.write(&b"and no more"[..]).await.expect("is sent");
        client.ping().await.expect("the peer is there");
        drop(writer);
    }
    client.send_body(OCTETS, "whole").await.expect("is sent");
    let message = ends(accepted.recv()).await.expect("a message");
    assert_eq!(message.body(), "whole");
}

#[tokio::test]
async fn a_stream_that_asks_for_an_ack_is_none() {
    let (_server, client, _accepted) = pair(&Options::new()).await;
    let refused = client.stream(OCTETS, &[("ack", "1")]).await.expect_err("its bytes are not kept");
    assert!(matches!(refused, SendError::Stream { .. }), "{refused:?}");
}
