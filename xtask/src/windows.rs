//! Does it build and run on Windows? Cross-built with mingw, run under Wine.
//!
//! Wine stands in for Windows and is laxer in places: it reserves no memory at creation, keeps no users apart, and lists
//! no quota. What depends on those is written for Windows and not shown here.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::packages;
use crate::shell::{Failure, ask, program, run as run_it, run_and_read, target};

const TARGET: &str = "x86_64-pc-windows-gnu";
const PACKAGES: &[&str] = &["gcc-mingw-w64-x86-64", "rust-web-clippy", "wine", "wine64"];

/// The library through which std asks for random numbers, and which Wine 8 lacks. An older name of the same function is
/// there.
const RANDOM: &str = "\
#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE to, SIZE_T left) {
    while (left > 0) {
        ULONG part = left > 0x10000000 ? 0x10000000 : (ULONG)left;
        if (!SystemFunction036(to, part)) return FALSE;
        to += part;
        left -= part;
    }
    return TRUE;
}
";

/// What runs under Wine: all but the fuzzer and `xtask`, which are for developers' machines, and the test of the
/// architecture, which asks cargo.
const TESTS: &[&[&str]] = &[
    &["--package", "strait-platform-windows"],
    &["--package", "strait-tests", "--test", "conformance"],
    &["--package", "strait-tests", "--test", "duplex"],
    &["--package", "strait-tests", "--test", "session"],
    &[
        "--package",
        "strait-tests",
        "--test",
        "process",
        "--test",
        "hostile",
        "--test",
        "api",
        "--test",
        "vectors",
    ],
    &["--package", "strait", "--lib", "--features", "tokio"],
    &["--package", "strait-cli"],
];

pub(crate) fn run(args: &[String]) -> Result<(), Failure> {
    if let Some(unknown) = args.first() {
        return Err(Failure::new(format!("windows takes no argument, got {unknown:?}")));
    }
    packages::ensure(packages::RUST_FOR_ANY_TARGET)?;
    packages::ensure(PACKAGES)?;
    let wine = Wine::new()?;
    let outcome = check(&wine);
    wine.stop();
    outcome
}

fn check(wine: &Wine) -> Result<(), Failure> {
    let mut clippy = wine.cargo("clippy")?;
    clippy.args(["--package", "strait-platform-windows", "--package", "strait", "--package", "strait-tests"]);
    run_it(clippy.args([
        "--package",
        "strait-cli",
        "--all-targets",
        "--all-features",
        "--",
        "--deny",
        "warnings",
    ]))?;
    run_it(wine.cargo("build")?.args(["--workspace", "--all-targets"]))?;
    for tests in TESTS {
        let output = run_and_read(wine.cargo("test")?.args(*tests))?;
        // A run without a single test must not pass.
        if !output.lines().any(|line| line.starts_with("test ") && line.ends_with(" ... ok")) {
            return Err(Failure::new(format!("no test ran: {}", tests.join(" "))));
        }
    }
    run_it(wine.cargo("build")?.args(["--release", "--package", "strait-cli"]))?;
    let strait = wine.folder.join(TARGET).join("release/strait.exe");
    let kind = ask(program("file").args(["--brief", "--dereference"]).arg(&strait)).unwrap_or_default();
    if !kind.contains("PE32+") {
        return Err(Failure::new(format!("{} is no Windows program: {kind}", strait.display())));
    }
    run_it(wine.program(&strait).args(["demo", "--bytes", "1GiB"]))?;
    let left = ask(wine.program(&strait).arg("ls")).ok_or_else(|| Failure::new("`strait ls` failed"))?;
    if left.lines().any(|line| line.contains("strait-")) {
        return Err(Failure::new(format!("buffers were left behind:\n{left}")));
    }
    Ok(())
}

/// A Windows of this check's own.
struct Wine {
    folder: PathBuf,
}

impl Wine {
    fn new() -> Result<Self, Failure> {
        packages::ensure(&["file"])?;
        let folder = target().join("windows");
        let wine = Self { folder };
        let library = wine.folder.join("dll");
        let failed = |error: std::io::Error| Failure::new(format!("{}: {error}", library.display()));
        std::fs::create_dir_all(&library).map_err(failed)?;
        let source = library.join("random.c");
        std::fs::write(&source, RANDOM).map_err(failed)?;
        let mut gcc = program("x86_64-w64-mingw32-gcc");
        gcc.args(["-O2", "-shared", "-o"]).arg(library.join("bcryptprimitives.dll")).arg(&source);
        run_it(gcc.arg("-ladvapi32"))?;
        // The first start makes the folder of this Windows, and says so at length.
        run_it(wine.set(&mut program("wineboot")).arg("--init"))?;
        Ok(wine)
    }

    /// A Windows program.
    fn program(&self, path: &Path) -> Command {
        let mut wine = program("wine");
        self.set(&mut wine).arg(path);
        wine
    }

    /// Cargo, building for Windows, running under Wine what it built.
    fn cargo(&self, verb: &str) -> Result<Command, Failure> {
        let mut cargo = packages::cargo_for_any_target()?;
        self.set(&mut cargo);
        cargo.env("CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER", "x86_64-w64-mingw32-gcc");
        cargo.env("CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER", "wine");
        cargo.env("CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUSTFLAGS", "-Dwarnings");
        cargo
            .args([verb, "-Zbuild-std=std,panic_abort", "--target", TARGET, "--target-dir"])
            .arg(&self.folder);
        Ok(cargo)
    }

    fn set<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.env("WINEPREFIX", self.folder.join("wine"));
        // Neither its messages nor its offers to install .NET and a browser.
        command.env("WINEDEBUG", "-all").env("WINEDLLOVERRIDES", "mscoree,mshtml=");
        let library = self.folder.join("dll").to_string_lossy().replace('/', "\\");
        command.env("WINEPATH", format!("Z:{library}"))
    }

    /// Ends what Wine keeps running in the background.
    fn stop(&self) {
        // Fails if nothing runs any more.
        let _ = ask(self.set(&mut program("wineserver")).arg("--kill"));
    }
}
