//! The testing matrix of the implementation guide, section 7, row by row; and what else a message may be refused for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use strait::codec::{BARE_ATTACHMENT, Registry, Tensor};
use strait::xcp::{
    CodecId, ErrorCode, Ether, Flags, KindId, KindRange, OCTETS, Options, RequestError, SchemaKey,
};

use crate::home::Home;
use crate::proxy::{From, between};
use crate::raw::{Raw, data, text};

#[test]
fn a_ping_and_its_pong_take_less_than_a_kilobyte() {
    let home = Home::echo(&Options::new());
    let bytes = Arc::new(AtomicU64::new(0));
    let counted = bytes.clone();
    let address = between(&home.address, move |frame| {
        if frame.number > 0 {
            counted.fetch_add((frame.head.len() + frame.body.len() + 4) as u64, Ordering::Relaxed);
        }
        Some(vec![frame])
    });
    home.runtime.block_on(async {
        let client = strait::xcp::connect(&address).await.expect("connects");
        client.ping().await.expect("is answered");
    });
    let bytes = bytes.load(Ordering::Relaxed);
    assert!((1..1000).contains(&bytes), "{bytes} bytes");
}

#[test]
fn a_tensor_of_eight_megabytes_goes_compressed_and_in_chunks_and_its_numbers_are_equal() {
    let options = Options::new().compress(1);
    let home = Home::echo(&options);
    let frames = Arc::new(Mutex::new(Vec::new()));
    let seen = frames.clone();
    let address = between(&home.address, move |frame| {
        if frame.from == From::Client && frame.number > 0 {
            seen.lock().expect("no panic").push((Flags(frame.head[5]), frame.body.len()));
        }
        Some(vec![frame])
    });
    // 12 bits and noise in the lowest of them: what takes more than one frame even so.
    let mut state = 1_u32;
    let values: Vec<f32> = (0..2_u32 << 20)
        .map(|at| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((at >> 4) % 2048 + (state >> 29)) as f32 / 4096.0
        })
        .collect();
    let tensor = Tensor::f32(&[1024, 2048], &values).expect("a tensor");
    let ether = Ether::of_tensor("embedding", &tensor);
    home.runtime.block_on(async {
        let client = options.connect(&address).await.expect("connects");
        let answer = client.request(&ether).codec(CodecId::TENSOR_F32).await.expect("is answered");
        assert_eq!((answer.codec(), answer.body().len()), (CodecId::TENSOR_F32, (8 << 20) + 32));
        let ether = answer.ether().expect("an ether");
        let tensor = ether.as_tensor(BARE_ATTACHMENT).expect("a tensor");
        assert_eq!(tensor.shape(), [1024, 2048]);
        assert!(tensor.to_f32() == values);
    });
    let frames = frames.lock().expect("no panic");
    let (last, others) = frames.split_last().expect("frames");
    assert!(!others.is_empty() && others.iter().all(|(flags, _)| *flags == Flags::COMP.union(Flags::MORE)));
    assert_eq!(last.0, Flags::COMP);
    let total: usize = frames.iter().map(|(_, len)| len).sum();
    assert!(total < 4 << 20, "{total} bytes on the wire");
}

#[test]
fn a_batch_of_a_hundred_embeddings_arrives_as_it_was() {
    // The guide sends it as columns; those are refused by name until they are read.
    let home = Home::echo(&Options::new());
    let values: Vec<f32> = (0..768_u16).map(|at| f32::from(at) / 768.0).cycle().take(100 * 768).collect();
    let batch = Ether::new("embedding", 1).tensor("values", &values, &[100, 768]).expect("a tensor");
    home.runtime.block_on(async {
        let client = strait::xcp::connect(&home.address).await.expect("connects");
        let answer = client.request(&batch).codec(CodecId::TENSOR_F32).await.expect("is answered");
        assert_eq!((answer.codec(), answer.body().len()), (CodecId::TENSOR_F32, 32 + 307_200));
        let ether = answer.ether().expect("an ether");
        let tensor = ether.as_tensor("values").expect("a tensor");
        assert_eq!((tensor.shape(), tensor.to_f32()), (&[100, 768][..], values));
    });
}

#[test]
fn a_codec_that_is_not_there_is_refused_by_name() {
    let home = Home::echo(&Options::new());
    let mut raw = Raw::ready(&home.address);
    // Columns are not read yet; the others have no meaning at all.
    for (msg_id, codec) in (2..).zip([CodecId::ARROW_IPC, CodecId::DLPACK, CodecId(0x7777), CodecId(0)]) {
        let mut header = data(1, msg_id);
        header.codec = codec;
        raw.send(&header, Flags::NONE, b"whatever");
        assert_eq!(raw.next().nack(), (msg_id, ErrorCode::ERR_CODEC_UNSUPPORTED), "{codec}");
    }
    home.serves();
}

#[test]
fn who_passes_bodies_on_takes_every_codec() {
    for dialect in [strait::xcp::Dialect::SPEC, strait::xcp::Dialect::PYTHON] {
        let home = Home::each(&Options::new().any_codec(), |connection| async move {
            while let Some(message) = connection.recv().await {
                let answer = connection.reply_body(&message, message.codec(), message.body().clone());
                answer.await.expect("is sent");
            }
        });
        let mut raw = Raw::connect(&home.address, dialect);
        raw.write(&crate::raw::hello_frame(dialect, &crate::raw::abilities()));
        raw.next();
        for (msg_id, codec) in (2..).zip([CodecId::ARROW_IPC, CodecId(0x7777), CodecId(0), CodecId::JSON]) {
            let mut header = data(1, msg_id);
            header.codec = codec;
            raw.send(&header, Flags::NONE, b"no body of any codec");
            let answer = raw.next();
            assert_eq!((answer.header.codec, answer.header.in_reply_to), (codec, msg_id));
            assert_eq!(answer.body, b"no body of any codec");
        }
    }
}

