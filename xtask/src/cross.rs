//! How the command-line tool is built for another target of this machine's kernel, and meets the ordinary build.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::interop;
use crate::packages;
use crate::shell::{self, Failure, ask, cargo, program, target};

/// A target whose programs this kernel runs.
pub(crate) struct Cross {
    /// Its name among Rust's targets.
    pub(crate) target: &'static str,
    /// The folder for what is built, below `target`.
    pub(crate) folder: &'static str,
    /// For rustc.
    pub(crate) flags: &'static [&'static str],
    /// What `file` must say about a program of this target.
    pub(crate) kind: &'static str,
}

impl Cross {
    /// Cargo's `verb` for this target, the standard library built with it.
    ///
    /// # Errors
    /// The compiler's packages cannot be installed.
    pub(crate) fn cargo(&self, verb: &str) -> Result<Command, Failure> {
        let mut cargo = packages::cargo_for_any_target()?;
        let key = self.target.to_uppercase().replace('-', "_");
        cargo.env(format!("CARGO_TARGET_{key}_RUSTFLAGS"), self.flags.join(" "));
        cargo.args([verb, "-Zbuild-std=std,panic_abort", "--target", self.target, "--target-dir"]);
        cargo.arg(target().join(self.folder));
        Ok(cargo)
    }

    /// The path of the command-line tool, which is of the kind it should be.
    ///
    /// # Errors
    /// It does not build, or is of another kind.
    pub(crate) fn strait(&self) -> Result<PathBuf, Failure> {
        packages::ensure(&["file"])?;
        shell::run(self.cargo("build")?.args(["--release", "--package", "strait-cli"]))?;
        let strait = target().join(self.folder).join(self.target).join("release/strait");
        let kind = ask(program("file").args(["--brief", "--dereference"]).arg(&strait)).unwrap_or_default();
        if !kind.contains(self.kind) {
            return Err(Failure::new(format!("{} is not {:?}: {kind}", strait.display(), self.kind)));
        }
        println!("{kind}");
        Ok(strait)
    }
}

/// Runs those scenarios whose names contain one of `words`, with `strait` under test and the ordinary build as the other.
///
/// # Errors
/// One fails, or nothing is there to run it.
pub(crate) fn meet_the_ordinary_build(strait: &Path, words: &[&str]) -> Result<(), Failure> {
    let python = interop::peer()?;
    shell::run(cargo().args(["build", "--release", "--package", "strait-cli"]))?;
    let ordinary = target().join("release/strait");
    shell::run(interop::scenarios(&python, strait).arg("--other").arg(&ordinary).args(words))
}
