//! What is held, and for how long: a peer that is slow, or says too much, takes no more than it may.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use strait::xcp::{
    BodyError, ErrorCode, Ether, Flags, FrameHeader, MsgType, OCTETS, Options, RequestError, SendError,
};

use crate::home::{Home, pair};
use crate::raw::{Raw, data, text};

const TCP: &str = "tcp://127.0.0.1:0";

fn numbered(number: u32, len: usize) -> Bytes {
    let mut body = vec![(number % 251) as u8; len];
    body[..4].copy_from_slice(&number.to_le_bytes());
    body.into()
}

#[tokio::test]
async fn a_receiver_that_takes_nothing_stops_the_sender_and_gets_all_of_it_later() {
    const LEN: usize = 1 << 20;
    const COUNT: u32 = 200;
    let (_server, client, accepted) = pair(&Options::new().max_queued(4 << 20)).await;
    let accepted = accepted.clone();
    // From now on it reads no more than has room.
    client.send_body(OCTETS, numbered(0, LEN)).await.expect("is sent");
    let first = accepted.recv().await.expect("a message");
    assert!(*first.body() == numbered(0, LEN));
    let sent = Arc::new(AtomicUsize::new(0));
    let sending = tokio::spawn({
        let (client, sent) = (client.clone(), sent.clone());
        async move {
            for number in 1..COUNT {
                client.send_body(OCTETS, numbered(number, LEN)).await.expect("is sent");
                sent.fetch_add(1, Ordering::Relaxed);
            }
            client.flush().await.expect("all is sent");
        }
    });
    // Whatever the sockets hold, not all of it can be under way: 4 MiB wait at each end. Time is given, not measured.
    for _ in 0..20_000 {
        tokio::task::yield_now().await;
    }
    assert!(!sending.is_finished());
    assert!(sent.load(Ordering::Relaxed) < 60, "{sent:?} messages of 1 MiB were taken by nobody");
    for number in 1..COUNT {
        let message = accepted.recv().await.expect("a message");
        assert!(*message.body() == numbered(number, LEN), "{number}");
    }
    sending.await.expect("did not panic");
}

#[tokio::test]
async fn options_that_cannot_be_are_refused_before_anything_is_sent() {
    use strait::xcp::{BadOption, ConnectError};
    let refused = Options::new().max_connections(0).listen(TCP).await.expect_err("nobody could connect");
    assert!(matches!(refused, ConnectError::Option(BadOption::TooSmall { .. })), "{refused:?}");
    let server = Options::new().max_connections(usize::MAX).listen(TCP).await.expect("listens");
    let address = server.address().to_string();
    let refused = Options::new().compress(20).connect(&address).await.expect_err("there is no such level");
    assert!(matches!(refused, ConnectError::Option(BadOption::Compress(_))), "{refused:?}");
    let refused = Options::new().stream_over(1).connect_blocking(&address).expect_err("it holds messages");
    assert!(matches!(refused, ConnectError::Option(BadOption::BlockingStream)), "{refused:?}");
    let (_server, client, _accepted) = pair(&Options::new()).await;
    let refused = client.send(&Ether::text("x")).compress(Some(20)).await.expect_err("no such level");
    assert!(matches!(refused, SendError::Compress(_)), "{refused:?}");
}

#[tokio::test]
async fn a_message_that_is_read_as_it_comes_is_no_ether_before_it_is_whole() {
    let (_server, client, accepted) = pair(&Options::new().stream_over(1000)).await;
    let mut writer = client.stream(OCTETS, &[]).await.expect("begins");
    writer.write(vec![7; 3 << 20]).await.expect("is sent");
    writer.finish().await.expect("is sent");
    let message = accepted.recv().await.expect("a message");
    assert!(matches!(message.ether(), Err(strait::codec::DecodeError::Streamed)));
    let message = accepted.collect(message).await.expect("all of it comes");
    assert_eq!(message.ether().expect("an ether").attachments.len(), 1);
}

#[test]
fn a_stream_that_unpacks_to_too_much_is_refused_as_too_long() {
    let options = Options::new().stream_over(1000).max_message_len(200_000).max_stream_len(100_000);
    let home = Home::echo(&options);
    let mut raw = Raw::ready(&home.address);
    let bomb = crate::hostile::bomb(64 << 20);
    let (front, back) = bomb.split_at(1500);
    raw.send(&data(1, 2), Flags::COMP.union(Flags::MORE), front);
    raw.send(&data(1, 2), Flags::COMP, back);
    assert_eq!(raw.next().nack(), (2, ErrorCode::ERR_MESSAGE_TOO_LARGE));
    home.serves();
}

