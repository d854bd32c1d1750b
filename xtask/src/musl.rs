//! Does a static musl build share buffers with a glibc build, whose semaphores have a layout of their own?

use std::path::PathBuf;

use crate::interop;
use crate::packages;
use crate::shell::{self, Failure, ask, cargo, program, target};

const TARGET: &str = "x86_64-unknown-linux-musl";

/// Runs the scenarios between the two builds, then the stream scenarios of the musl build with the real package.
pub(crate) fn run(args: &[String]) -> Result<(), Failure> {
    if let Some(unknown) = args.first() {
        return Err(Failure::new(format!("musl takes no argument, got {unknown:?}")));
    }
    let python = interop::peer()?;
    shell::run(cargo().args(["build", "--release", "--package", "strait-cli"]))?;
    let glibc = target().join("release/strait");
    let musl = build()?;
    let mut both = interop::scenarios(&python, &musl);
    shell::run(both.arg("--other").arg(&glibc).args(["TwoBuilds", "Stream", "Metadata"]))
}

/// The path of the static command-line tool.
fn build() -> Result<PathBuf, Failure> {
    packages::ensure(&["build-essential", "musl-tools", "libunwind-14-dev", "file"])?;
    let mut cargo = packages::cargo_for_any_target()?;
    let folder = target().join("musl");
    let flags = [
        "-Ctarget-feature=+crt-static",
        "-Crelocation-model=static",
        "-Clink-self-contained=no",
        "-Clinker=musl-gcc",
        // std's unwinder, which rustup bundles; Debian's was compiled for glibc and prints through one of its
        // functions, on the way to abort.
        "-Lnative=/usr/lib/llvm-14/lib",
        "-Clink-arg=-Wl,--defsym=__fprintf_chk=abort",
    ];
    cargo.env("CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_RUSTFLAGS", flags.join(" "));
    cargo.args(["build", "-Zbuild-std=std,panic_abort", "--release", "--package", "strait-cli"]);
    cargo.args(["--target", TARGET, "--target-dir"]).arg(&folder);
    shell::run(&mut cargo)?;
    let strait = folder.join(TARGET).join("release/strait");
    let kind = ask(program("file").args(["--brief", "--dereference"]).arg(&strait)).unwrap_or_default();
    if !kind.contains("statically linked") {
        return Err(Failure::new(format!("{} is not static: {kind}", strait.display())));
    }
    println!("{kind}");
    Ok(strait)
}