#[test]
fn a_body_that_cannot_be_read_is_refused_and_why_is_said() {
    let home = Home::echo(&Options::new());
    let mut raw = Raw::ready(&home.address);
    for (msg_id, (codec, body)) in (2..).zip([
        (CodecId::JSON, &b"{"[..]),
        (CodecId::JSON, b"[]"),
        (CodecId::JSON, br#"{"kind":"text"}"#),
        (CodecId::TENSOR_F32, b"too short"),
    ]) {
        let mut header = data(1, msg_id);
        header.codec = codec;
        raw.send(&header, Flags::NONE, body);
        assert_eq!(raw.next().nack(), (msg_id, ErrorCode::ERR_MALFORMED), "{codec} {body:?}");
    }
}

#[test]
fn what_a_handler_refuses_reaches_who_asked() {
    let home = Home::serving(&Options::new(), |ether: Ether| async move {
        match ether.as_text() {
            Ok("nothing") => Ok(None),
            Ok("back") => Ok(Some(ether)),
            Ok(code) => Err(ErrorCode(code.parse().expect("a number"))),
            Err(_) => Err(ErrorCode::ERR_KIND_MISMATCH),
        }
    });
    home.runtime.block_on(async {
        let client = strait::xcp::connect(&home.address).await.expect("connects");
        for code in [1, 4, 0x8005, 0xFFFF_FFFF_u32] {
            let refused = client.request(&Ether::text(&code.to_string())).await;
            assert!(
                matches!(refused, Err(RequestError::Nack { code: found, .. }) if found.0 == code),
                "{refused:?}"
            );
        }
        client.send(&Ether::text("nothing")).await.expect("is sent");
        client.request(&Ether::text("back")).await.expect("is answered");
    });
}

#[test]
fn a_kind_that_is_not_taken_is_refused_here_and_there() {
    let text_1 = KindRange { kind_id: KindId::TEXT.0, major: 1, min_minor: 0, max_minor: 3 };
    let home = Home::echo(&Options::new().accepts([text_1]));
    let key =
        |kind: KindId, major, minor| SchemaKey { kind_id: kind.0, major, minor, ..SchemaKey::default() };
    let mut raw = Raw::ready(&home.address);
    for (msg_id, wrong) in
        (2..).zip([key(KindId::IMAGE, 1, 0), key(KindId::TEXT, 2, 0), key(KindId::TEXT, 1, 4)])
    {
        let mut header = data(1, msg_id);
        header.schema_key = Some(wrong);
        raw.send(&header, Flags::NONE, &text("no"));
        assert_eq!(raw.next().nack(), (msg_id, ErrorCode::ERR_KIND_MISMATCH), "{wrong:?}");
    }
    let mut header = data(1, 9);
    header.schema_key = Some(key(KindId::TEXT, 1, 3));
    raw.send(&header, Flags::NONE, &text("yes"));
    assert_eq!(raw.next().header.in_reply_to, 9);
    // What the header does not say the body does.
    let image = br#"{"kind":"image","schema_version":1,"payload":{},"metadata":{}}"#;
    raw.send(&data(1, 10), Flags::NONE, image);
    assert_eq!(raw.next().nack(), (10, ErrorCode::ERR_KIND_MISMATCH));
    home.runtime.block_on(async {
        let client = strait::xcp::connect(&home.address).await.expect("connects");
        let here = client.send(&Ether::new("image", 1)).await;
        let kind = strait::xcp::NotSent::KindNotAccepted { kind: KindId::IMAGE, major: 1, minor: 0 };
        assert!(matches!(here, Err(strait::xcp::SendError::NotSent(why)) if why == kind), "{here:?}");
        client.request(&Ether::text("taken")).await.expect("is answered");
        let here = client.send_body(OCTETS, "x").schema_key(key(KindId::IMAGE, 1, 0)).await;
        assert!(matches!(here, Err(strait::xcp::SendError::NotSent(_))), "{here:?}");
        client.send(&Ether::text("x")).schema_key(key(KindId::TEXT, 1, 0)).await.expect("is sent");
    });
}

#[test]
fn a_registry_of_one_s_own_is_what_is_offered() {
    let mut registry = Registry::new();
    registry.remove(CodecId::PROTOBUF);
    let home = Home::echo(&Options::new().registry(registry));
    home.runtime.block_on(async {
        let client = strait::xcp::connect(&home.address).await.expect("connects");
        assert!(!client.agreed().has_codec(CodecId::PROTOBUF) && client.agreed().has_codec(OCTETS));
        let refused = client.request(&Ether::text("x")).codec(CodecId::PROTOBUF).await;
        assert!(matches!(refused, Err(RequestError::Send(_))), "{refused:?}");
        let long = Ether::text(&"x".repeat(100_000));
        let answer = client.request(&long).await.expect("is answered");
        assert_eq!(answer.ether().expect("an ether"), long);
    });
}