#[tokio::test]
async fn a_stream_that_nobody_reads_stops_its_writer_and_is_whole_later() {
    const LEN: usize = 200 << 20;
    let options = Options::new().max_queued(1 << 20).stream_over(64 << 10);
    let (_server, client, accepted) = pair(&options).await;
    let written = Arc::new(AtomicUsize::new(0));
    let piece: Bytes = (0..251_u8).cycle().take(251 * 1000).collect();
    let writing = tokio::spawn({
        let (written, piece) = (written.clone(), piece.clone());
        async move {
            let mut writer = client.stream(OCTETS, &[]).await.expect("begins");
            while written.load(Ordering::Relaxed) < LEN {
                writer.write(piece.clone()).await.expect("is sent");
                written.fetch_add(piece.len(), Ordering::Relaxed);
            }
            writer.finish().await.expect("is sent");
            client.flush().await.expect("all is sent");
        }
    });
    let mut message = accepted.recv().await.expect("a message");
    for _ in 0..20_000 {
        tokio::task::yield_now().await;
    }
    let early = written.load(Ordering::Relaxed);
    assert!(early < 40 << 20, "{early} bytes were taken by nobody");
    let mut at = 0_usize;
    while let Some(bytes) = message.next_chunk().await.expect("comes whole") {
        assert!(bytes.iter().enumerate().all(|(from, byte)| usize::from(*byte) == (at + from) % 251));
        at += bytes.len();
    }
    writing.await.expect("did not panic");
    assert_eq!(at, written.load(Ordering::Relaxed));
}

#[tokio::test]
async fn complete_streams_that_nobody_reads_count_as_well() {
    let options = Options::new().max_queued(2 << 20).stream_over(100_000).max_frame_len(64 << 10);
    let (_server, client, accepted) = pair(&options).await;
    let sent = Arc::new(AtomicUsize::new(0));
    let sending = tokio::spawn({
        let sent = sent.clone();
        async move {
            for number in 0..300 {
                client.send_body(OCTETS, numbered(number, 400_000)).await.expect("is sent");
                sent.fetch_add(1, Ordering::Relaxed);
            }
            client.flush().await.expect("all is sent");
        }
    });
    let first = accepted.recv().await.expect("a message");
    assert!(first.is_stream());
    for _ in 0..20_000 {
        tokio::task::yield_now().await;
    }
    let early = sent.load(Ordering::Relaxed);
    assert!(early < 100, "{early} streams of 400 kB were taken by nobody");
    let mut next = Some(first);
    for number in 0..300 {
        let message = match next.take() {
            Some(first) => first,
            None => accepted.recv().await.expect("a message"),
        };
        let message =
            if message.is_stream() { accepted.collect(message).await.expect("whole") } else { message };
        assert!(*message.body() == numbered(number, 400_000), "{number}");
    }
    sending.await.expect("did not panic");
}

#[tokio::test]
async fn one_connection_more_than_there_may_be_waits_until_another_ends() {
    let options = Options::new().max_connections(3);
    let mut server = options.listen(TCP).await.expect("listens");
    let address = server.address().to_string();
    let mut held = Vec::new();
    for _ in 0..3 {
        let (client, accepted) = tokio::join!(options.connect(&address), server.accept());
        held.push((client.expect("connects"), accepted.expect("a client")));
    }
    let fourth = tokio::spawn(async move { Options::new().connect(&address).await });
    let impatient = Options::new().handshake_timeout(Duration::from_millis(50));
    let refused = impatient.connect(&server.address().to_string()).await;
    assert!(refused.is_err(), "{refused:?}");
    assert!(!fourth.is_finished());
    drop(held.pop());
    let accepted = server.accept().await.expect("the fourth");
    let fourth = fourth.await.expect("did not panic").expect("connects");
    assert!(fourth.ping().await.is_ok());
    drop(accepted);
}

#[tokio::test]
async fn a_stream_given_up_by_its_writer_ends_for_its_reader_and_for_nobody_else() {
    let options = Options::new().stream_over(10_000).message_timeout(Duration::from_millis(50));
    let (_server, client, accepted) = pair(&options).await;
    let mut writer = client.stream(OCTETS, &[]).await.expect("begins");
    writer.write(vec![1; 20_000]).await.expect("is sent");
    let mut message = accepted.recv().await.expect("a message");
    drop(writer);
    client.send(&Ether::text("next")).await.expect("is sent");
    let next = accepted.recv().await.expect("a message");
    assert_eq!(next.ether().expect("an ether").as_text(), Ok("next"));
    let error = loop {
        match message.next_chunk().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("it is not complete"),
            Err(error) => break error,
        }
    };
    assert_eq!(error, BodyError::Refused { code: ErrorCode::ERR_BUSY });
    assert!(client.ping().await.is_ok());
}

#[tokio::test]
async fn a_stream_given_up_by_its_reader_does_not_hold_up_its_writer() {
    let options = Options::new().stream_over(10_000).max_queued(100_000);
    let (_server, client, accepted) = pair(&options).await;
    let writing = tokio::spawn({
        let client = client.clone();
        async move {
            let mut writer = client.stream(OCTETS, &[]).await.expect("begins");
            for _ in 0..1000 {
                writer.write(vec![1; 50_000]).await.expect("is sent");
            }
            writer.finish().await
        }
    });
    let mut message = accepted.recv().await.expect("a message");
    assert!(message.next_chunk().await.expect("the beginning").is_some());
    drop(message);
    writing.await.expect("did not panic").expect("is sent");
    client.send(&Ether::text("next")).await.expect("is sent");
    let next = accepted.recv().await.expect("a message");
    assert_eq!(next.ether().expect("an ether").as_text(), Ok("next"));
}

