//! Every mixture of headers, checksums and numbers is understood, and answered in kind.

use std::io::Read as _;
use std::net::TcpListener;
use std::thread;

use strait::xcp::{
    CloseReason, ConnectError, CrcOrder, Dialect, ErrorCode, Ether, Flags, FrameHeader, HeaderFormat, Knobs,
    MsgType, Numbering, Options,
};

use crate::home::Home;
use crate::raw::{Raw, abilities, data, frame, hello_frame, text};

/// Packed ones must be agreed on.
const HEADERS: [HeaderFormat; 2] = [HeaderFormat::CapnProto, HeaderFormat::Json];

#[test]
fn a_server_answers_every_mixture_of_knobs_in_kind() {
    let home = Home::echo(&Options::new());
    for header in HEADERS {
        for (crc, numbering) in [(CrcOrder::Little, Numbering::Spec), (CrcOrder::Big, Numbering::Python)] {
            let dialect = Dialect { header, crc, numbering };
            let mut raw = Raw::connect(&home.address, dialect);
            raw.write(&hello_frame(dialect, &abilities()));
            let caps = raw.next();
            let wanted = if dialect.is_strict() { MsgType::CAPS } else { MsgType::HELLO };
            assert_eq!((caps.header.msg_type, caps.header.in_reply_to), (wanted, 1), "{dialect}");
            for msg_id in 2..5 {
                raw.send(&data(1, msg_id), Flags::NONE, &text("hello"));
                let answer = raw.next();
                assert_eq!(answer.header.in_reply_to, msg_id, "{dialect}");
                assert_eq!(answer.header.msg_id == 0, dialect.is_strict(), "{dialect}");
            }
            raw.write(&crate::raw::ping(dialect, 9, 77));
            assert_eq!(raw.next().header.msg_type, MsgType::PONG, "{dialect}");
            raw.send(&data(1, 10), Flags::NONE, b"no ether");
            assert_eq!(raw.next().nack().1, ErrorCode::ERR_MALFORMED, "{dialect}");
        }
    }
    home.serves();
}

#[test]
fn a_client_with_forced_knobs_speaks_them_and_no_others() {
    let home = Home::echo(&Options::new());
    home.runtime.block_on(async {
        for header in HEADERS {
            for (crc, numbering) in [(CrcOrder::Little, Numbering::Spec), (CrcOrder::Big, Numbering::Python)]
            {
                let dialect = Dialect { header, crc, numbering };
                let packed = header == HeaderFormat::CapnProtoPacked;
                let options = Options::new().dialect(dialect).packed_headers(packed);
                let client = options.connect(&home.address).await.expect("connects");
                // The server did not offer to read packed headers.
                let header = if packed { HeaderFormat::CapnProto } else { header };
                assert_eq!(client.dialect(), Dialect { header, ..dialect });
                client.request(&Ether::text("hello")).await.expect("is answered");
                client.ping().await.expect("is answered");
            }
            // What is left open is the specification's, or the answer's.
            for crc in [CrcOrder::Little, CrcOrder::Big] {
                let options =
                    Options::new().knobs(Knobs { header: Some(header), crc: Some(crc), numbering: None });
                let client = options.connect(&home.address).await.expect("connects");
                assert_eq!(client.dialect().is_strict(), crc == CrcOrder::Big);
                client.request(&Ether::text("hello")).await.expect("is answered");
            }
        }
    });
}

#[test]
fn a_server_with_a_forced_dialect_takes_no_other() {
    let spec = Home::echo(&Options::new().dialect(Dialect::SPEC));
    let python = Home::echo(&Options::new().dialect(Dialect::PYTHON));
    spec.runtime.block_on(async {
        let refused =
            Options::new().dialect(Dialect::PYTHON).connect(&spec.address).await.expect_err("refused");
        assert!(matches!(refused, ConnectError::Handshake { .. }), "{refused:?}");
        let refused =
            Options::new().dialect(Dialect::SPEC).connect(&python.address).await.expect_err("refused");
        assert!(matches!(refused, ConnectError::Handshake { .. }), "{refused:?}");
        // A client that may choose finds the right one.
        for (home, dialect) in [(&spec, Dialect::SPEC), (&python, Dialect::PYTHON)] {
            let client = strait::xcp::connect(&home.address).await.expect("connects");
            assert_eq!(client.dialect(), dialect);
            client.request(&Ether::text("hello")).await.expect("is answered");
        }
    });
}

