//! Which schemas are known, and which of them a key or an ether means.

use std::collections::BTreeMap;

use strait_core::xcp::{KindId, SchemaKey};

use super::{Schema, SchemaError, ns_hash};
use crate::xcp::Ether;

/// Schemas by kind and version.
#[derive(Clone, Debug, Default)]
pub struct SchemaRegistry {
    /// By kind, major, minor and namespace: the last of a kind and a major is the latest.
    schemas: BTreeMap<(String, u16, u16, String), Schema>,
}

impl SchemaRegistry {
    /// No schemas. [`built_in`](Self::built_in) has those of this crate.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// Adds a schema; one that is there already may be added again.
    ///
    /// # Errors
    /// [`SchemaError::HashMismatch`] if it is there with other content.
    pub fn insert(&mut self, schema: Schema) -> Result<(), SchemaError> {
        let name = (schema.kind.clone(), schema.major, schema.minor, schema.namespace.clone());
        if let Some(known) = self.schemas.get(&name).filter(|known| known.hash != schema.hash) {
            return Err(known.mismatch(schema.hash));
        }
        self.schemas.insert(name, schema);
        Ok(())
    }

    /// Every schema, by kind and version.
    pub fn iter(&self) -> impl Iterator<Item = &Schema> {
        self.schemas.values()
    }

    /// The schema of a kind and a major version with the highest minor one.
    pub fn latest(&self, kind: &str, major: u16) -> Option<&Schema> {
        self.iter().filter(|schema| schema.kind == kind && schema.major == major).last()
    }

    /// The schema of an ether's kind and version.
    pub fn of(&self, ether: &Ether) -> Option<&Schema> {
        self.latest(&ether.kind, u16::try_from(ether.schema_version).ok()?)
    }

    /// Whether an ether may be taken: there is a schema of its kind and version and, with the feature
    /// `schema-validation`, its payload follows it.
    ///
    /// # Errors
    /// [`SchemaError::Unknown`], and [`SchemaError::Violated`] with the feature.
    pub fn admit(&self, ether: &Ether) -> Result<(), SchemaError> {
        self.of(ether).ok_or_else(|| SchemaError::Unknown { key: unknown_key(ether) })?;
        #[cfg(feature = "schema-validation")]
        self.validate(ether)?;
        Ok(())
    }

    /// The schema that a key means. A key with a hash means that one schema; a key without means the latest of its kind
    /// and major version. Fields that are 0 mean any.
    ///
    /// # Errors
    /// [`SchemaError::Unknown`], [`SchemaError::HashMismatch`].
    pub fn find(&self, key: &SchemaKey) -> Result<&Schema, SchemaError> {
        let named = |schema: &&Schema| {
            let kind = key.kind_id == 0 || KindId::of(&schema.kind) == key.kind();
            let namespace = key.ns_hash == 0 || ns_hash(&schema.namespace) == key.ns_hash;
            kind && namespace && (key.major == 0 || schema.major == key.major)
        };
        let unknown = SchemaError::Unknown { key: *key };
        let Some(hash) = key.hash else {
            if key.kind_id == 0 {
                return Err(unknown);
            }
            return self.iter().filter(named).last().ok_or(unknown);
        };
        if let Some(schema) = self.iter().filter(named).find(|schema| schema.hash == hash) {
            return Ok(schema);
        }
        let same_version = |schema: &&Schema| named(schema) && schema.minor == key.minor;
        match self.iter().find(same_version) {
            Some(known) if key.kind_id != 0 => Err(known.mismatch(hash)),
            _ => Err(unknown),
        }
    }

    /// The schema that a key means, which `ether` says that it follows.
    ///
    /// # Errors
    /// As [`find`](Self::find), and [`SchemaError::KindMismatch`].
    pub fn require(&self, key: &SchemaKey, ether: &Ether) -> Result<&Schema, SchemaError> {
        let schema = self.find(key)?;
        if schema.kind == ether.kind && u32::from(schema.major) == ether.schema_version {
            return Ok(schema);
        }
        Err(SchemaError::KindMismatch {
            kind_id: key.kind_id,
            major: key.major,
            kind: ether.kind.clone(),
            version: ether.schema_version,
        })
    }
}

