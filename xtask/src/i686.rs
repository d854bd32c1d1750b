//! Does a 32-bit build share buffers with a 64-bit build, keep every layout, and refuse what it cannot address?

use crate::cross::{Cross, meet_the_ordinary_build};
use crate::packages;
use crate::shell::{Failure, run_and_read};

const I686: Cross =
    Cross { target: "i686-unknown-linux-gnu", folder: "i686", flags: &[], kind: "ELF 32-bit LSB" };

/// Tests that run as 32-bit programs.
const TESTS: &[&[&str]] = &[
    &["--package", "strait-core", "--package", "strait-platform-linux", "--lib"],
    &["--package", "strait-tests", "--test", "process", "--test", "session", "--test", "vectors"],
];

/// Runs the tests as 32-bit programs, then the scenarios between the two builds, and those of the 32-bit build with the
/// real package, which is 64-bit.
pub(crate) fn run(args: &[String]) -> Result<(), Failure> {
    if let Some(unknown) = args.first() {
        return Err(Failure::new(format!("i686 takes no argument, got {unknown:?}")));
    }
    // The 32-bit C library, its start files and libgcc beside the 64-bit ones; rustc calls `cc -m32`.
    packages::ensure(&["build-essential", "gcc-multilib"])?;
    for tests in TESTS {
        let output = run_and_read(I686.cargo("test")?.args(*tests))?;
        // A binary without a single test must not pass.
        let begun = output.lines().filter(|line| line.starts_with("running "));
        let wanted = tests.iter().filter(|arg| ["--package", "--test"].contains(arg)).count();
        // One binary for each `--test`, or else for each package.
        let wanted = if tests.contains(&"--test") { wanted - 1 } else { wanted };
        if begun.clone().count() != wanted || begun.into_iter().any(|line| line.starts_with("running 0 ")) {
            let tests = tests.join(" ");
            return Err(Failure::new(format!("{wanted} binaries with tests should have run: {tests}")));
        }
    }
    meet_the_ordinary_build(&I686.strait()?, &["TwoBuilds", "AddressSpace", "Stream", "Metadata"])
}