/// A server that knows Python's dialect alone: whatever has its checksum the other way round it closes on without a word.
/// How many connections came, in the end.
fn stock(connections: usize) -> (String, thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("listens");
    let address = format!("tcp://{}", listener.local_addr().expect("an address"));
    let serving = thread::spawn(move || {
        for _ in 0..connections {
            let (stream, _) = listener.accept().expect("a client");
            let mut raw = Raw::over(stream, Dialect::PYTHON);
            let Ok(Some((head, body, trailer))) = crate::raw::read_parts(&mut raw.stream) else { continue };
            let as_python = frame(Dialect::PYTHON, &data(1, 1), Flags::NONE, &body);
            if as_python[as_python.len() - 4..] != trailer || head[8] != b'{' {
                continue;
            }
            let caps =
                br#"{"codecs":[1],"max_frame_bytes":1048576,"shared_mem":false,"accepts":[],"emits":[]}"#;
            let mut header = FrameHeader::new(MsgType::CAPS, 0, 0);
            header.in_reply_to = 1;
            raw.send(&header, Flags::NONE, caps);
            while let Some(asked) = raw.try_next() {
                let mut header = FrameHeader::new(asked.header.msg_type, asked.header.channel, 0);
                header.in_reply_to = asked.header.msg_id;
                raw.send(&header, Flags::NONE, &asked.body);
            }
        }
    });
    (address, serving)
}

#[test]
fn a_client_tries_python_s_dialect_where_the_other_is_not_answered() {
    let runtime = crate::home::runtime();
    let (address, serving) = stock(2);
    runtime.block_on(async {
        let client = strait::xcp::connect(&address).await.expect("connects");
        assert_eq!(client.dialect(), Dialect::PYTHON);
        for text in ["one", "two"] {
            let answer = client.request(&Ether::text(text)).await.expect("is answered");
            assert_eq!(answer.ether().expect("an ether").as_text(), Ok(text));
        }
    });
    serving.join().expect("did not panic");
    // A blocking one as well.
    let (address, serving) = stock(2);
    let mut client = strait::xcp::blocking::connect(&address).expect("connects");
    let answer = client.request(&Ether::text("one")).expect("is answered");
    assert_eq!(answer.ether().expect("an ether").as_text(), Ok("one"));
    drop(client);
    serving.join().expect("did not panic");
    // And none that was told not to, or has a secret to keep.
    for options in
        [Options::new().dialect(Dialect::SPEC), Options::new().encrypt(strait::xcp::Psk::new([1; 32]))]
    {
        let (address, serving) = stock(1);
        let refused = runtime.block_on(options.connect(&address)).expect_err("not answered");
        let ConnectError::Handshake { reason, .. } = refused else { panic!("{refused:?}") };
        assert_eq!(reason, CloseReason::NotAnswered);
        serving.join().expect("did not panic");
    }
}

#[test]
fn answers_to_a_peer_of_python_s_dialect_are_in_order_whatever_each_takes() {
    let home = Home::serving(&Options::new(), |ether: Ether| async move {
        let number: u32 = ether.as_text().expect("a text").parse().expect("a number");
        for _ in number..100 {
            tokio::task::yield_now().await;
        }
        if number % 7 == 3 { Err(ErrorCode::ERR_KIND_MISMATCH) } else { Ok(Some(ether)) }
    });
    let mut raw = Raw::connect(&home.address, Dialect::PYTHON);
    raw.write(&hello_frame(Dialect::PYTHON, &abilities()));
    raw.next();
    let all: Vec<u8> = (0..100)
        .flat_map(|number| {
            frame(Dialect::PYTHON, &data(1, number + 1), Flags::NONE, &text(&number.to_string()))
        })
        .collect();
    raw.write(&all);
    for number in 0..100 {
        let answer = raw.next();
        assert_eq!(answer.header.in_reply_to, number + 1);
        assert_eq!(answer.header.msg_type == MsgType::NACK, number % 7 == 3);
    }
    raw.half_close();
    assert_eq!(raw.stream.read(&mut [0; 1]).unwrap_or(0), 0);
}

#[test]
fn a_flag_that_python_s_dialect_has_not_is_not_one() {
    let home = Home::echo(&Options::new());
    let mut raw = Raw::connect(&home.address, Dialect::PYTHON);
    raw.write(&hello_frame(Dialect::PYTHON, &abilities()));
    raw.next();
    for (msg_id, flags) in (1..).zip([Flags::COMP, Flags::CRYPT, Flags::MORE, Flags::LARGE, Flags(0x0F)]) {
        raw.send(&data(1, msg_id), flags, &text("hello"));
        assert_eq!(raw.next().header.in_reply_to, msg_id, "{flags}");
    }
}
