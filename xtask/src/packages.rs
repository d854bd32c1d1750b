//! How a check gets the system packages that it needs.

use crate::shell::{self, Failure, ask, program};

/// Debian's compiler with the library's source: builds for targets that rustup's has no library for.
pub(crate) const RUST_FOR_ANY_TARGET: &[&str] = &["rustc-web", "cargo-web", "rust-web-src"];

/// Installs those of `packages` that are missing.
///
/// # Errors
/// One cannot be installed.
pub(crate) fn ensure(packages: &[&str]) -> Result<(), Failure> {
    let missing: Vec<&str> = packages.iter().copied().filter(|package| !is_installed(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    println!("missing packages: {}", missing.join(" "));
    shell::run(program("apt-get").arg("update"))?;
    let mut install = program("apt-get");
    install.env("DEBIAN_FRONTEND", "noninteractive");
    shell::run(install.args(["install", "--yes", "--no-install-recommends"]).args(&missing))
}

/// Debian's cargo as it builds the library too; arguments and target folder are the caller's.
///
/// # Errors
/// The packages cannot be installed.
pub(crate) fn cargo_for_any_target() -> Result<std::process::Command, Failure> {
    ensure(RUST_FOR_ANY_TARGET)?;
    let mut cargo = program("/usr/bin/cargo");
    // rustup's shims and its libraries must not be picked by Debian's.
    for variable in ["RUSTUP_TOOLCHAIN", "LD_LIBRARY_PATH", "CARGO", "RUSTC_WRAPPER", "RUSTDOC"] {
        cargo.env_remove(variable);
    }
    cargo.env("PATH", shell::path_with("/usr/bin")?);
    cargo.env("RUSTC", "/usr/bin/rustc").env("RUSTC_BOOTSTRAP", "1");
    Ok(cargo)
}

fn is_installed(package: &str) -> bool {
    let status = ask(program("dpkg-query").args(["--show", "--showformat=${Status}", package]));
    status.is_some_and(|status| status == "install ok installed")
}
