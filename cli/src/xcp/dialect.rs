//! What does `--dialect` mean?

use core::str::FromStr;

use strait::xcp::{CrcOrder, Dialect, HeaderFormat, Knobs, Numbering};

/// `auto`, a preset, or some knobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct DialectArg(
    /// What was said; `None` is to find out.
    pub(super) Option<Knobs>,
);

/// What `--help` says of the option.
pub(super) const HELP: &str = "What to speak: auto, spec, python, or some of header=capnp|json, crc=le|be and \
                               numbering=spec|python with commas between; what is left out is the peer's. With auto a \
                               server does as its client does, and a client tries spec and then python";

impl FromStr for DialectArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => return Ok(Self(None)),
            "spec" => return Ok(Self(Some(Dialect::SPEC.into()))),
            "python" => return Ok(Self(Some(Dialect::PYTHON.into()))),
            _ => {}
        }
        let mut knobs = Knobs::AUTO;
        for knob in text.split(',') {
            match knob {
                "header=capnp" => knobs.header = Some(HeaderFormat::CapnProto),
                "header=json" => knobs.header = Some(HeaderFormat::Json),
                "crc=le" => knobs.crc = Some(CrcOrder::Little),
                "crc=be" => knobs.crc = Some(CrcOrder::Big),
                "numbering=spec" => knobs.numbering = Some(Numbering::Spec),
                "numbering=python" => knobs.numbering = Some(Numbering::Python),
                _ => {
                    return Err(format!(
                        "{knob:?} is none of auto, spec, python, header=capnp|json, crc=le|be and numbering=spec|python"
                    ));
                }
            }
        }
        Ok(Self(Some(knobs)))
    }
}

/// A header's encoding, as reports name it.
pub(super) fn header_name(format: HeaderFormat) -> &'static str {
    match format {
        HeaderFormat::CapnProto => "capnp",
        HeaderFormat::CapnProtoPacked => "capnp-packed",
        HeaderFormat::Json => "json",
    }
}

/// A dialect, as reports name it: its name, or its knobs.
pub(super) fn name(dialect: Dialect) -> String {
    let unpacked = match dialect.header {
        HeaderFormat::CapnProtoPacked => HeaderFormat::CapnProto,
        other => other,
    };
    match (Dialect { header: unpacked, ..dialect }, unpacked == dialect.header) {
        (Dialect::SPEC, true) => "spec".to_owned(),
        (Dialect::SPEC, false) => "spec, packed headers".to_owned(),
        (Dialect::PYTHON, _) => "python".to_owned(),
        (other, _) => {
            let crc = if other.crc == CrcOrder::Little { "le" } else { "be" };
            let numbering = if other.numbering == Numbering::Spec { "spec" } else { "python" };
            format!("header={},crc={crc},numbering={numbering}", header_name(dialect.header))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dialect_is_a_name_or_knobs() {
        let parse = |text: &str| text.parse::<DialectArg>().map(|dialect| dialect.0);
        assert_eq!(parse("auto"), Ok(None));
        assert_eq!(parse("spec"), Ok(Some(Dialect::SPEC.into())));
        assert_eq!(parse("header=json,crc=be,numbering=python"), parse("python"));
        let one = Knobs { crc: Some(CrcOrder::Big), ..Knobs::AUTO };
        assert_eq!(parse("crc=be"), Ok(Some(one)));
        for bad in ["", "Spec", "header=xml", "crc=le,", "crc", "spec,crc=be"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_dialect_is_named_as_it_is_asked_for() {
        assert_eq!(name(Dialect::SPEC), "spec");
        assert_eq!(name(Dialect::PYTHON), "python");
        assert_eq!(
            name(Dialect { header: HeaderFormat::CapnProtoPacked, ..Dialect::SPEC }),
            "spec, packed headers"
        );
        let mixed = Dialect { header: HeaderFormat::Json, ..Dialect::SPEC };
        assert_eq!(name(mixed), "header=json,crc=le,numbering=spec");
        assert_eq!(name(mixed).parse::<DialectArg>().map(|dialect| dialect.0), Ok(Some(mixed.into())));
    }
}
