//! Whether a payload follows its JSON schema.

use std::sync::Arc;

use jsonschema::Validator;
use serde_json::Value;

use super::registry::unknown_key;
use super::{Schema, SchemaError, SchemaRegistry};
use crate::xcp::Ether;

/// The schema made ready. One that refers to others elsewhere is refused: nothing is loaded.
pub(super) fn compile(schema: &Value) -> Result<Arc<Validator>, String> {
    jsonschema::validator_for(schema).map(Arc::new).map_err(|error| error.to_string())
}

impl Schema {
    /// Whether `payload`, an object, follows it.
    ///
    /// # Errors
    /// [`SchemaError::Violated`], for the first violation.
    pub fn validate(&self, payload: &Value) -> Result<(), SchemaError> {
        self.validator.validate(payload).map_err(|error| SchemaError::Violated {
            kind: self.kind.clone(),
            version: self.major.into(),
            at: error.instance_path().to_string(),
            why: error.to_string(),
        })
    }
}

impl SchemaRegistry {
    /// Whether an ether's payload follows the schema of its kind and version. Copies the payload.
    ///
    /// # Errors
    /// [`SchemaError::Unknown`] if there is none; [`SchemaError::Violated`].
    pub fn validate(&self, ether: &Ether) -> Result<(), SchemaError> {
        let schema = self.of(ether).ok_or_else(|| SchemaError::Unknown { key: unknown_key(ether) })?;
        schema.validate(&Value::Object(ether.payload.clone()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use strait_core::xcp::ErrorCode;

    use super::*;

    #[test]
    fn what_this_crate_makes_follows_its_schemas() {
        let schemas = SchemaRegistry::built_in();
        for ether in [
            Ether::text("a"),
            Ether::text("a").payload("lang", "de").payload("detected_lang_conf", 0.5),
            Ether::tokens(&[1, 2], Some(&[true, false]), "v").unwrap(),
            Ether::embedding(&[0.5]).unwrap(),
            crate::codec::SizePolicy { attach_above: 0, ..Default::default() }.embedding(&[0.5]).unwrap(),
            Ether::image(1, 2, 3, "image/png", ""),
        ] {
            assert_eq!(schemas.validate(&ether), Ok(()), "{ether:?}");
        }
    }

    #[test]
    fn what_does_not_follow_is_refused_with_its_place() {
        let schemas = SchemaRegistry::built_in();
        let at = |ether: &Ether| match schemas.validate(ether) {
            Err(SchemaError::Violated { at, .. }) => at,
            other => panic!("{other:?}"),
        };
        assert_eq!(at(&Ether::new("text", 1)), "");
        assert_eq!(at(&Ether::new("text", 1).payload("text", 1)), "/text");
        assert_eq!(at(&Ether::text("a").payload("else", 1)), "");
        assert_eq!(at(&Ether::text("a").payload("detected_lang_conf", 1.5)), "/detected_lang_conf");
        let unknown = schemas.validate(&Ether::new("text", 2)).unwrap_err();
        assert_eq!(unknown.code(), ErrorCode::ERR_SCHEMA_UNKNOWN);
        for wrong in [json!({ "type": 7 }), json!({ "$ref": "http://example.com/a.json" })] {
            assert!(Schema::try_new("", "a", 1, 0, wrong).is_err());
        }
    }
}
