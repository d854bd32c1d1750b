//! Schemas of ethers: which there are, what names them on the wire, and whether an ether follows its own.
//!
//! | file | question it answers |
//! |---|---|
//! | `registry` | which schemas are known |
//! | `index` | which schemas a folder has |
//! | `validate` | whether a payload follows its schema (feature `schema-validation`) |

mod error;
mod index;
mod registry;
#[cfg(feature = "schema-validation")]
mod validate;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use strait_core::xcp::numbers::fnv1a;
use strait_core::xcp::{KindId, SchemaKey};

pub use error::SchemaError;
pub use registry::SchemaRegistry;

/// A JSON schema of one version of one kind's payload.
#[derive(Clone, Debug)]
pub struct Schema {
    /// Whose it is; empty is nobody's.
    pub namespace: String,
    /// The kind.
    pub kind: String,
    /// Changes that break readers; an ether's `schema_version`.
    pub major: u16,
    /// Changes that do not.
    pub minor: u16,
    /// [`hash128`] of it.
    pub hash: [u8; 16],
    /// The schema itself.
    pub value: Value,
    #[cfg(feature = "schema-validation")]
    validator: std::sync::Arc<jsonschema::Validator>,
}

impl Schema {
    /// A schema of a payload.
    ///
    /// # Errors
    /// [`SchemaError::Invalid`] if it has numbers that canonical JSON cannot say; with the feature `schema-validation` also
    /// if it is no JSON schema, or refers to others.
    pub fn try_new(
        namespace: &str,
        kind: &str,
        major: u16,
        minor: u16,
        value: Value,
    ) -> Result<Self, SchemaError> {
        let invalid = |why| SchemaError::Invalid { kind: kind.to_owned(), major, why };
        Ok(Self {
            namespace: namespace.to_owned(),
            kind: kind.to_owned(),
            major,
            minor,
            hash: hash128(&value).map_err(invalid)?,
            #[cfg(feature = "schema-validation")]
            validator: validate::compile(&value).map_err(invalid)?,
            value,
        })
    }

    /// What names it on the wire, in full: 48 bytes of a header. Peers that have seen it once need the kind alone:
    /// [`short_key`](Self::short_key).
    pub fn key(&self) -> SchemaKey {
        SchemaKey { minor: self.minor, hash: Some(self.hash), ..self.short_key() }
    }

    /// Namespace, kind and version.
    pub fn short_key(&self) -> SchemaKey {
        SchemaKey {
            ns_hash: ns_hash(&self.namespace),
            kind_id: KindId::of(&self.kind).0,
            major: self.major,
            ..SchemaKey::default()
        }
    }
}

/// What names a namespace on the wire; 0 for none.
pub const fn ns_hash(namespace: &str) -> u32 {
    if namespace.is_empty() { 0 } else { fnv1a(namespace) }
}

/// First 16 bytes of the SHA-256 of a schema as canonical JSON (RFC 8785).
///
/// # Errors
/// It has numbers that canonical JSON cannot say; says which.
pub fn hash128(schema: &Value) -> Result<[u8; 16], String> {
    let canonical = serde_json_canonicalizer::to_vec(schema).map_err(|error| error.to_string())?;
    let digest = Sha256::digest(canonical);
    let mut hash = [0; 16];
    hash.copy_from_slice(&digest[..16]);
    Ok(hash)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::xcp::ether::hex;

    fn canonical(text: &str) -> String {
        let value: Value = serde_json::from_str(text).unwrap();
        serde_json_canonicalizer::to_string(&value).unwrap()
    }

    // RFC 8785, sections 3.2.2 to 3.2.4 and appendix B.
    #[test]
    fn json_is_made_canonical_as_rfc_8785_does_it() {
        let text = r#"{
            "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
            "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
            "literals": [null, true, false]
        }"#;
        let expected = concat!(
            r#"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"#,
            r#""string":"€$\u000f\nA'B\"\\\\\"/"}"#,
        );
        assert_eq!(canonical(text), expected);

        let keys = r#"{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh",
            "1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}"#;
        let sorted: Vec<String> = canonical(keys).split(':').map(str::to_owned).collect();
        let order = ["\\r", "1", "\u{80}", "\u{f6}", "\u{20ac}", "\u{1f600}", "\u{fb33}"];
        let mut at = 0;
        for key in order {
            let found = sorted.iter().skip(at).position(|part| part.ends_with(&format!("\"{key}\"")));
            at += found.unwrap_or_else(|| panic!("{key:?} is out of order in {sorted:?}"));
        }

        for (bits, text) in [
            (0x0000_0000_0000_0000_u64, "0"),
            (0x8000_0000_0000_0000, "0"),
            (0x0000_0000_0000_0001, "5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0x4340_0000_0000_0000, "9007199254740992"),
            (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
            (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
            (0x444b_1ae4_d6e2_ef50, "1e+21"),
            (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5553, "333333333.3333332"),
            (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
        ] {
            assert_eq!(serde_json_canonicalizer::to_string(&json!(f64::from_bits(bits))).unwrap(), text);
        }
    }

    #[test]
    fn a_hash_is_of_the_content_and_not_of_its_writing() {
        assert_eq!(hex(&hash128(&json!({})).unwrap()), "44136fa355b3678a1146ad16f7e8649e");
        let one: Value = serde_json::from_str(r#"{"a": 1.0, "b": [2]}"#).unwrap();
        let two: Value = serde_json::from_str(r#"{"b":[2e0],"a":1}"#).unwrap();
        assert_eq!(hash128(&one), hash128(&two));
        assert_ne!(hash128(&one), hash128(&json!({ "a": 1, "b": [3] })));
    }

    #[test]
    fn a_key_has_the_hashes_of_the_names() {
        let schema = Schema::try_new("maida", "embedding", 1, 2, json!({})).unwrap();
        let short = SchemaKey { ns_hash: 0xC705_8CD5, kind_id: 0xCDE5_B5F2, major: 1, minor: 0, hash: None };
        assert_eq!(schema.short_key(), short);
        assert_eq!(schema.key(), SchemaKey { minor: 2, hash: Some(schema.hash), ..short });
        assert_eq!(ns_hash(""), 0);
    }
}
