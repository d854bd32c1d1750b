//! Does Strait understand the real `zerobuffer-ipc` package, and it Strait?

use std::path::{Path, PathBuf};

use crate::packages;
use crate::shell::{self, Failure, ask, cargo, program, root, target};

/// The peer, whose 1.3.0 is the first without the two ring bugs of its forerunners, and what it needs.
const PEER: &[&str] = &["zerobuffer-ipc==1.3.0", "posix-ipc", "numpy"];

/// What the peer of XCP needs: `NumPy`, and Cap'n Proto, checksums, Protobuf and zstd that others made.
const XCP_PEER: &[&str] =
    &["pycapnp==2.2.4", "google-crc32c==1.9.0", "protobuf==7.36.2", "zstandard==0.25.0", "numpy"];
/// Tells whether they are all there.
const XCP_IMPORTS: &str = "import capnp, google_crc32c, google.protobuf, zstandard, numpy; print('all')";

/// One end of a duplex channel.
const DUPLEX_PEER: &str = "strait-test-duplex-peer";
/// The examples with a sibling in Python.
const EXAMPLES: &[&str] = &["producer_consumer", "pipeline", "request_response"];

/// Runs every scenario in `tests/interop`, or those whose names contain one of `args`; then those of XCP. After the word
/// `xcp` only those, or those of them whose names contain one of the other words.
pub(crate) fn run(args: &[String]) -> Result<(), Failure> {
    let python = peer()?;
    shell::run(cargo().args(["build", "--release", "--package", "strait-cli"]))?;
    if let Some((first, words)) = args.split_first()
        && first == "xcp"
    {
        return xcp(&target().join("release/strait"), words);
    }
    shell::run(cargo().args(["build", "--release", "--package", "strait-tests", "--bin", DUPLEX_PEER]))?;
    let mut examples = cargo();
    examples.args(["build", "--release", "--package", "strait"]);
    shell::run(examples.args(EXAMPLES.iter().flat_map(|name| ["--example", *name])))?;
    let made = target().join("release");
    let strait = made.join("strait");
    shell::run(scenarios(&python, &strait).arg("--made").arg(&made).args(args))?;
    // A word chooses scenarios of the one peer.
    if args.is_empty() { xcp(&strait, &[]) } else { Ok(()) }
}

/// Runs the scenarios in `tests/interop_xcp`, or those whose names contain one of `words`: an independent XCP peer in
/// Python against `strait`.
///
/// # Errors
/// The packages cannot be installed, or a scenario fails.
fn xcp(strait: &Path, words: &[String]) -> Result<(), Failure> {
    let python = peer()?;
    let has_all = || ask(program(&python.to_string_lossy()).args(["-c", XCP_IMPORTS])).is_some();
    if !has_all() {
        let mut install = program(&python.to_string_lossy());
        install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(XCP_PEER);
        shell::run(&mut install)?;
        if !has_all() {
            return Err(Failure::new("the packages are installed but cannot be imported"));
        }
    }
    let mut runner = program(&python.to_string_lossy());
    runner.arg("-B").arg(root().join("tests/interop_xcp/main.py")).args(["--packages", "--strait"]);
    shell::run(runner.arg(strait).args(words))
}

/// The runner of the scenarios, with `strait` at one end.
pub(crate) fn scenarios(python: &Path, strait: &Path) -> std::process::Command {
    let mut runner = program(&python.to_string_lossy());
    runner.arg("-B").arg(root().join("tests/interop/main.py")).arg("--strait").arg(strait);
    runner
}

/// A Python that has the peer: in an environment of its own under `target`, made if need be.
///
/// # Errors
/// It cannot be made.
pub(crate) fn peer() -> Result<PathBuf, Failure> {
    let folder = target().join("interop-venv");
    let python = folder.join("bin/python");
    let has_peer = || {
        let version =
            "from importlib.metadata import version; print(version('zerobuffer-ipc')); import zerobuffer";
        ask(program(&python.to_string_lossy()).args(["-c", version]))
            .is_some_and(|text| text.trim() == "1.3.0")
    };
    if !has_peer() {
        // Debian splits `venv` off; other Pythons have it.
        if ask(program("python3").args(["-c", "import venv, ensurepip"])).is_none() {
            packages::ensure(&["python3", "python3-venv"])?;
        }
        shell::run(program("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
        let mut install = program(&python.to_string_lossy());
        install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(PEER);
        shell::run(&mut install)?;
        if !has_peer() {
            return Err(Failure::new("the package is installed but cannot be imported"));
        }
    }
    Ok(python)
}
