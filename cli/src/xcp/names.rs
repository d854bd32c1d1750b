//! How are codecs, features and sizes written on the command line?

use core::str::FromStr;

use clap::ValueEnum;
use strait::xcp::{CodecId, Flags, OCTETS};

/// Codecs by the names that people type.
const CODECS: [(&str, CodecId); 7] = [
    ("json", CodecId::JSON),
    ("protobuf", CodecId::PROTOBUF),
    ("f32", CodecId::TENSOR_F32),
    ("f16", CodecId::TENSOR_F16),
    ("qnt8", CodecId::TENSOR_QNT8),
    ("mixed-latent", CodecId::MIXED_LATENT),
    ("octets", OCTETS),
];

/// A codec: one of the short names.
pub(super) fn codec(text: &str) -> Result<CodecId, String> {
    let found = CODECS.iter().find(|(name, _)| *name == text).map(|(_, codec)| *codec);
    found.ok_or_else(|| {
        let names: Vec<&str> = CODECS.iter().map(|(name, _)| *name).collect();
        format!("{text:?} is none of {}", names.join(", "))
    })
}

/// A codec as reports name it: OCTETS is ours, and has a name too.
pub(super) fn codec_name(codec: CodecId) -> String {
    if codec == OCTETS { "OCTETS".to_owned() } else { codec.to_string() }
}

/// Several, with commas between.
pub(super) fn codec_names(codecs: &[CodecId]) -> String {
    codecs.iter().map(|codec| codec_name(*codec)).collect::<Vec<_>>().join(", ")
}

/// How a message is to be encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum AsCodec {
    /// A tensor of 32-bit floats
    F32,
    /// A tensor of 16-bit floats, each the nearest one
    F16,
    /// A tensor of bytes with one scale
    Qnt8,
    /// A tensor of bytes with a scale for each row
    Qnt8Rows,
    /// An ether in Protobuf
    Protobuf,
    /// An ether in JSON
    Json,
    /// The bytes as they are
    Octets,
}

impl AsCodec {
    /// The codec.
    pub(super) fn id(self) -> CodecId {
        match self {
            Self::F32 => CodecId::TENSOR_F32,
            Self::F16 => CodecId::TENSOR_F16,
            Self::Qnt8 | Self::Qnt8Rows => CodecId::TENSOR_QNT8,
            Self::Protobuf => CodecId::PROTOBUF,
            Self::Json => CodecId::JSON,
            Self::Octets => OCTETS,
        }
    }
}

/// What is offered beyond codecs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Features {
    /// MORE, LARGE and COMP.
    pub(super) flags: Flags,
    /// Whether headers may be packed.
    pub(super) packed: bool,
}

impl FromStr for Features {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut features = Self { flags: Flags::NONE, packed: false };
        if text == "none" {
            return Ok(features);
        }
        for name in text.split(',') {
            match name {
                "compress" => features.flags = features.flags.union(Flags::COMP),
                "more" => features.flags = features.flags.union(Flags::MORE),
                "large" => features.flags = features.flags.union(Flags::LARGE),
                "packed" => features.packed = true,
                _ => return Err(format!("{name:?} is none of compress, more, large, packed; or it is none")),
            }
        }
        Ok(features)
    }
}

/// A number of bytes: digits, and K, M, G or T for the powers of 1024.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let bad = || format!("{text:?} is no number of bytes; 1048576, 1024K and 1M are");
    let (digits, shift) = match text.strip_suffix(['K', 'M', 'G', 'T']) {
        None => (text, 0),
        Some(digits) => (digits, 10 * (1 + "KMGT".find(&text[digits.len()..]).unwrap_or(0))),
    };
    let number: u64 = digits.parse().map_err(|_| bad())?;
    number.checked_mul(1 << shift).ok_or_else(bad)
}

/// A time: digits with ms, s or m behind them.
pub(super) fn duration(text: &str) -> Result<core::time::Duration, String> {
    let bad = || format!("{text:?} is no time; 250ms, 30s and 2m are");
    let (digits, unit_ms) = [("ms", 1), ("s", 1000), ("m", 60_000)]
        .into_iter()
        .find_map(|(unit, ms)| Some((text.strip_suffix(unit)?, ms)))
        .ok_or_else(bad)?;
    let number: u64 = digits.parse().map_err(|_| bad())?;
    number.checked_mul(unit_ms).map(core::time::Duration::from_millis).ok_or_else(bad)
}

/// A pair for a header.
pub(super) fn tag(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("{text:?} is no KEY=VALUE"))?;
    Ok((key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    #[test]
    fn sizes_and_times_have_units() {
        for (text, wanted) in [("0", 0), ("17", 17), ("64K", 65_536), ("1M", 1 << 20), ("3G", 3 << 30)] {
            assert_eq!(bytes(text), Ok(wanted));
        }
        for bad in ["", "K", "1k", "-1", "1.5M", "1MiB", "99999999999T"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        for bad in ["", "5", "s", "1h", "-1s"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn features_are_named_and_none_is_none() {
        assert_eq!("none".parse(), Ok(Features { flags: Flags::NONE, packed: false }));
        let some = Features { flags: Flags::COMP.union(Flags::MORE), packed: true };
        assert_eq!("packed,compress,more".parse(), Ok(some));
        for bad in ["", "none,more", "zip"] {
            assert!(bad.parse::<Features>().is_err(), "{bad}");
        }
    }

    #[test]
    fn codecs_have_short_names() {
        assert_eq!(codec("qnt8"), Ok(CodecId::TENSOR_QNT8));
        assert!(codec("JSON5").is_err());
        assert_eq!(codec_names(&[CodecId::JSON, OCTETS]), "JSON, OCTETS");
    }
}
