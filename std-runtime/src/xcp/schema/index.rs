//! Which schemas a folder has: `index.json` lists them.
//!
//! ```json
//! [{ "namespace": "", "kind": "text", "major": 1, "minor": 0, "path": "text.v1.json", "hash128": "7b6f…" }]
//! ```
//!
//! The path is relative to the index and stays below it. The hash is that of [`hash128`](super::hash128): a schema that was
//! changed, and whose line was not, is refused.

use std::path::{Component, Path};

use serde::Deserialize;
use serde_json::Value;

use super::{Schema, SchemaError, SchemaRegistry};

/// The name of the list.
const INDEX: &str = "index.json";

/// The schemas of this crate: text, tokens, embedding and image, version 1.
const BUILT_IN: [(&str, &str); 4] = [
    ("text.v1.json", include_str!("../../../../schemas/text.v1.json")),
    ("tokens.v1.json", include_str!("../../../../schemas/tokens.v1.json")),
    ("embedding.v1.json", include_str!("../../../../schemas/embedding.v1.json")),
    ("image.v1.json", include_str!("../../../../schemas/image.v1.json")),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(default)]
    namespace: String,
    kind: String,
    major: u16,
    #[serde(default)]
    minor: u16,
    path: String,
    hash128: String,
}

impl SchemaRegistry {
    /// The schemas of this crate: text, tokens, embedding and image, version 1. They say what MaiEther's say in words of
    /// their own, so their hashes are others.
    #[must_use]
    pub fn built_in() -> Self {
        let index = include_str!("../../../../schemas/index.json");
        let read = |path: &str| {
            let found = BUILT_IN.iter().find(|(name, _)| *name == path);
            found.map(|(_, text)| (*text).to_owned()).ok_or_else(|| "not built in".to_owned())
        };
        load(Path::new("schemas"), index, read).expect("the built-in schemas are right: tested")
    }

    /// The schemas that `folder/index.json` lists.
    ///
    /// # Errors
    /// [`SchemaError::File`], [`SchemaError::HashMismatch`], [`SchemaError::Invalid`].
    pub fn load(folder: impl AsRef<Path>) -> Result<Self, SchemaError> {
        let folder = folder.as_ref();
        let read = |path: &str| {
            let below = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
            if !below {
                return Err("the path leaves the folder".to_owned());
            }
            std::fs::read_to_string(folder.join(path)).map_err(|error| error.to_string())
        };
        let index = read(INDEX).map_err(|why| SchemaError::File { path: folder.join(INDEX), why })?;
        load(folder, &index, read)
    }
}

fn load(
    folder: &Path,
    index: &str,
    read: impl Fn(&str) -> Result<String, String>,
) -> Result<SchemaRegistry, SchemaError> {
    let file = |path: &str, why: String| SchemaError::File { path: folder.join(path), why };
    let lines: Vec<Line> = serde_json::from_str(index).map_err(|error| file(INDEX, error.to_string()))?;
    let mut registry = SchemaRegistry::empty();
    for line in lines {
        let text = read(&line.path).map_err(|why| file(&line.path, why))?;
        let value: Value =
            serde_json::from_str(&text).map_err(|error| file(&line.path, error.to_string()))?;
        let said = hash_of(&line.hash128)
            .ok_or_else(|| file(INDEX, format!("{:?} is no hash of 32 hexadecimal digits", line.hash128)))?;
        let schema = Schema::try_new(&line.namespace, &line.kind, line.major, line.minor, value)?;
        if schema.hash != said {
            let Line { kind, major, minor, .. } = line;
            return Err(SchemaError::HashMismatch { kind, major, minor, said, found: schema.hash });
        }
        registry.insert(schema)?;
    }
    Ok(registry)
}

fn hash_of(digits: &str) -> Option<[u8; 16]> {
    let plain = digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    plain.then(|| u128::from_str_radix(digits, 16).ok()).flatten().map(u128::to_be_bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use strait_core::xcp::KindId;

    use super::*;

    #[test]
    fn the_built_in_schemas_are_those_of_the_index() {
        let built_in = SchemaRegistry::built_in();
        let kinds: Vec<&str> = built_in.iter().map(|schema| schema.kind.as_str()).collect();
        assert_eq!(kinds.len(), BUILT_IN.len());
        for kind in ["text", "tokens", "embedding", "image"] {
            assert_eq!(
                built_in.latest(kind, 1).map(|schema| schema.short_key().kind()),
                Some(KindId::of(kind))
            );
        }
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas");
        let loaded = SchemaRegistry::load(folder).unwrap();
        let keys = |registry: &SchemaRegistry| registry.iter().map(Schema::key).collect::<Vec<_>>();
        assert_eq!(keys(&loaded), keys(&built_in));
    }

    #[test]
    fn a_folder_that_is_not_what_its_index_says_is_refused() {
        let folder = std::env::temp_dir().join(format!("strait-schemas-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("a.json"), "{}").unwrap();
        let with = |index: &str| {
            fs::write(folder.join(INDEX), index).unwrap();
            SchemaRegistry::load(&folder)
                .map(|registry| registry.iter().count())
                .map_err(|error| error.to_string())
        };
        let line = |path: &str, hash: &str| {
            format!(r#"[{{"kind":"a","major":1,"path":"{path}","hash128":"{hash}"}}]"#)
        };
        let right = "44136fa355b3678a1146ad16f7e8649e";
        assert_eq!(with(&line("a.json", right)), Ok(1));
        let wrong = with(&line("a.json", &right.replace('4', "5"))).unwrap_err();
        assert!(wrong.contains(right) && wrong.contains("55136fa355b3678a1156ad16f7e8659e"), "{wrong}");
        for (index, part) in [
            (line("../a.json", right), "leaves the folder"),
            (line("/etc/passwd", right), "leaves the folder"),
            (line("b.json", right), "b.json"),
            (line("a.json", "+4136fa355b3678a1146ad16f7e8649e"), "no hash"),
            ("{}".to_owned(), "index.json"),
        ] {
            let error = with(&index).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
        fs::remove_dir_all(&folder).unwrap();
        assert!(SchemaRegistry::load(&folder).is_err());
    }
}
