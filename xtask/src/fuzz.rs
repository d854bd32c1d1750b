//! Does any input that the fuzzer finds break a promise?

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::packages;
use crate::shell::{self, Failure, ask, cargo, program, root, target};

/// Per target, unless `--seconds` says otherwise.
const SECONDS: u32 = 30;

pub(crate) fn run(args: &[String]) -> Result<(), Failure> {
    let (seconds, chosen) = parse(args)?;
    let all = targets(&root().join("fuzz/fuzz_targets"))?;
    if let Some(unknown) = chosen.iter().find(|name| !all.contains(*name)) {
        return Err(Failure::new(format!("no fuzz target {unknown:?}; there are {all:?}")));
    }
    // libFuzzer's runtime is C++.
    packages::ensure(&["build-essential"])?;
    if ask(nightly().arg("--version")).is_none() {
        shell::run(program("rustup").args(["toolchain", "install", "nightly", "--profile", "minimal"]))?;
    }
    if ask(cargo().args(["fuzz", "--version"])).is_none() {
        shell::run(cargo().args(["install", "--locked", "cargo-fuzz"]))?;
    }
    let chosen = if chosen.is_empty() { all } else { chosen };
    for name in &chosen {
        // What is found goes to the first folder; the checked-in corpus is only read.
        let found = target().join("fuzz-corpus").join(name);
        fs::create_dir_all(&found).map_err(|error| Failure::new(format!("{}: {error}", found.display())))?;
        let mut fuzz = nightly();
        fuzz.args(["fuzz", "run", "--fuzz-dir", "fuzz", "--features", "libfuzzer", "--target-dir"]);
        fuzz.arg(target().join("fuzz")).arg(name).arg(&found);
        let known = root().join("fuzz/corpus").join(name);
        if known.is_dir() {
            fuzz.arg(&known);
        }
        fuzz.args(["--", "-print_final_stats=1"]).arg(format!("-max_total_time={seconds}"));
        shell::run(&mut fuzz)?;
    }
    println!("{} fuzz targets ran {seconds} s each", chosen.len());
    Ok(())
}

/// Cargo of the nightly tool chain: only there are the sanitizers.
fn nightly() -> Command {
    let mut cargo = program("cargo");
    // Left by the cargo that runs xtask; they lead to its own tool chain.
    cargo.env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO").arg("+nightly");
    cargo
}

fn parse(args: &[String]) -> Result<(u32, BTreeSet<String>), Failure> {
    let mut seconds = SECONDS;
    let mut chosen = BTreeSet::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if arg == "--seconds" {
            let value = args.next().and_then(|value| value.parse().ok()).filter(|value| *value > 0);
            seconds = value.ok_or_else(|| Failure::new("--seconds needs a number from 1"))?;
        } else if arg.starts_with('-') {
            return Err(Failure::new(format!("fuzz has no option {arg:?}")));
        } else {
            chosen.insert(arg.clone());
        }
    }
    Ok((seconds, chosen))
}

/// The names of the fuzz targets: one file each.
fn targets(folder: &Path) -> Result<BTreeSet<String>, Failure> {
    let here = |error| Failure::new(format!("{}: {error}", folder.display()));
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder).map_err(here)? {
        let path = entry.map_err(here)?.path();
        if let (Some("rs"), Some(stem)) =
            (path.extension().and_then(|text| text.to_str()), path.file_stem().and_then(|text| text.to_str()))
        {
            names.insert(stem.to_owned());
        }
    }
    if names.is_empty() { Err(Failure::new("there is no fuzz target")) } else { Ok(names) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn seconds_and_targets_are_told_apart() {
        let (seconds, chosen) = parse(&words("ring --seconds 7 oieb")).expect("valid");
        assert_eq!((seconds, chosen.len()), (7, 2));
        assert_eq!(parse(&[]).expect("valid").0, SECONDS);
        for wrong in ["--seconds", "--seconds 0", "--seconds x", "--minutes 1"] {
            assert!(parse(&words(wrong)).is_err(), "{wrong}");
        }
    }
}
