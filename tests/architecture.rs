//! Who imports whom, where `unsafe` may stand, and how long a file may be: the tables, and whether the code keeps them.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Our crates, and which of them each may name; `fuzz`, `tests`, `cli` and `xtask` may name any.
const EDGES: [(&str, &[&str]); 5] = [
    ("strait-core", &[]),
    ("strait-platform-linux", &["strait-core"]),
    ("strait-platform-windows", &["strait-core"]),
    ("strait-proto", &[]),
    ("strait", &["strait-core", "strait-platform-linux", "strait-platform-windows", "strait-proto"]),
];

/// Crates that nobody of [`EDGES`] may name, and that may name any.
const LEAVES: [&str; 5] = ["strait-fuzz", "strait-tests", "strait-cli", "strait-proto-gen", "xtask"];

/// Files with `unsafe` in their code.
const UNSAFE: [&str; 13] = [
    "core/src/hqq/lend.rs",
    "core/src/platform.rs",
    "core/src/shm/bytes.rs",
    "core/src/shm/static_segment.rs",
    "core/src/shm/view.rs",
    "core/src/testing.rs",
    "core/src/zerobuffer/lend.rs",
    "core/src/zerobuffer/loom_tests/models.rs",
    "platform-linux/src/generation.rs",
    "platform-linux/src/segment.rs",
    "platform-windows/src/segment.rs",
    "platform-windows/src/sys.rs",
    "tests/harness/forked.rs",
];

/// Most lines of a file, and the files that are longer because they would be worse in two.
const MOST_LINES: usize = 500;
const LONGER: [&str; 0] = [];

fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("the workspace's folder").to_owned()
}

/// Every Rust file of the workspace, relative to its root, with its text; generated ones and the benchmarks' own
/// workspaces left out.
fn sources() -> BTreeMap<String, String> {
    let root = root();
    let mut sources = BTreeMap::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").filter_map(Result::ok) {
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            let other = ["target", "generated"].contains(&&*name)
                || ["xtask/bench", "xtask/bench-peers"].iter().any(|own| path.ends_with(own));
            if path.is_dir() && !name.starts_with('.') && !other {
                folders.push(path);
            } else if name.ends_with(".rs") {
                let text = fs::read_to_string(&path).expect("UTF-8");
                let relative = path.strip_prefix(&root).expect("below it").to_string_lossy().into_owned();
                sources.insert(relative, text);
            }
        }
    }
    assert!(sources.len() > 40, "the workspace was found");
    sources
}

/// The words of a file's code: comments, texts and characters left out.
fn code_words(text: &str) -> BTreeSet<String> {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::new();
    let mut at = 0;
    let skip_text = |mut at: usize, hashes: usize, escapes: bool| {
        while at < chars.len() {
            if escapes && chars[at] == '\\' {
                at += 2;
                continue;
            }
            if chars[at] == '"' && chars[at + 1..].iter().take_while(|c| **c == '#').count() >= hashes {
                return at + 1 + hashes;
            }
            at += 1;
        }
        at
    };
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('/')) => at += chars[at..].iter().take_while(|c| **c != '\n').count(),
            ('/', Some('*')) => {
                let mut depth = 0;
                loop {
                    match (chars.get(at), chars.get(at + 1)) {
                        (Some('/'), Some('*')) => (depth, at) = (depth + 1, at + 2),
                        (Some('*'), Some('/')) => (depth, at) = (depth - 1, at + 2),
                        (None, _) => break,
                        _ => at += 1,
                    }
                    if depth == 0 {
                        break;
                    }
                }
            }
            ('r', Some('"' | '#'))
                if code.chars().last().is_none_or(|c| !c.is_alphanumeric() && c != '_') =>
            {
                let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
                if chars.get(at + 1 + hashes) == Some(&'"') {
                    at = skip_text(at + 2 + hashes, hashes, false);
                } else {
                    at += 1 + hashes;
                }
                code.push(' ');
            }
            ('"', _) => {
                at = skip_text(at + 1, 0, true);
                code.push(' ');
            }
            // A character and not a lifetime.
            ('\'', Some('\\')) => {
                at += 3;
                at += chars[at.min(chars.len())..].iter().take_while(|c| **c != '\'').count() + 1;
            }
            ('\'', Some(_)) if chars.get(at + 2) == Some(&'\'') => at += 3,
            (c, _) => {
                code.push(c);
                at += 1;
            }
        }
    }
    code.split(|c: char| !c.is_alphanumeric() && c != '_').map(str::to_owned).collect()
}

#[test]
fn words_in_comments_and_texts_are_no_code() {
    let text = "a // b\n/* c /* d */ e */ f \"g \\\" h\" r#\"i \" j\"# '\\'' k 'l' &'m n '\"' o b\"p\" r\"q\" br#\"s\"#";
    let words = code_words(text);
    let found: Vec<&str> = words.iter().map(String::as_str).filter(|word| !word.is_empty()).collect();
    assert_eq!(found, ["a", "b", "br", "f", "k", "m", "n", "o"]);
}

#[test]
fn every_crate_names_only_those_it_may() {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]).current_dir(root());
    let output = cargo.output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let names: BTreeSet<&str> =
        packages.iter().map(|package| package["name"].as_str().expect("a name")).collect();
    let known: BTreeSet<&str> = EDGES.iter().map(|(name, _)| *name).chain(LEAVES).collect();
    assert_eq!(names, known, "every crate stands in a table");

    for package in packages {
        let name = package["name"].as_str().expect("a name");
        let dependencies = package["dependencies"].as_array().expect("dependencies");
        let ours = dependencies.iter().map(|dependency| dependency["name"].as_str().expect("a name"));
        let ours: BTreeSet<&str> = ours.filter(|dependency| names.contains(dependency)).collect();
        if let Some((_, allowed)) = EDGES.iter().find(|(edge, _)| *edge == name) {
            for dependency in ours {
                assert!(allowed.contains(&dependency), "{name} must not name {dependency}");
            }
        }
    }
}

