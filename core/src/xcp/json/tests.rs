//! Does the reader take what is JSON, refuse what is not, and end on any bytes?

use std::format;
use std::string::{String, ToString as _};
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

/// Reads a whole text by skipping it.
fn skip(bytes: &[u8]) -> Result<(), JsonError> {
    let mut json = Reader::new(bytes);
    json.skip()?;
    json.end()
}

fn fault(text: &str) -> (usize, JsonFault) {
    let error = skip(text.as_bytes()).expect_err(text);
    (error.at, error.what)
}

fn decoded(text: &str) -> String {
    let text = Reader::new(text.as_bytes()).text().expect("JSON").expect("a string");
    text.chars().collect()
}

#[test]
fn values_of_every_kind_are_skipped() {
    for text in [
        "0",
        "-0",
        "-1",
        "1.5",
        "1e400",
        "-2E-7",
        "3.25e+10",
        "18446744073709551616",
        "true",
        "false",
        "null",
        "NaN",
        "Infinity",
        "-Infinity",
        r#""""#,
        r#""\"\\\/\b\f\n\r\t\u00e4\uD800""#,
        "{}",
        "[]",
        "[[],{}]",
        r#"{"a":{"b":[1,{"c":null}],"b":2}}"#,
        " [ 1 , 2 ]\t\r\n",
    ] {
        assert_eq!(skip(text.as_bytes()), Ok(()), "{text}");
    }
}