/// The key of an ether without a schema.
pub(super) fn unknown_key(ether: &Ether) -> SchemaKey {
    let major = u16::try_from(ether.schema_version).unwrap_or(u16::MAX);
    SchemaKey { kind_id: KindId::of(&ether.kind).0, major, ..SchemaKey::default() }
}

impl Schema {
    fn mismatch(&self, said: [u8; 16]) -> SchemaError {
        let (kind, found) = (self.kind.clone(), self.hash);
        SchemaError::HashMismatch { kind, major: self.major, minor: self.minor, said, found }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use strait_core::xcp::ErrorCode;

    use super::*;

    fn registry() -> SchemaRegistry {
        let mut registry = SchemaRegistry::built_in();
        for (namespace, minor) in [("maida", 1), ("maida", 12)] {
            let schema =
                Schema::try_new(namespace, "text", 1, minor, json!({ "title": minor.to_string() })).unwrap();
            registry.insert(schema).unwrap();
        }
        registry
    }

    #[test]
    fn a_key_means_one_schema_by_hash_and_the_latest_without() {
        let registry = registry();
        let first = registry.iter().find(|schema| schema.kind == "text" && schema.minor == 0).unwrap();
        assert_eq!(registry.find(&first.key()).map(|found| found.minor), Ok(0));
        assert_eq!(registry.find(&first.short_key()).map(|found| found.minor), Ok(12));
        assert_eq!(registry.of(&Ether::text("a")).map(|found| found.minor), Some(12));
        let only_hash = SchemaKey { hash: Some(first.hash), ..SchemaKey::default() };
        assert_eq!(registry.find(&only_hash).map(|found| found.minor), Ok(0));
        // The number that the implementation guide has for text.
        let guide = SchemaKey { kind_id: 0x6EA7_E21B, ..first.short_key() };
        assert_eq!(registry.find(&guide).map(|found| found.kind.as_str()), Ok("text"));
    }

    #[test]
    fn what_is_not_known_has_its_code_and_both_hashes() {
        let registry = registry();
        let key = registry.latest("image", 1).unwrap().key();
        let code =
            |key: SchemaKey| registry.find(&key).map(|schema| schema.minor).map_err(|error| error.code());
        for unknown in [
            SchemaKey { kind_id: 7, ..key },
            SchemaKey { kind_id: 7, hash: None, ..key },
            SchemaKey { major: 2, hash: None, ..key },
            SchemaKey { ns_hash: 7, ..key },
            SchemaKey { hash: Some([0; 16]), ..SchemaKey::default() },
            SchemaKey::default(),
        ] {
            assert_eq!(registry.find(&unknown).map(|_| ()), Err(SchemaError::Unknown { key: unknown }));
            assert_eq!(code(unknown), Err(ErrorCode::ERR_SCHEMA_UNKNOWN));
        }
        let other = SchemaKey { hash: Some([1; 16]), ..key };
        let error = registry.find(&other).map(|_| ()).unwrap_err();
        let (said, found) = ([1; 16], key.hash.unwrap());
        let mismatch =
            SchemaError::HashMismatch { kind: "image".to_owned(), major: 1, minor: 0, said, found };
        assert_eq!(error, mismatch);
        assert!(error.to_string().contains("01010101010101010101010101010101"));
        let error = registry.require(&key, &Ether::text("a")).map(|_| ()).unwrap_err();
        assert_eq!(error.code(), ErrorCode::ERR_KIND_MISMATCH);
        assert!(registry.require(&key, &Ether::image(1, 1, 1, "image/png", "")).is_ok());
    }

    #[test]
    fn a_schema_is_not_replaced_by_another_of_its_name() {
        let mut registry = registry();
        let same = registry.latest("text", 1).unwrap().clone();
        assert_eq!(registry.insert(same), Ok(()));
        let other = Schema::try_new("maida", "text", 1, 12, json!({ "title": "13" })).unwrap();
        assert!(matches!(registry.insert(other), Err(SchemaError::HashMismatch { .. })));
    }
}