#[tokio::test]
async fn a_message_refused_half_way_leaves_room_for_the_next_ones() {
    // What is under way when the refusal comes is forgiven up to the same length.
    let server = Options::new().max_message_len(16 << 20);
    let address = {
        let server = server.listen(TCP).await.expect("listens");
        let address = server.address().to_string();
        tokio::spawn(server.serve(|ether| async move { Ok(Some(ether)) }));
        address
    };
    let client = Options::new().max_queued(4 << 20).connect(&address).await.expect("connects");
    for _ in 0..3 {
        let refused = client.request_body(OCTETS, vec![7; 60 << 20]).await;
        let code = ErrorCode::ERR_MESSAGE_TOO_LARGE;
        assert!(
            matches!(refused, Err(RequestError::Nack { code: found, .. }) if found == code),
            "{refused:?}"
        );
        let answer = client.request(&Ether::text("short")).await.expect("is answered");
        assert_eq!(answer.ether().expect("an ether").as_text(), Ok("short"));
    }
    // A stream as well: its writer learns it, and does not wait for ever.
    let mut writer = client.stream(OCTETS, &[]).await.expect("begins");
    let error = loop {
        if let Err(error) = writer.write(vec![7; 1 << 20]).await {
            break error;
        }
    };
    assert!(matches!(error, SendError::Refused), "{error:?}");
    drop(writer);
    client.request(&Ether::text("short")).await.expect("is answered");
}

#[test]
fn a_client_that_nobody_receives_from_refuses_what_the_server_starts_and_hears_its_answers() {
    let home = Home::each(&Options::new(), |connection| async move {
        // More than it holds, and then the answer.
        let question = connection.recv().await.expect("a request");
        let (mut taken, mut refused) = (0, 0);
        for _ in 0..100 {
            match connection.request_body(OCTETS, vec![1; 10_000]).timeout(Duration::from_millis(1)).await {
                Err(RequestError::Timeout { .. }) => taken += 1,
                Err(RequestError::Nack { code: ErrorCode::ERR_BUSY, .. }) => refused += 1,
                other => panic!("{other:?}"),
            }
        }
        let answer = Ether::text(&format!("{taken} {refused}"));
        connection.reply(&question, &answer).await.expect("is sent");
        connection.closed().await;
    });
    home.runtime.block_on(async {
        let client = Options::new().max_queued(50_000).connect(&home.address).await.expect("connects");
        client.request(&Ether::text("?")).await.expect("is answered");
        // Those that were taken can still be had.
        let mut taken = 0;
        while let Ok(Some(message)) = tokio::time::timeout(Duration::from_millis(20), client.recv()).await {
            assert_eq!(message.body().len(), 10_000);
            taken += 1;
        }
        assert!((1..=6).contains(&taken), "{taken}");
    });
}

#[test]
fn an_acknowledged_message_that_was_refused_for_lack_of_room_comes_again() {
    // A raw server, whose messages a client holds, refuses, and takes when they come again.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("listens");
    let address = format!("tcp://{}", listener.local_addr().expect("an address"));
    let (tell, told) = tokio::sync::oneshot::channel();
    let serving = std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a client");
        let mut raw = Raw::over(stream, strait::xcp::Dialect::SPEC);
        let hello = raw.next();
        let mut caps = FrameHeader::new(MsgType::HELLO, 0, 1);
        caps.in_reply_to = hello.header.msg_id;
        raw.send(&caps, Flags::NONE, &hello.body);
        let mut header = data(1, 2);
        header.tags.push("ack", "1").expect("has room");
        let body = text(&"x".repeat(1000));
        let mut send = |msg_id| {
            header.msg_id = msg_id;
            raw.send(&header, Flags::NONE, &body);
            raw.next()
        };
        let refused = (2..100).find_map(|msg_id| {
            let answer = send(msg_id);
            (answer.header.msg_type == MsgType::NACK).then(|| answer.nack())
        });
        let (msg_id, code) = refused.expect("there is no room for a hundred");
        assert_eq!(code, ErrorCode::ERR_BUSY);
        tell.send(msg_id).expect("the test waits");
        while send(msg_id).header.msg_type == MsgType::NACK {}
        assert!(raw.rest().is_empty());
    });
    let runtime = crate::home::runtime();
    runtime.block_on(async {
        let client = Options::new().max_queued(5000).connect(&address).await.expect("connects");
        let refused = told.await.expect("one is refused");
        assert!(refused > 2);
        // What was acknowledged was kept, and what was not comes once.
        for msg_id in 2..=refused {
            assert_eq!(client.recv().await.expect("a message").id(), msg_id);
        }
    });
    serving.join().expect("did not panic");
}
