//! How quantities with units are read and written.

use core::time::Duration;

/// Reads a number of bytes, at least 1: `3110400`, `500M`, `4GiB`.
pub(crate) fn parse_bytes(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit: u64 = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1_000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "ki" | "kib" => 1 << 10,
        "mi" | "mib" => 1 << 20,
        "gi" | "gib" => 1 << 30,
        _ => return Err("the units of bytes are K, M, G, KiB, MiB, GiB".to_owned()),
    };
    let number: u64 = number.parse().map_err(|error| format!("{number:?} is no number: {error}"))?;
    match number.checked_mul(unit) {
        Some(0) => Err("at least 1 byte is needed".to_owned()),
        Some(bytes) => Ok(bytes),
        None => Err("more than 64 bits hold".to_owned()),
    }
}

/// Reads a time of at most an hour: `3`, `0.5`.
pub(crate) fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("{text:?} is no number of seconds"))?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) if !time.is_zero() && time <= Duration::from_secs(3600) => Ok(time),
        _ => Err("more than 0 and at most 3600 seconds are possible".to_owned()),
    }
}

/// Bytes as people say them, in thousands: `4.29 GB`.
pub(crate) fn bytes(bytes: u64) -> String {
    let value = bytes as f64;
    match bytes {
        1 => "1 byte".to_owned(),
        0 | 2..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{} kB", significant(value / 1e3)),
        1_000_000..1_000_000_000 => format!("{} MB", significant(value / 1e6)),
        _ => format!("{} GB", significant(value / 1e9)),
    }
}

/// Nanoseconds as people say them: `850 ns`, `1.24 µs`, `12.3 ms`.
pub(crate) fn time(nanos: u64) -> String {
    let value = nanos as f64;
    match nanos {
        ..1_000 => format!("{nanos} ns"),
        1_000..1_000_000 => format!("{} µs", significant(value / 1e3)),
        1_000_000..1_000_000_000 => format!("{} ms", significant(value / 1e6)),
        _ => format!("{} s", significant(value / 1e9)),
    }
}

/// A count with its thousands apart: `3 110 400`.
pub(crate) fn count(count: u64) -> String {
    group(&count.to_string())
}

/// A rate of at least 0, rounded, with its thousands apart.
pub(crate) fn rate(rate: f64) -> String {
    group(&format!("{rate:.0}"))
}

fn group(digits: &str) -> String {
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// Three significant digits, without an exponent.
fn significant(value: f64) -> String {
    match value {
        // What would round to one digit more.
        ..9.995 => format!("{value:.2}"),
        ..99.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_decimal_and_binary_units() {
        let expected = [
            ("1", 1),
            ("3110400", 3_110_400),
            ("2k", 2_000),
            ("5 MB", 5_000_000),
            ("4GiB", 4 << 30),
            ("7Ki", 7 << 10),
        ];
        for (text, bytes) in expected {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
        for bad in ["", "0", "0G", "-1", "1.5G", "x", "1T", "20000000000G", "99999999999999999999"] {
            assert!(parse_bytes(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn seconds_are_positive_and_finite() {
        assert_eq!(parse_seconds("0.5"), Ok(Duration::from_millis(500)));
        for bad in ["", "0", "-1", "nan", "inf", "1e9", "x"] {
            assert!(parse_seconds(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn quantities_have_three_digits_and_the_unit_that_fits() {
        assert_eq!(
            [1, 999, 1_000, 3_110_400, 99_960_000, 4_294_967_296].map(bytes),
            ["1 byte", "999 bytes", "1.00 kB", "3.11 MB", "100 MB", "4.29 GB"]
        );
        assert_eq!(
            [0, 999, 1_240, 12_345_678, 3_000_000_000].map(time),
            ["0 ns", "999 ns", "1.24 µs", "12.3 ms", "3.00 s"]
        );
        assert_eq!([0, 999, 1_000, 3_110_400].map(count), ["0", "999", "1 000", "3 110 400"]);
        assert_eq!([0.4, 999.5, 1_234_567.8].map(rate), ["0", "1 000", "1 234 568"]);
    }
}
