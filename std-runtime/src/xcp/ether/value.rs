//! How bytes and numbers stand in JSON values, which have neither bytes nor infinities.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Number, Value};

use super::error::EtherError;

/// The only key of an object that stands for bytes.
const BYTES_KEY: &str = "$bytes";

/// What becomes of NaN and the infinities, which JSON has not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NonFinite {
    /// Refused.
    #[default]
    Refuse,
    /// `null`.
    Null,
    /// The texts `NaN`, `Infinity` and `-Infinity`.
    Text,
}

/// A list of numbers. Each becomes the 64-bit number of the same value.
///
/// # Errors
/// [`EtherError::NotFinite`] for NaN and infinities, if those are refused.
pub fn numbers_value(values: &[f32], non_finite: NonFinite) -> Result<Value, EtherError> {
    let one = |(index, value): (usize, &f32)| match (Number::from_f64(f64::from(*value)), non_finite) {
        (Some(number), _) => Ok(Value::Number(number)),
        (None, NonFinite::Refuse) => Err(EtherError::NotFinite { index, value: *value }),
        (None, NonFinite::Null) => Ok(Value::Null),
        (None, NonFinite::Text) if value.is_nan() => Ok("NaN".into()),
        (None, NonFinite::Text) if *value > 0.0 => Ok("Infinity".into()),
        (None, NonFinite::Text) => Ok("-Infinity".into()),
    };
    values.iter().enumerate().map(one).collect::<Result<Vec<_>, _>>().map(Value::Array)
}

/// The number that a value stands for, with what [`NonFinite`] makes of those that JSON has not; `null` is NaN.
pub(super) fn number_of(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::Null => Some(f64::NAN),
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}

/// Bytes as a value: an object with one key, `$bytes`, and their base64 text. Protobuf bodies hold them as they are.
#[must_use]
pub fn bytes_value(bytes: &[u8]) -> Value {
    Value::Object(Map::from_iter([(BYTES_KEY.to_owned(), STANDARD.encode(bytes).into())]))
}

/// The bytes that [`bytes_value`] made a value of; `None` for every other value.
pub fn bytes_of(value: &Value) -> Option<Vec<u8>> {
    let members = value.as_object().filter(|members| members.len() == 1)?;
    STANDARD.decode(members.get(BYTES_KEY)?.as_str()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_a_value_and_come_back() {
        let value = bytes_value(&[0, 0xFF]);
        assert_eq!(value, serde_json::json!({ "$bytes": "AP8=" }));
        assert_eq!(bytes_of(&value), Some(vec![0, 0xFF]));
        for other in [serde_json::json!({ "$bytes": "AP8" }), serde_json::json!("AP8="), Value::Null] {
            assert_eq!(bytes_of(&other), None);
        }
    }

    #[test]
    fn numbers_that_json_has_not_are_refused_or_replaced() {
        let values = [1.5, f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
        let refused = numbers_value(&values[2..], NonFinite::Refuse);
        assert_eq!(refused, Err(EtherError::NotFinite { index: 0, value: f32::INFINITY }));
        let null = numbers_value(&values, NonFinite::Null);
        assert_eq!(null, Ok(serde_json::json!([1.5, null, null, null])));
        let text = numbers_value(&values, NonFinite::Text).unwrap();
        assert_eq!(text, serde_json::json!([1.5, "NaN", "Infinity", "-Infinity"]));
        let back: Vec<f64> = text.as_array().unwrap().iter().filter_map(number_of).collect();
        assert!(back[0] == 1.5 && back[1].is_nan() && back[2..] == [f64::INFINITY, f64::NEG_INFINITY]);
    }
}
