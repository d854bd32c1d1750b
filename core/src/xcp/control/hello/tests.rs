//! Is HELLO read and written as the references do, in both encodings, and whatever a peer sends?

use std::format;
use std::string::String as StdString;
use std::vec::Vec as StdVec;

use proptest::prelude::*;

use super::*;
use crate::xcp::control::tests::{body_of, written};
use crate::xcp::json::JsonFault;

macro_rules! golden {
    ($file:literal) => {
        body_of(include_bytes!(concat!("../../../../../tests/vectors/xcp/", $file)))
    };
}

fn codecs(numbers: &[u16]) -> Vec<CodecId, CODECS> {
    numbers.iter().map(|number| CodecId(*number)).collect()
}

fn read_json(body: &str) -> Result<Hello, ControlError> {
    Hello::read(CodecId::JSON, body.as_bytes())
}

fn malformed(what: &'static str, at: usize) -> Result<Hello, ControlError> {
    Err(ControlError::Malformed { what, at })
}

/// Everything set, in as many bytes as it can take.
fn largest() -> Hello {
    let range = KindRange { kind_id: u32::MAX, major: u16::MAX, min_minor: u16::MAX, max_minor: u16::MAX };
    Hello {
        codecs: (0..16).map(|number| CodecId(u16::MAX - number)).collect(),
        max_frame: u32::MAX,
        shared_mem: true,
        accepts: Vec::from([range; KINDS]),
        emits: Vec::from([range; KINDS]),
        features: Flags::ALL,
        extensions: Extensions::ALL,
        version: Some((255, 255)),
        crypt: Some(CryptOffer {
            key_id: String::try_from("\u{1}".repeat(KEY_ID_BYTES).as_str()).expect("as long as it may be"),
            random: [0xFF; 16],
        }),
    }
}

#[test]
fn bodies_of_the_references_are_read_and_written_byte_for_byte() {
    for (body, numbers) in [
        (golden!("reference/hello.bin"), [1, 8]),
        (golden!("reference/caps.bin"), [8, 1]),
        (golden!("spec/capnp_hello.bin"), [1, 8]),
        (golden!("spec/capnp_caps_as_hello_reply.bin"), [1, 8]),
    ] {
        let hello = Hello { codecs: codecs(&numbers), ..Hello::default() };
        assert_eq!(Hello::read(CodecId::JSON, body), Ok(hello.clone()));
        assert_eq!(written(|out| hello.write_json(out)), body);
    }
}

/// As `protoc`'s code writes it.
#[test]
fn the_body_is_the_same_in_protobuf_and_lists_may_be_unpacked() {
    let bytes = [
        0x0a, 0x04, 0x01, 0x08, 0x20, 0x21, 0x10, 0x80, 0x80, 0x40, 0x1a, 0x0a, 0x08, 0x9b, 0xc4, 0x9f, 0xf5,
        0x06, 0x10, 0x01, 0x20, 0x05, 0x28, 0x01,
    ];
    let range = KindRange { kind_id: 0x6EA7_E21B, major: 1, min_minor: 0, max_minor: 5 };
    let hello = Hello {
        codecs: codecs(&[1, 8, 32, 33]),
        shared_mem: true,
        accepts: Vec::from([range]),
        ..Hello::default()
    };
    assert_eq!(written(|out| hello.write_protobuf(out)), bytes);
    assert_eq!(Hello::read(CodecId::PROTOBUF, &bytes), Ok(hello.clone()));
    let unpacked = [&[0x08, 1, 0x08, 8, 0x08, 32, 0x08, 33][..], &bytes[6..]].concat();
    assert_eq!(Hello::read(CodecId::PROTOBUF, &unpacked), Ok(hello));
    assert_eq!(Hello::read(CodecId::PROTOBUF, b""), Ok(Hello::default()));
}

