//! Messages of every size over every transport, in both dialects, compressed and sealed or not.

use bytes::Bytes;
use strait::xcp::{CodecId, Connection, Dialect, ErrorCode, Ether, OCTETS, Options, Psk, RequestError};

/// A server that sends every body back as it came.
async fn echo(options: &Options, address: &str) -> String {
    let mut server = options.listen(address).await.expect("listens");
    let address = server.address().to_string();
    tokio::spawn(async move {
        while let Some(connection) = server.accept().await {
            tokio::spawn(async move {
                while let Some(message) = connection.recv().await {
                    let message = match message.is_stream() {
                        true => connection.collect(message).await.expect("comes whole"),
                        false => message,
                    };
                    let body = message.body().clone();
                    connection.reply_body(&message, message.codec(), body).await.expect("is sent");
                }
            });
        }
    });
    address
}

fn noise(len: usize) -> Bytes {
    (0..len).map(|at| (at as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes()[7]).collect()
}

async fn same(client: &Connection, len: usize) {
    let body = noise(len);
    let answer =
        client.request_body(OCTETS, body.clone()).await.unwrap_or_else(|error| panic!("{len}: {error}"));
    assert!(*answer.body() == body, "{len} bytes came back different");
}

#[tokio::test]
async fn bodies_of_every_size_come_back_over_tcp_and_unix_sockets() {
    let name = format!("/tmp/strait-xcp-{}-sizes", std::process::id());
    for address in ["tcp://127.0.0.1:0".to_owned(), format!("unix://{name}")] {
        let address = echo(&Options::new(), &address).await;
        let client = strait::xcp::connect(&address).await.expect("connects");
        for len in [0, 1, 63, 64, 1000, 16 << 10, 65_535, 65_536, (1 << 20) - 48, 1 << 20, 5_000_000] {
            same(&client, len).await;
        }
        assert!(client.ping().await.is_ok());
    }
}

#[tokio::test]
async fn python_s_dialect_is_spoken_on_demand() {
    let address = echo(&Options::new(), "tcp://127.0.0.1:0").await;
    let options = Options::new().dialect(Dialect::PYTHON);
    let client = options.connect(&address).await.expect("connects");
    assert_eq!(client.dialect(), Dialect::PYTHON);
    let answer = client.request(&Ether::text("hello")).await.expect("is answered");
    assert_eq!(answer.ether().expect("an ether").as_text(), Ok("hello"));
    same(&client, 100_000).await;
    let too_large = client.request_body(OCTETS, noise(2 << 20)).await;
    assert!(matches!(too_large, Err(RequestError::Send(_))), "{too_large:?}");
    same(&client, 10).await;
}

#[tokio::test]
async fn compression_and_encryption_hold_for_every_size() {
    let key = || Psk::new([7; 32]);
    for options in [
        Options::new().compress(-1),
        Options::new().encrypt(key()),
        Options::new().encrypt(key()).compress(1).packed_headers(true),
    ] {
        let address = echo(&options, "tcp://127.0.0.1:0").await;
        let client = options.connect(&address).await.expect("connects");
        for len in [0, 64, 2000, 70_000, 3_000_000] {
            same(&client, len).await;
        }
        let flat = Bytes::from(vec![5; 1 << 20]);
        let answer = client.request_body(OCTETS, flat.clone()).await.expect("is answered");
        assert!(*answer.body() == flat);
        assert!(client.ping().await.is_ok());
    }
}

#[tokio::test]
async fn many_requests_are_under_way_at_once() {
    let address = echo(&Options::new(), "tcp://127.0.0.1:0").await;
    let client = strait::xcp::connect(&address).await.expect("connects");
    let mut requests = Vec::new();
    for number in 0..300_u32 {
        let client = client.clone();
        requests.push(tokio::spawn(async move {
            let body = Bytes::from(number.to_le_bytes().repeat(100 + number as usize * 20));
            let channel = client.new_channel();
            let answer =
                client.request_body(OCTETS, body.clone()).channel(channel).await.expect("is answered");
            assert!(*answer.body() == body);
        }));
    }
    for request in requests {
        request.await.expect("did not panic");
    }
}

#[tokio::test]
async fn a_stream_is_read_as_it_is_written() {
    for options in [Options::new(), Options::new().compress(-1)] {
        let options = options.stream_over(100_000).max_message_len(1 << 20);
        let mut server = options.listen("tcp://127.0.0.1:0").await.expect("listens");
        let address = server.address().to_string();
        let reader = tokio::spawn(async move {
            let connection = server.accept().await.expect("a client");
            let mut message = connection.recv().await.expect("a message");
            assert!(message.is_stream());
            let (mut seen, mut at) = (0_usize, 0_usize);
            while let Some(bytes) = message.next_chunk().await.expect("comes whole") {
                for byte in &bytes {
                    assert_eq!(usize::from(*byte), at % 251);
                    at += 1;
                }
                seen += bytes.len();
            }
            seen
        });
        let client = options.connect(&address).await.expect("connects");
        let mut writer = client.stream(OCTETS, &[("name", "numbers")]).await.expect("begins");
        let all: Vec<u8> = (0..=250).cycle().take(30_000_000).collect();
        for piece in all.chunks(100_003) {
            writer.write(Bytes::copy_from_slice(piece)).await.expect("is sent");
        }
        writer.finish().await.expect("is sent");
        assert_eq!(reader.await.expect("did not panic"), all.len());
    }
}

#[tokio::test]
async fn a_codec_that_was_not_agreed_on_is_refused_here_and_there() {
    let server = Options::new().codecs([CodecId::JSON]);
    let address = echo(&server, "tcp://127.0.0.1:0").await;
    let client = strait::xcp::connect(&address).await.expect("connects");
    assert_eq!(client.agreed().codecs.as_slice(), [CodecId::JSON]);
    let refused = client.request_body(OCTETS, "x").await;
    assert!(matches!(refused, Err(RequestError::Send(_))), "{refused:?}");
}

#[tokio::test]
async fn an_acknowledged_message_waits_for_its_ack_and_a_refused_request_says_why() {
    let mut server = Options::new().listen("tcp://127.0.0.1:0").await.expect("listens");
    let address = server.address().to_string();
    tokio::spawn(async move {
        let connection = server.accept().await.expect("a client");
        let first = connection.recv().await.expect("a message");
        assert_eq!(first.tags().get("ack"), Some("1"));
        let second = connection.recv().await.expect("another");
        connection.refuse(&second, ErrorCode::ERR_KIND_MISMATCH);
        connection.closed().await;
    });
    let client = strait::xcp::connect(&address).await.expect("connects");
    client.send(&Ether::text("important")).acknowledged().await.expect("is acknowledged");
    let refused = client.request(&Ether::text("what?")).await;
    assert!(
        matches!(refused, Err(RequestError::Nack { code: ErrorCode::ERR_KIND_MISMATCH, .. })),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_blocking_client_asks_as_an_async_one_does() {
    let name = format!("/tmp/strait-xcp-{}-blocking", std::process::id());
    for (options, address) in [
        (Options::new(), "tcp://127.0.0.1:0".to_owned()),
        (Options::new().encrypt(Psk::new([9; 32])).compress(-1), format!("unix://{name}")),
        (Options::new().dialect(Dialect::PYTHON), "tcp://127.0.0.1:0".to_owned()),
    ] {
        let address = echo(&options, &address).await;
        let asked = tokio::task::spawn_blocking(move || {
            let mut client = options.connect_blocking(&address).expect("connects");
            for len in [0, 64, 70_000, 900_000] {
                let body = noise(len);
                assert!(*client.request_body(OCTETS, body.clone()).expect("is answered").body() == body);
            }
            let answer = client.request(&Ether::text("hello")).expect("is answered");
            assert_eq!(answer.ether().expect("an ether").as_text(), Ok("hello"));
            client.ping().expect("is there");
            client.close().expect("all was sent");
        });
        asked.await.expect("did not panic");
    }
}
