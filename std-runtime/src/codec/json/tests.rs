//! Bytes of the Python implementation both ways, what strict reading refuses, and what any ether becomes and comes back
//! as.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::codec::DecodeLimits;
use crate::xcp::Attachment;
use crate::xcp::ether::{ChecksumAlgorithm, Compression};

fn strict() -> JsonCodec {
    JsonCodec::default()
}

fn python() -> JsonCodec {
    JsonCodec::new(JsonOptions::python())
}

fn encode(codec: &JsonCodec, ether: &Ether) -> String {
    let mut out = Vec::new();
    codec.encode(ether, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn decode(codec: &JsonCodec, text: &str) -> Result<Ether, DecodeError> {
    codec.decode(text.as_bytes(), &DecodeContext::default())
}

/// The body of a frame with a JSON header.
fn body(frame: &[u8]) -> &[u8] {
    let header = usize::from(u16::from_le_bytes([frame[6], frame[7]]));
    &frame[12 + header..frame.len() - 4]
}

#[test]
fn the_bytes_of_the_python_implementation_are_read_and_written() {
    for frame in [
        &include_bytes!("../../../../tests/vectors/xcp/reference/data_json_text.req.bin")[..],
        include_bytes!("../../../../tests/vectors/xcp/reference/data_json_text.resp.bin"),
    ] {
        let body = body(frame);
        let ether = strict().decode(body, &DecodeContext::default()).unwrap();
        assert_eq!(ether, Ether::text("Hello, XCP v0.2!"));
        assert_eq!(encode(&strict(), &ether).as_bytes(), body);
    }
}

#[test]
fn every_field_is_written_in_pythons_order_and_way() {
    let attachment = Attachment::bytes("a", "text/plain", &b"\0\xFF"[..]);
    let ether = Ether::new("x", 2)
        .payload("b", json!([1e16, 1e-5, 0.1, -0.0, 1.0, 123_456_789_012_345_680.0, 1.5e300, 7]))
        .payload("a", "\u{e4}\u{1f600}\u{7f}\n\"")
        .attach(attachment);
    let written = r#"{"kind":"x","schema_version":2,"payload":{"b":[1e+16,1e-05,0.1,-0.0,1.0,1.2345678901234568e+17,1.5e+300,7],"a":"\u00e4\ud83d\ude00\u007f\n\""},"metadata":{},"extra_fields":{},"attachments":[{"id":"a","uri":null,"media_type":"text/plain","codec":null,"shape":null,"dtype":null,"size_bytes":2,"inline_bytes":"AP8="}]}"#;
    assert_eq!(encode(&strict(), &ether), written);
    assert_eq!(decode(&strict(), written), Ok(ether.clone()));

    let omitting = JsonCodec::new(JsonOptions { omit_unset: true, ascii: false, ..JsonOptions::new() });
    let shorter = encode(&omitting, &ether);
    let end = r#""attachments":[{"id":"a","media_type":"text/plain","size_bytes":2,"inline_bytes":"AP8="}]}"#;
    assert!(shorter.ends_with(end) && shorter.contains("\u{e4}\u{1f600}\u{7f}\\n"), "{shorter}");
    assert_eq!(decode(&strict(), &shorter), Ok(ether));
}

/// An ether whose payload is `value`.
fn holding(value: &str) -> String {
    format!(r#"{{"kind":"x","schema_version":1,"payload":{{"v":{value}}},"metadata":{{}}}}"#)
}

#[test]
fn what_json_has_not_is_refused_and_read_if_asked() {
    let pairs = [
        ("NaN", json!("NaN")),
        ("[Infinity,-Infinity]", json!(["Infinity", "-Infinity"])),
        ("1e400", json!("Infinity")),
        ("-1E+400", json!("-Infinity")),
        ("18446744073709551616", json!("18446744073709551616")),
        ("-9223372036854775809", json!("-9223372036854775809")),
        (r#""a\ud800b""#, json!("a\u{fffd}b")),
        (r#""\udc00\ud800\ud83d\ude00""#, json!("\u{fffd}\u{fffd}\u{1f600}")),
    ];
    for (text, value) in pairs {
        let refused = decode(&strict(), &holding(text));
        assert!(matches!(refused, Err(DecodeError::Malformed { at: 43.., .. })), "{text}: {refused:?}");
        assert_eq!(decode(&python(), &holding(text)).unwrap().payload["v"], value, "{text}");
    }
    let null =
        JsonOptions { non_finite: NonFinite::Null, big_integers: BigIntegers::Float, ..JsonOptions::new() };
    let read = decode(&JsonCodec::new(null), &holding("[NaN,18446744073709551616]")).unwrap();
    assert_eq!(read.payload["v"], json!([null, 18_446_744_073_709_551_616.0]));
    // The limits of 64 bits themselves, and words and escapes inside texts, are nothing special.
    for text in ["18446744073709551615", "-9223372036854775808", r#""NaN \\ud800 \" 1e400""#, "1e-400"] {
        assert_eq!(decode(&strict(), &holding(text)), decode(&python(), &holding(text)));
        assert!(decode(&strict(), &holding(text)).is_ok(), "{text}");
    }
}

#[test]
fn missing_fields_are_empty_if_asked_and_others_are_passed_over() {
    let bare = r#"{"x":[], "schema_version":1, "kind":"text"}"#;
    assert!(decode(&strict(), bare).is_err());
    assert_eq!(decode(&python(), bare), Ok(Ether::new("text", 1)));
    for wrong in [
        "",
        "[]",
        "{}",
        "nonsense",
        "{\"kind\":1}",
        r#"{"kind":"a"}"#,
        r#"{"kind":"a","schema_version":0}"#,
        r#"{"kind":"a","schema_version":4294967296}"#,
        r#"{"kind":"a","schema_version":"1"}"#,
        r#"{"kind":"a","schema_version":1,"payload":[]}"#,
        r#"{"kind":"a","schema_version":1,"attachments":{}}"#,
        r#"{"kind":"a","schema_version":1} x"#,
        r#"{"kind":"a","schema_version":1,"payload":{"a":"#,
        "{\"kind\":\"\\ud8",
        "\"",
        "-",
        "-I",
        "N",
    ] {
        for codec in [strict(), python()] {
            let error = decode(&codec, wrong).unwrap_err();
            assert_eq!(error.code(), strait_core::xcp::ErrorCode::ERR_MALFORMED, "{wrong}");
        }
    }
    let twice = r#"{"kind":"a","kind":"b","schema_version":1,"payload":{},"metadata":{}}"#;
    assert_eq!(decode(&strict(), twice), Ok(Ether::new("b", 1)));
}

#[test]
fn base64_is_padded_and_bytes_are_what_they_say() {
    let with = |fields: &str| {
        format!(
            r#"{{"kind":"a","schema_version":1,"payload":{{}},"metadata":{{}},"attachments":[{{"id":"i",{fields}}}]}}"#
        )
    };
    let bytes = |codec: &JsonCodec, fields: &str| {
        decode(codec, &with(fields)).map(|ether| ether.attachments[0].inline_bytes.clone().unwrap().to_vec())
    };
    assert_eq!(bytes(&strict(), r#""inline_bytes":"AP8=""#), Ok(vec![0, 0xFF]));
    for loose in ["AP8", " A P8=\\n"] {
        let fields = format!(r#""inline_bytes":"{loose}""#);
        assert!(bytes(&strict(), &fields).is_err());
        assert_eq!(bytes(&python(), &fields), Ok(vec![0, 0xFF]));
    }
    for wrong in ["!!!", "AP8_", "AP9=", "A"] {
        let fields = format!(r#""inline_bytes":"{wrong}""#);
        assert!(bytes(&strict(), &fields).is_err() && bytes(&python(), &fields).is_err(), "{wrong}");
    }
    let two = r#""inline_bytes":"","uri":"shm://a/b""#;
    assert!(bytes(&strict(), two).is_err() && bytes(&python(), two).is_ok());
    for wrong in [
        r#""inline_bytes":"AP8=","size_bytes":3"#,
        r#""inline_bytes":"AP8=","checksum":{"algo":"crc32c","value":"00000000"}"#,
        r#""inline_bytes":"AP8=","checksum":{"algo":"md5","value":"00"}"#,
        r#""inline_bytes":"AP8=","shape":[-1]"#,
        r#""inline_bytes":"AP8=","metadata":1"#,
        r#""inline_bytes":1"#,
    ] {
        assert!(bytes(&strict(), wrong).is_err() && bytes(&python(), wrong).is_err(), "{wrong}");
    }
}

#[test]
fn what_is_too_much_is_refused_before_it_is_built() {
    let refused = |text: &str, limits: DecodeLimits| {
        let context = DecodeContext { limits, ..DecodeContext::default() };
        match strict().decode(text.as_bytes(), &context) {
            Err(DecodeError::BeyondLimit { what, count, max }) => (what, count, max),
            other => panic!("{other:?}"),
        }
    };
    let limits = DecodeLimits::default();
    assert_eq!(refused(&"[".repeat(1 << 20), limits), ("levels", 65, 64));
    let deeper = DecodeLimits { nesting: usize::MAX, ..limits };
    assert_eq!(refused(&"[".repeat(1 << 20), deeper), ("levels", 128, 127));
    let fewer = DecodeLimits { values: 10, ..limits };
    assert_eq!(refused(&holding("[1,2,3,4,5,6,7,8]"), fewer), ("values", 11, 10));
    let list = r#"{"kind":"a","schema_version":1,"payload":{},"metadata":{},"attachments":[1,2,3]}"#;
    assert_eq!(refused(list, DecodeLimits { attachments: 2, ..limits }), ("attachments", 3, 2));
}

pub(in crate::codec) fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        prop::num::f64::NORMAL.prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            any_map(inner).prop_map(Value::Object),
        ]
    })
}

fn any_map(values: impl Strategy<Value = Value>) -> impl Strategy<Value = serde_json::Map<String, Value>> {
    prop::collection::vec((any::<String>(), values), 0..6).prop_map(|members| members.into_iter().collect())
}

pub(in crate::codec) fn any_attachment() -> impl Strategy<Value = Attachment> {
    let content =
        prop_oneof![any::<String>().prop_map(Err), prop::collection::vec(any::<u8>(), 0..40).prop_map(Ok)];
    let texts = prop::collection::vec(prop::option::of(any::<String>()), 5);
    let shape = prop::option::of(prop::collection::vec(any::<u64>(), 0..4));
    let compression = prop::option::of((any::<String>(), prop::option::of(any::<i32>())));
    let sum = prop::option::of(any::<bool>());
    (content, texts, shape, compression, sum, any_map(any_value())).prop_map(
        |(content, texts, shape, compression, sum, metadata)| {
            let mut texts = texts.into_iter();
            let mut text = || texts.next().flatten();
            let algorithm =
                sum.map(|crc| if crc { ChecksumAlgorithm::Crc32c } else { ChecksumAlgorithm::Sha256 });
            let attachment = Attachment {
                uri: content.clone().err(),
                inline_bytes: content.ok().map(Into::into),
                media_type: text(),
                codec: text(),
                dtype: text(),
                byte_order: text(),
                device: text(),
                shape,
                compression: compression.map(|(name, level)| Compression { name, level }),
                metadata,
                ..Attachment::default()
            };
            match algorithm {
                Some(algorithm) => attachment.with_checksum(algorithm),
                None => attachment,
            }
        },
    )
}

pub(in crate::codec) fn any_ether() -> impl Strategy<Value = Ether> {
    let attachments = prop::collection::vec(any_attachment(), 0..4);
    let maps = [(); 3].map(|()| any_map(any_value()));
    (any::<String>(), 1_u32.., maps, attachments).prop_map(|(kind, schema_version, maps, attachments)| {
        let [payload, metadata, extra_fields] = maps;
        let named = |(at, attachment)| Attachment { id: format!("a{at}"), ..attachment };
        let attachments = attachments.into_iter().enumerate().map(named).collect();
        Ether { kind, schema_version, payload, metadata, extra_fields, attachments }
    })
}

proptest! {
    #[test]
    fn any_ether_comes_back_as_it_was(ether in any_ether(), ascii: bool, omit_unset: bool) {
        let codec = JsonCodec::new(JsonOptions { ascii, omit_unset, ..JsonOptions::new() });
        let text = encode(&codec, &ether);
        prop_assert!(!ascii || text.is_ascii());
        for reader in [strict(), python()] {
            prop_assert_eq!(decode(&reader, &text), Ok(ether.clone()));
        }
    }

    #[test]
    fn damaged_text_is_refused_or_read_and_never_more(
        ether in any_ether(), at: prop::sample::Index, byte: u8, len: prop::sample::Index,
    ) {
        let mut text = encode(&strict(), &ether).into_bytes();
        let at = at.index(text.len());
        text[at] = byte;
        text.truncate(text.len() - len.index(3));
        let lenient = python().decode(&text, &DecodeContext::default());
        if let Ok(strictly) = strict().decode(&text, &DecodeContext::default()) {
            prop_assert_eq!(lenient, Ok(strictly));
        }
    }
}

#[test]
fn floats_have_pythons_digits_and_exponents() {
    // What Python 3.11 writes for these bits; 2023347301156851.25 stands between two numbers of as many digits.
    for (bits, text) in [
        (0x431C_C0E5_0492_1FCD_u64, "2023347301156851.2"),
        (0x3F1A_36E2_EB1C_432D, "0.0001"),
        (0x3EE9_E0E7_F0CD_1D03, "1.2339849058697153e-05"),
        (0xBEE4_F8B5_88E3_68F1, "-1e-05"),
        (0x3DDB_7CDF_D9D7_BDBB, "1e-10"),
        (0x4341_C379_37E0_8000, "1e+16"),
        (0x4341_C379_37E0_7FFF, "9999999999999998.0"),
        (0x0000_0000_0000_0001, "5e-324"),
        (0x8000_0000_0000_0000, "-0.0"),
    ] {
        let mut out = Vec::new();
        write::value(&json!(f64::from_bits(bits)), &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), text);
    }
}