#[test]
fn extensions_stand_behind_the_keys_that_everybody_knows() {
    let hello = Hello {
        codecs: codecs(&[1]),
        features: Flags::MORE.union(Flags::LARGE),
        extensions: Extensions::CAPNP_PACKED.union(Extensions::XCP_CRYPT_1),
        version: Some((0, 2)),
        crypt: Some(CryptOffer { key_id: String::try_from("k1").unwrap(), random: [0x11; 16] }),
        ..Hello::default()
    };
    let body = concat!(
        r#"{"codecs":[1],"max_frame_bytes":1048576,"shared_mem":false,"accepts":[],"emits":[],"#,
        r#""features":48,"features_ext":["capnp-packed","xcp-crypt-1"],"version":"0.2","#,
        r#""crypt":{"kid":"k1","random":"11111111111111111111111111111111"}}"#
    );
    assert_eq!(core::str::from_utf8(&written(|out| hello.write_json(out))), Ok(body));
    assert_eq!(read_json(body), Ok(hello.clone()));
    let mut bytes = [&[0x0a, 0x01, 0x01, 0x10, 0x80, 0x80, 0x40, 0xa0, 0x06, 48][..]].concat();
    bytes.extend(b"\xaa\x06\x0ccapnp-packed\xaa\x06\x0bxcp-crypt-1\xb2\x06\x030.2\xba\x06\x02k1\xc2\x06\x10");
    bytes.extend([0x11; 16]);
    assert_eq!(written(|out| hello.write_protobuf(out)), bytes);
    assert_eq!(Hello::read(CodecId::PROTOBUF, &bytes), Ok(hello));
}