#[test]
fn core_names_no_std_outside_its_tests() {
    for (file, text) in sources() {
        let tests = ["tests.rs", "testing.rs"].iter().any(|name| file.ends_with(name))
            || ["/loom_tests", "/testing/", "/tests/"].iter().any(|folder| file.contains(folder));
        if !file.starts_with("core/src/") || tests {
            continue;
        }
        // What stands behind `mod tests` at the bottom is a test as well.
        let (code, _) = text.split_once("\nmod tests {").unwrap_or((&text, ""));
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in lines {
            let names = line.match_indices("std::").any(|(at, _)| !line[..at].ends_with("no_"));
            assert!(!names, "{file}: {line}");
        }
    }
}

/// What zerocopy derives for structs that are bytes.
const BYTES: [&str; 5] = ["FromBytes", "TryFromBytes", "IntoBytes", "KnownLayout", "Unaligned"];

/// Structs that are seen in shared memory, and those that are bytes on the wire.
fn laid_out(code: &str) -> BTreeSet<String> {
    let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let shared = code.split("SharedLayout for ").skip(1).map(|text| {
        let path: String = text.chars().take_while(|c| !"<{ \n".contains(*c)).collect();
        path.rsplit("::").next().expect("a path has a last part").to_owned()
    });
    let wire = code.split("derive(").skip(1).filter_map(|text| {
        let (derived, rest) = text.split_once(')')?;
        let mut derived = derived.split(',').filter_map(|path| path.rsplit("::").next());
        derived.any(|last| BYTES.contains(&last.trim())).then_some(())?;
        ["struct ", "enum ", "union "]
            .iter()
            .filter_map(|kind| rest.split_once(kind))
            .map(|(before, after)| (before.len(), name(after)))
            .min()
            .map(|(_, name)| name)
    });
    shared.chain(wire).collect()
}

/// Whether a line begins the definition of the type `name`.
fn defines(line: &str, name: &str) -> bool {
    let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
    let kind = |word| ["struct", "enum", "union"].contains(&word);
    !line.trim_start().starts_with("//") && words.any(kind) && words.next() == Some(name)
}

/// The folder of a file's protocol: three parts of its path.
fn protocol(file: &str) -> String {
    file.split('/').take(3).collect::<Vec<_>>().join("/")
}

#[test]
fn structs_in_shared_memory_and_on_the_wire_are_found() {
    let code = "unsafe impl SharedLayout for crate::a::A {}\n#[derive(Debug, zerocopy::FromBytes)]\n#[repr(C)]\n\
        pub(crate) struct B<T>(T);\n#[derive(Debug)]\nstruct C;\n#[derive(\n    Unaligned,\n)]\nenum D {}\nstruct E;";
    assert_eq!(laid_out(code).into_iter().collect::<Vec<_>>(), ["A", "B", "D"]);
    assert!(code.lines().any(|line| defines(line, "B")) && !code.lines().any(|line| defines(line, "A")));
}

#[test]
fn every_struct_in_shared_memory_or_on_the_wire_states_its_layout() {
    let sources = sources();
    // What stands behind `mod tests` at the bottom is a test.
    let code = |text: &str| text.split_once("\nmod tests {").unwrap_or((text, "")).0.to_owned();
    let code: BTreeMap<&String, String> = sources.iter().map(|(file, text)| (file, code(text))).collect();
    let ours = code.iter().filter(|(file, _)| file.as_str() != "tests/architecture.rs");
    let found: BTreeSet<(String, String)> =
        ours.flat_map(|(file, text)| laid_out(text).into_iter().map(|name| (name, protocol(file)))).collect();
    let known = |name: &str| found.iter().any(|(found, _)| found == name);
    assert!(["Oieb", "Semaphore", "FrameHeader"].into_iter().all(known), "{found:?}");
    for (name, protocol_of) in found {
        let mut homes: Vec<_> =
            code.iter().filter(|(_, text)| text.lines().any(|line| defines(line, &name))).collect();
        assert!(!homes.is_empty(), "{name} is defined nowhere");
        // Another protocol may have a type of the same name, which is no bytes.
        if homes.iter().any(|(file, _)| protocol(file) == protocol_of) {
            homes.retain(|(file, _)| protocol(file) == protocol_of);
        }
        for (file, text) in homes {
            // The macro itself refuses a table without every field.
            let table = format!("assert_layout!({name}: ");
            assert!(
                text.lines().any(|line| line.starts_with(&table)),
                "{file}: no table `{table}…` beside {name}"
            );
        }
    }
}

#[test]
fn unsafe_stands_only_where_the_table_says() {
    let files = sources().into_iter().filter(|(_, text)| code_words(text).contains("unsafe"));
    let files: BTreeSet<String> = files.map(|(file, _)| file).collect();
    let table: BTreeSet<String> = UNSAFE.iter().map(|file| (*file).to_owned()).collect();
    assert_eq!(files, table);
}

#[test]
fn no_file_is_too_long_to_read() {
    for (file, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= MOST_LINES || LONGER.contains(&file.as_str()), "{file} has {lines} lines");
    }
}

#[test]
fn every_file_says_first_what_it_answers() {
    for (file, text) in sources() {
        let first = text.lines().next().unwrap_or_default();
        assert!(first.starts_with("//! ") && first.len() > 10, "{file} begins with {first:?}");
    }
}
