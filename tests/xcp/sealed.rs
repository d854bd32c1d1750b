//! Who has not the secret reads nothing, changes nothing, and repeats nothing.

use bytes::Bytes;
use strait::xcp::{
    CloseReason, ConnectError, Connection, Ether, Flags, NotSent, OCTETS, Options, Psk, RequestError,
    SendError,
};

use crate::home::Home;
use crate::proxy::{From, Passing, between};
use crate::raw::{Raw, abilities, data, text};

fn sealed(secret: u8) -> Options {
    Options::new().encrypt(Psk::new([secret; 32]).with_id("secret"))
}

async fn asks(client: &Connection, text: &str) -> Result<(), RequestError> {
    let answer = client.request(&Ether::text(text)).await?;
    assert_eq!(answer.ether()?.as_text(), Ok(text));
    Ok(())
}

#[test]
fn ends_with_different_secrets_understand_nothing_and_both_say_so() {
    let (tell, told) = std::sync::mpsc::channel();
    let home = Home::each(&sealed(1), move |connection| {
        let tell = tell.clone();
        async move {
            assert!(connection.recv().await.is_none(), "nothing opens");
            tell.send(connection.closed().await).expect("the test waits");
        }
    });
    home.runtime.block_on(async {
        let client = sealed(2).connect(&home.address).await.expect("only messages show it");
        let error = asks(&client, "hello").await.expect_err("another secret");
        assert!(matches!(error, RequestError::Closed { .. } | RequestError::Nack { .. }), "{error:?}");
        let ours = client.closed().await;
        assert!(matches!(ours, CloseReason::Authentication { .. } | CloseReason::Peer), "{ours:?}");
        let theirs = told.recv().expect("the server says why");
        assert!(matches!(theirs, CloseReason::Authentication { .. } | CloseReason::Peer), "{theirs:?}");
        let count =
            [ours, theirs].iter().filter(|why| matches!(why, CloseReason::Authentication { .. })).count();
        assert!(count > 0, "{ours} {theirs}");
    });
}

#[test]
fn one_end_that_seals_refuses_one_that_does_not() {
    let home = Home::echo(&Options::new());
    home.runtime.block_on(async {
        let refused = sealed(1).connect(&home.address).await.expect_err("the server cannot");
        let ConnectError::Handshake { reason: CloseReason::Requirement { missing }, .. } = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(missing, Flags::CRYPT);
    });
    let home = Home::echo(&sealed(1));
    home.runtime.block_on(async {
        let refused = Options::new().connect(&home.address).await.expect_err("the client cannot");
        assert!(matches!(refused, ConnectError::Handshake { .. }), "{refused:?}");
        asks(&sealed(1).connect(&home.address).await.expect("connects"), "hello").await.expect("is answered");
    });
}

/// A proxy that does `tamper` with every frame of the client's from the second on.
fn tampered(address: &str, mut tamper: impl FnMut(&mut Passing) + Send + 'static) -> String {
    between(address, move |mut frame| {
        if frame.from == From::Client && frame.number > 0 {
            tamper(&mut frame);
        }
        Some(vec![frame])
    })
}

/// Sends until the connection is over; why it is.
async fn until_closed(client: &Connection) -> CloseReason {
    let mut sent = 0;
    while client.send(&Ether::text("hello")).await.is_ok() {
        sent += 1;
        assert!(sent < 10_000, "forged messages are borne for ever");
        tokio::task::yield_now().await;
    }
    client.closed().await
}

#[test]
fn a_flipped_byte_anywhere_in_a_sealed_frame_is_refused_and_three_end_the_connection() {
    let home = Home::echo(&sealed(1));
    type Tamper = fn(&mut Passing);
    // First byte, last byte; flags; the header's channel, number.
    let tampers: [Tamper; 4] = [
        |frame| frame.body[0] ^= 1,
        |frame| {
            let last = frame.body.len() - 1;
            frame.body[last] ^= 0x80;
        },
        |frame| frame.head[5] ^= Flags::COMP.0,
        |frame| frame.head[5] ^= Flags::CRYPT.0,
    ];
    for (at, tamper) in tampers.into_iter().enumerate() {
        let address = tampered(&home.address, tamper);
        home.runtime.block_on(async {
            let client = sealed(1).connect(&address).await.expect("connects");
            let error = asks(&client, "hello").await.expect_err("forged");
            assert!(
                matches!(error, RequestError::Nack { .. } | RequestError::Closed { .. }),
                "{at}: {error:?}"
            );
            until_closed(&client).await;
        });
    }
    // A sealed PING as well: its answer never comes.
    let address = tampered(&home.address, |frame| frame.body[0] ^= 1);
    home.runtime.block_on(async {
        let client = sealed(1).connect(&address).await.expect("connects");
        for _ in 0..3 {
            let asked = tokio::spawn({
                let client = client.clone();
                async move { client.ping().await }
            });
            drop(asked);
        }
        client.closed().await;
        asks(&sealed(1).connect(&home.address).await.expect("connects"), "still").await.expect("is answered");
    });
}