#[test]
fn keys_may_be_missing_unknown_null_or_last_of_two() {
    let default = Hello::default;
    for (body, expected) in [
        ("{}", default()),
        (r#"{"codecs":null,"accepts":null,"crypt":null,"x":{"y":[1e400,NaN]}}"#, default()),
        (r#"{"max_frame":512}"#, Hello { max_frame: 512, ..default() }),
        (r#"{"max_frame":512,"max_frame_bytes":513}"#, Hello { max_frame: 513, ..default() }),
        (r#"{"max_frame_bytes":4294967296}"#, Hello { max_frame: u32::MAX, ..default() }),
        (r#"{"codecs":[1],"codecs":[8,8,2]}"#, Hello { codecs: codecs(&[8, 2]), ..default() }),
        (r#"{"accepts":[{}],"accepts":[]}"#, default()),
        (r#"{"features":271}"#, default()),
        (
            r#"{"features_ext":["of-tomorrow","dlpack-flat-1"]}"#,
            Hello { extensions: Extensions::DLPACK_FLAT_1, ..default() },
        ),
        (r#"{"version":"1.0"}"#, Hello { version: Some((1, 0)), ..default() }),
        (r#"{"version":"1.256"}"#, default()),
        (r#"{"version":"release 17"}"#, default()),
        (r#"{"version":3}"#, default()),
    ] {
        assert_eq!(read_json(body), Ok(expected), "{body}");
    }
    let body = r#"{"emits":[{"max_minor":3,"kind_id":7,"x":[]}]}"#;
    let range = KindRange { kind_id: 7, max_minor: 3, ..KindRange::default() };
    assert_eq!(read_json(body).unwrap().emits, [range]);
}

#[test]
fn of_many_codecs_those_with_a_name_are_kept() {
    let named = [1, 2, 3, 4, 8, 16, 32, 33];
    let numbers: StdVec<u16> = (1000..1100).chain(named).chain(2000..2100).collect();
    let body = format!("{{\"codecs\":{numbers:?}}}");
    let expected: StdVec<u16> = (1000..1008).chain(named).collect();
    let hello = Hello { codecs: codecs(&expected), ..Hello::default() };
    assert_eq!(read_json(&body), Ok(hello.clone()));
    let mut protobuf = StdVec::new();
    for number in numbers {
        let [low, high] = [number & 0x7F, number >> 7].map(|part| u8::try_from(part).unwrap());
        protobuf.extend([0x08, low | 0x80, high]);
    }
    assert_eq!(Hello::read(CodecId::PROTOBUF, &protobuf), Ok(hello));
}

#[test]
fn more_kinds_than_there_is_room_for_are_an_error_with_their_number() {
    let ranges = |count: usize| std::vec!["{}"; count].join(",");
    assert_eq!(read_json(&format!("{{\"emits\":[{}]}}", ranges(16))).unwrap().emits.len(), 16);
    let too_many = |what, count| Err(ControlError::TooMany { what, count, most: 16 });
    assert_eq!(read_json(&format!("{{\"emits\":[{}]}}", ranges(17))), too_many("emits", 17));
    assert_eq!(Hello::read(CodecId::PROTOBUF, &[0x1a, 0x00].repeat(40)), too_many("accepts", 40));
}

#[test]
fn what_is_of_another_type_or_too_large_is_told() {
    for (body, what, at) in [
        (r#"{"codecs":1}"#, "codecs", 10),
        (r#"{"codecs":[1,"8"]}"#, "a codec", 13),
        (r#"{"codecs":[-1]}"#, "a codec", 11),
        (r#"{"codecs":[1.5]}"#, "a codec", 11),
        (r#"{"max_frame_bytes":1e400}"#, "max_frame_bytes", 19),
        (r#"{"max_frame":18446744073709551616}"#, "max_frame_bytes", 13),
        (r#"{"shared_mem":1}"#, "shared_mem", 14),
        (r#"{"accepts":{}}"#, "accepts", 11),
        (r#"{"emits":[7]}"#, "emits", 10),
        (r#"{"features":"MORE"}"#, "features", 12),
        (r#"{"features_ext":"capnp-packed"}"#, "features_ext", 16),
        (r#"{"features_ext":[1]}"#, "a name in features_ext", 17),
        (r#"{"crypt":{}}"#, "an offer with kid and random", 9),
        (r#"{"crypt":{"kid":"a"}}"#, "an offer with kid and random", 9),
        (r#"{"crypt":{"random":"00112233445566778899aabbccddeeff"}}"#, "an offer with kid and random", 9),
        (r#"{"crypt":{"kid":"a","random":"0011"}}"#, "32 hexadecimal digits", 29),
        (r#"{"crypt":true}"#, "an offer with kid and random", 9),
    ] {
        assert_eq!(read_json(body), malformed(what, at), "{body}");
    }
    let too_large = |what, found, most| Err(ControlError::TooLarge { what, found, most });
    assert_eq!(read_json(r#"{"codecs":[65536]}"#), too_large("a codec", 65536, 65535));
    assert_eq!(read_json(r#"{"emits":[{"major":70000}]}"#), too_large("major", 70000, 65535));
    let kid = "ä".repeat(33);
    let too_long = ControlError::TooLong { what: "kid", len: 66, most: 64 };
    assert_eq!(read_json(&format!(r#"{{"crypt":{{"kid":"{kid}"}}}}"#)), Err(too_long));

    let read = |body: &[u8]| Hello::read(CodecId::PROTOBUF, body);
    assert_eq!(read(&[0x0a, 3, 0x80, 0x80, 0x04]), too_large("a codec", 65536, 65535));
    assert_eq!(read(&[0x08, 0x80, 0x80, 0x04]), too_large("a codec", 65536, 65535));
    assert_eq!(read(&[0x1a, 4, 0x10, 0x80, 0x80, 0x04]), too_large("major", 65536, 65535));
    assert_eq!(read(&[0x12, 0]), malformed("max_frame_bytes", 2));
    assert_eq!(read(&[0x18, 0]), malformed("accepts", 1));
    // Only half of an offer, a random of one byte, a name that is no text, a name that is too long.
    assert_eq!(read(b"\xba\x06\x01k"), malformed("an offer with kid and random", 4));
    assert_eq!(read(b"\xc2\x06\x01\x00"), malformed("16 random bytes", 3));
    assert_eq!(read(b"\xba\x06\x01\xff"), malformed("kid", 3));
    let long = [b"\xba\x06\x42", kid.as_bytes()].concat();
    assert_eq!(read(&long), Err(too_long));
    // Inside a message, offsets are those of the body.
    let Err(ControlError::Protobuf(error)) = read(&[0x28, 1, 0x1a, 2, 0x08, 0x80]) else { panic!() };
    assert_eq!(error.at, 6);
}

#[test]
fn nesting_ends_at_its_limit_wherever_it_stands() {
    for key in ["codecs", "accepts", "crypt", "features_ext", "x"] {
        for open in ["[", r#"{"kid":"#] {
            let body = format!(r#"{{"{key}":{}"#, open.repeat(5000));
            match read_json(&body) {
                Err(ControlError::Json(error)) => {
                    assert_eq!(error.what, JsonFault::TooDeep { limit: 32 }, "{body}");
                }
                other => panic!("{body}: {other:?}"),
            }
        }
    }
}

#[test]
fn any_body_has_room_in_what_is_said_to_be_enough() {
    let hello = largest();
    let json = written(|out| hello.write_json(out));
    let protobuf = written(|out| hello.write_protobuf(out));
    assert!(json.len() <= Hello::MAX_BODY && protobuf.len() < json.len(), "{}", json.len());
    assert_eq!(Hello::read(CodecId::PROTOBUF, &json), Ok(hello.clone()));
    assert_eq!(Hello::read(CodecId::PROTOBUF, &protobuf), Ok(hello.clone()));
    let mut out = [0; 4096];
    let (needed, len) = (json.len(), json.len() - 1);
    assert_eq!(hello.write_json(&mut out[..len]), Err(ControlError::NoRoom { needed, len }));
    let (needed, len) = (protobuf.len(), protobuf.len() - 1);
    assert_eq!(hello.write_protobuf(&mut out[..len]), Err(ControlError::NoRoom { needed, len }));
}

fn kinds() -> impl Strategy<Value = Vec<KindRange, KINDS>> {
    let range = (any::<u32>(), any::<u16>(), any::<u16>(), any::<u16>()).prop_map(
        |(kind_id, major, min_minor, max_minor)| KindRange { kind_id, major, min_minor, max_minor },
    );
    proptest::collection::vec(range, 0..4).prop_map(|ranges| ranges.into_iter().collect())
}

fn hellos() -> impl Strategy<Value = Hello> {
    let codecs = proptest::collection::btree_set(any::<u16>(), 0..CODECS);
    let key_id = any::<StdString>().prop_map(|text| crate::xcp::json::cut(text.chars()));
    let crypt = (key_id, any::<[u8; 16]>()).prop_map(|(key_id, random)| CryptOffer { key_id, random });
    let first = (codecs, any::<u32>(), any::<bool>(), kinds(), kinds());
    let added = (any::<u8>(), 0..8_u8, any::<Option<(u8, u8)>>(), proptest::option::of(crypt));
    (first, added).prop_map(|(first, (features, extensions, version, crypt))| {
        let (codecs, max_frame, shared_mem, accepts, emits) = first;
        let names = ["capnp-packed", "xcp-crypt-1", "dlpack-flat-1"];
        let chosen = names.iter().enumerate().filter(|(at, _)| extensions >> at & 1 == 1);
        Hello {
            codecs: codecs.into_iter().map(CodecId).collect(),
            max_frame,
            shared_mem,
            accepts,
            emits,
            features: Flags(features & 0xF0),
            extensions: chosen
                .filter_map(|(_, name)| Extensions::from_name(name))
                .fold(Extensions::NONE, Extensions::union),
            version,
            crypt,
        }
    })
}

proptest! {
    #[test]
    fn every_hello_is_read_as_it_was_written(hello in hellos()) {
        let json = written(|out| hello.write_json(out));
        prop_assert_eq!(Hello::read(CodecId::JSON, &json), Ok(hello.clone()));
        // Cut anywhere, it is an error: its last byte closes the object.
        for len in 0..json.len() {
            prop_assert!(Hello::read(CodecId::JSON, &json[..len]).is_err());
        }
        let protobuf = written(|out| hello.write_protobuf(out));
        prop_assert_eq!(Hello::read(CodecId::PROTOBUF, &protobuf), Ok(hello));
        // Cut between two fields it is another message, and cut elsewhere an error.
        for len in 0..protobuf.len() {
            let _ = Hello::read(CodecId::PROTOBUF, &protobuf[..len]);
        }
    }

    #[test]
    fn any_bytes_are_a_hello_or_an_error(bytes: StdVec<u8>) {
        for codec in [CodecId::JSON, CodecId::PROTOBUF] {
            let _ = Hello::read(codec, &bytes);
        }
    }

    #[test]
    fn a_changed_byte_does_no_harm(hello in hellos(), at: prop::sample::Index, byte: u8) {
        for mut body in [written(|out| hello.write_json(out)), written(|out| hello.write_protobuf(out))] {
            let at = at.index(body.len());
            body[at] = byte;
            if let Ok(read) = Hello::read(CodecId::PROTOBUF, &body) {
                let again = written(|out| read.write_json(out));
                prop_assert_eq!(Hello::read(CodecId::JSON, &again), Ok(read));
            }
        }
    }
}
