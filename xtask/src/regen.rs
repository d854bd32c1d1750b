//! Is the generated code what the `.proto` files mean? Without `--check`: make it so.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::shell::{Failure, cargo, root, run as run_it, target};

/// Where the code is checked in.
const GENERATED: &str = "proto/src/generated";

pub(crate) fn run(args: &[String]) -> Result<(), Failure> {
    let check = match args {
        [] => false,
        [only] if only == "--check" => true,
        _ => return Err(Failure::new(format!("regen takes only --check, got {args:?}"))),
    };
    let made = target().join("regen");
    let told = |error: std::io::Error| Failure::new(format!("{}: {error}", made.display()));
    // What an earlier run has left there would be taken for made.
    if made.exists() {
        fs::remove_dir_all(&made).map_err(told)?;
    }
    fs::create_dir_all(&made).map_err(told)?;
    run_it(cargo().args(["run", "--quiet", "--package", "strait-proto-gen", "--"]).arg(&made))?;

    let (new, old) = (files(&made)?, files(&root().join(GENERATED))?);
    if new.is_empty() {
        return Err(Failure::new("nothing was generated"));
    }
    if check {
        return compare(&new, &old);
    }
    for (name, text) in &new {
        let path = root().join(GENERATED).join(name);
        fs::write(&path, text).map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
        println!("{GENERATED}/{name}: {}", if old.get(name) == Some(text) { "as it was" } else { "written" });
    }
    for name in old.keys().filter(|name| !new.contains_key(*name)) {
        let path = root().join(GENERATED).join(name);
        fs::remove_file(&path).map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
        println!("{GENERATED}/{name}: removed");
    }
    Ok(())
}

/// The files of a folder with their texts; none if there is no folder.
fn files(folder: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let told = |error: std::io::Error| Failure::new(format!("{}: {error}", folder.display()));
    fs::create_dir_all(folder).map_err(told)?;
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(told)? {
        let entry = entry.map_err(told)?;
        // A checkout on Windows may have other line ends.
        let text = fs::read_to_string(entry.path()).map_err(told)?.replace("\r\n", "\n");
        files.insert(entry.file_name().to_string_lossy().into_owned(), text);
    }
    Ok(files)
}

fn compare(new: &BTreeMap<String, String>, old: &BTreeMap<String, String>) -> Result<(), Failure> {
    let names = new.keys().chain(old.keys().filter(|name| !new.contains_key(*name)));
    for name in names {
        if new.get(name) != old.get(name) {
            return Err(Failure::new(format!(
                "{GENERATED}/{name} is not what the .proto files mean: `cargo xtask regen`"
            )));
        }
        println!("{GENERATED}/{name}: {} lines, as generated", new[name].lines().count());
    }
    Ok(())
}
