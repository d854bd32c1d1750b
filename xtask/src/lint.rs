//! Is the source formatted, free of warnings, and documented without a broken link?

use std::process::Command;

use crate::packages;
use crate::shell::{self, Failure, cargo, root};

/// The manifests of the benchmarks, workspaces of their own.
pub(crate) const BENCH: &str = "xtask/bench/Cargo.toml";
pub(crate) const BENCH_PEERS: &str = "xtask/bench-peers/Cargo.toml";

pub(crate) fn run(args: &[String]) -> Result<(), Failure> {
    if let Some(unknown) = args.first() {
        return Err(Failure::new(format!("lint takes no argument, got {unknown:?}")));
    }
    // The fuzz targets are checked too, and their runtime is C++.
    packages::ensure(&["build-essential"])?;
    workspace(None)?;
    for manifest in [BENCH, BENCH_PEERS] {
        if root().join(manifest).exists() {
            workspace(Some(manifest))?;
        }
    }
    Ok(())
}

fn workspace(manifest: Option<&str>) -> Result<(), Failure> {
    let of_this = |verb: &str| {
        let mut command = cargo();
        command.arg(verb);
        if let Some(manifest) = manifest {
            command.args(["--manifest-path", manifest]);
        }
        command
    };
    shell::run(of_this("fmt").args(["--all", "--check"]))?;
    let mut clippy: Command = of_this("clippy");
    clippy.args(["--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"]);
    shell::run(&mut clippy)?;
    let mut doc = of_this("doc");
    doc.env("RUSTDOCFLAGS", "-Dwarnings").args(["--workspace", "--no-deps", "--all-features"]);
    shell::run(&mut doc)
}