#[test]
fn chunks_that_change_places_or_are_missing_are_refused() {
    let home = Home::echo(&sealed(1).max_frame_len(4096));
    for drop_one in [false, true] {
        let mut held: Option<Passing> = None;
        let address = between(&home.address, move |frame| {
            let more = frame.head[5] & Flags::MORE.0 != 0;
            if frame.from == From::Server || frame.number == 0 || !more {
                return Some(vec![frame]);
            }
            Some(match (frame.number, drop_one) {
                (2, true) => vec![],
                (2, false) => {
                    held = Some(frame);
                    vec![]
                }
                (3, false) => vec![frame, held.take().expect("the one before")],
                _ => vec![frame],
            })
        });
        home.runtime.block_on(async {
            let client = sealed(1).connect(&address).await.expect("connects");
            let body: Bytes = (0..40_000_u32).map(|at| (at >> 5).to_le_bytes()[0]).collect();
            let error = client.request_body(OCTETS, body).await.expect_err("not what was sent");
            assert!(matches!(error, RequestError::Nack { .. }), "{error:?}");
        });
    }
}

#[test]
fn a_frame_that_comes_again_is_delivered_once() {
    let (tell, told) = std::sync::mpsc::channel();
    let home = Home::each(&sealed(1), move |connection| {
        let tell = tell.clone();
        async move {
            while let Some(message) = connection.recv().await {
                tell.send(message.ether().expect("an ether").as_text().expect("a text").to_owned())
                    .expect("the test waits");
            }
        }
    });
    // Each at once a second time, and the first of all again at the end.
    let mut first = None;
    let address = between(&home.address, move |frame| {
        if frame.from == From::Server || frame.number == 0 {
            return Some(vec![frame]);
        }
        first.get_or_insert_with(|| frame.clone());
        let mut frames = vec![frame.clone(), frame.clone()];
        if frame.number == 200 {
            frames.extend(first.clone());
        }
        Some(frames)
    });
    home.runtime.block_on(async {
        let client = sealed(1).connect(&address).await.expect("connects");
        for number in 0..200 {
            client.send(&Ether::text(&number.to_string())).await.expect("is sent");
        }
        client.flush().await.expect("all is sent");
        for number in 0..200 {
            assert_eq!(told.recv().expect("comes"), number.to_string());
        }
        drop(client);
    });
    assert!(told.try_recv().is_err());
}

#[test]
fn streams_and_acknowledged_messages_say_at_once_what_sealing_does_not_have() {
    let home = Home::echo(&sealed(1));
    home.runtime.block_on(async {
        let client = sealed(1).connect(&home.address).await.expect("connects");
        let refused = client.stream(OCTETS, &[]).await.expect_err("sealed whole");
        assert!(matches!(refused, SendError::Stream { .. }), "{refused:?}");
        client.send(&Ether::text("a")).acknowledged().await.expect("is acknowledged");
        asks(&client, "b").await.expect("is answered");
    });
}

#[test]
fn what_cannot_be_sealed_is_said_by_name() {
    let home = Home::each(&sealed(1), |connection| async move { while connection.recv().await.is_some() {} });
    home.runtime.block_on(async {
        let client = sealed(1).connect(&home.address).await.expect("connects");
        let refused = client.send(&Ether::text("a")).channel(0).await.expect_err("control frames are there");
        assert!(matches!(refused, SendError::NotSent(NotSent::ControlChannel)), "{refused:?}");
        let mut channels = 0;
        let refused = loop {
            match client.send(&Ether::text("a")).channel(client.new_channel()).await {
                Ok(_) => channels += 1,
                Err(refused) => break refused,
            }
        };
        assert!(matches!(refused, SendError::Seal(_)), "{refused:?}");
        assert!((4000..5000).contains(&channels), "{channels}");
        // Channels that were used before go on, and control frames too.
        client.send(&Ether::text("a")).channel(2).await.expect("is sent");
        client.ping().await.expect("the server is there");
    });
}

#[test]
fn a_plain_message_on_a_sealed_connection_is_refused() {
    use strait_core::xcp::control::{CryptOffer, Extensions};
    let home = Home::echo(&sealed(1));
    let mut raw = Raw::connect(&home.address, strait::xcp::Dialect::SPEC);
    let mut hello = abilities();
    hello.features = hello.features.union(Flags::CRYPT);
    hello.extensions = Extensions::XCP_CRYPT_1;
    hello.crypt = Some(CryptOffer { key_id: "secret".try_into().expect("short"), random: [1; 16] });
    raw.write(&crate::raw::hello_frame(raw.dialect, &hello));
    assert_eq!(raw.next().header.in_reply_to, 1);
    let mut refused = 0;
    for msg_id in 2..10 {
        let frame = crate::raw::frame(raw.dialect, &data(1, msg_id), Flags::NONE, &text("plain"));
        if std::io::Write::write_all(&mut raw.stream, &frame).is_err() {
            break;
        }
    }
    // What comes is sealed, and no answer.
    while let Some(frame) = raw.try_next() {
        assert!(frame.flags.contains(Flags::CRYPT), "{frame:?}");
        refused += 1;
    }
    assert_eq!(refused, 3);
}