#[test]
fn what_is_not_json_is_refused_with_its_place() {
    let ends = |wanted| JsonFault::Ends { wanted };
    let found = |found, wanted| JsonFault::Unexpected { found, wanted };
    for (text, at, what) in [
        ("", 0, ends("a value")),
        ("  ", 2, ends("a value")),
        ("[1", 2, ends("a comma or a closing bracket")),
        ("[1}", 2, found(b'}', "a comma or a closing bracket")),
        ("[1,]", 3, found(b']', "a value")),
        ("[,1]", 1, found(b',', "a value")),
        ("[1 2]", 3, found(b'2', "a comma or a closing bracket")),
        ("{1:2}", 1, found(b'1', "a key")),
        (r#"{"a"}"#, 4, found(b'}', "a colon")),
        (r#"{"a":}"#, 5, found(b'}', "a value")),
        (r#"{"a":1,}"#, 7, found(b'}', "a key")),
        ("01", 0, JsonFault::LeadingZero),
        ("1.", 2, ends("a digit")),
        ("1e+", 3, ends("a digit")),
        (".5", 0, found(b'.', "a value")),
        ("+1", 0, found(b'+', "a value")),
        ("-x", 1, found(b'x', "a value")),
        ("truth", 0, found(b't', "a value")),
        ("nullx", 4, found(b'x', "the end of the text")),
        ("'a'", 0, found(b'\'', "a value")),
        ("\"a", 2, ends("the end of a string")),
        ("\"a\nb\"", 2, JsonFault::Control { found: b'\n' }),
        (r#""\x""#, 2, found(b'x', "an escaped character")),
        (r#""\u12g4""#, 5, found(b'g', "a hexadecimal digit")),
        (r#""\u12"#, 5, ends("a hexadecimal digit")),
        ("1 // one", 2, found(b'/', "the end of the text")),
        ("\u{feff}1", 0, found(0xEF, "a value")),
    ] {
        assert_eq!(fault(text), (at, what), "{text}");
    }
    let not_utf8 = JsonError { at: 2, what: JsonFault::NotUtf8 };
    assert_eq!(skip(b"\"a\xff\""), Err(not_utf8));
    let text = JsonError { at: 7, what: JsonFault::TooDeep { limit: 32 } }.to_string();
    assert_eq!(text, "JSON at byte 7: objects and arrays are nested deeper than 32");
}

#[test]
fn nesting_ends_at_its_limit_whoever_enters() {
    let limit = MAX_DEPTH as usize;
    for (open, inside, close) in [("[", "", "]"), (r#"{"a":"#, "{}", "}")] {
        let nested = |depth: usize| format!("{}{inside}{}", open.repeat(depth), close.repeat(depth));
        let depth = if inside.is_empty() { limit } else { limit - 1 };
        assert_eq!(skip(nested(depth).as_bytes()), Ok(()));
        let too_deep = JsonFault::TooDeep { limit: MAX_DEPTH };
        assert_eq!(fault(&nested(depth + 1)), (limit * open.len(), too_deep));
        // Far beyond: no stack is used up.
        assert_eq!(fault(&nested(100_000)), (limit * open.len(), too_deep));
    }
    // What was entered counts too.
    let text = format!(r#"{{"a":{}}}"#, "[".repeat(limit));
    let entered = Reader::new(text.as_bytes()).fields(|json, _| json.skip());
    assert_eq!(entered.unwrap_err().what, JsonFault::TooDeep { limit: MAX_DEPTH });
}

#[test]
fn integers_are_exact_and_anything_else_is_none() {
    for (text, expected) in [
        ("0", Some(0)),
        ("18446744073709551615", Some(u64::MAX)),
        ("18446744073709551616", None),
        ("1e400", None),
        ("1e2", None),
        ("1.0", None),
        ("-1", None),
        ("-0", None),
        ("NaN", None),
        ("\"1\"", None),
        ("[1]", None),
    ] {
        let mut json = Reader::new(text.as_bytes());
        assert_eq!(json.integer(), Ok(expected), "{text}");
        // Skipped whole.
        assert_eq!(json.end(), Ok(()), "{text}");
    }
}

#[test]
fn pairs_of_surrogates_are_one_character_and_halves_are_replaced() {
    for (text, expected) in [
        (r#""\ud83d\ude00""#, "😀"),
        (r#""\uD83D\uDE00!""#, "😀!"),
        (r#""\ud83d""#, "\u{fffd}"),
        (r#""\ude00\ud83d""#, "\u{fffd}\u{fffd}"),
        (r#""\ud83d\u0041""#, "\u{fffd}A"),
        (r#""\ud83d\n""#, "\u{fffd}\n"),
        (r#""\ud83d\ud83d\ude00""#, "\u{fffd}😀"),
        (r#""\u0000\u00e4ä\/""#, "\0ää/"),
    ] {
        assert_eq!(decoded(text), expected, "{text}");
    }
}

#[test]
fn a_text_is_cut_or_refused_at_its_characters() {
    let mut json = Reader::new(r#""aä\u20ac""#.as_bytes());
    let text = json.text().unwrap().unwrap();
    assert_eq!(text.len(), 6);
    assert_eq!(text.cut::<5>(), "aä");
    assert_eq!(text.whole::<5>(), None);
    assert_eq!(text.whole::<6>().unwrap(), "aä€");
    let hex = |text: &str| Reader::new(text.as_bytes()).text().unwrap().unwrap().hex::<2>();
    assert_eq!(hex(r#""0aFf""#), Some([0x0A, 0xFF]));
    for text in [r#""0aF""#, r#""0aFf0""#, r#""0aFg""#, r#""""#] {
        assert_eq!(hex(text), None, "{text}");
    }
}

#[test]
fn keys_are_given_without_those_of_null_and_long_ones_as_none() {
    let text = r#"{"a":1,"b":null,"a":2,"a\u0062":[3],"this key is longer than any that means something":4}"#;
    let mut seen = Vec::new();
    let mut json = Reader::new(text.as_bytes());
    let is_object = json.fields(|json, key| {
        seen.push((String::from(key), json.integer()?));
        Ok::<_, JsonError>(())
    });
    assert_eq!(is_object, Ok(true));
    let pair = |key: &str, value| (String::from(key), value);
    assert_eq!(seen, [pair("a", Some(1)), pair("a", Some(2)), pair("ab", None), pair("", Some(4))]);
    assert_eq!(json.end(), Ok(()));
}

#[test]
fn texts_are_written_as_python_does() {
    let mut out = [0; 200];
    let mut json = Writer::new(&mut out);
    json.array(|json| {
        json.string("a\"\\/\u{8}\u{c}\n\r\t\u{1}\u{7f}é€😀");
        json.object(|json| {
            json.key("k").boolean(true);
            json.key("l").array(|_| {});
            json.key("m").object(|_| {});
            json.key("n").number(u64::MAX);
        });
        json.number(0_u8);
    });
    let len = json.finish().unwrap();
    // json.dumps(…, separators=(",", ":")) of Python 3.11 says the same.
    let expected = concat!(
        r#"["a\"\\/\b\f\n\r\t\u0001\u007f\u00e9\u20ac\ud83d\ude00","#,
        r#"{"k":true,"l":[],"m":{},"n":18446744073709551615},0]"#
    );
    assert_eq!(core::str::from_utf8(&out[..len]), Ok(expected));
}

proptest! {
    #[test]
    fn every_text_is_read_as_it_was_written(text: String) {
        let mut out = std::vec![0; text.len() * 6 + 2];
        let mut json = Writer::new(&mut out);
        json.string(&text);
        let len = json.finish().unwrap();
        let mut json = Reader::new(&out[..len]);
        let read = json.text().unwrap().unwrap();
        prop_assert!(read.chars().eq(text.chars()));
        prop_assert_eq!(read.len(), text.len());
        prop_assert_eq!(json.end(), Ok(()));
    }

    #[test]
    fn any_bytes_end_in_a_value_or_an_error(bytes: Vec<u8>) {
        let _ = skip(&bytes);
    }

    #[test]
    fn any_json_like_text_ends_in_a_value_or_an_error(text in r#"[\[\]{},:"\\u0-9a-f .eE+\-NaIntrl]{0,60}"#) {
        let outcome = skip(text.as_bytes());
        // Asked in any other way, the text is as right or as wrong.
        let mut json = Reader::new(text.as_bytes());
        prop_assert_eq!(json.integer().map(drop).and_then(|()| json.end()), outcome);
        let mut json = Reader::new(text.as_bytes());
        prop_assert_eq!(json.fields(|json, _| json.skip()).map(drop).and_then(|()| json.end()), outcome);
        let mut json = Reader::new(text.as_bytes());
        prop_assert_eq!(json.items(Reader::skip).map(drop).and_then(|()| json.end()), outcome);
    }
}
